/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net_port.c - what becomes of a tap whose filters can't be made
 *
 * One end of a veth pair stands for the tap: no filter gets as far as the kernel.
 */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <netlink/netlink.h>

#include "net_egress.h"
#include "net_port.h"
#include "net_tc.h"
#include "net_visit.h"

static bool sh(const char *command)
{
	return system(command) == 0;
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
	s->net.n_links = 1;
	s->net.n_addrs = AP_MAX_ADDRS;
	for (uint8_t i = 0; i < AP_MAX_ADDRS; i++) {
		s->net.addrs[i] =
			(struct ap_addr){.family = 4, .prefix = 24, .addr = {10, 0, 0, i}};
	}
}

static void guard_what_cannot_be(struct nl_sock *nl)
{
	static struct net_scan s;
	static struct net_egress list;
	int tap = (int)if_nametoindex("va");

	too_many(&s, &list);
	assert_int_equal(net_tc_add_ingress(nl, tap), 0);
	assert_int_equal(net_port_guard(nl, &s, 0, tap), -E2BIG);
	assert_true(sh("ip link show dev va | grep -q ',UP'"));
	assert_int_equal(net_tc_add_ingress(nl, tap), -EEXIST);
}

static void test_a_tap_keeps_its_filters(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct nl_sock *nl;
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	(void)state;
	if (unshare(CLONE_NEWNET) < 0) {
		print_message("no network namespaces here: %s\n", strerror(errno));
		close(home);
		skip();
	}
	assert_true(sh("ip link add va type veth peer name vb && ip link set vb up && "
		       "ip link set va up"));
	assert_no_error(net_socket_open(&nl, &err), err);
	guard_what_cannot_be(nl);
	nl_socket_free(nl);
	assert_return_code(setns(home, CLONE_NEWNET), errno);
	close(home);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_tap_keeps_its_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
