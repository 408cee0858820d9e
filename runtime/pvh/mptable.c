/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mptable.c - processors and interrupt wiring, for a kernel without ACPI
 *
 * Written field by field with the bounded writer; lengths and checksums are
 * patched last.
 */
#include "pvh/mptable.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "vmm/memlayout.h"

/* Entry types and their fixed sizes (table 4-3). */
enum mp_entry {
	MP_PROCESSOR = 0, /* 20 bytes */
	MP_BUS = 1,	  /* 8 bytes, as all that follow */
	MP_IOAPIC = 2,
	MP_INTSRC = 3,
	MP_LINTSRC = 4,
};

enum mp_irq_type {
	MP_INT = 0,
	MP_NMI = 1,
	MP_EXTINT = 3,
};

#define MP_SPEC_REV	  4u /* 1.4 */
#define MP_HEADER_SIZE	  44u
#define MP_PROCESSOR_SIZE 20u
#define MP_OTHER_SIZE	  8u
#define MP_OFF_LENGTH	  4u
#define MP_OFF_CHECKSUM	  7u

#define MP_CPU_ENABLED	  1u
#define MP_CPU_BSP	  2u
#define MP_CPU_SIGNATURE  0x600u /* family 6; Linux asks CPUID */
#define MP_CPU_FEATURES	  0x201u /* APIC, FPU */
#define MP_LAPIC_VERSION  0x14u
#define MP_IOAPIC_VERSION 0x11u
#define MP_IOAPIC_ENABLED 1u
#define MP_ALL_LAPICS	  0xffu
#define MP_ISA_BUS	  0u

/* One bus, one IOAPIC, the pins, two local interrupts. */
#define MP_N_OTHER (2u + ML_IRQ_PINS + 2u)

_Static_assert(MP_HEADER_SIZE + MPTABLE_MAX_CPUS * MP_PROCESSOR_SIZE + MP_N_OTHER * MP_OTHER_SIZE <=
		       ML_MPTABLE_SIZE,
	       "the largest table fits");

static uint8_t checksum(const uint8_t *data, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum = (uint8_t)(sum + data[i]);
	}
	return (uint8_t)(0u - sum);
}

static void put_header(struct vr_wr *w, unsigned n_entries)
{
	vr_wr_bytes(w, "PCMP", 4);
	vr_wr_u16(w, 0); /* length, patched */
	vr_wr_u8(w, MP_SPEC_REV);
	vr_wr_u8(w, 0); /* checksum, patched */
	vr_wr_bytes(w, "VOLT    ", 8);
	vr_wr_bytes(w, "MICROVM     ", 12);
	vr_wr_u32(w, 0); /* OEM table */
	vr_wr_u16(w, 0);
	vr_wr_u16(w, (uint16_t)n_entries);
	vr_wr_u32(w, (uint32_t)ML_LAPIC);
	vr_wr_u32(w, 0); /* extended table length, its checksum, reserved */
}

static void put_processor(struct vr_wr *w, unsigned apic_id)
{
	vr_wr_u8(w, MP_PROCESSOR);
	vr_wr_u8(w, (uint8_t)apic_id);
	vr_wr_u8(w, MP_LAPIC_VERSION);
	vr_wr_u8(w, MP_CPU_ENABLED | (apic_id == 0 ? MP_CPU_BSP : 0));
	vr_wr_u32(w, MP_CPU_SIGNATURE);
	vr_wr_u32(w, MP_CPU_FEATURES);
	vr_wr_u64(w, 0);
}

static void put_bus(struct vr_wr *w)
{
	vr_wr_u8(w, MP_BUS);
	vr_wr_u8(w, MP_ISA_BUS);
	vr_wr_bytes(w, "ISA   ", 6);
}

static void put_ioapic(struct vr_wr *w, unsigned apic_id)
{
	vr_wr_u8(w, MP_IOAPIC);
	vr_wr_u8(w, (uint8_t)apic_id);
	vr_wr_u8(w, MP_IOAPIC_VERSION);
	vr_wr_u8(w, MP_IOAPIC_ENABLED);
	vr_wr_u32(w, (uint32_t)ML_IOAPIC);
}

/* INTSRC and LINTSRC have the same shape; polarity and trigger are the bus's defaults. */
static void put_interrupt(struct vr_wr *w, enum mp_entry entry, enum mp_irq_type type, unsigned irq,
			  unsigned dst_apic, unsigned dst_pin)
{
	vr_wr_u8(w, (uint8_t)entry);
	vr_wr_u8(w, (uint8_t)type);
	vr_wr_u16(w, 0);
	vr_wr_u8(w, MP_ISA_BUS);
	vr_wr_u8(w, (uint8_t)irq);
	vr_wr_u8(w, (uint8_t)dst_apic);
	vr_wr_u8(w, (uint8_t)dst_pin);
}

int mptable_build(unsigned n_cpus, uint8_t *out, size_t cap, size_t *out_len)
{
	unsigned ioapic_id = n_cpus; /* the first id that is no processor's */
	struct vr_wr w;

	if (n_cpus == 0 || n_cpus > MPTABLE_MAX_CPUS) {
		return -EINVAL;
	}
	vr_wr_init(&w, out, cap);
	put_header(&w, n_cpus + MP_N_OTHER);
	for (unsigned i = 0; i < n_cpus; i++) {
		put_processor(&w, i);
	}
	put_bus(&w);
	put_ioapic(&w, ioapic_id);
	for (unsigned pin = 0; pin < ML_IRQ_PINS; pin++) {
		put_interrupt(&w, MP_INTSRC, MP_INT, pin, ioapic_id, pin);
	}
	put_interrupt(&w, MP_LINTSRC, MP_EXTINT, 0, 0, 0);
	put_interrupt(&w, MP_LINTSRC, MP_NMI, 0, MP_ALL_LAPICS, 1);
	if (!vr_wr_ok(&w)) {
		return -E2BIG;
	}
	out[MP_OFF_LENGTH] = (uint8_t)w.off;
	out[MP_OFF_LENGTH + 1] = (uint8_t)(w.off >> 8);
	out[MP_OFF_CHECKSUM] = checksum(out, w.off);
	*out_len = w.off;
	return 0;
}

void mptable_pointer(uint32_t table, uint8_t out[MPTABLE_POINTER_SIZE])
{
	struct vr_wr w;

	vr_wr_init(&w, out, MPTABLE_POINTER_SIZE);
	vr_wr_bytes(&w, "_MP_", 4);
	vr_wr_u32(&w, table);
	vr_wr_u8(&w, 1); /* length in 16-byte units */
	vr_wr_u8(&w, MP_SPEC_REV);
	vr_wr_u8(&w, 0); /* checksum, patched */
	vr_wr_u8(&w, 0); /* feature bytes: a table is present, no PIC mode */
	vr_wr_u32(&w, 0);
	out[10] = checksum(out, MPTABLE_POINTER_SIZE);
}

int mptable_write(const struct gmem *m, unsigned n_cpus)
{
	uint8_t pointer[MPTABLE_POINTER_SIZE];
	uint8_t table[ML_MPTABLE_SIZE];
	size_t len;
	int ret;

	ret = mptable_build(n_cpus, table, sizeof(table), &len);
	if (ret < 0) {
		return ret;
	}
	ret = gmem_write(m, gpa(ML_MPTABLE), table, len);
	if (ret < 0) {
		return ret;
	}
	mptable_pointer((uint32_t)ML_MPTABLE, pointer);
	return gmem_write(m, gpa(ML_MP_POINTER), pointer, sizeof(pointer));
}
