/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_guard.h - which frames of a guest leave its tap
 *
 * Those that bear the interface's MAC address and, where the engine gave it addresses,
 * one of them as their source: in IPv4, in ARP, in IPv6 and in neighbour advertisements.
 * Everything else is dropped on the host's side of the tap, out of the guest's reach.
 * IPv4 without addresses is left alone (one may come by DHCP), and so is IPv6 where none but
 * link-local ones are known and routers are listened to, who may give others. Where they aren't, the
 * link-local ones are all there are; where IPv6 is off none of it leaves. Without any address that
 * counts any other protocol may leave, too.
 *
 * An advertisement leaves as Linux sends it: from the address that it is about. Where it can't be
 * seen, the packet is dropped: behind IPv6's routing, destination and mobility headers, and behind
 * two headers or a hop-by-hop header of more than eight bytes.
 *
 * With an allow-list the destination counts as well. What a link needs to work stays
 * free: ARP, and IPv6's search for neighbours and routers, up to 255 bytes to the link's
 * groups, link-local addresses and the interface's networks. Where a port is named, IPv4
 * options, IPv6 extension headers and all but first fragments are dropped: the port
 * is where it is looked for, or the packet doesn't leave.
 *
 * Trust:   none of the guest's data is looked at here; the kernel matches it.
 * Threads: pure.
 * Uses:    base/agent_proto.h, net_egress, net_tc. Used by: net_attach, tests.
 */
#ifndef VOLT_NET_GUARD_H
#define VOLT_NET_GUARD_H

#include "base/agent_proto.h"
#include "net_egress.h"
#include "net_tc.h"

#define NET_GUARD_MAX 1024u /* filters; the kernel looks at them one after the other */

/**
 * net_guard_build() - filters for the ingress of a tap, in the order in which they count
 * @net:  addresses of all links
 * @link: position of the link in @net
 * @egress: allow-list, NULL: everything
 * @to:   interface index where frames that may leave go
 * @out:  at least NET_GUARD_MAX
 *
 * Return: number of filters, the last one of which drops all that is left; -E2BIG when there are
 * too many addresses and destinations.
 */
int net_guard_build(const struct ap_net *net, uint32_t link, const struct net_egress *egress,
		    int to, struct net_filter *out) __attribute__((warn_unused_result));

#endif /* VOLT_NET_GUARD_H */
