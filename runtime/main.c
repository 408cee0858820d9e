/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - global options, the table of verbs, and the one place that prints a failure
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/err.h"
#include "base/log.h"
#include "cmd.h"
#include "oci/state.h"
#include "proctitle.h"
#include "timeline.h"
#include "version.h"
#include "vmm_user.h"

static const struct cmd commands[] = {
	{"checkpoint", cmd_checkpoint, NULL, 1},
	{"create", cmd_create, "boot a VM for a bundle and prepare its process", 1},
	{"delete", cmd_delete, "remove what is left of a container", 1},
	{"doctor", cmd_doctor, "tell whether this host can run containers", 1},
	{"events", cmd_events, "print figures of a container", 1},
	{"exec", cmd_exec, "run one more process in a container", 255},
	{"features", cmd_features, "print what this runtime knows as JSON", 1},
	{"kill", cmd_kill, "send a signal to a container's init process", 1},
	{"list", cmd_list, "list the containers of this root", 1},
	{"pause", cmd_pause, "stop all processes of a container", 1},
	{"ps", cmd_ps, "list the processes that stand for a container's", 1},
	{"restore", cmd_checkpoint, NULL, 1},
	{"resume", cmd_resume, "let a paused container go on", 1},
	{"run", cmd_run, "create and start a container, wait for its end", 1},
	{"sandbox", cmd_sandbox, "show what the processes of a container may still do", 1},
	{"spec", cmd_spec, "write a config.json to start from", 1},
	{"start", cmd_start, "run the process of a created container", 1},
	{"state", cmd_state, "print a container's state as JSON", 1},
	{"update", cmd_update, "change limits of a container", 1},
};

static void print_version(void)
{
	printf("volt-runc version %s\ncommit: %s\nspec: %s\n", VOLT_VERSION, VOLT_COMMIT,
	       OCI_SPEC_VERSION);
}

static void print_help(const struct opt *table, size_t n)
{
	printf("volt-runc - an OCI runtime that gives every container its own microVM\n\n"
	       "usage: volt-runc [OPTION]... COMMAND [ARGUMENT]...\n\ncommands:\n");
	for (size_t i = 0; i < VR_ARRAY_SIZE(commands); i++) {
		if (commands[i].help) {
			printf("  %-10s %s\n", commands[i].name, commands[i].help);
		}
	}
	printf("\noptions:\n");
	opts_print(table, n);
	printf("\n'volt-runc COMMAND --help' lists the options of a command.\n");
}

static int log_open(const struct globals *g, struct vr_err *err)
{
	enum vr_log_format format = VR_LOG_TEXT;
	enum vr_log_level level = g->debug ? VR_LOG_DEBUG : VR_LOG_ERROR;

	if (g->log_format && vr_log_format_parse(g->log_format, &format) < 0) {
		return vr_err_set(err, EINVAL,
				  "option '--log-format': '%s' is neither text nor json",
				  g->log_format);
	}
	if (g->log_level && !g->debug && vr_log_level_parse(g->log_level, &level) < 0) {
		return vr_err_set(err, EINVAL, "option '--log-level': unknown level '%s'",
				  g->log_level);
	}
	return vr_log_init(g->log && g->log[0] ? g->log : NULL, format, level, err);
}

static int cgroup_manager_parse(struct globals *g, struct vr_err *err)
{
	if (!g->cgroup_manager || strcmp(g->cgroup_manager, "cgroupfs") == 0) {
		return 0;
	}
	if (strcmp(g->cgroup_manager, "systemd") == 0) {
		g->systemd_cgroup = true;
	} else if (strcmp(g->cgroup_manager, "disabled") == 0) {
		g->no_cgroup = true;
	} else {
		return vr_err_set(
			err, EINVAL,
			"option '--cgroup-manager': '%s' is none of cgroupfs, systemd, disabled",
			g->cgroup_manager);
	}
	return 0;
}

static int dispatch(struct globals *g, int argc, char **argv, struct vr_err *err)
{
	for (size_t i = 0; i < VR_ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[0], commands[i].name) == 0) {
			g->failure = commands[i].failure;
			return commands[i].run(g, argc, argv, err);
		}
	}
	return vr_err_set(err, EINVAL, "unknown command '%s'", argv[0]);
}

/* Fds 0-2 must be open, or files opened later would take their place and get the container's bytes. */
static void std_fds_ensure(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2) {
		(void)close(fd);
	}
}

static int run(struct globals *g, int argc, char **argv, struct vr_err *err)
{
	const struct opt table[] = {
		{"root", 0, OPT_STRING, &g->root, "directory for state (default /run/volt-runc)"},
		{"log", 0, OPT_STRING, &g->log, "append messages to this file as well"},
		{"log-format", 0, OPT_STRING, &g->log_format, "text or json"},
		{"log-level", 0, OPT_STRING, &g->log_level, "error, warn, info or debug"},
		{"debug", 0, OPT_SWITCH, &g->debug, "same as --log-level debug"},
		{"systemd-cgroup", 0, OPT_SWITCH, &g->systemd_cgroup,
		 "cgroups are made by systemd"},
		{"cgroup-manager", 0, OPT_STRING, &g->cgroup_manager,
		 "cgroupfs, systemd or disabled"},
		{"vmm-user", 0, OPT_STRING, &g->vmm_user,
		 "who the vmm process is: auto (an unused id), none (the caller) or a user id"},
		{"rootless", 0, OPT_IGNORED_STRING, NULL, "accepted, has no effect"},
		{"criu", 0, OPT_IGNORED_STRING, NULL, "accepted, has no effect"},
		{"version", 'v', OPT_SWITCH, &g->version, "print the version"},
		{"help", 'h', OPT_SWITCH, &g->help, "print this text"},
	};
	int next = 0, rc;

	rc = opts_parse("volt-runc", table, VR_ARRAY_SIZE(table), OPTS_STOP_AT_ARG, argc, argv,
			&next, err);
	if (rc < 0) {
		struct vr_err ignored = VR_ERR_INIT; /* the first failure is the one to report */

		(void)!log_open(g, &ignored); /* where the caller looks for it */
		return rc;
	}
	rc = log_open(g, err);
	if (rc == 0) {
		rc = cgroup_manager_parse(g, err);
	}
	if (rc == 0) {
		rc = vmm_user_parse(g->vmm_user, &g->vmm, err);
	}
	if (rc < 0) {
		return rc;
	}
	if (g->version) {
		print_version();
		return 0;
	}
	if (g->help || next >= argc || strcmp(argv[next], "help") == 0) {
		print_help(table, VR_ARRAY_SIZE(table));
		return g->help || next < argc ? 0 : 1;
	}
	return dispatch(g, argc - next, argv + next, err);
}

int main(int argc, char **argv)
{
	struct vr_err err = VR_ERR_INIT;
	struct globals g = {0};
	int rc;

	timeline_start();
	std_fds_ensure();
	/* Inherited as ignored, it would take the status of our children away. */
	(void)signal(SIGCHLD, SIG_DFL);
	proctitle_init(argc, argv);
	rc = run(&g, argc, argv, &err);
	if (rc >= 0) {
		return rc;
	}
	vr_error("%s", err.msg);
	if (!vr_log_is_stderr()) {
		char text[2 * VR_ERR_MSG_MAX];

		(void)vr_log_visible(text, sizeof(text), err.msg);
		(void)fprintf(stderr, "volt-runc: %s\n", text); /* callers read both */
	}
	return g.failure != 0 ? g.failure : 1; /* of the global options */
}
