/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_sysctl.h - kernel parameters of a network namespace that aren't what they are by default
 *
 * Engines, network plugins and administrators set some in a container's namespace (CNI's tuning plugin,
 * `ip netns exec NS sysctl -w`). The guest has a namespace of its own, so it is told of those. Which ones
 * are looked at is a list, in net_sysctl.c: what is about how the container talks and listens, not
 * what follows from a machine's memory.
 *
 * Uses: base, net_scan. Used by: net_attach.
 */
#ifndef VOLT_NET_SYSCTL_H
#define VOLT_NET_SYSCTL_H

#include "base/agent_proto.h"
#include "net_scan.h"

#define NET_SYSCTL_KEY_MAX   72u
#define NET_SYSCTL_VALUE_MAX 64u

/**
 * struct net_sysctls - @kv: paths below /proc/sys and values, in the order in which to write them; borrows
 * from @key and @value
 */
struct net_sysctls {
	uint32_t n;
	struct ap_kv kv[AP_MAX_NET_SYSCTLS];
	char key[AP_MAX_NET_SYSCTLS][NET_SYSCTL_KEY_MAX];
	char value[AP_MAX_NET_SYSCTLS][NET_SYSCTL_VALUE_MAX];
};

/**
 * net_sysctl_read() - those of the current network namespace, for the links of @s
 * @own_ports: which ports its own sockets get is our doing (net_dns.h): that is left out
 *
 * What can't be read (a parameter that this kernel doesn't have) is left out.
 */
void net_sysctl_read(const struct net_scan *s, bool own_ports, struct net_sysctls *out);

#endif /* VOLT_NET_SYSCTL_H */
