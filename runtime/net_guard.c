/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_guard.c - which frames of a guest leave its tap; see net_guard.h
 *
 * Offsets count from the network header; the Ethernet header lies before it, its
 * source address at -8. ARP for IPv4 over Ethernet: sender MAC at 8, sender
 * address at 14. IPv4: source at 12, destination at 16. IPv6: next header at 6, source
 * at 8, destination at 24; what follows begins at 20 and 40, ports with the source's,
 * ICMPv6 with its type, and an advertisement has its target at 48.
 */
#include "net_guard.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>

/* In this order; a priority has one protocol. */
enum {
	PRIO_ADVERT = NET_TC_PRIO + 1, /* neighbour advertisements about ourselves */
	PRIO_NO_ADVERT,		       /* and about others, or where they can't be seen */
	PRIO_SOLICIT,		       /* with an allow-list: looking for neighbours and routers */
	PRIO_IPV4,
	PRIO_ARP,
	PRIO_IPV6,
	PRIO_NO_IPV6, /* of other addresses, where any other protocol may leave */
	PRIO_OTHER,
	PRIO_DROP,
};

#define NEAR_MAX (2u + AP_MAX_ADDRS)

/**
 * struct build - filters in the making; those beyond NET_GUARD_MAX are counted only
 * @near: where a search for neighbours, and the answer to one, may go
 */
struct build {
	struct net_filter *v;
	unsigned n;
	const uint8_t *mac;
	const struct net_egress *egress;
	int to;
	unsigned n_near;
	struct net_dest near[NEAR_MAX];
	struct net_filter spill;
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void key(struct net_filter *f, int off, uint32_t value, uint32_t mask)
{
	f->key[f->n_keys++] = (struct net_key){.off = off, .value = value, .mask = mask};
}

/* What every frame has, one without a payload, too: a key beyond the end matches nothing. */
static void match_all(struct net_filter *f)
{
	key(f, -4, 0, 0);
}

static struct net_filter *next(struct build *b)
{
	unsigned n = b->n++;

	return n < NET_GUARD_MAX ? &b->v[n] : &b->spill;
}

/* A filter that lets pass what has our MAC and whatever else is added to it. */
static struct net_filter *pass(struct build *b, uint16_t prio, uint16_t proto)
{
	struct net_filter *f = next(b);

	*f = (struct net_filter){
		.prio = prio, .proto = proto, .to = b->to, .label = NET_LABEL_PASSED};
	key(f, -8, be32(b->mac), 0xffffffffu);
	key(f, -4, (uint32_t)b->mac[4] << 24 | (uint32_t)b->mac[5] << 16, 0xffff0000u);
	return f;
}

static struct net_filter *drop(struct build *b, uint16_t prio, uint16_t proto)
{
	struct net_filter *f = next(b);

	*f = (struct net_filter){.prio = prio, .proto = proto, .label = NET_LABEL_SPOOFED};
	return f;
}

/* What the allow-list didn't let pass is the guest's own still: not to be taken for spoofed. */
static void refuse(struct net_filter *own)
{
	own->to = 0;
	own->label = NET_LABEL_REFUSED;
}

/* @addr NULL: any sender address, but our MAC in the message, too. */
static void pass_arp(struct build *b, const uint8_t *addr)
{
	struct net_filter *f = pass(b, PRIO_ARP, ETH_P_ARP);
	uint32_t mac_low = (uint32_t)b->mac[4] << 24 | (uint32_t)b->mac[5] << 16;

	key(f, 8, be32(b->mac), 0xffffffffu);
	if (!addr) {
		key(f, 12, mac_low, 0xffff0000u);
		return;
	}
	key(f, 12, mac_low | (uint32_t)addr[0] << 8 | addr[1], 0xffffffffu);
	key(f, 16, (uint32_t)addr[2] << 24 | (uint32_t)addr[3] << 16, 0xffff0000u);
}

/* The bits of a prefix in 32-bit word number @i of an address. */
static uint32_t prefix_mask(uint32_t prefix, unsigned i)
{
	uint32_t bits = prefix > i * 32 ? prefix - i * 32 : 0;

	return bits >= 32 ? 0xffffffffu : ~(0xffffffffu >> bits);
}

static void match_dest(struct net_filter *f, int off, const struct net_dest *d)
{
	for (unsigned i = 0; i < (d->family == 4 ? 1u : 4u); i++) {
		uint32_t mask = prefix_mask(d->prefix, i);

		if (mask != 0) {
			key(f, off + (int)i * 4, be32(d->addr + i * 4) & mask, mask);
		}
	}
}

static struct net_filter *from_ipv4(struct build *b, const uint8_t *addr)
{
	struct net_filter *f = pass(b, PRIO_IPV4, ETH_P_IP);

	if (addr) {
		key(f, 12, be32(addr), 0xffffffffu);
	}
	return f;
}

/* @proto 0: any protocol and port */
static void pass_ipv4_to(struct build *b, const uint8_t *addr, const struct net_dest *d,
			 uint32_t proto)
{
	struct net_filter *f = from_ipv4(b, addr);

	f->label = d->entry;
	match_dest(f, 16, d);
	if (proto != 0) {
		key(f, 0, 0x05000000u, 0x0f000000u); /* a header without options */
		key(f, 4, 0, 0x00001fffu);	     /* no later fragment */
		key(f, 8, proto << 16, 0x00ff0000u);
		key(f, 20, d->port, 0x0000ffffu);
	}
}

static void pass_ipv4(struct build *b, const uint8_t *addr)
{
	if (!b->egress) {
		(void)from_ipv4(b, addr);
		return;
	}
	for (unsigned i = 0; i < b->egress->n; i++) {
		const struct net_dest *d = &b->egress->v[i];

		if (d->family == 4 && d->port == 0) {
			pass_ipv4_to(b, addr, d, 0);
		} else if (d->family == 4) {
			pass_ipv4_to(b, addr, d, IPPROTO_TCP);
			pass_ipv4_to(b, addr, d, IPPROTO_UDP);
		}
	}
	refuse(from_ipv4(b, addr));
}

static void match_ipv6(struct net_filter *f, int off, const uint8_t *addr)
{
	for (int i = 0; i < 4; i++) {
		key(f, off + i * 4, be32(addr + i * 4), 0xffffffffu);
	}
}

static void match_next_header(struct net_filter *f, uint32_t next_header)
{
	key(f, 4, next_header << 8, 0x0000ff00u);
}

static struct net_filter *from_ipv6(struct build *b, uint16_t prio, const uint8_t *addr)
{
	struct net_filter *f = pass(b, prio, ETH_P_IPV6);

	if (addr) {
		match_ipv6(f, 8, addr);
	}
	return f;
}

/* @proto 0: any protocol and port */
static void pass_ipv6_to(struct build *b, const uint8_t *addr, const struct net_dest *d,
			 uint32_t proto)
{
	struct net_filter *f = from_ipv6(b, PRIO_IPV6, addr);

	f->label = d->entry;
	match_dest(f, 24, d);
	if (proto != 0) {
		key(f, 4, proto << 8, 0x0000ff00u);
		key(f, 40, d->port, 0x0000ffffu);
	}
}

/* Types of ICMPv6, compared where the mask has ones. */
struct icmp6 {
	uint32_t type;
	uint32_t mask;
};

static const struct icmp6 advert = {ND_NEIGHBOR_ADVERT, 0xff};
/* Of neighbours and of routers: 135 and 133. */
static const struct icmp6 solicit = {ND_ROUTER_SOLICIT,
				     0xff & ~(ND_ROUTER_SOLICIT ^ ND_NEIGHBOR_SOLICIT)};

/*
 * What finds neighbours is for those on the link: to anywhere else it would be a way around the
 * allow-list. None is longer than 255 bytes. @target: NULL for any
 */
static void pass_near(struct build *b, uint16_t prio, const uint8_t *src, struct icmp6 what,
		      const uint8_t *target)
{
	for (unsigned i = 0; i < b->n_near; i++) {
		struct net_filter *f = from_ipv6(b, prio, src);

		key(f, 4, (uint32_t)IPPROTO_ICMPV6 << 8, 0xff00ff00u);
		key(f, 40, what.type << 24, what.mask << 24);
		match_dest(f, 24, &b->near[i]);
		if (target) {
			match_ipv6(f, 48, target);
		}
	}
}

static void pass_ipv6(struct build *b, const uint8_t *addr)
{
	if (!b->egress) {
		(void)from_ipv6(b, PRIO_IPV6, addr);
		return;
	}
	pass_near(b, PRIO_SOLICIT, addr, solicit, NULL);
	for (unsigned i = 0; i < b->egress->n; i++) {
		const struct net_dest *d = &b->egress->v[i];

		if (d->family == 6 && d->port == 0) {
			pass_ipv6_to(b, addr, d, 0);
		} else if (d->family == 6) {
			pass_ipv6_to(b, addr, d, IPPROTO_TCP);
			pass_ipv6_to(b, addr, d, IPPROTO_UDP);
		}
	}
	refuse(from_ipv6(b, PRIO_IPV6, addr));
}

/*
 * Linux advertises an address from that address. With any of the link's as the source there would
 * be as many filters as there are pairs.
 */
static void pass_advert(struct build *b, const uint8_t *addr)
{
	pass_near(b, PRIO_ADVERT, addr, advert, addr);
}

/* Packets whose extension header @outer is followed by @inner. */
static struct net_filter *drop_behind(struct build *b, uint32_t outer, uint32_t inner)
{
	struct net_filter *f = drop(b, PRIO_NO_ADVERT, ETH_P_IPV6);

	match_next_header(f, outer);
	key(f, 40, inner << 24, 0xff000000u);
	return f;
}

/*
 * Behind @outer, eight bytes long, an advertisement is where it can be seen; behind a further header
 * it might be anywhere.
 */
static void drop_adverts_behind(struct build *b, uint32_t outer)
{
	static const uint8_t further[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT,
					  IPPROTO_DSTOPTS, IPPROTO_MH};
	struct net_filter *f;

	for (unsigned i = 0; i < sizeof(further); i++) {
		(void)drop_behind(b, outer, further[i]);
	}
	f = drop_behind(b, outer, IPPROTO_ICMPV6);
	if (outer == IPPROTO_FRAGMENT) {
		f->key[f->n_keys - 1].mask |= 0x0000fff8u; /* the first one */
	}
	key(f, 48, (uint32_t)ND_NEIGHBOR_ADVERT << 24, 0xff000000u);
}

/*
 * All other advertisements, and what may hide one. Group reports have a hop-by-hop header of eight
 * bytes; behind a longer one no ICMPv6 leaves. Of fragments the first has the type, if no header is
 * before it; most neighbours take none in fragments anyway (RFC 6980).
 */
static void drop_adverts(struct build *b)
{
	static const uint8_t never[] = {IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_MH};
	struct net_filter *f = drop(b, PRIO_NO_ADVERT, ETH_P_IPV6);

	match_next_header(f, IPPROTO_ICMPV6);
	key(f, 40, (uint32_t)ND_NEIGHBOR_ADVERT << 24, 0xff000000u);
	for (unsigned i = 0; i < sizeof(never); i++) {
		match_next_header(drop(b, PRIO_NO_ADVERT, ETH_P_IPV6), never[i]);
	}
	for (uint32_t bit = 0x00010000u; bit <= 0x00800000u; bit <<= 1) {
		f = drop_behind(b, IPPROTO_HOPOPTS, IPPROTO_ICMPV6);
		f->key[f->n_keys - 1].value |= bit; /* the header's length isn't 0 */
		f->key[f->n_keys - 1].mask |= bit;
	}
	drop_adverts_behind(b, IPPROTO_HOPOPTS);
	drop_adverts_behind(b, IPPROTO_FRAGMENT);
}

static bool is_link_local(const uint8_t *addr)
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

/* How many addresses of a family count: link-local ones alone wait for a router's. */
static unsigned count(const struct ap_net *net, uint32_t slot, uint32_t family)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < net->n_addrs; i++) {
		const struct ap_addr *a = &net->addrs[i];

		n += a->link == slot && a->family == family &&
		     !(family == 6 && is_link_local(a->addr));
	}
	return n;
}

static void guard_ipv4(struct build *b, const struct ap_net *net, uint32_t slot)
{
	static const uint8_t none[4] = {0};

	if (count(net, slot, 4) == 0) {
		pass_ipv4(b, NULL);
		pass_arp(b, NULL);
		return;
	}
	pass_arp(b, none); /* probes */
	for (uint32_t i = 0; i < net->n_addrs; i++) {
		const struct ap_addr *a = &net->addrs[i];

		if (a->link == slot && a->family == 4) {
			pass_ipv4(b, a->addr);
			pass_arp(b, a->addr);
		}
	}
}

/* May the guest have IPv6 addresses that only a router gave it? */
static bool is_open(const struct ap_net *net, const struct ap_link *l)
{
	return !(l->flags & (AP_L_NO_IPV6 | AP_L_NO_RA)) && count(net, l->slot, 6) == 0;
}

static void guard_ipv6(struct build *b, const struct ap_net *net, const struct ap_link *l)
{
	static const uint8_t none[16] = {0};

	if (l->flags & AP_L_NO_IPV6) {
		return;
	}
	if (is_open(net, l)) {
		pass_ipv6(b, NULL);
		return;
	}
	pass_ipv6(b, none); /* duplicate detection, group reports */
	for (uint32_t i = 0; i < net->n_addrs; i++) {
		const struct ap_addr *a = &net->addrs[i];

		if (a->link == l->slot && a->family == 6) {
			pass_ipv6(b, a->addr);
			pass_advert(b, a->addr);
		}
	}
	drop_adverts(b);
}

/* No address that counts: the MAC does, and IPv6 addresses where a router gives none. */
static void guard_mac(struct build *b, const struct ap_net *net, const struct ap_link *l)
{
	if (!is_open(net, l)) {
		guard_ipv6(b, net, l);
		match_all(drop(b, PRIO_NO_IPV6, ETH_P_IPV6));
	}
	(void)pass(b, PRIO_OTHER, ETH_P_ALL);
}

static bool covers(const struct net_dest *d, const uint8_t *addr)
{
	for (unsigned i = 0; i < 4; i++) {
		if ((be32(d->addr + i * 4) ^ be32(addr + i * 4)) & prefix_mask(d->prefix, i)) {
			return false;
		}
	}
	return true;
}

/* Unless it is in one that is there already. */
static void add_near(struct build *b, const uint8_t *addr, uint32_t prefix)
{
	struct net_dest *d = &b->near[b->n_near];

	for (unsigned i = 0; i < b->n_near; i++) {
		if (b->near[i].prefix <= prefix && covers(&b->near[i], addr)) {
			return;
		}
	}
	*d = (struct net_dest){.family = 6, .prefix = prefix};
	memcpy(d->addr, addr, sizeof(d->addr));
	b->n_near++;
}

static void find_near(struct build *b, const struct ap_net *net, uint32_t slot)
{
	static const uint8_t group[16] = {0xff, 0x02};
	static const uint8_t link_local[16] = {0xfe, 0x80};

	if (!b->egress) {
		add_near(b, group, 0); /* anywhere */
		return;
	}
	add_near(b, group, 16);
	add_near(b, link_local, 10);
	for (uint32_t i = 0; i < net->n_addrs; i++) {
		const struct ap_addr *a = &net->addrs[i];

		if (a->link == slot && a->family == 6) {
			add_near(b, a->flags & AP_A_PEER ? a->peer : a->addr, a->prefix);
		}
	}
}

int net_guard_build(const struct ap_net *net, uint32_t link, const struct net_egress *egress,
		    int to, struct net_filter *out)
{
	const struct ap_link *l = &net->links[link];
	struct build b = {.v = out, .mac = l->mac, .egress = egress, .to = to};

	find_near(&b, net, l->slot);
	if (!egress && count(net, l->slot, 4) + count(net, l->slot, 6) == 0) {
		guard_mac(&b, net, l);
	} else {
		guard_ipv4(&b, net, l->slot);
		guard_ipv6(&b, net, l);
	}
	match_all(drop(&b, PRIO_DROP, ETH_P_ALL));
	return b.n <= NET_GUARD_MAX ? (int)b.n : -E2BIG;
}
