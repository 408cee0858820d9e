/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec_process.h - which process an `exec` means
 *
 * Either a process file says all of it, or the options change the process of
 * the container's own configuration, as with other runtimes.
 *
 * Uses: base, oci, guest_plan. Used by: exec.
 */
#ifndef VOLT_EXEC_PROCESS_H
#define VOLT_EXEC_PROCESS_H

#include <stddef.h>

#include "base/agent_proto.h"
#include "base/err.h"
#include "exec.h"
#include "oci/spec.h"

/**
 * struct exec_process - a process ready for the agent
 * @spec:    the container's configuration
 * @file:    the process file, or NULL
 * @plan:    what the agent gets; strings are borrowed from @spec, @file and the options
 * @seccomp: what @plan points to
 */
struct exec_process {
	struct oci_spec *spec;
	struct oci_process_file *file;
	struct ap_process plan;
	char *apparmor; /* profile of its shim, or NULL; a copy: arguments become the title */
	uint8_t *seccomp;
};

/**
 * exec_process_load() - find out, check and compile
 * @dirfd: the container's state directory, which has its configuration
 * @out:   to be finished in any case
 *
 * Return: 0, or a negative errno value with @err.
 */
int exec_process_load(int dirfd, const struct exec_opts *o, struct exec_process *out,
		      struct vr_err *err) __attribute__((warn_unused_result));

/** exec_process_affinity() - execCPUAffinity as masks of virtual CPUs. Return: 0 or -EINVAL */
int exec_process_affinity(const struct oci_process *proc, struct ap_process *out,
			  struct vr_err *err) __attribute__((warn_unused_result));

void exec_process_finish(struct exec_process *p);

/** exec_process_merge() - the options' part: change @proc, whose arrays grow in the memory of @doc */
int exec_process_merge(struct oci_process *proc, struct json_doc *doc, const struct exec_opts *o,
		       struct vr_err *err) __attribute__((warn_unused_result));

#endif /* VOLT_EXEC_PROCESS_H */
