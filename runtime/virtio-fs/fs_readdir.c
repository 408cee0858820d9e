/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_readdir.c - open and list directories
 *
 * The offset that the guest sees is the host's own cookie (d_off), handed back
 * with the next request. Entries fetched from the host that don't fit into the
 * reply are fetched again next time: the directory fd is put back to the
 * cookie of the last entry delivered. A made-up offset is only ever given to
 * lseek(2) on that directory.
 *
 * READDIRPLUS looks each entry up, which counts as a lookup of the guest; so
 * an entry is looked up only once it is certain that it fits.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"
#include "virtio-fs/fs_internal.h"

#define GETDENTS_MAX (32U * 1024)

/* What getdents64(2) delivers */
struct host_dirent {
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type;
	char d_name[];
};
#define HOST_NAME_OFFSET offsetof(struct host_dirent, d_name)

static_assert(GETDENTS_MAX <= FS_MAX_SCRATCH, "host entries are kept in a scratch buffer");
static_assert(HOST_NAME_OFFSET == 19, "getdents64(2)");

/* A READDIR or READDIRPLUS being answered */
struct dir_reply {
	struct fs_req *r;
	struct fs_open *dir;
	struct vr_wr w;
	bool plus;
};

/* Offset and size asked for, as checked */
struct dir_range {
	int64_t off;
	uint32_t size;
};

/* Append one entry; false if it doesn't fit. */
static bool put_entry(struct dir_reply *d, const struct host_dirent *de, size_t name_len)
{
	static const uint8_t zeros[8];
	struct fuse_entry_out entry = {0};
	struct fuse_dirent out = {
		.ino = de->d_ino,
		.off = (uint64_t)de->d_off,
		.namelen = (uint32_t)name_len,
		.type = de->d_type,
	};
	size_t len = sizeof(out) + name_len;
	size_t padded = vr_align_up(len, 8);
	struct fs_node *node;

	if ((d->plus ? sizeof(entry) : 0) + padded > d->w.cap - d->w.off) {
		return false;
	}
	if (d->plus) {
		/* "." and ".." go without; and so does what can't be looked up, or wouldn't be kept */
		if (!fs_inodes_crowded(&d->r->srv->inodes) &&
		    fs_name_check(de->d_name, name_len) == 0 &&
		    fs_entry_lookup(d->r->srv, d->r->node, de->d_name, &node, &entry) == 0) {
			out.ino = entry.attr.ino;
		}
		vr_wr_bytes(&d->w, &entry, sizeof(entry));
	}
	vr_wr_bytes(&d->w, &out, sizeof(out));
	vr_wr_bytes(&d->w, de->d_name, name_len);
	vr_wr_bytes(&d->w, zeros, padded - len);
	return true;
}

/*
 * Convert @n bytes of host entries.
 *
 * Return: 1 if all went in, 0 if the reply is full, -EIO for entries that make
 * no sense (the host's file system may be a strange one).
 */
static int put_entries(struct dir_reply *d, const uint8_t *buf, size_t n)
{
	size_t off = 0;

	while (n - off > HOST_NAME_OFFSET) {
		const struct host_dirent *de = (const void *)(buf + off);
		size_t name_len;

		if (de->d_reclen <= HOST_NAME_OFFSET || de->d_reclen > n - off) {
			return -EIO;
		}
		name_len = strnlen(de->d_name, de->d_reclen - HOST_NAME_OFFSET);
		if (name_len == 0 || name_len > FS_NAME_MAX ||
		    name_len == de->d_reclen - HOST_NAME_OFFSET) {
			return -EIO;
		}
		if (!put_entry(d, de, name_len)) {
			return 0;
		}
		d->dir->dir_off = de->d_off;
		off += de->d_reclen;
	}
	return 1;
}

/* Fetch and convert until the reply is full or the directory ends. */
static int fill_reply(struct dir_reply *d)
{
	size_t fetch = VR_MIN(d->w.cap, (size_t)GETDENTS_MAX);
	int rc = 1;

	while (rc > 0) {
		long n = syscall(SYS_getdents64, d->dir->fd, d->r->srv->scratch_in, fetch);

		if (n <= 0) {
			rc = n < 0 ? -errno : 0;
			break;
		}
		rc = put_entries(d, d->r->srv->scratch_in, (size_t)n);
		if (rc == 0 && lseek(d->dir->fd, d->dir->dir_off, SEEK_SET) < 0) {
			rc = -errno;
		}
		if (rc == 0 && d->w.off == 0) {
			rc = -EINVAL; /* not even one: the guest must ask for more */
		}
	}
	/* What is there goes out; an error will be met again by the next request. */
	return d->w.off > 0 ? 0 : rc;
}

static int take_range(struct fs_req *r, struct fs_open **out_dir, struct dir_range *out)
{
	struct fuse_read_in in;
	struct fs_open *dir;
	size_t room;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc < 0) {
		return rc;
	}
	dir = fs_open_get(r->srv, in.fh, r->hdr.nodeid, FS_OPEN_DIR);
	if (!dir) {
		return -EBADF;
	}
	if (in.offset > INT64_MAX) {
		return -EINVAL;
	}
	out->off = (int64_t)in.offset;
	room = VR_MIN(r->out_cap, (size_t)FS_MAX_DIR);
	out->size = (uint32_t)VR_MIN((size_t)in.size, room);
	*out_dir = dir;
	return 0;
}

static int read_dir(struct fs_req *r, bool plus)
{
	struct dir_reply d = {.r = r, .plus = plus};
	struct dir_range range;
	int rc = take_range(r, &d.dir, &range);

	if (rc < 0) {
		return rc;
	}
	if (range.off != d.dir->dir_off) {
		if (lseek(d.dir->fd, range.off, SEEK_SET) < 0) {
			return -errno;
		}
		d.dir->dir_off = range.off;
	}
	vr_wr_init(&d.w, r->srv->scratch, range.size);
	rc = fill_reply(&d);
	return rc < 0 ? rc : fs_reply_put(r, r->srv->scratch, d.w.off);
}

/** fs_op_readdir() - names of a directory. Syscalls: getdents64, lseek (role fs) */
int fs_op_readdir(struct fs_req *r)
{
	return read_dir(r, false);
}

/**
 * fs_op_readdirplus() - names of a directory, each looked up
 *
 * Syscalls: getdents64, lseek, openat2, statx, close (role fs)
 */
int fs_op_readdirplus(struct fs_req *r)
{
	return read_dir(r, true);
}

/** fs_op_opendir() - a handle for listing. Syscalls: openat2, close (role fs) */
int fs_op_opendir(struct fs_req *r)
{
	struct fuse_open_out out = {0};
	int rc;
	int fd;

	if (fs_table_full(&r->srv->opens)) {
		return -ENFILE;
	}
	fd = fs_path_open(r->node->fd, ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0) {
		return fd;
	}
	rc = fs_open_add(r->srv, r->node, FS_OPEN_DIR, fd, &out.fh);
	return rc < 0 ? rc : fs_reply_put(r, &out, sizeof(out));
}

/** fs_op_releasedir() - close a directory handle. Syscalls: close (role fs) */
int fs_op_releasedir(struct fs_req *r)
{
	struct fuse_release_in in;
	struct fs_open *dir;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc < 0) {
		return rc;
	}
	dir = fs_open_get(r->srv, in.fh, r->hdr.nodeid, FS_OPEN_DIR);
	if (!dir) {
		return -EBADF;
	}
	fs_open_drop(r->srv, dir);
	return 0;
}

/** fs_op_fsyncdir() - write a directory to disk. Syscalls: fsync, fdatasync (role fs) */
int fs_op_fsyncdir(struct fs_req *r)
{
	const struct fs_open *dir;
	struct fuse_fsync_in in;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc < 0) {
		return rc;
	}
	dir = fs_open_get(r->srv, in.fh, r->hdr.nodeid, FS_OPEN_DIR);
	if (!dir) {
		return -EBADF;
	}
	rc = in.fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(dir->fd) : fsync(dir->fd);
	return rc < 0 ? -errno : 0;
}
