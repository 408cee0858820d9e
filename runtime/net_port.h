/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_port.h - one interface of the container, and the tap that joins it to the VM
 *
 * Order of attaching: the tap is configured while it is down, both ends get their qdiscs
 * and filters, then the tap goes up. So no frame of the guest can reach the
 * namespace's own stack, and none of that stack the guest.
 *
 * Threads: one. All work in the namespace of the socket.
 * Uses:    base, libnl, net_scan, net_tap, net_tc, net_guard, net_dns. Used by: net_attach, net_watch.
 */
#ifndef VOLT_NET_PORT_H
#define VOLT_NET_PORT_H

#include "base/err.h"
#include "net_scan.h"
#include "net_tap.h"

struct nl_sock;

/**
 * net_port_claim() - may a VM be attached to interface @i of @s?
 *
 * What a VM which was killed left there is removed.
 *
 * Return: 0; -EBUSY when somebody else has a traffic policy there; or another negative errno value.
 */
int net_port_claim(struct nl_sock *nl, const struct net_scan *s, unsigned i, struct vr_err *err)
	__attribute__((warn_unused_result));

/** net_port_join() - join a claimed interface and @tap. After a failure it is not claimed any more */
int net_port_join(struct nl_sock *nl, const struct net_scan *s, unsigned i,
		  const struct net_tap *tap, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * net_port_guard() - the interface's addresses are other ones: filter what the guest sends by these
 *
 * Nothing leaves the guest meanwhile.
 *
 * Return: 0; or -errno: then the tap has its former filters where no others can be made (-E2BIG: too
 * many addresses), and is down where the kernel didn't take them. It may be tried again.
 */
int net_port_guard(struct nl_sock *nl, const struct net_scan *s, unsigned i, int tap)
	__attribute__((warn_unused_result));

/** net_port_leave() - remove what was made on the interface */
void net_port_leave(struct nl_sock *nl, int ifindex);

#endif /* VOLT_NET_PORT_H */
