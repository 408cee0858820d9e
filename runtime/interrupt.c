/* SPDX-License-Identifier: Apache-2.0 */
/* interrupt.c - a signal while a container is being made; see interrupt.h */
#include "interrupt.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/checked.h"

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static struct sigaction before[VR_ARRAY_SIZE(signals)];
static bool caught[VR_ARRAY_SIZE(signals)];
static volatile sig_atomic_t came;

static void on_signal(int signo)
{
	came = signo;
}

void interrupt_catch(void)
{
	const struct sigaction sa = {.sa_handler = on_signal}; /* no SA_RESTART: waits end */

	came = 0;
	for (size_t i = 0; i < VR_ARRAY_SIZE(signals); i++) {
		caught[i] = sigaction(signals[i], NULL, &before[i]) == 0 &&
			    before[i].sa_handler != SIG_IGN &&
			    sigaction(signals[i], &sa, NULL) == 0;
	}
}

int interrupt_signal(void)
{
	return came;
}

bool interrupt_came(void)
{
	return came != 0;
}

int interrupt_check(struct vr_err *err)
{
	int signo = came;

	return signo == 0 ? 0
			  : vr_err_set(err, EINTR, "interrupted by a signal: %s", strsignal(signo));
}

void interrupt_release(void)
{
	for (size_t i = 0; i < VR_ARRAY_SIZE(signals); i++) {
		if (caught[i]) {
			(void)sigaction(signals[i], &before[i], NULL); /* it worked before */
			caught[i] = false;
		}
	}
}
