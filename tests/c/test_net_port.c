/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net_port.c - what an interface is left with after a VM, and its tap with too many addresses
 *
 * With real interfaces, taps; of traffic control only what its filters' priorities are.
 */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <netlink/netlink.h>

#include "net_egress.h"
#include "net_port.h"
#include "net_tc.h"

/* --- traffic control: the filters at an interface's ingress, by their priorities */

#define IFS	6
#define FILTERS 128

static struct ingress {
	int ifindex;
	unsigned n;
	uint16_t prio[FILTERS];
} ingress[IFS];
static unsigned fail_filter_at; /* ifindex */

static struct ingress *ingress_of(int ifindex)
{
	for (unsigned i = 0; i < IFS; i++) {
		if (ingress[i].ifindex == ifindex) {
			return &ingress[i];
		}
	}
	return NULL;
}

int __wrap_net_tc_add_ingress(struct nl_sock *nl, int ifindex);
int __wrap_net_tc_del_ingress(struct nl_sock *nl, int ifindex);
bool __wrap_net_tc_has(struct nl_sock *nl, int ifindex, uint16_t first, uint16_t last);
int __wrap_net_tc_filter(struct nl_sock *nl, int at, const struct net_filter *f);

int __wrap_net_tc_add_ingress(struct nl_sock *nl, int ifindex)
{
	struct ingress *q = ingress_of(0);

	(void)nl;
	if (ingress_of(ifindex)) {
		return -EEXIST;
	}
	assert_non_null(q);
	*q = (struct ingress){.ifindex = ifindex};
	return 0;
}

int __wrap_net_tc_del_ingress(struct nl_sock *nl, int ifindex)
{
	struct ingress *q = ingress_of(ifindex);

	(void)nl;
	if (!q) {
		return -ENOENT;
	}
	*q = (struct ingress){0};
	return 0;
}

bool __wrap_net_tc_has(struct nl_sock *nl, int ifindex, uint16_t first, uint16_t last)
{
	const struct ingress *q = ingress_of(ifindex);
	bool found = false;

	(void)nl;
	for (unsigned i = 0; q && i < q->n; i++) {
		found |= q->prio[i] >= first && q->prio[i] <= last;
	}
	return found;
}

int __wrap_net_tc_filter(struct nl_sock *nl, int at, const struct net_filter *f)
{
	struct ingress *q = ingress_of(at);

	(void)nl;
	assert_non_null(q);
	assert_true(q->n < FILTERS);
	assert_in_range(f->prio, NET_TC_PRIO, NET_TC_PRIO_LAST);
	if ((unsigned)at == fail_filter_at) {
		return -EINVAL;
	}
	q->prio[q->n++] = f->prio;
	return 0;
}

/* --- interfaces */

struct fixture {
	bool can;
	int eth;
	struct nl_sock *nl;
	struct net_tap tap;
	struct net_scan s;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct ifreq ifr = {.ifr_name = "eth0", .ifr_flags = IFF_TAP | IFF_NO_PI};
	struct vr_err err = VR_ERR_INIT;

	*state = f;
	memset(ingress, 0, sizeof(ingress));
	fail_filter_at = 0;
	net_tap_init(&f->tap);
	f->eth = -1;
	if (unshare(CLONE_NEWNET) == 0) {
		f->eth = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	}
	if (f->eth < 0 || ioctl(f->eth, TUNSETIFF, &ifr) < 0) {
		print_message("no taps here: %s\n", strerror(errno));
		return 0;
	}
	f->nl = nl_socket_alloc();
	assert_return_code(nl_connect(f->nl, NETLINK_ROUTE), errno);
	assert_no_error(net_tap_open(&f->tap, f->nl, 1, &err), err);
	assert_no_error(net_scan_links(f->nl, &f->s, &err), err);
	assert_int_equal(f->s.net.n_links, 1);
	f->can = true;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	net_tap_close(&f->tap);
	nl_socket_free(f->nl);
	close(f->eth);
	free(f);
	return 0;
}

static bool all_multi(void)
{
	return system("ip link show eth0 | grep -q ALLMULTI") == 0;
}

static void attach(struct fixture *f)
{
	struct vr_err err = VR_ERR_INIT;

	assert_no_error(net_port_claim(f->nl, &f->s, 0, &err), err);
	assert_no_error(net_port_join(f->nl, &f->s, 0, &f->tap, &err), err);
}

/* What the VM needs of an interface that outlasts it isn't needed any more. */
static void test_all_multicast_ends_with_the_vm(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	for (unsigned i = 0; i < 2; i++) {
		attach(f);
		assert_true(all_multi());
		net_port_leave(f->nl, f->s.ifindex[0]);
		assert_false(all_multi());
		(void)__wrap_net_tc_del_ingress(f->nl, f->tap.ifindex);
	}
	f->s.veth[0] = true; /* gets them anyway */
	attach(f);
	assert_false(all_multi());
}

static void test_somebody_elses_all_multicast_stays(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	assert_int_equal(system("ip link set eth0 allmulticast on"), 0);
	attach(f);
	net_port_leave(f->nl, f->s.ifindex[0]);
	assert_true(all_multi());
	net_port_leave(f->nl, f->s.ifindex[0]); /* twice is fine */
	assert_true(all_multi());
}

/* It was killed: the next one, which finds the flag set, or whoever cleans up knows whose it was. */
static void test_a_killed_vms_all_multicast_ends_with_the_next_one(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	attach(f);
	(void)__wrap_net_tc_del_ingress(f->nl, f->tap.ifindex); /* its tap goes with it */
	attach(f);
	assert_true(all_multi());
	assert_int_equal(ingress_of(f->s.ifindex[0])->n, 1);
	net_port_leave(f->nl, f->s.ifindex[0]);
	assert_false(all_multi());
}

static void test_a_failure_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct vr_err err = VR_ERR_INIT;

	NEED(f);
	fail_filter_at = (unsigned)f->s.ifindex[0];
	assert_no_error(net_port_claim(f->nl, &f->s, 0, &err), err);
	assert_int_equal(net_port_join(f->nl, &f->s, 0, &f->tap, &err), -EINVAL);
	assert_false(all_multi());
	assert_null(ingress_of(f->s.ifindex[0]));
}

/* More addresses than there is room for with this list. */
static void too_many(struct net_scan *s, struct net_egress *list)
{
	static const struct oci_spec no_mounts;
	struct vr_err err = VR_ERR_INIT;

	assert_no_error(
		net_egress_parse("1.0.0.0:1,2.0.0.0:1,3.0.0.0:1,4.0.0.0:1", &no_mounts, list, &err),
		err);
	s->egress = list;
	s->net.n_addrs = AP_MAX_ADDRS;
	for (uint8_t i = 0; i < AP_MAX_ADDRS; i++) {
		s->net.addrs[i] = (struct ap_addr){.link = s->net.links[0].slot,
						   .family = 4,
						   .prefix = 24,
						   .addr = {10, 0, 0, i}};
	}
}

static void test_a_tap_keeps_its_filters(void **state)
{
	static struct net_egress list;
	struct fixture *f = *state;
	unsigned n;

	NEED(f);
	attach(f);
	n = ingress_of(f->tap.ifindex)->n;
	assert_true(n > 0);
	too_many(&f->s, &list);
	assert_int_equal(net_port_guard(f->nl, &f->s, 0, f->tap.ifindex), -E2BIG);
	assert_int_equal(ingress_of(f->tap.ifindex)->n, n);
	assert_int_equal(system("ip link show type tun | grep -q 'volt.*,UP'"), 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_all_multicast_ends_with_the_vm),
		T(test_somebody_elses_all_multicast_stays),
		T(test_a_killed_vms_all_multicast_ends_with_the_next_one),
		T(test_a_failure_leaves_nothing),
		T(test_a_tap_keeps_its_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
