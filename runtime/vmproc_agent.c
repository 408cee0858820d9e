/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmproc_agent.c - what the guest agent says, and what follows
 *
 * hello -> configure and create are sent -> create's answer ends `volt-runc
 * create` -> start -> ... -> exit of process 0 ends the container.
 */
#include "vmproc_internal.h"

#include <errno.h>
#include <signal.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <sys/socket.h>

#include "base/checked.h"
#include "base/log.h"
#include "base/utf8.h"
#include "notify.h"
#include "timeline.h"

#define ID_CONFIGURE 1u
#define ID_CREATE    2u /* fixed: the frame was encoded before the fork */
#define ID_NET	     LAUNCH_NET_REQUEST_ID
#define ID_FIRST     16u

#define KILL_DEADLINE_MS 5000u

/* With the vsock lock held. */
static void send_create(struct vmproc *p)
{
	const struct net_plan *net = p->plan->net; /* NULL for a container that joined */

	if (net && net->frame && agent_client_send(p->agent, net->frame, net->frame_len) < 0) {
		vmproc_fail(p, "send the network to the guest agent");
		return;
	}
	p->n_nets = net && net->frame;
	if (agent_client_send(p->agent, p->plan->create_frame, p->plan->create_len) < 0) {
		vmproc_fail(p, "send the container to the guest agent");
	}
}

void vmproc_agent_go(struct vmproc *p)
{
	vsock_lock(p->vsock);
	if (!p->go && p->greeted) {
		send_create(p);
	}
	p->go = true;
	vsock_unlock(p->vsock);
}

/* What a guest can't know. @seed: also bytes for its random pool. */
static long configure_encode(const struct vmproc *p, bool seed, void *frame, size_t cap)
{
	struct ap_configure cfg = {.hostname = p->plan->hostname};
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* can't fail for this clock */
	if (p == p->machine) { /* it is set already, and others would see it step back */
		cfg.realtime_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	}
	cfg.has_seed =
		seed && getrandom(cfg.seed, sizeof(cfg.seed), 0) == (ssize_t)sizeof(cfg.seed);
	return ap_encode_configure(&cfg, ID_CONFIGURE, frame, cap);
}

/* With the vsock lock held. */
static int configure_send(struct vmproc *p, bool seed)
{
	uint8_t frame[1024];
	long n = configure_encode(p, seed, frame, sizeof(frame));
	int rc = n < 0 ? (int)n : agent_client_send(p->agent, frame, (size_t)n);

	p->n_configures += rc == 0;
	return rc;
}

int vmproc_agent_set_clock(struct vmproc *p)
{
	int rc;

	vsock_lock(p->vsock);
	rc = configure_send(p, false);
	vsock_unlock(p->vsock);
	return rc;
}

/* The guest's clock starts with its kernel; what matters is how long ago a stamp was taken. */
static void mark_hello(struct vmproc *p, const struct ap_hello *m)
{
	uint64_t hello = m->stamp_ns[AP_STAMP_HELLO];
	uint64_t exits;

	timeline_mark_ago("kernel of the guest started", hello);
	timeline_mark_ago("its first process, the agent, started",
			  hello - m->stamp_ns[AP_STAMP_AGENT]);
	timeline_mark("hello of the agent");
	if (vm_count_exits(p->vm, &exits) == 0) {
		vr_debug("timeline: %llu exits from guest mode until then",
			 (unsigned long long)exits);
	}
}

static void on_hello(void *ctx, const struct ap_hello *m)
{
	struct vmproc *p = ctx;

	if (m->version != AP_VERSION) {
		vmproc_fail(p, "the guest agent speaks protocol version %u, not %u", m->version,
			    AP_VERSION);
		return;
	}
	mark_hello(p, m);
	if (configure_send(p, p == p->machine) < 0) {
		vmproc_fail(p, "send the clock to the guest agent");
		return;
	}
	p->greeted = true;
	if (p->go) {
		send_create(p);
	}
}

/* The guest's words, for a message. */
static void reply_to_err(const struct ap_reply *m, struct vr_err *err)
{
	const char *text = m->text ? m->text : "the guest gave no reason";

	if (m->stage && m->fail == AP_FAIL_SETUP) {
		(void)vr_err_set(err, (int)m->code, "%s: %s", m->stage, text);
	} else {
		(void)vr_err_set(err, (int)m->code, "%s", text);
	}
	vr_utf8_tame(err->msg); /* the guest must not write to somebody's terminal */
}

static void unasked(struct vmproc *p)
{
	vmproc_fail(p, "the guest agent answered a request that was never made");
}

/* A container without the network it was promised doesn't start. */
static void net_answered(struct vmproc *p, const struct ap_reply *m)
{
	struct vr_err err = VR_ERR_INIT;

	if (p->n_nets == 0) {
		unasked(p);
		return;
	}
	p->n_nets--;
	if (m->code != 0) {
		reply_to_err(m, &err);
		vmproc_refuse(p, &err);
	}
}

/* A clock that can't be set is the container's own affair. */
static void configure_answered(struct vmproc *p, const struct ap_reply *m)
{
	if (p->n_configures == 0) { /* each would be a line of the log */
		unasked(p);
		return;
	}
	p->n_configures--;
	if (m->code != 0) {
		vr_debug("guest: configure: %s", m->text ? m->text : "failed");
	}
}

static void create_answered(struct vmproc *p, const struct ap_reply *m)
{
	struct vr_err err = VR_ERR_INIT;

	if (p->state != CTL_BOOTING) {
		vmproc_fail(p, "the guest agent answered create twice");
		return;
	}
	if (!p->go) {
		unasked(p);
		return;
	}
	loop_cancel(p->loop, vmproc_kind(p, EV_DEADLINE), DEADLINE_BOOT);
	if (m->code != 0) {
		/* The agent's own words: callers match them, so without the console's. */
		reply_to_err(m, &err);
		vmproc_refuse(p, &err);
		return;
	}
	if (p->plan->readonly_root && vmproc_devices_freeze_root(p) < 0) {
		vmproc_fail(p, "the file server can't make the root read-only");
		return;
	}
	p->state = CTL_CREATED;
	timeline_mark("container prepared");
	vmproc_procs_defer(p, &p->procs[0], PROC_WORK_RESIZE);
	vmproc_netrole_created(p);
	role_report(p->plan->report_fd, NULL);
}

static struct vpending *pending_find(struct vmproc *p, uint32_t id)
{
	for (size_t i = 0; i < VMPROC_MAX_PENDING; i++) {
		if (p->pending[i].id == id) {
			return &p->pending[i];
		}
	}
	return NULL;
}

struct vpending *vmproc_agent_pending(struct vmproc *p, int client, enum ctl_type type)
{
	struct vpending *slot = pending_find(p, 0);

	if (!slot) {
		return NULL;
	}
	if (p->next_request < ID_FIRST) {
		p->next_request = ID_FIRST; /* first use, or wrapped round */
	}
	*slot = (struct vpending){.id = p->next_request++, .client = client, .type = type};
	return slot;
}

int vmproc_agent_send(struct vmproc *p, struct vpending *slot, const void *frame, long len)
{
	int rc;

	if (!slot) {
		return -EAGAIN;
	}
	vsock_lock(p->vsock);
	rc = len < 0 ? (int)len : agent_client_send(p->agent, frame, (size_t)len);
	vsock_unlock(p->vsock);
	if (rc < 0) {
		slot->id = 0;
	}
	return rc;
}

void vmproc_agent_forget(struct vmproc *p, int client)
{
	struct vproc *v;

	for (size_t i = 0; i < VMPROC_MAX_PENDING; i++) {
		if (p->pending[i].id == 0 || p->pending[i].client != client) {
			continue;
		}
		p->pending[i].client = -1;
		v = p->pending[i].type == CTL_EXEC ? vmproc_procs_find(p, p->pending[i].proc)
						   : NULL;
		if (v) {
			/* Nobody will ever know of this process. */
			(void)vmproc_agent_signal(p, v->id, SIGKILL, false, -1);
		}
	}
}

/* What an answer means for us, whoever asked. */
static void request_done(struct vmproc *p, const struct vpending *asked, bool ok)
{
	if (asked->type == CTL_START && p->state == CTL_STARTING) {
		p->state = ok ? CTL_RUNNING : CTL_CREATED;
		if (ok) {
			vmproc_accept_running(p, 0);
		}
		timeline_mark("exec of the process");
	} else if (asked->type == CTL_EXEC) {
		vmproc_exec_answered(p, asked->proc, ok);
	} else if (asked->type == CTL_PAUSE || asked->type == CTL_RESUME) {
		vmproc_control_frozen(p, asked->type == CTL_PAUSE, ok);
	}
}

static void on_reply(void *ctx, uint32_t id, const struct ap_reply *m)
{
	struct vmproc *p = ctx;
	struct vr_err err = VR_ERR_INIT;
	struct vpending *slot;
	struct vpending asked;

	if (id == ID_CONFIGURE) {
		configure_answered(p, m);
		return;
	}
	if (id == ID_NET) {
		net_answered(p, m);
		return;
	}
	if (id == ID_CREATE) {
		create_answered(p, m);
		return;
	}
	slot = id == 0 ? NULL : pending_find(p, id);
	if (!slot) {
		unasked(p);
		return;
	}
	asked = *slot;
	slot->id = 0;
	if (asked.link != 0) {
		vmproc_accept_answered(p, asked.link - 1, m->code == 0);
		return;
	}
	if (asked.net != 0) {
		if (m->code != 0) {
			reply_to_err(m, &err);
		}
		vmproc_netrole_answered(p, asked.net, m->code != 0 ? &err : NULL);
		return;
	}
	if (asked.member != 0) {
		if (m->code != 0) {
			reply_to_err(m, &err);
		}
		vmproc_member_answered(p, asked.member, asked.id, m->code != 0 ? &err : NULL);
		return;
	}
	request_done(p, &asked, m->code == 0);
	if (asked.client < 0) {
		return;
	}
	if (m->code != 0) {
		reply_to_err(m, &err);
		vmproc_control_answer(p, asked.client, err.code, err.msg);
	} else if (asked.type == CTL_STATS && m->body) {
		vmproc_control_answer_data(p, asked.client, m->body, m->body_len);
	} else {
		vmproc_control_answer(p, asked.client, 0, "");
	}
}

static void on_exit_event(void *ctx, const struct ap_exit *m)
{
	struct vmproc *p = ctx;

	if (p->state == CTL_BOOTING) {
		vmproc_fail(p, "the guest agent told of the end of a process that was never made");
		return;
	}
	vmproc_procs_exited(p, m);
}

/* Syscalls: sendto (role vmm) */
static void on_notify(void *ctx, const struct ap_notify *m)
{
	const struct vmproc *p = ctx;
	char text[AP_NOTIFY_MAX + 1];
	size_t n = notify_filter(m->text, text, sizeof(text));

	if (p->plan->notify_fd >= 0 && n > 0) {
		/* lost with its receiver, or when that doesn't keep up */
		(void)send(p->plan->notify_fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

static void on_left(void *ctx, const struct ap_left *m)
{
	vmproc_member_left(ctx, m);
}

static void on_lost(void *ctx, const char *reason)
{
	struct vmproc *p = ctx;

	if (p->state != CTL_EXITED) {
		vmproc_fail(p, "%s", reason);
	}
}

const struct agent_events *vmproc_agent_events(void)
{
	static const struct agent_events ev = {
		.on_hello = on_hello,
		.on_reply = on_reply,
		.on_exit = on_exit_event,
		.on_notify = on_notify,
		.on_left = on_left,
		.on_lost = on_lost,
	};

	return &ev;
}

/* A guest that can't even kill is ended from outside, however often it is asked. */
static int kill_deadline_set(struct vmproc *p)
{
	int rc = 0;

	if (!p->killing) {
		rc = loop_after(p->loop, vmproc_kind(p, EV_DEADLINE), DEADLINE_KILL,
				KILL_DEADLINE_MS);
		p->killing = rc == 0;
	}
	return rc;
}

int vmproc_agent_signal(struct vmproc *p, uint32_t proc, uint32_t signo, bool all, int client)
{
	const struct ap_signal sig = {.proc = proc, .signo = signo, .all = all};
	struct vpending *slot = vmproc_agent_pending(p, client, CTL_SIGNAL);
	uint8_t frame[128];
	long n = slot ? ap_encode_signal(&sig, slot->id, frame, sizeof(frame)) : -EAGAIN;
	int rc;

	rc = vmproc_agent_send(p, slot, frame, n);
	if (signo != SIGKILL || (!all && proc != 0)) {
		return rc;
	}
	if (rc == 0) {
		rc = kill_deadline_set(p);
	}
	if (rc < 0) {
		vmproc_kill(p); /* it can't be told, or not be waited for: no reason to live on */
	}
	return 0;
}
