/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_client.c - the conversation with the guest agent: framing, order, and liars */
#include "cm.h"

#include <errno.h>

#include "agent_client.h"
#include "base/bytes.h"
#include "base/checked.h"
#include "evil_vsock.h"

#define GP	5000u
#define RX_BUFS 64u
#define SMALL	4096u

/** struct rig - a vmm that records what the agent said */
struct rig {
	struct eg *g;
	struct vsock *v;
	struct vsg *guest;
	struct agent_client *a;
	uint32_t got_bytes;
	unsigned n_hello, n_reply, n_exit, n_notify, n_left, n_lost;
	char release[64];
	uint32_t reply_id, reply_code;
	char reply_text[64];
	uint32_t exit_status;
	char reason[128];
	bool reply_at_once; /* answer hello from its handler, as the vmm does */
	int sent;
};

static void on_hello(void *ctx, const struct ap_hello *m)
{
	struct rig *r = ctx;
	uint8_t frame[64];
	long n;

	r->n_hello++;
	(void)snprintf(r->release, sizeof(r->release), "%s", m->release);
	if (r->reply_at_once) {
		n = ap_encode_empty(AP_MSG_STATS, 1, frame, sizeof(frame));
		assert_true(n > 0);
		r->sent = agent_client_send(r->a, frame, (size_t)n);
	}
}

static void on_reply(void *ctx, uint32_t id, const struct ap_reply *m)
{
	struct rig *r = ctx;

	r->n_reply++;
	r->reply_id = id;
	r->reply_code = m->code;
	(void)snprintf(r->reply_text, sizeof(r->reply_text), "%s", m->text ? m->text : "");
}

static void on_notify(void *ctx, const struct ap_notify *m)
{
	struct rig *r = ctx;

	r->n_notify++;
	assert_string_equal(m->text, "READY=1");
}

static void on_exit_(void *ctx, const struct ap_exit *m)
{
	struct rig *r = ctx;

	r->n_exit++;
	r->exit_status = m->status;
}

static void on_left(void *ctx, const struct ap_left *m)
{
	struct rig *r = ctx;

	r->n_left++;
	assert_int_equal(m->number, 3);
	assert_int_equal(m->status, 137);
}

static void on_lost(void *ctx, const char *reason)
{
	struct rig *r = ctx;

	r->n_lost++;
	(void)snprintf(r->reason, sizeof(r->reason), "%s", reason);
}

static int accept_agent(void *ctx, uint32_t port, struct vsock_conn *conn,
			const struct vsock_endpoint **ep, void **ep_ctx)
{
	struct rig *r = ctx;

	assert_int_equal(port, AP_PORT_CONTROL);
	return agent_client_accept(r->a, conn, ep, ep_ctx);
}

static int rig_up(void **state)
{
	static const struct agent_events ev = {
		.on_hello = on_hello,
		.on_reply = on_reply,
		.on_exit = on_exit_,
		.on_notify = on_notify,
		.on_left = on_left,
		.on_lost = on_lost,
	};
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->g = eg_create();
	assert_int_equal(agent_client_create(&ev, r, &r->a), 0);
	assert_int_equal(vsock_create(eg_mem(r->g), accept_agent, r, &r->v), 0);
	r->guest = vsg_create(r->g, vsock_dev(r->v));
	assert_true(vsg_start(r->guest, EG_ALL_OFFERED));
	(void)vsg_post(r->guest, RX_BUFS, VSG_RX_LEN);
	*state = r;
	return 0;
}

static int rig_down(void **state)
{
	struct rig *r = *state;

	vsg_destroy(r->guest);
	vsock_destroy(r->v);
	assert_true(r->n_lost <= 1);
	agent_client_destroy(r->a);
	eg_destroy(r->g);
	free(r);
	return 0;
}

static void expect_op(struct rig *r, uint16_t op)
{
	struct vsock_hdr h = {0};

	do {
		assert_true(vsg_take(r->guest, &h, NULL));
	} while (h.op == VSOCK_OP_CREDIT_UPDATE && op != VSOCK_OP_CREDIT_UPDATE);
	assert_int_equal(h.op, op);
}

static void attach(struct rig *r)
{
	assert_false(agent_client_connected(r->a));
	vsg_send(r->guest, VSOCK_OP_REQUEST, GP, AP_PORT_CONTROL, 0);
	expect_op(r, VSOCK_OP_RESPONSE);
	assert_true(agent_client_connected(r->a));
}

static void says(struct rig *r, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t n;

	for (; len > 0; len -= n, p += n) {
		n = VR_MIN(len, (size_t)32768);
		vsg_send_data(r->guest, GP, AP_PORT_CONTROL, p, (uint32_t)n, r->got_bytes);
	}
}

static size_t hello(uint8_t *buf)
{
	const struct ap_hello m = {
		.version = AP_VERSION, .features = 1, .n_cpus = 2, .release = "6.12.0-guest"};
	long n = ap_encode_hello(&m, buf, SMALL);

	assert_true(n > 0);
	return (size_t)n;
}

static size_t reply(uint8_t *buf, uint32_t id, const char *text)
{
	const struct ap_reply m = {.code = text ? ENOENT : 0,
				   .fail = text ? AP_FAIL_NOT_FOUND : AP_FAIL_NONE,
				   .text = text};
	long n = ap_encode_reply(&m, id, buf, SMALL);

	assert_true(n > 0);
	return (size_t)n;
}

static size_t ended(uint8_t *buf, uint32_t status)
{
	const struct ap_exit m = {.status = status};
	long n = ap_encode_exit(&m, buf, SMALL);

	assert_true(n > 0);
	return (size_t)n;
}

static size_t notifies(uint8_t *buf)
{
	const struct ap_notify m = {.text = "READY=1"};
	long n = ap_encode_notify(&m, buf, SMALL);

	assert_true(n > 0);
	return (size_t)n;
}

static size_t leaves(uint8_t *buf)
{
	const struct ap_left m = {.number = 3, .status = 137};
	long n = ap_encode_left(&m, buf, SMALL);

	assert_true(n > 0);
	return (size_t)n;
}

static void greet(struct rig *r)
{
	uint8_t b[SMALL];

	attach(r);
	says(r, b, hello(b));
	assert_int_equal(r->n_hello, 1);
	assert_int_equal(r->n_lost, 0);
}

static void expect_lost(struct rig *r, const char *reason)
{
	assert_int_equal(r->n_lost, 1);
	assert_string_equal(r->reason, reason);
	assert_false(agent_client_connected(r->a));
}

/* ---- frames ---- */

static void a_whole_conversation(void **state)
{
	struct rig *r = *state;
	uint8_t b[SMALL];

	greet(r);
	assert_string_equal(r->release, "6.12.0-guest");
	says(r, b, reply(b, 7, "exec: no such file"));
	assert_int_equal(r->n_reply, 1);
	assert_int_equal(r->reply_id, 7);
	assert_int_equal(r->reply_code, ENOENT);
	assert_string_equal(r->reply_text, "exec: no such file");
	says(r, b, notifies(b));
	assert_int_equal(r->n_notify, 1);
	says(r, b, leaves(b));
	assert_int_equal(r->n_left, 1);
	says(r, b, ended(b, 42));
	assert_int_equal(r->n_exit, 1);
	assert_int_equal(r->exit_status, 42);
	assert_int_equal(r->n_lost, 0);
	assert_true(agent_client_connected(r->a));
}

/* Whoever is done with a conversation isn't told of its end. */
static void a_dropped_one_is_silent(void **state)
{
	struct rig *r = *state;
	uint8_t b[SMALL];

	greet(r);
	vsock_lock(r->v);
	agent_client_drop(r->a);
	assert_int_equal(agent_client_send(r->a, b, 1), -ENOTCONN);
	agent_client_drop(r->a); /* twice does no harm */
	vsock_unlock(r->v);
	expect_op(r, VSOCK_OP_RST);
	assert_int_equal(r->n_lost, 0);
	assert_false(agent_client_connected(r->a));
}

static size_t three_frames(uint8_t *b)
{
	size_t n = hello(b);

	n += reply(b + n, 9, NULL);
	return n + ended(b + n, 3);
}

static void check_three(const struct rig *r)
{
	assert_int_equal(r->n_hello, 1);
	assert_int_equal(r->n_reply, 1);
	assert_int_equal(r->reply_id, 9);
	assert_int_equal(r->n_exit, 1);
	assert_int_equal(r->exit_status, 3);
	assert_int_equal(r->n_lost, 0);
}

static void frames_split_at_every_byte(void **state)
{
	uint8_t b[3 * SMALL];
	size_t n = three_frames(b);

	for (size_t cut = 0; cut <= n; cut++) {
		struct rig *r = *state;

		attach(r);
		says(r, b, cut);
		says(r, b + cut, n - cut);
		check_three(r);
		assert_int_equal(rig_down(state), 0);
		assert_int_equal(rig_up(state), 0);
	}
}

static void frames_byte_by_byte(void **state)
{
	struct rig *r = *state;
	uint8_t b[3 * SMALL];
	size_t n = three_frames(b);

	attach(r);
	for (size_t i = 0; i < n; i++) {
		says(r, b + i, 1);
	}
	check_three(r);
}

static void many_frames_wrap_the_ring(void **state)
{
	struct rig *r = *state;
	uint8_t b[SMALL];
	unsigned i;
	size_t n;

	greet(r);
	for (i = 1; i <= 20000; i++) { /* several times the connection's buffer */
		n = reply(b, i, i % 3 == 0 ? "text of another length" : NULL);
		says(r, b, n);
		assert_int_equal(r->reply_id, i);
		if (i % 1000 == 0) {
			while (vsg_take(r->guest, &(struct vsock_hdr){0}, NULL)) {
				(void)vsg_post(r->guest, 1, VSG_RX_LEN);
			}
		}
	}
	assert_int_equal(r->n_reply, 20000);
	assert_int_equal(r->n_lost, 0);
}

static void the_largest_frame_is_taken(void **state)
{
	struct rig *r = *state;
	size_t cap = AP_HEADER_LEN + AP_FRAME_MAX;
	uint8_t *body = calloc(1, AP_FRAME_MAX), *frame = malloc(cap);
	struct ap_reply m = {.body = body};
	struct vsock_hdr h;
	long n = -1;

	assert_non_null(body);
	assert_non_null(frame);
	/* as large as it gets */
	for (m.body_len = AP_FRAME_MAX; n < 0; m.body_len--) {
		n = ap_encode_reply(&m, 5, frame, cap);
	}
	assert_int_equal(n, cap);
	greet(r);
	for (long at = 0; at < n; at += 32768) {
		says(r, frame + at, (size_t)VR_MIN(n - at, 32768L));
		while (vsg_take(r->guest, &h, NULL)) {
			assert_int_equal(h.op, VSOCK_OP_CREDIT_UPDATE);
			(void)vsg_post(r->guest, 1, VSG_RX_LEN);
		}
	}
	assert_int_equal(r->n_reply, 1);
	assert_int_equal(r->reply_id, 5);
	free(frame);
	free(body);
}

/* ---- liars ---- */

static size_t header(uint8_t *b, uint32_t len, uint16_t type, uint32_t id)
{
	struct vr_wr w;

	vr_wr_init(&w, b, AP_HEADER_LEN);
	vr_wr_u32(&w, len);
	vr_wr_u16(&w, type);
	vr_wr_u16(&w, 0);
	vr_wr_u32(&w, id);
	assert_true(vr_wr_ok(&w));
	return AP_HEADER_LEN;
}

static void the_first_frame_is_hello(void **state)
{
	struct rig *r = *state;
	uint8_t b[SMALL];

	attach(r);
	says(r, b, reply(b, 1, NULL));
	expect_lost(r, "the agent sent a frame out of turn");
	assert_int_equal(r->n_reply, 0);
	expect_op(r, VSOCK_OP_RST);
	says(r, b, hello(b)); /* too late */
	assert_int_equal(r->n_hello, 0);
	assert_int_equal(r->n_lost, 1);
}

static void an_exit_is_no_greeting(void **state)
{
	struct rig *r = *state;
	uint8_t b[SMALL];

	attach(r);
	says(r, b, ended(b, 0));
	expect_lost(r, "the agent sent a frame out of turn");
	assert_int_equal(r->n_exit, 0);
}

static void hello_comes_once(void **state)
{
	struct rig *r = *state;
	uint8_t b[2 * SMALL];
	size_t n;

	attach(r);
	n = hello(b);
	n += hello(b + n);
	n += ended(b + n, 1); /* not looked at any more */
	says(r, b, n);
	expect_lost(r, "the agent sent a frame out of turn");
	assert_int_equal(r->n_hello, 1);
	assert_int_equal(r->n_exit, 0);
}

static void requests_are_ours(void **state)
{
	struct rig *r = *state;
	uint8_t b[SMALL];
	long n = ap_encode_empty(AP_MSG_SHUTDOWN, 3, b, sizeof(b));

	greet(r);
	assert_true(n > 0);
	says(r, b, (size_t)n);
	expect_lost(r, "the agent sent a request");
}

static void malformed_headers(void **state)
{
	static const struct {
		uint32_t len;
		uint16_t type;
		uint32_t id;
	} table[] = {
		{AP_FRAME_MAX + 1, AP_MSG_REPLY, 1},
		{UINT32_MAX, AP_MSG_REPLY, 1},
		{4, 0x7f, 1},
		{4, 0, 1},
		{4, AP_MSG_EXIT, 1}, /* events have no id */
	};
	uint8_t b[SMALL];

	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		struct rig *r = *state;

		greet(r);
		says(r, b, header(b, table[i].len, table[i].type, table[i].id));
		expect_lost(r, "the agent sent a malformed frame header");
		expect_op(r, VSOCK_OP_RST);
		assert_int_equal(rig_down(state), 0);
		assert_int_equal(rig_up(state), 0);
	}
}

static void malformed_payloads(void **state)
{
	static const struct {
		uint16_t type;
		const char *reason;
	} table[] = {
		{AP_MSG_REPLY, "the agent sent a malformed reply"},
		{AP_MSG_EXIT, "the agent sent a malformed exit"},
		{AP_MSG_NOTIFY, "the agent sent a malformed notify"},
	};
	uint8_t b[SMALL] = {0};

	for (size_t i = 0; i < 2 * VR_ARRAY_SIZE(table); i++) {
		struct rig *r = *state;
		uint32_t len = i % 2 ? 0 : 16; /* zeros, and nothing at all */
		uint16_t type = table[i / 2].type;
		size_t n = header(b, len, type, type == AP_MSG_REPLY ? 1 : 0);

		greet(r);
		says(r, b, n + len);
		expect_lost(r, table[i / 2].reason);
		assert_int_equal(r->n_reply + r->n_exit, 0);
		assert_int_equal(rig_down(state), 0);
		assert_int_equal(rig_up(state), 0);
	}
}

static void a_malformed_hello(void **state)
{
	struct rig *r = *state;
	uint8_t b[SMALL];
	size_t n;

	attach(r);
	n = header(b, 0, AP_MSG_HELLO, 0); /* an empty frame, dispatched without more bytes */
	says(r, b, n);
	expect_lost(r, "the agent sent a malformed hello");
	assert_int_equal(r->n_hello, 0);
}

/* ---- connections ---- */

static void a_second_connection_is_refused(void **state)
{
	struct rig *r = *state;
	uint8_t b[SMALL];

	attach(r);
	vsg_send(r->guest, VSOCK_OP_REQUEST, GP + 1, AP_PORT_CONTROL, 0);
	expect_op(r, VSOCK_OP_RST);
	says(r, b, hello(b)); /* the first goes on */
	assert_int_equal(r->n_hello, 1);
}

static void not_even_after_the_first_is_gone(void **state)
{
	struct rig *r = *state;

	greet(r);
	vsg_send(r->guest, VSOCK_OP_RST, GP, AP_PORT_CONTROL, 0);
	expect_lost(r, "the agent closed its connection"); /* as the device reports it */
	vsg_send(r->guest, VSOCK_OP_REQUEST, GP + 1, AP_PORT_CONTROL, 0);
	expect_op(r, VSOCK_OP_RST);
	assert_false(agent_client_connected(r->a));
	assert_int_equal(r->n_lost, 1);
}

static void closing_is_an_end_whichever_way(void **state)
{
	static const uint32_t flags[] = {VSOCK_SHUT_SEND, VSOCK_SHUT_RCV,
					 VSOCK_SHUT_SEND | VSOCK_SHUT_RCV};

	for (size_t i = 0; i < VR_ARRAY_SIZE(flags); i++) {
		struct rig *r = *state;

		greet(r);
		vsg_send(r->guest, VSOCK_OP_SHUTDOWN, GP, AP_PORT_CONTROL, flags[i]);
		expect_lost(r, "the agent closed its connection");
		assert_int_equal(rig_down(state), 0);
		assert_int_equal(rig_up(state), 0);
	}
}

static void last_words_are_heard(void **state)
{
	struct rig *r = *state;
	uint8_t b[SMALL];
	struct vsock_hdr h = vsg_hdr(VSOCK_OP_RW, GP, AP_PORT_CONTROL);

	greet(r);
	h.len = (uint32_t)ended(b, 9);
	vsg_put(r->guest, &h, b);
	h = vsg_hdr(VSOCK_OP_SHUTDOWN, GP, AP_PORT_CONTROL);
	h.flags = VSOCK_SHUT_SEND | VSOCK_SHUT_RCV;
	vsg_put(r->guest, &h, NULL);
	vsg_kick_tx(r->guest); /* both at once */
	assert_int_equal(r->n_exit, 1);
	assert_int_equal(r->exit_status, 9);
	expect_lost(r, "the agent closed its connection");
}

static void a_reset_device_ends_it(void **state)
{
	struct rig *r = *state;

	greet(r);
	eg_reset(r->g);
	vsock_work(r->v);
	assert_int_equal(r->n_lost, 1);
	assert_false(agent_client_connected(r->a));
}

/* ---- frames for the guest ---- */

static int send_locked(struct rig *r, const void *frame, size_t len)
{
	int rc;

	vsock_lock(r->v);
	rc = agent_client_send(r->a, frame, len);
	vsock_unlock(r->v);
	return rc;
}

/* What the guest has received by now, giving credit. Return: bytes */
static size_t guest_reads(struct rig *r, uint8_t *out, size_t cap)
{
	static uint8_t packet[VSOCK_PAYLOAD_MAX];
	struct vsock_hdr h;
	size_t n = 0;

	for (unsigned idle = 0; idle < 3; idle++) {
		while (vsg_take(r->guest, &h, packet)) {
			(void)vsg_post(r->guest, 1, VSG_RX_LEN);
			if (h.op != VSOCK_OP_RW) {
				continue;
			}
			assert_true(h.len <= cap - n);
			memcpy(out + n, packet, h.len);
			n += h.len;
			r->got_bytes += h.len;
			idle = 0;
		}
		h = vsg_hdr(VSOCK_OP_CREDIT_UPDATE, GP, AP_PORT_CONTROL);
		h.fwd_cnt = r->got_bytes;
		vsg_put(r->guest, &h, NULL);
		vsg_kick_tx(r->guest);
		vsock_work(r->v);
	}
	return n;
}

static void sending_needs_a_connection(void **state)
{
	struct rig *r = *state;

	assert_int_equal(send_locked(r, "x", 1), -ENOTCONN);
	greet(r);
	assert_int_equal(send_locked(r, "x", 1), 0);
	vsg_send(r->guest, VSOCK_OP_RST, GP, AP_PORT_CONTROL, 0);
	assert_int_equal(send_locked(r, "x", 1), -ENOTCONN);
}

static void a_handler_may_answer(void **state)
{
	struct rig *r = *state;
	uint8_t b[SMALL];
	struct ap_header h;

	r->reply_at_once = true;
	greet(r);
	assert_int_equal(r->sent, 0);
	assert_int_equal(guest_reads(r, b, sizeof(b)), AP_HEADER_LEN);
	assert_int_equal(ap_decode_header(b, &h), 0);
	assert_int_equal(h.type, AP_MSG_STATS);
}

static void frames_wait_for_a_slow_guest(void **state)
{
	struct rig *r = *state;
	const size_t len = AP_HEADER_LEN + AP_FRAME_MAX;
	uint8_t *frame = malloc(len), *got = malloc(2 * len);
	size_t n, queued = 0;

	assert_non_null(frame);
	assert_non_null(got);
	for (size_t i = 0; i < len; i++) {
		frame[i] = (uint8_t)(i ^ (i >> 8) ^ (i >> 16));
	}
	greet(r);
	/* The largest frame always has room at first; the queue is bounded. */
	assert_int_equal(send_locked(r, frame, len), 0);
	while (queued < 1000 && send_locked(r, "0123456789abcdef", 16) == 0) {
		queued++;
	}
	n = guest_reads(r, got, 2 * len);
	assert_int_equal(n, len + 16 * queued);
	assert_int_equal(memcmp(got, frame, len), 0);
	for (size_t i = 0; i < queued; i++) {
		assert_memory_equal(got + len + 16 * i, "0123456789abcdef", 16);
	}
	/* all gone: the whole room is there again */
	assert_int_equal(send_locked(r, frame, len), 0);
	assert_int_equal(guest_reads(r, got, 2 * len), len);
	assert_int_equal(memcmp(got, frame, len), 0);
	free(frame);
	free(got);
}

static void a_guest_that_never_reads_is_bounded(void **state)
{
	struct rig *r = *state;
	static const uint8_t junk[65536];
	unsigned n = 0;
	int rc;

	greet(r);
	while ((rc = send_locked(r, junk, sizeof(junk))) == 0) {
		assert_true(++n < 100);
	}
	assert_int_equal(rc, -ENOBUFS);
	assert_true(n >= 16);
	assert_int_equal(r->n_lost, 0); /* the caller decides */
	assert_int_equal(send_locked(r, junk, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_whole_conversation),
		TEST(a_dropped_one_is_silent),
		TEST(frames_split_at_every_byte),
		TEST(frames_byte_by_byte),
		TEST(many_frames_wrap_the_ring),
		TEST(the_largest_frame_is_taken),
		TEST(the_first_frame_is_hello),
		TEST(an_exit_is_no_greeting),
		TEST(hello_comes_once),
		TEST(requests_are_ours),
		TEST(malformed_headers),
		TEST(malformed_payloads),
		TEST(a_malformed_hello),
		TEST(a_second_connection_is_refused),
		TEST(not_even_after_the_first_is_gone),
		TEST(closing_is_an_end_whichever_way),
		TEST(last_words_are_heard),
		TEST(a_reset_device_ends_it),
		TEST(sending_needs_a_connection),
		TEST(a_handler_may_answer),
		TEST(frames_wait_for_a_slow_guest),
		TEST(a_guest_that_never_reads_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
