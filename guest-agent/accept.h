/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accept.h - connections to listening sockets of the host that a process was passed
 *
 * The process has a socket of the same family, on the loopback interface or with a name that nobody
 * else would choose, which its child makes before it becomes the process. For each connection to
 * the host's the agent connects to that one.
 *
 * Threads: none.
 */
#ifndef AGENT_ACCEPT_H
#define AGENT_ACCEPT_H

#include <stdint.h>

#include "agent.h"
#include "base/agent_proto.h"
#include "fail.h"

/** accept_listen() - a listening socket as @kind (AP_FD_LISTEN()) says. Return: descriptor, -errno */
int accept_listen(uint32_t kind, uint32_t proc, uint32_t stream);
/** accept_connect() - one connection, which is under way when this returns. Return: 0, -errno with @f */
int accept_connect(struct agent *a, const struct ap_accept *m, uint32_t kind, struct fail *f)
	__attribute__((warn_unused_result));
/** accept_event() - epoll said something about one; @ref: REF_LINK_* */
void accept_event(uint64_t ref, uint32_t events);
/** accept_finish() - its process is dead: what it wrote is sent, then its connections end */
void accept_finish(uint32_t proc);

#endif /* AGENT_ACCEPT_H */
