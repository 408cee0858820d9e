/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_args.c - what all verbs do with their arguments; see cmd.h */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"

#define OPTIONS_MAX 40u

static int parse(const char *name, const char *usage, const struct opt *options, size_t n,
		 enum opts_mode mode, int argc, char **argv, int *out_next, struct vr_err *err)
{
	bool help = false;
	struct opt table[OPTIONS_MAX + 1];
	int rc;

	assert(n <= OPTIONS_MAX);
	if (n > 0) {
		memcpy(table, options, n * sizeof(*table));
	}
	table[n] = (struct opt){"help", 'h', OPT_SWITCH, &help, "print this text"};
	rc = opts_parse(name, table, n + 1, mode, argc, argv, out_next, err);
	if (rc == 0 && help) {
		printf("usage: volt-runc %s [OPTION]... %s\n\noptions:\n", name, usage);
		opts_print(table, n + 1);
		return 1;
	}
	return rc;
}

static int operands(const char *name, const char *usage, int min, int max, int count,
		    struct vr_err *err)
{
	if (count < min || (max >= 0 && count > max)) {
		return vr_err_set(err, EINVAL,
				  "%s: %s arguments: usage: volt-runc %s [OPTION]... %s", name,
				  count < min ? "missing" : "too many", name, usage);
	}
	return 0;
}

int cmd_args(const char *name, const char *usage, const struct opt *table, size_t n, int min,
	     int max, int argc, char **argv, char ***out_operands, struct vr_err *err)
{
	int next = 0;
	int rc = parse(name, usage, table, n, OPTS_MIXED, argc, argv, &next, err);

	*out_operands = argv + next;
	return rc != 0 ? rc : operands(name, usage, min, max, argc - next, err);
}

int cmd_args_first(const char *name, const char *usage, const struct opt *table, size_t n, int min,
		   int argc, char **argv, char ***out_operands, int *out_count, struct vr_err *err)
{
	int next = 0;
	int rc = parse(name, usage, table, n, OPTS_STOP_AT_ARG, argc, argv, &next, err);

	*out_operands = argv + next;
	*out_count = argc - next;
	return rc != 0 ? rc : operands(name, usage, min, -1, *out_count, err);
}
