/* SPDX-License-Identifier: Apache-2.0 */
/* test_opts_list.c - repeated options, and the arguments of verbs */
#include "cm.h"

#include <errno.h>
#include <stdbool.h>

#include "cmd.h"
#include "opts.h"

struct values {
	bool flag;
	const char *text;
	unsigned count;
	struct opt_list list;
};

static int parse(struct values *v, enum opts_mode mode, char **argv, int *next, struct vr_err *err)
{
	const struct opt table[] = {
		{"flag", 'f', OPT_SWITCH, &v->flag, "a switch"},
		{"text", 't', OPT_STRING, &v->text, "a text"},
		{"count", 0, OPT_COUNT, &v->count, "a number"},
		{"env", 'e', OPT_LIST, &v->list, "may be repeated"},
		{"old", 0, OPT_IGNORED_STRING, NULL, NULL},
	};
	int argc = 0;

	while (argv[argc]) {
		argc++;
	}
	return opts_parse("verb", table, 5, mode, argc, argv, next, err);
}

#define ARGV(...) ((char *[]){"verb", __VA_ARGS__, NULL})

static void lists_keep_all_values_in_order(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct values v = {0};
	int next = 0;

	(void)state;
	assert_int_equal(
		parse(&v, OPTS_MIXED, ARGV("-e", "A=1", "--env=B=2", "-eC=3", "id"), &next, &err),
		0);
	assert_int_equal(v.list.n, 3);
	assert_string_equal(v.list.v[0], "A=1");
	assert_string_equal(v.list.v[1], "B=2");
	assert_string_equal(v.list.v[2], "C=3");
	free(v.list.v);
}

static void options_of_another_program_are_left_alone(void **state)
{
	char **argv = ARGV("-f", "id", "ls", "--text", "-x", "--help");
	struct vr_err err = VR_ERR_INIT;
	struct values v = {0};
	int next = 0;

	(void)state;
	assert_int_equal(parse(&v, OPTS_STOP_AT_ARG, argv, &next, &err), 0);
	assert_int_equal(next, 2);
	assert_null(v.text);
	assert_string_equal(argv[next + 4], "--help");
}

static void failures_name_the_option(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct values v = {0};
	int next = 0;

	(void)state;
	assert_int_equal(parse(&v, OPTS_MIXED, ARGV("--nonsense=1", "id"), &next, &err), -EINVAL);
	assert_message(err, "verb: unknown option '--nonsense'");
	assert_int_equal(parse(&v, OPTS_MIXED, ARGV("id", "--env"), &next, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "'--env' requires an argument"));
	assert_int_equal(parse(&v, OPTS_MIXED, ARGV("--count", "-1"), &next, &err), -EINVAL);
	assert_message(err, "option '--count': '-1' is not a number");
	assert_int_equal(parse(&v, OPTS_MIXED, ARGV("--flag=maybe"), &next, &err), -EINVAL);
	assert_message(err, "option '--flag': 'maybe' is neither true nor false");
}

static void verbs_insist_on_operands(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	char **operands;
	int count = -1;

	(void)state;
	assert_int_equal(cmd_args("v", "ID", NULL, 0, 1, 1, 1, ARGV(NULL), &operands, &err),
			 -EINVAL);
	assert_message(err, "v: missing arguments: usage: volt-runc v [OPTION]... ID");
	assert_int_equal(cmd_args("v", "ID", NULL, 0, 1, 1, 3, ARGV("a", "b"), &operands, &err),
			 -EINVAL);
	assert_int_equal(cmd_args_first("v", "ID", NULL, 0, 1, 3, ARGV("a", "--help"), &operands,
					&count, &err),
			 0);
	assert_int_equal(count, 2);
	assert_string_equal(operands[1], "--help");
	assert_int_equal(
		cmd_args_first("v", "ID", NULL, 0, 1, 1, ARGV(NULL), &operands, &count, &err),
		-EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_keep_all_values_in_order),
		cmocka_unit_test(options_of_another_program_are_left_alone),
		cmocka_unit_test(failures_name_the_option),
		cmocka_unit_test(verbs_insist_on_operands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
