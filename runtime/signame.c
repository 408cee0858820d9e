/* SPDX-License-Identifier: Apache-2.0 */
/* signame.c - signals by name or number; see signame.h */
#include "signame.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"

#define SIGNAL_MAX 64
#define RT_FIRST   34

/* All decimal digits, within range. */
static bool number_parse(const char *s, long min, long max, long *out)
{
	char *end;
	long v;

	if (!isdigit((unsigned char)s[0])) {
		return false;
	}
	errno = 0;
	v = strtol(s, &end, 10);
	if (errno != 0 || *end != '\0' || v < min || v > max) {
		return false;
	}
	*out = v;
	return true;
}

static bool realtime_parse(const char *name, long *out)
{
	long offset = 0;

	if (strncasecmp(name, "RTMIN", 5) == 0) {
		if (name[5] == '\0' || (name[5] == '+' && number_parse(name + 6, 0, 30, &offset))) {
			*out = RT_FIRST + offset;
			return true;
		}
	} else if (strncasecmp(name, "RTMAX", 5) == 0) {
		if (name[5] == '\0' || (name[5] == '-' && number_parse(name + 6, 0, 30, &offset))) {
			*out = SIGNAL_MAX - offset;
			return true;
		}
	}
	return false;
}

/* Names that libc has another one for. */
static bool alias_parse(const char *name, long *out)
{
	static const struct {
		const char *name;
		int signo;
	} table[] = {{"CLD", SIGCHLD}, {"IO", SIGIO}, {"IOT", SIGABRT}};

	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		if (strcasecmp(name, table[i].name) == 0) {
			*out = table[i].signo;
			return true;
		}
	}
	return false;
}

int signame_parse(const char *s, uint32_t *out, struct vr_err *err)
{
	const char *name = strncasecmp(s, "SIG", 3) == 0 ? s + 3 : s;
	const char *abbrev;
	long v = -1;

	if (number_parse(s, 0, SIGNAL_MAX, &v) || realtime_parse(name, &v) ||
	    alias_parse(name, &v)) {
		*out = (uint32_t)v;
		return 0;
	}
	for (int i = 1; i < RT_FIRST; i++) {
		abbrev = sigabbrev_np(i);
		if (abbrev && strcasecmp(abbrev, name) == 0) {
			*out = (uint32_t)i;
			return 0;
		}
	}
	return vr_err_set(err, EINVAL, "unknown signal '%s'", s);
}
