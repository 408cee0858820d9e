/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm_probe.h - can this KVM run a guest kernel?
 *
 * That /dev/kvm opens and makes VMs doesn't say so. A software KVM may emulate
 * kernel mode instruction by instruction: about a million a second, and
 * without SSE. Linux never gets to its first process there. So the probe runs
 * kernel-mode code in a throw-away VM: SSE instructions, then a short loop,
 * and looks at the exit and at the processor time it took.
 *
 * Uses: vmm/kvm. Used by: doctor, launch.
 */
#ifndef VMM_KVM_PROBE_H
#define VMM_KVM_PROBE_H

#include <stddef.h>

/**
 * kvm_probe_guest_kernel() - run the probe
 * @kvm_fd: /dev/kvm, borrowed
 * @why:    buffer of @n bytes for a sentence; untouched on success
 *
 * Takes about a millisecond where it succeeds and under a second where the
 * guest is emulated; a signal whose handler is installed ends it early.
 *
 * Return: 0, -EOPNOTSUPP when guest kernels don't run here, -EINTR, or -errno
 * of what failed while preparing; @why is set for all.
 */
int kvm_probe_guest_kernel(int kvm_fd, char *why, size_t n) __attribute__((warn_unused_result));

#endif /* VMM_KVM_PROBE_H */
