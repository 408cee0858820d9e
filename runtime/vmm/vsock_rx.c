/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock_rx.c - packets to the guest: rx buffers, turns, callbacks
 *
 * Nothing is queued for the guest on our side. Data goes straight from the
 * endpoint into rx buffers, control packets are flags of their connection, and
 * whoever finds no rx buffer waits in the ready list. A flush gives everyone in
 * the list a turn, in order, and repeats while that gets anything done. All
 * callbacks are made in turns, so that a connection can be dropped in one place
 * when none of its functions is on the stack.
 *
 * Buffers are taken ahead into a small cache, which makes the room known
 * exactly. Kicks for the rx queue are wanted only while someone waits.
 */
#include <string.h>

#include "base/checked.h"
#include "vmm/vsock_priv.h"

/* Take one more rx buffer into the cache. */
static bool rx_take(struct vsock *v)
{
	struct vsock_rx_buf *b = &v->rx[(v->rx_head + v->n_rx) % VSOCK_RX_CACHE];
	struct virtq_chain chain = {.iov = b->iov, .cap = VSOCK_RX_IOV};
	int got;

	if (!v->dev.active || v->n_rx == VSOCK_RX_CACHE) {
		return false;
	}
	virtq_kicks_off(&v->dev.vq[VSOCK_Q_RX]);
	got = virtq_pop(&v->dev.vq[VSOCK_Q_RX], &chain);
	if (got < 0) {
		vsock_fault(v, "bad rx chain");
	}
	if (got <= 0) {
		return false;
	}
	if (chain.n_out > 0 || chain.in_bytes <= VSOCK_HDR_BYTES) {
		vsock_fault(v, "rx buffer can't hold a packet");
		return false;
	}
	b->n = chain.n_in;
	b->head = chain.head;
	b->cap = (uint32_t)VR_MIN(chain.in_bytes, (uint64_t)VSOCK_HDR_BYTES + VSOCK_PAYLOAD_MAX);
	v->n_rx++;
	return true;
}

/* Is there a buffer? If not, the driver is asked to kick when it adds one. */
static bool rx_have(struct vsock *v)
{
	if (v->n_rx > 0 || rx_take(v)) {
		return true;
	}
	return v->dev.active && virtq_kicks_on(&v->dev.vq[VSOCK_Q_RX]) && rx_take(v);
}

/* Fill the oldest buffer. There is one, and it is large enough: see the callers. */
static void rx_put(struct vsock *v, const struct vsock_hdr *h, const uint8_t *data)
{
	const struct vsock_rx_buf *b = &v->rx[v->rx_head];
	uint8_t wire[VSOCK_HDR_BYTES];

	vsock_hdr_encode(h, wire);
	(void)virtq_iov_write(b->iov, b->n, 0, wire, sizeof(wire));
	if (h->len > 0) {
		(void)virtq_iov_write(b->iov, b->n, sizeof(wire), data, h->len);
	}
	v->rx_head = (v->rx_head + 1) % VSOCK_RX_CACHE;
	v->n_rx--;
	v->rx_pushed = true;
	v->progress++;
	if (virtq_push(&v->dev.vq[VSOCK_Q_RX], b->head, VSOCK_HDR_BYTES + h->len) < 0) {
		vsock_fault(v, "bad rx queue");
	}
}

/* Rx buffers that a connection may use now without pushing in front of others. */
static unsigned quota(const struct vsock_conn *c)
{
	const struct vsock *v = c->v;

	if (v->current == c) {
		return v->turn_left;
	}
	return v->starved ? 0 : VSOCK_RX_CACHE;
}

size_t vsock_rx_room(struct vsock_conn *c)
{
	struct vsock *v = c->v;
	unsigned n;
	size_t room = 0;

	while (rx_take(v)) {
	}
	if (!rx_have(v)) {
		return 0;
	}
	n = VR_MIN(quota(c), v->n_rx);
	for (unsigned i = 0; i < n; i++) {
		room += v->rx[(v->rx_head + i) % VSOCK_RX_CACHE].cap - VSOCK_HDR_BYTES;
	}
	return room;
}

size_t vsock_rx_data(struct vsock_conn *c, const uint8_t *data, size_t len)
{
	struct vsock *v = c->v;
	struct vsock_hdr h;

	len = VR_MIN(len, (size_t)vconn_credit(&c->m));
	if (len == 0 || quota(c) == 0 || !rx_have(v)) {
		return 0;
	}
	len = VR_MIN(len, (size_t)(v->rx[v->rx_head].cap - VSOCK_HDR_BYTES));
	vconn_data_hdr(&c->m, (uint32_t)len, &h);
	rx_put(v, &h, data);
	if (v->current == c) {
		v->turn_left--;
	}
	return len;
}

static void send_rsts(struct vsock *v)
{
	struct vsock_hdr h;

	while (v->n_rst > 0 && rx_have(v) && vsock_rst_take(v, &h)) {
		rx_put(v, &h, NULL);
	}
}

static void send_ctl(struct vsock_conn *c)
{
	struct vsock_hdr h;

	while (c->m.pend && rx_have(c->v) && vconn_ctl_hdr(&c->m, &h)) {
		rx_put(c->v, &h, NULL);
	}
}

static bool can_write(struct vsock_conn *c)
{
	return c->armed && vconn_credit(&c->m) > 0 && !(c->m.pend & VCONN_PEND_RESPONSE) &&
	       rx_have(c->v);
}

/* The endpoint's callbacks. Any of them may reset the connection, hence the repeated question. */
static void call_endpoint(struct vsock_conn *c)
{
	if (!c->detached && c->read_due) {
		c->read_due = false;
		c->v->progress++;
		if (c->ep->readable && vconn_used(&c->m) > 0) {
			c->ep->readable(c->ep_ctx, c);
		}
	}
	if (!c->detached && c->shut_due) {
		c->shut_due = false;
		c->v->progress++;
		if (c->ep->shut) {
			c->ep->shut(c->ep_ctx, c, c->m.peer_shut & VSOCK_SHUT_SEND,
				    c->m.peer_shut & VSOCK_SHUT_RCV);
		}
	}
	if (!c->detached && can_write(c)) {
		c->armed = false;
		if (c->ep->writable) {
			c->ep->writable(c->ep_ctx, c);
		}
	}
}

static void close_endpoint(struct vsock_conn *c)
{
	if (c->detached || !(c->close_due || vconn_over(&c->m))) {
		return;
	}
	vconn_abort(&c->m);
	c->detached = true;
	c->v->progress++;
	if (c->ep->closed) {
		c->ep->closed(c->ep_ctx, c);
	}
}

static bool is_due(const struct vsock_conn *c)
{
	if (c->m.pend || c->detached) {
		return true;
	}
	return c->read_due || c->shut_due || c->close_due || vconn_over(&c->m) ||
	       (c->armed && vconn_credit(&c->m) > 0);
}

void vsock_conn_touch(struct vsock_conn *c)
{
	if (is_due(c)) {
		vsock_list_add(c->v, &c->v->ready, c);
	}
}

static void turn(struct vsock_conn *c)
{
	struct vsock *v = c->v;

	v->current = c;
	v->turn_left = VSOCK_RX_CACHE;
	if (v->ready.n > 0) {
		while (rx_take(v)) {
		}
		v->turn_left = VR_MAX(v->n_rx / (v->ready.n + 1), 1u); /* the others get as much */
	}
	send_ctl(c);
	call_endpoint(c);
	close_endpoint(c);
	send_ctl(c);
	v->current = NULL;
}

/*
 * One turn for each that waits now. Who wanted a buffer and found none keeps its
 * place; who got something goes to the end.
 */
static void turns(struct vsock *v)
{
	struct vsock_list starved = VSOCK_LIST_EMPTY;

	for (unsigned n = v->ready.n; n > 0; n--) {
		struct vsock_conn *c = vsock_list_take(v, &v->ready);
		uint64_t before = v->progress;

		turn(c);
		if (c->detached && c->m.pend == 0 && !c->queued) {
			v->progress++;
			vsock_slot_put(v, c);
		} else if (v->progress == before && is_due(c)) {
			vsock_list_add(v, &starved, c);
		} else {
			vsock_conn_touch(c);
		}
	}
	vsock_list_prepend(v, &v->ready, &starved);
}

void vsock_flush(struct vsock *v)
{
	if (v->flushing) {
		return;
	}
	v->flushing = true;
	v->starved = false;
	for (unsigned round = 0; round < VSOCK_FLUSH_MAX; round++) {
		uint64_t before = v->progress;

		send_rsts(v);
		turns(v);
		if (v->ready.n == 0) {
			break;
		}
		if (v->progress == before) {
			v->starved = true;
			break;
		}
	}
	if (v->ready.n > 0 && !v->starved) {
		vsock_wake(v); /* go on later, others need the loop too */
	}
	v->flushing = false;
}
