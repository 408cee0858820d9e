/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmproc_procs.c - guest processes somebody on the host waits for
 *
 * Each has a shim on the host and up to three streams. It is over when the
 * agent said so and all its output is written; then its shim is told.
 */
#include "vmproc_internal.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"

static uint32_t stream_index(uint32_t slot, unsigned s)
{
	return slot << 3 | s << 1;
}

static struct stream *stream_find(struct vmproc *p, uint32_t index)
{
	uint32_t slot = index >> 3;
	unsigned s = (index >> 1) & 3;

	if (slot >= VMPROC_MAX_PROCS || !p->procs[slot].used || s >= p->procs[slot].n_streams) {
		return NULL;
	}
	return &p->procs[slot].streams[s];
}

static bool all_drained(const struct vproc *v)
{
	for (unsigned s = 0; s < v->n_streams; s++) {
		if (!v->streams[s].out_done) {
			return false;
		}
	}
	return true;
}

static void finish_if_over(struct vproc *v)
{
	if (v->exited && all_drained(v)) {
		vmproc_end(v->owner, v->status);
	}
}

static void on_drained(void *ctx)
{
	finish_if_over(ctx);
}

void vmproc_procs_init(struct vmproc *p)
{
	const struct vmm_plan *plan = p->plan;
	struct vproc *v = &p->procs[0];

	*v = (struct vproc){.used = true, .id = 0, .shim_fd = plan->shim_fd, .owner = p};
	if (plan->tty) {
		v->n_streams = 1;
		stream_init(&v->streams[0], p->loop, p->vsock, EV_STREAM, stream_index(0, 0),
			    plan->stdio[0], plan->stdio[1]);
	} else {
		v->n_streams = 3;
		stream_init(&v->streams[0], p->loop, p->vsock, EV_STREAM, stream_index(0, 0),
			    plan->stdio[0], -1);
		stream_init(&v->streams[1], p->loop, p->vsock, EV_STREAM, stream_index(0, 1), -1,
			    plan->stdio[1]);
		stream_init(&v->streams[2], p->loop, p->vsock, EV_STREAM, stream_index(0, 2), -1,
			    plan->stdio[2]);
	}
	for (unsigned s = 0; s < v->n_streams; s++) {
		v->streams[s].drained = on_drained;
		v->streams[s].ctx = v;
	}
}

int vmproc_procs_accept(struct vmproc *p, uint32_t port, struct vsock_conn *conn,
			const struct vsock_endpoint **ep, void **ep_ctx)
{
	uint32_t id, s;

	if (port < AP_PORT_STDIO_BASE) {
		return -ECONNREFUSED;
	}
	id = (port - AP_PORT_STDIO_BASE) / 4;
	s = (port - AP_PORT_STDIO_BASE) % 4;
	for (uint32_t slot = 0; slot < VMPROC_MAX_PROCS; slot++) {
		struct vproc *v = &p->procs[slot];

		if (!v->used || v->id != id || s >= v->n_streams || v->streams[s].attached) {
			continue;
		}
		/* Bytes may flow only once the vsock has told the guest of the connection. */
		if (loop_after(p->loop, EV_ATTACH, stream_index(slot, s), 0) < 0) {
			return -ENOMEM;
		}
		v->streams[s].attached = true;
		v->streams[s].conn = conn;
		*ep = stream_endpoint();
		*ep_ctx = &v->streams[s];
		return 0;
	}
	return -ECONNREFUSED;
}

void vmproc_procs_attach(struct vmproc *p, uint32_t index)
{
	struct stream *s = stream_find(p, index);

	if (s) {
		stream_attached(s);
	}
}

void vmproc_procs_stream(struct vmproc *p, uint32_t index)
{
	struct stream *s = stream_find(p, index);

	if (s) {
		stream_event(s, (index & 1) != 0);
	}
}

void vmproc_procs_shim(struct vmproc *p, uint32_t slot)
{
	struct vproc *v = &p->procs[slot];
	struct shim_signal_msg msg;
	ssize_t n;

	n = recv(v->shim_fd, &msg, sizeof(msg), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n == (ssize_t)sizeof(msg) && msg.signo > 0 && msg.signo < (uint32_t)_NSIG) {
		if (!v->exited) {
			(void)vmproc_agent_signal(p, v->id, msg.signo, false, -1);
		}
		return;
	}
	/* Killed: for its caller the container is gone, so it must be gone. */
	loop_del(p->loop, v->shim_fd);
	vr_close_reset(&v->shim_fd);
	vmproc_fail(p, "the shim process was killed");
}

void vmproc_procs_exited(struct vmproc *p, const struct ap_exit *m)
{
	struct vproc *v = NULL;

	for (uint32_t slot = 0; slot < VMPROC_MAX_PROCS; slot++) {
		if (p->procs[slot].used && p->procs[slot].id == m->proc) {
			v = &p->procs[slot];
		}
	}
	if (!v || v->exited) {
		return; /* the guest's invention */
	}
	if (m->oom) {
		vr_info("the container ran out of memory");
	}
	v->exited = true;
	v->status = (uint8_t)(m->signo != 0 ? 128 + (m->signo & 0x7f) : m->status);
	if (v->id == 0) {
		p->state = CTL_EXITED; /* a DEADLINE_KILL stays: it may be the reader that hangs */
	}
	for (unsigned s = 0; s < v->n_streams; s++) {
		stream_process_ended(&v->streams[s]);
	}
	finish_if_over(v);
}

void vmproc_procs_abandon(struct vmproc *p)
{
	vsock_lock(p->vsock);
	for (unsigned s = 0; s < p->procs[0].n_streams; s++) {
		stream_abandon(&p->procs[0].streams[s]);
	}
	vsock_unlock(p->vsock);
}
