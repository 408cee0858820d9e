/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.h - JSON objects into structs, by table
 *
 * Each object of config.json has a table with one line a field: its name, its
 * kind and place in the struct, where we honour it, and a note. One loader
 * walks the tables, so that type errors, ranges, unknown names and refused
 * fields are handled in one place, and the field table of the documentation can be
 * printed from what the parser really does (oci_schema_walk()).
 *
 * null counts as absent, as callers written in Go produce it. Unknown fields
 * are ignored, as the specification demands.
 *
 * Uses: base, json, arena. Used by: spec_*.c
 */
#ifndef OCI_SCHEMA_H
#define OCI_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/json.h"
#include "oci/types.h"

/** OCI_WARNINGS_MAX - most warnings kept for one file */
#define OCI_WARNINGS_MAX 32

/** enum oci_kind - kind of JSON value and the C type it is stored in */
enum oci_kind {
	OCI_BOOL,     /* bool */
	OCI_U32,      /* uint32_t */
	OCI_U64,      /* uint64_t */
	OCI_I32,      /* int32_t */
	OCI_I64,      /* int64_t */
	OCI_OPT_BOOL, /* struct oci_opt_bool */
	OCI_OPT_U32,  /* struct oci_opt_u32 */
	OCI_OPT_U64,  /* struct oci_opt_u64 */
	OCI_OPT_I64,  /* struct oci_opt_i64 */
	OCI_STR,      /* const char * */
	OCI_STRV,     /* struct oci_strv */
	OCI_U32V,     /* struct oci_u32v */
	OCI_KVS,      /* struct oci_kvs: object of strings */
	OCI_ENUM,     /* int: string looked up in @names */
	OCI_OBJ,      /* pointer to a struct, NULL when absent */
	OCI_INLINE,   /* struct */
	OCI_OBJV,     /* {v, n} of structs: array of objects */
	OCI_OBJMAP,   /* {v, n} of structs whose first member is const char *key */
	OCI_ANY,      /* not stored, only looked at for its type: object */
	OCI_ANY_ARR,  /* not stored: array */
	OCI_KIND_COUNT,
};

/** enum oci_honour - what we do about a field */
enum oci_honour {
	OCI_IN_GUEST,
	OCI_ON_HOST,
	OCI_BOTH,
	OCI_IGNORED,
	OCI_REFUSED, /* an error when present and not empty */
	OCI_HONOUR_COUNT,
};

/** struct oci_name - one spelling of an enumeration; tables end with a NULL name */
struct oci_name {
	const char *name;
	int value;
};

struct oci_type;

/**
 * struct oci_field - one member of an object
 * @name:     JSON name
 * @kind:     JSON kind and C type
 * @required: absence is an error
 * @member:   C name of the member, for the check that somebody reads it
 * @off:      offset in the struct
 * @elem:     size of an element or sub-struct, to cross-check with @sub in tests
 * @min:      least value of signed kinds
 * @max:      greatest value of numbers
 * @sub:      table of object kinds
 * @names:    table of OCI_ENUM
 * @what:     what an OCI_ENUM names, for messages ("rlimit")
 * @where:    what we do about it
 * @note:     detail for the documentation, or why it is refused; may be NULL
 */
struct oci_field {
	const char *name;
	enum oci_kind kind;
	bool required;
	const char *member;
	size_t off;
	size_t elem;
	int64_t min;
	uint64_t max;
	const struct oci_type *sub;
	const struct oci_name *names;
	const char *what;
	enum oci_honour where;
	const char *note;
};

/** struct oci_loader - one load: memory, the error to fill, warnings so far */
struct oci_loader {
	struct oci_arena *arena;
	struct vr_err *err;
	struct oci_strv warnings;
};

/**
 * struct oci_type - an object
 * @fields: table of @n_fields
 * @size:   of the struct
 * @finish: called with the filled struct and its JSON; derives and checks. May be NULL.
 *          Return: 0, or negative with the loader's error set
 */
struct oci_type {
	const struct oci_field *fields;
	size_t n_fields;
	size_t size;
	int (*finish)(struct oci_loader *l, const struct json *j, void *obj);
};

/**
 * oci_schema_load() - fill a struct from a JSON object
 * @l:    loader
 * @type: table
 * @j:    must be an object
 * @dst:  zeroed struct of @type
 *
 * Return: 0, or negative with the loader's error set.
 */
int oci_schema_load(struct oci_loader *l, const struct oci_type *type, const struct json *j,
		    void *dst) __attribute__((warn_unused_result));

/** oci_warn() - keep a warning with the place of a node; above OCI_WARNINGS_MAX it is dropped */
void oci_warn(struct oci_loader *l, const struct json *j, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** oci_no_memory() - record that memory ran out; Return: -ENOMEM */
int oci_no_memory(struct oci_loader *l);

/** oci_name_find() - value of a name, or -1 */
int oci_name_find(const struct oci_name *names, const char *name);

/** oci_name_of() - first name of a value, or NULL */
const char *oci_name_of(const struct oci_name *names, int value);

/**
 * oci_names_to_mask() - OR the values of an array of names
 * @l:     loader
 * @j:     object with the array
 * @key:   name of the array; absent is an empty mask
 * @names: table whose values are bits
 * @what:  what is named, for messages
 * @out:   the mask
 */
int oci_names_to_mask(struct oci_loader *l, const struct json *j, const char *key,
		      const struct oci_name *names, const char *what, uint32_t *out)
	__attribute__((warn_unused_result));

/** oci_kind_name() - a kind as the documentation calls it */
const char *oci_kind_name(enum oci_kind kind);

/** oci_honour_name() - "guest", "host", ... */
const char *oci_honour_name(enum oci_honour where);

/**
 * oci_schema_walk() - visit each field of a type and of all below it
 * @type:   table
 * @prefix: put before each path
 * @visit:  called with the path ("mounts[].options") and the field
 * @ctx:    for @visit
 */
void oci_schema_walk(const struct oci_type *type, const char *prefix,
		     void (*visit)(void *ctx, const char *path, const struct oci_field *f),
		     void *ctx);

/* Table lines. A member of the wrong C type does not compile. */
#define OCI_CHECKED_OFF(st, m, ctype)                                                              \
	(offsetof(st, m) +                                                                         \
	 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((st *)NULL)->m), ctype) ? 1      \
											  : -1]))

#define OCI_FIELD(st, m, jname, k, ctype, ...)                                                     \
	{                                                                                          \
		.name = (jname), .kind = (k), .member = #m, .off = OCI_CHECKED_OFF(st, m, ctype),  \
		__VA_ARGS__                                                                        \
	}

#define OCI_F_BOOL(st, m, j, ...) OCI_FIELD(st, m, j, OCI_BOOL, bool, __VA_ARGS__)
#define OCI_F_STR(st, m, j, ...)  OCI_FIELD(st, m, j, OCI_STR, const char *, __VA_ARGS__)
#define OCI_F_STRV(st, m, j, ...) OCI_FIELD(st, m, j, OCI_STRV, struct oci_strv, __VA_ARGS__)
#define OCI_F_KVS(st, m, j, ...)  OCI_FIELD(st, m, j, OCI_KVS, struct oci_kvs, __VA_ARGS__)
#define OCI_F_OPT_BOOL(st, m, j, ...)                                                              \
	OCI_FIELD(st, m, j, OCI_OPT_BOOL, struct oci_opt_bool, __VA_ARGS__)
/* Numbers have the full range of their type, unless .min or .max come after. */
#define OCI_F_U32(st, m, j, mx, ...)                                                               \
	OCI_FIELD(st, m, j, OCI_U32, uint32_t, .max = (mx), __VA_ARGS__)
#define OCI_F_U64(st, m, j, ...)                                                                   \
	OCI_FIELD(st, m, j, OCI_U64, uint64_t, .max = UINT64_MAX, __VA_ARGS__)
#define OCI_F_I32(st, m, j, mn, mx, ...)                                                           \
	OCI_FIELD(st, m, j, OCI_I32, int32_t, .min = (mn), .max = (mx), __VA_ARGS__)
#define OCI_F_I64(st, m, j, mn, mx, ...)                                                           \
	OCI_FIELD(st, m, j, OCI_I64, int64_t, .min = (mn), .max = (mx), __VA_ARGS__)
#define OCI_F_OPT_U32(st, m, j, mx, ...)                                                           \
	OCI_FIELD(st, m, j, OCI_OPT_U32, struct oci_opt_u32, .max = (mx), __VA_ARGS__)
#define OCI_F_OPT_U64(st, m, j, mx, ...)                                                           \
	OCI_FIELD(st, m, j, OCI_OPT_U64, struct oci_opt_u64, .max = (mx), __VA_ARGS__)
#define OCI_F_OPT_I64(st, m, j, mn, mx, ...)                                                       \
	OCI_FIELD(st, m, j, OCI_OPT_I64, struct oci_opt_i64, .min = (mn), .max = (mx), __VA_ARGS__)
#define OCI_F_OBJ(st, m, j, t, ctype, ...)                                                         \
	OCI_FIELD(st, m, j, OCI_OBJ, ctype *, .sub = &(t), .elem = sizeof(ctype), __VA_ARGS__)
#define OCI_F_INLINE(st, m, j, t, ctype, ...)                                                      \
	OCI_FIELD(st, m, j, OCI_INLINE, ctype, .sub = &(t), .elem = sizeof(ctype), __VA_ARGS__)
#define OCI_F_OBJV(st, m, j, t, ctype, ...)                                                        \
	OCI_FIELD(st, m, j, OCI_OBJV, ctype, .sub = &(t), .elem = sizeof(*((ctype *)NULL)->v),     \
		  __VA_ARGS__)
#define OCI_F_OBJMAP(st, m, j, t, ctype, ...)                                                      \
	OCI_FIELD(st, m, j, OCI_OBJMAP, ctype, .sub = &(t), .elem = sizeof(*((ctype *)NULL)->v),   \
		  __VA_ARGS__)
/* The C type of an enumeration is int or an enum; both have int's size. */
#define OCI_F_ENUM(st, m, j, nm, wh, ...)                                                          \
	{                                                                                          \
		.name = (j), .kind = OCI_ENUM, .member = #m,                                       \
		.off = offsetof(st, m) +                                                           \
		       0 * sizeof(char[sizeof(((st *)NULL)->m) == sizeof(int) ? 1 : -1]),          \
		.names = (nm), .what = (wh), __VA_ARGS__                                           \
	}
#define OCI_F_ANY(j, ...)                                                                          \
	{                                                                                          \
		.name = (j), .kind = OCI_ANY, __VA_ARGS__                                          \
	}
#define OCI_F_ANY_ARR(j, ...)                                                                      \
	{                                                                                          \
		.name = (j), .kind = OCI_ANY_ARR, __VA_ARGS__                                      \
	}

#define OCI_TYPE(st, table, fin)                                                                   \
	{                                                                                          \
		.fields = (table), .n_fields = sizeof(table) / sizeof((table)[0]),                 \
		.size = sizeof(st), .finish = (fin)                                                \
	}

/* Shorthands for the common endings of a table line. */
#define GUEST	   .where = OCI_IN_GUEST
#define HOST	   .where = OCI_ON_HOST
#define BOTH	   .where = OCI_BOTH
#define IGNORED(n) .where = OCI_IGNORED, .note = (n)
#define REFUSED(n) .where = OCI_REFUSED, .note = (n)
#define NOTE(n)	   .note = (n)
#define REQUIRED   .required = true

#endif /* OCI_SCHEMA_H */
