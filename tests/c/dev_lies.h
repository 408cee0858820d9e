/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dev_lies.h - every lie of evil_guest against one queue of a device
 *
 * For each lie: the device is started, told the lie, and must be at fault with
 * nothing completed and not a byte of the buffers touched. It must stay dead
 * until a reset and then serve an honest request. A lie that isn't one
 * (EG_LIE_LEN_ZERO) must be served. Include after cmocka.h.
 */
#ifndef TESTS_DEV_LIES_H
#define TESTS_DEV_LIES_H

#include <string.h>

#include "evil_guest.h"

#define LIES_GUARD 64u
#define LIES_FILL  0xa5

/** A buffer of @len bytes with guard bytes around, all LIES_FILL */
static inline uint64_t lies_buf(struct eg *g, uint32_t len)
{
	uint64_t at = eg_alloc(g, len + 2 * LIES_GUARD, 16);

	eg_fill(g, at, LIES_FILL, len + 2 * LIES_GUARD);
	return at + LIES_GUARD;
}

static inline void lies_check_fill(struct eg *g, uint64_t addr, size_t len)
{
	uint8_t got[256];

	while (len > 0) {
		size_t n = len < sizeof(got) ? len : sizeof(got);

		eg_get(g, addr, got, n);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(got[i], LIES_FILL);
		}
		addr += n;
		len -= n;
	}
}

/** The guards of a buffer made by lies_buf() are what they were */
static inline void lies_check_guards(struct eg *g, uint64_t addr, uint32_t len)
{
	lies_check_fill(g, addr - LIES_GUARD, LIES_GUARD);
	lies_check_fill(g, addr + len, LIES_GUARD);
}

/**
 * struct lies - what to lie with
 * @bufs:  the honest request, at most 4 buffers; writable ones get guards
 * @good:  serve an honest request and check that it was
 * @size:  of the queues
 */
struct lies {
	struct eg *g;
	struct virtio_dev *dev;
	unsigned q;
	const struct eg_buf *bufs;
	unsigned n;
	uint32_t size;
	void (*good)(struct eg *g, void *ctx);
	void *ctx;
};

static inline void lies_start(const struct lies *t, enum eg_lie lie, uint64_t features)
{
	if (lie == EG_LIE_INDIRECT_NOT_AGREED) {
		features = eg_offered(t->dev) & ~VIRTIO_F_INDIRECT_DESC;
	}
	assert_true(eg_start(t->g, t->dev, features, t->size));
}

static inline void lies_one(const struct lies *t, enum eg_lie lie, uint64_t features)
{
	struct eg_buf bufs[4];
	uint64_t faults = t->dev->n_faults;

	lies_start(t, lie, features);
	memcpy(bufs, t->bufs, t->n * sizeof(bufs[0]));
	for (unsigned i = 0; i < t->n; i++) {
		if (bufs[i].in) {
			bufs[i].addr = lies_buf(t->g, bufs[i].len);
		}
	}
	eg_lie(t->g, lie);
	(void)eg_add_chain(t->g, t->q, bufs, t->n);
	eg_kick(t->g, t->q);
	if (lie == EG_LIE_LEN_ZERO) {
		assert_false(eg_needs_reset(t->g));
		return;
	}
	if (!eg_needs_reset(t->g)) {
		print_error("not refused: %s\n", eg_lie_name(lie));
	}
	assert_true(eg_needs_reset(t->g));
	assert_int_equal(t->dev->n_faults, faults + 1);
	assert_int_equal(eg_used_idx(t->g, t->q), 0);
	for (unsigned i = 0; i < t->n; i++) {
		if (bufs[i].in) {
			lies_check_fill(t->g, bufs[i].addr - LIES_GUARD,
					bufs[i].len + 2 * LIES_GUARD);
		}
	}
	eg_kick(t->g, t->q); /* still dead, and not counted again */
	assert_int_equal(t->dev->n_faults, faults + 1);
	assert_int_equal(eg_used_idx(t->g, t->q), 0);
}

/** Every lie, with and without EVENT_IDX */
static inline void lies_check(const struct lies *t)
{
	for (int lie = EG_LIE_NONE + 1; lie < EG_LIE_COUNT; lie++) {
		lies_one(t, lie, EG_ALL_OFFERED);
		lies_start(t, EG_LIE_NONE, EG_ALL_OFFERED);
		t->good(t->g, t->ctx);
		lies_one(t, lie, eg_offered(t->dev) & ~VIRTIO_F_EVENT_IDX);
		lies_start(t, EG_LIE_NONE, EG_ALL_OFFERED);
		t->good(t->g, t->ctx);
	}
}

/** Every lie about the layout of the queue: the device must not come up */
static inline void lies_check_layouts(const struct lies *t)
{
	for (int lie = EG_LAYOUT_HONEST + 1; lie < EG_LAYOUT_COUNT; lie++) {
		assert_true(eg_negotiate(t->g, t->dev, EG_ALL_OFFERED) != 0);
		for (unsigned q = 0; q < t->dev->n_queues; q++) {
			eg_queue_setup_lying(t->g, q, t->size, q == t->q ? lie : EG_LAYOUT_HONEST);
		}
		assert_false(eg_driver_ok(t->g));
		assert_true(eg_needs_reset(t->g));
		lies_start(t, EG_LIE_NONE, EG_ALL_OFFERED);
		t->good(t->g, t->ctx);
	}
}

#endif /* TESTS_DEV_LIES_H */
