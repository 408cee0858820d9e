/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cm.h - cmocka with the headers it needs, and asserts on messages
 */
#ifndef TESTS_CM_H
#define TESTS_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

/** assert_message() - an error was recorded, with exactly these words */
#define assert_message(err, text)                                                                  \
	do {                                                                                       \
		assert_int_not_equal((err).code, 0);                                               \
		assert_string_equal((err).msg, text);                                              \
	} while (0)

/** assert_no_error() - a call returned 0; prints the message when not */
#define assert_no_error(r, err)                                                                    \
	do {                                                                                       \
		if ((r) < 0) {                                                                     \
			fail_msg("unexpected error: %s", (err).msg);                               \
		}                                                                                  \
	} while (0)

/** quoted() - malloc'd copy of @s with ' turned into ", so that JSON stays readable in C */
static inline char *quoted(const char *s)
{
	char *copy = strdup(s);

	assert_non_null(copy);
	for (char *p = copy; *p; p++) {
		if (*p == '\'') {
			*p = '"';
		}
	}
	return copy;
}

/** assert_has(), assert_has_not() - for texts */
static inline void assert_has(const char *text, const char *part)
{
	assert_non_null(text);
	if (!strstr(text, part)) {
		fail_msg("'%s' is not in:\n%s", part, text);
	}
}

static inline void assert_has_not(const char *text, const char *part)
{
	assert_non_null(text);
	if (strstr(text, part)) {
		fail_msg("'%s' is in:\n%s", part, text);
	}
}

/* NEED() - skips a test whose fixture found that the machine lacks something, and said what */
#define NEED(f)                                                                                    \
	do {                                                                                       \
		if (!(f)->can) {                                                                   \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

#endif /* TESTS_CM_H */
