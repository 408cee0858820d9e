/* SPDX-License-Identifier: Apache-2.0 */
/* test_utf8.c - what is UTF-8, and what a terminal may be shown */
#include "cm.h"

#include "base/checked.h"
#include "base/utf8.h"

static void validity(void **state)
{
	(void)state;
	assert_true(vr_utf8_valid("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10));
	assert_false(vr_utf8_valid("\xc0\x80", 2));	/* overlong */
	assert_false(vr_utf8_valid("\xed\xa0\x80", 3)); /* surrogate */
	assert_false(vr_utf8_valid("\xe2\x82", 2));	/* cut */
}

static void tame(void **state)
{
	static const struct {
		const char *in, *out;
	} table[] = {
		{"", ""},
		{"plain \xc3\xa4\xe2\x82\xac", "plain \xc3\xa4\xe2\x82\xac"},
		{"\x1b[31mred\n\x7f", "?[31mred??"},
		{"\xc2\x9b"
		 "31m",
		 "??31m"}, /* CSI as a C1 character */
		{"\x9b"
		 "31m",
		 "?31m"},		  /* and as the bare byte */
		{"\xc2\xa0", "\xc2\xa0"}, /* the first that is none */
		{"a\xff\xc3", "a??"},	  /* no UTF-8, and cut at the end */
		{"\xe2\x82\xc2\x80", "????"},
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		(void)snprintf(text, sizeof(text), "%s", table[i].in);
		vr_utf8_tame(text);
		assert_string_equal(text, table[i].out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(validity),
		cmocka_unit_test(tame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
