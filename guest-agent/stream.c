/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c - bytes between a process's pipes (or terminal) and its connections; see stream.h
 *
 * epoll is level-triggered, and EPOLLHUP and EPOLLERR are reported whether asked for or not. An
 * end we want nothing from is therefore taken out of the set, or a hung-up pipe behind a full
 * buffer would spin. Only a stdin pipe's write end stays in with no events: its EPOLLERR (no
 * reader left) is wanted, and closes it.
 */
#include "stream.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys.h"

#define ROUNDS 4 /* buffers moved for one event: other streams want their turn */

static const uint32_t GONE = EPOLLERR | EPOLLHUP | EPOLLRDHUP;

static void end_arm(struct stream *s, struct end *e, bool armed, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.u64 = e->ref};
	int op = !e->armed ? EPOLL_CTL_ADD : armed ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	if (e->fd < 0 || (!e->armed && !armed) || (e->armed && armed && e->events == events)) {
		return;
	}
	/* fails only for want of kernel memory; then the descriptor is silent, not wrong */
	(void)epoll_ctl(s->ep, op, e->fd, &ev);
	e->armed = armed;
	e->events = events;
}

static void end_close(struct stream *s, struct end *e)
{
	end_arm(s, e, false, 0);
	sys_close(&e->fd);
}

static void pump_close(struct pump *p)
{
	if (p->buf) {
		munmap(p->buf, STREAM_BUF);
	}
	*p = (struct pump){0};
}

static int pump_open(struct pump *p)
{
	void *m =
		mmap(NULL, STREAM_BUF, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED) {
		return -errno;
	}
	*p = (struct pump){.open = true, .buf = m};
	return 0;
}

void stream_init(struct stream *s)
{
	*s = (struct stream){.ep = -1, .guest.fd = -1, .host.fd = -1};
}

void stream_close(struct stream *s)
{
	end_close(s, &s->guest);
	end_close(s, &s->host);
	pump_close(&s->in);
	pump_close(&s->out);
}

bool stream_is_open(const struct stream *s)
{
	return s->in.open || s->out.open;
}

/* What each end is still wanted for, told to epoll. */
static void rearm(struct stream *s)
{
	bool in_idle = s->in.open && s->in.len == 0 && !s->in.eof;
	bool out_idle = s->out.open && s->out.len == 0 && !s->out.eof;
	bool watch_stdin = s->in.open && s->kind != STREAM_TTY;
	uint32_t guest = (s->in.len ? EPOLLOUT : 0u) | (out_idle ? EPOLLIN : 0u);
	uint32_t host = (in_idle ? EPOLLIN : 0u) | (s->out.len ? EPOLLOUT : 0u);

	if (s->out.open && s->kind == STREAM_OUT) {
		host |= EPOLLRDHUP;
	}
	if (s->connecting) {
		host = EPOLLOUT;
		guest = 0;
	}
	end_arm(s, &s->guest, guest != 0 || watch_stdin, guest);
	end_arm(s, &s->host, host != 0, host);
}

int stream_open(struct stream *s, int ep, int guest, uint64_t guest_ref, int host,
		uint64_t host_ref, enum stream_kind kind)
{
	bool in = kind != STREAM_OUT;
	bool out = kind != STREAM_IN;
	int rc;

	*s = (struct stream){.ep = ep,
			     .guest = {.fd = guest, .ref = guest_ref},
			     .host = {.fd = host, .ref = host_ref},
			     .kind = kind,
			     .connecting = true};
	rc = in ? pump_open(&s->in) : 0;
	rc = rc == 0 && out ? pump_open(&s->out) : rc;
	if (rc) {
		stream_close(s);
		return rc;
	}
	rearm(s);
	return 0;
}

static bool again(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* Fill an empty buffer. Return: false when there is nothing to do now. */
static bool fill(struct stream *s, struct pump *p, int fd, bool is_socket)
{
	ssize_t n = is_socket ? recv(fd, p->buf, STREAM_BUF, MSG_DONTWAIT)
			      : read(fd, p->buf, STREAM_BUF);

	if (n > 0) {
		p->at = 0;
		p->len = (uint32_t)n;
		return true;
	}
	/* a dead process's empty pipe is at its end, even if a child of it still holds it */
	if (n < 0 && again() && (is_socket || !s->dead)) {
		return false;
	}
	p->eof = true;
	return true;
}

/* Empty the buffer. Return: 0 all or some written, -EAGAIN later, else the receiver is gone. */
static int flush(struct pump *p, int fd, bool is_socket)
{
	ssize_t n = is_socket ? send(fd, p->buf + p->at, p->len, MSG_DONTWAIT | MSG_NOSIGNAL)
			      : write(fd, p->buf + p->at, p->len);

	if (n < 0) {
		return again() ? -EAGAIN : -EPIPE;
	}
	p->at += (uint32_t)n;
	p->len -= (uint32_t)n;
	return 0;
}

/* Move one direction along. Return: false when its end has come. */
static bool run(struct stream *s, struct pump *p, int from, bool from_host, int to)
{
	for (int i = 0; i < ROUNDS; i++) {
		int rc;

		if (p->len == 0 && (p->eof || !fill(s, p, from, from_host))) {
			return !p->eof;
		}
		if (p->len == 0) {
			return false; /* fill() met the end */
		}
		rc = flush(p, to, !from_host);
		if (rc) {
			return rc == -EAGAIN;
		}
	}
	return true;
}

/*
 * One direction of a socket is over: @from sends no more, or @to takes no more. With the @other
 * one the socket is: it is closed then, which says more than a shutdown.
 */
static void half_close(struct pump *p, const struct pump *other, int from, int to)
{
	bool was_all = p->eof && p->len == 0;

	if (other->open) {
		(void)shutdown(was_all ? to : from, was_all ? SHUT_WR : SHUT_RD);
	}
	pump_close(p);
}

static void pump_socket(struct stream *s)
{
	if (s->in.open && !run(s, &s->in, s->host.fd, true, s->guest.fd)) {
		half_close(&s->in, &s->out, s->host.fd, s->guest.fd);
	}
	if (s->out.open && !run(s, &s->out, s->guest.fd, false, s->host.fd)) {
		half_close(&s->out, &s->in, s->guest.fd, s->host.fd);
	}
	if (stream_is_open(s)) {
		rearm(s);
	} else {
		stream_close(s);
	}
}

/* When a direction is over, all is: a pipe has no other, a terminal hangs up as a whole. */
static void pump_all(struct stream *s)
{
	if (s->kind == STREAM_SOCKET && !s->connecting) {
		pump_socket(s);
		return;
	}
	if (s->in.open && !s->connecting && !run(s, &s->in, s->host.fd, true, s->guest.fd)) {
		stream_close(s);
		return;
	}
	if (s->out.open && !s->connecting && !run(s, &s->out, s->guest.fd, false, s->host.fd)) {
		stream_close(s);
		return;
	}
	rearm(s);
}

/* The host has answered our connect, one way or the other. */
static bool connected(struct stream *s)
{
	int err = 0;
	socklen_t len = sizeof(err);

	s->connecting = false;
	return getsockopt(s->host.fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == 0;
}

void stream_event(struct stream *s, bool at_host, uint32_t events)
{
	if (!stream_is_open(s)) {
		return;
	}
	if (at_host && s->connecting && !connected(s)) {
		stream_close(s);
		return;
	}
	if (at_host && s->kind == STREAM_OUT && (events & GONE)) {
		stream_close(s); /* nobody reads any more: the writer shall notice */
		return;
	}
	if (!at_host && s->kind == STREAM_IN && (events & (EPOLLERR | EPOLLHUP))) {
		stream_close(s); /* the workload has closed its stdin */
		return;
	}
	if (!at_host && s->kind == STREAM_SOCKET && (events & (EPOLLERR | EPOLLHUP))) {
		pump_close(&s->in); /* closed by the workload: what it had written still comes */
	}
	pump_all(s);
}

void stream_finish(struct stream *s)
{
	if (!stream_is_open(s)) {
		return;
	}
	s->dead = true;
	pump_close(&s->in);
	if (!s->out.open) {
		stream_close(s);
		return;
	}
	pump_all(s);
}
