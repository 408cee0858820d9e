/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.c - the event loop
 *
 * How this works: the epoll datum is kind (8 bits), fd (24) and index (32).
 * The fd is there for one case: a handler that removes a watch while later
 * events of the same batch still wait. loop_del() and loop_mod() strike those
 * out, so a handler never hears of a watch that is gone, even when its index
 * was given away again meanwhile.
 *
 * Timers are an array sorted by deadline; the first one bounds the epoll
 * timeout. There are few (a handful plus one for some connections), setting
 * one is a short memmove.
 */
#include "vmm/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"

#define LOOP_BATCH	32
#define LOOP_MAX_TIMERS 4096u
#define LOOP_MAX_FD	((1 << 24) - 1)
#define LOOP_MAX_MS	(1ull << 40) /* 34 years: far from overflowing a deadline */
#define NS_PER_MS	1000000ull

/** struct timer - @at_ns: deadline on CLOCK_MONOTONIC */
struct timer {
	uint64_t at_ns;
	uint32_t kind;
	uint32_t index;
};

struct handler {
	loop_fn fn;
	void *ctx;
};

/**
 * struct loop
 * @batch, @next, @n_batch: events being dispatched; @next is the first not yet looked at
 */
struct loop {
	int epfd;
	bool stop;
	struct handler handler[LOOP_MAX_KINDS];
	struct timer *timer;
	unsigned n_timers;
	unsigned cap_timers;
	struct epoll_event batch[LOOP_BATCH];
	int next;
	int n_batch;
};

static uint64_t ref_pack(unsigned kind, int fd, uint32_t index)
{
	return (uint64_t)kind << 56 | (uint64_t)fd << 32 | index;
}

static unsigned ref_kind(uint64_t ref)
{
	return (unsigned)(ref >> 56);
}

static int ref_fd(uint64_t ref)
{
	return (int)(ref >> 32) & LOOP_MAX_FD;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* can't fail for this clock */
	return (uint64_t)ts.tv_sec * 1000 * NS_PER_MS + (uint64_t)ts.tv_nsec;
}

int loop_create(struct loop **out)
{
	struct loop *l = calloc(1, sizeof(*l));
	int ret;

	if (!l) {
		return -ENOMEM;
	}
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0) {
		ret = -errno;
		free(l);
		return ret;
	}
	*out = l;
	return 0;
}

void loop_destroy(struct loop *l)
{
	if (!l) {
		return;
	}
	(void)close(l->epfd); /* nothing is written through it */
	free(l->timer);
	free(l);
}

void loop_handle(struct loop *l, unsigned kind, loop_fn fn, void *ctx)
{
	assert(kind < LOOP_MAX_KINDS);
	l->handler[kind] = (struct handler){.fn = fn, .ctx = ctx};
}

static bool kind_is_handled(const struct loop *l, unsigned kind)
{
	return kind < LOOP_MAX_KINDS && l->handler[kind].fn;
}

static int ctl(struct loop *l, int op, int fd, uint32_t events, unsigned kind, uint32_t index)
{
	struct epoll_event ev = {.events = events};

	if (!kind_is_handled(l, kind)) {
		return -EINVAL;
	}
	if (fd < 0 || fd > LOOP_MAX_FD) {
		return -EBADF;
	}
	ev.data.u64 = ref_pack(kind, fd, index);
	return epoll_ctl(l->epfd, op, fd, &ev) < 0 ? -errno : 0;
}

/* Forget the events of @fd that were fetched but not dispatched. */
static void strike_out(struct loop *l, int fd)
{
	for (int i = l->next; i < l->n_batch; i++) {
		if (ref_fd(l->batch[i].data.u64) == fd) {
			l->batch[i].events = 0;
		}
	}
}

int loop_add(struct loop *l, int fd, uint32_t events, unsigned kind, uint32_t index)
{
	return ctl(l, EPOLL_CTL_ADD, fd, events, kind, index);
}

int loop_mod(struct loop *l, int fd, uint32_t events, unsigned kind, uint32_t index)
{
	int ret = ctl(l, EPOLL_CTL_MOD, fd, events, kind, index);

	if (ret == 0) {
		strike_out(l, fd); /* level-triggered: what still holds comes again */
	}
	return ret;
}

void loop_del(struct loop *l, int fd)
{
	if (fd < 0) {
		return;
	}
	(void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, fd, NULL); /* not watched: nothing to remove */
	strike_out(l, fd);
}

static void timer_remove(struct loop *l, unsigned i)
{
	l->n_timers--;
	memmove(&l->timer[i], &l->timer[i + 1], (l->n_timers - i) * sizeof(l->timer[0]));
}

static int timers_reserve(struct loop *l)
{
	unsigned cap = VR_MAX(l->cap_timers * 2, 16u);
	struct timer *grown;

	if (l->n_timers < l->cap_timers) {
		return 0;
	}
	if (cap > LOOP_MAX_TIMERS) {
		return -ENOSPC;
	}
	grown = reallocarray(l->timer, cap, sizeof(*grown));
	if (!grown) {
		return -ENOMEM;
	}
	l->timer = grown;
	l->cap_timers = cap;
	return 0;
}

int loop_after(struct loop *l, unsigned kind, uint32_t index, uint64_t ms)
{
	struct timer t = {.kind = kind, .index = index};
	unsigned i;
	int ret;

	if (!kind_is_handled(l, kind)) {
		return -EINVAL;
	}
	loop_cancel(l, kind, index);
	ret = timers_reserve(l);
	if (ret < 0) {
		return ret;
	}
	t.at_ns = now_ns() + VR_MIN(ms, (uint64_t)LOOP_MAX_MS) * NS_PER_MS;
	/* Behind its equals: timers set for the same moment fire in the order they were set. */
	for (i = l->n_timers; i > 0 && l->timer[i - 1].at_ns > t.at_ns; i--) {
		l->timer[i] = l->timer[i - 1];
	}
	l->timer[i] = t;
	l->n_timers++;
	return 0;
}

void loop_cancel(struct loop *l, unsigned kind, uint32_t index)
{
	for (unsigned i = 0; i < l->n_timers; i++) {
		if (l->timer[i].kind == kind && l->timer[i].index == index) {
			timer_remove(l, i);
			return;
		}
	}
}

/* Milliseconds until the first timer, rounded up: waking early would spin. -1 without timers. */
static int timeout_ms(const struct loop *l)
{
	uint64_t now;
	uint64_t ms;

	if (l->n_timers == 0) {
		return -1;
	}
	now = now_ns();
	if (l->timer[0].at_ns <= now) {
		return 0;
	}
	ms = (l->timer[0].at_ns - now + NS_PER_MS - 1) / NS_PER_MS;
	return (int)VR_MIN(ms, (uint64_t)INT_MAX);
}

static void dispatch(struct loop *l, unsigned kind, uint32_t index, uint32_t events)
{
	const struct handler *h = &l->handler[kind];

	if (h->fn) { /* may have been taken back with loop_handle(NULL) */
		h->fn(h->ctx, index, events);
	}
}

static void run_timers(struct loop *l)
{
	uint64_t now;

	if (l->n_timers == 0) {
		return;
	}
	now = now_ns();
	/* @now stays: a handler that sets its timer again waits for the next round. */
	for (unsigned left = l->n_timers; left > 0 && l->n_timers > 0 && !l->stop; left--) {
		struct timer t = l->timer[0];

		if (t.at_ns > now) {
			return;
		}
		timer_remove(l, 0);
		dispatch(l, t.kind, t.index, 0);
	}
}

static void run_batch(struct loop *l)
{
	while (l->next < l->n_batch && !l->stop) {
		struct epoll_event ev = l->batch[l->next++];

		if (ev.events) {
			dispatch(l, ref_kind(ev.data.u64), (uint32_t)ev.data.u64, ev.events);
		}
	}
	l->next = 0;
	l->n_batch = 0;
}

int loop_run(struct loop *l)
{
	while (!l->stop) {
		int n = epoll_wait(l->epfd, l->batch, LOOP_BATCH, timeout_ms(l));

		if (n < 0 && errno != EINTR) {
			return -errno;
		}
		l->n_batch = VR_MAX(n, 0);
		run_batch(l);
		run_timers(l);
	}
	l->stop = false;
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}
