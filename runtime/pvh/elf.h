/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf.h - validate a kernel image and load it
 *
 * Two steps: elf_parse() turns the file into a small checked plan without
 * touching the guest, elf_load() carries the plan out.
 *
 * Trust:   the file is hostile: any operator-named file comes through here.
 *          Each header is read once into our memory. If the file changes
 *          between the steps only the bytes in the segments change.
 * Threads: before the vCPUs start.
 * Uses: base, vmm/gmem, vmm/memlayout.h.
 */
#ifndef PVH_ELF_H
#define PVH_ELF_H

#include <stdint.h>

#include "base/err.h"
#include "vmm/gmem.h"

#define ELF_MAX_PHDRS	 32u
#define ELF_MAX_SEGMENTS 16u
#define ELF_MAX_NOTES	 (64u * 1024u) /* bytes of a note segment */

/** struct elf_segment - @file_bytes from @file_off go to @paddr, zeros up to @mem_bytes */
struct elf_segment {
	uint64_t file_off;
	uint64_t file_bytes;
	uint64_t mem_bytes;
	uint64_t paddr;
};

/**
 * struct elf_plan - what a valid kernel image asks for
 * @n:     segments, 1..ELF_MAX_SEGMENTS
 * @entry: 32-bit PVH entry point, inside the file bytes of a segment
 * @end:   first address after the highest segment
 */
struct elf_plan {
	unsigned n;
	struct elf_segment seg[ELF_MAX_SEGMENTS];
	uint64_t entry;
	uint64_t end;
};

/**
 * elf_parse() - check a kernel image
 * @fd:  a regular file, readable
 * @out: the plan; untouched on failure
 *
 * Accepted is a 64-bit little-endian x86-64 executable whose segments lie in
 * RAM above 1 MiB without overlapping, and that has the Xen note PHYS32_ENTRY
 * (type 18, a 4- or 8-byte value).
 *
 * Return: 0, -ENOEXEC for a file that isn't such a kernel, -ENOMEM when guest
 * RAM is too small for it, or -errno of reading; @err says what was wrong.
 */
int elf_parse(const struct gmem *m, int fd, struct elf_plan *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * elf_load() - copy the segments of a plan into guest RAM and clear their tails
 *
 * Return: 0, -ENOEXEC when the file became shorter, or -errno of reading.
 */
int elf_load(const struct gmem *m, int fd, const struct elf_plan *plan, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * elf_read_guest() - read a piece of a file into guest RAM
 *
 * Return: 0, -EFAULT outside RAM, -ENODATA when the file ends early, or -errno.
 */
int elf_read_guest(const struct gmem *m, int fd, uint64_t file_off, uint64_t paddr, uint64_t len)
	__attribute__((warn_unused_result));

#endif /* PVH_ELF_H */
