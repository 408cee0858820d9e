/* SPDX-License-Identifier: Apache-2.0 */
/* host_cgroup.c - a container's cgroup on the host, whoever manages it; see host_cgroup.h */
#include "host_cgroup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "scope.h"
#include "vmsize.h"

bool host_cgroup_bounds_memory(const struct oci_resources *res)
{
	return res && res->memory && res->memory->limit.set && res->memory->limit.v > 0;
}

int host_cgroup_limits(const struct oci_resources *res, uint64_t ram_bytes, struct host_cgroup *cg,
		       struct vr_err *err)
{
	struct sbx_cgroup_limits *l = &cg->limits;
	int rc = cgroup_files_host(res, &cg->files, err);

	*l = (struct sbx_cgroup_limits){0};
	if (rc < 0 || !res) {
		return rc < 0 ? vr_err_wrap(err, "config.json") : 0;
	}
	if (host_cgroup_bounds_memory(res)) {
		l->memory_max = (int64_t)vmsize_host_limit(ram_bytes);
	}
	if (res->cpu) {
		l->cpu_quota_us = res->cpu->quota.set ? res->cpu->quota.v : 0;
		l->cpu_period_us = res->cpu->period.set ? res->cpu->period.v : 0;
		l->cpu_shares = res->cpu->shares.set ? res->cpu->shares.v : 0;
		l->cpuset_cpus = res->cpu->cpus;
		l->cpuset_mems = res->cpu->mems;
	}
	l->files = cg->files.v;
	l->n_files = cg->files.n;
	return 0;
}

void host_cgroup_finish(struct host_cgroup *cg)
{
	cgroup_files_finish(&cg->files);
}

int host_cgroup_prepare(struct host_cgroup *cg, struct vr_err *err)
{
	/* A scope needs processes; whether systemd is there is better known before they start. */
	return cg->systemd ? scope_probe(NULL, err) : sbx_cgroup_create(cg->path, &cg->limits, err);
}

/* "/a.slice/a-b.slice/unit.scope": the last two names are the slice and the unit. */
static const char *unit_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void slice_name(const char *path, char out[SCOPE_NAME_MAX])
{
	size_t len = (size_t)(unit_name(path) - path);
	const char *end = len > 0 ? path + len - 1 : path;
	const char *start = end;

	while (start > path && start[-1] != '/') {
		start--;
	}
	if (start == end) {
		(void)snprintf(out, SCOPE_NAME_MAX, "-.slice");
	} else {
		(void)snprintf(out, SCOPE_NAME_MAX, "%.*s", (int)(end - start), start);
	}
}

static int scope_enter(struct host_cgroup *cg, const pid_t *pids, size_t n, struct vr_err *err)
{
	char name[SCOPE_NAME_MAX], slice[SCOPE_NAME_MAX], description[SCOPE_NAME_MAX];
	const struct scope scope = {
		.name = name,
		.slice = slice,
		.description = description,
		.pids = pids,
		.n_pids = n,
		.limits = &cg->limits,
		.annotations = cg->annotations,
	};
	int rc;

	if (strlen(unit_name(cg->path)) >= sizeof(name)) {
		return vr_err_set(err, ENAMETOOLONG, "systemd: unit name '%.80s...' is too long",
				  unit_name(cg->path));
	}
	(void)snprintf(name, sizeof(name), "%s", unit_name(cg->path));
	slice_name(cg->path, slice);
	(void)snprintf(description, sizeof(description), "microVM container %.200s", cg->id);
	rc = scope_start(&scope, NULL, cg->path, err);
	/* for what has no property, and exactly for what systemd rounds */
	return rc < 0 ? rc : sbx_cgroup_apply(cg->path, &cg->limits, err);
}

int host_cgroup_enter(struct host_cgroup *cg, const pid_t *pids, size_t n, struct vr_err *err)
{
	int rc = 0;

	if (cg->systemd) {
		return scope_enter(cg, pids, n, err);
	}
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = sbx_cgroup_attach(cg->path, pids[i], err);
	}
	return rc;
}

int host_cgroup_set(const char *path, bool systemd, const struct sbx_cgroup_limits *limits,
		    struct vr_err *err)
{
	int rc = systemd ? scope_set(unit_name(path), NULL, limits, err) : 0;

	return rc < 0 ? rc : sbx_cgroup_apply(path, limits, err);
}

int host_cgroup_remove(const char *path, bool systemd, unsigned timeout_ms, struct vr_err *err)
{
	struct vr_err why = VR_ERR_INIT;

	if (systemd && sbx_cgroup_exists(path) && scope_stop(unit_name(path), NULL, &why) < 0) {
		vr_debug("%s", why.msg); /* the cgroup itself decides */
	}
	return sbx_cgroup_remove(path, timeout_ms, err);
}
