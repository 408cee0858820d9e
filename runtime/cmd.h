/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd.h - the verbs
 *
 * A verb parses its arguments and calls one operation. It returns the exit code
 * (>= 0), or a negative errno value with @err: main.c prints and chooses 1 then.
 */
#ifndef VOLT_CMD_H
#define VOLT_CMD_H

#include "base/err.h"
#include "globals.h"
#include "opts.h"

/**
 * struct cmd - @argv[0] is the verb; @argv is the caller's own to reorder
 * @help:    what it does; NULL hides it
 * @failure: exit code when @run fails; not 1 where that may be a process's own
 */
struct cmd {
	const char *name;
	int (*run)(const struct globals *g, int argc, char **argv, struct vr_err *err);
	const char *help;
	int failure;
};

/**
 * cmd_args() - parse options and insist on a number of operands
 * @usage:     operands for messages, "ID" or "ID [SIGNAL]"
 * @out_operands: argv from the first operand on
 *
 * `--help` prints the options and makes the caller return 0.
 *
 * Return: 0; 1 when help was printed; -EINVAL with @err.
 */
int cmd_args(const char *name, const char *usage, const struct opt *table, size_t n, int min,
	     int max, int argc, char **argv, char ***out_operands, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * cmd_args_first() - the same for verbs whose operands are another program's arguments
 *
 * Options come before the first operand; what follows it is left alone.
 */
int cmd_args_first(const char *name, const char *usage, const struct opt *table, size_t n, int min,
		   int argc, char **argv, char ***out_operands, int *out_count, struct vr_err *err)
	__attribute__((warn_unused_result));

int cmd_checkpoint(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_create(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_delete(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_doctor(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_events(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_exec(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_features(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_kill(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_list(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_pause(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_ps(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_resume(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_run(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_sandbox(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_spec(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_start(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_state(const struct globals *g, int argc, char **argv, struct vr_err *err);
int cmd_update(const struct globals *g, int argc, char **argv, struct vr_err *err);

#endif /* VOLT_CMD_H */
