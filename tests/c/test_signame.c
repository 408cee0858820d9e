/* SPDX-License-Identifier: Apache-2.0 */
/* test_signame.c - signals as people and engines write them */
#include "cm.h"

#include <errno.h>
#include <signal.h>

#include "base/checked.h"
#include "signame.h"

static void known_spellings(void **state)
{
	static const struct {
		const char *text;
		uint32_t signo;
	} table[] = {
		{"0", 0},
		{"9", 9},
		{"09", 9},
		{"64", 64},
		{"KILL", SIGKILL},
		{"SIGKILL", SIGKILL},
		{"kill", 9},
		{"sigTerm", SIGTERM},
		{"HUP", SIGHUP},
		{"WINCH", SIGWINCH},
		{"SYS", SIGSYS},
		{"PWR", SIGPWR},
		{"IOT", SIGABRT},
		{"SIGABRT", SIGABRT},
		{"IO", SIGIO},
		{"SIGPOLL", SIGIO},
		{"SIGCLD", SIGCHLD},
		{"CHLD", SIGCHLD},
		{"RTMIN", 34},
		{"SIGRTMIN+3", 37},
		{"rtmin+30", 64},
		{"RTMAX", 64},
		{"RTMAX-1", 63},
		{"sigrtmax-30", 34},
		{"RTMIN+0", 34},
		{"STKFLT", SIGSTKFLT},
		{"32", 32},
	};
	struct vr_err err = VR_ERR_INIT;
	uint32_t signo;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		signo = 4711;
		assert_no_error(signame_parse(table[i].text, &signo, &err), err);
		if (signo != table[i].signo) {
			fail_msg("'%s' became %u", table[i].text, signo);
		}
	}
	assert_int_equal(err.code, 0);
}

static void every_number_and_name_agree(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	uint32_t by_name, by_number;
	char text[32];

	(void)state;
	for (int i = 1; i < 32; i++) {
		(void)snprintf(text, sizeof(text), "SIG%s", sigabbrev_np(i));
		assert_no_error(signame_parse(text, &by_name, &err), err);
		(void)snprintf(text, sizeof(text), "%d", i);
		assert_no_error(signame_parse(text, &by_number, &err), err);
		assert_int_equal(by_name, i);
		assert_int_equal(by_number, i);
	}
}

static void nonsense_is_refused_by_name(void **state)
{
	static const char *const table[] = {
		"",
		"SIG",
		"65",
		"-1",
		"+9",
		" 9",
		"9 ",
		"0x9",
		"KILLS",
		"SIGSIGKILL",
		"SIG9",
		"RTMIN+31",
		"RTMAX-31",
		"RTMIN-1",
		"RTMAX+1",
		"RTMIN+",
		"RTMIN+-1",
		"RTMINX",
		"99999999999999999999",
	};
	char message[64];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		struct vr_err err = VR_ERR_INIT;
		uint32_t signo = 4711;

		if (signame_parse(table[i], &signo, &err) != -EINVAL) {
			fail_msg("'%s' was taken as %u", table[i], signo);
		}
		(void)snprintf(message, sizeof(message), "unknown signal '%s'", table[i]);
		assert_message(err, message);
		assert_int_equal(signo, 4711);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_spellings),
		cmocka_unit_test(every_number_and_name_agree),
		cmocka_unit_test(nonsense_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
