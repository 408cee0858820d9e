/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmproc_control.c - what verbs ask of the vmm
 *
 * A client sends one request at a time. Some are answered by the agent later;
 * until then the slot waits. A client that goes away meanwhile frees its slot
 * when the answer comes, so that an answer never reaches somebody else.
 */
#include "vmproc_internal.h"

#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/log.h"

static const char *refusal_of_start(enum ctl_state state)
{
	switch (state) {
	case CTL_EXITED:
		return "cannot start a container that has stopped";
	case CTL_PAUSED:
		return "cannot start a paused container";
	default:
		return "cannot start an already running container";
	}
}

static const char *refusal(const struct vmproc *p, enum ctl_type type)
{
	if (p->state == CTL_BOOTING) {
		return "container is still being created";
	}
	if (type == CTL_START) {
		return refusal_of_start(p->state);
	}
	if (type == CTL_RESUME && p->state != CTL_EXITED) {
		return "container not paused";
	}
	if (p->state == CTL_PAUSED) {
		return type == CTL_EXEC	   ? "cannot exec in a paused container"
		       : type == CTL_PAUSE ? "container already paused"
					   : "container is paused";
	}
	if (p->state == CTL_EXITED && type == CTL_EXEC) {
		return "cannot exec in a stopped container";
	}
	return type == CTL_PAUSE && p->state == CTL_STARTING ? "container is being started"
							     : "container not running";
}

static void client_close(struct vmproc *p, struct vclient *c)
{
	loop_del(p->loop, c->fd);
	vr_close_reset(&c->fd);
}

void vmproc_control_answer(struct vmproc *p, int client, int code, const char *msg)
{
	struct vclient *c = &p->clients[client];
	char buf[VR_ERR_MSG_MAX + 16];
	size_t n;

	if (c->fd < 0) {
		return;
	}
	c->waiting = false;
	n = ctl_reply_encode(buf, sizeof(buf), code, msg);
	/* A client that went away, or doesn't read, misses its answer. */
	(void)send(c->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void vmproc_control_answer_data(struct vmproc *p, int client, const void *data, size_t len)
{
	static uint8_t buf[CTL_MSG_MAX]; /* one loop thread */
	struct vclient *c = &p->clients[client];
	size_t n = ctl_data_encode(buf, sizeof(buf), data, len);

	if (n == 0) {
		vmproc_control_answer(p, client, EMSGSIZE, "the guest agent's answer is too long");
	} else if (c->fd >= 0) {
		c->waiting = false;
		(void)send(c->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL); /* as above */
	}
}

int vmproc_control_start(struct vmproc *p, int client, const void *text, size_t len)
{
	static char state[CTL_BODY_MAX + 1]; /* one loop thread */
	static uint8_t frame[CTL_BODY_MAX + 64];
	const struct ap_start m = {.state = len > 0 ? state : NULL};
	struct vpending *slot = vmproc_agent_pending(p, client, CTL_START);

	if (!slot) {
		return -EAGAIN;
	}
	memcpy(state, text, len);
	state[len] = '\0';
	return vmproc_agent_send(p, slot, frame,
				 ap_encode_start(&m, slot->id, frame, sizeof(frame)));
}

static int start(struct vmproc *p, int client, const struct ctl_request *req)
{
	int rc = vmproc_netrole_start(p, client, req->body, req->body_len);

	if (rc == 0) {
		p->state = CTL_STARTING;
	}
	return rc;
}

/* In a VM with others in it a container is paused by the guest's kernel, and the others go on. */
static int freeze(struct vmproc *p, int client, bool on)
{
	struct vpending *slot = vmproc_agent_pending(p, client, on ? CTL_PAUSE : CTL_RESUME);
	uint8_t frame[64];
	int rc;

	p->freezing = true; /* the answer may be there when this returns */
	rc = vmproc_agent_send(p, slot, frame,
			       !slot ? -EAGAIN
				     : ap_encode_empty(on ? AP_MSG_FREEZE : AP_MSG_THAW, slot->id,
						       frame, sizeof(frame)));
	if (rc < 0) {
		p->freezing = false;
	}
	return rc;
}

void vmproc_control_frozen(struct vmproc *p, bool on, bool ok)
{
	p->freezing = false;
	if (!ok || p->state == CTL_EXITED || p->frozen == on) {
		return;
	}
	p->frozen = on;
	if (on) {
		p->before_pause = p->state;
		p->state = CTL_PAUSED;
	} else {
		p->state = p->before_pause;
	}
}

/* The vCPUs stand still between two instructions: the guest notices by its clock at most. */
static int pause_asked(struct vmproc *p, int client)
{
	int rc;

	if (p != p->machine || vmproc_member_any(p)) {
		return freeze(p, client, true);
	}
	rc = vm_pause(p->vm);
	if (rc == 0) {
		p->before_pause = p->state;
		p->state = CTL_PAUSED;
		vmproc_control_answer(p, client, 0, "");
	}
	return rc;
}

static int resume(struct vmproc *p)
{
	int rc = vm_resume(p->vm);

	if (rc == 0) {
		p->state = p->before_pause;
		if (vmproc_agent_set_clock(p) < 0) {
			vr_debug("the guest's clock stays behind by the length of the pause");
		}
	}
	return rc;
}

static int resume_asked(struct vmproc *p, int client)
{
	int rc;

	if (p->frozen) {
		return freeze(p, client, false);
	}
	rc = resume(p);
	if (rc == 0) {
		vmproc_control_answer(p, client, 0, "");
	}
	return rc;
}

static int signal_asked(struct vmproc *p, int client, const struct ctl_request *req)
{
	int rc;

	if (p->state == CTL_EXITED) {
		/* Init is gone; what is left is output nobody reads. KILL gives it up. */
		if (req->signo == SIGKILL) {
			vmproc_procs_abandon(p);
		}
		vmproc_control_answer(p, client, 0, "");
		return 0;
	}
	if (p->state == CTL_PAUSED && req->signo != SIGKILL) {
		/* It is delivered when the container goes on; nobody can wait for that. */
		rc = vmproc_agent_signal(p, 0, req->signo, req->all, -1);
		if (rc == 0) {
			vmproc_control_answer(p, client, 0, "");
		}
		return rc;
	}
	rc = vmproc_agent_signal(p, 0, req->signo, req->all, client);
	/* What is frozen in the guest is killed as it is. */
	if (rc == 0 && p->state == CTL_PAUSED && !p->frozen) {
		rc = resume(p);
	}
	return rc;
}

static void ps(struct vmproc *p, int client)
{
	uint32_t pids[VMPROC_MAX_PROCS];
	size_t n = 0;

	for (size_t i = 1; i < VMPROC_MAX_PROCS; i++) {
		if (p->procs[i].used && p->procs[i].shim_fd >= 0) {
			pids[n++] = htole32(p->procs[i].host_pid);
		}
	}
	vmproc_control_answer_data(p, client, pids, n * sizeof(pids[0]));
}

static int stats(struct vmproc *p, int client)
{
	struct vpending *slot = vmproc_agent_pending(p, client, CTL_STATS);
	uint8_t frame[64];

	if (!slot) {
		return -EAGAIN;
	}
	return vmproc_agent_send(p, slot, frame,
				 ap_encode_empty(AP_MSG_STATS, slot->id, frame, sizeof(frame)));
}

/* Decoded and encoded again: what reaches the agent was well-formed, and its id is ours. */
static int update(struct vmproc *p, int client, const struct ctl_request *req)
{
	static struct ap_resources res; /* one loop thread */
	static uint8_t frame[CTL_BODY_MAX + 64];
	bool later = p->state == CTL_PAUSED; /* the guest does it when it goes on */
	struct vpending *slot;
	int rc;

	if (ap_decode_update(req->body, req->body_len, &res) < 0) {
		return -EPROTO;
	}
	slot = vmproc_agent_pending(p, later ? -1 : client, CTL_UPDATE);
	if (!slot) {
		return -EAGAIN;
	}
	rc = vmproc_agent_send(p, slot, frame,
			       ap_encode_update(&res, slot->id, frame, sizeof(frame)));
	if (rc == 0 && later) {
		vmproc_control_answer(p, client, 0, "");
	}
	return rc;
}

static int serve(struct vmproc *p, int client, const struct ctl_request *req, int *fds,
		 size_t n_fds, struct vr_err *err)
{
	uint32_t state;

	switch (req->type) {
	case CTL_START:
		return start(p, client, req);
	case CTL_SIGNAL:
		return signal_asked(p, client, req);
	case CTL_EXEC:
		return vmproc_exec(p, client, req, fds, n_fds, err);
	case CTL_PAUSE:
		return pause_asked(p, client);
	case CTL_RESUME:
		return resume_asked(p, client);
	case CTL_MACHINE:
		return vmproc_member_machine(p, client, err);
	case CTL_JOIN:
		return vmproc_member_join(p, client, req, fds, n_fds, err);
	case CTL_PS:
		ps(p, client);
		return 0;
	case CTL_STATS:
		return stats(p, client);
	case CTL_UPDATE:
		return update(p, client, req);
	case CTL_STATE:
		state = htole32(p->state);
		vmproc_control_answer_data(p, client, &state, sizeof(state));
		return 0;
	default:
		return -EPROTO;
	}
}

static void request_serve(struct vmproc *p, uint32_t slot, const struct ctl_request *req, int *fds,
			  size_t n_fds)
{
	struct vclient *c = &p->clients[slot];
	struct vr_err err = VR_ERR_INIT;
	int rc;

	c->waiting = true;
	if (!ctl_permitted(req->type, p->state)) {
		/* EALREADY: it was started. The caller tells it from other refusals. */
		rc = req->type == CTL_START && (p->state == CTL_STARTING || p->state == CTL_RUNNING)
			     ? EALREADY
			     : EBUSY;
		vmproc_control_answer(p, (int)slot, rc, refusal(p, req->type));
		return;
	}
	/* Somebody asked, and didn't wait for the answer. */
	if (p->freezing && (req->type == CTL_START || req->type == CTL_PAUSE ||
			    req->type == CTL_RESUME || req->type == CTL_JOIN)) {
		vmproc_control_answer(p, (int)slot, EBUSY, "container is being paused or resumed");
		return;
	}
	rc = serve(p, (int)slot, req, fds, n_fds, &err);
	if (rc < 0) {
		vmproc_control_answer(p, (int)slot, rc,
				      err.code != 0 ? err.msg : "the guest agent can't be reached");
	}
}

void vmproc_control_event(struct vmproc *p, uint32_t slot)
{
	static uint8_t msg[CTL_MSG_MAX]; /* one loop thread */
	struct vclient *c = &p->clients[slot];
	int fds[CTL_FDS_MAX];
	struct ctl_request req;
	size_t n_fds = 0;
	ssize_t n;

	if (slot >= VMPROC_MAX_CLIENTS || c->fd < 0) {
		return;
	}
	n = vr_recv_fds(c->fd, msg, sizeof(msg), fds, VR_ARRAY_SIZE(fds), &n_fds);
	if (n == -EAGAIN) {
		return;
	}
	if (n <= 0 || c->waiting || ctl_parse(msg, (size_t)n, &req) < 0 ||
	    (n_fds > 0 && req.type != CTL_EXEC && req.type != CTL_JOIN)) {
		vmproc_agent_forget(p, (int)slot);
		vmproc_netrole_forget(p, (int)slot);
		client_close(p, c);
	} else {
		request_serve(p, slot, &req, fds, n_fds);
	}
	for (size_t i = 0; i < n_fds; i++) {
		vr_close_reset(&fds[i]); /* those nobody took */
	}
}

void vmproc_control_accept(struct vmproc *p)
{
	int fd = accept4(p->plan->control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		return; /* the client gave up, or we are out of fds: it sees the reset */
	}
	for (uint32_t i = 0; i < VMPROC_MAX_CLIENTS; i++) {
		if (p->clients[i].fd < 0 &&
		    loop_add(p->loop, fd, EPOLLIN, vmproc_kind(p, EV_CLIENT), i) == 0) {
			p->clients[i] = (struct vclient){.fd = fd};
			return;
		}
	}
	(void)close(fd);
}
