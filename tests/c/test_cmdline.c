/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cmdline.c - the kernel command line builder
 */
#include "pvh/cmdline.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void words_are_separated_by_one_blank(void **state)
{
	struct cmdline c;

	(void)state;
	cmdline_init(&c);
	assert_string_equal(c.buf, "");
	assert_int_equal(cmdline_add(&c, "quiet"), 0);
	assert_int_equal(cmdline_add(&c, "panic=%d", -1), 0);
	assert_int_equal(cmdline_add_words(&c, "  a=1   b "), 0);
	assert_int_equal(cmdline_add_words(&c, ""), 0);
	assert_int_equal(cmdline_add_words(&c, "   "), 0);
	assert_string_equal(c.buf, "quiet panic=-1 a=1 b");
	assert_int_equal(c.len, strlen(c.buf));
}

static void virtio_words_follow_the_memory_layout(void **state)
{
	struct cmdline c;

	(void)state;
	cmdline_init(&c);
	assert_int_equal(cmdline_add_virtio(&c, 0), 0);
	assert_int_equal(cmdline_add_virtio(&c, 1), 0);
	assert_int_equal(cmdline_add_virtio(&c, (int)ML_MMIO_SLOTS - 1), 0);
	assert_string_equal(c.buf, "virtio_mmio.device=4K@0xc0000000:5 "
				   "virtio_mmio.device=4K@0xc0001000:6 "
				   "virtio_mmio.device=4K@0xc0012000:23");
	assert_int_equal(cmdline_add_virtio(&c, -1), -EINVAL);
	assert_int_equal(cmdline_add_virtio(&c, (int)ML_MMIO_SLOTS), -EINVAL);
}

static void bad_words_are_refused_and_leave_no_trace(void **state)
{
	static const char *const bad[] = {"",	   "a b",     " a",	  "a ",	   "a\n", "a\tb",
					  "x\x7f", "\x1b[0m", "\xc3\xa9", "a=\"b", "--"};
	struct cmdline c;

	(void)state;
	cmdline_init(&c);
	assert_int_equal(cmdline_add(&c, "quiet"), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(cmdline_add(&c, "%s", bad[i]), -EINVAL);
		assert_string_equal(c.buf, "quiet");
	}
	assert_int_equal(cmdline_add(&c, "---"), 0);
}

static void a_list_with_a_bad_word_adds_nothing(void **state)
{
	struct cmdline c;

	(void)state;
	cmdline_init(&c);
	assert_int_equal(cmdline_add(&c, "quiet"), 0);
	assert_int_equal(cmdline_add_words(&c, "a b c\x01"), -EINVAL);
	assert_int_equal(cmdline_add_words(&c, "a -- init=/x"), -EINVAL);
	assert_string_equal(c.buf, "quiet");
	assert_int_equal(c.len, 5);
}

static void the_line_holds_2047_characters_and_not_one_more(void **state)
{
	char word[ML_CMDLINE_MAX + 1];
	struct cmdline c;

	(void)state;
	memset(word, 'x', sizeof(word));
	word[ML_CMDLINE_MAX] = '\0';
	cmdline_init(&c);
	assert_int_equal(cmdline_add(&c, "%s", word), -E2BIG);
	assert_int_equal(cmdline_add_words(&c, word), -E2BIG);
	assert_int_equal(c.len, 0);
	word[ML_CMDLINE_MAX - 1] = '\0';
	assert_int_equal(cmdline_add(&c, "%s", word), 0);
	assert_int_equal(c.len, ML_CMDLINE_MAX - 1);
	assert_int_equal(strlen(c.buf), ML_CMDLINE_MAX - 1);

	cmdline_init(&c);
	word[ML_CMDLINE_MAX - 3] = '\0';
	assert_int_equal(cmdline_add(&c, "%s", word), 0);
	assert_int_equal(cmdline_add(&c, "yz"), -E2BIG);
	assert_int_equal(cmdline_add(&c, "y"), 0);
	assert_int_equal(cmdline_add(&c, "z"), -E2BIG);
	assert_int_equal(c.len, ML_CMDLINE_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_separated_by_one_blank),
		cmocka_unit_test(virtio_words_follow_the_memory_layout),
		cmocka_unit_test(bad_words_are_refused_and_leave_no_trace),
		cmocka_unit_test(a_list_with_a_bad_word_adds_nothing),
		cmocka_unit_test(the_line_holds_2047_characters_and_not_one_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
