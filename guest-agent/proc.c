/* SPDX-License-Identifier: Apache-2.0 */
/* proc.c - the process table, and what a child says while it gets ready */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent.h"
#include "child.h"
#include "sys.h"
#include "tty.h"

struct proc *proc_find(struct agent *a, uint32_t id)
{
	for (size_t i = 0; i < AP_MAX_PROCS; i++) {
		struct proc *p = &a->procs[i];

		/* a silent one has failed to start: for the host it never was */
		if (p->phase != PROC_FREE && p->id == id && !p->silent) {
			return p;
		}
	}
	return NULL;
}

struct proc *proc_by_pid(struct agent *a, pid_t pid)
{
	for (size_t i = 0; i < AP_MAX_PROCS; i++) {
		struct proc *p = &a->procs[i];

		if (p->phase != PROC_FREE && p->phase != PROC_DEAD && p->pid == pid) {
			return p;
		}
	}
	return NULL;
}

static void proc_reset(struct proc *p, uint32_t id)
{
	uint16_t gen = (uint16_t)(p->gen + 1);

	*p = (struct proc){.gen = gen, .id = id, .pidfd = -1, .status = -1};
	p->tty_host = p->tty_peer = -1;
	for (uint32_t i = 0; i < AP_STREAMS; i++) {
		stream_init(&p->streams[i]);
	}
}

struct proc *proc_alloc(struct agent *a, uint32_t id)
{
	for (size_t i = id == 0 ? 0 : 1; i < (id == 0 ? 1 : AP_MAX_PROCS); i++) {
		if (a->procs[i].phase == PROC_FREE) {
			proc_reset(&a->procs[i], id);
			a->procs[i].phase = PROC_SETUP;
			return &a->procs[i];
		}
	}
	return NULL;
}

void proc_free(struct agent *a, struct proc *p)
{
	(void)a;
	for (uint32_t i = 0; i < AP_STREAMS; i++) {
		stream_close(&p->streams[i]);
	}
	sys_close(&p->tty_host);
	sys_close(&p->tty_peer);
	sys_close(&p->status);
	sys_close(&p->pidfd);
	p->phase = PROC_FREE;
}

/* --- what the child says ------------------------------------------------------------------- */

/* Its terminal: from now on bytes can flow. */
static int take_master(struct agent *a, struct proc *p, int master)
{
	uint32_t slot = (uint32_t)(p - a->procs);
	int host = p->tty_host;

	p->tty_host = -1;
	p->tty_peer = tty_peer(master);
	if (host < 0) {
		close(master);
		return -EPROTO;
	}
	return stream_open(&p->streams[0], a->ep, master, ref_make(REF_GUEST, slot, p->gen, 0),
			   host, ref_make(REF_HOST, slot, p->gen, 0), STREAM_TTY);
}

/* The pid a process has inside the container: the last of its NSpid line. */
static uint32_t inner_pid(pid_t pid)
{
	char path[48];
	char text[2048];
	char *line;
	char *last;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (sys_read_file(-1, path, text, sizeof(text)) < 0 || !(line = strstr(text, "\nNSpid:"))) {
		return 0;
	}
	line++;
	line[strcspn(line, "\n")] = '\0';
	last = strrchr(line, '\t');
	return last ? (uint32_t)strtoul(last + 1, NULL, 10) : 0;
}

static int set_rlimits(const struct proc *p)
{
	for (uint32_t i = 0; i < p->n_rlimits; i++) {
		const uint64_t lim[2] = {p->rlimits[i].soft, p->rlimits[i].hard};

		if (syscall(SYS_prlimit64, p->pid, p->rlimits[i].resource, lim, NULL) < 0) {
			return -errno;
		}
	}
	return 0;
}

static void refuse(struct agent *a, struct proc *p, const struct fail *f)
{
	/* a failed START is followed by the EXIT of what CREATE had announced; others never were */
	p->silent = p->id != 0 || a->state == ST_CREATING;
	if (p->id == 0 && a->state == ST_CREATING) {
		a->state = ST_STOPPED;
	}
	reply_fail(a, p->request, f);
	p->request = 0;
}

/* A child that waits for a word it will not get. */
static void refuse_and_kill(struct agent *a, struct proc *p, const struct fail *f)
{
	refuse(a, p, f);
	(void)sys_pidfd_signal(p->pidfd, SIGKILL);
}

/* Only execve is left. Limits come now, so that the set-up itself never ran under them. */
static void on_ready(struct agent *a, struct proc *p)
{
	struct fail f = {0};
	int rc = set_rlimits(p);

	p->phase = PROC_READY;
	p->inner_pid = inner_pid(p->pid);
	if (rc) {
		fail_set(&f, "rlimits", rc, "set resource limits");
		refuse_and_kill(a, p, &f);
		return;
	}
	if (p->id == 0) {
		a->state = ST_CREATED;
		reply_ok(a, p->request, p->inner_pid);
		p->request = 0;
		return;
	}
	rc = proc_go(a, p, "");
	if (rc) {
		fail_set(&f, "exec", rc, "start process %u", p->id);
		refuse_and_kill(a, p, &f);
	}
}

int proc_go(struct agent *a, struct proc *p, const char *state)
{
	static char word[CHILD_STATE_MAX + 1];
	size_t len = strlen(state);

	(void)a;
	if (len > CHILD_STATE_MAX - 1) {
		return -E2BIG;
	}
	word[0] = 'S';
	memcpy(word + 1, state, len);
	if (send(p->status, word, len + 1, MSG_NOSIGNAL) < 0) {
		return -errno;
	}
	p->phase = PROC_STARTING;
	return 0;
}

/* The status socket has closed by itself: execve has succeeded, or the child was killed. */
static void on_running(struct agent *a, struct proc *p)
{
	struct fail f = {0};

	sys_close(&p->status);
	if (p->phase == PROC_STARTING) {
		p->phase = PROC_RUNNING;
		if (p->id == 0) {
			a->state = ST_RUNNING;
		}
		reply_ok(a, p->request, p->inner_pid);
		p->request = 0;
	} else if (p->request) {
		fail_kind(&f, AP_FAIL_SETUP, "spawn", -ESRCH,
			  "the process ended before it was ready");
		refuse(a, p, &f);
	}
}

static int passed_fd(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int))) {
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	}
	return fd;
}

static void on_word(struct agent *a, struct proc *p, const struct child_fail *m, size_t len, int fd)
{
	struct child_fail copy = *m;

	if (m->what == 'P' && fd >= 0) {
		if (take_master(a, p, fd)) {
			agent_log("process %u: terminal lost", p->id);
		}
		return;
	}
	sys_close(&fd);
	if (m->what == 'R' && p->phase == PROC_SETUP) {
		on_ready(a, p);
	} else if (m->what == 'F' && len == sizeof(*m)) {
		copy.fail.text[sizeof(copy.fail.text) - 1] = '\0';
		copy.fail.stage[sizeof(copy.fail.stage) - 1] = '\0';
		refuse(a, p, &copy.fail);
	}
}

void proc_status(struct agent *a, struct proc *p)
{
	while (p->status >= 0) {
		struct child_fail m = {0};
		union {
			struct cmsghdr hdr;
			char buf[CMSG_SPACE(sizeof(int))];
		} control;
		struct iovec iov = {.iov_base = &m, .iov_len = sizeof(m)};
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control.buf,
				     .msg_controllen = sizeof(control.buf)};
		ssize_t n = recvmsg(p->status, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return;
		}
		if (n <= 0) {
			on_running(a, p);
			return;
		}
		on_word(a, p, &m, (size_t)n, passed_fd(&msg));
	}
}
