/* SPDX-License-Identifier: Apache-2.0 */
/* evil_vsock.c - the guest's side of virtio-vsock; see evil_vsock.h */
#include "evil_vsock.h"

#include <string.h>

#include "evil_guest_priv.h"

#define RX     0u
#define TX     1u
#define GUARD  64u
#define FILL   0x5a
#define RX_MAX (VSOCK_HDR_BYTES + VSOCK_PAYLOAD_MAX)
#define GUEST  3u
#define HOST   2u

#define STRIDE ((uint64_t)(RX_MAX + 2 * GUARD + 15) / 16 * 16)

/**
 * struct vsg - the guest
 * @base:  where rx buffers lie, VSG_RX_BUFS places of STRIDE bytes
 * @place: those that are free
 * @slot:  those that are posted, by descriptor
 */
struct vsg {
	struct eg *g;
	struct virtio_dev *dev;
	struct {
		uint64_t addr;
		uint32_t len;
	} slot[VSG_RX_BUFS];
	uint64_t base;
	uint64_t place[VSG_RX_BUFS];
	unsigned n_places;
	unsigned tx_pending;
};

struct vsg *vsg_create(struct eg *g, struct virtio_dev *dev)
{
	struct vsg *v = calloc(1, sizeof(*v));

	EG_CHECK(v, "out of memory");
	v->g = g;
	v->dev = dev;
	v->base = eg_alloc(g, VSG_RX_BUFS * STRIDE, 16);
	return v;
}

void vsg_destroy(struct vsg *v)
{
	free(v);
}

bool vsg_start(struct vsg *v, uint64_t features)
{
	/* Whatever was posted is forgotten: all places are free again. */
	for (unsigned i = 0; i < VSG_RX_BUFS; i++) {
		v->place[i] = v->base + i * STRIDE + GUARD;
	}
	memset(v->slot, 0, sizeof(v->slot));
	v->n_places = VSG_RX_BUFS;
	v->tx_pending = 0;
	return eg_start(v->g, v->dev, features, VSG_RX_BUFS);
}

unsigned vsg_post(struct vsg *v, unsigned n, uint32_t len)
{
	unsigned done = 0;

	EG_CHECK(len <= RX_MAX, "rx buffer too large");
	while (done < n && v->n_places > 0) {
		struct eg_buf b = EG_IN(len);
		uint16_t head;

		b.addr = v->place[--v->n_places];
		eg_fill(v->g, b.addr - GUARD, FILL, len + 2 * GUARD);
		head = eg_add_chain(v->g, RX, &b, 1);
		v->slot[head].addr = b.addr;
		v->slot[head].len = len;
		done++;
	}
	eg_kick(v->g, RX);
	return done;
}

void vsg_put(struct vsg *v, const struct vsock_hdr *h, const void *data)
{
	uint8_t wire[VSOCK_HDR_BYTES];
	struct eg_buf b[2] = {EG_OUT(wire, sizeof(wire)), EG_OUT(data, h->len)};

	vsock_hdr_encode(h, wire);
	(void)eg_add_chain(v->g, TX, b, data && h->len > 0 ? 2 : 1);
	v->tx_pending++;
}

void vsg_kick_tx(struct vsg *v)
{
	eg_kick(v->g, TX);
	(void)vsg_tx_done(v);
}

unsigned vsg_tx_done(struct vsg *v)
{
	struct eg_used u;

	while (eg_used_next(v->g, TX, &u)) {
		EG_CHECK(v->tx_pending > 0, "a packet came back twice");
		EG_CHECK(u.len == 0, "something was written to a tx packet");
		v->tx_pending--;
	}
	return v->tx_pending;
}

static void check_fill(struct vsg *v, uint64_t addr, size_t len)
{
	static uint8_t got[RX_MAX];

	eg_get(v->g, addr, got, len);
	for (size_t i = 0; i < len; i++) {
		EG_CHECK(got[i] == FILL, "written outside the packet");
	}
}

bool vsg_take(struct vsg *v, struct vsock_hdr *h, uint8_t *data)
{
	uint8_t wire[VSOCK_HDR_BYTES];
	struct eg_used u;
	uint64_t addr;
	uint32_t len;

	if (!eg_used_next(v->g, RX, &u)) {
		return false;
	}
	EG_CHECK(u.id < VSG_RX_BUFS && v->slot[u.id].addr != 0, "used a buffer that isn't there");
	addr = v->slot[u.id].addr;
	len = v->slot[u.id].len;
	v->slot[u.id].addr = 0;
	v->place[v->n_places++] = addr;
	eg_get(v->g, addr, wire, sizeof(wire));
	vsock_hdr_decode(h, wire);
	EG_CHECK(u.len <= len, "used more than there is");
	EG_CHECK(u.len == VSOCK_HDR_BYTES + h->len, "used length isn't the packet's");
	EG_CHECK(h->op == VSOCK_OP_RW ? h->len > 0 : h->len == 0, "payload where there is none");
	EG_CHECK(h->dst_cid == GUEST, "not for this guest");
	check_fill(v, addr - GUARD, GUARD);
	check_fill(v, addr + u.len, len - u.len + GUARD);
	if (data) {
		eg_get(v->g, addr + VSOCK_HDR_BYTES, data, h->len);
	}
	return true;
}

struct vsock_hdr vsg_hdr(uint16_t op, uint32_t guest_port, uint32_t host_port)
{
	return (struct vsock_hdr){
		.src_cid = GUEST,
		.dst_cid = HOST,
		.src_port = guest_port,
		.dst_port = host_port,
		.type = VSOCK_TYPE_STREAM,
		.op = op,
		.buf_alloc = VSG_BUF,
	};
}

void vsg_send(struct vsg *v, uint16_t op, uint32_t guest_port, uint32_t host_port, uint32_t flags)
{
	struct vsock_hdr h = vsg_hdr(op, guest_port, host_port);

	h.flags = flags;
	vsg_put(v, &h, NULL);
	vsg_kick_tx(v);
}

void vsg_send_data(struct vsg *v, uint32_t guest_port, uint32_t host_port, const void *data,
		   uint32_t len, uint32_t fwd_cnt)
{
	struct vsock_hdr h = vsg_hdr(VSOCK_OP_RW, guest_port, host_port);

	h.len = len;
	h.fwd_cnt = fwd_cnt;
	vsg_put(v, &h, data);
	vsg_kick_tx(v);
}
