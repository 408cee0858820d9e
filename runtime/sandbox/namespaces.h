/* SPDX-License-Identifier: Apache-2.0 */
/*
 * namespaces.h - enter, leave and check namespaces
 *
 * Threads: each changes the calling thread: call with one thread.
 * Uses:    base. Used by: launch (shim), sandbox.c, tests.
 */
#ifndef SANDBOX_NAMESPACES_H
#define SANDBOX_NAMESPACES_H

#include "base/err.h"

/**
 * sbx_ns_name() - "mnt", "pid", ... as in /proc/PID/ns
 * @clone_flag: one CLONE_NEW* flag
 *
 * Return: static string, or "?" for anything else.
 */
const char *sbx_ns_name(int clone_flag);

/**
 * sbx_ns_open() - open a namespace file after checking that it is one
 * @path:       e.g. /proc/PID/ns/net or a bind mount of it
 * @clone_flag: the CLONE_NEW* type it has to be
 * @out_fd:     close-on-exec descriptor for sbx_ns_join(), owned by the caller
 * @err:        filled on failure
 *
 * Nothing but a namespace file is ever opened for reading, so a path that
 * leads to a FIFO or a device has no effect.
 *
 * Return: 0 or a negative errno value (-EINVAL for another type).
 */
int sbx_ns_open(const char *path, int clone_flag, int *out_fd, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * sbx_ns_join() - setns(2); a joined pid namespace takes effect for later children
 *
 * Return: 0 or a negative errno value.
 */
int sbx_ns_join(int fd, int clone_flag, struct vr_err *err) __attribute__((warn_unused_result));

/**
 * sbx_ns_unshare() - new namespaces
 * @clone_flags: CLONE_NEW* flags, any number
 *
 * Return: 0 or a negative errno value.
 */
int sbx_ns_unshare(int clone_flags, struct vr_err *err) __attribute__((warn_unused_result));

#endif /* SANDBOX_NAMESPACES_H */
