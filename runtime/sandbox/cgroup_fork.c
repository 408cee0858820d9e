/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_fork.c - processes that are born in a cgroup; see cgroup.h
 */
#include "sandbox/cgroup.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/cgroup_internal.h"

/* Return: the cgroup's directory, or negative where it is none of the one hierarchy of version 2 */
static int open_dir(const char *path)
{
	struct cg_table t;
	int rc;

	if (!path) {
		return -ENOENT;
	}
	rc = cg_table_load(&t);
	if (rc < 0) {
		return rc;
	}
	return t.mode == SBX_CGROUP_V2 ? cg_open(&t.h[0], path) : -ENOTSUP;
}

/* The bare calls are safe: the caller has one thread. */
static pid_t fork_beside(int flags)
{
	long pid = syscall(SYS_clone, (unsigned long)(unsigned)flags | SIGCHLD, NULL, NULL, NULL,
			   NULL);

	return pid < 0 ? -errno : (pid_t)pid;
}

static pid_t fork_inside(int flags, int dir)
{
	struct clone_args args = {
		.flags = (unsigned)flags | CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (unsigned)dir,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	return pid < 0 ? -errno : (pid_t)pid;
}

pid_t sbx_cgroup_fork(int flags, const char *path, bool *out_inside)
{
	int dir = open_dir(path);
	pid_t pid = -1;

	(void)fflush(NULL); /* buffered output must not come out twice */
	if (dir >= 0) {
		pid = fork_inside(flags, dir);
		(void)close(dir); /* the child's, too; read-only */
	}
	*out_inside = pid >= 0;
	/* Whatever was wrong, attaching will say it better. */
	return pid >= 0 ? pid : fork_beside(flags);
}
