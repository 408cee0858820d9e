/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_inode.c - the files the guest knows, each held by an O_PATH fd
 */
#include "virtio-fs/fs_inode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "virtio-fs/fs_path.h"

#define BUCKETS_MIN 256U

static uint64_t mix(uint64_t v)
{
	v ^= v >> 33;
	v *= 0xff51afd7ed558ccdULL;
	v ^= v >> 33;
	v *= 0xc4ceb9fe1a85ec53ULL;
	v ^= v >> 33;
	return v;
}

static uint64_t stx_dev(const struct statx *stx)
{
	return (uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor;
}

static uint64_t stx_mnt(const struct statx *stx)
{
	return stx->stx_mask & STATX_MNT_ID ? stx->stx_mnt_id : 0;
}

static struct fs_node **bucket_of(const struct fs_inodes *set, uint64_t dev, uint64_t ino,
				  uint64_t mnt)
{
	uint64_t h = mix(set->seed ^ mix(ino ^ mix(dev ^ mix(mnt ^ set->seed))));

	return &set->buckets[h & (set->n_buckets - 1)];
}

static void hash_insert(struct fs_inodes *set, struct fs_node *node)
{
	struct fs_node **bucket = bucket_of(set, node->dev, node->ino, node->mnt);

	node->hash_next = *bucket;
	*bucket = node;
}

static void hash_remove(struct fs_inodes *set, const struct fs_node *node)
{
	struct fs_node **link = bucket_of(set, node->dev, node->ino, node->mnt);

	while (*link && *link != node) {
		link = &(*link)->hash_next;
	}
	if (*link) {
		*link = node->hash_next;
	}
}

static struct fs_node *hash_find(const struct fs_inodes *set, const struct statx *stx)
{
	uint64_t dev = stx_dev(stx);
	uint64_t mnt = stx_mnt(stx);
	struct fs_node *node = *bucket_of(set, dev, stx->stx_ino, mnt);

	while (node && (node->ino != stx->stx_ino || node->dev != dev || node->mnt != mnt)) {
		node = node->hash_next;
	}
	return node;
}

/* Double the buckets when there are as many nodes. Failing is no harm: chains get longer. */
static void hash_grow(struct fs_inodes *set)
{
	unsigned n = set->n_buckets * 2;
	struct fs_node **buckets;

	if (set->table.n_used <= set->n_buckets || n > FS_TABLE_MAX) {
		return;
	}
	buckets = calloc(n, sizeof(struct fs_node *));
	if (!buckets) {
		return;
	}
	free(set->buckets);
	set->buckets = buckets;
	set->n_buckets = n;
	for (unsigned i = 0; i < set->table.n_slots; i++) {
		struct fs_node *node = fs_table_at(&set->table, i);

		if (node) {
			hash_insert(set, node);
		}
	}
}

/* Give a file its node; the table has been asked for room. */
static int node_make(struct fs_inodes *set, const struct fs_node *parent, const struct statx *stx,
		     struct fs_node **out_node)
{
	void *item;
	struct fs_node *node;
	int rc = fs_table_alloc(&set->table, &item);

	if (rc < 0) {
		return rc;
	}
	node = item;
	node->fd = -1;
	node->type = stx->stx_mode & S_IFMT;
	node->dev = stx_dev(stx);
	node->ino = stx->stx_ino;
	node->mnt = stx_mnt(stx);
	if (parent) {
		bool other_dev = node->dev != parent->dev;

		node->submount = S_ISDIR(node->type) && (other_dev || node->mnt != parent->mnt);
		node->ino_salt = other_dev && !S_ISDIR(node->type) ? mix(node->dev) << 40 : 0;
	}
	hash_insert(set, node);
	hash_grow(set);
	*out_node = node;
	return 0;
}

int fs_inodes_init(struct fs_inodes *set, unsigned max, int root_fd)
{
	struct statx stx;
	int rc;

	memset(set, 0, sizeof(*set));
	rc = fs_path_stat(root_fd, &stx);
	if (rc < 0) {
		return rc;
	}
	if (!S_ISDIR(stx.stx_mode)) {
		return -ENOTDIR;
	}
	if (getrandom(&set->seed, sizeof(set->seed), GRND_NONBLOCK) != sizeof(set->seed)) {
		set->seed = 0; /* too early in the host's boot; only speed is at stake */
	}
	rc = fs_table_init(&set->table, sizeof(struct fs_node), max);
	if (rc < 0) {
		return rc;
	}
	set->n_buckets = BUCKETS_MIN;
	set->buckets = calloc(set->n_buckets, sizeof(struct fs_node *));
	rc = set->buckets ? node_make(set, NULL, &stx, &set->root) : -ENOMEM;
	if (rc < 0) {
		fs_inodes_finish(set);
		return rc;
	}
	set->root->fd = root_fd;
	set->root->share = FS_SHARE_FRAME;
	return 0;
}

static void node_drop(struct fs_inodes *set, struct fs_node *node)
{
	hash_remove(set, node);
	(void)close(node->fd); /* O_PATH: nothing is written back */
	node->fd = -1;
	fs_table_free(&set->table, node);
}

void fs_inodes_reset(struct fs_inodes *set)
{
	for (unsigned i = 0; i < set->table.n_slots; i++) {
		struct fs_node *node = fs_table_at(&set->table, i);

		if (node && node != set->root) {
			node_drop(set, node);
		}
	}
}

void fs_inodes_finish(struct fs_inodes *set)
{
	if (set->buckets) {
		fs_inodes_reset(set);
	}
	free(set->buckets);
	fs_table_finish(&set->table);
	memset(set, 0, sizeof(*set));
}

bool fs_inodes_crowded(const struct fs_inodes *set)
{
	return set->table.n_used >= set->table.max - set->table.max / 4;
}

struct fs_node *fs_inode_get(const struct fs_inodes *set, uint64_t nodeid)
{
	return fs_table_get(&set->table, nodeid);
}

uint64_t fs_inode_id(const struct fs_node *node)
{
	return fs_table_id(node);
}

int fs_inode_adopt(struct fs_inodes *set, const struct fs_node *parent, enum fs_share share, int fd,
		   const struct statx *stx, struct fs_node **out_node)
{
	struct fs_node *node = hash_find(set, stx);
	int rc;

	if (node) {
		(void)close(fd); /* the node has one already */
	} else {
		rc = node_make(set, parent, stx, &node);
		if (rc < 0) {
			(void)close(fd);
			return rc;
		}
		node->fd = fd;
		node->share = share;
	}
	if (node->nlookup != UINT64_MAX) {
		node->nlookup++;
	}
	*out_node = node;
	return 0;
}

void fs_inode_forget(struct fs_inodes *set, uint64_t nodeid, uint64_t n)
{
	struct fs_node *node = fs_inode_get(set, nodeid);

	if (!node || node == set->root) {
		return;
	}
	if (n < node->nlookup) {
		node->nlookup -= n;
		return;
	}
	node_drop(set, node);
}

/* Device numbers on the wire: 12 bits major, 20 bits minor, split as in new_encode_dev() */
static uint32_t encode_rdev(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (major & 0xfff) << 8 | (minor & 0xfff00) << 12;
}

void fs_inode_attr(const struct fs_node *node, const struct statx *stx, struct fuse_attr *out_attr)
{
	struct fuse_attr attr = {
		.ino = stx->stx_ino ^ node->ino_salt,
		.size = stx->stx_size,
		.blocks = stx->stx_blocks,
		.atime = (uint64_t)stx->stx_atime.tv_sec,
		.mtime = (uint64_t)stx->stx_mtime.tv_sec,
		.ctime = (uint64_t)stx->stx_ctime.tv_sec,
		.atimensec = stx->stx_atime.tv_nsec,
		.mtimensec = stx->stx_mtime.tv_nsec,
		.ctimensec = stx->stx_ctime.tv_nsec,
		.mode = stx->stx_mode,
		.nlink = stx->stx_nlink,
		.uid = stx->stx_uid,
		.gid = stx->stx_gid,
		.rdev = encode_rdev(stx->stx_rdev_major, stx->stx_rdev_minor),
		.blksize = stx->stx_blksize,
		.flags = node->submount ? FUSE_ATTR_SUBMOUNT : 0,
	};

	*out_attr = attr;
}
