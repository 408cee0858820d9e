/* SPDX-License-Identifier: Apache-2.0 */
/* test_stream.c - standard streams: caller's fds, bytes for the guest, all ways to end */
#include "cm.h"

#include "stream_rig.h"

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
	int sv[2], null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_equal(stream_reopen_fd(null_fd), null_fd);
	(void)close(null_fd);
	assert_int_equal(stream_reopen_fd(null_fd), null_fd); /* closed: it will tell later */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	assert_int_equal(stream_reopen_fd(sv[0]), sv[0]);
	assert_int_equal(fcntl(sv[0], F_GETFL) & O_NONBLOCK, 0);
	(void)close(sv[0]);
	(void)close(sv[1]);
}

static void a_fifo_without_a_reader_stays(void **state)
{
	char dir[] = "/tmp/volt-stream-XXXXXX", path[64];
	int rfd, wfd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	rfd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	wfd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(rfd >= 0 && wfd >= 0);
	(void)close(rfd);
	assert_int_equal(stream_reopen_fd(wfd), wfd); /* can't be opened now; writing will tell */
	(void)close(wfd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
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

/* A passed socket: both directions, the test's end in r->fd. */
static void socket_both_ways(struct rig *r)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	r->fd = sv[1];
	start(r, fcntl(sv[0], F_DUPFD_CLOEXEC, 3), fcntl(sv[0], F_DUPFD_CLOEXEC, 3));
	(void)close(sv[0]);
	r->s.is_socket = true;
	assert_int_equal(vr_set_nonblock(r->fd, true), 0);
	attach(r);
}

static void a_socket_closes_each_direction_by_itself(void **state)
{
	struct rig *r = *state;
	uint8_t got[64];

	socket_both_ways(r);
	guest_says(r, "from guest", 10);
	turn(r);
	assert_int_equal(read(r->fd, got, sizeof(got)), 10);
	guest_shuts(r, VSOCK_SHUT_SEND);
	turn(r);
	assert_int_equal(read(r->fd, got, sizeof(got)),
			 0); /* its end of file, though rfd is open */
	assert_int_equal(r->drained, 1);
	assert_true(r->s.rfd >= 0);
	assert_int_equal(write(r->fd, "still", 5), 5);
	turn(r);
	assert_int_equal(guest_reads(r, got, sizeof(got)), 5);
	assert_int_equal(shutdown(r->fd, SHUT_WR), 0);
	turn(r);
	expect_shutdown(r, VSOCK_SHUT_SEND);
}

static void a_socket_that_ends_here_goes_on_there(void **state)
{
	struct rig *r = *state;
	uint8_t got[64];

	socket_both_ways(r);
	assert_int_equal(shutdown(r->fd, SHUT_WR), 0);
	turn(r);
	expect_shutdown(r, VSOCK_SHUT_SEND);
	guest_says(r, "rest", 4);
	turn(r);
	assert_int_equal(read(r->fd, got, sizeof(got)), 4);
	assert_int_equal(r->drained, 0);
	guest_shuts(r, VSOCK_SHUT_BOTH);
	turn(r);
	assert_int_equal(r->drained, 1);
}

/* A copy of it elsewhere is as alive as if the process had closed its own. */
static void a_socket_that_is_closed_is_not_shut(void **state)
{
	struct rig *r = *state;
	uint8_t got[64];
	int copy;

	socket_both_ways(r);
	copy = fcntl(r->s.rfd, F_DUPFD_CLOEXEC, 3);
	guest_says(r, "last", 4);
	guest_shuts(r, VSOCK_SHUT_BOTH);
	turn(r);
	assert_int_equal(read(r->fd, got, sizeof(got)), 4);
	assert_int_equal(r->drained, 1);
	assert_int_equal(r->s.rfd, -1);
	assert_int_equal(write(copy, "x", 1), 1);
	assert_int_equal(read(r->fd, got, sizeof(got)), 1);
	(void)close(copy);
	assert_int_equal(read(r->fd, got, sizeof(got)), 0);
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
	uint8_t *got = malloc(BIG);
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
	assert_non_null(got);
	(void)close(r->fd);
	r->fd = -1;
	assert_int_equal(read_all(r, got, BIG), written);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pipes_are_reopened_privately),
		cmocka_unit_test(terminals_are_reopened_too),
		cmocka_unit_test(others_stay_as_they_are),
		cmocka_unit_test(a_fifo_without_a_reader_stays),
		TEST(input_from_a_pipe),
		TEST(input_from_a_blocking_pipe),
		TEST(input_from_a_socket),
		TEST(a_socket_closes_each_direction_by_itself),
		TEST(a_socket_that_ends_here_goes_on_there),
		TEST(a_socket_that_is_closed_is_not_shut),
		TEST(input_from_nowhere),
		TEST(a_stdin_without_a_source),
		TEST(input_from_a_file),
		TEST(input_without_end_is_taken_by_credit),
		TEST(a_full_guest_stops_the_reading),
		TEST(the_guest_closes_its_stdin),
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
