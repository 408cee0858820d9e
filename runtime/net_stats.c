/* SPDX-License-Identifier: Apache-2.0 */
/* net_stats.c - what crossed a container's network interfaces; see net_stats.h */
#include "net_stats.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>

#include "net_link.h"
#include "net_visit.h"

int net_stats_open(int ns_fd, struct nl_sock **out, struct vr_err *err)
{
	struct net_visit v;
	int rc = net_visit_begin(&v, ns_fd, err);
	int back;

	*out = v.nl;
	v.nl = NULL; /* stays open, and there */
	back = net_visit_end(&v, err);
	rc = rc < 0 ? rc : back;
	if (rc < 0) {
		nl_socket_free(*out);
		*out = NULL;
	}
	return rc;
}

static void add_link(struct rtnl_link *link, struct net_if_stats *s)
{
	(void)snprintf(s->name, sizeof(s->name), "%s", rtnl_link_get_name(link));
	s->rx_bytes = rtnl_link_get_stat(link, RTNL_LINK_RX_BYTES);
	s->rx_packets = rtnl_link_get_stat(link, RTNL_LINK_RX_PACKETS);
	s->rx_errors = rtnl_link_get_stat(link, RTNL_LINK_RX_ERRORS);
	s->rx_dropped = rtnl_link_get_stat(link, RTNL_LINK_RX_DROPPED);
	s->tx_bytes = rtnl_link_get_stat(link, RTNL_LINK_TX_BYTES);
	s->tx_packets = rtnl_link_get_stat(link, RTNL_LINK_TX_PACKETS);
	s->tx_errors = rtnl_link_get_stat(link, RTNL_LINK_TX_ERRORS);
	s->tx_dropped = rtnl_link_get_stat(link, RTNL_LINK_TX_DROPPED);
}

/* The far side's directions are the other way round. */
static int add_tap(struct nl_sock *nl, struct nl_cache *links, int tap, struct net_if_stats *s)
{
	struct rtnl_link *link = rtnl_link_get(links, tap);

	if (!link) {
		return 0; /* it ended just now */
	}
	s->rx_dropped += rtnl_link_get_stat(link, RTNL_LINK_TX_DROPPED);
	s->tx_dropped += rtnl_link_get_stat(link, RTNL_LINK_RX_DROPPED);
	rtnl_link_put(link);
	return net_count_read(nl, tap, &s->policy);
}

/* An interface of ours is one whose frames we redirect: taps have labels on all their filters. */
static int visit(struct nl_sock *nl, struct nl_cache *links, struct rtnl_link *link,
		 struct net_stats *out)
{
	struct net_if_stats *s = &out->v[out->n];
	int rc = net_count_read(nl, rtnl_link_get_ifindex(link), &s->policy);
	int tap = s->policy.redirect_to;

	if (rc == -EINVAL || rc == -ENODEV || rc == -ENOENT) {
		return 0; /* no ingress qdisc; or gone since */
	}
	if (rc < 0 || tap == 0) {
		return rc;
	}
	add_link(link, s);
	out->n++;
	return add_tap(nl, links, tap, s);
}

int net_stats_read(struct nl_sock *nl, struct net_stats *out, struct vr_err *err)
{
	struct nl_cache *links;
	int rc = net_nl_errno(rtnl_link_alloc_cache(nl, AF_UNSPEC, &links));

	out->n = 0;
	if (rc < 0) {
		return vr_err_sys(err, rc, "list the container's network interfaces");
	}
	for (struct nl_object *o = nl_cache_get_first(links); rc == 0 && o && out->n < AP_MAX_LINKS;
	     o = nl_cache_get_next(o)) {
		rc = visit(nl, links, (struct rtnl_link *)o, out);
	}
	nl_cache_free(links);
	return rc < 0 ? vr_err_sys(err, rc, "read the counters of a network interface") : 0;
}
