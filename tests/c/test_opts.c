/* SPDX-License-Identifier: Apache-2.0 */
/* test_opts.c - command lines as callers write them, and those that are refused */
#include "cm.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/checked.h"
#include "opts.h"

#define ARGS_MAX 16

/** struct line - a parsed command line */
struct line {
	char *argv[ARGS_MAX];
	int argc;
	int next;
	int rc;
	struct vr_err err;
	bool tty;
	bool quiet;
	const char *bundle;
	const char *root;
	unsigned fds;
};

static void parse(struct line *l, enum opts_mode mode, const char *const *words, int n)
{
	const struct opt table[] = {
		{"tty", 't', OPT_SWITCH, &l->tty, "a terminal"},
		{"quiet", 0, OPT_SWITCH, &l->quiet, NULL},
		{"bundle", 'b', OPT_STRING, &l->bundle, "directory"},
		{"root", 0, OPT_STRING, &l->root, NULL},
		{"preserve-fds", 0, OPT_COUNT, &l->fds, NULL},
		{"no-pivot", 0, OPT_IGNORED_SWITCH, NULL, NULL},
		{"criu", 0, OPT_IGNORED_STRING, NULL, NULL},
	};

	*l = (struct line){.argc = n, .next = -1};
	assert_true(n < ARGS_MAX);
	for (int i = 0; i < n; i++) {
		l->argv[i] = (char *)words[i];
	}
	l->rc = opts_parse("cmd", table, VR_ARRAY_SIZE(table), mode, n, l->argv, &l->next, &l->err);
}

#define PARSE(l, mode, ...)                                                                        \
	do {                                                                                       \
		const char *const words_[] = {"cmd", ##__VA_ARGS__};                               \
		parse((l), (mode), words_, (int)VR_ARRAY_SIZE(words_));                            \
	} while (0)

#define ACCEPT(l, mode, ...)                                                                       \
	do {                                                                                       \
		PARSE(l, mode, ##__VA_ARGS__);                                                     \
		assert_no_error((l)->rc, (l)->err);                                                \
		assert_int_equal((l)->err.code, 0);                                                \
	} while (0)

#define REFUSE(message, ...)                                                                       \
	do {                                                                                       \
		struct line l_;                                                                    \
		PARSE(&l_, OPTS_MIXED, ##__VA_ARGS__);                                             \
		assert_int_equal(l_.rc, -EINVAL);                                                  \
		assert_message(l_.err, message);                                                   \
		assert_int_equal(l_.next, -1);                                                     \
	} while (0)

static void nothing_to_parse(void **state)
{
	struct line l;

	(void)state;
	ACCEPT(&l, OPTS_MIXED);
	assert_int_equal(l.next, 1);
	ACCEPT(&l, OPTS_STOP_AT_ARG);
	assert_int_equal(l.next, 1);
}

static void values_in_all_spellings(void **state)
{
	static const char *const spellings[][2] = {
		{"--bundle", "/b"}, {"--bundle=/b", NULL}, {"-b", "/b"},	 {"-b/b", NULL},
		{"-b=/b", NULL},    {"-bundle", "/b"},	   {"-bundle=/b", NULL},
	};
	const char *words[3] = {"cmd"};
	struct line l;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(spellings); i++) {
		words[1] = spellings[i][0];
		words[2] = spellings[i][1];
		parse(&l, OPTS_MIXED, words, words[2] ? 3 : 2);
		assert_no_error(l.rc, l.err);
		assert_non_null(l.bundle);
		assert_string_equal(l.bundle, "/b");
		assert_int_equal(l.next, l.argc);
	}
}

static void values_may_look_like_anything(void **state)
{
	struct line l;

	(void)state;
	ACCEPT(&l, OPTS_MIXED, "--bundle", "--tty", "--root=a=b", "x");
	assert_string_equal(l.bundle, "--tty");
	assert_string_equal(l.root, "a=b");
	assert_false(l.tty);
	assert_int_equal(l.next, 5 - 1);
	ACCEPT(&l, OPTS_MIXED, "--bundle=", "-bA=1");
	assert_string_equal(l.bundle, "A=1"); /* the last one counts */
	ACCEPT(&l, OPTS_MIXED, "--bundle=");
	assert_string_equal(l.bundle, "");
}

static void switches(void **state)
{
	struct line l;

	(void)state;
	ACCEPT(&l, OPTS_MIXED, "-t", "--quiet=true");
	assert_true(l.tty);
	assert_true(l.quiet);
	ACCEPT(&l, OPTS_MIXED, "--tty", "--tty=false", "--no-pivot", "--no-pivot=false");
	assert_false(l.tty);
	REFUSE("option '--tty': 'yes' is neither true nor false", "--tty=yes");
	REFUSE("option '--tty': '' is neither true nor false", "--tty=");
	REFUSE("option '--no-pivot': '1' is neither true nor false", "--no-pivot=1");
}

static void counts(void **state)
{
	struct line l;

	(void)state;
	ACCEPT(&l, OPTS_MIXED, "--preserve-fds", "3");
	assert_int_equal(l.fds, 3);
	ACCEPT(&l, OPTS_MIXED, "--preserve-fds=4294967295");
	assert_int_equal(l.fds, 4294967295u);
	REFUSE("option '--preserve-fds': '4294967296' is not a number",
	       "--preserve-fds=4294967296");
	REFUSE("option '--preserve-fds': '99999999999999999999' is not a number",
	       "--preserve-fds=99999999999999999999");
	REFUSE("option '--preserve-fds': '-1' is not a number", "--preserve-fds", "-1");
	REFUSE("option '--preserve-fds': ' -18446744073709551615' is not a number",
	       "--preserve-fds= -18446744073709551615");
	REFUSE("option '--preserve-fds': '3x' is not a number", "--preserve-fds=3x");
	REFUSE("option '--preserve-fds': '' is not a number", "--preserve-fds=");
}

static void operands_are_moved_to_the_end(void **state)
{
	struct line l;

	(void)state;
	ACCEPT(&l, OPTS_MIXED, "id", "--bundle", "/b", "KILL", "-t");
	assert_int_equal(l.next, 4);
	assert_string_equal(l.argv[4], "id");
	assert_string_equal(l.argv[5], "KILL");
	assert_true(l.tty);
	assert_string_equal(l.bundle, "/b");

	ACCEPT(&l, OPTS_MIXED, "id", "-t", "--", "--bundle", "-x");
	assert_int_equal(l.next, 3);
	assert_string_equal(l.argv[3], "id");
	assert_string_equal(l.argv[4], "--bundle");
	assert_string_equal(l.argv[5], "-x");
	assert_null(l.bundle);

	ACCEPT(&l, OPTS_MIXED, "-", "", "-t"); /* both are operands */
	assert_int_equal(l.next, 2);
	assert_string_equal(l.argv[2], "-");
	assert_string_equal(l.argv[3], "");
}

static void the_first_operand_ends_options(void **state)
{
	struct line l;

	(void)state;
	ACCEPT(&l, OPTS_STOP_AT_ARG, "--root", "/r", "exec", "--tty", "id");
	assert_int_equal(l.next, 3);
	assert_string_equal(l.argv[3], "exec");
	assert_string_equal(l.argv[4], "--tty");
	assert_false(l.tty);
	ACCEPT(&l, OPTS_STOP_AT_ARG, "-t", "--", "--tty");
	assert_int_equal(l.next, 3);
	assert_true(l.tty);
}

static void ignored_options_swallow_their_value(void **state)
{
	struct line l;

	(void)state;
	ACCEPT(&l, OPTS_MIXED, "--criu", "/usr/bin/criu", "--no-pivot", "id");
	assert_int_equal(l.next, 4);
	assert_string_equal(l.argv[4], "id");
}

static void mistakes_name_the_option(void **state)
{
	(void)state;
	REFUSE("cmd: unknown option '--nope'", "--nope");
	REFUSE("cmd: unknown option '--nope'", "--nope=1");
	REFUSE("cmd: unknown option '-x'", "-x");
	REFUSE("cmd: unknown option '--bundl'", "--bundl", "/b"); /* no abbreviations */
	REFUSE("cmd: unknown option '--t'", "--t");
	REFUSE("cmd: unknown option '-tq'", "-tq");
	/* The words probes for a feature look for. */
	REFUSE("cmd: flag needs an argument: option '--bundle' requires an argument", "--bundle");
	REFUSE("cmd: flag needs an argument: option '--bundle' requires an argument", "-b");
}

static void help_lists_what_has_one(void **state)
{
	static const struct opt table[] = {
		{"bundle", 'b', OPT_STRING, NULL, "directory"},
		{"tty", 0, OPT_SWITCH, NULL, "a terminal"},
		{"hidden", 0, OPT_SWITCH, NULL, NULL},
	};
	FILE *file = tmpfile();
	char text[256] = "";
	int saved = dup(STDOUT_FILENO);

	(void)state;
	assert_non_null(file);
	(void)fflush(stdout);
	assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
	opts_print(table, VR_ARRAY_SIZE(table));
	(void)fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	(void)close(saved);
	rewind(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	(void)fclose(file);
	assert_string_equal(text, "  -b, --bundle VALUE               directory\n"
				  "      --tty                        a terminal\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_to_parse),
		cmocka_unit_test(values_in_all_spellings),
		cmocka_unit_test(values_may_look_like_anything),
		cmocka_unit_test(switches),
		cmocka_unit_test(counts),
		cmocka_unit_test(operands_are_moved_to_the_end),
		cmocka_unit_test(the_first_operand_ends_options),
		cmocka_unit_test(ignored_options_swallow_their_value),
		cmocka_unit_test(mistakes_name_the_option),
		cmocka_unit_test(help_lists_what_has_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
