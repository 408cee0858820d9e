/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_process.c - stdio, terminals, execs, signals, pausing and permissions of the agent */
#include "agent_harness.h"

#define MIB (1024u * 1024u)

static struct host *idle_container(void)
{
	struct host *h =
		host_created(spec_container("trap 'exit 3' TERM; while :; do sleep 0.02; done"));

	host_go(h);
	return h;
}

static struct ap_reply *exec_shell(struct host *h, uint32_t id, const char *script, uint32_t flags,
				   uint32_t stdio)
{
	static struct ap_exec m;

	m.proc = id;
	spec_shell(&m.process, script);
	m.process.flags = flags;
	m.process.stdio = stdio;
	m.process.port = TEST_PORT(id);
	return ASK(h, exec, &m);
}

static void exec_ok(struct host *h, uint32_t id, const char *script, uint32_t flags)
{
	struct ap_reply *r = exec_shell(h, id, script, flags, AP_STDIO_ALL);

	if (r->code) {
		fail_msg("exec: %s: %s", r->stage, r->text);
	}
	assert_true(r->pid > 1);
}

static uint32_t send_signal(struct host *h, uint32_t id, uint32_t signo, bool all)
{
	struct ap_signal m = {.proc = id, .signo = signo, .all = all};

	return ASK(h, signal, &m)->fail;
}

static void kill_and_stop(struct host *h)
{
	assert_int_equal(send_signal(h, 0, SIGKILL, false), AP_FAIL_NONE);
	assert_int_equal(host_exit(h, 0).signo, SIGKILL);
	host_stop(h);
}

/* A sum that notices loss, repetition and change of order. */
static uint64_t sum(uint64_t s, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		s = s * 1099511628211u + p[i];
	}
	return s;
}

static void megabytes_through_cat(void **state)
{
	struct ap_container *c = spec_container("exec cat");
	static uint8_t out[65536];
	static uint8_t in[65536];
	uint64_t sent = 0;
	uint64_t got = 0;
	size_t n_sent = 0;
	size_t n_got = 0;
	struct host *h;
	int fds[2];

	(void)state;
	c->process.stdio = AP_STDIO_IN | AP_STDIO_OUT;
	h = host_created(c);
	host_go(h);
	fds[0] = host_stdio(h, 0, 0);
	fds[1] = host_stdio(h, 0, 1);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	for (size_t i = 0; i < sizeof(out); i++) {
		out[i] = (uint8_t)(i * 7 + (i >> 8));
	}
	while (n_got < 32 * MIB) {
		struct pollfd p[2] = {{.fd = fds[0], .events = POLLOUT},
				      {.fd = fds[1], .events = POLLIN}};
		ssize_t n;

		assert_true(poll(p, 2, WAIT_MS) > 0);
		if (fds[0] >= 0 && p[0].revents) {
			size_t at = n_sent % sizeof(out);

			n = write(fds[0], out + at, sizeof(out) - at);
			assert_true(n > 0);
			sent = sum(sent, out + at, (size_t)n);
			n_sent += (size_t)n;
			if (n_sent == 32 * MIB) {
				close(fds[0]);
				fds[0] = -1;
			}
		}
		if (p[1].revents) {
			n = read(fds[1], in, sizeof(in));
			assert_true(n > 0);
			got = sum(got, in, (size_t)n);
			n_got += (size_t)n;
		}
	}
	assert_int_equal(read(fds[1], in, 1), 0);
	assert_true(sent == got);
	assert_int_equal(host_exit(h, 0).status, 0);
	host_stop(h);
}

static void streams_stay_apart(void **state)
{
	struct host *h = idle_container();
	char *out;
	char *err;

	(void)state;
	exec_ok(h, 5, "echo to-out; echo to-err >&2; echo again > /dev/stdout; exit 9", 0);
	out = host_drain(host_stdio(h, 5, 1));
	err = host_drain(host_stdio(h, 5, 2));
	assert_string_equal(out, "to-out\nagain\n");
	assert_string_equal(err, "to-err\n");
	assert_int_equal(host_exit(h, 5).status, 9);
	free(out);
	free(err);
	kill_and_stop(h);
}

static void early_reader_ends_the_writer(void **state)
{
	struct host *h = idle_container();
	int fd;
	char c;

	(void)state;
	exec_ok(h, 1, "exec yes", 0);
	fd = host_stdio(h, 1, 1);
	read_exactly(fd, &c, 1);
	close(fd);
	assert_int_equal(host_exit(h, 1).signo, SIGPIPE);
	kill_and_stop(h);
}

static void closed_stdin_is_told(void **state)
{
	struct host *h = idle_container();
	int fd;

	(void)state;
	exec_ok(h, 1, "exec 0<&-; sleep 30", 0);
	fd = host_stdio(h, 1, 0);
	assert_true(host_wait(fd)); /* the end of the connection */
	close(fd);
	assert_int_equal(send_signal(h, 1, SIGKILL, false), AP_FAIL_NONE);
	assert_int_equal(host_exit(h, 1).signo, SIGKILL);
	kill_and_stop(h);
}

/* Any program that writes into a datagram socket will do: logger does. */
static void notifications_reach_the_host(void **state)
{
	struct ap_container *c = spec_container("logger -t me ready; exec sleep 30");
	struct host *h;

	(void)state;
	c->flags |= AP_C_NOTIFY;
	c->process.uid = 1000;
	c->mounts[c->n_mounts++] = (struct ap_mount){.dest = "/dev/log",
						     .type = "bind",
						     .source = AP_NOTIFY_PATH,
						     .share = AP_NO_SHARE,
						     .flags = AP_M_FILE};
	h = host_created(c);
	host_go(h);
	while (!h->notified[0]) {
		assert_false(host_frame(h));
	}
	assert_non_null(strstr(h->notified, "me: ready"));
	kill_and_stop(h);
}

static void passed_descriptors(void **state)
{
	struct host *h = idle_container();
	static struct ap_exec m;
	struct ap_reply *r;
	int in, out, both;
	char *text;
	char c;

	(void)state;
	m.proc = 1;
	spec_shell(&m.process, "cat <&3 >&4; exec 3<&- 4>&-; cat <&5 >&5; exec 5<&-; "
			       "ls -l /proc/self/fd | grep -c '[3-9] -> [ps]'; exec sleep 30");
	m.process.port = TEST_PORT(1);
	m.process.n_fds = 3;
	m.process.fds[0] = AP_FD_IN;
	m.process.fds[1] = AP_FD_OUT;
	m.process.fds[2] = AP_FD_BOTH;
	r = ASK(h, exec, &m);
	assert_int_equal(r->code, 0);
	in = host_stdio(h, 1, 3);
	out = host_stdio(h, 1, 4);
	both = host_stdio(h, 1, 5);
	assert_int_equal(write(in, "pipes", 5), 5);
	close(in);
	text = host_drain(out);
	assert_string_equal(text, "pipes");
	free(text);
	/* One direction of the socket ends, the other brings the rest, and ends with the process's end. */
	assert_int_equal(write(both, "socket", 6), 6);
	assert_int_equal(shutdown(both, SHUT_WR), 0);
	text = host_drain(both);
	assert_string_equal(text, "socket");
	free(text);
	out = host_stdio(h, 1, 1);
	read_exactly(out, &c, 1);
	assert_int_equal(c, '0'); /* none of them was left open, and none other is there */
	close(out);
	assert_int_equal(send_signal(h, 1, SIGKILL, false), AP_FAIL_NONE);
	assert_int_equal(host_exit(h, 1).signo, SIGKILL);
	kill_and_stop(h);
}

static void passed_descriptors_of_init_end_with_it(void **state)
{
	struct ap_container *c = spec_container("sleep 1000 & echo said >&3; exit 4");
	struct host *h;
	char *text;
	int fd;

	(void)state;
	c->process.n_fds = 1;
	c->process.fds[0] = AP_FD_BOTH;
	h = host_created(c);
	host_go(h);
	fd = host_stdio(h, 0, 3);
	text = host_drain(fd); /* though somebody still has the other end */
	assert_string_equal(text, "said\n");
	free(text);
	assert_int_equal(host_exit(h, 0).status, 4);
	host_stop(h);
}

static void a_host_that_closes_a_socket_is_noticed(void **state)
{
	struct host *h = idle_container();
	static struct ap_exec m;
	int fd;

	(void)state;
	m.proc = 1;
	spec_shell(&m.process, "cat <&3; exec yes >&3");
	m.process.port = TEST_PORT(1);
	m.process.n_fds = 1;
	m.process.fds[0] = AP_FD_BOTH;
	assert_int_equal(ASK(h, exec, &m)->code, 0);
	fd = host_stdio(h, 1, 3);
	close(fd);
	assert_int_equal(host_exit(h, 1).signo, SIGPIPE);
	kill_and_stop(h);
}

static void grandchild_does_not_hold_exit_back(void **state)
{
	struct host *h = idle_container();
	char *out;

	(void)state;
	exec_ok(h, 1, "sleep 1000 & echo said", 0);
	assert_int_equal(host_exit(h, 1).status, 0);
	out = host_drain(host_stdio(h, 1, 1));
	assert_string_equal(out, "said\n");
	free(out);
	kill_and_stop(h);
}

static void slow_reader_loses_nothing(void **state)
{
	struct host *h = idle_container();
	char *out;

	(void)state;
	exec_ok(h, 1, "head -c 3000000 /dev/zero | tr '\\0' x", 0);
	usleep(200000);
	out = host_drain(host_stdio(h, 1, 1));
	assert_int_equal(strlen(out), 3000000);
	assert_int_equal(host_exit(h, 1).status, 0);
	free(out);
	kill_and_stop(h);
}

static void exec_joins_the_container(void **state)
{
	struct host *h = idle_container();
	char *out;

	(void)state;
	exec_ok(h, 1,
		"hostname; for n in pid mnt uts ipc cgroup; do "
		"[ $(readlink /proc/1/ns/$n) = $(readlink /proc/self/ns/$n) ] && echo $n; done; "
		"[ $(grep 0:: /proc/1/cgroup) = $(grep 0:: /proc/self/cgroup) ] && echo group; "
		"ls / | grep -c rootfs",
		0);
	out = host_drain(host_stdio(h, 1, 1));
	assert_string_equal(out, "boxed\npid\nmnt\nuts\nipc\ncgroup\ngroup\n0\n");
	free(out);
	kill_and_stop(h);
}

static void exec_reports_what_is_missing(void **state)
{
	struct host *h = idle_container();
	static struct ap_exec m;
	const char *args[] = {"nothere"};
	struct ap_reply *r;

	(void)state;
	spec_shell(&m.process, "");
	m.proc = 3;
	m.process.args = strings(args, 1);
	r = ASK(h, exec, &m);
	assert_int_equal(r->fail, AP_FAIL_NOT_FOUND);
	assert_string_equal(r->text, "exec: \"nothere\": executable file not found in $PATH");
	m.process.cwd = "/nodir";
	r = ASK(h, exec, &m);
	assert_non_null(strstr(r->text, "chdir to cwd (\"/nodir\")"));
	r = exec_shell(h, 4, "exit 4", 0, 0); /* and the slot is free again */
	assert_int_equal(r->code, 0);
	assert_int_equal(host_exit(h, 4).status, 4);
	assert_int_equal(h->n_exits, 1); /* a failed exec has no exit */
	kill_and_stop(h);
}

static void many_execs_at_once(void **state)
{
	struct host *h = idle_container();

	(void)state;
	for (uint32_t i = 1; i <= 12; i++) {
		assert_int_equal(exec_shell(h, i, "sleep 0.2; exit 5", 0, 0)->code, 0);
	}
	assert_int_equal(exec_shell(h, 12, "true", 0, 0)->fail, AP_FAIL_PROTOCOL);
	for (uint32_t i = 1; i <= 12; i++) {
		assert_int_equal(host_exit(h, i).status, 5);
	}
	kill_and_stop(h);
}

static void terminal(void **state)
{
	struct ap_container *c =
		spec_container("stty size; tty; ls -l /dev/console | cut -c1; read x; stty size; "
			       "echo got $x; sleep 0.1; echo last words");
	struct ap_resize size = {.rows = 50, .cols = 132};
	struct host *h;
	char buf[256] = "";
	size_t len = 0;
	char *rest;
	int fd;

	(void)state;
	c->process.flags = AP_P_TTY;
	c->process.rows = 24;
	c->process.cols = 80;
	h = host_created(c);
	host_go(h);
	fd = host_stdio(h, 0, 0);
	while (!strstr(buf, "c\r\n") && len < sizeof(buf) - 1) {
		ssize_t n;

		assert_true(host_wait(fd));
		n = read(fd, buf + len, sizeof(buf) - 1 - len);
		assert_true(n > 0);
		len += (size_t)n;
	}
	assert_string_equal(buf, "24 80\r\n/dev/pts/0\r\nc\r\n");
	assert_int_equal(ASK(h, resize, &size)->code, 0);
	assert_int_equal(write(fd, "word\n", 5), 5);
	rest = host_drain(fd);
	assert_string_equal(rest, "word\r\n50 132\r\ngot word\r\nlast words\r\n");
	free(rest);
	assert_int_equal(host_exit(h, 0).status, 0);
	host_stop(h);
}

static void terminal_hangs_up(void **state)
{
	struct host *h = idle_container();
	int fd;

	(void)state;
	exec_ok(h, 1, "cat", AP_P_TTY);
	fd = host_stdio(h, 1, 0);
	assert_int_equal(write(fd, "a\n", 2), 2);
	assert_true(host_wait(fd));
	close(fd);
	assert_int_equal(host_exit(h, 1).signo, SIGHUP);
	kill_and_stop(h);
}

static void interrupt_by_key(void **state)
{
	struct host *h = idle_container();
	int fd;

	(void)state;
	exec_ok(h, 1, "exec sleep 100", AP_P_TTY);
	fd = host_stdio(h, 1, 0);
	usleep(50000);
	assert_int_equal(write(fd, "\003", 1), 1);
	assert_int_equal(host_exit(h, 1).signo, SIGINT);
	close(fd);
	kill_and_stop(h);
}

static void signals_reach_processes(void **state)
{
	struct host *h = idle_container();

	(void)state;
	assert_int_equal(exec_shell(h, 1, "exec sleep 100", 0, 0)->code, 0);
	assert_int_equal(send_signal(h, 1, 0, false), AP_FAIL_NONE);
	assert_int_equal(send_signal(h, 2, 0, false), AP_FAIL_NO_PROCESS);
	assert_int_equal(send_signal(h, 1, SIGUSR1, false), AP_FAIL_NONE);
	assert_int_equal(host_exit(h, 1).signo, SIGUSR1);
	usleep(100000);
	assert_int_equal(send_signal(h, 0, SIGTERM, false), AP_FAIL_NONE);
	assert_int_equal(host_exit(h, 0).status, 3);
	assert_int_equal(send_signal(h, 0, SIGTERM, false), AP_FAIL_NO_PROCESS);
	host_stop(h);
}

static void end_of_init_ends_all(void **state)
{
	struct host *h = idle_container();

	(void)state;
	assert_int_equal(exec_shell(h, 1, "exec sleep 100", 0, 0)->code, 0);
	assert_int_equal(send_signal(h, 0, SIGKILL, false), AP_FAIL_NONE);
	assert_int_equal(host_exit(h, 0).signo, SIGKILL);
	assert_int_equal(h->n_exits, 2); /* the exec's came first */
	assert_int_equal(h->exits[0].proc, 1);
	assert_int_equal(h->exits[0].signo, SIGKILL);
	assert_int_equal(exec_shell(h, 2, "true", 0, 0)->fail, AP_FAIL_STATE);
	host_stop(h);
}

static void created_container_can_be_killed(void **state)
{
	struct host *h = host_created(spec_container("true"));

	(void)state;
	assert_int_equal(send_signal(h, 0, SIGWINCH, false), AP_FAIL_NONE);
	assert_int_equal(send_signal(h, 0, SIGTERM, false), AP_FAIL_NONE);
	assert_int_equal(host_exit(h, 0).signo, SIGTERM);
	host_stop(h);
}

static void exec_into_created_container(void **state)
{
	struct host *h = host_created(spec_container("exit 6"));

	(void)state;
	assert_int_equal(exec_shell(h, 1, "exit 8", 0, 0)->code, 0);
	assert_int_equal(host_exit(h, 1).status, 8);
	host_go(h);
	assert_int_equal(host_exit(h, 0).status, 6);
	host_stop(h);
}

static void pause_and_thaw(void **state)
{
	struct host *h = idle_container();
	struct ap_reply *r = ASK_EMPTY(h, AP_MSG_FREEZE);

	(void)state;
	if (r->code == EOPNOTSUPP) {
		kill_and_stop(h);
		skip();
	}
	assert_int_equal(r->code, 0);
	assert_int_equal(exec_shell(h, 1, "true", 0, 0)->fail, AP_FAIL_STATE);
	assert_int_equal(ASK_EMPTY(h, AP_MSG_FREEZE)->fail, AP_FAIL_STATE);
	assert_int_equal(ASK_EMPTY(h, AP_MSG_THAW)->code, 0);
	assert_int_equal(ASK_EMPTY(h, AP_MSG_THAW)->fail, AP_FAIL_STATE);
	assert_int_equal(ASK_EMPTY(h, AP_MSG_FREEZE)->code, 0);
	kill_and_stop(h); /* a frozen container dies all the same */
}

static bool listed(const struct ap_ps_entry *e, size_t n, const char *cmdline, const char *comm)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(e[i].cmdline, cmdline) == 0 && strcmp(e[i].comm, comm) == 0) {
			return e[i].pid > 1 && e[i].uid == 0 && e[i].start_ns > 0;
		}
	}
	return false;
}

static void processes_are_listed(void **state)
{
	struct host *h = idle_container();
	static struct ap_ps_entry e[AP_MAX_PS];
	bool found = false;

	(void)state;
	assert_int_equal(exec_shell(h, 1, "exec sleep 1234", 0, 0)->code, 0);
	for (int i = 0; i < 100 && !found; i++) { /* the shell needs a moment to become sleep */
		struct ap_reply *r = ASK_EMPTY(h, AP_MSG_PS);
		size_t n;

		assert_int_equal(r->code, 0);
		assert_int_equal(ap_decode_ps(r->body, r->body_len, e, AP_MAX_PS, &n), 0);
		if (n == 0) {
			kill_and_stop(h);
			skip(); /* no cgroup v2 here */
		}
		found = listed(e, n, "sleep 1234", "sleep");
		usleep(20000);
	}
	assert_true(found);
	kill_and_stop(h);
}

static void requests_out_of_turn(void **state)
{
	static struct ap_exec exec = {.proc = 1};
	struct host *h = host_start();
	struct ap_container *c = spec_container("exit 1");
	struct ap_configure conf = {0};
	struct ap_start start = {0};
	struct ap_reply *r;

	(void)state;
	assert_int_equal(ASK(h, create, c)->fail, AP_FAIL_STATE); /* not configured */
	assert_int_equal(ASK(h, configure, &conf)->code, 0);
	r = ASK(h, start, &start);
	assert_int_equal(r->fail, AP_FAIL_STATE);
	assert_string_equal(r->text, "start is not possible: the container is not created");
	spec_shell(&exec.process, "true");
	assert_int_equal(ASK(h, exec, &exec)->fail, AP_FAIL_STATE);
	assert_int_equal(ASK_EMPTY(h, AP_MSG_STATS)->fail, AP_FAIL_STATE);
	assert_int_equal(ASK(h, create, c)->code, 0);
	assert_int_equal(ASK(h, create, c)->fail, AP_FAIL_STATE);
	assert_int_equal(ASK(h, start, &start)->code, 0);
	assert_int_equal(host_exit(h, 0).status, 1);
	r = ASK(h, start, &start);
	assert_string_equal(r->text, "start is not possible: the container is stopped");
	host_stop(h);
}

static void malformed_requests(void **state)
{
	struct host *h = host_configured();
	struct ap_container *c = spec_container("true");
	long len = ap_encode_create(c, h->next_id++, h->frame, sizeof(h->frame));
	struct ap_reply *r;

	(void)state;
	h->frame[AP_HEADER_LEN] = 0x77; /* the first tag */
	r = host_ask(h, len);
	assert_int_equal(r->fail, AP_FAIL_PROTOCOL);
	r = ASK(h, create, c); /* and it still listens */
	assert_int_equal(r->code, 0);
	assert_int_equal(ASK_EMPTY(h, AP_MSG_SHUTDOWN)->code, 0);
	host_stop(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(megabytes_through_cat),
		cmocka_unit_test(streams_stay_apart),
		cmocka_unit_test(early_reader_ends_the_writer),
		cmocka_unit_test(closed_stdin_is_told),
		cmocka_unit_test(notifications_reach_the_host),
		cmocka_unit_test(passed_descriptors),
		cmocka_unit_test(passed_descriptors_of_init_end_with_it),
		cmocka_unit_test(a_host_that_closes_a_socket_is_noticed),
		cmocka_unit_test(grandchild_does_not_hold_exit_back),
		cmocka_unit_test(slow_reader_loses_nothing),
		cmocka_unit_test(exec_joins_the_container),
		cmocka_unit_test(exec_reports_what_is_missing),
		cmocka_unit_test(many_execs_at_once),
		cmocka_unit_test(terminal),
		cmocka_unit_test(terminal_hangs_up),
		cmocka_unit_test(interrupt_by_key),
		cmocka_unit_test(signals_reach_processes),
		cmocka_unit_test(end_of_init_ends_all),
		cmocka_unit_test(created_container_can_be_killed),
		cmocka_unit_test(exec_into_created_container),
		cmocka_unit_test(pause_and_thaw),
		cmocka_unit_test(processes_are_listed),
		cmocka_unit_test(requests_out_of_turn),
		cmocka_unit_test(malformed_requests),
	};

	if (!harness_possible()) {
		printf("1..1\nok 1 - agent # SKIP needs root, busybox and namespaces\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
