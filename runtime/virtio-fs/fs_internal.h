/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_internal.h - what the handlers share, private to runtime/virtio-fs
 *
 * A handler gets a request whose header is checked, whose arguments are in
 * private memory, whose node (if the operation has one) exists and has the
 * right kind, and whose reply buffer is large enough for the fixed part of the
 * answer. It returns 0 or -errno; the dispatcher writes the reply header.
 *
 * Trust:    everything in struct fs_req but @srv and @node is the guest's.
 * Threads:  one thread.
 */
#ifndef VIRTIO_FS_FS_INTERNAL_H
#define VIRTIO_FS_FS_INTERNAL_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "virtio-fs/fs_cred.h"
#include "virtio-fs/fs_handle.h"
#include "virtio-fs/fs_inode.h"
#include "virtio-fs/fs_path.h"
#include "virtio-fs/fs_server.h"
#include "virtio-fs/fuse_abi.h"

#define FS_MAX_PAGES  256U	   /* pages of a READ or WRITE, what the guest's queue can carry */
#define FS_MAX_IO     (1U << 20)   /* bytes of a READ or WRITE */
#define FS_MAX_DIR    (64U * 1024) /* bytes of a READDIR reply */
#define FS_MAX_XATTR  (64U * 1024) /* bytes of an extended attribute, as in the VFS */
#define FS_MAX_COPY   (16U << 20)  /* bytes of one COPY_FILE_RANGE: nobody waits long for it */
#define FS_MAX_TARGET 4095	   /* bytes of a symbolic link, as in the VFS */

/* Largest request body but for the data of a WRITE: SETXATTR with name, value and extension */
#define FS_MAX_BODY (FS_MAX_XATTR + 4096U)

/* Large enough for any reply that isn't read straight into the guest's buffers */
#define FS_MAX_SCRATCH FS_MAX_XATTR

static_assert(FS_MAX_DIR <= FS_MAX_SCRATCH, "a directory reply is built in the scratch buffer");

/** enum fs_open_kind - files and directories have separate handles */
enum fs_open_kind {
	FS_OPEN_FILE = 1,
	FS_OPEN_DIR,
};

/**
 * struct fs_open - one open file or directory
 * @slot:    its place in the table
 * @fd:      host fd, owned
 * @kind:    file or directory
 * @nodeid:  node it was opened through; requests must name the same. The guest may have
 *           forgotten it: what has to be known of it is here
 * @share:   that node's
 * @dir_off: where the directory fd's position is, in the host's cookies
 */
struct fs_open {
	struct fs_slot slot;
	int fd;
	enum fs_open_kind kind;
	uint64_t nodeid;
	enum fs_share share;
	int64_t dir_off;
};

/**
 * struct fs_server - the session with one guest
 * @cfg:     as given
 * @inited:  INIT has been answered
 * @setxattr_ext: the guest sends the long form of SETXATTR
 * @frozen:  the rootfs share doesn't change any more
 * @cred:    own identity
 * @inodes:  nodes
 * @opens:   handles
 * @body:    private copy of the request being served, FS_MAX_BODY bytes
 * @scratch: replies under construction, FS_MAX_SCRATCH bytes
 * @scratch_in: host data under conversion, FS_MAX_SCRATCH bytes
 * @iov:     slice of the request's or reply's pieces
 */
struct fs_server {
	struct fs_config cfg;
	bool inited;
	bool setxattr_ext;
	bool frozen;
	struct fs_cred cred;
	struct fs_inodes inodes;
	struct fs_table opens;
	uint8_t *body;
	uint8_t *scratch;
	uint8_t *scratch_in;
	struct iovec iov[FS_SERVER_IOV_MAX];
};

/**
 * struct fs_req - one request being served
 * @srv:     the server
 * @hdr:     private copy of the header
 * @node:    node of hdr.nodeid; NULL for operations without one
 * @args:    what follows the header, without extensions
 * @ext:     extensions
 * @in, @n_in:   the request's pieces, for the data of a WRITE only
 * @out, @n_out: the reply's pieces
 * @out_cap: room behind the reply header
 * @out_len: bytes of the answer already behind the reply header
 */
struct fs_req {
	struct fs_server *srv;
	struct fuse_in_header hdr;
	struct fs_node *node;
	struct vr_rd args;
	struct vr_rd ext;
	const struct iovec *in;
	unsigned n_in;
	const struct iovec *out;
	unsigned n_out;
	size_t out_cap;
	size_t out_len;
};

/** typedef fs_handler - serve one operation; 0 or -errno */
typedef int fs_handler(struct fs_req *r);

/* --- fs_server.c: arguments and replies --- */

/** fs_share_fixed() - may nothing in this share be changed (any more)? */
static inline bool fs_share_fixed(const struct fs_server *srv, enum fs_share share)
{
	return share == FS_SHARE_FRAME || (srv->frozen && share == FS_SHARE_ROOTFS);
}

/** fs_req_args() - take the next @len bytes of arguments into a structure; -EINVAL if short */
int fs_req_args(struct fs_req *r, void *dst, size_t len) __attribute__((warn_unused_result));

/** fs_req_string() - take a NUL-terminated string; -EINVAL without a NUL. Borrowed. */
int fs_req_string(struct fs_req *r, const char **out_s, size_t *out_len)
	__attribute__((warn_unused_result));

/** fs_req_name() - take a string that fs_name_check() accepts. Borrowed. */
int fs_req_name(struct fs_req *r, const char **out_name) __attribute__((warn_unused_result));

/** fs_req_end() - -EINVAL if arguments are left over */
int fs_req_end(const struct fs_req *r) __attribute__((warn_unused_result));

/** fs_reply_put() - append to the answer; -EIO if there is no room */
int fs_reply_put(struct fs_req *r, const void *data, size_t len)
	__attribute__((warn_unused_result));

/* --- fs_entry.c: names to nodes, and making new ones --- */

/** struct fs_timeouts - seconds that the guest may believe a name and attributes */
struct fs_timeouts {
	uint32_t entry;
	uint32_t attr;
};

/** fs_timeouts_of() - for a node of share @child found in a directory of share @parent */
struct fs_timeouts fs_timeouts_of(enum fs_share parent, enum fs_share child);

/**
 * fs_entry_lookup() - find a name in a directory and count the guest's lookup
 * @srv:       server
 * @parent:    directory
 * @name:      checked name
 * @out_node:  the node
 * @out_entry: what a reply says about it
 *
 * Return: 0 or -errno.
 * Syscalls: openat2, statx, close (role fs)
 */
int fs_entry_lookup(struct fs_server *srv, const struct fs_node *parent, const char *name,
		    struct fs_node **out_node, struct fuse_entry_out *out_entry)
	__attribute__((warn_unused_result));

/**
 * fs_entry_from_fd() - as fs_entry_lookup(), for a file just made and still open
 * @fd: any fd of the file; stays the caller's
 *
 * No name is looked up again, so it is this very file.
 *
 * Syscalls: openat, statx, close (role fs)
 */
int fs_entry_from_fd(struct fs_server *srv, const struct fs_node *parent, int fd,
		     struct fs_node **out_node, struct fuse_entry_out *out_entry)
	__attribute__((warn_unused_result));

/**
 * fs_entry_reply() - look a name up and answer with it
 *
 * Syscalls: openat2, statx, close (role fs)
 */
int fs_entry_reply(struct fs_req *r, const char *name) __attribute__((warn_unused_result));

/**
 * fs_make_begin() - become the process that makes a file: fs uid, gid and umask
 *
 * Nothing to undo after a failure.
 *
 * Syscalls: setfsuid, setfsgid, capset, umask (role fs)
 */
int fs_make_begin(struct fs_req *r, uint32_t g_umask, struct fs_cred_scope *scope)
	__attribute__((warn_unused_result));

/** fs_make_end() - be the server again. Syscalls: setfsuid, setfsgid, capset, umask (role fs) */
void fs_make_end(struct fs_req *r, struct fs_cred_scope *scope);

/* --- fs_file.c: handles --- */

/**
 * fs_open_add() - give an fd a handle
 * @srv:    server
 * @node:   node it belongs to
 * @kind:   file or directory
 * @fd:     taken in every case
 * @out_fh: handle
 *
 * Return: 0, -ENFILE, -ENOMEM.
 * Syscalls: close (role fs)
 */
int fs_open_add(struct fs_server *srv, const struct fs_node *node, enum fs_open_kind kind, int fd,
		uint64_t *out_fh) __attribute__((warn_unused_result));

/** fs_open_get() - handle of this kind and node; NULL if there is none */
struct fs_open *fs_open_get(const struct fs_server *srv, uint64_t fh, uint64_t nodeid,
			    enum fs_open_kind kind);

/** fs_open_drop() - close a handle. Syscalls: close (role fs) */
void fs_open_drop(struct fs_server *srv, struct fs_open *open);

/* --- handlers, by file --- */

fs_handler fs_op_init, fs_op_destroy, fs_op_interrupt, fs_op_forget, fs_op_batch_forget;
fs_handler fs_op_lookup, fs_op_mknod, fs_op_mkdir, fs_op_symlink, fs_op_unlink, fs_op_rmdir;
fs_handler fs_op_rename, fs_op_rename2, fs_op_link;
fs_handler fs_op_opendir, fs_op_readdir, fs_op_readdirplus, fs_op_releasedir, fs_op_fsyncdir;
fs_handler fs_op_getattr, fs_op_setattr, fs_op_statx, fs_op_statfs, fs_op_access, fs_op_readlink;
fs_handler fs_op_open, fs_op_create, fs_op_tmpfile, fs_op_release, fs_op_flush, fs_op_fsync;
fs_handler fs_op_read, fs_op_write, fs_op_fallocate, fs_op_lseek, fs_op_copy_file_range;
fs_handler fs_op_syncfs;
fs_handler fs_op_setxattr, fs_op_getxattr, fs_op_listxattr, fs_op_removexattr;

#endif /* VIRTIO_FS_FS_INTERNAL_H */
