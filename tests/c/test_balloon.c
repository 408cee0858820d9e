/* SPDX-License-Identifier: Apache-2.0 */
/* test_balloon.c - free page reporting and the balloon nobody asked for */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <linux/virtio_mmio.h>

#include "dev_lies.h"
#include "vmm/virtio_balloon.h"

#define PAGE	 4096u
#define REPORT_Q VIRTIO_BALLOON_Q_REPORTING

struct fixture {
	struct eg *g;
	struct virtio_balloon *b;
	struct virtio_dev *dev;
	uint64_t pages; /* 16 pages of guest memory */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->g = eg_create();
	assert_int_equal(virtio_balloon_create(eg_mem(f->g), &f->b), 0);
	f->dev = virtio_balloon_dev(f->b);
	f->pages = eg_alloc(f->g, 16 * PAGE, PAGE);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	virtio_balloon_destroy(f->b);
	eg_destroy(f->g);
	free(f);
	return 0;
}

static uint64_t ram_blocks(const struct fixture *f)
{
	struct stat st;

	assert_int_equal(fstat(eg_memfd(f->g), &st), 0);
	return (uint64_t)st.st_blocks;
}

static uint8_t byte_at(struct fixture *f, uint64_t addr)
{
	uint8_t b;

	eg_get(f->g, addr, &b, 1);
	return b;
}

static bool request(struct fixture *f, unsigned q, struct eg_buf *b, unsigned n)
{
	struct eg_used u;

	(void)eg_add_chain(f->g, q, b, n);
	eg_kick(f->g, q);
	return eg_used_next(f->g, q, &u) && u.len == 0;
}

static void good(struct eg *g, void *ctx)
{
	struct fixture *f = ctx;
	struct eg_buf b = EG_IN(2 * PAGE);

	b.addr = f->pages + PAGE;
	eg_fill(g, f->pages, 0x11, 4 * PAGE);
	assert_true(request(f, REPORT_Q, &b, 1));
	assert_int_equal(byte_at(f, f->pages + PAGE - 1), 0x11);
	assert_int_equal(byte_at(f, f->pages + PAGE), 0);
	assert_int_equal(byte_at(f, f->pages + 3 * PAGE - 1), 0);
	assert_int_equal(byte_at(f, f->pages + 3 * PAGE), 0x11);
}

static void test_identity(void **state)
{
	struct fixture *f = *state;
	uint64_t zero = 1;

	assert_int_equal(f->dev->ops->id, VIRTIO_ID_BALLOON);
	assert_int_equal(eg_offered(f->dev) & 0xffffff, VIRTIO_BALLOON_F_REPORTING);
	assert_int_equal(f->dev->n_queues, 3); /* no statistics, no hints: reporting is number 2 */
	virtio_mmio_read(f->dev, VIRTIO_MMIO_CONFIG, &zero, sizeof(zero));
	assert_int_equal(zero, 0);
	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
}

static void test_actual(void **state)
{
	struct fixture *f = *state;
	uint32_t v = 7;

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	virtio_mmio_write(f->dev, VIRTIO_MMIO_CONFIG + 4, &v, sizeof(v));
	assert_int_equal(eg_reg_read(f->dev, VIRTIO_MMIO_CONFIG + 4), 7);
	virtio_mmio_write(f->dev, VIRTIO_MMIO_CONFIG, &v, sizeof(v)); /* num_pages is ours */
	assert_int_equal(eg_reg_read(f->dev, VIRTIO_MMIO_CONFIG), 0);
	virtio_mmio_write(f->dev, VIRTIO_MMIO_CONFIG + 4, &v, 2);
	assert_int_equal(eg_reg_read(f->dev, VIRTIO_MMIO_CONFIG + 12), 0);
	eg_reset(f->g);
	assert_int_equal(eg_reg_read(f->dev, VIRTIO_MMIO_CONFIG + 4), 0);
}

static void test_reporting_frees_host_memory(void **state)
{
	struct fixture *f = *state;
	struct virtio_balloon_stats stats;
	struct eg_buf b[2] = {EG_IN(4 * PAGE), EG_IN(8 * PAGE)};
	uint64_t before;

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	good(f->g, f);
	b[0].addr = f->pages;
	b[1].addr = f->pages + 8 * PAGE;
	eg_fill(f->g, f->pages, 0x22, 16 * PAGE);
	before = ram_blocks(f);
	eg_indirect(f->g, true);
	assert_true(request(f, REPORT_Q, b, 2));
	/* 12 pages less, and one more for the indirect table. */
	assert_true(ram_blocks(f) <= before - 11 * PAGE / 512);
	assert_int_equal(byte_at(f, f->pages + 4 * PAGE), 0x22);
	virtio_balloon_stats(f->b, &stats);
	assert_int_equal(stats.reported_bytes, 14 * PAGE);
	assert_int_equal(stats.kept_bytes, 0);
}

static void test_partial_pages_stay(void **state)
{
	struct fixture *f = *state;
	struct eg_buf b = EG_IN(2 * PAGE);

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	eg_fill(f->g, f->pages, 0x33, 4 * PAGE);
	b.addr = f->pages + 1; /* covers one page only */
	assert_true(request(f, REPORT_Q, &b, 1));
	assert_int_equal(byte_at(f, f->pages + PAGE - 1), 0x33);
	assert_int_equal(byte_at(f, f->pages + PAGE), 0);
	assert_int_equal(byte_at(f, f->pages + 2 * PAGE), 0x33);
}

static void test_balloon(void **state)
{
	struct fixture *f = *state;
	uint32_t pfns[2] = {(uint32_t)(f->pages / PAGE), (uint32_t)(f->pages / PAGE) + 2};
	struct eg_buf b = EG_OUT(pfns, sizeof(pfns));

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	eg_fill(f->g, f->pages, 0x44, 4 * PAGE);
	assert_true(request(f, VIRTIO_BALLOON_Q_INFLATE, &b, 1));
	assert_int_equal(byte_at(f, f->pages), 0);
	assert_int_equal(byte_at(f, f->pages + PAGE), 0x44);
	assert_int_equal(byte_at(f, f->pages + 2 * PAGE), 0);
	b.addr = 0;
	assert_true(request(f, VIRTIO_BALLOON_Q_DEFLATE, &b, 1));
	assert_int_equal(byte_at(f, f->pages + PAGE), 0x44);
}

/* Return: was it refused? */
static bool refused(struct fixture *f, unsigned q, struct eg_buf b)
{
	struct eg_used u;

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	(void)eg_add_chain(f->g, q, &b, 1);
	eg_kick(f->g, q);
	return eg_needs_reset(f->g) && !eg_used_next(f->g, q, &u);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	uint32_t outside = EG_RAM_BYTES / PAGE;
	uint32_t far = UINT32_MAX;
	static uint32_t many[VIRTIO_BALLOON_PFNS_MAX + 1];

	assert_true(refused(f, VIRTIO_BALLOON_Q_INFLATE, EG_OUT(&outside, 4)));
	assert_true(refused(f, VIRTIO_BALLOON_Q_INFLATE, EG_OUT(&far, 4)));
	assert_true(refused(f, VIRTIO_BALLOON_Q_INFLATE, EG_OUT(&far, 3)));
	assert_true(refused(f, VIRTIO_BALLOON_Q_INFLATE, EG_OUT(many, sizeof(many))));
	assert_true(refused(f, VIRTIO_BALLOON_Q_INFLATE, EG_IN(4)));
	assert_true(refused(f, VIRTIO_BALLOON_Q_DEFLATE, EG_IN(4)));
	assert_true(refused(f, VIRTIO_BALLOON_Q_DEFLATE, EG_OUT(many, sizeof(many))));
	assert_true(refused(f, REPORT_Q, EG_OUT(many, PAGE)));
	/* One entry less is fine: what was refused was the length. */
	assert_false(refused(f, VIRTIO_BALLOON_Q_DEFLATE,
			     EG_OUT(many, VIRTIO_BALLOON_PFNS_MAX * sizeof(many[0]))));
	good(f->g, f);
}

static void test_lies(void **state)
{
	struct fixture *f = *state;
	uint32_t pfn = (uint32_t)(f->pages / PAGE);
	struct eg_buf in = EG_IN(64);
	struct eg_buf out = EG_OUT(&pfn, sizeof(pfn));
	struct lies t = {.g = f->g,
			 .dev = f->dev,
			 .q = REPORT_Q,
			 .bufs = &in,
			 .n = 1,
			 .size = 64,
			 .good = good,
			 .ctx = f};

	lies_check(&t);
	lies_check_layouts(&t);
	t.q = VIRTIO_BALLOON_Q_INFLATE;
	t.bufs = &out;
	lies_check(&t);
	t.q = VIRTIO_BALLOON_Q_DEFLATE;
	lies_check(&t);
}

static void test_destroy_null(void **state)
{
	(void)state;
	virtio_balloon_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_identity, setup, teardown),
		cmocka_unit_test_setup_teardown(test_actual, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reporting_frees_host_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_partial_pages_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(test_balloon, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
		cmocka_unit_test(test_destroy_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
