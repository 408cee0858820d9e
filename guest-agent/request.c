/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.c - what the host asks for
 *
 * Every request goes through one table: known, permitted in the present state, well-formed - in
 * this order, before its handler sees it. Handlers answer at once, or leave the request's id with
 * the process that will (CREATE, START, EXEC).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "accept.h"
#include "agent.h"
#include "devices.h"
#include "dns.h"
#include "member.h"
#include "netcfg.h"
#include "notify.h"
#include "self.h"
#include "sys.h"
#include "sysctl.h"
#include "tty.h"

#define ST_ALIVE (ST_CREATED | ST_STARTING | ST_RUNNING)
#define ST_ANY	 (ST_NEW | ST_CONFIGURED | ST_CREATING | ST_ALIVE | ST_PAUSED | ST_STOPPED)

/* Decoded requests; too large for the stack, one at a time. */
static union {
	struct ap_configure configure;
	struct ap_container create;
	struct ap_start start;
	struct ap_exec exec;
	struct ap_signal signal;
	struct ap_resize resize;
	struct ap_accept accept;
	struct ap_join join;
	struct ap_resources update;
	struct ap_net net;
} msg;

/* --- answers ------------------------------------------------------------------------------- */

static void reply(struct agent *a, uint32_t id, const struct ap_reply *m)
{
	size_t cap;
	uint8_t *room = conn_room(&a->conn, &cap);
	long n = ap_encode_reply(m, id, room, cap);

	if (n < 0) {
		agent_die("no room for a reply");
	}
	conn_commit(&a->conn, (size_t)n);
}

void reply_ok(struct agent *a, uint32_t id, uint32_t pid)
{
	struct ap_reply m = {.pid = pid, .t_ns = sys_now_ns()};

	if (id) {
		reply(a, id, &m);
	}
}

void reply_fail(struct agent *a, uint32_t id, const struct fail *f)
{
	struct ap_reply m = {.code = f->code > 0 && f->code < 4096 ? (uint32_t)f->code : EIO,
			     .fail = f->kind ? f->kind : AP_FAIL_SETUP,
			     .t_ns = sys_now_ns(),
			     .stage = f->stage,
			     .text = f->text};

	if (id) {
		reply(a, id, &m);
	}
}

static int no_process(struct fail *f, uint32_t id)
{
	return fail_kind(f, AP_FAIL_NO_PROCESS, "signal", -ESRCH, "no such process %u", id);
}

/* --- handlers: 0 answered by the caller with success, 1 will be answered later, -errno ------- */

static int set_clock(uint64_t ns, struct fail *f)
{
	struct timespec ts = {.tv_sec = (time_t)(ns / 1000000000u),
			      .tv_nsec = (long)(ns % 1000000000u)};

	if (ns != 0 && clock_settime(CLOCK_REALTIME, &ts) < 0) {
		return fail_set(f, "clock", -errno, "set clock");
	}
	return 0;
}

static int add_entropy(const uint8_t seed[AP_SEED_LEN], struct fail *f)
{
	struct {
		int32_t bits;
		int32_t bytes;
		uint8_t buf[AP_SEED_LEN];
	} pool = {.bits = AP_SEED_LEN * 8, .bytes = AP_SEED_LEN};
	int fd = sys_rc(open("/dev/urandom", O_WRONLY | O_CLOEXEC));
	int rc = fd < 0 ? fd : 0;

	memcpy(pool.buf, seed, AP_SEED_LEN);
	if (rc == 0 && (ioctl(fd, (int)VA_RNDADDENTROPY, &pool) < 0 ||
			ioctl(fd, (int)VA_RNDRESEEDCRNG, 0) < 0)) {
		rc = -errno;
	}
	sys_close(&fd);
	return rc ? fail_set(f, "entropy", rc, "seed the random pool") : 0;
}

static int on_configure(struct agent *a, uint32_t id, struct fail *f)
{
	const struct ap_configure *m = &msg.configure;
	int rc = set_clock(m->realtime_ns, f);

	(void)id;
	if (rc == 0 && m->has_seed) {
		rc = add_entropy(m->seed, f);
	}
	if (rc == 0 && m->hostname && sethostname(m->hostname, strlen(m->hostname)) < 0) {
		rc = fail_set(f, "hostname", -errno, "sethostname '%s'", m->hostname);
	}
	if (rc == 0 && a->state == ST_NEW) {
		a->state = ST_CONFIGURED;
	}
	return rc;
}

static int on_net(struct agent *a, uint32_t id, struct fail *f)
{
	(void)id;
	if (self_number() != 0) {
		return fail_kind(f, AP_FAIL_STATE, "network", -EINVAL,
				 "the network is not the member's own");
	}
	if (a->state == ST_CONFIGURED) {
		memcpy(a->resolver, msg.net.resolver, sizeof(a->resolver)); /* and stays that */
	}
	return netcfg_apply(&msg.net, f);
}

/* What only one kind of container can have. */
static int check_kind(const struct ap_container *c, struct fail *f)
{
	bool member = self_number() != 0;

	if (member && (c->namespaces & AP_NS_USER)) {
		return fail_kind(f, AP_FAIL_SETUP, "create", -EINVAL,
				 "a container with a user namespace can't share another one's "
				 "network");
	}
	if (!member && c->joined) {
		return fail_kind(f, AP_FAIL_SETUP, "namespaces", -EINVAL,
				 "the machine's first container has no other's namespaces to join");
	}
	return 0;
}

static int on_create(struct agent *a, uint32_t id, struct fail *f)
{
	const struct ap_container *c = &msg.create;
	struct proc *p = proc_alloc(a, 0);
	int rc;

	if (!p) {
		return fail_kind(f, AP_FAIL_STATE, "create", -EEXIST, "container already exists");
	}
	a->state = ST_CREATING;
	a->namespaces = c->namespaces;
	a->has_process = (c->flags & AP_C_HAS_PROCESS) != 0;
	p->request = id;
	rc = check_kind(c, f);
	if (rc == 0 && (c->flags & AP_C_NOTIFY)) {
		rc = notify_open(a);
		rc = rc ? fail_set(f, "notify", rc, "make a socket for NOTIFY_SOCKET") : 0;
	}
	rc = rc ? rc : sysctl_apply(c, false, f);
	rc = rc ? rc : cgroup_create(&a->cgroup, c, f);
	rc = rc ? rc : devices_stage(c, f);
	rc = rc ? rc : spawn_init(a, p, c, f);
	/* where the container's network is by now */
	rc = rc == 0 && a->resolver[0] != 0 ? dns_open(a, a->resolver, f) : rc;
	if (rc) {
		a->state = ST_STOPPED;
		p->request = 0;
		if (p->pid == 0) {
			proc_free(a, p);
		}
		return rc;
	}
	return 1;
}

static int on_start(struct agent *a, uint32_t id, struct fail *f)
{
	struct proc *p = proc_find(a, 0);
	int rc;

	if (!p || p->phase != PROC_READY || !a->has_process) {
		return fail_kind(f, AP_FAIL_STATE, "start", -EINVAL, "container has no process");
	}
	rc = proc_go(a, p, msg.start.state ? msg.start.state : "");
	if (rc) {
		return fail_set(f, "start", rc, "start the container");
	}
	p->request = id;
	a->state = ST_STARTING;
	return 1;
}

static int on_exec(struct agent *a, uint32_t id, struct fail *f)
{
	struct proc *p;
	int rc;

	if (proc_find(a, msg.exec.proc)) {
		return fail_kind(f, AP_FAIL_PROTOCOL, "exec", -EEXIST, "process %u already exists",
				 msg.exec.proc);
	}
	p = proc_alloc(a, msg.exec.proc);
	if (!p) {
		return fail_kind(f, AP_FAIL_LIMIT, "exec", -EAGAIN, "more than %u processes",
				 AP_MAX_PROCS);
	}
	p->request = id;
	rc = spawn_exec(a, p, &msg.exec.process, f);
	if (rc) {
		p->request = 0;
		if (p->pid == 0) {
			proc_free(a, p);
		}
		return rc;
	}
	return 1;
}

/*
 * A created init still runs the agent's code and, as PID 1 of its namespace without handlers,
 * would ignore everything but SIGKILL. Kill it, and report what was meant.
 */
static int signal_created(struct proc *p, int signo)
{
	static const int harmless[] = {SIGCHLD, SIGCONT, SIGURG,  SIGWINCH,
				       SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};

	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		if (signo == harmless[i]) {
			return 0;
		}
	}
	p->signo = signo;
	return sys_pidfd_signal(p->pidfd, SIGKILL);
}

static int on_signal(struct agent *a, uint32_t id, struct fail *f)
{
	const struct ap_signal *m = &msg.signal;
	struct proc *p = proc_find(a, m->all ? 0 : m->proc);
	int rc;

	(void)id;
	if (!p || p->phase == PROC_DEAD || p->pidfd < 0) {
		return no_process(f, m->proc);
	}
	if (m->signo != 0 && p->id == 0 && p->phase <= PROC_READY) {
		rc = signal_created(p, (int)m->signo);
	} else if (m->all && m->signo != 0) {
		rc = cgroup_signal(&a->cgroup, (int)m->signo);
		rc = rc == -EOPNOTSUPP ? sys_pidfd_signal(p->pidfd, (int)m->signo) : rc;
	} else {
		rc = sys_pidfd_signal(p->pidfd, (int)m->signo);
	}
	if (rc == -ESRCH) {
		return no_process(f, m->proc);
	}
	return rc < 0 ? fail_set(f, "signal", rc, "signal %u", m->signo) : 0;
}

static int on_accept(struct agent *a, uint32_t id, struct fail *f)
{
	const struct ap_accept *m = &msg.accept;
	const struct proc *p = proc_find(a, m->proc);
	uint32_t kind =
		p && p->phase != PROC_DEAD ? p->fds[m->stream - (AP_STREAMS - AP_MAX_FDS)] : 0;

	(void)id;
	return AP_FD_IS_LISTEN(kind) ? accept_connect(a, m, kind, f) : no_process(f, m->proc);
}

static int on_join(struct agent *a, uint32_t id, struct fail *f)
{
	(void)id;
	return member_join(a, &msg.join, f);
}

static int on_resize(struct agent *a, uint32_t id, struct fail *f)
{
	struct proc *p = proc_find(a, msg.resize.proc);
	int rc;

	(void)id;
	if (!p || !p->tty || p->streams[0].guest.fd < 0) {
		return no_process(f, msg.resize.proc);
	}
	rc = tty_resize(p->streams[0].guest.fd, msg.resize.rows, msg.resize.cols);
	return rc < 0 ? fail_set(f, "resize", rc, "window size") : 0;
}

static int reply_body(struct agent *a, uint32_t id, const uint8_t *body, long len, struct fail *f)
{
	struct ap_reply m = {.t_ns = sys_now_ns(), .body = body, .body_len = (uint32_t)len};

	if (len < 0) {
		return fail_set(f, "reply", (int)len, "encode reply");
	}
	reply(a, id, &m);
	return 1;
}

static uint8_t body[CONN_OUT_CAP / 4];

static int on_stats(struct agent *a, uint32_t id, struct fail *f)
{
	static char raw[16384];
	struct ap_stats stats;

	cgroup_stats(&a->cgroup, &stats, raw, sizeof(raw));
	return reply_body(a, id, body, ap_encode_stats(&stats, body, sizeof(body)), f);
}

static int on_ps(struct agent *a, uint32_t id, struct fail *f)
{
	static struct ap_ps_entry entries[AP_MAX_PS];
	static char text[CONN_OUT_CAP / 16];
	size_t n = ps_list(a, entries, AP_MAX_PS, text, sizeof(text));

	return reply_body(a, id, body, ap_encode_ps(entries, n, body, sizeof(body)), f);
}

static int on_freeze(struct agent *a, uint32_t id, struct fail *f)
{
	int rc = cgroup_freeze(&a->cgroup, true, f);

	(void)id;
	a->frozen = rc == 0;
	return rc;
}

static int on_thaw(struct agent *a, uint32_t id, struct fail *f)
{
	int rc = cgroup_freeze(&a->cgroup, false, f);

	(void)id;
	a->frozen = rc != 0;
	return rc;
}

static int on_update(struct agent *a, uint32_t id, struct fail *f)
{
	(void)id;
	return cgroup_update(&a->cgroup, &msg.update, f);
}

static int on_shutdown(struct agent *a, uint32_t id, struct fail *f)
{
	(void)a;
	(void)id;
	(void)f;
	member_sync();
	return 0;
}

/* --- the table ----------------------------------------------------------------------------- */

/* ap_decode_*() with the message's place filled in. */
#define DECODER(name, member)                                                                      \
	static int decode_##name(const void *p, size_t len)                                        \
	{                                                                                          \
		return ap_decode_##name(p, len, &msg.member);                                      \
	}
DECODER(configure, configure)
DECODER(create, create)
DECODER(start, start)
DECODER(exec, exec)
DECODER(signal, signal)
DECODER(resize, resize)
DECODER(accept, accept)
DECODER(join, join)
DECODER(update, update)
DECODER(net, net)

static const struct request {
	uint16_t type;
	uint32_t permitted; /* states */
	int (*decode)(const void *p, size_t len);
	int (*handle)(struct agent *a, uint32_t id, struct fail *f);
} requests[] = {
	{AP_MSG_CONFIGURE, ST_ANY, decode_configure, on_configure},
	{AP_MSG_NET, ST_CONFIGURED | ST_CREATING | ST_ALIVE | ST_PAUSED, decode_net, on_net},
	{AP_MSG_CREATE, ST_CONFIGURED, decode_create, on_create},
	{AP_MSG_START, ST_CREATED, decode_start, on_start},
	{AP_MSG_EXEC, ST_ALIVE, decode_exec, on_exec},
	{AP_MSG_SIGNAL, ST_ANY, decode_signal, on_signal},
	{AP_MSG_ACCEPT, ST_ALIVE | ST_PAUSED, decode_accept, on_accept},
	{AP_MSG_JOIN, ST_ALIVE | ST_PAUSED, decode_join, on_join},
	{AP_MSG_RESIZE, ST_ALIVE | ST_PAUSED, decode_resize, on_resize},
	{AP_MSG_STATS, ST_ALIVE | ST_PAUSED | ST_STOPPED, ap_decode_empty, on_stats},
	{AP_MSG_PS, ST_ALIVE | ST_PAUSED | ST_STOPPED, ap_decode_empty, on_ps},
	{AP_MSG_FREEZE, ST_CREATED | ST_RUNNING, ap_decode_empty, on_freeze},
	{AP_MSG_THAW, ST_PAUSED, ap_decode_empty, on_thaw},
	{AP_MSG_UPDATE, ST_ALIVE | ST_PAUSED, decode_update, on_update},
	{AP_MSG_SHUTDOWN, ST_ANY, ap_decode_empty, on_shutdown},
};

static const char *state_text(enum agent_state s)
{
	switch (s) {
	case ST_CREATED:
		return "created";
	case ST_STARTING:
	case ST_RUNNING:
		return "running";
	case ST_PAUSED:
		return "paused";
	case ST_STOPPED:
		return "stopped";
	default:
		return "not created";
	}
}

static int dispatch(struct agent *a, const struct request *r, const struct ap_header *h,
		    const uint8_t *payload, struct fail *f)
{
	enum agent_state now = agent_state_now(a);

	if (!(r->permitted & now)) {
		return fail_kind(f, AP_FAIL_STATE, "state", -EBUSY,
				 "%s is not possible: the container is %s", ap_type_name(h->type),
				 state_text(now));
	}
	if (r->decode(payload, h->len)) {
		return fail_kind(f, AP_FAIL_PROTOCOL, "decode", -EPROTO, "malformed %s request",
				 ap_type_name(h->type));
	}
	return r->handle(a, h->id, f);
}

int request_handle(struct agent *a, const struct ap_header *h, const uint8_t *payload)
{
	struct fail f = {0};
	int rc = -EPROTO;

	fail_kind(&f, AP_FAIL_PROTOCOL, "type", -EPROTO, "%s is no request", ap_type_name(h->type));
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (requests[i].type == h->type) {
			f = (struct fail){0};
			rc = dispatch(a, &requests[i], h, payload, &f);
		}
	}
	if (rc < 0) {
		reply_fail(a, h->id, &f);
		return 0;
	}
	if (rc == 0) {
		reply_ok(a, h->id, 0);
	}
	return h->type == AP_MSG_SHUTDOWN && rc == 0;
}
