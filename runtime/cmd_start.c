/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_start.c - `start`: run the process of a created container */
#include "cmd.h"
#include "container.h"

int cmd_start(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	struct container c = CONTAINER_INIT;
	char **operands;
	int rc = cmd_args("start", "ID", NULL, 0, 1, 1, argc, argv, &operands, err);

	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	rc = container_open(g, operands[0], true, &c, err);
	if (rc == 0) {
		rc = container_start(&c, err);
	}
	container_close(&c);
	return rc;
}
