/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.h - the event loop: epoll with typed references
 *
 * The 64-bit epoll datum is {kind, index}, never a pointer: a late event for
 * something already gone can't become a stale pointer, the handler looks the
 * index up in its own table. Level-triggered. After loop_del() and loop_mod()
 * no event of the old watch is delivered any more, not even one already fetched;
 * so call loop_del() before close().
 *
 * Threads: one thread runs the loop; loop_stop() may be called from handlers.
 */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include <stdint.h>

#define LOOP_MAX_KINDS 128u

struct loop;

/** Handler for a kind. @events: EPOLL* bits. @index: as given to loop_add() */
typedef void (*loop_fn)(void *ctx, uint32_t index, uint32_t events);

int loop_create(struct loop **out) __attribute__((warn_unused_result));
void loop_destroy(struct loop *l);
/** loop_handle() - set the handler of a kind (0..LOOP_MAX_KINDS-1), before it is added or timed */
void loop_handle(struct loop *l, unsigned kind, loop_fn fn, void *ctx);
/**
 * loop_add() - watch @fd (borrowed)
 *
 * Return: 0, -EINVAL (kind without handler), or -errno of epoll_ctl (-EPERM: not
 * pollable, e.g. a regular file).
 * Syscalls: epoll_ctl (role vmm)
 */
int loop_add(struct loop *l, int fd, uint32_t events, unsigned kind, uint32_t index)
	__attribute__((warn_unused_result));
int loop_mod(struct loop *l, int fd, uint32_t events, unsigned kind, uint32_t index)
	__attribute__((warn_unused_result));
/** loop_del() - stop watching; an fd that isn't watched, or -1, is ignored */
void loop_del(struct loop *l, int fd);
/**
 * loop_after() - call the handler of @kind with @index once after @ms (events = 0)
 *
 * One timer a (kind, index): setting it again moves it. Never early, at most
 * about 1 ms late by rounding.
 *
 * Return: 0, -EINVAL (kind without handler), -ENOSPC (4096 timers), -ENOMEM.
 * Syscalls: clock_gettime, brk, mmap, mremap, munmap (role vmm)
 */
int loop_after(struct loop *l, unsigned kind, uint32_t index, uint64_t ms)
	__attribute__((warn_unused_result));
void loop_cancel(struct loop *l, unsigned kind, uint32_t index);
/**
 * loop_run() - dispatch until loop_stop()
 *
 * Return: 0 or -errno of epoll_wait. Can be called again.
 * Syscalls: epoll_wait, clock_gettime (role vmm)
 */
int loop_run(struct loop *l) __attribute__((warn_unused_result));
void loop_stop(struct loop *l);

#endif /* VMM_LOOP_H */
