/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_netlink.c - what the kernel says of a network namespace
 *
 * The input is a series of messages: kind, length, what follows the header. libnl makes
 * objects of links, addresses, routes, neighbours and rules, which are compiled for the
 * guest; messages about filters are read by our own code. Properties: nothing beyond the limits
 * of the agent's protocol comes out, and what comes out survives being encoded, decoded and
 * made into filters.
 */
#include "fuzz.h"

#include <errno.h>
#include <linux/rtnetlink.h>

#include <netlink/cache.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/object.h>

#include "net_count.h"
#include "net_guard.h"
#include "net_rule.h"
#include "net_scan.h"
#include "tests/c/nl_build.h"

static const uint16_t kinds[] = {RTM_NEWTFILTER, RTM_NEWLINK,  RTM_NEWADDR,
				 RTM_NEWROUTE,	 RTM_NEWNEIGH, RTM_NEWRULE};
#define N_KINDS ((unsigned)(sizeof(kinds) / sizeof(kinds[0])))

static struct {
	unsigned links, addrs, routes, neighs, rules, too_many, counted;
} seen;

static void take(struct nl_object *o, void *ctx)
{
	int rc = net_scan_object(ctx, o);

	fuzz_must(rc == 0 || rc == -E2BIG, "what doesn't fit is refused");
	seen.too_many += rc != 0;
}

/*
 * libnl 3.7 goes round forever over next hops that say they have no length, and beyond the end after one
 * whose padding lies there. The kernel sends no such thing, and what it is fed here is to be about our code.
 */
static bool libnl_can_take(struct nl_msg *m)
{
	struct nlattr *tb[RTA_MAX + 1];
	const struct rtnexthop *hop;
	int left;

	if (nlmsg_hdr(m)->nlmsg_type != RTM_NEWROUTE ||
	    nlmsg_parse(nlmsg_hdr(m), sizeof(struct rtmsg), tb, RTA_MAX, NULL) < 0 ||
	    !tb[RTA_MULTIPATH]) {
		return true;
	}
	hop = nla_data(tb[RTA_MULTIPATH]);
	left = nla_len(tb[RTA_MULTIPATH]);
	while (left >= (int)sizeof(*hop) && left >= hop->rtnh_len) {
		if (hop->rtnh_len < sizeof(*hop) || (int)RTNH_ALIGN(hop->rtnh_len) > left) {
			return false;
		}
		left -= RTNH_ALIGN(hop->rtnh_len);
		hop = RTNH_NEXT(hop);
	}
	return true;
}

/* A message around @len bytes. */
static void hear(uint16_t type, const void *payload, size_t len, struct net_scan *s,
		 struct net_counts *c)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, 0);

	fuzz_must(m && nlmsg_append(m, (void *)(uintptr_t)payload, len, 0) == 0, "message");
	nlmsg_set_proto(m, NETLINK_ROUTE);
	if (type == RTM_NEWTFILTER) {
		net_count_filter(nlmsg_hdr(m), c);
	} else if (libnl_can_take(m) && (type != RTM_NEWRULE || net_rule_fits(nlmsg_hdr(m)))) {
		(void)nl_msg_parse(m, take, s); /* refuses what is malformed */
	}
	nlmsg_free(m);
}

static void check_scan(const struct net_scan *s)
{
	static uint8_t frame[AP_HEADER_LEN + AP_FRAME_MAX];
	static struct net_filter filters[NET_GUARD_MAX];
	static struct ap_net again;
	const struct ap_net *n = &s->net;
	long len;

	fuzz_must(n->n_links <= AP_MAX_LINKS && n->n_addrs <= AP_MAX_ADDRS &&
			  n->n_routes <= AP_MAX_ROUTES && n->n_neighs <= AP_MAX_NEIGHS &&
			  n->n_rules <= AP_MAX_RULES,
		  "limits");
	len = ap_encode_net(n, 3, frame, sizeof(frame));
	if (len > 0) {
		fuzz_must(ap_decode_net(frame + AP_HEADER_LEN, (size_t)len - AP_HEADER_LEN,
					&again) == 0,
			  "the agent understands what we send");
		fuzz_must(again.n_addrs == n->n_addrs && again.n_routes == n->n_routes,
			  "all of it");
	}
	for (uint32_t i = 0; i < n->n_links; i++) {
		int rc = net_guard_build(n, i, NULL, 7, filters);

		fuzz_must(rc == -E2BIG || (rc > 0 && filters[rc - 1].to == 0),
			  "the last one drops");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct net_scan s;
	static struct net_counts c;
	static uint8_t payload[4096];
	struct fuzz_in in = {data, size};

	s = (struct net_scan){.lo_ifindex = 1};
	memset(&c, 0, sizeof(c));
	while (in.len > 0) {
		uint16_t type = kinds[fuzz_u8(&in) % N_KINDS];
		size_t len = fuzz_uint(&in, 2) % (sizeof(payload) / 2);

		hear(type, payload, fuzz_bytes(&in, payload, len), &s, &c);
	}
	check_scan(&s);
	seen.links += s.net.n_links;
	seen.addrs += s.net.n_addrs;
	seen.routes += s.net.n_routes;
	seen.neighs += s.net.n_neighs;
	seen.rules += s.net.n_rules;
	seen.counted += c.allowed[0].packets + c.spoofed.packets > 0;
	fuzz_outcome(
		"links %u addrs %u routes %u neighs %u rules %u allowed %llu spoofed %llu to %d",
		s.net.n_links, s.net.n_addrs, s.net.n_routes, s.net.n_neighs, s.net.n_rules,
		(unsigned long long)c.allowed[0].packets, (unsigned long long)c.spoofed.packets,
		c.redirect_to);
	return 0;
}

#ifndef VOLT_LIBFUZZER
struct program {
	uint8_t bytes[16384];
	size_t len;
};

/* The payload of @m as a step of the input. */
static void add(struct program *p, struct nl_msg *m)
{
	struct nlmsghdr *h = nlmsg_hdr(m);
	size_t len = (size_t)nlmsg_datalen(h);
	uint8_t kind = 0;

	while (kinds[kind] != h->nlmsg_type) {
		kind++;
	}
	if (p->len + 3 + len <= sizeof(p->bytes)) {
		p->bytes[p->len++] = kind;
		p->bytes[p->len++] = (uint8_t)len;
		p->bytes[p->len++] = (uint8_t)(len >> 8);
		memcpy(p->bytes + p->len, nlmsg_data(h), len);
		p->len += len;
	}
	nlmsg_free(m);
}

static void add_link(struct program *p, int ifindex, const char *name)
{
	const struct ifinfomsg i = {
		.ifi_type = 1, .ifi_index = ifindex, .ifi_flags = 0x1043 /* up, running */};
	const uint8_t mac[6] = {2, [5] = 9};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWLINK, 0);

	nlmsg_append(m, (void *)(uintptr_t)&i, sizeof(i), NLMSG_ALIGNTO);
	nla_put_string(m, IFLA_IFNAME, name);
	nla_put(m, IFLA_ADDRESS, 6, mac);
	nla_put_u32(m, IFLA_MTU, 1500);
	add(p, m);
}

static void add_addr(struct program *p, int ifindex, uint8_t last)
{
	const struct ifaddrmsg a = {
		.ifa_family = 2, .ifa_prefixlen = 24, .ifa_index = (uint32_t)ifindex};
	const uint8_t ip[4] = {10, 9, 1, last};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWADDR, 0);

	nlmsg_append(m, (void *)(uintptr_t)&a, sizeof(a), NLMSG_ALIGNTO);
	nla_put(m, IFA_ADDRESS, 4, ip);
	nla_put(m, IFA_LOCAL, 4, ip);
	add(p, m);
}

static void add_route(struct program *p, int ifindex)
{
	const struct rtmsg r = {
		.rtm_family = 2, .rtm_table = 254, .rtm_protocol = 3, .rtm_type = 1};
	const uint8_t gw[4] = {10, 9, 1, 1};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWROUTE, 0);

	nlmsg_append(m, (void *)(uintptr_t)&r, sizeof(r), NLMSG_ALIGNTO);
	nla_put(m, RTA_GATEWAY, 4, gw);
	nla_put_u32(m, RTA_OIF, (uint32_t)ifindex);
	add(p, m);
}

static void add_neigh(struct program *p, int ifindex)
{
	const struct ndmsg n = {.ndm_family = 2, .ndm_ifindex = ifindex, .ndm_state = 0x80};
	const uint8_t ip[4] = {10, 9, 1, 9}, mac[6] = {2, [5] = 7};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWNEIGH, 0);

	nlmsg_append(m, (void *)(uintptr_t)&n, sizeof(n), NLMSG_ALIGNTO);
	nla_put(m, NDA_DST, 4, ip);
	nla_put(m, NDA_LLADDR, 6, mac);
	add(p, m);
}

static void add_rule(struct program *p)
{
	const struct rtmsg r = {
		.rtm_family = 2, .rtm_src_len = 24, .rtm_table = 100, .rtm_type = 1};
	const uint8_t src[4] = {10, 9, 1, 0};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWRULE, 0);

	nlmsg_append(m, (void *)(uintptr_t)&r, sizeof(r), NLMSG_ALIGNTO);
	nla_put_u32(m, 6 /* FRA_PRIORITY */, 500);
	nla_put(m, 2 /* FRA_SRC */, 4, src);
	add(p, m);
}

static void add_filter(struct program *p, uint32_t label)
{
	const struct nlb_filter f = {.prio = NET_TC_PRIO,
				     .kind = "u32",
				     .class_id = label ? 0x564f0000u | label : 0,
				     .action = "mirred",
				     .to = 5,
				     .stats_len = 16,
				     .bytes = 1000,
				     .packets = 10};

	add(p, nlb_filter(&f));
}

static void write_file(const char *name, const struct program *p)
{
	const char *dir = getenv("FUZZ_NETLINK_WRITE");
	char path[512];
	FILE *f;

	if (!dir) {
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	fuzz_must(f && fwrite(p->bytes, 1, p->len, f) == p->len && fclose(f) == 0, "write");
}

static void make(struct program *p)
{
	p->len = 0;
	add_link(p, 2, "eth0");
	add_link(p, 3, "eth1");
	add_addr(p, 2, 2);
	add_addr(p, 3, 3);
	add_route(p, 2);
	add_neigh(p, 2);
	add_rule(p);
	write_file("namespace", p);
	add_filter(p, 1);
	add_filter(p, NET_LABEL_SPOOFED);
	add_filter(p, 0);
}

static bool smoke(void)
{
	static struct program good, p;

	make(&good);
	write_file("namespace-and-filters", &good);
	p.len = 0;
	for (int i = 0; i < 20; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "e%d", i);
		add_link(&p, 2 + i, name);
	}
	write_file("bad-too-many-links", &p);
	(void)LLVMFuzzerTestOneInput(p.bytes, p.len);
	for (int i = 0; i < 5000; i++) {
		p = good;
		for (uint32_t k = fuzz_random() % 4; k > 0; k--) {
			p.bytes[fuzz_random() % p.len] = (uint8_t)fuzz_random();
		}
		(void)LLVMFuzzerTestOneInput(p.bytes,
					     p.len - fuzz_random() % 2 * (fuzz_random() % p.len));
	}
	return seen.links > 1000 && seen.addrs > 1000 && seen.routes > 1000 && seen.neighs > 1000 &&
	       seen.rules > 1000 && seen.too_many > 0 && seen.counted > 1000;
}

static const struct fuzz_known known[] = {
	FUZZ_KNOWN("namespace",
		   "links 2 addrs 2 routes 1 neighs 1 rules 1 allowed 0 spoofed 0 to 0"),
	FUZZ_KNOWN("namespace-and-filters",
		   "links 2 addrs 2 routes 1 neighs 1 rules 1 allowed 10 spoofed 10 to 5"),
	FUZZ_KNOWN("bad-too-many-links",
		   "links 8 addrs 0 routes 0 neighs 0 rules 0 allowed 0 spoofed 0 to 0"),
};
#endif

FUZZ_MAIN("netlink", known, smoke)
