/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope.h - a container's cgroup as a systemd scope
 *
 * With --systemd-cgroup the cgroup tree belongs to systemd: it is asked to make a transient
 * scope unit with our processes in it (Delegate=yes), to change its limits, and to stop it.
 * What systemd has no property for is written to the files afterwards (sandbox/cgroup.h).
 *
 * Root talks to the system's manager, anybody else to their own.
 *
 * Uses: base, oci, sandbox/cgroup.h, sdbus. Used by: host_cgroup.
 */
#ifndef VOLT_SCOPE_H
#define VOLT_SCOPE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "oci/types.h"
#include "sandbox/cgroup.h"

/** SCOPE_NAME_MAX - unit names are shorter than this (systemd's UNIT_NAME_MAX) */
#define SCOPE_NAME_MAX 256u

/**
 * struct scope - a unit to be
 * @name:        "libpod-ID.scope"
 * @slice:       "machine.slice"; the root slice is "-.slice"
 * @description: for people
 * @pids, @n:    the processes to put into it; at least one
 * @limits:      may be NULL
 * @annotations: the container's; org.systemd.property.NAME is a property for the unit
 */
struct scope {
	const char *name;
	const char *slice;
	const char *description;
	const pid_t *pids;
	size_t n_pids;
	const struct sbx_cgroup_limits *limits;
	const struct oci_kvs *annotations;
};

/** scope_probe() - does systemd answer? Return: 0 or a negative errno value with @err */
int scope_probe(const char *address, struct vr_err *err) __attribute__((warn_unused_result));

/**
 * scope_start() - make the unit and wait until its processes are in it
 * @address:  D-Bus address of a systemd, or NULL for the one that is in charge
 * @out_path: the cgroup that systemd chose
 *
 * A unit of this name that has failed is forgotten first.
 *
 * Return: 0 or a negative errno value with @err.
 */
int scope_start(const struct scope *s, const char *address, char out_path[SBX_CGROUP_PATH_MAX],
		struct vr_err *err) __attribute__((warn_unused_result));

/** scope_set() - change the limits that are set in @limits. Return: as scope_start() */
int scope_set(const char *name, const char *address, const struct sbx_cgroup_limits *limits,
	      struct vr_err *err) __attribute__((warn_unused_result));

/**
 * scope_stop() - end the unit and forget it
 *
 * One that doesn't exist is a success.
 *
 * Return: 0 or a negative errno value with @err.
 */
int scope_stop(const char *name, const char *address, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_SCOPE_H */
