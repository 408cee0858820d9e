/* SPDX-License-Identifier: Apache-2.0 */
/* test_features.c - the documents of `features` and `spec` */
#include "cm.h"

#include "oci/features.h"
#include "oci/json.h"
#include "oci/spec.h"

static bool lists(const struct json *array, const char *name)
{
	for (size_t i = 0; array && i < json_count(array); i++) {
		if (strcmp(json_text(json_at(array, i)), name) == 0) {
			return true;
		}
	}
	return false;
}

static void features_list_what_the_parser_knows(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct json_doc *doc = NULL;
	const struct json *root;
	const struct json *linux_;
	const struct json *seccomp;
	char *text = NULL;

	(void)state;
	assert_no_error(oci_features_json("1.2.3", "abc", &text, &err), err);
	assert_no_error(json_parse("features", text, strlen(text), &doc, &err), err);
	root = json_doc_root(doc);
	linux_ = json_member(root, "linux");
	seccomp = json_member(linux_, "seccomp");
	assert_string_equal(json_text(json_member(root, "ociVersionMin")), "1.0.0");
	assert_string_equal(json_text(json_member(root, "ociVersionMax")), "1.2.0");
	assert_true(lists(json_member(root, "hooks"), "startContainer"));
	assert_true(lists(json_member(root, "mountOptions"), "rbind"));
	assert_true(lists(json_member(root, "mountOptions"), "rro"));
	assert_true(lists(json_member(root, "mountOptions"), "rslave"));
	assert_true(lists(json_member(root, "mountOptions"), "tmpcopyup"));
	assert_true(json_count(json_member(root, "mountOptions")) > 60);
	assert_true(lists(json_member(linux_, "namespaces"), "time"));
	assert_int_equal(json_count(json_member(linux_, "capabilities")), 41);
	assert_true(lists(json_member(seccomp, "actions"), "SCMP_ACT_ERRNO"));
	assert_false(lists(json_member(seccomp, "actions"), "SCMP_ACT_NOTIFY"));
	assert_true(lists(json_member(seccomp, "archs"), "SCMP_ARCH_X86_64"));
	assert_true(lists(json_member(root, "potentiallyUnsafeConfigAnnotations"), "dev.volt."));
	assert_string_equal(
		json_text(json_member(json_member(root, "annotations"), "dev.volt.version")),
		"1.2.3");
	assert_string_equal(text + strlen(text) - 2, "}\n");
	json_doc_free(doc);
	free(text);
	assert_no_error(oci_features_json("1.2.3", NULL, &text, &err), err);
	assert_null(strstr(text, "dev.volt.commit"));
	free(text);
}

static void mount_options_are_sorted(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct json_doc *doc = NULL;
	const struct json *options;
	char *text = NULL;

	(void)state;
	assert_no_error(oci_features_json("1", NULL, &text, &err), err);
	assert_no_error(json_parse("features", text, strlen(text), &doc, &err), err);
	options = json_member(json_doc_root(doc), "mountOptions");
	for (size_t i = 1; i < json_count(options); i++) {
		assert_true(strcmp(json_text(json_at(options, i - 1)),
				   json_text(json_at(options, i))) < 0);
	}
	json_doc_free(doc);
	free(text);
}

static void templates_load(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct oci_spec *spec = NULL;
	char *text = NULL;

	(void)state;
	assert_no_error(oci_template_json(false, &text, &err), err);
	assert_no_error(oci_spec_parse("config.json", text, strlen(text), &spec, &err), err);
	assert_string_equal(spec->process->args.v[0], "sh");
	assert_int_equal(spec->mounts.n, 7);
	assert_non_null(oci_spec_ns(spec, OCI_NS_NETWORK));
	assert_null(oci_spec_ns(spec, OCI_NS_USER));
	assert_int_equal(spec->warnings.n, 0);
	oci_spec_free(spec);
	free(text);
	assert_no_error(oci_template_json(true, &text, &err), err);
	assert_no_error(oci_spec_parse("config.json", text, strlen(text), &spec, &err), err);
	assert_null(oci_spec_ns(spec, OCI_NS_NETWORK));
	assert_non_null(oci_spec_ns(spec, OCI_NS_USER));
	assert_int_equal(spec->linux_->uid_mappings.n, 1);
	assert_null(strstr(text, "gid=5"));
	oci_spec_free(spec);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_list_what_the_parser_knows),
		cmocka_unit_test(mount_options_are_sorted),
		cmocka_unit_test(templates_load),
	};

	return cmocka_run_group_tests_name("features", tests, NULL, NULL);
}
