/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_roles.h - the allow-lists as data (private to seccomp.c and its tests)
 *
 * A role's list is made of rules kept by hand (what libc does behind our back, and
 * every call whose arguments matter) and of the names that the code itself
 * declares in `Syscalls:` comments, collected by gen_syscalls.sh.
 *
 * Rules that sbx_filter_build() insists on:
 *  - a call in sbx_sys_guarded[] is allowed only with argument checks; a declared
 *    name of such a call means "as far as the checks of this role allow it";
 *  - a call in sbx_sys_never[] is in no list;
 *  - a call in sbx_sys_files[] is only in the list of a role with .files.
 *
 * Uses: base.
 */
#ifndef SANDBOX_SECCOMP_ROLES_H
#define SANDBOX_SECCOMP_ROLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/seccomp.h"

#define SBX_ARGS_MAX 3

/** SBX_VALUE_TGID - in sbx_arg.value: the pid given to sbx_filter_build() */
#define SBX_VALUE_TGID UINT64_MAX

/** SBX_VALUE_CHILD - likewise: the pid given to sbx_seccomp_child() */
#define SBX_VALUE_CHILD (UINT64_MAX - 1)

/** struct sbx_arg - (argument & mask) == value */
struct sbx_arg {
	uint32_t index;
	uint64_t mask;
	uint64_t value;
};

/**
 * struct sbx_rule - one way in which a call is allowed
 * @nr:     system call number
 * @n_args: checks, all of which must hold; 0 allows the call with any arguments
 */
struct sbx_rule {
	int nr;
	unsigned n_args;
	struct sbx_arg args[SBX_ARGS_MAX];
};

struct sbx_rules {
	const struct sbx_rule *rules;
	size_t n;
};

struct sbx_numbers {
	const int *nrs;
	size_t n;
};

#define SBX_ROLE_PARTS 5

/**
 * struct sbx_role_def - a role's list
 * @name:      for messages
 * @files:     may find files by name
 * @by_hand:   unused entries are empty
 * @declared:  from comments in the code
 */
struct sbx_role_def {
	const char *name;
	bool files;
	struct sbx_rules by_hand[SBX_ROLE_PARTS];
	struct sbx_numbers declared[SBX_ROLE_PARTS];
};

extern const struct sbx_role_def sbx_role_defs[SBX_ROLE_COUNT];
extern const struct sbx_numbers sbx_sys_guarded;
extern const struct sbx_numbers sbx_sys_never;
extern const struct sbx_numbers sbx_sys_files;

#endif /* SANDBOX_SECCOMP_ROLES_H */
