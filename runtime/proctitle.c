/* SPDX-License-Identifier: Apache-2.0 */
/* proctitle.c - the name of a role in ps; see proctitle.h */
#include "proctitle.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/checked.h"

#define TITLE_MAX 300

static char *area;
static size_t area_len;

void proctitle_init(int argc, char **argv)
{
	char *end;

	if (argc < 1) {
		return;
	}
	/* The kernel lays the strings out one after the other; stop at the first gap. */
	area = argv[0];
	end = area;
	for (int i = 0; i < argc && argv[i] == end; i++) {
		end = argv[i] + strlen(argv[i]) + 1;
	}
	area_len = (size_t)(end - area);
}

void proctitle_set(const char *role, const char *id)
{
	char title[TITLE_MAX];

	(void)snprintf(title, sizeof(title), "%s: %s", role,
		       id);		/* @id may lie in the area itself */
	(void)prctl(PR_SET_NAME, role); /* cosmetic, like all of this */
	if (area_len > 1) {
		memset(area, 0, area_len);
		memcpy(area, title, strnlen(title, VR_MIN(area_len - 1, sizeof(title))));
	}
}

void proctitle_forget_environment(void)
{
	static char *none[] = {NULL};

	for (char **e = environ; e && *e; e++) {
		explicit_bzero(*e, strlen(*e));
	}
	environ = none;
}
