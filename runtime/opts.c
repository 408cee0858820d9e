/* SPDX-License-Identifier: Apache-2.0 */
/* opts.c - command line options from a table; see opts.h */
#include "opts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
	const char *what;
	char **argv;
	int argc;
	int i;
};

static const struct opt *find_long(const struct opt *table, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0) {
			return &table[i];
		}
	}
	return NULL;
}

static const struct opt *find_short(const struct opt *table, size_t n, char letter)
{
	for (size_t i = 0; i < n; i++) {
		if (table[i].letter != 0 && table[i].letter == letter) {
			return &table[i];
		}
	}
	return NULL;
}

static bool takes_value(const struct opt *o)
{
	return o->kind == OPT_STRING || o->kind == OPT_COUNT || o->kind == OPT_LIST ||
	       o->kind == OPT_IGNORED_STRING;
}

static int store_switch(const struct opt *o, const char *value, struct vr_err *err)
{
	bool on = true;

	if (value && strcmp(value, "false") == 0) {
		on = false;
	} else if (value && strcmp(value, "true") != 0) {
		return vr_err_set(err, EINVAL, "option '--%s': '%s' is neither true nor false",
				  o->name, value);
	}
	if (o->kind == OPT_SWITCH) {
		*(bool *)o->dest = on;
	}
	return 0;
}

static int store_count(const struct opt *o, const char *value, struct vr_err *err)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || value[0] < '0' || v > UINT_MAX) {
		return vr_err_set(err, EINVAL, "option '--%s': '%s' is not a number", o->name,
				  value);
	}
	*(unsigned *)o->dest = (unsigned)v;
	return 0;
}

static int store_list(const struct opt *o, const char *value, struct vr_err *err)
{
	struct opt_list *list = o->dest;
	const char **grown = realloc(list->v, (list->n + 1) * sizeof(*grown));

	if (!grown) {
		return vr_err_set(err, ENOMEM, "option '--%s': out of memory", o->name);
	}
	list->v = grown;
	list->v[list->n++] = value;
	return 0;
}

static int store(const struct opt *o, const char *value, struct vr_err *err)
{
	switch (o->kind) {
	case OPT_SWITCH:
	case OPT_IGNORED_SWITCH:
		return store_switch(o, value, err);
	case OPT_STRING:
		*(const char **)o->dest = value;
		return 0;
	case OPT_COUNT:
		return store_count(o, value, err);
	case OPT_LIST:
		return store_list(o, value, err);
	case OPT_IGNORED_STRING:
		return 0;
	}
	return vr_err_set(err, EINVAL, "option '--%s': unusable table entry", o->name);
}

/* argv[c->i] is an option; leaves c->i at the last word used. */
static int parse_one(struct cursor *c, const struct opt *table, size_t n, struct vr_err *err)
{
	const char *word = c->argv[c->i];
	bool is_long = word[1] == '-';
	const char *name = word + (is_long ? 2 : 1);
	const char *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	const char *value = eq ? eq + 1 : NULL;
	const struct opt *o = find_long(table, n, name, len);

	if (!o && !is_long) {
		o = find_short(table, n, name[0]);
		/* -fvalue, or several switches in one word: only the former */
		if (o && name[1] != '\0' && eq != name + 1) {
			value = takes_value(o) ? name + 1 : NULL;
			o = value ? o : NULL;
		}
	}
	if (!o) {
		return vr_err_set(err, EINVAL, "%s: unknown option '%.*s'", c->what,
				  (int)(len + (is_long ? 2 : 1)), word);
	}
	if (takes_value(o) && !value) {
		if (c->i + 1 >= c->argc) {
			return vr_err_set(
				err, EINVAL,
				"%s: flag needs an argument: option '--%s' requires an argument",
				c->what, o->name);
		}
		value = c->argv[++c->i];
	}
	return store(o, value, err);
}

int opts_parse(const char *what, const struct opt *table, size_t n, enum opts_mode mode, int argc,
	       char **argv, int *out_next, struct vr_err *err)
{
	struct cursor c = {.what = what, .argv = argv, .argc = argc, .i = 1};
	char **operands = calloc((size_t)argc + 1, sizeof(*operands));
	int n_operands = 0, rc = 0;

	if (!operands) {
		return vr_err_set(err, ENOMEM, "%s: out of memory", what);
	}
	for (; c.i < argc && rc == 0; c.i++) {
		if (strcmp(argv[c.i], "--") == 0) {
			c.i++;
			break;
		}
		if (argv[c.i][0] != '-' || argv[c.i][1] == '\0') {
			if (mode == OPTS_STOP_AT_ARG) {
				break;
			}
			operands[n_operands++] = argv[c.i];
			continue;
		}
		rc = parse_one(&c, table, n, err);
	}
	if (rc == 0) {
		/* Operands seen between options go right before the unread rest. */
		memcpy(&argv[c.i - n_operands], operands, (size_t)n_operands * sizeof(*operands));
		*out_next = c.i - n_operands;
	}
	free(operands);
	return rc;
}

void opts_print(const struct opt *table, size_t n)
{
	char left[64];

	for (size_t i = 0; i < n; i++) {
		if (!table[i].help) {
			continue;
		}
		(void)snprintf(left, sizeof(left), "%c%c%c --%s%s", table[i].letter ? '-' : ' ',
			       table[i].letter ? table[i].letter : ' ', table[i].letter ? ',' : ' ',
			       table[i].name, takes_value(&table[i]) ? " VALUE" : "");
		printf("  %-32s %s\n", left, table[i].help);
	}
}
