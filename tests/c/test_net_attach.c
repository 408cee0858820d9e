/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_attach.c - which networks a VM can have, and when it is given one */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "net_attach.h"

static void test_host_network_is_refused(void **state)
{
	struct oci_namespace v[] = {{.type = OCI_NS_PID}, {.type = OCI_NS_NETWORK}};
	struct oci_linux linux_ = {.namespaces = {.v = v, .n = 1}};
	const struct oci_spec spec = {.linux_ = &linux_};
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(net_spec_check(&spec, &err), -ENOTSUP);
	assert_non_null(strstr(err.msg, "can't use the host's network"));
	linux_.namespaces.n = 2;
	assert_int_equal(net_spec_check(&spec, &err), 0); /* a new one */
	v[1].path = "/proc/self/ns/net";
	assert_int_equal(net_spec_check(&spec, &err), -ENOTSUP); /* ours, by another name */
	v[1].path = "/proc/self/ns/uts";
	assert_int_equal(net_spec_check(&spec, &err), 0); /* refused elsewhere, for its type */
	v[1].path = "/nonexistent";
	assert_int_equal(net_spec_check(&spec, &err), 0);
}

/* A namespace with lo alone: nothing to attach to, nothing to tell, and we come back. */
static void test_an_empty_namespace(void **state)
{
	struct oci_linux linux_ = {.seccomp = NULL};
	const struct oci_spec spec = {.linux_ = &linux_};
	struct vr_err err = VR_ERR_INIT;
	struct net_plan plan;
	char before[64] = "", after[64] = "";
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int ns;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0) {
		print_message("no network namespaces here: %s\n", strerror(errno));
		skip();
	}
	ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_return_code(setns(home, CLONE_NEWNET), errno);
	assert_true(readlink("/proc/self/ns/net", before, sizeof(before) - 1) > 0);
	assert_no_error(net_attach(&spec, ns, 2, NULL, 3, &plan, &err), err);
	assert_int_equal(plan.n, 0);
	assert_null(plan.frame);
	net_plan_finish(&plan);
	assert_true(readlink("/proc/self/ns/net", after, sizeof(after) - 1) > 0);
	assert_string_equal(before, after);
	assert_true(net_attach(&spec, home + 1000, 2, NULL, 3, &plan, &err) < 0);
	net_plan_finish(&plan);
	close(ns);
	close(home);
}

/* --- linux.netDevices ------------------------------------------------------------------------ */

/* Two namespaces; we are in @home. */
struct two {
	int first;
	int home;
	int there;
};

static int here(void)
{
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static void go(int ns)
{
	assert_return_code(setns(ns, CLONE_NEWNET), errno);
}

static bool sh(const char *command)
{
	return system(command) == 0;
}

/* Return: false where there are no namespaces or no veth. */
static bool two_begin(struct two *t)
{
	t->first = here();
	if (unshare(CLONE_NEWNET) < 0) {
		return false;
	}
	t->there = here();
	go(t->first);
	assert_return_code(unshare(CLONE_NEWNET), errno);
	t->home = here();
	return sh("ip link set lo up && ip link add dev va type veth peer name vb && "
		  "ip addr add 10.9.8.2/24 dev va && ip addr add 10.9.8.9/32 dev va scope host && "
		  "ip addr add fd09:8::2/64 dev va nodad && ip link set va up");
}

static void two_end(struct two *t)
{
	go(t->first);
	close(t->there);
	close(t->home);
	close(t->first);
}

static struct oci_net_device to_net0[] = {{.key = "va", .name = "net0"}, {.key = "nosuch"}};

static void assert_all_is_as_before(const struct two *t)
{
	assert_true(sh("ip -br link show dev va | grep -q 'va.* UP\\|va.* LOWERLAYERDOWN' && "
		       "ip -o addr show dev va | grep -q 'inet 10.9.8.2/24 .*scope global' && "
		       "ip -o addr show dev va | grep -q 'inet 10.9.8.9/32 .*scope host' && "
		       "ip -o addr show dev va | grep -q 'inet6 fd09:8::2/64 scope global' && "
		       "! tc qdisc show dev va | grep -q ingress"));
	go(t->there);
	assert_true(sh("! ip link | grep -q net0"));
	go(t->home);
}

static void test_devices_come_back_from_a_failed_create(void **state)
{
	struct oci_linux linux_ = {.net_devices = {.v = to_net0, .n = 1}};
	const struct oci_spec spec = {.linux_ = &linux_};
	struct vr_err err = VR_ERR_INIT;
	struct net_plan plan;
	struct two t = {-1, -1, -1};
	int rc;

	(void)state;
	if (!two_begin(&t)) {
		print_message("no network namespaces here\n");
		go(t.first);
		skip();
	}
	rc = net_attach(&spec, t.there, 1, NULL, 3, &plan, &err);
	assert_true(rc == 0 || rc == -ENOENT); /* a kernel without the actions we need */
	assert_true(sh("! ip link show dev va 2> /dev/null"));
	go(t.there);
	assert_true(sh("ip -o addr show dev net0 | grep -q 'inet 10.9.8.2/24' && "
		       "! ip -o addr show dev net0 | grep -q 10.9.8.9"));
	assert_int_equal(sh("tc qdisc show dev net0 | grep -q ingress"), rc == 0);
	go(t.home);
	net_plan_undo(&plan); /* something later went wrong */
	net_plan_undo(&plan);
	net_plan_finish(&plan);
	assert_all_is_as_before(&t);

	linux_.net_devices.n = 2; /* the second one can't be moved */
	assert_int_equal(net_attach(&spec, t.there, 1, NULL, 3, &plan, &err), -ENODEV);
	assert_non_null(strstr(err.msg, "linux.netDevices: move 'nosuch'"));
	net_plan_undo(&plan);
	net_plan_finish(&plan);
	assert_all_is_as_before(&t);

	/* one that was down stays down */
	linux_.net_devices.n = 1;
	assert_true(sh("ip link set va down"));
	(void)!net_attach(&spec, t.there, 1, NULL, 3, &plan, &err);
	net_plan_undo(&plan);
	net_plan_finish(&plan);
	assert_true(sh("ip link show dev va | grep -v -q '[<,]UP[,>]'"));
	two_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_devices_come_back_from_a_failed_create),
		cmocka_unit_test(test_host_network_is_refused),
		cmocka_unit_test(test_an_empty_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
