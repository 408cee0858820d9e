/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock_conn.c - one vsock connection: state, credit accounting, receive ring
 *
 * All counters are u32 and wrap; only differences are compared. The ring holds
 * rx_cnt - fwd_cnt bytes from ring_off on. It starts over at offset 0 whenever
 * it runs empty, so that small messages keep using the same few warm pages.
 */
#include "vmm/vsock_conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "vmm/vsock.h"

#define RING_MASK (VSOCK_BUF_BYTES - 1u)

/*
 * The guest is told about free space once a quarter of the buffer was consumed
 * and it knows of less than half a free buffer. Earlier is noise (each packet
 * is an interrupt), later would stall a sender that keeps its window full.
 */
#define CREDIT_STEP (VSOCK_BUF_BYTES / 4)
#define CREDIT_LOW  (VSOCK_BUF_BYTES / 2)

/* Keeps differences of counters far away from 2^31, so that their sign is never in doubt. */
#define PEER_ALLOC_MAX (1u << 30)

_Static_assert((VSOCK_BUF_BYTES & RING_MASK) == 0, "the ring size is a power of two");
_Static_assert(VSOCK_BUF_BYTES >= 2 * VSOCK_PAYLOAD_MAX, "room for two packets");

void vconn_init(struct vconn *c, const struct vsock_hdr *req)
{
	uint32_t room = VR_MIN(req->buf_alloc, PEER_ALLOC_MAX);

	*c = (struct vconn){
		.guest_port = req->src_port,
		.host_port = req->dst_port,
		.state = VCONN_OPEN,
		.pend = VCONN_PEND_RESPONSE,
		.peer_alloc = room,
	};
}

static void drop_ring(struct vconn *c)
{
	free(c->ring);
	c->ring = NULL;
	c->ring_off = 0;
	c->fwd_cnt = c->rx_cnt;
}

void vconn_finish(struct vconn *c)
{
	drop_ring(c);
}

uint32_t vconn_used(const struct vconn *c)
{
	return c->rx_cnt - c->fwd_cnt;
}

/* Up to two pieces of the ring, @len bytes from @off on. */
static unsigned ring_pieces(const struct vconn *c, uint32_t off, uint32_t len, struct iovec iov[2])
{
	uint32_t first = VR_MIN(len, VSOCK_BUF_BYTES - off);

	iov[0] = (struct iovec){.iov_base = c->ring + off, .iov_len = first};
	iov[1] = (struct iovec){.iov_base = c->ring, .iov_len = len - first};
	return len == first ? 1 : 2;
}

size_t vconn_peek(const struct vconn *c, struct iovec iov[2])
{
	uint32_t used = vconn_used(c);

	if (used == 0) {
		iov[0] = (struct iovec){0};
		iov[1] = (struct iovec){0};
		return 0;
	}
	(void)ring_pieces(c, c->ring_off, used, iov);
	return used;
}

/* Free space as the guest knows it. */
static uint32_t told_free(const struct vconn *c)
{
	return VSOCK_BUF_BYTES - (c->rx_cnt - c->told_cnt);
}

void vconn_consume(struct vconn *c, uint32_t n)
{
	assert(n <= vconn_used(c));
	c->fwd_cnt += n;
	c->ring_off = (c->ring_off + n) & RING_MASK;
	if (vconn_used(c) == 0) {
		c->ring_off = 0;
	}
	if (c->state != VCONN_OPEN || (c->peer_shut & VSOCK_SHUT_SEND)) {
		return; /* nobody is waiting for credit */
	}
	if (c->fwd_cnt - c->told_cnt >= CREDIT_STEP && told_free(c) < CREDIT_LOW) {
		c->pend |= VCONN_PEND_CREDIT;
	}
}

bool vconn_may_send(const struct vconn *c)
{
	return c->state == VCONN_OPEN && !(c->own_shut & VSOCK_SHUT_SEND) &&
	       !(c->peer_shut & VSOCK_SHUT_RCV);
}

uint32_t vconn_credit(const struct vconn *c)
{
	uint32_t in_flight = c->tx_cnt - c->peer_fwd;

	/* The guest may shrink its buffer below what is under way already. */
	if (!vconn_may_send(c) || in_flight >= c->peer_alloc) {
		return 0;
	}
	return c->peer_alloc - in_flight;
}

/*
 * Every packet carries the sender's credit. Linux builds packets on several
 * CPUs, so that an older fwd_cnt may arrive after a newer one: it is ignored.
 * One beyond tx_cnt is a lie.
 */
static int take_credit(struct vconn *c, const struct vsock_hdr *h)
{
	uint32_t in_flight = c->tx_cnt - h->fwd_cnt;

	if (in_flight > INT32_MAX) {
		return -EPROTO;
	}
	if (in_flight < c->tx_cnt - c->peer_fwd) {
		c->peer_fwd = h->fwd_cnt;
	}
	c->peer_alloc = VR_MIN(h->buf_alloc, PEER_ALLOC_MAX);
	return 0;
}

static int recv_data(struct vconn *c, uint32_t len, struct iovec dst[2], unsigned *n_dst)
{
	if ((c->peer_shut & VSOCK_SHUT_SEND) || len > told_free(c)) {
		return -EPROTO;
	}
	if (len == 0) {
		return 0;
	}
	if (c->own_shut & VSOCK_SHUT_RCV) {
		c->rx_cnt += len;
		vconn_consume(c, len); /* sent before the guest saw our shutdown */
		return 0;
	}
	if (!c->ring) {
		c->ring = malloc(VSOCK_BUF_BYTES);
		if (!c->ring) {
			return -ENOMEM;
		}
	}
	*n_dst = ring_pieces(c, (c->ring_off + vconn_used(c)) & RING_MASK, len, dst);
	c->rx_cnt += len;
	return VCONN_EV_DATA;
}

static int recv_shutdown(struct vconn *c, uint32_t flags)
{
	uint8_t shut = c->peer_shut | (uint8_t)(flags & VSOCK_SHUT_BOTH);

	if (shut == c->peer_shut) {
		return 0;
	}
	c->peer_shut = shut;
	return VCONN_EV_SHUT;
}

static int recv_op(struct vconn *c, const struct vsock_hdr *h, struct iovec dst[2], unsigned *n_dst)
{
	switch (h->op) {
	case VSOCK_OP_RW:
		return recv_data(c, h->len, dst, n_dst);
	case VSOCK_OP_SHUTDOWN:
		return recv_shutdown(c, h->flags);
	case VSOCK_OP_CREDIT_UPDATE:
		return 0;
	case VSOCK_OP_CREDIT_REQUEST:
		c->pend |= VCONN_PEND_CREDIT;
		return 0;
	default: /* REQUEST and RESPONSE too: this connection exists, and we asked for nothing */
		return -EPROTO;
	}
}

int vconn_recv(struct vconn *c, const struct vsock_hdr *h, struct iovec dst[2], unsigned *n_dst)
{
	*n_dst = 0;
	if (h->op == VSOCK_OP_RST) {
		vconn_gone(c);
		return VCONN_EV_GONE;
	}
	if (c->state != VCONN_OPEN) {
		return 0; /* what was under way when we reset it */
	}
	if (take_credit(c, h) < 0) {
		return -EPROTO;
	}
	return recv_op(c, h, dst, n_dst);
}

/* Whatever is sent carries our credit, so that no update is due afterwards. */
static void fill_hdr(struct vconn *c, uint16_t op, struct vsock_hdr *h)
{
	*h = (struct vsock_hdr){
		.src_cid = VSOCK_HOST_CID,
		.dst_cid = VSOCK_GUEST_CID,
		.src_port = c->host_port,
		.dst_port = c->guest_port,
		.type = VSOCK_TYPE_STREAM,
		.op = op,
		.buf_alloc = VSOCK_BUF_BYTES,
		.fwd_cnt = c->fwd_cnt,
	};
	c->told_cnt = c->fwd_cnt;
	c->pend &= (uint8_t)~VCONN_PEND_CREDIT;
}

void vconn_data_hdr(struct vconn *c, uint32_t len, struct vsock_hdr *h)
{
	assert(len > 0 && len <= vconn_credit(c));
	fill_hdr(c, VSOCK_OP_RW, h);
	h->len = len;
	c->tx_cnt += len;
}

bool vconn_ctl_hdr(struct vconn *c, struct vsock_hdr *h)
{
	if (c->pend & VCONN_PEND_RST) {
		c->pend = 0;
		fill_hdr(c, VSOCK_OP_RST, h);
	} else if (c->pend & VCONN_PEND_RESPONSE) {
		c->pend &= (uint8_t)~VCONN_PEND_RESPONSE;
		fill_hdr(c, VSOCK_OP_RESPONSE, h);
	} else if (c->pend & VCONN_PEND_SHUTDOWN) {
		c->pend &= (uint8_t)~VCONN_PEND_SHUTDOWN;
		fill_hdr(c, VSOCK_OP_SHUTDOWN, h);
		h->flags = c->own_shut;
	} else if (c->pend & VCONN_PEND_CREDIT) {
		fill_hdr(c, VSOCK_OP_CREDIT_UPDATE, h);
	} else {
		return false;
	}
	return true;
}

void vconn_shutdown(struct vconn *c, bool send, bool recv)
{
	uint8_t shut = c->own_shut;

	shut |= (uint8_t)((send ? VSOCK_SHUT_SEND : 0) | (recv ? VSOCK_SHUT_RCV : 0));
	if (recv) {
		drop_ring(c);
	}
	if (shut == c->own_shut) {
		return;
	}
	c->own_shut = shut;
	if (c->state == VCONN_OPEN) {
		c->pend |= VCONN_PEND_SHUTDOWN;
	}
}

bool vconn_over(const struct vconn *c)
{
	bool rx_shut = (c->peer_shut & VSOCK_SHUT_SEND) || (c->own_shut & VSOCK_SHUT_RCV);
	bool tx_shut = (c->peer_shut & VSOCK_SHUT_RCV) || (c->own_shut & VSOCK_SHUT_SEND);

	if (vconn_used(c) > 0) {
		return false;
	}
	if (c->state != VCONN_OPEN) {
		return true;
	}
	if (c->own_shut == VSOCK_SHUT_BOTH && c->peer_shut != VSOCK_SHUT_BOTH) {
		return false;
	}
	return rx_shut && tx_shut;
}

void vconn_abort(struct vconn *c)
{
	drop_ring(c);
	c->pend = 0;
	if (c->state == VCONN_OPEN) {
		c->state = VCONN_RESETTING;
		c->pend = VCONN_PEND_RST;
	}
}

void vconn_gone(struct vconn *c)
{
	c->state = VCONN_GONE;
	c->pend = 0;
	c->peer_shut = VSOCK_SHUT_BOTH;
}
