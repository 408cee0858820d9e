/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net_roundtrip.c - a namespace's network, read, sent, and configured in another namespace
 *
 * The runtime's scanner, the protocol and the agent's configurator against the real kernel: what
 * the second namespace has in the end is what the first one had. Taps stand for all interfaces.
 */
#include "net_roundtrip.h"

#include <linux/if_tun.h>
#include <netinet/in.h>

#include "base/checked.h"
#include "base/log.h"
#include "net_learnt.h"
#include "net_tap.h"
#include "net_tc.h"

static const struct ap_route *route_to(const struct net_scan *s, uint32_t family, uint8_t first,
				       uint32_t prefix)
{
	for (uint32_t i = 0; i < s->net.n_routes; i++) {
		const struct ap_route *r = &s->net.routes[i];

		if (r->family == family && r->dst[0] == first && r->prefix == prefix) {
			return r;
		}
	}
	return NULL;
}

static void configure_as_an_engine_does(void)
{
	sh("ip link set lo up && ip link set eth0 mtu 1400 txqueuelen 321 && ip link set eth0 up");
	sh("ip addr add 10.1.0.2/24 brd + dev eth0 && ip addr add 10.1.0.3/24 dev eth0");
	sh("ip addr add 10.2.0.1 peer 10.2.0.9/32 dev eth0 && ip addr add 10.99.0.1/32 dev lo");
	sh("ip addr add fd01::2/64 dev eth0 nodad");
	sh("ip addr add 10.3.0.2/20 dev eth0 && ip route del 10.3.0.0/20 dev eth0");
	sh("ip route add default via 10.1.0.1 metric 5");
	sh("ip route add 172.16.0.0/12 via 10.1.0.254 mtu 1300 advmss 1200");
	sh("ip route add 192.168.0.0/16 via 10.77.0.1 dev eth0 onlink src 10.1.0.3");
	sh("ip route add unreachable 203.0.113.0/24");
	sh("ip route add 198.51.100.0/24 dev eth0 table 1000");
	sh("ip -6 route add default via fd01::1");
	sh("ip -6 route add blackhole 2001:db8::/32");
	sh("ip neigh add 10.1.0.7 lladdr 02:00:00:00:00:77 dev eth0 nud permanent");
	sh("ip -6 neigh add fd01::7 lladdr 02:00:00:00:00:78 dev eth0 nud permanent");
	sh("ip rule add from 10.1.0.0/24 dev eth0 fwmark 0x10/0xf0 table 1000 priority 700");
	sh("ip -6 rule add to fd02::/16 table 1001 priority 701");
}

static void test_what_is_read(void **state)
{
	struct fixture *f = *state;
	const struct ap_net *n = &f->a.net;
	const struct ap_route *r;

	if (!f->can) {
		skip();
	}
	configure_as_an_engine_does();
	scan(&f->a);
	assert_int_equal(n->n_links, 2);
	assert_string_equal(n->links[0].name, "eth0");
	assert_memory_equal(n->links[0].mac, mac_of[0], 6);
	assert_int_equal(n->links[0].mtu, 1400);
	assert_int_equal(n->links[0].txqlen, 321);
	assert_true(n->links[0].flags & AP_L_UP);
	assert_false(n->links[1].flags & AP_L_UP);
	assert_int_equal(n->n_neighs, 2);
	assert_int_equal(n->n_rules, 2);
	r = route_to(&f->a, 4, 172, 12);
	assert_non_null(r);
	assert_int_equal(r->n_metrics, 8); /* advmss is the last that is set */
	assert_int_equal(r->metrics[1], 1300);
	assert_int_equal(r->metrics[7], 1200);
	r = route_to(&f->a, 4, 192, 16);
	assert_int_equal(r->flags, AP_R_GATEWAY | AP_R_PREFSRC | AP_R_ONLINK);
	r = route_to(&f->a, 4, 203, 24);
	assert_int_equal(r->link, AP_LINK_NONE);
	/* Gateways last, the default route at the very end. */
	for (uint32_t i = 1; i < n->n_routes; i++) {
		assert_true((n->routes[i - 1].flags & AP_R_GATEWAY) <=
			    (n->routes[i].flags & AP_R_GATEWAY));
	}
	for (uint32_t i = 0; i < n->n_addrs; i++) {
		assert_int_not_equal(n->addrs[i].addr[0], 127);
		if (n->addrs[i].family == 4 && n->addrs[i].prefix != 32) {
			assert_int_equal((n->addrs[i].flags & AP_A_NO_PREFIX_ROUTE) != 0,
					 n->addrs[i].prefix == 20);
		}
	}
}

/* What the log says of a scan, from WARN on. */
static void scan_with_log(struct net_scan *s, char *text, size_t cap)
{
	char path[] = "/tmp/volt-test-log-XXXXXX";
	struct vr_err err = VR_ERR_INIT;
	int fd = mkstemp(path);
	ssize_t n;

	assert_return_code(fd, errno);
	assert_no_error(vr_log_init(path, VR_LOG_TEXT, VR_LOG_WARN, &err), err);
	scan(s);
	assert_no_error(vr_log_init(NULL, VR_LOG_TEXT, VR_LOG_ERROR, &err), err);
	n = read(fd, text, cap - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fd);
	unlink(path);
}

/* A rule is carried over as it is, or not at all, which is said. */
static void test_rules_dont_become_others(void **state)
{
	static const struct {
		const char *rule;
		const char *warning; /* NULL: it is carried over */
	} t[] = {
		{"from 10.0.0.0/8 tos 0x10 fwmark 1 table 100", NULL},
		{"from all realms 3/4 table 100", NULL},
		{"from all goto 32766", NULL},
		{"not from 10.0.0.0/8 table 100", "is about all but what it names"},
		{"from all uidrange 5-6 table 100", "is about users"},
		{"from all table 100 suppress_prefixlength 0", "ignores some routes"},
		{"from all table 100 suppress_ifgroup 5", "of a kind that is unknown"},
		{"from all l3mdev", "is about VRFs"},
		{"from all ipproto tcp table 100", "is about ports or protocols"},
		{"from all sport 5 table 100", "is about ports or protocols"},
	};
	struct fixture *f = *state;
	char text[4096];

	if (!f->can) {
		skip();
	}
	for (size_t i = 0; i < VR_ARRAY_SIZE(t); i++) {
		char command[128];

		snprintf(command, sizeof(command), "ip rule add %s pref 500", t[i].rule);
		sh(command);
		scan_with_log(&f->a, text, sizeof(text));
		if ((f->a.net.n_rules == 1) != !t[i].warning ||
		    (t[i].warning ? !strstr(text, t[i].warning) : text[0] != '\0')) {
			fail_msg("'%s': %u rules, log: %s", t[i].rule, f->a.net.n_rules, text);
		}
		assert_true(!t[i].warning || strstr(text, "policy rule 500"));
		sh("ip rule del pref 500");
	}
}

static const struct ap_addr *addr6(const struct net_scan *s, uint8_t second)
{
	for (uint32_t i = 0; i < s->net.n_addrs; i++) {
		const struct ap_addr *a = &s->net.addrs[i];

		if (a->family == 6 && a->addr[0] == 0xfd && a->addr[1] == second) {
			return a;
		}
	}
	return NULL;
}

/* The namespace hears no router any more, and forgets; the guest, which does, is to keep it. */
static void test_what_routers_said_is_kept(void **state)
{
	struct fixture *f = *state;
	struct net_scan *a = &f->a;
	struct net_scan *b = &f->b;
	uint32_t n_addrs, n_routes;

	if (!f->can || access("/proc/sys/net/ipv6", F_OK) < 0) {
		skip();
	}
	sh("ip link set eth0 up && ip addr add fd01::2/64 dev eth0 nodad");
	sh("ip addr add fd02::2/64 dev eth0 nodad valid_lft 900 preferred_lft 900");
	sh("ip -6 route add default via fd02::1 proto ra");
	sh("ip -6 route add fd05::/64 via fd02::1");
	scan(a);
	n_addrs = a->net.n_addrs;
	n_routes = a->net.n_routes;
	scan(b);
	net_learnt_keep(b, a); /* nothing is missing yet */
	assert_int_equal(b->net.n_addrs, n_addrs);
	assert_int_equal(b->net.n_routes, n_routes);
	sh("ip addr del fd01::2/64 dev eth0 && ip addr del fd02::2/64 dev eth0");
	sh("ip -6 route del fd05::/64 && ip -6 route del default");
	scan(b);
	assert_null(addr6(b, 2));
	net_learnt_keep(b, a);
	assert_non_null(addr6(b, 2));
	assert_int_equal(addr6(b, 2)->flags & AP_A_NO_PREFIX_ROUTE, 0);
	assert_null(addr6(b, 1)); /* the engine took it away, and this route */
	assert_int_equal(b->net.n_addrs, n_addrs - 1);
	assert_int_equal(b->net.n_routes, n_routes - 2);
	assert_non_null(route_to(b, 6, 0xfd, 64));
	assert_int_equal(b->net.routes[b->net.n_routes - 1].protocol, 9 /* RTPROT_RA */);
	net_learnt_keep(a, b); /* and so it remains from scan to scan */
	scan(a);
	net_learnt_keep(a, b);
	assert_int_equal(a->net.n_routes, n_routes - 2);
	assert_non_null(addr6(a, 2));
	/* Where the guest hears none either, or it is another interface, the engine's word counts. */
	scan(b);
	b->net.links[0].flags |= AP_L_NO_RA;
	net_learnt_keep(b, a);
	assert_null(addr6(b, 2));
	b->net.links[0].flags &= ~AP_L_NO_RA;
	b->net.links[0].mac[5]++;
	net_learnt_keep(b, a);
	assert_null(addr6(b, 2));
}

/* Something changes during a dump, which is part of every day: it is made again, for some time. */
static void test_a_dump_that_is_interrupted_is_made_again(void **state)
{
	struct fixture *f = *state;
	struct vr_err err = VR_ERR_INIT;
	struct nl_sock *nl;

	if (!f->can) {
		skip();
	}
	sh("ip rule add from 10.0.0.0/8 table 100 pref 500");
	nl = nl_socket_alloc();
	assert_return_code(nl_connect(nl, NETLINK_ROUTE), errno);
	n_interrupted = 3;
	assert_no_error(net_scan_links(nl, &f->a, &err), err);
	assert_int_equal(f->a.net.n_links, 2);
	assert_int_equal(n_interrupted, 0);
	assert_no_error(net_scan_config(nl, &f->a, &err), err);
	assert_int_equal(f->a.net.n_rules, 1);
	n_dumps = 0;
	n_interrupted = UINT32_MAX;
	assert_int_equal(net_scan_links(nl, &f->a, &err), -EINTR);
	assert_in_range(n_dumps, 2, 100);
	n_interrupted = 0;
	nl_socket_free(nl);
}

/* Links by number, but for names; so two scans compare as they are. */
static void assert_same(const struct net_scan *a, const struct net_scan *b)
{
	assert_int_equal(a->net.n_links, b->net.n_links);
	for (uint32_t i = 0; i < a->net.n_links; i++) {
		const struct ap_link *x = &a->net.links[i];
		const struct ap_link *y = &b->net.links[i];

		assert_string_equal(x->name, y->name);
		assert_memory_equal(x->mac, y->mac, 6);
		assert_int_equal(x->mtu, y->mtu);
		assert_int_equal(x->txqlen, y->txqlen);
		assert_int_equal(x->flags, y->flags);
	}
	assert_int_equal(a->net.n_addrs, b->net.n_addrs);
	assert_memory_equal(a->net.addrs, b->net.addrs, a->net.n_addrs * sizeof(struct ap_addr));
	assert_int_equal(a->net.n_routes, b->net.n_routes);
	for (uint32_t i = 0; i < a->net.n_routes; i++) {
		bool found = false;

		for (uint32_t k = 0; k < b->net.n_routes; k++) {
			found |= memcmp(&a->net.routes[i], &b->net.routes[k],
					sizeof(struct ap_route)) == 0;
		}
		assert_true(found);
	}
	assert_int_equal(a->net.n_neighs, b->net.n_neighs);
	assert_int_equal(a->net.n_rules, b->net.n_rules);
	for (uint32_t i = 0; i < a->net.n_rules; i++) {
		assert_memory_equal(&a->net.rules[i], &b->net.rules[i], sizeof(struct ap_rule));
	}
}

/* What @f->a has, the agent makes in a namespace of its own. */
static void assert_comes_out_the_same(struct fixture *f)
{
	int first[2];

	memcpy(first, f->tap, sizeof(first));
	assert_int_equal(namespace_make(f), 0);
	close(first[0]);
	close(first[1]);
	sh("ip link set lo up");
	apply(&f->a.net);
	scan(&f->b);
	assert_same(&f->a, &f->b);
}

static void test_round_trip(void **state)
{
	struct fixture *f = *state;

	if (!f->can) {
		skip();
	}
	configure_as_an_engine_does();
	scan(&f->a);
	assert_comes_out_the_same(f);
}

static unsigned routes_to(const struct net_scan *s, uint32_t family, uint8_t first, uint32_t link)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < s->net.n_routes; i++) {
		const struct ap_route *r = &s->net.routes[i];

		n += r->family == family && r->dst[0] == first && r->link == link;
	}
	return n;
}

/* Each interface has its own way to the link's addresses; none of them hides another's. */
static void test_one_destination_by_two_interfaces(void **state)
{
	struct fixture *f = *state;

	if (!f->can) {
		skip();
	}
	sh("ip link set lo up && ip link set eth0 up && ip link set eth1 up");
	sh("ip addr add 10.1.0.2/24 dev eth0 && ip addr add 10.1.1.2/24 dev eth1");
	sh("ip route add 192.0.2.0/24 dev eth0 metric 9");
	sh("ip route append 192.0.2.0/24 dev eth1 metric 9");
	sh("ip -6 route add fd02::/64 dev eth0 && ip -6 route append fd02::/64 dev eth1");
	scan(&f->a);
	for (uint32_t link = 0; link < 2; link++) {
		assert_int_equal(routes_to(&f->a, 6, 0xfe, link), 1);
		assert_int_equal(routes_to(&f->a, 6, 0xfd, link), 1);
		assert_int_equal(routes_to(&f->a, 4, 192, link), 1);
	}
	for (uint32_t i = 0; i < f->a.net.n_addrs; i++) {
		assert_false(f->a.net.addrs[i].flags & AP_A_NO_PREFIX_ROUTE);
	}
	assert_comes_out_the_same(f);
}

/* Names that are swapped: each new one is taken at first. */
static void test_names_move(void **state)
{
	struct fixture *f = *state;
	struct ap_net *n = &f->a.net;
	char name[2][IF_NAMESIZE];

	if (!f->can) {
		skip();
	}
	scan(&f->a);
	n->links[0].name = "eth1";
	n->links[1].name = "eth0";
	n->n_routes = n->n_addrs = n->n_rules = 0;
	memset(name, 0, sizeof(name));
	apply(n);
	scan(&f->b);
	assert_memory_equal(f->b.net.links[0].mac, mac_of[0], 6);
	assert_string_equal(f->b.net.links[0].name, "eth1");
	assert_string_equal(f->b.net.links[1].name, "eth0");
}

static void test_what_is_wrong_is_named(void **state)
{
	static struct ap_net n;
	struct fixture *f = *state;

	if (!f->can) {
		skip();
	}
	n = (struct ap_net){.n_links = 1};
	n.links[0] = (struct ap_link){.name = "net7", .mtu = 1500, .flags = AP_L_UP};
	refuse(&n, "network device 0 is not 'net7'");
	memcpy(n.links[0].mac, mac_of[1], 6);
	n.links[0].slot = 1;
	n.n_routes = 1;
	n.routes[0] = (struct ap_route){.link = 1,
					.family = 4,
					.type = 1,
					.flags = AP_R_GATEWAY,
					.table = 254,
					.gateway = {10, 0, 0, 1}};
	refuse(&n, "add route to 0.0.0.0/0 over 'net7'");
	n.n_links = 2;
	n.links[1] = (struct ap_link){.slot = 2, .name = "net8", .mtu = 1500};
	refuse(&n, "find network device 2");
}

/* A VM's tap in the namespace is no interface of the container. */
static void test_a_tap_of_ours_is_seen(void **state)
{
	struct fixture *f = *state;
	struct vr_err err = VR_ERR_INIT;
	struct net_tap tap;
	struct nl_sock *nl;

	if (!f->can) {
		skip();
	}
	nl = nl_socket_alloc();
	assert_return_code(nl_connect(nl, NETLINK_ROUTE), errno);
	assert_no_error(net_tap_open(&tap, nl, 3, &err), err);
	assert_int_equal(tap.n_queues, 3);
	assert_string_equal(tap.name, "volt0");
	assert_int_equal(tap.ifindex, if_nametoindex("volt0"));
	assert_no_error(net_scan_links(nl, &f->a, &err), err);
	assert_int_equal(f->a.net.n_links, 2);
	assert_string_equal(f->a.taken, "volt0");
	net_tap_close(&tap);
	assert_no_error(net_scan_links(nl, &f->a, &err), err);
	assert_string_equal(f->a.taken, ""); /* it went with its descriptors */
	assert_int_equal(net_tap_open(&tap, nl, 0, &err), -EINVAL);
	net_tap_close(&tap);
	nl_socket_free(nl);
}

/* Descriptors whose tap was removed make another one. */
static void test_descriptors_make_a_tap_again(void **state)
{
	struct fixture *f = *state;
	struct vr_err err = VR_ERR_INIT;
	struct net_tap tap, again;
	struct nl_sock *nl = nl_socket_alloc();
	unsigned was;

	if (!f->can) {
		nl_socket_free(nl);
		skip();
	}
	assert_return_code(nl_connect(nl, NETLINK_ROUTE), errno);
	assert_no_error(net_tap_open(&tap, nl, 2, &err), err);
	was = if_nametoindex(tap.name);
	net_tap_remove(&tap, nl);
	assert_int_equal(if_nametoindex(tap.name), 0);
	assert_no_error(net_tap_make(&again, nl, tap.fd, 2, &err), err);
	assert_int_not_equal(again.ifindex, was);
	assert_int_equal(again.ifindex, if_nametoindex(again.name));
	net_tap_remove(&again, nl);
	net_tap_remove(&again, nl); /* gone already: fine */
	net_tap_close(&again);
	nl_socket_free(nl);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_is_read),
		T(test_rules_dont_become_others),
		T(test_a_dump_that_is_interrupted_is_made_again),
		T(test_what_routers_said_is_kept),
		T(test_round_trip),
		T(test_one_destination_by_two_interfaces),
		T(test_names_move),
		T(test_what_is_wrong_is_named),
		T(test_a_tap_of_ours_is_seen),
		T(test_descriptors_make_a_tap_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
