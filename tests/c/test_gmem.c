/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_gmem.c - guest RAM: sizes, the hole, bounds, seals, discarding
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/gmem.h"
#include "vmm/memlayout.h"

static struct gmem *map_new(uint64_t bytes, int *out_fd)
{
	struct gmem *m = NULL;

	*out_fd = gmem_memfd(bytes);
	assert_true(*out_fd >= 0);
	assert_int_equal(gmem_map(*out_fd, bytes, &m), 0);
	return m;
}

static void test_sizes(void **state)
{
	struct gmem *m = NULL;
	int fd;

	(void)state;
	assert_int_equal(gmem_memfd(0), -EINVAL);
	assert_int_equal(gmem_memfd(ML_RAM_MIN - ML_PAGE), -EINVAL);
	assert_int_equal(gmem_memfd(ML_RAM_MIN + 1), -EINVAL);
	assert_int_equal(gmem_memfd(ML_RAM_MAX + ML_PAGE), -EINVAL);
	assert_int_equal(gmem_memfd(UINT64_MAX), -EINVAL);
	fd = gmem_memfd(ML_RAM_MIN);
	assert_true(fd >= 0);
	assert_int_equal(gmem_map(fd, ML_RAM_MIN + ML_PAGE, &m), -EINVAL);
	assert_int_equal(gmem_map(fd, ML_RAM_MIN - 1, &m), -EINVAL);
	assert_null(m);
	(void)close(fd);
	assert_int_equal(gmem_map(-1, ML_RAM_MIN, &m), -EBADF);
	gmem_unmap(NULL);
}

static void test_memfd_is_sealed(void **state)
{
	int fd = gmem_memfd(ML_RAM_MIN);
	struct stat st;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, (off_t)(ML_RAM_MIN * 2)), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, ML_RAM_MIN);
	assert_int_equal(st.st_blocks, 0);
	(void)close(fd);
}

/* A vmm that was taken over hands it to those that join. */
static void test_unsealed_is_refused(void **state)
{
	static const int seals[] = {0, F_SEAL_SHRINK, F_SEAL_GROW};
	struct gmem *m = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
		int fd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);

		assert_int_equal(ftruncate(fd, (off_t)ML_RAM_MIN), 0);
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals[i]), 0);
		assert_int_equal(gmem_map(fd, ML_RAM_MIN, &m), -EPERM);
		assert_null(m);
		(void)close(fd);
	}
}

/* Or something else altogether, of the right size even. */
static void test_what_is_no_memory_file_is_refused(void **state)
{
	FILE *file = tmpfile();
	int pipes[2];
	struct gmem *m = NULL;
	int kinds[] = {-1, -1, -1, eventfd(0, EFD_CLOEXEC)};

	(void)state;
	assert_non_null(file);
	assert_int_equal(ftruncate(fileno(file), (off_t)ML_RAM_MIN), 0);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	kinds[0] = fileno(file);
	kinds[1] = pipes[0];
	kinds[2] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		assert_true(kinds[i] >= 0);
		assert_int_not_equal(gmem_map(kinds[i], ML_RAM_MIN, &m), 0);
		assert_null(m);
	}
	(void)close(kinds[2]);
	(void)close(kinds[3]);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	(void)fclose(file);
}

/** struct shape - RAM sizes around the hole */
struct shape {
	uint64_t ram;
	unsigned n;
	uint64_t low;
	uint64_t high;
};

static void test_regions(void **state)
{
	static const struct shape shapes[] = {
		{64 * ML_MIB, 1, 64 * ML_MIB, 0},
		{3 * ML_GIB - ML_PAGE, 1, 3 * ML_GIB - ML_PAGE, 0},
		{3 * ML_GIB, 1, 3 * ML_GIB, 0},
		{3 * ML_GIB + ML_PAGE, 2, 3 * ML_GIB, ML_PAGE},
		{6 * ML_GIB, 2, 3 * ML_GIB, 3 * ML_GIB},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *s = &shapes[i];
		int fd;
		struct gmem *m = map_new(s->ram, &fd);

		assert_int_equal(gmem_ram_bytes(m), s->ram);
		assert_int_equal(gmem_n_regions(m), s->n);
		assert_int_equal(gmem_region(m, 0)->base, 0);
		assert_int_equal(gmem_region(m, 0)->size, s->low);
		assert_int_equal(gmem_region(m, 0)->file_off, 0);
		assert_int_equal(gmem_check(m, gpa(s->low), 1), -EFAULT);
		if (s->n == 2) {
			assert_int_equal(gmem_region(m, 1)->base, ML_HIGH_RAM_BASE);
			assert_int_equal(gmem_region(m, 1)->size, s->high);
			assert_int_equal(gmem_region(m, 1)->file_off, s->low);
			assert_int_equal(gmem_check(m, gpa(ML_HIGH_RAM_BASE + s->high - 1), 1), 0);
			assert_int_equal(gmem_check(m, gpa(ML_HIGH_RAM_BASE + s->high), 1),
					 -EFAULT);
		}
		assert_null(gmem_region(m, s->n));
		gmem_unmap(m);
		(void)close(fd);
	}
}

static void test_high_part_is_the_rest_of_the_file(void **state)
{
	int fd;
	struct gmem *m = map_new(3 * ML_GIB + 4 * ML_PAGE, &fd);
	char byte = 0;

	(void)state;
	assert_int_equal(gmem_write(m, gpa(ML_HIGH_RAM_BASE + 5), "x", 1), 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)(3 * ML_GIB + 5)), 1);
	assert_int_equal(byte, 'x');
	gmem_unmap(m);
	(void)close(fd);
}

static void test_bounds(void **state)
{
	static const struct {
		uint64_t addr;
		uint64_t len;
		int ret;
	} cases[] = {
		{0, 1, 0},
		{0, 64 * ML_MIB, 0},
		{64 * ML_MIB - 1, 1, 0},
		{64 * ML_MIB, 0, 0},
		{64 * ML_MIB - 1, 2, -EFAULT},
		{64 * ML_MIB, 1, -EFAULT},
		{0, 64 * ML_MIB + 1, -EFAULT},
		{1, UINT64_MAX, -EFAULT},
		{UINT64_MAX, 1, -EFAULT},
		{UINT64_MAX, 2, -EFAULT},
		{UINT64_MAX - 7, 16, -EFAULT},
		{ML_HIGH_RAM_BASE, 1, -EFAULT},
	};
	int fd;
	struct gmem *m = map_new(64 * ML_MIB, &fd);

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iovec v = {.iov_base = &fd, .iov_len = 7};

		assert_int_equal(gmem_check(m, gpa(cases[i].addr), cases[i].len), cases[i].ret);
		assert_int_equal(gmem_iov(m, gpa(cases[i].addr), cases[i].len, &v), cases[i].ret);
		assert_int_equal(v.iov_len, cases[i].ret ? 7 : cases[i].len);
	}
	gmem_unmap(m);
	(void)close(fd);
}

static void test_no_range_spans_the_hole(void **state)
{
	int fd;
	struct gmem *m = map_new(6 * ML_GIB, &fd);

	(void)state;
	assert_int_equal(gmem_check(m, gpa(ML_LOW_RAM_END - 4), 8), -EFAULT);
	assert_int_equal(gmem_check(m, gpa(ML_LOW_RAM_END - 4), ML_GIB + 8), -EFAULT);
	assert_int_equal(gmem_check(m, gpa(ML_HIGH_RAM_BASE - 1), 2), -EFAULT);
	assert_int_equal(gmem_check(m, gpa(0), 6 * ML_GIB), -EFAULT);
	gmem_unmap(m);
	(void)close(fd);
}

static void test_copies_of_every_shape(void **state)
{
	uint8_t in[200];
	uint8_t out[200];
	int fd;
	struct gmem *m = map_new(64 * ML_MIB, &fd);

	(void)state;
	for (unsigned i = 0; i < sizeof(in); i++) {
		in[i] = (uint8_t)(i * 7 + 1);
	}
	for (unsigned shift = 0; shift < 9; shift++) {
		for (unsigned len = 0; len < 130; len++) {
			const uint8_t *host = gmem_region(m, 0)->host + 0x1000 + shift;

			memset(gmem_region(m, 0)->host + 0x1000, 0xee, 256);
			memset(out, 0xdd, sizeof(out));
			assert_int_equal(gmem_write(m, gpa(0x1000 + shift), in, len), 0);
			assert_memory_equal(host, in, len);
			assert_int_equal(host[len], 0xee);
			assert_int_equal(gmem_read(m, gpa(0x1000 + shift), out + 1, len), 0);
			assert_memory_equal(out + 1, in, len);
			assert_int_equal(out[0], 0xdd);
			assert_int_equal(out[1 + len], 0xdd);
		}
	}
	gmem_unmap(m);
	(void)close(fd);
}

static void test_refused_copies_touch_nothing(void **state)
{
	uint64_t end = 64 * ML_MIB;
	uint64_t v = 0x1122334455667788;
	int fd;
	struct gmem *m = map_new(end, &fd);

	(void)state;
	assert_int_equal(gmem_write(m, gpa(end - 4), &v, 8), -EFAULT);
	assert_int_equal(gmem_region(m, 0)->host[end - 4], 0);
	assert_int_equal(gmem_read(m, gpa(end - 4), &v, 8), -EFAULT);
	assert_true(v == 0x1122334455667788);
	gmem_unmap(m);
	(void)close(fd);
}

static void test_ring_fields(void **state)
{
	uint64_t end = 64 * ML_MIB;
	uint16_t v = 9;
	int fd;
	struct gmem *m = map_new(end, &fd);

	(void)state;
	assert_int_equal(gmem_store16(m, gpa(end - 2), 0xabcd), 0);
	assert_int_equal(gmem_region(m, 0)->host[end - 2], 0xcd);
	assert_int_equal(gmem_region(m, 0)->host[end - 1], 0xab);
	assert_int_equal(gmem_load16(m, gpa(end - 2), &v), 0);
	assert_int_equal(v, 0xabcd);
	v = 9;
	assert_int_equal(gmem_load16(m, gpa(end), &v), -EFAULT);
	assert_int_equal(gmem_load16(m, gpa(end - 1), &v), -EFAULT);
	assert_int_equal(gmem_load16(m, gpa(1), &v), -EFAULT);
	assert_int_equal(gmem_store16(m, gpa(3), 1), -EFAULT);
	assert_int_equal(v, 9);
	gmem_unmap(m);
	(void)close(fd);
}

static uint64_t blocks_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks;
}

static void test_discard(void **state)
{
	uint64_t at = 16 * ML_MIB;
	uint64_t filled;
	uint8_t byte = 1;
	int fd;
	struct gmem *m = map_new(64 * ML_MIB, &fd);

	(void)state;
	memset(gmem_region(m, 0)->host + at, 0x5a, 4 * ML_MIB);
	filled = blocks_of(fd);
	assert_true(filled >= 4 * ML_MIB / 512);
	/* One byte too few on either side: those pages stay. */
	assert_int_equal(gmem_discard(m, gpa(at + 1), 4 * ML_MIB - 2), 0);
	/* Before any read: a read of a hole through the mapping makes a page. */
	assert_true(blocks_of(fd) <= filled - (4 * ML_MIB - 2 * ML_PAGE) / 512);
	assert_int_equal(gmem_read(m, gpa(at + 5), &byte, 1), 0);
	assert_int_equal(byte, 0x5a);
	assert_int_equal(gmem_read(m, gpa(at + 4 * ML_MIB - 1), &byte, 1), 0);
	assert_int_equal(byte, 0x5a);
	assert_int_equal(gmem_read(m, gpa(at + ML_PAGE), &byte, 1), 0);
	assert_int_equal(byte, 0);
	/* Nothing to do, and nothing done. */
	assert_int_equal(gmem_discard(m, gpa(at + 1), ML_PAGE - 2), 0);
	assert_int_equal(gmem_discard(m, gpa(at), 0), 0);
	assert_int_equal(gmem_discard(m, gpa(at), ML_PAGE - 1), 0);
	assert_int_equal(gmem_read(m, gpa(at), &byte, 1), 0);
	assert_int_equal(byte, 0x5a);
	/* Outside. */
	assert_int_equal(gmem_discard(m, gpa(64 * ML_MIB), ML_PAGE), -EFAULT);
	assert_int_equal(gmem_discard(m, gpa(UINT64_MAX - 10), ML_PAGE), -EFAULT);
	gmem_unmap(m);
	(void)close(fd);
}

static void test_two_mappings_are_one_memory(void **state)
{
	int fd;
	struct gmem *a = map_new(64 * ML_MIB, &fd);
	struct gmem *b = NULL;
	char text[6] = "";

	(void)state;
	assert_int_equal(gmem_map(fd, 64 * ML_MIB, &b), 0);
	assert_int_equal(gmem_write(a, gpa(0x3000), "hello", 6), 0);
	assert_int_equal(gmem_read(b, gpa(0x3000), text, 6), 0);
	assert_string_equal(text, "hello");
	/* What one gives back is gone for the other. */
	assert_int_equal(gmem_discard(b, gpa(0x3000), ML_PAGE), 0);
	assert_int_equal(gmem_read(a, gpa(0x3000), text, 6), 0);
	assert_string_equal(text, "");
	gmem_unmap(a);
	gmem_unmap(b);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_memfd_is_sealed),
		cmocka_unit_test(test_unsealed_is_refused),
		cmocka_unit_test(test_what_is_no_memory_file_is_refused),
		cmocka_unit_test(test_regions),
		cmocka_unit_test(test_high_part_is_the_rest_of_the_file),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_no_range_spans_the_hole),
		cmocka_unit_test(test_copies_of_every_shape),
		cmocka_unit_test(test_refused_copies_touch_nothing),
		cmocka_unit_test(test_ring_fields),
		cmocka_unit_test(test_discard),
		cmocka_unit_test(test_two_mappings_are_one_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
