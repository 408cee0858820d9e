/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opts.h - command line options from a table
 *
 * Understands what callers of OCI runtimes write: `--flag value`, `--flag=value`,
 * `-f value`, `-f=value`, `-fvalue`, switches with an optional `=true`/`=false`, `--` as the end.
 * Unknown options and missing values are errors that name the option.
 */
#ifndef VOLT_OPTS_H
#define VOLT_OPTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum opt_kind {
	OPT_SWITCH,	    /* bool * */
	OPT_STRING,	    /* const char ** */
	OPT_COUNT,	    /* unsigned *: a decimal number */
	OPT_LIST,	    /* struct opt_list *: may be repeated, each adds one */
	OPT_IGNORED_SWITCH, /* accepted for compatibility, @dest unused */
	OPT_IGNORED_STRING,
};

/**
 * struct opt - one option
 * @name:   long name without dashes
 * @letter: short name or 0
 * @help:   what it does, for --help; NULL hides it
 */
struct opt {
	const char *name;
	char letter;
	enum opt_kind kind;
	void *dest;
	const char *help;
};

/** struct opt_list - values of a repeated option, in their order; start from zeros, free(@v) */
struct opt_list {
	const char **v;
	size_t n;
};

enum opts_mode {
	OPTS_STOP_AT_ARG, /* the first operand ends the options (global options, exec) */
	OPTS_MIXED,	  /* options may follow operands; operands are moved to the end of argv */
};

/**
 * opts_parse() - store the options of argv
 * @what:     command name for messages
 * @argv:     argv[0] is the command name itself; reordered with OPTS_MIXED
 * @out_next: index of the first operand
 *
 * Return: 0, or -EINVAL with @err.
 */
int opts_parse(const char *what, const struct opt *table, size_t n, enum opts_mode mode, int argc,
	       char **argv, int *out_next, struct vr_err *err) __attribute__((warn_unused_result));

/** opts_print() - the table as help text on stdout */
void opts_print(const struct opt *table, size_t n);

#endif /* VOLT_OPTS_H */
