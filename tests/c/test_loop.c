/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_loop.c - dispatch by reference, removal within a batch, timers
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/loop.h"

#define KIND_FD	   1u
#define KIND_TIMER 2u
#define KIND_STOP  3u
#define SEEN_MAX   64u

/** struct rig - a loop and a record of what it called */
struct rig {
	struct loop *loop;
	unsigned n;
	struct {
		unsigned kind;
		uint32_t index;
		uint32_t events;
	} seen[SEEN_MAX];
	int fd[4];
	void (*on_fd)(struct rig *r, uint32_t index);
	void (*on_timer)(struct rig *r, uint32_t index);
};

static void record(struct rig *r, unsigned kind, uint32_t index, uint32_t events)
{
	assert_true(r->n < SEEN_MAX);
	r->seen[r->n].kind = kind;
	r->seen[r->n].index = index;
	r->seen[r->n].events = events;
	r->n++;
}

static void fd_event(void *ctx, uint32_t index, uint32_t events)
{
	struct rig *r = ctx;

	record(r, KIND_FD, index, events);
	if (r->on_fd) {
		r->on_fd(r, index);
	}
}

static void timer_event(void *ctx, uint32_t index, uint32_t events)
{
	struct rig *r = ctx;

	record(r, KIND_TIMER, index, events);
	if (r->on_timer) {
		r->on_timer(r, index);
	}
}

static void stop_event(void *ctx, uint32_t index, uint32_t events)
{
	struct rig *r = ctx;

	(void)index;
	(void)events;
	loop_stop(r->loop);
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	assert_int_equal(loop_create(&r->loop), 0);
	loop_handle(r->loop, KIND_FD, fd_event, r);
	loop_handle(r->loop, KIND_TIMER, timer_event, r);
	loop_handle(r->loop, KIND_STOP, stop_event, r);
	for (unsigned i = 0; i < 4; i++) {
		r->fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		assert_true(r->fd[i] >= 0);
	}
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	for (unsigned i = 0; i < 4; i++) {
		(void)close(r->fd[i]);
	}
	loop_destroy(r->loop);
	free(r);
	return 0;
}

static void fire(int fd)
{
	uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static void run_for(struct rig *r, uint64_t ms)
{
	assert_int_equal(loop_after(r->loop, KIND_STOP, 0, ms), 0);
	assert_int_equal(loop_run(r->loop), 0);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void stop_here(struct rig *r, uint32_t index)
{
	(void)index;
	loop_stop(r->loop);
}

static void test_reference_arrives_whole(void **state)
{
	struct rig *r = *state;

	r->on_fd = stop_here;
	assert_int_equal(loop_add(r->loop, r->fd[0], EPOLLIN, KIND_FD, 0xfffffffe), 0);
	fire(r->fd[0]);
	assert_int_equal(loop_run(r->loop), 0);
	assert_int_equal(r->n, 1);
	assert_int_equal(r->seen[0].kind, KIND_FD);
	assert_true(r->seen[0].index == 0xfffffffe);
	assert_int_equal(r->seen[0].events, EPOLLIN);
	/* Level-triggered, and a stopped loop runs again. */
	assert_int_equal(loop_run(r->loop), 0);
	assert_int_equal(r->n, 2);
}

static void test_refusals(void **state)
{
	struct rig *r = *state;
	char path[] = "/tmp/test_loop.XXXXXX";
	int file = mkstemp(path);

	assert_true(file >= 0);
	(void)unlink(path);
	assert_int_equal(loop_add(r->loop, file, EPOLLIN, KIND_FD, 0), -EPERM);
	(void)close(file);
	assert_int_equal(loop_add(r->loop, -1, EPOLLIN, KIND_FD, 0), -EBADF);
	assert_int_equal(loop_add(r->loop, r->fd[0], EPOLLIN, 7, 0), -EINVAL);
	assert_int_equal(loop_add(r->loop, r->fd[0], EPOLLIN, LOOP_MAX_KINDS, 0), -EINVAL);
	assert_int_equal(loop_mod(r->loop, r->fd[0], EPOLLIN, KIND_FD, 0), -ENOENT);
	assert_int_equal(loop_add(r->loop, r->fd[0], EPOLLIN, KIND_FD, 0), 0);
	assert_int_equal(loop_add(r->loop, r->fd[0], EPOLLIN, KIND_FD, 0), -EEXIST);
	assert_int_equal(loop_after(r->loop, 7, 0, 1), -EINVAL);
	loop_del(r->loop, -1);
	loop_del(r->loop, r->fd[3]); /* never added */
	loop_destroy(NULL);
}

static void test_mod_and_del(void **state)
{
	struct rig *r = *state;

	assert_int_equal(loop_add(r->loop, r->fd[0], EPOLLIN, KIND_FD, 1), 0);
	assert_int_equal(loop_add(r->loop, r->fd[1], EPOLLIN, KIND_FD, 2), 0);
	fire(r->fd[0]);
	fire(r->fd[1]);
	assert_int_equal(loop_mod(r->loop, r->fd[0], EPOLLIN, KIND_FD, 9), 0);
	loop_del(r->loop, r->fd[1]);
	r->on_fd = stop_here;
	assert_int_equal(loop_run(r->loop), 0);
	assert_int_equal(r->n, 1);
	assert_int_equal(r->seen[0].index, 9);
	assert_int_equal(loop_mod(r->loop, r->fd[0], 0, KIND_FD, 9), 0);
	run_for(r, 10);
	assert_int_equal(r->n, 1);
}

/* Whoever is called first removes all the others, which are in the same batch. */
static void remove_others(struct rig *r, uint32_t index)
{
	for (uint32_t i = 0; i < 4; i++) {
		if (i != index) {
			loop_del(r->loop, r->fd[i]);
		}
	}
	loop_stop(r->loop);
}

static void test_removed_within_the_batch(void **state)
{
	struct rig *r = *state;

	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(loop_add(r->loop, r->fd[i], EPOLLIN, KIND_FD, i), 0);
		fire(r->fd[i]);
	}
	r->on_fd = remove_others;
	assert_int_equal(loop_run(r->loop), 0);
	assert_int_equal(r->n, 1);
}

/* The same, but the index of a removed watch is given to a quiet one: it must stay quiet. */
static void reuse_indices(struct rig *r, uint32_t index)
{
	for (uint32_t i = 0; i < 3; i++) {
		if (i != index) {
			loop_del(r->loop, r->fd[i]);
			assert_int_equal(loop_add(r->loop, r->fd[i], EPOLLPRI, KIND_FD, 100 + i),
					 0);
		}
	}
	loop_del(r->loop, r->fd[index]);
}

static void test_index_reused_within_the_batch(void **state)
{
	struct rig *r = *state;

	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(loop_add(r->loop, r->fd[i], EPOLLIN, KIND_FD, i), 0);
		fire(r->fd[i]);
	}
	r->on_fd = reuse_indices;
	run_for(r, 10);
	assert_int_equal(r->n, 1);
}

static void test_timer_order(void **state)
{
	struct rig *r = *state;
	uint64_t start = now_ms();

	assert_int_equal(loop_after(r->loop, KIND_TIMER, 3, 30), 0);
	assert_int_equal(loop_after(r->loop, KIND_TIMER, 1, 10), 0);
	assert_int_equal(loop_after(r->loop, KIND_TIMER, 2, 20), 0);
	run_for(r, 40);
	assert_int_equal(r->n, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(r->seen[i].index, i + 1);
		assert_int_equal(r->seen[i].events, 0);
	}
	assert_true(now_ms() - start >= 39); /* never early (both clocks cut to a ms) */
	run_for(r, 15);
	assert_int_equal(r->n, 3); /* once only */
}

static void test_timer_is_moved_and_cancelled(void **state)
{
	struct rig *r = *state;

	assert_int_equal(loop_after(r->loop, KIND_TIMER, 1, 1), 0);
	assert_int_equal(loop_after(r->loop, KIND_TIMER, 1, 60000), 0); /* moved away */
	assert_int_equal(loop_after(r->loop, KIND_TIMER, 2, 60000), 0);
	assert_int_equal(loop_after(r->loop, KIND_TIMER, 2, 1), 0); /* moved here */
	assert_int_equal(loop_after(r->loop, KIND_TIMER, 3, 1), 0);
	loop_cancel(r->loop, KIND_TIMER, 3);
	loop_cancel(r->loop, KIND_TIMER, 77);
	loop_cancel(r->loop, KIND_FD, 1); /* the same index of another kind */
	run_for(r, 20);
	assert_int_equal(r->n, 1);
	assert_int_equal(r->seen[0].index, 2);
}

static void again_at_once(struct rig *r, uint32_t index)
{
	if (r->n < SEEN_MAX / 2) {
		assert_int_equal(loop_after(r->loop, KIND_TIMER, index, 0), 0);
	}
}

static void test_eager_timer_does_not_starve_fds(void **state)
{
	struct rig *r = *state;
	unsigned i;

	r->on_timer = again_at_once;
	r->on_fd = stop_here;
	assert_int_equal(loop_add(r->loop, r->fd[0], EPOLLIN, KIND_FD, 0), 0);
	fire(r->fd[0]);
	assert_int_equal(loop_after(r->loop, KIND_TIMER, 1, 0), 0);
	assert_int_equal(loop_run(r->loop), 0);
	for (i = 0; i < r->n && r->seen[i].kind != KIND_FD; i++) {
	}
	assert_true(i <= 1);
	run_for(r, 50);
}

static void test_many_timers(void **state)
{
	struct rig *r = *state;
	int ret = 0;
	uint32_t i;

	for (i = 0; i < 100000 && ret == 0; i++) {
		ret = loop_after(r->loop, KIND_TIMER, i, 100000);
	}
	assert_int_equal(ret, -ENOSPC); /* there is a bound */
	assert_true(i > 4000);
	assert_int_equal(loop_after(r->loop, KIND_TIMER, 0, 1000000), 0); /* an old one may move */
	loop_cancel(r->loop, KIND_TIMER, 1);
	run_for(r, 1);
	assert_int_equal(r->n, 0);
	assert_int_equal(loop_after(r->loop, KIND_TIMER, 5, UINT64_MAX), 0); /* far, not wrapped */
	run_for(r, 1);
	assert_int_equal(r->n, 0);
}

static void test_stop_before_run(void **state)
{
	struct rig *r = *state;

	loop_stop(r->loop);
	assert_int_equal(loop_run(r->loop), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_reference_arrives_whole),
		T(test_refusals),
		T(test_mod_and_del),
		T(test_removed_within_the_batch),
		T(test_index_reused_within_the_batch),
		T(test_timer_order),
		T(test_timer_is_moved_and_cancelled),
		T(test_eager_timer_does_not_starve_fds),
		T(test_many_timers),
		T(test_stop_before_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
