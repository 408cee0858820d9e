/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duration.h - spans of time as callers write them: "5s", "1m30s", "250ms", "1.5h"
 */
#ifndef VOLT_DURATION_H
#define VOLT_DURATION_H

#include <stdint.h>

#define DURATION_MAX_MS (1000ull * 3600 * 24 * 365)

/**
 * duration_parse() - numbers, each with a unit of ms, s, m or h, one after the other
 *
 * Fractions are allowed, and smaller units (us, ns), which count as 0. A bare
 * number is seconds.
 *
 * Return: 0, or -EINVAL (also beyond DURATION_MAX_MS).
 */
int duration_parse(const char *text, uint64_t *out_ms) __attribute__((warn_unused_result));

#endif /* VOLT_DURATION_H */
