/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.c - the control socket; see control.h
 *
 * The path of a socket may have 107 bytes only, state directories may lie
 * deeper: both sides go through /proc/self/fd/<dirfd>.
 */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/utf8.h"
#include "vmm/memlayout.h"
#include "vmm/vm.h"

#define STATE_BIT(s) (1u << (s))
#define CODE_MAX     4095u /* largest errno value of Linux */

static const char *const state_names[CTL_STATE_COUNT] = {
	[CTL_BOOTING] = "booting", [CTL_CREATED] = "created", [CTL_STARTING] = "starting",
	[CTL_RUNNING] = "running", [CTL_PAUSED] = "paused",   [CTL_EXITED] = "exited",
};

#define WITH_INIT (STATE_BIT(CTL_CREATED) | STATE_BIT(CTL_STARTING) | STATE_BIT(CTL_RUNNING))

/* A request must be both known and currently permitted. */
static const uint32_t permitted_states[CTL_TYPE_COUNT] = {
	[CTL_START] = STATE_BIT(CTL_CREATED),
	/* A signal before start reaches the waiting process, as with a plain container. */
	[CTL_SIGNAL] = WITH_INIT | STATE_BIT(CTL_PAUSED) | STATE_BIT(CTL_EXITED),
	[CTL_EXEC] = WITH_INIT,
	[CTL_PAUSE] = STATE_BIT(CTL_CREATED) | STATE_BIT(CTL_RUNNING),
	[CTL_RESUME] = STATE_BIT(CTL_PAUSED),
	[CTL_PS] = WITH_INIT | STATE_BIT(CTL_PAUSED) | STATE_BIT(CTL_EXITED),
	[CTL_STATS] = WITH_INIT,
	[CTL_UPDATE] = WITH_INIT | STATE_BIT(CTL_PAUSED),
	[CTL_MACHINE] = WITH_INIT,
	[CTL_JOIN] = WITH_INIT,
	[CTL_STATE] = (1u << CTL_STATE_COUNT) - 1,
};

const char *ctl_state_name(enum ctl_state s)
{
	return (unsigned)s < CTL_STATE_COUNT ? state_names[s] : "unknown";
}

bool ctl_permitted(enum ctl_type type, enum ctl_state state)
{
	return type > 0 && type < CTL_TYPE_COUNT && (unsigned)state < CTL_STATE_COUNT &&
	       (permitted_states[type] & STATE_BIT(state)) != 0;
}

static bool has_body(enum ctl_type type)
{
	return type == CTL_START || type == CTL_UPDATE;
}

size_t ctl_request_encode(void *buf, size_t cap, const struct ctl_request *req)
{
	struct vr_wr w;

	if (req->body_len > CTL_BODY_MAX) {
		return 0;
	}
	vr_wr_init(&w, buf, cap);
	vr_wr_u32(&w, CTL_VERSION);
	vr_wr_u32(&w, req->type);
	if (req->type == CTL_SIGNAL) {
		vr_wr_u32(&w, req->signo);
		vr_wr_u32(&w, req->all);
	} else if (req->type == CTL_EXEC) {
		vr_wr_u32(&w, req->pid);
		vr_wr_u32(&w, req->terminal);
	} else if (req->type == CTL_JOIN) {
		vr_wr_u32(&w, req->flags);
		vr_wr_u32(&w, req->seconds);
	} else if (has_body(req->type) && req->body_len > 0) {
		vr_wr_bytes(&w, req->body, req->body_len);
	}
	return vr_wr_ok(&w) ? w.off : 0;
}

int ctl_parse(const void *msg, size_t len, struct ctl_request *out)
{
	struct ctl_request req = {0};
	struct vr_rd r;
	uint32_t version, type, flag = 0;

	vr_rd_init(&r, msg, len);
	version = vr_rd_u32(&r);
	type = vr_rd_u32(&r);
	if (!vr_rd_ok(&r) || version != CTL_VERSION || type == 0 || type >= CTL_TYPE_COUNT) {
		return -EPROTO;
	}
	req.type = (enum ctl_type)type;
	if (req.type == CTL_SIGNAL) {
		req.signo = vr_rd_u32(&r);
		flag = vr_rd_u32(&r);
		req.all = flag == 1;
	} else if (req.type == CTL_EXEC) {
		req.pid = vr_rd_u32(&r);
		flag = vr_rd_u32(&r);
		req.terminal = flag == 1;
	} else if (req.type == CTL_JOIN) {
		req.flags = vr_rd_u32(&r);
		req.seconds = vr_rd_u32(&r);
	} else if (has_body(req.type)) {
		req.body_len = vr_rd_left(&r);
		req.body = vr_rd_bytes(&r, req.body_len);
	}
	if (!vr_rd_ok(&r) || vr_rd_left(&r) != 0 || flag > 1 || req.signo >= (uint32_t)_NSIG ||
	    (req.flags & ~CTL_JOIN_FLAGS) != 0 || req.body_len > CTL_BODY_MAX) {
		return -EPROTO;
	}
	*out = req;
	return 0;
}

size_t ctl_reply_encode(void *buf, size_t cap, int code, const char *msg)
{
	size_t n = msg ? strnlen(msg, VR_ERR_MSG_MAX - 1) : 0;
	struct vr_wr w;

	vr_wr_init(&w, buf, cap);
	vr_wr_u32(&w, (uint32_t)(code < 0 ? -code : code));
	vr_wr_bytes(&w, msg, n);
	return vr_wr_ok(&w) ? w.off : 0;
}

size_t ctl_data_encode(void *buf, size_t cap, const void *data, size_t len)
{
	struct vr_wr w;

	if (len > CTL_BODY_MAX) {
		return 0;
	}
	vr_wr_init(&w, buf, cap);
	vr_wr_u32(&w, 0);
	vr_wr_bytes(&w, data, len);
	return vr_wr_ok(&w) ? w.off : 0;
}

size_t ctl_machine_encode(void *buf, size_t cap, const struct ctl_machine *m)
{
	struct vr_wr w;

	vr_wr_init(&w, buf, cap);
	vr_wr_u64(&w, m->ram_bytes);
	vr_wr_u32(&w, m->n_vcpus);
	return vr_wr_ok(&w) ? w.off : 0;
}

int ctl_machine_decode(const void *data, size_t len, struct ctl_machine *out)
{
	struct vr_rd r;

	vr_rd_init(&r, data, len);
	out->ram_bytes = vr_rd_u64(&r);
	out->n_vcpus = vr_rd_u32(&r);
	if (!vr_rd_ok(&r) || vr_rd_left(&r) != 0 || out->ram_bytes < ML_RAM_MIN ||
	    out->ram_bytes > ML_RAM_MAX || out->ram_bytes % ML_PAGE != 0 || out->n_vcpus == 0 ||
	    out->n_vcpus > VM_MAX_VCPUS) {
		return -EPROTO;
	}
	return 0;
}

static int socket_address(int dirfd, struct sockaddr_un *sa)
{
	int n;

	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	n = snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", dirfd,
		     CTL_SOCKET_NAME);
	return n > 0 && (size_t)n < sizeof(sa->sun_path) ? 0 : -ENAMETOOLONG;
}

int ctl_listen(int dirfd, struct vr_err *err)
{
	vr_autoclose int fd = -1;
	struct sockaddr_un sa;
	int rc;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = fd < 0 ? -errno : socket_address(dirfd, &sa);
	if (rc == 0 && (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 64) < 0)) {
		rc = -errno;
	}
	if (rc < 0) {
		return vr_err_sys(err, rc, "make control socket '%s'", CTL_SOCKET_NAME);
	}
	return vr_take_fd(&fd);
}

/* Milliseconds from now, at least one: none would be for ever as a socket's timeout. */
static int time_left(uint64_t deadline)
{
	uint64_t now = vr_now_ms();

	return now < deadline ? (int)(deadline - now) : 1;
}

/*
 * A socket that waits as long when it connects or sends, too: whoever listens needn't accept. Each
 * call that was given up stays in the backlog, and once that is full connect() waits for room.
 */
static int timed_socket(uint64_t deadline)
{
	int ms = time_left(deadline);
	const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	vr_autoclose int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0) {
		return -errno;
	}
	return vr_take_fd(&fd);
}

static int connect_until(int fd, const struct sockaddr_un *sa, uint64_t deadline)
{
	int rc;

	do {
		rc = connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
	} while (rc < 0 && errno == EINTR && vr_now_ms() < deadline);
	return rc < 0 ? -errno : 0;
}

/* What the kernel says of a socket's timeout (unix(7)) sounds like advice to try again. */
static int reach_failed(int rc, struct vr_err *err)
{
	if (rc == -EAGAIN || rc == -EINTR) {
		return vr_err_set(err, ETIMEDOUT,
				  "reach the container's control socket: its vmm takes no calls");
	}
	return vr_err_sys(err, rc, "reach the container's control socket");
}

static int wait_readable(int fd, uint64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int rc;

	do {
		rc = poll(&p, 1, time_left(deadline));
	} while (rc < 0 && errno == EINTR);
	if (rc < 0) {
		return -errno;
	}
	return rc == 0 ? -ETIMEDOUT : 0;
}

static int data_keep(struct ctl_call *call, const void *data, size_t len, struct vr_err *err)
{
	if (len == 0) {
		return 0;
	}
	call->data = malloc(len);
	if (!call->data) {
		return vr_err_set(err, ENOMEM, "keep the container's answer: out of memory");
	}
	memcpy(call->data, data, len);
	call->data_len = len;
	return 0;
}

/* Hand over what came, as far as it is wanted; on failure nothing is. */
static void fds_keep(struct ctl_call *call, const int *fds, size_t n_fds, bool wanted)
{
	for (size_t i = 0; i < call->cap_got; i++) {
		call->got_fds[i] = -1;
	}
	for (size_t i = 0; i < n_fds; i++) {
		if (wanted && i < call->cap_got) {
			call->got_fds[i] = fds[i];
		} else {
			(void)close(fds[i]);
		}
	}
}

/* @code and the sentence are the vmm's: whatever they are, a failure has both. */
static int refusal(uint32_t code, const char *text, size_t len, struct vr_err *err)
{
	if (code > CODE_MAX) {
		return vr_err_set(err, EPROTO, "unreadable answer on the control socket");
	}
	if (len == 0 || text[0] == '\0') {
		return vr_err_sys(err, (int)code, "the container refused");
	}
	(void)vr_err_set(err, (int)code, "%.*s", (int)len, text);
	vr_utf8_tame(err->msg); /* engines print it as it is */
	return -(int)code;
}

int ctl_answer_read(int fd, struct ctl_call *call, struct vr_err *err)
{
	static char msg[CTL_MSG_MAX]; /* the cli has one thread */
	const uint8_t *rest;
	struct vr_rd r;
	uint32_t code;
	size_t len;
	int fds[CTL_MACHINE_FDS];
	size_t n_fds = 0;
	ssize_t n = vr_recv_fds(fd, msg, sizeof(msg), fds, VR_ARRAY_SIZE(fds), &n_fds);
	int rc;

	vr_rd_init(&r, msg, n > 0 ? (size_t)n : 0);
	code = vr_rd_u32(&r);
	len = vr_rd_left(&r);
	rest = vr_rd_bytes(&r, len);
	if (n == 0 || (n < 0 && n != -EMSGSIZE)) {
		rc = vr_err_set(err, ECONNRESET, "the container ended before it answered");
	} else if (!vr_rd_ok(&r)) { /* or too long, or with too many descriptors */
		rc = vr_err_set(err, EPROTO, "unreadable answer on the control socket");
	} else if (code != 0) {
		call->refused = true;
		rc = refusal(code, (const char *)rest, len, err);
	} else {
		rc = data_keep(call, rest, len, err);
	}
	fds_keep(call, fds, n_fds, rc == 0);
	return rc;
}

static int request_send(int fd, const struct ctl_call *call, struct vr_err *err)
{
	static char msg[CTL_MSG_MAX]; /* as above */
	size_t len = ctl_request_encode(msg, sizeof(msg), &call->req);
	int rc;

	if (len == 0) {
		return vr_err_set(err, E2BIG, "the request is too large for the container");
	}
	rc = vr_send_fds(fd, msg, len, call->fds, call->n_fds);
	if (rc < 0) {
		return reach_failed(rc == -EPIPE ? -ECONNREFUSED : rc, err);
	}
	return 0;
}

int ctl_call(int dirfd, struct ctl_call *call, struct vr_err *err)
{
	uint64_t deadline = vr_now_ms() + (uint64_t)call->timeout_ms;
	vr_autoclose int fd = timed_socket(deadline);
	struct sockaddr_un sa;
	int rc;

	rc = fd < 0 ? fd : socket_address(dirfd, &sa);
	rc = rc < 0 ? rc : connect_until(fd, &sa, deadline);
	if (rc < 0) {
		return reach_failed(rc, err);
	}
	rc = request_send(fd, call, err);
	if (rc < 0) {
		return rc;
	}
	rc = wait_readable(fd, deadline);
	if (rc < 0) {
		return vr_err_sys(err, rc, "wait for the container's answer");
	}
	return ctl_answer_read(fd, call, err);
}
