/* SPDX-License-Identifier: Apache-2.0 */
/* overlay.c - overlay mounts of config.json; see overlay.h */
#include "overlay.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/cleanup.h"

bool overlay_is(const struct oci_mount *m)
{
	return !m->opt.bind && m->type && strcmp(m->type, "overlay") == 0;
}

/*
 * Value of the option @key, up to a comma; with @colons also up to a colon, which separates
 * directories. A backslash takes the next character as it is. Return: malloc'd, or NULL
 */
static char *option(const char *data, const char *key, bool colons)
{
	size_t key_len = strlen(key), len = 0;
	char *out;

	while (data && strncmp(data, key, key_len) != 0) {
		data = strchr(data, ',');
		data = data ? data + 1 : NULL;
	}
	out = data ? strdup(data + key_len) : NULL;
	for (const char *p = out; p && *p != '\0' && *p != ',' && !(colons && *p == ':'); p++) {
		if (*p == '\\' && p[1] != '\0') {
			p++;
		}
		out[len++] = *p;
	}
	if (out) {
		out[len] = '\0';
	}
	return out;
}

char *overlay_place(const struct oci_mount *m, struct vr_err *err)
{
	char *place = option(m->opt.data, "upperdir=", false);

	if (!place) {
		place = option(m->opt.data, "lowerdir=", true);
	}
	if (!place || place[0] != '/') {
		free(place);
		(void)vr_err_set(err, EINVAL,
				 "config.json: mounts: overlay on '%s': the options must name "
				 "upperdir or lowerdir as absolute paths",
				 m->destination);
		return NULL;
	}
	return place;
}

static int mount_one(const struct oci_mount *m, struct vr_err *err)
{
	vr_autofree char *place = overlay_place(m, err);

	if (!place) {
		return -EINVAL;
	}
	if (mount("overlay", place, "overlay", m->opt.flags & ~(unsigned long)MS_REC, m->opt.data) <
	    0) {
		return vr_err_sys(err, errno, "config.json: mounts: overlay on '%s' (%.200s)",
				  m->destination, m->opt.data);
	}
	return 0;
}

static int own_namespace(struct vr_err *err)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0) {
		return vr_err_sys(err, errno,
				  "config.json: mounts: a mount namespace for overlays");
	}
	return 0;
}

int overlay_mount_all(const struct oci_spec *spec, struct vr_err *err)
{
	bool have_namespace = false;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < spec->mounts.n; i++) {
		if (!overlay_is(&spec->mounts.v[i])) {
			continue;
		}
		rc = have_namespace ? 0 : own_namespace(err);
		have_namespace = true;
		rc = rc < 0 ? rc : mount_one(&spec->mounts.v[i], err);
	}
	return rc < 0 ? rc : have_namespace;
}
