/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup.h - the host cgroup of a container: its limits, its processes, its end
 *
 * Works on control group file systems as they are mounted: version 2, or all
 * hierarchies of version 1. A container has one path, the same in every
 * hierarchy, made absolute once by sbx_cgroup_resolve() and then kept with the
 * container's state; every other function takes that path and holds no state.
 *
 * Where a manager makes the cgroup (a systemd scope), only sbx_cgroup_create()
 * and sbx_cgroup_attach() are replaced: limits beyond the manager's, kill and
 * remove work on the path that /proc/PID/cgroup shows.
 *
 * Trust:   paths come from the caller's configuration, which is trusted; ".." is
 *          refused all the same.
 * Threads: reentrant.
 * Uses:    base. Used by: launch, delete, update.
 */
#ifndef SANDBOX_CGROUP_H
#define SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/** SBX_CGROUP_PATH_MAX - longest cgroup path, with NUL */
#define SBX_CGROUP_PATH_MAX 1024u

/** SBX_CG_UNLIMITED - a limit that is explicitly lifted (-1 in config.json) */
#define SBX_CG_UNLIMITED (-1)

enum sbx_cgroup_mode {
	SBX_CGROUP_NONE, /* no cgroup file system in view */
	SBX_CGROUP_V1,	 /* also a machine with both: its controllers are version 1 */
	SBX_CGROUP_V2,
};

/**
 * struct sbx_cgroup_file - a file of a cgroup of version 2, "io.max", and what to write into it
 * @value:    lines, each of which is written on its own; "0" asks for nothing where there is no such file
 * @or_name:  another file, for a kernel without the first one, or NULL
 * @or_value: what to write into that
 */
struct sbx_cgroup_file {
	const char *name;
	const char *value;
	const char *or_name;
	const char *or_value;
};

/**
 * struct sbx_cgroup_limits - resources as in config.json; 0 or NULL leaves one alone
 * @memory_max:    bytes, or SBX_CG_UNLIMITED
 * @memory_swap:   bytes of memory and swap together, or SBX_CG_UNLIMITED; not below @memory_max
 * @memory_low:    bytes, best-effort protection (soft limit)
 * @cpu_quota_us:  per period, or SBX_CG_UNLIMITED
 * @cpu_period_us: 0 with a quota means 100000
 * @cpu_shares:    2..262144, the version 1 scale; converted for version 2
 * @pids_max:      processes and threads, or SBX_CG_UNLIMITED
 * @cpuset_cpus:   list like "0-3,6"
 * @cpuset_mems:   list of memory nodes
 * @files:         files of version 2 to be written at last, in this order; on version 1 they are
 *                 refused
 */
struct sbx_cgroup_limits {
	int64_t memory_max;
	int64_t memory_swap;
	int64_t memory_low;
	int64_t cpu_quota_us;
	uint64_t cpu_period_us;
	uint64_t cpu_shares;
	int64_t pids_max;
	const char *cpuset_cpus;
	const char *cpuset_mems;
	const struct sbx_cgroup_file *files;
	size_t n_files;
};

/** sbx_cgroup_mode() - what this machine has */
enum sbx_cgroup_mode sbx_cgroup_mode(void);

/**
 * sbx_cgroup_resolve() - config.json's cgroupsPath as an absolute cgroup path
 * @path: the value; NULL or empty: @id is the path
 * @id:   container id
 * @out:  normalised path from the hierarchies' root, at least SBX_CGROUP_PATH_MAX bytes
 * @err:  filled on failure
 *
 * A relative path goes beside our own cgroup on version 2 (whose members forbid
 * controllers below it) and beneath it on version 1.
 *
 * Return: 0; -EINVAL for the root itself or a path with ".."; -ENAMETOOLONG; -errno.
 */
int sbx_cgroup_resolve(const char *path, const char *id, char out[SBX_CGROUP_PATH_MAX],
		       struct vr_err *err) __attribute__((warn_unused_result));

/**
 * sbx_cgroup_create() - make the cgroup and set its limits
 * @path:   from sbx_cgroup_resolve()
 * @limits: may be NULL
 * @err:    filled on failure
 *
 * Missing parents are made and keep existing. An existing cgroup is taken over, unless (version 2)
 * somebody is in it or it is frozen: limits and signals are for all that a cgroup has.
 * On version 2, the controllers that the limits need are enabled along the path, and
 * cpu, memory and pids also for their figures where that is possible.
 * On failure a cgroup made by this call is removed again.
 *
 * Return: 0 or a negative errno value.
 */
int sbx_cgroup_create(const char *path, const struct sbx_cgroup_limits *limits, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * sbx_cgroup_apply() - change limits of an existing cgroup
 *
 * Return: 0 or a negative errno value; what was set before the failure stays set.
 */
int sbx_cgroup_apply(const char *path, const struct sbx_cgroup_limits *limits, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * sbx_cgroup_cpu_max() - the CPU time that a cgroup of version 2 has now
 * @out_quota:  microseconds per period, or SBX_CG_UNLIMITED
 * @out_period: microseconds
 *
 * Return: 0; -ENOENT without such a file (version 1); -EPROTO; -errno.
 */
int sbx_cgroup_cpu_max(const char *path, int64_t *out_quota, uint64_t *out_period)
	__attribute__((warn_unused_result));

/** sbx_cgroup_exists() - in the first hierarchy that is looked at */
bool sbx_cgroup_exists(const char *path);

/** sbx_cgroup_holds() - is a process in the cgroup, or below it? By the first hierarchy */
bool sbx_cgroup_holds(const char *path, pid_t pid);

/**
 * sbx_cgroup_attach() - move a process into the cgroup, in every hierarchy
 * @pid: process id, 0 for the caller
 *
 * Return: 0 or a negative errno value.
 */
int sbx_cgroup_attach(const char *path, pid_t pid, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * sbx_cgroup_fork() - a child process that is in the cgroup from its first instruction
 * @flags:      CLONE_NEW* that fit into an int
 * @path:       the cgroup, or NULL for the caller's
 * @out_inside: false: the child isn't there, sbx_cgroup_attach() may or may not get it in
 *
 * To move a process, the kernel waits until every CPU has been through its scheduler (5 to 20 ms);
 * a process that is born there waits for nothing. That takes Linux 5.7 and version 2 alone.
 * The caller has one thread.
 *
 * Return: as fork(), but a negative errno value on failure.
 */
pid_t sbx_cgroup_fork(int flags, const char *path, bool *out_inside)
	__attribute__((warn_unused_result));

/**
 * sbx_cgroup_kill() - SIGKILL for every process in the cgroup and below, but never the caller
 *
 * A cgroup that doesn't exist is a success. Does not wait for the processes to end.
 *
 * Return: 0 or a negative errno value.
 */
int sbx_cgroup_kill(const char *path, struct vr_err *err) __attribute__((warn_unused_result));

/**
 * sbx_cgroup_remove() - remove the cgroup with those below it, in every hierarchy
 * @timeout_ms: how long to retry while processes that are ending still hold it
 *
 * A cgroup that doesn't exist is a success. Parents stay.
 *
 * Return: 0, -EBUSY when processes are left, or a negative errno value.
 */
int sbx_cgroup_remove(const char *path, unsigned timeout_ms, struct vr_err *err)
	__attribute__((warn_unused_result));

/** sbx_cgroup_weight() - version 1 cpu shares (2..262144) on version 2's scale (1..10000) */
uint64_t sbx_cgroup_weight(uint64_t shares);

#endif /* SANDBOX_CGROUP_H */
