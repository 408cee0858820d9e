/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys.h - system calls the agent's libc has no wrapper for
 *
 * All return >= 0 or -errno. Descriptors are close-on-exec.
 *
 * Threads: none; the agent has one.
 */
#ifndef AGENT_SYS_H
#define AGENT_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi.h"

/** sys_rc() - what a libc-style call returned, as >= 0 or -errno */
int sys_rc(long rc);

/** sys_openat2() - open @path from @dir with RESOLVE_* in @resolve */
int sys_openat2(int dir, const char *path, int flags, uint32_t resolve);
/** sys_clone3() - fork with namespaces; 0 in the child */
int sys_clone3(const struct va_clone_args *args);
int sys_setns(int fd, uint64_t flags);
int sys_unshare(uint64_t flags);
int sys_close_range(unsigned first, unsigned last);
int sys_pidfd_open(pid_t pid);
int sys_pidfd_signal(int pidfd, int signo);
int sys_pivot_root(const char *new_root, const char *put_old);

/** sys_open_tree() - a detached copy of the mount at @dir/@path ("" for @dir itself) */
int sys_open_tree(int dir, const char *path, bool recursive);
/** sys_move_mount() - attach the detached mount @from at the directory or file @to */
int sys_move_mount(int from, int to);
int sys_mount_setattr(int fd, const struct va_mount_attr *attr, bool recursive);
int sys_fsopen(const char *type);
/** sys_fsconfig() - one option; @value NULL makes it a flag; @key NULL creates the super block */
int sys_fsconfig(int fs, const char *key, const char *value);
int sys_fsmount(int fs, uint32_t attr);

/** sys_read_file() - at most @cap - 1 bytes of a small file, NUL-terminated. Return: length */
int sys_read_file(int dir, const char *path, char *buf, size_t cap);
/** sys_write_file() - write @text with one write(2) to an existing file */
int sys_write_file(int dir, const char *path, const char *text);
/** sys_now_ns() - CLOCK_BOOTTIME */
uint64_t sys_now_ns(void);
/** sys_close() - close *@fd when it is one, and forget it; errno survives */
void sys_close(int *fd);

#endif /* AGENT_SYS_H */
