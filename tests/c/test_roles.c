/* SPDX-License-Identifier: Apache-2.0 */
/* test_roles.c - reports of the roles to create, the vmm's last word, streams and log of a role */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fdio.h"
#include "base/log.h"
#include "roles.h"

struct pair {
	int create;
	int role;
};

static int pair_up(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	int fds[2];

	assert_non_null(p);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	p->create = fds[0];
	p->role = fds[1];
	*state = p;
	return 0;
}

static int pair_down(void **state)
{
	struct pair *p = *state;

	(void)close(p->create);
	if (p->role >= 0) {
		(void)close(p->role);
	}
	free(p);
	return 0;
}

static void ready(void **state)
{
	struct pair *p = *state;
	struct vr_err err = VR_ERR_INIT;

	role_report(p->role, NULL);
	assert_int_equal(role_report_read(p->create, "vmm", 1000, &err), 0);
	assert_int_equal(err.code, 0);
	assert_string_equal(err.msg, "");
}

static void a_failure_travels_with_code_and_words(void **state)
{
	struct pair *p = *state;
	struct vr_err sent = VR_ERR_INIT, err = VR_ERR_INIT;

	(void)vr_err_set(&sent, ENODEV, "open '/dev/kvm': 100%%s");
	role_report(p->role, &sent);
	(void)close(p->role); /* it ends, but what it said is still there */
	p->role = -1;
	assert_int_equal(role_report_read(p->create, "vmm", 1000, &err), -ENODEV);
	assert_message(err, "open '/dev/kvm': 100%s");
}

static void the_longest_message_travels(void **state)
{
	struct pair *p = *state;
	struct vr_err sent = {.code = EIO}, err = VR_ERR_INIT;

	memset(sent.msg, 'm', sizeof(sent.msg) - 1);
	role_report(p->role, &sent);
	assert_int_equal(role_report_read(p->create, "fs", 1000, &err), -EIO);
	assert_message(err, sent.msg);
}

static void no_report_in_time(void **state)
{
	struct pair *p = *state;
	struct vr_err err = VR_ERR_INIT;
	uint64_t t0 = vr_now_ms();

	assert_int_equal(role_report_read(p->create, "fs", 30, &err), -ETIMEDOUT);
	assert_true(vr_now_ms() - t0 >= 25);
	assert_message(err, "the fs process did not get ready in time");
}

static void an_early_end_is_noticed_at_once(void **state)
{
	struct pair *p = *state;
	struct vr_err err = VR_ERR_INIT;

	(void)close(p->role);
	p->role = -1;
	assert_int_equal(role_report_read(p->create, "shim", 60000, &err), -ECONNRESET);
	assert_message(err, "the shim process ended before it was ready");
}

static void a_killed_role_is_noticed(void **state)
{
	struct pair *p = *state;
	struct vr_err err = VR_ERR_INIT;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)raise(SIGKILL);
		_exit(1);
	}
	(void)close(p->role);
	p->role = -1;
	assert_int_equal(role_report_read(p->create, "vmm", 60000, &err), -ECONNRESET);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void a_short_report_is_none(void **state)
{
	struct pair *p = *state;
	struct vr_err err = VR_ERR_INIT;

	assert_int_equal(send(p->role, "\0\0\0\0", 4, 0), 4); /* looks like "ready" */
	assert_int_equal(role_report_read(p->create, "vmm", 1000, &err), -ECONNRESET);
}

static void text_without_an_end_is_cut(void **state)
{
	struct pair *p = *state;
	struct vr_err err = VR_ERR_INIT;
	struct {
		int32_t code;
		char msg[VR_ERR_MSG_MAX];
	} raw = {.code = EIO};

	memset(raw.msg, 'x', sizeof(raw.msg));
	assert_int_equal(send(p->role, &raw, sizeof(raw), 0), sizeof(raw));
	assert_int_equal(role_report_read(p->create, "vmm", 1000, &err), -EIO);
	assert_int_equal(strlen(err.msg), VR_ERR_MSG_MAX - 1);
	memcpy(raw.msg, "\x1b[2J \xc2\x9b H", sizeof("\x1b[2J \xc2\x9b H"));
	assert_int_equal(send(p->role, &raw, sizeof(raw), 0), sizeof(raw));
	assert_int_equal(role_report_read(p->create, "vmm", 1000, &err), -EIO);
	assert_message(err, "?[2J ?? H"); /* nor does it reach a terminal */
}

static void create_may_be_gone(void **state)
{
	struct pair *p = *state;

	(void)shutdown(p->create, SHUT_RDWR);
	role_report(p->role, NULL); /* no SIGPIPE */
	role_report(-1, NULL);
}

static void on_signal(int signo)
{
	(void)signo;
}

static void signals_do_not_disturb_the_wait(void **state)
{
	const struct sigaction sa = {.sa_handler = on_signal}; /* poll() fails with EINTR */
	struct pair *p = *state;
	struct vr_err err = VR_ERR_INIT;
	struct sigaction old;
	int status;
	pid_t pid;

	assert_int_equal(sigaction(SIGUSR1, &sa, &old), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (unsigned i = 0; i < 20; i++) {
			(void)kill(getppid(), SIGUSR1);
			(void)usleep(1000);
		}
		role_report(p->role, NULL);
		_exit(0);
	}
	assert_int_equal(role_report_read(p->create, "vmm", 60000, &err), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
}

static void streams_become_the_null_device(void **state)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct stat null_st, st;
	int status, bad = 0;
	pid_t pid;

	(void)state;
	assert_true(null_fd > 2);
	assert_int_equal(fstat(null_fd, &null_st), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		role_stdio_null(null_fd);
		for (int fd = 0; fd <= 2; fd++) {
			bad |= fstat(fd, &st) < 0 || st.st_rdev != null_st.st_rdev;
			bad |= fcntl(fd, F_GETFD) != 0;
		}
		_exit(bad);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)close(null_fd);
}

static void the_last_word_is_as_long_as_its_reason(void **state)
{
	struct pair *p = *state;
	struct shim_exit_msg m;

	role_tell_shim(p->role, 255, NULL);
	assert_int_equal(recv(p->create, &m, sizeof(m), 0), SHIM_EXIT_MIN);
	assert_int_equal(m.status, 255);
	role_tell_shim(p->role, 137, "it broke");
	assert_int_equal(recv(p->create, &m, sizeof(m), 0), SHIM_EXIT_MIN + 8);
	assert_int_equal(m.status, 137);
	assert_memory_equal(m.reason, "it broke", 8);
}

static void a_reason_too_long_is_cut(void **state)
{
	char reason[2 * VR_ERR_MSG_MAX], got[2 * sizeof(struct shim_exit_msg)];
	struct pair *p = *state;

	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	role_tell_shim(p->role, 1, reason);
	assert_int_equal(recv(p->create, got, sizeof(got), 0), sizeof(struct shim_exit_msg));
	assert_memory_equal(got + SHIM_EXIT_MIN, reason, VR_ERR_MSG_MAX);
}

static void a_shim_may_be_gone(void **state)
{
	struct pair *p = *state;

	(void)shutdown(p->create, SHUT_RDWR);
	role_tell_shim(p->role, 0, "nobody hears it"); /* no SIGPIPE */
	role_tell_shim(-1, 0, NULL);
}

/* Roles log no errors: without a level that asks for more there is nothing to keep the log for. */
static void a_role_keeps_the_log_only_if_it_has_to_say_something(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	char path[] = "/tmp/test-roles-log.XXXXXX";
	int made = mkstemp(path), fd;

	(void)state;
	assert_true(made >= 0);
	(void)close(made);
	assert_int_equal(vr_log_init(path, VR_LOG_TEXT, VR_LOG_WARN, &err), 0);
	fd = role_log_fd();
	assert_true(fd > 2);
	assert_int_equal(fd, vr_log_fd());

	assert_int_equal(vr_log_init(path, VR_LOG_TEXT, VR_LOG_ERROR, &err), 0);
	fd = vr_log_fd();
	assert_int_equal(role_log_fd(), -1);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed */
	assert_int_equal(errno, EBADF);
	vr_error("to nobody, and to no descriptor that has the number by now");

	assert_int_equal(vr_log_init(NULL, VR_LOG_TEXT, VR_LOG_ERROR, &err), 0);
	assert_int_equal(role_log_fd(), -1);
	assert_true(fcntl(2, F_GETFD) >= 0); /* not ours to close */
	assert_int_equal(vr_log_init(NULL, VR_LOG_TEXT, VR_LOG_ERROR, &err), 0);
	assert_int_equal(unlink(path), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, pair_up, pair_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ready),
		TEST(a_failure_travels_with_code_and_words),
		TEST(the_longest_message_travels),
		TEST(no_report_in_time),
		TEST(an_early_end_is_noticed_at_once),
		TEST(a_killed_role_is_noticed),
		TEST(a_short_report_is_none),
		TEST(text_without_an_end_is_cut),
		TEST(create_may_be_gone),
		TEST(signals_do_not_disturb_the_wait),
		TEST(the_last_word_is_as_long_as_its_reason),
		TEST(a_reason_too_long_is_cut),
		TEST(a_shim_may_be_gone),
		cmocka_unit_test(streams_become_the_null_device),
		cmocka_unit_test(a_role_keeps_the_log_only_if_it_has_to_say_something),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
