/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock_tx.c - packets from the guest
 *
 * The header is copied once into a host struct, then the packet is dispatched;
 * data goes from the guest's buffers into the connection's ring. Everything is
 * consumed even when nothing can be sent to the guest: replies are flags of a
 * connection. Only packets that belong to no connection need memory for their
 * RST; when that is full, packets wait in the queue until the guest gives rx
 * buffers.
 */
#include <string.h>

#include "base/checked.h"
#include "vmm/vsock_priv.h"

/* Copy the payload, which begins behind the header, to where the connection wants it. */
static void copy_payload(const struct virtq_chain *chain, const struct iovec dst[2], unsigned n_dst)
{
	uint64_t off = VSOCK_HDR_BYTES;

	for (unsigned i = 0; i < n_dst; i++) {
		size_t got = virtq_iov_read(chain->iov, chain->n_out, off, dst[i].iov_base,
					    dst[i].iov_len);

		off += got;
	}
}

static void deliver(struct vsock_conn *c, const struct vsock_hdr *h,
		    const struct virtq_chain *chain)
{
	struct iovec dst[2];
	unsigned n_dst;
	int ev = vconn_recv(&c->m, h, dst, &n_dst);

	if (ev < 0) {
		vconn_abort(&c->m);
		c->read_due = false;
		c->shut_due = false;
		c->close_due = true;
		ev = 0;
	} else {
		copy_payload(chain, dst, n_dst);
	}
	if (ev & VCONN_EV_DATA) {
		c->read_due = true;
	}
	if (ev & (VCONN_EV_SHUT | VCONN_EV_GONE)) {
		c->shut_due = true;
	}
	if (ev & VCONN_EV_GONE) {
		vsock_slot_unhash(c->v, c);
	}
	vsock_conn_touch(c);
}

static void request(struct vsock *v, const struct vsock_hdr *h)
{
	struct vsock_conn *c = vsock_slot_get(v, h);

	if (!c) {
		vsock_rst_add(v, h);
		return;
	}
	if (!v->accept || v->accept(v->accept_ctx, h->dst_port, c, &c->ep, &c->ep_ctx) != 0 ||
	    !c->ep) {
		c->detached = true;
		vconn_abort(&c->m);
	}
	vsock_conn_touch(c);
}

static void dispatch(struct vsock *v, const struct vsock_hdr *h, const struct virtq_chain *chain)
{
	struct vsock_conn *c = NULL;

	if (h->src_cid != VSOCK_GUEST_CID) {
		return; /* nobody there whom an answer could reach */
	}
	if (h->dst_cid == VSOCK_HOST_CID && h->type == VSOCK_TYPE_STREAM) {
		c = vsock_slot_find(v, h->src_port, h->dst_port);
		if (!c && h->op == VSOCK_OP_REQUEST) {
			request(v, h);
			return;
		}
	}
	if (c) {
		deliver(c, h, chain);
	} else if (h->op != VSOCK_OP_RST) {
		vsock_rst_add(v, h);
	}
}

/* Take and serve one packet. Return: true when there was one. */
static bool tx_one(struct vsock *v)
{
	struct iovec iov[VSOCK_TX_IOV];
	struct virtq_chain chain = {.iov = iov, .cap = VSOCK_TX_IOV};
	uint8_t wire[VSOCK_HDR_BYTES];
	struct vsock_hdr h;
	int got;

	if (!v->dev.active) {
		return false;
	}
	if (vsock_rst_full(v)) {
		v->tx_stalled = true;
		return false;
	}
	got = virtq_pop(&v->dev.vq[VSOCK_Q_TX], &chain);
	if (got < 0) {
		vsock_fault(v, "bad tx chain");
	}
	if (got <= 0) {
		return false;
	}
	if (chain.n_in > 0 || chain.out_bytes < VSOCK_HDR_BYTES) {
		vsock_fault(v, "tx chain isn't a packet");
		return false;
	}
	(void)virtq_iov_read(iov, chain.n_out, 0, wire, sizeof(wire));
	vsock_hdr_decode(&h, wire);
	if (h.len > chain.out_bytes - VSOCK_HDR_BYTES) {
		vsock_fault(v, "tx packet shorter than its header says");
		return false;
	}
	dispatch(v, &h, &chain);
	v->tx_pushed = true;
	if (virtq_push(&v->dev.vq[VSOCK_Q_TX], chain.head, 0) < 0) {
		vsock_fault(v, "bad tx queue");
		return false;
	}
	return true;
}

/* A batch, then turns for whom it concerned. Return: true to go on at once. */
static bool tx_batch(struct vsock *v)
{
	struct virtq *q = &v->dev.vq[VSOCK_Q_TX];
	unsigned n = 0;

	v->tx_stalled = false;
	virtq_kicks_off(q);
	while (n < VSOCK_TX_BATCH && tx_one(v)) {
		n++;
	}
	vsock_flush(v);
	vsock_interrupt(v);
	if (!v->dev.active) {
		return false;
	}
	if (v->tx_stalled) {
		return !vsock_rst_full(v); /* kicks stay off: it is the rx queue that goes on */
	}
	return n == VSOCK_TX_BATCH || virtq_kicks_on(q);
}

void vsock_serve_tx(struct vsock *v)
{
	if (!v->dev.active || v->flushing) {
		return;
	}
	for (unsigned i = 0; i < VSOCK_TX_BUDGET / VSOCK_TX_BATCH; i++) {
		if (!tx_batch(v)) {
			return;
		}
	}
	vsock_wake(v);
}
