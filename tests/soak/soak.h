/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soak.h - callers that do random things to the same containers, shared by its files
 *
 *   soak.c   the callers, what they choose, the faults; the end
 *   call.c   one call of the runtime, and what it answered
 *   judge.c  what an answer says about the container: steps for the model
 *   model.c  can all that has been said be true?
 */
#ifndef SOAK_SOAK_H
#define SOAK_SOAK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "model.h"

#define TEXT_MAX 2048u

enum verb {
	V_CREATE,
	V_RUN,	 /* in the foreground; its process exits with RUN_STATUS at once */
	V_RUN_D, /* detached */
	V_START,
	V_STATE,
	V_EXEC,
	V_KILL,
	V_PAUSE,
	V_RESUME,
	V_UPDATE,
	V_LIST, /* one record for each container */
	V_PS,
	V_EVENTS,
	V_DELETE,
	V_DELETE_F,
	V_FAULT, /* kill -9 of a role; lasts until the container's roles are gone */
	V_COUNT,
};

#define RUN_STATUS 7
#define EXEC_SAYS  "hi\n"

/**
 * struct answer - what a call came to
 * @status: exit status, -1: killed by a signal (ours), -2: still there after the deadline
 * @out:    its output; @log: its log file; both cut
 */
struct answer {
	uint64_t begin;
	uint64_t end;
	int status;
	char out[TEXT_MAX];
	char log[TEXT_MAX];
};

/**
 * struct call - one call
 * @args:      after the global options, NULL at the end
 * @silent:    its streams are /dev/null: whoever it starts keeps them
 * @kill_ms:   0, or kill -9 it after so many
 */
struct call {
	const char *volt;
	const char *root;
	const char *work;
	unsigned caller;
	const char *args[12];
	bool silent;
	int kill_ms;
};

/** call_run() - returns when the call has ended, or was given up. Return: 0 or -errno */
int call_run(const struct call *c, struct answer *out) __attribute__((warn_unused_result));
/** call_now() - CLOCK_MONOTONIC in ns */
uint64_t call_now(void);

/**
 * struct record - one thing that was done to one container
 * @signo:  of V_KILL
 * @text:   what to show of it
 * @killed: the call itself was killed
 */
struct record {
	enum verb verb;
	int signo;
	bool killed;
	int status;
	struct mop op;
	char text[200];
};

/** struct around - what else went on at the same time, with the same container */
struct around {
	bool fault;	/* a role was killed */
	bool changing;	/* created or removed */
	bool long_hold; /* something that takes the lock, for long */
};

/** judge() - fill @r's steps. Return: NULL, or why the answer fits nothing */
const char *judge(struct record *r, const struct around *around);
/** judge_verb() - its name */
const char *judge_verb(enum verb verb);

#endif /* SOAK_SOAK_H */
