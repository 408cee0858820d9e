/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.h - tables of the names that config.json, the command line and `features` use
 *
 * Uses: schema. Used by: spec_*, features, cmd_exec (capabilities), cmd_kill (signals).
 */
#ifndef OCI_NAMES_H
#define OCI_NAMES_H

#include <stddef.h>

#include "oci/schema.h"

extern const struct oci_name oci_cap_names[];	      /* CAP_CHOWN ..., in the order of numbers */
extern const struct oci_name oci_rlimit_names[];      /* RLIMIT_* */
extern const struct oci_name oci_namespace_names[];   /* to enum oci_ns_type */
extern const struct oci_name oci_sched_names[];	      /* SCHED_OTHER ... */
extern const struct oci_name oci_sched_flag_names[];  /* SCHED_FLAG_* */
extern const struct oci_name oci_ioprio_names[];      /* IOPRIO_CLASS_* */
extern const struct oci_name oci_action_names[];      /* SCMP_ACT_* to enum oci_seccomp_action */
extern const struct oci_name oci_op_names[];	      /* SCMP_CMP_* to enum oci_seccomp_op */
extern const struct oci_name oci_arch_names[];	      /* SCMP_ARCH_*, value: position */
extern const struct oci_name oci_filter_flag_names[]; /* SECCOMP_FILTER_FLAG_* */
extern const struct oci_name oci_personality_names[]; /* LINUX, LINUX32 */
extern const struct oci_name oci_mpol_names[];	      /* MPOL_* modes */
extern const struct oci_name oci_mpol_flag_names[];   /* MPOL_F_* */
extern const struct oci_name oci_hook_names[];	      /* prestart ... in the order they run */

/**
 * oci_cap_find() - capability number of a name
 * @name: "CAP_CHOWN", "cap_chown" or "chown"
 *
 * Return: the number, or -1.
 */
int oci_cap_find(const char *name);

/**
 * oci_signal_find() - signal number of what people write after `kill`
 * @name: "15", "TERM", "SIGTERM", "sigterm", "RTMIN+3", "SIGRTMAX-1"; "0" probes
 *
 * Return: 0..64, or -1.
 */
int oci_signal_find(const char *name);

#endif /* OCI_NAMES_H */
