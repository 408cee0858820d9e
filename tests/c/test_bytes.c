/* SPDX-License-Identifier: Apache-2.0 */
/* test_bytes.c - bounded cursors: byte order, limits, sticky failure */
#include "cm.h"

#include "base/bytes.h"

static void reads_are_little_endian(void **state)
{
	const uint8_t data[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
				0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f};
	struct vr_rd r;

	(void)state;
	vr_rd_init(&r, data, sizeof(data));
	assert_int_equal(vr_rd_u8(&r), 0x01);
	assert_int_equal(vr_rd_u16(&r), 0x0302);
	assert_int_equal(vr_rd_u32(&r), 0x07060504);
	assert_true(vr_rd_u64(&r) == UINT64_C(0x0f0e0d0c0b0a0908));
	assert_int_equal(vr_rd_left(&r), 0);
	assert_true(vr_rd_ok(&r));
}

static void reading_past_the_end_sticks(void **state)
{
	const uint8_t data[] = {1, 2, 3};
	struct vr_rd r;

	(void)state;
	vr_rd_init(&r, data, sizeof(data));
	assert_int_equal(vr_rd_u32(&r), 0);
	assert_false(vr_rd_ok(&r));
	assert_int_equal(vr_rd_u8(&r), 0); /* there would be a byte, but it failed before */
	assert_null(vr_rd_bytes(&r, 0));
	assert_int_equal(vr_rd_left(&r), 0);
}

static void bytes_are_borrowed_in_place(void **state)
{
	const uint8_t data[] = {1, 2, 3};
	struct vr_rd r;

	(void)state;
	vr_rd_init(&r, data, sizeof(data));
	assert_ptr_equal(vr_rd_bytes(&r, 2), data);
	assert_ptr_equal(vr_rd_bytes(&r, 1), data + 2);
	assert_non_null(vr_rd_bytes(&r, 0));
	assert_true(vr_rd_ok(&r));
	assert_null(vr_rd_bytes(&r, 1));
	assert_false(vr_rd_ok(&r));
}

static void huge_lengths_do_not_wrap(void **state)
{
	const uint8_t data[] = {1, 2, 3, 4};
	struct vr_rd r;

	(void)state;
	vr_rd_init(&r, data, sizeof(data));
	(void)vr_rd_u16(&r);
	assert_null(vr_rd_bytes(&r, SIZE_MAX));
	assert_false(vr_rd_ok(&r));
	vr_rd_init(&r, data, sizeof(data));
	(void)vr_rd_u16(&r);
	assert_null(vr_rd_bytes(&r, SIZE_MAX - 1));
}

static void written_values_read_back(void **state)
{
	uint8_t buf[15];
	struct vr_wr w;
	struct vr_rd r;

	(void)state;
	vr_wr_init(&w, buf, sizeof(buf));
	vr_wr_u8(&w, 0xfe);
	vr_wr_u16(&w, 0xbeef);
	vr_wr_u32(&w, 0xdeadbeef);
	vr_wr_u64(&w, UINT64_C(0x0123456789abcdef));
	assert_true(vr_wr_ok(&w));
	assert_int_equal(w.off, 15);
	vr_rd_init(&r, buf, w.off);
	assert_int_equal(vr_rd_u8(&r), 0xfe);
	assert_int_equal(vr_rd_u16(&r), 0xbeef);
	assert_int_equal(vr_rd_u32(&r), 0xdeadbeef);
	assert_true(vr_rd_u64(&r) == UINT64_C(0x0123456789abcdef));
}

static void writing_past_the_end_sticks_and_writes_nothing(void **state)
{
	uint8_t buf[4] = {9, 9, 9, 9};
	struct vr_wr w;

	(void)state;
	vr_wr_init(&w, buf, 3);
	vr_wr_u32(&w, 0);
	assert_false(vr_wr_ok(&w));
	vr_wr_u8(&w, 0);
	assert_false(vr_wr_ok(&w));
	assert_int_equal(w.off, 0);
	for (size_t i = 0; i < sizeof(buf); i++) {
		assert_int_equal(buf[i], 9);
	}
}

static void empty_writes_are_fine(void **state)
{
	struct vr_wr w;

	(void)state;
	vr_wr_init(&w, NULL, 0);
	vr_wr_bytes(&w, NULL, 0);
	assert_true(vr_wr_ok(&w));
	vr_wr_u8(&w, 1);
	assert_false(vr_wr_ok(&w));
}

static void patch_stays_inside_what_was_written(void **state)
{
	uint8_t buf[12] = {0};
	struct vr_wr w;

	(void)state;
	vr_wr_init(&w, buf, sizeof(buf));
	vr_wr_u32(&w, 0);
	vr_wr_u32(&w, 7);
	vr_wr_patch_u32(&w, 0, 0x11223344);
	assert_true(vr_wr_ok(&w));
	assert_int_equal(buf[0], 0x44);
	assert_int_equal(buf[4], 7);
	vr_wr_patch_u32(&w, 5, 0); /* its last byte would be behind the end */
	assert_false(vr_wr_ok(&w));

	vr_wr_init(&w, buf, sizeof(buf));
	vr_wr_u32(&w, 0);
	vr_wr_patch_u32(&w, SIZE_MAX - 1, 0);
	assert_false(vr_wr_ok(&w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_are_little_endian),
		cmocka_unit_test(reading_past_the_end_sticks),
		cmocka_unit_test(bytes_are_borrowed_in_place),
		cmocka_unit_test(huge_lengths_do_not_wrap),
		cmocka_unit_test(written_values_read_back),
		cmocka_unit_test(writing_past_the_end_sticks_and_writes_nothing),
		cmocka_unit_test(empty_writes_are_fine),
		cmocka_unit_test(patch_stays_inside_what_was_written),
	};

	return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
