/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_create.c - `create` and `run`: a container from a bundle */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cmd.h"
#include "container.h"
#include "foreground.h"
#include "interrupt.h"
#include "launch.h"
#include "passfds.h"

struct create_args {
	struct launch_opts launch;
	struct passfds fds;
	bool detach;
	bool keep;
};

static int parse(const char *name, bool is_run, int argc, char **argv, struct create_args *out,
		 struct vr_err *err)
{
	unsigned preserve_fds = 0;
	const struct opt table[] = {
		{"bundle", 'b', OPT_STRING, &out->launch.bundle, "bundle directory (default: .)"},
		{"config", 'f', OPT_STRING, &out->launch.config,
		 "config file (default: config.json of the bundle)"},
		{"pid-file", 0, OPT_STRING, &out->launch.pid_file,
		 "write the container's pid to this file"},
		{"console-socket", 0, OPT_STRING, &out->launch.console_socket,
		 "Unix socket that receives the terminal's master"},
		{"no-pivot", 0, OPT_IGNORED_SWITCH, NULL, "accepted, has no effect"},
		{"no-new-keyring", 0, OPT_IGNORED_SWITCH, NULL, "accepted, has no effect"},
		{"no-subreaper", 0, OPT_IGNORED_SWITCH, NULL, "accepted, has no effect"},
		{"no-mount-fallback", 0, OPT_IGNORED_SWITCH, NULL, "accepted, has no effect"},
		{"preserve-fds", 0, OPT_COUNT, &preserve_fds,
		 "pass this many descriptors from 3 on: pipes and stream sockets"},
		/* Options of run only come last. */
		{"detach", 'd', OPT_SWITCH, &out->detach, "return once the process runs"},
		{"keep", 0, OPT_SWITCH, &out->keep, "don't delete the container when it has ended"},
	};
	size_t n = VR_ARRAY_SIZE(table) - (is_run ? 0u : 2u);
	char **operands;
	int rc;

	rc = cmd_args(name, "ID", table, n, 1, 1, argc, argv, &operands, err);
	if (rc != 0) {
		return rc;
	}
	out->launch.id = operands[0];
	out->launch.fds = &out->fds;
	rc = passfds_take(preserve_fds, true, &out->fds, err);
	return rc < 0 ? vr_err_wrap(err, "%s", name) : 0;
}

int cmd_create(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	struct create_args args = {0};
	int rc = parse("create", false, argc, argv, &args, err);

	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	interrupt_catch();
	rc = launch_create(g, &args.launch, err);
	interrupt_release();
	passfds_close(&args.fds);
	return rc < 0 ? rc : 0;
}

static int start(const struct globals *g, const char *id, struct vr_err *err)
{
	struct container c = CONTAINER_INIT;
	int rc = container_open(g, id, true, &c, err);

	if (rc == 0) {
		rc = container_start(&c, err);
	}
	container_close(&c);
	return rc;
}

/* A container that didn't end by itself has left word why. */
static void report_reason(const struct globals *g, const char *id)
{
	struct vr_err ignored = VR_ERR_INIT;
	struct container c = CONTAINER_INIT;
	vr_autofree char *reason = NULL;

	if (container_open(g, id, false, &c, &ignored) == 0) {
		reason = container_reason(&c);
	}
	if (reason) {
		vr_error("container '%s': %s", id, reason);
	}
	container_close(&c);
}

/*
 * The network namespace of our container, if it is its alone. The end of one makes the kernel wait for
 * an RCU barrier, and that of a VM does so, too, after it: with this it comes when we end.
 */
static void hold_netns(pid_t shim, int *out_fd)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)shim);
	*out_fd = open(path, O_RDONLY | O_CLOEXEC); /* without it, it takes longer */
}

int cmd_run(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	struct vr_err ignored = VR_ERR_INIT;
	struct create_args args = {0};
	vr_autoclose int master = -1;
	vr_autoclose int netns = -1;
	pid_t shim;
	int rc = parse("run", true, argc, argv, &args, err);

	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	if (!args.detach && !args.launch.console_socket) {
		args.launch.console_fd = &master;
	}
	interrupt_catch();
	shim = launch_create(g, &args.launch, err);
	passfds_close(&args.fds); /* the vmm's alone: their ends shall be noticed */
	if (shim < 0 || args.detach) {
		interrupt_release();
	}
	if (shim < 0) {
		return shim;
	}
	if (!args.detach) {
		hold_netns(shim, &netns);
		foreground_signals(shim); /* in the place of those that were noted */
	}
	rc = interrupt_check(err); /* too late for launch to notice */
	rc = rc < 0 ? rc : start(g, args.launch.id, err);
	if (rc < 0) {
		(void)!container_delete(g, args.launch.id, true,
					&ignored); /* the start's failure counts */
		return rc;
	}
	if (args.detach) {
		return 0;
	}
	rc = foreground_wait(args.launch.id, shim, vr_take_fd(&master));
	report_reason(g, args.launch.id);
	if (!args.keep) {
		/* The exit code is the answer; what can't be removed stays visible in `list`. */
		(void)!container_delete(g, args.launch.id, true, &ignored);
	}
	return rc;
}
