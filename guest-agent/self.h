/* SPDX-License-Identifier: Apache-2.0 */
/*
 * self.h - which of the machine's containers this agent has
 *
 * PID 1 has the first one. Each further one, a member, has an agent of its own (member.h), which is the
 * same program. What they must not both use is named by the number here.
 *
 * Threads: none. Uses: layout.
 */
#ifndef AGENT_SELF_H
#define AGENT_SELF_H

#include <stdint.h>

/** self_set() - (start of a member's agent) the number it has, 1..AP_MEMBERS_MAX */
void self_set(uint32_t number);
/** self_number() - the member's number; 0: the first container */
uint32_t self_number(void);
/** self_cgroup() - name of the container's cgroup, below LAYOUT_CGROUP */
const char *self_cgroup(void);

#endif /* AGENT_SELF_H */
