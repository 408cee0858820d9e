/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp.h - a system call allow-list per role
 *
 * A call that is not on the role's list ends the process (SIGSYS), and the
 * kernel's audit log says so. The lists are seccomp_roles.c's business,
 * seccomp_build.c turns one into BPF when we are built, this module installs it.
 *
 * Filters add up: a thread inherits what its creator had, and a later filter can
 * only take away. Hence the order in the vmm: SBX_ROLE_VMM_START covers what the
 * start of vCPU threads and these threads themselves need; each vCPU thread then
 * adds SBX_ROLE_VCPU, and the main thread, when all of them run, SBX_ROLE_VMM.
 *
 * In builds with a sanitizer nothing is installed (its runtime opens files and
 * clones processes as it likes); sbx_seccomp_enforced() tells. In builds with
 * VOLT_DEBUG the environment variable VOLT_SECCOMP_LOG=1 turns "end the process"
 * into "log and allow".
 *
 * Threads: sbx_seccomp_prepare() with one thread; sbx_seccomp_thread() in any.
 * Uses:    nothing. Used by: sandbox.c, vCPU start in launch, tests.
 */
#ifndef SANDBOX_SECCOMP_H
#define SANDBOX_SECCOMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/types.h>

enum sbx_role {
	SBX_ROLE_SHIM,
	SBX_ROLE_VMM_START, /* the vmm while it starts vCPU threads, and the base of theirs */
	SBX_ROLE_VMM,	    /* the vmm's main thread afterwards */
	SBX_ROLE_VCPU,
	SBX_ROLE_FS,
	SBX_ROLE_NET,
	SBX_ROLE_PROXY, /* a foreground `exec` once its process runs; the relay of a `run` */
	SBX_ROLE_COUNT,
};

/** sbx_role_name() - "shim", "vmm-start", "vmm", "vcpu", "fs", "net", "proxy" */
const char *sbx_role_name(enum sbx_role role);

/**
 * sbx_seccomp_child() - the one process that SBX_ROLE_PROXY may signal, to be told before its filter is prepared
 * @pid: a child not reaped yet, or nobody knows who that is; or ourselves
 */
void sbx_seccomp_child(pid_t pid);

struct sock_filter;

/**
 * struct sbx_filter - a compiled list
 * @insns: BPF program, owned
 * @len:   its instructions
 */
struct sbx_filter {
	struct sock_filter *insns;
	size_t len;
};

/**
 * sbx_filter_get() - a role's program
 * @role: whose
 * @pid:  thread group that tgkill() is allowed for
 * @out:  to be released with sbx_filter_finish()
 *
 * Return: 0, -EINVAL when it names a child that was not told, or -ENOMEM.
 */
int sbx_filter_get(enum sbx_role role, pid_t pid, struct sbx_filter *out)
	__attribute__((warn_unused_result));

/** sbx_filter_finish() - free the program */
static inline void sbx_filter_finish(struct sbx_filter *filter)
{
	free(filter->insns);
	filter->insns = NULL;
	filter->len = 0;
}

/**
 * sbx_seccomp_prepare() - keep a role's filter for this process
 * @role: whose
 *
 * Call it in the process that will use it: the filter contains its pid.
 *
 * Return: 0 or -errno.
 */
int sbx_seccomp_prepare(enum sbx_role role) __attribute__((warn_unused_result));

/**
 * sbx_seccomp_thread() - put the calling thread under a role's prepared filter
 * @role: whose; one vCPU thread calls this with SBX_ROLE_VCPU first thing
 *
 * Requires no_new_privs. Return: 0, -EINVAL when not prepared, or -errno.
 * Syscalls: seccomp (before the sandbox)
 */
int sbx_seccomp_thread(enum sbx_role role) __attribute__((warn_unused_result));

/** sbx_seccomp_enforced() - false in builds that install no filter or only log */
bool sbx_seccomp_enforced(void);

#endif /* SANDBOX_SECCOMP_H */
