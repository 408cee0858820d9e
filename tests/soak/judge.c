/* SPDX-License-Identifier: Apache-2.0 */
/* judge.c - what an answer says about the container; see soak.h */
#include <signal.h>
#include <string.h>

#include "soak.h"

#define A  M_BIT(M_ABSENT)
#define G  M_BIT(M_CREATING)
#define C  M_BIT(M_CREATED)
#define R  M_BIT(M_RUNNING)
#define PC M_BIT(M_PAUSED_CREATED)
#define PR M_BIT(M_PAUSED)
#define K  M_BIT(M_DYING)
#define D  M_BIT(M_DOOMED)
#define S  M_BIT(M_STOPPED)
#define P  (PC | PR | D)

static const char *const names[V_COUNT] = {
	[V_CREATE] = "create", [V_RUN] = "run",	      [V_RUN_D] = "run -d",
	[V_START] = "start",   [V_STATE] = "state",   [V_EXEC] = "exec",
	[V_KILL] = "kill",     [V_PAUSE] = "pause",   [V_RESUME] = "resume",
	[V_UPDATE] = "update", [V_LIST] = "list",     [V_PS] = "ps",
	[V_EVENTS] = "events", [V_DELETE] = "delete", [V_DELETE_F] = "delete --force",
	[V_FAULT] = "fault",
};

const char *judge_verb(enum verb verb)
{
	return names[verb];
}

/* In which states a verb may be refused with which words. DYING may still look like any of them. */
static const struct refusal {
	enum verb verb; /* V_COUNT: any */
	const char *text;
	unsigned states;
} refusals[] = {
	{V_COUNT, "does not exist", A},
	{V_COUNT, "still being created", G},
	{V_CREATE, "already exists", M_ANY & ~A},
	{V_START, "cannot start an already running container", R | P | K},
	{V_START, "cannot start a paused container", P | K},
	{V_START, "cannot start a container that has stopped", S | K},
	{V_EXEC, "cannot exec in a stopped container", S | K},
	{V_EXEC, "cannot exec in a paused container", P | K},
	{V_KILL, "container not running", S | K},
	{V_PAUSE, "container not running or created: paused", P | K},
	{V_PAUSE, "container not running or created: stopped", S | K},
	{V_PAUSE, "container not running or created: creating", G},
	{V_PAUSE, "container already paused", P | K},
	{V_PAUSE, "container is being started", C | R | K},
	{V_PAUSE, "container not running", S | K},
	{V_RESUME, "container not paused", G | C | R | S | K},
	{V_UPDATE, "container not running", G | S | K},
	{V_EVENTS, "is not running", S | K},
	{V_EVENTS, "container is paused", P | K},
	{V_EVENTS, "container not running", S | K},
	{V_DELETE, "that is not stopped: running", R | K},
	{V_DELETE, "that is not stopped: paused", P | K},
	{V_DELETE, "that is not stopped: creating", G},
};

/* What a call says that was cut off by the container's end. */
static const char *const cut_off[] = {
	"the container ended before it answered",
	"reach the container's control socket",
	"ended unexpectedly",
};

static const struct refusal *refusal_find(const struct record *r, enum verb verb)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		const struct refusal *f = &refusals[i];

		if ((f->verb == verb || f->verb == V_COUNT) && strstr(r->text, f->text)) {
			return f;
		}
	}
	return NULL;
}

static bool is_cut_off(const char *text)
{
	for (size_t i = 0; i < sizeof(cut_off) / sizeof(*cut_off); i++) {
		if (strstr(text, cut_off[i])) {
			return true;
		}
	}
	return false;
}

/* --- making one ---------------------------------------------------------------------------- */

/* A create that a fault met may succeed and its container be dead all the same. */
static void made(struct mop *op, const struct around *around)
{
	model_step(op, A, G);
	model_step(op, G, around->fault ? C | K : C);
}

static const char *judge_making(struct record *r, const struct around *around)
{
	struct mop *op = &r->op;
	const struct refusal *f;

	if (r->killed) {
		model_step(op, A, A | G);
		model_also(op, M_ANY & ~A, 0);
		/* what is being made may be somebody else's, and goes on */
		model_step(op, G, S | C | K | (around->changing ? G : 0));
		model_also(op, M_ANY & ~G, 0);
		return NULL;
	}
	if (r->status == (r->verb == V_RUN ? RUN_STATUS : 0)) {
		made(op, around);
		if (r->verb == V_RUN) {
			model_step(op, C, K);
			model_also(op, K, 0);
			model_step(op, M_ANY, A);
		} else if (r->verb == V_RUN_D) {
			model_step(op, C, R);
			model_also(op, K, 0);
		}
		return NULL;
	}
	f = refusal_find(r, V_CREATE);
	if (f && f->verb == V_CREATE) {
		model_step(op, f->states, 0);
		return NULL;
	}
	/* Undone: for `run` also when somebody else got hold of the container before it did. */
	model_step(op, A, G);
	model_step(op, G, r->verb == V_CREATE && !around->fault ? 0 : G | C | K);
	model_step(op, M_ANY, A);
	if (around->fault) {
		return NULL;
	}
	if (r->verb == V_CREATE) {
		return "a create that nothing disturbed has failed";
	}
	return refusal_find(r, V_START) || is_cut_off(r->text) ||
			       (r->verb == V_RUN && r->status >= 128)
		       ? NULL
		       : "a run that nothing disturbed has failed";
}

/* --- success --------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	unsigned states;
} statuses[] = {
	{"creating", G}, {"created", C}, {"running", R}, {"paused", P}, {"stopped", S}, {"-", A},
};

static const char *judge_state(struct record *r, const struct around *around)
{
	if (strcmp(r->text, "stateless") == 0) {
		model_step(&r->op, around->changing ? M_ANY : S, 0); /* half made or half removed */
		return NULL;
	}
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		if (strcmp(r->text, statuses[i].word) == 0) {
			model_step(&r->op, statuses[i].states | (statuses[i].states == A ? 0 : K),
				   0);
			return NULL;
		}
	}
	return "no status that there is";
}

static void judge_kill(struct record *r)
{
	struct mop *op = &r->op;

	if (r->signo == SIGKILL) {
		model_step(op, C | R | P | K, K);
	} else if (r->signo == SIGTERM) {
		/* init handles it once it has got so far; a created one would die of it */
		model_step(op, C | R | K, K);
		model_also(op, P, D);
	} else {
		model_step(op, C | R | P | K, 0);
	}
}

static const char *judge_success(struct record *r, const struct around *around)
{
	struct mop *op = &r->op;

	switch (r->verb) {
	case V_START:
		model_step(op, C, R);
		model_also(op, K, 0);
		return NULL;
	case V_STATE:
	case V_LIST:
		return judge_state(r, around);
	case V_EXEC:
		model_step(op, C | R | K, 0);
		return strcmp(r->text, EXEC_SAYS) == 0 ? NULL : "the process's output is missing";
	case V_KILL:
		judge_kill(r);
		return NULL;
	case V_PAUSE:
		model_step(op, C, PC);
		model_also(op, R, PR);
		model_also(op, K, 0);
		return NULL;
	case V_RESUME:
		model_step(op, PC, C);
		model_also(op, PR, R);
		model_also(op, D, K);
		model_also(op, K, 0);
		return NULL;
	case V_PS: /* a stopped one has no processes, and says so without an error */
		model_step(op, C | R | P | K | S, 0);
		return NULL;
	case V_DELETE:
		model_step(op, C | K, K); /* it ends first */
		model_also(op, S, 0);
		model_step(op, S | K, A);
		return NULL;
	case V_DELETE_F:
		model_step(op, C | R | P | K, K);
		model_also(op, A | S, 0);
		model_step(op, A | S | K, A);
		return NULL;
	case V_UPDATE: /* of a paused one, the guest does it when it goes on */
		model_step(op, C | R | P | K, 0);
		return NULL;
	default: /* events */
		model_step(op, C | R | K, 0);
		return NULL;
	}
}

/* --- failure --------------------------------------------------------------------------------- */

static const char *judge_failure(struct record *r, const struct around *around)
{
	const struct refusal *f = refusal_find(r, r->verb);
	struct mop *op = &r->op;

	if (f) {
		model_step(op, f->states, 0);
		return NULL;
	}
	if (strstr(r->text, "has no state")) {
		model_step(op, around->changing ? M_ANY : S, 0);
		return r->verb == V_DELETE_F ? "delete --force must do without" : NULL;
	}
	model_step(op, M_ANY, 0);
	if (strstr(r->text, "is busy with another command")) {
		return around->long_hold ? NULL : "nobody held the lock for so long";
	}
	if (r->verb == V_DELETE_F) {
		return "delete --force has failed";
	}
	if (strstr(r->text, "wait for the container's answer")) {
		model_step(op, P | K | S | A, 0); /* nobody answers while all stands still */
		return NULL;
	}
	if (is_cut_off(r->text) || (r->verb == V_EXEC && r->status > 128)) {
		if (!around->fault) {
			model_step(op, K | S | A, 0);
		}
		return NULL;
	}
	return "words that fit nothing";
}

const char *judge(struct record *r, const struct around *around)
{
	if (r->verb == V_FAULT && r->killed) {
		model_step(&r->op, M_ANY, 0); /* of an exec */
		return NULL;
	}
	if (r->verb == V_FAULT) {
		model_step(&r->op, A | G | S, 0);
		model_also(&r->op, C | R | P | K, S);
		return NULL;
	}
	if (r->status == -2) {
		model_step(&r->op, M_ANY, M_ANY);
		return "it hangs";
	}
	if (r->verb == V_CREATE || r->verb == V_RUN || r->verb == V_RUN_D) {
		return judge_making(r, around);
	}
	if (r->killed) {
		model_step(&r->op, M_ANY, 0); /* an exec */
		return NULL;
	}
	return r->status == 0 ? judge_success(r, around) : judge_failure(r, around);
}
