/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shim.c - the shim, of an exec and of a container, and who stands in for it in the foreground
 *
 * The test plays the vmm. Needs root, as the shim's sandbox does.
 */
#include "cm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "console.h"
#include "foreground.h"
#include "roles.h"
#include "sandbox/seccomp.h"

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

/* As `run` waits, and `exec`. */
static int wait_in_run(pid_t shim, int master)
{
	return foreground_wait("c1", shim, master);
}

static int (*const waiters[])(pid_t, int) = {wait_in_run, foreground_wait_caged};

/* Our stdin and stdout are pipes here. Return: what came out, cut to @cap. */
static size_t foreground_run(int (*waiter)(pid_t, int), void (*shim)(int slave), bool tty,
			     const char *in, char *out, size_t cap, int *out_status)
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
		/* `exec` is in its cage then; there a sanitizer can't look for leaks at exit. */
		_exit(waiter(child, c.master));
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
	for (size_t i = 0; i < VR_ARRAY_SIZE(waiters); i++) {
		n = foreground_run(waiters[i], echo_five, true, "ab\003cd", out, sizeof(out),
				   &status);
		assert_int_equal(WEXITSTATUS(status), 5);
		assert_int_equal(n, 7);
		assert_memory_equal(out, "<ab\003cd>", 7); /* raw: nothing is interpreted */
	}
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
	for (size_t i = 0; i < VR_ARRAY_SIZE(waiters); i++) {
		assert_int_equal(
			foreground_run(waiters[i], flood, true, "", out, sizeof(out), &status),
			300000);
		assert_int_equal(WEXITSTATUS(status), 5);
	}
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
	for (size_t i = 0; i < VR_ARRAY_SIZE(waiters); i++) {
		for (unsigned tty = 0; tty <= 1; tty++) {
			assert_int_equal(foreground_run(waiters[i], kill_parent, tty, "", out,
							sizeof(out), &status),
					 0);
			assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
		}
	}
}

/* ---- the relay of a `run`, as its shim sees it ---- */

/* Of a file in /proc/PID. Return: bytes read, cut to @cap - 1 */
static size_t read_proc(pid_t pid, const char *file, char *out, size_t cap)
{
	char path[64];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, out, cap - 1);
	(void)close(fd);
	out[n < 0 ? 0 : n] = '\0';
	return n < 0 ? 0 : (size_t)n;
}

/* Return: -1 when there is no such line */
static long status_value(pid_t pid, const char *key, int base)
{
	char text[4096], *at;

	(void)read_proc(pid, "status", text, sizeof(text));
	at = strstr(text, key);
	return at ? strtol(at + strlen(key), NULL, base) : -1;
}

static pid_t caged_child(pid_t parent)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;

	while (proc && found == 0 && (e = readdir(proc)) != NULL) {
		pid_t pid = (pid_t)atoi(e->d_name);

		if (pid > 0 && pid != getpid() && status_value(pid, "\nPPid:", 10) == parent &&
		    status_value(pid, "\nNoNewPrivs:", 10) == 1) {
			found = pid;
		}
	}
	(void)closedir(proc);
	return found;
}

/* Both wait for it. The last thing that it gives up is what the filter takes, if there are any here. */
static pid_t find_relay(void)
{
	for (unsigned i = 0; i < 1000; i++) {
		pid_t pid = caged_child(getppid());

		if (pid > 0 &&
		    (!sbx_seccomp_enforced() || status_value(pid, "\nSeccomp:", 10) == 2)) {
			return pid;
		}
		(void)poll(NULL, 0, 10);
	}
	_exit(97);
}

static bool has_fd(pid_t pid, const char *link)
{
	char path[64], is[64];
	bool found = false;

	for (int fd = 0; fd < 64 && !found; fd++) {
		ssize_t n;

		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
		n = readlink(path, is, sizeof(is));
		found = n == (ssize_t)strlen(link) && memcmp(is, link, (size_t)n) == 0;
	}
	return found;
}

static void look_at_the_relay(int slave)
{
	static const char *const sets[] = {"\nCapPrm:", "\nCapEff:", "\nCapBnd:", "\nCapInh:"};
	pid_t relay = find_relay();
	char env[4096];
	size_t n = read_proc(relay, "environ", env, sizeof(env));

	(void)slave;
	for (size_t i = 0; i < VR_ARRAY_SIZE(sets); i++) {
		if (status_value(relay, sets[i], 16) != 0) {
			_exit(90);
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (env[i] != '\0') {
			_exit(91);
		}
	}
	/* It has the terminal's other end, and who waits doesn't. */
	if (!has_fd(relay, "/dev/ptmx") && !has_fd(relay, "/dev/pts/ptmx")) {
		_exit(92);
	}
	if (has_fd(getppid(), "/dev/ptmx") || has_fd(getppid(), "/dev/pts/ptmx")) {
		_exit(93);
	}
}

static void the_relay_of_run_has_no_powers(void **state)
{
	char out[8];
	int status;

	(void)state;
	(void)foreground_run(wait_in_run, look_at_the_relay, true, "", out, sizeof(out), &status);
	assert_int_equal(WEXITSTATUS(status), 5);
}

static void kill_relay(int slave)
{
	(void)slave;
	(void)kill(find_relay(), SIGKILL);
	(void)pause();
}

static void a_relay_that_is_ended_takes_the_shim_along(void **state)
{
	char out[8];
	int status;

	(void)state;
	(void)foreground_run(wait_in_run, kill_relay, true, "", out, sizeof(out), &status);
	assert_int_equal(WEXITSTATUS(status), 128 + SIGKILL);
}

/* Not even to be reaped. */
static bool lives(pid_t pid)
{
	char text[4096];

	return read_proc(pid, "status", text, sizeof(text)) > 0 && !strstr(text, "\nState:\tZ");
}

/* As long as it is kept busy it doesn't end by itself. */
static void kill_run(int slave)
{
	pid_t relay = find_relay();

	(void)fcntl(slave, F_SETFL, O_NONBLOCK);
	(void)kill(getppid(), SIGKILL);
	for (unsigned i = 0; i < 500 && lives(relay); i++) {
		(void)!write(slave, "x", 1);
		(void)poll(NULL, 0, 10);
	}
	(void)!write(1, lives(relay) ? "left" : "gone", 4);
	(void)kill(relay, SIGKILL);
}

static void the_relay_ends_with_run(void **state)
{
	char out[2048];
	int status;
	size_t n;

	(void)state;
	n = foreground_run(wait_in_run, kill_run, true, "", out, sizeof(out), &status);
	assert_true(n >= 4);
	assert_memory_equal(out + n - 4, "gone", 4); /* what it relayed before came first */
	assert_true(WIFSIGNALED(status));
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
		cmocka_unit_test(the_relay_of_run_has_no_powers),
		cmocka_unit_test(a_relay_that_is_ended_takes_the_shim_along),
		cmocka_unit_test(the_relay_ends_with_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
