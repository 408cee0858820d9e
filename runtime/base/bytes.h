/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes.h - bounded little-endian cursors for every wire format
 *
 * A reader or writer fails sticky: after the first step outside its buffer all
 * further steps fail too, readers deliver zeros, and the caller asks once at
 * the end with vr_rd_ok()/vr_wr_ok(). No code that parses outside data does
 * pointer arithmetic of its own.
 *
 * Shared with the guest agent: no libc beyond memcpy.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct vr_rd - reader over borrowed bytes */
struct vr_rd {
	const uint8_t *data;
	size_t len;
	size_t off;
	bool bad;
};

/** struct vr_wr - writer into a borrowed buffer of @cap bytes */
struct vr_wr {
	uint8_t *data;
	size_t cap;
	size_t off;
	bool bad;
};

void vr_rd_init(struct vr_rd *r, const void *data, size_t len);
uint8_t vr_rd_u8(struct vr_rd *r);
uint16_t vr_rd_u16(struct vr_rd *r);
uint32_t vr_rd_u32(struct vr_rd *r);
uint64_t vr_rd_u64(struct vr_rd *r);
/** vr_rd_bytes() - borrow @len bytes in place; NULL (and sticky failure) when fewer are left */
const uint8_t *vr_rd_bytes(struct vr_rd *r, size_t len);
size_t vr_rd_left(const struct vr_rd *r);
bool vr_rd_ok(const struct vr_rd *r);

void vr_wr_init(struct vr_wr *w, void *data, size_t cap);
void vr_wr_u8(struct vr_wr *w, uint8_t v);
void vr_wr_u16(struct vr_wr *w, uint16_t v);
void vr_wr_u32(struct vr_wr *w, uint32_t v);
void vr_wr_u64(struct vr_wr *w, uint64_t v);
void vr_wr_bytes(struct vr_wr *w, const void *data, size_t len);
/** vr_wr_patch_u32() - overwrite an earlier u32 at @off; sticky failure outside what was written */
void vr_wr_patch_u32(struct vr_wr *w, size_t off, uint32_t v);
bool vr_wr_ok(const struct vr_wr *w);

#endif /* BASE_BYTES_H */
