/* SPDX-License-Identifier: Apache-2.0 */
/* vmm_user.c - who the vmm process is; see vmm_user.h */
#include "vmm_user.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Without random bits, early in a boot, the vmm stays who it is. */
static struct sbx_user somebody(void)
{
	uint32_t bits = 0;
	bool have = getrandom(&bits, sizeof(bits), GRND_NONBLOCK) == sizeof(bits);

	return (struct sbx_user){
		.change = have,
		.uid = VMM_UID_FIRST | (bits & (VMM_UID_LAST - VMM_UID_FIRST)),
	};
}

int vmm_user_parse(const char *text, struct sbx_user *out, struct vr_err *err)
{
	unsigned long uid;
	char *end;

	*out = (struct sbx_user){0};
	if (!text || strcmp(text, "auto") == 0) {
		*out = somebody();
		return 0;
	}
	if (strcmp(text, "none") == 0) {
		return 0;
	}
	errno = 0;
	uid = strtoul(text, &end, 10);
	/* the last id stands for "no change" in system calls */
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || uid >= UINT32_MAX) {
		return vr_err_set(err, EINVAL,
				  "option '--vmm-user': '%s' is neither auto, none nor a user id",
				  text);
	}
	*out = (struct sbx_user){.change = true, .must = true, .uid = (uid_t)uid};
	return 0;
}
