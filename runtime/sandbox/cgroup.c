/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.c - the host cgroup of a container: name, make, limit, fill; see cgroup.h */
#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "sandbox/cgroup_internal.h"

/* Version 2 controllers we set limits of; the first three also for their figures. */
static const char *const controllers_v2[] = {"cpu", "memory", "pids", "cpuset", "io", "hugetlb"};
#define N_FIGURES 3u

/* ---- paths ---- */

/* Append the components of @path to @out, which holds an absolute path without slash at its end. */
static int append(char *out, size_t cap, const char *path)
{
	size_t used = strlen(out);

	for (;;) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 0) {
			return 0;
		}
		if (len == 2 && strncmp(path, "..", 2) == 0) {
			return -EINVAL;
		}
		if (len != 1 || *path != '.') {
			if (used + 1 + len >= cap) {
				return -ENAMETOOLONG;
			}
			out[used++] = '/';
			memcpy(out + used, path, len);
			used += len;
			out[used] = '\0';
		}
		path += len;
	}
}

static int append_own(const struct cg_table *t, char *out, size_t cap)
{
	char own[SBX_CGROUP_PATH_MAX] = "/";
	const struct cg_hierarchy *h = &t->h[0];
	size_t i;
	int ret;

	for (i = 0; i < t->n; i++) {
		if (cg_has_controller(&t->h[i], "memory")) {
			h = &t->h[i];
		}
	}
	ret = cg_own_path(t, h, own, sizeof(own));
	if (ret < 0) {
		return ret;
	}
	if (t->mode == SBX_CGROUP_V2) {
		*strrchr(own, '/') = '\0'; /* beside our own: see the header */
	}
	return append(out, cap, own);
}

int sbx_cgroup_resolve(const char *path, const char *id, char out[SBX_CGROUP_PATH_MAX],
		       struct vr_err *err)
{
	const char *wanted = path && *path != '\0' ? path : id;
	char full[SBX_CGROUP_PATH_MAX] = "";
	struct cg_table t;
	int ret = 0;

	if (*wanted != '/') {
		ret = cg_load(&t, err);
		if (ret < 0) {
			return ret;
		}
		ret = append_own(&t, full, sizeof(full));
		if (ret < 0) {
			return vr_err_sys(err, ret, "find our own cgroup");
		}
	}
	if (strspn(wanted, "/.") == strlen(wanted)) {
		return vr_err_set(err, EINVAL, "cgroup path '%s': names no cgroup", wanted);
	}
	ret = append(full, sizeof(full), wanted);
	if (ret < 0) {
		return vr_err_sys(err, ret, "cgroup path '%s'", wanted);
	}
	memcpy(out, full, strlen(full) + 1);
	return 0;
}

/* ---- make ---- */

/* Version 2: let children of the cgroup @dir have the controllers we want. */
static int enable_controllers(int dir, const struct sbx_cgroup_limits *limits, struct vr_err *err)
{
	char available[512];
	char enabled[512];
	size_t i;
	int ret;

	ret = cg_read(dir, "cgroup.controllers", available, sizeof(available));
	if (ret == 0) {
		ret = cg_read(dir, "cgroup.subtree_control", enabled, sizeof(enabled));
	}
	if (ret < 0) {
		return vr_err_sys(err, ret, "cgroup: read its controllers");
	}
	for (i = 0; i < VR_ARRAY_SIZE(controllers_v2); i++) {
		const char *name = controllers_v2[i];
		bool needed = cg_limits_need(limits, name);
		char change[16];

		if ((!needed && i >= N_FIGURES) || cg_word_in(enabled, name)) {
			continue;
		}
		if (!cg_word_in(available, name)) {
			if (needed) {
				return vr_err_set(err, ENOENT,
						  "cgroup: controller '%s' is not available", name);
			}
			continue;
		}
		(void)snprintf(change, sizeof(change), "+%s", name); /* always fits */
		ret = cg_write(dir, "cgroup.subtree_control", change);
		if (ret < 0 && needed) {
			return vr_err_sys(err, ret, "cgroup: enable controller '%s'", name);
		}
	}
	return 0;
}

/* Version 1: a new cpuset has no CPUs, and takes no process until it has some. */
static void inherit_cpuset(int parent, int dir)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
	char value[1024];
	size_t i;

	for (i = 0; i < VR_ARRAY_SIZE(files); i++) {
		if (cg_read(dir, files[i], value, sizeof(value)) == 0 && value[0] != '\n' &&
		    value[0] != '\0') {
			continue;
		}
		if (cg_read(parent, files[i], value, sizeof(value)) == 0) {
			(void)!cg_write(dir, files[i], value); /* attaching reports it */
		}
	}
}

/* One component down from @parent: make it if need be. Return: its directory or negative errno. */
static int descend(const struct cg_table *t, const struct cg_hierarchy *h, int parent,
		   const char *name, const struct sbx_cgroup_limits *limits, bool *out_made,
		   struct vr_err *err)
{
	int fd;

	if (t->mode == SBX_CGROUP_V2) {
		int ret = enable_controllers(parent, limits, err);

		if (ret < 0) {
			return ret;
		}
	}
	*out_made = mkdirat(parent, name, 0755) == 0;
	if (!*out_made && errno != EEXIST) {
		return vr_err_sys(err, errno, "make cgroup '%s'", name);
	}
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		return vr_err_sys(err, errno, "open cgroup '%s'", name);
	}
	if (cg_has_controller(h, "cpuset")) {
		inherit_cpuset(parent, fd);
	}
	return fd;
}

static int make_in(const struct cg_table *t, const struct cg_hierarchy *h, const char *path,
		   const struct sbx_cgroup_limits *limits, bool *out_made, struct vr_err *err)
{
	vr_autoclose int dir = cg_open(h, "/");
	char copy[SBX_CGROUP_PATH_MAX];
	char *save;
	char *name;

	if (dir < 0) {
		return vr_err_sys(err, dir, "open '%s'", h->mount);
	}
	(void)snprintf(copy, sizeof(copy), "%s", path); /* its length was checked by resolve */
	for (name = strtok_r(copy, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		int next = descend(t, h, dir, name, limits, out_made, err);

		if (next < 0) {
			return next;
		}
		(void)close(dir); /* read-only */
		dir = next;
	}
	return 0;
}

static int apply_in(const struct cg_table *t, const struct cg_hierarchy *h, const char *path,
		    const struct sbx_cgroup_limits *limits, struct vr_err *err)
{
	vr_autoclose int dir = cg_open(h, path);

	if (dir < 0) {
		return vr_err_sys(err, dir, "open cgroup '%s%s'", h->mount, path);
	}
	return t->mode == SBX_CGROUP_V2 ? cg_limits_write_v2(dir, limits, err)
					: cg_limits_write_v1(h, dir, limits, err);
}

/* Version 1: a limit whose controller isn't mounted must not be lost silently. */
static int check_available(const struct cg_table *t, const struct sbx_cgroup_limits *limits,
			   struct vr_err *err)
{
	size_t i;
	size_t j;

	for (i = 0; t->mode == SBX_CGROUP_V1 && i < VR_ARRAY_SIZE(controllers_v2); i++) {
		bool found = !cg_limits_need(limits, controllers_v2[i]);

		for (j = 0; !found && j < t->n; j++) {
			found = cg_has_controller(&t->h[j], controllers_v2[i]);
		}
		if (!found) {
			return vr_err_set(err, ENOENT, "cgroup: controller '%s' is not available",
					  controllers_v2[i]);
		}
	}
	return 0;
}

/* A cgroup that was there before, of version 2. The words are runc's. */
static int check_unused(const struct cg_hierarchy *h, const char *path, struct vr_err *err)
{
	vr_autoclose int dir = cg_open(h, path);
	char text[64];
	unsigned n = 0;

	if (dir < 0) {
		return vr_err_sys(err, dir, "open cgroup '%s%s'", h->mount, path);
	}
	if (cg_read(dir, "cgroup.procs", text, sizeof(text)) == 0 && text[0] != '\0') {
		for (const char *c = text; *c; c++) {
			n += *c == '\n';
		}
		return vr_err_set(err, EBUSY,
				  "container's cgroup is not empty: %u%s process(es) found", n,
				  strlen(text) + 1 == sizeof(text) ? " or more" : "");
	}
	/* As runc: nor may there be any below, which our limits would hold, and our removal disturb. */
	if (cg_read(dir, "cgroup.events", text, sizeof(text)) == 0 && strstr(text, "populated 1")) {
		return vr_err_set(err, EBUSY,
				  "container's cgroup is not empty: there are processes below it");
	}
	if (cg_read(dir, "cgroup.freeze", text, sizeof(text)) == 0 && text[0] == '1') {
		return vr_err_set(err, EBUSY, "container's cgroup unexpectedly frozen");
	}
	return 0;
}

static int create_in(const struct cg_table *t, const struct cg_hierarchy *h, const char *path,
		     const struct sbx_cgroup_limits *limits, bool *out_made, struct vr_err *err)
{
	int ret = make_in(t, h, path, limits, out_made, err);

	if (ret == 0 && !*out_made && t->mode == SBX_CGROUP_V2) {
		ret = check_unused(h, path, err);
	}
	if (ret == 0 && limits) {
		ret = apply_in(t, h, path, limits, err);
	}
	return ret;
}

/* A named hierarchy limits nothing; where it is read-only, we do without it. */
static bool optional(const struct cg_hierarchy *h)
{
	return strncmp(h->controllers, "name=", 5) == 0;
}

int sbx_cgroup_create(const char *path, const struct sbx_cgroup_limits *limits, struct vr_err *err)
{
	bool made[CG_HIERARCHIES_MAX] = {false};
	struct cg_table t;
	size_t i;
	int ret;

	ret = cg_load(&t, err);
	if (ret == 0) {
		ret = check_available(&t, limits, err);
	}
	if (ret < 0) {
		return ret;
	}
	for (i = 0; ret == 0 && i < t.n; i++) {
		ret = create_in(&t, &t.h[i], path, limits, &made[i],
				optional(&t.h[i]) ? NULL : err);
		ret = optional(&t.h[i]) ? 0 : ret;
	}
	if (ret == 0) {
		return 0;
	}
	for (i = 0; i < t.n; i++) {
		char full[CG_MOUNT_MAX + SBX_CGROUP_PATH_MAX];

		if (made[i]) {
			(void)snprintf(full, sizeof(full), "%s%s", t.h[i].mount, path);
			(void)rmdir(full); /* best effort: the first failure is the one to report */
		}
	}
	(void)vr_err_wrap(err, "cgroup '%s'", path); /* the code stays */
	return ret;
}

int sbx_cgroup_cpu_max(const char *path, int64_t *out_quota, uint64_t *out_period)
{
	vr_autoclose int dir = -1;
	char text[64];
	char quota[24];
	struct cg_table t;
	int ret = cg_load(&t, NULL);

	if (ret < 0) {
		return ret;
	}
	if (t.mode != SBX_CGROUP_V2) {
		return -ENOENT;
	}
	dir = cg_open(&t.h[0], path);
	ret = dir < 0 ? dir : cg_read(dir, "cpu.max", text, sizeof(text));
	if (ret < 0) {
		return ret;
	}
	if (sscanf(text, "%23s %" SCNu64, quota, out_period) != 2) {
		return -EPROTO;
	}
	*out_quota = strcmp(quota, "max") == 0 ? SBX_CG_UNLIMITED : strtoll(quota, NULL, 10);
	return 0;
}

int sbx_cgroup_apply(const char *path, const struct sbx_cgroup_limits *limits, struct vr_err *err)
{
	struct cg_table t;
	size_t i;
	int ret;

	ret = cg_load(&t, err);
	if (ret == 0) {
		ret = check_available(&t, limits, err);
	}
	for (i = 0; ret == 0 && i < t.n; i++) {
		if (!optional(&t.h[i])) {
			ret = apply_in(&t, &t.h[i], path, limits, err);
		}
	}
	return ret;
}

bool sbx_cgroup_exists(const char *path)
{
	struct cg_table t;
	int fd;

	if (cg_table_load(&t) < 0) {
		return false;
	}
	fd = cg_open(&t.h[0], path);
	if (fd < 0) {
		return false;
	}
	(void)close(fd); /* read-only */
	return true;
}

bool sbx_cgroup_holds(const char *path, pid_t pid)
{
	char its[SBX_CGROUP_PATH_MAX];
	struct cg_table t;

	return pid > 0 && cg_table_load(&t) == 0 &&
	       cg_pid_path(pid, &t, &t.h[0], its, sizeof(its)) == 0 && cg_is_within(its, path);
}

int sbx_cgroup_attach(const char *path, pid_t pid, struct vr_err *err)
{
	char text[16];
	struct cg_table t;
	size_t i;
	int ret;

	ret = cg_load(&t, err);
	if (ret < 0) {
		return ret;
	}
	(void)snprintf(text, sizeof(text), "%d", pid); /* always fits */
	for (i = 0; i < t.n; i++) {
		vr_autoclose int dir = cg_open(&t.h[i], path);

		ret = dir < 0 ? dir : cg_write(dir, "cgroup.procs", text);
		if (ret < 0 && !optional(&t.h[i])) {
			return vr_err_sys(err, ret, "move process %d into cgroup '%s%s'", pid,
					  t.h[i].mount, path);
		}
	}
	return 0;
}
