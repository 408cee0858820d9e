/* SPDX-License-Identifier: Apache-2.0 */
/*
 * types.h - the small value types that configuration structs are made of
 *
 * Arrays are {v, n}. Optional numbers are {set, v}. Strings are NUL-terminated,
 * and NULL when the field is absent.
 */
#ifndef OCI_TYPES_H
#define OCI_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct oci_strv - strings; v[n] is NULL, so that v serves as argv (v is NULL when absent) */
struct oci_strv {
	const char **v;
	size_t n;
};

struct oci_u32v {
	uint32_t *v;
	size_t n;
};

struct oci_kv {
	const char *key;
	const char *value;
};

/** struct oci_kvs - a map of strings, in the order of the text */
struct oci_kvs {
	struct oci_kv *v;
	size_t n;
};

struct oci_opt_bool {
	bool set;
	bool v;
};

struct oci_opt_u32 {
	bool set;
	uint32_t v;
};

struct oci_opt_u64 {
	bool set;
	uint64_t v;
};

struct oci_opt_i64 {
	bool set;
	int64_t v;
};

/** OCI_FOREACH() - iterate over an {v, n} array (@v may be NULL): OCI_FOREACH(m, &spec->mounts) */
#define OCI_FOREACH(it, array)                                                                     \
	for (__typeof__(*(array)->v) *it = (array)->v; it && it < (array)->v + (array)->n; it++)

#endif /* OCI_TYPES_H */
