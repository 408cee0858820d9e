/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_path.h - where a container's cgroup lies
 */
#ifndef VOLT_CGROUP_PATH_H
#define VOLT_CGROUP_PATH_H

#include <stdbool.h>

#include "base/err.h"
#include "sandbox/cgroup.h"

/**
 * cgroup_path_from_spec() - config.json's cgroupsPath as a path of the hierarchy
 * @path:    the value, or NULL
 * @systemd: it has the form "slice:prefix:name", as with --systemd-cgroup; this becomes
 *           the path systemd would use, SLICE/PREFIX-NAME.scope
 *
 * Return: 0, or a negative errno value with @err.
 */
int cgroup_path_from_spec(const char *path, const char *id, bool systemd,
			  char out[SBX_CGROUP_PATH_MAX], struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_CGROUP_PATH_H */
