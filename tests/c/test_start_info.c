/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_start_info.c - the PVH boot structures
 */
#include "pvh/start_info.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "ram_fixture.h"

static void check_map(uint64_t ram, unsigned n_expected)
{
	struct hvm_memmap_entry e[ML_MEMMAP_MAX];
	uint64_t usable = 0;
	uint64_t last = 0;
	unsigned n = start_info_memmap(ram, e);

	assert_int_equal(n, n_expected);
	for (unsigned i = 0; i < n; i++) {
		assert_true(e[i].addr >= last);
		assert_true(e[i].size > 0);
		assert_int_equal(e[i].reserved, 0);
		assert_int_equal(e[i].addr % ML_PAGE, 0);
		assert_int_equal(e[i].size % ML_PAGE, 0);
		last = e[i].addr + e[i].size;
		if (e[i].type == HVM_MEMMAP_RAM) {
			usable += e[i].size;
			assert_true(last <= ML_LOW_RAM_END || e[i].addr >= ML_HIGH_RAM_BASE);
		} else {
			assert_int_equal(e[i].type, HVM_MEMMAP_RESERVED);
		}
	}
	/* All RAM is told but what lies in or next to the ISA hole. */
	assert_int_equal(usable, ram - (ML_ISA_HOLE_END - ML_MPTABLE));
	assert_int_equal(e[0].addr, 0);
	assert_int_equal(e[0].size, ML_MPTABLE);
	assert_int_equal(e[1].addr, ML_MPTABLE);
	assert_int_equal(e[1].type, HVM_MEMMAP_RESERVED);
	assert_int_equal(e[2].addr, ML_MIB);
}

static void the_map_covers_ram_of_every_size(void **state)
{
	struct hvm_memmap_entry e[ML_MEMMAP_MAX];

	(void)state;
	check_map(ML_RAM_MIN, 3);
	check_map(64 * ML_MIB, 3);
	check_map(3 * ML_GIB, 3);
	check_map(3 * ML_GIB + ML_PAGE, 4);
	check_map(6 * ML_GIB, 4);
	check_map(ML_RAM_MAX, 4);

	(void)start_info_memmap(3 * ML_GIB + ML_PAGE, e);
	assert_int_equal(e[2].addr + e[2].size, 3 * ML_GIB);
	assert_int_equal(e[3].addr, 4 * ML_GIB);
	assert_int_equal(e[3].size, ML_PAGE);
}

/* Field by field with the wire reader: the structure must be right byte by byte. */
static void start_info_has_the_abi_layout(void **state)
{
	struct gmem *m = make_ram(64 * ML_MIB);
	uint8_t raw[56];
	struct vr_rd r;

	(void)state;
	assert_int_equal(start_info_write(m, "quiet", 32 * ML_MIB, 4097), 0);
	assert_int_equal(gmem_read(m, gpa(ML_START_INFO), raw, sizeof(raw)), 0);
	vr_rd_init(&r, raw, sizeof(raw));
	assert_int_equal(vr_rd_u32(&r), 0x336ec578);
	assert_int_equal(vr_rd_u32(&r), 1);
	assert_int_equal(vr_rd_u32(&r), 0);
	assert_int_equal(vr_rd_u32(&r), 1);
	assert_int_equal(vr_rd_u64(&r), ML_MODLIST);
	assert_int_equal(vr_rd_u64(&r), ML_CMDLINE);
	assert_int_equal(vr_rd_u64(&r), 0);
	assert_int_equal(vr_rd_u64(&r), ML_MEMMAP);
	assert_int_equal(vr_rd_u32(&r), 3);
	assert_int_equal(vr_rd_u32(&r), 0);

	assert_int_equal(gmem_read(m, gpa(ML_MODLIST), raw, 32), 0);
	vr_rd_init(&r, raw, 32);
	assert_int_equal(vr_rd_u64(&r), 32 * ML_MIB);
	assert_int_equal(vr_rd_u64(&r), 4097);
	assert_int_equal(vr_rd_u64(&r), 0);
	assert_int_equal(vr_rd_u64(&r), 0);

	assert_int_equal(gmem_read(m, gpa(ML_CMDLINE), raw, 6), 0);
	assert_memory_equal(raw, "quiet", 6);
	assert_int_equal(gmem_read(m, gpa(ML_MEMMAP + 48), raw, 24), 0);
	vr_rd_init(&r, raw, 24);
	assert_int_equal(vr_rd_u64(&r), ML_MIB);
	assert_int_equal(vr_rd_u64(&r), 63 * ML_MIB);
	assert_int_equal(vr_rd_u32(&r), HVM_MEMMAP_RAM);
	gmem_unmap(m);
}

static void without_initramfs_there_is_no_module(void **state)
{
	struct gmem *m = make_ram(64 * ML_MIB);
	struct hvm_start_info si;

	(void)state;
	assert_int_equal(start_info_write(m, "", 0, 0), 0);
	assert_int_equal(gmem_read(m, gpa(ML_START_INFO), &si, sizeof(si)), 0);
	assert_int_equal(si.nr_modules, 0);
	assert_int_equal(si.modlist_paddr, 0);
	gmem_unmap(m);
}

static void a_bad_initramfs_place_is_refused(void **state)
{
	struct gmem *m = make_ram(64 * ML_MIB);

	(void)state;
	assert_int_equal(start_info_write(m, "", 32 * ML_MIB + 1, 10), -EINVAL);
	assert_int_equal(start_info_write(m, "", 0, 10), -EINVAL);
	assert_int_equal(start_info_write(m, "", 64 * ML_MIB - ML_PAGE, 4097), -EINVAL);
	assert_int_equal(start_info_write(m, "", ML_HIGH_RAM_BASE, 10), -EINVAL);
	assert_int_equal(start_info_write(m, "", 32 * ML_MIB, UINT64_MAX), -EINVAL);
	assert_int_equal(start_info_write(m, "", 64 * ML_MIB - ML_PAGE, 4096), 0);
	gmem_unmap(m);
}

static void a_command_line_that_is_too_long_is_refused(void **state)
{
	struct gmem *m = make_ram(64 * ML_MIB);
	char line[ML_CMDLINE_MAX + 1];
	uint8_t last[2];

	(void)state;
	memset(line, 'x', sizeof(line));
	line[ML_CMDLINE_MAX] = '\0';
	assert_int_equal(start_info_write(m, line, 0, 0), -E2BIG);
	line[ML_CMDLINE_MAX - 1] = '\0';
	assert_int_equal(start_info_write(m, line, 0, 0), 0);
	assert_int_equal(gmem_read(m, gpa(ML_CMDLINE + ML_CMDLINE_MAX - 2), last, 2), 0);
	assert_memory_equal(last, "x", 2);
	gmem_unmap(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_map_covers_ram_of_every_size),
		cmocka_unit_test(start_info_has_the_abi_layout),
		cmocka_unit_test(without_initramfs_there_is_no_module),
		cmocka_unit_test(a_bad_initramfs_place_is_refused),
		cmocka_unit_test(a_command_line_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
