/* SPDX-License-Identifier: Apache-2.0 */
/* test_passfds.c - descriptors that can't be passed are named */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "passfds.h"

/* Make @fd descriptor 3 for one check. */
static void refused(int fd, const char *kind)
{
	struct vr_err err = VR_ERR_INIT;
	char want[200];

	assert_true(fd >= 0);
	assert_int_equal(dup2(fd, 3), 3);
	if (fd != 3) {
		(void)close(fd);
	}
	assert_int_equal(passfds_check(1, &err), -ENOTSUP);
	(void)snprintf(want, sizeof(want),
		       "option '--preserve-fds': descriptor 3 is %s of the host, which can't be "
		       "passed into a microVM; use a bind mount or the standard streams",
		       kind);
	assert_message(err, want);
	(void)close(3);
}

static void by_kind(void **state)
{
	struct sockaddr_un any = {.sun_family = AF_UNIX};
	int p[2], s;

	(void)state;
	refused(open("/proc/self/exe", O_RDONLY), "a file");
	refused(open("/", O_RDONLY), "a directory");
	refused(open("/dev/null", O_RDONLY), "a device");
	assert_int_equal(pipe(p), 0);
	(void)close(p[1]);
	refused(p[0], "a pipe");
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	refused(s, "a socket");
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(s, (struct sockaddr *)&any, sizeof(any.sun_family)), 0);
	assert_int_equal(listen(s, 1), 0);
	refused(s, "a listening socket");
}

static void closed_or_none(void **state)
{
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(passfds_check(0, &err), 0);
	(void)close(3);
	assert_int_equal(passfds_check(2, &err), -EBADF);
	assert_message(err, "option '--preserve-fds': descriptor 3 is not open");
}

static void socket_activation(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	char pid[32];

	(void)state;
	assert_int_equal(setenv("LISTEN_FDS", "1", 1), 0);
	assert_int_equal(setenv("LISTEN_PID", "1", 1), 0);
	assert_int_equal(passfds_check(0, &err), 0); /* somebody else's */
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	assert_int_equal(setenv("LISTEN_PID", pid, 1), 0);
	assert_int_equal(passfds_check(0, &err), -EBADF);
	assert_message(err, "LISTEN_FDS: descriptor 3 is not open");
	assert_int_equal(setenv("LISTEN_FDS", "0", 1), 0);
	assert_int_equal(passfds_check(0, &err), 0);
	assert_int_equal(setenv("LISTEN_FDS", "some", 1), 0);
	err = (struct vr_err)VR_ERR_INIT;
	assert_int_equal(passfds_check(0, &err), -EINVAL);
	assert_int_equal(unsetenv("LISTEN_FDS") | unsetenv("LISTEN_PID"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_kind),
		cmocka_unit_test(closed_or_none),
		cmocka_unit_test(socket_activation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
