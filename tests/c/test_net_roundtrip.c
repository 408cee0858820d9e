/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net_roundtrip.c - a namespace's network, read, sent, and configured in another namespace
 *
 * The runtime's scanner, the protocol and the agent's configurator against the real kernel: what
 * the second namespace has in the end is what the first one had. Taps stand for all interfaces.
 */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netlink/netlink.h>

#include "guest-agent/netcfg.h"
#include "net_scan.h"
#include "net_tap.h"
#include "net_tc.h"

static const uint8_t mac_of[2][6] = {{2, 0, 0, 0, 0, 0x10}, {2, 0, 0, 0, 0, 0x11}};

struct fixture {
	bool can;
	int tap[2];
	struct net_scan a;
	struct net_scan b;
};

/* A tap called @name in the present namespace, with a fixed address. */
static int tap_make(const char *name, const uint8_t mac[6])
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd < 0 || s < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0) {
		print_message("no taps here: %s\n", strerror(errno));
		return -1;
	}
	ifr.ifr_hwaddr.sa_family = 1;
	memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
	assert_return_code(ioctl(s, SIOCSIFHWADDR, &ifr), errno);
	close(s);
	return fd;
}

static int namespace_make(struct fixture *f)
{
	if (unshare(CLONE_NEWNET) < 0) {
		print_message("no network namespaces here: %s\n", strerror(errno));
		return -1;
	}
	for (unsigned i = 0; i < 2; i++) {
		char name[8];

		snprintf(name, sizeof(name), "eth%u", i);
		f->tap[i] = tap_make(name, mac_of[i]);
		if (f->tap[i] < 0) {
			return -1;
		}
	}
	return 0;
}

static void scan(struct net_scan *s)
{
	struct vr_err err = VR_ERR_INIT;
	struct nl_sock *nl = nl_socket_alloc();

	assert_return_code(nl_connect(nl, NETLINK_ROUTE), errno);
	assert_no_error(net_scan_links(nl, s, &err), err);
	assert_no_error(net_scan_config(nl, s, &err), err);
	nl_socket_free(nl);
}

static void apply(const struct ap_net *net)
{
	static struct ap_net decoded;
	static uint8_t frame[AP_HEADER_LEN + AP_FRAME_MAX];
	struct fail f = {0};
	long n = ap_encode_net(net, 3, frame, sizeof(frame));

	assert_true(n > 0);
	assert_int_equal(ap_decode_net(frame + AP_HEADER_LEN, (size_t)n - AP_HEADER_LEN, &decoded),
			 0);
	if (netcfg_apply(&decoded, &f) < 0) {
		fail_msg("%s", f.text);
	}
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->can = namespace_make(f) == 0;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->tap[0]);
	close(f->tap[1]);
	free(f);
	return 0;
}

static void sh(const char *command)
{
	if (system(command) != 0) {
		fail_msg("failed: %s", command);
	}
}

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

static void test_round_trip(void **state)
{
	struct fixture *f = *state;
	int first[2];

	if (!f->can) {
		skip();
	}
	configure_as_an_engine_does();
	scan(&f->a);
	memcpy(first, f->tap, sizeof(first));
	assert_int_equal(namespace_make(f), 0);
	close(first[0]);
	close(first[1]);
	sh("ip link set lo up");
	apply(&f->a.net);
	scan(&f->b);
	assert_same(&f->a, &f->b);
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

static void refuse(struct ap_net *n, const char *reason)
{
	struct fail f = {0};

	assert_true(netcfg_apply(n, &f) < 0);
	assert_string_equal(f.stage, "network");
	if (!strstr(f.text, reason)) {
		fail_msg("'%s' lacks '%s'", f.text, reason);
	}
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
	memcpy(n.links[0].mac, mac_of[0], 6);
	n.n_routes = 1;
	n.routes[0] = (struct ap_route){.family = 4,
					.type = 1,
					.flags = AP_R_GATEWAY,
					.table = 254,
					.gateway = {10, 0, 0, 1}};
	refuse(&n, "add route to 0.0.0.0/0 over 'net7'");
	n.n_links = 3;
	refuse(&n, "find network device");
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
	assert_no_error(net_tap_open(&tap, 3, &err), err);
	assert_int_equal(tap.n_queues, 3);
	assert_string_equal(tap.name, "volt0");
	assert_int_equal(tap.ifindex, if_nametoindex("volt0"));
	nl = nl_socket_alloc();
	assert_return_code(nl_connect(nl, NETLINK_ROUTE), errno);
	assert_no_error(net_scan_links(nl, &f->a, &err), err);
	assert_int_equal(f->a.net.n_links, 2);
	assert_string_equal(f->a.taken, "volt0");
	net_tap_close(&tap);
	assert_no_error(net_scan_links(nl, &f->a, &err), err);
	assert_string_equal(f->a.taken, ""); /* it went with its descriptors */
	nl_socket_free(nl);
	assert_int_equal(net_tap_open(&tap, 0, &err), -EINVAL);
	net_tap_close(&tap);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_is_read),
		T(test_round_trip),
		T(test_names_move),
		T(test_what_is_wrong_is_named),
		T(test_a_tap_of_ours_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
