/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_build.h - compile the lists of seccomp_roles.h
 *
 * Not in the runtime: gen_filters.c calls this when we are built, tests do afterwards.
 *
 * Uses: base, libseccomp.
 */
#ifndef SANDBOX_SECCOMP_BUILD_H
#define SANDBOX_SECCOMP_BUILD_H

#include "sandbox/seccomp.h"

/**
 * sbx_filter_build() - compile a role's list
 * @role:  whose
 * @pid:   thread group that tgkill() is allowed for
 * @child: process that the proxy's kill() is allowed for, or 0
 * @out:   to be released with sbx_filter_finish()
 *
 * Return: 0, -EINVAL when the lists contradict the rules in seccomp_roles.h or name a child and
 * there is none, or -errno.
 */
int sbx_filter_build(enum sbx_role role, pid_t pid, pid_t child, struct sbx_filter *out)
	__attribute__((warn_unused_result));

#endif /* SANDBOX_SECCOMP_BUILD_H */
