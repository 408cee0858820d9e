/* SPDX-License-Identifier: Apache-2.0 */
/* test_cgroup_path.c - cgroupsPath in both of its forms */
#include "cm.h"

#include <errno.h>

#include "base/checked.h"
#include "cgroup_path.h"

static void systemd_paths(void **state)
{
	static const struct {
		const char *path, *want;
	} table[] = {
		{NULL, "/system.slice/volt-id.scope"},
		{"", "/system.slice/volt-id.scope"},
		{"machine.slice:libpod:abc", "/machine.slice/libpod-abc.scope"},
		{":p:n", "/system.slice/p-n.scope"},
		{"a.slice::n", "/a.slice/n.scope"},
		{"a-b.slice:p:n", "/a.slice/a-b.slice/p-n.scope"},
		{"a-b-c.slice:p:n", "/a.slice/a-b.slice/a-b-c.slice/p-n.scope"},
		{"-.slice:p:n", "/p-n.scope"},
	};
	char out[SBX_CGROUP_PATH_MAX];
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		assert_no_error(cgroup_path_from_spec(table[i].path, "id", true, out, &err), err);
		assert_string_equal(out, table[i].want);
	}
	assert_int_equal(err.code, 0);
}

static void refuse(const char *path, const char *message)
{
	char out[SBX_CGROUP_PATH_MAX];
	struct vr_err err = VR_ERR_INIT;

	assert_int_equal(cgroup_path_from_spec(path, "id", true, out, &err), -EINVAL);
	assert_message(err, message);
}

static void systemd_form_is_needed(void **state)
{
	static const char *const table[] = {
		"/a/b",		 "a.slice",	  "a.slice:n",
		"a.slice:p:n:x", "a.slice:p:a/b", "a.slice:x/../y:n",
	};
	char message[256];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		(void)snprintf(
			message, sizeof(message),
			"config.json: linux.cgroupsPath: '%s' is not of the form slice:prefix:name",
			table[i]);
		refuse(table[i], message);
	}
}

static void slices_need_names(void **state)
{
	static const char *const table[] = {
		"a",	      "a.scope",   ".slice",	 "-a.slice",	  "a-.slice",
		"a--b.slice", "a/b.slice", "../a.slice", "a.slice.slice",
	};
	char path[64], message[256];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		(void)snprintf(path, sizeof(path), "%s:p:n", table[i]);
		(void)snprintf(message, sizeof(message),
			       "config.json: linux.cgroupsPath: '%s' is not a slice", table[i]);
		refuse(path, message);
	}
}

static void long_paths_are_refused(void **state)
{
	char out[SBX_CGROUP_PATH_MAX], path[2 * SBX_CGROUP_PATH_MAX];
	struct vr_err err = VR_ERR_INIT;
	size_t n = 0;

	(void)state;
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(cgroup_path_from_spec(NULL, path, true, out, &err), -ENAMETOOLONG);
	memcpy(path, "a.slice:p:", 10);
	assert_true(cgroup_path_from_spec(path, "id", true, out, &err) < 0);
	/* The form fits, what it expands to doesn't. */
	for (unsigned i = 0; i < 60; i++) {
		n += (size_t)sprintf(path + n, "%sx%u", i > 0 ? "-" : "", i);
	}
	(void)sprintf(path + n, ".slice:p:n");
	assert_true(strlen(path) < SBX_CGROUP_PATH_MAX);
	assert_true(cgroup_path_from_spec(path, "id", true, out, &err) < 0);
	/* Each piece fits; the last byte doesn't. */
	memset(path, 'x', sizeof(path));
	memcpy(path, "a.slice:p:", 10);
	for (n = 1000; n < 1030; n++) {
		path[n] = '\0';
		err = (struct vr_err)VR_ERR_INIT;
		if (cgroup_path_from_spec(path, "id", true, out, &err) == 0) {
			assert_true(strlen(out) < SBX_CGROUP_PATH_MAX);
			assert_string_equal(out + strlen(out) - 6, ".scope");
		} else {
			assert_int_not_equal(err.code, 0);
		}
		path[n] = 'x';
	}
}

static void plain_paths_are_kept(void **state)
{
	char out[SBX_CGROUP_PATH_MAX];
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_no_error(cgroup_path_from_spec("/a/b", "id", false, out, &err), err);
	assert_string_equal(out, "/a/b");
	assert_no_error(cgroup_path_from_spec("/s:p:n", "id", false, out, &err), err);
	assert_string_equal(out, "/s:p:n");
	assert_int_equal(cgroup_path_from_spec("/a/../b", "id", false, out, &err), -EINVAL);
	assert_int_not_equal(err.code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(systemd_paths),	cmocka_unit_test(systemd_form_is_needed),
		cmocka_unit_test(slices_need_names),	cmocka_unit_test(long_paths_are_refused),
		cmocka_unit_test(plain_paths_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
