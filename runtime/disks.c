/* SPDX-License-Identifier: Apache-2.0 */
/* disks.c - block devices of the host that become disks of the machine; see disks.h */
#include "disks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fdio.h"

bool disk_is_meant(const struct oci_resources *res, const struct oci_device *dev, bool *out_ro)
{
	bool found = false;

	for (size_t i = 0; res && dev->type == 'b' && i < res->devices.n; i++) {
		const struct oci_device_rule *r = &res->devices.v[i];

		if (!r->type || strcmp(r->type, "b") != 0 || !r->major.set || !r->minor.set ||
		    r->major.v != dev->major || r->minor.v != dev->minor) {
			continue;
		}
		found = r->allow; /* the last word counts */
		*out_ro = r->access && !strchr(r->access, 'w');
	}
	return found;
}

static bool is_it(int fd, const struct oci_device *dev)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISBLK(st.st_mode) &&
	       st.st_rdev == makedev((unsigned)dev->major, (unsigned)dev->minor);
}

/* What udev links, and what the kernel calls it. Return: fd, or -errno */
static int open_node(const struct oci_device *dev, int flags)
{
	vr_autofree char *text = NULL;
	char path[320];
	char *name;
	size_t len;
	int fd;

	(void)snprintf(path, sizeof(path), "/dev/block/%u:%u", (unsigned)dev->major,
		       (unsigned)dev->minor);
	fd = open(path, flags);
	if (fd >= 0 || errno != ENOENT) {
		return fd < 0 ? -errno : fd;
	}
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/uevent", (unsigned)dev->major,
		       (unsigned)dev->minor);
	if (vr_read_file(AT_FDCWD, path, 4096, &text, &len) < 0) {
		return -ENODEV;
	}
	name = strstr(text, "DEVNAME=");
	if (!name) {
		return -ENODEV;
	}
	name += strlen("DEVNAME=");
	name[strcspn(name, "\n")] = '\0';
	(void)snprintf(path, sizeof(path), "/dev/%.255s", name);
	fd = open(path, flags);
	return fd < 0 ? -errno : fd;
}

int disk_open(const struct oci_device *dev, bool ro, int *out_fd, uint64_t *out_bytes,
	      struct vr_err *err)
{
	vr_autoclose int fd = open_node(dev, (ro ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	int rc = fd < 0 ? fd : 0;

	if (rc == 0 && !is_it(fd, dev)) {
		rc = -ENODEV;
	}
	if (rc == 0 && ioctl(fd, BLKGETSIZE64, out_bytes) < 0) {
		rc = -errno;
	}
	if (rc < 0) {
		return vr_err_sys(
			err, rc,
			"config.json: linux.devices: '%s': open block device %u:%u of the "
			"host",
			dev->path, (unsigned)dev->major, (unsigned)dev->minor);
	}
	*out_fd = vr_take_fd(&fd);
	return 0;
}
