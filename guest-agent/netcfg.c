/* SPDX-License-Identifier: Apache-2.0 */
/* netcfg.c - the container's network; see netcfg.h */
#include "netcfg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "netlink.h"
#include "sys.h"

#define KERNEL_NAME "eth%u"  /* as the kernel numbers devices in the order of their slots */
#define INTERIM	    "volt%u" /* while one link still has the name another one shall get */
#define LO_INDEX    1
#define TABLE_BYTE  256u /* tables from here on don't fit into the header */

/** struct cfg - the work: a socket, and the index of each link */
struct cfg {
	int nl;
	int sock;
	const struct ap_net *net;
	int index[AP_MAX_LINKS];
	struct nl_msg m;
};

/* --- words ----------------------------------------------------------------------------------- */

static uint8_t af(uint32_t family)
{
	return family == 4 ? NL_AF_INET : NL_AF_INET6;
}

static size_t addr_len(uint32_t family)
{
	return family == 4 ? 4 : 16;
}

static const char *text(uint32_t family, const uint8_t addr[16], char buf[INET6_ADDRSTRLEN])
{
	return inet_ntop(af(family), addr, buf, INET6_ADDRSTRLEN);
}

static const char *link_name(const struct cfg *c, uint32_t link)
{
	if (link == AP_LINK_LO) {
		return "lo";
	}
	return link < c->net->n_links ? c->net->links[link].name : "?";
}

/* Return: index, or 0 for a link that was not announced. */
static int link_index(const struct cfg *c, uint32_t link)
{
	if (link == AP_LINK_LO) {
		return LO_INDEX;
	}
	return link < c->net->n_links ? c->index[link] : 0;
}

/* --- links ----------------------------------------------------------------------------------- */

static int find_device(struct cfg *c, uint32_t i, struct fail *f)
{
	struct ifreq ifr = {0};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), KERNEL_NAME, i);
	if (ioctl(c->sock, SIOCGIFINDEX, &ifr) < 0) {
		return fail_set(f, "network", -errno, "find network device %u", i);
	}
	c->index[i] = ifr.ifr_ifindex;
	if (ioctl(c->sock, SIOCGIFHWADDR, &ifr) < 0) {
		return fail_set(f, "network", -errno, "address of network device %u", i);
	}
	if (memcmp(ifr.ifr_hwaddr.sa_data, c->net->links[i].mac, 6) != 0) {
		return fail_set(f, "network", -ENODEV, "network device %u is not '%s'", i,
				c->net->links[i].name);
	}
	return 0;
}

static void link_begin(struct cfg *c, int index, uint32_t flags, uint32_t change)
{
	const struct nl_ifinfo h = {.index = index, .flags = flags, .change = change};

	nl_begin(&c->m, NL_NEWLINK, 0, &h, sizeof(h));
}

static int rename_link(struct cfg *c, int index, const char *name)
{
	link_begin(c, index, 0, 0);
	nl_put_str(&c->m, NL_IFLA_IFNAME, name);
	return nl_talk(c->nl, &c->m);
}

static int rename_all(struct cfg *c, struct fail *f)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < c->net->n_links; i++) {
		char interim[IF_NAMESIZE];

		snprintf(interim, sizeof(interim), INTERIM, i);
		rc = rename_link(c, c->index[i], interim);
	}
	for (uint32_t i = 0; rc == 0 && i < c->net->n_links; i++) {
		rc = rename_link(c, c->index[i], c->net->links[i].name);
		if (rc < 0) {
			return fail_set(f, "network", rc, "name an interface '%s'",
					c->net->links[i].name);
		}
	}
	return rc < 0 ? fail_set(f, "network", rc, "rename interfaces") : 0;
}

/* A link-local address comes with the others, or isn't wanted. Fails without IPv6. */
static void no_link_local(struct cfg *c, int index)
{
	uint8_t none = NL_INET6_GEN_NONE;
	uint32_t spec, inet6;

	link_begin(c, index, 0, 0);
	spec = nl_nest(&c->m, NL_IFLA_AF_SPEC);
	inet6 = nl_nest(&c->m, NL_AF_INET6);
	nl_put(&c->m, NL_INET6_ADDR_GEN, &none, sizeof(none));
	nl_nest_end(&c->m, inet6);
	nl_nest_end(&c->m, spec);
	(void)nl_talk(c->nl, &c->m);
}

static void ipv6_sysctl(const char *ifname, const char *what, const char *value)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", ifname, what);
	(void)sys_write_file(-1, path, value); /* missing with an MTU below IPv6's least */
}

static int link_up(struct cfg *c, uint32_t i, struct fail *f)
{
	const struct ap_link *l = &c->net->links[i];
	int rc;

	link_begin(c, c->index[i], 0, 0);
	nl_put_u32(&c->m, NL_IFLA_MTU, l->mtu);
	nl_put_u32(&c->m, NL_IFLA_TXQLEN, l->txqlen);
	rc = nl_talk(c->nl, &c->m);
	if (rc < 0) {
		return fail_set(f, "network", rc, "set the MTU of '%s' to %u", l->name, l->mtu);
	}
	no_link_local(c, c->index[i]);
	if (l->flags & AP_L_NO_IPV6) {
		ipv6_sysctl(l->name, "disable_ipv6", "1");
	}
	if (l->flags & AP_L_NO_RA) {
		ipv6_sysctl(l->name, "accept_ra", "0");
	}
	if (!(l->flags & AP_L_UP)) {
		return 0;
	}
	link_begin(c, c->index[i], IFF_UP, IFF_UP);
	rc = nl_talk(c->nl, &c->m);
	return rc < 0 ? fail_set(f, "network", rc, "bring '%s' up", l->name) : 0;
}

/* --- addresses ------------------------------------------------------------------------------- */

static int add_addr(struct cfg *c, const struct ap_addr *a, struct fail *f)
{
	const struct nl_ifaddr h = {.family = af(a->family),
				    .prefix = (uint8_t)a->prefix,
				    .scope = (uint8_t)a->scope,
				    .index = (uint32_t)link_index(c, a->link)};
	size_t len = addr_len(a->family);
	uint32_t flags = (a->flags & AP_A_NO_PREFIX_ROUTE ? NL_IFA_F_NOPREFIXROUTE : 0) |
			 (a->family == 6 ? NL_IFA_F_NODAD : 0);
	char buf[INET6_ADDRSTRLEN];
	int rc;

	nl_begin(&c->m, NL_NEWADDR, NL_F_CREATE | NL_F_REPLACE, &h, sizeof(h));
	nl_put(&c->m, NL_IFA_LOCAL, a->addr, len);
	nl_put(&c->m, NL_IFA_ADDRESS, a->flags & AP_A_PEER ? a->peer : a->addr, len);
	if (a->flags & AP_A_BROADCAST) {
		nl_put(&c->m, NL_IFA_BROADCAST, a->broadcast, len);
	}
	nl_put_u32(&c->m, NL_IFA_FLAGS, flags);
	rc = nl_talk(c->nl, &c->m);
	return rc < 0 ? fail_set(f, "network", rc, "add address %s/%u to '%s'",
				 text(a->family, a->addr, buf), a->prefix, link_name(c, a->link))
		      : 0;
}

/* --- routes ---------------------------------------------------------------------------------- */

static void put_gateway(struct cfg *c, const struct ap_route *r)
{
	struct {
		uint16_t family;
		uint8_t addr[16];
	} via = {.family = NL_AF_INET6};

	if (!(r->flags & AP_R_VIA6)) {
		nl_put(&c->m, NL_RTA_GATEWAY, r->gateway, addr_len(r->family));
		return;
	}
	memcpy(via.addr, r->gateway, sizeof(via.addr));
	nl_put(&c->m, NL_RTA_VIA, &via, sizeof(via));
}

static void put_metrics(struct cfg *c, const struct ap_route *r)
{
	uint32_t nest;

	if (r->n_metrics == 0) {
		return;
	}
	nest = nl_nest(&c->m, NL_RTA_METRICS);
	for (uint32_t i = 0; i < r->n_metrics; i++) {
		if (r->metrics[i] != 0) {
			nl_put_u32(&c->m, (uint16_t)(i + 1), r->metrics[i]);
		}
	}
	nl_nest_end(&c->m, nest);
}

static int add_route(struct cfg *c, const struct ap_route *r, struct fail *f)
{
	const struct nl_rt h = {.family = af(r->family),
				.dst_len = (uint8_t)r->prefix,
				.src_len = (uint8_t)r->src_prefix,
				.tos = (uint8_t)r->tos,
				.table = r->table < TABLE_BYTE ? (uint8_t)r->table : 0,
				.protocol = (uint8_t)r->protocol,
				.scope = (uint8_t)r->scope,
				.type = (uint8_t)r->type,
				.flags = r->flags & AP_R_ONLINK ? NL_RTNH_F_ONLINK : 0};
	size_t len = addr_len(r->family);
	char buf[INET6_ADDRSTRLEN];
	int rc;

	nl_begin(&c->m, NL_NEWROUTE, NL_F_CREATE | NL_F_APPEND, &h, sizeof(h));
	if (r->prefix > 0) {
		nl_put(&c->m, NL_RTA_DST, r->dst, len);
	}
	if (r->flags & AP_R_SRC) {
		nl_put(&c->m, NL_RTA_SRC, r->src, len);
	}
	if (r->link != AP_LINK_NONE) {
		nl_put_u32(&c->m, NL_RTA_OIF, (uint32_t)link_index(c, r->link));
	}
	if (r->flags & AP_R_GATEWAY) {
		put_gateway(c, r);
	}
	if (r->flags & AP_R_PREFSRC) {
		nl_put(&c->m, NL_RTA_PREFSRC, r->prefsrc, len);
	}
	nl_put_u32(&c->m, NL_RTA_TABLE, r->table);
	if (r->priority != 0) {
		nl_put_u32(&c->m, NL_RTA_PRIORITY, r->priority);
	}
	put_metrics(c, r);
	rc = nl_talk(c->nl, &c->m);
	if (rc == -EEXIST) {
		return 0; /* the kernel made it with an address */
	}
	return rc < 0 ? fail_set(f, "network", rc, "add route to %s/%u over '%s'",
				 text(r->family, r->dst, buf), r->prefix, link_name(c, r->link))
		      : 0;
}

/* --- neighbours and rules -------------------------------------------------------------------- */

static int add_neigh(struct cfg *c, const struct ap_neigh *n, struct fail *f)
{
	const struct nl_nd h = {.family = af(n->family),
				.index = link_index(c, n->link),
				.state = NL_NUD_PERMANENT};
	char buf[INET6_ADDRSTRLEN];
	int rc;

	nl_begin(&c->m, NL_NEWNEIGH, NL_F_CREATE | NL_F_REPLACE, &h, sizeof(h));
	nl_put(&c->m, NL_NDA_DST, n->addr, addr_len(n->family));
	nl_put(&c->m, NL_NDA_LLADDR, n->mac, sizeof(n->mac));
	rc = nl_talk(c->nl, &c->m);
	return rc < 0 ? fail_set(f, "network", rc, "add neighbour %s",
				 text(n->family, n->addr, buf))
		      : 0;
}

static int add_rule(struct cfg *c, const struct ap_rule *r, struct fail *f)
{
	const struct nl_rt h = {.family = af(r->family),
				.dst_len = (uint8_t)r->dst_prefix,
				.src_len = (uint8_t)r->src_prefix,
				.tos = (uint8_t)r->tos,
				.table = r->table < TABLE_BYTE ? (uint8_t)r->table : 0,
				.type = (uint8_t)r->action};
	size_t len = addr_len(r->family);
	int rc;

	nl_begin(&c->m, NL_NEWRULE, NL_F_CREATE | NL_F_EXCL, &h, sizeof(h));
	if (r->dst_prefix > 0) {
		nl_put(&c->m, NL_FRA_DST, r->dst, len);
	}
	if (r->src_prefix > 0) {
		nl_put(&c->m, NL_FRA_SRC, r->src, len);
	}
	if (r->in_link != AP_LINK_NONE) {
		nl_put_str(&c->m, NL_FRA_IIFNAME, link_name(c, r->in_link));
	}
	if (r->out_link != AP_LINK_NONE) {
		nl_put_str(&c->m, NL_FRA_OIFNAME, link_name(c, r->out_link));
	}
	if (r->goto_priority != 0) {
		nl_put_u32(&c->m, NL_FRA_GOTO, r->goto_priority);
	}
	if (r->mark_mask != 0) {
		nl_put_u32(&c->m, NL_FRA_FWMARK, r->mark);
		nl_put_u32(&c->m, NL_FRA_FWMASK, r->mark_mask);
	}
	nl_put_u32(&c->m, NL_FRA_PRIORITY, r->priority);
	nl_put_u32(&c->m, NL_FRA_TABLE, r->table);
	rc = nl_talk(c->nl, &c->m);
	return rc < 0 && rc != -EEXIST
		       ? fail_set(f, "network", rc, "add policy rule %u", r->priority)
		       : 0;
}

/* --- all ------------------------------------------------------------------------------------- */

static int links(struct cfg *c, struct fail *f)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < c->net->n_links; i++) {
		rc = find_device(c, i, f);
	}
	rc = rc ? rc : rename_all(c, f);
	for (uint32_t i = 0; rc == 0 && i < c->net->n_links; i++) {
		rc = link_up(c, i, f);
	}
	return rc;
}

static int on_links(struct cfg *c, struct fail *f)
{
	const struct ap_net *n = c->net;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < n->n_addrs; i++) {
		rc = add_addr(c, &n->addrs[i], f);
	}
	for (uint32_t i = 0; rc == 0 && i < n->n_neighs; i++) {
		rc = add_neigh(c, &n->neighs[i], f);
	}
	for (uint32_t i = 0; rc == 0 && i < n->n_routes; i++) {
		rc = add_route(c, &n->routes[i], f);
	}
	for (uint32_t i = 0; rc == 0 && i < n->n_rules; i++) {
		rc = add_rule(c, &n->rules[i], f);
	}
	return rc;
}

int netcfg_apply(const struct ap_net *net, struct fail *f)
{
	static struct cfg c;
	int rc;

	c = (struct cfg){.nl = nl_open(), .net = net};
	if (c.nl < 0) {
		return fail_set(f, "network", c.nl, "open a netlink socket");
	}
	c.sock = sys_rc(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	rc = c.sock < 0 ? fail_set(f, "network", c.sock, "open a socket") : 0;
	rc = rc ? rc : links(&c, f);
	rc = rc ? rc : on_links(&c, f);
	sys_close(&c.sock);
	sys_close(&c.nl);
	return rc;
}
