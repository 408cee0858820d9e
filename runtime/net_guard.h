/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_guard.h - which frames of a guest leave its tap
 *
 * Those that bear the interface's MAC address and, where the engine gave it addresses,
 * one of them as their source: in IPv4, in ARP, in IPv6 and in neighbour advertisements.
 * Everything else is dropped on the host's side of the tap, out of the guest's reach.
 * An address family without addresses is left alone (an address may come by DHCP or
 * from a router); without any address only the MAC address counts.
 *
 * Trust:   none of the guest's data is looked at here; the kernel matches it.
 * Threads: pure.
 * Uses:    base/agent_proto.h, net_tc. Used by: net_attach, tests.
 */
#ifndef VOLT_NET_GUARD_H
#define VOLT_NET_GUARD_H

#include "base/agent_proto.h"
#include "net_tc.h"

/* For each address an ARP, an IP, and two IPv6 filters at most, and a dozen for all */
#define NET_GUARD_MAX (AP_MAX_ADDRS * 4u + 16u)

/**
 * net_guard_build() - filters for the ingress of a tap, in the order in which they count
 * @net:  addresses of all links
 * @link: number of the link
 * @to:   interface index where frames that may leave go
 * @out:  at least NET_GUARD_MAX
 *
 * Return: number of filters; the last one drops all that is left.
 */
unsigned net_guard_build(const struct ap_net *net, uint32_t link, int to, struct net_filter *out);

#endif /* VOLT_NET_GUARD_H */
