/* SPDX-License-Identifier: Apache-2.0 */
/* roles.c - what the roles share: reports to `create`; see roles.h */
#include "roles.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/utf8.h"
#include "interrupt.h"

/* A report is {i32 errno, text}; an empty text with 0 means ready. */
struct report {
	int32_t code;
	char msg[VR_ERR_MSG_MAX];
};

void role_report(int report_fd, const struct vr_err *err)
{
	struct report r = {0};

	if (err) {
		r.code = err->code;
		memcpy(r.msg, err->msg, sizeof(r.msg));
	}
	/* When `create` is gone there is nobody to tell; the role finds out by itself. */
	(void)send(report_fd, &r, sizeof(r), MSG_NOSIGNAL);
}

int role_report_read(int report_fd, const char *role, int timeout_ms, struct vr_err *err)
{
	struct pollfd p = {.fd = report_fd, .events = POLLIN};
	struct report r;
	ssize_t n;
	int rc;

	do {
		rc = poll(&p, 1, timeout_ms);
	} while (rc < 0 && errno == EINTR && interrupt_signal() == 0);
	if (interrupt_check(err) < 0) {
		return -EINTR;
	}
	if (rc == 0) {
		return vr_err_set(err, ETIMEDOUT, "the %s process did not get ready in time", role);
	}
	n = rc < 0 ? -1 : recv(report_fd, &r, sizeof(r), 0);
	if (n != (ssize_t)sizeof(r)) {
		return vr_err_set(err, ECONNRESET, "the %s process ended before it was ready",
				  role);
	}
	if (r.code == 0) {
		return 0;
	}
	r.msg[sizeof(r.msg) - 1] = '\0';
	vr_utf8_tame(
		r.msg); /* of a role that may not be ours any more: engines print it as it is */
	return vr_err_set(err, r.code, "%s", r.msg);
}

/* Syscalls: sendto (role vmm) */
void role_tell_shim(int shim_fd, uint8_t status, const char *reason)
{
	struct shim_exit_msg msg = {.status = status};
	size_t len = reason ? strnlen(reason, sizeof(msg.reason)) : 0;

	memcpy(msg.reason, reason ? reason : "", len);
	/* The shim exits on this; when it is gone already nobody needs to know. */
	(void)send(shim_fd, &msg, SHIM_EXIT_MIN + len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int role_log_fd(void)
{
	if (!vr_log_enabled(VR_LOG_WARN)) {
		vr_log_set_fd(-1);
	}
	return vr_log_fd();
}

void role_stdio_null(int null_fd)
{
	for (int fd = 0; fd <= 2; fd++) {
		(void)dup2(null_fd,
			   fd); /* fails only for a bad null_fd; then 0-2 stay as they were */
	}
}
