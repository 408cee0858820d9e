/* SPDX-License-Identifier: Apache-2.0 */
/* json_node.c - getters over parsed JSON, with paths in their messages; see json.h */
#include "oci/json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/json_internal.h"

#define PATH_SHOWN 300

static const char *const type_names[] = {"null",     "a boolean", "a number",
					 "a string", "an array",  "an object"};

_Static_assert(sizeof(type_names) / sizeof(type_names[0]) == JSON_TYPE_COUNT,
	       "a name for each type");

enum json_type json_type(const struct json *j)
{
	return (enum json_type)j->type;
}

size_t json_count(const struct json *j)
{
	return j->type == JSON_ARRAY || j->type == JSON_OBJECT ? j->len : 0;
}

const struct json *json_at(const struct json *j, size_t i)
{
	const struct json *child;

	if (i >= json_count(j)) {
		return NULL;
	}
	if (j->type == JSON_ARRAY) {
		return j->items[i];
	}
	child = j->first;
	while (child && i-- > 0) {
		child = child->next;
	}
	return child;
}

const struct json *json_next(const struct json *j)
{
	return j->next;
}

const char *json_key(const struct json *j)
{
	return j->key;
}

const struct json *json_member(const struct json *j, const char *key)
{
	size_t low = 0;
	size_t high = j->type == JSON_OBJECT ? j->len : 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(j->items[mid]->key, key);

		if (order == 0) {
			return j->items[mid]->type == JSON_NULL ? NULL : j->items[mid];
		}
		if (order < 0) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return NULL;
}

const char *json_text(const struct json *j)
{
	return j->type == JSON_STRING || j->type == JSON_NUMBER ? j->text : NULL;
}

size_t json_text_len(const struct json *j)
{
	return j->type == JSON_STRING || j->type == JSON_NUMBER ? j->len : 0;
}

bool json_is_true(const struct json *j)
{
	return j->type == JSON_BOOL && j->truth;
}

static bool plain_key(const char *key)
{
	for (const char *p = key; *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '_' && *p != '-') {
			return false;
		}
	}
	return *key != '\0';
}

/* The text of one step: [3], .name, or ["odd.name"]. */
static void format_step(const struct json *j, bool outermost, char *step, size_t cap)
{
	if (!j->key) {
		(void)snprintf(step, cap, "[%" PRIu32 "]", j->index);
	} else if (plain_key(j->key)) {
		(void)snprintf(step, cap, "%s%.100s", outermost ? "" : ".", j->key);
	} else {
		(void)snprintf(step, cap, "[\"%.100s\"]", j->key);
	}
}

char *json_path(const struct json *j, char *buf, size_t cap)
{
	size_t start = cap - 1;

	buf[start] = '\0';
	/* From the leaf upwards; the root and the document's pseudo-node have no step. */
	for (; j->parent && j->parent->parent; j = j->parent) {
		char step[128];
		size_t n;

		format_step(j, !j->parent->parent->parent, step, sizeof(step));
		n = strlen(step);
		if (n + 3 > start) {
			start -= 3;
			memcpy(buf + start, "...", 3);
			break;
		}
		start -= n;
		memcpy(buf + start, step, n);
	}
	memmove(buf, buf + start, cap - start);
	return buf;
}

static int __attribute__((format(printf, 4, 0)))
fail_at_node(struct vr_err *err, const struct json *j, int code, const char *fmt, va_list ap)
{
	const struct json *top = j;
	const struct json_doc *doc;
	char sentence[VR_ERR_MSG_MAX] = "";
	char path[PATH_SHOWN];

	while (top->parent) {
		top = top->parent;
	}
	doc = (const struct json_doc *)(const void *)top;     /* top is the first member */
	(void)vsnprintf(sentence, sizeof(sentence), fmt, ap); /* a cut message is fine */
	(void)json_path(j, path, sizeof(path));
	if (path[0] == '\0') {
		return vr_err_set(err, code, "%s: %s", doc->name, sentence);
	}
	return vr_err_set(err, code, "%s: %s: %s", doc->name, path, sentence);
}

int json_fail(struct vr_err *err, const struct json *j, int code, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = fail_at_node(err, j, code, fmt, ap);
	va_end(ap);
	return r;
}

int json_fail_member(struct vr_err *err, const struct json *obj, const char *key, int code,
		     const char *fmt, ...)
{
	struct json member = {.parent = (struct json *)(uintptr_t)obj, .key = key};
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = fail_at_node(err, &member, code, fmt, ap);
	va_end(ap);
	return r;
}

int json_expect(const struct json *j, enum json_type type, struct vr_err *err)
{
	if (j->type == type) {
		return 0;
	}
	return json_fail(err, j, EINVAL, "must be %s, not %s", type_names[type],
			 type_names[j->type]);
}

/* Digits with an optional minus, nothing else. */
static bool plain_integer(const char *s)
{
	return s[strspn(s, "-0123456789")] == '\0';
}

/* 1e3 and 5.0 are integers too; above 2^53 a double can't say which one. */
static bool integral_double(const char *s, int64_t *out)
{
	double d = strtod(s, NULL);

	if (!(d >= -9007199254740992.0 && d <= 9007199254740992.0) || (double)(int64_t)d != d) {
		return false;
	}
	*out = (int64_t)d;
	return true;
}

static bool text_to_i64(const char *s, int64_t *out)
{
	long long v;

	if (!plain_integer(s)) {
		return integral_double(s, out);
	}
	errno = 0;
	v = strtoll(s, NULL, 10);
	if (errno != 0) {
		return false;
	}
	*out = v;
	return true;
}

static bool text_to_u64(const char *s, uint64_t *out)
{
	unsigned long long v;
	int64_t i;

	if (!plain_integer(s) || s[0] == '-') { /* strtoull would negate silently */
		if (!text_to_i64(s, &i) || i < 0) {
			return false;
		}
		*out = (uint64_t)i;
		return true;
	}
	errno = 0;
	v = strtoull(s, NULL, 10);
	if (errno != 0) {
		return false;
	}
	*out = v;
	return true;
}

int json_get_i64(const struct json *j, int64_t min, int64_t max, int64_t *out, struct vr_err *err)
{
	int64_t v;

	if (j->type != JSON_NUMBER) {
		return json_expect(j, JSON_NUMBER, err);
	}
	if (!text_to_i64(j->text, &v) || v < min || v > max) {
		return json_fail(err, j, ERANGE,
				 "must be an integer from %" PRId64 " to %" PRId64 ", not %.40s",
				 min, max, j->text);
	}
	*out = v;
	return 0;
}

int json_get_u64(const struct json *j, uint64_t max, uint64_t *out, struct vr_err *err)
{
	uint64_t v;

	if (j->type != JSON_NUMBER) {
		return json_expect(j, JSON_NUMBER, err);
	}
	if (!text_to_u64(j->text, &v) || v > max) {
		return json_fail(err, j, ERANGE,
				 "must be an integer from 0 to %" PRIu64 ", not %.40s", max,
				 j->text);
	}
	*out = v;
	return 0;
}

int json_get_str(const struct json *j, const char **out, struct vr_err *err)
{
	if (j->type != JSON_STRING) {
		return json_expect(j, JSON_STRING, err);
	}
	*out = j->text;
	return 0;
}

int json_get_bool(const struct json *j, bool *out, struct vr_err *err)
{
	if (j->type != JSON_BOOL) {
		return json_expect(j, JSON_BOOL, err);
	}
	*out = j->truth;
	return 0;
}
