/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec.h - run one more process in a container
 *
 * Uses: container, control, exec_process, foreground, roles. Used by: cmd_exec.
 */
#ifndef VOLT_EXEC_H
#define VOLT_EXEC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "globals.h"
#include "opts.h"
#include "passfds.h"

/**
 * struct exec_opts - what `exec` is asked for
 * @process_file:   file with the whole process; most of what follows is then unused
 * @args, @n_args:  program and arguments
 * @cwd, @user:     instead of the configuration's; @user is UID[:GID]
 * @env, @caps, @gids: added to the configuration's
 * @no_new_privs:   switched on
 * @tty:            with a terminal
 * @detach:         don't wait for its end
 * @ignore_paused:  wait until a paused container goes on
 * @cgroup:         PATH beneath the container's, or CONTROLLER,...:PATH, whose first part says nothing
 *                  in a guest that has version 2
 * @apparmor:       profile of its shim instead of the configuration's
 */
struct exec_opts {
	const char *id;
	const char *process_file;
	const char *const *args;
	size_t n_args;
	const char *cwd;
	const char *user;
	struct opt_list env;
	struct opt_list caps;
	struct opt_list gids;
	bool no_new_privs;
	bool tty;
	bool detach;
	bool ignore_paused;
	const char *pid_file;
	const char *console_socket;
	const char *apparmor;
	const char *cgroup;
	struct passfds *fds; /* closed when the vmm has them */
};

/**
 * exec_run() - run it
 *
 * The process has been executed when this returns with @detach. Its shim is
 * then a child of the caller, and its pid stands in the pid file.
 *
 * Return: 0 with @detach; else the process's exit status 0..255; or a negative
 * errno value with @err and nothing left behind.
 */
int exec_run(const struct globals *g, const struct exec_opts *o, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_EXEC_H */
