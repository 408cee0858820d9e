/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_codec.h - table-driven TLV codec behind agent_proto.c
 *
 * Every struct that crosses the wire has one table of fields, in ascending tag order. The encoder
 * and the decoder are two small interpreters of the same tables, so they can't disagree, and a
 * check written once (range, mandatory, limit) holds in both directions. Nesting is as deep as the
 * tables are, never as deep as the input wants.
 *
 * Trust:   the decoder's input is hostile; tables and the encoder's structs are ours.
 * Threads: pure functions.
 * Uses:    bytes. Used by: agent_proto.c alone.
 */
#ifndef BASE_AGENT_CODEC_H
#define BASE_AGENT_CODEC_H

#include <stddef.h>
#include <stdint.h>

/** enum apc_kind - how a field looks in the struct and on the wire */
enum apc_kind {
	APC_BOOL, /* u8 on the wire, 0 or 1 */
	APC_U16,  /* scalars: at most @max, or no bit outside @max with APC_MASK */
	APC_U32,
	APC_U64,
	APC_U64_FIX, /* exactly @cap u64 */
	APC_U32_ARR, /* up to @cap u32, their number at @off_n */
	APC_BYTES,   /* exactly @cap bytes in place */
	APC_BLOB, /* borrowed bytes in units of @size, at most @cap units, their number at @off_n */
	APC_STR,  /* NUL-terminated string */
	APC_STRV, /* struct ap_strv */
	APC_SUB,  /* one struct by @sub; optional when its flag bit @max at @off_n says so */
	APC_LIST, /* the tag repeats: up to @cap structs of @size bytes by @sub, number at @off_n */
};

#define APC_OPT	 1u /* may be absent (APC_STR, APC_BLOB: NULL) */
#define APC_MASK 2u /* @max is a bit mask */

struct apc_table;

/** struct apc_field - one field; offsets are in the struct the table describes */
struct apc_field {
	uint16_t tag;
	uint8_t kind;
	uint8_t flags;
	uint32_t off;
	uint32_t off_n;
	uint32_t cap;
	uint32_t size;
	uint64_t max;
	const struct apc_table *sub;
};

/** struct apc_table - a struct's fields; @check: what one field alone can't show, 0 or -EPROTO */
struct apc_table {
	const struct apc_field *f;
	size_t n;
	int (*check)(const void *obj);
};

/** apc_encode() - write @obj's fields. Return: bytes, -EMSGSIZE, -E2BIG, -EINVAL */
long apc_encode(const struct apc_table *t, const void *obj, void *buf, size_t cap);

/** apc_decode() - zero @obj (@size bytes) and read all of @p. Return: 0 or -EPROTO */
int apc_decode(const struct apc_table *t, const void *p, size_t len, void *obj, size_t size);

/** apc_encode_list() - @n structs of @size bytes, each a TLV with tag 1; see apc_encode() */
long apc_encode_list(const struct apc_table *t, const void *objs, size_t n, size_t size, void *buf,
		     size_t cap);

/** apc_decode_list() - the reverse, at most @cap structs. Return: 0 or -EPROTO */
int apc_decode_list(const struct apc_table *t, const void *p, size_t len, void *objs, size_t size,
		    size_t cap, size_t *out_n);

#endif /* BASE_AGENT_CODEC_H */
