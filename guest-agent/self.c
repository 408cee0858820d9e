/* SPDX-License-Identifier: Apache-2.0 */
/* self.c - which of the machine's containers this agent has; see self.h */
#include "self.h"

#include <stdio.h>

#include "layout.h"

static uint32_t member;
static char cgroup[32] = LAYOUT_CONTAINER;

void self_set(uint32_t number)
{
	member = number;
	snprintf(cgroup, sizeof(cgroup), LAYOUT_MEMBER_FMT, number);
}

uint32_t self_number(void)
{
	return member;
}

const char *self_cgroup(void)
{
	return cgroup;
}
