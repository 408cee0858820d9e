/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c - the control connection; see conn.h */
#include "conn.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

void conn_init(struct conn *c, int fd)
{
	c->fd = fd;
	c->in_len = c->out_at = c->out_len = 0;
}

static bool may_answer(const struct conn *c)
{
	return c->out_len - c->out_at < CONN_OUT_CAP / 2;
}

int conn_read(struct conn *c)
{
	ssize_t n;

	if (c->in_len == sizeof(c->in)) {
		return 0;
	}
	n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);
	if (n > 0) {
		c->in_len += (uint32_t)n;
		return 0;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return 0;
	}
	return n == 0 ? -EPIPE : -errno;
}

int conn_next(struct conn *c, struct ap_header *out, const uint8_t **out_payload)
{
	if (c->in_len < AP_HEADER_LEN || !may_answer(c)) {
		return 0;
	}
	if (ap_decode_header(c->in, out)) {
		return -EPROTO;
	}
	if (c->in_len - AP_HEADER_LEN < out->len) {
		return 0;
	}
	*out_payload = c->in + AP_HEADER_LEN;
	return 1;
}

void conn_done(struct conn *c, const struct ap_header *h)
{
	uint32_t used = AP_HEADER_LEN + h->len;

	memmove(c->in, c->in + used, c->in_len - used);
	c->in_len -= used;
}

uint8_t *conn_room(struct conn *c, size_t *out_cap)
{
	if (c->out_at > 0) {
		memmove(c->out, c->out + c->out_at, c->out_len - c->out_at);
		c->out_len -= c->out_at;
		c->out_at = 0;
	}
	*out_cap = CONN_OUT_CAP - c->out_len;
	return c->out + c->out_len;
}

void conn_commit(struct conn *c, size_t len)
{
	c->out_len += (uint32_t)len;
}

int conn_flush(struct conn *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0) {
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		}
		c->out_at += (uint32_t)n;
	}
	return 0;
}

uint32_t conn_events(const struct conn *c)
{
	bool room = c->in_len < sizeof(c->in) && may_answer(c);

	return (room ? EPOLLIN : 0u) | (c->out_at < c->out_len ? EPOLLOUT : 0u);
}
