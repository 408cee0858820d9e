/* SPDX-License-Identifier: Apache-2.0 */
/* assets.c - where the guest kernel and its initramfs are; see assets.h */
#include "assets.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "version.h"

/* The directory of the running program, without a slash at its end. */
static int program_dir(char buf[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", buf, PATH_MAX - 1);
	char *slash;

	if (n < 0) {
		return -errno;
	}
	buf[n] = '\0';
	slash = strrchr(buf, '/');
	if (!slash) {
		return -ENOENT;
	}
	*slash = '\0';
	return 0;
}

int asset_open(const char *name, struct vr_err *err)
{
	static const char *const places[] = {"guest", "../lib/volt-runc"};
	char dir[PATH_MAX], path[PATH_MAX + 64];
	int fd = -1;

	if (program_dir(dir) == 0) {
		for (size_t i = 0; fd < 0 && i < VR_ARRAY_SIZE(places); i++) {
			(void)snprintf(path, sizeof(path), "%s/%s/%s", dir, places[i], name);
			fd = open(path, O_RDONLY | O_CLOEXEC);
		}
	}
	if (fd < 0) {
		(void)snprintf(path, sizeof(path), VOLT_DATADIR "/%s", name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0) {
		/* Not strerror(): engines take "no such file" for a missing program of the container. */
		return vr_err_set(err, errno,
				  "the guest's %s is not installed, last looked for as '%s'", name,
				  path);
	}
	return fd;
}
