/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn.c - cloning children: the container's init, and those that join it
 *
 * One clone3 puts a child into its namespaces and its cgroup at once. A joining child must be
 * *cloned* into the container's pid namespace (setns moves only children to come), so the agent
 * points its own "namespace for children" there for the moment of the clone.
 *
 * Pipes are the agent's, so that /dev/stdout can be opened again in the container; their far ends
 * are pumped to vsock by stream.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent.h"
#include "child.h"
#include "hold.h"
#include "layout.h"
#include "netcfg.h"
#include "sys.h"

/**
 * struct plumbing - descriptors made for one child
 * @child: become its 0, 1, 2, ...; @guest: our ends of those; @host: connections, or -1
 */
struct plumbing {
	int child[AP_STREAMS];
	int guest[AP_STREAMS];
	int host[AP_STREAMS];
	int status_child;
	int status;
};

static void plumbing_init(struct plumbing *pl)
{
	for (uint32_t i = 0; i < AP_STREAMS; i++) {
		pl->child[i] = pl->guest[i] = pl->host[i] = -1;
	}
	pl->status_child = pl->status = -1;
}

static void plumbing_close_child(struct plumbing *pl)
{
	for (uint32_t i = 0; i < AP_STREAMS; i++) {
		sys_close(&pl->child[i]);
	}
	sys_close(&pl->status_child);
}

static void plumbing_close(struct plumbing *pl)
{
	plumbing_close_child(pl);
	for (uint32_t i = 0; i < AP_STREAMS; i++) {
		sys_close(&pl->guest[i]);
		sys_close(&pl->host[i]);
	}
	sys_close(&pl->status);
}

/* Users of the container's user namespace, as the machine knows them; for execs, too. */
static struct ap_idmap users[AP_MAX_IDMAPS];
static struct ap_idmap groups[AP_MAX_IDMAPS];
static uint32_t n_users;
static uint32_t n_groups;

/* Return: what an id of the container is outside; -1, which chown() leaves alone, without a mapping */
static uint32_t outside(const struct ap_idmap *map, uint32_t n, uint32_t id)
{
	for (uint32_t i = 0; i < n; i++) {
		if (id >= map[i].inside && id - map[i].inside < map[i].count) {
			return map[i].outside + (id - map[i].inside);
		}
	}
	return (uint32_t)-1;
}

/* The end of a pipe belongs to the workload, or /dev/stdout could not be opened again. */
static void give_pipe(int fd, const struct ap_process *p)
{
	/* without a mapping the child does it itself, see own_stdio() */
	(void)!fchown(fd, outside(users, n_users, p->uid), outside(groups, n_groups, p->gid));
}

static int make_ends(struct plumbing *pl, uint32_t stream, enum stream_kind kind)
{
	int p[2];
	int rc = kind == STREAM_SOCKET ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p)
				       : pipe2(p, O_CLOEXEC);

	if (rc < 0) {
		return -errno;
	}
	pl->child[stream] = kind == STREAM_IN ? p[0] : p[1];
	pl->guest[stream] = kind == STREAM_IN ? p[1] : p[0];
	return sys_rc(fcntl(pl->guest[stream], F_SETFL, O_NONBLOCK));
}

static int make_stream(struct plumbing *pl, uint32_t port, uint32_t stream, enum stream_kind kind)
{
	int rc = kind == STREAM_TTY ? 0 : make_ends(pl, stream, kind);

	if (rc < 0) {
		return rc;
	}
	pl->host[stream] = agent_dial(port + stream);
	return pl->host[stream] < 0 ? pl->host[stream] : 0;
}

static enum stream_kind kind_of(const struct ap_process *p, uint32_t stream)
{
	if (stream >= 3) {
		return stream - 3 < p->n_fds && !AP_FD_IS_LISTEN(p->fds[stream - 3]) &&
				       p->fds[stream - 3] != AP_FD_NULL
			       ? (enum stream_kind)p->fds[stream - 3]
			       : STREAM_NONE;
	}
	if (p->flags & AP_P_TTY) {
		return stream == 0 ? STREAM_TTY : STREAM_NONE;
	}
	if (!(p->stdio & (1u << stream))) {
		return STREAM_NONE;
	}
	return stream == 0 ? STREAM_IN : STREAM_OUT;
}

static int plumbing_make(struct plumbing *pl, uint32_t id, const struct ap_process *p,
			 struct fail *f)
{
	int pair[2];
	int rc = 0;

	plumbing_init(pl);
	for (uint32_t i = 0; p && i < AP_STREAMS && rc == 0; i++) {
		enum stream_kind kind = kind_of(p, i);

		rc = kind != STREAM_NONE ? make_stream(pl, p->port, i, kind) : 0;
		if (rc == 0 && pl->child[i] >= 0 && kind != STREAM_SOCKET) {
			give_pipe(pl->child[i], p);
		}
	}
	if (rc == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		rc = -errno;
	}
	if (rc) {
		plumbing_close(pl);
		return fail_set(f, "stdio", rc, "stdio of process %u", id);
	}
	pl->status = pair[0];
	pl->status_child = pair[1];
	return 0;
}

/* --- handing over to the process's slot ------------------------------------------------------ */

static uint64_t slot_ref(const struct agent *a, const struct proc *p, enum ref_kind kind,
			 uint32_t stream)
{
	return ref_make(kind, (uint32_t)(p - a->procs), p->gen, stream);
}

/* The streams of pipes start now; a terminal's when its master arrives. */
static int start_streams(struct agent *a, struct proc *p, const struct ap_process *spec,
			 struct plumbing *pl)
{
	int rc = 0;

	if (p->tty) {
		p->tty_host = pl->host[0];
		pl->host[0] = -1;
	}
	for (uint32_t i = 0; i < AP_STREAMS; i++) {
		int one = 0;

		if (pl->guest[i] >= 0) {
			one = stream_open(&p->streams[i], a->ep, pl->guest[i],
					  slot_ref(a, p, REF_GUEST, i), pl->host[i],
					  slot_ref(a, p, REF_HOST, i), kind_of(spec, i));
			pl->guest[i] = pl->host[i] = -1;
		}
		rc = rc ? rc : one;
	}
	return rc;
}

/* What only the agent may do to a child: it is root of the machine, the child perhaps not. */
static int dress(const struct proc *p, const struct ap_process *spec)
{
	char path[48];
	char text[16];
	int rc = 0;

	if (!spec) {
		return 0;
	}
	/* The child inherited ours, which no out-of-memory killer may touch: a cgroup at its limit
	 * with nobody to kill makes its processes spin in the kernel for ever. */
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)p->pid);
	snprintf(text, sizeof(text), "%d", spec->flags & AP_P_HAS_OOM ? spec->oom_score_adj : 0);
	rc = sys_write_file(-1, path, text);
	if (rc == 0 && spec->cpus_initial &&
	    syscall(SYS_sched_setaffinity, p->pid, sizeof(spec->cpus_initial),
		    &spec->cpus_initial) < 0) {
		return -errno;
	}
	return rc;
}

static int adopt(struct agent *a, struct proc *p, const struct ap_process *spec,
		 struct plumbing *pl)
{
	int rc;

	plumbing_close_child(pl);
	p->phase = PROC_SETUP;
	p->tty = spec && (spec->flags & AP_P_TTY);
	p->status = pl->status;
	pl->status = -1;
	p->oom_before = cgroup_oom_kills(&a->cgroup);
	memset(p->fds, 0, sizeof(p->fds));
	memcpy(p->fds, spec ? spec->fds : p->fds, spec ? spec->n_fds * sizeof(p->fds[0]) : 0);
	p->n_rlimits = spec ? spec->n_rlimits : 0;
	for (uint32_t i = 0; i < p->n_rlimits; i++) {
		p->rlimits[i] = spec->rlimits[i];
	}
	rc = start_streams(a, p, spec, pl);
	plumbing_close(pl);
	if (rc == 0) {
		rc = agent_watch(a, p->status, slot_ref(a, p, REF_STATUS, 0), EPOLLIN);
	}
	rc = rc ? rc : dress(p, spec);
	return rc ? rc : sys_rc(send(p->status, "G", 1, MSG_NOSIGNAL));
}

/* A child that can't be served any more; its end is told by the request's reply alone. */
static int disown_silently(struct proc *p, int rc)
{
	(void)sys_pidfd_signal(p->pidfd, SIGKILL);
	p->silent = true;
	return rc;
}

static int disown(struct proc *p, int rc, struct fail *f)
{
	(void)disown_silently(p, rc);
	return fail_set(f, "spawn", rc, "start process %u", p->id);
}

/* --- cloning ------------------------------------------------------------------------------- */

/* The cgroup for a new child: the container's, or where its init has gone (systemd does). */
static int open_init_cgroup(const struct agent *a)
{
	char path[64];
	char text[512];
	char full[600];
	char *at;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)a->procs[0].pid);
	if (sys_read_file(-1, path, text, sizeof(text)) < 0 || !(at = strstr(text, "0::/"))) {
		return -ENOENT;
	}
	at[strcspn(at, "\n")] = '\0';
	snprintf(full, sizeof(full), LAYOUT_CGROUP "%s", at + 3);
	return sys_rc(open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/* The one that was asked for, beneath the container's. Then no other one will do. @out: -1 for none */
static int open_sub_cgroup(const struct agent *a, const struct ap_process *p, int *out,
			   struct fail *f)
{
	*out = -1;
	if (!p->cgroup) {
		return 0;
	}
	*out = a->cgroup.dir < 0 ? -ENOENT
				 : sys_openat2(a->cgroup.dir, *p->cgroup ? p->cgroup : ".",
					       O_RDONLY | O_DIRECTORY,
					       VA_RESOLVE_BENEATH | VA_RESOLVE_NO_SYMLINKS);
	return *out < 0 ? fail_set(f, "cgroup", *out, "adding pid to cgroup '%s'", p->cgroup) : 0;
}

static int clone_child(struct agent *a, struct proc *p, uint64_t flags, struct child_args *args)
{
	struct va_clone_args ca = {.flags = flags | VA_CLONE_PIDFD,
				   .pidfd = (uint64_t)(uintptr_t)&p->pidfd,
				   .exit_signal = SIGCHLD};
	int pid;

	if (a->cgroup.dir >= 0) {
		ca.flags |= VA_CLONE_INTO_CGROUP;
		ca.cgroup = (uint64_t)a->cgroup.dir;
	}
	if (args->cgroup >= 0) {
		ca.cgroup = (uint64_t)args->cgroup;
	}
	pid = sys_clone3(&ca);
	if (pid == -EBUSY && a->procs[0].pid > 0 && args->cgroup < 0) {
		int dir = open_init_cgroup(a);

		if (dir < 0) {
			return dir;
		}
		ca.cgroup = (uint64_t)dir;
		pid = sys_clone3(&ca);
		if (pid != 0) {
			close(dir);
		}
	}
	if (pid == 0) {
		child_main(args);
	}
	p->pid = pid > 0 ? pid : 0;
	return pid;
}

/* Clone, with @pid_ns: with the pid namespace of args->target as the one for children. */
static int clone_into(struct agent *a, struct proc *p, uint64_t flags, bool pid_ns,
		      struct child_args *args)
{
	int rc = pid_ns ? sys_setns(args->target, VA_CLONE_NEWPID) : 0;

	if (rc) {
		return rc;
	}
	rc = clone_child(a, p, flags, args);
	if (pid_ns && sys_setns(a->own_pid_ns, VA_CLONE_NEWPID) < 0) {
		agent_die("lost the way back to the own pid namespace");
	}
	return rc;
}

static int write_map(pid_t pid, const char *file, const struct ap_idmap *map, uint32_t n)
{
	static char text[AP_MAX_IDMAPS * 36];
	char path[48];
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < n; i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%u %u %u\n", map[i].inside,
					map[i].outside, map[i].count);
	}
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return n ? sys_write_file(-1, path, text) : 0;
}

/* A user namespace has power over the network only in one that was made with it. */
static int network_move(pid_t pid, struct fail *f)
{
	char path[48];
	int ns;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	ns = sys_rc(open(path, O_RDONLY | O_CLOEXEC));
	return ns < 0 ? fail_set(f, "network", ns, "open the container's network namespace")
		      : netcfg_enter(ns, f);
}

int spawn_init(struct agent *a, struct proc *p, const struct ap_container *c, struct fail *f)
{
	const struct ap_process *spec = c->flags & AP_C_HAS_PROCESS ? &c->process : NULL;
	struct child_args args = {.c = c,
				  .p = spec,
				  .target = c->joined ? a->first : -1,
				  .cgroup = -1,
				  .ns = c->namespaces,
				  .id = p->id};
	uint64_t now = (AP_NS_USER | AP_NS_PID | AP_NS_UTS | AP_NS_IPC) & ~c->joined;
	uint64_t more = VA_CLONE_NEWNS | (c->namespaces & AP_NS_USER ? VA_CLONE_NEWNET : 0);
	struct plumbing pl;
	int rc;

	if (c->joined && a->first < 0) {
		return fail_set(f, "namespaces", -ESRCH,
				"join the namespaces of the machine's first container");
	}
	memcpy(users, c->uidmaps, c->n_uidmaps * sizeof(*users));
	n_users = c->n_uidmaps;
	memcpy(groups, c->gidmaps, c->n_gidmaps * sizeof(*groups));
	n_groups = c->n_gidmaps;
	rc = plumbing_make(&pl, p->id, spec, f);
	if (rc) {
		return rc;
	}
	memcpy(args.fds, pl.child, sizeof(args.fds));
	args.status = pl.status_child;
	/* time and cgroup namespaces are entered by the child, when it is where it shall be */
	rc = clone_into(a, p, (c->namespaces & now) | more, (c->joined & AP_NS_PID) != 0, &args);
	if (rc < 0) {
		plumbing_close(&pl);
		return c->joined & AP_NS_PID
			       ? fail_set(f, "namespaces", rc,
					  "join the pid namespace of the machine's first container")
			       : fail_set(f, "clone", rc, "clone the container's init");
	}
	a->mounts = hold_mounts(p->pid);
	rc = a->mounts < 0 ? a->mounts : 0;
	rc = rc ? rc : write_map(p->pid, "uid_map", c->uidmaps, c->n_uidmaps);
	rc = rc ? rc : write_map(p->pid, "gid_map", c->gidmaps, c->n_gidmaps);
	if (rc == 0 && (more & VA_CLONE_NEWNET)) {
		rc = network_move(p->pid, f);
		if (rc) {
			plumbing_close(&pl);
			return disown_silently(p, rc);
		}
	}
	if (rc) {
		plumbing_close(&pl);
		return disown(p, rc, f);
	}
	rc = adopt(a, p, spec, &pl);
	return rc < 0 ? disown(p, rc, f) : 0;
}

int spawn_exec(struct agent *a, struct proc *p, const struct ap_process *spec, struct fail *f)
{
	struct child_args args = {
		.p = spec, .target = a->procs[0].pidfd, .ns = a->namespaces, .id = p->id};
	struct plumbing pl;
	int rc = open_sub_cgroup(a, spec, &args.cgroup, f);

	if (rc < 0) {
		return rc;
	}
	rc = plumbing_make(&pl, p->id, spec, f);
	if (rc) {
		sys_close(&args.cgroup);
		return rc;
	}
	memcpy(args.fds, pl.child, sizeof(args.fds));
	args.status = pl.status_child;
	rc = clone_into(a, p, 0, (a->namespaces & AP_NS_PID) != 0, &args);
	sys_close(&args.cgroup);
	if (rc < 0) {
		plumbing_close(&pl);
		return fail_set(f, "clone", rc, "clone into the container");
	}
	rc = adopt(a, p, spec, &pl);
	return rc < 0 ? disown(p, rc, f) : 0;
}
