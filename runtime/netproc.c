/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netproc.c - the net role: follow the container's network namespace
 *
 * It lives there, with the one capability over networks, and does what net_watch.h says
 * when the kernel has told of a change and then been quiet for a moment, or when the vmm
 * wants to know now: before the container starts. The vmm gets new taps, and what the
 * guest is to be told.
 *
 * It undoes what outlives a container: filters on interfaces that stay, and interfaces
 * that were moved in for a container that there won't be. So these are undone also when
 * `create` or the vmm is killed.
 *
 * The end of the vmm's socket is its end.
 */
#include "roles.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netlink/netlink.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/log.h"
#include "net_move.h"
#include "net_visit.h"
#include "net_watch.h"
#include "proctitle.h"
#include "sandbox/fds.h"
#include "sandbox/namespaces.h"
#include "sandbox/sandbox.h"

/* An engine makes its changes one after the other; half of them is no network. */
#define QUIET_MS 60u
#define LIMIT_MS 400u

/**
 * struct netproc
 * @home_fd, @home: where interfaces came from that were moved in, and a socket there; or -1, NULL
 * @since:     when the first change came that hasn't been looked at; 0: none
 * @last:      when the last one came
 * @committed: there is a container; what was moved into it stays
 */
struct netproc {
	const struct netproc_plan *plan;
	struct net_watch *watch;
	int home_fd;
	struct nl_sock *home;
	uint64_t since;
	uint64_t last;
	bool committed;
	int report_fd;
};

/* --- to the vmm ------------------------------------------------------------------------------- */

/* A vmm that is gone is noticed by reading. Syscalls: sendto (role net) */
static void tell(const struct netproc *n, uint32_t op, uint32_t arg)
{
	const struct net_msg m = {.op = op, .arg = arg};

	(void)send(n->plan->vmm_fd, &m, sizeof(m), MSG_NOSIGNAL);
}

/* Syscalls: sendmsg (role net) */
static int tell_state(const struct netproc *n, const struct net_change *c)
{
	static uint8_t buf[sizeof(struct net_state_msg) + NET_WATCH_PAYLOAD_MAX];
	struct net_state_msg m = {.op = NET_OP_STATE, .slots = c->slots, .added = c->added};
	int fds[NET_STATE_FDS];
	size_t n_fds = 0;

	for (unsigned slot = 0; slot < AP_MAX_LINKS; slot++) {
		const struct net_if *nif = &c->ifs[slot];

		if (!(c->added & 1u << slot)) {
			continue;
		}
		memcpy(m.ifs[slot].mac, nif->mac, sizeof(nif->mac));
		m.ifs[slot].mtu = nif->mtu;
		m.ifs[slot].carrier = nif->carrier;
		m.ifs[slot].n_queues = nif->tap.n_queues;
		m.ifs[slot].uso = nif->tap.uso;
		memcpy(fds + n_fds, nif->tap.fd, nif->tap.n_queues * sizeof(*fds));
		n_fds += nif->tap.n_queues;
	}
	memcpy(buf, &m, sizeof(m));
	memcpy(buf + sizeof(m), c->payload, c->payload_len); /* at most the rest, see net_watch.h */
	return vr_send_fds(n->plan->vmm_fd, buf, sizeof(m) + c->payload_len, fds, n_fds);
}

static void look(struct netproc *n)
{
	static struct net_change c; /* large */
	int rc = net_watch_scan(n->watch, &c);

	n->since = 0;
	if (rc < 0) {
		return;
	}
	if (rc & NET_WATCH_CHANGED && tell_state(n, &c) < 0) {
		vr_warn("the VM can't be told of a change of its network");
	}
	if (rc & NET_WATCH_CARRIER) {
		tell(n, NET_OP_CARRIER, c.carrier);
	}
}

/* --- events ----------------------------------------------------------------------------------- */

static void note_change(struct netproc *n)
{
	if (net_watch_drain(n->watch)) {
		n->last = vr_now_ms();
		n->since = n->since ? n->since : n->last;
	}
}

/* Return: milliseconds until it is time to look, -1 when there is no reason to */
static int pause_ms(const struct netproc *n)
{
	uint64_t now = vr_now_ms();
	uint64_t due = VR_MIN(n->last + QUIET_MS, n->since + LIMIT_MS);

	if (n->since == 0) {
		return -1;
	}
	return due > now ? (int)(due - now) : 0;
}

/* Return: false when the vmm is gone. Syscalls: recvfrom (role net) */
static bool vmm_serve(struct netproc *n)
{
	struct net_msg m;
	ssize_t len = recv(n->plan->vmm_fd, &m, sizeof(m), 0);

	if (len < 0 && errno == EINTR) {
		return true;
	}
	if (len <= 0) {
		return false;
	}
	if (len == (ssize_t)sizeof(m) && m.op == NET_OP_SYNC) {
		note_change(n);
		if (n->since) {
			look(n);
		}
		tell(n, NET_OP_SYNCED, m.arg);
	} else if (len == (ssize_t)sizeof(m) && m.op == NET_OP_TAKEN) {
		net_watch_taken(n->watch, m.arg);
		note_change(n);
	} else if (len == (ssize_t)sizeof(m) && m.op == NET_OP_RELEASED) {
		net_watch_released(n->watch, m.arg);
		note_change(n);
	}
	return true;
}

/* `create` says that there is a container, or is gone: then the vmm goes, too. */
static void create_serve(struct netproc *n)
{
	char word;

	n->committed = recv(n->report_fd, &word, 1, 0) == 1 && word == ROLE_SAYS_COMMIT;
	vr_close_reset(&n->report_fd);
}

/* Syscalls: poll (role net) */
static void serve(struct netproc *n)
{
	for (;;) {
		struct pollfd p[] = {
			{.fd = n->plan->vmm_fd, .events = POLLIN},
			{.fd = net_watch_fd(n->watch), .events = POLLIN},
			{.fd = n->report_fd, .events = POLLIN}, /* -1 is left out */
		};
		int rc = poll(p, VR_ARRAY_SIZE(p), pause_ms(n));

		if (rc < 0 && errno != EINTR) {
			return;
		}
		if (rc < 0) {
			continue;
		}
		if (p[2].revents != 0) {
			create_serve(n);
		}
		if (p[1].revents != 0) {
			note_change(n);
		}
		if (p[0].revents != 0 && !vmm_serve(n)) {
			return;
		}
		if (pause_ms(n) == 0) {
			look(n);
		}
	}
}

/* --- begin and end ---------------------------------------------------------------------------- */

static int keep_fds(struct netproc *n, struct vr_err *err)
{
	const struct net_plan *net = n->plan->net;
	const int fixed[] = {
		n->plan->report_fd,
		n->plan->vmm_fd,
		n->plan->alive_fd,
		role_log_fd(),
		n->home_fd,
		n->home ? nl_socket_get_fd(n->home) : -1,
		nl_socket_get_fd(net_watch_socket(n->watch)),
		net_watch_fd(n->watch),
	};
	int keep[VR_ARRAY_SIZE(fixed) + NET_STATE_FDS + NET_SPARE_QUEUES];
	size_t k = VR_ARRAY_SIZE(fixed);
	int rc;

	memcpy(keep, fixed, sizeof(fixed));
	for (unsigned i = 0; i < net->n; i++) {
		memcpy(keep + k, net->ifs[i].tap.fd, net->ifs[i].tap.n_queues * sizeof(*keep));
		k += net->ifs[i].tap.n_queues;
	}
	memcpy(keep + k, net->spare, net->n_spare * sizeof(*keep));
	rc = sbx_close_fds(keep, k + net->n_spare);
	return rc < 0 ? vr_err_sys(err, rc, "close foreign file descriptors") : 0;
}

static int keep_home(struct netproc *n, struct vr_err *err)
{
	if (!n->plan->net->moved) {
		return 0;
	}
	n->home_fd = open(NET_OWN_NS, O_RDONLY | O_CLOEXEC);
	if (n->home_fd < 0) {
		return vr_err_sys(err, errno, "open '%s'", NET_OWN_NS);
	}
	return net_socket_open(&n->home, err);
}

static int prepare(struct netproc *n, struct vr_err *err)
{
	const struct netproc_plan *plan = n->plan;
	int rc = keep_home(n, err);

	if (rc == 0) {
		rc = sbx_ns_join(plan->net->ns_fd, CLONE_NEWNET, err);
	}
	if (rc == 0) {
		rc = net_watch_create(plan->net, plan->n_vcpus, plan->egress, &n->watch, err);
	}
	rc = rc < 0 ? rc : keep_fds(n, err);
	return rc < 0 ? rc : sbx_stage_net_final(&plan->user, err);
}

/* What outlives the container, or was meant for one that there isn't. */
static void undo(struct netproc *n)
{
	if (n->plan->stays || !n->committed) {
		net_watch_leave(n->watch);
	}
	if (n->home && !n->committed) {
		net_move_return(net_watch_socket(n->watch), n->plan->net->moved, n->home_fd);
		net_move_restore(n->home, n->plan->net->moved);
	}
}

noreturn void netproc_main(const struct netproc_plan *plan)
{
	struct vr_err err = VR_ERR_INIT;
	struct netproc *n = calloc(1, sizeof(*n));

	vr_log_set_role("net");
	proctitle_set("volt-net", plan->id);
	proctitle_forget_environment();
	(void)setsid(); /* fails only for a group leader */
	(void)signal(SIGPIPE, SIG_IGN);
	role_stdio_null(plan->null_fd);
	if (!n) {
		(void)vr_err_set(&err, ENOMEM, "watch the container's network: out of memory");
		role_report(plan->report_fd, &err);
		_exit(1);
	}
	n->plan = plan;
	n->report_fd = plan->report_fd;
	n->home_fd = -1;
	if (prepare(n, &err) < 0) {
		role_report(plan->report_fd, &err);
		_exit(1);
	}
	role_report(plan->report_fd, NULL);
	serve(n);
	undo(n);
	_exit(0);
}
