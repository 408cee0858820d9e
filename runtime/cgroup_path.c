/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup_path.c - where a container's cgroup lies; see cgroup_path.h */
#include "cgroup_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WHERE "config.json: linux.cgroupsPath"

/* "a-b.slice" lies in "a.slice/a-b.slice". Return: length, -EINVAL or -ENAMETOOLONG */
static int slice_expand(const char *slice, char *out, size_t cap)
{
	const char *suffix = strstr(slice, ".slice");
	size_t stem, used = 0;
	int n;

	if (strcmp(slice, "-.slice") == 0) {
		return 0; /* the root slice */
	}
	if (!suffix || suffix[6] != '\0' || suffix == slice || strchr(slice, '/')) {
		return -EINVAL;
	}
	if (slice[0] == '-' || suffix[-1] == '-' || strstr(slice, "--")) {
		return -EINVAL; /* a slice without a name on the way */
	}
	stem = (size_t)(suffix - slice);
	for (size_t i = 1; i <= stem; i++) {
		if (i < stem && slice[i] != '-') {
			continue;
		}
		n = snprintf(out + used, cap - used, "/%.*s.slice", (int)i, slice);
		if (n < 0 || (size_t)n >= cap - used) {
			return -ENAMETOOLONG;
		}
		used += (size_t)n;
	}
	return (int)used;
}

static int systemd_path(const char *path, const char *id, char out[SBX_CGROUP_PATH_MAX],
			struct vr_err *err)
{
	char copy[SBX_CGROUP_PATH_MAX];
	char *slice, *prefix, *name;
	int used, n;

	if (!path || path[0] == '\0') {
		n = snprintf(out, SBX_CGROUP_PATH_MAX, "/system.slice/volt-%s.scope", id);
		return n > 0 && (size_t)n < SBX_CGROUP_PATH_MAX
			       ? 0
			       : vr_err_set(err, ENAMETOOLONG, WHERE ": too long");
	}
	n = snprintf(copy, sizeof(copy), "%s", path);
	slice = copy;
	prefix = strchr(copy, ':');
	name = prefix ? strchr(prefix + 1, ':') : NULL;
	if (n < 0 || (size_t)n >= sizeof(copy) || !name || strchr(name + 1, ':') ||
	    strchr(prefix + 1, '/')) {
		return vr_err_set(err, EINVAL, WHERE ": '%s' is not of the form slice:prefix:name",
				  path);
	}
	*prefix++ = '\0';
	*name++ = '\0';
	used = slice_expand(slice[0] != '\0' ? slice : "system.slice", out, SBX_CGROUP_PATH_MAX);
	if (used < 0) {
		return vr_err_set(err, EINVAL, WHERE ": '%s' is not a slice", slice);
	}
	n = snprintf(out + used, SBX_CGROUP_PATH_MAX - (size_t)used, "/%s%s%s.scope", prefix,
		     prefix[0] != '\0' ? "-" : "", name);
	if (n < 0 || (size_t)n >= SBX_CGROUP_PATH_MAX - (size_t)used) {
		return vr_err_set(err, ENAMETOOLONG, WHERE ": '%s' is too long", path);
	}
	return 0;
}

int cgroup_path_from_spec(const char *path, const char *id, bool systemd,
			  char out[SBX_CGROUP_PATH_MAX], struct vr_err *err)
{
	if (systemd) {
		return systemd_path(path, id, out, err);
	}
	return sbx_cgroup_resolve(path, id, out, err);
}
