/* SPDX-License-Identifier: Apache-2.0 */
/* test_json.c - JSON: what is refused and with which words, exact numbers, paths, the writer */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "oci/json.h"

static struct json_doc *parse_ok(const char *text)
{
	struct vr_err err = VR_ERR_INIT;
	struct json_doc *doc = NULL;
	char *json = quoted(text);

	assert_no_error(json_parse("t.json", json, strlen(json), &doc, &err), err);
	free(json);
	return doc;
}

static void refuse_bytes(const char *json, size_t len, int code, const char *message)
{
	struct vr_err err = VR_ERR_INIT;
	struct json_doc *doc = NULL;

	assert_int_equal(json_parse("t.json", json, len, &doc, &err), -code);
	assert_null(doc);
	assert_message(err, message);
	assert_int_equal(json_parse("t.json", json, len, &doc, NULL), -code);
}

static void refuse(const char *text, int code, const char *message)
{
	char *json = quoted(text);

	refuse_bytes(json, strlen(json), code, message);
	free(json);
}

static void types_and_members(void **state)
{
	struct json_doc *doc = parse_ok("{'z':1,'a':[true,null,'x'],'m':{}}");
	const struct json *root = json_doc_root(doc);
	const struct json *array = json_member(root, "a");
	bool truth = false;

	(void)state;
	assert_int_equal(json_type(root), JSON_OBJECT);
	assert_int_equal(json_count(root), 3);
	assert_string_equal(json_key(json_at(root, 0)), "z"); /* order of the text */
	assert_string_equal(json_key(json_at(root, 2)), "m");
	assert_string_equal(json_key(json_next(json_at(root, 0))), "a");
	assert_null(json_at(root, 3));
	assert_null(json_member(root, "b"));
	assert_null(json_member(array, "b"));
	assert_int_equal(json_count(array), 3);
	assert_int_equal(json_get_bool(json_at(array, 0), &truth, NULL), 0);
	assert_true(truth);
	assert_int_equal(json_type(json_at(array, 1)), JSON_NULL);
	assert_string_equal(json_text(json_at(array, 2)), "x");
	assert_int_equal(json_text_len(json_at(array, 2)), 1);
	assert_null(json_key(json_at(array, 2)));
	assert_null(json_text(array));
	assert_int_equal(json_count(json_at(array, 2)), 0);
	assert_string_equal(json_doc_name(doc), "t.json");
	json_doc_free(doc);
	json_doc_free(NULL);
}

static void null_members_are_absent(void **state)
{
	struct json_doc *doc = parse_ok("{'a':null}");

	(void)state;
	assert_null(json_member(json_doc_root(doc), "a"));
	json_doc_free(doc);
}

static void scalars_may_be_roots(void **state)
{
	struct json_doc *doc = parse_ok("'x'");

	(void)state;
	assert_string_equal(json_text(json_doc_root(doc)), "x");
	json_doc_free(doc);
}

static void broken_text_is_refused_with_its_place(void **state)
{
	(void)state;
	refuse("", EINVAL, "t.json: line 1, column 1: parse error: premature EOF");
	refuse("  \n ", EINVAL, "t.json: line 2, column 2: parse error: premature EOF");
	refuse("{", EINVAL, "t.json: line 1, column 2: parse error: premature EOF");
	refuse("{'a':1,\n 'b' 2}", EINVAL,
	       "t.json: line 2, column 7: parse error: object key and value must be separated by a "
	       "colon (':')");
	refuse("{'a':1,}", EINVAL,
	       "t.json: line 1, column 9: parse error: invalid object key (must be a string)");
	refuse("[1,]", EINVAL,
	       "t.json: line 1, column 5: parse error: unallowed token at this point in JSON text");
	refuse("{} {}", EINVAL, "t.json: line 1, column 5: parse error: trailing garbage");
	refuse("{'a':01}", EINVAL,
	       "t.json: line 1, column 7: parse error: after key and value, inside map, I expect "
	       "',' or '}'");
	refuse("tru", EINVAL,
	       "t.json: line 1, column 4: lexical error: invalid string in json text.");
	refuse("nope", EINVAL,
	       "t.json: line 1, column 2: lexical error: invalid string in json "
	       "text.");
	refuse("'a", EINVAL, "t.json: line 1, column 3: parse error: premature EOF");
	refuse("// c\n1", EINVAL,
	       "t.json: line 1, column 1: lexical error: probable comment found in input text, "
	       "comments are not enabled.");
}

static void strings_must_be_clean(void **state)
{
	(void)state;
	refuse("['\xff']", EINVAL, "t.json: line 1, column 3: not UTF-8");
	refuse("['\xc0\x80']", EINVAL, "t.json: line 1, column 3: not UTF-8");
	refuse("['\xed\xa0\x80']", EINVAL, "t.json: line 1, column 3: not UTF-8");
	refuse("['\\ud800']", EINVAL, "t.json: line 1, column 3: lone surrogate in a string");
	refuse("['\\udc00']", EINVAL, "t.json: line 1, column 3: lone surrogate in a string");
	refuse("['\\ud800\\ud800']", EINVAL,
	       "t.json: line 1, column 3: lone surrogate in a string");
	refuse("['\\ud800x']", EINVAL, "t.json: line 1, column 3: lone surrogate in a string");
	refuse("{'a':['\\u0000']}", EINVAL, "t.json: a[0]: must not contain a NUL character");
	refuse("{'a':{'k\\u0000y':1}}", EINVAL,
	       "t.json: a: a key must not contain a NUL character");
	refuse("['\x01']", EINVAL,
	       "t.json: line 1, column 3: lexical error: invalid character inside string.");
	refuse("['\\uzzzz']", EINVAL,
	       "t.json: line 1, column 5: lexical error: invalid (non-hex) character occurs after "
	       "'\\u' inside string.");
	refuse_bytes("[1]\0", 4, EINVAL, "t.json: line 1, column 5: parse error: trailing garbage");
}

static void escapes_decode(void **state)
{
	struct json_doc *doc = parse_ok("['\\ud83d\\ude00\\u00e4\\n\\\\']");

	(void)state;
	assert_string_equal(json_text(json_at(json_doc_root(doc), 0)),
			    "\xf0\x9f\x98\x80\xc3\xa4\n\\");
	json_doc_free(doc);
}

static void duplicate_keys_are_refused(void **state)
{
	(void)state;
	refuse("{'a':1,'b':{'x':1,'y':2,'x':3}}", EINVAL, "t.json: b.x: duplicate key");
	refuse("{'a':1,'\\u0061':2}", EINVAL, "t.json: a: duplicate key");
}

static void nesting_is_bounded(void **state)
{
	char text[4100];
	struct json_doc *doc = NULL;
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	assert_no_error(json_parse("t.json", text, 2 * JSON_DEPTH_MAX, &doc, &err), err);
	json_doc_free(doc);
	doc = NULL;
	memset(text, '[', sizeof(text));
	assert_int_equal(json_parse("t.json", text, 1000, &doc, &err), -ELOOP);
	assert_memory_equal(err.msg, "t.json: ...[0][0][0]", 20);
	assert_non_null(strstr(err.msg, "[0]: nested deeper than 128 levels"));
	for (int i = 0; i < 200; i++) {
		memcpy(text + 5 * i, "{\"a\":", 5);
	}
	assert_int_equal(json_parse("t.json", text, 1000, &doc, &err), -ELOOP);
	assert_memory_equal(err.msg, "t.json: a.a.a.a", 15);
	assert_non_null(strstr(err.msg, ".a: nested deeper than 128 levels"));
	assert_null(doc);
}

static void size_is_bounded(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct json_doc *doc = NULL;
	size_t len = JSON_TEXT_MAX + 1;
	char *text = malloc(len);

	(void)state;
	assert_non_null(text);
	memset(text, ' ', len);
	text[0] = '1';
	assert_int_equal(json_parse("t.json", text, len, &doc, &err), -EFBIG);
	assert_message(err, "t.json: larger than 16 MiB");
	assert_no_error(json_parse("t.json", text, len - 1, &doc, &err), err);
	json_doc_free(doc);
	free(text);
}

static void values_are_counted(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct json_doc *doc = NULL;
	size_t n = JSON_NODES_MAX; /* elements, and the array itself is one more */
	char *text = malloc(2 * n + 1);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < n; i++) {
		memcpy(text + 2 * i, ",1", 2);
	}
	text[0] = '[';
	text[2 * n] = ']';
	assert_int_equal(json_parse("t.json", text, 2 * n + 1, &doc, &err), -E2BIG);
	assert_message(err, "t.json: more than 262144 values");
	text[2 * n - 2] = ']';
	assert_no_error(json_parse("t.json", text, 2 * n - 1, &doc, &err), err);
	assert_int_equal(json_count(json_doc_root(doc)), n - 1);
	json_doc_free(doc);
	free(text);
}

static void check_i64(const char *text, int64_t min, int64_t max, const char *message,
		      int64_t value)
{
	struct vr_err err = VR_ERR_INIT;
	struct json_doc *doc = parse_ok(text);
	int64_t v = 0;
	int r = json_get_i64(json_doc_root(doc), min, max, &v, &err);

	if (message) {
		assert_true(r < 0);
		assert_message(err, message);
		assert_true(v == 0);
	} else {
		assert_no_error(r, err);
		assert_true(v == value);
	}
	json_doc_free(doc);
}

static void signed_numbers_are_exact(void **state)
{
	(void)state;
	check_i64("-9223372036854775808", INT64_MIN, INT64_MAX, NULL, INT64_MIN);
	check_i64("9223372036854775807", INT64_MIN, INT64_MAX, NULL, INT64_MAX);
	check_i64("9007199254740993", INT64_MIN, INT64_MAX, NULL, 9007199254740993);
	check_i64("-0", -5, 5, NULL, 0);
	check_i64("1e3", 0, 5000, NULL, 1000);
	check_i64("5.0", 0, 5000, NULL, 5);
	check_i64("9223372036854775808", INT64_MIN, INT64_MAX,
		  "t.json: must be an integer from -9223372036854775808 to 9223372036854775807, "
		  "not 9223372036854775808",
		  0);
	check_i64("6", -5, 5, "t.json: must be an integer from -5 to 5, not 6", 0);
	check_i64("-6", -5, 5, "t.json: must be an integer from -5 to 5, not -6", 0);
	check_i64("0.5", -5, 5, "t.json: must be an integer from -5 to 5, not 0.5", 0);
	check_i64("1e400", 0, 5, "t.json: must be an integer from 0 to 5, not 1e400", 0);
	check_i64("1e17", 0, INT64_MAX,
		  "t.json: must be an integer from 0 to 9223372036854775807, not 1e17", 0);
	check_i64("'6'", -5, 5, "t.json: must be a number, not a string", 0);
	check_i64("null", -5, 5, "t.json: must be a number, not null", 0);
}

static void check_u64(const char *text, uint64_t max, const char *message, uint64_t value)
{
	struct vr_err err = VR_ERR_INIT;
	struct json_doc *doc = parse_ok(text);
	uint64_t v = 0;
	int r = json_get_u64(json_doc_root(doc), max, &v, &err);

	if (message) {
		assert_true(r < 0);
		assert_message(err, message);
	} else {
		assert_no_error(r, err);
		assert_true(v == value);
	}
	json_doc_free(doc);
}

static void unsigned_numbers_are_exact(void **state)
{
	(void)state;
	check_u64("18446744073709551615", UINT64_MAX, NULL, UINT64_MAX);
	check_u64("9223372036854775808", UINT64_MAX, NULL, UINT64_C(9223372036854775808));
	check_u64("0", 0, NULL, 0);
	check_u64("-0", 9, NULL, 0);
	check_u64("2.0", 9, NULL, 2);
	check_u64("18446744073709551616", UINT64_MAX,
		  "t.json: must be an integer from 0 to 18446744073709551615, not "
		  "18446744073709551616",
		  0);
	check_u64("-1", UINT64_MAX,
		  "t.json: must be an integer from 0 to 18446744073709551615, not -1", 0);
	check_u64("-1.0", 7, "t.json: must be an integer from 0 to 7, not -1.0", 0);
	check_u64("8", 7, "t.json: must be an integer from 0 to 7, not 8", 0);
	check_u64("[]", 7, "t.json: must be a number, not an array", 0);
}

static void wrong_types_are_named(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct json_doc *doc = parse_ok("{'a':{'b':[0,'s',false]}}");
	const struct json *b = json_member(json_member(json_doc_root(doc), "a"), "b");
	const char *s = NULL;
	bool v;

	(void)state;
	assert_int_equal(json_get_str(json_at(b, 0), &s, &err), -EINVAL);
	assert_message(err, "t.json: a.b[0]: must be a string, not a number");
	assert_int_equal(json_get_bool(json_at(b, 1), &v, &err), -EINVAL);
	assert_message(err, "t.json: a.b[1]: must be a boolean, not a string");
	assert_int_equal(json_expect(json_at(b, 2), JSON_OBJECT, &err), -EINVAL);
	assert_message(err, "t.json: a.b[2]: must be an object, not a boolean");
	assert_int_equal(json_expect(json_doc_root(doc), JSON_ARRAY, &err), -EINVAL);
	assert_message(err, "t.json: must be an array, not an object");
	(void)json_fail_member(&err, b, "x y", EINVAL, "bad %d", 1);
	assert_message(err, "t.json: a.b[\"x y\"]: bad 1");
	json_doc_free(doc);
}

static void paths_quote_odd_keys_and_shorten(void **state)
{
	struct json_doc *doc = parse_ok("{'an.x':[{'':{'k-1':0}}]}");
	const struct json *array = json_member(json_doc_root(doc), "an.x");
	const struct json *odd = json_member(json_at(array, 0), "");
	char buf[64];
	char tiny[14];

	(void)state;
	assert_string_equal(json_path(json_member(odd, "k-1"), buf, sizeof(buf)),
			    "[\"an.x\"][0][\"\"].k-1");
	assert_string_equal(json_path(json_member(odd, "k-1"), tiny, sizeof(tiny)),
			    "...[\"\"].k-1");
	assert_string_equal(json_path(json_doc_root(doc), buf, sizeof(buf)), "");
	json_doc_free(doc);
}

static void files_are_named_in_errors(void **state)
{
	char path[] = "/tmp/test_json.XXXXXX";
	int fd = mkstemp(path);
	struct vr_err err = VR_ERR_INIT;
	struct json_doc *doc = NULL;
	char expected[128];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(json_parse_file(AT_FDCWD, "/nonexistent.json", &doc, &err), -ENOENT);
	assert_message(err, "open '/nonexistent.json': No such file or directory");
	assert_int_equal(json_parse_file(AT_FDCWD, path, &doc, &err), -EINVAL);
	(void)snprintf(expected, sizeof(expected),
		       "%s: line 1, column 1: parse error: premature EOF", path);
	assert_message(err, expected);
	assert_int_equal(ftruncate(fd, 64 << 20), 0);
	assert_int_equal(json_parse_file(AT_FDCWD, path, &doc, &err), -EFBIG);
	(void)snprintf(expected, sizeof(expected), "%s: larger than 16 MiB", path);
	assert_message(err, expected);
	close(fd);
	unlink(path);
}

static void writer_writes(void **state)
{
	struct json_gen *g = json_gen_create(false);
	size_t len = 0;

	(void)state;
	json_gen_object_open(g);
	json_gen_kv_str(g, "s", "a\"\n\xc3\xa4");
	json_gen_kv_bool(g, "b", true);
	json_gen_kv_u64(g, "u", UINT64_MAX);
	json_gen_kv_i64(g, "i", INT64_MIN);
	json_gen_kv_str(g, "n", NULL);
	json_gen_key(g, "a");
	json_gen_array_open(g);
	json_gen_array_close(g);
	assert_null(json_gen_finish(g, NULL)); /* not complete yet */
	json_gen_object_close(g);
	assert_string_equal(json_gen_finish(g, &len),
			    "{\"s\":\"a\\\"\\n\xc3\xa4\",\"b\":true,\"u\":18446744073709551615,"
			    "\"i\":-9223372036854775808,\"n\":null,\"a\":[]}");
	assert_int_equal(len, strlen(json_gen_finish(g, NULL)));
	json_gen_destroy(g);
	json_gen_destroy(NULL);
}

static void writer_failures_stick(void **state)
{
	struct json_gen *g = json_gen_create(true);

	(void)state;
	assert_null(json_gen_finish(g, NULL)); /* empty */
	json_gen_object_open(g);
	json_gen_kv_str(g, "k", "\xff");
	json_gen_object_close(g);
	assert_null(json_gen_finish(g, NULL));
	json_gen_destroy(g);

	g = json_gen_create(false);
	json_gen_object_open(g);
	json_gen_u64(g, 1); /* a key must be a string */
	json_gen_object_close(g);
	assert_null(json_gen_finish(g, NULL));
	json_gen_destroy(g);
}

static void trees_are_copied(void **state)
{
	struct json_doc *doc =
		parse_ok("{'b':[1.50,-2,true,null,'x',{}],'a':18446744073709551616}");
	struct json_gen *g = json_gen_create(false);

	(void)state;
	json_gen_tree(g, json_doc_root(doc));
	assert_string_equal(json_gen_finish(g, NULL),
			    "{\"b\":[1.50,-2,true,null,\"x\",{}],\"a\":18446744073709551616}");
	json_gen_destroy(g);
	json_doc_free(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_and_members),
		cmocka_unit_test(null_members_are_absent),
		cmocka_unit_test(scalars_may_be_roots),
		cmocka_unit_test(broken_text_is_refused_with_its_place),
		cmocka_unit_test(strings_must_be_clean),
		cmocka_unit_test(escapes_decode),
		cmocka_unit_test(duplicate_keys_are_refused),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(values_are_counted),
		cmocka_unit_test(signed_numbers_are_exact),
		cmocka_unit_test(unsigned_numbers_are_exact),
		cmocka_unit_test(wrong_types_are_named),
		cmocka_unit_test(paths_quote_odd_keys_and_shorten),
		cmocka_unit_test(files_are_named_in_errors),
		cmocka_unit_test(writer_writes),
		cmocka_unit_test(writer_failures_stick),
		cmocka_unit_test(trees_are_copied),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
