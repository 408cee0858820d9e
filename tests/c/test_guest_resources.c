/* SPDX-License-Identifier: Apache-2.0 */
/* test_guest_resources.c - limits of config.json as cgroup v2 of the guest knows them */
#include "cm.h"

#include "base/checked.h"
#include "guest_plan_internal.h"
#include "sandbox/cgroup.h"

#define OPT(x)                                                                                     \
	{                                                                                          \
		.set = true, .v = (x)                                                              \
	}

static struct ap_resources convert(const struct oci_resources *res)
{
	struct ap_resources out;

	ap_resources_init(&out);
	guest_plan_resources(res, &out);
	return out;
}

static struct ap_resources of_memory(const struct oci_memory *m)
{
	struct oci_memory copy = *m;
	const struct oci_resources res = {.memory = &copy};

	return convert(&res);
}

static struct ap_resources of_cpu(const struct oci_cpu *c)
{
	struct oci_cpu copy = *c;
	const struct oci_resources res = {.cpu = &copy};

	return convert(&res);
}

static void nothing_is_unset(void **state)
{
	const struct oci_resources empty = {0};
	struct ap_resources want, got;

	(void)state;
	ap_resources_init(&want);
	got = convert(NULL);
	assert_memory_equal(&got, &want, sizeof(got));
	got = convert(&empty);
	assert_memory_equal(&got, &want, sizeof(got));
	got = of_memory(&(struct oci_memory){0});
	assert_memory_equal(&got, &want, sizeof(got));
	got = of_cpu(&(struct oci_cpu){0});
	assert_memory_equal(&got, &want, sizeof(got));
	assert_int_equal(got.memory_max, AP_UNSET);
	assert_int_equal(got.cpu_quota_us, AP_UNSET);
	assert_int_equal(got.pids_max, AP_UNSET);
}

static void memory_limits(void **state)
{
	struct ap_resources r;

	(void)state;
	r = of_memory(&(struct oci_memory){.limit = OPT(4096), .reservation = OPT(1024)});
	assert_int_equal(r.memory_max, 4096);
	assert_int_equal(r.memory_low, 1024);
	assert_int_equal(r.memory_swap_max, AP_UNSET);
	r = of_memory(&(struct oci_memory){.limit = OPT(-1), .reservation = OPT(-1)});
	assert_int_equal(r.memory_max, AP_NO_LIMIT);
	assert_int_equal(r.memory_low, AP_NO_LIMIT);
	r = of_memory(&(struct oci_memory){.limit = OPT(INT64_MIN)}); /* must not become "unset" */
	assert_int_equal(r.memory_max, AP_NO_LIMIT);
	r = of_memory(&(struct oci_memory){.limit = OPT(0)});
	assert_int_equal(r.memory_max, AP_UNSET);
	r = of_memory(&(struct oci_memory){.limit = OPT(INT64_MAX)});
	assert_int_equal(r.memory_max, INT64_MAX);
}

static void swap_is_counted_alone(void **state)
{
	static const struct {
		struct oci_opt_i64 limit, swap;
		int64_t want;
	} table[] = {
		{OPT(1000), OPT(3000), 2000},
		{OPT(1000), OPT(1000), 0},
		{OPT(1000), OPT(-1), AP_NO_LIMIT},
		{{0}, OPT(-1), AP_NO_LIMIT},
		{OPT(-1), OPT(-1), AP_NO_LIMIT},
		{OPT(1000), OPT(999), AP_UNSET}, /* less than the memory: makes no sense */
		{{0}, OPT(3000), AP_UNSET},	 /* nothing to subtract */
		{OPT(1000), {0}, AP_UNSET},
		{OPT(0), OPT(0), AP_UNSET}, /* engines' "none", for both */
		{OPT(0), OPT(3000), AP_UNSET},
		{OPT(-1), OPT(3000), AP_UNSET},
	};
	struct ap_resources r;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		r = of_memory(&(struct oci_memory){.limit = table[i].limit, .swap = table[i].swap});
		if (r.memory_swap_max != table[i].want) {
			fail_msg("case %zu: %lld", i, (long long)r.memory_swap_max);
		}
	}
}

static void cpu_limits(void **state)
{
	struct ap_resources r;

	(void)state;
	r = of_cpu(&(struct oci_cpu){.quota = OPT(50000),
				     .period = OPT(100000),
				     .burst = OPT(10),
				     .idle = OPT(1),
				     .cpus = "0-3",
				     .mems = "0"});
	assert_int_equal(r.cpu_quota_us, 50000);
	assert_int_equal(r.cpu_period_us, 100000);
	assert_int_equal(r.cpu_burst_us, 10);
	assert_int_equal(r.cpu_idle, 1);
	assert_int_equal(r.cpu_weight, AP_UNSET);
	assert_null(r.cpus); /* CPUs and nodes of the host */
	assert_null(r.mems);
	assert_int_equal(of_cpu(&(struct oci_cpu){.quota = OPT(-1)}).cpu_quota_us, AP_NO_LIMIT);
	assert_int_equal(of_cpu(&(struct oci_cpu){.quota = OPT(0)}).cpu_quota_us, AP_NO_LIMIT);
	assert_int_equal(of_cpu(&(struct oci_cpu){.period = OPT(0)}).cpu_period_us, AP_UNSET);
}

static void shares_become_weights(void **state)
{
	static const uint64_t table[] = {1,    2,    3,	     26,     27,     28,     1023,
					 1024, 1025, 131072, 262143, 262144, 262145, UINT64_MAX};
	int64_t last = 0, w;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		w = of_cpu(&(struct oci_cpu){.shares = OPT(table[i])}).cpu_weight;
		assert_true(w >= 1 && w <= 10000 && w >= last);
		last = w;
		if (table[i] >= 2 && table[i] <= 262144) {
			/* inside as on the host */
			assert_int_equal(w, sbx_cgroup_weight(table[i]));
		}
	}
	assert_int_equal(of_cpu(&(struct oci_cpu){.shares = OPT(1)}).cpu_weight, 1);
	assert_int_equal(of_cpu(&(struct oci_cpu){.shares = OPT(1024)}).cpu_weight, 39);
	assert_int_equal(of_cpu(&(struct oci_cpu){.shares = OPT(262144)}).cpu_weight, 10000);
	assert_int_equal(of_cpu(&(struct oci_cpu){.shares = OPT(0)}).cpu_weight, AP_UNSET);
}

static void process_limits(void **state)
{
	static const struct {
		struct oci_opt_i64 limit;
		int64_t want;
	} table[] = {
		{OPT(100), 100},	{OPT(1), 1},	 {OPT(0), AP_NO_LIMIT},
		{OPT(-1), AP_NO_LIMIT}, {{0}, AP_UNSET},
	};

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		struct oci_pids pids = {.limit = table[i].limit};
		const struct oci_resources res = {.pids = &pids};

		assert_int_equal(convert(&res).pids_max, table[i].want);
	}
}

static void files_of_the_guests_cgroup(void **state)
{
	struct oci_kv kv[] = {{"memory.high", "1"}, {"cpuset.cpus", "0"},
			      {"io.max", "x"},	    {"cpu.weight", "7"},
			      {"pids.max", "9"},    {"cgroup.max.depth", "2"}};
	struct oci_block_io io = {.weight = {.set = true, .v = 1000}};
	const struct oci_resources res = {.unified = {.v = kv, .n = 6}, .block_io = &io};
	struct ap_resources r = convert(&res);

	(void)state;
	assert_int_equal(r.io_weight, 10000);
	assert_int_equal(r.n_unified, 4); /* what is about CPUs and disks of the host isn't here */
	assert_string_equal(r.unified[0].key, "memory.high");
	assert_string_equal(r.unified[0].value, "1");
	assert_string_equal(r.unified[1].key, "cpu.weight");
	assert_string_equal(r.unified[3].key, "cgroup.max.depth");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_unset),	      cmocka_unit_test(memory_limits),
		cmocka_unit_test(swap_is_counted_alone),      cmocka_unit_test(cpu_limits),
		cmocka_unit_test(shares_become_weights),      cmocka_unit_test(process_limits),
		cmocka_unit_test(files_of_the_guests_cgroup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
