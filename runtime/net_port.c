/* SPDX-License-Identifier: Apache-2.0 */
/* net_port.c - one interface and its tap; see net_port.h */
#include "net_port.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>

#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>

#include "net_dns.h"
#include "net_guard.h"
#include "net_link.h"
#include "net_tc.h"

#define TAP_QUEUE_LEN 500u /* frames the kernel keeps for a guest that doesn't take them */
#define PRIO_ALL      (NET_TC_PRIO + NET_DNS_PRIOS) /* after those of net_dns_filters() */
/*
 * The same where all multicast frames were asked for by us. The kernel has one flag for all who ask by
 * netlink; whose it is, is written where whoever cleans up after a VM that was killed finds it.
 * What can't be known: that somebody else asked for them, too, while the VM was there; and, when a
 * namespace died with a killed VM, whose flag it was on an interface that came home from it.
 */
#define PRIO_ALL_MULTI (PRIO_ALL + 1)

/* The near end of the VM's cable: it has no protocol of its own. */
static int tap_configure(struct nl_sock *nl, const struct net_tap *tap, uint32_t mtu)
{
	struct rtnl_link *change = rtnl_link_alloc();
	int rc;

	if (!change) {
		return -ENOMEM;
	}
	rtnl_link_set_mtu(change, mtu);
	rtnl_link_set_txqlen(change, TAP_QUEUE_LEN);
	rtnl_link_set_flags(change, IFF_NOARP);
	rtnl_link_unset_flags(change, IFF_MULTICAST);
	(void)rtnl_link_inet6_set_addr_gen_mode(change, IN6_ADDR_GEN_MODE_NONE); /* no IPv6: fine */
	rc = net_link_change(nl, tap->ifindex, change);
	rtnl_link_put(change);
	return rc;
}

int net_port_claim(struct nl_sock *nl, const struct net_scan *s, unsigned i, struct vr_err *err)
{
	const char *name = s->name[i];
	int ifindex = s->ifindex[i];
	int rc = net_tc_add_ingress(nl, ifindex);

	if (rc == -EEXIST && net_tc_is_ours(nl, ifindex)) { /* with nobody behind them */
		net_port_leave(nl, ifindex);
		rc = net_tc_add_ingress(nl, ifindex);
	}
	if (rc == -EEXIST) {
		return vr_err_set(err, EBUSY,
				  "network interface '%s' has a traffic policy at its ingress, "
				  "where the VM would have to be attached",
				  name);
	}
	return rc < 0 ? vr_err_sys(err, rc, "attach a VM to network interface '%s'", name) : 0;
}

/* What is the guest's own. Return: number of filters in *@out, to be freed; or -errno */
static int guard_make(const struct net_scan *s, unsigned i, struct net_filter **out)
{
	int n;

	*out = calloc(NET_GUARD_MAX, sizeof(**out));
	if (!*out) {
		return -ENOMEM;
	}
	n = net_guard_build(&s->net, i, s->egress, s->ifindex[i], *out);
	if (n < 0) {
		free(*out);
		*out = NULL;
	}
	return n;
}

static int guard_install(struct nl_sock *nl, int tap, const struct net_filter *guard, int n)
{
	int rc = net_tc_add_ingress(nl, tap);

	for (int k = 0; rc == 0 && k < n; k++) {
		rc = net_tc_filter(nl, tap, &guard[k]);
	}
	return rc;
}

static int link_from_guest(struct nl_sock *nl, const struct net_scan *s, unsigned i, int tap)
{
	struct net_filter *guard;
	int n = guard_make(s, i, &guard);
	int rc = n < 0 ? n : guard_install(nl, tap, guard, n);

	free(guard);
	return rc;
}

/* Return: 1 when frames to all groups are to be asked for, 0, or -errno */
static int wants_all_multi(struct nl_sock *nl, const struct net_scan *s, unsigned i)
{
	struct rtnl_link *link;
	int rc;

	if (s->veth[i]) {
		return 0;
	}
	rc = net_nl_errno(rtnl_link_get_kernel(nl, s->ifindex[i], NULL, &link));
	if (rc == 0) { /* not the scan's: a VM before us may have left it set then */
		rc = !(rtnl_link_get_flags(link) & IFF_ALLMULTI);
		rtnl_link_put(link);
	}
	return rc;
}

/* To the guest, everything; some of it not to the guest alone. */
static int link_to_guest(struct nl_sock *nl, const struct net_scan *s, unsigned i, int tap)
{
	int all_multi = wants_all_multi(nl, s, i);
	const struct net_filter all = {
		.prio = all_multi > 0 ? PRIO_ALL_MULTI : PRIO_ALL,
		.proto = ETH_P_ALL,
		.to = tap,
		.n_keys = 1,
		.key = {{.off = -4}}, /* every frame has it, one without a payload, too */
	};
	int rc = all_multi < 0 ? all_multi : 0;

	if (rc == 0 && s->net.resolver[0] != 0) {
		rc = net_dns_filters(nl, s->ifindex[i], tap, NET_TC_PRIO);
	}
	if (rc == 0) {
		rc = net_tc_filter(nl, s->ifindex[i], &all);
	}
	/* Which groups the guest listens to, the interface can't know. */
	return rc == 0 && all_multi > 0 ? net_link_set_flags(nl, s->ifindex[i], IFF_ALLMULTI) : rc;
}

static int link_connect(struct nl_sock *nl, const struct net_scan *s, unsigned i,
			const struct net_tap *tap)
{
	const struct ap_link *l = &s->net.links[i];
	int rc = tap_configure(nl, tap, l->mtu);

	if (rc == 0) {
		rc = link_from_guest(nl, s, i, tap->ifindex);
	}
	if (rc == 0) {
		rc = link_to_guest(nl, s, i, tap->ifindex);
	}
	return rc == 0 ? net_link_set_flags(nl, tap->ifindex, IFF_UP) : rc;
}

int net_port_join(struct nl_sock *nl, const struct net_scan *s, unsigned i,
		  const struct net_tap *tap, struct vr_err *err)
{
	int rc = link_connect(nl, s, i, tap);

	if (rc < 0) {
		net_port_leave(nl, s->ifindex[i]);
		return vr_err_sys(err, rc, "attach a VM to network interface '%s'", s->name[i]);
	}
	return 0;
}

int net_port_guard(struct nl_sock *nl, const struct net_scan *s, unsigned i, int tap)
{
	struct net_filter *guard;
	int n = guard_make(s, i, &guard);
	int rc = n < 0 ? n : net_link_clear_flags(nl, tap, IFF_UP);

	if (rc == 0) {
		(void)net_tc_del_ingress(nl, tap); /* gone, if this failed half-way before */
		rc = guard_install(nl, tap, guard, n);
	}
	free(guard);
	return rc == 0 ? net_link_set_flags(nl, tap, IFF_UP) : rc;
}

void net_port_leave(struct nl_sock *nl, int ifindex)
{
	if (net_tc_has(nl, ifindex, PRIO_ALL_MULTI, PRIO_ALL_MULTI)) {
		(void)net_link_clear_flags(nl, ifindex, IFF_ALLMULTI);
	}
	(void)net_tc_del_ingress(nl, ifindex); /* gone with the interface, perhaps */
}
