/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h - memory of one parsed document, freed as a whole
 *
 * A configuration is hundreds of small objects with one lifetime. They come
 * from an arena, so that there is one owner and one free.
 *
 * Threads: one at a time.
 * Uses:    libc. Used by: json, schema, spec.
 */
#ifndef OCI_ARENA_H
#define OCI_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct oci_arena;

/** oci_arena_create() - an empty arena, or NULL without memory */
struct oci_arena *oci_arena_create(void);

/** oci_arena_destroy() - free all that came from it; NULL is allowed */
void oci_arena_destroy(struct oci_arena *a);

/**
 * oci_arena_alloc() - zeroed memory for @n objects of @size bytes, aligned for any type
 *
 * Return: memory owned by the arena (also for zero bytes), or NULL without
 * memory or when the product overflows.
 */
void *oci_arena_alloc(struct oci_arena *a, size_t n, size_t size)
	__attribute__((warn_unused_result));

/** oci_arena_strndup() - NUL-terminated copy of @len bytes; NULL without memory */
char *oci_arena_strndup(struct oci_arena *a, const char *s, size_t len)
	__attribute__((warn_unused_result));

/** oci_arena_vprintf() - formatted string; NULL without memory */
char *oci_arena_vprintf(struct oci_arena *a, const char *fmt, va_list ap)
	__attribute__((warn_unused_result, format(printf, 2, 0)));

#endif /* OCI_ARENA_H */
