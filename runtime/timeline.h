/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timeline.h - when a start reached which point, as messages of level debug
 *
 * Times are milliseconds since timeline_start(), which main() calls first. The
 * processes forked for a container inherit it and add their own points:
 *
 *   timeline:    12.345 ms  VM created
 *
 * `volt-runc --debug --log FILE run ...` writes them; without --debug they cost
 * nothing. Points after `create` count from it, too.
 *
 * Threads: the main thread of each role. Uses: base.
 */
#ifndef VOLT_TIMELINE_H
#define VOLT_TIMELINE_H

#include <stdint.h>

/** timeline_start() - the zero of the times from here on */
void timeline_start(void);

/** timeline_mark() - @point was reached now */
void timeline_mark(const char *point);

/** timeline_mark_ago() - @point was reached @ns nanoseconds ago */
void timeline_mark_ago(const char *point, uint64_t ns);

#endif /* VOLT_TIMELINE_H */
