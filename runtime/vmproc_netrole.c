/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmproc_netrole.c - networks that come and go while the container runs
 *
 * The net process says which interfaces there are, hands over taps of new ones, and has the
 * text for the guest. New devices are plugged in first, then the guest is told, by a NET of
 * the agent's protocol; what it answers means that it has let go of the devices that are no
 * longer named there: these are unplugged, and their slots given back.
 *
 * A container starts when all is told that had changed by then: some engines configure the
 * network between create and start.
 */
#include "vmproc_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/fdrange.h"
#include "base/log.h"
#include "net_watch.h"

#define MESSAGE_MAX (sizeof(struct net_state_msg) + NET_WATCH_PAYLOAD_MAX)

/**
 * struct vmproc_netrole
 * @ready:     the guest's container is prepared
 * @told, @answered: numbers of the last NET that was sent, and of the last one answered
 * @payload:   of a NET that has to wait for @ready; @waits
 * @gone_with: for each slot the NET that doesn't have it any more, 0: it is there, or free
 * @syncs:     questions to the net process so far
 * @start:     a start that waits; @client: -1 nobody
 */
struct vmproc_netrole {
	bool ready;
	uint32_t slots; /* of the last message, a bit each */
	uint32_t told;
	uint32_t answered;
	bool waits;
	size_t payload_len;
	uint8_t payload[NET_WATCH_PAYLOAD_MAX];
	uint32_t gone_with[AP_MAX_LINKS];
	uint32_t syncs;
	struct vr_err failure; /* of the last NET that was answered */
	struct {
		bool waits;
		bool synced;
		int client;
		size_t len;
		char state[CTL_BODY_MAX];
	} start;
	union {
		struct net_state_msg state;
		struct net_msg word;
		uint8_t bytes[MESSAGE_MAX];
	} in;
	uint8_t frame[AP_HEADER_LEN + NET_WATCH_PAYLOAD_MAX];
};

int vmproc_netrole_init(struct vmproc *p)
{
	if (p->plan->net_fd < 0) {
		return 0;
	}
	p->netrole = calloc(1, sizeof(*p->netrole));
	if (!p->netrole) {
		return -ENOMEM;
	}
	p->netrole->start.client = -1;
	return loop_add(p->loop, p->plan->net_fd, EPOLLIN, EV_NETROLE, NETROLE_MESSAGE);
}

void vmproc_netrole_destroy(struct vmproc *p)
{
	free(p->netrole);
	p->netrole = NULL;
}

/* The net process ends the VM when it can't be told. Syscalls: sendto (role vmm) */
static int tell(const struct vmproc *p, uint32_t op, uint32_t arg)
{
	const struct net_msg m = {.op = op, .arg = arg};

	return send(p->plan->net_fd, &m, sizeof(m), MSG_NOSIGNAL) == (ssize_t)sizeof(m) ? 0
											: -EPIPE;
}

void vmproc_netrole_slot(const struct vmproc *p, uint32_t slot, bool taken)
{
	if (p->netrole) {
		/* its end is noticed elsewhere */
		(void)tell(p, taken ? NET_OP_TAKEN : NET_OP_RELEASED, slot);
	}
}

/* Something that takes locks of the vsock, when nobody has them. */
static void defer(struct vmproc *p)
{
	if (loop_after(p->loop, EV_NETROLE, NETROLE_WORK, 0) < 0) {
		vmproc_fail(p, "out of memory");
	}
}

/* --- the guest is told ------------------------------------------------------------------------ */

static int send_net(struct vmproc *p)
{
	struct vmproc_netrole *r = p->netrole;
	struct vpending *slot = vmproc_agent_pending(p, -1, 0);
	long n;

	if (!slot) {
		return -EAGAIN;
	}
	slot->net = ++r->told;
	n = ap_encode_payload(AP_MSG_NET, slot->id, r->payload, r->payload_len, r->frame,
			      sizeof(r->frame));
	r->waits = false;
	return vmproc_agent_send(p, slot, r->frame, n);
}

static void tell_guest(struct vmproc *p)
{
	struct vmproc_netrole *r = p->netrole;

	/* One at a time: a guest that is paused answers none, and the last one says it all. */
	if (r->ready && r->waits && r->answered == r->told && send_net(p) < 0) {
		vmproc_fail(p, "the guest agent can't be told of its network");
	}
}

static void unplug_gone(struct vmproc *p)
{
	struct vmproc_netrole *r = p->netrole;

	for (uint32_t slot = 0; slot < AP_MAX_LINKS; slot++) {
		if (r->gone_with[slot] == 0 || r->gone_with[slot] > r->answered) {
			continue;
		}
		r->gone_with[slot] = 0;
		vmproc_net_remove(p, slot);
		(void)tell(p, NET_OP_RELEASED, slot); /* its end is noticed elsewhere */
	}
}

/* --- a start that waits ----------------------------------------------------------------------- */

static void start_failed(struct vmproc *p, int code, const char *msg)
{
	p->state = CTL_CREATED;
	if (p->netrole->start.client >= 0) {
		vmproc_control_answer(p, p->netrole->start.client, code, msg);
	}
}

static void start_if_due(struct vmproc *p)
{
	struct vmproc_netrole *r = p->netrole;
	int rc;

	if (!r->start.waits || !r->start.synced || r->waits || r->answered < r->told) {
		return;
	}
	r->start.waits = false;
	if (p->state != CTL_STARTING) {
		return; /* it ended meanwhile */
	}
	if (r->failure.code != 0) {
		start_failed(p, r->failure.code, r->failure.msg);
		return;
	}
	rc = vmproc_control_start(p, r->start.client, r->start.state, r->start.len);
	if (rc < 0) {
		start_failed(p, rc, "the guest agent can't be reached");
	}
}

int vmproc_netrole_start(struct vmproc *p, int client, const void *state, size_t len)
{
	struct vmproc_netrole *r = p->netrole;

	if (!r) {
		return vmproc_control_start(p, client, state, len);
	}
	if (len > sizeof(r->start.state)) {
		return -EMSGSIZE;
	}
	memcpy(r->start.state, state, len);
	r->start.len = len;
	r->start.client = client;
	r->start.synced = false;
	r->start.waits = true;
	return tell(p, NET_OP_SYNC, ++r->syncs);
}

void vmproc_netrole_forget(struct vmproc *p, int client)
{
	if (p->netrole && p->netrole->start.client == client) {
		p->netrole->start.client = -1;
	}
}

/* --- the net process's words ------------------------------------------------------------------ */

static uint32_t count_fds(const struct net_state_msg *m)
{
	uint32_t n = 0;

	for (unsigned slot = 0; slot < AP_MAX_LINKS; slot++) {
		if (!(m->added & 1u << slot)) {
			continue;
		}
		if (m->ifs[slot].n_queues == 0 || m->ifs[slot].n_queues > NET_TAP_MAX_QUEUES) {
			return UINT32_MAX;
		}
		n += m->ifs[slot].n_queues;
	}
	return n;
}

/* @fds: taken over on success, set to -1 then */
static int plug(struct vmproc *p, const struct net_state_msg *m, uint32_t slot, int *fds)
{
	struct net_if nif = {.mtu = m->ifs[slot].mtu, .carrier = m->ifs[slot].carrier != 0};
	unsigned n = m->ifs[slot].n_queues;
	int rc = 0;

	for (unsigned q = 0; rc == 0 && q < n; q++) {
		rc = vr_fd_move(&fds[q], VR_FDS_NET, VR_FDS_NET_N);
	}
	if (rc < 0) {
		return rc;
	}
	net_tap_init(&nif.tap);
	nif.tap.n_queues = n;
	nif.tap.uso = m->ifs[slot].uso != 0;
	memcpy(nif.mac, m->ifs[slot].mac, sizeof(nif.mac));
	memcpy(nif.tap.fd, fds, n * sizeof(*fds));
	for (unsigned q = 0; q < NET_TAP_MAX_QUEUES; q++) {
		nif.vhost[q] = -1; /* the kernel's service begins before the guest does, or never */
	}
	rc = vmproc_net_add(p, slot, &nif);
	for (unsigned q = 0; rc == 0 && q < n; q++) {
		fds[q] = -1;
	}
	return rc;
}

static void on_state(struct vmproc *p, const struct net_state_msg *m, size_t payload_len, int *fds,
		     size_t n_fds)
{
	struct vmproc_netrole *r = p->netrole;
	/* one that was announced and couldn't be had is gone, too */
	uint32_t gone = (r->slots | vmproc_net_slots(p)) & ~m->slots;
	uint32_t busy = 0;
	size_t at = 0;

	if (count_fds(m) != n_fds || payload_len > sizeof(r->payload)) {
		vmproc_fail(p, "the network process sent a message that makes no sense");
		return;
	}
	for (uint32_t slot = 0; slot < AP_MAX_LINKS; slot++) {
		if (gone & 1u << slot && r->gone_with[slot] == 0) {
			r->gone_with[slot] = r->told + 1;
		}
		if (m->added & 1u << slot) {
			int rc = plug(p, m, slot, fds + at);

			busy |= rc == -EBUSY ? 1u << slot : 0;
			if (rc < 0 && rc != -EBUSY) {
				vr_warn("a network device can't be added to the VM");
			}
			at += m->ifs[slot].n_queues;
		}
	}
	r->slots = m->slots & ~busy;
	if (busy) {
		/* A container joined meanwhile and has the slot, which the net process has been told: it will say
		 * where the interface goes instead. */
		r->waits = false;
		return;
	}
	memcpy(r->payload, m->payload, payload_len);
	r->payload_len = payload_len;
	r->waits = true;
	tell_guest(p);
}

/* Syscalls: recvmsg (role vmm) */
static void message(struct vmproc *p)
{
	struct vmproc_netrole *r = p->netrole;
	int fds[NET_STATE_FDS];
	size_t n_fds = 0;
	ssize_t n = vr_recv_fds(p->plan->net_fd, &r->in, sizeof(r->in), fds, NET_STATE_FDS, &n_fds);

	if (n == -EINTR || n == -EAGAIN) {
		return;
	}
	if (n <= 0) {
		vmproc_fail(p, "the network process ended");
		return;
	}
	if ((size_t)n >= sizeof(r->in.state) && r->in.state.op == NET_OP_STATE) {
		on_state(p, &r->in.state, (size_t)n - sizeof(r->in.state), fds, n_fds);
	} else if ((size_t)n == sizeof(r->in.word) && r->in.word.op == NET_OP_SYNCED) {
		r->start.synced |= r->in.word.arg == r->syncs;
		start_if_due(p);
	} else if ((size_t)n == sizeof(r->in.word) && r->in.word.op == NET_OP_CARRIER) {
		vmproc_net_carrier(p, r->in.word.arg);
	}
	for (size_t i = 0; i < n_fds; i++) {
		vr_close_reset(&fds[i]);
	}
}

void vmproc_netrole_event(struct vmproc *p, uint32_t index)
{
	if (!p->netrole) {
		return;
	}
	if (index == NETROLE_MESSAGE) {
		message(p);
		return;
	}
	unplug_gone(p);
	tell_guest(p);
	start_if_due(p);
}

void vmproc_netrole_created(struct vmproc *p)
{
	if (p->netrole) {
		p->netrole->ready = true;
		defer(p);
	}
}

void vmproc_netrole_answered(struct vmproc *p, uint32_t net, const struct vr_err *err)
{
	struct vmproc_netrole *r = p->netrole;

	r->answered = net;
	r->failure = err ? *err : (struct vr_err)VR_ERR_INIT;
	if (err) {
		vr_warn("the guest's network isn't what it should be: %s", err->msg);
	}
	defer(p);
}
