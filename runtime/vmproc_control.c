/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmproc_control.c - what verbs ask of the vmm
 *
 * A client sends one request at a time. Some are answered by the agent later;
 * until then the slot waits. A client that goes away meanwhile frees its slot
 * when the answer comes, so that an answer never reaches somebody else.
 */
#include "vmproc_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"

static const char *refusal(const struct vmproc *p, enum ctl_type type)
{
	switch (p->state) {
	case CTL_BOOTING:
		return "container is still being created";
	case CTL_EXITED:
		return type == CTL_START ? "cannot start a container that has stopped"
					 : "container not running";
	case CTL_STARTING:
	case CTL_RUNNING:
		return type == CTL_START ? "cannot start an already running container"
					 : "container not running";
	default:
		return "container not running";
	}
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

static int start(struct vmproc *p, int client)
{
	const struct ap_start m = {.state = NULL};
	uint8_t frame[64];
	uint32_t id = vmproc_agent_request(p, client);
	int rc;

	rc = vmproc_agent_send(p, id, frame, ap_encode_start(&m, id, frame, sizeof(frame)));
	if (rc == 0) {
		p->state = CTL_STARTING;
	}
	return rc;
}

static int serve(struct vmproc *p, int client, const struct ctl_request *req)
{
	switch (req->type) {
	case CTL_START:
		return start(p, client);
	case CTL_SIGNAL:
		if (p->state == CTL_EXITED) {
			/* Init is gone; what is left is output nobody reads. KILL gives it up. */
			if (req->signo == SIGKILL) {
				vmproc_procs_abandon(p);
			}
			vmproc_control_answer(p, client, 0, "");
			return 0;
		}
		return vmproc_agent_signal(p, 0, req->signo, req->all, client);
	default:
		return -EPROTO;
	}
}

void vmproc_control_event(struct vmproc *p, uint32_t slot)
{
	struct vclient *c = &p->clients[slot];
	uint8_t msg[512];
	struct ctl_request req;
	ssize_t n;
	int rc;

	if (slot >= VMPROC_MAX_CLIENTS || c->fd < 0) {
		return;
	}
	n = recv(c->fd, msg, sizeof(msg), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n <= 0 || c->waiting || ctl_parse(msg, (size_t)n, &req) < 0) {
		for (size_t i = 0; i < VMPROC_MAX_PENDING; i++) {
			if (p->pending[i].client == (int)slot) {
				p->pending[i].client = -1;
			}
		}
		client_close(p, c);
		return;
	}
	c->type = req.type;
	c->waiting = true;
	if (!ctl_permitted(req.type, p->state)) {
		/* EALREADY: it was started. The caller tells it from other refusals. */
		rc = p->state == CTL_STARTING || p->state == CTL_RUNNING ? EALREADY : EBUSY;
		vmproc_control_answer(p, (int)slot, rc, refusal(p, req.type));
		return;
	}
	rc = serve(p, (int)slot, &req);
	if (rc < 0) {
		vmproc_control_answer(p, (int)slot, rc, "the guest agent can't be reached");
	}
}

void vmproc_control_accept(struct vmproc *p)
{
	int fd = accept4(p->plan->control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		return; /* the client gave up, or we are out of fds: it sees the reset */
	}
	for (uint32_t i = 0; i < VMPROC_MAX_CLIENTS; i++) {
		if (p->clients[i].fd < 0 && loop_add(p->loop, fd, EPOLLIN, EV_CLIENT, i) == 0) {
			p->clients[i] = (struct vclient){.fd = fd};
			return;
		}
	}
	(void)close(fd);
}
