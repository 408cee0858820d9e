/* SPDX-License-Identifier: Apache-2.0 */
/* test_rng.c - the entropy device against honest and lying drivers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dev_lies.h"
#include "vmm/virtio_rng.h"

struct fixture {
	struct eg *g;
	struct virtio_rng *rng;
	struct virtio_dev *dev;
	uint64_t now;
	unsigned timers;
	unsigned last_ms;
};

static void want_timer(void *ctx, unsigned ms)
{
	struct fixture *f = ctx;

	f->timers++;
	f->last_ms = ms;
}

static uint64_t now_ms(void *ctx)
{
	return ((struct fixture *)ctx)->now;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct virtio_rng_owner owner = {.want_timer = want_timer, .now_ms = now_ms, .ctx = f};

	f->now = 1000;
	f->g = eg_create();
	assert_int_equal(virtio_rng_create(eg_mem(f->g), &owner, &f->rng), 0);
	f->dev = virtio_rng_dev(f->rng);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	virtio_rng_destroy(f->rng);
	eg_destroy(f->g);
	free(f);
	return 0;
}

/* Ask for @len bytes. Return: bytes given; 0 when the request waits. */
static uint32_t ask(struct eg *g, uint32_t len, uint64_t *out_addr)
{
	struct eg_buf b = EG_IN(len);
	struct eg_used u;

	b.addr = lies_buf(g, len);
	*out_addr = b.addr;
	(void)eg_add_chain(g, 0, &b, 1);
	eg_kick(g, 0);
	if (!eg_used_next(g, 0, &u)) {
		return 0;
	}
	lies_check_guards(g, b.addr, len);
	return u.len;
}

static void good(struct eg *g, void *ctx)
{
	struct fixture *f = ctx;
	uint8_t a[64];
	uint8_t b[64];
	uint64_t addr;

	f->now += 1000; /* enough for a full bucket */
	assert_int_equal(ask(g, sizeof(a), &addr), sizeof(a));
	eg_get(g, addr, a, sizeof(a));
	assert_int_equal(ask(g, sizeof(b), &addr), sizeof(b));
	eg_get(g, addr, b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

static void test_identity(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->dev->ops->id, VIRTIO_ID_RNG);
	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 8));
	good(f->g, f);
	assert_int_equal(eg_irq_take(f->g), VIRTIO_IRQ_QUEUE);
}

static void test_request_is_capped(void **state)
{
	struct fixture *f = *state;
	uint64_t addr;

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 8));
	assert_int_equal(ask(f->g, 3 * VIRTIO_RNG_REQUEST_MAX, &addr), VIRTIO_RNG_REQUEST_MAX);
	lies_check_fill(f->g, addr + VIRTIO_RNG_REQUEST_MAX, 2 * VIRTIO_RNG_REQUEST_MAX);
}

static void test_scattered_request(void **state)
{
	struct fixture *f = *state;
	struct eg_buf b[3] = {EG_IN(1), EG_IN(31), EG_IN(100)};
	struct eg_used u;

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 8));
	for (unsigned i = 0; i < 3; i++) {
		b[i].addr = lies_buf(f->g, b[i].len);
	}
	eg_indirect(f->g, true);
	(void)eg_add_chain(f->g, 0, b, 3);
	eg_kick(f->g, 0);
	assert_true(eg_used_next(f->g, 0, &u));
	assert_int_equal(u.len, 132);
	for (unsigned i = 0; i < 3; i++) {
		lies_check_guards(f->g, b[i].addr, b[i].len);
	}
}

static uint64_t drain_bucket(struct fixture *f)
{
	uint64_t addr;
	uint64_t total = 0;

	for (unsigned i = 0; i < 1000; i++) {
		uint32_t got = ask(f->g, VIRTIO_RNG_REQUEST_MAX, &addr);

		if (got == 0) {
			return total;
		}
		total += got;
	}
	fail_msg("the bucket has no bottom");
	return 0;
}

static void test_rate(void **state)
{
	struct fixture *f = *state;
	struct eg_used u;

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 8));
	assert_int_equal(drain_bucket(f), VIRTIO_RNG_BURST);
	assert_int_equal(f->timers, 1);
	assert_in_range(f->last_ms, 1, 100);

	virtio_rng_tick(f->rng); /* no time has passed: still waiting, timer asked for again */
	assert_false(eg_used_next(f->g, 0, &u));
	assert_int_equal(f->timers, 2);

	f->now += f->last_ms;
	virtio_rng_tick(f->rng);
	assert_true(eg_used_next(f->g, 0, &u));
	assert_int_equal(u.len, VIRTIO_RNG_REQUEST_MAX);
	assert_int_equal(f->timers, 2);

	f->now += 3600 * 1000; /* an idle hour doesn't buy more than a burst */
	assert_true(drain_bucket(f) <= VIRTIO_RNG_BURST);
	f->now -= 1000; /* a clock that runs backwards gives nothing */
	virtio_rng_tick(f->rng);
	assert_false(eg_used_next(f->g, 0, &u));
}

static void test_last_tokens(void **state)
{
	struct fixture *f = *state;
	uint64_t addr;
	uint32_t rest = VIRTIO_RNG_BURST % VIRTIO_RNG_REQUEST_MAX;

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 8));
	assert_int_equal(ask(f->g, 100, &addr), 100);
	for (uint32_t i = 1; i < VIRTIO_RNG_BURST / VIRTIO_RNG_REQUEST_MAX; i++) {
		assert_int_equal(ask(f->g, VIRTIO_RNG_REQUEST_MAX, &addr), VIRTIO_RNG_REQUEST_MAX);
	}
	rest += VIRTIO_RNG_REQUEST_MAX - 100;
	assert_int_equal(ask(f->g, VIRTIO_RNG_REQUEST_MAX, &addr), rest); /* what there is */
	lies_check_fill(f->g, addr + rest, VIRTIO_RNG_REQUEST_MAX - rest);
	assert_int_equal(ask(f->g, 1, &addr), 0);
}

static void test_reset_is_no_way_around_the_rate(void **state)
{
	struct fixture *f = *state;

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 8));
	assert_int_equal(drain_bucket(f), VIRTIO_RNG_BURST);
	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 8));
	assert_int_equal(drain_bucket(f), 0);
	eg_reset(f->g);
	virtio_rng_tick(f->rng); /* a late timer finds a device that is gone */
}

static void test_wrong_direction(void **state)
{
	struct fixture *f = *state;
	struct eg_buf out = EG_OUT("x", 1);
	struct eg_buf both[2] = {EG_OUT("x", 1), EG_IN(8)};

	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 8));
	(void)eg_add_chain(f->g, 0, &out, 1);
	eg_kick(f->g, 0);
	assert_true(eg_needs_reset(f->g));
	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 8));
	(void)eg_add_chain(f->g, 0, both, 2);
	eg_kick(f->g, 0);
	assert_true(eg_needs_reset(f->g));
	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 8));
	good(f->g, f);
}

static void test_lies(void **state)
{
	struct fixture *f = *state;
	struct eg_buf b = EG_IN(64);
	struct lies t = {
		.g = f->g, .dev = f->dev, .bufs = &b, .n = 1, .size = 8, .good = good, .ctx = f};

	lies_check(&t);
	lies_check_layouts(&t);
}

static void test_default_owner(void **state)
{
	struct fixture *f = *state;
	struct virtio_rng *rng;
	uint64_t addr;

	assert_int_equal(virtio_rng_create(eg_mem(f->g), NULL, &rng), 0);
	assert_true(eg_start(f->g, virtio_rng_dev(rng), EG_ALL_OFFERED, 8));
	assert_int_equal(ask(f->g, 16, &addr), 16);
	virtio_rng_destroy(rng);
	virtio_rng_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_identity, setup, teardown),
		cmocka_unit_test_setup_teardown(test_request_is_capped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scattered_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_tokens, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset_is_no_way_around_the_rate, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_wrong_direction, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_default_owner, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
