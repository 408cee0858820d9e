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
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "timeline.h"

#define DRAIN_DEADLINE_MS 2000u

static uint32_t stream_index(uint32_t slot, unsigned s)
{
	return slot << 5 | s << 1;
}

struct stream *vmproc_procs_stream_of(struct vproc *v, unsigned s)
{
	if (s < VMPROC_STREAMS) {
		return s == 0 || !v->tty ? &v->streams[s] : NULL;
	}
	return s - VMPROC_STREAMS < v->n_passed ? &v->passed[s - VMPROC_STREAMS] : NULL;
}

static struct stream *stream_find(struct vmproc *p, uint32_t index)
{
	uint32_t slot = index >> 5;

	if (slot >= VMPROC_MAX_PROCS || !p->procs[slot].used) {
		return NULL;
	}
	return vmproc_procs_stream_of(&p->procs[slot], (index >> 1) % AP_STREAMS);
}

static uint32_t slot_of(const struct vproc *v)
{
	return (uint32_t)(v - v->owner->procs);
}

static bool all_drained(struct vproc *v)
{
	for (unsigned s = 0; s < AP_STREAMS; s++) {
		const struct stream *stream = vmproc_procs_stream_of(v, s);

		if (stream && !stream->out_done) {
			return false;
		}
	}
	return vmproc_accept_drained(v->owner, v->id);
}

/* All of them lose what was not written yet; the vsock lock is held. */
static void abandon(struct vproc *v)
{
	for (unsigned s = 0; s < AP_STREAMS; s++) {
		struct stream *stream = vmproc_procs_stream_of(v, s);

		if (stream) {
			stream_abandon(stream);
		}
	}
}

static void finish_if_over(struct vproc *v)
{
	if (v->exited && all_drained(v)) {
		vmproc_procs_defer(v->owner, v, PROC_WORK_OVER);
	}
}

void vmproc_procs_drained(struct vmproc *p, uint32_t id)
{
	struct vproc *v = vmproc_procs_find(p, id);

	if (v) {
		finish_if_over(v);
	}
}

static void on_drained(void *ctx)
{
	finish_if_over(ctx);
}

static int proc_init(struct vmproc *p, uint32_t slot, bool tty, const int *rfd, const int *wfd,
		     const struct passfds *fds)
{
	struct vproc *v = &p->procs[slot];
	struct stream *stream;

	*v = (struct vproc){.used = true, .tty = tty, .shim_fd = -1, .owner = p};
	v->passed = fds->n > 0 ? calloc(fds->n, sizeof(*v->passed)) : NULL;
	if (fds->n > 0 && !v->passed) {
		v->used = false;
		return -ENOMEM;
	}
	v->n_passed = fds->n;
	for (unsigned s = 0; s < AP_STREAMS; s++) {
		unsigned i = s - VMPROC_STREAMS;
		bool listens = s >= VMPROC_STREAMS && i < fds->n && AP_FD_IS_LISTEN(fds->kind[i]);

		stream = vmproc_procs_stream_of(v, s);
		if (!stream) {
			continue;
		}
		stream_init(stream, p->loop, p->vsock, vmproc_kind(p, EV_STREAM),
			    stream_index(slot, s),
			    s < VMPROC_STREAMS ? rfd[s]
			    : listens	       ? -1
					       : fds->rfd[i],
			    s < VMPROC_STREAMS ? wfd[s] : fds->wfd[i]);
		stream->is_socket = s >= VMPROC_STREAMS && fds->kind[i] == AP_FD_BOTH;
		stream->attached = listens; /* no connection of its own */
		stream->drained = on_drained;
		stream->ctx = v;
	}
	return 0;
}

/* After its id is known. Those that aren't passed on are closed at the end of the vmm. */
static int listen_all(struct vmproc *p, const struct vproc *v, const struct passfds *fds)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < fds->n; i++) {
		if (AP_FD_IS_LISTEN(fds->kind[i])) {
			rc = vmproc_accept_add(p, v->id, VMPROC_STREAMS + i, fds->rfd[i]);
		}
	}
	return rc;
}

int vmproc_procs_init(struct vmproc *p)
{
	const struct vmm_plan *plan = p->plan;
	const int rfd[VMPROC_STREAMS] = {plan->stdio[0], -1, -1};
	const int wfd[VMPROC_STREAMS] = {plan->tty ? plan->stdio[1] : -1, plan->stdio[1],
					 plan->stdio[2]};
	int rc = proc_init(p, 0, plan->tty, rfd, wfd, plan->fds);

	p->procs[0].shim_fd = plan->shim_fd;
	p->procs[0].port = plan->stdio_port;
	return rc < 0 ? rc : listen_all(p, &p->procs[0], plan->fds);
}

struct vproc *vmproc_procs_find(struct vmproc *p, uint32_t id)
{
	for (uint32_t slot = 0; slot < VMPROC_MAX_PROCS; slot++) {
		if (p->procs[slot].used && p->procs[slot].id == id) {
			return &p->procs[slot];
		}
	}
	return NULL;
}

/*
 * Nobody in the guest but the agent is told it, and nobody can guess it in the time that the
 * agent takes. Syscalls: getrandom (role vmm)
 */
int vmproc_procs_port(struct vmproc *p, uint32_t *out)
{
	uint32_t bits;
	bool taken;

	do {
		if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits)) {
			return -EIO;
		}
		taken = vmproc_member_of_port(p->machine, AP_PORT_STDIO(bits)) != NULL;
	} while (taken); /* ends: there are fewer processes than ports */
	*out = AP_PORT_STDIO(bits);
	return 0;
}

struct vproc *vmproc_procs_add(struct vmproc *p, bool tty, const int rfd[VMPROC_STREAMS],
			       const int wfd[VMPROC_STREAMS], const struct passfds *fds)
{
	uint32_t port;

	if (vmproc_procs_port(p, &port) < 0 || vmproc_accept_room(p, fds) < 0) {
		return NULL;
	}
	for (uint32_t slot = 1; slot < VMPROC_MAX_PROCS; slot++) {
		if (p->procs[slot].used) {
			continue;
		}
		do { /* ends: there are fewer processes than ids */
			p->last_proc = p->last_proc % AP_PROC_ID_MAX + 1;
		} while (vmproc_procs_find(p, p->last_proc));
		if (proc_init(p, slot, tty, rfd, wfd, fds) < 0) {
			return NULL;
		}
		p->procs[slot].id = p->last_proc;
		p->procs[slot].port = port;
		if (listen_all(p, &p->procs[slot], fds) < 0) {
			vr_debug("process %u hears of no connections", p->last_proc);
		}
		return &p->procs[slot];
	}
	return NULL;
}

void vmproc_procs_tell(struct vmproc *p, struct vproc *v, uint8_t status, const char *reason)
{
	if (v->shim_fd < 0) {
		return;
	}
	role_tell_shim(v->shim_fd, status, reason);
	loop_del(p->loop, v->shim_fd);
	vr_close_reset(&v->shim_fd);
}

void vmproc_procs_release(struct vmproc *p, struct vproc *v)
{
	uint32_t slot = slot_of(v);

	vsock_lock(p->vsock);
	for (unsigned s = 0; s < AP_STREAMS; s++) {
		struct stream *stream = vmproc_procs_stream_of(v, s);

		if (stream) {
			stream->drained = NULL;
			stream_abandon(stream);
			loop_cancel(p->loop, vmproc_kind(p, EV_ATTACH), stream_index(slot, s));
		}
	}
	vmproc_accept_end(p, v->id); /* an exec that never came to run has listeners, too */
	vsock_unlock(p->vsock);
	loop_cancel(p->loop, vmproc_kind(p, EV_PROC), slot << 1 | PROC_WORK_OVER);
	loop_cancel(p->loop, vmproc_kind(p, EV_PROC), slot << 1 | PROC_WORK_RESIZE);
	if (v->shim_fd >= 0) {
		loop_del(p->loop, v->shim_fd);
		vr_close_reset(&v->shim_fd);
	}
	free(v->passed);
	v->passed = NULL;
	v->n_passed = 0;
	v->used = false;
}

void vmproc_procs_defer(struct vmproc *p, struct vproc *v, enum vmproc_proc_work work)
{
	if (loop_after(p->loop, vmproc_kind(p, EV_PROC), slot_of(v) << 1 | work, 0) < 0) {
		vmproc_fail(p, "out of memory"); /* a process whose end nobody hears of */
	}
}

static bool execs_left(const struct vmproc *p)
{
	for (uint32_t slot = 1; slot < VMPROC_MAX_PROCS; slot++) {
		if (p->procs[slot].used) {
			return true;
		}
	}
	return false;
}

/*
 * The agent reports all other processes before init. So when init is over, what
 * is left of execs is output that their readers have not taken: they get some
 * time, the container's end is told at once.
 */
static void work_over(struct vmproc *p, struct vproc *v)
{
	struct vproc *init = &p->procs[0];

	vmproc_procs_tell(p, v, v->status, NULL);
	if (v != init) {
		vmproc_procs_release(p, v);
	}
	if (!init->exited || !all_drained(init)) {
		return;
	}
	if (!execs_left(p) || (v == init && loop_after(p->loop, vmproc_kind(p, EV_DEADLINE),
						       DEADLINE_DRAIN, DRAIN_DEADLINE_MS) < 0)) {
		vmproc_end(p, init->status);
	}
}

/* The host's side of the terminal has the size that the caller wants the guest's to have. */
static void work_resize(struct vmproc *p, struct vproc *v)
{
	struct ap_resize m = {.proc = v->id};
	struct vpending *slot;
	struct winsize ws;
	uint8_t frame[64];
	int fd = v->streams[0].rfd >= 0 ? v->streams[0].rfd : v->streams[0].wfd;

	if (!v->tty || v->exited || fd < 0 || ioctl(fd, TIOCGWINSZ, &ws) < 0 ||
	    (ws.ws_row == v->rows && ws.ws_col == v->cols)) {
		return;
	}
	slot = vmproc_agent_pending(p, -1, 0);
	m.rows = v->rows = ws.ws_row;
	m.cols = v->cols = ws.ws_col;
	if (!slot || vmproc_agent_send(p, slot, frame,
				       ap_encode_resize(&m, slot->id, frame, sizeof(frame))) < 0) {
		vr_debug("process %u keeps the former size of its window", v->id);
	}
}

void vmproc_procs_work(struct vmproc *p, uint32_t index)
{
	struct vproc *v = &p->procs[index >> 1];

	if (index >> 1 >= VMPROC_MAX_PROCS || !v->used) {
		return;
	}
	if ((index & 1) == PROC_WORK_OVER) {
		work_over(p, v);
	} else {
		work_resize(p, v);
	}
}

bool vmproc_procs_has_port(const struct vmproc *p, uint32_t port)
{
	for (uint32_t slot = 0; slot < VMPROC_MAX_PROCS; slot++) {
		if (p->procs[slot].used && p->procs[slot].port == port - port % AP_STREAMS) {
			return true;
		}
	}
	return false;
}

int vmproc_procs_accept(struct vmproc *p, uint32_t port, struct vsock_conn *conn,
			const struct vsock_endpoint **ep, void **ep_ctx)
{
	uint32_t s = port % AP_STREAMS;

	for (uint32_t slot = 0; slot < VMPROC_MAX_PROCS; slot++) {
		struct vproc *v = &p->procs[slot];
		struct stream *stream =
			v->used && v->port == port - s ? vmproc_procs_stream_of(v, s) : NULL;

		if (!stream || stream->attached) {
			continue;
		}
		/* Bytes may flow only once the vsock has told the guest of the connection. */
		if (loop_after(p->loop, vmproc_kind(p, EV_ATTACH), stream_index(slot, s), 0) < 0) {
			return -ENOMEM;
		}
		stream->attached = true;
		stream->conn = conn;
		*ep = stream_endpoint();
		*ep_ctx = stream;
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

static void shim_said(struct vmproc *p, struct vproc *v, const struct shim_signal_msg *msg)
{
	if (v->exited || (msg->from_tty && msg->signo != SIGWINCH)) {
		return; /* of a hang-up the guest's terminal learns from the stream's end */
	}
	if (msg->from_tty && v->tty) {
		work_resize(p, v);
	} else if (vmproc_agent_signal(p, v->id, msg->signo, false, -1) < 0) {
		vr_debug("signal %u is lost", msg->signo);
	}
}

void vmproc_procs_shim(struct vmproc *p, uint32_t slot)
{
	struct vproc *v = &p->procs[slot];
	struct shim_signal_msg msg;
	ssize_t n;

	if (slot >= VMPROC_MAX_PROCS || !v->used || v->shim_fd < 0) {
		return;
	}
	n = recv(v->shim_fd, &msg, sizeof(msg), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n == (ssize_t)sizeof(msg) && msg.signo > 0 && msg.signo < (uint32_t)_NSIG) {
		shim_said(p, v, &msg);
		return;
	}
	/* Killed: for its caller the process is gone, so it must be gone. */
	loop_del(p->loop, v->shim_fd);
	vr_close_reset(&v->shim_fd);
	if (slot == 0) {
		vmproc_fail(p, "the shim process was killed");
		return;
	}
	if (!v->exited && vmproc_agent_signal(p, v->id, SIGKILL, false, -1) < 0) {
		vr_debug("process %u lives on without its shim", v->id);
	}
	vsock_lock(p->vsock);
	abandon(v);
	vsock_unlock(p->vsock);
}

void vmproc_procs_exited(struct vmproc *p, const struct ap_exit *m)
{
	struct vproc *v = vmproc_procs_find(p, m->proc);

	if (!v || v->exited) {
		return; /* the guest's invention */
	}
	timeline_mark("exit of a process");
	if (m->oom) {
		vr_info("the container ran out of memory");
	}
	vmproc_accept_end(p, v->id);
	v->exited = true;
	v->status = (uint8_t)(m->signo != 0 ? 128 + (m->signo & 0x7f) : m->status);
	if (v->id == 0) {
		p->state = CTL_EXITED; /* a DEADLINE_KILL stays: it may be the reader that hangs */
	}
	for (unsigned s = 0; s < AP_STREAMS; s++) {
		struct stream *stream = vmproc_procs_stream_of(v, s);

		if (stream) {
			stream_process_ended(stream);
		}
	}
	finish_if_over(v);
}

void vmproc_procs_abandon(struct vmproc *p)
{
	vsock_lock(p->vsock);
	for (uint32_t slot = 0; slot < VMPROC_MAX_PROCS; slot++) {
		if (p->procs[slot].used) {
			abandon(&p->procs[slot]);
		}
	}
	vsock_unlock(p->vsock);
}
