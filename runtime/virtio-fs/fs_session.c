/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_session.c - INIT, DESTROY, FORGET: the life of a session and its nodes
 *
 * Features wanted, and those left out on purpose:
 *  - WRITEBACK_CACHE: would make the guest the only one who knows a file's
 *    size and times; not while directories are shared with the host.
 *  - POSIX_LOCKS, FLOCK_LOCKS: locks work among the guest's processes, without
 *    a request waiting here.
 *  - POSIX_ACL: costs a request per permission check; ACLs are stored and
 *    shown, and the umask is left to the host where a default ACL applies.
 *  - EXPORT_SUPPORT: would need lookups of "." and "..".
 */
#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "virtio-fs/fs_internal.h"

#define FEATURES                                                                                   \
	(FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_DONT_MASK |                \
	 FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO |     \
	 FUSE_PARALLEL_DIROPS | FUSE_ABORT_ERROR | FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS |          \
	 FUSE_SUBMOUNTS | FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT | FUSE_INIT_EXT |            \
	 FUSE_CREATE_SUPP_GROUP)

#define MAX_BACKGROUND	     1024 /* all releases of an ending process; see guest-agent/hold.c */
#define CONGESTION_THRESHOLD 48

/* Copy the part of init_in that was sent; older guests know only the first 16 bytes. */
static int take_init(struct fs_req *r, struct fuse_init_in *in)
{
	size_t len = VR_MIN(vr_rd_left(&r->args), sizeof(*in));

	memset(in, 0, sizeof(*in));
	return fs_req_args(r, in, len);
}

/**
 * fs_op_init() - start a session; whatever an earlier one left is dropped
 *
 * Syscalls: close, setfsuid, setfsgid, capget (role fs)
 */
int fs_op_init(struct fs_req *r)
{
	struct fuse_init_in in;
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.max_background = MAX_BACKGROUND,
		.congestion_threshold = CONGESTION_THRESHOLD,
		.max_write = FS_MAX_IO,
		.time_gran = 1,
		.max_pages = FS_MAX_PAGES,
	};
	uint64_t features;
	int rc = take_init(r, &in);

	if (rc < 0) {
		return rc;
	}
	fs_server_reset(r->srv);
	if (in.major > FUSE_KERNEL_VERSION) {
		out.minor = FUSE_KERNEL_MINOR_VERSION;
		return fs_reply_put(r, &out, sizeof(out)); /* the guest comes back with ours */
	}
	if (in.major < FUSE_KERNEL_VERSION || in.minor < FUSE_MIN_MINOR_VERSION) {
		return -EPROTO;
	}
	rc = fs_cred_load(&r->srv->cred, r->srv->cfg.can_chown);
	if (rc < 0) {
		return rc;
	}
	features = in.flags;
	if (features & FUSE_INIT_EXT) {
		features |= (uint64_t)in.flags2 << 32;
	}
	features &= FEATURES;
	out.minor = VR_MIN(in.minor, (uint32_t)FUSE_KERNEL_MINOR_VERSION);
	out.max_readahead = in.max_readahead;
	out.flags = (uint32_t)features;
	out.flags2 = (uint32_t)(features >> 32);
	r->srv->setxattr_ext = features & FUSE_SETXATTR_EXT;
	r->srv->inited = true;
	return fs_reply_put(r, &out, sizeof(out));
}

/** fs_op_destroy() - end of the session (unmount). Syscalls: close (role fs) */
int fs_op_destroy(struct fs_req *r)
{
	fs_server_reset(r->srv);
	return 0;
}

/** fs_op_interrupt() - nothing is ever kept waiting, so there is nothing to interrupt */
int fs_op_interrupt(struct fs_req *r)
{
	(void)r;
	return 0;
}

/** fs_op_forget() - take lookups of one node back. Syscalls: close (role fs) */
int fs_op_forget(struct fs_req *r)
{
	struct fuse_forget_in in;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc == 0) {
		fs_inode_forget(&r->srv->inodes, r->hdr.nodeid, in.nlookup);
	}
	return rc;
}

/** fs_op_batch_forget() - take lookups of many nodes back. Syscalls: close (role fs) */
int fs_op_batch_forget(struct fs_req *r)
{
	struct fuse_batch_forget_in in;
	struct fuse_forget_one one;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc == 0 && in.count > vr_rd_left(&r->args) / sizeof(one)) {
		rc = -EINVAL;
	}
	for (uint32_t i = 0; rc == 0 && i < in.count; i++) {
		rc = fs_req_args(r, &one, sizeof(one));
		if (rc == 0) {
			fs_inode_forget(&r->srv->inodes, one.nodeid, one.nlookup);
		}
	}
	return rc;
}
