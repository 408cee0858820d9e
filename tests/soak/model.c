/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.c - can all answers be true? See model.h
 *
 * The set of all situations that are possible is carried through time. A situation is the
 * container's state and how far each open operation has come. A call adds an operation to all of
 * them, an answer leaves those in which it is complete; when none is left, it can't be explained.
 */
#include "model.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define STATE_BITS    4u
#define PROGRESS_BITS 3u
#define SITUATIONS    (1u << (STATE_BITS + PROGRESS_BITS * MODEL_CALLERS))

struct set {
	uint32_t *v;
	size_t n;
	uint8_t *has; /* a bit for each situation */
};

struct event {
	uint64_t when;
	size_t op;
	bool is_end;
};

static enum mstate state_of(uint32_t s)
{
	return (enum mstate)(s & ((1u << STATE_BITS) - 1u));
}

static unsigned shift_of(unsigned caller)
{
	return STATE_BITS + PROGRESS_BITS * caller;
}

static unsigned progress_of(uint32_t s, unsigned caller)
{
	return s >> shift_of(caller) & ((1u << PROGRESS_BITS) - 1u);
}

static void set_add(struct set *set, uint32_t s)
{
	if (!(set->has[s / 8] & 1u << s % 8)) {
		set->has[s / 8] |= (uint8_t)(1u << s % 8);
		set->v[set->n++] = s;
	}
}

/* Keep what @keep says, without the caller's progress. */
static void set_end(struct set *set, const struct mop *op)
{
	size_t n = set->n;

	for (size_t i = 0; i < n; i++) {
		set->has[set->v[i] / 8] = 0;
	}
	set->n = 0;
	for (size_t i = 0; i < n; i++) { /* writes never overtake reads */
		uint32_t s = set->v[i];

		if (progress_of(s, op->caller) == op->n_steps) {
			set_add(set, s & ~(((1u << PROGRESS_BITS) - 1u) << shift_of(op->caller)));
		}
	}
}

/* Everything that can happen now; what is added is looked at in turn. */
static void set_close(struct set *set, const struct mop *const open[MODEL_CALLERS])
{
	for (size_t i = 0; i < set->n; i++) {
		uint32_t s = set->v[i];
		enum mstate state = state_of(s);

		if (state == M_DYING) {
			set_add(set, s - M_DYING + M_STOPPED);
		}
		for (unsigned c = 0; c < MODEL_CALLERS; c++) {
			unsigned at = progress_of(s, c);

			if (!open[c] || at >= open[c]->n_steps) {
				continue;
			}
			for (unsigned to = 0; to < M_STATES; to++) {
				if (open[c]->steps[at].to[state] & M_BIT(to)) {
					set_add(set, s - state + to + (1u << shift_of(c)));
				}
			}
		}
	}
}

static int by_time(const void *a, const void *b)
{
	const struct event *x = a;
	const struct event *y = b;

	if (x->when != y->when) {
		return x->when < y->when ? -1 : 1;
	}
	return (int)x->is_end - (int)y->is_end; /* at the same moment: they may have met */
}

static long walk(const struct mop *ops, const struct event *events, size_t n, struct set *set)
{
	const struct mop *open[MODEL_CALLERS] = {NULL};

	set_add(set, M_ABSENT);
	for (size_t i = 0; i < n; i++) {
		const struct mop *op = &ops[events[i].op];

		if (!events[i].is_end) {
			open[op->caller] = op;
			set_close(set, open);
			continue;
		}
		set_end(set, op);
		open[op->caller] = NULL;
		if (set->n == 0) {
			return (long)events[i].op;
		}
	}
	return -1;
}

long model_check(const struct mop *ops, size_t n)
{
	struct event *events = calloc(2 * n + 1, sizeof(*events));
	struct set set = {.v = calloc(SITUATIONS, sizeof(*set.v)),
			  .has = calloc(SITUATIONS / 8, 1)};
	long rc = -2;

	if (events && set.v && set.has) {
		for (size_t i = 0; i < n; i++) {
			events[2 * i] = (struct event){.when = ops[i].begin, .op = i};
			events[2 * i + 1] =
				(struct event){.when = ops[i].end, .op = i, .is_end = true};
		}
		qsort(events, 2 * n, sizeof(*events), by_time);
		rc = walk(ops, events, 2 * n, &set);
	}
	free(events);
	free(set.v);
	free(set.has);
	return rc;
}

void model_also(struct mop *op, unsigned from, unsigned to)
{
	struct mstep *step = &op->steps[op->n_steps - 1];

	for (unsigned s = 0; s < M_STATES; s++) {
		if (from & M_BIT(s)) {
			step->to[s] |= (uint16_t)(to ? to : M_BIT(s));
		}
	}
}

void model_step(struct mop *op, unsigned from, unsigned to)
{
	if (op->n_steps == MODEL_STEPS) {
		abort(); /* a mistake of the table of verbs */
	}
	memset(&op->steps[op->n_steps++], 0, sizeof(op->steps[0]));
	model_also(op, from, to);
}
