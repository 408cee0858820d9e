/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices.h - nodes and links in the container's /dev
 *
 * The container's kernel is its own, so every node may exist; only where mknod is refused (the
 * root lies in the share, or in a user namespace) a node of the agent is bound instead. Those
 * are made by devices_stage(), in the agent, with its full rights.
 */
#ifndef AGENT_DEVICES_H
#define AGENT_DEVICES_H

#include "base/agent_proto.h"
#include "fail.h"

/** devices_stage() - (agent) make the nodes that may have to be bound, in LAYOUT_NODES */
int devices_stage(const struct ap_container *c, struct fail *f) __attribute__((warn_unused_result));

/** devices_populate() - (child) default and configured nodes, ptmx and the usual links */
int devices_populate(int root, const struct ap_container *c, struct fail *f)
	__attribute__((warn_unused_result));

/** devices_stdnull() - the agent's own /dev/null, O_RDWR. Return: fd, or -errno */
int devices_stdnull(void);

#endif /* AGENT_DEVICES_H */
