/* SPDX-License-Identifier: Apache-2.0 */
/* test_virtio_fs.c - the vmm's side of virtio-fs: registers, start and stop of the server */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <linux/virtio_mmio.h>

#include "dev_lies.h"
#include "vmm/virtio_fs.h"

struct fixture {
	struct eg *g;
	struct virtio_fs *fs;
	struct virtio_dev *dev;
	_Atomic uint32_t irq_status;
	int start_result;
	unsigned starts;
	unsigned stops;
	unsigned n_queues;
	uint64_t features;
	struct virtq_layout layout[VIRTIO_MAX_QUEUES];
};

static int start(void *ctx, const struct virtq_layout *l, unsigned n_queues, uint64_t features)
{
	struct fixture *f = ctx;

	if (f->start_result < 0) {
		return f->start_result;
	}
	f->starts++;
	f->n_queues = n_queues;
	f->features = features;
	memcpy(f->layout, l, n_queues * sizeof(*l));
	return 0;
}

static void stop(void *ctx)
{
	((struct fixture *)ctx)->stops++;
}

static struct virtio_fs_config config(struct fixture *f, const char *tag, unsigned n)
{
	return (struct virtio_fs_config){
		.tag = tag,
		.n_request_queues = n,
		.backend = {.start = start, .stop = stop, .ctx = f},
		.irq_status = &f->irq_status,
	};
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct virtio_fs_config cfg = config(f, "volt", 2);

	f->g = eg_create();
	assert_int_equal(virtio_fs_create(eg_mem(f->g), &cfg, &f->fs), 0);
	f->dev = virtio_fs_dev(f->fs);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	virtio_fs_destroy(f->fs);
	assert_int_equal(f->starts, f->stops);
	eg_destroy(f->g);
	free(f);
	return 0;
}

static void good(struct eg *g, void *ctx)
{
	struct fixture *f = ctx;

	(void)g;
	assert_true(f->starts == f->stops + 1);
}

static void test_config(void **state)
{
	struct fixture *f = *state;
	char tag[36];
	uint32_t n;

	assert_int_equal(f->dev->ops->id, VIRTIO_ID_FS);
	for (unsigned i = 0; i < sizeof(tag); i++) {
		virtio_mmio_read(f->dev, VIRTIO_MMIO_CONFIG + i, &tag[i], 1);
	}
	assert_memory_equal(tag, "volt\0\0\0", 8);
	assert_int_equal(tag[35], 0);
	virtio_mmio_read(f->dev, VIRTIO_MMIO_CONFIG + 36, &n, sizeof(n));
	assert_int_equal(n, 2);
	n = 1;
	virtio_mmio_read(f->dev, VIRTIO_MMIO_CONFIG + 40, &n, sizeof(n)); /* behind the end */
	assert_int_equal(n, 0);
}

static void test_bad_config(void **state)
{
	struct fixture *f = *state;
	struct virtio_fs *fs = NULL;
	struct virtio_fs_config cfg = config(f, "", 1);
	char longest[38];

	assert_int_equal(virtio_fs_create(eg_mem(f->g), &cfg, &fs), -EINVAL);
	cfg.tag = NULL;
	assert_int_equal(virtio_fs_create(eg_mem(f->g), &cfg, &fs), -EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[37] = '\0';
	cfg.tag = longest;
	assert_int_equal(virtio_fs_create(eg_mem(f->g), &cfg, &fs), -EINVAL);
	cfg = config(f, "volt", 0);
	assert_int_equal(virtio_fs_create(eg_mem(f->g), &cfg, &fs), -EINVAL);
	cfg = config(f, "volt", VIRTIO_FS_MAX_REQUEST_QUEUES + 1);
	assert_int_equal(virtio_fs_create(eg_mem(f->g), &cfg, &fs), -EINVAL);
	cfg = config(f, "volt", 1);
	cfg.backend.stop = NULL;
	assert_int_equal(virtio_fs_create(eg_mem(f->g), &cfg, &fs), -EINVAL);
	assert_null(fs);
	longest[36] = '\0';
	cfg = config(f, longest, VIRTIO_FS_MAX_REQUEST_QUEUES);
	assert_int_equal(virtio_fs_create(eg_mem(f->g), &cfg, &fs), 0);
	virtio_fs_destroy(fs);
	virtio_fs_destroy(NULL);
}

static void test_start_gets_the_layout(void **state)
{
	struct fixture *f = *state;

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 1024));
	assert_int_equal(f->starts, 1);
	assert_int_equal(f->n_queues, 3);
	assert_true(f->features & VIRTIO_F_VERSION_1);
	assert_true(f->features & VIRTIO_F_EVENT_IDX);
	for (unsigned q = 0; q < 3; q++) {
		assert_int_equal(f->layout[q].size, 1024); /* >= 512: requests of 1 MiB */
		assert_int_equal(f->layout[q].ready, 1);
		assert_int_equal(f->layout[q].desc, eg_layout(f->g, q)->desc);
	}
	eg_kick(f->g, 1); /* not for us, and nothing to call */
	eg_reset(f->g);
	assert_int_equal(f->stops, 1);
	eg_reset(f->g);
	assert_int_equal(f->stops, 1);
	assert_true(eg_start(f->g, f->dev, 0, 512));
	assert_int_equal(f->starts, 2);
	assert_int_equal(f->features, VIRTIO_F_VERSION_1);
}

static void test_fewer_queues(void **state)
{
	struct fixture *f = *state;

	assert_true(eg_negotiate(f->g, f->dev, EG_ALL_OFFERED) != 0);
	eg_queue_setup(f->g, 0, 64);
	assert_false(eg_driver_ok(f->g)); /* no request queue at all */
	assert_int_equal(f->starts, 0);
	assert_true(eg_negotiate(f->g, f->dev, EG_ALL_OFFERED) != 0);
	eg_queue_setup(f->g, 0, 64);
	eg_queue_setup(f->g, 1, 64);
	assert_true(eg_driver_ok(f->g)); /* one CPU, one request queue */
	assert_int_equal(f->layout[1].ready, 1);
	assert_int_equal(f->layout[2].ready, 0);
}

static void test_start_fails(void **state)
{
	struct fixture *f = *state;

	f->start_result = -EPIPE;
	assert_false(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	assert_true(eg_needs_reset(f->g));
	eg_reset(f->g);
	assert_int_equal(f->stops, 0);
	f->start_result = 0;
	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
}

static void test_irq_status_is_shared(void **state)
{
	struct fixture *f = *state;

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	virtio_irq_raise(&f->irq_status, -1, VIRTIO_IRQ_QUEUE);
	assert_int_equal(eg_irq_take(f->g), VIRTIO_IRQ_QUEUE);
	assert_int_equal(f->irq_status, 0);
}

static void test_fault_from_the_server(void **state)
{
	struct fixture *f = *state;

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
	virtio_fs_fault(f->fs, "fs process ended");
	assert_true(eg_needs_reset(f->g));
	assert_int_equal(eg_irq_take(f->g), VIRTIO_IRQ_CONFIG);
	assert_int_equal(f->stops, 0);
	eg_reset(f->g);
	assert_int_equal(f->stops, 1);
	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 64));
}

static void test_layout_lies(void **state)
{
	struct fixture *f = *state;
	struct lies t = {.g = f->g, .dev = f->dev, .size = 64, .good = good, .ctx = f};

	for (t.q = 0; t.q < 3; t.q++) {
		lies_check_layouts(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_start_gets_the_layout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fewer_queues, setup, teardown),
		cmocka_unit_test_setup_teardown(test_start_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_irq_status_is_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fault_from_the_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_layout_lies, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
