/* SPDX-License-Identifier: Apache-2.0 */
/* duration.c - spans of time as callers write them; see duration.h */
#include "duration.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/checked.h"

/* Digits, perhaps with a fraction; in thousandths. Return: what follows, NULL when malformed. */
static const char *number(const char *p, uint64_t *out)
{
	uint64_t v = 0, unit = 1000;
	const char *start = p;

	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > DURATION_MAX_MS) {
			return NULL;
		}
	}
	v *= 1000;
	if (*p == '.') {
		for (p++; *p >= '0' && *p <= '9'; p++) {
			unit /= 10;
			v += (uint64_t)(*p - '0') * unit;
		}
	}
	*out = v;
	return p == start ? NULL : p;
}

/* The unit at @p in milliseconds. Return: what follows, NULL for an unknown one. */
static const char *unit(const char *p, uint64_t *out_ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {/* longer names first */
		     {"ms", 1},	  {"ns", 0},	{"us", 0},     {"\xc2\xb5s", 0},
		     {"s", 1000}, {"m", 60000}, {"h", 3600000}};

	for (size_t i = 0; i < VR_ARRAY_SIZE(units); i++) {
		if (strncmp(p, units[i].name, strlen(units[i].name)) == 0) {
			*out_ms = units[i].ms;
			return p + strlen(units[i].name);
		}
	}
	return NULL;
}

int duration_parse(const char *text, uint64_t *out_ms)
{
	uint64_t total = 0, thousandths, ms = 1000;
	const char *p = text;
	bool first = true;

	if (*p == '\0') {
		return -EINVAL;
	}
	while (*p != '\0') {
		p = number(p, &thousandths);
		if (!p) {
			return -EINVAL;
		}
		if (*p == '\0' && first) {
			ms = 1000;
		} else {
			p = unit(p, &ms);
		}
		if (!p || (ms > 0 && thousandths > DURATION_MAX_MS * 1000 / ms)) {
			return -EINVAL;
		}
		total += thousandths * ms / 1000;
		first = false;
	}
	if (total > DURATION_MAX_MS) {
		return -EINVAL;
	}
	*out_ms = total;
	return 0;
}
