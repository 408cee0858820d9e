/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vcpu_x86.h - what a virtual x86 processor is when it starts
 *
 * CPUID: what KVM supports, minus what this VM doesn't offer (nested
 * virtualisation, MONITOR, performance counters, SGX, processor trace), plus
 * the TSC deadline timer and an always running APIC timer (without both Linux
 * calibrates the timer with a PIT that doesn't exist), plus a topology of one
 * socket with a core for each vCPU.
 *
 * State: the boot processor enters at the PVH entry point; the others wait for
 * INIT and SIPI, which the in-kernel irqchip handles.
 *
 * Trust:   KVM's answers are trusted, but bounded.
 * Threads: before the vCPU runs.
 * Uses: vmm/kvm. Used by: vcpu.
 */
#ifndef VMM_VCPU_X86_H
#define VMM_VCPU_X86_H

#include <stdint.h>

#include <linux/kvm.h>

#define X86_CPUID_MAX 256u

/** struct x86_cpuid - struct kvm_cpuid2 with room; @nent used entries */
struct x86_cpuid {
	uint32_t nent;
	uint32_t padding;
	struct kvm_cpuid_entry2 entries[X86_CPUID_MAX];
};

/**
 * vcpu_x86_cpuid_host() - the CPUID all vCPUs have in common
 * @out: filtered, without topology
 *
 * Return: 0 or -errno (-E2BIG: more entries than we have room for).
 */
int vcpu_x86_cpuid_host(int kvm_fd, struct x86_cpuid *out) __attribute__((warn_unused_result));

/** vcpu_x86_cpuid_filter() - remove and add features as described above; part of the former */
void vcpu_x86_cpuid_filter(struct x86_cpuid *c);

/**
 * vcpu_x86_cpuid_topology() - fill in which processor this is
 * @c:     filtered CPUID
 * @index: 0..@n-1, also the APIC id
 * @n:     number of vCPUs
 *
 * Return: 0, or -E2BIG without room for the topology leaves.
 */
int vcpu_x86_cpuid_topology(struct x86_cpuid *c, unsigned index, unsigned n)
	__attribute__((warn_unused_result));

/** vcpu_x86_setup() - CPUID, MSRs, FPU and local APIC of a new vCPU. Return: 0 or -errno */
int vcpu_x86_setup(int vcpu_fd, const struct x86_cpuid *c) __attribute__((warn_unused_result));

/**
 * vcpu_x86_set_entry() - PVH entry state of the boot processor
 * @entry: 32-bit physical address
 *
 * 32-bit protected mode without paging, flat segments, EBX = ML_START_INFO.
 *
 * Return: 0, -EINVAL for an entry above 4 GiB, or -errno.
 */
int vcpu_x86_set_entry(int vcpu_fd, uint64_t entry) __attribute__((warn_unused_result));

/** vcpu_x86_flat() - the segment and control registers of that state, from a new vCPU's @s */
void vcpu_x86_flat(struct kvm_sregs *s);

#endif /* VMM_VCPU_X86_H */
