/* SPDX-License-Identifier: Apache-2.0 */
/* test_interrupt.c - signals are noted, and end waits */
#include "cm.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "interrupt.h"
#include "roles.h"

static void noted_until_released(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct sigaction sa;

	(void)state;
	interrupt_catch();
	assert_int_equal(interrupt_check(&err), 0);
	assert_false(interrupt_came());
	assert_int_equal(err.code, 0);
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(interrupt_signal(), SIGTERM);
	assert_true(interrupt_came());
	assert_int_equal(interrupt_check(&err), -EINTR);
	assert_message(err, "interrupted by a signal: Terminated");
	interrupt_release();
	assert_int_equal(sigaction(SIGTERM, NULL, &sa), 0);
	assert_ptr_equal(sa.sa_handler, SIG_DFL);
	assert_int_equal(interrupt_signal(), SIGTERM);
	interrupt_catch(); /* forgets */
	assert_int_equal(interrupt_signal(), 0);
	interrupt_release();
}

static void ignored_signals_stay_ignored(void **state)
{
	(void)state;
	(void)signal(SIGHUP, SIG_IGN); /* as nohup does */
	interrupt_catch();
	assert_int_equal(raise(SIGHUP), 0);
	assert_int_equal(interrupt_signal(), 0);
	interrupt_release();
	(void)signal(SIGHUP, SIG_DFL);
}

static void waiting_for_a_role_ends(void **state)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 50000}};
	struct vr_err err = VR_ERR_INIT;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	interrupt_catch();
	(void)signal(SIGALRM, SIG_IGN);
	if (fork() == 0) {
		(void)usleep(100000);
		_exit(kill(getppid(), SIGINT));
	}
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	assert_int_equal(role_report_read(pair[0], "vmm", 20000, &err), -EINTR);
	assert_message(err, "interrupted by a signal: Interrupt");
	interrupt_release();
	(void)close(pair[0]);
	(void)close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(noted_until_released),
		cmocka_unit_test(ignored_signals_stay_ignored),
		cmocka_unit_test(waiting_for_a_role_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
