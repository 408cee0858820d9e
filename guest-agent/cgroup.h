/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup.h - the container's cgroup v2 in the guest
 *
 * One leaf below the root cgroup holds the container; the agent stays in the root cgroup. Exact
 * limits live here, so that an out-of-memory kill hits the container and not its machine. Members
 * have leaves of their own (self.h).
 *
 * Trust: values are config.json's; files in the leaf can be changed by a container with its own
 *        cgroup namespace, so what is read back is only reported, never acted on.
 */
#ifndef AGENT_CGROUP_H
#define AGENT_CGROUP_H

#include <stdbool.h>

#include "base/agent_proto.h"
#include "fail.h"

/** struct cgroup - @dir: the leaf's directory, -1 without cgroups (then all calls do nothing) */
struct cgroup {
	int dir;
};

/** cgroup_enable() - (boot) hand the controllers to the root's children */
void cgroup_enable(void);
/** cgroup_create() - make the leaf and set its limits */
int cgroup_create(struct cgroup *cg, const struct ap_container *c, struct fail *f)
	__attribute__((warn_unused_result));
/** cgroup_update() - change the limits that @r mentions */
int cgroup_update(const struct cgroup *cg, const struct ap_resources *r, struct fail *f)
	__attribute__((warn_unused_result));
/** cgroup_freeze() - stop or go; waits up to a second for the kernel to say so */
int cgroup_freeze(const struct cgroup *cg, bool freeze, struct fail *f)
	__attribute__((warn_unused_result));
/**
 * cgroup_wait_empty() - wait until no process is left in it; zombies don't count
 * Return: 0, -ETIMEDOUT after @ms milliseconds (0: looks once), or -errno
 */
int cgroup_wait_empty(const struct cgroup *cg, unsigned ms);
/**
 * cgroup_clear() - kill what is in the leaf of member @number, and remove it
 *
 * Doesn't wait. Return: 0 (it may never have been), or -errno when some of it is still there
 */
int cgroup_clear(uint32_t number);
/** cgroup_is_ours() - is @text, of a process's /proc/PID/cgroup, in our container's leaf? */
bool cgroup_is_ours(const char *text);
/** cgroup_kill() - SIGKILL everything in it. Return: 0, or -errno */
int cgroup_kill(const struct cgroup *cg);
/** cgroup_signal() - @signo to every process in it. Return: number of processes, or -errno */
int cgroup_signal(const struct cgroup *cg, int signo);
/** cgroup_oom_kills() - how many of its processes the out-of-memory killer took */
uint64_t cgroup_oom_kills(const struct cgroup *cg);
/** cgroup_key() - number after "@key " in the text of a flat-keyed file; AP_STAT_NONE without */
uint64_t cgroup_key(const char *text, const char *key);
/** cgroup_stats() - all figures; @raw (at least 8 KiB) will hold memory.stat */
void cgroup_stats(const struct cgroup *cg, struct ap_stats *out, char *raw, size_t cap);

#endif /* AGENT_CGROUP_H */
