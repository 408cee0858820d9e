/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse_abi.h - the FUSE wire format, pinned at 7.41
 *
 * What Linux 6.12 speaks over virtio-fs (VIRTIO 1.2, section 5.11; the layout
 * is that of the kernel's include/uapi/linux/fuse.h at protocol 7.41). Pinned
 * here because the build host's own header is older and changes under us.
 *
 * The protocol is in the byte order of the machine; both sides are x86-64.
 * Structures are only ever copied to and from private memory, never pointed
 * at inside a request.
 */
#ifndef VIRTIO_FS_FUSE_ABI_H
#define VIRTIO_FS_FUSE_ABI_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fuse: host and guest share byte order");

#define FUSE_KERNEL_VERSION	  7
#define FUSE_KERNEL_MINOR_VERSION 41
#define FUSE_MIN_MINOR_VERSION	  27 /* oldest we speak: the first with all sizes used here */
#define FUSE_ROOT_ID		  1

/** enum fuse_opcode - request numbers; the gaps were never assigned or are not for servers */
enum fuse_opcode {
	FUSE_LOOKUP = 1,
	FUSE_FORGET = 2,
	FUSE_GETATTR = 3,
	FUSE_SETATTR = 4,
	FUSE_READLINK = 5,
	FUSE_SYMLINK = 6,
	FUSE_MKNOD = 8,
	FUSE_MKDIR = 9,
	FUSE_UNLINK = 10,
	FUSE_RMDIR = 11,
	FUSE_RENAME = 12,
	FUSE_LINK = 13,
	FUSE_OPEN = 14,
	FUSE_READ = 15,
	FUSE_WRITE = 16,
	FUSE_STATFS = 17,
	FUSE_RELEASE = 18,
	FUSE_FSYNC = 20,
	FUSE_SETXATTR = 21,
	FUSE_GETXATTR = 22,
	FUSE_LISTXATTR = 23,
	FUSE_REMOVEXATTR = 24,
	FUSE_FLUSH = 25,
	FUSE_INIT = 26,
	FUSE_OPENDIR = 27,
	FUSE_READDIR = 28,
	FUSE_RELEASEDIR = 29,
	FUSE_FSYNCDIR = 30,
	FUSE_GETLK = 31,
	FUSE_SETLK = 32,
	FUSE_SETLKW = 33,
	FUSE_ACCESS = 34,
	FUSE_CREATE = 35,
	FUSE_INTERRUPT = 36,
	FUSE_BMAP = 37,
	FUSE_DESTROY = 38,
	FUSE_IOCTL = 39,
	FUSE_POLL = 40,
	FUSE_NOTIFY_REPLY = 41,
	FUSE_BATCH_FORGET = 42,
	FUSE_FALLOCATE = 43,
	FUSE_READDIRPLUS = 44,
	FUSE_RENAME2 = 45,
	FUSE_LSEEK = 46,
	FUSE_COPY_FILE_RANGE = 47,
	FUSE_SETUPMAPPING = 48,
	FUSE_REMOVEMAPPING = 49,
	FUSE_SYNCFS = 50,
	FUSE_TMPFILE = 51,
	FUSE_STATX = 52,
	FUSE_OPCODE_COUNT
};

/* INIT features; bits from 32 on travel in flags2 */
#define FUSE_ASYNC_READ		(1ULL << 0)
#define FUSE_POSIX_LOCKS	(1ULL << 1)
#define FUSE_ATOMIC_O_TRUNC	(1ULL << 3)
#define FUSE_EXPORT_SUPPORT	(1ULL << 4)
#define FUSE_BIG_WRITES		(1ULL << 5)
#define FUSE_DONT_MASK		(1ULL << 6)
#define FUSE_FLOCK_LOCKS	(1ULL << 10)
#define FUSE_AUTO_INVAL_DATA	(1ULL << 12)
#define FUSE_DO_READDIRPLUS	(1ULL << 13)
#define FUSE_READDIRPLUS_AUTO	(1ULL << 14)
#define FUSE_ASYNC_DIO		(1ULL << 15)
#define FUSE_WRITEBACK_CACHE	(1ULL << 16)
#define FUSE_PARALLEL_DIROPS	(1ULL << 18)
#define FUSE_POSIX_ACL		(1ULL << 20)
#define FUSE_ABORT_ERROR	(1ULL << 21)
#define FUSE_MAX_PAGES		(1ULL << 22)
#define FUSE_CACHE_SYMLINKS	(1ULL << 23)
#define FUSE_SUBMOUNTS		(1ULL << 27)
#define FUSE_HANDLE_KILLPRIV_V2 (1ULL << 28)
#define FUSE_SETXATTR_EXT	(1ULL << 29)
#define FUSE_INIT_EXT		(1ULL << 30)
#define FUSE_SECURITY_CTX	(1ULL << 32)
#define FUSE_CREATE_SUPP_GROUP	(1ULL << 34)
#define FUSE_ALLOW_IDMAP	(1ULL << 40)

/* setattr_in.valid */
#define FATTR_MODE	   (1U << 0)
#define FATTR_UID	   (1U << 1)
#define FATTR_GID	   (1U << 2)
#define FATTR_SIZE	   (1U << 3)
#define FATTR_ATIME	   (1U << 4)
#define FATTR_MTIME	   (1U << 5)
#define FATTR_FH	   (1U << 6)
#define FATTR_ATIME_NOW	   (1U << 7)
#define FATTR_MTIME_NOW	   (1U << 8)
#define FATTR_LOCKOWNER	   (1U << 9)
#define FATTR_CTIME	   (1U << 10)
#define FATTR_KILL_SUIDGID (1U << 11)

/* open_out.open_flags */
#define FOPEN_DIRECT_IO	 (1U << 0)
#define FOPEN_KEEP_CACHE (1U << 1)
#define FOPEN_CACHE_DIR	 (1U << 3)
#define FOPEN_NOFLUSH	 (1U << 5)

#define FUSE_OPEN_KILL_SUIDGID	    (1U << 0) /* open_in and create_in .open_flags */
#define FUSE_WRITE_CACHE	    (1U << 0) /* write_in.write_flags: from the page cache */
#define FUSE_WRITE_KILL_SUIDGID	    (1U << 2)
#define FUSE_FSYNC_FDATASYNC	    (1U << 0)
#define FUSE_ATTR_SUBMOUNT	    (1U << 0) /* attr.flags: root of another file system */
#define FUSE_SETXATTR_ACL_KILL_SGID (1U << 0)

#define FUSE_EXT_GROUPS 32 /* ext_header.type; smaller ones are security contexts */

struct fuse_in_header {
	uint32_t len; /* whole request with this header */
	uint32_t opcode;
	uint64_t unique;
	uint64_t nodeid;
	uint32_t uid;
	uint32_t gid;
	uint32_t pid;
	uint16_t total_extlen; /* extensions at the end of the request, in units of 8 bytes */
	uint16_t padding;
};

struct fuse_out_header {
	uint32_t len;
	int32_t error; /* 0 or -errno */
	uint64_t unique;
};

struct fuse_ext_header {
	uint32_t size; /* with this header */
	uint32_t type;
};

struct fuse_attr {
	uint64_t ino;
	uint64_t size;
	uint64_t blocks; /* of 512 bytes */
	uint64_t atime;
	uint64_t mtime;
	uint64_t ctime;
	uint32_t atimensec;
	uint32_t mtimensec;
	uint32_t ctimensec;
	uint32_t mode;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev;
	uint32_t blksize;
	uint32_t flags;
};

struct fuse_entry_out {
	uint64_t nodeid;
	uint64_t generation;
	uint64_t entry_valid; /* seconds the name may be cached */
	uint64_t attr_valid;
	uint32_t entry_valid_nsec;
	uint32_t attr_valid_nsec;
	struct fuse_attr attr;
};

struct fuse_attr_out {
	uint64_t attr_valid;
	uint32_t attr_valid_nsec;
	uint32_t dummy;
	struct fuse_attr attr;
};

struct fuse_sx_time {
	int64_t tv_sec;
	uint32_t tv_nsec;
	int32_t reserved;
};

struct fuse_statx {
	uint32_t mask;
	uint32_t blksize;
	uint64_t attributes;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint16_t mode;
	uint16_t spare0;
	uint64_t ino;
	uint64_t size;
	uint64_t blocks;
	uint64_t attributes_mask;
	struct fuse_sx_time atime;
	struct fuse_sx_time btime;
	struct fuse_sx_time ctime;
	struct fuse_sx_time mtime;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint64_t spare2[14];
};

struct fuse_statx_in {
	uint32_t getattr_flags;
	uint32_t reserved;
	uint64_t fh;
	uint32_t sx_flags;
	uint32_t sx_mask;
};

struct fuse_statx_out {
	uint64_t attr_valid;
	uint32_t attr_valid_nsec;
	uint32_t flags;
	uint64_t spare[2];
	struct fuse_statx stat;
};

struct fuse_statfs_out {
	uint64_t blocks;
	uint64_t bfree;
	uint64_t bavail;
	uint64_t files;
	uint64_t ffree;
	uint32_t bsize;
	uint32_t namelen;
	uint32_t frsize;
	uint32_t padding;
	uint32_t spare[6];
};

struct fuse_init_in {
	uint32_t major;
	uint32_t minor;
	uint32_t max_readahead;
	uint32_t flags;
	uint32_t flags2; /* from 7.36 on, with INIT_EXT */
	uint32_t unused[11];
};
#define FUSE_INIT_IN_MIN 16

struct fuse_init_out {
	uint32_t major;
	uint32_t minor;
	uint32_t max_readahead;
	uint32_t flags;
	uint16_t max_background;
	uint16_t congestion_threshold;
	uint32_t max_write;
	uint32_t time_gran; /* nanoseconds */
	uint16_t max_pages;
	uint16_t map_alignment;
	uint32_t flags2;
	uint32_t max_stack_depth;
	uint32_t unused[6];
};

struct fuse_forget_in {
	uint64_t nlookup;
};

struct fuse_forget_one {
	uint64_t nodeid;
	uint64_t nlookup;
};

struct fuse_batch_forget_in {
	uint32_t count;
	uint32_t dummy;
};

struct fuse_getattr_in {
	uint32_t getattr_flags;
	uint32_t dummy;
	uint64_t fh;
};

struct fuse_setattr_in {
	uint32_t valid;
	uint32_t padding;
	uint64_t fh;
	uint64_t size;
	uint64_t lock_owner;
	uint64_t atime;
	uint64_t mtime;
	uint64_t ctime;
	uint32_t atimensec;
	uint32_t mtimensec;
	uint32_t ctimensec;
	uint32_t mode;
	uint32_t unused4;
	uint32_t uid;
	uint32_t gid;
	uint32_t unused5;
};

struct fuse_mknod_in {
	uint32_t mode;
	uint32_t rdev;
	uint32_t umask;
	uint32_t padding;
};

struct fuse_mkdir_in {
	uint32_t mode;
	uint32_t umask;
};

struct fuse_rename_in {
	uint64_t newdir;
};

struct fuse_rename2_in {
	uint64_t newdir;
	uint32_t flags;
	uint32_t padding;
};

struct fuse_link_in {
	uint64_t oldnodeid;
};

struct fuse_open_in {
	uint32_t flags;
	uint32_t open_flags;
};

struct fuse_create_in {
	uint32_t flags;
	uint32_t mode;
	uint32_t umask;
	uint32_t open_flags;
};

struct fuse_open_out {
	uint64_t fh;
	uint32_t open_flags;
	int32_t backing_id;
};

struct fuse_release_in {
	uint64_t fh;
	uint32_t flags;
	uint32_t release_flags;
	uint64_t lock_owner;
};

struct fuse_flush_in {
	uint64_t fh;
	uint32_t unused;
	uint32_t padding;
	uint64_t lock_owner;
};

struct fuse_fsync_in {
	uint64_t fh;
	uint32_t fsync_flags;
	uint32_t padding;
};

struct fuse_read_in {
	uint64_t fh;
	uint64_t offset;
	uint32_t size;
	uint32_t read_flags;
	uint64_t lock_owner;
	uint32_t flags;
	uint32_t padding;
};

struct fuse_write_in {
	uint64_t fh;
	uint64_t offset;
	uint32_t size;
	uint32_t write_flags;
	uint64_t lock_owner;
	uint32_t flags; /* the file's current open flags */
	uint32_t padding;
};

struct fuse_write_out {
	uint32_t size;
	uint32_t padding;
};

struct fuse_setxattr_in {
	uint32_t size;
	uint32_t flags;
	uint32_t setxattr_flags; /* only with SETXATTR_EXT */
	uint32_t padding;
};
#define FUSE_COMPAT_SETXATTR_IN_SIZE 8

struct fuse_getxattr_in {
	uint32_t size;
	uint32_t padding;
};

struct fuse_getxattr_out {
	uint32_t size;
	uint32_t padding;
};

struct fuse_access_in {
	uint32_t mask;
	uint32_t padding;
};

struct fuse_fallocate_in {
	uint64_t fh;
	uint64_t offset;
	uint64_t length;
	uint32_t mode;
	uint32_t padding;
};

struct fuse_lseek_in {
	uint64_t fh;
	uint64_t offset;
	uint32_t whence;
	uint32_t padding;
};

struct fuse_lseek_out {
	uint64_t offset;
};

struct fuse_copy_file_range_in {
	uint64_t fh_in;
	uint64_t off_in;
	uint64_t nodeid_out;
	uint64_t fh_out;
	uint64_t off_out;
	uint64_t len;
	uint64_t flags;
};

/* One directory entry: this, the name without NUL, zeros up to a multiple of 8 */
struct fuse_dirent {
	uint64_t ino;
	uint64_t off; /* cookie of the entry behind this one */
	uint32_t namelen;
	uint32_t type; /* DT_* */
};

#define FUSE_ASSERT_LAYOUT(type, size, last, last_offset)                                          \
	static_assert(sizeof(struct type) == (size), "FUSE 7.41: size of " #type);                 \
	static_assert(offsetof(struct type, last) == (last_offset), "FUSE 7.41: end of " #type)

FUSE_ASSERT_LAYOUT(fuse_in_header, 40, padding, 38);
FUSE_ASSERT_LAYOUT(fuse_out_header, 16, unique, 8);
FUSE_ASSERT_LAYOUT(fuse_ext_header, 8, type, 4);
FUSE_ASSERT_LAYOUT(fuse_attr, 88, flags, 84);
FUSE_ASSERT_LAYOUT(fuse_entry_out, 128, attr, 40);
FUSE_ASSERT_LAYOUT(fuse_attr_out, 104, attr, 16);
FUSE_ASSERT_LAYOUT(fuse_sx_time, 16, reserved, 12);
FUSE_ASSERT_LAYOUT(fuse_statx, 256, spare2, 144);
FUSE_ASSERT_LAYOUT(fuse_statx_in, 24, sx_mask, 20);
FUSE_ASSERT_LAYOUT(fuse_statx_out, 288, stat, 32);
FUSE_ASSERT_LAYOUT(fuse_statfs_out, 80, spare, 56);
FUSE_ASSERT_LAYOUT(fuse_init_in, 64, unused, 20);
FUSE_ASSERT_LAYOUT(fuse_init_out, 64, unused, 40);
FUSE_ASSERT_LAYOUT(fuse_forget_in, 8, nlookup, 0);
FUSE_ASSERT_LAYOUT(fuse_forget_one, 16, nlookup, 8);
FUSE_ASSERT_LAYOUT(fuse_batch_forget_in, 8, dummy, 4);
FUSE_ASSERT_LAYOUT(fuse_getattr_in, 16, fh, 8);
FUSE_ASSERT_LAYOUT(fuse_setattr_in, 88, unused5, 84);
FUSE_ASSERT_LAYOUT(fuse_mknod_in, 16, padding, 12);
FUSE_ASSERT_LAYOUT(fuse_mkdir_in, 8, umask, 4);
FUSE_ASSERT_LAYOUT(fuse_rename_in, 8, newdir, 0);
FUSE_ASSERT_LAYOUT(fuse_rename2_in, 16, padding, 12);
FUSE_ASSERT_LAYOUT(fuse_link_in, 8, oldnodeid, 0);
FUSE_ASSERT_LAYOUT(fuse_open_in, 8, open_flags, 4);
FUSE_ASSERT_LAYOUT(fuse_create_in, 16, open_flags, 12);
FUSE_ASSERT_LAYOUT(fuse_open_out, 16, backing_id, 12);
FUSE_ASSERT_LAYOUT(fuse_release_in, 24, lock_owner, 16);
FUSE_ASSERT_LAYOUT(fuse_flush_in, 24, lock_owner, 16);
FUSE_ASSERT_LAYOUT(fuse_fsync_in, 16, padding, 12);
FUSE_ASSERT_LAYOUT(fuse_read_in, 40, padding, 36);
FUSE_ASSERT_LAYOUT(fuse_write_in, 40, padding, 36);
FUSE_ASSERT_LAYOUT(fuse_write_out, 8, padding, 4);
FUSE_ASSERT_LAYOUT(fuse_setxattr_in, 16, padding, 12);
FUSE_ASSERT_LAYOUT(fuse_getxattr_in, 8, padding, 4);
FUSE_ASSERT_LAYOUT(fuse_getxattr_out, 8, padding, 4);
FUSE_ASSERT_LAYOUT(fuse_access_in, 8, padding, 4);
FUSE_ASSERT_LAYOUT(fuse_fallocate_in, 32, padding, 28);
FUSE_ASSERT_LAYOUT(fuse_lseek_in, 24, padding, 20);
FUSE_ASSERT_LAYOUT(fuse_lseek_out, 8, offset, 0);
FUSE_ASSERT_LAYOUT(fuse_copy_file_range_in, 56, flags, 48);
FUSE_ASSERT_LAYOUT(fuse_dirent, 24, type, 20);

#endif /* VIRTIO_FS_FUSE_ABI_H */
