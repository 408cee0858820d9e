/* SPDX-License-Identifier: Apache-2.0 */
/* member.c - PID 1 and the agents of members; see member.h */
#include "member.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "layout.h"
#include "self.h"
#include "sys.h"

/** struct entry - the agent of the member whose number is its place + 1; @pid 0: there is none */
struct entry {
	pid_t pid;
	uint32_t slot;
};

static struct entry members[AP_MEMBERS_MAX];

static int check(const struct agent *a, const struct ap_join *m, struct fail *f)
{
	if (self_number() != 0) {
		return fail_kind(f, AP_FAIL_STATE, "join", -EINVAL,
				 "a member of a machine has no members");
	}
	if (a->namespaces & AP_NS_USER) {
		return fail_kind(f, AP_FAIL_STATE, "join", -EINVAL,
				 "the network belongs to a container in a user namespace");
	}
	if (members[m->number - 1].pid > 0) {
		return fail_kind(f, AP_FAIL_STATE, "join", -EEXIST, "member %u already exists",
				 m->number);
	}
	for (uint32_t i = 0; i < AP_MEMBERS_MAX; i++) {
		if (members[i].pid > 0 && members[i].slot == m->slot) {
			return fail_kind(f, AP_FAIL_STATE, "join", -EBUSY,
					 "slot %u is in use by member %u", m->slot, i + 1);
		}
	}
	return 0;
}

/* The child: our program once more, with nothing of ours but the standard descriptors. */
static void become_member(const struct ap_join *m, pid_t first) __attribute__((noreturn));
static void become_member(const struct ap_join *m, pid_t first)
{
	char text[3][16];
	char port[32];
	char *const argv[] = {"volt-agent", "member", text[0], text[1], text[2], NULL};
	char *const env[] = {port, NULL};
	sigset_t none;

	snprintf(text[0], sizeof(text[0]), "%u", m->number);
	snprintf(text[1], sizeof(text[1]), "%u", m->slot);
	snprintf(text[2], sizeof(text[2]), "%d", (int)first);
	snprintf(port, sizeof(port), "VOLT_PORT=%u", m->port);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)sys_close_range(STDERR_FILENO + 1, UINT_MAX); /* they are close-on-exec, too */
	execve("/proc/self/exe", argv, env);
	_exit(127);
}

int member_join(struct agent *a, const struct ap_join *m, struct fail *f)
{
	const struct proc *first = &a->procs[0];
	struct entry *e = &members[m->number - 1];
	int rc = check(a, m, f);
	pid_t pid;

	if (rc) {
		return rc;
	}
	pid = fork();
	if (pid < 0) {
		return fail_set(f, "join", -errno, "start an agent for member %u", m->number);
	}
	if (pid == 0) {
		become_member(m, first->phase != PROC_DEAD ? first->pid : 0);
	}
	*e = (struct entry){.pid = pid, .slot = m->slot};
	return 0;
}

static void send_left(struct agent *a, uint32_t number, int wstatus)
{
	struct ap_left m = {.number = number};
	size_t cap;
	uint8_t *room = conn_room(&a->conn, &cap);
	long n;

	m.status =
		(uint32_t)(WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus));
	if (m.status != 0) {
		agent_log("member %u: its agent ended with status %u", number, m.status);
	}
	n = ap_encode_left(&m, room, cap);
	if (n < 0) {
		agent_die("no room for a left event"); /* as of EXITs: there are just a few */
	}
	conn_commit(&a->conn, (size_t)n);
}

void member_stopped(pid_t pid)
{
	for (uint32_t i = 0; i < AP_MEMBERS_MAX; i++) {
		if (members[i].pid == pid) {
			(void)kill(pid, SIGKILL); /* our child, not reaped: it is it */
		}
	}
}

static bool any(void)
{
	for (uint32_t i = 0; i < AP_MEMBERS_MAX; i++) {
		if (members[i].pid > 0) {
			return true;
		}
	}
	return false;
}

void member_sync(void)
{
	int fd;

	if (self_number() == 0 && !any()) {
		sync();
		return;
	}
	fd = sys_rc(open(LAYOUT_SHARE, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (fd >= 0) {
		(void)syncfs(fd); /* volumes are written out with their unmount */
		close(fd);
	}
}

void member_reaped(struct agent *a, pid_t pid, int wstatus)
{
	for (uint32_t i = 0; i < AP_MEMBERS_MAX; i++) {
		if (members[i].pid != pid) {
			continue;
		}
		members[i].pid = 0;
		/* an agent that was killed leaves its container behind; what dies slowly keeps the cgroup */
		(void)cgroup_clear(i + 1);
		send_left(a, i + 1, wstatus);
		return;
	}
}
