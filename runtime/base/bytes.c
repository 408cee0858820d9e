/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.c - bounded little-endian cursors; see bytes.h */
#include "base/bytes.h"

#include <string.h>

void vr_rd_init(struct vr_rd *r, const void *data, size_t len)
{
	r->data = data;
	r->len = len;
	r->off = 0;
	r->bad = false;
}

const uint8_t *vr_rd_bytes(struct vr_rd *r, size_t len)
{
	const uint8_t *p;

	if (r->bad || len > r->len - r->off) {
		r->bad = true;
		return NULL;
	}
	p = r->data + r->off;
	r->off += len;
	return p;
}

static uint64_t rd_le(struct vr_rd *r, size_t width)
{
	const uint8_t *p = vr_rd_bytes(r, width);
	uint64_t v = 0;

	if (!p) {
		return 0;
	}
	for (size_t i = 0; i < width; i++) {
		v |= (uint64_t)p[i] << (8 * i);
	}
	return v;
}

uint8_t vr_rd_u8(struct vr_rd *r)
{
	return (uint8_t)rd_le(r, 1);
}

uint16_t vr_rd_u16(struct vr_rd *r)
{
	return (uint16_t)rd_le(r, 2);
}

uint32_t vr_rd_u32(struct vr_rd *r)
{
	return (uint32_t)rd_le(r, 4);
}

uint64_t vr_rd_u64(struct vr_rd *r)
{
	return rd_le(r, 8);
}

size_t vr_rd_left(const struct vr_rd *r)
{
	return r->bad ? 0 : r->len - r->off;
}

bool vr_rd_ok(const struct vr_rd *r)
{
	return !r->bad;
}

void vr_wr_init(struct vr_wr *w, void *data, size_t cap)
{
	w->data = data;
	w->cap = cap;
	w->off = 0;
	w->bad = false;
}

void vr_wr_bytes(struct vr_wr *w, const void *data, size_t len)
{
	if (w->bad || len > w->cap - w->off) {
		w->bad = true;
		return;
	}
	if (len > 0) {
		memcpy(w->data + w->off, data, len);
	}
	w->off += len;
}

static void le_put(uint8_t *p, uint64_t v, size_t width)
{
	for (size_t i = 0; i < width; i++) {
		p[i] = (uint8_t)(v >> (8 * i));
	}
}

static void wr_le(struct vr_wr *w, uint64_t v, size_t width)
{
	uint8_t le[8];

	le_put(le, v, width);
	vr_wr_bytes(w, le, width);
}

void vr_wr_u8(struct vr_wr *w, uint8_t v)
{
	wr_le(w, v, 1);
}

void vr_wr_u16(struct vr_wr *w, uint16_t v)
{
	wr_le(w, v, 2);
}

void vr_wr_u32(struct vr_wr *w, uint32_t v)
{
	wr_le(w, v, 4);
}

void vr_wr_u64(struct vr_wr *w, uint64_t v)
{
	wr_le(w, v, 8);
}

void vr_wr_patch_u32(struct vr_wr *w, size_t off, uint32_t v)
{
	if (w->bad || off > w->off || w->off - off < 4) {
		w->bad = true;
		return;
	}
	le_put(w->data + off, v, 4);
}

bool vr_wr_ok(const struct vr_wr *w)
{
	return !w->bad;
}
