/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_attach.c - which networks a VM can have, and when it is given one */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
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

static void test_sandboxes(void **state)
{
	struct oci_kv kv[] = {{"a", "b"}, {"io.kubernetes.cri.container-type", "container"}};
	const char *args[] = {"/catatonit", "-P", "-x"};
	struct oci_process process = {.args = {.v = args, .n = 3}};
	struct oci_spec spec = {.annotations = {.v = kv, .n = 2}, .process = &process};

	(void)state;
	assert_false(net_spec_is_sandbox(&spec));
	process.args.n = 2;
	assert_true(net_spec_is_sandbox(&spec));
	spec.process = NULL;
	kv[1].value = "sandbox";
	assert_true(net_spec_is_sandbox(&spec));
	kv[1].key = "io.kubernetes.cri-o.ContainerType";
	assert_true(net_spec_is_sandbox(&spec));
	kv[1].key = "sandbox";
	assert_false(net_spec_is_sandbox(&spec));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_network_is_refused),
		cmocka_unit_test(test_sandboxes),
		cmocka_unit_test(test_an_empty_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
