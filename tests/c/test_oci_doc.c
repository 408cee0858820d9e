/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_oci_doc.c - docs/OCI.md says what the parser's tables say, and those say the truth
 *
 * The field table of the document is printed from oci_schema_walk(); `test_oci_doc fields`
 * prints it for tests/oci-doc.sh, and `test_oci_doc annotations` that of our settings. The tests compare it with the document line by line,
 * and look whether each field that is honoured is read by somebody behind the parser:
 * a field that is only parsed would be ignored in silence.
 */
#include "cm.h"

#include <dirent.h>

#include "base/checked.h"
#include "oci/annotations.h"
#include "oci/spec_internal.h"

#define DOC	   "docs/OCI.md"
#define MARK_BEGIN "<!-- fields: made by `make docs` from the parser's tables -->\n"
#define MARK_END   "<!-- end of fields -->\n"
#define TEXT_MAX   (1u << 22)

/** struct text - a growing string */
struct text {
	char *s;
	size_t len;
};

static void text_add(struct text *t, const char *s)
{
	size_t n = strlen(s);
	char *grown = realloc(t->s, t->len + n + 1);

	if (!grown) {
		abort();
	}
	memcpy(grown + t->len, s, n + 1);
	t->s = grown;
	t->len += n;
}

#define DEEPEST 8

/** struct walk - the objects around the present field, outermost first */
struct walk {
	struct text out;
	struct {
		char path[256];
		enum oci_honour where;
	} in[DEEPEST];
	size_t depth;
	size_t n;
};

static bool is_in(const char *path, const char *object)
{
	size_t n = strlen(object);

	return strncmp(path, object, n) == 0 && (path[n] == '.' || path[n] == '[');
}

/* Return: what becomes of the field, where it is; @out_inherited: since it is there */
static enum oci_honour enter(struct walk *w, const char *path, const struct oci_field *f,
			     bool *out_inherited)
{
	enum oci_honour where = f->where;

	while (w->depth > 0 && !is_in(path, w->in[w->depth - 1].path)) {
		w->depth--;
	}
	*out_inherited = false;
	if (w->depth > 0) {
		enum oci_honour around = w->in[w->depth - 1].where;

		*out_inherited = around == OCI_IGNORED || around == OCI_REFUSED;
		/* One table may serve several places. */
		where = *out_inherited || where == OCI_BOTH ? around : where;
	}
	w->n++;
	if (f->sub) {
		assert_true(w->depth < DEEPEST);
		(void)snprintf(w->in[w->depth].path, sizeof(w->in[0].path), "%s",
			       path); /* our own short names */
		w->in[w->depth++].where = where;
	}
	return where;
}

/* "0..5", where the range is less than what the type has */
static void add_range(struct text *t, const struct oci_field *f)
{
	char range[80];
	bool is_signed = f->kind == OCI_I32 || f->kind == OCI_I64 || f->kind == OCI_OPT_I64;
	bool is_wide = f->kind == OCI_U64 || f->kind == OCI_OPT_U64;
	bool is_u32 = f->kind == OCI_U32 || f->kind == OCI_OPT_U32;

	if (is_signed && !(f->min == INT64_MIN && f->max == INT64_MAX)) {
		if (f->max == INT64_MAX) {
			(void)snprintf(range, sizeof(range), ", from %lld", (long long)f->min);
		} else {
			(void)snprintf(range, sizeof(range), ", %lld to %llu", (long long)f->min,
				       (unsigned long long)f->max);
		}
	} else if ((is_wide && f->max != UINT64_MAX) || (is_u32 && f->max != UINT32_MAX)) {
		(void)snprintf(range, sizeof(range), ", to %llu", (unsigned long long)f->max);
	} else {
		return;
	}
	text_add(t, range);
}

static void add_note(struct text *t, const char *path, const struct oci_field *f)
{
	if (f->where == OCI_REFUSED) {
		text_add(t, "`config.json: ");
		text_add(t, path);
		text_add(t, ": not supported: ");
		text_add(t, f->note ? f->note : "");
		text_add(t, "`");
		return;
	}
	text_add(t, f->note ? f->note : "");
}

static void add_row(void *ctx, const char *path, const struct oci_field *f)
{
	struct walk *w = ctx;
	bool inherited;
	enum oci_honour where = enter(w, path, f, &inherited);

	text_add(&w->out, "| `");
	text_add(&w->out, path);
	text_add(&w->out, "` | ");
	text_add(&w->out, oci_kind_name(f->kind));
	add_range(&w->out, f);
	text_add(&w->out, f->required ? ", required | " : " | ");
	text_add(&w->out, oci_honour_name(where));
	text_add(&w->out, " | ");
	if (inherited) {
		text_add(&w->out, "with what it is in");
	} else {
		add_note(&w->out, path, f);
	}
	text_add(&w->out, " |\n");
}

static char *make_table(size_t *out_n)
{
	struct walk w = {0};

	text_add(&w.out, "| field | type | where | how, or why not |\n|---|---|---|---|\n");
	oci_schema_walk(&oci_spec_type, "", add_row, &w);
	*out_n = w.n;
	return w.out.s;
}

static char *make_annotations(size_t *out_n)
{
	const struct oci_annotation *a = oci_annotations_table(out_n);
	struct text t = {0};

	text_add(&t, "| annotation | values | default | what it is |\n|---|---|---|---|\n");
	for (size_t i = 0; i < *out_n; i++) {
		text_add(&t, "| `");
		text_add(&t, a[i].name);
		text_add(&t, "` | ");
		text_add(&t, a[i].values);
		text_add(&t, " | ");
		text_add(&t, a[i].fallback);
		text_add(&t, " | ");
		text_add(&t, a[i].meaning);
		text_add(&t, " |\n");
	}
	return t.s;
}

static char *read_text(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, TEXT_MAX);
	size_t n;

	if (!f || !text) {
		fail_msg("can't read %s: run this from the top of the source tree", path);
		abort(); /* fail_msg() doesn't return, which the compiler can't know */
	}
	n = fread(text, 1, TEXT_MAX - 1, f);
	assert_true(n > 0 && n < TEXT_MAX - 1);
	(void)fclose(f); /* was only read */
	return text;
}

/* Both are consumed. */
static void compare_lines(char *want, char *have)
{
	char *rest_want = want;
	char *rest_have = have;

	for (;;) {
		char *w = strsep(&rest_want, "\n");
		char *h = strsep(&rest_have, "\n");

		if (!w || !h) {
			assert_true(!w && !h);
			return;
		}
		if (strcmp(w, h) != 0) {
			fail_msg(DOC " differs from the parser; `make docs` makes it anew\n"
				     "parser:   %s\ndocument: %s",
				 w, h);
		}
	}
}

/* @table is consumed. */
static void compare_section(const char *mark_begin, const char *mark_end, char *table)
{
	char *doc = read_text(DOC);
	char *begin = strstr(doc, mark_begin);
	char *end = strstr(doc, mark_end);

	assert_non_null(begin);
	assert_non_null(end);
	*end = '\0';
	compare_lines(table, begin + strlen(mark_begin));
	free(table);
	free(doc);
}

static void document_has_the_parsers_fields(void **state)
{
	size_t n;
	char *table = make_table(&n);

	(void)state;
	assert_true(n > 190);
	compare_section(MARK_BEGIN, MARK_END, table);
}

static void document_has_our_annotations(void **state)
{
	size_t n;
	char *table = make_annotations(&n);

	(void)state;
	assert_true(n >= 3);
	compare_section("<!-- annotations: made by `make docs` from the parser's table -->\n",
			"<!-- end of annotations -->\n", table);
}

/* The table is not empty of what it is there for. */
static void table_has_each_kind_of_row(void **state)
{
	static const char *const rows[] = {
		"| `process.user.umask` | uint32, to 4095 | guest |",
		"| `root.path` | string, required | host |",
		"| `linux.netDevices` | map of objects | host |",
		"| `linux.intelRdt` | object | refused | `config.json: linux.intelRdt: ",
		"| `linux.intelRdt.closID` | string | refused | with what it is in |",
		"| `linux.resources.network.priorities[].name` | string, required | ignored |",
		"| `hooks.prestart[].path` | string, required | host |",
		"| `hooks.startContainer[].path` | string, required | guest |",
		"| `process.oomScoreAdj` | int64, -1000 to 1000 | guest |",
	};
	size_t n;
	char *table = make_table(&n);

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(rows); i++) {
		if (!strstr(table, rows[i])) {
			fail_msg("no row '%s' in\n%s", rows[i], table);
		}
	}
	free(table);
}

/* ---- is what we honour read by anyone? ---------------------------------------------------- */

/* What the parser turns a member into: readers use that. */
static const char *const derived[][2] = {
	{"options", "opt"},	     {"type_name", "type"},
	{"flag_names", "flags"},     {"rootfs_propagation_name", "rootfs_propagation"},
	{"names[", "mask"},	     {"container_id", "uid_mappings"}, /* looked at as a whole */
	{"host_id", "uid_mappings"}, {"gid_mappings", "uid_mappings"},
	{"oci_version", NULL}, /* there is nothing but the check */
};

static char *sources; /* of all that may read a configuration behind the parser */

static void add_sources(struct text *all, const char *dir, bool (*wanted)(const char *name))
{
	struct dirent *e;
	DIR *d = opendir(dir);

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		size_t n = strlen(e->d_name);
		char path[512];
		char *text;

		if (n < 3 || strcmp(e->d_name + n - 2, ".c") != 0 || !wanted(e->d_name)) {
			continue;
		}
		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		text = read_text(path);
		text_add(all, text);
		free(text);
	}
	(void)closedir(d);
}

/* update.c only looks at fields to say that they can't change. */
static bool is_reader(const char *name)
{
	return strcmp(name, "update.c") != 0;
}

/* The parser's own files prove nothing. */
static bool is_no_parser(const char *name)
{
	return strncmp(name, "spec", 4) != 0;
}

static int load_sources(void **state)
{
	struct text all = {0};

	(void)state;
	add_sources(&all, "runtime", is_reader);
	add_sources(&all, "runtime/oci", is_no_parser);
	sources = all.s;
	return sources ? 0 : -1;
}

static int free_sources(void **state)
{
	(void)state;
	free(sources);
	return 0;
}

/* Is there "->name" or ".name" as a whole word? */
static bool is_read(const char *name)
{
	size_t n = strlen(name);

	for (const char *p = strstr(sources, name); p; p = strstr(p + 1, name)) {
		if (p - sources >= 2 && (p[-1] == '.' || (p[-1] == '>' && p[-2] == '-')) &&
		    !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_",
			    p[n])) {
			return true;
		}
	}
	return false;
}

static const char *reader_name(const char *member)
{
	for (size_t i = 0; i < VR_ARRAY_SIZE(derived); i++) {
		size_t n = strlen(derived[i][0]);

		if (strncmp(member, derived[i][0], n) == 0 &&
		    (member[n] == '\0' || derived[i][0][n - 1] == '[')) {
			return derived[i][1];
		}
	}
	return member;
}

static void check_reader(void *ctx, const char *path, const struct oci_field *f)
{
	struct walk *w = ctx;
	const char *name = f->member ? reader_name(f->member) : NULL;
	bool inherited;
	enum oci_honour where = enter(w, path, f, &inherited);

	if (!name || inherited || strcmp(name, "check_before_update") == 0 /* update's own */) {
		return;
	}
	if (where != OCI_IGNORED && where != OCI_REFUSED && !is_read(name)) {
		fail_msg("%s is said to be honoured (%s), but nobody reads '%s'", path,
			 oci_honour_name(where), name);
	}
}

static void honoured_fields_are_read(void **state)
{
	struct walk w = {0};

	(void)state;
	oci_schema_walk(&oci_spec_type, "", check_reader, &w);
	assert_true(w.n > 190);
}

static void a_field_nobody_reads_is_noticed(void **state)
{
	(void)state;
	assert_true(is_read("cgroups_path"));
	assert_false(is_read("cgroups_pat")); /* a part of a word */
	assert_false(is_read("no_such_member"));
	assert_string_equal(reader_name("names[OCI_CAPS_BOUNDING]"), "mask");
	assert_string_equal(reader_name("options"), "opt");
	assert_string_equal(reader_name("path"), "path");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(document_has_the_parsers_fields),
		cmocka_unit_test(document_has_our_annotations),
		cmocka_unit_test(table_has_each_kind_of_row),
		cmocka_unit_test_setup_teardown(honoured_fields_are_read, load_sources,
						free_sources),
		cmocka_unit_test_setup_teardown(a_field_nobody_reads_is_noticed, load_sources,
						free_sources),
	};

	if (argc == 2) {
		size_t n;
		char *table =
			strcmp(argv[1], "fields") == 0 ? make_table(&n) : make_annotations(&n);

		(void)fputs(table, stdout);
		free(table);
		return 0;
	}
	return cmocka_run_group_tests_name("oci_doc", tests, NULL, NULL);
}
