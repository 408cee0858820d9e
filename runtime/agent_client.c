/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_client.c - the vmm's side of the conversation with the guest agent; see agent_client.h
 *
 * One frame is collected at a time into a buffer of the largest size; its pages
 * cost nothing until a guest sends that much. Frames for the guest wait in one
 * queue of fixed size.
 */
#include "agent_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define OUT_MAX (AP_FRAME_MAX + 64u * 1024u)

struct agent_client {
	const struct agent_events *ev;
	void *ctx;
	struct vsock_conn *conn;
	bool taken; /* a connection was accepted at some time */
	bool lost;
	bool greeted;
	bool have_header;
	struct ap_header header;
	size_t in_len;	/* bytes of header or payload collected */
	size_t out_off; /* first unsent byte */
	size_t out_len; /* end of queued bytes */
	uint8_t head[AP_HEADER_LEN];
	uint8_t in[AP_FRAME_MAX];
	uint8_t out[OUT_MAX];
};

int agent_client_create(const struct agent_events *ev, void *ctx, struct agent_client **out)
{
	struct agent_client *a = calloc(1, sizeof(*a));

	if (!a) {
		return -ENOMEM;
	}
	a->ev = ev;
	a->ctx = ctx;
	*out = a;
	return 0;
}

void agent_client_destroy(struct agent_client *a)
{
	free(a);
}

bool agent_client_connected(const struct agent_client *a)
{
	return a->conn != NULL;
}

static void lose(struct agent_client *a, const char *reason)
{
	if (a->conn) {
		vsock_conn_reset(a->conn);
		a->conn = NULL;
	}
	if (!a->lost) {
		a->lost = true;
		a->ev->on_lost(a->ctx, reason);
	}
}

/* The guest speaks hello once, first; then replies and events. */
static const char *frame_dispatch(struct agent_client *a)
{
	const struct ap_header *h = &a->header;
	struct ap_hello hello;
	struct ap_reply reply;
	struct ap_exit ended;
	struct ap_notify notify;
	struct ap_left left;

	if (a->greeted == (h->type == AP_MSG_HELLO)) {
		return "the agent sent a frame out of turn";
	}
	switch (h->type) {
	case AP_MSG_HELLO:
		if (ap_decode_hello(a->in, h->len, &hello) < 0) {
			return "the agent sent a malformed hello";
		}
		a->greeted = true;
		a->ev->on_hello(a->ctx, &hello);
		return NULL;
	case AP_MSG_REPLY:
		if (ap_decode_reply(a->in, h->len, &reply) < 0) {
			return "the agent sent a malformed reply";
		}
		a->ev->on_reply(a->ctx, h->id, &reply);
		return NULL;
	case AP_MSG_EXIT:
		if (ap_decode_exit(a->in, h->len, &ended) < 0) {
			return "the agent sent a malformed exit";
		}
		a->ev->on_exit(a->ctx, &ended);
		return NULL;
	case AP_MSG_NOTIFY:
		if (ap_decode_notify(a->in, h->len, &notify) < 0) {
			return "the agent sent a malformed notify";
		}
		a->ev->on_notify(a->ctx, &notify);
		return NULL;
	case AP_MSG_LEFT:
		if (ap_decode_left(a->in, h->len, &left) < 0) {
			return "the agent sent a malformed left";
		}
		a->ev->on_left(a->ctx, &left);
		return NULL;
	default:
		return "the agent sent a request";
	}
}

/* Take bytes of @iov into @dst until it holds @want. Return: bytes used. */
static size_t collect(struct agent_client *a, uint8_t *dst, size_t want, const uint8_t *src,
		      size_t n)
{
	size_t take = VR_MIN(want - a->in_len, n);

	memcpy(dst + a->in_len, src, take);
	a->in_len += take;
	return take;
}

/* Return: NULL to go on, or why to stop. */
static const char *feed(struct agent_client *a, const uint8_t *p, size_t n)
{
	const char *bad = NULL;
	size_t used;

	/* A handler that drops the connection frees what @p points to. */
	while (!bad && a->conn && (n > 0 || (a->have_header && a->header.len == a->in_len))) {
		if (!a->have_header) {
			used = collect(a, a->head, AP_HEADER_LEN, p, n);
			if (a->in_len == AP_HEADER_LEN) {
				if (ap_decode_header(a->head, &a->header) < 0) {
					return "the agent sent a malformed frame header";
				}
				a->have_header = true;
				a->in_len = 0;
			}
		} else {
			used = collect(a, a->in, a->header.len, p, n);
			if (a->in_len == a->header.len) {
				a->have_header = false;
				a->in_len = 0;
				bad = frame_dispatch(a);
			}
		}
		p += used;
		n -= used;
	}
	return bad;
}

static void on_readable(void *ctx, struct vsock_conn *conn)
{
	struct agent_client *a = ctx;
	struct iovec iov[2];
	const char *bad;
	size_t n;

	/* Handlers may drop the connection: look at a->conn before each step. */
	while (a->conn == conn && vsock_conn_peek(conn, iov) > 0) {
		n = iov[0].iov_len;
		bad = feed(a, iov[0].iov_base, n);
		if (bad) {
			lose(a, bad);
			return;
		}
		if (a->conn == conn) {
			vsock_conn_consume(conn, n);
		}
	}
}

static void flush(struct agent_client *a)
{
	a->out_off += vsock_conn_send(a->conn, a->out + a->out_off, a->out_len - a->out_off);
	if (a->out_off == a->out_len) {
		a->out_off = 0;
		a->out_len = 0;
	}
}

static void on_writable(void *ctx, struct vsock_conn *conn)
{
	struct agent_client *a = ctx;

	if (a->conn == conn) {
		flush(a);
	}
}

static void on_shut(void *ctx, struct vsock_conn *conn, bool no_more_data, bool no_more_room)
{
	(void)conn;
	(void)no_more_data;
	(void)no_more_room;
	lose(ctx, "the agent closed its connection");
}

static void on_closed(void *ctx, struct vsock_conn *conn)
{
	struct agent_client *a = ctx;

	(void)conn;
	a->conn = NULL;
	lose(a, "the agent's connection was reset");
}

void agent_client_drop(struct agent_client *a)
{
	if (a->conn) {
		vsock_conn_reset(a->conn);
	}
	a->conn = NULL;
	a->lost = true;
	a->taken = true; /* one that comes only now isn't wanted */
}

int agent_client_accept(struct agent_client *a, struct vsock_conn *conn,
			const struct vsock_endpoint **ep, void **ep_ctx)
{
	static const struct vsock_endpoint endpoint = {
		.readable = on_readable,
		.writable = on_writable,
		.shut = on_shut,
		.closed = on_closed,
	};

	if (a->taken) {
		return -EBUSY;
	}
	a->taken = true;
	a->conn = conn;
	*ep = &endpoint;
	*ep_ctx = a;
	return 0;
}

int agent_client_send(struct agent_client *a, const void *frame, size_t len)
{
	if (!a->conn) {
		return -ENOTCONN;
	}
	if (a->out_off > 0) {
		memmove(a->out, a->out + a->out_off, a->out_len - a->out_off);
		a->out_len -= a->out_off;
		a->out_off = 0;
	}
	if (len > OUT_MAX - a->out_len) {
		return -ENOBUFS;
	}
	memcpy(a->out + a->out_len, frame, len);
	a->out_len += len;
	flush(a);
	return 0;
}
