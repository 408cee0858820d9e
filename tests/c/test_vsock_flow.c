/* SPDX-License-Identifier: Apache-2.0 */
/* test_vsock_flow.c - vsock under pressure: no buffers, fairness, callbacks that act, bulk */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/virtio_mmio.h>

#include "vsock_fixture.h"

/* ---- back-pressure ---- */

static void test_tx_is_served_without_rx(void **state)
{
	struct fixture *f = *state;
	struct ep *e;

	(void)vsg_post(f->guest, 1, VSG_RX_LEN);
	e = connect_port(f, GP);
	for (unsigned i = 0; i < 1000; i++) {
		vsg_send(f->guest, VSOCK_OP_CREDIT_REQUEST, GP, PORT, 0);
		assert_int_equal(vsg_tx_done(f->guest), 0);
	}
	vsg_send_data(f->guest, GP, PORT, "x", 1, 0);
	assert_int_equal(e->readable, 1);
	(void)vsg_post(f->guest, 8, VSG_RX_LEN);
	expect(f, VSOCK_OP_CREDIT_UPDATE, GP, NULL);
	expect_nothing(f);
}

static void test_rsts_are_bounded(void **state)
{
	struct fixture *f = *state;
	unsigned waiting;
	unsigned rsts = 0;
	struct vsock_hdr h;

	for (unsigned i = 0; i < 1000; i++) { /* the same one again and again needs no room */
		vsg_send(f->guest, VSOCK_OP_CREDIT_REQUEST, GP, PORT, 0);
	}
	assert_int_equal(vsg_tx_done(f->guest), 0);
	for (unsigned i = 1; i < 100; i++) {
		vsg_send(f->guest, VSOCK_OP_CREDIT_REQUEST, GP + i, PORT, 0);
	}
	waiting = vsg_tx_done(f->guest);
	assert_true(waiting > 0 && waiting < 100); /* stays in the guest's own queue */
	while (vsg_post(f->guest, 1, VSG_RX_LEN) > 0 && vsg_take(f->guest, &h, NULL)) {
		assert_int_equal(h.op, VSOCK_OP_RST);
		assert_int_equal(h.dst_port, GP + rsts);
		rsts++;
	}
	assert_int_equal(rsts, 100);
	assert_int_equal(vsg_tx_done(f->guest), 0);
	(void)connect_port(f, GP);
}

static void test_fairness(void **state)
{
	struct fixture *f = *state;
	uint32_t got[4] = {0};
	struct vsock_hdr h;

	(void)vsg_post(f->guest, 4, VSG_RX_LEN);
	for (uint32_t i = 0; i < 4; i++) {
		connect_port(f, GP + i)->on_writable = do_pump;
	}
	vsock_lock(f->v);
	for (uint32_t i = 0; i < 4; i++) {
		do_pump(&f->eps[i]);
	}
	vsock_unlock(f->v);
	for (unsigned round = 0; round < 20; round++) {
		(void)vsg_post(f->guest, 5, VSG_RX_LEN);
		while (vsg_take(f->guest, &h, NULL)) {
			assert_int_equal(h.op, VSOCK_OP_RW);
			got[h.dst_port - GP]++;
		}
	}
	for (unsigned i = 0; i < 4; i++) {
		assert_in_range(got[i], 20, 30); /* 25 each, give or take a turn */
	}
}

/* Buffers that came unnoticed belong to who has waited, not to who asks first. */
static void test_no_queue_jumping(void **state)
{
	struct fixture *f = *state;
	struct eg_buf b = EG_IN(VSG_RX_LEN);
	struct ep *late;
	struct ep *e;

	(void)vsg_post(f->guest, 2, VSG_RX_LEN);
	e = connect_port(f, GP);
	late = connect_port(f, GP + 1);
	e->on_writable = do_pump;
	assert_int_equal(lock_send(e, "x", 1), 0);
	(void)eg_add_chain(f->g, RX, &b, 1); /* no kick */
	assert_int_equal(lock_send(late, "x", 1), 0);
	assert_int_equal(e->writable, 1);
	assert_int_equal(e->sent, PAYLOAD);
	assert_int_equal(late->writable, 0);
}

/* Small talk gets through while others use every buffer there is. */
static void test_fairness_of_control(void **state)
{
	struct fixture *f = *state;
	struct vsock_hdr h;
	struct ep *e;

	(void)vsg_post(f->guest, 1, VSG_RX_LEN);
	e = connect_port(f, GP);
	e->on_writable = do_pump;
	vsock_lock(f->v);
	do_pump(e);
	vsock_unlock(f->v);
	vsg_send(f->guest, VSOCK_OP_REQUEST, GP + 1, PORT, 0);
	(void)vsg_post(f->guest, 8, VSG_RX_LEN);
	for (unsigned i = 0; i < 8; i++) {
		assert_true(vsg_take(f->guest, &h, NULL));
		if (h.op == VSOCK_OP_RESPONSE) {
			return;
		}
	}
	fail_msg("the response found no buffer");
}

/* ---- callbacks that do things ---- */
static void test_reset_in_readable(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);

	e->on_readable = do_reset;
	vsg_send_data(f->guest, GP, PORT, "x", 1, 0);
	assert_int_equal(e->readable, 1);
	assert_int_equal(e->closed, 0);
	expect(f, VSOCK_OP_RST, GP, NULL);
	expect_nothing(f);
}

static void test_reset_in_writable(void **state)
{
	struct fixture *f = *state;
	struct ep *e;

	(void)vsg_post(f->guest, 1, VSG_RX_LEN);
	e = connect_port(f, GP);
	e->on_writable = do_reset;
	assert_int_equal(lock_send(e, "x", 1), 0);
	(void)vsg_post(f->guest, 8, VSG_RX_LEN);
	assert_int_equal(e->writable, 1);
	expect(f, VSOCK_OP_RST, GP, NULL);
	expect_nothing(f);
}

static void test_reset_in_shut_and_closed(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);

	e->on_shut = do_reset;
	vsg_send(f->guest, VSOCK_OP_SHUTDOWN, GP, PORT, VSOCK_SHUT_BOTH);
	assert_int_equal(e->closed, 0);
	expect(f, VSOCK_OP_RST, GP, NULL);
	e = connect_port(f, GP);
	e->on_closed = do_reset;
	vsg_send(f->guest, VSOCK_OP_SHUTDOWN, GP, PORT, VSOCK_SHUT_BOTH);
	assert_int_equal(e->closed, 1);
	expect(f, VSOCK_OP_RST, GP, NULL);
	expect_nothing(f);
}

static void test_reset_of_others(void **state)
{
	struct fixture *f = *state;

	(void)vsg_post(f->guest, 64, VSG_RX_LEN);
	for (uint32_t i = 0; i < 8; i++) {
		connect_port(f, GP + i)->on_readable = do_reset_others;
	}
	for (uint32_t i = 0; i < 8; i++) { /* all of them have something due at once */
		struct vsock_hdr h = vsg_hdr(VSOCK_OP_RW, GP + i, PORT);

		h.len = 1;
		vsg_put(f->guest, &h, "x");
	}
	vsg_kick_tx(f->guest);
	assert_int_equal(f->eps[0].readable, 1);
	for (uint32_t i = 1; i < 8; i++) {
		assert_int_equal(f->eps[i].readable, 0);
		expect(f, VSOCK_OP_RST, GP + i, NULL);
	}
	expect_nothing(f);
}

static void test_echo(void **state)
{
	struct fixture *f = *state;
	struct ep *e;
	static uint8_t in[VSOCK_PAYLOAD_MAX];
	static uint8_t out[VSOCK_PAYLOAD_MAX];
	uint32_t fwd = 0;
	uint32_t sent = 0;
	uint8_t expected = 0;
	uint8_t next = 0;
	struct vsock_hdr h;

	(void)vsg_post(f->guest, 128, VSG_RX_LEN);
	e = connect_port(f, GP);
	e->on_readable = do_echo;
	e->on_writable = do_echo;
	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < sizeof(in); i++) {
			in[i] = next++;
		}
		vsg_send_data(f->guest, GP, PORT, in, sizeof(in), fwd);
		sent += sizeof(in);
		while (vsg_take(f->guest, &h, out)) {
			(void)vsg_post(f->guest, 1, VSG_RX_LEN);
			for (unsigned i = 0; i < h.len; i++) {
				if (out[i] != expected++) {
					fail_msg("wrong byte");
				}
			}
			fwd += h.len;
		}
		assert_int_equal(e->closed, 0);
	}
	assert_int_equal(fwd, sent);
}

/* ---- economy ---- */

static void test_one_interrupt_for_many_packets(void **state)
{
	struct fixture *f = *state;
	struct ep *e;
	uint64_t irqs = 0;
	static uint8_t data[20 * PAYLOAD];

	assert_int_equal(virtio_dev_open_fds(f->dev), 0);
	(void)vsg_post(f->guest, 32, VSG_RX_LEN);
	vsg_send(f->guest, VSOCK_OP_REQUEST, GP, PORT, 0);
	virtio_dev_kicked(f->dev, TX);
	e = &f->eps[0];
	expect(f, VSOCK_OP_RESPONSE, GP, NULL);
	(void)vsg_tx_done(f->guest);
	(void)!read(f->dev->irq_fd, &irqs, sizeof(irqs));
	assert_int_equal(lock_send(e, data, sizeof(data)), sizeof(data));
	assert_int_equal(read(f->dev->irq_fd, &irqs, sizeof(irqs)), sizeof(irqs));
	assert_int_equal(irqs, 1);
	while (vsg_take(f->guest, &(struct vsock_hdr){0}, NULL)) {
	}
	for (unsigned i = 0; i < 16; i++) {
		struct vsock_hdr h = vsg_hdr(VSOCK_OP_RW, GP, PORT);

		h.len = 1;
		vsg_put(f->guest, &h, "x");
	}
	virtio_dev_kicked(f->dev, TX);
	assert_int_equal(vsg_tx_done(f->guest), 0);
	assert_int_equal(e->readable, 1); /* one callback for the batch */
	assert_int_equal(read(f->dev->irq_fd, &irqs, sizeof(irqs)), sizeof(irqs));
	assert_int_equal(irqs, 1);
}

/* Each time the endpoint is called, the guest has sent as much again. */
static void consume_and_repeat(struct ep *e)
{
	(void)consume_all(e);
	for (unsigned i = 0; i < 16; i++) {
		eg_avail_push(e->f->g, TX, e->f->head);
	}
}

/* A guest that never stops sending doesn't keep the loop from others. */
static void test_budget(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);
	struct vsock_hdr h = vsg_hdr(VSOCK_OP_RW, GP, PORT);
	uint8_t wire[VSOCK_HDR_BYTES + 1] = {0};
	struct eg_buf b = EG_OUT(wire, sizeof(wire));
	uint16_t before = eg_used_idx(f->g, TX);
	uint64_t count;

	h.len = 1;
	vsock_hdr_encode(&h, wire);
	e->on_readable = consume_and_repeat;
	f->head = eg_add_chain(f->g, TX, &b, 1);
	eg_kick(f->g, TX);
	assert_in_range((uint16_t)(eg_used_idx(f->g, TX) - before), 100, 1000);
	assert_int_equal(read(vsock_event_fd(f->v), &count, sizeof(count)), sizeof(count));
	e->on_readable = do_consume;
	before = eg_used_idx(f->g, TX);
	vsock_work(f->v); /* goes on where it was */
	assert_true(eg_used_idx(f->g, TX) != before);
	assert_int_equal(eg_used_idx(f->g, TX), eg_avail_idx(f->g, TX));
	assert_int_equal(e->closed, 0);
}

/* Refilling the rx queue is no reason to kick, as long as nobody waits for a buffer. */
static void test_rx_kicks_only_when_starved(void **state)
{
	struct fixture *f = *state;
	struct ep *e;
	uint16_t event;

	(void)vsg_post(f->guest, 8, VSG_RX_LEN);
	e = connect_port(f, GP);
	assert_int_equal(lock_send(e, "x", 1), 1);
	vsock_lock(f->v);
	assert_true(vsock_conn_room(e->conn) > 0); /* takes all there are into the cache */
	vsock_unlock(f->v);
	event = eg_avail_event(f->g, RX);
	assert_int_not_equal(event, eg_avail_idx(f->g, RX));
	while (lock_send(e, "x", 1) == 1) {
	}
	assert_int_equal(eg_avail_event(f->g, RX), eg_avail_idx(f->g, RX));
}

static void test_bulk(void **state)
{
	struct fixture *f = *state;
	static uint8_t data[VSOCK_PAYLOAD_MAX];
	struct ep *e;
	struct vsock_hdr h;
	uint32_t got = 0;
	uint32_t fwd = 0;

	(void)vsg_post(f->guest, 128, VSG_RX_LEN);
	e = connect_port(f, GP);
	e->on_readable = do_consume;
	for (unsigned i = 0; i < 512; i++) { /* 32 MiB in */
		vsg_send_data(f->guest, GP, PORT, data, sizeof(data), 0);
		while (vsg_take(f->guest, &h, NULL)) {
			assert_int_equal(h.op, VSOCK_OP_CREDIT_UPDATE);
			fwd = h.fwd_cnt;
			(void)vsg_post(f->guest, 1, VSG_RX_LEN);
		}
		assert_true((uint32_t)(i + 1) * sizeof(data) - fwd <= VSOCK_BUF_BYTES);
	}
	e->on_writable = do_pump;
	vsock_lock(f->v);
	do_pump(e);
	vsock_unlock(f->v);
	while (got < 8u << 20) { /* 8 MiB out */
		unsigned n = 0;

		while (vsg_take(f->guest, &h, NULL)) {
			got += h.len;
			n++;
		}
		assert_true(n > 0);
		(void)vsg_post(f->guest, n, VSG_RX_LEN);
		h = vsg_hdr(VSOCK_OP_CREDIT_UPDATE, GP, PORT);
		h.fwd_cnt = got;
		vsg_put(f->guest, &h, NULL);
		vsg_kick_tx(f->guest);
	}
	assert_int_equal(e->closed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_tx_is_served_without_rx),
		TEST(test_rsts_are_bounded),
		TEST(test_fairness),
		TEST(test_no_queue_jumping),
		TEST(test_fairness_of_control),
		TEST(test_reset_in_readable),
		TEST(test_reset_in_writable),
		TEST(test_reset_in_shut_and_closed),
		TEST(test_reset_of_others),
		TEST(test_echo),
		TEST(test_one_interrupt_for_many_packets),
		TEST(test_budget),
		TEST(test_rx_kicks_only_when_starved),
		TEST(test_bulk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
