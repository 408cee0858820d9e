/* SPDX-License-Identifier: Apache-2.0 */
/* namespaces.c - enter, leave and check namespaces; see namespaces.h */
#include "sandbox/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "base/checked.h"
#include "base/cleanup.h"

static const struct {
	int flag;
	const char *name;
} ns_names[] = {
	{CLONE_NEWNS, "mnt"},	     {CLONE_NEWPID, "pid"},
	{CLONE_NEWNET, "net"},	     {CLONE_NEWIPC, "ipc"},
	{CLONE_NEWUTS, "uts"},	     {CLONE_NEWUSER, "user"},
	{CLONE_NEWCGROUP, "cgroup"}, {0x80 /* CLONE_NEWTIME, Linux 5.6 */, "time"},
};

const char *sbx_ns_name(int clone_flag)
{
	size_t i;

	for (i = 0; i < VR_ARRAY_SIZE(ns_names); i++) {
		if (ns_names[i].flag == clone_flag) {
			return ns_names[i].name;
		}
	}
	return "?";
}

int sbx_ns_open(const char *path, int clone_flag, int *out_fd, struct vr_err *err)
{
	vr_autoclose int handle = open(path, O_PATH | O_CLOEXEC);
	vr_autoclose int fd = -1;
	char self[64];
	struct statfs sfs;
	int type;

	if (handle < 0) {
		return vr_err_sys(err, errno, "open namespace '%s'", path);
	}
	if (fstatfs(handle, &sfs) < 0) {
		return vr_err_sys(err, errno, "examine namespace '%s'", path);
	}
	if (sfs.f_type != NSFS_MAGIC) {
		return vr_err_set(err, EINVAL, "'%s' is not a namespace", path);
	}
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", handle); /* always fits */
	fd = open(self, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return vr_err_sys(err, errno, "open namespace '%s'", path);
	}
	type = ioctl(fd, NS_GET_NSTYPE);
	if (type < 0) {
		return vr_err_sys(err, errno, "examine namespace '%s'", path);
	}
	if (type != clone_flag) {
		return vr_err_set(err, EINVAL, "'%s' is a namespace of type %s, not %s", path,
				  sbx_ns_name(type), sbx_ns_name(clone_flag));
	}
	*out_fd = vr_take_fd(&fd);
	return 0;
}

int sbx_ns_join(int fd, int clone_flag, struct vr_err *err)
{
	if (setns(fd, clone_flag) < 0) {
		return vr_err_sys(err, errno, "join %s namespace", sbx_ns_name(clone_flag));
	}
	return 0;
}

int sbx_ns_unshare(int clone_flags, struct vr_err *err)
{
	if (unshare(clone_flags) < 0) {
		return vr_err_sys(err, errno, "make new namespaces (flags %#x)", clone_flags);
	}
	return 0;
}
