/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_server.c - take a request apart, find its handler, write the reply
 *
 * The request lies in memory that the guest can change while we look. The
 * header is copied first, then the body into a buffer of our own; only the
 * data of a WRITE goes from the guest's memory straight to the host's kernel,
 * and only READ fills the guest's memory directly. Every check is made on the
 * copies.
 *
 * Replies: a handler appends behind the place of the reply header; the header
 * is written last, so a handler may fail at any point and the guest then sees
 * nothing but the error.
 */
#include "virtio-fs/fs_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/checked.h"
#include "virtio-fs/fs_internal.h"
#include "virtio-fs/fs_iov.h"

#define FDS_RESERVED  64U	 /* for the process itself and for fds held during one request */
#define NODES_DEFAULT (1U << 20) /* ceiling when the fd limit is generous */
#define OPENS_DEFAULT (1U << 16)

/* What the dispatcher checks before a handler runs */
#define OP_NODE	    (1U << 0) /* header names an existing node */
#define OP_DIR	    (1U << 1) /* ... which is a directory */
#define OP_CHANGE   (1U << 2) /* ... and is changed: not in the frame */
#define OP_NO_REPLY (1U << 3)
#define OP_ANYTIME  (1U << 4) /* also before INIT */
#define OP_PAYLOAD  (1U << 5) /* arguments are followed by data that isn't copied */

#define NODE_ANY    OP_NODE
#define NODE_CHANGE (OP_NODE | OP_CHANGE)
#define DIR_ANY	    (OP_NODE | OP_DIR)
#define DIR_CHANGE  (OP_NODE | OP_DIR | OP_CHANGE)

/**
 * struct fs_op - an operation
 * @min_in:  bytes of arguments at least (a name counts 2: one character, NUL)
 * @min_out: bytes of answer at least
 * @flags:   OP_*
 * @handle:  handler; NULL: not served, ENOSYS
 */
struct fs_op {
	uint16_t min_in;
	uint16_t min_out;
	uint32_t flags;
	fs_handler *handle;
};

#define IN(type)  sizeof(struct fuse_##type)
#define OUT(type) sizeof(struct fuse_##type)
#define NAME	  2
#define CREATED	  (sizeof(struct fuse_entry_out) + sizeof(struct fuse_open_out))

/*
 * Not served, on purpose: GETLK, SETLK, SETLKW (locks stay in the guest, since
 * POSIX_LOCKS and FLOCK_LOCKS aren't negotiated), IOCTL, POLL, BMAP,
 * NOTIFY_REPLY, SETUPMAPPING, REMOVEMAPPING (no DAX window).
 */
static const struct fs_op ops[FUSE_OPCODE_COUNT] = {
	[FUSE_LOOKUP] = {NAME, OUT(entry_out), DIR_ANY, fs_op_lookup},
	[FUSE_FORGET] = {IN(forget_in), 0, OP_NO_REPLY, fs_op_forget},
	[FUSE_GETATTR] = {0, OUT(attr_out), NODE_ANY, fs_op_getattr},
	[FUSE_SETATTR] = {IN(setattr_in), OUT(attr_out), NODE_CHANGE, fs_op_setattr},
	[FUSE_READLINK] = {0, 1, NODE_ANY, fs_op_readlink},
	[FUSE_SYMLINK] = {NAME + NAME, OUT(entry_out), DIR_CHANGE, fs_op_symlink},
	[FUSE_MKNOD] = {IN(mknod_in) + NAME, OUT(entry_out), DIR_CHANGE, fs_op_mknod},
	[FUSE_MKDIR] = {IN(mkdir_in) + NAME, OUT(entry_out), DIR_CHANGE, fs_op_mkdir},
	[FUSE_UNLINK] = {NAME, 0, DIR_CHANGE, fs_op_unlink},
	[FUSE_RMDIR] = {NAME, 0, DIR_CHANGE, fs_op_rmdir},
	[FUSE_RENAME] = {IN(rename_in) + NAME + NAME, 0, DIR_CHANGE, fs_op_rename},
	[FUSE_LINK] = {IN(link_in) + NAME, OUT(entry_out), DIR_CHANGE, fs_op_link},
	[FUSE_OPEN] = {IN(open_in), OUT(open_out), NODE_ANY, fs_op_open},
	[FUSE_READ] = {IN(read_in), 0, NODE_ANY, fs_op_read},
	[FUSE_WRITE] = {IN(write_in), OUT(write_out), NODE_ANY | OP_PAYLOAD, fs_op_write},
	[FUSE_STATFS] = {0, OUT(statfs_out), NODE_ANY, fs_op_statfs},
	[FUSE_RELEASE] = {IN(release_in), 0, 0, fs_op_release},
	[FUSE_FSYNC] = {IN(fsync_in), 0, 0, fs_op_fsync},
	[FUSE_SETXATTR] = {FUSE_COMPAT_SETXATTR_IN_SIZE + NAME, 0, NODE_CHANGE, fs_op_setxattr},
	[FUSE_GETXATTR] = {IN(getxattr_in) + NAME, 0, NODE_ANY, fs_op_getxattr},
	[FUSE_LISTXATTR] = {IN(getxattr_in), 0, NODE_ANY, fs_op_listxattr},
	[FUSE_REMOVEXATTR] = {NAME, 0, NODE_CHANGE, fs_op_removexattr},
	[FUSE_FLUSH] = {IN(flush_in), 0, 0, fs_op_flush},
	[FUSE_INIT] = {FUSE_INIT_IN_MIN, OUT(init_out), OP_ANYTIME, fs_op_init},
	[FUSE_OPENDIR] = {IN(open_in), OUT(open_out), DIR_ANY, fs_op_opendir},
	[FUSE_READDIR] = {IN(read_in), 0, DIR_ANY, fs_op_readdir},
	[FUSE_RELEASEDIR] = {IN(release_in), 0, 0, fs_op_releasedir},
	[FUSE_FSYNCDIR] = {IN(fsync_in), 0, 0, fs_op_fsyncdir},
	[FUSE_ACCESS] = {IN(access_in), 0, NODE_ANY, fs_op_access},
	[FUSE_CREATE] = {IN(create_in) + NAME, CREATED, DIR_CHANGE, fs_op_create},
	[FUSE_INTERRUPT] = {0, 0, OP_NO_REPLY, fs_op_interrupt},
	[FUSE_DESTROY] = {0, 0, OP_ANYTIME, fs_op_destroy},
	[FUSE_BATCH_FORGET] = {IN(batch_forget_in), 0, OP_NO_REPLY, fs_op_batch_forget},
	[FUSE_FALLOCATE] = {IN(fallocate_in), 0, 0, fs_op_fallocate},
	[FUSE_READDIRPLUS] = {IN(read_in), 0, DIR_ANY, fs_op_readdirplus},
	[FUSE_RENAME2] = {IN(rename2_in) + NAME + NAME, 0, DIR_CHANGE, fs_op_rename2},
	[FUSE_LSEEK] = {IN(lseek_in), OUT(lseek_out), 0, fs_op_lseek},
	[FUSE_COPY_FILE_RANGE] = {IN(copy_file_range_in), OUT(write_out), 0, fs_op_copy_file_range},
	[FUSE_SYNCFS] = {0, 0, NODE_ANY, fs_op_syncfs},
	[FUSE_TMPFILE] = {IN(create_in), CREATED, DIR_CHANGE, fs_op_tmpfile},
	[FUSE_STATX] = {IN(statx_in), OUT(statx_out), NODE_ANY, fs_op_statx},
};

static const struct fs_op *find_op(uint32_t opcode)
{
	if (opcode >= FUSE_OPCODE_COUNT || !ops[opcode].handle) {
		return NULL;
	}
	return &ops[opcode];
}

int fs_req_args(struct fs_req *r, void *dst, size_t len)
{
	const uint8_t *p = vr_rd_bytes(&r->args, len);

	if (!p) {
		return -EINVAL;
	}
	memcpy(dst, p, len);
	return 0;
}

int fs_req_string(struct fs_req *r, const char **out_s, size_t *out_len)
{
	size_t left = vr_rd_left(&r->args);
	const uint8_t *start = r->args.data + r->args.off;
	const uint8_t *nul = left ? memchr(start, '\0', left) : NULL;

	if (!nul || !vr_rd_bytes(&r->args, (size_t)(nul - start) + 1)) {
		return -EINVAL;
	}
	*out_s = (const char *)start;
	*out_len = (size_t)(nul - start);
	return 0;
}

int fs_req_name(struct fs_req *r, const char **out_name)
{
	const char *name;
	size_t len;
	int rc = fs_req_string(r, &name, &len);

	if (rc == 0) {
		rc = fs_name_check(name, len);
	}
	if (rc == 0) {
		*out_name = name;
	}
	return rc;
}

int fs_req_end(const struct fs_req *r)
{
	return vr_rd_left(&r->args) == 0 ? 0 : -EINVAL;
}

int fs_reply_put(struct fs_req *r, const void *data, size_t len)
{
	if (len > r->out_cap - r->out_len ||
	    !fs_iov_write(r->out, r->n_out, sizeof(struct fuse_out_header) + r->out_len, data,
			  len)) {
		return -EIO;
	}
	r->out_len += len;
	return 0;
}

/* Find the node that the header names, and hold it against the operation's needs. */
static int resolve_node(struct fs_req *r, uint32_t flags)
{
	if (!(flags & OP_NODE)) {
		return 0;
	}
	r->node = fs_inode_get(&r->srv->inodes, r->hdr.nodeid);
	if (!r->node) {
		return -ESTALE;
	}
	if ((flags & OP_DIR) && !S_ISDIR(r->node->type)) {
		return -ENOTDIR;
	}
	if ((flags & OP_CHANGE) && fs_share_fixed(r->srv, r->node->share)) {
		return -EROFS;
	}
	return 0;
}

/* Copy what follows the header, once, and split off the extensions. */
static int fetch_body(struct fs_req *r, const struct fs_op *op)
{
	size_t body = r->hdr.len - sizeof(r->hdr);
	size_t ext = (size_t)r->hdr.total_extlen * 8;

	if (ext > body || body - ext < op->min_in) {
		return -EINVAL;
	}
	if (op->flags & OP_PAYLOAD) {
		if (ext) {
			return -EINVAL;
		}
		body = op->min_in;
	}
	if (body > FS_MAX_BODY) {
		return -E2BIG;
	}
	if (!fs_iov_read(r->in, r->n_in, sizeof(r->hdr), r->srv->body, body)) {
		return -EINVAL;
	}
	vr_rd_init(&r->args, r->srv->body, body - ext);
	vr_rd_init(&r->ext, r->srv->body + (body - ext), ext);
	return 0;
}

static int dispatch(struct fs_req *r, const struct fs_op *op, uint64_t in_total)
{
	int rc;

	if (r->hdr.len != in_total) {
		return -EINVAL;
	}
	if (!op) {
		return -ENOSYS;
	}
	if (!r->srv->inited && !(op->flags & OP_ANYTIME)) {
		return -EIO;
	}
	rc = fetch_body(r, op);
	if (rc < 0) {
		return rc;
	}
	if (r->out_cap < op->min_out) {
		return -EIO; /* before anything is done that couldn't be told */
	}
	rc = resolve_node(r, op->flags);
	return rc < 0 ? rc : op->handle(r);
}

static int64_t finish_reply(struct fs_req *r, int rc)
{
	struct fuse_out_header out = {.error = rc, .unique = r->hdr.unique};

	if (rc < 0) {
		r->out_len = 0;
	}
	out.len = (uint32_t)(sizeof(out) + r->out_len); /* out_len <= FS_MAX_IO */
	if (!fs_iov_write(r->out, r->n_out, 0, &out, sizeof(out))) {
		return -EPROTO;
	}
	return out.len;
}

int64_t fs_server_handle(struct fs_server *srv, const struct iovec *req, unsigned n_req,
			 const struct iovec *reply, unsigned n_reply)
{
	struct fs_req r = {.srv = srv, .in = req, .n_in = n_req, .out = reply, .n_out = n_reply};
	const struct fs_op *op;
	uint64_t in_total;
	uint64_t out_total;
	int rc;

	if (n_req > FS_SERVER_IOV_MAX || n_reply > FS_SERVER_IOV_MAX ||
	    !fs_iov_total(req, n_req, &in_total) || !fs_iov_total(reply, n_reply, &out_total) ||
	    !fs_iov_read(req, n_req, 0, &r.hdr, sizeof(r.hdr))) {
		return -EPROTO;
	}
	op = find_op(r.hdr.opcode);
	if (op && (op->flags & OP_NO_REPLY)) {
		(void)dispatch(&r, op, in_total); /* nobody to tell */
		return 0;
	}
	if (out_total < sizeof(struct fuse_out_header)) {
		return -EPROTO;
	}
	r.out_cap = out_total - sizeof(struct fuse_out_header);
	rc = dispatch(&r, op, in_total);
	return finish_reply(&r, rc);
}

void fs_server_freeze(struct fs_server *srv)
{
	srv->frozen = true;
}

void fs_server_reset(struct fs_server *srv)
{
	for (unsigned i = 0; i < srv->opens.n_slots; i++) {
		struct fs_open *open = fs_table_at(&srv->opens, i);

		if (open) {
			fs_open_drop(srv, open);
		}
	}
	fs_inodes_reset(&srv->inodes);
	srv->inited = false;
}

static unsigned cap_within(unsigned wanted, rlim_t most)
{
	return (unsigned)(wanted ? VR_MIN((rlim_t)wanted, most) : most);
}

/* Divide the fd limit: most for nodes, some for open files, a reserve for ourselves. */
static int divide_fds(struct fs_config *cfg)
{
	struct rlimit lim;
	rlim_t usable;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0) {
		return -errno;
	}
	if (lim.rlim_cur < (rlim_t)4 * FDS_RESERVED) {
		return -EMFILE;
	}
	usable = lim.rlim_cur - FDS_RESERVED;
	cfg->max_handles = cap_within(cfg->max_handles, VR_MIN(usable / 4, (rlim_t)OPENS_DEFAULT));
	cfg->max_nodes =
		cap_within(cfg->max_nodes, VR_MIN(usable - usable / 4, (rlim_t)NODES_DEFAULT));
	return 0;
}

/* The kernel features without which nothing here is safe */
static int probe_kernel(int root_fd)
{
	int fd = fs_path_open(root_fd, ".", O_PATH | O_DIRECTORY, 0);

	if (fd < 0) {
		return fd;
	}
	(void)close(fd);
	return 0;
}

static int server_setup(struct fs_server *srv)
{
	int rc = divide_fds(&srv->cfg);

	if (rc == 0) {
		rc = probe_kernel(srv->cfg.root_fd);
	}
	if (rc == 0) {
		rc = fs_table_init(&srv->opens, sizeof(struct fs_open), srv->cfg.max_handles);
	}
	if (rc == 0) {
		rc = fs_inodes_init(&srv->inodes, srv->cfg.max_nodes, srv->cfg.root_fd);
	}
	if (rc < 0) {
		return rc;
	}
	srv->body = malloc(FS_MAX_BODY);
	srv->scratch = malloc(FS_MAX_SCRATCH);
	srv->scratch_in = malloc(FS_MAX_SCRATCH);
	if (!srv->body || !srv->scratch || !srv->scratch_in) {
		return -ENOMEM;
	}
	(void)umask(0); /* the guest's umask comes with each request */
	return 0;
}

int fs_server_create(const struct fs_config *cfg, struct fs_server **out_server)
{
	struct fs_server *srv;
	int rc;

	if (cfg->root_fd < 0 || cfg->proc_self_fd_fd < 0) {
		return -EINVAL;
	}
	srv = calloc(1, sizeof(*srv));
	if (!srv) {
		return -ENOMEM;
	}
	srv->cfg = *cfg;
	rc = server_setup(srv);
	if (rc < 0) {
		fs_server_destroy(srv);
		return rc;
	}
	*out_server = srv;
	return 0;
}

void fs_server_destroy(struct fs_server *srv)
{
	if (!srv) {
		return;
	}
	fs_server_reset(srv);
	fs_inodes_finish(&srv->inodes);
	fs_table_finish(&srv->opens);
	free(srv->body);
	free(srv->scratch);
	free(srv->scratch_in);
	free(srv);
}
