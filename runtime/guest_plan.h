/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_plan.h - compile config.json into what the guest agent gets
 *
 * The agent has no JSON parser and no libraries: everything is turned into
 * plain values here. Bind mounts become numbered shares of the file server;
 * file systems that only make sense on the machine they describe (proc, sysfs,
 * cgroup, device nodes) are the guest's own even when the caller binds the host's.
 *
 * Uses: base, oci, sandbox/tree.h. Used by: launch, exec.
 */
#ifndef VOLT_GUEST_PLAN_H
#define VOLT_GUEST_PLAN_H

#include "base/agent_proto.h"
#include "oci/spec.h"
#include "roles.h"
#include "sandbox/tree.h"

/** struct guest_bind - where a share is mounted, for the shim's view of the container */
struct guest_bind {
	const char *dest;
	size_t share; /* index in shares */
	const struct oci_mount *mount;
};

/** struct guest_disk - block device of the host; its index is the number in its serial */
struct guest_disk {
	const struct oci_device *dev;
	bool ro;
};

/**
 * struct guest_plan - the result; strings are borrowed from the spec or kept in @texts
 * @container: heap, about 80 KiB
 * @shares:    sources of binds, in the order of their N in mounts/N; path only, fd is -1
 */
struct guest_plan {
	struct guest_disk disks[VMM_DISKS_MAX];
	unsigned n_disks;
	struct ap_container *container;
	struct sbx_share *shares;
	struct guest_bind *binds;
	size_t n_shares;
	char **texts;
	size_t n_texts;
	uint8_t *seccomp;
};

/**
 * guest_plan_build() - compile a container
 *
 * Return: 0, or a negative errno value with @err; @out is to be finished in any case.
 */
int guest_plan_build(const struct oci_spec *spec, struct guest_plan *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * guest_plan_process() - compile one process (init's or an exec's)
 *
 * Return: 0, or -E2BIG with @err. Strings stay the spec's.
 */
int guest_plan_process(const struct oci_process *proc, struct ap_process *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/** guest_plan_resources() - limits as cgroup v2 of the guest knows them; @res may be NULL */
void guest_plan_resources(const struct oci_resources *res, struct ap_resources *out);

void guest_plan_finish(struct guest_plan *plan);

#endif /* VOLT_GUEST_PLAN_H */
