/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fs_handle.c - ids are bounded, never pointers, and die with their item
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "virtio-fs/fs_handle.h"

struct item {
	struct fs_slot slot;
	int value;
};

static struct item *take(struct fs_table *t)
{
	void *p;

	assert_int_equal(fs_table_alloc(t, &p), 0);
	return p;
}

static void test_first_id_is_one(void **state)
{
	struct fs_table t;
	struct item *a;

	(void)state;
	assert_int_equal(fs_table_init(&t, sizeof(struct item), 10), 0);
	a = take(&t);
	assert_int_equal(fs_table_id(a), 1);
	assert_ptr_equal(fs_table_get(&t, 1), a);
	fs_table_free(&t, a);
	fs_table_finish(&t);
}

static void test_stale_and_made_up_ids(void **state)
{
	struct fs_table t;
	struct item *a;
	struct item *b;
	uint64_t old;

	(void)state;
	assert_int_equal(fs_table_init(&t, sizeof(struct item), 10), 0);
	a = take(&t);
	a->value = 5;
	old = fs_table_id(a);
	fs_table_free(&t, a);
	assert_null(fs_table_get(&t, old));
	b = take(&t); /* the same slot */
	assert_ptr_equal(a, b);
	assert_int_equal(b->value, 0);
	assert_null(fs_table_get(&t, old));
	assert_ptr_equal(fs_table_get(&t, fs_table_id(b)), b);
	assert_null(fs_table_get(&t, 0));
	assert_null(fs_table_get(&t, 2));
	assert_null(fs_table_get(&t, 11));
	assert_null(fs_table_get(&t, UINT64_MAX));
	assert_null(fs_table_get(&t, 0xffffffffULL));
	assert_null(fs_table_get(&t, fs_table_id(b) | 1ULL << 63));
	fs_table_finish(&t);
}

static void test_cap(void **state)
{
	struct fs_table t;
	void *p = NULL;

	(void)state;
	assert_int_equal(fs_table_init(&t, sizeof(struct item), 300), 0);
	for (int i = 0; i < 300; i++) {
		assert_false(fs_table_full(&t));
		take(&t)->value = i;
	}
	assert_true(fs_table_full(&t));
	assert_int_equal(fs_table_alloc(&t, &p), -ENFILE);
	assert_null(p);
	for (unsigned i = 0; i < 300; i++) { /* items never moved while the table grew */
		struct item *it = fs_table_at(&t, i);

		assert_non_null(it);
		assert_int_equal(it->value, i);
	}
	assert_null(fs_table_at(&t, 300));
	fs_table_free(&t, fs_table_at(&t, 17));
	assert_null(fs_table_at(&t, 17));
	assert_int_equal(take(&t)->slot.index, 17);
	fs_table_finish(&t);
}

static void test_bad_caps(void **state)
{
	struct fs_table t;

	(void)state;
	assert_int_equal(fs_table_init(&t, sizeof(struct item), 0), -EINVAL);
	assert_int_equal(fs_table_init(&t, sizeof(struct item), FS_TABLE_MAX + 1), -EINVAL);
	assert_int_equal(fs_table_init(&t, 1, 1), -EINVAL);
	fs_table_finish(&t);
}

static void test_generation_wraps_without_harm(void **state)
{
	struct fs_table t;
	struct item *a;

	(void)state;
	assert_int_equal(fs_table_init(&t, sizeof(struct item), 1), 0);
	a = take(&t);
	a->slot.generation = UINT32_MAX;
	assert_int_equal(fs_table_id(a), (uint64_t)UINT32_MAX << 32 | 1);
	fs_table_free(&t, a);
	assert_int_equal(fs_table_id(take(&t)), 1);
	fs_table_finish(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_id_is_one),
		cmocka_unit_test(test_stale_and_made_up_ids),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_bad_caps),
		cmocka_unit_test(test_generation_wraps_without_harm),
	};

	return cmocka_run_group_tests_name("fs_handle", tests, NULL, NULL);
}
