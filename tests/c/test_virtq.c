/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_virtq.c - split virtqueues against an honest and a lying driver
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evil_guest.h"

#define SIZE 16u
#define CAP  128u

/** struct rig - one queue, set up on both sides */
struct rig {
	struct eg *g;
	struct virtq q;
	struct virtq_chain c;
	struct iovec iov[CAP];
};

static void rig_queue(struct rig *r, uint32_t size, uint64_t features)
{
	struct virtq_layout l = eg_queue_make(r->g, 0, size, EG_LAYOUT_HONEST);

	eg_set_features(r->g, features);
	assert_int_equal(virtq_setup(&r->q, eg_mem(r->g), &l, VIRTQ_MAX_SIZE, features), 0);
	r->c = (struct virtq_chain){.iov = r->iov, .cap = CAP};
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->g = eg_create();
	rig_queue(r, SIZE, 0);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	eg_destroy(r->g);
	free(r);
	return 0;
}

/* The driver adds one writable buffer; the device takes it and gives it back. */
static void round_trip(struct rig *r)
{
	struct eg_buf b = EG_IN(64);

	eg_add_chain(r->g, 0, &b, 1);
	assert_int_equal(virtq_pop(&r->q, &r->c), 1);
	assert_int_equal(virtq_push(&r->q, r->c.head, 1), 0);
}

static void collect(struct rig *r)
{
	struct eg_used u;

	while (eg_used_next(r->g, 0, &u)) {
	}
}

static void test_pop_and_push(void **state)
{
	struct rig *r = *state;
	struct eg_buf b[] = {EG_OUT("hello ", 6), EG_OUT("guest", 6), EG_IN(100), EG_IN(28)};
	char text[12];
	struct eg_used u;
	uint16_t head;

	assert_int_equal(virtq_pop(&r->q, &r->c), 0);
	assert_false(virtq_pending(&r->q));
	head = eg_add_chain(r->g, 0, b, 4);
	assert_true(virtq_pending(&r->q));
	assert_int_equal(virtq_pop(&r->q, &r->c), 1);
	assert_int_equal(r->c.head, head);
	assert_int_equal(r->c.n_out, 2);
	assert_int_equal(r->c.n_in, 2);
	assert_int_equal(r->c.out_bytes, 12);
	assert_int_equal(r->c.in_bytes, 128);
	assert_int_equal(virtq_iov_read(r->c.iov, 2, 0, text, 12), 12);
	assert_string_equal(text, "hello guest");
	assert_int_equal(virtq_iov_write(r->c.iov + 2, 2, 99, "xyz", 3), 3);
	assert_int_equal(eg_used_idx(r->g, 0), 0);
	assert_int_equal(virtq_push(&r->q, head, 102), 0);
	assert_true(eg_used_next(r->g, 0, &u));
	assert_int_equal(u.id, head);
	assert_int_equal(u.len, 102);
	eg_get(r->g, b[2].addr + 99, text, 1);
	eg_get(r->g, b[3].addr, text + 1, 2);
	assert_memory_equal(text, "xyz", 3);
	assert_false(eg_used_next(r->g, 0, &u));
	assert_int_equal(virtq_pop(&r->q, &r->c), 0);
}

static void test_indices_wrap(void **state)
{
	struct rig *r = *state;

	for (unsigned i = 0; i < 70000; i++) {
		round_trip(r);
		collect(r);
	}
	assert_int_equal(r->q.next_avail, (uint16_t)70000);
	assert_int_equal(eg_used_idx(r->g, 0), (uint16_t)70000);
}

static void test_full_queue_of_heads(void **state)
{
	struct rig *r = *state;
	struct eg_buf b = EG_IN(8);

	for (unsigned i = 0; i < SIZE; i++) {
		b.addr = 0;
		eg_add_chain(r->g, 0, &b, 1);
	}
	assert_int_equal(eg_free_descs(r->g, 0), 0);
	for (unsigned i = 0; i < SIZE; i++) {
		assert_int_equal(virtq_pop(&r->q, &r->c), 1);
		assert_int_equal(r->c.head, i);
	}
	assert_int_equal(virtq_pop(&r->q, &r->c), 0);
}

static void test_longest_chain(void **state)
{
	struct rig *r = *state;
	struct eg_buf b[SIZE];

	for (unsigned i = 0; i < SIZE; i++) {
		b[i] = EG_IN(i + 1);
	}
	eg_add_chain(r->g, 0, b, SIZE);
	assert_int_equal(virtq_pop(&r->q, &r->c), 1);
	assert_int_equal(r->c.n_in, SIZE);
	assert_int_equal(r->c.iov[SIZE - 1].iov_len, SIZE);
}

static void test_chain_longer_than_cap(void **state)
{
	struct rig *r = *state;
	struct eg_buf b[] = {EG_OUT("a", 1), EG_IN(1), EG_IN(1)};

	r->c.cap = 3;
	eg_add_chain(r->g, 0, b, 3);
	assert_int_equal(virtq_pop(&r->q, &r->c), 1);
	r->c.cap = 2;
	r->iov[2] = (struct iovec){.iov_base = r, .iov_len = 77};
	eg_add_chain(r->g, 0, b, 3);
	assert_int_equal(virtq_pop(&r->q, &r->c), -EPROTO);
	assert_int_equal(r->iov[2].iov_len, 77);
}

static void test_indirect(void **state)
{
	struct rig *r = *state;
	struct eg_buf b[SIZE];
	struct eg_desc table;

	rig_queue(r, SIZE, VIRTIO_F_INDIRECT_DESC);
	eg_indirect(r->g, true);
	for (unsigned i = 0; i < SIZE; i++) {
		b[i] = EG_IN(i + 1);
	}
	eg_add_chain(r->g, 0, b, SIZE);
	assert_int_equal(eg_free_descs(r->g, 0), SIZE - 1);
	assert_int_equal(virtq_pop(&r->q, &r->c), 1);
	assert_int_equal(r->c.n_in, SIZE);
	/* WRITE in the reference means nothing, and descriptors may come before it. */
	eg_add_chain(r->g, 0, b, 2);
	table = eg_desc_get(r->g, 0, 1);
	table.flags |= EG_DESC_WRITE;
	eg_desc_set(r->g, 0, 2, &table);
	eg_desc_set(r->g, 0, 1,
		    &(struct eg_desc){.addr = 0x1000, .len = 5, .flags = EG_DESC_NEXT, .next = 2});
	assert_int_equal(virtq_pop(&r->q, &r->c), 1);
	assert_int_equal(r->c.n_out, 1);
	assert_int_equal(r->c.n_in, 2);
	assert_int_equal(r->c.out_bytes, 5);
}

static void test_zero_length_is_skipped(void **state)
{
	struct rig *r = *state;
	struct eg_buf b[] = {EG_OUT("ab", 2), EG_IN(9)};

	eg_lie(r->g, EG_LIE_LEN_ZERO);
	eg_add_chain(r->g, 0, b, 2);
	assert_int_equal(virtq_pop(&r->q, &r->c), 1);
	assert_int_equal(r->c.n_out, 1);
	assert_int_equal(r->c.n_in, 1);
	assert_int_equal(r->c.in_bytes, 9);
}

static bool lie_needs_indirect(enum eg_lie lie)
{
	return lie >= EG_LIE_INDIRECT_NESTED && lie != EG_LIE_INDIRECT_NOT_AGREED;
}

static void lie_is_refused(struct rig *r, enum eg_lie lie, uint32_t size, bool indirect)
{
	struct eg_buf b[] = {EG_OUT("ab", 2), EG_IN(9)};
	bool wants = lie_needs_indirect(lie) || indirect;

	rig_queue(r, size, wants ? VIRTIO_F_INDIRECT_DESC : 0);
	eg_indirect(r->g, indirect);
	round_trip(r);
	collect(r);
	eg_lie(r->g, lie);
	eg_add_chain(r->g, 0, b, 2);
	if (virtq_pop(&r->q, &r->c) != -EPROTO || !r->q.broken) {
		fail_msg("'%s' was accepted (size %u, indirect %d)", eg_lie_name(lie), size,
			 indirect);
	}
	/* Broken for good: nothing is taken or published until set up again. */
	eg_avail_idx_set(r->g, 0, 1);
	eg_avail_push(r->g, 0, 0);
	assert_int_equal(virtq_pop(&r->q, &r->c), -EPROTO);
	assert_int_equal(virtq_push(&r->q, 0, 0), -EPROTO);
	assert_int_equal(eg_used_idx(r->g, 0), 1);
	assert_false(virtq_must_interrupt(&r->q));
	assert_false(virtq_kicks_on(&r->q));
	assert_false(virtq_pending(&r->q));
}

static void test_every_lie_is_refused(void **state)
{
	struct rig *r = *state;
	static const uint32_t sizes[] = {8, 64, 256, VIRTQ_MAX_SIZE};

	for (enum eg_lie lie = EG_LIE_LEN_ZERO + 1; lie < EG_LIE_COUNT; lie++) {
		for (unsigned i = 0; i < 4; i++) {
			lie_is_refused(r, lie, sizes[i], false);
		}
		/* In a table of its own, too, where that makes sense. */
		if (lie != EG_LIE_NEXT_OUT_OF_RANGE && lie != EG_LIE_INDIRECT_NOT_AGREED) {
			lie_is_refused(r, lie, 64, true);
		}
	}
}

static void test_total_length_bound(void **state)
{
	struct rig *r = *state;
	const uint32_t part = 32u << 20;
	struct eg_desc d = {.addr = 0, .len = part, .flags = EG_DESC_NEXT};
	enum {
		N = 128
	};

	/* 128 descriptors of 32 MiB are 4 GiB: one byte less is the most there can be. */
	for (unsigned less = 0; less < 2; less++) {
		rig_queue(r, N, 0);
		for (uint16_t i = 0; i < N; i++) {
			d.len = i == 5 ? part - less : part;
			d.flags = (uint16_t)(i == N - 1 ? 0 : EG_DESC_NEXT);
			d.next = (uint16_t)(i + 1);
			eg_desc_set(r->g, 0, i, &d);
		}
		eg_avail_push(r->g, 0, 0);
		assert_int_equal(virtq_pop(&r->q, &r->c), less ? 1 : -EPROTO);
	}
	assert_true(r->c.out_bytes == UINT32_MAX);
}

static void test_buffer_may_end_with_ram(void **state)
{
	struct rig *r = *state;
	struct eg_buf b = EG_IN(32);

	b.addr = EG_RAM_BYTES - 32;
	eg_add_chain(r->g, 0, &b, 1);
	assert_int_equal(virtq_pop(&r->q, &r->c), 1);
	assert_int_equal(r->c.in_bytes, 32);
}

static void test_push_refuses_foreign_heads(void **state)
{
	struct rig *r = *state;

	assert_int_equal(virtq_push(&r->q, SIZE, 0), -EPROTO);
	assert_true(r->q.broken);
	assert_int_equal(eg_used_idx(r->g, 0), 0);
}

static void test_used_index_is_never_read_back(void **state)
{
	struct rig *r = *state;
	const struct virtq_layout *l = eg_layout(r->g, 0);
	uint16_t forged = 0x4242;

	round_trip(r);
	eg_put(r->g, l->used + 2, &forged, 2);
	round_trip(r);
	assert_int_equal(eg_used_idx(r->g, 0), 2);
}

static void test_unpop(void **state)
{
	struct rig *r = *state;
	struct eg_buf a = EG_IN(1);
	struct eg_buf b = EG_IN(2);

	eg_add_chain(r->g, 0, &a, 1);
	eg_add_chain(r->g, 0, &b, 1);
	assert_int_equal(virtq_pop(&r->q, &r->c), 1);
	virtq_unpop(&r->q);
	assert_int_equal(virtq_pop(&r->q, &r->c), 1);
	assert_int_equal(r->c.in_bytes, 1);
	assert_int_equal(virtq_pop(&r->q, &r->c), 1);
	assert_int_equal(r->c.in_bytes, 2);
	assert_int_equal(virtq_pop(&r->q, &r->c), 0);
}

static void test_setup_refuses_every_layout_lie(void **state)
{
	struct rig *r = *state;
	struct virtq q = {.ready = true};
	struct virtq_layout l;

	for (enum eg_layout_lie lie = 1; lie < EG_LAYOUT_COUNT; lie++) {
		l = eg_queue_make(r->g, 0, 64, lie);
		if (virtq_setup(&q, eg_mem(r->g), &l, VIRTQ_MAX_SIZE, 0) != -EINVAL) {
			fail_msg("'%s' was accepted", eg_layout_lie_name(lie));
		}
		assert_false(q.ready);
		assert_int_equal(virtq_pop(&q, &r->c), 0);
		assert_int_equal(virtq_push(&q, 0, 0), -EPROTO);
	}
	l = eg_queue_make(r->g, 0, 128, EG_LAYOUT_HONEST);
	assert_int_equal(virtq_setup(&q, eg_mem(r->g), &l, 64, 0),
			 -EINVAL); /* above the device's */
	assert_int_equal(virtq_setup(&q, eg_mem(r->g), &l, 128, 0), 0);
}

static void test_tight_layouts_are_fine(void **state)
{
	struct rig *r = *state;
	/* Areas back to back, the last one ending with RAM; and the smallest queue. */
	uint64_t at = EG_RAM_BYTES - (16 * 64 + 134 + 2 + 518 + 8) + 8;
	struct virtq_layout l = {.size = 64};
	struct virtq q;

	at = (at - 16) & ~15ull;
	l.desc = at;
	l.avail = l.desc + 16 * 64;
	l.used = l.avail + 136;
	assert_int_equal(virtq_setup(&q, eg_mem(r->g), &l, 64, 0), 0);
	l.used = l.avail + 132; /* 134 bytes of avail: overlaps by two */
	assert_int_equal(virtq_setup(&q, eg_mem(r->g), &l, 64, 0), -EINVAL);
	l = eg_queue_make(r->g, 0, 1, EG_LAYOUT_HONEST);
	assert_int_equal(virtq_setup(&q, eg_mem(r->g), &l, 1, 0), 0);
}

/* ---- interrupts ---- */

static void test_interrupt_flag(void **state)
{
	struct rig *r = *state;

	assert_false(virtq_must_interrupt(&r->q)); /* nothing pushed yet */
	round_trip(r);
	assert_true(virtq_must_interrupt(&r->q));
	assert_false(virtq_must_interrupt(&r->q)); /* nothing new */
	eg_avail_flags_set(r->g, 0, 1);
	round_trip(r);
	assert_false(virtq_must_interrupt(&r->q));
	eg_avail_flags_set(r->g, 0, 0);
	assert_false(virtq_must_interrupt(&r->q)); /* was decided already */
	round_trip(r);
	assert_true(virtq_must_interrupt(&r->q));
}

static void test_interrupt_event(void **state)
{
	struct rig *r = *state;

	rig_queue(r, SIZE, VIRTIO_F_EVENT_IDX);
	eg_avail_flags_set(r->g, 0, 1); /* must be ignored with EVENT_IDX */
	round_trip(r);			/* used index 0 -> 1, event 0: stepped over */
	assert_true(virtq_must_interrupt(&r->q));
	eg_used_event_set(r->g, 0, 3); /* tell me when element 3 is used */
	round_trip(r);
	round_trip(r);
	assert_false(virtq_must_interrupt(&r->q)); /* 1 -> 3: elements 1 and 2 */
	round_trip(r);
	assert_true(virtq_must_interrupt(&r->q)); /* 3 -> 4 */
	round_trip(r);
	assert_false(virtq_must_interrupt(&r->q));
}

static void test_interrupt_event_across_the_wrap(void **state)
{
	struct rig *r = *state;

	rig_queue(r, SIZE, VIRTIO_F_EVENT_IDX);
	eg_used_event_set(r->g, 0, 65535);
	for (unsigned i = 0; i < 65535; i++) {
		round_trip(r);
		collect(r);
		eg_used_event_set(r->g, 0, 65535);
		assert_false(virtq_must_interrupt(&r->q));
	}
	round_trip(r);
	assert_true(virtq_must_interrupt(&r->q)); /* 65535 -> 0 */
}

static void test_interrupt_after_a_whole_round_unasked(void **state)
{
	struct rig *r = *state;

	rig_queue(r, SIZE, VIRTIO_F_EVENT_IDX);
	for (unsigned i = 0; i < 65536; i++) {
		round_trip(r);
		collect(r);
	}
	assert_true(virtq_must_interrupt(&r->q)); /* looks like nothing was pushed: say so anyway */
	assert_false(virtq_must_interrupt(&r->q));
}

/* ---- kicks ---- */

static void test_kick_flag(void **state)
{
	struct rig *r = *state;
	struct eg_buf b = EG_IN(1);

	virtq_kicks_off(&r->q);
	assert_int_equal(eg_used_flags(r->g, 0), 1);
	assert_int_equal(virtq_pop(&r->q, &r->c), 0);
	assert_int_equal(eg_used_flags(r->g, 0), 1); /* an empty pop doesn't turn them on */
	assert_false(virtq_kicks_on(&r->q));
	assert_int_equal(eg_used_flags(r->g, 0), 0);
	virtq_kicks_off(&r->q);
	eg_add_chain(r->g, 0, &b, 1);
	assert_true(virtq_kicks_on(&r->q)); /* arrived meanwhile */
}

static void test_kick_event(void **state)
{
	struct rig *r = *state;
	struct eg_buf b = EG_IN(1);

	rig_queue(r, SIZE, VIRTIO_F_EVENT_IDX);
	for (unsigned i = 0; i < 3; i++) {
		b.addr = 0;
		eg_add_chain(r->g, 0, &b, 1);
	}
	assert_int_equal(virtq_pop(&r->q, &r->c), 1);
	assert_int_equal(eg_avail_event(r->g, 0), 0); /* busy: no kick wanted */
	assert_int_equal(virtq_pop(&r->q, &r->c), 1);
	assert_int_equal(virtq_pop(&r->q, &r->c), 1);
	assert_int_equal(virtq_pop(&r->q, &r->c), 0);
	assert_int_equal(eg_avail_event(r->g, 0), 3); /* empty: the next one, please */
	virtq_kicks_off(&r->q);
	b.addr = 0;
	eg_add_chain(r->g, 0, &b, 1);
	assert_int_equal(virtq_pop(&r->q, &r->c), 1);
	assert_int_equal(virtq_pop(&r->q, &r->c), 0);
	assert_int_equal(eg_avail_event(r->g, 0), 3); /* off: stays behind */
	assert_int_equal(eg_used_flags(r->g, 0), 0);  /* the flag isn't used with EVENT_IDX */
	assert_false(virtq_kicks_on(&r->q));
	assert_int_equal(eg_avail_event(r->g, 0), 4);
}

/** struct producer - a driver in a thread of its own that kicks only when asked to */
struct producer {
	struct rig *r;
	_Atomic uint32_t kicks;
	_Atomic bool done;
};

enum {
	PRODUCED = 20000
};

static void *produce(void *ctx)
{
	struct producer *p = ctx;
	struct eg *g = p->r->g;
	struct eg_used u;

	for (unsigned i = 0; i < PRODUCED; i++) {
		struct eg_buf b = {.len = 1, .in = true, .addr = 0x1000};
		uint16_t old = eg_avail_idx(g, 0);

		while (eg_free_descs(g, 0) == 0) {
			(void)eg_used_next(g, 0, &u);
		}
		eg_add_chain(g, 0, &b, 1);
		__sync_synchronize();
		if (eg_avail_event(g, 0) == old) {
			atomic_fetch_add(&p->kicks, 1);
		}
	}
	atomic_store(&p->done, true);
	return NULL;
}

/* A device that serves only after kicks must still see everything: no kick may be lost. */
static void test_no_kick_is_lost(void **state)
{
	struct rig *r = *state;
	struct producer p = {.r = r};
	uint32_t seen = 0;
	unsigned served = 0;
	pthread_t t;

	rig_queue(r, 4, VIRTIO_F_EVENT_IDX);
	assert_int_equal(pthread_create(&t, NULL, produce, &p), 0);
	for (unsigned spins = 0; served < PRODUCED && spins < 20000000u; spins++) {
		uint32_t kicks = atomic_load(&p.kicks);

		if (kicks == seen) {
			(void)sched_yield();
			continue;
		}
		seen = kicks;
		spins = 0;
		while (virtq_pop(&r->q, &r->c) == 1) {
			assert_int_equal(virtq_push(&r->q, r->c.head, 1), 0);
			served++;
		}
	}
	assert_int_equal(served, PRODUCED);
	(void)pthread_join(t, NULL);
	assert_true(atomic_load(&p.done));
}

/* ---- a driver that changes its mind while we look ---- */

static void flip_round(struct rig *r, uint64_t addr, unsigned width, uint64_t good, uint64_t bad)
{
	unsigned accepted = 0;
	unsigned refused = 0;

	eg_flip_start(r->g, addr, width, good, bad);
	/* Until both were seen; on a busy machine the other thread may have to wait for its turn. */
	for (unsigned i = 0; i < 20000000 && (i < 2000 || accepted == 0 || refused == 0); i++) {
		const struct gmem_region *ram = gmem_region(eg_mem(r->g), 0);
		uint16_t at = r->q.next_avail;

		if (i % 256 == 255) {
			(void)sched_yield();
		}
		if (virtq_pop(&r->q, &r->c) == 1) {
			const uint8_t *p = r->c.iov[0].iov_base;

			/* Whatever was accepted was checked: it lies in RAM. */
			assert_true(r->c.head < SIZE);
			assert_true(r->c.n_out + r->c.n_in <= SIZE);
			assert_true(p >= ram->host && r->c.iov[0].iov_len <= ram->size);
			assert_true(p + r->c.iov[0].iov_len <= ram->host + ram->size);
			accepted++;
		} else {
			refused++;
		}
		r->q.broken = false; /* as if reset, to look again */
		r->q.next_avail = at;
	}
	assert_true(eg_flip_stop(r->g) > 0);
	assert_true(accepted > 0);
	assert_true(refused > 0);
}

static void test_fields_that_change_while_read(void **state)
{
	struct rig *r = *state;
	struct eg_buf b = EG_IN(64);
	const struct virtq_layout *l;
	uint16_t head;

	head = eg_add_chain(r->g, 0, &b, 1);
	assert_int_equal(head, 0);
	l = eg_layout(r->g, 0);
	flip_round(r, l->desc + 8, 4, 64, UINT32_MAX);
	eg_desc_set(r->g, 0, 0,
		    &(struct eg_desc){.addr = 0x1000, .len = 64, .flags = EG_DESC_WRITE});
	flip_round(r, l->desc, 8, 0x1000, EG_RAM_BYTES - 1);
	eg_desc_set(r->g, 0, 0,
		    &(struct eg_desc){.addr = 0x1000, .len = 64, .flags = EG_DESC_WRITE});
	flip_round(r, l->avail + 4, 2, 0, SIZE);
	eg_put(r->g, l->avail + 4, &head, 2);
	flip_round(r, l->avail + 2, 2, 1, SIZE + 1);
}

/* ---- copying ---- */

static void test_iov_copies(void **state)
{
	char a[4] = "abc";
	char b[3] = "de";
	char out[8] = "";
	struct iovec v[] = {{a, 3}, {a, 0}, {b, 2}};

	(void)state;
	assert_int_equal(virtq_iov_read(v, 3, 0, out, 8), 5);
	assert_memory_equal(out, "abcde", 5);
	assert_int_equal(virtq_iov_read(v, 3, 2, out, 2), 2);
	assert_memory_equal(out, "cd", 2);
	assert_int_equal(virtq_iov_read(v, 3, 3, out, 1), 1);
	assert_int_equal(out[0], 'd');
	assert_int_equal(virtq_iov_read(v, 3, 5, out, 1), 0);
	assert_int_equal(virtq_iov_read(v, 3, UINT64_MAX, out, 1), 0);
	assert_int_equal(virtq_iov_read(v, 0, 0, out, 1), 0);
	assert_int_equal(virtq_iov_write(v, 3, 1, "WXYZ!", 5), 4);
	assert_string_equal(a, "aWX");
	assert_memory_equal(b, "YZ", 2);
	assert_int_equal(virtq_iov_write(v, 3, 0, "q", 0), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_pop_and_push),
		T(test_indices_wrap),
		T(test_full_queue_of_heads),
		T(test_longest_chain),
		T(test_chain_longer_than_cap),
		T(test_indirect),
		T(test_zero_length_is_skipped),
		T(test_every_lie_is_refused),
		T(test_total_length_bound),
		T(test_buffer_may_end_with_ram),
		T(test_push_refuses_foreign_heads),
		T(test_used_index_is_never_read_back),
		T(test_unpop),
		T(test_setup_refuses_every_layout_lie),
		T(test_tight_layouts_are_fine),
		T(test_interrupt_flag),
		T(test_interrupt_event),
		T(test_interrupt_event_across_the_wrap),
		T(test_interrupt_after_a_whole_round_unasked),
		T(test_kick_flag),
		T(test_kick_event),
		T(test_no_kick_is_lost),
		T(test_fields_that_change_while_read),
		T(test_iov_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
