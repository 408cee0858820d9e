/* SPDX-License-Identifier: Apache-2.0 */
/* test_control.c - the control socket: bytes, permissions, and calls over a real socket */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/fdio.h"
#include "control.h"
#include "vmm/memlayout.h"
#include "vmm/vm.h"

#define REPLY_MAX (VR_ERR_MSG_MAX + 16)

/* ---- bytes ---- */

static size_t words(uint8_t *buf, const uint32_t *w, size_t n)
{
	struct vr_wr wr;

	vr_wr_init(&wr, buf, 64);
	for (size_t i = 0; i < n; i++) {
		vr_wr_u32(&wr, w[i]);
	}
	assert_true(vr_wr_ok(&wr));
	return wr.off;
}

#define WORDS(buf, ...)                                                                            \
	words((buf), (const uint32_t[]){__VA_ARGS__},                                              \
	      sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void requests_are_parsed(void **state)
{
	struct ctl_request req;
	uint8_t b[64];

	(void)state;
	req.signo = 99;
	assert_int_equal(ctl_parse(b, WORDS(b, CTL_VERSION, CTL_START), &req), 0);
	assert_int_equal(req.type, CTL_START);
	assert_int_equal(req.signo, 0);
	assert_int_equal(ctl_parse(b, WORDS(b, CTL_VERSION, CTL_SIGNAL, 64, 1), &req), 0);
	assert_int_equal(req.type, CTL_SIGNAL);
	assert_int_equal(req.signo, 64);
	assert_true(req.all);
	assert_int_equal(ctl_parse(b, WORDS(b, CTL_VERSION, CTL_SIGNAL, 0, 0), &req), 0);
	assert_int_equal(req.signo, 0);
	assert_false(req.all);
	assert_int_equal(ctl_parse(b, WORDS(b, CTL_VERSION, CTL_MACHINE), &req), 0);
	assert_int_equal(req.type, CTL_MACHINE);
	assert_int_equal(
		ctl_parse(b, WORDS(b, CTL_VERSION, CTL_JOIN, CTL_JOIN_TTY | CTL_JOIN_NOTIFY, 30),
			  &req),
		0);
	assert_int_equal(req.flags, CTL_JOIN_TTY | CTL_JOIN_NOTIFY);
	assert_int_equal(req.seconds, 30);
}

static void what_a_machine_is_survives_the_wire(void **state)
{
	const struct ctl_machine m = {.ram_bytes = 5ull << 30, .n_vcpus = 7};
	struct ctl_machine back = {0};
	uint8_t b[32];
	size_t n = ctl_machine_encode(b, sizeof(b), &m);

	(void)state;
	assert_int_equal(n, 12);
	assert_int_equal(ctl_machine_decode(b, n, &back), 0);
	assert_true(back.ram_bytes == m.ram_bytes);
	assert_int_equal(back.n_vcpus, m.n_vcpus);
	assert_int_equal(ctl_machine_decode(b, n - 1, &back), -EPROTO);
	assert_int_equal(ctl_machine_decode(b, n + 1, &back), -EPROTO);
	assert_int_equal(ctl_machine_encode(b, n - 1, &m), 0);
}

/* The one that answers may have been taken over; sums are made with its numbers. */
static void a_machine_that_cannot_be_is_refused(void **state)
{
	static const struct ctl_machine wrong[] = {
		{0, 1},
		{ML_RAM_MIN - ML_PAGE, 1},
		{ML_RAM_MIN + 1, 1},
		{ML_RAM_MAX + ML_PAGE, 1},
		{1ull << 63, 1},
		{UINT64_MAX - ML_PAGE + 1, 1},
		{UINT64_MAX, 1},
		{ML_RAM_MIN, 0},
		{ML_RAM_MIN, VM_MAX_VCPUS + 1},
		{ML_RAM_MIN, UINT32_MAX},
	};
	static const struct ctl_machine right[] = {{ML_RAM_MIN, 1}, {ML_RAM_MAX, VM_MAX_VCPUS}};
	struct ctl_machine m;
	uint8_t b[32];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(wrong); i++) {
		size_t n = ctl_machine_encode(b, sizeof(b), &wrong[i]);

		assert_int_equal(ctl_machine_decode(b, n, &m), -EPROTO);
	}
	for (size_t i = 0; i < VR_ARRAY_SIZE(right); i++) {
		size_t n = ctl_machine_encode(b, sizeof(b), &right[i]);

		assert_int_equal(ctl_machine_decode(b, n, &m), 0);
	}
}

static void malformed_requests_are_refused(void **state)
{
	struct ctl_request req = {.signo = 4711};
	uint8_t b[64];
	size_t n;

	(void)state;
#define REFUSED(...) assert_int_equal(ctl_parse(b, WORDS(b, __VA_ARGS__), &req), -EPROTO)
	REFUSED(CTL_VERSION + 1, CTL_START);
	REFUSED(0, CTL_START);
	REFUSED(CTL_VERSION, 0);
	REFUSED(CTL_VERSION, CTL_TYPE_COUNT);
	REFUSED(CTL_VERSION, UINT32_MAX);
	REFUSED(CTL_VERSION, CTL_SIGNAL);
	REFUSED(CTL_VERSION, CTL_SIGNAL, 9);
	REFUSED(CTL_VERSION, CTL_SIGNAL, 9, 0, 0);
	REFUSED(CTL_VERSION, CTL_SIGNAL, 65, 0);
	REFUSED(CTL_VERSION, CTL_SIGNAL, UINT32_MAX, 0);
	REFUSED(CTL_VERSION, CTL_SIGNAL, 9, 2);
	REFUSED(CTL_VERSION, CTL_MACHINE, 0);
	REFUSED(CTL_VERSION, CTL_JOIN, 0);
	REFUSED(CTL_VERSION, CTL_JOIN, CTL_JOIN_FLAGS + 1, 30);
	REFUSED(CTL_VERSION, CTL_JOIN, 0, 30, 0);
#undef REFUSED
	n = WORDS(b, CTL_VERSION, CTL_SIGNAL, 9, 1);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(ctl_parse(b, i, &req), -EPROTO);
	}
	assert_int_equal(req.signo, 4711); /* never touched */
}

static void replies_are_bounded(void **state)
{
	char text[3 * VR_ERR_MSG_MAX];
	uint8_t b[REPLY_MAX];
	size_t n;

	(void)state;
	assert_int_equal(ctl_reply_encode(b, sizeof(b), 0, NULL), 4);
	assert_memory_equal(b, "\0\0\0\0", 4);
	assert_int_equal(ctl_reply_encode(b, sizeof(b), -EBUSY, "no"), 6);
	assert_memory_equal(b, "\x10\0\0\0no", 6);
	assert_int_equal(ctl_reply_encode(b, sizeof(b), EBUSY, "no"), 6);
	assert_memory_equal(b, "\x10\0\0\0no", 6);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	n = ctl_reply_encode(b, sizeof(b), EIO, text);
	assert_int_equal(n, 4 + VR_ERR_MSG_MAX - 1);
	assert_int_equal(ctl_reply_encode(b, 3, EIO, "x"), 0); /* doesn't fit: nothing to send */
}

static void permissions(void **state)
{
	static const char allowed[CTL_TYPE_COUNT][CTL_STATE_COUNT + 1] = {
		[0] = "------",
		/* booting, created, starting, running, paused, exited */
		[CTL_START] = "-y----",
		[CTL_SIGNAL] = "-yyyyy",
		[CTL_EXEC] = "-yyy--",
		[CTL_PAUSE] = "-y-y--",
		[CTL_RESUME] = "----y-",
		[CTL_PS] = "-yyyyy",
		[CTL_STATS] = "-yyy--",
		[CTL_UPDATE] = "-yyyy-",
		[CTL_STATE] = "yyyyyy",
		[CTL_MACHINE] = "-yyy--",
		[CTL_JOIN] = "-yyy--",
	};

	(void)state;
	for (unsigned t = 0; t < CTL_TYPE_COUNT; t++) {
		for (unsigned s = 0; s < CTL_STATE_COUNT; s++) {
			if (ctl_permitted((enum ctl_type)t, (enum ctl_state)s) !=
			    (allowed[t][s] == 'y')) {
				fail_msg("request %u in state %s", t,
					 ctl_state_name((enum ctl_state)s));
			}
		}
	}
	assert_false(ctl_permitted(CTL_TYPE_COUNT, CTL_RUNNING));
	assert_false(ctl_permitted((enum ctl_type) - 1, CTL_RUNNING));
	assert_false(ctl_permitted(CTL_SIGNAL, CTL_STATE_COUNT));
	assert_false(ctl_permitted(CTL_SIGNAL, (enum ctl_state) - 1));
}

static void states_have_names(void **state)
{
	(void)state;
	assert_string_equal(ctl_state_name(CTL_BOOTING), "booting");
	assert_string_equal(ctl_state_name(CTL_EXITED), "exited");
	assert_string_equal(ctl_state_name(CTL_STATE_COUNT), "unknown");
	assert_string_equal(ctl_state_name((enum ctl_state) - 1), "unknown");
}

/* ---- a real socket ---- */

/** struct server - a listening socket, and a thread that answers one client */
struct server {
	char dir[64];
	int dirfd;
	int listen_fd;
	pthread_t thread;
	bool answer; /* else hang up */
	uint8_t reply[2 * REPLY_MAX];
	size_t n_reply;
	uint8_t got[256];
	ssize_t n_got;
};

static int server_up(void **state)
{
	struct server *s = calloc(1, sizeof(*s));
	struct vr_err err = VR_ERR_INIT;

	assert_non_null(s);
	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/volt-control-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	s->dirfd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(s->dirfd >= 0);
	s->listen_fd = ctl_listen(s->dirfd, &err);
	assert_no_error(s->listen_fd, err);
	*state = s;
	return 0;
}

static int server_down(void **state)
{
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct server *s = *state;

	if (s->listen_fd >= 0) {
		(void)close(s->listen_fd);
	}
	(void)close(s->dirfd);
	assert_int_equal(vr_remove_tree(tmp, s->dir + strlen("/tmp/")), 0);
	(void)close(tmp);
	free(s);
	return 0;
}

static void *serve_one(void *arg)
{
	struct server *s = arg;
	int fd = -1;

	while (fd < 0) { /* non-blocking: poll by trying */
		fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && errno != EAGAIN && errno != EINTR) {
			return NULL;
		}
		(void)usleep(1000);
	}
	s->n_got = recv(fd, s->got, sizeof(s->got), 0);
	if (s->answer) {
		(void)send(fd, s->reply, s->n_reply, MSG_NOSIGNAL);
	}
	(void)close(fd);
	return NULL;
}

static int call(int dirfd, const struct ctl_request *req, int timeout_ms, struct vr_err *err)
{
	struct ctl_call c = {.req = *req, .timeout_ms = timeout_ms};
	int rc = ctl_call(dirfd, &c, err);

	free(c.data);
	return rc;
}

static int call_served(struct server *s, const struct ctl_request *req, struct vr_err *err)
{
	int rc;

	assert_int_equal(pthread_create(&s->thread, NULL, serve_one, s), 0);
	rc = call(s->dirfd, req, 10000, err);
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	return rc;
}

static void request_and_success(void **state)
{
	const struct ctl_request req = {.type = CTL_SIGNAL, .signo = 15, .all = true};
	struct vr_err err = VR_ERR_INIT;
	struct ctl_request seen = {0};
	struct server *s = *state;

	s->answer = true;
	s->n_reply = ctl_reply_encode(s->reply, sizeof(s->reply), 0, "ignored");
	assert_int_equal(call_served(s, &req, &err), 0);
	assert_int_equal(err.code, 0);
	assert_int_equal(ctl_parse(s->got, (size_t)s->n_got, &seen), 0);
	assert_int_equal(seen.type, CTL_SIGNAL);
	assert_int_equal(seen.signo, 15);
	assert_true(seen.all);
}

static void start_has_no_arguments(void **state)
{
	const struct ctl_request req = {.type = CTL_START};
	struct vr_err err = VR_ERR_INIT;
	struct ctl_request seen = {0};
	struct server *s = *state;

	s->answer = true;
	s->n_reply = ctl_reply_encode(s->reply, sizeof(s->reply), 0, NULL);
	assert_int_equal(call_served(s, &req, &err), 0);
	assert_int_equal(s->n_got, 8);
	assert_int_equal(ctl_parse(s->got, (size_t)s->n_got, &seen), 0);
	assert_int_equal(seen.type, CTL_START);
}

static void a_refusal_arrives_as_it_was_said(void **state)
{
	const struct ctl_request req = {.type = CTL_START};
	struct vr_err err = VR_ERR_INIT;
	char text[VR_ERR_MSG_MAX];
	struct server *s = *state;

	s->answer = true;
	s->n_reply = ctl_reply_encode(s->reply, sizeof(s->reply), EBUSY, "100%s busy");
	assert_int_equal(call_served(s, &req, &err), -EBUSY);
	assert_message(err, "100%s busy");
	/* of a vmm that isn't ours any more */
	s->n_reply = ctl_reply_encode(s->reply, sizeof(s->reply), EIO, "\x1b[2J \xc2\x9b H \xff");
	assert_int_equal(call_served(s, &req, &err), -EIO);
	assert_message(err, "?[2J ?? H ?");
	/* the longest there can be */
	memset(text, 'y', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	s->n_reply = ctl_reply_encode(s->reply, sizeof(s->reply), EIO, text);
	assert_int_equal(call_served(s, &req, &err), -EIO);
	assert_message(err, text);
}

static void odd_answers_are_survived(void **state)
{
	const struct ctl_request req = {.type = CTL_START};
	struct vr_err err = VR_ERR_INIT;
	struct server *s = *state;

	s->answer = true;
	s->n_reply = 3; /* no code */
	assert_int_equal(call_served(s, &req, &err), -EPROTO);
	assert_message(err, "unreadable answer on the control socket");
	memset(s->reply, 0xff, sizeof(s->reply)); /* code 2^32-1, text longer than any of ours */
	s->n_reply = sizeof(s->reply);
	assert_true(call_served(s, &req, &err) < 0);
	s->answer = false;
	assert_int_equal(call_served(s, &req, &err), -ECONNRESET);
	assert_message(err, "the container ended before it answered");
}

static void an_answer_has_its_time(void **state)
{
	const struct ctl_request req = {.type = CTL_START};
	struct vr_err err = VR_ERR_INIT;
	struct server *s = *state;
	uint64_t t0 = vr_now_ms();

	/* connected, as the socket listens, but nobody answers */
	assert_int_equal(call(s->dirfd, &req, 30, &err), -ETIMEDOUT);
	assert_true(vr_now_ms() - t0 >= 25);
	assert_int_equal(strncmp(err.msg, "wait for the container's answer: ", 33), 0);
}

/* Give up calls until the backlog has no room. Return: the first that could not even connect */
static int fill_backlog(int dirfd, struct vr_err *err)
{
	const struct ctl_request req = {.type = CTL_STATE};

	for (unsigned i = 0; i < 100; i++) {
		*err = (struct vr_err)VR_ERR_INIT;
		assert_int_equal(call(dirfd, &req, 1, err), -ETIMEDOUT);
		if (strncmp(err->msg, "reach ", 6) == 0) {
			return 0;
		}
	}
	return -1;
}

static void connecting_has_its_time(void **state)
{
	const struct ctl_request req = {.type = CTL_STATE};
	struct vr_err err = VR_ERR_INIT;
	struct server *s = *state;
	uint64_t t0;

	(void)alarm(30); /* it would hang */
	assert_int_equal(fill_backlog(s->dirfd, &err), 0);
	assert_message(err, "reach the container's control socket: its vmm takes no calls");
	t0 = vr_now_ms();
	assert_int_equal(call(s->dirfd, &req, 50, &err), -ETIMEDOUT);
	assert_true(vr_now_ms() - t0 >= 45);
	assert_true(vr_now_ms() - t0 < 5000);
	(void)alarm(0);
}

static void nobody_listens(void **state)
{
	const struct ctl_request req = {.type = CTL_START};
	struct vr_err err = VR_ERR_INIT;
	struct server *s = *state;

	(void)close(s->listen_fd);
	s->listen_fd = -1;
	assert_int_equal(call(s->dirfd, &req, 1000, &err), -ECONNREFUSED);
	assert_int_equal(unlinkat(s->dirfd, CTL_SOCKET_NAME, 0), 0);
	assert_int_equal(call(s->dirfd, &req, 1000, &err), -ENOENT);
	assert_int_equal(strncmp(err.msg, "reach the container's control socket: ", 38), 0);
}

static void the_socket_is_close_on_exec_and_unique(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct server *s = *state;
	struct stat st;

	assert_int_equal(fcntl(s->listen_fd, F_GETFD), FD_CLOEXEC);
	assert_true((fcntl(s->listen_fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(fstatat(s->dirfd, CTL_SOCKET_NAME, &st, 0), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(ctl_listen(s->dirfd, &err), -EADDRINUSE);
	assert_int_equal(strncmp(err.msg, "make control socket 'control.sock': ", 36), 0);
}

static void deep_directories_work(void **state)
{
	const struct ctl_request req = {.type = CTL_START};
	struct vr_err err = VR_ERR_INIT;
	struct server *s = *state;
	char name[101];
	int fd = dup(s->dirfd), next, sock;

	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (unsigned i = 0; i < 5; i++) { /* far beyond the 108 bytes of a socket's address */
		assert_int_equal(mkdirat(fd, name, 0700), 0);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		(void)close(fd);
		fd = next;
	}
	sock = ctl_listen(fd, &err);
	assert_no_error(sock, err);
	assert_int_equal(call(fd, &req, 1, &err), -ETIMEDOUT); /* it got there */
	(void)close(sock);
	(void)close(fd);
}

#define SERVED(name) cmocka_unit_test_setup_teardown(name, server_up, server_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_parsed),
		cmocka_unit_test(malformed_requests_are_refused),
		cmocka_unit_test(what_a_machine_is_survives_the_wire),
		cmocka_unit_test(a_machine_that_cannot_be_is_refused),
		cmocka_unit_test(replies_are_bounded),
		cmocka_unit_test(permissions),
		cmocka_unit_test(states_have_names),
		SERVED(request_and_success),
		SERVED(start_has_no_arguments),
		SERVED(a_refusal_arrives_as_it_was_said),
		SERVED(odd_answers_are_survived),
		SERVED(an_answer_has_its_time),
		SERVED(connecting_has_its_time),
		SERVED(nobody_listens),
		SERVED(the_socket_is_close_on_exec_and_unique),
		SERVED(deep_directories_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
