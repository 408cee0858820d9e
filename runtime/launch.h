/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.h - make a container: the composition root
 *
 * Read launch.c first: it shows what a container is made of and in which order.
 */
#ifndef VOLT_LAUNCH_H
#define VOLT_LAUNCH_H

#include <stdbool.h>

#include "base/err.h"
#include "globals.h"
#include "passfds.h"

/**
 * struct launch_opts - what `create` and `run` are asked for
 * @bundle:         bundle directory
 * @config:         config file, NULL for config.json in the bundle
 * @id:             container id
 * @pid_file:       file to receive the shim's pid, or NULL
 * @console_socket: Unix socket to receive the terminal's master, or NULL
 * @console_fd:     for `run` in the foreground: receives the master itself; else NULL
 * @fds:            descriptors to pass; the caller closes them
 */
struct launch_opts {
	const char *bundle;
	const char *config;
	const char *id;
	const char *pid_file;
	const char *console_socket;
	int *console_fd;
	const struct passfds *fds;
};

/**
 * launch_create() - bring a container to the state "created"
 *
 * On return the guest has booted and prepared the process up to its execve. The
 * shim is a child of the caller.
 *
 * Return: the shim's pid, or a negative errno value with @err and nothing left behind.
 */
int launch_create(const struct globals *g, const struct launch_opts *o, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_LAUNCH_H */
