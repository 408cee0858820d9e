/* SPDX-License-Identifier: Apache-2.0 */
/* schema.c - the table-driven loader; see schema.h */
#include "oci/schema.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"

/* All {v, n} arrays are laid out like this; v has the element's type there. */
struct any_array {
	void *v;
	size_t n;
};

_Static_assert(sizeof(struct any_array) == sizeof(struct oci_strv) &&
		       offsetof(struct any_array, n) == offsetof(struct oci_strv, n),
	       "arrays share one layout");

static const char *const kind_names[] = {
	"bool",	  "uint32", "uint64",  "int32",		 "int64",   "bool",	      "uint32",
	"uint64", "int64",  "string",  "strings",	 "uint32s", "map of strings", "name",
	"object", "object", "objects", "map of objects", "object",  "array",
};

_Static_assert(VR_ARRAY_SIZE(kind_names) == OCI_KIND_COUNT, "a name for each kind");

static const char *const honour_names[] = {"guest", "host", "host and guest", "ignored", "refused"};

_Static_assert(VR_ARRAY_SIZE(honour_names) == OCI_HONOUR_COUNT, "a name for each");

const char *oci_kind_name(enum oci_kind kind)
{
	return kind < OCI_KIND_COUNT ? kind_names[kind] : "?";
}

const char *oci_honour_name(enum oci_honour where)
{
	return where < OCI_HONOUR_COUNT ? honour_names[where] : "?";
}

int oci_no_memory(struct oci_loader *l)
{
	return vr_err_set(l->err, ENOMEM, "configuration: out of memory");
}

void oci_warn(struct oci_loader *l, const struct json *j, const char *fmt, ...)
{
	struct vr_err err = VR_ERR_INIT;
	char sentence[512];
	char *copy;
	va_list ap;

	if (!l->warnings.v) {
		l->warnings.v = oci_arena_alloc(l->arena, OCI_WARNINGS_MAX + 1, sizeof(char *));
	}
	if (!l->warnings.v || l->warnings.n >= OCI_WARNINGS_MAX) {
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(sentence, sizeof(sentence), fmt, ap); /* a cut message is fine */
	va_end(ap);
	(void)json_fail(&err, j, EINVAL, "%s", sentence); /* for the place in front of it */
	copy = oci_arena_strndup(l->arena, err.msg, strlen(err.msg));
	if (copy) {
		l->warnings.v[l->warnings.n++] = copy;
	}
}

int oci_name_find(const struct oci_name *names, const char *name)
{
	for (; names->name; names++) {
		if (strcmp(names->name, name) == 0) {
			return names->value;
		}
	}
	return -1;
}

const char *oci_name_of(const struct oci_name *names, int value)
{
	for (; names->name; names++) {
		if (names->value == value) {
			return names->name;
		}
	}
	return NULL;
}

int oci_names_to_mask(struct oci_loader *l, const struct json *j, const char *key,
		      const struct oci_name *names, const char *what, uint32_t *out)
{
	const struct json *array = json_member(j, key);
	uint32_t mask = 0;

	for (size_t i = 0; array && i < json_count(array); i++) {
		const struct json *e = json_at(array, i);
		int bit = oci_name_find(names, json_text(e));

		if (bit < 0) {
			return json_fail(l->err, e, EINVAL, "unknown %s '%.100s'", what,
					 json_text(e));
		}
		mask |= (uint32_t)bit;
	}
	*out = mask;
	return 0;
}

static int load_bool(struct oci_loader *l, const struct oci_field *f, const struct json *j, void *p)
{
	struct oci_opt_bool *opt = p;
	bool v;
	int r = json_get_bool(j, &v, l->err);

	if (r < 0) {
		return r;
	}
	if (f->kind == OCI_BOOL) {
		*(bool *)p = v;
	} else {
		opt->set = true;
		opt->v = v;
	}
	return 0;
}

static int load_unsigned(struct oci_loader *l, const struct oci_field *f, const struct json *j,
			 void *p)
{
	uint64_t v;
	int r = json_get_u64(j, f->max, &v, l->err);

	if (r < 0) {
		return r;
	}
	switch (f->kind) {
	case OCI_U32:
		*(uint32_t *)p = (uint32_t)v;
		break;
	case OCI_U64:
		*(uint64_t *)p = v;
		break;
	case OCI_OPT_U32:
		*(struct oci_opt_u32 *)p = (struct oci_opt_u32){.set = true, .v = (uint32_t)v};
		break;
	default:
		*(struct oci_opt_u64 *)p = (struct oci_opt_u64){.set = true, .v = v};
		break;
	}
	return 0;
}

static int load_signed(struct oci_loader *l, const struct oci_field *f, const struct json *j,
		       void *p)
{
	int64_t v;
	int r = json_get_i64(j, f->min, (int64_t)f->max, &v, l->err);

	if (r < 0) {
		return r;
	}
	switch (f->kind) {
	case OCI_I32:
		*(int32_t *)p = (int32_t)v;
		break;
	case OCI_I64:
		*(int64_t *)p = v;
		break;
	default:
		*(struct oci_opt_i64 *)p = (struct oci_opt_i64){.set = true, .v = v};
		break;
	}
	return 0;
}

static int load_strv(struct oci_loader *l, const struct json *j, struct oci_strv *out)
{
	struct oci_strv strv = {.n = json_count(j)};
	int r = json_expect(j, JSON_ARRAY, l->err);

	if (r < 0) {
		return r;
	}
	strv.v = oci_arena_alloc(l->arena, strv.n + 1, sizeof(strv.v[0]));
	if (!strv.v) {
		return oci_no_memory(l);
	}
	for (size_t i = 0; i < strv.n; i++) {
		r = json_get_str(json_at(j, i), &strv.v[i], l->err);
		if (r < 0) {
			return r;
		}
	}
	*out = strv;
	return 0;
}

static int load_u32v(struct oci_loader *l, const struct json *j, struct oci_u32v *out)
{
	struct oci_u32v u32v = {.n = json_count(j)};
	int r = json_expect(j, JSON_ARRAY, l->err);

	if (r < 0) {
		return r;
	}
	u32v.v = oci_arena_alloc(l->arena, u32v.n, sizeof(u32v.v[0]));
	if (!u32v.v) {
		return oci_no_memory(l);
	}
	for (size_t i = 0; i < u32v.n; i++) {
		uint64_t v;

		r = json_get_u64(json_at(j, i), UINT32_MAX, &v, l->err);
		if (r < 0) {
			return r;
		}
		u32v.v[i] = (uint32_t)v;
	}
	*out = u32v;
	return 0;
}

static int load_kvs(struct oci_loader *l, const struct json *j, struct oci_kvs *out)
{
	struct oci_kvs kvs = {.n = json_count(j)};
	int r = json_expect(j, JSON_OBJECT, l->err);
	const struct json *child;

	if (r < 0) {
		return r;
	}
	kvs.v = oci_arena_alloc(l->arena, kvs.n, sizeof(kvs.v[0]));
	if (!kvs.v) {
		return oci_no_memory(l);
	}
	child = json_at(j, 0);
	for (size_t i = 0; i < kvs.n; i++, child = json_next(child)) {
		kvs.v[i].key = json_key(child);
		r = json_get_str(child, &kvs.v[i].value, l->err);
		if (r < 0) {
			return r;
		}
	}
	*out = kvs;
	return 0;
}

static int load_enum(struct oci_loader *l, const struct oci_field *f, const struct json *j,
		     int *out)
{
	const char *s;
	int v;
	int r = json_get_str(j, &s, l->err);

	if (r < 0) {
		return r;
	}
	v = oci_name_find(f->names, s);
	if (v < 0) {
		return json_fail(l->err, j, EINVAL, "unknown %s '%.100s'", f->what, s);
	}
	*out = v;
	return 0;
}

static int load_obj(struct oci_loader *l, const struct oci_field *f, const struct json *j,
		    void **out)
{
	void *obj = oci_arena_alloc(l->arena, 1, f->sub->size);
	int r;

	if (!obj) {
		return oci_no_memory(l);
	}
	r = oci_schema_load(l, f->sub, j, obj);
	if (r < 0) {
		return r;
	}
	*out = obj;
	return 0;
}

/* Array of objects, or map of objects (then the key goes to the first member of each). */
static int load_objs(struct oci_loader *l, const struct oci_field *f, const struct json *j,
		     struct any_array *out)
{
	bool map = f->kind == OCI_OBJMAP;
	struct any_array objs = {.n = json_count(j)};
	int r = json_expect(j, map ? JSON_OBJECT : JSON_ARRAY, l->err);
	const struct json *child;

	if (r < 0) {
		return r;
	}
	objs.v = oci_arena_alloc(l->arena, objs.n, f->sub->size);
	if (!objs.v) {
		return oci_no_memory(l);
	}
	child = json_at(j, 0);
	for (size_t i = 0; i < objs.n; i++, child = json_next(child)) {
		char *obj = (char *)objs.v + i * f->sub->size;

		if (map) {
			const char *key = json_key(child);

			memcpy(obj, &key, sizeof(key));
		}
		r = oci_schema_load(l, f->sub, child, obj);
		if (r < 0) {
			return r;
		}
	}
	*out = objs;
	return 0;
}

static int load_value(struct oci_loader *l, const struct oci_field *f, const struct json *j,
		      void *p)
{
	switch (f->kind) {
	case OCI_BOOL:
	case OCI_OPT_BOOL:
		return load_bool(l, f, j, p);
	case OCI_U32:
	case OCI_U64:
	case OCI_OPT_U32:
	case OCI_OPT_U64:
		return load_unsigned(l, f, j, p);
	case OCI_I32:
	case OCI_I64:
	case OCI_OPT_I64:
		return load_signed(l, f, j, p);
	case OCI_STR:
		return json_get_str(j, p, l->err);
	case OCI_STRV:
		return load_strv(l, j, p);
	case OCI_U32V:
		return load_u32v(l, j, p);
	case OCI_KVS:
		return load_kvs(l, j, p);
	case OCI_ENUM:
		return load_enum(l, f, j, p);
	case OCI_OBJ:
		return load_obj(l, f, j, p);
	case OCI_INLINE:
		return oci_schema_load(l, f->sub, j, p);
	case OCI_OBJV:
	case OCI_OBJMAP:
		return load_objs(l, f, j, p);
	case OCI_ANY:
		return json_expect(j, JSON_OBJECT, l->err);
	case OCI_ANY_ARR:
		return json_expect(j, JSON_ARRAY, l->err);
	case OCI_KIND_COUNT:
		break;
	}
	return vr_err_set(l->err, EINVAL, "field '%s': no such kind", f->name);
}

/* {}, [], "" and false ask for nothing, so there is nothing to refuse. */
static bool asks_for_something(const struct json *j)
{
	switch (json_type(j)) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		return json_count(j) > 0;
	case JSON_STRING:
		return json_text_len(j) > 0;
	case JSON_BOOL:
		return json_is_true(j);
	default:
		return true;
	}
}

static int load_field(struct oci_loader *l, const struct oci_field *f, const struct json *obj,
		      void *dst)
{
	const struct json *j = json_member(obj, f->name);
	int r;

	if (!j) {
		if (!f->required) {
			return 0;
		}
		return json_fail_member(l->err, obj, f->name, EINVAL, "must be set");
	}
	r = load_value(l, f, j, (char *)dst + f->off);
	if (r < 0) {
		return r;
	}
	if (f->where == OCI_REFUSED && asks_for_something(j)) {
		return json_fail(l->err, j, ENOTSUP, "not supported: %s", f->note);
	}
	if (f->where == OCI_IGNORED) {
		vr_debug("%s is ignored: %s", f->name, f->note ? f->note : "no meaning here");
	}
	return 0;
}

int oci_schema_load(struct oci_loader *l, const struct oci_type *type, const struct json *j,
		    void *dst)
{
	int r = json_expect(j, JSON_OBJECT, l->err);

	for (size_t i = 0; r == 0 && i < type->n_fields; i++) {
		r = load_field(l, &type->fields[i], j, dst);
	}
	if (r == 0 && type->finish) {
		r = type->finish(l, j, dst);
	}
	return r;
}

void oci_schema_walk(const struct oci_type *type, const char *prefix,
		     void (*visit)(void *ctx, const char *path, const struct oci_field *f),
		     void *ctx)
{
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct oci_field *f = &type->fields[i];
		char path[256];
		char below[264];

		(void)snprintf(path, sizeof(path), "%s%s", prefix,
			       f->name); /* our own short names */
		visit(ctx, path, f);
		if (f->sub) {
			const char *step = f->kind == OCI_OBJV	   ? "[]."
					   : f->kind == OCI_OBJMAP ? ".*."
								   : ".";

			(void)snprintf(below, sizeof(below), "%s%s", path, step); /* as above */
			oci_schema_walk(f->sub, below, visit, ctx);
		}
	}
}
