/* SPDX-License-Identifier: Apache-2.0 */
/* timeline.c - when a start reached which point; see timeline.h */
#include "timeline.h"

#include <time.h>

#include "base/log.h"

#define NS_PER_MS 1000000.0

static uint64_t started_ns;

/* Syscalls: clock_gettime (role vmm) */
static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* can't fail for this clock */
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void timeline_start(void)
{
	started_ns = now_ns();
}

void timeline_mark_ago(const char *point, uint64_t ns)
{
	if (vr_log_enabled(VR_LOG_DEBUG)) {
		int64_t at =
			(int64_t)(now_ns() - started_ns - ns); /* the guest may claim anything */

		vr_debug("timeline: %10.3f ms  %s", (double)at / NS_PER_MS, point);
	}
}

void timeline_mark(const char *point)
{
	timeline_mark_ago(point, 0);
}
