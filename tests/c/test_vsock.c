/* SPDX-License-Identifier: Apache-2.0 */
/* test_vsock.c - the vsock device: connections, data in both directions, endings */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/virtio_mmio.h>

#include "vsock_fixture.h"

/* ---- the device ---- */

static void test_identity(void **state)
{
	struct fixture *f = *state;
	uint64_t cid = 0;
	uint32_t half;

	assert_int_equal(f->dev->ops->id, VIRTIO_ID_VSOCK);
	assert_int_equal(f->dev->n_queues, 3);
	assert_int_equal(eg_offered(f->dev) & 0xff, 0); /* no SEQPACKET */
	virtio_mmio_read(f->dev, VIRTIO_MMIO_CONFIG, &cid, sizeof(cid));
	assert_int_equal(cid, 3);
	virtio_mmio_read(f->dev, VIRTIO_MMIO_CONFIG + 4, &half, sizeof(half));
	assert_int_equal(half, 0);
}

static void test_queues_must_be_ready(void **state)
{
	struct fixture *f = *state;

	assert_true(eg_negotiate(f->g, f->dev, EG_ALL_OFFERED) != 0);
	eg_queue_setup(f->g, RX, 16);
	assert_false(eg_driver_ok(f->g));
}

/* ---- connecting ---- */

static void test_connect(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);

	assert_int_equal(eg_irq_take(f->g), VIRTIO_IRQ_QUEUE);
	assert_int_equal(e->readable + e->writable + e->shut + e->closed, 0);
	expect_nothing(f);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	struct vsock_hdr h;

	(void)vsg_post(f->guest, 32, VSG_RX_LEN);
	vsg_send(f->guest, VSOCK_OP_REQUEST, GP, REFUSED, 0);
	expect(f, VSOCK_OP_RST, GP, &h);
	assert_int_equal(h.src_port, REFUSED);
	expect_nothing(f);
	f->reset_in_accept = true;
	vsg_send(f->guest, VSOCK_OP_REQUEST, GP, PORT, 0);
	expect(f, VSOCK_OP_RST, GP, NULL);
	expect_nothing(f);
	assert_int_equal(f->eps[0].closed, 0); /* its own doing */
}

static void test_packets_without_connection(void **state)
{
	struct fixture *f = *state;
	struct vsock_hdr h;

	(void)vsg_post(f->guest, 32, VSG_RX_LEN);
	vsg_send_data(f->guest, GP, PORT, "x", 1, 0);
	expect(f, VSOCK_OP_RST, GP, NULL);
	vsg_send(f->guest, VSOCK_OP_RST, GP, PORT, 0); /* never answered */
	expect_nothing(f);

	h = vsg_hdr(VSOCK_OP_REQUEST, GP, PORT); /* SEQPACKET */
	h.type = 2;
	vsg_put(f->guest, &h, NULL);
	vsg_kick_tx(f->guest);
	expect(f, VSOCK_OP_RST, GP, &h);
	assert_int_equal(h.type, 2);

	h = vsg_hdr(VSOCK_OP_REQUEST, GP, PORT); /* some other machine */
	h.dst_cid = 77;
	vsg_put(f->guest, &h, NULL);
	vsg_kick_tx(f->guest);
	expect(f, VSOCK_OP_RST, GP, &h);
	assert_int_equal(h.src_cid, 77);

	h = vsg_hdr(VSOCK_OP_REQUEST, GP, PORT); /* a sender that can't be answered */
	h.src_cid = 4;
	vsg_put(f->guest, &h, NULL);
	vsg_kick_tx(f->guest);
	expect_nothing(f);
	assert_int_equal(vsg_tx_done(f->guest), 0);
	assert_int_equal(f->n_eps, 0);
}

static void test_connection_limit(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < VSOCK_MAX_CONNS; i++) {
		(void)vsg_post(f->guest, 1, VSG_RX_LEN);
		(void)connect_port(f, GP + i);
	}
	(void)vsg_post(f->guest, 8, VSG_RX_LEN);
	vsg_send(f->guest, VSOCK_OP_REQUEST, GP + VSOCK_MAX_CONNS, PORT, 0);
	expect(f, VSOCK_OP_RST, GP + VSOCK_MAX_CONNS, NULL);
	/* All can still be found, and a closed one makes room. */
	for (uint32_t i = 0; i < VSOCK_MAX_CONNS; i += 100) {
		vsg_send_data(f->guest, GP + i, PORT, "x", 1, 0);
		assert_int_equal(f->eps[i].readable, 1);
	}
	vsg_send(f->guest, VSOCK_OP_RST, GP + 1, PORT, 0);
	assert_int_equal(f->eps[1].closed, 1);
	(void)connect_port(f, GP + VSOCK_MAX_CONNS);
	expect_nothing(f);
}

/* ---- data from the guest ---- */

static void test_data_from_guest(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);
	struct iovec iov[2];

	vsg_send_data(f->guest, GP, PORT, "hello", 5, 0);
	assert_int_equal(e->readable, 1);
	assert_int_equal(vsg_tx_done(f->guest), 0);
	vsock_lock(f->v);
	assert_int_equal(vsock_conn_peek(e->conn, iov), 5);
	assert_memory_equal(iov[0].iov_base, "hello", 5);
	vsock_conn_consume(e->conn, 2);
	assert_int_equal(vsock_conn_peek(e->conn, iov), 3);
	assert_memory_equal(iov[0].iov_base, "llo", 3);
	vsock_unlock(f->v);
	vsg_send_data(f->guest, GP, PORT, "!", 1, 0);
	assert_int_equal(e->readable, 2);
	vsock_lock(f->v);
	assert_int_equal(vsock_conn_peek(e->conn, iov), 4);
	vsock_unlock(f->v);
	expect_nothing(f); /* too little for a credit update */
}

static void test_credit_is_given_back(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);
	static uint8_t data[VSOCK_PAYLOAD_MAX];
	struct vsock_hdr h;

	for (unsigned i = 0; i < VSOCK_BUF_BYTES / sizeof(data); i++) {
		vsg_send_data(f->guest, GP, PORT, data, sizeof(data), 0);
	}
	expect_nothing(f);
	assert_int_equal(lock_consume(e), VSOCK_BUF_BYTES);
	expect(f, VSOCK_OP_CREDIT_UPDATE, GP, &h);
	assert_int_equal(h.fwd_cnt, VSOCK_BUF_BYTES);
	expect_nothing(f);
	vsg_send(f->guest, VSOCK_OP_CREDIT_REQUEST, GP, PORT, 0);
	expect(f, VSOCK_OP_CREDIT_UPDATE, GP, NULL);
}

static void test_overdraw(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);
	static uint8_t data[VSOCK_PAYLOAD_MAX];

	for (unsigned i = 0; i < VSOCK_BUF_BYTES / sizeof(data); i++) {
		vsg_send_data(f->guest, GP, PORT, data, sizeof(data), 0);
	}
	assert_int_equal(e->closed, 0);
	vsg_send_data(f->guest, GP, PORT, data, 1, 0);
	assert_int_equal(e->closed, 1);
	expect(f, VSOCK_OP_RST, GP, NULL);
	assert_false(eg_needs_reset(f->g)); /* its connection's problem, not the device's */
	(void)connect_port(f, GP);
}

static void test_bad_state(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);

	vsg_send(f->guest, VSOCK_OP_REQUEST, GP, PORT, 0); /* again */
	assert_int_equal(e->closed, 1);
	expect(f, VSOCK_OP_RST, GP, NULL);
	e = connect_port(f, GP);
	vsg_send(f->guest, 99, GP, PORT, 0);
	assert_int_equal(e->closed, 1);
	expect(f, VSOCK_OP_RST, GP, NULL);
	e = connect_port(f, GP);
	vsg_send(f->guest, VSOCK_OP_SHUTDOWN, GP, PORT, VSOCK_SHUT_SEND);
	vsg_send_data(f->guest, GP, PORT, "x", 1, 0);
	assert_int_equal(e->closed, 1);
	expect(f, VSOCK_OP_RST, GP, NULL);
	e = connect_port(f, GP);
	vsg_send_data(f->guest, GP, PORT, "x", 1, 1); /* consumed what was never sent */
	assert_int_equal(e->closed, 1);
	assert_int_equal(e->readable, 0);
	expect(f, VSOCK_OP_RST, GP, NULL);
}

/* ---- data to the guest ---- */

static void test_data_to_guest(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);
	static uint8_t data[10000];
	static uint8_t got[VSOCK_PAYLOAD_MAX];
	struct vsock_hdr h;
	size_t off = 0;

	for (unsigned i = 0; i < sizeof(data); i++) {
		data[i] = (uint8_t)(i * 7);
	}
	assert_int_equal(lock_send(e, data, sizeof(data)), sizeof(data));
	for (unsigned i = 0; i < 3; i++) {
		assert_true(vsg_take(f->guest, &h, got));
		assert_int_equal(h.op, VSOCK_OP_RW);
		assert_int_equal(h.len, i < 2 ? PAYLOAD : sizeof(data) - 2 * PAYLOAD);
		assert_memory_equal(got, data + off, h.len);
		off += h.len;
	}
	expect_nothing(f);
	assert_int_equal(e->writable, 0);
	assert_int_equal(lock_send(e, data, 0), 0);
	expect_nothing(f);
}

static void test_rx_buffers_of_all_sizes(void **state)
{
	struct fixture *f = *state;
	static uint8_t data[3 * VSOCK_PAYLOAD_MAX];
	struct ep *e = connect_one(f);
	struct vsock_hdr h;

	while (lock_send(e, data, PAYLOAD) > 0) { /* use up the others */
		expect(f, VSOCK_OP_RW, GP, NULL);
	}
	(void)vsg_post(f->guest, 1, VSOCK_HDR_BYTES + 1);
	assert_int_equal(lock_send(e, data, 100), 1);
	expect(f, VSOCK_OP_RW, GP, &h);
	assert_int_equal(h.len, 1);
	(void)vsg_post(f->guest, 1, VSOCK_HDR_BYTES + VSOCK_PAYLOAD_MAX);
	assert_int_equal(lock_send(e, data, sizeof(data)), VSOCK_PAYLOAD_MAX);
	expect(f, VSOCK_OP_RW, GP, &h);
	assert_int_equal(h.len, VSOCK_PAYLOAD_MAX);
}

static void test_scattered_rx_buffer(void **state)
{
	struct fixture *f = *state;
	struct eg_buf b[4] = {EG_IN(10), EG_IN(40), EG_IN(1), EG_IN(100)};
	uint8_t all[151];
	struct eg_used u;
	struct ep *e;

	(void)vsg_post(f->guest, 1, VSG_RX_LEN);
	e = connect_port(f, GP);
	(void)eg_add_chain(f->g, RX, b, 4);
	assert_int_equal(lock_send(e, "0123456789", 10), 10);
	assert_true(eg_used_next(f->g, RX, &u));
	assert_int_equal(u.len, VSOCK_HDR_BYTES + 10);
	for (unsigned i = 0, off = 0; i < 4; off += b[i++].len) {
		eg_get(f->g, b[i].addr, all + off, b[i].len);
	}
	assert_memory_equal(all + VSOCK_HDR_BYTES, "0123456789", 10);
}

static void test_guest_credit(void **state)
{
	struct fixture *f = *state;
	static uint8_t data[VSG_BUF + 1000];
	struct ep *e;
	struct vsock_hdr h;
	uint32_t got = 0;

	(void)vsg_post(f->guest, 128, VSG_RX_LEN);
	e = connect_port(f, GP);
	assert_int_equal(lock_send(e, data, sizeof(data)), VSG_BUF);
	vsock_lock(f->v);
	assert_int_equal(vsock_conn_room(e->conn), 0);
	vsock_unlock(f->v);
	assert_int_equal(e->writable, 0);
	while (vsg_take(f->guest, &h, NULL)) {
		got += h.len;
	}
	assert_int_equal(got, VSG_BUF);
	h = vsg_hdr(VSOCK_OP_CREDIT_UPDATE, GP, PORT);
	h.fwd_cnt = 300;
	vsg_put(f->guest, &h, NULL);
	vsg_kick_tx(f->guest);
	assert_int_equal(e->writable, 1);
	vsock_lock(f->v);
	assert_int_equal(vsock_conn_room(e->conn), 300);
	vsock_unlock(f->v);
	assert_int_equal(lock_send(e, data, 1000), 300);
	expect(f, VSOCK_OP_RW, GP, &h);
	assert_int_equal(h.len, 300);
}

static void test_room_is_taken(void **state)
{
	struct fixture *f = *state;
	static uint8_t data[VSG_BUF];
	struct ep *e;

	(void)vsg_post(f->guest, 1, VSG_RX_LEN);
	e = connect_port(f, GP);
	for (unsigned n = 1; n < 60; n += 7) {
		size_t room;

		(void)vsg_post(f->guest, n, VSG_RX_LEN);
		vsock_lock(f->v);
		room = vsock_conn_room(e->conn);
		assert_true(room > 0);
		if ((e->sent += room) < VSG_BUF) {
			assert_int_equal(room, n * PAYLOAD);
		}
		assert_int_equal(vsock_conn_send(e->conn, data, room), room);
		vsock_unlock(f->v);
		for (unsigned i = 0; i < n; i++) {
			struct vsock_hdr h;

			if (vsg_take(f->guest, &h, NULL)) {
				assert_int_equal(h.op, VSOCK_OP_RW);
			}
		}
		if (e->sent >= VSG_BUF) {
			break;
		}
	}
}

static void test_writable_after_rx_refill(void **state)
{
	struct fixture *f = *state;
	struct ep *e;

	(void)vsg_post(f->guest, 1, VSG_RX_LEN);
	e = connect_port(f, GP);
	assert_int_equal(lock_send(e, "x", 1), 0);
	assert_int_equal(e->writable, 0);
	(void)vsg_post(f->guest, 1, VSG_RX_LEN);
	assert_int_equal(e->writable, 1);
	assert_int_equal(lock_send(e, "x", 1), 1);
	vsock_lock(f->v);
	assert_int_equal(vsock_conn_room(e->conn), 0); /* arms as well */
	vsock_unlock(f->v);
	(void)vsg_post(f->guest, 1, VSG_RX_LEN);
	assert_int_equal(e->writable, 2);
	(void)vsg_post(f->guest, 1, VSG_RX_LEN); /* once, until asked for again */
	assert_int_equal(e->writable, 2);
}

static void test_nothing_before_the_response(void **state)
{
	struct fixture *f = *state;
	struct ep *e;

	vsg_send(f->guest, VSOCK_OP_REQUEST, GP, PORT, 0); /* no rx buffer */
	e = &f->eps[0];
	assert_int_equal(lock_send(e, "x", 1), 0);
	(void)vsg_post(f->guest, 1, VSG_RX_LEN);
	expect(f, VSOCK_OP_RESPONSE, GP, NULL);
	assert_int_equal(lock_send(e, "x", 1), 0);
	(void)vsg_post(f->guest, 4, VSG_RX_LEN);
	assert_int_equal(e->writable, 1);
	assert_int_equal(lock_send(e, "x", 1), 1);
	expect(f, VSOCK_OP_RW, GP, NULL);
}

/* ---- endings ---- */

static void test_guest_closes_with_data_waiting(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);

	vsg_send_data(f->guest, GP, PORT, "last words", 10, 0);
	vsg_send(f->guest, VSOCK_OP_SHUTDOWN, GP, PORT, VSOCK_SHUT_BOTH);
	assert_int_equal(e->shut, 1);
	assert_true(e->no_more_data);
	assert_true(e->no_more_room);
	assert_int_equal(e->closed, 0);
	expect_nothing(f);
	assert_int_equal(lock_send(e, "x", 1), 0);
	assert_int_equal(lock_consume(e), 10);
	assert_int_equal(e->closed, 1);
	assert_int_equal(e->writable, 0);
	expect(f, VSOCK_OP_RST, GP, NULL);
	expect_nothing(f);
	(void)connect_port(f, GP); /* the port is free again */
}

static void test_guest_closes(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);

	vsg_send(f->guest, VSOCK_OP_SHUTDOWN, GP, PORT, VSOCK_SHUT_BOTH);
	assert_int_equal(e->shut, 1);
	assert_int_equal(e->closed, 1);
	expect(f, VSOCK_OP_RST, GP, NULL);
}

static void test_guest_half_closes(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);

	vsg_send(f->guest, VSOCK_OP_SHUTDOWN, GP, PORT, VSOCK_SHUT_SEND);
	assert_int_equal(e->shut, 1);
	assert_true(e->no_more_data);
	assert_false(e->no_more_room);
	assert_int_equal(lock_send(e, "answer", 6), 6);
	expect(f, VSOCK_OP_RW, GP, NULL);
	vsock_lock(f->v);
	vsock_conn_shutdown(e->conn, true, false);
	vsock_unlock(f->v);
	assert_int_equal(e->closed, 1);
}

static void test_guest_resets_with_data_waiting(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);
	struct ep *again;

	vsg_send_data(f->guest, GP, PORT, "last words", 10, 0);
	vsg_send(f->guest, VSOCK_OP_RST, GP, PORT, 0);
	assert_int_equal(e->shut, 1);
	assert_int_equal(e->closed, 0);
	again = connect_port(f, GP); /* the same ports, another connection */
	assert_ptr_not_equal(again->conn, e->conn);
	assert_int_equal(lock_consume(e), 10);
	assert_int_equal(e->closed, 1);
	assert_int_equal(again->closed, 0);
	expect_nothing(f);
	vsg_send(f->guest, VSOCK_OP_RST, GP, PORT, 0);
	assert_int_equal(again->closed, 1);
	expect_nothing(f); /* a RST isn't answered */
}

static void test_host_closes(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);
	struct vsock_hdr h;

	vsock_lock(f->v);
	assert_int_equal(vsock_conn_send(e->conn, "bye", 3), 3);
	vsock_conn_shutdown(e->conn, true, false);
	assert_int_equal(vsock_conn_send(e->conn, "x", 1), 0);
	vsock_unlock(f->v);
	expect(f, VSOCK_OP_RW, GP, NULL);
	expect(f, VSOCK_OP_SHUTDOWN, GP, &h);
	assert_int_equal(h.flags, VSOCK_SHUT_SEND);
	vsg_send_data(f->guest, GP, PORT, "more", 4, 0);
	assert_int_equal(e->readable, 1);
	vsock_lock(f->v);
	vsock_conn_shutdown(e->conn, false, true);
	vsock_unlock(f->v);
	expect(f, VSOCK_OP_SHUTDOWN, GP, &h);
	assert_int_equal(h.flags, VSOCK_SHUT_BOTH);
	assert_int_equal(e->closed, 0);
	vsg_send(f->guest, VSOCK_OP_RST, GP, PORT, 0);
	assert_int_equal(e->closed, 1);
	expect_nothing(f);
}

static void test_host_resets(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);

	vsock_lock(f->v);
	vsock_conn_reset(e->conn);
	vsock_conn_reset(e->conn); /* memory is valid until the unlock */
	assert_int_equal(vsock_conn_send(e->conn, "x", 1), 0);
	assert_int_equal(vsock_conn_room(e->conn), 0);
	vsock_unlock(f->v);
	expect(f, VSOCK_OP_RST, GP, NULL);
	assert_int_equal(e->closed, 0);
	expect_nothing(f);
	(void)connect_port(f, GP);
}

/* A reset that can't be said yet keeps its slot, and nothing else can be confused by it. */
static void test_host_resets_without_rx(void **state)
{
	struct fixture *f = *state;
	struct ep *e;

	(void)vsg_post(f->guest, 1, VSG_RX_LEN);
	e = connect_port(f, GP);
	vsock_lock(f->v);
	vsock_conn_reset(e->conn);
	vsock_unlock(f->v);
	vsg_send_data(f->guest, GP, PORT, "x", 1, 0);
	vsg_send(f->guest, VSOCK_OP_CREDIT_REQUEST, GP, PORT, 0);
	assert_int_equal(vsg_tx_done(f->guest), 0);
	(void)vsg_post(f->guest, 8, VSG_RX_LEN);
	expect(f, VSOCK_OP_RST, GP, NULL);
	expect_nothing(f);
	assert_int_equal(e->readable, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_identity),
		TEST(test_queues_must_be_ready),
		TEST(test_connect),
		TEST(test_refused),
		TEST(test_packets_without_connection),
		TEST(test_connection_limit),
		TEST(test_data_from_guest),
		TEST(test_credit_is_given_back),
		TEST(test_overdraw),
		TEST(test_bad_state),
		TEST(test_data_to_guest),
		TEST(test_rx_buffers_of_all_sizes),
		TEST(test_scattered_rx_buffer),
		TEST(test_guest_credit),
		TEST(test_room_is_taken),
		TEST(test_writable_after_rx_refill),
		TEST(test_nothing_before_the_response),
		TEST(test_guest_closes_with_data_waiting),
		TEST(test_guest_closes),
		TEST(test_guest_half_closes),
		TEST(test_guest_resets_with_data_waiting),
		TEST(test_host_closes),
		TEST(test_host_resets),
		TEST(test_host_resets_without_rx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
