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
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/cleanup.h"

#define STATE_BIT(s) (1u << (s))

static const char *const state_names[CTL_STATE_COUNT] = {
	[CTL_BOOTING] = "booting", [CTL_CREATED] = "created", [CTL_STARTING] = "starting",
	[CTL_RUNNING] = "running", [CTL_EXITED] = "exited",
};

/* A request must be both known and currently permitted. */
static const uint32_t permitted_states[CTL_TYPE_COUNT] = {
	[CTL_START] = STATE_BIT(CTL_CREATED),
	/* A signal before start reaches the waiting process, as with a plain container. */
	[CTL_SIGNAL] = STATE_BIT(CTL_CREATED) | STATE_BIT(CTL_STARTING) | STATE_BIT(CTL_RUNNING) |
		       STATE_BIT(CTL_EXITED),
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

static size_t request_encode(void *buf, size_t cap, const struct ctl_request *req)
{
	struct vr_wr w;

	vr_wr_init(&w, buf, cap);
	vr_wr_u32(&w, CTL_VERSION);
	vr_wr_u32(&w, req->type);
	if (req->type == CTL_SIGNAL) {
		vr_wr_u32(&w, req->signo);
		vr_wr_u32(&w, req->all);
	}
	return vr_wr_ok(&w) ? w.off : 0;
}

int ctl_parse(const void *msg, size_t len, struct ctl_request *out)
{
	struct ctl_request req = {0};
	struct vr_rd r;
	uint32_t version, type, all = 0;

	vr_rd_init(&r, msg, len);
	version = vr_rd_u32(&r);
	type = vr_rd_u32(&r);
	if (type == CTL_SIGNAL) {
		req.signo = vr_rd_u32(&r);
		all = vr_rd_u32(&r);
	}
	if (!vr_rd_ok(&r) || vr_rd_left(&r) != 0 || version != CTL_VERSION || type == 0 ||
	    type >= CTL_TYPE_COUNT || all > 1 || req.signo >= (uint32_t)_NSIG) {
		return -EPROTO;
	}
	req.type = (enum ctl_type)type;
	req.all = all == 1;
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

static int wait_readable(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int rc;

	do {
		rc = poll(&p, 1, timeout_ms);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0) {
		return -errno;
	}
	return rc == 0 ? -ETIMEDOUT : 0;
}

static int reply_read(int fd, struct vr_err *err)
{
	char msg[VR_ERR_MSG_MAX + 16];
	const uint8_t *text;
	struct vr_rd r;
	uint32_t code;
	size_t n_text;
	ssize_t n = recv(fd, msg, sizeof(msg), 0);

	if (n <= 0) {
		return vr_err_set(err, ECONNRESET, "the container ended before it answered");
	}
	vr_rd_init(&r, msg, (size_t)n);
	code = vr_rd_u32(&r);
	n_text = vr_rd_left(&r);
	text = vr_rd_bytes(&r, n_text);
	if (!vr_rd_ok(&r)) {
		return vr_err_set(err, EPROTO, "unreadable answer on the control socket");
	}
	if (code == 0) {
		return 0;
	}
	return vr_err_set(err, (int)code, "%.*s", (int)n_text, (const char *)text);
}

int ctl_call(int dirfd, const struct ctl_request *req, int timeout_ms, struct vr_err *err)
{
	vr_autoclose int fd = -1;
	struct sockaddr_un sa;
	uint8_t msg[64];
	size_t len = request_encode(msg, sizeof(msg), req);
	int rc;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	rc = fd < 0 ? -errno : socket_address(dirfd, &sa);
	if (rc < 0) {
		return vr_err_sys(err, rc, "reach the container's control socket");
	}
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    send(fd, msg, len, MSG_NOSIGNAL) != (ssize_t)len) {
		rc = errno == EPIPE ? -ECONNREFUSED : -errno;
		return vr_err_sys(err, rc, "reach the container's control socket");
	}
	rc = wait_readable(fd, timeout_ms);
	if (rc < 0) {
		return vr_err_sys(err, rc, "wait for the container's answer");
	}
	return reply_read(fd, err);
}
