/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shim.c - the shim, of an exec and of a container, and who stands in for it in the foreground
 *
 * The test plays the vmm. Needs root, as the shim's sandbox does.
 */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console.h"
#include "foreground.h"
#include "roles.h"

struct world {
	struct console console;
	int vmm_fd;
	pid_t pid;
};

static void shim_start(struct world *w, bool tty)
{
	int pair[2], report[2], null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct vr_err err = VR_ERR_INIT;

	w->console = (struct console){.master = -1, .slave = -1};
	if (tty) {
		assert_int_equal(console_open(24, 80, &w->console, &err), 0);
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report), 0);
	w->pid = fork();
	if (w->pid == 0) {
		const struct shim_exec_plan plan = {.id = "c1",
						    .report_fd = report[1],
						    .vmm_fd = pair[0],
						    .null_fd = null_fd,
						    .tty_fd = w->console.slave};

		shim_exec_main(&plan);
	}
	close(pair[0]);
	close(report[1]);
	close(null_fd);
	w->vmm_fd = pair[1];
	assert_int_equal(role_report_read(report[0], "shim", 10000, &err), 0);
	close(report[0]);
}

static int shim_wait(struct world *w)
{
	int status = -1;

	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	close(w->vmm_fd);
	console_close(&w->console);
	return status;
}

static struct shim_signal_msg shim_heard(struct world *w)
{
	struct pollfd p = {.fd = w->vmm_fd, .events = POLLIN};
	struct shim_signal_msg m = {0};

	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(recv(w->vmm_fd, &m, sizeof(m), 0), sizeof(m));
	return m;
}

static void it_exits_as_it_is_told(void **state)
{
	struct world w;
	int status;

	(void)state;
	shim_start(&w, false);
	role_tell_shim(w.vmm_fd, 42, "it keeps no reason");
	status = shim_wait(&w);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}

static void it_is_killed_with_the_vmm(void **state)
{
	struct world w;

	(void)state;
	shim_start(&w, false);
	assert_int_equal(shutdown(w.vmm_fd, SHUT_RDWR), 0);
	assert_int_equal(WEXITSTATUS(shim_wait(&w)), 137);
}

static void it_leads_its_own_session(void **state)
{
	struct world w;

	(void)state;
	shim_start(&w, false);
	assert_int_equal(getsid(w.pid), w.pid);
	assert_int_equal(shutdown(w.vmm_fd, SHUT_RDWR), 0);
	(void)shim_wait(&w);
}

static void it_passes_signals_on(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGWINCH, 34, 64};
	struct shim_signal_msg m;
	struct world w;

	(void)state;
	shim_start(&w, false);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		assert_int_equal(kill(w.pid, signals[i]), 0);
		m = shim_heard(&w);
		assert_int_equal(m.signo, signals[i]);
		assert_int_equal(m.from_tty, 0);
	}
	assert_int_equal(shutdown(w.vmm_fd, SHUT_RDWR), 0);
	(void)shim_wait(&w);
}

static void the_terminal_tells_it_of_its_size(void **state)
{
	const struct winsize ws = {.ws_row = 50, .ws_col = 132};
	struct shim_signal_msg m;
	struct world w;

	(void)state;
	shim_start(&w, true);
	assert_int_equal(ioctl(w.console.master, TIOCSWINSZ, &ws), 0);
	m = shim_heard(&w);
	assert_int_equal(m.signo, SIGWINCH);
	assert_int_equal(m.from_tty, 1);
	assert_int_equal(shutdown(w.vmm_fd, SHUT_RDWR), 0);
	(void)shim_wait(&w);
}

/* ---- of a container ---- */

struct container_world {
	struct world w;
	char dir[32]; /* its root */
	int reason_fd;
};

static void container_shim_start(struct container_world *c)
{
	int pair[2], report[2], null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct vr_err err = VR_ERR_INIT;
	int tree;

	(void)snprintf(c->dir, sizeof(c->dir), "/tmp/shim.XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, c->dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	assert_true(tree >= 0);
	c->reason_fd = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	assert_true(c->reason_fd >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report), 0);
	c->w.console = (struct console){.master = -1, .slave = -1};
	c->w.pid = fork();
	if (c->w.pid == 0) {
		const struct shim_plan plan = {.id = "c1",
					       .report_fd = report[1],
					       .vmm_fd = pair[0],
					       .alive_fd = -1,
					       .null_fd = null_fd,
					       .reason_fd = c->reason_fd,
					       .tty_fd = -1,
					       .rootfs_tree_fd = tree,
					       .userns_fd = -1};

		shim_main(&plan);
	}
	close(pair[0]);
	close(report[1]);
	close(null_fd);
	close(tree);
	c->w.vmm_fd = pair[1];
	if (role_report_read(report[0], "shim", 10000, &err) < 0) {
		fail_msg("%s", err.msg);
	}
	close(report[0]);
}

/* Return: its exit status; @out has the @cap bytes of the reason that it left */
static int container_shim_end(struct container_world *c, char *out, size_t cap, size_t *out_len)
{
	int status = shim_wait(&c->w);
	ssize_t n = pread(c->reason_fd, out, cap, 0);

	assert_true(n >= 0);
	*out_len = (size_t)n;
	close(c->reason_fd);
	assert_int_equal(rmdir(c->dir), 0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void it_leaves_the_reason(void **state)
{
	struct container_world c;
	char reason[64];
	size_t n;

	(void)state;
	container_shim_start(&c);
	role_tell_shim(c.w.vmm_fd, 137, "the guest kernel stopped (reset)");
	assert_int_equal(container_shim_end(&c, reason, sizeof(reason), &n), 137);
	assert_int_equal(n, strlen("the guest kernel stopped (reset)"));
	assert_memory_equal(reason, "the guest kernel stopped (reset)", n);
}

static void without_a_reason_it_leaves_none(void **state)
{
	struct container_world c;
	char reason[64];
	size_t n;

	(void)state;
	container_shim_start(&c);
	role_tell_shim(c.w.vmm_fd, 3, NULL);
	assert_int_equal(container_shim_end(&c, reason, sizeof(reason), &n), 3);
	assert_int_equal(n, 0);

	container_shim_start(&c);
	assert_int_equal(send(c.w.vmm_fd, "\0\0\0", 3, 0), 3); /* no status even */
	assert_int_equal(container_shim_end(&c, reason, sizeof(reason), &n), 137);
	assert_int_equal(n, 0);
}

/* A vmm that was taken over: all it wants to say, as often as the socket takes it. */
static void a_flood_of_reasons_is_cut(void **state)
{
	static char reason[60000], flood[30000];
	const struct shim_exit_msg head = {.status = 9};
	struct container_world c;
	unsigned sent = 0;
	size_t n;

	(void)state;
	memset(flood, 'x', sizeof(flood));
	memcpy(flood, &head, SHIM_EXIT_MIN);
	container_shim_start(&c);
	assert_int_equal(kill(c.w.pid, SIGSTOP), 0);
	while (sent < 100 && send(c.w.vmm_fd, flood, sizeof(flood), MSG_DONTWAIT) > 0) {
		sent++;
	}
	assert_true(sent > 1);
	assert_int_equal(kill(c.w.pid, SIGCONT), 0);
	assert_int_equal(container_shim_end(&c, reason, sizeof(reason), &n), 9);
	assert_int_equal(n, sizeof(head.reason));
	assert_memory_equal(reason, flood + SHIM_EXIT_MIN, n);
}

/* ---- the foreground; a child plays the shim ---- */

/* Our stdin and stdout are pipes here. Return: what came out, cut to @cap. */
static size_t foreground_run(void (*shim)(int slave), bool tty, const char *in, char *out,
			     size_t cap, int *out_status)
{
	int to[2], from[2];
	struct vr_err err = VR_ERR_INIT;
	size_t len = 0;
	pid_t pid;
	ssize_t n;

	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	(void)fflush(NULL); /* the child exits with all that libc has to do then */
	pid = fork();
	if (pid == 0) {
		struct console c = {.master = -1, .slave = -1};
		int ready[2];
		pid_t child;
		char word;

		(void)dup2(to[0], 0);
		(void)dup2(from[1], 1);
		close(to[1]);
		if (tty && console_open(0, 0, &c, &err) < 0) {
			_exit(99);
		}
		if (pipe(ready) < 0) {
			_exit(99);
		}
		child = fork();
		if (child == 0) {
			close(c.master);
			close(ready[1]);
			(void)signal(SIGTERM, SIG_DFL);
			(void)!read(ready[0], &word, 1); /* until signals are passed on */
			shim(c.slave);
			_exit(5);
		}
		close(c.slave);
		close(ready[0]);
		foreground_signals(child);
		close(ready[1]);
		/* As `exec` does, in its cage; there a sanitizer can't look for leaks at exit. */
		_exit(foreground_wait(child, c.master, true));
	}
	close(to[0]);
	close(from[1]);
	assert_int_equal(write(to[1], in, strlen(in)), strlen(in));
	while ((n = read(from[0], out + len, cap - len)) > 0) {
		len += (size_t)n;
	}
	close(to[1]);
	close(from[0]);
	assert_int_equal(waitpid(pid, out_status, 0), pid);
	return len;
}

static void echo_five(int slave)
{
	char buf[5];

	for (size_t got = 0; got < sizeof(buf);) {
		ssize_t n = read(slave, buf + got, sizeof(buf) - got);

		if (n <= 0) {
			_exit(98);
		}
		got += (size_t)n;
	}
	(void)!write(slave, "<", 1);
	(void)!write(slave, buf, sizeof(buf));
	(void)!write(slave, ">", 1);
}

static void the_terminal_is_relayed_both_ways(void **state)
{
	char out[64];
	int status;
	size_t n;

	(void)state;
	n = foreground_run(echo_five, true, "ab\003cd", out, sizeof(out), &status);
	assert_int_equal(WEXITSTATUS(status), 5);
	assert_int_equal(n, 7);
	assert_memory_equal(out, "<ab\003cd>", 7); /* raw: nothing is interpreted */
}

static void flood(int slave)
{
	char buf[1000];

	memset(buf, 'x', sizeof(buf));
	for (int i = 0; i < 300; i++) {
		for (size_t put = 0; put < sizeof(buf);) {
			ssize_t n = write(slave, buf + put, sizeof(buf) - put);

			if (n <= 0) {
				_exit(98);
			}
			put += (size_t)n;
		}
	}
}

static void the_last_output_is_not_lost(void **state)
{
	static char out[400000];
	int status;

	(void)state;
	assert_int_equal(foreground_run(flood, true, "", out, sizeof(out), &status), 300000);
	assert_int_equal(WEXITSTATUS(status), 5);
}

static void kill_parent(int slave)
{
	(void)slave;
	(void)kill(getppid(), SIGTERM); /* which passes it on to us */
	(void)pause();
}

static void signals_reach_the_shim(void **state)
{
	char out[8];
	int status;

	(void)state;
	assert_int_equal(foreground_run(kill_parent, false, "", out, sizeof(out), &status), 0);
	assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_exits_as_it_is_told),
		cmocka_unit_test(it_is_killed_with_the_vmm),
		cmocka_unit_test(it_leads_its_own_session),
		cmocka_unit_test(it_passes_signals_on),
		cmocka_unit_test(the_terminal_tells_it_of_its_size),
		cmocka_unit_test(it_leaves_the_reason),
		cmocka_unit_test(without_a_reason_it_leaves_none),
		cmocka_unit_test(a_flood_of_reasons_is_cut),
		cmocka_unit_test(the_terminal_is_relayed_both_ways),
		cmocka_unit_test(the_last_output_is_not_lost),
		cmocka_unit_test(signals_reach_the_shim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
