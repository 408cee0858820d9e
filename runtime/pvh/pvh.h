/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pvh.h - put a kernel, its initramfs and the boot structures into guest RAM
 *
 * PVH as Xen defined it and Linux implements it: the ELF note of the kernel
 * names a 32-bit entry, EBX points at struct hvm_start_info (version 1).
 *
 * Trust: the kernel file is treated as hostile (an operator may name any file),
 *        everything else comes from the caller.
 * Uses: base, vmm/gmem, vmm/memlayout.
 */
#ifndef PVH_PVH_H
#define PVH_PVH_H

#include <stdint.h>

#include "base/err.h"
#include "vmm/gmem.h"

/**
 * struct pvh_boot - what to boot
 * @kernel_fd:    vmlinux ELF, read with pread
 * @initramfs_fd: newc archive, or -1
 * @cmdline:      the whole command line
 * @n_vcpus:      processors for the MP table, APIC ids 0..n-1
 */
struct pvh_boot {
	int kernel_fd;
	int initramfs_fd;
	const char *cmdline;
	unsigned n_vcpus;
};

/**
 * pvh_load() - fill guest RAM
 * @out_entry: guest-physical address of the 32-bit entry point
 *
 * Return: 0, or -errno with @err naming what was wrong with which file.
 */
int pvh_load(const struct gmem *m, const struct pvh_boot *b, uint64_t *out_entry,
	     struct vr_err *err) __attribute__((warn_unused_result));

#endif /* PVH_PVH_H */
