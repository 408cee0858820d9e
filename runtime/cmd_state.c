/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_state.c - `state` and `list`: tell what containers are */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "cmd.h"
#include "container.h"
#include "oci/json.h"

int cmd_state(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	struct container c = CONTAINER_INIT;
	vr_autofree char *text = NULL;
	vr_autofree char *reason = NULL;
	char **operands;
	int rc = cmd_args("state", "ID", NULL, 0, 1, 1, argc, argv, &operands, err);

	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	rc = container_open(g, operands[0], false, &c, err);
	if (rc == 0) {
		reason = container_reason(&c);
		c.state.reason = reason;
		rc = oci_state_json(&c.state, container_status(&c), true, &text, NULL, err);
	}
	if (rc == 0) {
		puts(text);
	}
	container_close(&c);
	return rc;
}

enum list_format {
	LIST_TABLE,
	LIST_JSON,
	LIST_QUIET
};

struct listing {
	const struct globals *g;
	enum list_format format;
	struct json_gen *gen;
};

static void list_row(const struct oci_state *s, enum oci_status status)
{
	printf("%-12s %-8d %-10s %-32s %-32s %s\n", s->id,
	       status == OCI_STOPPED ? 0 : (int)s->shim.pid, oci_status_name(status), s->bundle,
	       s->created, s->owner);
}

static void list_state(const struct listing *l, const struct oci_state *s, enum oci_status status)
{
	switch (l->format) {
	case LIST_TABLE:
		list_row(s, status);
		break;
	case LIST_JSON:
		oci_state_gen(l->gen, s, status);
		break;
	case LIST_QUIET:
		puts(s->id);
		break;
	}
}

/* A directory without state: a create at its very beginning, or what a killed command left. */
static void list_stateless(const struct listing *l, const char *id, struct container *c)
{
	struct oci_state s = {.bundle = "", .rootfs = ""};
	struct vr_err ignored = VR_ERR_INIT;
	int rc = oci_container_lock(&c->dir, 0, &ignored);

	if (rc == -ENOENT || strlen(id) >= sizeof(s.id)) {
		return; /* removed meanwhile */
	}
	(void)snprintf(s.id, sizeof(s.id), "%s", id); /* measured above */
	list_state(l, &s, rc == 0 ? OCI_STOPPED : OCI_CREATING);
}

static int list_one(void *ctx, const char *id)
{
	struct listing *l = ctx;
	struct container c = CONTAINER_INIT;
	struct vr_err err = VR_ERR_INIT;
	int rc = container_open(l->g, id, false, &c, &err);

	/* One that vanishes while we look is not worth failing for. */
	if (rc == 0) {
		list_state(l, &c.state,
			   l->format == LIST_QUIET ? OCI_STOPPED : container_status(&c));
	} else if (rc == -ENODATA) {
		list_stateless(l, id, &c);
	}
	container_close(&c);
	return 0;
}

static int list_all(struct listing *l, int root_fd, struct vr_err *err)
{
	size_t len;
	const char *text;
	int rc;

	if (l->format == LIST_TABLE) {
		printf("%-12s %-8s %-10s %-32s %-32s %s\n", "ID", "PID", "STATUS", "BUNDLE",
		       "CREATED", "OWNER");
	}
	l->gen = json_gen_create(false);
	if (!l->gen) {
		return vr_err_set(err, ENOMEM, "list: out of memory");
	}
	json_gen_array_open(l->gen);
	rc = root_fd < 0 ? 0 : oci_root_list(root_fd, list_one, l, err);
	json_gen_array_close(l->gen);
	text = json_gen_finish(l->gen, &len);
	if (rc == 0 && l->format == LIST_JSON) {
		puts(text ? text : "[]");
	}
	json_gen_destroy(l->gen);
	return rc;
}

int cmd_list(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	struct listing l = {.g = g};
	vr_autoclose int root_fd = -1;
	const char *format = "table";
	bool quiet = false;
	const struct opt table[] = {
		{"format", 'f', OPT_STRING, &format, "table or json"},
		{"quiet", 'q', OPT_SWITCH, &quiet, "ids only"},
	};
	char **operands;
	int rc =
		cmd_args("list", "", table, VR_ARRAY_SIZE(table), 0, 0, argc, argv, &operands, err);

	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0) {
		return vr_err_set(err, EINVAL,
				  "list: option '--format': '%s' is neither table nor json",
				  format);
	}
	l.format = strcmp(format, "json") == 0 ? LIST_JSON : LIST_TABLE;
	l.format = quiet ? LIST_QUIET : l.format;
	rc = oci_root_open(g->root, false, &root_fd, err);
	if (rc < 0 && rc != -ENOENT) {
		return rc;
	}
	return list_all(&l, rc < 0 ? -1 : root_fd, err);
}
