/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_pause.c - `pause` and `resume`: stop a container's vCPUs, let them go on */
#include "cmd.h"
#include "container.h"

static int change(const char *name, int (*operation)(struct container *c, struct vr_err *err),
		  const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	struct container c = CONTAINER_INIT;
	char **operands;
	int rc = cmd_args(name, "ID", NULL, 0, 1, 1, argc, argv, &operands, err);

	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	rc = container_open(g, operands[0], true, &c, err);
	if (rc == 0) {
		rc = operation(&c, err);
	}
	container_close(&c);
	return rc;
}

int cmd_pause(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	return change("pause", container_pause, g, argc, argv, err);
}

int cmd_resume(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	return change("resume", container_resume, g, argc, argv, err);
}
