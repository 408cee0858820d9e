/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_internal.h - tables of the sections of config.json, for spec.c
 */
#ifndef OCI_SPEC_INTERNAL_H
#define OCI_SPEC_INTERNAL_H

#include "oci/schema.h"
#include "oci/spec.h"

extern const struct oci_type oci_process_type;
extern const struct oci_type oci_mount_type;
extern const struct oci_type oci_idmap_type;
extern const struct oci_type oci_resources_type;
extern const struct oci_type oci_linux_type;
extern const struct oci_type oci_seccomp_type;
extern const struct oci_type oci_hooks_type;
extern const struct oci_type oci_vm_type;
extern const struct oci_type oci_spec_type;

/** oci_propagation_names - "private", "rslave", ... to MS_* */
extern const struct oci_name oci_propagation_names[];

#endif /* OCI_SPEC_INTERNAL_H */
