/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_attr.c - attributes: read, change, file system totals, access, link targets
 *
 * Everything here works on the node's O_PATH fd, so files of any type can be
 * served without being opened. A file handle in GETATTR or STATX is ignored:
 * it names the same file as the node.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "virtio-fs/fs_internal.h"

static uint32_t attr_seconds(const struct fs_node *node)
{
	return fs_timeouts_of(node->share, node->share).attr;
}

static int reply_attr(struct fs_req *r)
{
	struct fuse_attr_out out = {.attr_valid = attr_seconds(r->node)};
	struct statx stx;
	int rc = fs_path_stat(r->node->fd, &stx);

	if (rc < 0) {
		return rc;
	}
	fs_inode_attr(r->node, &stx, &out.attr);
	return fs_reply_put(r, &out, sizeof(out));
}

/** fs_op_getattr() - attributes of a node. Syscalls: statx (role fs) */
int fs_op_getattr(struct fs_req *r)
{
	return reply_attr(r);
}

static struct fuse_sx_time sx_time(const struct statx_timestamp *t)
{
	struct fuse_sx_time out = {.tv_sec = t->tv_sec, .tv_nsec = t->tv_nsec};

	return out;
}

/** fs_op_statx() - attributes with the time of birth. Syscalls: statx (role fs) */
int fs_op_statx(struct fs_req *r)
{
	struct fuse_statx_out out = {.attr_valid = attr_seconds(r->node)};
	struct fuse_attr attr;
	struct statx stx;
	int rc = fs_path_stat(r->node->fd, &stx);

	if (rc < 0) {
		return rc;
	}
	fs_inode_attr(r->node, &stx, &attr);
	out.stat.mask = stx.stx_mask & (STATX_BASIC_STATS | STATX_BTIME);
	out.stat.blksize = stx.stx_blksize;
	out.stat.attributes = stx.stx_attributes;
	out.stat.attributes_mask = stx.stx_attributes_mask;
	out.stat.nlink = stx.stx_nlink;
	out.stat.uid = stx.stx_uid;
	out.stat.gid = stx.stx_gid;
	out.stat.mode = stx.stx_mode;
	out.stat.ino = attr.ino;
	out.stat.size = stx.stx_size;
	out.stat.blocks = stx.stx_blocks;
	out.stat.atime = sx_time(&stx.stx_atime);
	out.stat.btime = sx_time(&stx.stx_btime);
	out.stat.ctime = sx_time(&stx.stx_ctime);
	out.stat.mtime = sx_time(&stx.stx_mtime);
	out.stat.rdev_major = stx.stx_rdev_major;
	out.stat.rdev_minor = stx.stx_rdev_minor;
	return fs_reply_put(r, &out, sizeof(out));
}

/* chown; an id that isn't to change is passed as -1. The host's chown clears setuid bits itself. */
static int set_owner(struct fs_req *r, const struct fuse_setattr_in *in)
{
	uid_t uid = in->valid & FATTR_UID ? in->uid : (uid_t)-1;
	gid_t gid = in->valid & FATTR_GID ? in->gid : (gid_t)-1;

	if (((in->valid & FATTR_UID) && uid == (uid_t)-1) ||
	    ((in->valid & FATTR_GID) && gid == (gid_t)-1)) {
		return -EINVAL;
	}
	if (fchownat(r->node->fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0) {
		return -errno;
	}
	return 0;
}

static int set_size(struct fs_req *r, const struct fuse_setattr_in *in)
{
	const struct fs_open *open = NULL;
	int fd = -1;
	int rc;

	if (!S_ISREG(r->node->type) || in->size > INT64_MAX) {
		return -EINVAL;
	}
	if (in->valid & FATTR_FH) {
		open = fs_open_get(r->srv, in->fh, r->hdr.nodeid, FS_OPEN_FILE);
		if (!open) {
			return -EBADF;
		}
	} else {
		fd = fs_path_reopen(r->srv->cfg.proc_self_fd_fd, r->node->fd, r->node->type,
				    O_WRONLY | O_NONBLOCK);
		if (fd < 0) {
			return fd;
		}
	}
	rc = ftruncate(open ? open->fd : fd, (off_t)in->size) < 0 ? -errno : 0;
	if (fd >= 0) {
		(void)close(fd); /* nothing was written through it */
	}
	return rc;
}

/* chmod through /proc/self/fd: follows the fd, not a link, and opens nothing. */
static int set_mode(struct fs_req *r, const struct fuse_setattr_in *in)
{
	struct fs_proc_name proc = fs_path_proc(r->node->fd);

	if (S_ISLNK(r->node->type)) {
		return -EOPNOTSUPP;
	}
	if (fchmodat(r->srv->cfg.proc_self_fd_fd, proc.s, in->mode & 07777, 0) < 0) {
		return -errno;
	}
	return 0;
}

/* One of the two times; false if its nanoseconds are none (or one of utimensat's own marks) */
static bool pick_time(bool set, bool now, uint64_t sec, uint32_t nsec, struct timespec *out)
{
	out->tv_sec = 0;
	out->tv_nsec = UTIME_OMIT;
	if (!set) {
		return true;
	}
	if (now) {
		out->tv_nsec = UTIME_NOW;
		return true;
	}
	out->tv_sec = (time_t)sec;
	out->tv_nsec = (long)nsec;
	return nsec < 1000000000U;
}

static int set_times(struct fs_req *r, const struct fuse_setattr_in *in)
{
	struct timespec ts[2];

	if (!pick_time(in->valid & (FATTR_ATIME | FATTR_ATIME_NOW), in->valid & FATTR_ATIME_NOW,
		       in->atime, in->atimensec, &ts[0]) ||
	    !pick_time(in->valid & (FATTR_MTIME | FATTR_MTIME_NOW), in->valid & FATTR_MTIME_NOW,
		       in->mtime, in->mtimensec, &ts[1])) {
		return -EINVAL;
	}
	return utimensat(r->node->fd, "", ts, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/*
 * In the order in which one step may undo what another one set: an owner
 * change and a truncation clear setuid bits, so the mode comes after them; and
 * everything changes times, so those come last.
 */
static int apply_attr(struct fs_req *r, const struct fuse_setattr_in *in)
{
	int rc = 0;

	if (in->valid & (FATTR_UID | FATTR_GID)) {
		rc = set_owner(r, in);
	}
	if (rc == 0 && (in->valid & FATTR_SIZE)) {
		rc = set_size(r, in);
	}
	if (rc == 0 && (in->valid & FATTR_MODE)) {
		rc = set_mode(r, in);
	}
	if (rc == 0 &&
	    (in->valid & (FATTR_ATIME | FATTR_MTIME | FATTR_ATIME_NOW | FATTR_MTIME_NOW))) {
		rc = set_times(r, in);
	}
	return rc;
}

/**
 * fs_op_setattr() - change owner, size, mode, times
 *
 * Syscalls: fchownat, ftruncate, openat, close, fchmodat, utimensat, statx, capset (role fs)
 */
int fs_op_setattr(struct fs_req *r)
{
	struct fs_cred_scope scope = {0};
	struct fuse_setattr_in in;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc == 0 && (in.valid & FATTR_KILL_SUIDGID)) {
		rc = fs_cred_drop_fsetid(&r->srv->cred, &scope);
	}
	if (rc < 0) {
		return rc;
	}
	rc = apply_attr(r, &in);
	fs_cred_leave(&r->srv->cred, &scope);
	return rc < 0 ? rc : reply_attr(r);
}

/** fs_op_statfs() - totals of the host's file system. Syscalls: fstatfs (role fs) */
int fs_op_statfs(struct fs_req *r)
{
	struct fuse_statfs_out out = {0};
	struct statfs st;

	if (fstatfs(r->node->fd, &st) < 0) {
		return -errno;
	}
	out.blocks = st.f_blocks;
	out.bfree = st.f_bfree;
	out.bavail = st.f_bavail;
	out.files = st.f_files;
	out.ffree = st.f_ffree;
	out.bsize = (uint32_t)st.f_bsize;
	out.namelen = (uint32_t)st.f_namelen;
	out.frsize = (uint32_t)st.f_frsize;
	return fs_reply_put(r, &out, sizeof(out));
}

/**
 * fs_op_access() - may the request's process do this?
 *
 * Guests mounted with default_permissions never ask.
 *
 * Syscalls: faccessat2, setfsuid, setfsgid, capset (role fs)
 */
int fs_op_access(struct fs_req *r)
{
	struct fs_cred_scope scope;
	struct fuse_access_in in;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc == 0 && (in.mask & ~(uint32_t)(R_OK | W_OK | X_OK))) {
		rc = -EINVAL;
	}
	if (rc == 0) {
		rc = fs_cred_enter(&r->srv->cred, r->hdr.uid, r->hdr.gid, false, &scope);
	}
	if (rc < 0) {
		return rc;
	}
	if (syscall(SYS_faccessat2, r->node->fd, "", (int)in.mask, AT_EMPTY_PATH | AT_EACCESS) <
	    0) {
		rc = -errno;
	}
	fs_cred_leave(&r->srv->cred, &scope);
	return rc;
}

/** fs_op_readlink() - target of a symbolic link. Syscalls: readlinkat (role fs) */
int fs_op_readlink(struct fs_req *r)
{
	ssize_t n;

	if (!S_ISLNK(r->node->type)) {
		return -EINVAL;
	}
	n = readlinkat(r->node->fd, "", (char *)r->srv->scratch, PATH_MAX);
	if (n < 0) {
		return -errno;
	}
	return fs_reply_put(r, r->srv->scratch, (size_t)n);
}
