/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container.h - what verbs do with a container that exists
 *
 * Uses: base, oci/state, control, sandbox/cgroup. Used by: cmd_*.
 */
#ifndef VOLT_CONTAINER_H
#define VOLT_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/agent_proto.h"
#include "base/err.h"
#include "globals.h"
#include "oci/state.h"

/** struct container - an open container; container_close() takes a zeroed or half-open one */
struct container {
	int root_fd;
	struct oci_container dir;
	struct oci_state state;
	bool have_state;
};

#define CONTAINER_INIT                                                                             \
	{                                                                                          \
		.root_fd = -1, .dir = OCI_CONTAINER_INIT                                           \
	}

/**
 * container_open() - find it and read its state
 * @lock: exclude other commands until container_close(), waiting for them
 *
 * Return: 0; -ENOENT ("container does not exist"); -ENODATA when its state file is missing
 * (then the directory is open: container_destroy() works); or another negative errno value.
 */
int container_open(const struct globals *g, const char *id, bool lock, struct container *out,
		   struct vr_err *err) __attribute__((warn_unused_result));
void container_close(struct container *c);

/**
 * container_status() - the status now, as the vmm knows it if there is one
 *
 * The state file says what was last noted; a command that was killed between its effect and
 * its note leaves it behind.
 */
enum oci_status container_status(const struct container *c);

/**
 * container_noted() - the status as it was noted, but for "paused"
 *
 * For what an earlier status does no harm to. A resume that was killed before its note would keep
 * exec and start out for ever: there the vmm is asked.
 */
enum oci_status container_noted(const struct container *c);

/** container_reason() - why it ended, if that was not the workload; malloc'd, or NULL */
char *container_reason(const struct container *c);

/** container_start() - run the prepared process; hold the lock */
int container_start(struct container *c, struct vr_err *err) __attribute__((warn_unused_result));

/** container_kill() - @signo to its init, or with @all to every process */
int container_kill(struct container *c, uint32_t signo, bool all, struct vr_err *err)
	__attribute__((warn_unused_result));

/** container_pause() - stop its vCPUs; hold the lock */
int container_pause(struct container *c, struct vr_err *err) __attribute__((warn_unused_result));

/** container_resume() - let them go on; hold the lock */
int container_resume(struct container *c, struct vr_err *err) __attribute__((warn_unused_result));

/**
 * container_pids() - processes of the host that stand for its processes: shims
 * @out_pids: malloc'd, init's first
 * @out_n:    how many
 */
int container_pids(const struct container *c, pid_t **out_pids, size_t *out_n, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * container_stats() - the guest's figures
 * @out_memory: what @out points to, to be freed
 */
int container_stats(const struct container *c, struct ap_stats *out, void **out_memory,
		    struct vr_err *err) __attribute__((warn_unused_result));

/** container_update() - change limits in the guest */
int container_update(const struct container *c, const struct ap_resources *res, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * container_destroy() - end its processes, remove its cgroup and its directory; hold the lock
 *
 * Works for every state, also for what a killed create or delete left. Waits for
 * the processes, so that afterwards nothing is left.
 */
int container_destroy(struct container *c, struct vr_err *err) __attribute__((warn_unused_result));

/** container_delete() - `delete ID`; without @force a running container is refused */
int container_delete(const struct globals *g, const char *id, bool force, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_CONTAINER_H */
