/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sysctl.h - kernel parameters
 *
 * The whole kernel is the container's, so every parameter may be set. Those that belong to the IPC
 * or UTS namespace are written by the container's child, in its namespaces; the rest by the agent.
 */
#ifndef AGENT_SYSCTL_H
#define AGENT_SYSCTL_H

#include <stdbool.h>

#include "base/agent_proto.h"
#include "fail.h"

/** sysctl_path() - "net.ipv4.ip_forward" or "net/ipv4/conf/eth0.1/forwarding" as a path below
 *  /proc/sys. Return: 0, or -EINVAL (absolute, "..", too long) */
int sysctl_path(const char *key, char *out, size_t cap) __attribute__((warn_unused_result));
/** sysctl_is_namespaced() - is it written by the child? @ns: the container's AP_NS_* */
bool sysctl_is_namespaced(const char *path, uint32_t ns);
/** sysctl_apply() - write the container's parameters of one kind */
int sysctl_apply(const struct ap_container *c, bool namespaced, struct fail *f)
	__attribute__((warn_unused_result));

#endif /* AGENT_SYSCTL_H */
