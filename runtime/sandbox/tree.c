/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.c - all that the file server can see; see tree.h
 *
 * How this works. Sources are cloned into detached mounts while the host's
 * namespace is still ours (a kernel refuses to clone another namespace's
 * mounts), get their flags while nobody can see them, and are attached when the
 * empty root is in place. A clone of a shared mount is a member of its peer group;
 * made a slave, it keeps receiving the host's later mounts although its namespace
 * is another one; made private, it doesn't.
 */
#include "sandbox/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/mounts.h"

/* rootfs, mounts, the root itself, and what tmpfs wants for itself */
#define EXTRA_INODES 8u

/* A share on its way: the detached clone of its source. */
struct clone {
	const char *path;
	int fd;
	bool is_dir;
	bool writable;
};

/* Detached mount of /proc/self/fd: descriptors of this process, nothing above them. */
static int clone_proc_self(int *out_fd, struct vr_err *err)
{
	vr_autoclose int fd =
		open_tree(AT_FDCWD, "/proc/self/fd", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	struct statfs sfs;
	int ret;

	if (fd < 0 || fstatfs(fd, &sfs) < 0) {
		return vr_err_sys(err, errno, "open /proc/self/fd");
	}
	if (sfs.f_type != PROC_SUPER_MAGIC) {
		return vr_err_set(err, EINVAL, "/proc is not a proc file system");
	}
	ret = sbx_mount_attr(
		fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
		MS_PRIVATE, false);
	if (ret < 0) {
		return vr_err_sys(err, ret, "set up /proc/self/fd");
	}
	*out_fd = vr_take_fd(&fd);
	return 0;
}

static int open_source(const struct sbx_share *share, struct stat *st, struct vr_err *err)
{
	int fd = share->fd >= 0 ? fcntl(share->fd, F_DUPFD_CLOEXEC, 3)
				: open(share->path, O_PATH | O_CLOEXEC);

	if (fd < 0 || fstat(fd, st) < 0) {
		int code = errno;

		vr_cleanup_close(&fd);
		return vr_err_sys(err, code, "share '%s'", share->path);
	}
	if (S_ISLNK(st->st_mode)) {
		(void)close(fd); /* O_PATH: nothing can fail */
		return vr_err_set(err, ELOOP, "share '%s': is a symbolic link", share->path);
	}
	return fd;
}

static int clone_share(const struct sbx_share *share, struct clone *out, struct vr_err *err)
{
	bool recursive = (share->flags & SBX_SHARE_RECURSIVE) != 0;
	uint64_t set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	vr_autoclose int source = -1;
	struct stat st;
	int ret;

	source = open_source(share, &st, err);
	if (source < 0) {
		return source;
	}
	out->path = share->path;
	out->is_dir = S_ISDIR(st.st_mode);
	out->writable = !(share->flags & SBX_SHARE_RO);
	if (!out->writable) {
		set |= MOUNT_ATTR_RDONLY;
	}
	out->fd = open_tree(source, "",
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
				    (recursive ? AT_RECURSIVE : 0u));
	if (out->fd < 0) {
		return vr_err_sys(err, errno, "share '%s': clone its mount", share->path);
	}
	ret = sbx_mount_attr(out->fd, set, share->flags & SBX_SHARE_SLAVE ? MS_SLAVE : MS_PRIVATE,
			     recursive);
	if (ret < 0) {
		return vr_err_sys(err, ret, "share '%s': set its mount flags", share->path);
	}
	if (share->idmap_fd > 0) {
		ret = sbx_mount_idmap(out->fd, share->idmap_fd,
				      (share->flags & SBX_SHARE_IDMAP_BELOW) != 0);
		if (ret < 0) {
			return vr_err_sys(err, ret, "share '%s': map its ids", share->path);
		}
	}
	return 0;
}

static int make_mount_point(int root, const char *name, bool is_dir)
{
	vr_autoclose int fd = -1;

	if (is_dir) {
		return mkdirat(root, name, 0755) < 0 ? -errno : 0;
	}
	fd = openat(root, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : 0;
}

static int attach(int root, const char *name, struct clone *share, struct vr_err *err)
{
	int ret = make_mount_point(root, name, share->is_dir);

	if (ret < 0) {
		return vr_err_sys(err, ret, "share '%s': make its mount point", share->path);
	}
	if (move_mount(share->fd, "", root, name, MOVE_MOUNT_F_EMPTY_PATH) < 0) {
		return vr_err_sys(err, errno, "share '%s': attach it", share->path);
	}
	vr_close_reset(&share->fd);
	return 0;
}

static int attach_all(int root, struct clone *shares, size_t n, struct vr_err *err)
{
	char name[32];
	size_t i;
	int ret;

	ret = attach(root, SBX_FS_TREE_ROOTFS, &shares[0], err);
	if (ret < 0) {
		return ret;
	}
	if (mkdirat(root, "mounts", 0755) < 0) {
		return vr_err_sys(err, errno, "make the directory of shares");
	}
	for (i = 1; i < n; i++) {
		(void)snprintf(name, sizeof(name), "mounts/%zu", i - 1); /* always fits */
		ret = attach(root, name, &shares[i], err);
		if (ret < 0) {
			return ret;
		}
	}
	return 0;
}

/* New root, shares attached, tree closed against changes. Fills out->root_fd. */
static int assemble(struct clone *shares, size_t n, struct sbx_fs_tree *out, struct vr_err *err)
{
	vr_autoclose int root = -1;
	int ret;

	ret = sbx_tmpfs_new((unsigned)n + EXTRA_INODES, &root, err);
	if (ret < 0) {
		return ret;
	}
	ret = sbx_root_enter(root, err);
	if (ret < 0) {
		return ret;
	}
	ret = attach_all(root, shares, n, err);
	if (ret < 0) {
		return ret;
	}
	ret = sbx_mount_attr(root, MOUNT_ATTR_RDONLY, 0, false);
	if (ret < 0) {
		return vr_err_sys(err, ret, "make the new root read-only");
	}
	out->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (out->root_fd < 0) {
		return vr_err_sys(err, errno, "open the new root");
	}
	return 0;
}

static int clone_all(const struct sbx_share *rootfs, const struct sbx_share *mounts, size_t n,
		     struct clone *shares, struct vr_err *err)
{
	size_t i;
	int ret;

	ret = clone_share(rootfs, &shares[0], err);
	if (ret < 0) {
		return ret;
	}
	if (!shares[0].is_dir) {
		return vr_err_set(err, ENOTDIR, "root file system '%s': not a directory",
				  rootfs->path);
	}
	for (i = 0; i < n; i++) {
		ret = clone_share(&mounts[i], &shares[i + 1], err);
		if (ret < 0) {
			return ret;
		}
	}
	return 0;
}

static void free_clones(struct clone *shares, size_t n)
{
	size_t i;

	for (i = 0; shares && i < n; i++) {
		vr_cleanup_close(&shares[i].fd);
	}
	free(shares);
}

static struct clone *new_clones(size_t n)
{
	struct clone *shares = calloc(n, sizeof(*shares));
	size_t i;

	for (i = 0; shares && i < n; i++) {
		shares[i].fd = -1;
	}
	return shares;
}

int sbx_fs_tree_build(const struct sbx_share *rootfs, const struct sbx_share *mounts,
		      size_t n_mounts, struct sbx_fs_tree *out, struct vr_err *err)
{
	struct sbx_fs_tree tree = SBX_FS_TREE_INIT;
	struct clone *shares;
	size_t i;
	int ret;

	if (n_mounts > SBX_SHARES_MAX) {
		return vr_err_set(err, E2BIG, "%zu bind mounts are more than %u", n_mounts,
				  SBX_SHARES_MAX);
	}
	shares = new_clones(n_mounts + 1);
	tree.writable = calloc(n_mounts + 1, sizeof(*tree.writable));
	if (!shares || !tree.writable) {
		ret = vr_err_sys(err, ENOMEM, "share %zu mounts", n_mounts);
		goto out;
	}
	ret = clone_proc_self(&tree.proc_self_fd, err);
	if (ret < 0) {
		goto out;
	}
	ret = clone_all(rootfs, mounts, n_mounts, shares, err);
	if (ret < 0) {
		goto out;
	}
	for (i = 0; i <= n_mounts; i++) {
		tree.writable[i] = shares[i].writable;
	}
	tree.n_mounts = n_mounts;
	ret = assemble(shares, n_mounts + 1, &tree, err);
out:
	free_clones(shares, n_mounts + 1);
	if (ret < 0) {
		sbx_fs_tree_finish(&tree);
		return ret;
	}
	*out = tree;
	return 0;
}

void sbx_fs_tree_finish(struct sbx_fs_tree *tree)
{
	vr_close_reset(&tree->root_fd);
	vr_close_reset(&tree->proc_self_fd);
	free(tree->writable);
	tree->writable = NULL;
	tree->n_mounts = 0;
}
