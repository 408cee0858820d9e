/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member_main.c - the agent of a member, from its start to its end; see member.h
 *
 * It inherits a booted machine, so it makes only what must be its own. Where PID 1 would end the
 * machine, it cleans up, as far as it can, and ends with what becomes ap_left.status.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boot.h"
#include "hold.h"
#include "layout.h"
#include "member.h"
#include "self.h"
#include "sys.h"

#define GONE_WAIT_NS  UINT64_C(3000000000)
#define GONE_PAUSE_MS 5

static bool parse(const char *text, uint32_t max, uint32_t *out)
{
	char *end;
	unsigned long v = text ? strtoul(text, &end, 10) : 0;

	*out = (uint32_t)v;
	return text && *text >= '0' && *text <= '9' && *end == '\0' && v <= max;
}

static bool parse_args(int argc, char **argv, struct ap_join *m, uint32_t *first)
{
	return argc == 5 && strcmp(argv[1], "member") == 0 &&
	       parse(argv[2], AP_MEMBERS_MAX, &m->number) && m->number > 0 &&
	       parse(argv[3], AP_MAX_LINKS - 1, &m->slot) && parse(argv[4], INT_MAX, first) &&
	       parse(getenv("VOLT_PORT"), UINT32_MAX, &m->port);
}

/* --- the start ------------------------------------------------------------------------------- */

static int own_mounts(void)
{
	int rc = sys_unshare(VA_CLONE_NEWNS);

	rc = rc ? rc : sys_rc(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	rc = rc ? rc : sys_rc(mount("tmpfs", LAYOUT_RUN, "tmpfs", 0, "mode=0755"));
	rc = rc ? rc : sys_rc(mkdir(LAYOUT_NODES, 0755));
	return rc ? rc : sys_rc(mkdir(LAYOUT_ROOT_MOUNT, 0755));
}

/* Return: 0, or -errno, logged; *@out_clean: is the device as it was? */
static int set_up(const struct ap_join *m, struct ap_hello *hello, bool *out_clean)
{
	int rc = own_mounts();

	*out_clean = true;
	if (rc) {
		agent_log("member %u: mounts of its own: %s", m->number, fail_errno_text(-rc));
		return rc;
	}
	rc = member_share_attach(m, out_clean);
	if (rc) {
		return rc;
	}
	hello->features |= AP_FEAT_SHARE;
	hello->features |= access(LAYOUT_CGROUP "/cgroup.procs", F_OK) == 0 ? AP_FEAT_CGROUP : 0;
	boot_describe(hello);
	hello->stamp_ns[AP_STAMP_MOUNTS] = sys_now_ns();
	return 0;
}

/* From the connection to its end. */
static void serve(struct agent *a, const struct ap_join *m, int first, struct ap_hello *hello)
{
	int control = boot_connect(m->port);
	int rc = control < 0 ? control : agent_init(a, control);

	a->first = first;
	rc = rc ? rc : agent_hello(a, hello);
	rc = rc ? rc : agent_run(a);
	if (rc) {
		agent_log("member %u: %s: %s", m->number,
			  control < 0 ? "no control connection" : "ends", fail_errno_text(-rc));
	}
}

/* --- the end --------------------------------------------------------------------------------- */

static void kill_all(const struct agent *a)
{
	for (size_t i = 0; i < AP_MAX_PROCS; i++) {
		if (a->procs[i].phase != PROC_FREE && a->procs[i].phase != PROC_DEAD) {
			(void)sys_pidfd_signal(a->procs[i].pidfd, SIGKILL); /* gone is fine */
		}
	}
	(void)cgroup_kill(&a->cgroup);
}

/* In a joined pid namespace its orphans aren't our children: the cgroup knows of all. */
static bool all_gone(const struct agent *a)
{
	pid_t pid;

	do {
		pid = waitpid(-1, NULL, WNOHANG);
	} while (pid > 0);
	/* What is traced by another container is nobody's to reap; it isn't in the cgroup any more either. */
	return cgroup_wait_empty(&a->cgroup, 0) == 0 &&
	       (a->cgroup.dir >= 0 || (pid < 0 && errno == ECHILD));
}

/* What hangs in the kernel isn't waited for: that could be for ever. Its file system hangs, too. */
static bool end_all(const struct agent *a)
{
	uint64_t deadline = sys_now_ns() + GONE_WAIT_NS;

	kill_all(a);
	while (!all_gone(a)) {
		if (sys_now_ns() >= deadline) {
			return false;
		}
		(void)poll(NULL, 0, GONE_PAUSE_MS);
	}
	return true;
}

/* Return: whether nothing of the container is left */
static bool clean_up(struct agent *a, const struct ap_join *m)
{
	int rc_share, rc_cgroup;

	if (!end_all(a)) {
		agent_log("member %u: processes of it won't end", m->number);
		return false;
	}
	hold_release(&a->mounts);
	rc_share = member_share_detach(m);
	if (rc_share) {
		agent_log("member %u: let go of its share: %s", m->number,
			  fail_errno_text(-rc_share));
	}
	rc_cgroup = cgroup_clear(m->number);
	if (rc_cgroup) {
		agent_log("member %u: remove its cgroup: %s", m->number,
			  fail_errno_text(-rc_cgroup));
	}
	return rc_share == 0; /* a cgroup that is left is found by the next one with the number */
}

void member_main(int argc, char **argv)
{
	static struct agent agent;
	static struct ap_hello hello;
	struct ap_join m;
	uint32_t first_pid;
	bool clean;
	int first;

	hello.stamp_ns[AP_STAMP_AGENT] = sys_now_ns();
	if (!parse_args(argc, argv, &m, &first_pid)) {
		return;
	}
	self_set(m.number);
	(void)prctl(VA_PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(VA_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* orphans are ours, not PID 1's */
	/* now, while the pid can't be another one's; it may be gone already */
	first = first_pid > 0 ? sys_pidfd_open((pid_t)first_pid) : -1;
	agent.cgroup.dir = agent.mounts = -1;
	/* The status says whether the slot can be used again, and nothing of how it went. */
	if (set_up(&m, &hello, &clean)) {
		_exit(clean ? 0 : 1);
	}
	serve(&agent, &m, first, &hello);
	_exit(clean_up(&agent, &m) ? 0 : 1);
}
