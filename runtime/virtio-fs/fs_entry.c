/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_entry.c - names to nodes, and making new ones
 *
 * Shared by every operation that answers with a directory entry. Also the one
 * place that decides which part of the tree a node belongs to and how long the
 * guest may remember it.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "virtio-fs/fs_internal.h"

#define SECONDS_FRAME	86400U /* the frame stands before the guest runs and never changes */
#define SECONDS_ROOTFS	1U     /* the container's own, but the host may write into it */
#define SECONDS_MOUNTS	0U     /* shared with the host: ask every time */
#define MAX_SUPP_GROUPS 64U    /* more than ever sent: the guest names one group */

static uint32_t seconds_of(enum fs_share share)
{
	switch (share) {
	case FS_SHARE_FRAME:
		return SECONDS_FRAME;
	case FS_SHARE_ROOTFS:
		return SECONDS_ROOTFS;
	case FS_SHARE_MOUNTS:
	default:
		return SECONDS_MOUNTS;
	}
}

struct fs_timeouts fs_timeouts_of(enum fs_share parent, enum fs_share child)
{
	struct fs_timeouts t = {.entry = seconds_of(parent), .attr = seconds_of(child)};

	return t;
}

/* Which part of the tree a name in a directory belongs to */
static enum fs_share share_of(const struct fs_server *srv, const struct fs_node *parent,
			      const char *name)
{
	if (parent != srv->inodes.root) {
		return parent->share == FS_SHARE_FRAME ? FS_SHARE_MOUNTS : parent->share;
	}
	if (strcmp(name, "rootfs") == 0) {
		return FS_SHARE_ROOTFS;
	}
	return strcmp(name, "mounts") == 0 ? FS_SHARE_FRAME : FS_SHARE_MOUNTS;
}

/* Make or find the node of an O_PATH fd (taken) and describe it. */
static int entry_adopt(struct fs_server *srv, const struct fs_node *parent, enum fs_share share,
		       int path_fd, struct fs_node **out_node, struct fuse_entry_out *out_entry)
{
	struct statx stx;
	struct fs_node *node;
	struct fs_timeouts t;
	int rc = fs_path_stat(path_fd, &stx);

	if (rc < 0) {
		(void)close(path_fd);
		return rc;
	}
	rc = fs_inode_adopt(&srv->inodes, parent, share, path_fd, &stx, &node);
	if (rc < 0) {
		return rc;
	}
	t = fs_timeouts_of(parent->share, node->share);
	if (fs_inodes_crowded(&srv->inodes)) {
		t.entry = 0; /* Linux's virtio-fs lets go of such a name when its last user does */
	}
	memset(out_entry, 0, sizeof(*out_entry));
	out_entry->nodeid = fs_inode_id(node);
	out_entry->entry_valid = t.entry;
	out_entry->attr_valid = t.attr;
	fs_inode_attr(node, &stx, &out_entry->attr);
	*out_node = node;
	return 0;
}

int fs_entry_lookup(struct fs_server *srv, const struct fs_node *parent, const char *name,
		    struct fs_node **out_node, struct fuse_entry_out *out_entry)
{
	int fd = fs_path_open(parent->fd, name, O_PATH, 0);

	if (fd < 0) {
		return fd;
	}
	return entry_adopt(srv, parent, share_of(srv, parent, name), fd, out_node, out_entry);
}

int fs_entry_from_fd(struct fs_server *srv, const struct fs_node *parent, int fd,
		     struct fs_node **out_node, struct fuse_entry_out *out_entry)
{
	int path_fd = fs_path_reopen(srv->cfg.proc_self_fd_fd, fd, S_IFREG, O_PATH);

	if (path_fd < 0) {
		return path_fd;
	}
	return entry_adopt(srv, parent, parent->share, path_fd, out_node, out_entry);
}

int fs_entry_reply(struct fs_req *r, const char *name)
{
	struct fuse_entry_out entry;
	struct fs_node *node;
	int rc = fs_entry_lookup(r->srv, r->node, name, &node, &entry);

	if (rc == 0) {
		rc = fs_reply_put(r, &entry, sizeof(entry));
	}
	return rc;
}

/*
 * Does the request say that its process is in the directory's group? The guest
 * names that one group and only then, so its presence is the whole message.
 */
static bool in_parent_group(struct fs_req *r)
{
	while (vr_rd_left(&r->ext) >= sizeof(struct fuse_ext_header)) {
		uint32_t size = vr_rd_u32(&r->ext);
		uint32_t type = vr_rd_u32(&r->ext);
		struct vr_rd body;

		if (size < sizeof(struct fuse_ext_header) ||
		    size - sizeof(struct fuse_ext_header) > vr_rd_left(&r->ext)) {
			return false;
		}
		size -= (uint32_t)sizeof(struct fuse_ext_header);
		vr_rd_init(&body, vr_rd_bytes(&r->ext, size), size);
		if (type == FUSE_EXT_GROUPS) {
			uint32_t n = vr_rd_u32(&body);

			return n > 0 && n <= MAX_SUPP_GROUPS && n <= vr_rd_left(&body) / 4;
		}
	}
	return false;
}

int fs_make_begin(struct fs_req *r, uint32_t g_umask, struct fs_cred_scope *scope)
{
	int rc = fs_cred_enter(&r->srv->cred, r->hdr.uid, r->hdr.gid, in_parent_group(r), scope);

	if (rc == 0) {
		(void)umask(g_umask & 0777);
	}
	return rc;
}

void fs_make_end(struct fs_req *r, struct fs_cred_scope *scope)
{
	(void)umask(0);
	fs_cred_leave(&r->srv->cred, scope);
}
