/* SPDX-License-Identifier: Apache-2.0 */
/* test_scope_props.c - limits and annotations as properties of a systemd unit */
#include "cm.h"

#include <errno.h>

#include "base/checked.h"
#include "scope_props.h"

static struct scope_props props;

static const struct scope_prop *find(const char *name)
{
	for (size_t i = 0; i < props.n; i++) {
		if (strcmp(props.v[i].name, name) == 0) {
			return &props.v[i];
		}
	}
	return NULL;
}

static void assert_number(const char *name, const char *type, uint64_t value)
{
	const struct scope_prop *p = find(name);

	assert_non_null(p);
	assert_string_equal(p->type, type);
	assert_int_equal(p->num, value);
}

static int reset(void **state)
{
	(void)state;
	scope_props_finish(&props);
	return 0;
}

static void limits_of(const struct sbx_cgroup_limits *l, bool v2)
{
	struct vr_err err = VR_ERR_INIT;

	scope_props_finish(&props);
	assert_no_error(scope_props_limits(l, v2, &props, &err), err);
}

static void limits(void **state)
{
	struct sbx_cgroup_limits l = {.memory_max = 1 << 20,
				      .memory_swap = 3 << 20,
				      .memory_low = 5,
				      .cpu_quota_us = 25000,
				      .cpu_period_us = 50000,
				      .cpu_shares = 1024,
				      .pids_max = SBX_CG_UNLIMITED};

	(void)state;
	limits_of(&(struct sbx_cgroup_limits){0}, true);
	assert_int_equal(props.n, 0);
	limits_of(&l, true);
	assert_number("MemoryMax", "t", 1 << 20);
	assert_number("MemorySwapMax", "t", 2 << 20);
	assert_number("MemoryLow", "t", 5);
	assert_number("CPUQuotaPerSecUSec", "t", 500000);
	assert_number("CPUQuotaPeriodUSec", "t", 50000);
	assert_number("CPUWeight", "t", 39);
	assert_number("TasksMax", "t", UINT64_MAX);
	assert_int_equal(props.n, 7);
	limits_of(&l, false);
	assert_number("MemoryLimit", "t", 1 << 20);
	assert_number("CPUShares", "t", 1024);
	assert_null(find("MemoryMax"));
	assert_null(find("CPUWeight"));
	assert_null(find("MemorySwapMax"));
	l.cpu_quota_us = SBX_CG_UNLIMITED;
	l.memory_swap = SBX_CG_UNLIMITED;
	limits_of(&l, true);
	assert_number("CPUQuotaPerSecUSec", "t", UINT64_MAX);
	assert_number("MemorySwapMax", "t", UINT64_MAX);
	l.memory_swap = l.memory_max; /* none at all */
	limits_of(&l, true);
	assert_number("MemorySwapMax", "t", 0);
}

static void quotas_are_rounded_up_to_what_systemd_knows(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct sbx_cgroup_limits l = {.cpu_quota_us = 33333};

	(void)state;
	limits_of(&l, true);
	assert_number("CPUQuotaPerSecUSec", "t", 340000);
	assert_null(find("CPUQuotaPeriodUSec"));
	l.cpu_quota_us = INT64_MAX;
	scope_props_finish(&props);
	assert_int_equal(scope_props_limits(&l, true, &props, &err), -ERANGE);
}

static void lists_are_bits(void **state)
{
	struct sbx_cgroup_limits l = {.cpuset_cpus = "0-2,9", .cpuset_mems = "1"};
	struct vr_err err = VR_ERR_INIT;
	const struct scope_prop *p;

	(void)state;
	limits_of(&l, true);
	p = find("AllowedCPUs");
	assert_non_null(p);
	assert_string_equal(p->type, "ay");
	assert_int_equal(p->len, 2);
	assert_memory_equal(p->text, "\x07\x02", 2);
	assert_int_equal(find("AllowedMemoryNodes")->len, 1);
	assert_int_equal(find("AllowedMemoryNodes")->text[0], 2);
	limits_of(&l, false);
	assert_int_equal(props.n, 0);
	l.cpuset_cpus = "8191";
	limits_of(&l, true);
	assert_int_equal(find("AllowedCPUs")->len, SCOPE_PROP_BYTES_MAX);
	l.cpuset_cpus = "8192";
	scope_props_finish(&props);
	assert_int_equal(scope_props_limits(&l, true, &props, &err), -EINVAL);
}

static int annotate(const char *key, const char *value, struct vr_err *err)
{
	struct oci_kv kv[] = {{"other", "x"}, {key, value}};
	const struct oci_kvs kvs = {.v = kv, .n = 2};

	*err = (struct vr_err)VR_ERR_INIT;
	scope_props_finish(&props);
	return scope_props_annotations(&kvs, &props, err);
}

#define PROP "org.systemd.property."

static void annotations(void **state)
{
	static const struct {
		const char *name, *value, *prop, *type;
		uint64_t num;
	} table[] = {
		{"KillSignal", "15", "KillSignal", "i", 15},
		{"TimeoutStopUSec", "uint64 30000000", "TimeoutStopUSec", "t", 30000000},
		{"TimeoutStopSec", "uint64 30", "TimeoutStopUSec", "t", 30000000},
		{"TimeoutStopSec", "7", "TimeoutStopUSec", "t", 7000000},
		{"Bool", "true", "Bool", "b", 1},
		{"Bool", "false", "Bool", "b", 0},
		{"Nice", "-5", "Nice", "i", (uint64_t)-5},
		{"Mask", "uint32 4294967295", "Mask", "u", UINT32_MAX},
		{"Far", "int64 -1", "Far", "x", UINT64_MAX},
	};
	struct vr_err err;
	char key[128];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		(void)snprintf(key, sizeof(key), PROP "%s", table[i].name);
		assert_no_error(annotate(key, table[i].value, &err), err);
		assert_int_equal(props.n, 1);
		assert_number(table[i].prop, table[i].type, table[i].num);
	}
	assert_int_equal(annotate(PROP "CollectMode", "'inactive-or-failed'", &err), 0);
	assert_string_equal(find("CollectMode")->text, "inactive-or-failed");
	assert_string_equal(find("CollectMode")->type, "s");
}

static void odd_annotations_are_named(void **state)
{
	static const struct {
		const char *name, *value;
	} table[] = {
		{"X", "plain"},
		{"X", ""},
		{"X", "['a']"},
		{"X", "'it's'"},
		{"X", "uint32 -1"},
		{"X", "5 apples"},
		{"X", "'"},
		{"X", "99999999999"},
		{"XSec", "int64 -1"},
		{"XSec", "uint64 18446744073710"},
		{"", "1"},
		{"A.B", "1"},
		{"X", "uint64 99999999999999999999"},
		{"X", "'a\\'"},
		{"AbcdefghijklmnopqrstuvwxyzAbcdefghijklmnopqrstuvwxyzAbcdefghijklmnopqrstuvwxyz",
		 "1"},
	};
	struct vr_err err;
	char key[160];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		(void)snprintf(key, sizeof(key), PROP "%s", table[i].name);
		assert_true(annotate(key, table[i].value, &err) < 0);
		assert_int_not_equal(err.code, 0);
	}
}

static void there_is_an_end(void **state)
{
	static struct oci_kv kv[SCOPE_PROPS_MAX + 1];
	const struct oci_kvs kvs = {.v = kv, .n = SCOPE_PROPS_MAX + 1};
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(kv); i++) {
		kv[i] = (struct oci_kv){PROP "X", "'text'"};
	}
	scope_props_finish(&props);
	assert_int_equal(scope_props_annotations(&kvs, &props, &err), -E2BIG);
	assert_int_equal(props.n, SCOPE_PROPS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(limits, reset),
		cmocka_unit_test_teardown(quotas_are_rounded_up_to_what_systemd_knows, reset),
		cmocka_unit_test_teardown(lists_are_bits, reset),
		cmocka_unit_test_teardown(annotations, reset),
		cmocka_unit_test_teardown(odd_annotations_are_named, reset),
		cmocka_unit_test_teardown(there_is_an_end, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
