/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_files.h - limits of config.json that are lines of cgroup files
 *
 * blockIO names disks of the host, where the file server reads and writes them: it holds there.
 * Of "unified", what is about CPUs and disks holds on the host, what is about memory and
 * processes in the guest (the host's would count the machine, not the container), and CPU time in both.
 *
 * Uses: base, oci, sandbox/cgroup.h. Used by: host_cgroup, update, guest_plan.
 */
#ifndef VOLT_CGROUP_FILES_H
#define VOLT_CGROUP_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/spec.h"
#include "sandbox/cgroup.h"

#define CGROUP_FILES_MAX 256u
#define CGROUP_TEXTS_MAX (2 * CGROUP_FILES_MAX)

/** struct cgroup_files - values are owned, or borrowed from the configuration */
struct cgroup_files {
	struct sbx_cgroup_file v[CGROUP_FILES_MAX];
	size_t n;
	char *texts[CGROUP_TEXTS_MAX];
	size_t n_texts;
};

/**
 * cgroup_files_host() - what the host's cgroup gets beside struct sbx_cgroup_limits' numbers
 * @res: may be NULL
 * @out: to be finished in any case
 *
 * Return: 0; -ENOTSUP with @err for what no cgroup of version 2 has; -E2BIG; -ENOMEM.
 */
int cgroup_files_host(const struct oci_resources *res, struct cgroup_files *out, struct vr_err *err)
	__attribute__((warn_unused_result));

void cgroup_files_finish(struct cgroup_files *f);

/** cgroup_key_in_guest() - does a key of "unified" hold in the guest? */
bool cgroup_key_in_guest(const char *key);

/** cgroup_io_weight() - blockIO.weight (10..1000) on version 2's scale (1..10000) */
uint64_t cgroup_io_weight(uint32_t weight);

#endif /* VOLT_CGROUP_FILES_H */
