/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup.h - what execve needs and config.json leaves to be found: the file, HOME
 *
 * Runs in the container, as the workload's user. The texts are runc's, which callers match.
 */
#ifndef AGENT_LOOKUP_H
#define AGENT_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#include "fail.h"

/**
 * lookup_exec() - the file that @name means
 * @path_var: value of PATH, or NULL
 * @out:      the path to execute, at least PATH_MAX bytes
 * Return: 0, or -errno with @f (not found, permission) filled
 */
int lookup_exec(const char *name, const char *path_var, char *out, size_t cap, struct fail *f)
	__attribute__((warn_unused_result));

/** lookup_exec_fail() - the failure for an execve of @path that returned @rc */
int lookup_exec_fail(const char *path, int rc, struct fail *f);

/** lookup_env() - value of @name in a NULL-terminated environment, or NULL */
const char *lookup_env(char *const *env, const char *name);

/** lookup_home() - home directory of @uid in @passwd_path; "/" when there is none. Never fails */
void lookup_home(const char *passwd_path, uint32_t uid, char *out, size_t cap);

#endif /* AGENT_LOOKUP_H */
