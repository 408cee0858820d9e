/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_bus.c - claiming ranges, finding them, and what nobody claims
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/bus.h"

/** struct probe - remembers its last access */
struct probe {
	unsigned n_reads;
	unsigned n_writes;
	uint64_t off;
	uint32_t len;
	uint8_t data[BUS_MAX_ACCESS];
};

static void probe_read(void *ctx, uint64_t off, void *buf, uint32_t len)
{
	struct probe *p = ctx;

	p->n_reads++;
	p->off = off;
	p->len = len;
	memset(buf, 0xa5, len);
}

static void probe_write(void *ctx, uint64_t off, const void *buf, uint32_t len)
{
	struct probe *p = ctx;

	p->n_writes++;
	p->off = off;
	p->len = len;
	memcpy(p->data, buf, len);
}

static const struct bus_ops probe_ops = {.read = probe_read, .write = probe_write};
static const struct bus_ops read_only = {.read = probe_read};
static const struct bus_ops no_read = {.write = probe_write};

static void test_dispatch(void **state)
{
	struct probe p[3] = {{0}};
	struct bus b;
	uint32_t v = 0;

	(void)state;
	bus_init(&b);
	assert_int_equal(bus_add(&b, 0x2000, 0x1000, &probe_ops, &p[1]), 0);
	assert_int_equal(bus_add(&b, 0x3000, 0x10, &probe_ops, &p[2]), 0);
	assert_int_equal(bus_add(&b, 0x100, 1, &probe_ops, &p[0]), 0);
	bus_freeze(&b);
	assert_true(bus_read(&b, 0x2ffc, &v, 4));
	assert_true(v == 0xa5a5a5a5);
	assert_int_equal(p[1].off, 0xffc);
	assert_int_equal(p[1].len, 4);
	v = 0x12345678;
	assert_true(bus_write(&b, 0x3000, &v, 4));
	assert_int_equal(p[2].off, 0);
	assert_memory_equal(p[2].data, &v, 4);
	assert_true(bus_read(&b, 0x100, &v, 1));
	assert_int_equal(p[0].n_reads, 1);
	assert_int_equal(p[1].n_reads, 1);
	assert_int_equal(p[2].n_writes, 1);
	assert_int_equal(b.n_unclaimed, 0);
}

static void test_unclaimed_reads_zero(void **state)
{
	struct probe p = {0};
	struct bus b;
	uint8_t buf[16];

	(void)state;
	bus_init(&b);
	memset(buf, 0xff, sizeof(buf));
	assert_false(bus_read(&b, 0x64, buf, 1)); /* an empty bus */
	assert_int_equal(buf[0], 0);
	assert_int_equal(bus_add(&b, 0x1000, 0x1000, &probe_ops, &p), 0);
	memset(buf, 0xff, sizeof(buf));
	assert_false(bus_read(&b, 0xfff, buf, 1));
	assert_false(bus_read(&b, 0x2000, buf + 1, 4));
	assert_false(bus_read(&b, UINT64_MAX, buf + 5, 8));
	assert_int_equal(buf[0] | buf[1] | buf[4] | buf[5] | buf[12], 0);
	assert_int_equal(buf[13], 0xff);
	assert_false(bus_write(&b, 0x2000, buf, 4));
	assert_int_equal(b.n_unclaimed, 5);
	assert_int_equal(p.n_reads + p.n_writes, 0);
}

static void test_access_must_lie_inside(void **state)
{
	struct probe p[2] = {{0}};
	struct bus b;
	uint8_t buf[16] = {0};

	(void)state;
	bus_init(&b);
	assert_int_equal(bus_add(&b, 0x1000, 0x10, &probe_ops, &p[0]), 0);
	assert_int_equal(bus_add(&b, 0x1010, 0x10, &probe_ops, &p[1]), 0);
	assert_false(bus_read(&b, 0x100e, buf, 4)); /* half here, half there: nobody's */
	assert_false(bus_write(&b, 0xffe, buf, 4));
	assert_false(bus_read(&b, 0x101c, buf, 8));
	assert_false(bus_read(&b, 0x1000, buf, 0));
	assert_false(bus_read(&b, 0x1000, buf, 16)); /* longer than any access */
	assert_int_equal(p[0].n_reads + p[0].n_writes + p[1].n_reads + p[1].n_writes, 0);
	assert_true(bus_read(&b, 0x1018, buf, 8));
}

static void test_write_may_be_missing(void **state)
{
	struct probe p = {0};
	struct bus b;

	(void)state;
	bus_init(&b);
	assert_int_equal(bus_add(&b, 0, 4, &read_only, &p), 0);
	assert_true(bus_write(&b, 0, "x", 1));
	assert_int_equal(p.n_writes, 0);
	assert_int_equal(bus_add(&b, 8, 4, &no_read, &p), -EINVAL);
	assert_int_equal(bus_add(&b, 8, 4, NULL, &p), -EINVAL);
}

static void test_refusals(void **state)
{
	struct probe p = {0};
	struct bus b;

	(void)state;
	bus_init(&b);
	assert_int_equal(bus_add(&b, 0x1000, 0x1000, &probe_ops, &p), 0);
	assert_int_equal(bus_add(&b, 0x1000, 0x1000, &probe_ops, &p), -EEXIST);
	assert_int_equal(bus_add(&b, 0x1fff, 1, &probe_ops, &p), -EEXIST);
	assert_int_equal(bus_add(&b, 0xfff, 2, &probe_ops, &p), -EEXIST);
	assert_int_equal(bus_add(&b, 0, 0x10000, &probe_ops, &p), -EEXIST);
	assert_int_equal(bus_add(&b, 0x1800, 0x8000, &probe_ops, &p), -EEXIST);
	assert_int_equal(bus_add(&b, 0x5000, 0, &probe_ops, &p), -EINVAL);
	assert_int_equal(bus_add(&b, UINT64_MAX, 2, &probe_ops, &p), -EINVAL);
	assert_int_equal(b.n, 1);
	assert_int_equal(bus_add(&b, 0x2000, 1, &probe_ops, &p), 0);
	assert_int_equal(bus_add(&b, 0xfff, 1, &probe_ops, &p), 0);
	bus_freeze(&b);
	assert_int_equal(bus_add(&b, 0x9000, 1, &probe_ops, &p), -EBUSY);
}

static void test_capacity_and_order(void **state)
{
	struct probe p[BUS_MAX_RANGES] = {{0}};
	struct bus b;
	uint8_t v;

	(void)state;
	bus_init(&b);
	for (unsigned i = 0; i < BUS_MAX_RANGES; i++) {
		unsigned slot = (i * 7) % BUS_MAX_RANGES; /* any order of claiming */

		assert_int_equal(bus_add(&b, 0x1000 + slot * 16, 8, &probe_ops, &p[slot]), 0);
	}
	assert_int_equal(bus_add(&b, 0x9000, 1, &probe_ops, &p[0]), -ENOSPC);
	for (unsigned i = 0; i < BUS_MAX_RANGES; i++) {
		assert_true(bus_read(&b, 0x1000 + i * 16 + 3, &v, 1));
		assert_int_equal(p[i].n_reads, 1);
		assert_int_equal(p[i].off, 3);
		assert_false(bus_read(&b, 0x1000 + i * 16 + 8, &v, 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dispatch),
		cmocka_unit_test(test_unclaimed_reads_zero),
		cmocka_unit_test(test_access_must_lie_inside),
		cmocka_unit_test(test_write_may_be_missing),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_capacity_and_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
