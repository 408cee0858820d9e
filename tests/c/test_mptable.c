/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_mptable.c - the MP table, read back by a small parser of its own
 */
#include "pvh/mptable.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "ram_fixture.h"
#include "vmm/memlayout.h"

/** struct seen - what a walk over the entries found */
struct seen {
	unsigned n_cpus;
	unsigned n_bsp;
	unsigned n_buses;
	unsigned n_ioapics;
	unsigned n_ints;
	unsigned n_lints;
	unsigned ioapic_id;
	unsigned max_apic_id;
	bool identity;
	bool one_ioapic_target;
};

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n-- > 0) {
		s = (uint8_t)(s + *p++);
	}
	return s;
}

static void walk(const uint8_t *table, size_t len, struct seen *s)
{
	struct vr_rd r;
	unsigned n;

	*s = (struct seen){.identity = true, .one_ioapic_target = true};
	vr_rd_init(&r, table, len);
	(void)vr_rd_bytes(&r, 34);
	n = vr_rd_u16(&r);
	(void)vr_rd_bytes(&r, 8);
	while (n-- > 0 && vr_rd_ok(&r)) {
		uint8_t type = vr_rd_u8(&r);
		const uint8_t *e = vr_rd_bytes(&r, type == 0 ? 19 : 7);

		assert_non_null(e);
		switch (type) {
		case 0:
			assert_int_equal(e[0], s->n_cpus);
			s->n_cpus++;
			s->n_bsp += (e[2] & 2) != 0;
			assert_true(e[2] & 1);
			s->max_apic_id = e[0];
			break;
		case 1:
			s->n_buses++;
			assert_memory_equal(e + 1, "ISA   ", 6);
			break;
		case 2:
			s->n_ioapics++;
			s->ioapic_id = e[0];
			assert_memory_equal(e + 3, "\x00\x00\xc0\xfe", 4);
			break;
		case 3:
			s->n_ints++;
			s->identity = s->identity && e[4] == e[6];
			s->one_ioapic_target = s->one_ioapic_target && e[5] == s->ioapic_id;
			break;
		case 4:
			s->n_lints++;
			break;
		default:
			fail_msg("entry of type %u", type);
		}
	}
	assert_true(vr_rd_ok(&r));
	assert_int_equal(vr_rd_left(&r), 0);
}

static void check_for(unsigned n_cpus)
{
	uint8_t table[ML_MPTABLE_SIZE];
	struct seen s;
	size_t len = 0;

	assert_int_equal(mptable_build(n_cpus, table, sizeof(table), &len), 0);
	assert_memory_equal(table, "PCMP", 4);
	assert_int_equal(table[4] | table[5] << 8, len);
	assert_int_equal(table[6], 4);
	assert_int_equal(sum(table, len), 0);
	assert_memory_equal(table + 36, "\x00\x00\xe0\xfe", 4);
	walk(table, len, &s);
	assert_int_equal(s.n_cpus, n_cpus);
	assert_int_equal(s.n_bsp, 1);
	assert_int_equal(s.n_buses, 1);
	assert_int_equal(s.n_ioapics, 1);
	assert_int_equal(s.n_ints, ML_IRQ_PINS);
	assert_int_equal(s.n_lints, 2);
	assert_true(s.identity);
	assert_true(s.one_ioapic_target);
	assert_true(s.ioapic_id > s.max_apic_id);
	assert_true(s.ioapic_id < 0xff);
}

static void every_count_of_cpus_gives_a_sound_table(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= MPTABLE_MAX_CPUS; n++) {
		check_for(n);
	}
}

static void bad_counts_and_small_buffers_are_refused(void **state)
{
	uint8_t table[ML_MPTABLE_SIZE];
	size_t full = 0;
	size_t len = 77;

	(void)state;
	assert_int_equal(mptable_build(0, table, sizeof(table), &len), -EINVAL);
	assert_int_equal(mptable_build(255, table, sizeof(table), &len), -EINVAL);
	assert_int_equal(mptable_build(4, table, sizeof(table), &full), 0);
	for (size_t cap = 0; cap < full; cap++) {
		assert_int_equal(mptable_build(4, table, cap, &len), -E2BIG);
	}
	assert_int_equal(len, 77);
	assert_int_equal(mptable_build(4, table, full, &len), 0);
}

static void pointer_leads_to_the_table(void **state)
{
	uint8_t p[MPTABLE_POINTER_SIZE];

	(void)state;
	mptable_pointer(0x9e000, p);
	assert_memory_equal(p, "_MP_", 4);
	assert_memory_equal(p + 4, "\x00\xe0\x09\x00", 4);
	assert_int_equal(p[8], 1);
	assert_int_equal(p[9], 4);
	assert_int_equal(p[11], 0);
	assert_int_equal(sum(p, sizeof(p)), 0);
}

static void both_are_written_where_linux_looks(void **state)
{
	struct gmem *m = make_ram(ML_RAM_MIN);
	uint8_t p[MPTABLE_POINTER_SIZE];
	uint8_t sig[4];

	(void)state;
	assert_int_equal(mptable_write(m, 0), -EINVAL);
	assert_int_equal(mptable_write(m, 254), 0);
	assert_int_equal(gmem_read(m, gpa(639 * 1024), p, sizeof(p)), 0);
	assert_memory_equal(p, "_MP_", 4);
	assert_int_equal(gmem_read(m, gpa(p[4] | p[5] << 8 | p[6] << 16), sig, 4), 0);
	assert_memory_equal(sig, "PCMP", 4);
	gmem_unmap(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_count_of_cpus_gives_a_sound_table),
		cmocka_unit_test(bad_counts_and_small_buffers_are_refused),
		cmocka_unit_test(pointer_leads_to_the_table),
		cmocka_unit_test(both_are_written_where_linux_looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
