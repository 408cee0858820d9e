/* SPDX-License-Identifier: Apache-2.0 */
/* test_vsock_evil.c - the vsock device against resets and lies */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/virtio_mmio.h>

#include "vsock_fixture.h"

/* ---- reset and fault of the device ---- */

static void test_device_reset(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);
	struct ep *waiting = connect_port(f, GP + 1);
	uint64_t count;

	vsg_send_data(f->guest, GP + 1, PORT, "data", 4, 0);
	vsock_lock(f->v);
	assert_true(vsock_conn_room(e->conn) > PAYLOAD); /* has taken rx buffers ahead */
	vsock_unlock(f->v);
	(void)!read(vsock_event_fd(f->v), &count, sizeof(count));
	eg_reset(f->g);
	assert_int_equal(e->closed, 0); /* not in a vCPU thread */
	assert_int_equal(read(vsock_event_fd(f->v), &count, sizeof(count)), sizeof(count));
	vsock_work(f->v);
	assert_int_equal(e->closed, 1);
	assert_int_equal(e->shut, 1);
	assert_int_equal(waiting->shut, 1);
	assert_int_equal(waiting->closed, 0);
	assert_int_equal(lock_send(waiting, "x", 1), 0);

	assert_true(vsg_start(f->guest, EG_ALL_OFFERED));
	(void)vsg_post(f->guest, 1, VSG_RX_LEN); /* the buffers of before are forgotten */
	(void)connect_port(f, GP + 1);
	assert_int_equal(lock_consume(waiting), 4);
	assert_int_equal(waiting->closed, 1);
	expect_nothing(f);
}

static void test_reset_with_everything_pending(void **state)
{
	struct fixture *f = *state;

	(void)vsg_post(f->guest, 2, VSG_RX_LEN);
	(void)connect_port(f, GP);
	(void)connect_port(f, GP + 1);
	(void)lock_send(&f->eps[0], "x", 1);
	vsock_lock(f->v);
	vsock_conn_reset(f->eps[1].conn);
	vsock_unlock(f->v);
	for (unsigned i = 0; i < 100; i++) { /* tx stalls */
		vsg_send(f->guest, VSOCK_OP_CREDIT_REQUEST, 9000 + i, PORT, 0);
	}
	eg_reset(f->g);
	vsock_work(f->v);
	assert_int_equal(f->eps[0].closed, 1);
	assert_int_equal(f->eps[1].closed, 0);
	assert_true(vsg_start(f->guest, EG_ALL_OFFERED));
	(void)vsg_post(f->guest, 32, VSG_RX_LEN);
	expect_nothing(f);
	(void)connect_port(f, GP);
}

static void test_destroy_closes(void **state)
{
	struct fixture *f = *state;
	struct ep *e = connect_one(f);

	vsg_send_data(f->guest, GP, PORT, "data", 4, 0);
	vsock_destroy(f->v);
	assert_int_equal(e->closed, 1);
	vsock_destroy(NULL);
	assert_int_equal(vsock_create(eg_mem(f->g), NULL, NULL, &f->v), 0);
}

/* ---- lies ---- */

/* Up again, and every connection of the round before closed. */
static void restart(struct fixture *f, uint64_t features)
{
	f->on_shut = do_consume;
	assert_true(vsg_start(f->guest, features));
	vsock_work(f->v);
	for (unsigned i = 0; i < f->n_eps; i++) {
		assert_int_equal(f->eps[i].closed, 1);
	}
	f->n_eps = 0;
}

static void good(struct eg *g, void *ctx)
{
	struct fixture *f = ctx;

	(void)g;
	restart(f, EG_ALL_OFFERED);
	(void)vsg_post(f->guest, 8, VSG_RX_LEN);
	(void)connect_port(f, GP);
	vsg_send_data(f->guest, GP, PORT, "hello", 5, 0);
	assert_int_equal(f->eps[0].readable, 1);
	assert_int_equal(lock_send(&f->eps[0], "hi", 2), 2);
	expect(f, VSOCK_OP_RW, GP, NULL);
}

static void test_lies_tx(void **state)
{
	struct fixture *f = *state;
	uint8_t wire[VSOCK_HDR_BYTES];
	struct vsock_hdr h = vsg_hdr(VSOCK_OP_REQUEST, GP, PORT);
	struct eg_buf b[2] = {EG_OUT(wire, sizeof(wire)), EG_OUT("payload", 7)};
	struct lies t = {.g = f->g,
			 .dev = f->dev,
			 .q = TX,
			 .bufs = b,
			 .n = 2,
			 .size = 64,
			 .good = good,
			 .ctx = f};

	h.len = 7;
	vsock_hdr_encode(&h, wire);
	lies_check(&t);
	lies_check_layouts(&t);
}

static void test_lies_event_layouts(void **state)
{
	struct fixture *f = *state;
	struct lies t = {.g = f->g, .dev = f->dev, .q = 2, .size = 64, .good = good, .ctx = f};

	lies_check_layouts(&t);
	t.q = RX;
	lies_check_layouts(&t);
}

/* Rx buffers are looked at when something is to be sent. */
static void test_lies_rx(void **state)
{
	struct fixture *f = *state;

	for (int lie = EG_LIE_NONE + 1; lie < EG_LIE_COUNT; lie++) {
		struct eg_buf b = EG_IN(VSG_RX_LEN);
		uint64_t features = eg_offered(f->dev);

		if (lie == EG_LIE_INDIRECT_NOT_AGREED) {
			features &= ~VIRTIO_F_INDIRECT_DESC;
		}
		restart(f, features);
		(void)vsg_post(f->guest, 1, VSG_RX_LEN);
		(void)connect_port(f, GP);
		b.addr = lies_buf(f->g, VSG_RX_LEN);
		eg_lie(f->g, lie);
		(void)eg_add_chain(f->g, RX, &b, 1);
		assert_int_equal(lock_send(&f->eps[0], "x", 1), lie == EG_LIE_LEN_ZERO ? 1 : 0);
		assert_int_equal(eg_needs_reset(f->g), lie != EG_LIE_LEN_ZERO);
		if (lie != EG_LIE_LEN_ZERO) {
			lies_check_fill(f->g, b.addr, VSG_RX_LEN);
			assert_int_equal(f->eps[0].closed, 1); /* nobody waits for a dead device */
		}
		lies_check_guards(f->g, b.addr, VSG_RX_LEN);
		eg_reset(f->g);
		good(f->g, f);
	}
}

/* Return: was the device at fault? */
static bool bad_chain(struct fixture *f, unsigned q, struct eg_buf *b, unsigned n)
{
	restart(f, EG_ALL_OFFERED);
	(void)vsg_post(f->guest, 1, VSG_RX_LEN);
	(void)connect_port(f, GP);
	(void)eg_add_chain(f->g, q, b, n);
	eg_kick(f->g, q);
	(void)lock_send(&f->eps[0], "x", 1);
	return eg_needs_reset(f->g);
}

static void test_bad_packets(void **state)
{
	struct fixture *f = *state;
	struct vsock_hdr h = vsg_hdr(VSOCK_OP_RW, GP, PORT);
	uint8_t wire[VSOCK_HDR_BYTES];
	struct eg_buf whole[2] = {EG_OUT(wire, sizeof(wire)), EG_OUT("0123456789", 10)};
	struct eg_buf shorter[2] = {EG_OUT(wire, sizeof(wire)), EG_OUT("012345678", 9)};
	struct eg_buf cut = EG_OUT(wire, sizeof(wire) - 1);
	struct eg_buf in = EG_IN(100);
	struct eg_buf both[2] = {EG_OUT(wire, sizeof(wire)), EG_IN(10)};
	struct eg_buf only_hdr = EG_IN(VSOCK_HDR_BYTES);
	struct eg_buf out = EG_OUT(wire, sizeof(wire));

	h.len = 10;
	vsock_hdr_encode(&h, wire);
	assert_false(bad_chain(f, TX, whole, 2));
	assert_int_equal(f->eps[0].readable, 1);
	assert_true(bad_chain(f, TX, shorter, 2));
	assert_true(bad_chain(f, TX, &cut, 1));
	assert_true(bad_chain(f, TX, &in, 1));
	h.len = 0;
	vsock_hdr_encode(&h, wire);
	assert_true(bad_chain(f, TX, both, 2));
	assert_true(bad_chain(f, RX, &only_hdr, 1));
	assert_true(bad_chain(f, RX, &out, 1));
	h.len = UINT32_MAX;
	vsock_hdr_encode(&h, wire);
	whole[0].addr = 0;
	assert_true(bad_chain(f, TX, whole, 2));
	good(f->g, f);
}

/* The header's length changes between any two looks at it. */
static void test_double_fetch(void **state)
{
	struct fixture *f = *state;
	struct vsock_hdr h = vsg_hdr(VSOCK_OP_RW, GP, PORT);
	uint8_t wire[VSOCK_HDR_BYTES];
	uint64_t addr = eg_alloc(f->g, 4096, 16);
	struct eg_buf b = {.len = VSOCK_HDR_BYTES + 64, .addr = addr};
	unsigned faults = 0;
	unsigned served = 0;

	h.len = 64;
	vsock_hdr_encode(&h, wire);
	eg_put(f->g, addr, wire, sizeof(wire));
	for (unsigned i = 0; i < 300; i++) {
		restart(f, EG_ALL_OFFERED);
		(void)vsg_post(f->guest, 1, VSG_RX_LEN);
		(void)connect_port(f, GP);
		eg_flip_start(f->g, addr + 24, 4, 64, 0x7fffffff);
		(void)eg_add_chain(f->g, TX, &b, 1);
		eg_kick(f->g, TX);
		(void)eg_flip_stop(f->g);
		if (eg_needs_reset(f->g)) {
			faults++;
		} else {
			served++;
			assert_int_equal(lock_consume(&f->eps[0]), 64);
		}
	}
	assert_int_equal(faults + served, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_device_reset),       TEST(test_reset_with_everything_pending),
		TEST(test_destroy_closes),     TEST(test_lies_tx),
		TEST(test_lies_event_layouts), TEST(test_lies_rx),
		TEST(test_bad_packets),	       TEST(test_double_fetch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
