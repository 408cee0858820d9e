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
	PRIO_NO_ADVERT,		       /* and about others */
	PRIO_SOLICIT,		       /* with an allow-list: looking for neighbours and routers */
	PRIO_IPV4,
	PRIO_ARP,
	PRIO_IPV6,
	PRIO_OTHER,
	PRIO_DROP,
};

/** struct build - filters in the making; those beyond NET_GUARD_MAX are counted only */
struct build {
	struct net_filter *v;
	unsigned n;
	const uint8_t *mac;
	const struct net_egress *egress;
	int to;
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

static void match_icmp6(struct net_filter *f, uint32_t type)
{
	key(f, 4, (uint32_t)IPPROTO_ICMPV6 << 8, 0x0000ff00u);
	key(f, 40, type << 24, 0xff000000u);
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

static void pass_ipv6(struct build *b, const uint8_t *addr)
{
	if (!b->egress) {
		(void)from_ipv6(b, PRIO_IPV6, addr);
		return;
	}
	match_icmp6(from_ipv6(b, PRIO_SOLICIT, addr), ND_NEIGHBOR_SOLICIT);
	match_icmp6(from_ipv6(b, PRIO_SOLICIT, addr), ND_ROUTER_SOLICIT);
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

static void pass_advert(struct build *b, const uint8_t *addr)
{
	struct net_filter *f = pass(b, PRIO_ADVERT, ETH_P_IPV6);

	match_icmp6(f, ND_NEIGHBOR_ADVERT);
	match_ipv6(f, 48, addr);
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

static void guard_ipv6(struct build *b, const struct ap_net *net, uint32_t slot)
{
	static const uint8_t none[16] = {0};

	if (count(net, slot, 6) == 0) {
		pass_ipv6(b, NULL);
		return;
	}
	pass_ipv6(b, none); /* duplicate detection, group reports */
	for (uint32_t i = 0; i < net->n_addrs; i++) {
		const struct ap_addr *a = &net->addrs[i];

		if (a->link == slot && a->family == 6) {
			pass_ipv6(b, a->addr);
			pass_advert(b, a->addr);
		}
	}
	match_icmp6(drop(b, PRIO_NO_ADVERT, ETH_P_IPV6), ND_NEIGHBOR_ADVERT);
}

int net_guard_build(const struct ap_net *net, uint32_t link, const struct net_egress *egress,
		    int to, struct net_filter *out)
{
	struct build b = {.v = out, .mac = net->links[link].mac, .egress = egress, .to = to};
	uint32_t slot = net->links[link].slot;

	if (!egress && count(net, slot, 4) + count(net, slot, 6) == 0) {
		(void)pass(&b, PRIO_OTHER, ETH_P_ALL);
	} else {
		guard_ipv4(&b, net, slot);
		guard_ipv6(&b, net, slot);
	}
	key(drop(&b, PRIO_DROP, ETH_P_ALL), 0, 0, 0);
	return b.n <= NET_GUARD_MAX ? (int)b.n : -E2BIG;
}
