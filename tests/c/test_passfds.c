/* SPDX-License-Identifier: Apache-2.0 */
/* test_passfds.c - descriptors that can be passed are taken, others are named */
#include "cm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "passfds.h"

/* As inherited: @fd becomes descriptor @to. */
static void place(int fd, int to)
{
	assert_true(fd >= 0);
	assert_int_equal(dup2(fd, to), to);
	if (fd != to) {
		(void)close(fd);
	}
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void refused(int fd, const char *kind)
{
	struct vr_err err = VR_ERR_INIT;
	struct passfds p;
	char want[240];

	place(fd, 3);
	assert_int_equal(passfds_take(1, false, &p, &err), -ENOTSUP);
	(void)snprintf(want, sizeof(want),
		       "option '--preserve-fds': descriptor 3 is %s of the host, which can't be "
		       "passed into a microVM; pipes and stream sockets can, files as bind mounts",
		       kind);
	assert_message(err, want);
	assert_int_equal(p.n, 0);
	(void)close(3);
}

static void by_kind(void **state)
{
	struct sockaddr_un any = {.sun_family = AF_UNIX};
	int sv[2], s;

	(void)state;
	refused(open("/proc/self/exe", O_RDONLY), "a file");
	refused(open("/", O_RDONLY), "a directory");
	refused(open("/dev/zero", O_RDONLY), "a device");
	refused(socket(AF_UNIX, SOCK_STREAM, 0),
		"a socket that is no connected or listening stream");
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv), 0);
	(void)close(sv[1]);
	refused(sv[0], "a socket that is no connected or listening stream");
	s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(s, (struct sockaddr *)&any, sizeof(any.sun_family)), 0);
	assert_int_equal(listen(s, 1), 0);
	refused(s, "a socket that is no connected or listening stream");
}

/* There is one in the guest, too. */
static void dev_null(void **state)
{
	struct ap_process plan = {0};
	struct vr_err err = VR_ERR_INIT;
	struct passfds p;

	(void)state;
	place(open("/dev/null", O_RDWR), 3);
	assert_int_equal(passfds_take(1, false, &p, &err), 0);
	assert_false(is_open(3));
	assert_int_equal(p.n, 1);
	assert_true(p.rfd[0] < 0 && p.wfd[0] < 0);
	passfds_plan(&p, &plan);
	assert_int_equal(plan.n_fds, 1);
	assert_int_equal(plan.fds[0], AP_FD_NULL);
	passfds_close(&p);
}

/* Return: its port, 0 for none */
static uint16_t listener_at_3(struct sockaddr *at, socklen_t len)
{
	struct sockaddr_storage got = {0};
	socklen_t size = sizeof(got);
	int fd = socket(at->sa_family, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, at, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&got, &size), 0);
	place(fd, 3);
	return at->sa_family == AF_UNIX ? 0 : ntohs(((struct sockaddr_in *)&got)->sin_port);
}

static void listening(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	const struct {
		struct sockaddr *at;
		socklen_t len;
		unsigned family;
	} all[] = {
		{(struct sockaddr *)&un, sizeof(un.sun_family), 0},
		{(struct sockaddr *)&in, sizeof(in), 4},
		{(struct sockaddr *)&in6, sizeof(in6), 6},
	};
	struct vr_err err = VR_ERR_INIT;
	int list[2 * AP_MAX_FDS];
	struct passfds p;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		uint16_t port = listener_at_3(all[i].at, all[i].len);

		assert_int_equal(passfds_take(1, false, &p, &err), 0);
		assert_int_equal(p.kind[0], AP_FD_LISTEN(all[i].family, port));
		assert_int_equal(passfds_list(&p, list), 1);
		assert_true(passfds_reads(p.kind[0]) && !passfds_writes(p.kind[0]));
		passfds_close(&p);
	}
}

static void pipes_and_sockets(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct ap_process plan = {0};
	struct passfds p;
	int a[2], b[2], sv[2], list[2 * AP_MAX_FDS];
	char c;

	(void)state;
	assert_int_equal(pipe2(a, O_CLOEXEC), 0);
	assert_int_equal(pipe2(b, O_CLOEXEC), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	for (int i = 0; i < 2; i++) { /* out of the way */
		int *const fds[] = {&a[i], &b[i], &sv[i]};

		for (unsigned k = 0; k < 3; k++) {
			int high = fcntl(*fds[k], F_DUPFD_CLOEXEC, 20);

			(void)close(*fds[k]);
			*fds[k] = high;
		}
	}
	place(a[0], 3);
	place(b[1], 4);
	place(sv[0], 5);
	assert_int_equal(passfds_take(3, false, &p, &err), 0);
	assert_false(is_open(3) || is_open(4) || is_open(5));
	passfds_plan(&p, &plan);
	assert_int_equal(plan.n_fds, 3);
	assert_int_equal(plan.fds[0], AP_FD_IN);
	assert_int_equal(plan.fds[1], AP_FD_OUT);
	assert_int_equal(plan.fds[2], AP_FD_BOTH);
	assert_int_equal(passfds_list(&p, list), 4);
	assert_int_equal(list[0], p.rfd[0]);
	assert_int_equal(list[1], p.wfd[1]);
	assert_int_equal(list[2], p.rfd[2]);
	assert_int_equal(list[3], p.wfd[2]);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(fcntl(list[i], F_GETFD), FD_CLOEXEC);
	}
	assert_int_equal(write(a[1], "x", 1), 1);
	assert_int_equal(read(p.rfd[0], &c, 1), 1);
	passfds_close(&p);
	assert_int_equal(read(b[0], &c, 1), 0); /* all copies of the other ends are gone */
	assert_int_equal(read(sv[1], &c, 1), 0);
	passfds_close(&p);
	(void)close(a[1]);
	(void)close(b[0]);
	(void)close(sv[1]);
}

static void closed_ours_or_too_many(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct passfds p;

	(void)state;
	assert_int_equal(passfds_take(0, true, &p, &err), 0);
	assert_int_equal(p.n, 0);
	(void)close(3);
	assert_int_equal(passfds_take(2, false, &p, &err), -EBADF);
	assert_message(err, "option '--preserve-fds': preserved-fd 0: descriptor 3 is not open");
	err = (struct vr_err)VR_ERR_INIT;
	assert_int_equal(open("/", O_RDONLY | O_CLOEXEC), 3); /* nothing a caller gave us */
	assert_int_equal(passfds_take(1, false, &p, &err), -EBADF);
	(void)close(3);
	err = (struct vr_err)VR_ERR_INIT;
	assert_int_equal(passfds_take(AP_MAX_FDS + 1, false, &p, &err), -E2BIG);
	assert_message(err, "option '--preserve-fds': at most 13 descriptors can be passed");
	err = (struct vr_err)VR_ERR_INIT;
	assert_int_equal(passfds_take(UINT32_MAX, false, &p, &err), -E2BIG);
}

static void socket_activation(void **state)
{
	const char *env[PASSFDS_ENV_MAX];
	struct vr_err err = VR_ERR_INIT;
	struct passfds p;
	char pid[32];
	int a[2];

	(void)state;
	assert_int_equal(setenv("LISTEN_FDS", "1", 1), 0);
	assert_int_equal(setenv("LISTEN_PID", "1", 1), 0);
	assert_int_equal(passfds_take(0, true, &p, &err), 0); /* somebody else's */
	assert_int_equal(passfds_env(&p, env), 0);
	assert_int_equal(unsetenv("LISTEN_PID"), 0);
	assert_int_equal(passfds_take(0, true, &p, &err), 0); /* nobody's, and not open */
	assert_int_equal(passfds_env(&p, env), 0);
	place(open("/dev/null", O_RDWR), 3);
	assert_int_equal(passfds_take(0, true, &p, &err), 0); /* nobody's, and there: ours */
	assert_int_equal(passfds_env(&p, env), 2);
	passfds_close(&p);
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	assert_int_equal(setenv("LISTEN_PID", pid, 1), 0);
	assert_int_equal(passfds_take(0, false, &p, &err), 0); /* not asked for */
	assert_int_equal(passfds_take(0, true, &p, &err), -EBADF);
	assert_message(err, "LISTEN_FDS: preserved-fd 0: descriptor 3 is not open");
	assert_int_equal(pipe(a), 0); /* 3 and 4 */
	assert_int_equal(passfds_take(1, true, &p, &err), 0);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.n_listen, 1);
	assert_int_equal(passfds_env(&p, env), 2);
	assert_string_equal(env[0], "LISTEN_FDS=1");
	assert_string_equal(env[1], "LISTEN_PID=1");
	passfds_close(&p);
	assert_int_equal(setenv("LISTEN_FDS", "0", 1), 0);
	assert_int_equal(passfds_take(0, true, &p, &err), 0);
	assert_int_equal(setenv("LISTEN_FDS", "some", 1), 0);
	err = (struct vr_err)VR_ERR_INIT;
	assert_int_equal(passfds_take(0, true, &p, &err), -EINVAL);
	err = (struct vr_err)VR_ERR_INIT;
	assert_int_equal(setenv("LISTEN_FDS", "99999999999", 1), 0);
	assert_int_equal(passfds_take(0, true, &p, &err), -E2BIG);
	assert_int_equal(unsetenv("LISTEN_FDS") | unsetenv("LISTEN_PID"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_kind),
		cmocka_unit_test(dev_null),
		cmocka_unit_test(listening),
		cmocka_unit_test(pipes_and_sockets),
		cmocka_unit_test(closed_ours_or_too_many),
		cmocka_unit_test(socket_activation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
