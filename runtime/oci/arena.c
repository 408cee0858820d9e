/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - a list of chunks, the newest first; see arena.h */
#include "oci/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define CHUNK_MIN 16384u
#define CHUNK_MAX (1024u * 1024u)
#define ALIGN	  16u

struct chunk {
	struct chunk *next;
	size_t size; /* of data[] */
	size_t used;
	_Alignas(ALIGN) unsigned char data[];
};

struct oci_arena {
	struct chunk *chunks;
	size_t next_size;
};

struct oci_arena *oci_arena_create(void)
{
	struct oci_arena *a = calloc(1, sizeof(*a));

	if (a) {
		a->next_size = CHUNK_MIN;
	}
	return a;
}

void oci_arena_destroy(struct oci_arena *a)
{
	struct chunk *c;

	if (!a) {
		return;
	}
	while ((c = a->chunks) != NULL) {
		a->chunks = c->next;
		free(c);
	}
	free(a);
}

static struct chunk *add_chunk(struct oci_arena *a, size_t need)
{
	size_t size = need > a->next_size ? need : a->next_size;
	struct chunk *c;

	if (size > SIZE_MAX - sizeof(*c)) {
		return NULL;
	}
	c = calloc(1, sizeof(*c) + size);
	if (!c) {
		return NULL;
	}
	c->size = size;
	c->next = a->chunks;
	a->chunks = c;
	a->next_size = VR_MIN(a->next_size * 2, (size_t)CHUNK_MAX);
	return c;
}

void *oci_arena_alloc(struct oci_arena *a, size_t n, size_t size)
{
	struct chunk *c = a->chunks;
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - ALIGN) {
		return NULL;
	}
	bytes = (size_t)vr_align_up(bytes, ALIGN);
	if (!c || bytes > c->size - c->used) {
		c = add_chunk(a, bytes);
		if (!c) {
			return NULL;
		}
	}
	p = c->data + c->used;
	c->used += bytes;
	return p;
}

char *oci_arena_strndup(struct oci_arena *a, const char *s, size_t len)
{
	char *copy = len < SIZE_MAX ? oci_arena_alloc(a, len + 1, 1) : NULL;

	if (copy) {
		memcpy(copy, s, len);
		copy[len] = '\0';
	}
	return copy;
}

char *oci_arena_vprintf(struct oci_arena *a, const char *fmt, va_list ap)
{
	va_list again;
	char *s;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0) {
		return NULL;
	}
	s = oci_arena_alloc(a, (size_t)n + 1, 1);
	if (s) {
		(void)vsnprintf(s, (size_t)n + 1, fmt, ap); /* measured above */
	}
	return s;
}
