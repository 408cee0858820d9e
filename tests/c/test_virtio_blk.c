/* SPDX-License-Identifier: Apache-2.0 */
/* test_virtio_blk.c - the block device against honest and lying drivers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/fdio.h"
#include "dev_lies.h"
#include "vmm/virtio_blk.h"

#define SECTORS	   16u
#define BYTES	   (SECTORS * 512u)
#define BIG_BYTES  (8u << 20)
#define REG_CONFIG 0x100u

struct fixture {
	struct eg *g;
	struct virtio_blk *blk;
	struct virtio_dev *dev;
	int fd;
};

struct header {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

static int make(void **state, uint64_t bytes, bool ro)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct virtio_blk_backend b = {.bytes = bytes, .ro = ro, .serial = "volt-3"};
	uint8_t sector[512];

	assert_non_null(f);
	f->fd = vr_memfd("disk", 0, 0);
	assert_true(f->fd >= 0);
	for (unsigned i = 0; i < bytes / 512; i++) {
		memset(sector, (int)(i + 1), sizeof(sector));
		assert_int_equal(pwrite(f->fd, sector, sizeof(sector), i * 512), 512);
	}
	b.fd = f->fd;
	f->g = eg_create();
	assert_int_equal(virtio_blk_create(eg_mem(f->g), &b, &f->blk), 0);
	f->dev = virtio_blk_dev(f->blk);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return make(state, BYTES + 100, false); /* a part of a sector at the end */
}

static int setup_ro(void **state)
{
	return make(state, BYTES, true);
}

static int setup_big(void **state)
{
	return make(state, BIG_BYTES, false);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	virtio_blk_destroy(f->blk);
	eg_destroy(f->g);
	close(f->fd);
	free(f);
	return 0;
}

/* A request with @n_out data bytes for the device and @n_in from it. Return: its status */
static uint8_t ask(struct eg *g, uint32_t type, uint64_t sector, const void *out, uint32_t n_out,
		   uint32_t n_in, void *in)
{
	struct header h = {.type = type, .sector = sector};
	struct eg_buf b[4];
	uint8_t status = 0xee;
	struct eg_used u;
	unsigned n = 0;

	b[n++] = EG_OUT(&h, sizeof(h));
	if (n_out > 0) {
		b[n++] = EG_OUT(out, n_out);
	}
	if (n_in > 0) {
		b[n] = EG_IN(n_in);
		b[n++].addr = lies_buf(g, n_in);
	}
	b[n] = EG_IN(1);
	b[n++].addr = lies_buf(g, 1);
	(void)eg_add_chain(g, 0, b, n);
	eg_kick(g, 0);
	assert_true(eg_used_next(g, 0, &u));
	assert_int_equal(u.len, n_in + 1);
	lies_check_guards(g, b[n - 1].addr, 1);
	eg_get(g, b[n - 1].addr, &status, 1);
	if (n_in > 0) {
		lies_check_guards(g, b[n - 2].addr, n_in);
		if (in) {
			eg_get(g, b[n - 2].addr, in, n_in);
		}
	}
	return status;
}

static void good(struct eg *g, void *ctx)
{
	uint8_t buf[1024];

	(void)ctx;
	assert_int_equal(ask(g, VIRTIO_BLK_T_IN, 2, NULL, 0, sizeof(buf), buf), 0);
	assert_int_equal(buf[0], 3);
	assert_int_equal(buf[511], 3);
	assert_int_equal(buf[512], 4);
}

static void start(struct fixture *f)
{
	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 128));
}

static void identity(void **state)
{
	struct fixture *f = *state;
	char id[20];

	start(f);
	assert_int_equal(f->dev->ops->id, VIRTIO_ID_BLOCK);
	assert_int_equal(eg_reg_read(f->dev, REG_CONFIG), SECTORS);
	assert_int_equal(eg_reg_read(f->dev, REG_CONFIG + 4), 0);
	assert_int_equal(eg_reg_read(f->dev, REG_CONFIG + 12), VIRTIO_BLK_SEG_MAX);
	assert_int_equal(eg_reg_read(f->dev, REG_CONFIG + 20), 512);
	assert_false(eg_offered(f->dev) & VIRTIO_BLK_F_RO);
	assert_int_equal(ask(f->g, VIRTIO_BLK_T_GET_ID, 0, NULL, 0, sizeof(id), id), 0);
	assert_memory_equal(id, "volt-3\0\0\0\0\0\0\0\0\0\0\0\0\0\0", sizeof(id));
	assert_int_equal(ask(f->g, VIRTIO_BLK_T_GET_ID, 0, NULL, 0, 19, NULL), VIRTIO_BLK_S_IOERR);
	good(f->g, f);
	assert_int_equal(eg_irq_take(f->g), VIRTIO_IRQ_QUEUE);
}

static void writing(void **state)
{
	struct fixture *f = *state;
	uint8_t data[512], got[512];

	start(f);
	memset(data, 0x77, sizeof(data));
	assert_int_equal(ask(f->g, VIRTIO_BLK_T_OUT, 5, data, sizeof(data), 0, NULL), 0);
	assert_int_equal(pread(f->fd, got, sizeof(got), 5 * 512), 512);
	assert_memory_equal(got, data, sizeof(data));
	assert_int_equal(pread(f->fd, got, sizeof(got), 6 * 512), 512);
	assert_int_equal(got[0], 7); /* only there */
	assert_int_equal(ask(f->g, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, 0, NULL), 0);
}

static void read_only(void **state)
{
	struct fixture *f = *state;
	uint8_t data[512] = {0}, got[512];

	start(f);
	assert_true(eg_offered(f->dev) & VIRTIO_BLK_F_RO);
	assert_int_equal(ask(f->g, VIRTIO_BLK_T_OUT, 5, data, sizeof(data), 0, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(pread(f->fd, got, sizeof(got), 5 * 512), 512);
	assert_int_equal(got[0], 6);
	good(f->g, f);
}

static void beyond_the_end(void **state)
{
	static const struct {
		uint64_t sector;
		uint32_t len;
	} table[] = {
		{SECTORS, 512},	   {SECTORS - 1, 1024},
		{UINT64_MAX, 512}, {UINT64_MAX / 512, 512},
		{1ull << 55, 512}, {SECTORS + 1, 512},
		{0, 511},	   {0, 513},
		{0, BYTES + 512},  {0, 1},
	};
	struct fixture *f = *state;
	static uint8_t data[BYTES + 512];
	struct stat st;

	start(f);
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		assert_int_equal(
			ask(f->g, VIRTIO_BLK_T_IN, table[i].sector, NULL, 0, table[i].len, NULL),
			VIRTIO_BLK_S_IOERR);
		assert_int_equal(
			ask(f->g, VIRTIO_BLK_T_OUT, table[i].sector, data, table[i].len, 0, NULL),
			VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(fstat(f->fd, &st), 0);
	assert_int_equal(st.st_size, BYTES); /* never grown */
	assert_int_equal(ask(f->g, VIRTIO_BLK_T_IN, 0, NULL, 0, 0, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(f->g, VIRTIO_BLK_T_IN, SECTORS - 1, NULL, 0, 512, NULL), 0);
	assert_false(eg_needs_reset(f->g)); /* errors, not faults */
}

static void a_disk_that_shrank(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_int_equal(ftruncate(f->fd, 3 * 512 + 10), 0);
	assert_int_equal(ask(f->g, VIRTIO_BLK_T_IN, 3, NULL, 0, 512, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(f->g, VIRTIO_BLK_T_IN, 2, NULL, 0, 512, NULL), 0);
	assert_false(eg_needs_reset(f->g));
}

static void long_requests(void **state)
{
	struct fixture *f = *state;
	uint8_t *got = malloc(VIRTIO_BLK_REQUEST_MAX + 512);

	assert_non_null(got);
	start(f);
	assert_int_equal(ask(f->g, VIRTIO_BLK_T_IN, 0, NULL, 0, VIRTIO_BLK_REQUEST_MAX, got), 0);
	assert_int_equal(got[512 * 99], 100);
	assert_int_equal(ask(f->g, VIRTIO_BLK_T_IN, 0, NULL, 0, VIRTIO_BLK_REQUEST_MAX + 512, NULL),
			 VIRTIO_BLK_S_IOERR);
	free(got);
}

static void unknown_kinds(void **state)
{
	static const uint32_t kinds[] = {2, 3, 5, 9, 11, 13, 0x80000000u, UINT32_MAX};
	struct fixture *f = *state;

	start(f);
	for (size_t i = 0; i < VR_ARRAY_SIZE(kinds); i++) {
		assert_int_equal(ask(f->g, kinds[i], 0, NULL, 0, 512, NULL), VIRTIO_BLK_S_UNSUPP);
	}
}

/* Header, data and status in buffers of a driver that likes odd sizes. */
static void odd_buffers(void **state)
{
	struct fixture *f = *state;
	struct header h = {.type = VIRTIO_BLK_T_IN, .sector = 1};
	struct eg_buf b[5];
	uint8_t got[300];
	struct eg_used u;

	start(f);
	b[0] = EG_OUT(&h, 5);
	b[1] = EG_OUT((uint8_t *)&h + 5, 11);
	b[2] = EG_IN(1);
	b[3] = EG_IN(300);
	b[4] = EG_IN(212); /* 211 bytes of data, and the status */
	(void)eg_add_chain(f->g, 0, b, 5);
	eg_kick(f->g, 0);
	assert_true(eg_used_next(f->g, 0, &u));
	assert_int_equal(u.len, 513);
	eg_get(f->g, b[3].addr, got, 300);
	assert_int_equal(got[0], 2);
	assert_int_equal(got[299], 2);
	eg_get(f->g, b[4].addr, got, 212);
	assert_int_equal(got[210], 2);
	assert_int_equal(got[211], VIRTIO_BLK_S_OK);
}

static void incomplete(void **state)
{
	struct fixture *f = *state;
	struct header h = {.type = VIRTIO_BLK_T_IN};
	struct eg_buf cases[3][2] = {
		{EG_OUT(&h, 15), EG_IN(513)}, /* no whole header */
		{EG_OUT(&h, 16), {.len = 0}}, /* no room for a status */
		{EG_IN(513), {.len = 0}},     /* no header at all */
	};

	for (unsigned i = 0; i < 3; i++) {
		start(f);
		(void)eg_add_chain(f->g, 0, cases[i], i == 0 ? 2 : 1);
		eg_kick(f->g, 0);
		assert_true(eg_needs_reset(f->g));
		assert_int_equal(eg_used_idx(f->g, 0), 0);
		start(f);
		good(f->g, f);
	}
}

static void lies(void **state)
{
	struct fixture *f = *state;
	struct header h = {.type = VIRTIO_BLK_T_IN, .sector = 1};
	struct eg_buf bufs[] = {EG_OUT(&h, sizeof(h)), EG_IN(512), EG_IN(1)};
	const struct lies t = {
		.g = f->g, .dev = f->dev, .bufs = bufs, .n = 3, .size = 64, .good = good, .ctx = f};

	lies_check(&t);
	lies_check_layouts(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(identity, setup, teardown),
		cmocka_unit_test_setup_teardown(writing, setup, teardown),
		cmocka_unit_test_setup_teardown(read_only, setup_ro, teardown),
		cmocka_unit_test_setup_teardown(beyond_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(a_disk_that_shrank, setup, teardown),
		cmocka_unit_test_setup_teardown(long_requests, setup_big, teardown),
		cmocka_unit_test_setup_teardown(unknown_kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(odd_buffers, setup, teardown),
		cmocka_unit_test_setup_teardown(incomplete, setup, teardown),
		cmocka_unit_test_setup_teardown(lies, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
