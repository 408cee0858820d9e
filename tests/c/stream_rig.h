/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_rig.h - a stream between an fd of the test and a guest, with a real event loop
 *
 * Shared by the test_stream*.c programs. Include after cm.h.
 */
#ifndef TESTS_STREAM_RIG_H
#define TESTS_STREAM_RIG_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/fdio.h"
#include "console.h"
#include "evil_vsock.h"
#include "stream.h"

#define PORT	  100u
#define GP	  5000u
#define RX_BUFS	  64u
#define EV_STREAM 1u
#define EV_STOP	  2u
#define EV_DEV	  3u
#define INDEX	  6u /* of the read side; 7 is the write side */
#define BIG	  (3u * 1024 * 1024)

/**
 * struct rig - a stream between an fd of the test and a guest
 * @fd: the test's end of what the stream has
 */
struct rig {
	struct eg *g;
	struct vsock *v;
	struct vsg *guest;
	struct loop *loop;
	struct stream s;
	unsigned drained;
	bool attached;
	uint32_t got_bytes; /* from the host, for credit */
	int fd;
	uint8_t *data; /* BIG bytes that differ */
};

static inline int accept_stream(void *ctx, uint32_t port, struct vsock_conn *conn,
				const struct vsock_endpoint **ep, void **ep_ctx)
{
	struct rig *r = ctx;

	assert_int_equal(port, PORT);
	if (r->s.attached) {
		return -ECONNREFUSED;
	}
	r->s.attached = true;
	r->s.conn = conn;
	*ep = stream_endpoint();
	*ep_ctx = &r->s;
	return 0;
}

static inline void on_stream(void *ctx, uint32_t index, uint32_t events)
{
	struct rig *r = ctx;

	(void)events;
	assert_int_equal(index & ~1u, INDEX);
	stream_event(&r->s, (index & 1) != 0);
}

static inline void on_stop(void *ctx, uint32_t index, uint32_t events)
{
	(void)index;
	(void)events;
	loop_stop(((struct rig *)ctx)->loop);
}

static inline void on_device(void *ctx, uint32_t index, uint32_t events)
{
	(void)index;
	(void)events;
	vsock_work(((struct rig *)ctx)->v);
}

static inline void on_drained(void *ctx)
{
	((struct rig *)ctx)->drained++;
}

static inline int rig_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->g = eg_create();
	r->fd = -1;
	assert_int_equal(vsock_create(eg_mem(r->g), accept_stream, r, &r->v), 0);
	r->guest = vsg_create(r->g, vsock_dev(r->v));
	assert_true(vsg_start(r->guest, EG_ALL_OFFERED));
	assert_int_equal(loop_create(&r->loop), 0);
	loop_handle(r->loop, EV_STREAM, on_stream, r);
	loop_handle(r->loop, EV_STOP, on_stop, r);
	loop_handle(r->loop, EV_DEV, on_device, r);
	assert_int_equal(loop_add(r->loop, vsock_event_fd(r->v), 1 /* EPOLLIN */, EV_DEV, 0), 0);
	r->data = malloc(BIG);
	assert_non_null(r->data);
	for (uint32_t i = 0; i < BIG; i++) {
		r->data[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
	}
	*state = r;
	return 0;
}

static inline int rig_down(void **state)
{
	struct rig *r = *state;

	vsock_lock(r->v);
	stream_abandon(&r->s);
	vsock_unlock(r->v);
	assert_int_equal(r->s.rfd, -1);
	assert_int_equal(r->s.wfd, -1);
	vsg_destroy(r->guest);
	vsock_destroy(r->v);
	loop_destroy(r->loop);
	eg_destroy(r->g);
	if (r->fd >= 0) {
		(void)close(r->fd);
	}
	free(r->data);
	free(r);
	return 0;
}

static inline void start(struct rig *r, int rfd, int wfd)
{
	stream_init(&r->s, r->loop, r->v, EV_STREAM, INDEX, rfd, wfd);
	r->s.drained = on_drained;
	r->s.ctx = r;
}

/* Let the loop see what there is to be seen. */
static inline void turn(struct rig *r)
{
	assert_int_equal(loop_after(r->loop, EV_STOP, 0, 2), 0);
	assert_int_equal(loop_run(r->loop), 0);
}

static inline void expect_op(struct rig *r, uint16_t op, struct vsock_hdr *out)
{
	struct vsock_hdr h = {0};

	if (!vsg_take(r->guest, &h, NULL)) {
		fail_msg("no packet, op %u expected", op);
	}
	assert_int_equal(h.op, op);
	if (out) {
		*out = h;
	}
}

static inline void expect_no_packet(struct rig *r)
{
	struct vsock_hdr h;

	assert_false(vsg_take(r->guest, &h, NULL));
}

static inline void expect_shutdown(struct rig *r, uint32_t flags)
{
	struct vsock_hdr h;

	expect_op(r, VSOCK_OP_SHUTDOWN, &h);
	assert_int_equal(h.flags, flags);
}

/* As the vmm does: connect, and start bytes from the loop later. */
static inline void attach(struct rig *r)
{
	(void)vsg_post(r->guest, RX_BUFS, VSG_RX_LEN);
	vsg_send(r->guest, VSOCK_OP_REQUEST, GP, PORT, 0);
	expect_op(r, VSOCK_OP_RESPONSE, NULL);
	stream_attached(&r->s);
}

static inline void guest_says(struct rig *r, const void *data, uint32_t len)
{
	vsg_send_data(r->guest, GP, PORT, data, len, r->got_bytes);
}

static inline void guest_shuts(struct rig *r, uint32_t flags)
{
	vsg_send(r->guest, VSOCK_OP_SHUTDOWN, GP, PORT, flags);
}

/* Bytes the guest has now; whatever else came fails the test, but credit. Return: their number */
static inline size_t guest_reads(struct rig *r, uint8_t *out, size_t cap)
{
	static uint8_t packet[VSOCK_PAYLOAD_MAX];
	struct vsock_hdr h;
	size_t n = 0;

	while (vsg_take(r->guest, &h, packet)) {
		if (h.op == VSOCK_OP_CREDIT_UPDATE) {
			continue;
		}
		assert_int_equal(h.op, VSOCK_OP_RW);
		assert_true(h.len <= cap - n);
		memcpy(out + n, packet, h.len);
		n += h.len;
		r->got_bytes += h.len;
		(void)vsg_post(r->guest, 1, VSG_RX_LEN);
	}
	return n;
}

static inline void guest_gives_credit(struct rig *r)
{
	struct vsock_hdr h = vsg_hdr(VSOCK_OP_CREDIT_UPDATE, GP, PORT);

	h.fwd_cnt = r->got_bytes;
	vsg_put(r->guest, &h, NULL);
	vsg_kick_tx(r->guest);
}

static inline bool fd_is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* A pipe: the stream's end blocking (as given) or not (re-opened). */
static inline void pipe_for_input(struct rig *r, bool nonblocking)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	r->fd = p[1];
	start(r, nonblocking ? stream_reopen_fd(p[0]) : p[0], -1);
}

static inline void pipe_for_output(struct rig *r, bool nonblocking)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	r->fd = p[0];
	start(r, -1, nonblocking ? stream_reopen_fd(p[1]) : p[1]);
	assert_int_equal(vr_set_nonblock(r->fd, true), 0);
}

/* Send @len bytes as the credit allows. Return: how many went */
static inline size_t guest_writes(struct rig *r, size_t len)
{
	size_t n = 0, chunk;

	while (n < len) {
		chunk = VR_MIN(len - n, (size_t)32768);
		guest_says(r, r->data + n, (uint32_t)chunk);
		n += chunk;
	}
	return n;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)

#endif /* TESTS_STREAM_RIG_H */
