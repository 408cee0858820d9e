/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_sandbox.c - `sandbox --show ID`: what the processes of a container may still do */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "cage.h"
#include "cmd.h"
#include "container.h"
#include "sandbox/landlock.h"

/* @machine: whose vmm and net process serve it: its own state, or that of the container it joined */
static int read_roles(const struct oci_state *s, const struct oci_state *machine, struct cage *out,
		      struct vr_err *err)
{
	const struct {
		const char *role;
		const struct oci_state *state;
		const struct oci_proc *proc;
	} roles[] = {{"shim", s, &s->shim},
		     {"vmm", machine, &machine->vmm},
		     {"fs", s, &s->fs},
		     {"net", machine, &machine->net}};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < VR_ARRAY_SIZE(roles); i++) {
		if (roles[i].proc->pid == 0) {
			continue; /* without a network there is nobody to follow it */
		}
		rc = cage_read("/proc", roles[i].role, roles[i].proc->pid, out, err);
		/* What was read is its own only if it still lives. */
		if (rc == 0 && !oci_proc_alive(roles[i].state, roles[i].proc)) {
			rc = vr_err_set(err, ESRCH, "container not running");
		}
	}
	return rc < 0 ? rc : cage_read_standins("/proc", s->id, out, err);
}

static int read_all(const struct globals *g, const struct oci_state *s, struct cage *out,
		    struct vr_err *err)
{
	struct container machine = CONTAINER_INIT;
	int rc;

	if (!s->machine) {
		return read_roles(s, s, out, err);
	}
	rc = container_open(g, s->machine, false, &machine, err);
	if (rc == 0) {
		rc = read_roles(s, &machine.state, out, err);
	}
	container_close(&machine);
	return rc;
}

static int show(const struct globals *g, const char *id, const char *format, struct vr_err *err)
{
	struct container c = CONTAINER_INIT;
	vr_autofree char *text = NULL;
	struct cage cage = {0};
	int abi = sbx_landlock_abi(SBX_LANDLOCK_ANY);
	int rc = container_open(g, id, false, &c, err);

	if (rc == 0 && oci_state_status(&c.state) == OCI_STOPPED) {
		rc = vr_err_set(err, ESRCH, "container not running");
	}
	if (rc == 0) {
		rc = read_all(g, &c.state, &cage, err);
	}
	if (rc == 0) {
		text = strcmp(format, "json") == 0 ? cage_json(&cage, abi) : cage_text(&cage, abi);
		rc = text ? 0 : vr_err_set(err, ENOMEM, "sandbox: out of memory");
	}
	if (rc == 0) {
		(void)fputs(text, stdout); /* there is nobody else to tell */
	}
	cage_finish(&cage);
	container_close(&c);
	return rc;
}

int cmd_sandbox(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	const char *id = NULL;
	const char *format = "table";
	const struct opt table[] = {
		{"show", 0, OPT_STRING, &id, "the container to look at"},
		{"format", 'f', OPT_STRING, &format, "table or json"},
	};
	char **operands;
	int rc = cmd_args("sandbox", "", table, VR_ARRAY_SIZE(table), 0, 0, argc, argv, &operands,
			  err);

	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0) {
		return vr_err_set(err, EINVAL,
				  "sandbox: option '--format': '%s' is neither table nor json",
				  format);
	}
	if (!id) {
		return vr_err_set(err, EINVAL,
				  "sandbox: missing arguments: usage: volt-runc sandbox --show ID");
	}
	return show(g, id, format, err);
}
