/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c - JSON parser and writer; the only file that knows the JSON library
 *
 * How this works: the text is first checked by us (strict UTF-8, paired
 * surrogates), because the library is lenient or wrong there. Its events then
 * build the tree of json_internal.h; each limit is checked when a node is made,
 * while its place is known, so that the message can name it. When a container
 * ends its children are put into an array: objects sorted by key, which finds
 * duplicates and makes lookups logarithmic.
 */
#include "oci/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_parse.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/utf8.h"
#include "oci/json_internal.h"

/** struct builder - the tree under construction */
struct builder {
	struct json_doc *doc;
	struct json *open; /* innermost container not yet closed */
	const char *key;   /* name for the next value, NULL in arrays */
	size_t depth;
	struct vr_err *err;
	int status; /* negative once failed; the message is in @err */
};

static int no_memory(struct builder *b)
{
	b->status = vr_err_set(b->err, ENOMEM, "%s: out of memory", b->doc->name);
	return 0;
}

/* A new node below the open container. Return: NULL with b->status set on failure. */
static struct json *add_node(struct builder *b, enum json_type type)
{
	struct json *j;

	j = oci_arena_alloc(b->doc->arena, 1, sizeof(*j));
	if (!j) {
		(void)no_memory(b);
		return NULL;
	}
	j->parent = b->open;
	j->key = b->key;
	j->type = (uint8_t)type;
	j->index = (uint32_t)b->open->len;
	b->key = NULL;
	if (b->doc->n_nodes++ >= JSON_NODES_MAX) {
		b->status = vr_err_set(b->err, E2BIG, "%s: more than %u values", b->doc->name,
				       JSON_NODES_MAX);
		return NULL;
	}
	if (b->open->last) {
		b->open->last->next = j;
	} else {
		b->open->first = j;
	}
	b->open->last = j;
	b->open->len++;
	return j;
}

static int set_text(struct builder *b, struct json *j, const char *s, size_t len)
{
	if (memchr(s, '\0', len)) {
		b->status = json_fail(b->err, j, EINVAL, "must not contain a NUL character");
		return 0;
	}
	j->text = oci_arena_strndup(b->doc->arena, s, len);
	j->len = len;
	return j->text ? 1 : no_memory(b);
}

static int on_null(void *ctx)
{
	return add_node(ctx, JSON_NULL) != NULL;
}

static int on_boolean(void *ctx, int value)
{
	struct json *j = add_node(ctx, JSON_BOOL);

	if (!j) {
		return 0;
	}
	j->truth = value != 0;
	return 1;
}

static int on_number(void *ctx, const char *s, size_t len)
{
	struct json *j = add_node(ctx, JSON_NUMBER);

	return j ? set_text(ctx, j, s, len) : 0;
}

static int on_string(void *ctx, const unsigned char *s, size_t len)
{
	struct json *j = add_node(ctx, JSON_STRING);

	return j ? set_text(ctx, j, (const char *)s, len) : 0;
}

static int on_key(void *ctx, const unsigned char *s, size_t len)
{
	struct builder *b = ctx;

	if (memchr(s, '\0', len)) {
		b->status = json_fail(b->err, b->open, EINVAL,
				      "a key must not contain a NUL character");
		return 0;
	}
	b->key = oci_arena_strndup(b->doc->arena, (const char *)s, len);
	return b->key ? 1 : no_memory(b);
}

static int open_container(struct builder *b, enum json_type type)
{
	struct json *j = add_node(b, type);

	if (!j) {
		return 0;
	}
	if (++b->depth > JSON_DEPTH_MAX) {
		b->status =
			json_fail(b->err, j, ELOOP, "nested deeper than %u levels", JSON_DEPTH_MAX);
		return 0;
	}
	b->open = j;
	return 1;
}

static int by_key(const void *a, const void *b)
{
	const struct json *const *x = a;
	const struct json *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

static int check_duplicates(struct builder *b, const struct json *object)
{
	for (size_t i = 1; i < object->len; i++) {
		if (strcmp(object->items[i - 1]->key, object->items[i]->key) == 0) {
			b->status = json_fail(b->err, object->items[i], EINVAL, "duplicate key");
			return 0;
		}
	}
	return 1;
}

static int close_container(struct builder *b)
{
	struct json *j = b->open;
	struct json *child = j->first;

	j->items = oci_arena_alloc(b->doc->arena, j->len, sizeof(struct json *));
	if (!j->items) {
		return no_memory(b);
	}
	for (size_t i = 0; i < j->len; i++, child = child->next) {
		j->items[i] = child;
	}
	b->open = j->parent;
	b->depth--;
	if (j->type != JSON_OBJECT || j->len == 0) {
		return 1;
	}
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): the array is one of pointers */
	qsort(j->items, j->len, sizeof(j->items[0]), by_key);
	return check_duplicates(b, j);
}

static int on_object_open(void *ctx)
{
	return open_container(ctx, JSON_OBJECT);
}

static int on_array_open(void *ctx)
{
	return open_container(ctx, JSON_ARRAY);
}

static int on_close(void *ctx)
{
	return close_container(ctx);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object_open,
	.yajl_map_key = on_key,
	.yajl_end_map = on_close,
	.yajl_start_array = on_array_open,
	.yajl_end_array = on_close,
};

/* "<document>: line L, column C: <what>" for byte @off of the text. */
static int fail_at(struct vr_err *err, const char *name, const char *text, size_t off,
		   const char *what)
{
	size_t line = 1;
	size_t column = 1;

	for (size_t i = 0; i < off; i++) {
		column++;
		if (text[i] == '\n') {
			line++;
			column = 1;
		}
	}
	return vr_err_set(err, EINVAL, "%s: line %zu, column %zu: %s", name, line, column, what);
}

/* The value of four hexadecimal digits, or -1. */
static long hex4(const char *s, size_t left)
{
	long v = 0;

	if (left < 4) {
		return -1;
	}
	for (size_t i = 0; i < 4; i++) {
		char c = s[i];
		int digit;

		if (c >= '0' && c <= '9') {
			digit = c - '0';
		} else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
			digit = (c | 0x20) - 'a' + 10;
		} else {
			return -1;
		}
		v = v << 4 | digit;
	}
	return v;
}

/*
 * Length of the escape at @s, which starts with a backslash, or 0 when it is
 * half a surrogate pair. Malformed escapes are left to the parser to report.
 */
static size_t escape_len(const char *s, size_t left)
{
	long high;
	long low;

	if (left < 2 || s[1] != 'u') {
		return VR_MIN(left, (size_t)2);
	}
	high = hex4(s + 2, left - 2);
	if (high < 0xd800 || high > 0xdfff) {
		return 2;
	}
	if (high > 0xdbff || left < 12 || s[6] != '\\' || s[7] != 'u') {
		return 0;
	}
	low = hex4(s + 8, left - 8);
	return low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
}

/* What the library would let through: broken UTF-8 and lone surrogates. */
static int check_text(const char *name, const char *text, size_t len, struct vr_err *err)
{
	size_t off = 0;

	while (off < len) {
		size_t n;

		if (text[off] == '\\') {
			n = escape_len(text + off, len - off);
			if (n == 0) {
				return fail_at(err, name, text, off, "lone surrogate in a string");
			}
		} else {
			n = vr_utf8_len(text + off, len - off);
			if (n == 0) {
				return fail_at(err, name, text, off, "not UTF-8");
			}
		}
		off += n;
	}
	return 0;
}

/* @at_end: the text was fine as far as it went; the library's offset means nothing then. */
static int library_error(struct builder *b, yajl_handle h, const char *text, size_t len,
			 bool at_end)
{
	unsigned char *words = yajl_get_error(h, 0, (const unsigned char *)text, len);
	size_t off = at_end ? len : yajl_get_bytes_consumed(h);
	int r;

	if (words) {
		words[strcspn((char *)words, "\n")] = '\0';
	}
	r = fail_at(b->err, b->doc->name, text, VR_MIN(off, len),
		    words ? (char *)words : "not JSON");
	yajl_free_error(h, words);
	return r;
}

static int build(struct builder *b, const char *text, size_t len)
{
	yajl_handle h = yajl_alloc(&callbacks, NULL, b);
	yajl_status status;
	bool at_end = false;
	int r = 0;

	if (!h) {
		(void)no_memory(b);
		return b->status;
	}
	status = yajl_parse(h, (const unsigned char *)text, len);
	if (status == yajl_status_ok) {
		status = yajl_complete_parse(h);
		at_end = true;
	}
	if (b->status < 0) {
		r = b->status;
	} else if (status != yajl_status_ok) {
		r = library_error(b, h, text, len, at_end);
	} else if (b->depth != 0 || b->doc->top.len != 1) {
		r = vr_err_set(b->err, EINVAL, "%s: incomplete JSON", b->doc->name);
	}
	yajl_free(h);
	return r;
}

static struct json_doc *doc_create(const char *name)
{
	struct oci_arena *arena = oci_arena_create();
	struct json_doc *doc = arena ? oci_arena_alloc(arena, 1, sizeof(*doc)) : NULL;

	if (doc) {
		doc->arena = arena;
		doc->top.type = JSON_ARRAY;
		doc->name = oci_arena_strndup(arena, name, strlen(name));
	}
	if (!doc || !doc->name) {
		oci_arena_destroy(arena);
		return NULL;
	}
	return doc;
}

int json_parse(const char *name, const char *text, size_t len, struct json_doc **out_doc,
	       struct vr_err *err)
{
	struct builder b = {.err = err};
	int r;

	if (len > JSON_TEXT_MAX) {
		return vr_err_set(err, EFBIG, "%s: larger than %u MiB", name,
				  JSON_TEXT_MAX / (1024 * 1024));
	}
	r = check_text(name, text, len, err);
	if (r < 0) {
		return r;
	}
	b.doc = doc_create(name);
	if (!b.doc) {
		return vr_err_set(err, ENOMEM, "%s: out of memory", name);
	}
	b.open = &b.doc->top;
	r = build(&b, text, len);
	if (r < 0) {
		json_doc_free(b.doc);
		return r;
	}
	*out_doc = b.doc;
	return 0;
}

int json_parse_file(int dirfd, const char *path, struct json_doc **out_doc, struct vr_err *err)
{
	vr_autofree char *text = NULL;
	size_t len = 0;
	int r = vr_read_file(dirfd, path, JSON_TEXT_MAX, &text, &len);

	if (r == -EFBIG) {
		return vr_err_set(err, EFBIG, "%s: larger than %u MiB", path,
				  JSON_TEXT_MAX / (1024 * 1024));
	}
	if (r < 0) {
		return vr_err_sys(err, r, "open '%s'", path);
	}
	return json_parse(path, text, len, out_doc, err);
}

void json_doc_free(struct json_doc *doc)
{
	if (doc) {
		oci_arena_destroy(doc->arena); /* the document itself lives in it */
	}
}

const struct json *json_doc_root(const struct json_doc *doc)
{
	return doc->top.first;
}

struct oci_arena *json_doc_arena(struct json_doc *doc)
{
	return doc->arena;
}

const char *json_doc_name(const struct json_doc *doc)
{
	return doc->name;
}

/** struct json_gen - a writer; @failed is sticky, @depth counts open containers */
struct json_gen {
	yajl_gen gen;
	unsigned int depth;
	bool pretty;
	bool failed;
};

struct json_gen *json_gen_create(bool pretty)
{
	struct json_gen *g = calloc(1, sizeof(*g));

	if (!g) {
		return NULL;
	}
	g->gen = yajl_gen_alloc(NULL);
	if (!g->gen) {
		free(g);
		return NULL;
	}
	g->pretty = pretty;
	(void)yajl_gen_config(g->gen, yajl_gen_beautify, pretty ? 1 : 0); /* known option */
	(void)yajl_gen_config(g->gen, yajl_gen_indent_string, "  ");	  /* as above */
	return g;
}

void json_gen_destroy(struct json_gen *g)
{
	if (g) {
		yajl_gen_free(g->gen);
		free(g);
	}
}

static void note(struct json_gen *g, yajl_gen_status status)
{
	if (status != yajl_gen_status_ok) {
		g->failed = true;
	}
}

void json_gen_object_open(struct json_gen *g)
{
	g->depth++;
	note(g, yajl_gen_map_open(g->gen));
}

void json_gen_object_close(struct json_gen *g)
{
	g->depth--;
	note(g, yajl_gen_map_close(g->gen));
}

void json_gen_array_open(struct json_gen *g)
{
	g->depth++;
	note(g, yajl_gen_array_open(g->gen));
}

void json_gen_array_close(struct json_gen *g)
{
	g->depth--;
	note(g, yajl_gen_array_close(g->gen));
}

void json_gen_str(struct json_gen *g, const char *s)
{
	size_t len;

	if (!s) {
		json_gen_null(g);
		return;
	}
	len = strlen(s);
	if (!vr_utf8_valid(s, len)) {
		g->failed = true;
		return;
	}
	note(g, yajl_gen_string(g->gen, (const unsigned char *)s, len));
}

void json_gen_key(struct json_gen *g, const char *key)
{
	json_gen_str(g, key);
}

void json_gen_bool(struct json_gen *g, bool v)
{
	note(g, yajl_gen_bool(g->gen, v));
}

void json_gen_u64(struct json_gen *g, uint64_t v)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%" PRIu64, v);

	note(g, yajl_gen_number(g->gen, text, (size_t)n));
}

void json_gen_i64(struct json_gen *g, int64_t v)
{
	note(g, yajl_gen_integer(g->gen, v));
}

void json_gen_null(struct json_gen *g)
{
	note(g, yajl_gen_null(g->gen));
}

void json_gen_kv_str(struct json_gen *g, const char *key, const char *s)
{
	json_gen_key(g, key);
	json_gen_str(g, s);
}

void json_gen_kv_bool(struct json_gen *g, const char *key, bool v)
{
	json_gen_key(g, key);
	json_gen_bool(g, v);
}

void json_gen_kv_u64(struct json_gen *g, const char *key, uint64_t v)
{
	json_gen_key(g, key);
	json_gen_u64(g, v);
}

void json_gen_kv_i64(struct json_gen *g, const char *key, int64_t v)
{
	json_gen_key(g, key);
	json_gen_i64(g, v);
}

static void gen_scalar(struct json_gen *g, const struct json *j)
{
	switch (json_type(j)) {
	case JSON_BOOL:
		json_gen_bool(g, j->truth);
		break;
	case JSON_NUMBER:
		note(g, yajl_gen_number(g->gen, j->text, j->len));
		break;
	case JSON_STRING:
		json_gen_str(g, j->text);
		break;
	default:
		json_gen_null(g);
		break;
	}
}

/* Depth is at most JSON_DEPTH_MAX, as the parser made the tree. */
void json_gen_tree(struct json_gen *g, const struct json *j)
{
	bool object = j->type == JSON_OBJECT;

	if (!object && j->type != JSON_ARRAY) {
		gen_scalar(g, j);
		return;
	}
	if (object) {
		json_gen_object_open(g);
	} else {
		json_gen_array_open(g);
	}
	for (const struct json *child = j->first; child; child = child->next) {
		if (object) {
			json_gen_key(g, child->key);
		}
		json_gen_tree(g, child);
	}
	if (object) {
		json_gen_object_close(g);
	} else {
		json_gen_array_close(g);
	}
}

const char *json_gen_finish(struct json_gen *g, size_t *out_len)
{
	const unsigned char *text;
	size_t len;

	if (g->failed || g->depth != 0 ||
	    yajl_gen_get_buf(g->gen, &text, &len) != yajl_gen_status_ok || len == 0) {
		return NULL;
	}
	if (out_len) {
		*out_len = len;
	}
	return (const char *)text;
}
