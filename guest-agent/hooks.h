/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks.h - startContainer hooks
 *
 * Run by the container's child, in the container, with the workload's rights, after start was
 * asked for and before the workload is executed.
 */
#ifndef AGENT_HOOKS_H
#define AGENT_HOOKS_H

#include <stddef.h>

#include "base/agent_proto.h"
#include "fail.h"

/**
 * hooks_run() - each hook with @state on its stdin; the first that fails ends the list
 * @env: of the workload, for hooks that have none of their own
 */
int hooks_run(const struct ap_container *c, char **env, const char *state, size_t len,
	      struct fail *f) __attribute__((warn_unused_result));

#endif /* AGENT_HOOKS_H */
