/* SPDX-License-Identifier: Apache-2.0 */
/* test_stream.c - standard streams: caller's fds of all kinds, a guest, and all ways to end */
#include "cm.h"

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

static int accept_stream(void *ctx, uint32_t port, struct vsock_conn *conn,
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

static void on_stream(void *ctx, uint32_t index, uint32_t events)
{
	struct rig *r = ctx;

	(void)events;
	assert_int_equal(index & ~1u, INDEX);
	stream_event(&r->s, (index & 1) != 0);
}

static void on_stop(void *ctx, uint32_t index, uint32_t events)
{
	(void)index;
	(void)events;
	loop_stop(((struct rig *)ctx)->loop);
}

static void on_device(void *ctx, uint32_t index, uint32_t events)
{
	(void)index;
	(void)events;
	vsock_work(((struct rig *)ctx)->v);
}

static void on_drained(void *ctx)
{
	((struct rig *)ctx)->drained++;
}

static int rig_up(void **state)
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

static int rig_down(void **state)
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

static void start(struct rig *r, int rfd, int wfd)
{
	stream_init(&r->s, r->loop, r->v, EV_STREAM, INDEX, rfd, wfd);
	r->s.drained = on_drained;
	r->s.ctx = r;
}

/* Let the loop see what there is to be seen. */
static void turn(struct rig *r)
{
	assert_int_equal(loop_after(r->loop, EV_STOP, 0, 2), 0);
	assert_int_equal(loop_run(r->loop), 0);
}

static void expect_op(struct rig *r, uint16_t op, struct vsock_hdr *out)
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

static void expect_no_packet(struct rig *r)
{
	struct vsock_hdr h;

	assert_false(vsg_take(r->guest, &h, NULL));
}

static void expect_shutdown(struct rig *r, uint32_t flags)
{
	struct vsock_hdr h;

	expect_op(r, VSOCK_OP_SHUTDOWN, &h);
	assert_int_equal(h.flags, flags);
}

/* As the vmm does: connect, and start bytes from the loop later. */
static void attach(struct rig *r)
{
	(void)vsg_post(r->guest, RX_BUFS, VSG_RX_LEN);
	vsg_send(r->guest, VSOCK_OP_REQUEST, GP, PORT, 0);
	expect_op(r, VSOCK_OP_RESPONSE, NULL);
	stream_attached(&r->s);
}

static void guest_says(struct rig *r, const void *data, uint32_t len)
{
	vsg_send_data(r->guest, GP, PORT, data, len, r->got_bytes);
}

static void guest_shuts(struct rig *r, uint32_t flags)
{
	vsg_send(r->guest, VSOCK_OP_SHUTDOWN, GP, PORT, flags);
}

/* Bytes the guest has now; whatever else came fails the test, but credit. Return: their number */
static size_t guest_reads(struct rig *r, uint8_t *out, size_t cap)
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

static void guest_gives_credit(struct rig *r)
{
	struct vsock_hdr h = vsg_hdr(VSOCK_OP_CREDIT_UPDATE, GP, PORT);

	h.fwd_cnt = r->got_bytes;
	vsg_put(r->guest, &h, NULL);
	vsg_kick_tx(r->guest);
}

static bool fd_is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* A pipe: the stream's end blocking (as given) or not (re-opened). */
static void pipe_for_input(struct rig *r, bool nonblocking)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	r->fd = p[1];
	start(r, nonblocking ? stream_reopen_fd(p[0]) : p[0], -1);
}

static void pipe_for_output(struct rig *r, bool nonblocking)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	r->fd = p[0];
	start(r, -1, nonblocking ? stream_reopen_fd(p[1]) : p[1]);
	assert_int_equal(vr_set_nonblock(r->fd, true), 0);
}

/* ---- re-opening ---- */

static void pipes_are_reopened_privately(void **state)
{
	int p[2], copy, own;

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	copy = fcntl(p[1], F_DUPFD_CLOEXEC, 3);
	own = stream_reopen_fd(copy);
	assert_true((fcntl(own, F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(fcntl(own, F_GETFL) & O_ACCMODE, O_WRONLY);
	assert_int_equal(fcntl(own, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(p[1], F_GETFL) & O_NONBLOCK, 0); /* the caller doesn't notice */
	assert_int_equal(write(own, "x", 1), 1);
	(void)close(own);
	/* and the old one is closed: end of file once the caller's is, too */
	(void)close(p[1]);
	assert_int_equal(vr_set_nonblock(p[0], true), 0);
	assert_int_equal(read(p[0], &(char){0}, 1), 1);
	assert_int_equal(read(p[0], &(char){0}, 1), 0);
	(void)close(p[0]);
}

static void terminals_are_reopened_too(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct console c;
	int own;

	(void)state;
	assert_no_error(console_open(0, 0, &c, &err), err);
	own = stream_reopen_fd(fcntl(c.slave, F_DUPFD_CLOEXEC, 3));
	assert_true((fcntl(own, F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(fcntl(c.slave, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(isatty(own), 1);
	(void)close(own);
	console_close(&c);
}

static void others_stay_as_they_are(void **state)
{
	int sv[2], p[2], null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_equal(stream_reopen_fd(null_fd), null_fd);
	(void)close(null_fd);
	assert_int_equal(stream_reopen_fd(null_fd), null_fd); /* closed: it will tell later */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	assert_int_equal(stream_reopen_fd(sv[0]), sv[0]);
	assert_int_equal(fcntl(sv[0], F_GETFL) & O_NONBLOCK, 0);
	(void)close(sv[0]);
	(void)close(sv[1]);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	(void)close(p[0]); /* nobody reads: can't be opened for writing */
	assert_int_equal(stream_reopen_fd(p[1]), p[1]);
	(void)close(p[1]);
}

/* ---- caller -> guest ---- */

static void input(struct rig *r)
{
	uint8_t got[64];

	assert_int_equal(write(r->fd, "early", 5), 5); /* before the guest connects */
	turn(r);
	attach(r);
	turn(r);
	assert_int_equal(guest_reads(r, got, sizeof(got)), 5);
	assert_memory_equal(got, "early", 5);
	turn(r);
	expect_no_packet(r);
	assert_int_equal(write(r->fd, "later", 5), 5);
	turn(r);
	assert_int_equal(guest_reads(r, got, sizeof(got)), 5);
	assert_memory_equal(got, "later", 5);
	assert_int_equal(write(r->fd, "end", 3), 3);
	(void)close(r->fd);
	r->fd = -1;
	turn(r);
	turn(r);
	expect_op(r, VSOCK_OP_RW, NULL);
	expect_shutdown(r, VSOCK_SHUT_SEND);
	assert_int_equal(r->s.rfd, -1);
	assert_int_equal(r->drained, 0); /* there never was output */
	assert_true(r->s.out_done);
	turn(r);
	expect_no_packet(r);
}

static void input_from_a_pipe(void **state)
{
	pipe_for_input(*state, true);
	input(*state);
}

static void input_from_a_blocking_pipe(void **state)
{
	pipe_for_input(*state, false);
	input(*state);
}

static void input_from_a_socket(void **state)
{
	struct rig *r = *state;
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	r->fd = sv[1];
	start(r, sv[0], -1);
	input(r);
}

static void input_from_nowhere(void **state)
{
	struct rig *r = *state;

	start(r, open("/dev/null", O_RDONLY | O_CLOEXEC), -1);
	attach(r);
	expect_shutdown(r, VSOCK_SHUT_SEND);
	assert_int_equal(r->s.rfd, -1);
}

static void a_stdin_without_a_source(void **state)
{
	struct rig *r = *state;

	start(r, -1, -1);
	attach(r);
	expect_shutdown(r, VSOCK_SHUT_SEND);
	expect_no_packet(r);
}

static int file_of(const void *data, size_t len)
{
	int fd = vr_memfd("file", 0, 0);

	assert_true(fd >= 0);
	assert_int_equal(vr_write_full(fd, data, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* Read until the stream ends, giving credit now and then. Return: bytes */
static size_t read_all(struct rig *r, uint8_t *out, size_t cap)
{
	static uint8_t packet[VSOCK_PAYLOAD_MAX];
	struct vsock_hdr h;
	size_t n = 0;

	for (unsigned idle = 0; idle < 20; idle++) {
		while (vsg_take(r->guest, &h, packet)) {
			idle = 0;
			(void)vsg_post(r->guest, 1, VSG_RX_LEN);
			if (h.op == VSOCK_OP_SHUTDOWN) {
				assert_int_equal(h.flags, VSOCK_SHUT_SEND);
				return n;
			}
			if (h.op == VSOCK_OP_RW) {
				assert_true(h.len <= cap - n);
				memcpy(out + n, packet, h.len);
				n += h.len;
				r->got_bytes += h.len;
			}
		}
		guest_gives_credit(r);
		turn(r);
	}
	fail_msg("no end of file after %zu bytes", n);
	return 0;
}

static void check_all(struct rig *r)
{
	uint8_t *got = malloc(BIG);

	assert_non_null(got);
	assert_int_equal(read_all(r, got, BIG), BIG);
	assert_int_equal(memcmp(got, r->data, BIG), 0);
	free(got);
}

static void input_from_a_file(void **state)
{
	struct rig *r = *state;

	start(r, file_of(r->data, BIG), -1);
	attach(r);
	check_all(r);
	assert_int_equal(r->s.rfd, -1);
}

static void input_without_end_is_taken_by_credit(void **state)
{
	struct rig *r = *state;
	static uint8_t got[2 * VSG_BUF];
	size_t n = 0;

	start(r, open("/dev/zero", O_RDONLY | O_CLOEXEC), -1);
	attach(r); /* returns */
	for (unsigned i = 0; i < 200; i++) {
		n += guest_reads(r, got, sizeof(got));
		turn(r);
		if (n == VSG_BUF) {
			break;
		}
	}
	assert_int_equal(n, VSG_BUF); /* as much as the guest offered, no more */
	turn(r);
	expect_no_packet(r);
	assert_true(r->s.rfd >= 0);
}

static void a_full_guest_stops_the_reading(void **state)
{
	struct rig *r = *state;
	size_t written = 0;
	ssize_t n;

	pipe_for_input(r, true);
	attach(r);
	assert_int_equal(vr_set_nonblock(r->fd, true), 0);
	for (unsigned i = 0; i < 50; i++) {
		n = write(r->fd, r->data + written, BIG - written);
		written += n > 0 ? (size_t)n : 0;
		turn(r);
	}
	/* The rx buffers that were posted, and the pipe: nothing is kept here. */
	assert_true(written <= RX_BUFS * (VSG_RX_LEN - VSOCK_HDR_BYTES) + 65536);
	assert_true(written >= 65536);
	assert_false(r->s.watching_r); /* or the loop would spin */
	uint8_t *got = malloc(BIG);
	size_t n_got = 0;

	assert_non_null(got);
	(void)close(r->fd);
	r->fd = -1;
	n_got = read_all(r, got, BIG);
	assert_int_equal(n_got, written);
	assert_int_equal(memcmp(got, r->data, written), 0);
	free(got);
}

static void the_guest_closes_its_stdin(void **state)
{
	struct rig *r = *state;
	int rfd;

	pipe_for_input(r, true);
	rfd = r->s.rfd;
	attach(r);
	guest_shuts(r, VSOCK_SHUT_RCV);
	assert_int_equal(r->s.rfd, -1);
	assert_false(fd_is_open(rfd));
	assert_int_equal(write(r->fd, "x", 1), -1); /* SIGPIPE is ignored here */
	assert_int_equal(errno, EPIPE);
}

/* ---- guest -> caller ---- */

static void output(struct rig *r)
{
	char got[64];

	attach(r);
	guest_says(r, "hello", 5);
	turn(r);
	assert_int_equal(read(r->fd, got, sizeof(got)), 5);
	assert_memory_equal(got, "hello", 5);
	assert_false(r->s.watching_w); /* or the loop would spin */
	assert_int_equal(r->drained, 0);
	guest_says(r, "bye", 3);
	guest_shuts(r, VSOCK_SHUT_SEND | VSOCK_SHUT_RCV);
	turn(r);
	assert_int_equal(r->drained, 1);
	assert_true(r->s.out_done);
	assert_int_equal(r->s.wfd, -1);
	assert_int_equal(read(r->fd, got, sizeof(got)), 3);
	assert_int_equal(read(r->fd, got, sizeof(got)), 0);
}

static void output_to_a_pipe(void **state)
{
	pipe_for_output(*state, true);
	output(*state);
}

static void output_to_a_blocking_pipe(void **state)
{
	pipe_for_output(*state, false);
	output(*state);
}

static void output_to_a_socket(void **state)
{
	struct rig *r = *state;
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	r->fd = sv[1];
	start(r, -1, sv[0]);
	output(r);
}

static void output_that_ends_without_a_byte(void **state)
{
	struct rig *r = *state;

	pipe_for_output(r, false);
	attach(r);
	guest_shuts(r, VSOCK_SHUT_SEND);
	assert_int_equal(r->drained, 1);
	assert_int_equal(read(r->fd, &(char){0}, 1), 0);
}

/* Send @len bytes as the credit allows. Return: how many went */
static size_t guest_writes(struct rig *r, size_t len)
{
	size_t n = 0, chunk;

	while (n < len) {
		chunk = VR_MIN(len - n, (size_t)32768);
		guest_says(r, r->data + n, (uint32_t)chunk);
		n += chunk;
	}
	return n;
}

static void output_to_a_file(void **state)
{
	struct rig *r = *state;
	uint8_t *got = malloc(VSOCK_BUF_BYTES);
	struct stat st;

	assert_non_null(got);
	r->fd = vr_memfd("file", 0, 0);
	start(r, -1, fcntl(r->fd, F_DUPFD_CLOEXEC, 3));
	attach(r);
	(void)guest_writes(r, VSOCK_BUF_BYTES);
	guest_shuts(r, VSOCK_SHUT_SEND);
	assert_int_equal(r->drained, 1);
	assert_int_equal(fstat(r->fd, &st), 0);
	assert_int_equal(st.st_size, VSOCK_BUF_BYTES);
	assert_int_equal(pread(r->fd, got, VSOCK_BUF_BYTES, 0), VSOCK_BUF_BYTES);
	assert_int_equal(memcmp(got, r->data, VSOCK_BUF_BYTES), 0);
	free(got);
}

/* A reader that doesn't read: nothing is lost, nothing blocks, the guest runs out of credit. */
static void slow_reader(struct rig *r)
{
	uint8_t *got = malloc(VSOCK_BUF_BYTES);
	size_t n = 0;
	ssize_t rc;

	assert_non_null(got);
	attach(r);
	(void)alarm(20); /* a write that blocks would hang for ever */
	(void)guest_writes(r, VSOCK_BUF_BYTES);
	turn(r);
	turn(r);
	assert_true(r->s.watching_w);
	guest_shuts(r, VSOCK_SHUT_SEND | VSOCK_SHUT_RCV);
	turn(r);
	assert_int_equal(r->drained, 0);
	for (unsigned i = 0; i < 10000 && n < VSOCK_BUF_BYTES; i++) {
		rc = read(r->fd, got + n, VR_MIN((size_t)5000, VSOCK_BUF_BYTES - n));
		if (rc > 0) {
			n += (size_t)rc;
		} else {
			assert_int_equal(errno, EAGAIN);
			turn(r);
		}
	}
	(void)alarm(0);
	assert_int_equal(n, VSOCK_BUF_BYTES);
	assert_int_equal(memcmp(got, r->data, n), 0);
	turn(r);
	assert_int_equal(r->drained, 1);
	free(got);
}

static void a_slow_reader_of_a_pipe(void **state)
{
	pipe_for_output(*state, true);
	slow_reader(*state);
}

static void a_slow_reader_of_a_blocking_pipe(void **state)
{
	pipe_for_output(*state, false);
	slow_reader(*state);
}

static void a_slow_reader_of_a_socket(void **state)
{
	struct rig *r = *state;
	int sv[2], small = 4096;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	assert_int_equal(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	r->fd = sv[1];
	assert_int_equal(vr_set_nonblock(r->fd, true), 0);
	start(r, -1, sv[0]);
	slow_reader(r);
}

/* Filled by somebody else: the first write already has no room. */
static void a_blocking_pipe_that_is_full_already(void **state)
{
	struct rig *r = *state;
	static uint8_t junk[65536];
	char got[8];

	pipe_for_output(r, false);
	assert_int_equal(write(r->s.wfd, junk, sizeof(junk)), sizeof(junk));
	attach(r);
	(void)alarm(20);
	guest_says(r, "x", 1);
	turn(r);
	guest_shuts(r, VSOCK_SHUT_SEND);
	turn(r);
	(void)alarm(0);
	assert_int_equal(r->drained, 0);
	assert_int_equal(read(r->fd, junk, sizeof(junk)), sizeof(junk));
	turn(r);
	assert_int_equal(read(r->fd, got, sizeof(got)), 1);
	assert_int_equal(got[0], 'x');
	assert_int_equal(r->drained, 1);
}

static void the_reader_goes_away(void **state)
{
	struct rig *r = *state;

	for (unsigned blocking = 0; blocking < 2; blocking++) {
		if (blocking) {
			assert_int_equal(rig_down(state), 0);
			assert_int_equal(rig_up(state), 0);
			r = *state;
		}
		pipe_for_output(r, !blocking);
		attach(r);
		guest_says(r, "a", 1);
		turn(r);
		(void)close(r->fd);
		r->fd = -1;
		guest_says(r, "b", 1);
		turn(r);
		assert_int_equal(r->s.wfd, -1);
		assert_int_equal(r->drained, 1);
		/* The guest's writer gets SIGPIPE; a poll for end of file works, too. */
		expect_shutdown(r, VSOCK_SHUT_SEND | VSOCK_SHUT_RCV);
		guest_says(r, "c", 1); /* under way already */
		turn(r);
		assert_int_equal(r->drained, 1);
	}
}

static void a_full_disk_ends_the_stream(void **state)
{
	struct rig *r = *state;

	start(r, -1, open("/dev/full", O_WRONLY | O_CLOEXEC));
	attach(r);
	guest_says(r, "a", 1);
	turn(r);
	assert_int_equal(r->drained, 1);
	expect_shutdown(r, VSOCK_SHUT_SEND | VSOCK_SHUT_RCV);
}

/* ---- terminals: both ways on one connection ---- */

static void terminal(struct rig *r)
{
	struct vr_err err = VR_ERR_INIT;
	struct console c;
	int in, out;

	assert_no_error(console_open(24, 80, &c, &err), err);
	in = stream_reopen_fd(fcntl(c.slave, F_DUPFD_CLOEXEC, 3));
	out = stream_reopen_fd(fcntl(c.slave, F_DUPFD_CLOEXEC, 3));
	(void)close(c.slave);
	r->fd = c.master;
	start(r, in, out);
	attach(r);
}

static void a_terminal_has_both_ways(void **state)
{
	struct rig *r = *state;
	uint8_t got[64];

	terminal(r);
	guest_says(r, "$ ", 2);
	turn(r);
	assert_int_equal(read(r->fd, got, sizeof(got)), 2);
	assert_int_equal(write(r->fd, "ls\r", 3), 3);
	turn(r);
	assert_int_equal(guest_reads(r, got, sizeof(got)), 3);
	assert_memory_equal(got, "ls\r", 3);
	guest_says(r, "bye", 3);
	guest_shuts(r, VSOCK_SHUT_SEND | VSOCK_SHUT_RCV);
	turn(r);
	assert_int_equal(r->drained, 1);
	assert_int_equal(r->s.rfd, -1);
	assert_int_equal(read(r->fd, got, sizeof(got)), 3);
	assert_int_equal(read(r->fd, got, sizeof(got)), -1);
	assert_int_equal(errno, EIO); /* hung up */
}

static void a_terminal_is_hung_up_on(void **state)
{
	struct rig *r = *state;

	terminal(r);
	(void)close(r->fd);
	r->fd = -1;
	turn(r);
	assert_int_equal(r->s.rfd, -1);
	expect_shutdown(r, VSOCK_SHUT_SEND);
	guest_says(r, "anybody?", 8);
	turn(r);
	assert_int_equal(r->drained, 1);
	assert_int_equal(r->s.wfd, -1);
}

/* ---- other ends ---- */

static void the_process_ends_without_connecting(void **state)
{
	struct rig *r = *state;

	pipe_for_output(r, true);
	vsock_lock(r->v);
	stream_process_ended(&r->s);
	vsock_unlock(r->v);
	assert_int_equal(r->drained, 1);
	assert_int_equal(read(r->fd, &(char){0}, 1), 0);
}

static void the_process_ends_while_output_waits(void **state)
{
	struct rig *r = *state;
	static char got[VSOCK_BUF_BYTES];
	size_t n = 0;
	ssize_t rc;

	pipe_for_output(r, true);
	attach(r);
	(void)guest_writes(r, VSOCK_BUF_BYTES);
	turn(r);
	vsock_lock(r->v);
	stream_process_ended(&r->s);
	vsock_unlock(r->v);
	assert_int_equal(r->drained, 0); /* what it wrote is still to be delivered */
	guest_shuts(r, VSOCK_SHUT_SEND | VSOCK_SHUT_RCV);
	for (unsigned i = 0; i < 1000 && r->drained == 0; i++) {
		while ((rc = read(r->fd, got, sizeof(got))) > 0) {
			n += (size_t)rc;
		}
		turn(r);
	}
	while ((rc = read(r->fd, got, sizeof(got))) > 0) {
		n += (size_t)rc;
	}
	assert_int_equal(r->drained, 1);
	assert_int_equal(n, VSOCK_BUF_BYTES);
}

static void the_process_ends_and_input_is_left_alone(void **state)
{
	struct rig *r = *state;
	int rfd, copy;

	pipe_for_input(r, true);
	rfd = r->s.rfd;
	copy = fcntl(rfd, F_DUPFD_CLOEXEC, 3);
	attach(r);
	vsock_lock(r->v);
	stream_process_ended(&r->s);
	vsock_unlock(r->v);
	assert_false(fd_is_open(rfd));
	assert_int_equal(write(r->fd, "for the next one", 16), 16);
	turn(r);
	expect_no_packet(r);
	(void)close(copy);
}

static void the_guest_resets(void **state)
{
	struct rig *r = *state;
	char got[8];

	pipe_for_output(r, true);
	attach(r);
	guest_says(r, "last", 4);
	vsg_send(r->guest, VSOCK_OP_RST, GP, PORT, 0);
	turn(r);
	assert_null(r->s.conn);
	assert_int_equal(r->drained, 1);
	assert_int_equal(read(r->fd, got, sizeof(got)), 4); /* not lost */
	assert_int_equal(read(r->fd, got, sizeof(got)), 0);
}

static void a_guest_that_breaks_the_rules_is_reset(void **state)
{
	struct rig *r = *state;

	pipe_for_output(r, true);
	attach(r);
	(void)guest_writes(r, 2 * VSOCK_BUF_BYTES + 65536 + 32768); /* beyond any credit */
	turn(r);
	(void)close(r->fd);
	r->fd = -1;
	turn(r);
	assert_null(r->s.conn);
	assert_int_equal(r->drained, 1);
}

static void a_guest_connects_once(void **state)
{
	struct rig *r = *state;
	struct vsock_hdr h;

	pipe_for_output(r, true);
	attach(r);
	vsg_send(r->guest, VSOCK_OP_REQUEST, GP + 1, PORT, 0);
	expect_op(r, VSOCK_OP_RST, &h);
	assert_int_equal(h.dst_port, GP + 1);
	guest_says(r, "x", 1);
	turn(r);
	assert_int_equal(read(r->fd, &(char){0}, 1), 1);
}

static void abandoning_loses_what_waits(void **state)
{
	struct rig *r = *state;
	int wfd;

	pipe_for_output(r, true);
	wfd = r->s.wfd;
	attach(r);
	(void)guest_writes(r, VSOCK_BUF_BYTES); /* more than the pipe takes */
	turn(r);
	assert_int_equal(r->drained, 0);
	vsock_lock(r->v);
	stream_abandon(&r->s);
	vsock_unlock(r->v);
	assert_int_equal(r->drained, 1);
	assert_false(fd_is_open(wfd));
	assert_null(r->s.conn);
	expect_op(r, VSOCK_OP_RST, NULL);
	vsock_lock(r->v);
	stream_abandon(&r->s); /* again: nothing */
	vsock_unlock(r->v);
	assert_int_equal(r->drained, 1);
	turn(r);
}

static void abandoning_before_the_guest_connects(void **state)
{
	struct rig *r = *state;

	pipe_for_output(r, true);
	vsock_lock(r->v);
	stream_abandon(&r->s);
	vsock_unlock(r->v);
	assert_int_equal(r->drained, 1);
	turn(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pipes_are_reopened_privately),
		cmocka_unit_test(terminals_are_reopened_too),
		cmocka_unit_test(others_stay_as_they_are),
		TEST(input_from_a_pipe),
		TEST(input_from_a_blocking_pipe),
		TEST(input_from_a_socket),
		TEST(input_from_nowhere),
		TEST(a_stdin_without_a_source),
		TEST(input_from_a_file),
		TEST(input_without_end_is_taken_by_credit),
		TEST(a_full_guest_stops_the_reading),
		TEST(the_guest_closes_its_stdin),
		TEST(output_to_a_pipe),
		TEST(output_to_a_blocking_pipe),
		TEST(output_to_a_socket),
		TEST(output_that_ends_without_a_byte),
		TEST(output_to_a_file),
		TEST(a_slow_reader_of_a_pipe),
		TEST(a_slow_reader_of_a_blocking_pipe),
		TEST(a_slow_reader_of_a_socket),
		TEST(a_blocking_pipe_that_is_full_already),
		TEST(the_reader_goes_away),
		TEST(a_full_disk_ends_the_stream),
		TEST(a_terminal_has_both_ways),
		TEST(a_terminal_is_hung_up_on),
		TEST(the_process_ends_without_connecting),
		TEST(the_process_ends_while_output_waits),
		TEST(the_process_ends_and_input_is_left_alone),
		TEST(the_guest_resets),
		TEST(a_guest_that_breaks_the_rules_is_reset),
		TEST(a_guest_connects_once),
		TEST(abandoning_loses_what_waits),
		TEST(abandoning_before_the_guest_connects),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
