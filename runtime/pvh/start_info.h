/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start_info.h - the PVH boot structures
 *
 * ABI: xen/include/public/arch-x86/hvm/start_info.h, version 1. Linux copies 56
 * bytes from the address in EBX, refuses (BUG) version 0 or an empty memory
 * map, and uses the first word of the structure as a stack slot: it must be in
 * writable RAM. All structures must be below 1 GiB.
 *
 * Trust:   everything here is ours; nothing is read back from the guest.
 * Threads: before the vCPUs start.
 * Uses: base, vmm/gmem, vmm/memlayout.h.
 */
#ifndef PVH_START_INFO_H
#define PVH_START_INFO_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/gmem.h"
#include "vmm/memlayout.h"

#define HVM_START_MAGIC	  0x336ec578u
#define HVM_START_VERSION 1u

/** struct hvm_start_info - what EBX points at, version 1 */
struct hvm_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist_paddr;
	uint64_t cmdline_paddr;
	uint64_t rsdp_paddr; /* 0: no ACPI */
	uint64_t memmap_paddr;
	uint32_t memmap_entries;
	uint32_t reserved;
};

/** struct hvm_modlist_entry - a module; the first one is the initramfs */
struct hvm_modlist_entry {
	uint64_t paddr;
	uint64_t size;
	uint64_t cmdline_paddr;
	uint64_t reserved;
};

enum hvm_memmap_type {
	HVM_MEMMAP_RAM = 1,
	HVM_MEMMAP_RESERVED = 2,
};

/** struct hvm_memmap_entry - a run of guest-physical memory; @type is enum hvm_memmap_type */
struct hvm_memmap_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

_Static_assert(sizeof(struct hvm_start_info) == 56, "start_info version 1");
_Static_assert(offsetof(struct hvm_start_info, rsdp_paddr) == 32, "start_info version 0 part");
_Static_assert(offsetof(struct hvm_start_info, memmap_entries) == 48, "start_info version 1 part");
_Static_assert(sizeof(struct hvm_modlist_entry) == 32, "module list entry");
_Static_assert(sizeof(struct hvm_memmap_entry) == 24, "memory map entry");
_Static_assert(offsetof(struct hvm_memmap_entry, type) == 16, "memory map entry");
_Static_assert(ML_START_INFO + sizeof(struct hvm_start_info) <= ML_MODLIST, "start_info fits");
_Static_assert(ML_MODLIST + sizeof(struct hvm_modlist_entry) <= ML_MEMMAP, "module list fits");

/**
 * start_info_memmap() - the memory map for a size of RAM
 * @ram_bytes: as given to gmem_map()
 * @out:       filled from the lowest address up, without overlaps
 *
 * RAM below ML_MPTABLE, the MP table as reserved, RAM from 1 MiB to the end of
 * low RAM, and RAM above 4 GiB if there is any.
 *
 * Return: number of entries.
 */
unsigned start_info_memmap(uint64_t ram_bytes, struct hvm_memmap_entry out[ML_MEMMAP_MAX]);

/**
 * start_info_write() - put start_info, module list, memory map and command line into guest RAM
 * @cmdline:         at most ML_CMDLINE_MAX - 1 characters
 * @initramfs:       page-aligned address below 4 GiB; ignored when @initramfs_bytes is 0
 * @initramfs_bytes: 0 for no module
 *
 * Return: 0, -E2BIG for a command line that is too long, -EINVAL for an
 * initramfs outside low RAM, -EFAULT if guest RAM is smaller than ML_RAM_MIN.
 */
int start_info_write(const struct gmem *m, const char *cmdline, uint64_t initramfs,
		     uint64_t initramfs_bytes) __attribute__((warn_unused_result));

#endif /* PVH_START_INFO_H */
