/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_exec.c - `exec`: run one more process in a container */
#include <stdlib.h>

#include "base/checked.h"
#include "cmd.h"
#include "exec.h"
#include "passfds.h"

static int parse(int argc, char **argv, struct exec_opts *o, struct vr_err *err)
{
	unsigned preserve_fds = 0;
	const struct opt table[] = {
		{"process", 'p', OPT_STRING, &o->process_file,
		 "file with the process, as in config.json"},
		{"pid-file", 0, OPT_STRING, &o->pid_file, "write the process's pid to this file"},
		{"detach", 'd', OPT_SWITCH, &o->detach, "return once the process runs"},
		{"tty", 't', OPT_SWITCH, &o->tty, "give it a terminal"},
		{"console-socket", 0, OPT_STRING, &o->console_socket,
		 "Unix socket that receives the terminal's master"},
		{"cwd", 0, OPT_STRING, &o->cwd, "working directory in the container"},
		{"env", 'e', OPT_LIST, &o->env, "one more environment variable, NAME=VALUE"},
		{"user", 'u', OPT_STRING, &o->user, "UID[:GID]"},
		{"additional-gids", 'g', OPT_LIST, &o->gids, "one more group"},
		{"cap", 'c', OPT_LIST, &o->caps, "one more capability"},
		{"no-new-privs", 0, OPT_SWITCH, &o->no_new_privs, "set no_new_privs"},
		{"preserve-fds", 0, OPT_COUNT, &preserve_fds,
		 "pass this many descriptors from 3 on: pipes and stream sockets"},
		{"process-label", 0, OPT_IGNORED_STRING, NULL, "accepted, has no effect"},
		{"apparmor", 0, OPT_STRING, &o->apparmor, "AppArmor profile of its shim"},
		{"cgroup", 0, OPT_STRING, &o->cgroup, "cgroup to run in, beneath the container's"},
		{"ignore-paused", 0, OPT_SWITCH, &o->ignore_paused,
		 "wait until a paused container goes on"},
		{"no-subreaper", 0, OPT_IGNORED_SWITCH, NULL, NULL},
	};
	char **operands;
	int count, rc;

	rc = cmd_args_first("exec", "ID COMMAND [ARGUMENT]... | --process FILE ID", table,
			    VR_ARRAY_SIZE(table), 1, argc, argv, &operands, &count, err);
	if (rc != 0) {
		return rc;
	}
	rc = passfds_take(preserve_fds, false, o->fds, err);
	if (rc < 0) {
		return vr_err_wrap(err, "exec");
	}
	o->id = operands[0];
	o->args = (const char *const *)operands + 1;
	o->n_args = (size_t)count - 1;
	return 0;
}

int cmd_exec(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	struct passfds fds = {0};
	struct exec_opts o = {.fds = &fds};
	int rc = parse(argc, argv, &o, err);

	if (rc == 0) {
		rc = exec_run(g, &o, err);
	} else if (rc > 0) {
		rc = 0; /* help was printed */
	}
	passfds_close(&fds);
	free(o.env.v);
	free(o.caps.v);
	free(o.gids.v);
	return rc;
}
