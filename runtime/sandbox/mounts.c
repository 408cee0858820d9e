/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts.c - mount trees by descriptor, and the change into a new root; see mounts.h
 *
 * The new root is attached on top of the old one ("/" over "/"), which needs no
 * directory to exist anywhere: path walks still start at the old root, and only
 * our descriptor leads to the new one. pivot_root(".", ".") then swaps the two and
 * leaves the old root stacked on the new, from where it is detached.
 */
#include "sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

static int configure(int fs, unsigned n_inodes)
{
	char inodes[16];

	(void)snprintf(inodes, sizeof(inodes), "%u", n_inodes); /* always fits */
	if (fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "size", "4k", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", inodes, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		return -errno;
	}
	return 0;
}

int sbx_tmpfs_new(unsigned n_inodes, int *out_fd, struct vr_err *err)
{
	vr_autoclose int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int fd;
	int ret;

	if (fs < 0) {
		return vr_err_sys(err, errno, "make a tmpfs");
	}
	ret = configure(fs, n_inodes);
	if (ret < 0) {
		return vr_err_sys(err, ret, "configure a tmpfs");
	}
	fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fd < 0) {
		return vr_err_sys(err, errno, "mount a tmpfs");
	}
	*out_fd = fd;
	return 0;
}

int sbx_mount_attr(int fd, uint64_t set, uint64_t propagation, bool recursive)
{
	struct mount_attr attr = {.attr_set = set, .propagation = propagation};
	unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

	return mount_setattr(fd, "", flags, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

int sbx_mount_idmap(int fd, int userns_fd, bool recursive)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd};
	unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

	return mount_setattr(fd, "", flags, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

static int swap_root(int mount_fd, struct vr_err *err)
{
	if (move_mount(mount_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0) {
		return vr_err_sys(err, errno, "attach the new root");
	}
	if (fchdir(mount_fd) < 0) {
		return vr_err_sys(err, errno, "enter the new root");
	}
	if (syscall(SYS_pivot_root, ".", ".") < 0) {
		return vr_err_sys(err, errno,
				  "pivot_root (impossible inside a plain chroot or an initramfs)");
	}
	if (umount2(".", MNT_DETACH) < 0) {
		return vr_err_sys(err, errno, "detach the old root");
	}
	if (chdir("/") < 0) {
		return vr_err_sys(err, errno, "enter the new root");
	}
	return 0;
}

int sbx_root_enter(int mount_fd, struct vr_err *err)
{
	if (unshare(CLONE_NEWNS) < 0) {
		return vr_err_sys(err, errno, "make a new mount namespace");
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		return vr_err_sys(err, errno, "cut mount propagation");
	}
	return swap_root(mount_fd, err);
}
