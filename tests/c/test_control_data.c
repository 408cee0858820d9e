/* SPDX-License-Identifier: Apache-2.0 */
/* test_control_data.c - requests and answers of the control socket that carry something */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fdio.h"
#include "control.h"

static size_t encode(uint8_t *buf, size_t cap, const struct ctl_request *req)
{
	size_t n = ctl_request_encode(buf, cap, req);

	assert_int_not_equal(n, 0);
	return n;
}

static void requests_survive_the_way(void **state)
{
	const struct ctl_request sent[] = {
		{.type = CTL_START},
		{.type = CTL_START, .body = "{}", .body_len = 2},
		{.type = CTL_SIGNAL, .signo = 64, .all = true},
		{.type = CTL_EXEC, .pid = 4000000000u, .terminal = true},
		{.type = CTL_PAUSE},
		{.type = CTL_RESUME},
		{.type = CTL_PS},
		{.type = CTL_STATS},
		{.type = CTL_UPDATE, .body = "\0\1\2", .body_len = 3},
	};
	uint8_t buf[128];
	struct ctl_request got;

	(void)state;
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
		size_t n = encode(buf, sizeof(buf), &sent[i]);

		assert_int_equal(ctl_parse(buf, n, &got), 0);
		assert_int_equal(got.type, sent[i].type);
		assert_int_equal(got.signo, sent[i].signo);
		assert_int_equal(got.all, sent[i].all);
		assert_int_equal(got.pid, sent[i].pid);
		assert_int_equal(got.terminal, sent[i].terminal);
		assert_int_equal(got.body_len, sent[i].body_len);
		if (got.body_len > 0) {
			assert_memory_equal(got.body, sent[i].body, got.body_len);
		}
	}
}

static void values_out_of_range_are_refused(void **state)
{
	const struct ctl_request signal_req = {.type = CTL_SIGNAL, .signo = 9};
	const struct ctl_request exec_req = {.type = CTL_EXEC};
	struct ctl_request got;
	uint8_t buf[64];
	size_t n = encode(buf, sizeof(buf), &signal_req);

	(void)state;
	buf[8] = 65; /* signal number */
	assert_int_equal(ctl_parse(buf, n, &got), -EPROTO);
	buf[8] = 9;
	buf[12] = 2; /* all */
	assert_int_equal(ctl_parse(buf, n, &got), -EPROTO);
	buf[12] = 1;
	assert_int_equal(ctl_parse(buf, n, &got), 0);
	buf[0] = 2; /* version */
	assert_int_equal(ctl_parse(buf, n, &got), -EPROTO);
	n = encode(buf, sizeof(buf), &exec_req);
	buf[12] = 2; /* terminal */
	assert_int_equal(ctl_parse(buf, n, &got), -EPROTO);
	buf[12] = 0;
	buf[4] = 0; /* type */
	assert_int_equal(ctl_parse(buf, n, &got), -EPROTO);
	buf[4] = CTL_TYPE_COUNT;
	assert_int_equal(ctl_parse(buf, n, &got), -EPROTO);
}

static void bodies_have_a_limit(void **state)
{
	static uint8_t body[CTL_BODY_MAX + 1], buf[CTL_MSG_MAX + 64];
	struct ctl_request req = {.type = CTL_UPDATE, .body = body, .body_len = CTL_BODY_MAX};
	struct ctl_request got;
	size_t n = encode(buf, sizeof(buf), &req);

	(void)state;
	assert_true(n <= CTL_MSG_MAX);
	assert_int_equal(ctl_parse(buf, n, &got), 0);
	assert_int_equal(ctl_parse(buf, n + 1, &got), -EPROTO);
	req.body_len = CTL_BODY_MAX + 1;
	assert_int_equal(ctl_request_encode(buf, sizeof(buf), &req), 0);
	assert_int_equal(ctl_data_encode(buf, sizeof(buf), body, CTL_BODY_MAX + 1), 0);
	assert_int_equal(ctl_data_encode(buf, sizeof(buf), body, CTL_BODY_MAX), CTL_BODY_MAX + 4);
}

/* Only the body's carriers may have bytes behind their fields. */
static void other_requests_take_no_body(void **state)
{
	static const enum ctl_type types[] = {CTL_SIGNAL, CTL_EXEC, CTL_PAUSE,
					      CTL_RESUME, CTL_PS,   CTL_STATS};
	struct ctl_request got;
	uint8_t buf[64] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const struct ctl_request req = {.type = types[i]};
		size_t n = encode(buf, sizeof(buf), &req);

		assert_int_equal(ctl_parse(buf, n, &got), 0);
		assert_int_equal(ctl_parse(buf, n + 4, &got), -EPROTO);
	}
}

/* ---- a client against a server of one answer ---- */

struct server {
	int fd; /* listening */
	struct ctl_request got;
	size_t n_fds;
	char fd_text[8]; /* what the first descriptor was about */
	uint8_t reply[64];
	size_t reply_len;
};

static void *serve_one(void *arg)
{
	struct server *s = arg;
	int fds[CTL_FDS_MAX], client;
	uint8_t msg[1024];
	ssize_t n;

	do {
		client = accept(s->fd, NULL, NULL);
	} while (client < 0 && errno == EAGAIN);
	n = vr_recv_fds(client, msg, sizeof(msg), fds, CTL_FDS_MAX, &s->n_fds);
	if (n > 0 && ctl_parse(msg, (size_t)n, &s->got) == 0 && s->reply_len > 0) {
		if (s->n_fds > 0) {
			(void)!read(fds[0], s->fd_text, sizeof(s->fd_text) - 1);
		}
		(void)!send(client, s->reply, s->reply_len, MSG_NOSIGNAL);
	}
	for (size_t i = 0; i < s->n_fds; i++) {
		close(fds[i]);
	}
	close(client);
	return NULL;
}

static int call(struct server *s, struct ctl_call *c, struct vr_err *err)
{
	char dir[] = "/tmp/volt-ctl-XXXXXX", path[64];
	int dirfd, rc;
	pthread_t t;

	assert_non_null(mkdtemp(dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_true(dirfd >= 0);
	s->fd = ctl_listen(dirfd, err);
	assert_no_error(s->fd, *err);
	assert_int_equal(pthread_create(&t, NULL, serve_one, s), 0);
	rc = ctl_call(dirfd, c, err);
	assert_int_equal(pthread_join(t, NULL), 0);
	close(s->fd);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, CTL_SOCKET_NAME);
	unlink(path);
	rmdir(dir);
	close(dirfd);
	return rc;
}

static void data_and_descriptors_travel(void **state)
{
	struct ctl_call c = {.req = {.type = CTL_EXEC, .pid = 7}, .timeout_ms = 5000, .n_fds = 1};
	struct vr_err err = VR_ERR_INIT;
	struct server s = {0};
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "here", 4), 4);
	c.fds = fds;
	s.reply_len = ctl_data_encode(s.reply, sizeof(s.reply), "abc", 3);
	assert_int_equal(call(&s, &c, &err), 0);
	assert_int_equal(s.got.pid, 7);
	assert_int_equal(s.n_fds, 1);
	assert_string_equal(s.fd_text, "here");
	assert_int_equal(c.data_len, 3);
	assert_memory_equal(c.data, "abc", 3);
	free(c.data);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_survive_the_way),
		cmocka_unit_test(values_out_of_range_are_refused),
		cmocka_unit_test(bodies_have_a_limit),
		cmocka_unit_test(other_requests_take_no_body),
		cmocka_unit_test(data_and_descriptors_travel),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
