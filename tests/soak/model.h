/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - can the answers that several callers got about one container all be true?
 *
 * Each operation took place at some moment (or, in steps, at some moments) between its call and its
 * answer. The checker looks for an order of all steps in which each finds the container in a state
 * that permits it. Threads: none. Uses: nothing.
 */
#ifndef SOAK_MODEL_H
#define SOAK_MODEL_H

#include <stddef.h>
#include <stdint.h>

/**
 * enum mstate - what a container can be
 *
 * DYING: its end is under way or may come at any time. Verbs may still find it as it was.
 * DOOMED: paused, with a deadly signal waiting for it to go on.
 */
enum mstate {
	M_ABSENT,
	M_CREATING,
	M_CREATED,
	M_RUNNING,
	M_PAUSED_CREATED,
	M_PAUSED,
	M_DYING,
	M_DOOMED,
	M_STOPPED,
	M_STATES,
};

#define M_BIT(state)  (1u << (state))
#define M_ANY	      (M_BIT(M_STATES) - 1u)
#define MODEL_STEPS   5u
#define MODEL_CALLERS 6u

/** struct mstep - one moment; @to: for each state the states it may lead to, 0: not permitted */
struct mstep {
	uint16_t to[M_STATES];
};

/**
 * struct mop - an operation as one caller saw it
 * @begin, @end: of the call; any clock
 * @caller:      below MODEL_CALLERS; a caller does one thing at a time
 */
struct mop {
	uint64_t begin;
	uint64_t end;
	unsigned caller;
	unsigned n_steps;
	struct mstep steps[MODEL_STEPS];
};

/** model_step() - append a step that takes each state of @from to one of @to (0: it stays) */
void model_step(struct mop *op, unsigned from, unsigned to);
/** model_also() - permit one more thing in the step appended last */
void model_also(struct mop *op, unsigned from, unsigned to);
/**
 * model_check() - all operations on one container, which is absent at first
 *
 * Return: -1 when they can all be true, else the index of the first whose end can't be explained;
 * -2 without memory.
 */
long model_check(const struct mop *ops, size_t n);

#endif /* SOAK_MODEL_H */
