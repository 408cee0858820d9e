/* SPDX-License-Identifier: Apache-2.0 */
/* test_err.c - the error value: codes, wrapping, messages that don't fit */
#include "cm.h"

#include <errno.h>
#include <limits.h>

static void set_stores_code_and_words(void **state)
{
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(vr_err_set(&err, EINVAL, "bad %s %d", "thing", 7), -EINVAL);
	assert_int_equal(err.code, EINVAL);
	assert_string_equal(err.msg, "bad thing 7");
}

static void negative_codes_are_turned(void **state)
{
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(vr_err_set(&err, -ENOENT, "x"), -ENOENT);
	assert_int_equal(err.code, ENOENT);
}

static void zero_becomes_eio(void **state)
{
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(vr_err_set(&err, 0, "x"), -EIO);
	assert_int_equal(err.code, EIO);
	assert_int_equal(vr_err_sys(NULL, 0, "x"), -EIO);
}

static void what_has_no_negative_becomes_eio(void **state)
{
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(vr_err_set(&err, INT_MIN, "x"), -EIO);
	assert_int_equal(err.code, EIO);
	assert_int_equal(vr_err_sys(&err, INT_MIN, "x"), -EIO);
	assert_int_equal(vr_err_set(&err, INT_MAX, "x"), -INT_MAX);
	assert_int_equal(vr_err_set(&err, -INT_MAX, "x"), -INT_MAX);
}

static void null_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(vr_err_set(NULL, EBUSY, "x"), -EBUSY);
	assert_int_equal(vr_err_sys(NULL, EBUSY, "x"), -EBUSY);
	assert_int_equal(vr_err_wrap(NULL, "x"), -EIO);
}

static void sys_appends_strerror(void **state)
{
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(vr_err_sys(&err, ENOENT, "open '%s'", "f"), -ENOENT);
	assert_string_equal(err.msg, "open 'f': No such file or directory");
}

static void wrap_prepends(void **state)
{
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	(void)vr_err_set(&err, EPERM, "inner");
	assert_int_equal(vr_err_wrap(&err, "create '%s'", "web"), -EPERM);
	assert_string_equal(err.msg, "create 'web': inner");
	assert_int_equal(err.code, EPERM);
}

static void wrap_of_nothing_is_eio(void **state)
{
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(vr_err_wrap(&err, "x"), -EIO);
	assert_string_equal(err.msg, "");
}

static void long_messages_are_cut_not_overrun(void **state)
{
	struct {
		struct vr_err err;
		char guard[16];
	} box = {.err = VR_ERR_INIT};
	char big[3 * VR_ERR_MSG_MAX];

	(void)state;
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	memset(box.guard, 'G', sizeof(box.guard));
	(void)vr_err_set(&box.err, EINVAL, "%s", big);
	assert_int_equal(strlen(box.err.msg), VR_ERR_MSG_MAX - 1);
	(void)vr_err_wrap(&box.err, "%s", big);
	assert_int_equal(strlen(box.err.msg), VR_ERR_MSG_MAX - 1);
	(void)vr_err_sys(&box.err, EINVAL, "%s", big);
	assert_int_equal(strlen(box.err.msg), VR_ERR_MSG_MAX - 1);
	for (size_t i = 0; i < sizeof(box.guard); i++) {
		assert_int_equal(box.guard[i], 'G');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_stores_code_and_words),
		cmocka_unit_test(negative_codes_are_turned),
		cmocka_unit_test(zero_becomes_eio),
		cmocka_unit_test(what_has_no_negative_becomes_eio),
		cmocka_unit_test(null_is_allowed),
		cmocka_unit_test(sys_appends_strerror),
		cmocka_unit_test(wrap_prepends),
		cmocka_unit_test(wrap_of_nothing_is_eio),
		cmocka_unit_test(long_messages_are_cut_not_overrun),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
