/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_spec_fields.c - every field, by machine
 *
 * Walks the parser's own tables and a configuration with all fields. Each value
 * of it is replaced by one of another type, by numbers out of range and by null;
 * the message must name that very place. So a new field can't go untested.
 */
#include "cm.h"

#include "full_config.h"
#include "oci/json.h"
#include "oci/spec.h"
#include "oci/spec_internal.h"

static struct json_doc *full;

static int setup(void **state)
{
	char *json = quoted(full_config);
	int r = json_parse("config.json", json, strlen(json), &full, NULL);

	(void)state;
	free(json);
	return r;
}

static int teardown(void **state)
{
	(void)state;
	json_doc_free(full);
	return 0;
}

/* Writes the tree with the value at @target replaced. */
static void write_with(struct json_gen *g, const struct json *j, const struct json *target,
		       void (*replacement)(struct json_gen *g))
{
	bool object = json_type(j) == JSON_OBJECT;

	if (j == target) {
		replacement(g);
		return;
	}
	if (!object && json_type(j) != JSON_ARRAY) {
		json_gen_tree(g, j);
		return;
	}
	object ? json_gen_object_open(g) : json_gen_array_open(g);
	for (const struct json *c = json_at(j, 0); c; c = json_next(c)) {
		if (object) {
			json_gen_key(g, json_key(c));
		}
		write_with(g, c, target, replacement);
	}
	object ? json_gen_object_close(g) : json_gen_array_close(g);
}

static int load_with(const struct json *target, void (*replacement)(struct json_gen *g),
		     struct vr_err *err)
{
	struct json_gen *g = json_gen_create(false);
	struct oci_spec *spec = NULL;
	const char *text;
	size_t len;
	int r;

	write_with(g, json_doc_root(full), target, replacement);
	text = json_gen_finish(g, &len);
	assert_non_null(text);
	r = oci_spec_parse("config.json", text, len, &spec, err);
	json_gen_destroy(g);
	if (r == 0) {
		oci_spec_free(spec);
	}
	return r;
}

static void put_number(struct json_gen *g)
{
	json_gen_u64(g, 1);
}

static void put_string(struct json_gen *g)
{
	json_gen_str(g, "x");
}

static void put_array(struct json_gen *g)
{
	json_gen_array_open(g);
	json_gen_array_close(g);
}

static void put_object(struct json_gen *g)
{
	json_gen_object_open(g);
	json_gen_object_close(g);
}

static void put_null(struct json_gen *g)
{
	json_gen_null(g);
}

static void put_half(struct json_gen *g)
{
	struct json_doc *doc = NULL;

	assert_int_equal(json_parse("half", "0.5", 3, &doc, NULL), 0);
	json_gen_tree(g, json_doc_root(doc));
	json_doc_free(doc);
}

static void put_huge(struct json_gen *g)
{
	struct json_doc *doc = NULL;

	assert_int_equal(json_parse("huge", "99999999999999999999", 20, &doc, NULL), 0);
	json_gen_tree(g, json_doc_root(doc));
	json_doc_free(doc);
}

static void expect_failure_at(const struct json *j, void (*replacement)(struct json_gen *g),
			      const char *words)
{
	struct vr_err err = VR_ERR_INIT;
	char path[256];
	char expected[512];

	(void)json_path(j, path, sizeof(path));
	(void)snprintf(expected, sizeof(expected), "config.json: %s%s%s", path, path[0] ? ": " : "",
		       words);
	if (load_with(j, replacement, &err) >= 0) {
		fail_msg("accepted at %s", path);
	}
	if (strncmp(err.msg, expected, strlen(expected)) != 0) {
		fail_msg("at %s: '%s' does not start with '%s'", path, err.msg, expected);
	}
}

static bool is_below_unknown(const struct json *j)
{
	char path[256];

	return strncmp(json_path(j, path, sizeof(path)), "windows.", 8) == 0;
}

static size_t mutate_types(const struct json *j)
{
	size_t n = 1;

	if (is_below_unknown(j)) {
		return 0;
	}
	switch (json_type(j)) {
	case JSON_BOOL:
		expect_failure_at(j, put_string, "must be a boolean, not a string");
		break;
	case JSON_NUMBER:
		expect_failure_at(j, put_string, "must be a number, not a string");
		expect_failure_at(j, put_object, "must be a number, not an object");
		expect_failure_at(j, put_half, "must be an integer from ");
		expect_failure_at(j, put_huge, "must be an integer from ");
		break;
	case JSON_STRING:
		expect_failure_at(j, put_number, "must be a string, not a number");
		expect_failure_at(j, put_array, "must be a string, not an array");
		break;
	case JSON_ARRAY:
		expect_failure_at(j, put_object, "must be an array, not an object");
		expect_failure_at(j, put_string, "must be an array, not a string");
		break;
	case JSON_OBJECT:
		expect_failure_at(j, put_array, "must be an object, not an array");
		expect_failure_at(j, put_number, "must be an object, not a number");
		break;
	default:
		fail_msg("the full configuration has a null");
	}
	for (const struct json *c = json_at(j, 0); c; c = json_next(c)) {
		n += mutate_types(c);
	}
	return n;
}

static void wrong_types_are_refused_everywhere(void **state)
{
	(void)state;
	assert_true(mutate_types(json_doc_root(full)) > 200);
}

/* null is absence: fine, or it is missed by a rule; elements of arrays are never null. */
static void mutate_nulls(const struct json *j)
{
	struct vr_err err = VR_ERR_INIT;

	if (json_key(j) && load_with(j, put_null, &err) < 0) {
		char path[256];

		(void)json_path(j, path, sizeof(path));
		if (!strstr(err.msg, "must ") && !strstr(err.msg, "need") &&
		    !strstr(err.msg, "only SCHED") && !strstr(err.msg, "unable to set")) {
			fail_msg("null at %s: %s", path, err.msg);
		}
	}
	for (const struct json *c = json_at(j, 0); c; c = json_next(c)) {
		mutate_nulls(c);
	}
}

static void nulls_are_survived_everywhere(void **state)
{
	(void)state;
	mutate_nulls(json_doc_root(full));
}

/* Follows "a.b[].c" and "a.*.c" in the full configuration. */
static const struct json *follow(const char *path)
{
	const struct json *j = json_doc_root(full);
	char step[64];

	while (j && *path) {
		size_t n = strcspn(path, ".[");

		assert_true(n < sizeof(step));
		memcpy(step, path, n);
		step[n] = '\0';
		path += n;
		j = strcmp(step, "*") == 0 ? json_at(j, 0) : json_member(j, step);
		if (j && strncmp(path, "[]", 2) == 0) {
			j = json_at(j, 0);
			path += 2;
		}
		path += *path == '.' ? 1 : 0;
	}
	return j;
}

struct walk {
	size_t n_fields;
	size_t n_refused;
};

static bool below_refused(const char *path)
{
	return strncmp(path, "linux.intelRdt.", 15) == 0 || strncmp(path, "vm.kernel.", 10) == 0 ||
	       strncmp(path, "linux.memoryPolicy.", 19) == 0;
}

static void check_field(void *ctx, const char *path, const struct oci_field *f)
{
	struct walk *w = ctx;

	w->n_fields++;
	if (f->sub && f->elem != f->sub->size) {
		fail_msg("%s: element of %zu bytes, table of %zu", path, f->elem, f->sub->size);
	}
	if (f->kind == OCI_ENUM) {
		assert_non_null(f->names);
		assert_non_null(f->what);
	}
	if (f->where == OCI_REFUSED || f->where == OCI_IGNORED) {
		assert_non_null(f->note); /* the reason */
	}
	assert_string_not_equal(oci_kind_name(f->kind), "?");
	assert_string_not_equal(oci_honour_name(f->where), "?");
	if (f->where == OCI_REFUSED) {
		w->n_refused++;
		return;
	}
	/* hooks share one table: their fields are spelled out once */
	if (!below_refused(path) && (strncmp(path, "hooks.", 6) != 0 || !strchr(path, '['))) {
		if (!follow(path)) {
			fail_msg("full_config.h lacks %s", path);
		}
	}
}

static void full_config_has_each_field(void **state)
{
	struct walk w = {0};

	(void)state;
	oci_schema_walk(&oci_spec_type, "", check_field, &w);
	assert_true(w.n_fields > 190);
	assert_true(w.n_refused >= 10);
}

static void each_refused_field(void *ctx, const char *path, const struct oci_field *f)
{
	char text[512];
	char below[256];
	struct vr_err err = VR_ERR_INIT;
	struct oci_spec *spec;
	char *json;

	(void)ctx;
	if (f->where != OCI_REFUSED || f->kind != OCI_ANY) {
		return;
	}
	assert_int_equal(sscanf(path, "vm.%200s", below), 1);
	(void)snprintf(text, sizeof(text),
		       "{'ociVersion':'1.0.0','root':{'path':'r'},'vm':{'%s':{'x':1}}}", below);
	json = quoted(text);
	assert_true(oci_spec_parse("config.json", json, strlen(json), &spec, &err) < 0);
	(void)snprintf(text, sizeof(text), "config.json: %s: not supported: %s", path, f->note);
	assert_message(err, text);
	free(json);
}

static void refused_objects_are_refused(void **state)
{
	(void)state;
	oci_schema_walk(&oci_spec_type, "", each_refused_field, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_types_are_refused_everywhere),
		cmocka_unit_test(nulls_are_survived_everywhere),
		cmocka_unit_test(full_config_has_each_field),
		cmocka_unit_test(refused_objects_are_refused),
	};

	return cmocka_run_group_tests_name("spec_fields", tests, setup, teardown);
}
