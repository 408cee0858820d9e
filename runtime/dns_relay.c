/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns_relay.c - the guest's questions to a name server; see dns_relay.h
 *
 * Nothing is kept but one incomplete question: what the socket or the connection doesn't take at
 * once is lost, as datagrams are.
 */
#include "dns_relay.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/checked.h"
#include "base/log.h"

#define AT_ONCE 16 /* answers for one event: others want their turn */

void dns_relay_init(struct dns_relay *d, struct vsock *vsock, int fd)
{
	d->vsock = vsock;
	d->fd = fd;
}

static void drop(struct dns_relay *d)
{
	vr_debug("the guest's connection to the name server broke the rules");
	vsock_conn_reset(d->conn);
	d->conn = NULL;
}

/* Syscalls: sendto (role vmm) */
static void ask(const struct dns_relay *d)
{
	/* Full, or nobody there: the asker will ask again. */
	(void)!send(d->fd, d->in + DNS_RELAY_PREFIX, d->have - DNS_RELAY_PREFIX,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Take bytes until there is a whole question. Return: bytes used, 0: it isn't one */
static size_t feed(struct dns_relay *d, const uint8_t *p, size_t n)
{
	size_t want = DNS_RELAY_PREFIX;
	size_t len = 0;

	if (d->have >= DNS_RELAY_PREFIX) {
		len = (size_t)d->in[0] << 8 | d->in[1];
		if (len < AP_DNS_MIN || len > AP_DNS_MAX) {
			return 0;
		}
		want += len;
	}
	n = VR_MIN(n, want - d->have);
	memcpy(d->in + d->have, p, n);
	d->have += n;
	if (len > 0 && d->have == want) {
		ask(d);
		d->have = 0;
	}
	return n;
}

static void on_readable(void *ctx, struct vsock_conn *conn)
{
	struct dns_relay *d = ctx;
	struct iovec iov[2];
	size_t used;

	while (d->conn == conn && vsock_conn_peek(conn, iov) > 0) {
		used = feed(d, iov[0].iov_base, iov[0].iov_len);
		if (used == 0) {
			drop(d);
			return;
		}
		vsock_conn_consume(conn, used);
	}
}

static void on_shut(void *ctx, struct vsock_conn *conn, bool no_more_data, bool no_more_room)
{
	struct dns_relay *d = ctx;

	(void)no_more_data;
	(void)no_more_room;
	if (d->conn == conn) {
		drop(d);
	}
}

static void on_closed(void *ctx, struct vsock_conn *conn)
{
	struct dns_relay *d = ctx;

	(void)conn;
	d->conn = NULL;
}

int dns_relay_accept(struct dns_relay *d, struct vsock_conn *conn, const struct vsock_endpoint **ep,
		     void **ep_ctx)
{
	static const struct vsock_endpoint endpoint = {
		.readable = on_readable,
		.shut = on_shut,
		.closed = on_closed,
	};

	if (d->fd < 0 || d->taken) {
		return -ECONNREFUSED;
	}
	d->taken = true;
	d->conn = conn;
	*ep = &endpoint;
	*ep_ctx = d;
	return 0;
}

void dns_relay_event(struct dns_relay *d)
{
	static uint8_t buf[DNS_RELAY_PREFIX + AP_DNS_MAX]; /* one loop thread */
	ssize_t n;

	vsock_lock(d->vsock);
	for (int i = 0; i < AT_ONCE; i++) {
		n = recv(d->fd, buf + DNS_RELAY_PREFIX, AP_DNS_MAX, MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && errno == EAGAIN) {
			break;
		}
		/* Errors are of questions sent before, and are over with being told. */
		if (n < (ssize_t)AP_DNS_MIN || n > (ssize_t)AP_DNS_MAX || !d->conn ||
		    vsock_conn_room(d->conn) < DNS_RELAY_PREFIX + (size_t)n) {
			continue;
		}
		buf[0] = (uint8_t)((size_t)n >> 8);
		buf[1] = (uint8_t)n;
		(void)vsock_conn_send(d->conn, buf, DNS_RELAY_PREFIX + (size_t)n); /* all: room */
	}
	vsock_unlock(d->vsock);
}
