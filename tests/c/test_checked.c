/* SPDX-License-Identifier: Apache-2.0 */
/* test_checked.c - arithmetic at its limits */
#include "cm.h"

#include "base/checked.h"

static void add_refuses_to_wrap(void **state)
{
	uint64_t out = 77;

	(void)state;
	assert_true(vr_add_u64(UINT64_MAX - 1, 1, &out));
	assert_true(out == UINT64_MAX);
	out = 77;
	assert_false(vr_add_u64(UINT64_MAX, 1, &out));
	assert_int_equal(out, 77);
}

static void mul_refuses_to_wrap(void **state)
{
	uint64_t out = 77;

	(void)state;
	assert_true(vr_mul_u64(UINT64_C(1) << 32, (UINT64_C(1) << 32) - 1, &out));
	out = 77;
	assert_false(vr_mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &out));
	assert_int_equal(out, 77);
}

static void range_inside_at_the_edges(void **state)
{
	(void)state;
	assert_true(vr_range_inside(10, 5, 10, 5));
	assert_true(vr_range_inside(15, 0, 10, 5));
	assert_false(vr_range_inside(9, 1, 10, 5));
	assert_false(vr_range_inside(10, 6, 10, 5));
	assert_false(vr_range_inside(15, 1, 10, 5));
	assert_false(vr_range_inside(11, UINT64_MAX, 10, 5));
	assert_false(vr_range_inside(UINT64_MAX, 2, 10, 5));
	assert_true(vr_range_inside(UINT64_MAX, 1, 0, UINT64_MAX) == false);
	assert_true(vr_range_inside(UINT64_MAX - 1, 1, 0, UINT64_MAX));
}

static void align_and_powers(void **state)
{
	(void)state;
	assert_int_equal(vr_align_up(0, 8), 0);
	assert_int_equal(vr_align_up(1, 8), 8);
	assert_int_equal(vr_align_up(8, 8), 8);
	assert_true(vr_is_pow2(1));
	assert_true(vr_is_pow2(UINT64_C(1) << 63));
	assert_false(vr_is_pow2(0));
	assert_false(vr_is_pow2(6));
}

static int calls;

static int counted(void)
{
	return ++calls;
}

static void min_and_max_evaluate_once(void **state)
{
	(void)state;
	calls = 0;
	assert_int_equal(VR_MIN(counted(), 5), 1);
	assert_int_equal(calls, 1);
	assert_int_equal(VR_MAX(counted(), 5), 5);
	assert_int_equal(calls, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(add_refuses_to_wrap),	     cmocka_unit_test(mul_refuses_to_wrap),
		cmocka_unit_test(range_inside_at_the_edges), cmocka_unit_test(align_and_powers),
		cmocka_unit_test(min_and_max_evaluate_once),
	};

	return cmocka_run_group_tests_name("checked", tests, NULL, NULL);
}
