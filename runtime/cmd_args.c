/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_args.c - what all verbs do with their arguments; see cmd.h */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"

static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			return true;
		}
	}
	return false;
}

int cmd_args(const char *name, const char *usage, const struct opt *table, size_t n, int min,
	     int max, int argc, char **argv, char ***out_operands, struct vr_err *err)
{
	int next = 0, rc, count;

	if (wants_help(argc, argv)) {
		printf("usage: volt-runc %s [OPTION]... %s\n\noptions:\n", name, usage);
		opts_print(table, n);
		return 1;
	}
	rc = opts_parse(name, table, n, OPTS_MIXED, argc, argv, &next, err);
	if (rc < 0) {
		return rc;
	}
	count = argc - next;
	if (count < min || count > max) {
		return vr_err_set(err, EINVAL,
				  "%s: %s arguments: usage: volt-runc %s [OPTION]... %s", name,
				  count < min ? "missing" : "too many", name, usage);
	}
	*out_operands = argv + next;
	return 0;
}
