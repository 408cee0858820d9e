/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_bad_input.c - every field of the parser's tables, given every wrong value
 *
 * The smallest configuration that has a field is made from the tables alone, so that a
 * new field is covered the day it is added. Each case must be refused with a message
 * that begins with the file's name and the very place in it.
 */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/checked.h"
#include "oci/json.h"
#include "oci/spec.h"
#include "oci/spec_internal.h"

#define STEPS_MAX  8
#define CONFIG_MAX 16384

/** struct file_kind - one of the files we read, and its table */
struct file_kind {
	const char *name;
	const struct oci_type *type;
	int (*parse)(const char *text, size_t len, struct vr_err *err);
};

/** struct place - a field, and the fields it is in, outermost first */
struct place {
	const struct oci_field *step[STEPS_MAX];
	size_t n;
};

/** struct damage - what stands in the place of a good value */
struct damage {
	const char *value; /* NULL: the field is left out */
	bool twice;
};

static size_t n_cases;

static int parse_config(const char *text, size_t len, struct vr_err *err)
{
	struct oci_spec *spec = NULL;
	int rc = oci_spec_parse("file", text, len, &spec, err);

	assert_true(rc == 0 || !spec);
	oci_spec_free(spec);
	return rc;
}

static int parse_process(const char *text, size_t len, struct vr_err *err)
{
	struct oci_process_file *file = NULL;
	int rc = oci_process_parse("file", text, len, &file, err);

	assert_true(rc == 0 || !file);
	oci_process_file_free(file);
	return rc;
}

static int parse_resources(const char *text, size_t len, struct vr_err *err)
{
	struct oci_resources_file *file = NULL;
	int rc = oci_resources_parse("file", text, len, &file, err);

	assert_true(rc == 0 || !file);
	oci_resources_file_free(file);
	return rc;
}

static const struct file_kind kinds[] = {
	{"config.json", &oci_spec_type, parse_config},
	{"process file", &oci_process_type, parse_process},
	{"resources file", &oci_resources_type, parse_resources},
};

/* ---- making a file ------------------------------------------------------------------------ */

__attribute__((format(printf, 2, 3))) static void put(char *text, const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text + len, CONFIG_MAX - len, fmt, ap);
	va_end(ap);
	assert_true(n >= 0 && (size_t)n < CONFIG_MAX - len);
}

static void put_object(char *text, const struct oci_type *type, const struct place *at,
		       size_t depth, const struct damage *damage);

static void put_good_number(char *text, const struct oci_field *f)
{
	put(text, "%lld", (long long)(f->min > 1 ? f->min : 1));
}

/* A value of the right type; its meaning is not looked at before all types are. */
static void put_good(char *text, const struct oci_field *f)
{
	static const struct place nowhere;

	switch (f->kind) {
	case OCI_BOOL:
	case OCI_OPT_BOOL:
		put(text, "true");
		return;
	case OCI_STR:
		put(text, "%s", strcmp(f->name, "ociVersion") == 0 ? "\"1.2.0\"" : "\"/x\"");
		return;
	case OCI_ENUM:
		put(text, "\"%s\"", f->names[0].name);
		return;
	case OCI_STRV:
	case OCI_U32V:
	case OCI_OBJV:
	case OCI_ANY_ARR:
		put(text, "[]");
		return;
	case OCI_KVS:
	case OCI_OBJMAP:
	case OCI_ANY:
		put(text, "{}");
		return;
	case OCI_OBJ:
	case OCI_INLINE:
		put_object(text, f->sub, &nowhere, 0, NULL);
		return;
	default:
		put_good_number(text, f);
	}
}

/* The way to the damaged field goes through this one. */
static void put_step(char *text, const struct oci_field *f, const struct place *at, size_t depth,
		     const struct damage *damage)
{
	const char *open = f->kind == OCI_OBJV ? "[" : f->kind == OCI_OBJMAP ? "{\"k\":" : "";
	const char *close = f->kind == OCI_OBJV ? "]" : f->kind == OCI_OBJMAP ? "}" : "";

	put(text, "%s", open);
	put_object(text, f->sub, at, depth + 1, damage);
	put(text, "%s", close);
}

static void put_damaged(char *text, const struct oci_field *f, const struct damage *damage)
{
	if (!damage->value) {
		return;
	}
	put(text, ",\"%s\":%s", f->name, damage->value);
	if (damage->twice) {
		put(text, ",\"%s\":%s", f->name, damage->value);
	}
}

static void put_object(char *text, const struct oci_type *type, const struct place *at,
		       size_t depth, const struct damage *damage)
{
	put(text, "{\"\":null"); /* so that all others begin with a comma; null is absence */
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct oci_field *f = &type->fields[i];
		bool here = depth < at->n && at->step[depth] == f;

		if (here && depth + 1 == at->n) {
			put_damaged(text, f, damage);
		} else if (here) {
			put(text, ",\"%s\":", f->name);
			put_step(text, f, at, depth, damage);
		} else if (f->required) {
			put(text, ",\"%s\":", f->name);
			put_good(text, f);
		}
	}
	put(text, "}");
}

/* Where messages will say it is. */
static void put_path(char *text, const struct place *at)
{
	for (size_t i = 0; i < at->n; i++) {
		const struct oci_field *f = at->step[i];
		bool last = i + 1 == at->n;

		put(text, "%s%s", i > 0 ? "." : "", f->name);
		put(text, "%s",
		    last		    ? ""
		    : f->kind == OCI_OBJV   ? "[0]"
		    : f->kind == OCI_OBJMAP ? ".k"
					    : "");
	}
}

/* ---- cases -------------------------------------------------------------------------------- */

static void refused(const struct file_kind *kind, const struct place *at,
		    const struct damage *damage, const char *below, const char *words)
{
	static char text[CONFIG_MAX], expected[CONFIG_MAX];
	struct vr_err err = VR_ERR_INIT;

	text[0] = expected[0] = '\0';
	put_object(text, kind->type, at, 0, damage);
	put(expected, "file: ");
	put_path(expected, at);
	put(expected, "%s: %s", below, words);
	n_cases++;
	if (kind->parse(text, strlen(text), &err) >= 0) {
		fail_msg("%s: accepted: %s", kind->name, text);
	}
	if (strncmp(err.msg, expected, strlen(expected)) != 0) {
		fail_msg("%s: %s\n'%s' does not begin with\n'%s'", kind->name, text, err.msg,
			 expected);
	}
}

static void refused_value(const struct file_kind *kind, const struct place *at, const char *value,
			  const char *below, const char *words)
{
	const struct damage damage = {.value = value};

	refused(kind, at, &damage, below, words);
}

enum shape {
	A_BOOL,
	A_NUMBER,
	A_STRING,
	AN_ARRAY,
	AN_OBJECT,
	SHAPE_COUNT,
};

static enum shape shape_of(enum oci_kind kind)
{
	switch (kind) {
	case OCI_BOOL:
	case OCI_OPT_BOOL:
		return A_BOOL;
	case OCI_STR:
	case OCI_ENUM:
		return A_STRING;
	case OCI_STRV:
	case OCI_U32V:
	case OCI_OBJV:
	case OCI_ANY_ARR:
		return AN_ARRAY;
	case OCI_KVS:
	case OCI_OBJ:
	case OCI_INLINE:
	case OCI_OBJMAP:
	case OCI_ANY:
		return AN_OBJECT;
	default:
		return A_NUMBER;
	}
}

static const char *const shape_words[SHAPE_COUNT] = {
	"must be a boolean, not ", "must be a number, not ",  "must be a string, not ",
	"must be an array, not ",  "must be an object, not ",
};

static void wrong_types(const struct file_kind *kind, const struct place *at, enum shape want)
{
	static const char *const values[SHAPE_COUNT] = {"true", "7", "\"x\"", "[]", "{}"};

	for (enum shape s = 0; s < SHAPE_COUNT; s++) {
		if (s != want) {
			refused_value(kind, at, values[s], "", shape_words[want]);
		}
	}
}

static void wrong_numbers(const struct file_kind *kind, const struct place *at,
			  const struct oci_field *f)
{
	static const char *const never[] = {"0.5", "15e-1", "18446744073709551616",
					    "-9223372036854775809",
					    "99999999999999999999999999999999999999"};
	char beyond[32];

	for (size_t i = 0; i < VR_ARRAY_SIZE(never); i++) {
		refused_value(kind, at, never[i], "", "must be an integer from ");
	}
	if (f->max < UINT64_MAX) {
		(void)snprintf(beyond, sizeof(beyond), "%llu", (unsigned long long)f->max + 1);
		refused_value(kind, at, beyond, "", "must be an integer from ");
	}
	if (f->min > INT64_MIN) { /* 0 for unsigned kinds */
		(void)snprintf(beyond, sizeof(beyond), "%lld", (long long)f->min - 1);
		refused_value(kind, at, beyond, "", "must be an integer from ");
	}
}

static void wrong_elements(const struct file_kind *kind, const struct place *at,
			   const struct oci_field *f)
{
	switch (f->kind) {
	case OCI_STRV:
		refused_value(kind, at, "[7]", "[0]", shape_words[A_STRING]);
		refused_value(kind, at, "[\"x\",null]", "[1]", shape_words[A_STRING]);
		refused_value(kind, at, "[\"a\\u0000b\"]", "[0]", "");
		break;
	case OCI_U32V:
		refused_value(kind, at, "[1,\"x\"]", "[1]", shape_words[A_NUMBER]);
		refused_value(kind, at, "[-1]", "[0]", "must be an integer from ");
		refused_value(kind, at, "[4294967296]", "[0]", "must be an integer from ");
		break;
	case OCI_KVS:
		refused_value(kind, at, "{\"k\":7}", ".k", shape_words[A_STRING]);
		refused_value(kind, at, "{\"k\":\"v\",\"k\":\"v\"}", ".k", "duplicate key");
		break;
	case OCI_OBJV:
		refused_value(kind, at, "[7]", "[0]", shape_words[AN_OBJECT]);
		refused_value(kind, at, "[[]]", "[0]", shape_words[AN_OBJECT]);
		break;
	case OCI_OBJMAP:
		refused_value(kind, at, "{\"k\":7}", ".k", shape_words[AN_OBJECT]);
		refused_value(kind, at, "{\"k\":{},\"k\":{}}", ".k", "duplicate key");
		break;
	case OCI_STR:
		refused_value(kind, at, "\"a\\u0000b\"", "", "");
		break;
	case OCI_ENUM:
		refused_value(kind, at, "\"no such\"", "", "unknown ");
		refused_value(kind, at, "\"\"", "", "unknown ");
		break;
	default:
		break;
	}
}

static void each_field(const struct file_kind *kind, const struct oci_type *type, struct place *at)
{
	static const struct damage absent;

	assert_true(at->n < STEPS_MAX);
	at->n++;
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct oci_field *f = &type->fields[i];
		char good[CONFIG_MAX] = "";
		struct damage twice = {.value = good, .twice = true};

		at->step[at->n - 1] = f;
		wrong_types(kind, at, shape_of(f->kind));
		wrong_elements(kind, at, f);
		if (shape_of(f->kind) == A_NUMBER) {
			wrong_numbers(kind, at, f);
		}
		put_good(good, f);
		refused(kind, at, &twice, "", "duplicate key");
		if (f->required) {
			refused(kind, at, &absent, "", "must be set");
		}
		if (f->sub) {
			each_field(kind, f->sub, at);
		}
	}
	at->n--;
}

static void count_field(void *ctx, const char *path, const struct oci_field *f)
{
	size_t *n = ctx;

	(void)path;
	(void)f;
	(*n)++;
}

static void every_field_refuses_every_wrong_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(kinds); i++) {
		struct place at = {0};
		size_t n_fields = 0;

		n_cases = 0;
		oci_schema_walk(kinds[i].type, "", count_field, &n_fields);
		each_field(&kinds[i], kinds[i].type, &at);
		/* 4 wrong types and a duplicate at least */
		assert_true(n_cases >= n_fields * 5);
		print_message("%s: %zu fields, %zu cases\n", kinds[i].name, n_fields, n_cases);
	}
}

/* Else the cases above might fail for what they have beside the damage. */
static void undamaged_files_are_no_type_errors(void **state)
{
	static const struct place nowhere;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(kinds); i++) {
		char text[CONFIG_MAX] = "";
		struct vr_err err = VR_ERR_INIT;
		int rc;

		put_object(text, kinds[i].type, &nowhere, 0, NULL);
		rc = kinds[i].parse(text, strlen(text), &err);
		if (rc < 0 && strcmp(err.msg, "file: args: must not be empty") != 0) {
			fail_msg("%s: %s", kinds[i].name, err.msg);
		}
	}
}

/* ---- the file as a whole ------------------------------------------------------------------ */

static void expect(const char *text, size_t len, const char *words)
{
	for (size_t i = 0; i < VR_ARRAY_SIZE(kinds); i++) {
		struct vr_err err = VR_ERR_INIT;

		assert_true(kinds[i].parse(text, len, &err) < 0);
		if (!strstr(err.msg, words)) {
			fail_msg("%s: '%s' lacks '%s'", kinds[i].name, err.msg, words);
		}
	}
}

static void other_things_than_an_object_are_refused(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} cases[] = {
		{"", "file: "},
		{" \n\t ", "file: "},
		{"null", "file: must be an object, not "},
		{"[]", "file: must be an object, not an array"},
		{"\"x\"", "file: must be an object, not a string"},
		{"7", "file: must be an object, not a number"},
		{"{", "file: "},
		{"{}}", "file: "},
		{"{} {}", "file: "},
		{"{\"a\":1,}", "file: "},
		{"{'a':1}", "file: "},
		{"{\"a\":01}", "file: "},
		{"{\"a\":\"\xff\"}", "file: "},
		{"{\"a\":\"\xc0\x80\"}", "file: "},
		{"{\"a\":tru}", "file: "},
		{"\xef\xbb\xbf{}", "file: "},
		{"\x7f"
		 "ELF",
		 "file: "},
	};

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(cases); i++) {
		expect(cases[i].text, strlen(cases[i].text), cases[i].words);
	}
	expect("{}\0", 3, "file: ");
}

static void a_thousand_levels_are_refused(void **state)
{
	static const struct {
		const char *open;
		const char *close;
	} ways[] = {{"[", "]"}, {"{\"a\":", "}"}};

	(void)state;
	for (size_t w = 0; w < VR_ARRAY_SIZE(ways); w++) {
		char text[16384] = "{\"linux\":";

		for (int i = 0; i < 1000; i++) {
			strcat(text, ways[w].open);
		}
		strcat(text, "1");
		for (int i = 0; i < 1000; i++) {
			strcat(text, ways[w].close);
		}
		strcat(text, "}");
		expect(text, strlen(text), "nested deeper than 128 levels");
	}
}

static void a_million_values_are_refused(void **state)
{
	size_t n = 1000000;
	char *text = malloc(2 * n + 16);
	size_t len;

	(void)state;
	assert_non_null(text);
	len = (size_t)sprintf(text, "{\"x\":[1");
	for (size_t i = 0; i < n; i++) {
		text[len++] = ',';
		text[len++] = '1';
	}
	text[len++] = ']';
	text[len++] = '}';
	expect(text, len, "values");
	free(text);
}

/* What is kept in the state has to fit into it, beside the rest. */
static void expect_too_many_annotations(const char *text, size_t len)
{
	struct vr_err err = VR_ERR_INIT;
	struct oci_spec *spec = NULL;

	assert_int_equal(oci_spec_parse("file", text, len, &spec, &err), -E2BIG);
	assert_string_equal(err.msg,
			    "file: annotations: must be at most 16384 of 1048576 bytes in all");
}

static void annotations_are_bounded(void **state)
{
	static const char head[] = "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"r\"},"
				   "\"annotations\":{\"first\":\"";
	size_t long_len = 1u << 20;
	size_t cap = 2 * long_len;
	char *text = malloc(cap);
	size_t len;

	(void)state;
	assert_non_null(text);
	len = (size_t)snprintf(text, cap, "%s", head);
	memset(text + len, 'x', long_len);
	len += long_len;
	len += (size_t)snprintf(text + len, cap - len, "\"}}");
	expect_too_many_annotations(text, len);
	len = (size_t)snprintf(text, cap, "%s\"", head);
	for (unsigned i = 0; i < 16384; i++) {
		len += (size_t)snprintf(text + len, cap - len, ",\"a%u\":\"\"", i);
	}
	len += (size_t)snprintf(text + len, cap - len, "}}");
	expect_too_many_annotations(text, len);
	free(text);
}

/* Neither may it be read into memory as a whole. */
static void a_file_of_64_mib_is_refused(void **state)
{
	char path[] = "/tmp/volt-big-XXXXXX";
	struct vr_err err = VR_ERR_INIT;
	struct oci_spec *spec = NULL;
	char expected[128];
	char *spaces = malloc(1 << 20);
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_non_null(spaces);
	memset(spaces, ' ', 1 << 20);
	for (int i = 0; i < 64; i++) {
		assert_int_equal(write(fd, spaces, 1 << 20), 1 << 20);
	}
	free(spaces);
	close(fd);
	assert_true(oci_spec_load(AT_FDCWD, path, &spec, &err) < 0);
	unlink(path);
	(void)snprintf(expected, sizeof(expected), "%s: ", path);
	assert_memory_equal(err.msg, expected, strlen(expected));
	assert_non_null(strstr(err.msg, "16 MiB"));
	assert_null(spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_refuses_every_wrong_value),
		cmocka_unit_test(undamaged_files_are_no_type_errors),
		cmocka_unit_test(other_things_than_an_object_are_refused),
		cmocka_unit_test(a_thousand_levels_are_refused),
		cmocka_unit_test(a_million_values_are_refused),
		cmocka_unit_test(annotations_are_bounded),
		cmocka_unit_test(a_file_of_64_mib_is_refused),
	};

	return cmocka_run_group_tests_name("bad_input", tests, NULL, NULL);
}
