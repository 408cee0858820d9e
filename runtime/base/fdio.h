/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fdio.h - descriptors: whole reads and writes, atomic files, fd passing, process identity
 *
 * Leaf layer: returns 0 (or a count) or -errno, logs nothing, never exits. All
 * descriptors made here are close-on-exec.
 *
 * Threads: reentrant.
 * Uses:    libc, kernel. Used by: everything on the host side.
 */
#ifndef BASE_FDIO_H
#define BASE_FDIO_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** VR_FDS_MAX - most descriptors in one message of vr_send_fds()/vr_recv_fds() */
#define VR_FDS_MAX 64

/** VR_BOOT_ID_LEN - characters of the kernel's boot id (a UUID), without NUL */
#define VR_BOOT_ID_LEN 36

/**
 * vr_read_full() - read until @len bytes arrived or the file ended
 * @fd:  blocking descriptor
 * @buf: at least @len bytes
 * @len: bytes wanted
 *
 * Return: bytes read (fewer than @len only at end of file), or -errno.
 * Syscalls: read (role vmm, fs, shim)
 */
ssize_t vr_read_full(int fd, void *buf, size_t len) __attribute__((warn_unused_result));

/**
 * vr_write_full() - write all of @len bytes
 *
 * Return: 0, or -errno; how much was written before a failure is unknown.
 * Syscalls: write (role vmm, fs, shim)
 */
int vr_write_full(int fd, const void *buf, size_t len) __attribute__((warn_unused_result));

/**
 * vr_read_fd() - read a descriptor to its end
 * @fd:      descriptor
 * @max:     largest acceptable size in bytes
 * @out_buf: malloc'd content with a NUL after it
 * @out_len: its length without that NUL
 *
 * Return: 0, -EFBIG when there is more than @max, or -errno. Outputs untouched on failure.
 */
int vr_read_fd(int fd, size_t max, char **out_buf, size_t *out_len)
	__attribute__((warn_unused_result));

/** vr_read_file() - vr_read_fd() of a file opened below @dirfd (AT_FDCWD allowed) */
int vr_read_file(int dirfd, const char *path, size_t max, char **out_buf, size_t *out_len)
	__attribute__((warn_unused_result));

/**
 * vr_write_file_atomic() - replace a file so that readers see the old or the new content
 * @dirfd: directory (AT_FDCWD allowed)
 * @path:  path below @dirfd
 * @buf:   content
 * @len:   its length
 * @mode:  permission bits of the new file, exact (the umask does not apply)
 *
 * Nothing is left behind on failure. There is no fsync: these files describe
 * processes, and those don't survive a power cut either.
 *
 * Return: 0 or -errno.
 */
int vr_write_file_atomic(int dirfd, const char *path, const void *buf, size_t len, mode_t mode)
	__attribute__((warn_unused_result));

/**
 * vr_send_fds() - send one message with descriptors
 * @sock:  Unix socket (any type)
 * @buf:   data, at least one byte
 * @len:   its length
 * @fds:   descriptors, borrowed; may be NULL when @n_fds is 0
 * @n_fds: at most VR_FDS_MAX
 *
 * On a stream socket the descriptors travel with the first byte, and the rest
 * of @buf follows even when the socket took only a part. Raises no SIGPIPE.
 *
 * Return: 0 or -errno. Syscalls: sendmsg (role vmm, net)
 */
int vr_send_fds(int sock, const void *buf, size_t len, const int *fds, size_t n_fds)
	__attribute__((warn_unused_result));

/**
 * vr_recv_fds() - receive one message with descriptors
 * @sock:      Unix socket
 * @buf:       destination
 * @cap:       its size
 * @fds:       destination of descriptors (close-on-exec), owned by the caller afterwards
 * @cap_fds:   room in @fds
 * @out_n_fds: number stored; untouched on failure
 *
 * A message with more descriptors than @cap_fds, or longer than @cap on a
 * message socket, is refused as a whole with -EMSGSIZE and its descriptors closed.
 *
 * Return: bytes received, 0 at end of file, or -errno. Syscalls: recvmsg (role vmm)
 */
ssize_t vr_recv_fds(int sock, void *buf, size_t cap, int *fds, size_t cap_fds, size_t *out_n_fds)
	__attribute__((warn_unused_result));

/**
 * vr_proc_stat() - state and start time of a process
 * @pid:       process id in our pid namespace
 * @out_start: start time in clock ticks since boot
 * @out_state: state letter of /proc/PID/stat (R, S, D, T, Z, X ...); may be NULL
 *
 * Return: 0, -ESRCH when there is no such process, or -errno.
 */
int vr_proc_stat(pid_t pid, uint64_t *out_start, char *out_state)
	__attribute__((warn_unused_result));

/**
 * vr_proc_alive() - is exactly this process still running?
 * @pid:   process id; 0 or negative is never alive
 * @start: its start time from vr_proc_stat()
 *
 * A zombie counts as dead, and so does another process with a reused pid.
 */
bool vr_proc_alive(pid_t pid, uint64_t start);

/** vr_pidfd_open() - a close-on-exec pidfd, or -errno */
int vr_pidfd_open(pid_t pid) __attribute__((warn_unused_result));

/** vr_pidfd_send_signal() - 0 or -errno */
int vr_pidfd_send_signal(int pidfd, int sig) __attribute__((warn_unused_result));

/**
 * vr_pidfd_open_checked() - pidfd of a process identified by pid and start time
 *
 * Return: the pidfd, -ESRCH when that process is gone, or -errno.
 */
int vr_pidfd_open_checked(pid_t pid, uint64_t start) __attribute__((warn_unused_result));

/**
 * vr_pidfd_wait() - wait for a process to end (it need not be a child; it is not reaped)
 * @pidfd:      pidfd
 * @timeout_ms: -1 waits forever
 *
 * Return: 0 when it ended, -ETIMEDOUT, or -errno.
 */
int vr_pidfd_wait(int pidfd, int timeout_ms) __attribute__((warn_unused_result));

/**
 * vr_memfd_of() - a sealed memory file with @len bytes, to be read from its start
 *
 * Return: the fd or -errno.
 */
int vr_memfd_of(const char *name, const void *data, size_t len) __attribute__((warn_unused_result));

/**
 * vr_memfd() - anonymous memory file
 * @name:  name shown in /proc
 * @size:  length in bytes
 * @flags: MFD_* besides MFD_CLOEXEC
 *
 * Return: the fd or -errno.
 */
int vr_memfd(const char *name, uint64_t size, unsigned int flags)
	__attribute__((warn_unused_result));

/**
 * vr_memfd_fix_size() - from now on a memory file has this size for ever
 * @fd:   somebody else's perhaps
 * @size: that it must have
 *
 * What is mapped of it can't turn into SIGBUS then.
 *
 * Return: 0, -EINVAL for another size or no memory file, -EPERM where that can't be sealed, or -errno.
 */
int vr_memfd_fix_size(int fd, uint64_t size) __attribute__((warn_unused_result));

/**
 * vr_openat2() - openat2(2) with O_CLOEXEC
 * @resolve: RESOLVE_* flags of linux/openat2.h
 *
 * Return: the fd or -errno (-ENOSYS on a kernel without it: no fallback).
 * Syscalls: openat2 (role fs)
 */
int vr_openat2(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
	__attribute__((warn_unused_result));

/** vr_close_range() - close all descriptors in [first, last]; falls back to /proc/self/fd */
int vr_close_range(unsigned int first, unsigned int last) __attribute__((warn_unused_result));

/** vr_set_nonblock() - set or clear O_NONBLOCK; 0 or -errno */
int vr_set_nonblock(int fd, bool on) __attribute__((warn_unused_result));

/** vr_boot_id() - the kernel's boot id, NUL-terminated; 0 or -errno */
int vr_boot_id(char out_id[VR_BOOT_ID_LEN + 1]) __attribute__((warn_unused_result));

/** vr_now_ms() - CLOCK_MONOTONIC in milliseconds. Syscalls: clock_gettime (role vmm, fs, net) */
uint64_t vr_now_ms(void);

/**
 * vr_remove_tree() - remove a directory with all that is in it
 * @dirfd: parent directory
 * @name:  one component; symbolic links are removed, never followed
 *
 * Stays on one file system and at most 32 levels deep. Meant for directories
 * of our own. A tree that is gone already is a success.
 *
 * Return: 0, or -errno of the first entry that could not be removed.
 */
int vr_remove_tree(int dirfd, const char *name) __attribute__((warn_unused_result));

#endif /* BASE_FDIO_H */
