/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fds.h - which descriptors a role keeps
 *
 * A role is forked from a process that holds more than the role needs. It
 * names what it keeps; everything else goes. Descriptors 0 to 2 always stay
 * open, for a closed one would be handed out again as somebody's file; a role
 * that must not hold the caller's stdio points them at /dev/null.
 *
 * Threads: call with one thread.
 * Uses:    base. Used by: launch, tests.
 */
#ifndef SANDBOX_FDS_H
#define SANDBOX_FDS_H

#include <stddef.h>

/**
 * sbx_close_fds() - close all descriptors except 0-2 and the listed ones
 * @keep: descriptors to keep, any order, doubles and -1 are ignored; borrowed
 * @n:    number of entries
 *
 * Return: 0 or -errno.
 */
int sbx_close_fds(const int *keep, size_t n) __attribute__((warn_unused_result));

#endif /* SANDBOX_FDS_H */
