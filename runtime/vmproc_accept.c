/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmproc_accept.c - connections to listening sockets that processes were passed
 *
 * The process has a listening socket of its own in the guest. When somebody connects to the host's,
 * the agent is asked to connect to that one, and to a port of ours; what is between the two is a
 * stream like that of a passed socket. While all places are taken, nobody is accepted: the kernel's
 * queue, and then the caller, wait.
 */
#include "vmproc_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/log.h"

#define LISTENERS 16u

/* Requests to the agent at once; the others are for verbs. */
#define ASKED_MAX 16u

/* What a process wrote to connections whose far ends don't read is given up some time after its end. */
#define DRAIN_MS   5000u
#define DRAIN_OVER AP_MAX_ACCEPTED /* as an index of EV_LINK_ATTACH */

/*
 * A far end that sends nothing and doesn't close, when the guest has long ended its direction. Whether the
 * process still reads can't be seen; the kernel gives orphans as long (net.ipv4.tcp_fin_timeout).
 */
#define LINGER_MS 60000u

/** struct listener - @fd: -1 free; @watched: the loop tells of connections */
struct listener {
	int fd;
	bool watched;
	uint32_t proc;
	uint32_t stream;
};

/** struct link - an accepted connection; free when @port is 0 */
struct link {
	struct stream stream; /* first: the vsock's callbacks know it alone */
	struct vmproc *owner;
	uint32_t port;
	uint32_t proc;
	bool ended;   /* its process has */
	bool asked;   /* the agent has not answered yet */
	bool started; /* bytes flow */
	bool heard;   /* something happened to it since its timer began */
};
_Static_assert(offsetof(struct link, stream) == 0, "see on_closed()");

struct vmproc_accepts {
	unsigned asked;
	bool draining; /* the timer of DRAIN_OVER runs */
	struct listener listener[LISTENERS];
	struct link link[AP_MAX_ACCEPTED];
};

static int accepts_create(struct vmproc *p)
{
	if (p->accepts) {
		return 0;
	}
	p->accepts = calloc(1, sizeof(*p->accepts));
	if (!p->accepts) {
		return -ENOMEM;
	}
	for (unsigned i = 0; i < LISTENERS; i++) {
		p->accepts->listener[i].fd = -1;
	}
	return 0;
}

static void listener_watch(struct vmproc *p, unsigned i, bool on)
{
	struct listener *l = &p->accepts->listener[i];

	if (l->fd < 0 || l->watched == on) {
		return;
	}
	if (!on) {
		loop_del(p->loop, l->fd);
	} else if (loop_add(p->loop, l->fd, EPOLLIN, vmproc_kind(p, EV_ACCEPT), i) < 0) {
		return; /* the next connection that ends tries again */
	}
	l->watched = on;
}

int vmproc_accept_room(struct vmproc *p, const struct passfds *fds)
{
	unsigned room = LISTENERS;
	unsigned n = 0;
	int rc;

	for (uint32_t i = 0; i < fds->n; i++) {
		n += AP_FD_IS_LISTEN(fds->kind[i]);
	}
	if (n == 0) {
		return 0;
	}
	rc = accepts_create(p);
	for (unsigned i = 0; rc == 0 && i < LISTENERS; i++) {
		room -= p->accepts->listener[i].fd >= 0;
	}
	return rc < 0 ? rc : n > room ? -ENOSPC : 0;
}

int vmproc_accept_add(struct vmproc *p, uint32_t proc, uint32_t stream, int fd)
{
	int rc = accepts_create(p);

	for (unsigned i = 0; rc == 0 && i < LISTENERS; i++) {
		struct listener *l = &p->accepts->listener[i];

		if (l->fd < 0) {
			/* others may accept from it, too; then there is nobody when we try */
			rc = vr_set_nonblock(fd, true);
			if (rc < 0) {
				return rc;
			}
			*l = (struct listener){.fd = fd, .proc = proc, .stream = stream};
			listener_watch(p, i, true);
			return 0;
		}
	}
	return rc < 0 ? rc : -ENOSPC;
}

/* --- connections ------------------------------------------------------------------------------ */

static bool link_is_over(const struct link *k)
{
	return k->stream.rfd < 0 && k->stream.wfd < 0 && !k->stream.conn;
}

static uint32_t link_index(const struct link *k)
{
	return (uint32_t)(k - k->owner->accepts->link);
}

/* Without a timer it lives until one of its ends closes it. */
static void linger(struct link *k)
{
	k->heard = false;
	(void)!loop_after(k->owner->loop, vmproc_kind(k->owner, EV_LINK_ATTACH), link_index(k),
			  LINGER_MS);
}

static void on_drained(void *ctx)
{
	struct link *k = ctx;

	if (k->started && !link_is_over(k)) {
		linger(k);
	}
	vmproc_procs_drained(k->owner, k->proc);
}

static void watch_all(struct vmproc *p)
{
	for (unsigned i = 0; p->accepts && i < LISTENERS; i++) {
		listener_watch(p, i, true);
	}
}

/* As any stream's, but there is room for another one then. */
static void on_closed(void *ctx, struct vsock_conn *conn)
{
	const struct link *k = ctx;

	stream_endpoint()->closed(ctx, conn);
	watch_all(k->owner);
}

/* Return: a place, NULL when all are taken. Those of connections that are over are free. */
static struct link *link_take(struct vmproc *p)
{
	for (uint32_t i = 0; i < AP_MAX_ACCEPTED; i++) {
		struct link *k = &p->accepts->link[i];

		if (k->port != 0 && !k->asked && link_is_over(k)) {
			loop_cancel(p->loop, vmproc_kind(p, EV_LINK_ATTACH), i);
			k->port = 0;
		}
		if (k->port == 0) {
			return k;
		}
	}
	return NULL;
}

/* @fd: taken over. Syscalls: fcntl (role vmm) */
static int link_open(struct vmproc *p, struct link *k, uint32_t proc, int fd)
{
	int second = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int rc = second < 0 ? -errno : vmproc_procs_port(p, &k->port);

	if (rc < 0) {
		vr_close_reset(&second);
		(void)close(fd);
		k->port = 0;
		return rc;
	}
	k->owner = p;
	k->proc = proc;
	k->ended = k->asked = k->started = false;
	stream_init(&k->stream, p->loop, p->vsock, vmproc_kind(p, EV_LINK), link_index(k) << 1, fd,
		    second);
	k->stream.is_socket = true;
	k->stream.drained = on_drained;
	k->stream.ctx = k;
	return 0;
}

static void link_abandon(struct vmproc *p, struct link *k)
{
	vsock_lock(p->vsock);
	stream_abandon(&k->stream);
	vsock_unlock(p->vsock);
}

static void pass_on(struct vmproc *p, const struct listener *l, struct link *k)
{
	const struct ap_accept m = {.proc = l->proc, .stream = l->stream, .port = k->port};
	struct vpending *slot = vmproc_agent_pending(p, -1, 0);
	uint8_t frame[64];

	if (slot) {
		slot->link = 1 + link_index(k);
	}
	if (!slot || vmproc_agent_send(p, slot, frame,
				       ap_encode_accept(&m, slot->id, frame, sizeof(frame))) < 0) {
		link_abandon(p, k); /* whoever connected sees it closed */
		return;
	}
	k->asked = true;
	p->accepts->asked++;
}

/* Syscalls: accept4 (role vmm) */
static void accept_one(struct vmproc *p, unsigned i)
{
	struct listener *l = &p->accepts->listener[i];
	const struct vproc *v = vmproc_procs_find(p, l->proc);
	struct link *k = link_take(p);
	int fd;

	if (!k || !v || !v->running || p->accepts->asked >= ASKED_MAX) {
		/* Later: there is no room, or nobody who could take it. */
		listener_watch(p, i, false);
		return;
	}
	fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0 && link_open(p, k, l->proc, fd) == 0) {
		pass_on(p, l, k);
	} else if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		listener_watch(p, i, false); /* until something ends: it would only happen again */
	}
}

/* With the vsock lock held: what is left of connections whose process has ended is given up. */
static void links_over(struct vmproc *p)
{
	for (uint32_t i = 0; i < AP_MAX_ACCEPTED; i++) {
		struct link *k = &p->accepts->link[i];

		if (k->port != 0 && k->ended && !link_is_over(k)) {
			stream_abandon(&k->stream);
		}
	}
	watch_all(p);
}

/* Takes the vsock lock. */
static void link_timer(struct vmproc *p, struct link *k)
{
	if (!k->started) {
		k->started = true;
		stream_attached(&k->stream);
		if (k->stream.out_done && !link_is_over(k)) {
			linger(k);
		}
	} else if (k->heard) {
		linger(k);
	} else {
		link_abandon(p, k);
	}
}

void vmproc_accept_event(struct vmproc *p, enum vmproc_event kind, uint32_t index)
{
	struct link *k;

	if (!p->accepts) {
		return;
	}
	if (kind == EV_LINK_ATTACH && index == DRAIN_OVER) {
		p->accepts->draining = false;
		vsock_lock(p->vsock);
		links_over(p);
		vsock_unlock(p->vsock);
		return;
	}
	if (kind == EV_ACCEPT) {
		if (index < LISTENERS && p->accepts->listener[index].fd >= 0) {
			accept_one(p, index);
		}
		return;
	}
	k = &p->accepts->link[(kind == EV_LINK ? index >> 1 : index) % AP_MAX_ACCEPTED];
	if (k->port == 0) {
		return;
	}
	if (kind == EV_LINK_ATTACH) {
		link_timer(p, k);
	} else {
		k->heard = true;
		stream_event(&k->stream, (index & 1) != 0);
	}
	if (link_is_over(k)) {
		watch_all(p);
	}
}

/*
 * With the vsock lock held. What the process had written to its connections may still come, but a
 * far end that doesn't take it holds nobody's end up for long.
 */
void vmproc_accept_end(struct vmproc *p, uint32_t proc)
{
	bool waits = false;

	for (unsigned i = 0; p->accepts && i < LISTENERS; i++) {
		struct listener *l = &p->accepts->listener[i];

		if (l->fd >= 0 && l->proc == proc) {
			listener_watch(p, i, false);
			vr_close_reset(&l->fd);
		}
	}
	for (unsigned i = 0; p->accepts && i < AP_MAX_ACCEPTED; i++) {
		struct link *k = &p->accepts->link[i];

		if (k->port != 0 && k->proc == proc) {
			k->ended = true;
			waits |= !link_is_over(k);
		}
	}
	if (waits && !p->accepts->draining) {
		p->accepts->draining = loop_after(p->loop, vmproc_kind(p, EV_LINK_ATTACH),
						  DRAIN_OVER, DRAIN_MS) == 0;
		if (!p->accepts->draining) {
			links_over(p);
		}
	}
	watch_all(p);
}

bool vmproc_accept_drained(const struct vmproc *p, uint32_t proc)
{
	for (unsigned i = 0; p->accepts && i < AP_MAX_ACCEPTED; i++) {
		const struct link *k = &p->accepts->link[i];

		if (k->port != 0 && k->proc == proc && !k->stream.out_done) {
			return false;
		}
	}
	return true;
}

void vmproc_accept_running(struct vmproc *p, uint32_t proc)
{
	struct vproc *v = vmproc_procs_find(p, proc);

	if (v) {
		v->running = true;
		watch_all(p);
	}
}

bool vmproc_accept_has_port(const struct vmproc *p, uint32_t port)
{
	for (unsigned i = 0; p->accepts && i < AP_MAX_ACCEPTED; i++) {
		if (p->accepts->link[i].port == port && port != 0) {
			return true;
		}
	}
	return false;
}

int vmproc_accept_connect(struct vmproc *p, uint32_t port, struct vsock_conn *conn,
			  const struct vsock_endpoint **ep, void **ep_ctx)
{
	static struct vsock_endpoint endpoint;

	for (uint32_t i = 0; i < AP_MAX_ACCEPTED; i++) {
		struct link *k = &p->accepts->link[i];

		if (k->port != port || k->stream.attached || link_is_over(k)) {
			continue;
		}
		/* Bytes may flow only once the vsock has told the guest of the connection. */
		if (loop_after(p->loop, vmproc_kind(p, EV_LINK_ATTACH), i, 0) < 0) {
			return -ENOMEM;
		}
		k->stream.attached = true;
		k->stream.conn = conn;
		endpoint = *stream_endpoint();
		endpoint.closed = on_closed;
		*ep = &endpoint;
		*ep_ctx = &k->stream;
		return 0;
	}
	return -ECONNREFUSED;
}

void vmproc_accept_answered(struct vmproc *p, uint32_t link, bool ok)
{
	p->accepts->asked--;
	p->accepts->link[link].asked = false;
	if (!ok) {
		stream_abandon(&p->accepts->link[link].stream);
	}
	watch_all(p);
}

void vmproc_accept_abandon(struct vmproc *p)
{
	for (unsigned i = 0; p->accepts && i < LISTENERS; i++) {
		listener_watch(p, i, false);
		vr_close_reset(&p->accepts->listener[i].fd);
	}
	for (unsigned i = 0; p->accepts && i < AP_MAX_ACCEPTED; i++) {
		struct link *k = &p->accepts->link[i];

		if (k->port != 0) {
			k->stream.drained = NULL;
			stream_abandon(&k->stream);
			k->port = 0; /* nobody connects there any more */
		}
	}
}

void vmproc_accept_destroy(struct vmproc *p)
{
	for (uint32_t i = 0; p->accepts && i <= DRAIN_OVER; i++) {
		loop_cancel(p->loop, vmproc_kind(p, EV_LINK_ATTACH), i);
	}
	free(p->accepts);
	p->accepts = NULL;
}
