/* SPDX-License-Identifier: Apache-2.0 */
/* test_vmm_user.c - the texts of --vmm-user */
#include "cm.h"

#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "vmm_user.h"

static void each_vmm_is_somebody_else(void **state)
{
	static const char *const texts[] = {NULL, "auto"};
	struct sbx_user a, b;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(texts); i++) {
		assert_int_equal(vmm_user_parse(texts[i], &a, NULL), 0);
		assert_int_equal(vmm_user_parse(texts[i], &b, NULL), 0);
		assert_true(a.change && !a.must);
		assert_in_range(a.uid, VMM_UID_FIRST, VMM_UID_LAST);
		assert_in_range(b.uid, VMM_UID_FIRST, VMM_UID_LAST);
		assert_int_not_equal(a.uid, b.uid); /* but for one time in 268,435,456 */
	}
}

static void who_is_named_is_meant(void **state)
{
	struct sbx_user u;

	(void)state;
	assert_int_equal(vmm_user_parse("none", &u, NULL), 0);
	assert_false(u.change);
	assert_int_equal(vmm_user_parse("0", &u, NULL), 0);
	assert_true(u.change && u.must && u.uid == 0);
	assert_int_equal(vmm_user_parse("4294967294", &u, NULL), 0);
	assert_true(u.change && u.must && u.uid == 4294967294u);
}

static void anything_else_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "root", "-1", " 1", "+1", "1x", "0x10", "4294967295", "18446744073709551616"};
	struct sbx_user u;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(texts); i++) {
		struct vr_err err = VR_ERR_INIT;

		assert_int_equal(vmm_user_parse(texts[i], &u, &err), -EINVAL);
		assert_non_null(strstr(err.msg, "option '--vmm-user': '"));
		assert_false(u.change);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_vmm_is_somebody_else),
		cmocka_unit_test(who_is_named_is_meant),
		cmocka_unit_test(anything_else_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
