/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.h - what happens between clone and execve, and the words spoken on the way
 *
 * Status socket (SOCK_SEQPACKET), one letter first:
 *   agent -> child   'G' go: namespaces' maps are written
 *                    'S' start: execute now; the rest is the state for hooks
 *   child -> agent   'P' a terminal: its master comes along (SCM_RIGHTS)
 *                    'R' ready: nothing but execve is left
 *                    'F' failed: struct fail follows; the child ends
 * The socket closes by itself when execve succeeds.
 */
#ifndef AGENT_CHILD_H
#define AGENT_CHILD_H

#include "base/agent_proto.h"
#include "fail.h"

#define CHILD_STATE_MAX 65536u

/** struct child_fail - the 'F' message */
struct child_fail {
	char what;
	struct fail fail;
};

/**
 * struct child_args - what a child needs; it has a copy of all our memory
 * @c:      the container to build, or NULL: join one
 * @p:      the process, or NULL (a container without)
 * @fds:    descriptors to become 0, 1, 2, ...; -1: none, for the first three /dev/null
 * @status: its end of the status socket
 * @target: pidfd of the init to join: the container's; with @c that of the machine's first
 *          container, when it has namespaces to join, else -1
 * @cgroup: to be born in, -1: the container's
 * @ns:     the container's AP_NS_*
 * @id:     the process's
 */
struct child_args {
	const struct ap_container *c;
	const struct ap_process *p;
	int fds[AP_STREAMS];
	int status;
	int target;
	int cgroup;
	uint32_t ns;
	uint32_t id;
};

void child_main(struct child_args *args) __attribute__((noreturn));

#endif /* AGENT_CHILD_H */
