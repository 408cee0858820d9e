/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_file.c - open, make and close files
 *
 * Only regular files are opened; FIFOs, devices and sockets live in the guest
 * and must not be touched on the host. Of the guest's open flags only those
 * with a meaning for the host's file are passed on: O_APPEND is honoured write
 * by write (fs_io.c), O_DIRECT is the guest's own affair, O_CREAT never meets
 * an existing file. O_NONBLOCK is always set: it does nothing to files on disk,
 * but keeps leases and the odd blocking file of procfs from stopping the server.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "virtio-fs/fs_internal.h"

#define PASSED_FLAGS (O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC)

int fs_open_add(struct fs_server *srv, const struct fs_node *node, enum fs_open_kind kind, int fd,
		uint64_t *out_fh)
{
	struct fs_open *open;
	void *item;
	int rc = fs_table_alloc(&srv->opens, &item);

	if (rc < 0) {
		(void)close(fd); /* fresh */
		return rc;
	}
	open = item;
	open->fd = fd;
	open->kind = kind;
	open->nodeid = fs_inode_id(node);
	open->share = node->share;
	*out_fh = fs_table_id(open);
	return 0;
}

struct fs_open *fs_open_get(const struct fs_server *srv, uint64_t fh, uint64_t nodeid,
			    enum fs_open_kind kind)
{
	struct fs_open *open = fs_table_get(&srv->opens, fh);

	if (!open || open->kind != kind || open->nodeid != nodeid) {
		return NULL;
	}
	return open;
}

void fs_open_drop(struct fs_server *srv, struct fs_open *open)
{
	(void)close(open->fd); /* late write errors are for FLUSH and FSYNC to tell */
	open->fd = -1;
	fs_table_free(&srv->opens, open);
}

/* The host's flags for the guest's; -EINVAL for an access mode that doesn't exist */
static int host_flags(const struct fs_server *srv, uint32_t g_flags)
{
	int flags = (int)(g_flags & PASSED_FLAGS);

	if ((flags & O_ACCMODE) == O_ACCMODE) {
		return -EINVAL;
	}
	if (srv->cfg.can_chown) {
		flags |= (int)(g_flags & O_NOATIME); /* only owners may; the guest has checked */
	}
	return flags | O_NONBLOCK;
}

/* What the guest may cache of an open file */
static uint32_t reply_flags(const struct fs_node *node, uint32_t g_flags)
{
	uint32_t flags = 0;

	if (node->share == FS_SHARE_ROOTFS) {
		flags |= FOPEN_KEEP_CACHE;
	}
	if ((g_flags & O_ACCMODE) == O_RDONLY) {
		flags |= FOPEN_NOFLUSH; /* nothing to write back at close */
	}
	return flags;
}

/* Open a node's file, with a truncation that clears setuid bits if asked to. */
static int open_node(struct fs_server *srv, const struct fs_node *node, uint32_t g_flags,
		     uint32_t g_open_flags)
{
	struct fs_cred_scope scope = {0};
	int flags = host_flags(srv, g_flags);
	int rc;

	if (flags < 0) {
		return flags;
	}
	if (!S_ISREG(node->type)) {
		return S_ISDIR(node->type) ? -EISDIR : -EPERM;
	}
	if (((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC)) &&
	    fs_share_fixed(srv, node->share)) {
		return -EROFS;
	}
	if ((flags & O_TRUNC) && (g_open_flags & FUSE_OPEN_KILL_SUIDGID)) {
		rc = fs_cred_drop_fsetid(&srv->cred, &scope);
		if (rc < 0) {
			return rc;
		}
	}
	rc = fs_path_reopen(srv->cfg.proc_self_fd_fd, node->fd, node->type, flags);
	fs_cred_leave(&srv->cred, &scope);
	return rc;
}

/** fs_op_open() - a handle for a regular file. Syscalls: openat, close, capset (role fs) */
int fs_op_open(struct fs_req *r)
{
	struct fuse_open_out out = {0};
	struct fuse_open_in in;
	int rc = fs_req_args(r, &in, sizeof(in));
	int fd;

	if (rc < 0) {
		return rc;
	}
	if (fs_table_full(&r->srv->opens)) {
		return -ENFILE; /* before O_TRUNC does its work */
	}
	fd = open_node(r->srv, r->node, in.flags, in.open_flags);
	if (fd < 0) {
		return fd;
	}
	rc = fs_open_add(r->srv, r->node, FS_OPEN_FILE, fd, &out.fh);
	if (rc < 0) {
		return rc;
	}
	out.open_flags = reply_flags(r->node, in.flags);
	return fs_reply_put(r, &out, sizeof(out));
}

/* Answer CREATE and TMPFILE: the entry, and a handle for @fd (taken). */
static int reply_created(struct fs_req *r, const struct fs_node *node,
			 const struct fuse_entry_out *entry, int fd, uint32_t g_flags)
{
	struct fuse_open_out out = {.open_flags = reply_flags(node, g_flags)};
	int rc = fs_open_add(r->srv, node, FS_OPEN_FILE, fd, &out.fh);

	if (rc == 0) {
		rc = fs_reply_put(r, entry, sizeof(*entry));
	}
	if (rc == 0) {
		rc = fs_reply_put(r, &out, sizeof(out));
	}
	if (rc < 0) {
		fs_inode_forget(&r->srv->inodes, entry->nodeid, 1);
	}
	return rc;
}

/* The file was there already (somebody on the host was faster): look it up and open it. */
static int create_existing(struct fs_req *r, const char *name, const struct fuse_create_in *in)
{
	struct fuse_entry_out entry;
	struct fs_node *node;
	int rc = fs_entry_lookup(r->srv, r->node, name, &node, &entry);
	int fd;

	if (rc < 0) {
		return rc;
	}
	fd = open_node(r->srv, node, in->flags, in->open_flags);
	if (fd < 0) {
		fs_inode_forget(&r->srv->inodes, entry.nodeid, 1);
		return fd;
	}
	return reply_created(r, node, &entry, fd, in->flags);
}

/* A file just made: its node comes from the fd, so that no other file can slip in. */
static int create_finish(struct fs_req *r, int fd, const struct fuse_create_in *in)
{
	struct fuse_entry_out entry;
	struct fs_node *node;
	int rc = fs_entry_from_fd(r->srv, r->node, fd, &node, &entry);

	if (rc < 0) {
		(void)close(fd); /* empty */
		return rc;
	}
	return reply_created(r, node, &entry, fd, in->flags);
}

/* Make @name in the request's directory with the maker's ids and umask; fd or -errno */
static int make_file(struct fs_req *r, const char *name, int flags, const struct fuse_create_in *in)
{
	struct fs_cred_scope scope;
	int rc;
	int fd;

	if (fs_table_full(&r->srv->opens) || fs_table_full(&r->srv->inodes.table)) {
		return -ENFILE;
	}
	rc = fs_make_begin(r, in->umask, &scope);
	if (rc < 0) {
		return rc;
	}
	fd = fs_path_open(r->node->fd, name, flags, in->mode & 07777);
	fs_make_end(r, &scope);
	return fd;
}

/**
 * fs_op_create() - make and open a regular file
 *
 * Syscalls: openat2, openat, statx, close (role fs)
 * Syscalls: setfsuid, setfsgid, capset, umask (role fs)
 */
int fs_op_create(struct fs_req *r)
{
	struct fuse_create_in in;
	const char *name;
	int flags;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc == 0) {
		rc = fs_req_name(r, &name);
	}
	if (rc == 0) {
		rc = fs_req_end(r);
	}
	if (rc < 0) {
		return rc;
	}
	flags = host_flags(r->srv, in.flags);
	if (flags < 0) {
		return flags;
	}
	rc = make_file(r, name, (flags & ~O_TRUNC) | O_CREAT | O_EXCL, &in);
	if (rc == -EEXIST && !(in.flags & O_EXCL)) {
		return create_existing(r, name, &in);
	}
	return rc < 0 ? rc : create_finish(r, rc, &in);
}

/**
 * fs_op_tmpfile() - make and open a file without a name
 *
 * The request carries a name all the same ("/"); it means nothing.
 *
 * Syscalls: openat2, openat, statx, close (role fs)
 * Syscalls: setfsuid, setfsgid, capset, umask (role fs)
 */
int fs_op_tmpfile(struct fs_req *r)
{
	struct fuse_create_in in;
	int flags;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc < 0) {
		return rc;
	}
	flags = host_flags(r->srv, in.flags);
	if (flags < 0) {
		return flags;
	}
	if ((flags & O_ACCMODE) == O_RDONLY) {
		return -EINVAL;
	}
	/* With O_EXCL the file can never be linked into a directory. */
	flags = (flags & ~O_TRUNC) | O_TMPFILE | (int)(in.flags & O_EXCL);
	rc = make_file(r, ".", flags, &in);
	return rc < 0 ? rc : create_finish(r, rc, &in);
}

/** fs_op_release() - close a file. Syscalls: close (role fs) */
int fs_op_release(struct fs_req *r)
{
	struct fuse_release_in in;
	struct fs_open *open;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc < 0) {
		return rc;
	}
	open = fs_open_get(r->srv, in.fh, r->hdr.nodeid, FS_OPEN_FILE);
	if (!open) {
		return -EBADF;
	}
	fs_open_drop(r->srv, open);
	return 0;
}

/**
 * fs_op_flush() - a process closes its copy of the file: tell it of late write errors
 *
 * Closing a duplicate makes a network file system write back and report.
 *
 * Syscalls: fcntl, close (role fs)
 */
int fs_op_flush(struct fs_req *r)
{
	const struct fs_open *open;
	struct fuse_flush_in in;
	int rc = fs_req_args(r, &in, sizeof(in));
	int fd;

	if (rc < 0) {
		return rc;
	}
	open = fs_open_get(r->srv, in.fh, r->hdr.nodeid, FS_OPEN_FILE);
	if (!open) {
		return -EBADF;
	}
	fd = fcntl(open->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	return close(fd) < 0 ? -errno : 0;
}

/** fs_op_fsync() - write a file to disk. Syscalls: fsync, fdatasync (role fs) */
int fs_op_fsync(struct fs_req *r)
{
	const struct fs_open *open;
	struct fuse_fsync_in in;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc < 0) {
		return rc;
	}
	open = fs_open_get(r->srv, in.fh, r->hdr.nodeid, FS_OPEN_FILE);
	if (!open) {
		return -EBADF;
	}
	rc = in.fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(open->fd) : fsync(open->fd);
	return rc < 0 ? -errno : 0;
}
