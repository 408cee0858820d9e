/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock_fixture.h - a vsock device, a guest, and endpoints that record what they are told
 *
 * Shared by the test_vsock*.c programs. Include after cmocka.h.
 */
#ifndef TESTS_VSOCK_FIXTURE_H
#define TESTS_VSOCK_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "dev_lies.h"
#include "evil_vsock.h"
#include "vmm/vsock.h"

#define PORT	100u  /* accepted */
#define REFUSED 9999u /* not */
#define GP	5000u /* guest port of the first connection */
#define RX	0u
#define TX	1u
#define PAYLOAD (VSG_RX_LEN - VSOCK_HDR_BYTES)

struct fixture;

/** struct ep - an endpoint that counts, and does what a test wants in its callbacks */
struct ep {
	struct fixture *f;
	struct vsock_conn *conn;
	unsigned readable;
	unsigned writable;
	unsigned shut;
	unsigned closed;
	bool no_more_data;
	bool no_more_room;
	void (*on_readable)(struct ep *e);
	void (*on_writable)(struct ep *e);
	void (*on_shut)(struct ep *e);
	void (*on_closed)(struct ep *e);
	uint64_t sent;
};

struct fixture {
	struct eg *g;
	struct vsock *v;
	struct virtio_dev *dev;
	struct vsg *guest;
	unsigned n_eps;
	bool reset_in_accept;
	uint16_t head;		       /* a tx chain that is sent again */
	void (*on_shut)(struct ep *e); /* of the connections made from now on */
	struct ep eps[VSOCK_MAX_CONNS + 8];
};

static inline void ep_readable(void *ctx, struct vsock_conn *conn)
{
	struct ep *e = ctx;

	assert_ptr_equal(conn, e->conn);
	assert_int_equal(e->closed, 0);
	e->readable++;
	if (e->on_readable) {
		e->on_readable(e);
	}
}

static inline void ep_writable(void *ctx, struct vsock_conn *conn)
{
	struct ep *e = ctx;

	assert_ptr_equal(conn, e->conn);
	assert_int_equal(e->closed, 0);
	e->writable++;
	if (e->on_writable) {
		e->on_writable(e);
	}
}

static inline void ep_shut(void *ctx, struct vsock_conn *conn, bool no_more_data, bool no_more_room)
{
	struct ep *e = ctx;

	assert_ptr_equal(conn, e->conn);
	assert_int_equal(e->closed, 0);
	e->shut++;
	e->no_more_data = no_more_data;
	e->no_more_room = no_more_room;
	if (e->on_shut) {
		e->on_shut(e);
	}
}

static inline void ep_closed(void *ctx, struct vsock_conn *conn)
{
	struct ep *e = ctx;

	assert_ptr_equal(conn, e->conn);
	e->closed++;
	assert_int_equal(e->closed, 1);
	if (e->on_closed) {
		e->on_closed(e);
	}
}

static const struct vsock_endpoint endpoint = {
	.readable = ep_readable,
	.writable = ep_writable,
	.shut = ep_shut,
	.closed = ep_closed,
};

static inline int accept_conn(void *ctx, uint32_t port, struct vsock_conn *conn,
			      const struct vsock_endpoint **ep, void **ep_ctx)
{
	struct fixture *f = ctx;
	struct ep *e = &f->eps[f->n_eps];

	if (port == REFUSED || f->n_eps == VSOCK_MAX_CONNS + 8) {
		return -1;
	}
	f->n_eps++;
	*e = (struct ep){.f = f, .conn = conn, .on_shut = f->on_shut};
	*ep = &endpoint;
	*ep_ctx = e;
	if (f->reset_in_accept) {
		vsock_conn_reset(conn);
	}
	return 0;
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->g = eg_create();
	assert_int_equal(vsock_create(eg_mem(f->g), accept_conn, f, &f->v), 0);
	f->dev = vsock_dev(f->v);
	f->guest = vsg_create(f->g, f->dev);
	assert_true(vsg_start(f->guest, EG_ALL_OFFERED));
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	vsg_destroy(f->guest);
	vsock_destroy(f->v);
	eg_destroy(f->g);
	free(f);
	return 0;
}

static inline void expect(struct fixture *f, uint16_t op, uint32_t guest_port,
			  struct vsock_hdr *out)
{
	struct vsock_hdr h;

	if (!vsg_take(f->guest, &h, NULL)) {
		fail_msg("no packet, op %u expected", op);
	}
	assert_int_equal(h.op, op);
	assert_int_equal(h.dst_port, guest_port);
	if (out) {
		*out = h;
	}
}

static inline void expect_nothing(struct fixture *f)
{
	struct vsock_hdr h;

	assert_false(vsg_take(f->guest, &h, NULL));
}

static inline struct ep *connect_port(struct fixture *f, uint32_t guest_port)
{
	unsigned before = f->n_eps;
	struct vsock_hdr h;

	vsg_send(f->guest, VSOCK_OP_REQUEST, guest_port, PORT, 0);
	assert_int_equal(f->n_eps, before + 1);
	expect(f, VSOCK_OP_RESPONSE, guest_port, &h);
	assert_int_equal(h.src_port, PORT);
	assert_int_equal(h.src_cid, VSOCK_HOST_CID);
	assert_int_equal(h.buf_alloc, VSOCK_BUF_BYTES);
	return &f->eps[before];
}

static inline struct ep *connect_one(struct fixture *f)
{
	(void)vsg_post(f->guest, 32, VSG_RX_LEN);
	return connect_port(f, GP);
}

static inline size_t consume_all(struct ep *e)
{
	struct iovec iov[2];
	size_t n = vsock_conn_peek(e->conn, iov);

	vsock_conn_consume(e->conn, n);
	return n;
}

static inline size_t lock_send(struct ep *e, const void *data, size_t len)
{
	size_t n;

	vsock_lock(e->f->v);
	n = vsock_conn_send(e->conn, data, len);
	vsock_unlock(e->f->v);
	return n;
}

static inline size_t lock_consume(struct ep *e)
{
	size_t n;

	vsock_lock(e->f->v);
	n = consume_all(e);
	vsock_unlock(e->f->v);
	return n;
}

/* What endpoints do in their callbacks. */

static inline void do_reset(struct ep *e)
{
	vsock_conn_reset(e->conn);
	assert_int_equal(vsock_conn_send(e->conn, "x", 1), 0);
	vsock_conn_consume(e->conn, 1);
	vsock_conn_shutdown(e->conn, true, true);
}

static inline void do_consume(struct ep *e)
{
	(void)consume_all(e);
}

static inline void do_echo(struct ep *e)
{
	struct iovec iov[2];
	size_t n = vsock_conn_peek(e->conn, iov);

	(void)n;
	for (unsigned i = 0; i < 2; i++) {
		vsock_conn_consume(e->conn,
				   vsock_conn_send(e->conn, iov[i].iov_base, iov[i].iov_len));
	}
}

static inline void do_reset_others(struct ep *e)
{
	for (unsigned i = 0; i < e->f->n_eps; i++) {
		if (&e->f->eps[i] != e && e->f->eps[i].closed == 0) {
			vsock_conn_reset(e->f->eps[i].conn);
		}
	}
}

/* Send zeros until no more are taken. */
static inline void do_pump(struct ep *e)
{
	static const uint8_t data[VSG_BUF];
	size_t n;

	do {
		n = vsock_conn_send(e->conn, data, sizeof(data));
		e->sent += n;
	} while (n == sizeof(data));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif /* TESTS_VSOCK_FIXTURE_H */
