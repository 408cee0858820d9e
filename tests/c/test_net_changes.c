/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net_changes.c - a network that changes while the guest has it: what the agent does to its own
 */
#include "net_roundtrip.h"

#include <netinet/in.h>

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
		T(test_networks_come_and_go),
		T(test_a_failure_is_made_up_for),
		T(test_one_bad_item_hides_no_other),
		T(test_a_rule_follows_its_interfaces_name),
		T(test_router_advertisements_are_allowed_again),
		T(test_ipv6_stays_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
