/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_internal.h - what json.c (parser, writer) and json_node.c (getters) share
 */
#ifndef OCI_JSON_INTERNAL_H
#define OCI_JSON_INTERNAL_H

#include "oci/json.h"

/**
 * struct json - one value
 * @parent: container, NULL for the root
 * @key:    member name when the parent is an object
 * @index:  position in the parent
 * @type:   what it is
 * @truth:  value of a boolean
 * @text:   value of a string, digits of a number
 * @len:    length of @text; number of children of a container
 * @first, @last, @next: children in the order of the text
 * @items:  children again: arrays in order, objects sorted by key
 */
struct json {
	struct json *parent;
	const char *key;
	uint32_t index;
	uint8_t type;
	bool truth;
	const char *text;
	size_t len;
	struct json *first;
	struct json *last;
	struct json *next;
	struct json **items;
};

/* The root's parent is this pseudo-node, so that each node finds its document. */
struct json_doc {
	struct json top;
	struct oci_arena *arena;
	const char *name;
	size_t n_nodes;
};

#endif /* OCI_JSON_INTERNAL_H */
