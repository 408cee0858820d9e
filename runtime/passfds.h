/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passfds.h - descriptors that a caller wants its process to inherit
 *
 * `--preserve-fds N` means descriptors 3 and up; socket activation (LISTEN_FDS) puts its own
 * before them. They are objects of the host's kernel, which a process in a microVM can't have. But
 * pipes and connected stream sockets are nothing but bytes: those become streams, as stdin and
 * stdout are, with a pipe or a socket of the guest at the other end. A listening stream socket has
 * one of the same family in the guest, and each connection to it becomes such a stream. Everything
 * else is refused, by what it is, instead of being silently closed.
 *
 * Uses: base. Used by: cmd_create, cmd_exec, launch, exec.
 */
#ifndef VOLT_PASSFDS_H
#define VOLT_PASSFDS_H

#include <stdbool.h>

#include "base/agent_proto.h"
#include "base/err.h"

/**
 * struct passfds - what is to be passed, as descriptors 3, 4, ... of the process
 * @kind: enum ap_fd, or AP_FD_LISTEN()
 * @rfd:  to read what goes to the guest, -1 for none; @wfd: to write what comes from it. Two
 *        descriptors also for a connected socket; of a listening one just @rfd. Close-on-exec, owned.
 * @n_listen: how many of them, the first ones, are what LISTEN_FDS names
 */
struct passfds {
	uint32_t n;
	uint32_t n_listen;
	uint32_t kind[AP_MAX_FDS];
	int rfd[AP_MAX_FDS];
	int wfd[AP_MAX_FDS];
};

/**
 * passfds_take() - take them over from the caller
 * @preserve:   value of --preserve-fds
 * @activation: look at LISTEN_FDS, too; it counts when LISTEN_PID is our pid, as
 *              sd_listen_fds(3) says
 * @out:        to be closed with passfds_close(); after a failure nothing is open
 *
 * Has to be called before anything else opens descriptors that could be mistaken for the
 * caller's; those with close-on-exec can't be. The caller's are closed: their
 * other ends shall see the process's ends alone.
 *
 * Return: 0; -EBADF for a descriptor that isn't open; -ENOTSUP for what can't be passed; -E2BIG
 * for too many; -EINVAL for a senseless LISTEN_FDS.
 */
int passfds_take(unsigned preserve, bool activation, struct passfds *out, struct vr_err *err)
	__attribute__((warn_unused_result));
/** passfds_close() - close what is left open; also of a zeroed struct, and twice */
void passfds_close(struct passfds *p);
/** passfds_plan() - tell the agent of them */
void passfds_plan(const struct passfds *p, struct ap_process *out);
#define PASSFDS_ENV_MAX 2u
/**
 * passfds_env() - LISTEN_FDS and LISTEN_PID for process 1 of the container, if LISTEN_FDS named any
 *
 * Return: number of variables in @out; they are static.
 */
size_t passfds_env(const struct passfds *p, const char *out[PASSFDS_ENV_MAX]);
/** passfds_reads(), passfds_writes() - has a descriptor of this kind an @rfd, a @wfd? */
static inline bool passfds_reads(uint32_t kind)
{
	return AP_FD_IS_LISTEN(kind) || (kind & AP_FD_IN);
}

static inline bool passfds_writes(uint32_t kind)
{
	return !AP_FD_IS_LISTEN(kind) && (kind & AP_FD_OUT);
}

/**
 * passfds_leave_null() - standard streams that lead to /dev/null need no connection: the guest has its own
 * @stdio: the caller's, or duplicates; stay open
 * @plan:  those bits of @stdio are cleared, unless it has a terminal
 */
void passfds_leave_null(const int stdio[3], struct ap_process *plan);

/** passfds_list() - those that are open, in the order of the process's. Return: number, <= 2 * n */
size_t passfds_list(const struct passfds *p, int out[2 * AP_MAX_FDS]);

#endif /* VOLT_PASSFDS_H */
