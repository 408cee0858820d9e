/* SPDX-License-Identifier: Apache-2.0 */
/* test_dns_relay.c - questions of the guest, a name server's answers, and guests that lie */
#include "cm.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns_relay.h"
#include "evil_vsock.h"

#define GP	5000u
#define RX_BUFS 64u

/** struct rig - @server: the name server's end */
struct rig {
	struct eg *g;
	struct vsock *v;
	struct vsg *guest;
	struct dns_relay d;
	int server;
	uint32_t got_bytes;
};

static int accept_dns(void *ctx, uint32_t port, struct vsock_conn *conn,
		      const struct vsock_endpoint **ep, void **ep_ctx)
{
	struct rig *r = ctx;

	assert_int_equal(port, AP_PORT_DNS);
	return dns_relay_accept(&r->d, conn, ep, ep_ctx);
}

static int rig_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	int pair[2];

	assert_non_null(r);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	r->g = eg_create();
	assert_int_equal(vsock_create(eg_mem(r->g), accept_dns, r, &r->v), 0);
	dns_relay_init(&r->d, r->v, pair[0]);
	r->server = pair[1];
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
	close(r->d.fd);
	close(r->server);
	eg_destroy(r->g);
	free(r);
	return 0;
}

/* Return: the next packet's operation but for credit, 0 for none */
static uint16_t next_op(struct rig *r, uint8_t *data, uint32_t *len)
{
	struct vsock_hdr h;

	while (vsg_take(r->guest, &h, data)) {
		if (h.op != VSOCK_OP_CREDIT_UPDATE) {
			r->got_bytes += h.op == VSOCK_OP_RW ? h.len : 0;
			*len = h.len;
			return h.op;
		}
	}
	return 0;
}

static void expect_op(struct rig *r, uint16_t op)
{
	static uint8_t data[VSOCK_PAYLOAD_MAX];
	uint32_t len;

	assert_int_equal(next_op(r, data, &len), op);
}

static void attach(struct rig *r)
{
	vsg_send(r->guest, VSOCK_OP_REQUEST, GP, AP_PORT_DNS, 0);
	expect_op(r, VSOCK_OP_RESPONSE);
}

static void says(struct rig *r, const void *data, uint32_t len)
{
	vsg_send_data(r->guest, GP, AP_PORT_DNS, data, len, r->got_bytes);
}

static size_t message(uint8_t *m, uint8_t fill, size_t len)
{
	m[0] = (uint8_t)(len >> 8);
	m[1] = (uint8_t)len;
	memset(m + 2, fill, len);
	return 2 + len;
}

static void server_reads(struct rig *r, uint8_t fill, size_t len)
{
	static uint8_t m[AP_DNS_MAX + 1];

	assert_int_equal(recv(r->server, m, sizeof(m), 0), len);
	assert_int_equal(m[0], fill);
	assert_int_equal(m[len - 1], fill);
}

static void server_reads_nothing(struct rig *r)
{
	uint8_t m[1];

	assert_int_equal(recv(r->server, m, sizeof(m), 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void server_says(struct rig *r, uint8_t fill, size_t len)
{
	static uint8_t m[AP_DNS_MAX + 1];

	memset(m, fill, len);
	assert_int_equal(send(r->server, m, len, 0), len);
	dns_relay_event(&r->d);
}

static void questions_go_out_whole(void **state)
{
	struct rig *r = *state;
	static uint8_t m[3 * (2 + AP_DNS_MAX)];
	size_t len;

	attach(r);
	len = message(m, 'a', AP_DNS_MIN);
	len += message(m + len, 'b', 100);
	says(r, m, (uint32_t)len);
	server_reads(r, 'a', AP_DNS_MIN);
	server_reads(r, 'b', 100);
	len = message(m, 'c', AP_DNS_MAX);
	for (size_t i = 0; i < len; i++) { /* a byte at a time, around its edges at least */
		size_t n = i > 4 && i + 5000 < len ? 5000 : 1;

		server_reads_nothing(r);
		says(r, m + i, (uint32_t)n);
		i += n - 1;
	}
	server_reads(r, 'c', AP_DNS_MAX);
}

static void answers_come_back(void **state)
{
	struct rig *r = *state;
	static uint8_t data[VSOCK_PAYLOAD_MAX];
	uint32_t len;

	server_says(r, 'x', 100); /* nobody has connected */
	attach(r);
	server_says(r, 'y', 100);
	assert_int_equal(next_op(r, data, &len), VSOCK_OP_RW);
	assert_int_equal(len, 102);
	assert_int_equal(data[0], 0);
	assert_int_equal(data[1], 100);
	assert_int_equal(data[2], 'y');
	server_says(r, 'z', AP_DNS_MIN - 1);
	server_says(r, 'z', AP_DNS_MAX + 1);
	assert_int_equal(next_op(r, data, &len), 0);
}

/* Only whole answers are sent: what the guest has no room for is lost. */
static void guest_that_does_not_read(void **state)
{
	struct rig *r = *state;
	static uint8_t data[VSOCK_PAYLOAD_MAX];
	uint32_t len, all = 0;

	attach(r);
	for (unsigned i = 0; i < 100; i++) {
		server_says(r, 'y', AP_DNS_MAX);
	}
	do {
		while (next_op(r, data, &len) == VSOCK_OP_RW) {
			all += len;
		}
	} while (vsg_post(r->guest, RX_BUFS, VSG_RX_LEN) > 0 && next_op(r, data, &len) != 0 &&
		 (all += len));
	assert_in_range(all, 2 + AP_DNS_MAX, 99 * (2 + AP_DNS_MAX));
	assert_int_equal(all % (2 + AP_DNS_MAX), 0);
}

static void liars_are_dropped(void **state)
{
	struct rig *r = *state;
	static const uint8_t too_short[] = {0, AP_DNS_MIN - 1, 'x'};

	attach(r);
	says(r, too_short, sizeof(too_short));
	expect_op(r, VSOCK_OP_RST);
	assert_null(r->d.conn);
	server_says(r, 'y', 100);
	vsg_send(r->guest, VSOCK_OP_REQUEST, GP + 1, AP_PORT_DNS, 0); /* for good */
	expect_op(r, VSOCK_OP_RST);
	server_reads_nothing(r);
}

static void too_long_is_a_lie(void **state)
{
	struct rig *r = *state;
	static const uint8_t too_long[] = {(AP_DNS_MAX + 1) >> 8, (AP_DNS_MAX + 1) & 0xff, 'x'};

	attach(r);
	says(r, too_long, sizeof(too_long));
	expect_op(r, VSOCK_OP_RST);
	server_reads_nothing(r);
}

static void half_a_connection_is_none(void **state)
{
	struct rig *r = *state;

	attach(r);
	vsg_send(r->guest, VSOCK_OP_SHUTDOWN, GP, AP_PORT_DNS, 2);
	assert_null(r->d.conn);
	server_says(r, 'y', 100);
}

static void nobody_to_ask(void **state)
{
	struct rig *r = *state;
	int fd = r->d.fd;

	r->d.fd = -1;
	vsg_send(r->guest, VSOCK_OP_REQUEST, GP, AP_PORT_DNS, 0);
	expect_op(r, VSOCK_OP_RST);
	r->d.fd = fd;
}

#define RIG(test) cmocka_unit_test_setup_teardown(test, rig_up, rig_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG(questions_go_out_whole), RIG(answers_come_back), RIG(guest_that_does_not_read),
		RIG(liars_are_dropped),	     RIG(too_long_is_a_lie), RIG(half_a_connection_is_none),
		RIG(nobody_to_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
