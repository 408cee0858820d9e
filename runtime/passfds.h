/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passfds.h - descriptors that a caller wants its process to inherit
 *
 * `--preserve-fds N` and socket activation (LISTEN_FDS) mean open files of the host. A process
 * in a microVM can't have those; so they are refused, by what they are, instead of
 * being silently closed.
 *
 * Uses: base. Used by: cmd_create, cmd_exec.
 */
#ifndef VOLT_PASSFDS_H
#define VOLT_PASSFDS_H

#include "base/err.h"

/**
 * passfds_check() - fail if there is something to pass
 * @preserve: value of --preserve-fds: descriptors 3 and up
 *
 * LISTEN_FDS counts when LISTEN_PID is our pid, as sd_listen_fds(3) says.
 *
 * Return: 0; -EBADF for a descriptor that isn't open; -ENOTSUP; -EINVAL for a senseless LISTEN_FDS.
 */
int passfds_check(unsigned preserve, struct vr_err *err) __attribute__((warn_unused_result));

#endif /* VOLT_PASSFDS_H */
