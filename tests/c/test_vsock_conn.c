/* SPDX-License-Identifier: Apache-2.0 */
/* test_vsock_conn.c - states, credit and ring of one vsock connection */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/vsock.h"
#include "vmm/vsock_conn.h"

#define GUEST_PORT 1234u
#define HOST_PORT  5u
#define GUEST_BUF  100000u

static struct vsock_hdr packet(uint16_t op)
{
	return (struct vsock_hdr){
		.src_cid = VSOCK_GUEST_CID,
		.dst_cid = VSOCK_HOST_CID,
		.src_port = GUEST_PORT,
		.dst_port = HOST_PORT,
		.type = VSOCK_TYPE_STREAM,
		.op = op,
		.buf_alloc = GUEST_BUF,
	};
}

/* A connection whose RESPONSE was sent. */
static struct vconn connected(void)
{
	struct vsock_hdr h = packet(VSOCK_OP_REQUEST);
	struct vconn c;

	vconn_init(&c, &h);
	assert_true(vconn_ctl_hdr(&c, &h));
	assert_int_equal(h.op, VSOCK_OP_RESPONSE);
	assert_int_equal(c.pend, 0);
	return c;
}

static int recv_op(struct vconn *c, uint16_t op, uint32_t flags)
{
	struct vsock_hdr h = packet(op);
	struct iovec dst[2];
	unsigned n;
	int ev;

	h.flags = flags;
	h.fwd_cnt = c->peer_fwd;
	ev = vconn_recv(c, &h, dst, &n);
	assert_int_equal(n, 0);
	return ev;
}

static int recv_credit(struct vconn *c, uint32_t buf_alloc, uint32_t fwd_cnt)
{
	struct vsock_hdr h = packet(VSOCK_OP_CREDIT_UPDATE);
	struct iovec dst[2];
	unsigned n;

	h.buf_alloc = buf_alloc;
	h.fwd_cnt = fwd_cnt;
	return vconn_recv(c, &h, dst, &n);
}

/* Receive @len bytes that count up from @seed. */
static int recv_data(struct vconn *c, uint32_t len, uint8_t seed)
{
	struct vsock_hdr h = packet(VSOCK_OP_RW);
	struct iovec dst[2];
	size_t total = 0;
	unsigned n;
	int ev;

	h.len = len;
	h.fwd_cnt = c->peer_fwd;
	ev = vconn_recv(c, &h, dst, &n);
	for (unsigned i = 0; i < n; i++) {
		for (size_t j = 0; j < dst[i].iov_len; j++) {
			((uint8_t *)dst[i].iov_base)[j] = seed++;
		}
		total += dst[i].iov_len;
	}
	if (ev == VCONN_EV_DATA) {
		assert_int_equal(total, len);
	}
	return ev;
}

static void check_data(struct vconn *c, uint32_t len, uint8_t seed)
{
	struct iovec iov[2];

	assert_true(vconn_peek(c, iov) >= len);
	for (uint32_t i = 0; i < len; i++) {
		const uint8_t *p = i < iov[0].iov_len
					   ? (uint8_t *)iov[0].iov_base + i
					   : (uint8_t *)iov[1].iov_base + (i - iov[0].iov_len);

		assert_int_equal(*p, (uint8_t)(seed + i));
	}
	vconn_consume(c, len);
}

static void test_request_and_response(void **state)
{
	struct vsock_hdr h = packet(VSOCK_OP_REQUEST);
	struct vconn c;

	(void)state;
	vconn_init(&c, &h);
	assert_int_equal(c.state, VCONN_OPEN);
	assert_int_equal(c.pend, VCONN_PEND_RESPONSE);
	assert_true(vconn_ctl_hdr(&c, &h));
	assert_int_equal(h.op, VSOCK_OP_RESPONSE);
	assert_int_equal(h.src_cid, VSOCK_HOST_CID);
	assert_int_equal(h.dst_cid, VSOCK_GUEST_CID);
	assert_int_equal(h.src_port, HOST_PORT);
	assert_int_equal(h.dst_port, GUEST_PORT);
	assert_int_equal(h.type, VSOCK_TYPE_STREAM);
	assert_int_equal(h.buf_alloc, VSOCK_BUF_BYTES);
	assert_int_equal(h.fwd_cnt, 0);
	assert_int_equal(h.len, 0);
	assert_false(vconn_ctl_hdr(&c, &h));
	assert_null(c.ring); /* nothing received, nothing allocated */
	vconn_finish(&c);
}

static void test_credit_to_guest(void **state)
{
	struct vconn c = connected();
	struct vsock_hdr h;

	(void)state;
	assert_int_equal(vconn_credit(&c), GUEST_BUF);
	vconn_data_hdr(&c, 1, &h);
	assert_int_equal(h.op, VSOCK_OP_RW);
	assert_int_equal(h.len, 1);
	vconn_data_hdr(&c, GUEST_BUF - 1, &h);
	assert_int_equal(vconn_credit(&c), 0);
	assert_int_equal(recv_credit(&c, GUEST_BUF, 10), 0);
	assert_int_equal(vconn_credit(&c), 10);
	/* A larger buffer is more credit, a smaller one less, down to none. */
	assert_int_equal(recv_credit(&c, GUEST_BUF + 5, 10), 0);
	assert_int_equal(vconn_credit(&c), 15);
	assert_int_equal(recv_credit(&c, 1, 10), 0);
	assert_int_equal(vconn_credit(&c), 0);
	assert_int_equal(recv_credit(&c, 0, GUEST_BUF), 0);
	assert_int_equal(vconn_credit(&c), 0);
	assert_int_equal(recv_credit(&c, UINT32_MAX, GUEST_BUF), 0);
	assert_true(vconn_credit(&c) <= 1u << 30);
	assert_true(vconn_credit(&c) > GUEST_BUF);
	vconn_finish(&c);
}

static void test_stale_and_impossible_credit(void **state)
{
	struct vconn c = connected();
	struct vsock_hdr h;

	(void)state;
	vconn_data_hdr(&c, 1000, &h);
	assert_int_equal(recv_credit(&c, GUEST_BUF, 600), 0);
	assert_int_equal(recv_credit(&c, GUEST_BUF, 500), 0); /* overtaken on its way */
	assert_int_equal(vconn_credit(&c), GUEST_BUF - 400);
	assert_int_equal(recv_credit(&c, GUEST_BUF, 1000), 0);
	assert_int_equal(recv_credit(&c, GUEST_BUF, 1001), -EPROTO); /* more than was sent */
	assert_int_equal(recv_credit(&c, GUEST_BUF, 0x80000000u), -EPROTO);
	vconn_finish(&c);
}

static void test_tx_counters_wrap(void **state)
{
	struct vconn c = connected();
	struct vsock_hdr h;
	uint64_t sent = 0;

	(void)state;
	assert_int_equal(recv_credit(&c, 1u << 30, 0), 0);
	while (sent < 3ull << 32) {
		uint32_t n = vconn_credit(&c) - 12345;

		vconn_data_hdr(&c, n, &h);
		sent += n;
		assert_int_equal(c.tx_cnt, (uint32_t)sent);
		assert_int_equal(vconn_credit(&c), 12345);
		assert_int_equal(recv_credit(&c, 1u << 30, (uint32_t)sent - 7), 0);
		assert_int_equal(vconn_credit(&c), (1u << 30) - 7);
		assert_int_equal(recv_credit(&c, 1u << 30, (uint32_t)sent), 0);
		assert_int_equal(recv_credit(&c, 1u << 30, (uint32_t)sent + 1), -EPROTO);
	}
	vconn_finish(&c);
}

static void test_overdraw(void **state)
{
	struct vconn c = connected();
	struct vsock_hdr h;

	(void)state;
	assert_int_equal(recv_data(&c, VSOCK_BUF_BYTES - 1, 1), VCONN_EV_DATA);
	assert_int_equal(recv_data(&c, 2, 1), -EPROTO);
	assert_int_equal(recv_data(&c, UINT32_MAX, 1), -EPROTO);
	assert_int_equal(recv_data(&c, 1, 0), VCONN_EV_DATA);
	assert_int_equal(recv_data(&c, 1, 1), -EPROTO);
	/* Space that the guest wasn't told of is no credit. */
	vconn_consume(&c, VSOCK_BUF_BYTES);
	assert_int_equal(recv_data(&c, 1, 1), -EPROTO);
	assert_true(vconn_ctl_hdr(&c, &h));
	assert_int_equal(h.op, VSOCK_OP_CREDIT_UPDATE);
	assert_int_equal(h.fwd_cnt, VSOCK_BUF_BYTES);
	assert_int_equal(recv_data(&c, VSOCK_BUF_BYTES, 9), VCONN_EV_DATA);
	check_data(&c, VSOCK_BUF_BYTES, 9);
	vconn_finish(&c);
}

static void test_credit_update_when_due(void **state)
{
	struct vconn c = connected();
	struct vsock_hdr h;

	(void)state;
	assert_int_equal(recv_data(&c, VSOCK_BUF_BYTES / 2, 0), VCONN_EV_DATA);
	vconn_consume(&c, VSOCK_BUF_BYTES / 2);
	assert_int_equal(c.pend, 0); /* half is free, as far as the guest knows: enough */
	assert_int_equal(recv_data(&c, 1, 0), VCONN_EV_DATA);
	vconn_consume(&c, 1);
	assert_int_equal(c.pend, VCONN_PEND_CREDIT);
	assert_true(vconn_ctl_hdr(&c, &h));
	assert_int_equal(c.pend, 0);

	/* A full ring that is consumed in small pieces: an update a quarter, not one a piece. */
	assert_int_equal(recv_data(&c, VSOCK_BUF_BYTES, 0), VCONN_EV_DATA);
	for (unsigned i = 0; i < VSOCK_BUF_BYTES / 4 - 1; i++) {
		vconn_consume(&c, 1);
		assert_int_equal(c.pend, 0);
	}
	vconn_consume(&c, 1);
	assert_int_equal(c.pend, VCONN_PEND_CREDIT);
	/* Data carries credit as well. */
	vconn_data_hdr(&c, 1, &h);
	assert_int_equal(h.fwd_cnt, c.fwd_cnt);
	assert_int_equal(c.pend, 0);
	vconn_finish(&c);
}

static void test_credit_request(void **state)
{
	struct vconn c = connected();
	struct vsock_hdr h;

	(void)state;
	assert_int_equal(recv_data(&c, 10, 0), VCONN_EV_DATA);
	vconn_consume(&c, 4);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(recv_op(&c, VSOCK_OP_CREDIT_REQUEST, 0), 0);
	}
	assert_true(vconn_ctl_hdr(&c, &h)); /* however often it asks, one answer is due */
	assert_int_equal(h.op, VSOCK_OP_CREDIT_UPDATE);
	assert_int_equal(h.fwd_cnt, 4);
	assert_int_equal(h.buf_alloc, VSOCK_BUF_BYTES);
	assert_false(vconn_ctl_hdr(&c, &h));
	vconn_finish(&c);
}

static void test_ring_wraps(void **state)
{
	struct vconn c = connected();
	struct vsock_hdr h;
	struct iovec iov[2];
	uint8_t in = 0;
	uint8_t out = 0;

	(void)state;
	assert_int_equal(vconn_peek(&c, iov), 0);
	assert_int_equal(recv_data(&c, 100000, in), VCONN_EV_DATA);
	in = (uint8_t)(in + 100000u);
	for (unsigned i = 0; i < 50; i++) { /* never empty: goes round and round */
		assert_int_equal(recv_data(&c, 65536, in), VCONN_EV_DATA);
		in = (uint8_t)(in + 65536u);
		assert_int_equal(vconn_used(&c), 100000 + 65536);
		check_data(&c, 65536, out);
		out = (uint8_t)(out + 65536u);
		(void)vconn_ctl_hdr(&c, &h);
		c.pend |= VCONN_PEND_CREDIT;
		assert_true(vconn_ctl_hdr(&c, &h));
	}
	check_data(&c, 100000, out);
	assert_int_equal(vconn_used(&c), 0);
	assert_int_equal(c.ring_off, 0); /* starts over when empty */
	vconn_finish(&c);
	assert_null(c.ring);
}

static void test_rx_counters_wrap(void **state)
{
	struct vconn c = connected();
	struct vsock_hdr h;
	uint64_t total = 0;

	(void)state;
	vconn_shutdown(&c, false, true); /* drops data, so that 4 GiB pass quickly */
	while (total < 3ull << 31) {
		assert_int_equal(recv_data(&c, VSOCK_BUF_BYTES, 0), 0);
		total += VSOCK_BUF_BYTES;
		assert_int_equal(recv_data(&c, 1, 0), -EPROTO);
		assert_true(vconn_ctl_hdr(&c, &h));
		assert_int_equal(h.fwd_cnt, (uint32_t)total);
	}
	assert_null(c.ring);
	vconn_finish(&c);
}

static void test_nonsense(void **state)
{
	static const uint16_t ops[] = {0, VSOCK_OP_REQUEST, VSOCK_OP_RESPONSE, 8, 0xffff};
	struct vconn c = connected();

	(void)state;
	for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		assert_int_equal(recv_op(&c, ops[i], 0), -EPROTO);
	}
	assert_int_equal(recv_data(&c, 0, 0), 0);
	assert_int_equal(recv_op(&c, VSOCK_OP_SHUTDOWN, 0), 0);
	assert_int_equal(recv_op(&c, VSOCK_OP_SHUTDOWN, ~3u), 0);
	assert_false(vconn_over(&c));
	vconn_finish(&c);
}

static void test_guest_shuts_down(void **state)
{
	struct vconn c = connected();

	(void)state;
	assert_int_equal(recv_data(&c, 10, 3), VCONN_EV_DATA);
	assert_int_equal(recv_op(&c, VSOCK_OP_SHUTDOWN, VSOCK_SHUT_SEND), VCONN_EV_SHUT);
	assert_int_equal(recv_op(&c, VSOCK_OP_SHUTDOWN, VSOCK_SHUT_SEND), 0);
	assert_int_equal(recv_data(&c, 1, 0), -EPROTO); /* it said it wouldn't */
	assert_true(vconn_credit(&c) > 0);		/* the other direction lives */
	assert_int_equal(recv_op(&c, VSOCK_OP_SHUTDOWN, VSOCK_SHUT_RCV), VCONN_EV_SHUT);
	assert_int_equal(vconn_credit(&c), 0);
	assert_false(vconn_over(&c)); /* data waits */
	check_data(&c, 10, 3);
	assert_int_equal(c.pend, 0);
	assert_true(vconn_over(&c));
	vconn_finish(&c);
}

static void test_host_shuts_down(void **state)
{
	struct vconn c = connected();
	struct vsock_hdr h;

	(void)state;
	vconn_shutdown(&c, true, false);
	assert_int_equal(vconn_credit(&c), 0);
	assert_true(vconn_ctl_hdr(&c, &h));
	assert_int_equal(h.op, VSOCK_OP_SHUTDOWN);
	assert_int_equal(h.flags, VSOCK_SHUT_SEND);
	vconn_shutdown(&c, true, false); /* nothing new to say */
	assert_int_equal(c.pend, 0);
	assert_int_equal(recv_data(&c, 10, 0), VCONN_EV_DATA);
	vconn_shutdown(&c, false, true);
	assert_int_equal(vconn_used(&c), 0); /* what waited was dropped */
	assert_true(vconn_ctl_hdr(&c, &h));
	assert_int_equal(h.flags, VSOCK_SHUT_BOTH);
	assert_int_equal(h.fwd_cnt, 10);
	assert_int_equal(recv_data(&c, 10, 0), 0); /* was under way */
	assert_int_equal(vconn_used(&c), 0);
	assert_false(vconn_over(&c)); /* the guest has the last word */
	assert_int_equal(recv_op(&c, VSOCK_OP_RST, 0), VCONN_EV_GONE);
	assert_true(vconn_over(&c));
	vconn_finish(&c);
}

static void test_over(void **state)
{
	/* own, peer, over? */
	static const struct {
		uint8_t own;
		uint8_t peer;
		bool over;
	} t[] = {
		{0, 0, false},
		{VSOCK_SHUT_SEND, 0, false},
		{VSOCK_SHUT_RCV, 0, false},
		{VSOCK_SHUT_BOTH, 0, false},
		{0, VSOCK_SHUT_SEND, false},
		{0, VSOCK_SHUT_RCV, false},
		{0, VSOCK_SHUT_BOTH, true},
		{VSOCK_SHUT_SEND, VSOCK_SHUT_SEND, true},
		{VSOCK_SHUT_SEND, VSOCK_SHUT_RCV, false},
		{VSOCK_SHUT_RCV, VSOCK_SHUT_RCV, true},
		{VSOCK_SHUT_RCV, VSOCK_SHUT_SEND, false},
		{VSOCK_SHUT_BOTH, VSOCK_SHUT_SEND, false},
		{VSOCK_SHUT_BOTH, VSOCK_SHUT_BOTH, true},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct vconn c = connected();

		vconn_shutdown(&c, t[i].own & VSOCK_SHUT_SEND, t[i].own & VSOCK_SHUT_RCV);
		assert_true(recv_op(&c, VSOCK_OP_SHUTDOWN, t[i].peer) >= 0);
		assert_int_equal(vconn_over(&c), t[i].over);
		vconn_finish(&c);
	}
}

static void test_reset_by_guest_keeps_data(void **state)
{
	struct vconn c = connected();
	struct vsock_hdr h;

	(void)state;
	assert_int_equal(recv_data(&c, 100, 7), VCONN_EV_DATA);
	vconn_shutdown(&c, true, false);
	assert_int_equal(recv_op(&c, VSOCK_OP_RST, 0), VCONN_EV_GONE);
	assert_int_equal(c.state, VCONN_GONE);
	assert_false(vconn_ctl_hdr(&c, &h)); /* nobody there */
	assert_int_equal(vconn_credit(&c), 0);
	assert_false(vconn_over(&c));
	check_data(&c, 100, 7);
	assert_true(vconn_over(&c));
	vconn_abort(&c);
	assert_int_equal(c.state, VCONN_GONE);
	assert_int_equal(c.pend, 0);
	vconn_finish(&c);
}

static void test_abort(void **state)
{
	struct vconn c = connected();
	struct vsock_hdr h;

	(void)state;
	assert_int_equal(recv_data(&c, 100, 7), VCONN_EV_DATA);
	assert_int_equal(recv_op(&c, VSOCK_OP_CREDIT_REQUEST, 0), 0);
	vconn_shutdown(&c, true, false);
	vconn_abort(&c);
	assert_int_equal(vconn_used(&c), 0);
	assert_null(c.ring);
	assert_int_equal(vconn_credit(&c), 0);
	/* What the guest sends now was under way, broken rules or not. */
	assert_int_equal(recv_data(&c, 10, 0), 0);
	assert_int_equal(recv_op(&c, VSOCK_OP_REQUEST, 0), 0);
	assert_int_equal(recv_op(&c, VSOCK_OP_CREDIT_REQUEST, 0), 0);
	assert_true(vconn_ctl_hdr(&c, &h));
	assert_int_equal(h.op, VSOCK_OP_RST);
	assert_int_equal(h.dst_port, GUEST_PORT);
	assert_false(vconn_ctl_hdr(&c, &h)); /* a RST is the last packet */
	vconn_finish(&c);
}

static void test_ctl_order(void **state)
{
	static const uint16_t want[] = {VSOCK_OP_RESPONSE, VSOCK_OP_SHUTDOWN};
	struct vsock_hdr h = packet(VSOCK_OP_REQUEST);
	struct vconn c;

	(void)state;
	vconn_init(&c, &h);
	vconn_shutdown(&c, true, false);
	assert_int_equal(recv_op(&c, VSOCK_OP_CREDIT_REQUEST, 0), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(vconn_ctl_hdr(&c, &h));
		assert_int_equal(h.op, want[i]);
	}
	assert_false(vconn_ctl_hdr(&c, &h)); /* the credit went along */
	vconn_finish(&c);
}

static void test_header_on_the_wire(void **state)
{
	static const uint8_t wire[VSOCK_HDR_BYTES] = {
		3, 0,	 0,    0,    0,	   0,	 0,    0,    2,	   0,	 0,    0,    0,	   0,	0,
		0, 0x04, 0x03, 0x02, 0x01, 0x08, 0x07, 0x06, 0x05, 0x0c, 0x0b, 0x0a, 0x09, 1,	0,
		5, 0,	 0x10, 0x0f, 0x0e, 0x0d, 0x14, 0x13, 0x12, 0x11, 0x18, 0x17, 0x16, 0x15};
	uint8_t again[VSOCK_HDR_BYTES];
	struct vsock_hdr h;

	(void)state;
	vsock_hdr_decode(&h, wire);
	assert_int_equal(h.src_cid, 3);
	assert_int_equal(h.dst_cid, 2);
	assert_int_equal(h.src_port, 0x01020304);
	assert_int_equal(h.dst_port, 0x05060708);
	assert_int_equal(h.len, 0x090a0b0c);
	assert_int_equal(h.type, VSOCK_TYPE_STREAM);
	assert_int_equal(h.op, VSOCK_OP_RW);
	assert_int_equal(h.flags, 0x0d0e0f10);
	assert_int_equal(h.buf_alloc, 0x11121314);
	assert_int_equal(h.fwd_cnt, 0x15161718);
	vsock_hdr_encode(&h, again);
	assert_memory_equal(again, wire, sizeof(wire));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_and_response),
		cmocka_unit_test(test_credit_to_guest),
		cmocka_unit_test(test_stale_and_impossible_credit),
		cmocka_unit_test(test_tx_counters_wrap),
		cmocka_unit_test(test_overdraw),
		cmocka_unit_test(test_credit_update_when_due),
		cmocka_unit_test(test_credit_request),
		cmocka_unit_test(test_ring_wraps),
		cmocka_unit_test(test_rx_counters_wrap),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_guest_shuts_down),
		cmocka_unit_test(test_host_shuts_down),
		cmocka_unit_test(test_over),
		cmocka_unit_test(test_reset_by_guest_keeps_data),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_ctl_order),
		cmocka_unit_test(test_header_on_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
