/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_delete.c - `delete`: remove what is left of a container */
#include <stdbool.h>

#include "base/checked.h"
#include "cmd.h"
#include "container.h"

int cmd_delete(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	bool force = false;
	const struct opt table[] = {
		{"force", 'f', OPT_SWITCH, &force, "end it first if it is running"},
	};
	char **operands;
	int rc = cmd_args("delete", "ID", table, VR_ARRAY_SIZE(table), 1, 1, argc, argv, &operands,
			  err);

	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	return container_delete(g, operands[0], force, err);
}
