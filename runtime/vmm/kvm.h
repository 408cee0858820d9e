/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm.h - KVM's ioctls as functions
 *
 * Thin wrappers: each does one ioctl, repeats it when a signal interrupted it
 * (but for kvm_run()), and returns -errno. No policy but kvm_check().
 * Structures are the kernel's own (linux/kvm.h).
 *
 * Threads: as KVM: vcpu functions by the thread that runs the vCPU, or before it runs.
 * Uses: base. Used by: vm, vcpu, kvm_probe.
 */
#ifndef VMM_KVM_H
#define VMM_KVM_H

#include <stddef.h>
#include <stdint.h>

#include <linux/kvm.h>

/* /dev/kvm. */

/**
 * kvm_check() - is this a KVM we can use?
 * @out_why: untouched on success, else a static sentence naming what is missing
 *
 * Return: 0, -ENOTTY when @kvm_fd isn't KVM, -EPROTO for another API version,
 * -EOPNOTSUPP when a capability is missing.
 */
int kvm_check(int kvm_fd, const char **out_why) __attribute__((warn_unused_result));

/** kvm_has() - KVM_CHECK_EXTENSION. Return: the value, 0 when unknown or failing */
int kvm_has(int fd, unsigned cap);
/** kvm_create_vm() - Return: VM fd (close-on-exec) or -errno */
int kvm_create_vm(int kvm_fd) __attribute__((warn_unused_result));
/** kvm_run_bytes() - size of the area shared with each vCPU. Return: bytes or -errno */
int kvm_run_bytes(int kvm_fd) __attribute__((warn_unused_result));
/** kvm_get_supported_cpuid() - @c->nent is the capacity on entry, the count on success */
int kvm_get_supported_cpuid(int kvm_fd, struct kvm_cpuid2 *c) __attribute__((warn_unused_result));

/* A VM. */

int kvm_set_tss_addr(int vm_fd, uint64_t addr) __attribute__((warn_unused_result));
int kvm_set_identity_map_addr(int vm_fd, uint64_t addr) __attribute__((warn_unused_result));
int kvm_create_irqchip(int vm_fd) __attribute__((warn_unused_result));
/** kvm_disable_pmu() - no performance counters in the guest. Return: 0 or -errno (older kernels) */
int kvm_disable_pmu(int vm_fd);
/** kvm_set_memory() - @host backs [@gpa, @gpa + @size); size 0 removes the slot */
int kvm_set_memory(int vm_fd, uint32_t slot, uint64_t guest_addr, uint64_t size, void *host)
	__attribute__((warn_unused_result));
/** kvm_create_vcpu() - @id is the APIC id. Return: vCPU fd (close-on-exec) or -errno */
int kvm_create_vcpu(int vm_fd, unsigned id) __attribute__((warn_unused_result));

/* A vCPU. */

int kvm_set_cpuid(int vcpu_fd, const struct kvm_cpuid2 *c) __attribute__((warn_unused_result));
/** kvm_set_msrs() - Return: 0, -EIO when KVM refused one of them, or -errno */
int kvm_set_msrs(int vcpu_fd, const struct kvm_msrs *msrs) __attribute__((warn_unused_result));
int kvm_get_regs(int vcpu_fd, struct kvm_regs *r) __attribute__((warn_unused_result));
int kvm_set_regs(int vcpu_fd, const struct kvm_regs *r) __attribute__((warn_unused_result));
/** kvm_get_stats_fd() - Return: a file descriptor (owned by the caller), -ENOTTY before Linux 5.14 */
int kvm_get_stats_fd(int vcpu_fd) __attribute__((warn_unused_result));
int kvm_get_sregs(int vcpu_fd, struct kvm_sregs *s) __attribute__((warn_unused_result));
int kvm_set_sregs(int vcpu_fd, const struct kvm_sregs *s) __attribute__((warn_unused_result));
int kvm_set_fpu(int vcpu_fd, const struct kvm_fpu *f) __attribute__((warn_unused_result));
int kvm_get_lapic(int vcpu_fd, struct kvm_lapic_state *l) __attribute__((warn_unused_result));
int kvm_set_lapic(int vcpu_fd, const struct kvm_lapic_state *l) __attribute__((warn_unused_result));

/**
 * kvm_run() - enter the guest
 *
 * Return: 0 with the exit in the shared area, -EINTR when a signal or
 * immediate_exit ended it, or another -errno.
 * Syscalls: ioctl (role vcpu)
 */
int kvm_run(int vcpu_fd) __attribute__((warn_unused_result));

#endif /* VMM_KVM_H */
