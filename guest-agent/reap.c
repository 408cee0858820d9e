/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reap.c - the ends of processes
 *
 * As PID 1, or as a member's agent, it collects everybody; only those in its table are reported. An EXIT is the last
 * word about a process: it is sent after all its output, on the same virtqueue. init's is held
 * until all others are reported too, since with it the container ends.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accept.h"
#include "agent.h"
#include "fail.h"
#include "hold.h"
#include "member.h"
#include "sys.h"

#define GONE_WAIT_MS 1000

/* The container is over: nothing of it may live on, whatever namespaces it had. */
static void end_container(struct agent *a)
{
	bool created = a->state & (ST_CREATED | ST_STARTING | ST_RUNNING);
	struct fail ignored;

	if (a->frozen) {
		a->frozen = cgroup_freeze(&a->cgroup, false, &ignored) != 0;
	}
	(void)cgroup_kill(&a->cgroup); /* gone already: then there is nothing to kill */
	for (size_t i = 1; i < AP_MAX_PROCS; i++) {
		if (a->procs[i].phase != PROC_FREE && a->procs[i].phase != PROC_DEAD) {
			(void)sys_pidfd_signal(a->procs[i].pidfd, SIGKILL);
		}
	}
	a->state = ST_STOPPED;
	/* without a pid namespace of its own, its processes outlive init: see hold.h */
	(void)cgroup_wait_empty(&a->cgroup, GONE_WAIT_MS);
	if (created) {
		member_sync(); /* what it wrote shall be the host's when the host learns of the end */
	}
	hold_release(&a->mounts);
}

static void on_exit_of(struct agent *a, struct proc *p, int wstatus)
{
	proc_status(a, p); /* its last words, before they are lost with it */
	p->phase = PROC_DEAD;
	p->wstatus = wstatus;
	p->t_exit = sys_now_ns();
	sys_close(&p->status);
	sys_close(&p->tty_peer);
	sys_close(&p->tty_host);
	for (uint32_t i = 0; i < AP_STREAMS; i++) {
		stream_finish(&p->streams[i]);
	}
	accept_finish(p->id);
	if (p->id == 0) {
		end_container(a);
	}
}

void reap_all(struct agent *a)
{
	int wstatus;
	pid_t pid;

	while ((pid = waitpid(-1, &wstatus, WNOHANG | WUNTRACED)) > 0) {
		struct proc *p = proc_by_pid(a, pid);

		if (WIFSTOPPED(wstatus)) {
			member_stopped(pid);
		} else if (p) {
			on_exit_of(a, p, wstatus);
		} else {
			member_reaped(a, pid, wstatus);
		}
	}
}

static bool drained(const struct proc *p)
{
	for (uint32_t i = 0; i < AP_STREAMS; i++) {
		if (stream_is_open(&p->streams[i])) {
			return false;
		}
	}
	return true;
}

static void send_exit(struct agent *a, const struct proc *p)
{
	struct ap_exit m = {.proc = p->id, .t_ns = p->t_exit};
	size_t cap;
	uint8_t *room = conn_room(&a->conn, &cap);
	long n;

	if (WIFSIGNALED(p->wstatus)) {
		m.signo = (uint32_t)(p->signo ? p->signo : WTERMSIG(p->wstatus));
		m.oom = m.signo == SIGKILL && cgroup_oom_kills(&a->cgroup) > p->oom_before;
	} else {
		m.status = (uint32_t)WEXITSTATUS(p->wstatus);
	}
	n = ap_encode_exit(&m, room, cap);
	if (n < 0) {
		agent_die("no room for an exit event"); /* half the buffer is kept for them */
	}
	conn_commit(&a->conn, (size_t)n);
}

static bool others_left(const struct agent *a)
{
	for (size_t i = 1; i < AP_MAX_PROCS; i++) {
		if (a->procs[i].phase != PROC_FREE) {
			return true;
		}
	}
	return false;
}

static bool settle_one(struct agent *a, struct proc *p)
{
	if (p->phase != PROC_DEAD || !drained(p)) {
		return false;
	}
	if (!p->silent) {
		send_exit(a, p);
	}
	proc_free(a, p);
	return true;
}

void reap_settle(struct agent *a)
{
	for (size_t i = 1; i < AP_MAX_PROCS; i++) {
		(void)settle_one(a, &a->procs[i]);
	}
	if (!others_left(a)) {
		(void)settle_one(a, &a->procs[0]);
	}
}
