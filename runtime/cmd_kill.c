/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_kill.c - `kill`: send a signal to a container */
#include <stdbool.h>

#include "base/checked.h"
#include "cmd.h"
#include "container.h"
#include "signame.h"

int cmd_kill(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	struct container c = CONTAINER_INIT;
	bool all = false;
	const struct opt table[] = {
		{"all", 'a', OPT_SWITCH, &all, "signal every process of the container"},
	};
	char **operands;
	uint32_t signo;
	int rc = cmd_args("kill", "ID [SIGNAL]", table, VR_ARRAY_SIZE(table), 1, 2, argc, argv,
			  &operands, err);

	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	rc = signame_parse(operands[1] ? operands[1] : "TERM", &signo, err);
	if (rc == 0) {
		rc = container_open(g, operands[0], false, &c, err);
	}
	if (rc == 0) {
		rc = container_kill(&c, signo, all, err);
	}
	container_close(&c);
	return rc;
}
