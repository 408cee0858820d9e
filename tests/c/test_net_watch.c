/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net_watch.c - a network namespace that changes under a VM
 *
 * With the real kernel: veth pairs come and go, and what is looked at is what the kernel has then.
 */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "net_watch.h"

#define VCPUS 3u

struct fixture {
	int home;
	bool can;
	struct net_plan plan;
	struct net_watch *watch;
	struct net_change change;
};

static int here(void)
{
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static bool sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static bool sh(const char *fmt, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return system(command) == 0;
}

static int far_ns = -1; /* where the other ends are; inherited by commands */

/* A veth pair as an engine makes one: its near end is the container's. */
static void pair_make(unsigned n)
{
	assert_true(sh("ip link add dev in%u type veth peer name out%u netns /proc/self/fd/%d && "
		       "ip addr add 10.%u.0.2/24 dev in%u && ip link set in%u up",
		       n, n, far_ns, n, n, n));
}

static void pair_end(unsigned n)
{
	assert_true(sh("ip link del in%u", n));
}

static int setup(void **state)
{
	static struct oci_linux linux_;
	static const struct oci_spec spec = {.linux_ = &linux_};
	struct fixture *f = calloc(1, sizeof(*f));
	struct vr_err err = VR_ERR_INIT;
	int ns;

	*state = f;
	f->home = here();
	if (unshare(CLONE_NEWNET) < 0) {
		print_message("no network namespaces here: %s\n", strerror(errno));
		return 0;
	}
	far_ns = open("/proc/self/ns/net", O_RDONLY);
	assert_return_code(unshare(CLONE_NEWNET), errno);
	ns = here();
	assert_true(sh("ip link set lo up"));
	pair_make(0);
	assert_return_code(setns(f->home, CLONE_NEWNET), errno);
	assert_no_error(net_attach(&spec, ns, VCPUS, NULL, 3, &f->plan, &err), err);
	assert_return_code(setns(ns, CLONE_NEWNET), errno);
	close(ns);
	assert_no_error(net_watch_create(&f->plan, VCPUS, NULL, &f->watch, &err), err);
	f->can = true;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	net_watch_destroy(f->watch);
	if (f->can) {
		net_plan_finish(&f->plan);
	}
	assert_return_code(setns(f->home, CLONE_NEWNET), errno);
	close(f->home);
	close(far_ns);
	free(f);
	return 0;
}

/* What was attached to is news at first, for the taps are: nothing the guest would have to know. */
static void settle(struct fixture *f)
{
	(void)net_watch_drain(f->watch);
	assert_int_equal(net_watch_scan(f->watch, &f->change), 0);
	(void)net_watch_drain(f->watch);
	assert_int_equal(net_watch_scan(f->watch, &f->change), 0);
	assert_false(net_watch_drain(f->watch));
}

static void expect_change(struct fixture *f, uint32_t slots, uint32_t added)
{
	struct pollfd p = {.fd = net_watch_fd(f->watch), .events = POLLIN};

	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_true(net_watch_drain(f->watch));
	assert_int_equal(net_watch_scan(f->watch, &f->change), 1);
	assert_int_equal(f->change.slots, slots);
	assert_int_equal(f->change.added, added);
}

static const struct ap_net *told(const struct fixture *f)
{
	static struct ap_net n;

	assert_int_equal(ap_decode_net(f->change.payload, f->change.payload_len, &n), 0);
	return &n;
}

static bool tap_passes(const char *tap, const char *addr_hex)
{
	return sh("tc filter show dev %s parent ffff: | grep -q 'match %s/ffffffff at 12'", tap,
		  addr_hex);
}

static void test_nothing_new(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	assert_int_equal(f->plan.n, 1);
	assert_int_equal(f->plan.n_slots, 1 + NET_SPARE_LINKS);
	settle(f);
	settle(f);
}

/* What a driver can take is set at the tap with each reset of its device, and the kernel tells of it. */
static void test_a_guest_makes_no_news(void **state)
{
	struct fixture *f = *state;
	struct pollfd p;

	NEED(f);
	settle(f);
	p = (struct pollfd){.fd = net_watch_fd(f->watch), .events = POLLIN};
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(net_tap_offload(f->plan.ifs[0].tap.fd[0], i % 2 ? 0 : TUN_F_CSUM),
				 0);
		assert_int_equal(poll(&p, 1, 5000), 1);
		assert_false(net_watch_drain(f->watch));
	}
	assert_true(sh("ip link set in0 mtu 1400"));
	assert_int_equal(net_tap_offload(f->plan.ifs[0].tap.fd[0], TUN_F_CSUM), 0);
	expect_change(f, 1, 0);
}

static void test_an_interface_comes_and_goes(void **state)
{
	struct fixture *f = *state;
	const struct ap_net *n;
	char tap[IF_NAMESIZE];

	NEED(f);
	settle(f);
	pair_make(1);
	expect_change(f, 3, 2);
	n = told(f);
	assert_int_equal(n->n_links, 2);
	assert_string_equal(n->links[1].name, "in1");
	assert_int_equal(n->links[1].slot, 1);
	assert_int_equal(n->n_addrs, 2);
	assert_int_equal(f->change.ifs[1].tap.n_queues, VCPUS);
	assert_non_null(if_indextoname(f->change.ifs[1].tap.ifindex, tap));
	assert_true(
		sh("tc filter show dev in1 parent ffff: | grep -q 'Egress Redirect to device %s'",
		   tap));
	assert_true(
		sh("tc filter show dev %s parent ffff: | grep -q 'Redirect to device in1'", tap));
	/* What frames without a payload have, too. */
	assert_true(sh("tc filter show dev in1 parent ffff: | grep -q 'match 0*/0* at -4'"));
	assert_true(sh("tc filter show dev %s parent ffff: | grep -q 'match 0*/0* at -4'", tap));
	assert_true(tap_passes(tap, "0a010002"));
	settle(f);
	pair_end(1);
	expect_change(f, 1, 0);
	assert_int_equal(told(f)->n_links, 1);
	/* The tap is gone; until the VM has let go of it the slot is nobody's. */
	assert_int_equal(if_nametoindex(tap), 0);
	pair_make(2);
	expect_change(f, 5, 4);
	net_watch_released(f->watch, 1);
	net_watch_released(f->watch, 1);
	net_watch_released(f->watch, 77);
}

/* More often than there are descriptors: those of removed taps are used again, all queues of them. */
static void test_descriptors_last(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	settle(f);
	for (unsigned i = 0; i < 12; i++) {
		pair_make(1);
		expect_change(f, 3, 2);
		assert_int_equal(f->change.ifs[1].tap.n_queues, VCPUS);
		pair_end(1);
		expect_change(f, 1, 0);
		net_watch_released(f->watch, 1);
	}
}

static void test_filters_follow_the_addresses(void **state)
{
	struct fixture *f = *state;
	const char *tap = f->plan.ifs[0].tap.name;

	NEED(f);
	settle(f);
	assert_true(tap_passes(tap, "0a000002"));
	assert_true(sh("ip addr del 10.0.0.2/24 dev in0 && ip addr add 10.0.0.7/24 dev in0"));
	expect_change(f, 1, 0);
	assert_int_equal(told(f)->n_addrs, 1);
	assert_int_equal(told(f)->addrs[0].addr[3], 7);
	assert_true(tap_passes(tap, "0a000007"));
	assert_false(tap_passes(tap, "0a000002"));
	assert_true(sh("ip link show %s | grep -q 'state UP\\|,UP'", tap));
	/* Routes and names have nothing to do with filters, but the guest has to know. */
	assert_true(sh("ip route add 192.168.0.0/16 via 10.0.0.1"));
	expect_change(f, 1, 0);
	assert_true(sh("ip link set in0 down && ip link set in0 name eth7 && ip link set eth7 up"));
	expect_change(f, 1, 0);
	assert_string_equal(told(f)->links[0].name, "eth7");
}

/*
 * With so many entries an interface may have seven addresses. One more isn't the end of those it
 * had, and filters follow again when there is room.
 */
static void test_one_address_too_many(void **state)
{
	static struct net_egress list = {.n = NET_EGRESS_MAX};
	struct fixture *f = *state;
	const char *tap = f->plan.ifs[0].tap.name;
	struct vr_err err = VR_ERR_INIT;

	NEED(f);
	for (unsigned i = 0; i < list.n; i++) {
		list.v[i] = (struct net_dest){.family = 4, .port = 1, .prefix = 32};
		memset(list.v[i].addr, (int)i + 1, 4);
	}
	net_watch_destroy(f->watch);
	assert_no_error(net_watch_create(&f->plan, VCPUS, &list, &f->watch, &err), err);
	settle(f);
	assert_true(sh("for i in 3 4 5 6 7 8 9; do ip addr add 10.0.0.$i/32 dev in0; done"));
	expect_change(f, 1, 0);
	assert_int_equal(told(f)->n_addrs, 8);
	assert_true(tap_passes(tap, "0a000002"));
	assert_false(tap_passes(tap, "0a000003"));
	assert_true(sh("ip link show %s | grep -q 'state UP\\|,UP'", tap));
	settle(f);
	assert_true(sh("for i in 4 5 6 7 8 9; do ip addr del 10.0.0.$i/32 dev in0; done"));
	expect_change(f, 1, 0);
	assert_true(tap_passes(tap, "0a000003"));
}

/* Another MAC address: another device for the guest, which can't change its own. */
static void test_an_address_of_its_own_makes_another_device(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	settle(f);
	assert_true(sh("ip link set in0 down && ip link set in0 address 02:00:00:00:00:77"));
	expect_change(f, 2, 2);
	assert_int_equal(told(f)->links[0].mac[5], 0x77);
	assert_int_equal(told(f)->links[0].slot, 1);
	/* The old one's tap is not left to a guest that doesn't let go of it. */
	assert_true(sh("[ $(ip -brief link | grep -c ^volt) -eq 1 ]"));
}

/* Its device was made for one MTU; more can't be had, less can. */
static void test_an_mtu_stays_within_what_its_device_was_made_for(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	settle(f);
	assert_true(sh("ip link set in0 mtu 9000"));
	pair_make(1);
	expect_change(f, 3, 2);
	assert_int_equal(told(f)->links[0].mtu, 1500);
	assert_true(sh("ip link set in0 mtu 1400"));
	expect_change(f, 3, 0);
	assert_int_equal(told(f)->links[0].mtu, 1400);
}

static void test_there_is_room_for_some(void **state)
{
	struct fixture *f = *state;
	unsigned queues = 0;

	NEED(f);
	settle(f);
	for (unsigned i = 1; i <= NET_SPARE_LINKS + 2; i++) {
		pair_make(i);
	}
	expect_change(f, 0x1f, 0x1e);
	for (unsigned slot = 1; slot <= NET_SPARE_LINKS; slot++) {
		assert_true(f->change.ifs[slot].tap.n_queues >= 1);
		queues += f->change.ifs[slot].tap.n_queues;
	}
	assert_int_equal(queues, VCPUS + NET_SPARE_LINKS - 1);
	assert_int_equal(f->change.ifs[1].tap.n_queues, VCPUS);
	/* When one goes, one of those that had no room gets it. */
	pair_end(2);
	expect_change(f, 0x1b, 0);
	net_watch_released(f->watch, 2);
	assert_true(net_watch_drain(f->watch));
	assert_int_equal(net_watch_scan(f->watch, &f->change), 1);
	assert_int_equal(f->change.added, 4);
}

/* A slot may have a device of another kind for some time. */
static void test_slots_of_other_devices_are_left_alone(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	settle(f);
	net_watch_taken(f->watch, 1);
	net_watch_taken(f->watch, 2);
	net_watch_taken(f->watch, 77);
	pair_make(1);
	expect_change(f, 9, 8);
	assert_int_equal(told(f)->links[1].slot, 3);
	pair_make(2);
	expect_change(f, 0x19, 0x10);
	pair_make(3); /* no room */
	net_watch_released(f->watch, 1);
	expect_change(f, 0x1b, 2);
}

/* The VM gave it away just when it was given to an interface: the VM's word counts. */
static void test_a_slot_is_given_away_twice(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	settle(f);
	pair_make(1);
	expect_change(f, 3, 2);
	net_watch_taken(f->watch, 1);
	expect_change(f, 5, 4);
	assert_int_equal(told(f)->links[1].slot, 2);
	assert_int_equal(f->change.ifs[2].tap.n_queues, VCPUS);
	assert_true(
		sh("tc filter show dev in1 parent ffff: | grep -q 'Egress Redirect to device %s'",
		   f->change.ifs[2].tap.name));
	/* the last one */
	net_watch_taken(f->watch, 3);
	net_watch_taken(f->watch, 4);
	net_watch_taken(f->watch, 2);
	expect_change(f, 1, 0);
	assert_false(sh("tc qdisc show dev in1 | grep -q ingress"));
	/* and when it goes before the VM has said so */
	net_watch_released(f->watch, 3);
	assert_true(net_watch_drain(f->watch));
	assert_int_equal(net_watch_scan(f->watch, &f->change), NET_WATCH_CHANGED);
	assert_int_equal(f->change.added, 8);
	pair_end(1);
	expect_change(f, 1, 0);
	net_watch_taken(f->watch, 3);
	net_watch_released(f->watch, 3);
	pair_make(1);
	expect_change(f, 9, 8);
}

/* One with a traffic policy of somebody's is left alone, and doesn't stand in the way of others. */
static void test_what_is_taken_is_left_alone(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	settle(f);
	assert_true(sh("ip link add dev in8 type veth peer name out8 netns /proc/self/fd/%d && "
		       "tc qdisc add dev in8 ingress",
		       far_ns));
	pair_make(9);
	expect_change(f, 3, 2);
	assert_int_equal(told(f)->n_links, 2);
	assert_string_equal(told(f)->links[1].name, "in9");
	assert_true(sh("tc qdisc show dev in8 | grep -q ingress"));
	settle(f);
}

static void test_nothing_is_left(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	settle(f);
	pair_make(1);
	expect_change(f, 3, 2);
	net_watch_leave(f->watch);
	assert_false(sh("tc qdisc show dev in0 | grep -q ingress"));
	assert_false(sh("tc qdisc show dev in1 | grep -q ingress"));
}

/* The kernel says first that an end was set up, then what became of it; and addresses may come with the carrier. */
static void expect_carrier(struct fixture *f, uint32_t carrier)
{
	struct pollfd p = {.fd = net_watch_fd(f->watch), .events = POLLIN};
	int rc = 0;

	while (!(rc & NET_WATCH_CARRIER)) {
		assert_int_equal(poll(&p, 1, 5000), 1);
		assert_true(net_watch_drain(f->watch));
		rc = net_watch_scan(f->watch, &f->change);
		assert_true(rc >= 0);
	}
	assert_int_equal(f->change.carrier, carrier);
	assert_int_equal(f->change.added, 0);
}

static void far_end(unsigned n, const char *what)
{
	assert_true(sh("nsenter --net=/proc/self/fd/%d ip link set out%u %s", far_ns, n, what));
}

/* A veth has a carrier while both ends are up. */
static void test_the_carrier_is_followed(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	assert_false(f->plan.ifs[0].carrier);
	settle(f);
	far_end(0, "up");
	expect_carrier(f, 1);
	pair_make(1);
	expect_change(f, 3, 2);
	assert_false(f->change.ifs[1].carrier);
	assert_int_equal(f->change.carrier, 1);
	far_end(1, "up");
	expect_carrier(f, 3);
	far_end(0, "down");
	expect_carrier(f, 2);
	pair_end(1);
	expect_change(f, 1, 0);
	assert_int_equal(f->change.carrier, 0);
}

static void test_a_new_interface_comes_with_its_carrier(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	settle(f);
	assert_true(sh("ip link add dev in1 type dummy && ip link set in1 up"));
	expect_change(f, 3, 2);
	assert_true(f->change.ifs[1].carrier);
	assert_int_equal(f->change.carrier, 2);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_nothing_new),
		T(test_a_guest_makes_no_news),
		T(test_an_interface_comes_and_goes),
		T(test_descriptors_last),
		T(test_filters_follow_the_addresses),
		T(test_one_address_too_many),
		T(test_an_address_of_its_own_makes_another_device),
		T(test_an_mtu_stays_within_what_its_device_was_made_for),
		T(test_there_is_room_for_some),
		T(test_slots_of_other_devices_are_left_alone),
		T(test_a_slot_is_given_away_twice),
		T(test_what_is_taken_is_left_alone),
		T(test_the_carrier_is_followed),
		T(test_a_new_interface_comes_with_its_carrier),
		T(test_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
