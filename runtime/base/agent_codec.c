/* SPDX-License-Identifier: Apache-2.0 */
/* agent_codec.c - table-driven TLV codec; see agent_codec.h */
#include "base/agent_codec.h"

#include <errno.h>
#include <string.h>

#include "base/agent_proto.h"
#include "base/bytes.h"

/* --- access to the structs ----------------------------------------------------------------- */

static uint32_t load_u32(const void *obj, uint32_t off)
{
	uint32_t v;

	memcpy(&v, (const char *)obj + off, sizeof(v));
	return v;
}

static void store_u32(void *obj, uint32_t off, uint32_t v)
{
	memcpy((char *)obj + off, &v, sizeof(v));
}

static const void *load_ptr(const void *obj, uint32_t off)
{
	const void *p;

	memcpy(&p, (const char *)obj + off, sizeof(p));
	return p;
}

static void store_ptr(void *obj, uint32_t off, const void *p)
{
	memcpy((char *)obj + off, &p, sizeof(p));
}

static uint64_t load_scalar(const struct apc_field *f, const void *obj)
{
	const char *p = (const char *)obj + f->off;
	uint64_t v64;
	uint16_t v16;
	bool b;

	switch (f->kind) {
	case APC_BOOL:
		memcpy(&b, p, sizeof(b));
		return b ? 1 : 0;
	case APC_U16:
		memcpy(&v16, p, sizeof(v16));
		return v16;
	case APC_U32:
		return load_u32(obj, f->off);
	default:
		memcpy(&v64, p, sizeof(v64));
		return v64;
	}
}

static void store_scalar(const struct apc_field *f, void *obj, uint64_t v)
{
	char *p = (char *)obj + f->off;
	uint16_t v16 = (uint16_t)v;
	bool b = v != 0;

	switch (f->kind) {
	case APC_BOOL:
		memcpy(p, &b, sizeof(b));
		break;
	case APC_U16:
		memcpy(p, &v16, sizeof(v16));
		break;
	case APC_U32:
		store_u32(obj, f->off, (uint32_t)v);
		break;
	default:
		memcpy(p, &v, sizeof(v));
	}
}

static bool scalar_in_range(const struct apc_field *f, uint64_t v)
{
	return (f->flags & APC_MASK) ? (v & ~f->max) == 0 : v <= f->max;
}

/* --- encoding ------------------------------------------------------------------------------ */

static int put_table(struct vr_wr *w, const struct apc_table *t, const void *obj);

static size_t tlv_begin(struct vr_wr *w, uint16_t tag)
{
	vr_wr_u16(w, tag);
	vr_wr_u16(w, 0);
	vr_wr_u32(w, 0);
	return w->off;
}

static void tlv_end(struct vr_wr *w, size_t start)
{
	if (vr_wr_ok(w)) {
		vr_wr_patch_u32(w, start - 4, (uint32_t)(w->off - start));
	}
}

static int put_scalar(struct vr_wr *w, const struct apc_field *f, const void *obj)
{
	uint64_t v = load_scalar(f, obj);

	if (!scalar_in_range(f, v)) {
		return -EINVAL;
	}
	switch (f->kind) {
	case APC_BOOL:
		vr_wr_u8(w, (uint8_t)v);
		break;
	case APC_U16:
		vr_wr_u16(w, (uint16_t)v);
		break;
	case APC_U32:
		vr_wr_u32(w, (uint32_t)v);
		break;
	default:
		vr_wr_u64(w, v);
	}
	return 0;
}

static int put_str(struct vr_wr *w, const char *s)
{
	if (!s) {
		return -EINVAL;
	}
	vr_wr_bytes(w, s, strlen(s) + 1);
	return 0;
}

static int put_strv(struct vr_wr *w, const struct ap_strv *v)
{
	int rc = 0;

	if (v->count > AP_MAX_STRINGS) {
		return -E2BIG;
	}
	vr_wr_u32(w, v->count);
	if (!v->vec) {
		vr_wr_bytes(w, v->blob, v->len);
		return 0;
	}
	for (uint32_t i = 0; i < v->count && !rc; i++) {
		rc = put_str(w, v->vec[i]);
	}
	return rc;
}

static int put_array(struct vr_wr *w, const struct apc_field *f, const void *obj)
{
	const char *base = (const char *)obj + f->off;
	uint32_t n = f->kind == APC_U32_ARR ? load_u32(obj, f->off_n) : f->cap;
	uint64_t v;

	if (n > f->cap) {
		return -E2BIG;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (f->kind == APC_U32_ARR) {
			vr_wr_u32(w, load_u32(base, i * 4));
		} else {
			memcpy(&v, base + 8u * i, sizeof(v));
			vr_wr_u64(w, v);
		}
	}
	return 0;
}

static int put_value(struct vr_wr *w, const struct apc_field *f, const void *obj)
{
	const char *at = (const char *)obj + f->off;

	switch (f->kind) {
	case APC_STR:
		return put_str(w, load_ptr(obj, f->off));
	case APC_STRV:
		return put_strv(w, (const void *)at);
	case APC_U64_FIX:
	case APC_U32_ARR:
		return put_array(w, f, obj);
	case APC_BYTES:
		vr_wr_bytes(w, at, f->cap);
		return 0;
	case APC_BLOB:
		vr_wr_bytes(w, load_ptr(obj, f->off), (size_t)load_u32(obj, f->off_n) * f->size);
		return 0;
	case APC_SUB:
		return put_table(w, f->sub, at);
	default:
		return put_scalar(w, f, obj);
	}
}

static int put_list(struct vr_wr *w, const struct apc_field *f, const void *obj)
{
	const char *elem = (const char *)obj + f->off;
	uint32_t n = load_u32(obj, f->off_n);
	int rc = 0;

	if (n > f->cap) {
		return -E2BIG;
	}
	for (uint32_t i = 0; i < n && !rc; i++) {
		size_t start = tlv_begin(w, f->tag);

		rc = put_table(w, f->sub, elem + (size_t)i * f->size);
		tlv_end(w, start);
	}
	return rc;
}

/* Is an optional field absent from @obj? */
static bool field_absent(const struct apc_field *f, const void *obj)
{
	if (!(f->flags & APC_OPT)) {
		return false;
	}
	if (f->kind == APC_SUB) {
		return !(load_u32(obj, f->off_n) & f->max);
	}
	if (f->kind == APC_STR || f->kind == APC_BLOB) {
		return !load_ptr(obj, f->off);
	}
	return f->kind == APC_U32 && load_u32(obj, f->off) == 0;
}

static int put_field(struct vr_wr *w, const struct apc_field *f, const void *obj)
{
	size_t start;
	int rc;

	if (field_absent(f, obj)) {
		return 0;
	}
	if (f->kind == APC_LIST) {
		return put_list(w, f, obj);
	}
	if (f->kind == APC_BLOB && load_u32(obj, f->off_n) > f->cap) {
		return -E2BIG;
	}
	start = tlv_begin(w, f->tag);
	rc = put_value(w, f, obj);
	tlv_end(w, start);
	return rc;
}

static int put_table(struct vr_wr *w, const struct apc_table *t, const void *obj)
{
	int rc = 0;

	for (size_t i = 0; i < t->n && !rc; i++) {
		rc = put_field(w, &t->f[i], obj);
	}
	if (!rc && t->check && t->check(obj)) {
		rc = -EINVAL;
	}
	return rc;
}

/* --- decoding ------------------------------------------------------------------------------ */

static int get_table(struct vr_rd *r, const struct apc_table *t, void *obj);

static int get_scalar(struct vr_rd *r, const struct apc_field *f, void *obj)
{
	uint64_t v;

	switch (f->kind) {
	case APC_BOOL:
		v = vr_rd_u8(r);
		break;
	case APC_U16:
		v = vr_rd_u16(r);
		break;
	case APC_U32:
		v = vr_rd_u32(r);
		break;
	default:
		v = vr_rd_u64(r);
	}
	/* an optional one says 0 by its absence: one encoding only */
	if (!scalar_in_range(f, v) || ((f->flags & APC_OPT) && v == 0)) {
		return -EPROTO;
	}
	store_scalar(f, obj, v);
	return 0;
}

static int get_str(struct vr_rd *r, const struct apc_field *f, void *obj)
{
	size_t len = vr_rd_left(r);
	const uint8_t *s = vr_rd_bytes(r, len);

	if (!s || len == 0 || memchr(s, 0, len) != s + len - 1) {
		return -EPROTO;
	}
	store_ptr(obj, f->off, s);
	return 0;
}

static int get_strv(struct vr_rd *r, const struct apc_field *f, void *obj)
{
	struct ap_strv *v = (void *)((char *)obj + f->off);
	uint32_t count = vr_rd_u32(r);
	size_t len = vr_rd_left(r);
	const uint8_t *blob = vr_rd_bytes(r, len);
	uint32_t nuls = 0;

	if (!blob || count > AP_MAX_STRINGS || (len > 0 && blob[len - 1] != 0)) {
		return -EPROTO;
	}
	for (size_t i = 0; i < len; i++) {
		nuls += blob[i] == 0;
	}
	if (nuls != count) {
		return -EPROTO;
	}
	v->count = count;
	v->vec = NULL;
	v->blob = (const char *)blob;
	v->len = (uint32_t)len;
	return 0;
}

static int get_array(struct vr_rd *r, const struct apc_field *f, void *obj)
{
	char *base = (char *)obj + f->off;
	size_t width = f->kind == APC_U32_ARR ? 4 : 8;
	size_t n = vr_rd_left(r) / width;
	uint64_t v;

	if (n > f->cap || (f->kind == APC_U64_FIX && n != f->cap)) {
		return -EPROTO;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (f->kind == APC_U32_ARR) {
			store_u32(base, i * 4, vr_rd_u32(r));
		} else {
			v = vr_rd_u64(r);
			memcpy(base + 8u * i, &v, sizeof(v));
		}
	}
	if (f->kind == APC_U32_ARR) {
		store_u32(obj, f->off_n, (uint32_t)n);
	}
	return 0;
}

static int get_blob(struct vr_rd *r, const struct apc_field *f, void *obj)
{
	size_t len = vr_rd_left(r);
	const uint8_t *p = vr_rd_bytes(r, len);

	if (!p || len % f->size != 0 || len / f->size > f->cap) {
		return -EPROTO;
	}
	store_ptr(obj, f->off, p);
	store_u32(obj, f->off_n, (uint32_t)(len / f->size));
	return 0;
}

static int get_bytes(struct vr_rd *r, const struct apc_field *f, void *obj)
{
	const uint8_t *p = vr_rd_bytes(r, f->cap);

	if (!p) {
		return -EPROTO;
	}
	memcpy((char *)obj + f->off, p, f->cap);
	return 0;
}

static int get_elem(struct vr_rd *r, const struct apc_field *f, void *obj)
{
	uint32_t n = load_u32(obj, f->off_n);

	if (n >= f->cap) {
		return -EPROTO;
	}
	store_u32(obj, f->off_n, n + 1);
	return get_table(r, f->sub, (char *)obj + f->off + (size_t)n * f->size);
}

static int get_value(struct vr_rd *r, const struct apc_field *f, void *obj)
{
	switch (f->kind) {
	case APC_STR:
		return get_str(r, f, obj);
	case APC_STRV:
		return get_strv(r, f, obj);
	case APC_U64_FIX:
	case APC_U32_ARR:
		return get_array(r, f, obj);
	case APC_BYTES:
		return get_bytes(r, f, obj);
	case APC_BLOB:
		return get_blob(r, f, obj);
	case APC_SUB:
		return get_table(r, f->sub, (char *)obj + f->off);
	case APC_LIST:
		return get_elem(r, f, obj);
	default:
		return get_scalar(r, f, obj);
	}
}

/* One TLV's value, all of it: bytes left over are as wrong as bytes missing. */
static int get_field(struct vr_rd *r, uint32_t len, const struct apc_field *f, void *obj)
{
	const uint8_t *p = vr_rd_bytes(r, len);
	struct vr_rd v;
	int rc;

	if (!p) {
		return -EPROTO;
	}
	vr_rd_init(&v, p, len);
	rc = get_value(&v, f, obj);
	if (rc) {
		return rc;
	}
	return vr_rd_ok(&v) && vr_rd_left(&v) == 0 ? 0 : -EPROTO;
}

/* From field @i on, the one with @tag, stepping over optional ones only; t->n when none. */
static size_t find_field(const struct apc_table *t, size_t i, uint16_t tag)
{
	while (i < t->n && t->f[i].tag != tag) {
		if (!(t->f[i].flags & APC_OPT)) {
			return t->n;
		}
		i++;
	}
	return i;
}

static bool rest_optional(const struct apc_table *t, size_t i)
{
	while (i < t->n && (t->f[i].flags & APC_OPT)) {
		i++;
	}
	return i == t->n;
}

static int get_table(struct vr_rd *r, const struct apc_table *t, void *obj)
{
	size_t next = 0;

	while (vr_rd_left(r) > 0) {
		uint16_t tag = vr_rd_u16(r);
		uint16_t zero = vr_rd_u16(r);
		uint32_t len = vr_rd_u32(r);
		size_t i = find_field(t, next, tag);

		if (!vr_rd_ok(r) || zero != 0 || i == t->n || get_field(r, len, &t->f[i], obj)) {
			return -EPROTO;
		}
		next = t->f[i].kind == APC_LIST ? i : i + 1;
	}
	if (!rest_optional(t, next)) {
		return -EPROTO;
	}
	return t->check ? t->check(obj) : 0;
}

/* --- public -------------------------------------------------------------------------------- */

static long written(const struct vr_wr *w, int rc)
{
	if (rc) {
		return rc;
	}
	return vr_wr_ok(w) ? (long)w->off : -EMSGSIZE;
}

long apc_encode(const struct apc_table *t, const void *obj, void *buf, size_t cap)
{
	struct vr_wr w;
	int rc;

	vr_wr_init(&w, buf, cap < AP_FRAME_MAX ? cap : AP_FRAME_MAX);
	rc = put_table(&w, t, obj);
	return written(&w, rc);
}

int apc_decode(const struct apc_table *t, const void *p, size_t len, void *obj, size_t size)
{
	struct vr_rd r;

	memset(obj, 0, size);
	if (len > AP_FRAME_MAX) {
		return -EPROTO;
	}
	vr_rd_init(&r, p, len);
	return get_table(&r, t, obj);
}

long apc_encode_list(const struct apc_table *t, const void *objs, size_t n, size_t size, void *buf,
		     size_t cap)
{
	struct vr_wr w;
	int rc = 0;

	vr_wr_init(&w, buf, cap < AP_FRAME_MAX ? cap : AP_FRAME_MAX);
	for (size_t i = 0; i < n && !rc; i++) {
		size_t start = tlv_begin(&w, 1);

		rc = put_table(&w, t, (const char *)objs + i * size);
		tlv_end(&w, start);
	}
	return written(&w, rc);
}

int apc_decode_list(const struct apc_table *t, const void *p, size_t len, void *objs, size_t size,
		    size_t cap, size_t *out_n)
{
	struct vr_rd r;
	size_t n = 0;

	vr_rd_init(&r, p, len);
	while (vr_rd_left(&r) > 0) {
		uint16_t tag = vr_rd_u16(&r);
		uint16_t zero = vr_rd_u16(&r);
		uint32_t vlen = vr_rd_u32(&r);
		const uint8_t *value = vr_rd_bytes(&r, vlen);

		if (!value || tag != 1 || zero != 0 || n == cap ||
		    apc_decode(t, value, vlen, (char *)objs + n * size, size)) {
			return -EPROTO;
		}
		n++;
	}
	*out_n = n;
	return 0;
}
