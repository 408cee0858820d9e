/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_profile.h - compile config.json's seccomp section for the guest
 *
 * The workload's filter runs in the guest kernel; the guest has no libseccomp,
 * so the host compiles it to BPF. Host and guest have the same architecture.
 *
 * Uses: base, oci, libseccomp.
 */
#ifndef VOLT_SECCOMP_PROFILE_H
#define VOLT_SECCOMP_PROFILE_H

#include <stdint.h>

#include "oci/spec.h"

/**
 * seccomp_profile_compile() - make the filter
 * @out_bpf:    malloc'd struct sock_filter[], owned by the caller
 * @out_n_insn: its number of instructions, at most 4096
 *
 * System calls unknown to libseccomp are left out, as runc does. When the
 * default is not to allow, calls newer than the newest one the profile names
 * get ENOSYS instead of the default, so that programs fall back as they do on
 * an old kernel.
 *
 * Return: 0, or a negative errno value with @err.
 */
int seccomp_profile_compile(const struct oci_seccomp *profile, uint8_t **out_bpf,
			    uint32_t *out_n_insn, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_SECCOMP_PROFILE_H */
