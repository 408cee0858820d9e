/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_inode.h - the files the guest knows, each held by an O_PATH fd
 *
 * A node is found by what it is, (st_dev, st_ino, mount id), so that hard
 * links give one node. The O_PATH fd pins the file: it stays reachable when
 * unlinked or renamed, and its inode number can't be given to another file.
 *
 * The guest counts its lookups and takes them back with FORGET. That count is
 * its own affair: it saturates, it never goes below zero, and all it decides
 * is when our fd is closed. Nodes have no other reference, since open handles
 * have fds of their own.
 *
 * Trust:    node ids and forget counts come from the guest.
 * Threads:  none inside; one owner.
 * Uses:     fs_handle, fs_path. Used by: handlers.
 */
#ifndef VIRTIO_FS_FS_INODE_H
#define VIRTIO_FS_FS_INODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "virtio-fs/fs_handle.h"
#include "virtio-fs/fuse_abi.h"

/**
 * enum fs_share - which part of the exported tree a node belongs to
 * @FS_SHARE_FRAME:  the top directory and `mounts`: fixed, not the guest's to change
 * @FS_SHARE_ROOTFS: at or below `rootfs`: the container's own
 * @FS_SHARE_MOUNTS: everything else: others on the host use it too
 */
enum fs_share {
	FS_SHARE_FRAME,
	FS_SHARE_ROOTFS,
	FS_SHARE_MOUNTS,
};

/**
 * struct fs_node - one file known to the guest
 * @slot:     its place in the table
 * @fd:       O_PATH fd, owned (but borrowed for the root)
 * @type:     S_IFMT bits; a file never changes its type
 * @share:    part of the tree it was first found in
 * @submount: directory at which another file system begins
 * @nlookup:  the guest's count
 * @dev, @ino, @mnt: identity on the host
 * @ino_salt: mixed into the inode number the guest sees, for a file whose
 *            st_dev differs from its directory's (overlayfs layers, single
 *            file mounts), where st_ino alone may repeat
 * @hash_next: next node in its hash bucket
 */
struct fs_node {
	struct fs_slot slot;
	int fd;
	mode_t type;
	enum fs_share share;
	bool submount;
	uint64_t nlookup;
	uint64_t dev;
	uint64_t ino;
	uint64_t mnt;
	uint64_t ino_salt;
	struct fs_node *hash_next;
};

/** struct fs_inodes - all nodes; @root is node id 1 and lives as long as the table */
struct fs_inodes {
	struct fs_table table;
	struct fs_node *root;
	struct fs_node **buckets;
	unsigned n_buckets; /* a power of two */
	uint64_t seed;	    /* random, so that the guest can't choose long chains */
};

/**
 * fs_inodes_init() - table with only the root node
 * @set:     to fill
 * @max:     most nodes at a time, the root included
 * @root_fd: O_PATH fd of the exported tree, borrowed
 *
 * Return: 0, -EINVAL, -ENOTDIR, -ENOMEM or other -errno.
 * Syscalls: statx, getrandom, brk, mmap, munmap (role fs)
 */
int fs_inodes_init(struct fs_inodes *set, unsigned max, int root_fd)
	__attribute__((warn_unused_result));

/** fs_inodes_reset() - drop every node but the root. Syscalls: close (role fs) */
void fs_inodes_reset(struct fs_inodes *set);

/** fs_inodes_finish() - drop everything and free the memory. Syscalls: close, munmap (role fs) */
void fs_inodes_finish(struct fs_inodes *set);

/**
 * fs_inodes_crowded() - three quarters of the table are taken
 *
 * The rest is for files that the guest uses; see entry_adopt().
 */
bool fs_inodes_crowded(const struct fs_inodes *set);

/** fs_inode_get() - node of an id, NULL if stale or never given out */
struct fs_node *fs_inode_get(const struct fs_inodes *set, uint64_t nodeid);

/** fs_inode_id() - the id of a node, as the guest knows it */
uint64_t fs_inode_id(const struct fs_node *node);

/**
 * fs_inode_adopt() - find or make the node of a file, and count one lookup
 * @set:      nodes
 * @parent:   directory it was found in
 * @share:    part of the tree, for a new node
 * @fd:       O_PATH fd of the file; taken in every case
 * @stx:      its statx, with mount id
 * @out_node: the node
 *
 * Return: 0, -ENFILE when the table is full, -ENOMEM.
 * Syscalls: close, brk, mmap, munmap (role fs)
 */
int fs_inode_adopt(struct fs_inodes *set, const struct fs_node *parent, enum fs_share share, int fd,
		   const struct statx *stx, struct fs_node **out_node)
	__attribute__((warn_unused_result));

/**
 * fs_inode_forget() - take back @n lookups of an id; at none the node goes
 *
 * Unknown ids, the root and counts larger than ever given are harmless.
 *
 * Syscalls: close (role fs)
 */
void fs_inode_forget(struct fs_inodes *set, uint64_t nodeid, uint64_t n);

/** fs_inode_attr() - what the guest sees of a node, from its statx */
void fs_inode_attr(const struct fs_node *node, const struct statx *stx, struct fuse_attr *out_attr);

#endif /* VIRTIO_FS_FS_INODE_H */
