/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mptable.h - processors and interrupt wiring, for a kernel without ACPI
 *
 * ABI: Intel MultiProcessor Specification 1.4, chapter 4. One processor entry
 * a vCPU (APIC ids 0..n-1, the first is the boot processor), one ISA bus, one
 * IOAPIC whose pins carry the ISA interrupts of the same number (edge, active
 * high: what an irqfd without resampling delivers), ExtINT on LINT0 and NMI on
 * LINT1 of every processor.
 *
 * The pointer structure and the table lie where memlayout.h says.
 *
 * Uses: base, vmm/gmem, vmm/memlayout.h.
 */
#ifndef PVH_MPTABLE_H
#define PVH_MPTABLE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/gmem.h"

/* APIC ids are a byte: 0xff is broadcast and one id is the IOAPIC's. */
#define MPTABLE_MAX_CPUS     254u
#define MPTABLE_POINTER_SIZE 16u

/**
 * mptable_build() - the configuration table ("PCMP")
 * @n_cpus:  1..MPTABLE_MAX_CPUS
 * @out:     buffer of @cap bytes
 * @out_len: length of the table
 *
 * Return: 0, -EINVAL for a bad number of CPUs, -E2BIG when @cap is too small.
 */
int mptable_build(unsigned n_cpus, uint8_t *out, size_t cap, size_t *out_len)
	__attribute__((warn_unused_result));

/** mptable_pointer() - the pointer structure ("_MP_") to a table at @table */
void mptable_pointer(uint32_t table, uint8_t out[MPTABLE_POINTER_SIZE]);

/** mptable_write() - put both into guest RAM. Return: 0, -EINVAL, or -EFAULT without RAM there */
int mptable_write(const struct gmem *m, unsigned n_cpus) __attribute__((warn_unused_result));

#endif /* PVH_MPTABLE_H */
