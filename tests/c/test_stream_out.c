/* SPDX-License-Identifier: Apache-2.0 */
/* test_stream_out.c - standard streams: bytes of the guest, and terminals */
#include "cm.h"

#include <limits.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "stream_rig.h"

/* The C library's, watched. */
static size_t largest_write;

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	ssize_t rc = syscall(SYS_writev, fd, iov, n);

	largest_write = rc > 0 ? VR_MAX(largest_write, (size_t)rc) : largest_write;
	return rc;
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

static void output_to_a_file(void **state)
{
	struct rig *r = *state;
	uint8_t *got = malloc(VSOCK_BUF_BYTES);
	struct stat st;

	assert_non_null(got);
	r->fd = vr_memfd("file", 0, 0);
	start(r, -1, fcntl(r->fd, F_DUPFD_CLOEXEC, 3));
	attach(r);
	largest_write = 0;
	(void)guest_writes(r, VSOCK_BUF_BYTES);
	guest_shuts(r, VSOCK_SHUT_SEND);
	assert_true(largest_write > PIPE_BUF); /* a packet's data in one go */
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
	size_t n = 0;

	terminal(r);
	guest_says(r, "$ ", 2);
	turn(r);
	assert_int_equal(read(r->fd, got, sizeof(got)), 2);
	assert_int_equal(write(r->fd, "ls\r", 3), 3);
	for (unsigned i = 0; i < 1000 && n == 0; i++) {
		turn(r); /* a worker of the kernel carries bytes across a pty */
		n = guest_reads(r, got, sizeof(got));
		(void)usleep(n == 0 ? 1000 : 0);
	}
	assert_int_equal(n, 3);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
