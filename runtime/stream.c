/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c - one standard stream of a guest process; see stream.h
 *
 * A blocked write in the loop thread would stop the whole VM's control, so a
 * write never offers more than the fd can take without blocking: private open
 * files are non-blocking, sockets are written with MSG_DONTWAIT, and for a pipe
 * that can't be re-opened poll guarantees room for PIPE_BUF bytes.
 */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"

#define READ_CHUNK  (64u * 1024u)
#define WRITE_CHUNK (64u * 1024u)

int stream_reopen_fd(int fd)
{
	char path[64];
	struct stat st;
	int flags, own;

	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fstat(fd, &st) < 0 || !(S_ISFIFO(st.st_mode) || isatty(fd) == 1)) {
		return fd;
	}
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (own < 0) {
		return fd; /* foreign owner, or a pipe whose reader is gone: the old fd will tell */
	}
	(void)close(fd);
	return own;
}

static bool is_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

/* Syscalls: writev, sendmsg, fcntl (role vmm) */
static ssize_t write_some(int fd, struct iovec *iov, unsigned n, bool never_full)
{
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = n};
	ssize_t rc;

	do {
		rc = sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (rc < 0 && errno == EINTR);
	if (rc >= 0 || errno != ENOTSOCK) {
		return rc;
	}
	if (never_full) {
		/* As much as a pump takes at a time: a slow disk must not hold up the loop for long. */
		n = 1;
		iov[0].iov_len = VR_MIN(iov[0].iov_len, (size_t)WRITE_CHUNK);
	} else if (!is_nonblocking(fd)) {
		/* A pipe that polled writable takes PIPE_BUF at once. */
		n = 1;
		iov[0].iov_len = VR_MIN(iov[0].iov_len, (size_t)PIPE_BUF);
	}
	do {
		rc = writev(fd, iov, (int)n);
	} while (rc < 0 && errno == EINTR);
	return rc;
}

static void watch_read(struct stream *s, bool on)
{
	if (s->rfd < 0 || s->watching_r == on) {
		return;
	}
	if (!on) {
		/* Not just fewer events: hang-ups are reported regardless of the mask. */
		loop_del(s->loop, s->rfd);
	} else if (loop_add(s->loop, s->rfd, EPOLLIN, s->loop_kind, s->loop_index) < 0) {
		return; /* regular files can't be polled and are always ready; see pump_in */
	}
	s->watching_r = on;
}

static int watch_write(struct stream *s, bool on)
{
	int rc = 0;

	if (s->wfd < 0 || s->watching_w == on) {
		return 0;
	}
	if (!on) {
		loop_del(s->loop, s->wfd);
	} else {
		rc = loop_add(s->loop, s->wfd, EPOLLOUT, s->loop_kind, s->loop_index + 1);
		s->never_full = rc == -EPERM;
	}
	s->watching_w = rc == 0 && on;
	return rc;
}

static void close_read_side(struct stream *s)
{
	watch_read(s, false);
	vr_close_reset(&s->rfd);
}

/* Syscalls: shutdown (role vmm) */
static void close_write_side(struct stream *s)
{
	(void)watch_write(s, false); /* removing can't fail */
	if (s->is_socket && s->wfd >= 0 && s->guest_shut) {
		(void)shutdown(s->wfd, SHUT_WR);
	}
	vr_close_reset(&s->wfd);
	if (!s->out_done) {
		s->out_done = true;
		if (s->drained) {
			s->drained(s->ctx);
		}
	}
}

/* Caller -> guest. Syscalls: read (role vmm) */
static void pump_in(struct stream *s)
{
	static uint8_t buf[READ_CHUNK]; /* one loop thread, contents never outlive the call */
	ssize_t n;
	size_t room;

	while (s->rfd >= 0 && s->conn) {
		room = vsock_conn_room(s->conn);
		if (room == 0) {
			watch_read(s, false);
			return;
		}
		n = read(s->rfd, buf, VR_MIN(room, sizeof(buf)));
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0 && errno == EAGAIN) {
			watch_read(s, true);
			return;
		}
		if (n <= 0) { /* end of file; EIO is a terminal's hang-up */
			close_read_side(s);
			vsock_conn_shutdown(s->conn, true, false);
			return;
		}
		if (vsock_conn_send(s->conn, buf, (size_t)n) != (size_t)n) {
			/* Can't happen: room was asked for under the same lock. */
			vsock_conn_reset(s->conn);
			s->conn = NULL;
			close_read_side(s);
			return;
		}
		if (s->watching_r || !is_nonblocking(s->rfd)) {
			watch_read(s, true);
			if (s->watching_r) {
				return; /* poll again: a blocking fd may have no more */
			}
		}
	}
}

/* Guest -> caller. */
static void pump_out(struct stream *s)
{
	struct iovec iov[2];
	size_t waiting;
	ssize_t n;

	while (s->wfd >= 0 && s->conn) {
		waiting = vsock_conn_peek(s->conn, iov);
		if (waiting == 0) {
			(void)watch_write(s, false);
			break;
		}
		n = write_some(s->wfd, iov, iov[1].iov_len > 0 ? 2 : 1, s->never_full);
		if (n < 0 && errno == EAGAIN) {
			(void)watch_write(s, true); /* only pollable files say EAGAIN */
			return;
		}
		if (n < 0) { /* EPIPE: the reader is gone; others: the device is */
			/* Both ways: an agent that only writes learns of it by poll through our end of file. */
			vsock_conn_shutdown(s->conn, !s->is_socket, true);
			vsock_conn_consume(s->conn, waiting);
			close_write_side(s);
			return;
		}
		vsock_conn_consume(s->conn, (size_t)n);
		if (!s->never_full && !is_nonblocking(s->wfd) && watch_write(s, true) == 0) {
			return; /* may block now: let poll say when not */
		}
	}
	if (s->wfd >= 0 && s->guest_ended) {
		close_write_side(s);
	}
}

/* As pump_out(), when poll didn't say that there is room: a blocking fd has to be asked first. */
static void begin_out(struct stream *s)
{
	struct iovec iov[2];

	if (s->wfd >= 0 && s->conn && vsock_conn_peek(s->conn, iov) > 0 && !s->never_full &&
	    !is_nonblocking(s->wfd) && watch_write(s, true) == 0) {
		return;
	}
	pump_out(s);
}

static void on_readable(void *ctx, struct vsock_conn *conn)
{
	struct stream *s = ctx;
	struct iovec iov[2];

	if (s->wfd < 0) { /* nobody wants it */
		vsock_conn_consume(conn, vsock_conn_peek(conn, iov));
		return;
	}
	if (!s->watching_w) {
		begin_out(s);
	}
}

static void on_writable(void *ctx, struct vsock_conn *conn)
{
	struct stream *s = ctx;

	(void)conn;
	watch_read(s, true);
	if (!s->watching_r) {
		pump_in(s);
	}
}

/* Syscalls: shutdown (role vmm) */
static void on_shut(void *ctx, struct vsock_conn *conn, bool no_more_data, bool no_more_room)
{
	struct stream *s = ctx;

	(void)conn;
	if (no_more_room) {
		if (s->is_socket && s->rfd >= 0 && !no_more_data && !s->guest_ended) {
			(void)shutdown(s->rfd, SHUT_RD); /* it still writes */
		}
		close_read_side(s);
	}
	if (no_more_data) {
		s->guest_shut = s->guest_ended ? s->guest_shut : !no_more_room;
		s->guest_ended = true;
		begin_out(s);
	}
}

static void on_closed(void *ctx, struct vsock_conn *conn)
{
	struct stream *s = ctx;

	(void)conn;
	s->conn = NULL;
	close_read_side(s);
	close_write_side(s);
}

const struct vsock_endpoint *stream_endpoint(void)
{
	static const struct vsock_endpoint ep = {
		.readable = on_readable,
		.writable = on_writable,
		.shut = on_shut,
		.closed = on_closed,
	};

	return &ep;
}

void stream_init(struct stream *s, struct loop *loop, struct vsock *vsock, unsigned kind,
		 uint32_t index, int rfd, int wfd)
{
	*s = (struct stream){
		.loop = loop,
		.vsock = vsock,
		.loop_kind = kind,
		.loop_index = index,
		.rfd = rfd,
		.wfd = wfd,
		.out_done = wfd < 0,
	};
}

void stream_attached(struct stream *s)
{
	vsock_lock(s->vsock);
	if (s->conn && s->rfd >= 0) {
		on_writable(s, s->conn);
	} else if (s->conn && s->wfd < 0) {
		vsock_conn_shutdown(s->conn, true, false); /* a stdin without a source */
	}
	vsock_unlock(s->vsock);
}

void stream_process_ended(struct stream *s)
{
	close_read_side(s);
	s->guest_ended = true;
	if (!s->watching_w) {
		begin_out(s);
	}
}

void stream_event(struct stream *s, bool write_side)
{
	vsock_lock(s->vsock);
	if (write_side) {
		pump_out(s);
	} else {
		pump_in(s);
	}
	vsock_unlock(s->vsock);
}

void stream_abandon(struct stream *s)
{
	if (s->conn) {
		vsock_conn_reset(s->conn);
		s->conn = NULL;
	}
	close_read_side(s);
	close_write_side(s);
}
