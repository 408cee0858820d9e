/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - JSON documents: a bounded tree with paths for messages, and a writer
 *
 * Reading: json_parse() builds a read-only tree in an arena. Refused are texts
 * larger than JSON_TEXT_MAX, more than JSON_NODES_MAX values, nesting beyond
 * JSON_DEPTH_MAX, duplicate keys, text that is not strict UTF-8, and strings
 * with a NUL in them; so every string of a tree is a plain C string.
 *
 * Numbers stay text until a getter asks for an integer of a given range. No
 * value goes through a double, except one written with a fraction or exponent,
 * which must then be integral and at most 2^53.
 *
 * Each node knows its place: "config.json: process.args[2]: must be a string".
 *
 * Trust:   texts may be hostile.
 * Threads: one at a time per document or writer.
 * Uses:    base, arena; the only user of the JSON library. Used by: oci/, cmd_*.
 */
#ifndef OCI_JSON_H
#define OCI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/arena.h"

#define JSON_TEXT_MAX  (16u * 1024u * 1024u)
#define JSON_NODES_MAX (256u * 1024u)
#define JSON_DEPTH_MAX 128u

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
	JSON_TYPE_COUNT,
};

struct json;
struct json_doc;

/**
 * json_parse() - parse a text
 * @name:    what messages call the document ("config.json"); copied
 * @text:    the text; not needed afterwards
 * @len:     its length in bytes
 * @out_doc: the document, to be freed with json_doc_free()
 * @err:     filled on failure
 *
 * Return: 0 or a negative errno value.
 */
int json_parse(const char *name, const char *text, size_t len, struct json_doc **out_doc,
	       struct vr_err *err) __attribute__((warn_unused_result));

/** json_parse_file() - json_parse() of a file below @dirfd; @path also names it in messages */
int json_parse_file(int dirfd, const char *path, struct json_doc **out_doc, struct vr_err *err)
	__attribute__((warn_unused_result));

/** json_doc_free() - free the document, its nodes and its arena; NULL is allowed */
void json_doc_free(struct json_doc *doc);

/** json_doc_root() - the outermost value, borrowed */
const struct json *json_doc_root(const struct json_doc *doc);

/** json_doc_arena() - the document's memory, for what lives as long as it */
struct oci_arena *json_doc_arena(struct json_doc *doc);

/** json_doc_name() - the name given to json_parse() */
const char *json_doc_name(const struct json_doc *doc);

enum json_type json_type(const struct json *j);

/** json_count() - members of an object or elements of an array; 0 for all else */
size_t json_count(const struct json *j);

/** json_at() - the @i-th member or element in the order of the text; NULL beyond the last */
const struct json *json_at(const struct json *j, size_t i);

/** json_next() - the member or element after this one in the text; NULL after the last */
const struct json *json_next(const struct json *j);

/** json_key() - the name of this member in its object; NULL for elements and the root */
const char *json_key(const struct json *j);

/** json_member() - a member by name; NULL when absent, or @j is no object, or the value is null */
const struct json *json_member(const struct json *j, const char *key);

/** json_text() - a string's value or a number's text; NULL for other types */
const char *json_text(const struct json *j);

/** json_text_len() - length of json_text() in bytes */
size_t json_text_len(const struct json *j);

/** json_is_true() - a boolean's value; false for other types */
bool json_is_true(const struct json *j);

/**
 * json_fail() - record a failure with document name and path of a node
 * @err:  filled with "<document>: <path>: <sentence>"
 * @j:    the node
 * @code: errno value
 * @fmt:  the sentence
 *
 * Return: the negative errno value.
 */
int json_fail(struct vr_err *err, const struct json *j, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/** json_fail_member() - json_fail() with the place of a member @key of @obj, there or not */
int json_fail_member(struct vr_err *err, const struct json *obj, const char *key, int code,
		     const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/**
 * json_path() - where a node is: "mounts[3].options[0]", keys with odd characters quoted
 * @j:   node
 * @buf: destination
 * @cap: its size, at least 4; the front of a path too long for it is replaced by "..."
 *
 * Return: @buf, an empty string for the root.
 */
char *json_path(const struct json *j, char *buf, size_t cap);

/** json_get_i64() - an integer in [min, max], or a failure that says what it must be */
int json_get_i64(const struct json *j, int64_t min, int64_t max, int64_t *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/** json_get_u64() - an unsigned integer of at most @max */
int json_get_u64(const struct json *j, uint64_t max, uint64_t *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/** json_get_str() - a string (borrowed from the document) */
int json_get_str(const struct json *j, const char **out, struct vr_err *err)
	__attribute__((warn_unused_result));

/** json_get_bool() - true or false */
int json_get_bool(const struct json *j, bool *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/** json_expect() - 0 when the node has this type, else "must be an object" and the like */
int json_expect(const struct json *j, enum json_type type, struct vr_err *err)
	__attribute__((warn_unused_result));

/*
 * Writer. Calls fail sticky; json_gen_finish() says whether the document is
 * complete and all of it was valid.
 */
struct json_gen;

/** json_gen_create() - a writer; @pretty indents by two spaces; NULL without memory */
struct json_gen *json_gen_create(bool pretty);

/** json_gen_destroy() - free a writer; NULL is allowed */
void json_gen_destroy(struct json_gen *g);

void json_gen_object_open(struct json_gen *g);
void json_gen_object_close(struct json_gen *g);
void json_gen_array_open(struct json_gen *g);
void json_gen_array_close(struct json_gen *g);

/** json_gen_key() - name the next member */
void json_gen_key(struct json_gen *g, const char *key);

/** json_gen_str() - a string, which must be UTF-8; NULL writes null */
void json_gen_str(struct json_gen *g, const char *s);
void json_gen_bool(struct json_gen *g, bool v);
void json_gen_u64(struct json_gen *g, uint64_t v);
void json_gen_i64(struct json_gen *g, int64_t v);
void json_gen_null(struct json_gen *g);

/* Member shorthands: key and value. */
void json_gen_kv_str(struct json_gen *g, const char *key, const char *s);
void json_gen_kv_bool(struct json_gen *g, const char *key, bool v);
void json_gen_kv_u64(struct json_gen *g, const char *key, uint64_t v);
void json_gen_kv_i64(struct json_gen *g, const char *key, int64_t v);

/** json_gen_tree() - copy a parsed value */
void json_gen_tree(struct json_gen *g, const struct json *j);

/**
 * json_gen_finish() - the text written
 * @g:       writer
 * @out_len: its length; may be NULL
 *
 * Return: the NUL-terminated text, borrowed until json_gen_destroy(), or NULL
 * when something failed or the document is not complete.
 */
const char *json_gen_finish(struct json_gen *g, size_t *out_len)
	__attribute__((warn_unused_result));

#endif /* OCI_JSON_H */
