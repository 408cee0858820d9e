/* SPDX-License-Identifier: Apache-2.0 */
/* agent.c - the loop: one epoll set, typed references, one dispatcher; see agent.h */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "accept.h"
#include "dns.h"
#include "notify.h"
#include "sys.h"

#define EVENTS_AT_ONCE 64

enum agent_state agent_state_now(const struct agent *a)
{
	return a->frozen ? ST_PAUSED : a->state;
}

int agent_watch(struct agent *a, int fd, uint64_t ref, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.u64 = ref};

	return sys_rc(epoll_ctl(a->ep, EPOLL_CTL_ADD, fd, &ev));
}

int agent_init(struct agent *a, int control)
{
	sigset_t all;
	sigset_t chld;
	int rc;

	/* SIGPIPE among them: writes report EPIPE, nothing is inherited as ignored */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	a->state = ST_NEW;
	a->cgroup.dir = -1;
	a->mounts = -1;
	a->first = -1;
	conn_init(&a->conn, control);
	a->ep = sys_rc(epoll_create1(EPOLL_CLOEXEC));
	a->signals = sys_rc(signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK));
	a->own_pid_ns = sys_rc(open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
	if (a->ep < 0 || a->signals < 0 || a->own_pid_ns < 0) {
		return -EMFILE;
	}
	a->conn_events = EPOLLIN;
	rc = agent_watch(a, control, ref_make(REF_CONTROL, 0, 0, 0), a->conn_events);
	return rc ? rc : agent_watch(a, a->signals, ref_make(REF_SIGNALS, 0, 0, 0), EPOLLIN);
}

int agent_hello(struct agent *a, struct ap_hello *hello)
{
	size_t cap;
	uint8_t *room = conn_room(&a->conn, &cap);
	long n;

	hello->stamp_ns[AP_STAMP_HELLO] = sys_now_ns();
	n = ap_encode_hello(hello, room, cap);
	if (n < 0) {
		return (int)n;
	}
	conn_commit(&a->conn, (size_t)n);
	return 0;
}

static void on_signals(struct agent *a)
{
	struct signalfd_siginfo info;

	while (read(a->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		/* SIGCHLDs merge: the count of them means nothing */
	}
	reap_all(a);
}

static struct proc *ref_proc(struct agent *a, uint64_t ref)
{
	uint32_t slot = (uint32_t)ref;
	uint16_t gen = (uint16_t)(ref >> 32);
	struct proc *p = slot < AP_MAX_PROCS ? &a->procs[slot] : NULL;

	return p && p->phase != PROC_FREE && p->gen == gen ? p : NULL;
}

static void on_proc_event(struct agent *a, uint64_t ref, uint32_t events)
{
	enum ref_kind kind = (enum ref_kind)(ref >> 56);
	uint32_t stream = (uint32_t)(ref >> 48) & 0xff;
	struct proc *p = ref_proc(a, ref);

	if (!p) {
		return; /* it was freed earlier in this round */
	}
	if (kind == REF_STATUS) {
		proc_status(a, p);
	} else if (stream < AP_STREAMS) {
		stream_event(&p->streams[stream], kind == REF_HOST, events);
	}
}

/* Take in what the host sent. Return: 0, 1 to shut down, -errno */
static int on_control(struct agent *a, uint32_t events)
{
	const uint8_t *payload;
	struct ap_header h;
	int rc = events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? conn_read(&a->conn) : 0;
	int stop = 0;
	int more = 1;

	/* out first: a frame may be waiting for room to be answered */
	rc = rc ? rc : conn_flush(&a->conn);
	while (rc == 0 && !stop && (more = conn_next(&a->conn, &h, &payload)) > 0) {
		stop = request_handle(a, &h, payload);
		conn_done(&a->conn, &h);
	}
	if (more < 0) {
		return more;
	}
	return rc ? rc : stop;
}

static int dispatch(struct agent *a, const struct epoll_event *ev)
{
	switch ((enum ref_kind)(ev->data.u64 >> 56)) {
	case REF_CONTROL:
		return on_control(a, ev->events);
	case REF_SIGNALS:
		on_signals(a);
		return 0;
	case REF_NOTIFY:
		notify_event(a);
		return 0;
	case REF_DNS_GUEST:
		dns_asked(a);
		return 0;
	case REF_DNS_HOST:
		dns_answered(a, ev->events);
		return 0;
	case REF_LINK_GUEST:
	case REF_LINK_HOST:
		accept_event(ev->data.u64, ev->events);
		return 0;
	default:
		on_proc_event(a, ev->data.u64, ev->events);
		return 0;
	}
}

/* After each round: EXITs that have become due, everything out, the right events wanted. */
static int settle(struct agent *a)
{
	struct epoll_event ev = {.data.u64 = ref_make(REF_CONTROL, 0, 0, 0)};
	int rc;

	reap_settle(a);
	rc = conn_flush(&a->conn);
	ev.events = conn_events(&a->conn);
	if (rc == 0 && ev.events != a->conn_events) {
		a->conn_events = ev.events;
		rc = sys_rc(epoll_ctl(a->ep, EPOLL_CTL_MOD, a->conn.fd, &ev));
	}
	return rc;
}

/* The answer to SHUTDOWN must be out before the machine goes. */
static void flush_all(struct agent *a)
{
	(void)fcntl(a->conn.fd, F_SETFL, 0);
	for (int i = 0; i < 100 && a->conn.out_at < a->conn.out_len; i++) {
		if (conn_flush(&a->conn)) {
			return;
		}
		usleep(1000);
	}
}

int agent_run(struct agent *a)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int rc = settle(a);

	while (rc == 0) {
		int n = epoll_wait(a->ep, events, EVENTS_AT_ONCE, -1);

		if (n < 0 && errno != EINTR) {
			return -errno;
		}
		for (int i = 0; i < n && rc == 0; i++) {
			rc = dispatch(a, &events[i]);
		}
		if (rc == 0) {
			rc = settle(a);
		}
	}
	if (rc > 0) {
		flush_all(a);
	}
	return rc > 0 || rc == -EPIPE ? 0 : rc;
}
