/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netitem.c - what is configured on interfaces; see netitem.h
 *
 * The message that removes something is the one that adds it, with another number.
 */
#include "netitem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "sys.h"

#define LO_INDEX   1
#define TABLE_BYTE 256u /* tables from here on don't fit into the header */

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

static const char *link_name(const struct netcfg *c, uint32_t link)
{
	if (link == AP_LINK_LO) {
		return "lo";
	}
	for (uint32_t i = 0; i < c->net->n_links; i++) {
		if (c->net->links[i].slot == link) {
			return c->net->links[i].name;
		}
	}
	return "?";
}

/* Return: index, or 0 for a link that was not announced. */
static int link_index(const struct netcfg *c, uint32_t link)
{
	if (link == AP_LINK_LO) {
		return LO_INDEX;
	}
	return link < AP_MAX_LINKS ? c->index[link] : 0;
}

/* --- addresses ------------------------------------------------------------------------------- */

static void put_addr(struct netcfg *c, bool add, const void *item)
{
	const struct ap_addr *a = item;
	const struct nl_ifaddr h = {.family = af(a->family),
				    .prefix = (uint8_t)a->prefix,
				    .scope = (uint8_t)a->scope,
				    .index = (uint32_t)link_index(c, a->link)};
	size_t len = addr_len(a->family);
	uint32_t flags = (a->flags & AP_A_NO_PREFIX_ROUTE ? NL_IFA_F_NOPREFIXROUTE : 0) |
			 (a->family == 6 ? NL_IFA_F_NODAD : 0);

	nl_begin(&c->m, add ? NL_NEWADDR : NL_DELADDR, add ? NL_F_CREATE | NL_F_REPLACE : 0, &h,
		 sizeof(h));
	nl_put(&c->m, NL_IFA_LOCAL, a->addr, len);
	nl_put(&c->m, NL_IFA_ADDRESS, a->flags & AP_A_PEER ? a->peer : a->addr, len);
	if (a->flags & AP_A_BROADCAST) {
		nl_put(&c->m, NL_IFA_BROADCAST, a->broadcast, len);
	}
	nl_put_u32(&c->m, NL_IFA_FLAGS, flags);
}

static int fail_addr(const struct netcfg *c, const void *item, int rc, struct fail *f)
{
	const struct ap_addr *a = item;
	char buf[INET6_ADDRSTRLEN];

	return fail_set(f, "network", rc, "add address %s/%u to '%s'",
			text(a->family, a->addr, buf), a->prefix, link_name(c, a->link));
}

/* --- routes ---------------------------------------------------------------------------------- */

static void put_gateway(struct netcfg *c, const struct ap_route *r)
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

static void put_metrics(struct netcfg *c, const struct ap_route *r)
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

static void put_route(struct netcfg *c, bool add, const void *item)
{
	const struct ap_route *r = item;
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

	nl_begin(&c->m, add ? NL_NEWROUTE : NL_DELROUTE, add ? NL_F_CREATE | NL_F_APPEND : 0, &h,
		 sizeof(h));
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
}

static int fail_route(const struct netcfg *c, const void *item, int rc, struct fail *f)
{
	const struct ap_route *r = item;
	char buf[INET6_ADDRSTRLEN];

	if (r->link == AP_LINK_NONE) {
		return fail_set(f, "network", rc, "add route to %s/%u to nowhere",
				text(r->family, r->dst, buf), r->prefix);
	}
	return fail_set(f, "network", rc, "add route to %s/%u over '%s'",
			text(r->family, r->dst, buf), r->prefix, link_name(c, r->link));
}

/* --- neighbours and rules -------------------------------------------------------------------- */

static void put_neigh(struct netcfg *c, bool add, const void *item)
{
	const struct ap_neigh *n = item;
	const struct nl_nd h = {.family = af(n->family),
				.index = link_index(c, n->link),
				.state = NL_NUD_PERMANENT};

	nl_begin(&c->m, add ? NL_NEWNEIGH : NL_DELNEIGH, add ? NL_F_CREATE | NL_F_REPLACE : 0, &h,
		 sizeof(h));
	nl_put(&c->m, NL_NDA_DST, n->addr, addr_len(n->family));
	nl_put(&c->m, NL_NDA_LLADDR, n->mac, sizeof(n->mac));
}

static int fail_neigh(const struct netcfg *c, const void *item, int rc, struct fail *f)
{
	const struct ap_neigh *n = item;
	char buf[INET6_ADDRSTRLEN];

	return fail_set(f, "network", rc, "add neighbour %s on '%s'", text(n->family, n->addr, buf),
			link_name(c, n->link));
}

static void put_rule(struct netcfg *c, bool add, const void *item)
{
	const struct ap_rule *r = item;
	const struct nl_rt h = {.family = af(r->family),
				.dst_len = (uint8_t)r->dst_prefix,
				.src_len = (uint8_t)r->src_prefix,
				.tos = (uint8_t)r->tos,
				.table = r->table < TABLE_BYTE ? (uint8_t)r->table : 0,
				.type = (uint8_t)r->action};
	size_t len = addr_len(r->family);

	nl_begin(&c->m, add ? NL_NEWRULE : NL_DELRULE, add ? NL_F_CREATE | NL_F_EXCL : 0, &h,
		 sizeof(h));
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
}

static int fail_rule(const struct netcfg *c, const void *item, int rc, struct fail *f)
{
	const struct ap_rule *r = item;

	(void)c;
	return fail_set(f, "network", rc, "add policy rule %u", r->priority);
}

/* --- all kinds ------------------------------------------------------------------------------- */

#define LIST(member) offsetof(struct ap_net, n_##member), offsetof(struct ap_net, member)

static const struct {
	size_t n;
	size_t v;
	size_t size;
	void (*put)(struct netcfg *c, bool add, const void *item);
	int (*fail)(const struct netcfg *c, const void *item, int rc, struct fail *f);
} kinds[NETITEM_COUNT] = {
	[NETITEM_ADDR] = {LIST(addrs), sizeof(struct ap_addr), put_addr, fail_addr},
	[NETITEM_NEIGH] = {LIST(neighs), sizeof(struct ap_neigh), put_neigh, fail_neigh},
	[NETITEM_ROUTE] = {LIST(routes), sizeof(struct ap_route), put_route, fail_route},
	[NETITEM_RULE] = {LIST(rules), sizeof(struct ap_rule), put_rule, fail_rule},
};

const void *netitem_at(const struct ap_net *net, enum netitem_kind kind, uint32_t i,
		       size_t *out_size)
{
	const char *base = (const char *)net;
	uint32_t n;

	memcpy(&n, base + kinds[kind].n, sizeof(n));
	*out_size = kinds[kind].size;
	return i < n ? base + kinds[kind].v + i * kinds[kind].size : NULL;
}

/* Has the workload, or a sysctl of the container, turned IPv6 off where @item would be? */
static bool is_off(const struct netcfg *c, enum netitem_kind kind, const void *item)
{
	uint32_t at[2]; /* link and family */
	char path[96];
	char text[4];

	_Static_assert(!offsetof(struct ap_addr, link) && !offsetof(struct ap_route, link) &&
			       !offsetof(struct ap_neigh, link) &&
			       offsetof(struct ap_addr, family) == sizeof(uint32_t) &&
			       offsetof(struct ap_route, family) == sizeof(uint32_t) &&
			       offsetof(struct ap_neigh, family) == sizeof(uint32_t),
		       "what all but rules begin with");
	memcpy(at, item, sizeof(at));
	if (kind == NETITEM_RULE || at[0] == AP_LINK_NONE || at[1] != 6) {
		return false;
	}
	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6",
		 link_name(c, at[0]));
	return sys_read_file(-1, path, text, sizeof(text)) > 0 && text[0] == '1';
}

int netitem_add(struct netcfg *c, enum netitem_kind kind, const void *item, struct fail *f)
{
	int rc;

	kinds[kind].put(c, true, item);
	rc = nl_talk(c->nl, &c->m);
	if (rc == -EEXIST) {
		return 0; /* the kernel made it with an address, or the same was there before */
	}
	if (rc < 0 && is_off(c, kind, item)) {
		return 0; /* it can't be had, and shan't */
	}
	return rc < 0 ? kinds[kind].fail(c, item, rc, f) : 0;
}

void netitem_del(struct netcfg *c, enum netitem_kind kind, const void *item)
{
	kinds[kind].put(c, false, item);
	(void)nl_talk(c->nl, &c->m); /* see netitem.h */
}
