/* SPDX-License-Identifier: Apache-2.0 */
/* test_annotations.c - our settings among the annotations */
#include "cm.h"

#include <errno.h>

#include "oci/annotations.h"
#include "oci/spec.h"

static int parse_one(const char *key, const char *value, struct oci_settings *out,
		     struct vr_err *err)
{
	struct oci_kv kv = {.key = key, .value = value};
	struct oci_kvs kvs = {.v = &kv, .n = 1};

	return oci_settings_parse("config.json", &kvs, out, err);
}

static void refuse(const char *key, const char *value, const char *message)
{
	struct oci_settings out = {.rootfs = OCI_ROOTFS_IMAGE};
	struct vr_err err = VR_ERR_INIT;

	assert_int_equal(parse_one(key, value, &out, &err), -EINVAL);
	assert_message(err, message);
	assert_int_equal(out.rootfs, OCI_ROOTFS_IMAGE); /* untouched */
}

static void defaults(void **state)
{
	struct oci_kvs none = {0};
	struct oci_settings out;

	(void)state;
	assert_int_equal(oci_settings_parse("config.json", &none, &out, NULL), 0);
	assert_int_equal(out.rootfs, OCI_ROOTFS_SHARE);
	assert_false(out.memory_mib.set);
	assert_false(out.vcpus.set);
	assert_int_equal(out.boot_timeout_s, 180);
}

static void values_at_their_bounds(void **state)
{
	struct oci_settings out;

	(void)state;
	assert_int_equal(parse_one("dev.volt.rootfs", "image", &out, NULL), 0);
	assert_int_equal(out.rootfs, OCI_ROOTFS_IMAGE);
	assert_int_equal(parse_one("dev.volt.rootfs", "share", &out, NULL), 0);
	assert_int_equal(out.rootfs, OCI_ROOTFS_SHARE);
	assert_int_equal(parse_one("dev.volt.memory", "64", &out, NULL), 0);
	assert_int_equal(out.memory_mib.v, 64);
	assert_int_equal(parse_one("dev.volt.memory", "1048576", &out, NULL), 0);
	assert_int_equal(out.memory_mib.v, 1048576);
	assert_int_equal(parse_one("dev.volt.vcpus", "64", &out, NULL), 0);
	assert_true(out.vcpus.set);
	assert_int_equal(out.vcpus.v, 64);
	assert_null(out.net_egress);
	assert_int_equal(out.net_vhost, OCI_VHOST_OFF);
	assert_int_equal(parse_one("dev.volt.net.vhost", "auto", &out, NULL), 0);
	assert_int_equal(out.net_vhost, OCI_VHOST_AUTO);
	assert_int_equal(parse_one("dev.volt.net.vhost", "on", &out, NULL), 0);
	assert_int_equal(out.net_vhost, OCI_VHOST_ON);
	assert_int_equal(parse_one("dev.volt.net.vhost", "off", &out, NULL), 0);
	assert_int_equal(out.net_vhost, OCI_VHOST_OFF);
	assert_int_equal(parse_one("dev.volt.net.vhost", "yes", &out, NULL), -EINVAL);
	assert_int_equal(parse_one("dev.volt.net.egress", "dns", &out, NULL), 0);
	assert_string_equal(out.net_egress, "dns");
	assert_int_equal(parse_one("dev.volt.boot_timeout", "3600", &out, NULL), 0);
	assert_int_equal(out.boot_timeout_s, 3600);
}

static void others_are_none_of_our_business(void **state)
{
	struct oci_settings out;

	(void)state;
	assert_int_equal(parse_one("io.podman.x", "whatever", &out, NULL), 0);
	assert_int_equal(parse_one("dev.volta", "x", &out, NULL), 0);
	assert_int_equal(parse_one("dev.volt", "x", &out, NULL), 0);
}

static void bad_values_are_refused(void **state)
{
	(void)state;
	refuse("dev.volt.rootfs", "Share",
	       "config.json: annotations[\"dev.volt.rootfs\"]: must be share or image, not "
	       "'Share'");
	refuse("dev.volt.boot_timeout", "0",
	       "config.json: annotations[\"dev.volt.boot_timeout\"]: must be a number from 1 to "
	       "3600, not '0'");
	refuse("dev.volt.memory", "63",
	       "config.json: annotations[\"dev.volt.memory\"]: must be a number from 64 to "
	       "1048576, "
	       "not '63'");
	refuse("dev.volt.memory", "1048577",
	       "config.json: annotations[\"dev.volt.memory\"]: must be a number from 64 to "
	       "1048576, "
	       "not '1048577'");
	refuse("dev.volt.memory", "128M",
	       "config.json: annotations[\"dev.volt.memory\"]: must be a number from 64 to "
	       "1048576, "
	       "not '128M'");
	refuse("dev.volt.memory", "+128",
	       "config.json: annotations[\"dev.volt.memory\"]: must be a number from 64 to "
	       "1048576, "
	       "not '+128'");
	refuse("dev.volt.memory", "99999999999999999999",
	       "config.json: annotations[\"dev.volt.memory\"]: must be a number from 64 to "
	       "1048576, "
	       "not '99999999999999999999'");
	refuse("dev.volt.vcpus", "0",
	       "config.json: annotations[\"dev.volt.vcpus\"]: must be a number from 1 to 64, not "
	       "'0'");
	refuse("dev.volt.vcpus", "",
	       "config.json: annotations[\"dev.volt.vcpus\"]: must be a number from 1 to 64, not "
	       "''");
	refuse("dev.volt.vcpu", "1",
	       "config.json: annotations[\"dev.volt.vcpu\"]: no such setting");
	refuse("dev.volt.", "1", "config.json: annotations[\"dev.volt.\"]: no such setting");
}

static void table_is_complete(void **state)
{
	size_t n = 0;
	const struct oci_annotation *t = oci_annotations_table(&n);

	(void)state;
	assert_int_equal(n, 6);
	for (size_t i = 0; i < n; i++) {
		assert_memory_equal(t[i].name, OCI_ANNOTATION_PREFIX,
				    strlen(OCI_ANNOTATION_PREFIX));
		assert_true(strlen(t[i].values) > 0);
		assert_true(strlen(t[i].fallback) > 0);
		assert_true(strlen(t[i].meaning) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(values_at_their_bounds),
		cmocka_unit_test(others_are_none_of_our_business),
		cmocka_unit_test(bad_values_are_refused),
		cmocka_unit_test(table_is_complete),
	};

	return cmocka_run_group_tests_name("annotations", tests, NULL, NULL);
}
