/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts.h - mount trees by descriptor, and the change into a new root
 *
 * Everything works on descriptors of detached mounts, so no path is walked
 * twice and nothing appears in the host's view at any moment.
 *
 * Threads: call with one thread.
 * Uses:    base. Used by: tree.c, sandbox.c, tests.
 */
#ifndef SANDBOX_MOUNTS_H
#define SANDBOX_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/**
 * sbx_tmpfs_new() - a detached, empty tmpfs: nosuid, nodev, noexec, next to no room
 * @n_inodes: how many files and directories it can hold
 * @out_fd:   its mount, owned by the caller; closing it before it is attached undoes it
 * @err:      filled on failure
 *
 * Return: 0 or a negative errno value.
 */
int sbx_tmpfs_new(unsigned n_inodes, int *out_fd, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * sbx_mount_attr() - set attributes of a mount
 * @fd:          mount
 * @set:         MOUNT_ATTR_* to set; none is ever cleared
 * @propagation: MS_PRIVATE, MS_SLAVE, or 0 to leave it
 * @recursive:   whether mounts below it change, too
 *
 * Return: 0 or -errno.
 */
int sbx_mount_attr(int fd, uint64_t set, uint64_t propagation, bool recursive)
	__attribute__((warn_unused_result));

/**
 * sbx_mount_idmap() - show owners through the mappings of a user namespace
 * @fd:        detached mount that was never mapped
 * @userns_fd: user namespace
 * @recursive: whether mounts below it change, too
 *
 * Return: 0 or -errno (-EINVAL where the file system can't).
 */
int sbx_mount_idmap(int fd, int userns_fd, bool recursive) __attribute__((warn_unused_result));

/**
 * sbx_root_enter() - make a detached mount the root, in a mount namespace of our own
 * @mount_fd: mount from sbx_tmpfs_new()
 * @err:      filled on failure
 *
 * Unshares the mount namespace, cuts all propagation to and from the host,
 * changes the root and the current directory, and lets go of the old root.
 *
 * Fails with EINVAL where the present root is not a mount (a plain chroot, or
 * the kernel's initramfs).
 *
 * Return: 0 or a negative errno value.
 */
int sbx_root_enter(int mount_fd, struct vr_err *err) __attribute__((warn_unused_result));

#endif /* SANDBOX_MOUNTS_H */
