/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update.h - change limits of a container that lives
 *
 * What can change: memory, CPU time and processes in the guest's cgroup; CPU
 * time and CPU sets in the host's. The size of the VM can't, so a memory limit
 * may not grow beyond what the VM was made for. Everything else is refused.
 *
 * Uses: base, oci, container, vmsize. Used by: cmd_update.
 */
#ifndef VOLT_UPDATE_H
#define VOLT_UPDATE_H

#include <stdint.h>

#include "base/err.h"
#include "container.h"
#include "oci/spec.h"

/** struct update_opts - limits as options, texts as given or NULL */
struct update_opts {
	const char *memory;
	const char *memory_reservation;
	const char *memory_swap;
	const char *cpu_period;
	const char *cpu_quota;
	const char *cpu_burst;
	const char *cpu_share;
	const char *cpu_idle;
	const char *cpuset_cpus;
	const char *cpuset_mems;
	const char *pids_limit;
	const char *blkio_weight;
};

/** struct update_res - resources with room for their parts */
struct update_res {
	struct oci_resources res;
	struct oci_memory memory;
	struct oci_cpu cpu;
	struct oci_pids pids;
	struct oci_block_io block_io;
};

/** update_from_options() - sizes may end in b, k, m, g or t; -1 is no limit */
int update_from_options(const struct update_opts *o, struct update_res *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * update_check() - drop zeros, which mean "leave it", and refuse what can't change
 * @res:       changed in place
 * @ram_bytes: size of the VM
 */
int update_check(struct oci_resources *res, uint64_t ram_bytes, struct vr_err *err)
	__attribute__((warn_unused_result));

/** update_run() - check, then change guest and host; hold the lock */
int update_run(struct container *c, struct oci_resources *res, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_UPDATE_H */
