/* SPDX-License-Identifier: Apache-2.0 */
/* test_update.c - limits that may change, and those that may not */
#include "cm.h"

#include <errno.h>

#include "update.h"
#include "vmsize.h"

#define MIB (1ll << 20)
#define RAM (512ull << 20)

static void options_become_resources(void **state)
{
	const struct update_opts o = {.memory = "256m",
				      .memory_swap = "-1",
				      .cpu_quota = "50000",
				      .cpu_share = "512",
				      .cpuset_cpus = "0-1",
				      .pids_limit = "20"};
	struct vr_err err = VR_ERR_INIT;
	struct update_res r;

	(void)state;
	assert_int_equal(update_from_options(&o, &r, &err), 0);
	assert_true(r.memory.limit.set);
	assert_int_equal(r.memory.limit.v, 256 * MIB);
	assert_int_equal(r.memory.swap.v, -1);
	assert_false(r.memory.reservation.set);
	assert_int_equal(r.cpu.quota.v, 50000);
	assert_int_equal(r.cpu.shares.v, 512);
	assert_false(r.cpu.period.set);
	assert_string_equal(r.cpu.cpus, "0-1");
	assert_int_equal(r.pids.limit.v, 20);
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes; /* 0: refused */
	} table[] = {{"1", 1},		 {"2k", 2048},
		     {"2KB", 2048},	 {"3MiB", 3 * MIB},
		     {"1g", 1024 * MIB}, {"7b", 7},
		     {"-1", -1},	 {"", 0},
		     {"x", 0},		 {"1x", 0},
		     {"1mm", 0},	 {"-2", 0},
		     {"-1k", 0},	 {"9999999999999g", 0}};
	struct vr_err err = VR_ERR_INIT;
	struct update_res r;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct update_opts o = {.memory = table[i].text};
		int rc = update_from_options(&o, &r, &err);

		assert_int_equal(rc, table[i].bytes == 0 ? -EINVAL : 0);
		if (rc == 0) {
			assert_int_equal(r.memory.limit.v, table[i].bytes);
		}
	}
}

static void zeros_leave_things_alone(void **state)
{
	const struct update_opts o = {.memory = "0", .cpu_quota = "0", .pids_limit = "0"};
	struct vr_err err = VR_ERR_INIT;
	struct update_res r;

	(void)state;
	assert_int_equal(update_from_options(&o, &r, &err), 0);
	assert_int_equal(update_check(&r.res, RAM, &err), 0);
	assert_false(r.memory.limit.set || r.cpu.quota.set || r.pids.limit.set);
}

static int check_memory(int64_t limit, int64_t swap, struct vr_err *err)
{
	struct update_res r = {.memory = {.limit = {.set = limit != 0, .v = limit},
					  .swap = {.set = swap != 0, .v = swap}}};

	r.res.memory = &r.memory;
	return update_check(&r.res, RAM, err);
}

static void memory_may_not_outgrow_the_vm(void **state)
{
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(check_memory((int64_t)vmsize_usable(RAM), 0, &err), 0);
	assert_int_equal(check_memory(-1, 0, &err), 0);
	assert_int_equal(check_memory((int64_t)vmsize_usable(RAM) + 1, 0, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "its size is fixed"));
	assert_int_equal(check_memory(0, 100 * MIB, &err), -EINVAL);
	assert_message(err, "update: unable to set swap limit without memory limit");
	assert_int_equal(check_memory(100 * MIB, 50 * MIB, &err), -EINVAL);
	assert_int_equal(check_memory(100 * MIB, 100 * MIB, &err), 0);
}

/* A limit that the VM was made for must stay possible after it was lowered. */
static void the_first_limit_fits_its_vm(void **state)
{
	(void)state;
	for (uint64_t limit = 16ull << 20; limit < 2ull << 30; limit += 1234567) {
		struct oci_memory m = {.limit = {.set = true, .v = (int64_t)limit}};
		struct oci_resources res = {.memory = &m};
		struct oci_linux l = {.resources = &res};
		struct oci_spec spec = {.linux_ = &l};
		struct oci_settings none = {0};
		struct vmsize size;

		assert_int_equal(vmsize_from_spec(&spec, &none, 4, 64ull << 30, &size, NULL), 0);
		assert_true(vmsize_usable(size.ram_bytes) >= limit);
	}
	assert_int_equal(vmsize_usable(1), 0);
}

static void refuse(struct oci_resources res, const char *what)
{
	struct vr_err err = VR_ERR_INIT;
	char want[128];

	(void)snprintf(want, sizeof(want), "update: %s can't change while a container lives", what);
	assert_int_equal(update_check(&res, RAM, &err), -ENOTSUP);
	assert_message(err, want);
}

static void the_rest_is_refused(void **state)
{
	struct oci_block_io zero = {.weight = {.set = true, .v = 0}};
	struct oci_hugepage_limit huge = {.page_size = "2MB"};
	struct oci_cpu rt = {.realtime_period = {.set = true, .v = 1}};
	struct oci_resources ok = {.block_io = &zero};
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	refuse((struct oci_resources){.hugepage_limits = {.v = &huge, .n = 1}}, "hugepageLimits");
	refuse((struct oci_resources){.cpu = &rt}, "cpu.realtimeRuntime and cpu.realtimePeriod");
	assert_int_equal(update_check(&ok, RAM, &err), 0); /* what docker sends each time */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_become_resources),
		cmocka_unit_test(sizes),
		cmocka_unit_test(zeros_leave_things_alone),
		cmocka_unit_test(memory_may_not_outgrow_the_vm),
		cmocka_unit_test(the_first_limit_fits_its_vm),
		cmocka_unit_test(the_rest_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
