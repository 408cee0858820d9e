/* SPDX-License-Identifier: Apache-2.0 */
/* container_hooks.c - hooks of a container's later life; see container_hooks.h */
#include "container_hooks.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "oci/hooks.h"

struct oci_spec *container_hooks_load(const struct oci_container *dir)
{
	struct vr_err ignored = VR_ERR_INIT;
	struct oci_spec *spec;

	if (oci_spec_load(dir->fd, OCI_CONFIG_FILE, &spec, &ignored) < 0) {
		return NULL;
	}
	if (!spec->hooks) {
		oci_spec_free(spec);
		return NULL;
	}
	return spec;
}

int container_hooks_state(const struct oci_spec *spec, const struct oci_state *s, char **out_text,
			  struct vr_err *err)
{
	*out_text = NULL;
	if (!spec || spec->hooks->start_container.n == 0) {
		return 0;
	}
	return oci_state_json(s, OCI_CREATED, false, out_text, NULL, err);
}

static int run(const char *kind, const struct oci_hookv *hooks, bool keep_going,
	       const struct oci_state *s, enum oci_status status, struct vr_err *err)
{
	struct oci_hook_run how = {.kind = kind, .cwd = s->bundle, .keep_going = keep_going};
	vr_autofree char *text = NULL;
	int rc;

	if (hooks->n == 0) {
		return 0;
	}
	rc = oci_state_json(s, status, false, &text, &how.state_len, err);
	how.state = text;
	return rc < 0 ? rc : oci_hooks_run(&how, hooks, err);
}

int container_poststart(const struct oci_spec *spec, const struct oci_state *s, struct vr_err *err)
{
	return spec ? run("poststart", &spec->hooks->poststart, false, s, OCI_RUNNING, err) : 0;
}

void container_poststop(const struct oci_spec *spec, const struct oci_state *s)
{
	struct vr_err err = VR_ERR_INIT;

	if (spec && run("poststop", &spec->hooks->poststop, true, s, OCI_STOPPED, &err) < 0) {
		vr_error("%s", err.msg); /* there is nobody else to tell: delete succeeds */
	}
}
