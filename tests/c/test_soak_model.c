/* SPDX-License-Identifier: Apache-2.0 */
/* test_soak_model.c - the checker of the soak test: what can be true, and what can't */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "soak/model.h"

static struct mop op(unsigned caller, uint64_t begin, uint64_t end)
{
	return (struct mop){.caller = caller, .begin = begin, .end = end};
}

static struct mop create(unsigned caller, uint64_t begin, uint64_t end)
{
	struct mop m = op(caller, begin, end);

	model_step(&m, M_BIT(M_ABSENT), M_BIT(M_CREATING));
	model_step(&m, M_BIT(M_CREATING), M_BIT(M_CREATED));
	return m;
}

static struct mop change(unsigned caller, uint64_t begin, uint64_t end, enum mstate from,
			 enum mstate to)
{
	struct mop m = op(caller, begin, end);

	model_step(&m, M_BIT(from), M_BIT(to));
	return m;
}

static struct mop seen(unsigned caller, uint64_t begin, uint64_t end, enum mstate state)
{
	return change(caller, begin, end, state, state);
}

static void test_one_caller(void **state)
{
	const struct mop good[] = {create(0, 1, 2), seen(0, 3, 4, M_CREATED),
				   change(0, 5, 6, M_CREATED, M_RUNNING), seen(0, 7, 8, M_RUNNING)};
	const struct mop bad[] = {create(0, 1, 2), change(0, 5, 6, M_CREATED, M_RUNNING),
				  seen(0, 7, 8, M_CREATED)};
	const struct mop early[] = {seen(0, 1, 2, M_CREATED), create(0, 3, 4)};

	(void)state;
	assert_int_equal(model_check(good, 4), -1);
	assert_int_equal(model_check(bad, 3), 2);
	assert_int_equal(model_check(early, 2), 0);
	assert_int_equal(model_check(NULL, 0), -1);
}

static void test_two_at_once(void **state)
{
	/* Only one of two creates that overlap can succeed; each state of it may be seen. */
	const struct mop both[] = {create(0, 1, 10), create(1, 2, 9)};
	const struct mop seen_all[] = {create(0, 1, 10), seen(1, 2, 3, M_ABSENT),
				       seen(1, 4, 5, M_CREATING), seen(1, 6, 7, M_CREATED)};
	const struct mop backwards[] = {create(0, 1, 10), seen(1, 4, 5, M_CREATED),
					seen(1, 6, 7, M_CREATING)};

	(void)state;
	assert_int_equal(model_check(both, 2), 0);
	assert_int_equal(model_check(seen_all, 4), -1);
	assert_int_equal(model_check(backwards, 3), 2);
}

static void test_order_is_free_only_while_they_overlap(void **state)
{
	const struct mop free_[] = {create(0, 1, 2), change(0, 3, 9, M_CREATED, M_RUNNING),
				    seen(1, 4, 8, M_CREATED), seen(2, 4, 8, M_RUNNING)};
	const struct mop bound[] = {create(0, 1, 2), change(0, 3, 9, M_CREATED, M_RUNNING),
				    seen(1, 4, 5, M_RUNNING), seen(2, 6, 8, M_CREATED)};

	(void)state;
	assert_int_equal(model_check(free_, 4), -1);
	assert_int_equal(model_check(bound, 4), 3);
}

static void test_dying_ends_by_itself_and_never_comes_back(void **state)
{
	struct mop kill = op(0, 3, 4);
	struct mop ops[4] = {create(0, 1, 2)};

	(void)state;
	model_step(&kill, M_BIT(M_CREATED) | M_BIT(M_RUNNING), M_BIT(M_DYING));
	ops[1] = kill;
	ops[2] = seen(0, 5, 6, M_DYING);
	ops[3] = seen(0, 7, 8, M_STOPPED);
	assert_int_equal(model_check(ops, 4), -1);
	ops[2] = seen(0, 5, 6, M_STOPPED);
	ops[3] = seen(0, 7, 8, M_DYING);
	assert_int_equal(model_check(ops, 4), 3);
}

static void test_steps_with_a_choice(void **state)
{
	struct mop killed = op(0, 1, 2);
	struct mop ops[2];

	(void)state;
	model_step(&killed, M_BIT(M_ABSENT), M_BIT(M_ABSENT) | M_BIT(M_CREATING));
	model_also(&killed, M_BIT(M_STOPPED), 0);
	model_step(&killed, M_BIT(M_CREATING), M_BIT(M_STOPPED) | M_BIT(M_CREATED));
	model_also(&killed, M_BIT(M_ABSENT), 0);
	ops[0] = killed;
	for (unsigned s = 0; s < M_STATES; s++) {
		ops[1] = seen(1, 3, 4, (enum mstate)s);
		assert_int_equal(model_check(ops, 2),
				 s == M_ABSENT || s == M_STOPPED || s == M_CREATED ? -1 : 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_caller),
		cmocka_unit_test(test_two_at_once),
		cmocka_unit_test(test_order_is_free_only_while_they_overlap),
		cmocka_unit_test(test_dying_ends_by_itself_and_never_comes_back),
		cmocka_unit_test(test_steps_with_a_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
