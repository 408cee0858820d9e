/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_info.c - verbs that need no container: `features` and `spec`; and the two
 * that don't exist yet, `checkpoint` and `restore`
 *
 * Engines ask `checkpoint --help` whether checkpoints are possible. So those two
 * fail whatever their arguments are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "cmd.h"
#include "oci/features.h"
#include "version.h"

int cmd_features(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	vr_autofree char *text = NULL;
	char **operands;
	int rc = cmd_args("features", "", NULL, 0, 0, 0, argc, argv, &operands, err);

	(void)g;
	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	rc = oci_features_json(VOLT_VERSION, VOLT_COMMIT, &text, err);
	if (rc == 0) {
		(void)fputs(text, stdout);
	}
	return rc;
}

static int spec_write(const char *dir, bool rootless, struct vr_err *err)
{
	vr_autofree char *text = NULL;
	vr_autoclose int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	vr_autoclose int fd = -1;
	int rc;

	if (dirfd < 0) {
		return vr_err_sys(err, errno, "open bundle '%s'", dir);
	}
	rc = oci_template_json(rootless, &text, err);
	if (rc < 0) {
		return rc;
	}
	fd = openat(dirfd, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0 && errno == EEXIST) {
		return vr_err_set(err, EEXIST, "File config.json exists. Remove it first");
	}
	rc = fd < 0 ? -errno : vr_write_full(fd, text, strlen(text));
	return rc < 0 ? vr_err_sys(err, rc, "write config.json in '%s'", dir) : 0;
}

int cmd_spec(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	const char *bundle = ".";
	bool rootless = false;
	const struct opt table[] = {
		{"bundle", 'b', OPT_STRING, &bundle, "directory to write to (default: .)"},
		{"rootless", 0, OPT_SWITCH, &rootless, "for a user without privileges"},
	};
	char **operands;
	int rc =
		cmd_args("spec", "", table, VR_ARRAY_SIZE(table), 0, 0, argc, argv, &operands, err);

	(void)g;
	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	return spec_write(bundle, rootless, err);
}

int cmd_checkpoint(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	(void)g;
	(void)argc;
	return vr_err_set(err, ENOTSUP, "%s: checkpoints of a microVM are not supported", argv[0]);
}
