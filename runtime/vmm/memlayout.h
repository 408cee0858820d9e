/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memlayout.h - every guest-physical address the VMM chooses
 *
 * docs/MEMORY-LAYOUT.md draws this map. Sizes are in bytes.
 */
#ifndef VMM_MEMLAYOUT_H
#define VMM_MEMLAYOUT_H

#include <stdint.h>

#define ML_PAGE 0x1000ull
#define ML_HUGE 0x200000ull /* a huge page of x86-64, where the host gives us any */
#define ML_MIB	0x100000ull
#define ML_GIB	0x40000000ull

/* RAM: [0, min(size, 3 GiB)) and, when larger, [4 GiB, ...). The gap holds devices and APICs. */
#define ML_LOW_RAM_END	 (3 * ML_GIB)
#define ML_HIGH_RAM_BASE (4 * ML_GIB)
#define ML_RAM_MIN	 (32 * ML_MIB)
#define ML_RAM_MAX	 (1024 * ML_GIB)

/* Boot structures, all in the first 640 KiB (facts of PVH: below 1 GiB, start_info writable). */
#define ML_START_INFO  0x6000ull  /* struct hvm_start_info v1, 56 bytes, writable RAM */
#define ML_MODLIST     0x6040ull  /* one struct hvm_modlist_entry, 32 bytes */
#define ML_MEMMAP      0x7000ull  /* struct hvm_memmap_table_entry[], 24 bytes each */
#define ML_MEMMAP_MAX  16u	  /* entries */
#define ML_CMDLINE     0x20000ull /* NUL-terminated, at most ML_CMDLINE_MAX bytes with the NUL */
#define ML_CMDLINE_MAX 2048u	  /* COMMAND_LINE_SIZE of Linux on x86 */
/*
 * Linux finds the MP table through a 16-byte pointer structure that it looks for in the last KiB of
 * base memory. The table itself (up to 254 CPUs of 20 bytes each) doesn't fit in that KiB, so it
 * lies in the pages below; everything from ML_MPTABLE to 640 KiB is reserved in the memory map.
 */
#define ML_MPTABLE	   0x9e000ull
#define ML_MPTABLE_SIZE	   0x1c00ull
#define ML_MP_POINTER	   0x9fc00ull
#define ML_MP_POINTER_SIZE 0x400ull
#define ML_EBDA_END	   0xa0000ull
#define ML_ISA_HOLE_END	   0x100000ull

/* The kernel is linked at 16 MiB; the initramfs is placed at the top of low RAM. */

/* MMIO: one page a virtio device, from 3 GiB on. */
#define ML_MMIO_BASE   0xc0000000ull
#define ML_MMIO_STRIDE 0x1000ull
#define ML_MMIO_SLOTS  19u /* as many as the IOAPIC has pins for */

#define ML_IOAPIC 0xfec00000ull
#define ML_LAPIC  0xfee00000ull
/* KVM needs three pages for its TSS and one for the identity map on old Intel hosts. */
#define ML_KVM_TSS	0xfffbd000ull
#define ML_KVM_IDENTITY 0xfffbc000ull

/* IOAPIC pins: 0..4 are left alone, device i uses ML_IRQ_BASE + i. */
#define ML_IRQ_BASE 5u
#define ML_IRQ_PINS 24u

_Static_assert(ML_START_INFO + 56 <= ML_MODLIST, "start_info overlaps the module list");
_Static_assert(ML_MODLIST + 32 <= ML_MEMMAP, "module list overlaps the memory map");
_Static_assert(ML_MEMMAP + ML_MEMMAP_MAX * 24 <= ML_CMDLINE,
	       "memory map overlaps the command line");
_Static_assert(ML_CMDLINE + ML_CMDLINE_MAX <= ML_MPTABLE, "command line overlaps the MP table");
_Static_assert(ML_MPTABLE % ML_PAGE == 0, "the memory map ends low RAM at a page");
_Static_assert(ML_MPTABLE + ML_MPTABLE_SIZE <= ML_MP_POINTER, "MP table overlaps its pointer");
_Static_assert(ML_MP_POINTER == 639 * 1024, "Linux looks for the MP pointer at 639 KiB");
_Static_assert(ML_MP_POINTER + ML_MP_POINTER_SIZE == ML_EBDA_END, "base memory ends at 640 KiB");
_Static_assert(ML_MMIO_BASE >= ML_LOW_RAM_END, "devices lie outside RAM");
_Static_assert(ML_IRQ_BASE + ML_MMIO_SLOTS <= ML_IRQ_PINS, "an IOAPIC pin for every slot");

#endif /* VMM_MEMLAYOUT_H */
