/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_dev_abuse.c - what a driver may try with any device, tried with each of them
 *
 * Registers at every offset and width in every state, queues programmed anew while
 * they run, features never offered, doorbells that nobody has, queues left out,
 * and rings that a second thread changes while the device reads them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <linux/virtio_mmio.h>

#include "dev_zoo.h"

#define PAGE	 0x1000u
#define REGS_END (VIRTIO_MMIO_CONFIG + 64u)

static const uint32_t status_path[] = {0, 1, 3, 11, 15};

/* Bring the device into state number @n of status_path; 5: live, then given up. */
static void enter_state(struct zoo *z, unsigned n)
{
	if (n >= 4) {
		assert_true(eg_start(z->g, z->dev, EG_ALL_OFFERED, ZOO_QUEUE_SIZE));
		if (n == 5) {
			eg_reg_write(z->dev, VIRTIO_MMIO_STATUS, 15 | VIRTIO_S_FAILED);
		}
		return;
	}
	eg_reg_write(z->dev, VIRTIO_MMIO_STATUS, 0);
	if (n == 3) {
		assert_true(eg_negotiate(z->g, z->dev, EG_ALL_OFFERED) != 0);
		return;
	}
	for (unsigned i = 1; i <= n; i++) {
		eg_reg_write(z->dev, VIRTIO_MMIO_STATUS, status_path[i]);
	}
}

static void check_access(struct zoo *z, uint32_t off, uint32_t len)
{
	bool is_reg = off < VIRTIO_MMIO_CONFIG && off % 4 == 0 && len == 4;
	bool is_config = off >= VIRTIO_MMIO_CONFIG &&
			 off + len <= VIRTIO_MMIO_CONFIG + z->dev->ops->config_len &&
			 (len == 1 || len == 2 || len == 4 || len == 8);
	uint8_t buf[16];
	uint32_t status;

	memset(buf, 0xa5, sizeof(buf));
	virtio_mmio_read(z->dev, off, buf, len);
	for (uint32_t i = 0; i < sizeof(buf); i++) {
		if (i >= len) {
			assert_int_equal(buf[i], 0xa5); /* no more than was asked for */
		} else if (!is_reg && !is_config) {
			assert_int_equal(buf[i], 0);
		}
	}
	if (is_reg) {
		return; /* those have tests of their own */
	}
	status = eg_status(z->dev);
	memset(buf, 0xff, sizeof(buf));
	virtio_mmio_write(z->dev, off, buf, len);
	memset(buf, 0, sizeof(buf));
	virtio_mmio_write(z->dev, off, buf, len); /* of any other width 0 is no reset */
	assert_int_equal(eg_status(z->dev), status);
	assert_int_equal(z->dev->n_faults, 0);
}

static void every_width(struct zoo *z)
{
	for (unsigned state = 0; state <= 5; state++) {
		enter_state(z, state);
		for (uint32_t off = 0; off < REGS_END; off++) {
			for (uint32_t len = 1; len <= 8; len++) {
				check_access(z, off, len);
			}
		}
		for (uint32_t len = 1; len <= 8; len++) {
			check_access(z, PAGE - len, len);
			check_access(z, PAGE - 1, len);
		}
	}
}

/* Every value into every register: whatever comes of it, a reset and an honest driver make it good. */
static void every_register(struct zoo *z)
{
	static const uint32_t values[] = {0,	  1,	      2,	  3,	      0xff,
					  0x8000, 0x7fffffff, 0x80000000, 0xfffffff0, UINT32_MAX};

	for (unsigned state = 0; state <= 5; state++) {
		for (uint32_t off = 0; off < VIRTIO_MMIO_CONFIG; off += 4) {
			for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
				enter_state(z, state);
				eg_reg_write(z->dev, off, values[i]);
				(void)eg_reg_read(z->dev, off);
				zoo_work(z);
			}
		}
	}
	assert_true(eg_start(z->g, z->dev, EG_ALL_OFFERED, ZOO_QUEUE_SIZE));
}

static void features_never_offered(struct zoo *z)
{
	uint64_t offer = eg_offered(z->dev);

	assert_true((offer & VIRTIO_F_VERSION_1) != 0);
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t agreed = eg_negotiate(z->g, z->dev, 1ull << bit);

		if (offer & 1ull << bit) {
			assert_true(agreed == ((1ull << bit) | VIRTIO_F_VERSION_1));
			continue;
		}
		assert_true(agreed == 0);
		assert_int_equal(eg_status(z->dev), 3);
		/* Neither can a driver go on as if it had stuck. */
		eg_reg_write(z->dev, VIRTIO_MMIO_STATUS, 15);
		assert_int_equal(eg_status(z->dev), 3);
		assert_false(z->dev->active);
	}
}

/* A queue that runs is where it was, whatever is written; so is one that isn't selected. */
static void queues_while_running(struct zoo *z)
{
	static const uint32_t regs[] = {
		VIRTIO_MMIO_QUEUE_NUM,	      VIRTIO_MMIO_QUEUE_DESC_LOW,
		VIRTIO_MMIO_QUEUE_DESC_HIGH,  VIRTIO_MMIO_QUEUE_AVAIL_LOW,
		VIRTIO_MMIO_QUEUE_AVAIL_HIGH, VIRTIO_MMIO_QUEUE_USED_LOW,
		VIRTIO_MMIO_QUEUE_USED_HIGH,  VIRTIO_MMIO_QUEUE_READY,
		VIRTIO_MMIO_DRIVER_FEATURES,  VIRTIO_MMIO_DRIVER_FEATURES_SEL,
	};
	struct virtq before[VIRTIO_MAX_QUEUES];
	uint64_t features;
	uint64_t refused;

	assert_true(eg_start(z->g, z->dev, EG_ALL_OFFERED, ZOO_QUEUE_SIZE));
	memcpy(before, z->dev->vq, sizeof(before));
	features = z->dev->driver_features;
	for (unsigned q = 0; q < z->dev->n_queues + 2; q++) {
		eg_reg_write(z->dev, VIRTIO_MMIO_QUEUE_SEL, q);
		for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
			refused = z->dev->n_refused;
			eg_reg_write(z->dev, regs[i], 0);
			eg_reg_write(z->dev, regs[i], 0x10000 * q + 0x3000);
			assert_int_equal(z->dev->n_refused, refused + 2);
		}
	}
	assert_memory_equal(before, z->dev->vq, sizeof(before));
	assert_true(z->dev->driver_features == features);
	assert_true(z->dev->active);
	assert_int_equal(z->dev->n_faults, 0);
}

static void absent_doorbells(struct zoo *z)
{
	for (unsigned state = 0; state <= 5; state++) {
		enter_state(z, state);
		for (uint32_t q = z->dev->n_queues; q < 70; q++) {
			eg_reg_write(z->dev, VIRTIO_MMIO_QUEUE_NOTIFY, q);
			virtio_dev_kicked(z->dev, q);
		}
		eg_reg_write(z->dev, VIRTIO_MMIO_QUEUE_NOTIFY, 0x10000);
		eg_reg_write(z->dev, VIRTIO_MMIO_QUEUE_NOTIFY, UINT32_MAX);
		virtio_dev_kicked(z->dev, UINT32_MAX);
		zoo_work(z);
		assert_int_equal(z->dev->n_faults, 0);
	}
}

/* What was left out stays out: too late to make it ready. */
static void queue_too_late(struct zoo *z, unsigned q)
{
	static const uint32_t regs[] = {VIRTIO_MMIO_QUEUE_NUM, VIRTIO_MMIO_QUEUE_DESC_LOW,
					VIRTIO_MMIO_QUEUE_AVAIL_LOW, VIRTIO_MMIO_QUEUE_USED_LOW,
					VIRTIO_MMIO_QUEUE_READY};

	eg_reg_write(z->dev, VIRTIO_MMIO_QUEUE_SEL, q);
	for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		uint64_t refused = z->dev->n_refused;

		eg_reg_write(z->dev, regs[i], 1);
		assert_int_equal(z->dev->n_refused, refused + 1);
	}
	assert_int_equal(eg_reg_read(z->dev, VIRTIO_MMIO_QUEUE_READY), 0);
	assert_false(z->dev->vq[q].ready);
}

/* Any of the queues may be left out, and kicked nevertheless. */
static void queues_left_out(struct zoo *z)
{
	for (uint32_t mask = 0; mask < 1u << z->dev->n_queues; mask++) {
		bool up;

		assert_true(eg_negotiate(z->g, z->dev, EG_ALL_OFFERED) != 0);
		for (unsigned q = 0; q < z->dev->n_queues; q++) {
			if (mask & 1u << q) {
				eg_queue_setup(z->g, q, ZOO_QUEUE_SIZE);
			}
		}
		up = eg_driver_ok(z->g);
		assert_int_equal(up, !eg_needs_reset(z->g));
		assert_int_equal(up, z->dev->active);
		for (unsigned q = 0; q < z->dev->n_queues; q++) {
			if (!(mask & 1u << q)) {
				queue_too_late(z, q);
			}
			eg_kick(z->g, q);
			virtio_dev_kicked(z->dev, q);
		}
		zoo_work(z);
		assert_int_equal(up, z->dev->active);
	}
	assert_true(eg_start(z->g, z->dev, EG_ALL_OFFERED, ZOO_QUEUE_SIZE));
}

/* ---- rings that change while they are read ---- */

#define RACE_ROUNDS 400u
#define BUF_LEN	    64u
#define GUARD	    64u

/* What the second thread writes in turn into a field of the first descriptor or of the ring. */
static const struct race {
	enum {
		IN_DESC,
		IN_AVAIL
	} where;
	unsigned off;
	unsigned width;
	uint64_t a;
	uint64_t b;
} races[] = {
	{IN_DESC, 8, 4, BUF_LEN, UINT32_MAX},		       /* length */
	{IN_DESC, 8, 4, BUF_LEN, 0},			       /* length */
	{IN_DESC, 12, 2, EG_DESC_WRITE, EG_DESC_NEXT},	       /* direction, end of the chain */
	{IN_DESC, 12, 2, EG_DESC_INDIRECT, EG_DESC_WRITE},     /* what it is */
	{IN_DESC, 12, 2, 0, EG_DESC_NEXT | EG_DESC_WRITE},     /* a cycle, or none: next is 0 */
	{IN_DESC, 0, 8, 0 /* the buffer */, EG_RAM_BYTES - 1}, /* address */
	{IN_DESC, 0, 8, 0 /* the buffer */, UINT64_MAX - 3},
	{IN_AVAIL, 2, 2, 1, 0x7fff}, /* index */
	{IN_AVAIL, 4, 2, 0, 0xffff}, /* head */
};

static void race_once(struct zoo *z, unsigned q, const struct race *r, uint64_t buf)
{
	const struct virtq_layout *l;
	uint64_t field;

	if (!z->dev->active) {
		assert_true(eg_start(z->g, z->dev, EG_ALL_OFFERED, ZOO_QUEUE_SIZE));
	}
	l = eg_layout(z->g, q);
	field = r->where == IN_DESC ? l->desc + r->off : l->avail + r->off;
	eg_desc_set(z->g, q, 0,
		    &(struct eg_desc){.addr = buf, .len = BUF_LEN, .flags = EG_DESC_WRITE});
	eg_flip_start(z->g, field, r->width, r->a == 0 && r->width == 8 ? buf : r->a, r->b);
	for (unsigned i = 0; i < 50 && z->dev->active; i++) {
		if (r->where == IN_DESC) {
			eg_avail_push(z->g, q, 0);
		}
		eg_kick(z->g, q);
		zoo_work(z);
	}
	(void)eg_flip_stop(z->g);
}

static void rings_that_change(struct zoo *z)
{
	uint64_t buf = eg_alloc(z->g, BUF_LEN + 2 * GUARD, 16) + GUARD;
	uint8_t guard[GUARD];

	eg_fill(z->g, buf - GUARD, 0xa5, BUF_LEN + 2 * GUARD);
	for (unsigned q = 0; q < z->dev->n_queues; q++) {
		for (unsigned i = 0; i < sizeof(races) / sizeof(races[0]); i++) {
			for (unsigned n = 0; n < RACE_ROUNDS / 50; n++) {
				race_once(z, q, &races[i], buf);
			}
			eg_reset(z->g);
		}
	}
	assert_true(eg_start(z->g, z->dev, EG_ALL_OFFERED, ZOO_QUEUE_SIZE));
	/* Lengths were the buffer's, or refused. An address in between can be any: not checked. */
	eg_get(z->g, buf - GUARD, guard, GUARD);
	for (unsigned i = 0; i < GUARD; i++) {
		assert_int_equal(guard[i], 0xa5);
	}
	eg_get(z->g, buf + BUF_LEN, guard, GUARD);
	for (unsigned i = 0; i < GUARD; i++) {
		assert_int_equal(guard[i], 0xa5);
	}
}

/* Registers, kicks and resets in one thread, the event loop in another. */
static void *loop_side(void *ctx)
{
	struct zoo *z = ctx;

	for (unsigned i = 0; i < 3000; i++) {
		virtio_dev_kicked(z->dev, i % z->dev->n_queues);
		if (i % 8 == 0) {
			zoo_work(z);
		}
	}
	return NULL;
}

static void resets_while_serving(struct zoo *z)
{
	pthread_t t;

	assert_int_equal(virtio_dev_open_fds(z->dev), 0);
	assert_true(eg_start(z->g, z->dev, EG_ALL_OFFERED, ZOO_QUEUE_SIZE));
	assert_int_equal(pthread_create(&t, NULL, loop_side, z), 0);
	for (unsigned i = 0; i < 300; i++) {
		struct eg_buf b = EG_IN(BUF_LEN);

		/* A vCPU: what is in the ring may be served, or not, before all is taken away. */
		(void)eg_add_chain(z->g, i % z->dev->n_queues, &b, 1);
		eg_kick(z->g, i % z->dev->n_queues);
		if (i % 3 == 0) {
			(void)eg_start(z->g, z->dev, EG_ALL_OFFERED, ZOO_QUEUE_SIZE);
		}
	}
	(void)pthread_join(t, NULL);
	assert_true(eg_start(z->g, z->dev, EG_ALL_OFFERED, ZOO_QUEUE_SIZE));
}

/* ---- each with each device ---- */

static void with_all(void (*what)(struct zoo *z))
{
	for (unsigned kind = 0; kind < ZOO_KINDS; kind++) {
		struct zoo z;

		zoo_open(&z, (enum zoo_kind)kind);
		what(&z);
		zoo_close(&z);
	}
}

#define WITH_ALL(fn)                                                                               \
	static void test_##fn(void **state)                                                        \
	{                                                                                          \
		(void)state;                                                                       \
		with_all(fn);                                                                      \
	}

WITH_ALL(every_width)
WITH_ALL(every_register)
WITH_ALL(features_never_offered)
WITH_ALL(queues_while_running)
WITH_ALL(absent_doorbells)
WITH_ALL(queues_left_out)
WITH_ALL(rings_that_change)
WITH_ALL(resets_while_serving)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_width),
		cmocka_unit_test(test_every_register),
		cmocka_unit_test(test_features_never_offered),
		cmocka_unit_test(test_queues_while_running),
		cmocka_unit_test(test_absent_doorbells),
		cmocka_unit_test(test_queues_left_out),
		cmocka_unit_test(test_rings_that_change),
		cmocka_unit_test(test_resets_while_serving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
