/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_path.h - the only ways from a name or an O_PATH fd to another fd
 *
 * Three doors, and no other module opens anything:
 *  - fs_path_open(): one checked component beneath a directory, never through
 *    a symbolic link, magic link or "..";
 *  - fs_path_reopen(): the file behind an O_PATH fd again, with rights, for
 *    regular files and directories only (opening a device, FIFO or socket may
 *    act on the host or wait);
 *  - fs_path_proc(): the name under /proc/self/fd of an fd that the server
 *    holds, for the system calls that have no fd form.
 *
 * Trust:    names come from the guest; what lies behind them may be swapped at
 *           any moment by the guest or by processes on the host.
 * Threads:  no state.
 * Uses:     libc. Used by: handlers.
 */
#ifndef VIRTIO_FS_FS_PATH_H
#define VIRTIO_FS_FS_PATH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define FS_NAME_MAX 255 /* bytes of a name, as in the guest's VFS */

/** struct fs_proc_name - decimal fd number, the file's name under /proc/self/fd */
struct fs_proc_name {
	char s[16];
};

/**
 * fs_name_check() - is this a name of exactly one component?
 * @name: bytes, need not be terminated
 * @len:  their number
 *
 * Return: 0; -ENAMETOOLONG above FS_NAME_MAX; -EINVAL for the empty name, ".",
 * "..", and any with '/' or NUL in it.
 */
int fs_name_check(const char *name, size_t len) __attribute__((warn_unused_result));

/**
 * fs_path_open() - open one component beneath a directory
 * @dir_fd: directory, O_PATH is enough
 * @name:   terminated, passed fs_name_check() (or the constant ".")
 * @flags:  host open flags; O_NOFOLLOW and O_CLOEXEC are added
 * @mode:   with O_CREAT or O_TMPFILE: permission bits
 *
 * With O_PATH a symbolic link is opened itself, otherwise refused (-ELOOP).
 *
 * Return: fd >= 0, or -errno.
 * Syscalls: openat2 (role fs)
 */
int fs_path_open(int dir_fd, const char *name, int flags, mode_t mode)
	__attribute__((warn_unused_result));

/**
 * fs_path_reopen() - open the file behind a held fd again
 * @proc_fd: /proc/self/fd
 * @fd:      fd of the file
 * @type:    S_IFMT bits of the file, known from fstat of that very fd
 * @flags:   host open flags, no O_CREAT; O_CLOEXEC is added
 *
 * Return: fd >= 0; -EPERM if @type is neither a regular file nor a directory
 * (unless @flags has O_PATH); other -errno.
 * Syscalls: openat (role fs)
 */
int fs_path_reopen(int proc_fd, int fd, mode_t type, int flags) __attribute__((warn_unused_result));

/** fs_path_proc() - format @fd as a name under /proc/self/fd */
struct fs_proc_name fs_path_proc(int fd);

/**
 * fs_path_stat() - statx of an fd with birth time and mount id
 * @fd:      any fd, O_PATH included
 * @out_stx: result
 *
 * Return: 0 or -errno.
 * Syscalls: statx (role fs)
 */
int fs_path_stat(int fd, struct statx *out_stx) __attribute__((warn_unused_result));

#endif /* VIRTIO_FS_FS_PATH_H */
