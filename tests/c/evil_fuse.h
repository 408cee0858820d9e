/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil_fuse.h - a FUSE client for tests: honest by default, any lie on request
 *
 * Builds requests byte for byte, sends them through fs_server_handle() in
 * pieces of awkward sizes, and checks about every reply what must always hold:
 * its length field equals the returned length and fits the room given, the
 * unique number comes back, and not one byte behind the room was touched.
 *
 * The server gets `DIR/tree`; `DIR/outside` holds bait that no request may
 * ever reach.
 */
#ifndef TESTS_EVIL_FUSE_H
#define TESTS_EVIL_FUSE_H

#include <stddef.h>
#include <stdint.h>

#include "virtio-fs/fs_server.h"
#include "virtio-fs/fuse_abi.h"

#define FUSE_GUEST_MAX_MSG (3U << 20)

/**
 * struct fuse_guest - the client and its server
 * @dir:     temporary directory that holds `tree` and `outside`
 * @srv:     server under test
 * @root_fd, @proc_fd: what the server was given
 * @rootfs:  node id of `rootfs`, looked up by fuse_guest_init()
 * @uid, @gid: of the process the requests come from
 * @msg, @msg_len: request under construction, header included
 * @reply, @reply_len: last answer without its header
 * @room:    bytes offered for the next reply, header included
 * @len_lie: added to the header's length field of the next request
 * @piece:   size of the pieces that request and reply are cut into
 * @ext_len: bytes at the end of @msg that are extensions
 */
struct fuse_guest {
	char dir[128];
	struct fs_server *srv;
	int root_fd;
	int proc_fd;
	uint64_t rootfs;
	uint32_t uid;
	uint32_t gid;
	uint64_t unique;
	uint8_t *msg;
	size_t msg_len;
	uint8_t *reply;
	size_t reply_len;
	size_t room;
	int64_t len_lie;
	size_t piece;
	size_t ext_len;
};

/** fuse_guest_setup() - temporary tree and a server; @max_nodes, @max_handles as in fs_config */
void fuse_guest_setup(struct fuse_guest *g, unsigned max_nodes, unsigned max_handles);

/** fuse_guest_init() - negotiate, and look `rootfs` up */
void fuse_guest_init(struct fuse_guest *g);

/** fuse_guest_teardown() - destroy the server, check the bait and for lost fds, remove the tree */
void fuse_guest_teardown(struct fuse_guest *g);

/** fuse_guest_path() - host path of something below DIR; a static buffer */
const char *fuse_guest_path(const struct fuse_guest *g, const char *rel);

/** fuse_begin(), fuse_put(), fuse_str() - start a request, append bytes, append string and NUL */
void fuse_begin(struct fuse_guest *g, uint32_t opcode, uint64_t nodeid);
void fuse_put(struct fuse_guest *g, const void *data, size_t len);
void fuse_str(struct fuse_guest *g, const char *s);

/** fuse_send() - send what was built; the reply's error (0 or -errno) */
int fuse_send(struct fuse_guest *g);

/** fuse_send_raw() - send what was built; what fs_server_handle() returned */
int64_t fuse_send_raw(struct fuse_guest *g);

/** fuse_call() - a request with one structure, and one for the answer; both may be empty */
int fuse_call(struct fuse_guest *g, uint32_t opcode, uint64_t nodeid, const void *in, size_t in_len,
	      void *out, size_t out_len);

/* Operations spelt out; all return 0 or -errno */
int fuse_lookup(struct fuse_guest *g, uint64_t dir, const char *name, struct fuse_entry_out *out);
int fuse_name_op(struct fuse_guest *g, uint32_t opcode, uint64_t dir, const char *name);
int fuse_mkdir(struct fuse_guest *g, uint64_t dir, const char *name, uint32_t mode,
	       struct fuse_entry_out *out);
int fuse_mknod(struct fuse_guest *g, uint64_t dir, const char *name, uint32_t mode, uint32_t rdev,
	       struct fuse_entry_out *out);
int fuse_symlink(struct fuse_guest *g, uint64_t dir, const char *name, const char *target,
		 struct fuse_entry_out *out);
int fuse_rename(struct fuse_guest *g, uint64_t dir, const char *name, uint64_t newdir,
		const char *newname, uint32_t flags);
int fuse_link(struct fuse_guest *g, uint64_t node, uint64_t dir, const char *name,
	      struct fuse_entry_out *out);
int fuse_create(struct fuse_guest *g, uint64_t dir, const char *name, uint32_t flags, uint32_t mode,
		struct fuse_entry_out *out, uint64_t *out_fh);
int fuse_open(struct fuse_guest *g, uint32_t opcode, uint64_t node, uint32_t flags,
	      uint64_t *out_fh);
int fuse_release(struct fuse_guest *g, uint32_t opcode, uint64_t node, uint64_t fh);
int64_t fuse_write(struct fuse_guest *g, uint64_t node, uint64_t fh, uint64_t off, const void *data,
		   uint32_t len, uint32_t write_flags, uint32_t flags);
/** fuse_read() - bytes read (now in g->reply) or -errno; also for READDIR and READDIRPLUS */
int64_t fuse_read(struct fuse_guest *g, uint32_t opcode, uint64_t node, uint64_t fh, uint64_t off,
		  uint32_t size);
void fuse_forget(struct fuse_guest *g, uint64_t node, uint64_t nlookup);
int fuse_getattr(struct fuse_guest *g, uint64_t node, struct fuse_attr *out);
int fuse_setattr(struct fuse_guest *g, uint64_t node, const struct fuse_setattr_in *in);

#endif /* TESTS_EVIL_FUSE_H */
