/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks.h - run the caller's hooks
 *
 * A hook gets the state on standard input, exactly its own environment, and no
 * descriptor of ours. What it prints is kept for the error message.
 *
 * Uses: base, spec. Used by: launch, cmd_start, cmd_delete.
 */
#ifndef OCI_HOOKS_H
#define OCI_HOOKS_H

#include <stddef.h>

#include "base/err.h"
#include "oci/spec.h"

/**
 * struct oci_hook_run - how to run a list of hooks
 * @kind:       "prestart", ...: for messages
 * @state:      state JSON
 * @state_len:  its length
 * @ns_fds:     namespaces to join in the child, in this order; borrowed
 * @n_ns_fds:   how many
 * @cwd:        directory to start in (looked up after joining), or NULL for the caller's
 * @give_up:    asked again and again while a hook runs: true ends it, and all; or NULL
 * @keep_going: run the remaining hooks after a failure (poststop)
 * @index:      set by oci_hooks_run(): which one of its kind, for messages
 */
struct oci_hook_run {
	const char *kind;
	const char *state;
	size_t state_len;
	const int *ns_fds;
	size_t n_ns_fds;
	const char *cwd;
	bool (*give_up)(void);
	bool keep_going;
	size_t index;
};

/**
 * oci_hooks_run() - run hooks one after the other
 * @run:   how
 * @hooks: which
 * @err:   filled with the first failure: hook, status, its last words
 *
 * A hook fails by not starting, a non-zero exit, a signal, its timeout or @give_up
 * (then its process group is killed).
 *
 * Return: 0 or a negative errno value (-ETIMEDOUT for a timeout, -EINTR when given up,
 * -ECHILD for a bad status).
 */
int oci_hooks_run(const struct oci_hook_run *run, const struct oci_hookv *hooks, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* OCI_HOOKS_H */
