/* SPDX-License-Identifier: Apache-2.0 */
/*
 * landlock.h - deny by path, port and scope what namespaces and seccomp leave
 *
 * A restriction handles every right the running kernel knows and allows only
 * what its rules name. Absence of Landlock is not an error but an answer: ABI
 * 0, which the caller has to report.
 *
 * What Landlock does not cover: descriptors opened before, O_PATH opens, stat,
 * chmod, chown, xattrs, flock. It forbids mount changes to the restricted
 * process, so it comes after them; mounts that propagate in from the host are
 * not affected.
 *
 * Trust:   none of this sees outside data.
 * Threads: restricts the calling thread and its later children: call it while
 *          the process has one thread.
 * Uses:    base. Used by: sandbox.c, tests.
 */
#ifndef SANDBOX_LANDLOCK_H
#define SANDBOX_LANDLOCK_H

#include <stddef.h>
#include <stdint.h>

/** SBX_LANDLOCK_ANY - limit for sbx_landlock_abi(): whatever the kernel has */
#define SBX_LANDLOCK_ANY 0
/** SBX_LANDLOCK_ABSENT - limit for sbx_landlock_abi(): behave as on a kernel without it */
#define SBX_LANDLOCK_ABSENT (-1)

/**
 * struct sbx_landlock_rule - rights for what lies beneath a descriptor
 * @fd:    file or directory, O_PATH will do; borrowed
 * @allow: LL_FS_* bits; those the ABI doesn't know and those that make no
 *         sense for a non-directory are left out
 */
struct sbx_landlock_rule {
	int fd;
	uint64_t allow;
};

/**
 * sbx_landlock_abi() - the ABI version to use
 * @limit: SBX_LANDLOCK_ANY, SBX_LANDLOCK_ABSENT, or the highest version to use
 *
 * Return: 0 when the kernel has no Landlock (not built in, or disabled at
 * boot), else 1..LL_ABI_MAX.
 */
int sbx_landlock_abi(int limit);

/**
 * sbx_landlock_restrict() - put the calling thread under a ruleset for good
 * @abi:     version from sbx_landlock_abi(), at least 1
 * @rules:   what stays allowed; may be NULL when @n_rules is 0 (deny everything)
 * @n_rules: number of rules
 *
 * Handled: all file rights of @abi; from ABI 4 TCP bind and connect (never
 * allowed); from ABI 6 the signal and abstract socket scopes.
 *
 * Requires no_new_privs (or CAP_SYS_ADMIN).
 *
 * Return: 0 or -errno; nothing is restricted after a failure.
 */
int sbx_landlock_restrict(int abi, const struct sbx_landlock_rule *rules, size_t n_rules)
	__attribute__((warn_unused_result));

#endif /* SANDBOX_LANDLOCK_H */
