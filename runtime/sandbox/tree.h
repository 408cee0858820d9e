/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.h - all that the file server can see
 *
 *   /            a tmpfs of ours, read-only once everything is in place
 *   /rootfs      the container's root file system
 *   /mounts/0    the source of the first bind mount: a directory, or a file
 *   /mounts/1    ...
 *
 * Each share is a clone of the host's mount with flags of its own, so that the
 * host's kernel enforces "read-only" whatever the server does. nosuid, nodev and
 * noexec are always set: the guest interprets set-uid bits, device nodes and
 * programs itself, no process on the host has to.
 *
 * Trust:   sources come from the caller's configuration, which is trusted; what
 *          they contain is not, and nothing in it is looked at here.
 * Threads: call with one thread, in the process that will serve the tree
 *          (/proc/self is resolved once, here).
 * Uses:    base, mounts. Used by: launch, sandbox.c, tests.
 */
#ifndef SANDBOX_TREE_H
#define SANDBOX_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/** SBX_SHARES_MAX - most bind sources in one tree, without the root file system */
#define SBX_SHARES_MAX 4096u

/** SBX_FS_TREE_ROOTFS - where the root file system is in the tree */
#define SBX_FS_TREE_ROOTFS "rootfs"

enum sbx_share_flags {
	SBX_SHARE_RO = 1 << 0,		/* the server can't write, whatever the guest asks */
	SBX_SHARE_RECURSIVE = 1 << 1,	/* with the mounts below the source (rbind) */
	SBX_SHARE_IDMAP_BELOW = 1 << 3, /* ids are mapped in the mounts below the source, too */
	SBX_SHARE_SLAVE = 1 << 2,	/* mounts made on the host later appear (rslave, rshared) */
};

/**
 * struct sbx_share - something of the host that the guest may see
 * @fd:    the source, O_PATH will do; borrowed. -1: use @path
 * @path:  the source's path on the host; symbolic links are followed. With @fd
 *         only used in messages
 * @flags: enum sbx_share_flags
 * @idmap_fd: user namespace whose mappings the owners of files are shown through, or
 *         SBX_NO_IDMAP
 */
struct sbx_share {
	int fd;
	const char *path;
	unsigned flags;
	int idmap_fd;
};

/** SBX_NO_IDMAP - owners as they are; also 0, which is never such a namespace */
#define SBX_NO_IDMAP 0

/**
 * struct sbx_fs_tree - the finished tree
 * @root_fd:      O_PATH of its root, owned
 * @proc_self_fd: O_PATH of a mount of nothing but this process's /proc/self/fd, owned;
 *                openat(@proc_self_fd, "N", flags) re-opens descriptor N. There is no way
 *                up from it to the rest of /proc
 * @n_mounts:     entries in mounts/
 * @writable:     for rootfs, then for each of mounts/, whether it may be written; owned
 */
struct sbx_fs_tree {
	int root_fd;
	int proc_self_fd;
	size_t n_mounts;
	bool *writable;
};

#define SBX_FS_TREE_INIT                                                                           \
	{                                                                                          \
		.root_fd = -1, .proc_self_fd = -1                                                  \
	}

/**
 * sbx_fs_tree_build() - put this process into a mount namespace with only the shares in it
 * @rootfs:   becomes rootfs/; a directory
 * @mounts:   become mounts/0 ..., directories or anything that is not a symbolic link
 * @n_mounts: at most SBX_SHARES_MAX
 * @out:      the tree, to be released with sbx_fs_tree_finish()
 * @err:      filled on failure, with the share's path
 *
 * Has:     CAP_SYS_ADMIN, the host's mounts in view.
 * After:   only the tree is in view; the current directory is its root. A failure may
 *          leave the process in any state in between: it has to end then.
 *
 * Return: 0 or a negative errno value; @out untouched on failure.
 */
int sbx_fs_tree_build(const struct sbx_share *rootfs, const struct sbx_share *mounts,
		      size_t n_mounts, struct sbx_fs_tree *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/** sbx_fs_tree_finish() - close its descriptors and free it; the namespace stays */
void sbx_fs_tree_finish(struct sbx_fs_tree *tree);

#endif /* SANDBOX_TREE_H */
