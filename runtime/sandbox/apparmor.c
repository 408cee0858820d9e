/* SPDX-License-Identifier: Apache-2.0 */
/* apparmor.c - the AppArmor profile of config.json; see apparmor.h */
#include "sandbox/apparmor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fdio.h"

#define PROFILE_MAX 4096u

static bool enabled(void)
{
	vr_autoclose int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
	char c = 'N';

	return fd >= 0 && read(fd, &c, 1) == 1 && c == 'Y';
}

bool sbx_apparmor_wanted(const char *profile)
{
	return profile && profile[0] != '\0' && strcmp(profile, "unconfined") != 0 && enabled();
}

int sbx_apparmor_open(struct vr_err *err)
{
	int fd = open("/proc/thread-self/attr/apparmor/current", O_WRONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) { /* before Linux 5.1 the LSMs shared one */
		fd = open("/proc/thread-self/attr/current", O_WRONLY | O_CLOEXEC);
	}
	return fd < 0 ? vr_err_sys(err, errno, "apparmor: open /proc/thread-self/attr") : fd;
}

int sbx_apparmor_change(int fd, const char *profile, struct vr_err *err)
{
	char text[PROFILE_MAX];
	int n = snprintf(text, sizeof(text), "changeprofile %s", profile);

	if (n < 0 || (size_t)n >= sizeof(text)) {
		return vr_err_set(err, ENAMETOOLONG, "apparmor: the profile's name is too long");
	}
	if (write(fd, text, (size_t)n) == (ssize_t)n) { /* the kernel takes all or nothing */
		return 0;
	}
	if (errno == ENOENT) {
		return vr_err_set(err, ENOENT,
				  "unable to apply apparmor profile '%s': it is not loaded",
				  profile);
	}
	return vr_err_sys(err, errno, "unable to apply apparmor profile '%s'", profile);
}
