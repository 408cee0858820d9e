/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cage.h - what the kernel says about the cage of a container's processes
 *
 * Read back from /proc, thread by thread: not what we meant to give up, but what is
 * gone. Landlock is the exception: the kernel doesn't show who is under a ruleset. @landlock_abi
 * is what it has, and each role takes that, or ends.
 *
 * Trust: /proc is the kernel's; comm is the process's own and is made printable.
 * Uses:  base, oci/json, oci/names. Used by: cmd_sandbox.
 */
#ifndef VOLT_CAGE_H
#define VOLT_CAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/** enum cage_ns - namespaces, as the links in /proc/PID/ns are called */
enum cage_ns {
	CAGE_NS_CGROUP,
	CAGE_NS_IPC,
	CAGE_NS_MNT,
	CAGE_NS_NET,
	CAGE_NS_PID,
	CAGE_NS_TIME,
	CAGE_NS_USER,
	CAGE_NS_UTS,
	CAGE_NS_COUNT,
};

/**
 * struct cage_thread - one thread
 * @role:         "shim", "vmm", "fs", "net", "exec" (a shim of it), "proxy", "relay"; a static word
 * @name:         as the kernel calls the thread, printable
 * @caps:         permitted, effective, inheritable and ambient together
 * @bounding:     what an execve could give at most
 * @seccomp:      0 none, 1 strict, 2 filters
 * @filters:      number of filters; -1 when the kernel is too old to tell (before 5.9)
 * @own:          bit per enum cage_ns: another namespace than ours
 * @mounts, @fds: of the process: mounts in view, open descriptors; -1 when they can't be counted
 */
struct cage_thread {
	const char *role;
	pid_t pid;
	pid_t tid;
	char name[16];
	uint32_t uid;
	uint32_t gid;
	uint64_t caps;
	uint64_t bounding;
	bool no_new_privs;
	unsigned seccomp;
	int filters;
	uint32_t own;
	int mounts;
	int fds;
};

/** struct cage - all threads that were read; cage_finish() frees */
struct cage {
	struct cage_thread *v;
	size_t n;
};

/** cage_parse_status() - fields of a /proc/PID/status. Return: 0, -EPROTO when one is missing */
int cage_parse_status(const char *text, struct cage_thread *out)
	__attribute__((warn_unused_result));

/**
 * cage_read() - add all threads of a process
 * @proc: "/proc"; tests bring their own
 * @role: a static word
 * @io:   added to; half of a process may be in it after a failure
 *
 * Return: 0, -ESRCH when it ended, -EACCES when we may not look, or another -errno; @err filled.
 */
int cage_read(const char *proc, const char *role, pid_t pid, struct cage *io, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * cage_read_standins() - add all threads of processes that stand in for some of a container
 * @id: of the container
 *
 * Shims of `exec` ("exec"), a foreground `exec` itself ("proxy": the parent of such a shim, if
 * it forked it), and the relay of a `run` ("relay").
 *
 * Return: as cage_read(); that one of them ends meanwhile is no failure.
 */
int cage_read_standins(const char *proc, const char *id, struct cage *io, struct vr_err *err)
	__attribute__((warn_unused_result));
void cage_finish(struct cage *c);

/** cage_text() - the table for people; malloc'd, or NULL without memory */
char *cage_text(const struct cage *c, int landlock_abi);

/** cage_json() - {"landlockAbi": n, "threads": [...]}; malloc'd, or NULL without memory */
char *cage_json(const struct cage *c, int landlock_abi);

#endif /* VOLT_CAGE_H */
