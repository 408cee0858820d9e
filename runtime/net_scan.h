/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_scan.h - what the engine configured in a network namespace
 *
 * Reads links, addresses, routes, neighbours and rules of the current namespace
 * and compiles them into what the guest agent gets. What can't be carried over is
 * left out with a warning, never silently.
 *
 * Uses: base, libnl. Used by: net_attach.
 */
#ifndef VOLT_NET_SCAN_H
#define VOLT_NET_SCAN_H

#include "base/agent_proto.h"
#include "base/err.h"

struct net_egress;
struct nl_object;
struct nl_sock;
struct nlmsghdr;

/**
 * struct net_scan - the result
 * @net:     borrows names from @name; a link's slot is its number until somebody gives it another
 *           one, which is to be done before net_scan_config()
 * @ifindex: of each link
 * @veth:    each link's far end sends it every multicast frame anyway
 * @carrier: each link has one, as a cable that is plugged in at both ends
 * @learnt:  each address is an IPv6 one that ends by itself, as those from router advertisements
 * @egress:  where the guest may send to; the caller's, NULL: everywhere
 * @taken:   name of a tap of another VM in this namespace, or ""
 * @routed:  name of an interface that looks like Ethernet but carries IP alone, or ""
 */
struct net_scan {
	struct ap_net net;
	char name[AP_MAX_LINKS][AP_NET_NAME_MAX + 1];
	int ifindex[AP_MAX_LINKS];
	bool veth[AP_MAX_LINKS];
	bool carrier[AP_MAX_LINKS];
	bool learnt[AP_MAX_ADDRS];
	int lo_ifindex;
	const struct net_egress *egress;
	char taken[AP_NET_NAME_MAX + 1];
	char routed[AP_NET_NAME_MAX + 1];
};

/**
 * net_scan_links() - the interfaces a VM can take the place of: Ethernet, but not on top of others
 *
 * Return: 0, -E2BIG (more than AP_MAX_LINKS), or another negative errno value.
 */
int net_scan_links(struct nl_sock *nl, struct net_scan *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * net_scan_object() - take one object of a dump into account: a link first, then what refers to it
 *
 * Return: 0, also for what the VM doesn't get; -E2BIG.
 */
int net_scan_object(struct net_scan *s, struct nl_object *o) __attribute__((warn_unused_result));

/** net_scan_ipv6() - what an RTM_NEWLINK message says of IPv6 on a link that is known already */
void net_scan_ipv6(struct net_scan *s, struct nlmsghdr *h);

/** net_scan_config() - addresses, routes, neighbours and rules of the links found */
int net_scan_config(struct nl_sock *nl, struct net_scan *s, struct vr_err *err)
	__attribute__((warn_unused_result));

/** net_scan_sort() - routes in the order in which they can be added */
void net_scan_sort(struct net_scan *s);
/** net_in_prefix() - is @net the network of @addr? */
bool net_in_prefix(const uint8_t *addr, const uint8_t *net, uint32_t prefix);

#endif /* VOLT_NET_SCAN_H */
