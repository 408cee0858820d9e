/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_delete.c - `delete`: remove what is left of a container, or of several */
#include <errno.h>
#include <regex.h>
#include <stdbool.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "cmd.h"
#include "container.h"
#include "oci/state.h"

/** struct choice - @rc: of the first that could not be deleted, whose words @err has */
struct choice {
	const struct globals *g;
	regex_t which;
	bool force;
	int rc;
	struct vr_err *err;
};

static int delete_matching(void *ctx, const char *id)
{
	struct choice *c = ctx;
	struct vr_err err = VR_ERR_INIT;
	int rc;

	if (regexec(&c->which, id, 0, NULL, 0) != 0) {
		return 0;
	}
	rc = container_delete(c->g, id, c->force, &err);
	if (rc < 0 && c->rc == 0) {
		c->rc = rc;
		*c->err = err;
	}
	return 0; /* the others go nevertheless */
}

/* As crun: all whose ids match an extended regular expression; none is no error. */
static int delete_regex(const struct globals *g, const char *pattern, bool force,
			struct vr_err *err)
{
	struct choice c = {.g = g, .force = force, .err = err};
	vr_autoclose int root_fd = -1;
	char why[128];
	int rc = regcomp(&c.which, pattern, REG_EXTENDED | REG_NOSUB);

	if (rc != 0) {
		(void)regerror(rc, &c.which, why, sizeof(why));
		return vr_err_set(err, EINVAL, "delete: regular expression '%.100s': %s", pattern,
				  why);
	}
	rc = oci_root_open(g->root, false, &root_fd, err);
	if (rc == 0) {
		rc = oci_root_list(root_fd, delete_matching, &c, err);
	} else if (rc == -ENOENT) {
		rc = 0;
	}
	regfree(&c.which);
	return rc < 0 ? rc : c.rc;
}

int cmd_delete(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	bool force = false;
	bool regex = false;
	const struct opt table[] = {
		{"force", 'f', OPT_SWITCH, &force, "end it first if it is running"},
		{"regex", 0, OPT_SWITCH, &regex,
		 "ID is an extended regular expression: all that match"},
	};
	char **operands;
	int rc = cmd_args("delete", "ID", table, VR_ARRAY_SIZE(table), 1, 1, argc, argv, &operands,
			  err);

	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	return regex ? delete_regex(g, operands[0], force, err)
		     : container_delete(g, operands[0], force, err);
}
