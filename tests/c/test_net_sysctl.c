/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_sysctl.c - what somebody changed in a network namespace, with the real kernel's */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "net_sysctl.h"

struct fixture {
	int home;
	bool can;
	struct net_scan scan;
	struct net_sysctls got;
};

static void put(const char *key, const char *value)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/%s", key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0) {
		fail_msg("%s: %s", path, strerror(errno));
	}
	close(fd);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	f->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (unshare(CLONE_NEWNET) < 0) {
		print_message("no network namespaces here: %s\n", strerror(errno));
		return 0;
	}
	f->can = true;
	assert_int_equal(system("ip link add eth.7 type veth peer name far"), 0);
	f->scan.net.n_links = 1;
	f->scan.net.links[0].name = "eth.7";
	/* Whatever this machine hands down to new namespaces. */
	put("ipv4/ip_forward", "0");
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_return_code(setns(f->home, CLONE_NEWNET), errno);
	close(f->home);
	free(f);
	return 0;
}

/* Return: what the guest is told, or NULL */
static const char *told(struct fixture *f, const char *key)
{
	for (uint32_t i = 0; i < f->got.n; i++) {
		if (strcmp(f->got.kv[i].key, key) == 0) {
			return f->got.kv[i].value;
		}
	}
	return NULL;
}

static void test_what_differs_is_told(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	put("core/somaxconn", "77");
	put("ipv4/ping_group_range", "3 9");
	put("ipv4/conf/eth.7/arp_ignore", "2");
	put("ipv4/conf/default/arp_announce", "1");
	put("ipv6/conf/all/use_tempaddr", "2");
	net_sysctl_read(&f->scan, false, &f->got);
	assert_string_equal(told(f, "net/core/somaxconn"), "77");
	assert_string_equal(told(f, "net/ipv4/ping_group_range"), "3\t9");
	assert_string_equal(told(f, "net/ipv4/conf/eth.7/arp_ignore"), "2");
	assert_string_equal(told(f, "net/ipv4/conf/default/arp_announce"), "1");
	assert_string_equal(told(f, "net/ipv6/conf/all/use_tempaddr"), "2");
	/* as it always was */
	assert_null(told(f, "net/ipv4/conf/all/arp_ignore"));
	assert_null(told(f, "net/ipv4/tcp_syn_retries"));
	assert_null(told(f, "net/ipv4/conf/eth.7/forwarding"));
	/* of another interface */
	put("ipv4/conf/far/arp_ignore", "2");
	net_sysctl_read(&f->scan, false, &f->got);
	assert_null(told(f, "net/ipv4/conf/far/arp_ignore"));
}

/* The kernel changes these with it, so that what they are now has to be said afterwards. */
static void test_forwarding_comes_with_what_follows_from_it(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	put("ipv4/ip_forward", "1");
	put("ipv4/conf/eth.7/forwarding", "0");
	put("ipv4/conf/all/accept_redirects", "1");
	net_sysctl_read(&f->scan, false, &f->got);
	assert_string_equal(told(f, "net/ipv4/ip_forward"), "1");
	assert_string_equal(told(f, "net/ipv4/conf/eth.7/forwarding"), "0");
	assert_string_equal(told(f, "net/ipv4/conf/all/accept_redirects"), "1");
	assert_true(told(f, "net/ipv4/ip_forward") < told(f, "net/ipv4/conf/eth.7/forwarding"));
}

static void test_ports_that_are_kept_for_the_namespace_are_its_own(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	put("ipv4/ip_local_port_range", "61440 62463");
	net_sysctl_read(&f->scan, true, &f->got);
	assert_null(told(f, "net/ipv4/ip_local_port_range"));
	net_sysctl_read(&f->scan, false, &f->got);
	assert_string_equal(told(f, "net/ipv4/ip_local_port_range"), "61440\t62463");
}

static void test_what_is_too_long_is_left_out(void **state)
{
	struct fixture *f = *state;

	NEED(f);
	put("ipv4/ip_local_reserved_ports", "100,200,300");
	net_sysctl_read(&f->scan, false, &f->got);
	assert_string_equal(told(f, "net/ipv4/ip_local_reserved_ports"), "100,200,300");
	put("ipv4/ip_local_reserved_ports",
	    "10000,10002,10004,10006,10008,10010,10012,10014,10016,10018,10020,10022");
	net_sysctl_read(&f->scan, false, &f->got);
	assert_null(told(f, "net/ipv4/ip_local_reserved_ports"));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_differs_is_told),
		T(test_forwarding_comes_with_what_follows_from_it),
		T(test_ports_that_are_kept_for_the_namespace_are_its_own),
		T(test_what_is_too_long_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
