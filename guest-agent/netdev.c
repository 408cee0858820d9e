/* SPDX-License-Identifier: Apache-2.0 */
/* netdev.c - the machine's network devices; see netdev.h */
#include "netdev.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/agent_proto.h"
#include "sys.h"

#define DRIVER	 "/sys/bus/platform/drivers/virtio-mmio/"
#define DEVICE	 "/sys/bus/platform/devices/virtio-mmio.%u"
#define PATH_CAP 320

/* The first entry of a directory that begins with @prefix. Return: 0, -ENODEV, -errno */
static int first_entry(const char *dir, const char *prefix, char *name, size_t cap)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int rc = -ENODEV;

	if (!d) {
		return errno == ENOENT ? -ENODEV : -errno;
	}
	while (rc != 0 && (e = readdir(d))) {
		if (e->d_name[0] != '.' && strncmp(e->d_name, prefix, strlen(prefix)) == 0) {
			rc = snprintf(name, cap, "%s", e->d_name) < (int)cap ? 0 : -ENAMETOOLONG;
		}
	}
	closedir(d);
	return rc;
}

int netdev_find(uint32_t slot, char name[IF_NAMESIZE])
{
	char dir[PATH_CAP];
	char virtio[32];
	int n = snprintf(dir, sizeof(dir), DEVICE, AP_DEVICE_NET + slot);
	int rc = first_entry(dir, "virtio", virtio, sizeof(virtio));

	if (rc < 0) {
		return rc;
	}
	snprintf(dir + n, sizeof(dir) - (size_t)n, "/%s/net", virtio);
	return first_entry(dir, "", name, IF_NAMESIZE);
}

static int tell_driver(const char *what, uint32_t slot)
{
	char path[PATH_CAP];
	char device[32];

	snprintf(path, sizeof(path), DRIVER "%s", what);
	snprintf(device, sizeof(device), "virtio-mmio.%u", AP_DEVICE_NET + slot);
	return sys_write_file(-1, path, device);
}

int netdev_bind(uint32_t slot)
{
	return tell_driver("bind", slot);
}

int netdev_unbind(uint32_t slot)
{
	return tell_driver("unbind", slot);
}
