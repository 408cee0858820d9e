/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_io.c - the contents of files: read, write, allocate, seek, copy, sync
 *
 * Data passes between the guest's buffers and the host's kernel without a copy
 * of ours. Everything that steers the transfer (handle, offset, size) comes
 * from the private copy of the arguments.
 *
 * A write by somebody without CAP_FSETID clears set-user-ID and set-group-ID.
 * WRITE says so in a flag; FALLOCATE and COPY_FILE_RANGE have no such flag, so
 * there anybody but root counts as without.
 */
#include <errno.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/checked.h"
#include "virtio-fs/fs_internal.h"
#include "virtio-fs/fs_iov.h"

/* Offset and length that stay within off_t together */
static bool range_ok(uint64_t off, uint64_t len)
{
	uint64_t end;

	return vr_add_u64(off, len, &end) && end <= INT64_MAX;
}

/*
 * Read until everything is there or the file ends; the guest takes a short
 * answer for the end of the file.
 */
static int64_t read_all(struct fs_req *r, int fd, uint64_t off, size_t want)
{
	struct iovec *iov = r->srv->iov;
	size_t done = 0;

	while (done < want) {
		unsigned n = fs_iov_slice(r->out, r->n_out, sizeof(struct fuse_out_header) + done,
					  want - done, iov);
		ssize_t got = preadv(fd, iov, (int)n, (off_t)(off + done));

		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0 && done == 0) {
			return -errno;
		}
		if (got <= 0) {
			break;
		}
		done += (size_t)got;
	}
	return (int64_t)done;
}

/** fs_op_read() - read from a file. Syscalls: preadv (role fs) */
int fs_op_read(struct fs_req *r)
{
	const struct fs_open *open;
	struct fuse_read_in in;
	int64_t got;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc < 0) {
		return rc;
	}
	open = fs_open_get(r->srv, in.fh, r->hdr.nodeid, FS_OPEN_FILE);
	if (!open) {
		return -EBADF;
	}
	if (in.size > FS_MAX_IO || !range_ok(in.offset, in.size)) {
		return -EINVAL;
	}
	got = read_all(r, open->fd, in.offset, VR_MIN((size_t)in.size, r->out_cap));
	if (got < 0) {
		return (int)got;
	}
	r->out_len = (size_t)got; /* already in place */
	return 0;
}

/* A handle whose file is to be changed: 0, -EBADF, -EROFS. The node may be forgotten by now. */
static int get_for_change(const struct fs_req *r, uint64_t g_fh, uint64_t g_nodeid,
			  const struct fs_open **out_open)
{
	*out_open = fs_open_get(r->srv, g_fh, g_nodeid, FS_OPEN_FILE);
	if (!*out_open) {
		return -EBADF;
	}
	return fs_share_fixed(r->srv, (*out_open)->share) ? -EROFS : 0;
}

/*
 * pwritev at an offset, or at the end for O_APPEND. The handle's fd doesn't
 * have O_APPEND: pages written back later must land at their offset whatever
 * the flags of the file they are sent through.
 */
static int64_t write_once(struct fs_req *r, int fd, const struct fuse_write_in *in)
{
	struct iovec *iov = r->srv->iov;
	bool append = (in->flags & O_APPEND) && !(in->write_flags & FUSE_WRITE_CACHE);
	unsigned n = fs_iov_slice(r->in, r->n_in, sizeof(r->hdr) + sizeof(*in), in->size, iov);
	ssize_t put;

	do {
		put = append ? pwritev2(fd, iov, (int)n, 0, RWF_APPEND)
			     : pwritev(fd, iov, (int)n, (off_t)in->offset);
	} while (put < 0 && errno == EINTR);
	return put < 0 ? -errno : put;
}

/** fs_op_write() - write to a file. Syscalls: pwritev, pwritev2, capset (role fs) */
int fs_op_write(struct fs_req *r)
{
	struct fs_cred_scope scope = {0};
	struct fuse_write_out out = {0};
	const struct fs_open *open;
	struct fuse_write_in in;
	int64_t put;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc < 0) {
		return rc;
	}
	rc = get_for_change(r, in.fh, r->hdr.nodeid, &open);
	if (rc < 0) {
		return rc;
	}
	if (in.size > FS_MAX_IO || in.size != r->hdr.len - sizeof(r->hdr) - sizeof(in) ||
	    !range_ok(in.offset, in.size)) {
		return -EINVAL;
	}
	if (in.write_flags & FUSE_WRITE_KILL_SUIDGID) {
		rc = fs_cred_drop_fsetid(&r->srv->cred, &scope);
		if (rc < 0) {
			return rc;
		}
	}
	put = write_once(r, open->fd, &in);
	fs_cred_leave(&r->srv->cred, &scope);
	if (put < 0) {
		return (int)put;
	}
	out.size = (uint32_t)put;
	return fs_reply_put(r, &out, sizeof(out));
}

/* For operations that write without saying whether setuid bits are to go */
static int drop_fsetid_unless_root(struct fs_req *r, struct fs_cred_scope *scope)
{
	return r->hdr.uid == 0 ? 0 : fs_cred_drop_fsetid(&r->srv->cred, scope);
}

/** fs_op_fallocate() - reserve, punch or zero a range. Syscalls: fallocate, capset (role fs) */
int fs_op_fallocate(struct fs_req *r)
{
	const uint32_t known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
	struct fs_cred_scope scope = {0};
	const struct fs_open *open;
	struct fuse_fallocate_in in;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc < 0) {
		return rc;
	}
	rc = get_for_change(r, in.fh, r->hdr.nodeid, &open);
	if (rc < 0) {
		return rc;
	}
	if (in.mode & ~known) {
		return -EOPNOTSUPP;
	}
	if (in.length == 0 || !range_ok(in.offset, in.length)) {
		return -EINVAL;
	}
	rc = drop_fsetid_unless_root(r, &scope);
	if (rc < 0) {
		return rc;
	}
	if (fallocate(open->fd, (int)in.mode, (off_t)in.offset, (off_t)in.length) < 0) {
		rc = -errno;
	}
	fs_cred_leave(&r->srv->cred, &scope);
	return rc;
}

/** fs_op_lseek() - find data or a hole; the guest does other seeks. Syscalls: lseek (role fs) */
int fs_op_lseek(struct fs_req *r)
{
	struct fuse_lseek_out out = {0};
	const struct fs_open *open;
	struct fuse_lseek_in in;
	off_t off;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc < 0) {
		return rc;
	}
	open = fs_open_get(r->srv, in.fh, r->hdr.nodeid, FS_OPEN_FILE);
	if (!open) {
		return -EBADF;
	}
	if ((in.whence != SEEK_DATA && in.whence != SEEK_HOLE) || in.offset > INT64_MAX) {
		return -EINVAL;
	}
	off = lseek(open->fd, (off_t)in.offset, (int)in.whence);
	if (off < 0) {
		return -errno;
	}
	out.offset = (uint64_t)off;
	return fs_reply_put(r, &out, sizeof(out));
}

/**
 * fs_op_copy_file_range() - copy between two open files on the host
 *
 * At most FS_MAX_COPY at a time; the guest asks again for the rest.
 *
 * Syscalls: copy_file_range, capset (role fs)
 */
int fs_op_copy_file_range(struct fs_req *r)
{
	struct fs_cred_scope scope = {0};
	struct fuse_write_out out = {0};
	struct fuse_copy_file_range_in in;
	const struct fs_open *src;
	const struct fs_open *dst;
	off_t off_in;
	off_t off_out;
	ssize_t n;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc < 0) {
		return rc;
	}
	src = fs_open_get(r->srv, in.fh_in, r->hdr.nodeid, FS_OPEN_FILE);
	rc = src ? get_for_change(r, in.fh_out, in.nodeid_out, &dst) : -EBADF;
	if (rc < 0) {
		return rc;
	}
	in.len = VR_MIN(in.len, (uint64_t)FS_MAX_COPY);
	if (in.flags != 0 || !range_ok(in.off_in, in.len) || !range_ok(in.off_out, in.len)) {
		return -EINVAL;
	}
	rc = drop_fsetid_unless_root(r, &scope);
	if (rc < 0) {
		return rc;
	}
	off_in = (off_t)in.off_in;
	off_out = (off_t)in.off_out;
	n = copy_file_range(src->fd, &off_in, dst->fd, &off_out, in.len, 0);
	rc = n < 0 ? -errno : 0;
	fs_cred_leave(&r->srv->cred, &scope);
	if (rc < 0) {
		return rc;
	}
	out.size = (uint32_t)n; /* <= FS_MAX_COPY */
	return fs_reply_put(r, &out, sizeof(out));
}

/**
 * fs_op_syncfs() - write a whole file system to disk
 *
 * Syscalls: openat2, openat, syncfs, close (role fs)
 */
int fs_op_syncfs(struct fs_req *r)
{
	int rc;
	int fd;

	if (S_ISDIR(r->node->type)) {
		fd = fs_path_open(r->node->fd, ".", O_RDONLY | O_DIRECTORY, 0);
	} else {
		fd = fs_path_reopen(r->srv->cfg.proc_self_fd_fd, r->node->fd, r->node->type,
				    O_RDONLY | O_NONBLOCK);
	}
	if (fd < 0) {
		return fd;
	}
	rc = syncfs(fd) < 0 ? -errno : 0;
	(void)close(fd); /* only read from */
	return rc;
}
