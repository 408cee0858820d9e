/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_cgroup.h - a container's cgroup on the host, whoever manages it
 *
 * The cgroup holds the processes around a VM: its limits are config.json's with what a
 * VM needs beside the container's memory. Either we make it (cgroupfs) or systemd does.
 *
 * Uses: base, oci, sandbox/cgroup.h, scope. Used by: launch, container, update.
 */
#ifndef VOLT_HOST_CGROUP_H
#define VOLT_HOST_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "cgroup_files.h"
#include "oci/spec.h"
#include "sandbox/cgroup.h"

/**
 * struct host_cgroup - to make one
 * @id:     the container
 * @path:   where; systemd may change it
 * @limits: of the processes
 */
struct host_cgroup {
	const char *id;
	bool systemd;
	char path[SBX_CGROUP_PATH_MAX];
	struct sbx_cgroup_limits limits;
	struct cgroup_files files; /* of @limits */
	const struct oci_kvs *annotations;
};

/** host_cgroup_bounds_memory() - do these give the host's cgroup a memory limit? @res may be NULL */
bool host_cgroup_bounds_memory(const struct oci_resources *res);

/**
 * host_cgroup_limits() - fill in @limits
 * @res:       may be NULL; its strings are borrowed
 * @ram_bytes: size of the VM
 * @cg:        to be finished in any case
 *
 * Return: 0 or a negative errno value with @err.
 */
int host_cgroup_limits(const struct oci_resources *res, uint64_t ram_bytes, struct host_cgroup *cg,
		       struct vr_err *err) __attribute__((warn_unused_result));

/** host_cgroup_finish() - free what it owns; the cgroup stays */
void host_cgroup_finish(struct host_cgroup *cg);

/**
 * host_cgroup_prepare() - make it, as far as that is possible without processes
 *
 * Return: 0 or a negative errno value with @err; then nothing is left.
 */
int host_cgroup_prepare(struct host_cgroup *cg, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * host_cgroup_enter() - put processes into it
 *
 * After a failure it has to be removed.
 *
 * Return: 0 or a negative errno value with @err.
 */
int host_cgroup_enter(struct host_cgroup *cg, const pid_t *pids, size_t n, struct vr_err *err)
	__attribute__((warn_unused_result));

/** host_cgroup_set() - change what is set in @limits. Return: 0 or -errno with @err */
int host_cgroup_set(const char *path, bool systemd, const struct sbx_cgroup_limits *limits,
		    struct vr_err *err) __attribute__((warn_unused_result));

/** host_cgroup_remove() - as sbx_cgroup_remove(), and the unit with it */
int host_cgroup_remove(const char *path, bool systemd, unsigned timeout_ms, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_HOST_CGROUP_H */
