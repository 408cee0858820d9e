/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_memlayout.c - nothing in the memory layout overlaps
 *
 * The header asserts neighbours; this compares every pair, including what the
 * hardware fixes.
 */
#include "vmm/memlayout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pvh/start_info.h"

struct area {
	const char *name;
	uint64_t base;
	uint64_t size;
};

static const struct area areas[] = {
	{"start_info", ML_START_INFO, sizeof(struct hvm_start_info)},
	{"module list", ML_MODLIST, sizeof(struct hvm_modlist_entry)},
	{"memory map", ML_MEMMAP, ML_MEMMAP_MAX * sizeof(struct hvm_memmap_entry)},
	{"command line", ML_CMDLINE, ML_CMDLINE_MAX},
	{"MP table", ML_MPTABLE, ML_MPTABLE_SIZE},
	{"MP pointer", ML_MP_POINTER, ML_MP_POINTER_SIZE},
	{"ISA hole", ML_EBDA_END, ML_ISA_HOLE_END - ML_EBDA_END},
	{"low RAM above 1 MiB", ML_ISA_HOLE_END, ML_LOW_RAM_END - ML_ISA_HOLE_END},
	{"virtio-mmio", ML_MMIO_BASE, ML_MMIO_SLOTS *ML_MMIO_STRIDE},
	{"IOAPIC", ML_IOAPIC, ML_PAGE},
	{"local APIC", ML_LAPIC, ML_PAGE},
	{"KVM identity map", ML_KVM_IDENTITY, ML_PAGE},
	{"KVM TSS", ML_KVM_TSS, 3 * ML_PAGE},
	{"high RAM", ML_HIGH_RAM_BASE, ML_RAM_MAX},
};

static void no_two_areas_overlap(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(areas) / sizeof(areas[0]); i++) {
		for (size_t j = 0; j < i; j++) {
			const struct area *a = &areas[i];
			const struct area *b = &areas[j];

			if (a->base < b->base + b->size && b->base < a->base + a->size) {
				fail_msg("%s overlaps %s", a->name, b->name);
			}
		}
	}
}

static void boot_structures_are_where_linux_can_read_them(void **state)
{
	(void)state;
	/* Linux maps the first GiB when it reads them, in whole structures. */
	assert_true(ML_MEMMAP + ML_MEMMAP_MAX * sizeof(struct hvm_memmap_entry) <= ML_GIB);
	assert_true(ML_MEMMAP_MAX <= 127);
	assert_int_equal(ML_START_INFO % 4, 0);
	assert_int_equal(ML_MODLIST % 8, 0);
	assert_int_equal(ML_MEMMAP % 8, 0);
	assert_int_equal(ML_MP_POINTER % 16, 0);
	assert_true(ML_CMDLINE + ML_CMDLINE_MAX <= UINT32_MAX);
}

static void devices_have_pages_and_pins_of_their_own(void **state)
{
	(void)state;
	assert_int_equal(ML_MMIO_BASE % ML_PAGE, 0);
	assert_true(ML_MMIO_STRIDE >= ML_PAGE);
	assert_true(ML_IRQ_BASE > 0); /* Linux refuses irq 0 for virtio-mmio */
	assert_true(ML_IRQ_BASE + ML_MMIO_SLOTS - 1 < ML_IRQ_PINS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_two_areas_overlap),
		cmocka_unit_test(boot_structures_are_where_linux_can_read_them),
		cmocka_unit_test(devices_have_pages_and_pins_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
