/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caps.h - capabilities, no_new_privs, dumpability, resource limits
 *
 * Threads: all of these change the calling thread (or the whole process):
 *          call with one thread.
 * Uses:    base, libcap. Used by: sandbox.c, tests.
 */
#ifndef SANDBOX_CAPS_H
#define SANDBOX_CAPS_H

#include <stddef.h>
#include <sys/types.h>

/**
 * sbx_caps_keep() - give up every capability that is not listed
 * @caps: CAP_* numbers to keep in the permitted, effective and bounding sets
 * @n:    number of entries, 0 drops all
 *
 * A listed capability that the process doesn't hold is not an error. The
 * inheritable and ambient sets become empty. Root stops being special at
 * execve (securebits NOROOT, locked); the switch of effective capabilities
 * with the file-system uid stays as it is: the file server lives by it.
 *
 * Return: 0 or -errno.
 */
int sbx_caps_keep(const int *caps, size_t n) __attribute__((warn_unused_result));

/** sbx_no_new_privs() - execve grants nothing from now on. Return: 0 or -errno */
int sbx_no_new_privs(void) __attribute__((warn_unused_result));

/**
 * sbx_undumpable() - no core dump, no ptrace and no /proc/self access from others
 *
 * Return: 0 or -errno.
 */
int sbx_undumpable(void) __attribute__((warn_unused_result));

/**
 * sbx_drop_groups() - no supplementary groups
 *
 * Return: 0 (also where a user namespace forbids setgroups(2)) or -errno.
 */
int sbx_drop_groups(void) __attribute__((warn_unused_result));

/**
 * sbx_become() - another user, and the group of the same number, with no way back
 * @uid: a user id of our user namespace
 *
 * The capabilities stay, for sbx_caps_keep() to take: it needs one of them for that. The caller has
 * one thread.
 *
 * Return: 0; -EINVAL where our user namespace has no such id; -EPERM; or another -errno.
 */
int sbx_become(uid_t uid) __attribute__((warn_unused_result));

/**
 * sbx_no_new_code() - memory that is or was writable never becomes executable from now on
 *
 * Return: 0 (also before Linux 6.3, which can't) or -errno.
 */
int sbx_no_new_code(void) __attribute__((warn_unused_result));

/**
 * sbx_limits() - resource limits of a role: no core, no locked memory, no message queues,
 * no real-time or better than normal priority
 * @nofile: soft and hard limit of open descriptors; 0 leaves it as it is. Lowered
 *          to the present hard limit when that is smaller and can't be raised.
 *
 * Return: 0 or -errno.
 */
int sbx_limits(unsigned nofile) __attribute__((warn_unused_result));

#endif /* SANDBOX_CAPS_H */
