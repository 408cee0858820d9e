/* SPDX-License-Identifier: Apache-2.0 */
/* net_scan.c - what the engine configured in a network namespace; see net_scan.h */
#include "net_scan.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/ipvlan.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>

#include "base/checked.h"
#include "base/log.h"
#include "net_link.h"
#include "net_rule.h"
#include "net_tap.h"

#define RULE_PRIO_MAIN 32766u /* the kernel's own rules: 0, this and the next */
#define METRIC_NULL    0xffffffffu
#define DUMP_TRIES     16u /* an engine at work changes a few things in a row */

/* --- links ----------------------------------------------------------------------------------- */

static uint32_t link_flags(struct rtnl_link *link)
{
	/* Until link_ipv6() has seen what the kernel says of IPv6: that it is not there. */
	return (rtnl_link_get_flags(link) & IFF_UP ? AP_L_UP : 0) | AP_L_NO_IPV6;
}

/*
 * What /proc/sys/net/ipv6/conf has of an interface, as its message has it: libnl keeps it to itself.
 * A kernel without IPv6 says nothing.
 */
void net_scan_ipv6(struct net_scan *s, struct nlmsghdr *h)
{
	int32_t conf[DEVCONF_DISABLE_IPV6 + 1] = {0};
	struct nlattr *a = nlmsg_find_attr(h, sizeof(struct ifinfomsg), IFLA_AF_SPEC);
	struct ifinfomsg info;

	a = a ? nla_find(nla_data(a), nla_len(a), AF_INET6) : NULL;
	a = a ? nla_find(nla_data(a), nla_len(a), IFLA_INET6_CONF) : NULL;
	if (!a || nla_len(a) < (int)sizeof(conf) || !nlmsg_valid_hdr(h, sizeof(info))) {
		return;
	}
	memcpy(conf, nla_data(a), sizeof(conf));
	memcpy(&info, nlmsg_data(h), sizeof(info));
	for (uint32_t i = 0; i < s->net.n_links; i++) {
		uint32_t *flags = &s->net.links[i].flags;

		if (s->ifindex[i] == info.ifi_index) {
			*flags &= ~AP_L_NO_IPV6;
			*flags |= conf[DEVCONF_DISABLE_IPV6] != 0 ? AP_L_NO_IPV6 : 0;
			*flags |= conf[DEVCONF_ACCEPT_RA] == 0 ? AP_L_NO_RA : 0;
		}
	}
}

/* Is it of a kind a VM can take the place of? */
static bool link_usable(struct rtnl_link *link, const char *name)
{
	struct nl_addr *mac = rtnl_link_get_addr(link);
	bool up = (rtnl_link_get_flags(link) & IFF_UP) != 0;
	int32_t peer_ns;

	if (rtnl_link_get_arptype(link) != ARPHRD_ETHER || !mac || nl_addr_get_len(mac) != 6) {
		if (up) {
			vr_warn("network interface '%s' has no Ethernet header: the VM can't have "
				"it",
				name);
		}
		return false; /* the kernel puts tunnels into every namespace, down */
	}
	if (rtnl_link_get_master(link) > 0 ||
	    (rtnl_link_get_link(link) > 0 && rtnl_link_get_link_netnsid(link, &peer_ns) < 0)) {
		vr_warn("network interface '%s' belongs to another one: the VM doesn't get it",
			name);
		return false;
	}
	return true;
}

/* In its other modes ipvlan asks no neighbour and answers none: the guest's questions would. */
static bool is_routed(struct rtnl_link *link)
{
	uint16_t mode;

	return rtnl_link_is_ipvlan(link) && rtnl_link_ipvlan_get_mode(link, &mode) == 0 &&
	       mode != IPVLAN_MODE_L2;
}

static bool is_ours(struct rtnl_link *link, const char *name)
{
	const char *kind = rtnl_link_get_type(link);

	return kind && strcmp(kind, "tun") == 0 &&
	       strncmp(name, NET_TAP_PREFIX, strlen(NET_TAP_PREFIX)) == 0;
}

static void link_take(struct net_scan *s, struct rtnl_link *link, const char *name)
{
	uint32_t n = s->net.n_links++;
	const char *kind = rtnl_link_get_type(link);

	(void)snprintf(s->name[n], sizeof(s->name[n]), "%s", name); /* the kernel's limit, too */
	s->ifindex[n] = rtnl_link_get_ifindex(link);
	s->veth[n] = kind && strcmp(kind, "veth") == 0;
	s->carrier[n] = rtnl_link_get_carrier(link) != 0;
	s->net.links[n] = (struct ap_link){
		.slot = n,
		.name = s->name[n],
		.mtu = rtnl_link_get_mtu(link),
		.txqlen = rtnl_link_get_txqlen(link),
		.flags = link_flags(link),
	};
	memcpy(s->net.links[n].mac, nl_addr_get_binary_addr(rtnl_link_get_addr(link)), 6);
}

static int link_visit(struct net_scan *s, struct nl_object *o)
{
	struct rtnl_link *link = (struct rtnl_link *)o;
	const char *name = rtnl_link_get_name(link);

	if (rtnl_link_get_flags(link) & IFF_LOOPBACK) {
		s->lo_ifindex = rtnl_link_get_ifindex(link);
		return 0;
	}
	if (is_ours(link, name)) {
		(void)snprintf(s->taken, sizeof(s->taken), "%s", name);
		return 0;
	}
	if (!link_usable(link, name)) {
		return 0;
	}
	if (is_routed(link)) {
		(void)snprintf(s->routed, sizeof(s->routed), "%s", name);
		return 0;
	}
	if (s->net.n_links == AP_MAX_LINKS) {
		return -E2BIG;
	}
	link_take(s, link, name);
	return 0;
}

/* --- what all the others refer to ------------------------------------------------------------- */

/* Return: false for a link the VM doesn't get. */
static bool link_number(const struct net_scan *s, int ifindex, uint32_t *out)
{
	if (ifindex == s->lo_ifindex) {
		*out = AP_LINK_LO;
		return true;
	}
	for (uint32_t i = 0; i < s->net.n_links; i++) {
		if (s->ifindex[i] == ifindex) {
			*out = s->net.links[i].slot;
			return true;
		}
	}
	return false;
}

/* The same by name: without a question to the kernel, which needs a socket of its own. */
static bool link_number_of(const struct net_scan *s, const char *name, uint32_t *out)
{
	if (strcmp(name, "lo") == 0) {
		*out = AP_LINK_LO;
		return true;
	}
	for (uint32_t i = 0; i < s->net.n_links; i++) {
		if (strcmp(s->name[i], name) == 0) {
			*out = s->net.links[i].slot;
			return true;
		}
	}
	return false;
}

static uint32_t family_of(int af)
{
	return af == AF_INET ? 4 : af == AF_INET6 ? 6 : 0;
}

/* Copy an address's bytes. Return: whether there are any */
static bool put_bytes(const struct nl_addr *a, uint8_t out[16])
{
	size_t len = a ? nl_addr_get_len((struct nl_addr *)(uintptr_t)a) : 0;

	if (len == 0 || len > 16) {
		return false;
	}
	memcpy(out, nl_addr_get_binary_addr(a), len);
	return true;
}

static uint32_t prefix_of(const struct nl_addr *a)
{
	return a ? nl_addr_get_prefixlen((struct nl_addr *)(uintptr_t)a) : 0;
}

/* --- addresses ------------------------------------------------------------------------------- */

static bool is_loopback(const struct ap_addr *a)
{
	static const uint8_t one[16] = {[15] = 1};

	return a->family == 4 ? a->addr[0] == 127 : memcmp(a->addr, one, 16) == 0;
}

static int addr_visit(struct net_scan *s, struct nl_object *o)
{
	struct rtnl_addr *addr = (struct rtnl_addr *)o;
	struct ap_addr a = {.family = family_of(rtnl_addr_get_family(addr))};

	if (a.family == 0 || !link_number(s, rtnl_addr_get_ifindex(addr), &a.link) ||
	    !put_bytes(rtnl_addr_get_local(addr), a.addr)) {
		return 0;
	}
	if (a.link == AP_LINK_LO && is_loopback(&a)) {
		return 0; /* the guest's own lo has it */
	}
	a.prefix = (uint32_t)rtnl_addr_get_prefixlen(addr);
	a.scope = (uint32_t)rtnl_addr_get_scope(addr);
	a.flags |= put_bytes(rtnl_addr_get_peer(addr), a.peer) ? AP_A_PEER : 0;
	a.flags |= put_bytes(rtnl_addr_get_broadcast(addr), a.broadcast) ? AP_A_BROADCAST : 0;
	if (s->net.n_addrs == AP_MAX_ADDRS) {
		return -E2BIG;
	}
	s->learnt[s->net.n_addrs] =
		a.family == 6 && !(rtnl_addr_get_flags(addr) & (IFA_F_PERMANENT | IFA_F_TEMPORARY));
	s->net.addrs[s->net.n_addrs++] = a;
	return 0;
}

/* --- routes ---------------------------------------------------------------------------------- */

static bool route_wanted(struct rtnl_route *route)
{
	switch (rtnl_route_get_type(route)) {
	case RTN_UNICAST:
	case RTN_BLACKHOLE:
	case RTN_UNREACHABLE:
	case RTN_PROHIBIT:
	case RTN_THROW:
		break;
	default:
		return false; /* local, broadcast, multicast: follow from addresses */
	}
	return rtnl_route_get_table(route) != RT_TABLE_LOCAL &&
	       rtnl_route_get_priority(route) != METRIC_NULL &&
	       !(rtnl_route_get_flags(route) & RTM_F_CLONED);
}

static void route_nexthop(struct ap_route *r, struct rtnl_nexthop *nh)
{
	struct nl_addr *via = rtnl_route_nh_get_via(nh);

	if (put_bytes(rtnl_route_nh_get_gateway(nh), r->gateway)) {
		r->flags |= AP_R_GATEWAY;
	} else if (via && nl_addr_get_family(via) == AF_INET6 && put_bytes(via, r->gateway)) {
		r->flags |= AP_R_GATEWAY | AP_R_VIA6;
	}
	if (rtnl_route_nh_get_flags(nh) & RTNH_F_ONLINK) {
		r->flags |= AP_R_ONLINK;
	}
}

static void route_metrics(struct ap_route *r, struct rtnl_route *route)
{
	for (uint32_t i = 0; i < AP_MAX_METRICS; i++) {
		uint32_t v;

		if (i + 1 == RTAX_CC_ALGO) {
			continue; /* a name, not a number */
		}
		if (rtnl_route_get_metric(route, (int)i + 1, &v) == 0 && v != 0) {
			r->metrics[i] = v;
			r->n_metrics = i + 1;
		}
	}
}

/* Return: false for a route over a link the VM doesn't get. */
static bool route_link(const struct net_scan *s, struct ap_route *r, struct rtnl_route *route)
{
	struct rtnl_nexthop *nh = rtnl_route_nexthop_n(route, 0);
	int ifindex = nh ? rtnl_route_nh_get_ifindex(nh) : 0;

	r->link = AP_LINK_NONE;
	if (r->type != RTN_UNICAST) {
		return true; /* leads nowhere; IPv6 says over lo, which needn't be repeated */
	}
	if (!nh || !link_number(s, ifindex, &r->link)) {
		return false;
	}
	if (rtnl_route_get_nnexthops(route) > 1) {
		vr_warn("a route with several next hops keeps only the first one in the VM");
	}
	route_nexthop(r, nh);
	return true;
}

static int route_visit(struct net_scan *s, struct nl_object *o)
{
	struct rtnl_route *route = (struct rtnl_route *)o;
	struct ap_route r = {
		.family = family_of(rtnl_route_get_family(route)),
		.type = rtnl_route_get_type(route),
		.scope = rtnl_route_get_scope(route),
		.protocol = rtnl_route_get_protocol(route),
		.table = rtnl_route_get_table(route),
		.tos = rtnl_route_get_tos(route),
		.priority = rtnl_route_get_priority(route),
		.prefix = prefix_of(rtnl_route_get_dst(route)),
	};

	if (r.family == 0 || !route_wanted(route) || !route_link(s, &r, route)) {
		return 0;
	}
	(void)put_bytes(rtnl_route_get_dst(route), r.dst); /* none: the default route */
	r.flags |= put_bytes(rtnl_route_get_pref_src(route), r.prefsrc) ? AP_R_PREFSRC : 0;
	if (put_bytes(rtnl_route_get_src(route), r.src)) {
		r.flags |= AP_R_SRC;
		r.src_prefix = prefix_of(rtnl_route_get_src(route));
	}
	route_metrics(&r, route);
	if (s->net.n_routes == AP_MAX_ROUTES) {
		return -E2BIG;
	}
	s->net.routes[s->net.n_routes++] = r;
	return 0;
}

/* Routes to gateways need those that lead there: first without, then narrow ones first. */
static int route_order(const void *a, const void *b)
{
	const struct ap_route *x = a;
	const struct ap_route *y = b;
	int gx = (x->flags & AP_R_GATEWAY) != 0;
	int gy = (y->flags & AP_R_GATEWAY) != 0;

	if (gx != gy) {
		return gx - gy;
	}
	return (int)y->prefix - (int)x->prefix;
}

void net_scan_sort(struct net_scan *s)
{
	qsort(s->net.routes, s->net.n_routes, sizeof(s->net.routes[0]), route_order);
}

bool net_in_prefix(const uint8_t *addr, const uint8_t *net, uint32_t prefix)
{
	uint32_t bytes = prefix / 8;
	uint8_t mask = (uint8_t)(0xff00u >> prefix % 8);

	return memcmp(addr, net, bytes) == 0 &&
	       (mask == 0 || (addr[bytes] & mask) == (net[bytes] & mask));
}

/* Engines remove the route that comes with an address, or never wanted it. */
static void mark_addrs_without_route(struct ap_net *n)
{
	for (uint32_t i = 0; i < n->n_addrs; i++) {
		struct ap_addr *a = &n->addrs[i];
		const uint8_t *far = a->flags & AP_A_PEER ? a->peer : a->addr;
		bool found = false;

		for (uint32_t k = 0; k < n->n_routes && !found; k++) {
			const struct ap_route *r = &n->routes[k];

			found = r->protocol == RTPROT_KERNEL && r->link == a->link &&
				r->family == a->family && r->prefix == a->prefix &&
				net_in_prefix(far, r->dst, r->prefix);
		}
		a->flags |= found ? 0 : AP_A_NO_PREFIX_ROUTE;
	}
}

/* --- neighbours and rules -------------------------------------------------------------------- */

static int neigh_visit(struct net_scan *s, struct nl_object *o)
{
	struct rtnl_neigh *neigh = (struct rtnl_neigh *)o;
	struct nl_addr *mac = rtnl_neigh_get_lladdr(neigh);
	struct ap_neigh n = {.family = family_of(rtnl_neigh_get_family(neigh))};

	if (n.family == 0 || !(rtnl_neigh_get_state(neigh) & NUD_PERMANENT) ||
	    !link_number(s, rtnl_neigh_get_ifindex(neigh), &n.link) || n.link == AP_LINK_LO ||
	    !put_bytes(rtnl_neigh_get_dst(neigh), n.addr) || !mac || nl_addr_get_len(mac) != 6) {
		return 0;
	}
	memcpy(n.mac, nl_addr_get_binary_addr(mac), sizeof(n.mac));
	if (s->net.n_neighs == AP_MAX_NEIGHS) {
		return -E2BIG;
	}
	s->net.neighs[s->net.n_neighs++] = n;
	return 0;
}

/* Return: false for a link the VM doesn't get. */
static bool rule_link(const struct net_scan *s, const char *name, uint32_t *out)
{
	*out = AP_LINK_NONE;
	return !name || link_number_of(s, name, out);
}

static int rule_visit(struct net_scan *s, struct nl_object *o)
{
	struct rtnl_rule *rule = (struct rtnl_rule *)o;
	uint32_t prio = rtnl_rule_get_prio(rule);
	struct ap_rule r = {
		.family = family_of(rtnl_rule_get_family(rule)),
		.action = rtnl_rule_get_action(rule),
		.priority = prio,
		.table = rtnl_rule_get_table(rule),
		.goto_priority = rtnl_rule_get_goto(rule),
		.tos = rtnl_rule_get_dsfield(rule),
		.mark = rtnl_rule_get_mark(rule),
		.mark_mask = rtnl_rule_get_mask(rule),
		.src_prefix = prefix_of(rtnl_rule_get_src(rule)),
		.dst_prefix = prefix_of(rtnl_rule_get_dst(rule)),
	};

	if (r.family == 0 || prio == 0 || prio == RULE_PRIO_MAIN || prio == RULE_PRIO_MAIN + 1) {
		return 0;
	}
	if (!rule_link(s, rtnl_rule_get_iif(rule), &r.in_link) ||
	    !rule_link(s, rtnl_rule_get_oif(rule), &r.out_link)) {
		return 0;
	}
	(void)put_bytes(rtnl_rule_get_src(rule), r.src);
	(void)put_bytes(rtnl_rule_get_dst(rule), r.dst);
	if (s->net.n_rules == AP_MAX_RULES) {
		return -E2BIG;
	}
	s->net.rules[s->net.n_rules++] = r;
	return 0;
}

/* --- dumps ----------------------------------------------------------------------------------- */

int net_scan_object(struct net_scan *s, struct nl_object *o)
{
	static const struct {
		const char *type; /* libnl's */
		int (*visit)(struct net_scan *s, struct nl_object *o);
	} kinds[] = {
		{"route/link", link_visit},   {"route/addr", addr_visit},
		{"route/route", route_visit}, {"route/neigh", neigh_visit},
		{"route/rule", rule_visit},
	};

	for (size_t i = 0; i < VR_ARRAY_SIZE(kinds); i++) {
		if (strcmp(nl_object_get_type(o), kinds[i].type) == 0) {
			return kinds[i].visit(s, o);
		}
	}
	return 0;
}

static int dump(struct nl_sock *nl, struct net_scan *s, const char *what,
		int (*alloc)(struct nl_sock *nl, struct nl_cache **out), struct vr_err *err)
{
	struct nl_cache *cache;
	int rc = net_nl_errno(alloc(nl, &cache));

	if (rc < 0) {
		return vr_err_sys(err, rc, "list the %s of the container's network namespace",
				  what);
	}
	for (struct nl_object *o = nl_cache_get_first(cache); rc == 0 && o;
	     o = nl_cache_get_next(o)) {
		rc = net_scan_object(s, o);
	}
	nl_cache_free(cache);
	if (rc < 0) {
		return vr_err_set(err, -rc, "the container's network namespace has too many %s",
				  what);
	}
	return 0;
}

/**
 * struct raw_dump - messages of which libnl's objects, or its caches, don't have everything
 * @rc: of what went wrong first
 */
struct raw_dump {
	struct net_scan *s;
	int rc;
};

static void on_object(struct nl_object *o, void *ctx)
{
	struct raw_dump *d = ctx;

	d->rc = d->rc < 0 ? d->rc : net_scan_object(d->s, o);
}

static void take_message(struct raw_dump *d, struct nl_msg *msg)
{
	int rc = net_nl_errno(nl_msg_parse(msg, on_object, d));

	d->rc = d->rc < 0 ? d->rc : rc;
}

static int on_link(struct nl_msg *msg, void *ctx)
{
	struct raw_dump *d = ctx;

	take_message(d, msg);
	net_scan_ipv6(d->s, nlmsg_hdr(msg));
	return NL_OK;
}

static int on_rule(struct nl_msg *msg, void *ctx)
{
	if (net_rule_fits(nlmsg_hdr(msg))) {
		take_message(ctx, msg);
	}
	return NL_OK;
}

/* In a cache one route hides, or swallows, another to the same destination by another interface. */
static int on_route(struct nl_msg *msg, void *ctx)
{
	take_message(ctx, msg);
	return NL_OK;
}

/* Return: 0, -EINTR: something changed meanwhile, and is missing or there twice; or another -errno */
static int raw_dump(struct nl_sock *nl, struct net_scan *s, int type, nl_recvmsg_msg_cb_t fn)
{
	struct raw_dump d = {.s = s};
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int rc;

	if (!cb) {
		return -ENOMEM;
	}
	(void)nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, fn, &d); /* can't fail */
	rc = nl_rtgen_request(nl, type, AF_UNSPEC, NLM_F_DUMP);
	rc = net_nl_errno(rc < 0 ? rc : nl_recvmsgs(nl, cb));
	nl_cb_put(cb);
	return rc < 0 ? rc : d.rc;
}

static int dump_links(struct nl_sock *nl, struct net_scan *s)
{
	*s = (struct net_scan){.lo_ifindex = 1};
	return raw_dump(nl, s, RTM_GETLINK, on_link);
}

static int dump_routes(struct nl_sock *nl, struct net_scan *s)
{
	s->net.n_routes = 0;
	return raw_dump(nl, s, RTM_GETROUTE, on_route);
}

static int dump_rules(struct nl_sock *nl, struct net_scan *s)
{
	s->net.n_rules = 0;
	return raw_dump(nl, s, RTM_GETRULE, on_rule);
}

/* From the beginning, as libnl does for its caches, but not for ever. */
static int dump_again(struct nl_sock *nl, struct net_scan *s, const char *what,
		      int (*fn)(struct nl_sock *nl, struct net_scan *s), struct vr_err *err)
{
	int rc = -EINTR;

	for (unsigned i = 0; rc == -EINTR && i < DUMP_TRIES; i++) {
		rc = fn(nl, s);
	}
	if (rc == -E2BIG) {
		return vr_err_set(err, E2BIG, "the container's network namespace has too many %s",
				  what);
	}
	return rc < 0 ? vr_err_sys(err, rc, "list the %s of the container's network namespace",
				   what)
		      : 0;
}

int net_scan_links(struct nl_sock *nl, struct net_scan *out, struct vr_err *err)
{
	return dump_again(nl, out, "interfaces", dump_links, err);
}

int net_scan_config(struct nl_sock *nl, struct net_scan *s, struct vr_err *err)
{
	int rc = dump(nl, s, "addresses", rtnl_addr_alloc_cache, err);

	if (rc == 0) {
		rc = dump_again(nl, s, "routes", dump_routes, err);
		mark_addrs_without_route(&s->net);
		net_scan_sort(s);
	}
	if (rc == 0) {
		rc = dump(nl, s, "neighbours", rtnl_neigh_alloc_cache, err);
	}
	if (rc == 0) {
		rc = dump_again(nl, s, "rules", dump_rules, err);
	}
	return rc;
}
