/* SPDX-License-Identifier: Apache-2.0 */
/* test_bundle.c - bundle, configuration, rootfs and bind sources on disk */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fdio.h"
#include "oci/bundle.h"

static char tmp[] = "/tmp/test_bundle.XXXXXX";
static char real_tmp[PATH_MAX];
static char path[PATH_MAX + 64];

static const char *at(const char *name)
{
	(void)snprintf(path, sizeof(path), "%s/%s", real_tmp, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	assert_int_equal(vr_write_file_atomic(AT_FDCWD, at(name), text, strlen(text), 0600), 0);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(tmp) || !realpath(tmp, real_tmp)) {
		return -1;
	}
	return mkdir(at("b"), 0700) < 0 || mkdir(at("b/rootfs"), 0700) < 0 ||
	       mkdir(at("other"), 0700) < 0 || symlink("b", at("link")) < 0;
}

static int teardown(void **state)
{
	(void)state;
	return vr_remove_tree(AT_FDCWD, "x-not-there") < 0 || chdir("/tmp") < 0 ||
	       vr_remove_tree(AT_FDCWD, strrchr(real_tmp, '/') + 1) < 0;
}

static struct oci_bundle open_ok(const char *name)
{
	struct oci_bundle b = OCI_BUNDLE_INIT;
	struct vr_err err = VR_ERR_INIT;

	assert_no_error(oci_bundle_open(name, &b, &err), err);
	assert_true(b.fd >= 0);
	return b;
}

static void path_is_absolute_and_real(void **state)
{
	struct oci_bundle b = open_ok(at("link/../link"));

	(void)state;
	assert_string_equal(b.path, at("b"));
	oci_bundle_close(&b);
	assert_int_equal(b.fd, -1);
	oci_bundle_close(&b);
	assert_int_equal(chdir(at("b")), 0);
	b = open_ok(NULL);
	assert_string_equal(b.path, at("b"));
	oci_bundle_close(&b);
	b = open_ok("");
	assert_string_equal(b.path, at("b"));
	oci_bundle_close(&b);
	b = open_ok("rootfs");
	assert_string_equal(b.path, at("b/rootfs"));
	oci_bundle_close(&b);
}

static void missing_bundles_are_named(void **state)
{
	struct oci_bundle b = OCI_BUNDLE_INIT;
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(oci_bundle_open("/nonexistent", &b, &err), -ENOENT);
	assert_message(err, "open bundle '/nonexistent': No such file or directory");
	assert_int_equal(oci_bundle_open("/etc/passwd", &b, &err), -ENOTDIR);
	assert_message(err, "open bundle '/etc/passwd': Not a directory");
	assert_int_equal(b.fd, -1);
	assert_null(b.path);
}

static void odd_names_are_refused(void **state)
{
	struct oci_bundle b = OCI_BUNDLE_INIT;
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(mkdir(at("\xff"), 0700), 0);
	assert_int_equal(oci_bundle_open(at("\xff"), &b, &err), -EILSEQ);
	assert_int_equal(err.code, EILSEQ);
}

static void configuration_is_found(void **state)
{
	struct oci_bundle b = open_ok(at("b"));
	struct vr_err err = VR_ERR_INIT;
	struct oci_spec *spec = NULL;
	char expected[PATH_MAX + 64];
	char *text = NULL;
	size_t len;

	(void)state;
	assert_int_equal(oci_bundle_spec(&b, NULL, &spec, &text, &len, &err), -ENOENT);
	(void)snprintf(expected, sizeof(expected), "no config.json in bundle '%s'", b.path);
	assert_message(err, expected);
	write_file("b/config.json", "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"rootfs\"}}");
	assert_no_error(oci_bundle_spec(&b, NULL, &spec, &text, &len, &err), err);
	assert_string_equal(spec->name, "config.json");
	assert_int_equal(len, strlen(text));
	write_file("b/config.json", "{}"); /* too late: what was read is what counts */
	assert_string_equal(text, "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"rootfs\"}}");
	oci_spec_free(spec);
	free(text);
	write_file("c.json", "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"x\"}}");
	assert_no_error(oci_bundle_spec(&b, at("c.json"), &spec, &text, &len, &err), err);
	assert_string_equal(spec->root->path, "x");
	oci_spec_free(spec);
	free(text);
	oci_bundle_close(&b);
}

/* Nobody may wait for what never comes. */
static void a_configuration_that_is_no_file_is_refused(void **state)
{
	struct oci_bundle b = open_ok(at("b"));
	struct oci_spec *spec = NULL;
	char fifo[PATH_MAX + 64];
	char *text;
	size_t len;

	(void)state;
	(void)snprintf(fifo, sizeof(fifo), "%s", at("fifo"));
	assert_int_equal(mkfifo(fifo, 0600), 0);
	for (size_t i = 0; i < 3; i++) {
		const char *name = i == 0 ? "/dev/zero" : i == 1 ? fifo : b.path;
		struct vr_err err = VR_ERR_INIT;
		char expected[2 * PATH_MAX];

		(void)snprintf(expected, sizeof(expected), "open '%s': not a regular file", name);
		assert_int_equal(oci_bundle_spec(&b, name, &spec, &text, &len, &err), -EINVAL);
		assert_message(err, expected);
	}
	(void)unlink(fifo);
	oci_bundle_close(&b);
}

static void rootfs_may_be_relative_or_absolute(void **state)
{
	struct oci_bundle b = open_ok(at("b"));
	struct vr_err err = VR_ERR_INIT;
	struct oci_root root = {.path = "rootfs"};
	char *where = NULL;
	struct stat st;
	int fd = -1;

	(void)state;
	assert_int_equal(chdir("/"), 0); /* the current directory has no say */
	assert_no_error(oci_bundle_rootfs(&b, &root, &fd, &where, &err), err);
	assert_string_equal(where, at("b/rootfs"));
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	free(where);
	root.path = at("other");
	assert_no_error(oci_bundle_rootfs(&b, &root, &fd, &where, &err), err);
	assert_string_equal(where, at("other"));
	close(fd);
	free(where);
	root.path = "absent";
	assert_int_equal(oci_bundle_rootfs(&b, &root, &fd, &where, &err), -ENOENT);
	assert_message(err, "open rootfs 'absent': No such file or directory");
	root.path = "config.json";
	assert_int_equal(oci_bundle_rootfs(&b, &root, &fd, &where, &err), -ENOTDIR);
	assert_message(err, "open rootfs 'config.json': Not a directory");
	oci_bundle_close(&b);
}

static void bind_sources_open(void **state)
{
	struct oci_bundle b = open_ok(at("b"));
	struct vr_err err = VR_ERR_INIT;
	int fd = -1;

	(void)state;
	assert_no_error(oci_bundle_source(&b, "config.json", &fd, &err), err);
	close(fd);
	assert_no_error(oci_bundle_source(&b, "/dev/null", &fd, &err), err);
	close(fd);
	assert_int_equal(oci_bundle_source(&b, "absent", &fd, &err), -ENOENT);
	assert_message(err, "open bind source 'absent': No such file or directory");
	oci_bundle_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_is_absolute_and_real),
		cmocka_unit_test(missing_bundles_are_named),
		cmocka_unit_test(odd_names_are_refused),
		cmocka_unit_test(configuration_is_found),
		cmocka_unit_test(a_configuration_that_is_no_file_is_refused),
		cmocka_unit_test(rootfs_may_be_relative_or_absolute),
		cmocka_unit_test(bind_sources_open),
	};

	return cmocka_run_group_tests_name("bundle", tests, setup, teardown);
}
