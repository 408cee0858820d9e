/* SPDX-License-Identifier: Apache-2.0 */
/* vsock_pkt.c - the packet header of virtio-vsock on the wire; see vsock_pkt.h */
#include "vmm/vsock_pkt.h"

#include "base/bytes.h"

void vsock_hdr_decode(struct vsock_hdr *h, const uint8_t wire[static VSOCK_HDR_BYTES])
{
	struct vr_rd r;

	vr_rd_init(&r, wire, VSOCK_HDR_BYTES);
	h->src_cid = vr_rd_u64(&r);
	h->dst_cid = vr_rd_u64(&r);
	h->src_port = vr_rd_u32(&r);
	h->dst_port = vr_rd_u32(&r);
	h->len = vr_rd_u32(&r);
	h->type = vr_rd_u16(&r);
	h->op = vr_rd_u16(&r);
	h->flags = vr_rd_u32(&r);
	h->buf_alloc = vr_rd_u32(&r);
	h->fwd_cnt = vr_rd_u32(&r);
}

void vsock_hdr_encode(const struct vsock_hdr *h, uint8_t wire[static VSOCK_HDR_BYTES])
{
	struct vr_wr w;

	vr_wr_init(&w, wire, VSOCK_HDR_BYTES);
	vr_wr_u64(&w, h->src_cid);
	vr_wr_u64(&w, h->dst_cid);
	vr_wr_u32(&w, h->src_port);
	vr_wr_u32(&w, h->dst_port);
	vr_wr_u32(&w, h->len);
	vr_wr_u16(&w, h->type);
	vr_wr_u16(&w, h->op);
	vr_wr_u32(&w, h->flags);
	vr_wr_u32(&w, h->buf_alloc);
	vr_wr_u32(&w, h->fwd_cnt);
}
