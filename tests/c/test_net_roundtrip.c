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

#include "base/checked.h"
#include "base/log.h"
#include "guest-agent/netcfg.h"
#include "net_learnt.h"
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

/* --- devices: taps, the ones that were made last */

static unsigned device[2]; /* interface index */
static unsigned plugged;
static unsigned n_bound;
static unsigned n_unbound;

int __wrap_netdev_find(uint32_t slot, char name[IF_NAMESIZE]);
int __wrap_netdev_bind(uint32_t slot);
int __wrap_netdev_unbind(uint32_t slot);

int __wrap_netdev_find(uint32_t slot, char name[IF_NAMESIZE])
{
	return slot < 2 && (plugged & 1u << slot) && if_indextoname(device[slot], name) ? 0
											: -ENODEV;
}

int __wrap_netdev_bind(uint32_t slot)
{
	n_bound++;
	plugged |= 1u << slot;
	return 0;
}

/* The interface ends with its driver. */
int __wrap_netdev_unbind(uint32_t slot)
{
	char name[IF_NAMESIZE];
	char command[64];

	n_unbound++;
	if (__wrap_netdev_find(slot, name) == 0) {
		snprintf(command, sizeof(command), "ip link del %s", name);
		assert_int_equal(system(command), 0);
	}
	plugged &= ~(1u << slot);
	return 0;
}

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
		device[i] = if_nametoindex(name);
	}
	return 0;
}

/* --- dumps during which something changes: how many more of them */

static unsigned n_interrupted;
static unsigned n_dumps;

int __real_nl_recvmsgs(struct nl_sock *nl, struct nl_cb *cb);
int __wrap_nl_recvmsgs(struct nl_sock *nl, struct nl_cb *cb);

int __wrap_nl_recvmsgs(struct nl_sock *nl, struct nl_cb *cb)
{
	int rc = __real_nl_recvmsgs(nl, cb);

	n_dumps++;
	if (rc >= 0 && n_interrupted > 0) {
		n_interrupted--;
		return -NLE_DUMP_INTR; /* after all of it, as libnl says it */
	}
	return rc;
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
	static const struct ap_net nothing;
	struct fixture *f = calloc(1, sizeof(*f));
	struct fail fail = {0};

	plugged = 0;
	assert_int_equal(netcfg_apply(&nothing, &fail), 0); /* as after the boot of a machine */
	f->can = namespace_make(f) == 0;
	plugged = 3;
	n_bound = n_unbound = n_interrupted = 0;
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
	int first[2];

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

/* --- a network that changes ------------------------------------------------------------------ */

static bool on_output(const char *command, const char *text)
{
	char buf[4096];
	FILE *p = popen(command, "r");
	size_t n = p ? fread(buf, 1, sizeof(buf) - 1, p) : 0;

	buf[n] = '\0';
	assert_non_null(p);
	(void)pclose(p);
	return strstr(buf, text) != NULL;
}

/* A second network comes, with routes through the first one's names and its own, and goes again. */
static void test_networks_come_and_go(void **state)
{
	static struct ap_net one, two;
	struct fixture *f = *state;

	if (!f->can) {
		skip();
	}
	one = (struct ap_net){.n_links = 1, .n_addrs = 1, .n_routes = 1};
	one.links[0] = (struct ap_link){.slot = 0, .name = "net0", .mtu = 1500, .flags = AP_L_UP};
	memcpy(one.links[0].mac, mac_of[0], 6);
	one.addrs[0] =
		(struct ap_addr){.link = 0, .family = 4, .prefix = 24, .addr = {10, 1, 0, 2}};
	one.routes[0] = (struct ap_route){.link = 0,
					  .family = 4,
					  .flags = AP_R_GATEWAY,
					  .type = 1,
					  .protocol = 3,
					  .table = 254,
					  .gateway = {10, 1, 0, 1}};
	two = one;
	two.n_links = 2;
	two.links[1] = (struct ap_link){.slot = 1, .name = "net1", .mtu = 1400, .flags = AP_L_UP};
	memcpy(two.links[1].mac, mac_of[1], 6);
	two.n_addrs = 2;
	two.addrs[1] =
		(struct ap_addr){.link = 1, .family = 4, .prefix = 24, .addr = {10, 2, 0, 2}};
	two.n_routes = 2;
	two.routes[1] = (struct ap_route){.link = 1,
					  .family = 4,
					  .flags = AP_R_GATEWAY,
					  .type = 1,
					  .protocol = 3,
					  .table = 254,
					  .prefix = 16,
					  .dst = {192, 168},
					  .gateway = {10, 2, 0, 1}};
	apply(&one);
	assert_int_equal(n_bound, 0);		/* it was there at boot */
	sh("ip addr add 10.9.0.1/24 dev net0"); /* the workload's own */
	plugged &= ~2u;
	apply(&two);
	assert_int_equal(n_bound, 1);
	assert_true(on_output("ip addr show net1", "10.2.0.2/24"));
	assert_true(on_output("ip route", "192.168.0.0/16 via 10.2.0.1 dev net1"));
	assert_true(on_output("ip link show net1", "mtu 1400"));
	/* The first one's address changes: the route that the kernel drops with it is back. */
	two.addrs[0].addr[3] = 7;
	apply(&two);
	assert_true(on_output("ip addr show net0", "10.1.0.7/24"));
	assert_false(on_output("ip addr show net0", "10.1.0.2/24"));
	assert_true(on_output("ip addr show net0", "10.9.0.1/24"));
	assert_true(on_output("ip route", "default via 10.1.0.1 dev net0"));
	/* A route alone. */
	two.n_routes = 1;
	apply(&two);
	assert_false(on_output("ip route", "192.168.0.0/16"));
	/* A name alone, while it is up. */
	two.links[1].name = "other";
	apply(&two);
	assert_true(on_output("ip addr show other", "10.2.0.2/24"));
	/* And it goes. */
	apply(&one);
	assert_int_equal(n_unbound, 1);
	assert_true(on_output("ip addr show net0", "10.1.0.2/24"));
	assert_int_equal(if_nametoindex("other"), 0);
}

/* What failed is made up for by the next one that works. */
static void test_a_failure_is_made_up_for(void **state)
{
	static struct ap_net n;
	struct fixture *f = *state;

	if (!f->can) {
		skip();
	}
	n = (struct ap_net){.n_links = 1, .n_addrs = 1, .n_routes = 1};
	n.links[0] = (struct ap_link){.slot = 0, .name = "net0", .mtu = 1500, .flags = AP_L_UP};
	memcpy(n.links[0].mac, mac_of[0], 6);
	n.addrs[0] = (struct ap_addr){.link = 0, .family = 4, .prefix = 24, .addr = {10, 1, 0, 2}};
	n.routes[0] = (struct ap_route){.link = 0,
					.family = 4,
					.flags = AP_R_GATEWAY,
					.type = 1,
					.protocol = 3,
					.table = 254,
					.gateway = {172, 16, 0, 1}};
	refuse(&n, "add route to 0.0.0.0/0");
	n.routes[0].gateway[0] = 10;
	n.routes[0].gateway[1] = 1;
	apply(&n);
	assert_true(on_output("ip route", "default via 10.1.0.1 dev net0"));
	assert_true(on_output("ip addr show net0", "10.1.0.2/24"));
}

/* One route that can't be had, or two, and all the others are there; the first one is named. */
static void test_one_bad_item_hides_no_other(void **state)
{
	static struct ap_net n;
	struct fixture *f = *state;

	if (!f->can) {
		skip();
	}
	n = (struct ap_net){.n_links = 1, .n_addrs = 1, .n_neighs = 1, .n_routes = 3, .n_rules = 1};
	n.links[0] = (struct ap_link){.slot = 0, .name = "net0", .mtu = 1500, .flags = AP_L_UP};
	memcpy(n.links[0].mac, mac_of[0], 6);
	n.addrs[0] = (struct ap_addr){.link = 0, .family = 4, .prefix = 24, .addr = {10, 1, 0, 2}};
	n.neighs[0] = (struct ap_neigh){.link = 0, .family = 4, .addr = {10, 1, 0, 9}, .mac = {2}};
	for (uint32_t i = 0; i < 3; i++) {
		n.routes[i] = (struct ap_route){.link = 0,
						.family = 4,
						.flags = AP_R_GATEWAY,
						.type = 1,
						.protocol = 3,
						.table = 254,
						.prefix = 24,
						.dst = {192, 168, (uint8_t)i},
						.gateway = {172, 16, 0, 1}};
	}
	memcpy(n.routes[2].gateway, (uint8_t[]){10, 1, 0, 1}, 4);
	n.rules[0] = (struct ap_rule){.family = 4,
				      .action = 1,
				      .priority = 500,
				      .table = 100,
				      .in_link = AP_LINK_NONE,
				      .out_link = AP_LINK_NONE};
	refuse(&n, "add route to 192.168.0.0/24 over 'net0'");
	assert_true(on_output("ip route", "192.168.2.0/24 via 10.1.0.1 dev net0"));
	assert_true(on_output("ip rule", "500:"));
	n.neighs[0].link = 7; /* there is none */
	refuse(&n, "add neighbour 10.1.0.9 on '?'");
}

/* The kernel knows a rule's interfaces by their names of when it was made. */
static void test_a_rule_follows_its_interfaces_name(void **state)
{
	static struct ap_net n;
	struct fixture *f = *state;

	if (!f->can) {
		skip();
	}
	n = (struct ap_net){.n_links = 2, .n_rules = 2};
	for (uint32_t i = 0; i < 2; i++) {
		n.links[i] = (struct ap_link){
			.slot = i, .name = i ? "net1" : "net0", .mtu = 1500, .flags = AP_L_UP};
		memcpy(n.links[i].mac, mac_of[i], 6);
		n.rules[i] = (struct ap_rule){.family = 4,
					      .action = 1,
					      .priority = 500 + i,
					      .table = 100,
					      .in_link = i ? AP_LINK_NONE : 0,
					      .out_link = i ? 1 : AP_LINK_LO};
	}
	apply(&n);
	assert_true(on_output("ip rule", "500:\tfrom all iif net0 oif lo lookup 100"));
	assert_true(on_output("ip rule", "501:\tfrom all oif net1 lookup 100"));
	n.links[0].name = "wan0";
	apply(&n);
	assert_true(on_output("ip rule", "500:\tfrom all iif wan0 oif lo lookup 100"));
	assert_false(on_output("ip rule", "net0"));
	assert_true(on_output("ip rule", "501:\tfrom all oif net1 lookup 100"));
	n.links[1].name = "wan1";
	apply(&n);
	assert_true(on_output("ip rule", "501:\tfrom all oif wan1 lookup 100"));
	assert_false(on_output("ip rule", "net1"));
}

/* The engine's word on router advertisements is followed both ways, and the workload's is left alone. */
static void test_router_advertisements_are_allowed_again(void **state)
{
	static const char *const file = "cat /proc/sys/net/ipv6/conf/net0/accept_ra";
	static struct ap_net n;
	struct fixture *f = *state;

	if (!f->can || access("/proc/sys/net/ipv6", F_OK) < 0) {
		skip();
	}
	n = (struct ap_net){.n_links = 1};
	n.links[0] = (struct ap_link){.slot = 0, .name = "net0", .mtu = 1500, .flags = AP_L_UP};
	memcpy(n.links[0].mac, mac_of[0], 6);
	apply(&n);
	assert_true(on_output(file, "1"));
	n.links[0].flags |= AP_L_NO_RA;
	apply(&n);
	assert_true(on_output(file, "0"));
	n.links[0].flags &= ~AP_L_NO_RA;
	apply(&n);
	assert_true(on_output(file, "1"));
	sh("echo 2 > /proc/sys/net/ipv6/conf/net0/accept_ra");
	n.links[0].txqlen = 77;
	apply(&n);
	assert_true(on_output(file, "2"));
}

/* A sysctl of the container, or its workload, turned it off: the engine's changes don't turn it on. */
static void test_ipv6_stays_off(void **state)
{
	static struct ap_net net;
	struct fixture *f = *state;

	if (!f->can) {
		skip();
	}
	net = (struct ap_net){.n_links = 1, .n_addrs = 2, .n_routes = 1};
	net.links[0] = (struct ap_link){.slot = 0, .name = "eth0", .mtu = 1500, .flags = AP_L_UP};
	memcpy(net.links[0].mac, mac_of[0], 6);
	net.addrs[0] = (struct ap_addr){.family = 4, .prefix = 24, .addr = {10, 1, 0, 2}};
	net.addrs[1] = (struct ap_addr){.family = 6, .prefix = 64, .addr = {0xfd, 1, [15] = 2}};
	net.routes[0] = (struct ap_route){.family = 6,
					  .flags = AP_R_GATEWAY,
					  .type = 1,
					  .protocol = 3,
					  .table = 254,
					  .gateway = {0xfd, 1, [15] = 1}};
	apply(&net);
	assert_true(on_output("ip addr show eth0", "fd01::2"));
	sh("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6");
	assert_false(on_output("ip addr show eth0", "inet6"));
	net.addrs[1].addr[15] = 3;
	net.addrs[0].addr[3] = 3;
	net.routes[0].priority = 7;
	apply(&net);
	net.links[0].mtu = 1400;
	apply(&net);
	assert_true(on_output("ip addr show eth0", "10.1.0.3/24"));
	assert_false(on_output("ip addr", "inet6"));
	/* What isn't IPv6's fault is one still. */
	net.n_addrs = 1;
	net.routes[0].family = 4;
	net.routes[0].gateway[0] = 11;
	refuse(&net, "add route");
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
		T(test_networks_come_and_go),
		T(test_a_failure_is_made_up_for),
		T(test_one_bad_item_hides_no_other),
		T(test_a_rule_follows_its_interfaces_name),
		T(test_router_advertisements_are_allowed_again),
		T(test_ipv6_stays_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
