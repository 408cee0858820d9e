/* SPDX-License-Identifier: Apache-2.0 */
/* test_cgroup_files.c - limits of config.json as lines of the host's cgroup files */
#include "cm.h"

#include <errno.h>

#include "cgroup_files.h"

static struct cgroup_files files;

static int reset(void **state)
{
	(void)state;
	cgroup_files_finish(&files);
	return 0;
}

static void line(size_t i, const char *name, const char *value)
{
	assert_true(i < files.n);
	assert_string_equal(files.v[i].name, name);
	assert_string_equal(files.v[i].value, value);
}

static void block_io(void **state)
{
	struct oci_throttle_device t[] = {{.major = 8, .minor = 0, .rate = 1000}, {.major = 8}};
	struct oci_weight_device w[] = {{.major = 8, .minor = 16, .weight = {true, 10}},
					{.major = 8, .minor = 32, .leaf_weight = {true, 0}}};
	struct oci_block_io io = {
		.weight = {true, 505},
		.weight_device = {.v = w, .n = 2},
		.read_bps = {.v = t, .n = 2},
		.write_iops = {.v = t, .n = 1},
	};
	const struct oci_resources res = {.block_io = &io};
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_no_error(cgroup_files_host(&res, &files, &err), err);
	assert_int_equal(files.n, 5);
	line(0, "io.bfq.weight", "505"); /* as it is, where there is BFQ */
	assert_string_equal(files.v[0].or_name, "io.weight");
	assert_string_equal(files.v[0].or_value, "5000");
	line(1, "io.bfq.weight", "8:16 10");
	assert_string_equal(files.v[1].or_value, "8:16 1");
	line(2, "io.max", "8:0 rbps=1000");
	line(3, "io.max", "8:0 rbps=max");
	line(4, "io.max", "8:0 wiops=1000");
}

static void keys_of_the_host(void **state)
{
	struct oci_kv kv[] = {{"memory.high", "1"},
			      {"cpuset.cpus", "0"},
			      {"io.max", "8:0 rbps=1"},
			      {"cpu.weight", "7"},
			      {"pids.max", "9"}};
	struct oci_cpu cpu = {.burst = {true, 5}, .idle = {true, 1}};
	const struct oci_resources res = {.unified = {.v = kv, .n = 5}, .cpu = &cpu};
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_no_error(cgroup_files_host(&res, &files, &err), err);
	assert_int_equal(files.n, 5);
	line(0, "cpu.max.burst", "5");
	line(1, "cpu.idle", "1");
	line(2, "cpuset.cpus", "0");
	line(3, "io.max", "8:0 rbps=1");
	line(4, "cpu.weight", "7");
	assert_false(cgroup_key_in_guest("cpuset.cpus"));
	assert_true(cgroup_key_in_guest("cpu.weight"));
	cgroup_files_finish(&files);
	assert_int_equal(cgroup_files_host(NULL, &files, &err), 0);
	assert_int_equal(files.n, 0);
}

static void refused(const struct oci_resources *res, int code, const char *message)
{
	struct vr_err err = VR_ERR_INIT;

	assert_int_equal(cgroup_files_host(res, &files, &err), -code);
	assert_message(err, message);
	cgroup_files_finish(&files);
}

static void what_version_2_lacks(void **state)
{
	struct oci_cpu rt = {.realtime_runtime = {true, 1}};
	struct oci_cpu none = {.realtime_runtime = {true, 0}, .realtime_period = {true, 0}};
	struct oci_block_io leaf = {.leaf_weight = {true, 100}};
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	refused(&(struct oci_resources){.cpu = &rt}, ENOTSUP,
		"linux.resources.cpu.realtimeRuntime: cgroup v2 has no such control");
	refused(&(struct oci_resources){.block_io = &leaf}, ENOTSUP,
		"linux.resources.blockIO.leafWeight: cgroup v2 has no such control");
	/* zeros are what engines write for "leave it" */
	assert_int_equal(cgroup_files_host(&(struct oci_resources){.cpu = &none}, &files, &err), 0);
	assert_int_equal(files.n, 0);
}

static void there_is_an_end(void **state)
{
	static struct oci_throttle_device t[CGROUP_FILES_MAX + 1];
	struct oci_block_io io = {.read_bps = {.v = t, .n = CGROUP_FILES_MAX + 1}};

	(void)state;
	refused(&(struct oci_resources){.block_io = &io}, E2BIG,
		"linux.resources: more than 256 lines for cgroup files");
}

static void weights(void **state)
{
	(void)state;
	assert_int_equal(cgroup_io_weight(10), 1);
	assert_int_equal(cgroup_io_weight(1000), 10000);
	assert_int_equal(cgroup_io_weight(1), 1);
	assert_int_equal(cgroup_io_weight(UINT32_MAX), 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(block_io, reset),
		cmocka_unit_test_teardown(keys_of_the_host, reset),
		cmocka_unit_test_teardown(what_version_2_lacks, reset),
		cmocka_unit_test_teardown(there_is_an_end, reset),
		cmocka_unit_test(weights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
