/* SPDX-License-Identifier: Apache-2.0 */
/* net_learnt.c - what only router advertisements keep alive; see net_learnt.h */
#include "net_learnt.h"

#include <linux/rtnetlink.h>
#include <string.h>

/* Does the guest hear them on the interface on @slot, then and now? */
static bool hears_routers(const struct net_scan *s, const struct net_scan *before, uint32_t slot)
{
	const uint32_t need = AP_L_UP | AP_L_NO_IPV6 | AP_L_NO_RA;
	const struct ap_link *l = NULL;
	int ifindex = 0;

	for (uint32_t i = 0; i < before->net.n_links; i++) {
		if (before->net.links[i].slot == slot) {
			l = &before->net.links[i];
			ifindex = before->ifindex[i];
		}
	}
	for (uint32_t i = 0; l && i < s->net.n_links; i++) {
		const struct ap_link *now = &s->net.links[i];

		if (now->slot == slot) {
			return s->ifindex[i] == ifindex &&
			       memcmp(now->mac, l->mac, sizeof(l->mac)) == 0 &&
			       (now->flags & need) == AP_L_UP && (l->flags & need) == AP_L_UP;
		}
	}
	return false;
}

/* Also one that is there, but without its route by now. */
static void keep_addr(struct net_scan *s, const struct ap_addr *a)
{
	uint32_t i = 0;

	while (i < s->net.n_addrs &&
	       (s->net.addrs[i].link != a->link || s->net.addrs[i].family != a->family ||
		memcmp(s->net.addrs[i].addr, a->addr, sizeof(a->addr)) != 0)) {
		i++;
	}
	if (i == s->net.n_addrs && i < AP_MAX_ADDRS) {
		s->net.n_addrs++;
		s->learnt[i] = true;
	}
	if (i < s->net.n_addrs && s->learnt[i]) { /* else somebody made it one that stays */
		s->net.addrs[i] = *a;
	}
}

static void keep_route(struct net_scan *s, const struct ap_route *r)
{
	for (uint32_t i = 0; i < s->net.n_routes; i++) {
		if (memcmp(&s->net.routes[i], r, sizeof(*r)) == 0) {
			return;
		}
	}
	if (s->net.n_routes < AP_MAX_ROUTES) {
		s->net.routes[s->net.n_routes++] = *r;
	}
}

/* The kernel makes the route to an address's network, and takes it along. */
static bool route_is_learnt(const struct net_scan *s, const struct ap_route *r)
{
	bool of_addr = false;

	for (uint32_t i = 0; i < s->net.n_addrs && r->protocol == RTPROT_KERNEL; i++) {
		const struct ap_addr *a = &s->net.addrs[i];

		of_addr |= s->learnt[i] && a->link == r->link && a->prefix == r->prefix &&
			   net_in_prefix(a->addr, r->dst, r->prefix);
	}
	return r->family == 6 && (of_addr || r->protocol == RTPROT_RA);
}

void net_learnt_keep(struct net_scan *s, const struct net_scan *before)
{
	const struct ap_net *b = &before->net;

	for (uint32_t i = 0; i < b->n_addrs; i++) {
		if (before->learnt[i] && hears_routers(s, before, b->addrs[i].link)) {
			keep_addr(s, &b->addrs[i]);
		}
	}
	for (uint32_t i = 0; i < b->n_routes; i++) {
		const struct ap_route *r = &b->routes[i];

		if (route_is_learnt(before, r) && hears_routers(s, before, r->link)) {
			keep_route(s, r);
		}
	}
	net_scan_sort(s);
}
