/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_dir.c - names: find, make, remove, rename, link
 *
 * Every name is one checked component and every call is relative to the
 * directory's O_PATH fd; none of these calls follows a link in the last
 * position. What a symbolic link points to is only stored, never resolved
 * here: that is the guest's business.
 *
 * Device nodes can't be made, except the 0:0 character device that overlayfs
 * uses as a whiteout: on the host they would be doors to its devices. A guest
 * makes devices in its own file systems (devtmpfs, tmpfs).
 */
#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "virtio-fs/fs_internal.h"

/**
 * fs_op_lookup() - find a name; a missing one may be remembered too
 *
 * Syscalls: openat2, statx, close (role fs)
 */
int fs_op_lookup(struct fs_req *r)
{
	struct fuse_entry_out entry;
	struct fs_node *node;
	const char *name;
	int rc = fs_req_name(r, &name);

	if (rc == 0) {
		rc = fs_req_end(r);
	}
	if (rc < 0) {
		return rc;
	}
	rc = fs_entry_lookup(r->srv, r->node, name, &node, &entry);
	if (rc == -ENOENT) {
		struct fs_timeouts t = fs_timeouts_of(r->node->share, r->node->share);

		if (t.entry == 0) {
			return rc;
		}
		memset(&entry, 0, sizeof(entry)); /* node id 0: no such name */
		entry.entry_valid = t.entry;
		rc = 0;
	}
	return rc < 0 ? rc : fs_reply_put(r, &entry, sizeof(entry));
}

/* Name at the end of a request that makes a file, which needs room for one more node */
static int take_new_name(struct fs_req *r, const char **out_name)
{
	int rc = fs_req_name(r, out_name);

	if (rc == 0) {
		rc = fs_req_end(r);
	}
	if (rc == 0 && fs_table_full(&r->srv->inodes.table)) {
		rc = -ENFILE;
	}
	return rc;
}

static bool mknod_allowed(const struct fuse_mknod_in *in)
{
	switch (in->mode & S_IFMT) {
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		return true;
	case S_IFCHR:
		return in->rdev == 0;
	default:
		return false;
	}
}

/**
 * fs_op_mknod() - make a regular file, FIFO, socket or whiteout
 *
 * Syscalls: mknodat, setfsuid, setfsgid, capset, umask, openat2, statx, close (role fs)
 */
int fs_op_mknod(struct fs_req *r)
{
	struct fs_cred_scope scope;
	struct fuse_mknod_in in;
	const char *name;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc == 0) {
		rc = take_new_name(r, &name);
	}
	if (rc == 0 && !mknod_allowed(&in)) {
		rc = -EPERM;
	}
	if (rc == 0) {
		rc = fs_make_begin(r, in.umask, &scope);
	}
	if (rc < 0) {
		return rc;
	}
	rc = mknodat(r->node->fd, name, in.mode & (S_IFMT | 07777), 0) < 0 ? -errno : 0;
	fs_make_end(r, &scope);
	return rc < 0 ? rc : fs_entry_reply(r, name);
}

/**
 * fs_op_mkdir() - make a directory
 *
 * Syscalls: mkdirat, setfsuid, setfsgid, capset, umask, openat2, statx, close (role fs)
 */
int fs_op_mkdir(struct fs_req *r)
{
	struct fs_cred_scope scope;
	struct fuse_mkdir_in in;
	const char *name;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc == 0) {
		rc = take_new_name(r, &name);
	}
	if (rc == 0) {
		rc = fs_make_begin(r, in.umask, &scope);
	}
	if (rc < 0) {
		return rc;
	}
	rc = mkdirat(r->node->fd, name, in.mode & 07777) < 0 ? -errno : 0;
	fs_make_end(r, &scope);
	return rc < 0 ? rc : fs_entry_reply(r, name);
}

/**
 * fs_op_symlink() - make a symbolic link; its target is any string and is not looked at
 *
 * Syscalls: symlinkat, setfsuid, setfsgid, capset, umask, openat2, statx, close (role fs)
 */
int fs_op_symlink(struct fs_req *r)
{
	struct fs_cred_scope scope;
	const char *name;
	const char *target;
	size_t len;
	int rc = fs_req_name(r, &name);

	if (rc == 0) {
		rc = fs_req_string(r, &target, &len);
	}
	if (rc == 0) {
		rc = fs_req_end(r);
	}
	if (rc < 0) {
		return rc;
	}
	if (len == 0 || len > FS_MAX_TARGET) {
		return len ? -ENAMETOOLONG : -ENOENT;
	}
	if (fs_table_full(&r->srv->inodes.table)) {
		return -ENFILE;
	}
	rc = fs_make_begin(r, 0, &scope);
	if (rc < 0) {
		return rc;
	}
	rc = symlinkat(target, r->node->fd, name) < 0 ? -errno : 0;
	fs_make_end(r, &scope);
	return rc < 0 ? rc : fs_entry_reply(r, name);
}

static int remove_name(struct fs_req *r, int flags)
{
	const char *name;
	int rc = fs_req_name(r, &name);

	if (rc == 0) {
		rc = fs_req_end(r);
	}
	if (rc < 0) {
		return rc;
	}
	return unlinkat(r->node->fd, name, flags) < 0 ? -errno : 0;
}

/** fs_op_unlink() - remove a name. Syscalls: unlinkat (role fs) */
int fs_op_unlink(struct fs_req *r)
{
	return remove_name(r, 0);
}

/** fs_op_rmdir() - remove an empty directory. Syscalls: unlinkat (role fs) */
int fs_op_rmdir(struct fs_req *r)
{
	return remove_name(r, AT_REMOVEDIR);
}

/* Both rename operations; the header's node is the old directory. */
static int rename_names(struct fs_req *r, uint64_t g_newdir, uint32_t flags)
{
	const struct fs_node *newdir = fs_inode_get(&r->srv->inodes, g_newdir);
	const char *old_name;
	const char *new_name;
	int rc = fs_req_name(r, &old_name);

	if (rc == 0) {
		rc = fs_req_name(r, &new_name);
	}
	if (rc == 0) {
		rc = fs_req_end(r);
	}
	if (rc < 0) {
		return rc;
	}
	if (!newdir) {
		return -ESTALE;
	}
	if (!S_ISDIR(newdir->type)) {
		return -ENOTDIR;
	}
	if (fs_share_fixed(r->srv, newdir->share)) {
		return -EROFS;
	}
	/* raw: the C library makes a renameat(2) of it when there are no flags */
	if (syscall(SYS_renameat2, r->node->fd, old_name, newdir->fd, new_name, flags) < 0) {
		return -errno;
	}
	return 0;
}

/** fs_op_rename() - move a name. Syscalls: renameat2 (role fs) */
int fs_op_rename(struct fs_req *r)
{
	struct fuse_rename_in in;
	int rc = fs_req_args(r, &in, sizeof(in));

	return rc < 0 ? rc : rename_names(r, in.newdir, 0);
}

/** fs_op_rename2() - move without replacing, or exchange. Syscalls: renameat2 (role fs) */
int fs_op_rename2(struct fs_req *r)
{
	struct fuse_rename2_in in;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc == 0 && (in.flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE))) {
		rc = -EINVAL;
	}
	return rc < 0 ? rc : rename_names(r, in.newdir, in.flags);
}

/**
 * fs_op_link() - another name for a file
 *
 * The old file is named by its fd through /proc/self/fd, because linkat(2)
 * with an empty path asks for CAP_DAC_READ_SEARCH.
 *
 * Syscalls: linkat, openat2, statx, close (role fs)
 */
int fs_op_link(struct fs_req *r)
{
	const struct fs_node *old;
	struct fs_proc_name proc;
	struct fuse_link_in in;
	const char *name;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc == 0) {
		rc = take_new_name(r, &name);
	}
	if (rc < 0) {
		return rc;
	}
	old = fs_inode_get(&r->srv->inodes, in.oldnodeid);
	if (!old) {
		return -ESTALE;
	}
	if (S_ISDIR(old->type)) {
		return -EPERM;
	}
	proc = fs_path_proc(old->fd);
	if (linkat(r->srv->cfg.proc_self_fd_fd, proc.s, r->node->fd, name, AT_SYMLINK_FOLLOW) < 0) {
		return -errno;
	}
	return fs_entry_reply(r, name);
}
