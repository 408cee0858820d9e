/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member.h - further containers in the same machine, each with an agent of its own
 *
 * PID 1 starts this program again for each. The second instance has mounts, a share, a cgroup and a
 * control connection of its own; all else of the machine it shares with PID 1, the network above
 * all. However it ends, PID 1 notices, as its parent, and tells the host.
 *
 * Trust:   the arguments are PID 1's, who has them from the host. The port is a secret, and command
 *          lines can be read by any process that sees the agent: it is in the environment.
 * Threads: none.
 */
#ifndef AGENT_MEMBER_H
#define AGENT_MEMBER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent.h"
#include "base/agent_proto.h"

/* member.c, in PID 1 */

/** member_join() - start the agent of a member. Return: 0, or -errno with @f filled */
int member_join(struct agent *a, const struct ap_join *m, struct fail *f)
	__attribute__((warn_unused_result));
/** member_reaped() - @pid has ended: when it was a member's agent, the host is told */
void member_reaped(struct agent *a, pid_t pid, int wstatus);

/** member_stopped() - @pid was stopped: a member's agent that doesn't run is none, and ends */
void member_stopped(pid_t pid);

/* member.c, in both */

/**
 * member_sync() - write out what the container wrote
 *
 * In a machine with others in it no more than that: sync(2) would wait for their file servers, too.
 */
void member_sync(void);

/* member_main.c: the second instance */

/** member_main() - be the agent of a member. Returns only when the arguments aren't those of one */
void member_main(int argc, char **argv);

/* member_share.c, alone in its file, so that a test can put another file system in its place */

/**
 * member_share_attach() - take the device of the member's slot, and mount what it shares
 * @out_clean: after a failure: is the device without a driver, as it was?
 *
 * Return: 0, or -errno, logged.
 */
int member_share_attach(const struct ap_join *m, bool *out_clean)
	__attribute__((warn_unused_result));
/**
 * member_share_detach() - unmount it and let go of the device
 *
 * Blocks until the file server has answered what was under way. Return: 0, or -errno of its driver
 */
int member_share_detach(const struct ap_join *m) __attribute__((warn_unused_result));

#endif /* AGENT_MEMBER_H */
