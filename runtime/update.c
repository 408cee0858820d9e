/* SPDX-License-Identifier: Apache-2.0 */
/* update.c - change limits of a container that lives; see update.h */
#include "update.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "guest_plan.h"
#include "host_cgroup.h"
#include "oci/annotations.h"
#include "vmm/memlayout.h"
#include "vmsize.h"

static int64_t unit_of(const char *suffix)
{
	static const char letters[] = "bkmgt";
	const char *at;

	if (suffix[0] == '\0') {
		return 1;
	}
	at = strchr(letters, suffix[0] | 0x20);
	/* "512m", "512M", "512MB", "512MiB" */
	if (!at || *at == '\0' ||
	    (suffix[1] != '\0' && strcasecmp(suffix + 1, "b") != 0 &&
	     strcasecmp(suffix + 1, "ib") != 0)) {
		return 0;
	}
	return INT64_C(1) << 10 * (at - letters);
}

/* @sizes: may have a unit */
static int number(const char *option, const char *text, bool sizes, int64_t *out,
		  struct vr_err *err)
{
	int64_t unit;
	char *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 10);
	unit = sizes ? unit_of(end) : *end == '\0';
	if (errno != 0 || end == text || unit == 0 || v < -1 || v > INT64_MAX / unit ||
	    (v == -1 && unit != 1)) {
		return vr_err_set(err, EINVAL, "update: option '--%s': '%s' is not a number%s",
				  option, text, sizes ? " of bytes" : "");
	}
	*out = v < 0 ? v : v * unit;
	return 0;
}

static int opt_i64(const char *option, const char *text, bool sizes, struct oci_opt_i64 *out,
		   struct vr_err *err)
{
	int rc = text ? number(option, text, sizes, &out->v, err) : 0;

	out->set = rc == 0 && text;
	return rc;
}

static int opt_u64(const char *option, const char *text, struct oci_opt_u64 *out,
		   struct vr_err *err)
{
	int64_t v = 0;
	int rc = text ? number(option, text, false, &v, err) : 0;

	if (rc == 0 && v < 0) {
		rc = vr_err_set(err, EINVAL, "update: option '--%s': must not be negative", option);
	}
	out->v = (uint64_t)v;
	out->set = rc == 0 && text;
	return rc;
}

int update_from_options(const struct update_opts *o, struct update_res *out, struct vr_err *err)
{
	const struct {
		const char *option;
		const char *text;
		bool sizes;
		struct oci_opt_i64 *to;
	} numbers[] = {
		{"memory", o->memory, true, &out->memory.limit},
		{"memory-reservation", o->memory_reservation, true, &out->memory.reservation},
		{"memory-swap", o->memory_swap, true, &out->memory.swap},
		{"cpu-quota", o->cpu_quota, false, &out->cpu.quota},
		{"cpu-idle", o->cpu_idle, false, &out->cpu.idle},
		{"pids-limit", o->pids_limit, false, &out->pids.limit},
	};
	struct oci_opt_i64 weight = {0};
	int rc = 0;

	memset(out, 0, sizeof(*out));
	out->res.memory = &out->memory;
	out->res.cpu = &out->cpu;
	out->res.pids = &out->pids;
	out->cpu.cpus = o->cpuset_cpus;
	out->cpu.mems = o->cpuset_mems;
	for (size_t i = 0; rc == 0 && i < VR_ARRAY_SIZE(numbers); i++) {
		rc = opt_i64(numbers[i].option, numbers[i].text, numbers[i].sizes, numbers[i].to,
			     err);
	}
	if (rc == 0) {
		rc = opt_u64("cpu-period", o->cpu_period, &out->cpu.period, err);
	}
	if (rc == 0) {
		rc = opt_i64("blkio-weight", o->blkio_weight, false, &weight, err);
	}
	if (rc == 0 && weight.set && (weight.v < 0 || weight.v > 1000)) {
		rc = vr_err_set(err, EINVAL, "update: option '--blkio-weight': 10 to 1000");
	}
	if (rc == 0 && weight.set) {
		out->block_io.weight = (struct oci_opt_u32){true, (uint32_t)weight.v};
		out->res.block_io = &out->block_io;
	}
	if (rc == 0) {
		rc = opt_u64("cpu-burst", o->cpu_burst, &out->cpu.burst, err);
	}
	return rc < 0 ? rc : opt_u64("cpu-share", o->cpu_share, &out->cpu.shares, err);
}

/* Engines write 0 for what they leave alone. */
static void drop_zeros(struct oci_resources *res)
{
	if (res->memory) {
		res->memory->limit.set &= res->memory->limit.v != 0;
		res->memory->reservation.set &= res->memory->reservation.v != 0;
		res->memory->swap.set &= res->memory->swap.v != 0;
	}
	if (res->cpu) {
		res->cpu->quota.set &= res->cpu->quota.v != 0;
		res->cpu->period.set &= res->cpu->period.v != 0;
		res->cpu->shares.set &= res->cpu->shares.v != 0;
		res->cpu->realtime_runtime.set &= res->cpu->realtime_runtime.v != 0;
		res->cpu->realtime_period.set &= res->cpu->realtime_period.v != 0;
	}
	if (res->pids) {
		res->pids->limit.set &= res->pids->limit.v != 0;
	}
}

static const char *unchangeable(const struct oci_resources *res)
{
	if (res->cpu && (res->cpu->realtime_runtime.set || res->cpu->realtime_period.set)) {
		return "cpu.realtimeRuntime and cpu.realtimePeriod";
	}
	return res->hugepage_limits.n > 0 ? "hugepageLimits" : res->rdma.n > 0 ? "rdma" : NULL;
}

static int check_memory(const struct oci_memory *m, uint64_t ram_bytes, struct vr_err *err)
{
	uint64_t usable = vmsize_usable(ram_bytes);

	if (m->limit.set && m->limit.v > 0 && (uint64_t)m->limit.v > usable) {
		return vr_err_set(err, EINVAL,
				  "update: memory limit %lld is more than the microVM has: at most "
				  "%llu; its size is fixed when the container is created",
				  (long long)m->limit.v, (unsigned long long)usable);
	}
	if (m->swap.set && m->swap.v > 0 && !(m->limit.set && m->limit.v > 0)) {
		return vr_err_set(err, EINVAL,
				  "update: unable to set swap limit without memory limit");
	}
	if (m->swap.set && m->swap.v > 0 && m->swap.v < m->limit.v) {
		return vr_err_set(err, EINVAL,
				  "update: memory and swap together (%lld) must not be less than "
				  "memory (%lld)",
				  (long long)m->swap.v, (long long)m->limit.v);
	}
	return 0;
}

int update_check(struct oci_resources *res, uint64_t ram_bytes, struct vr_err *err)
{
	const char *what;

	drop_zeros(res);
	what = unchangeable(res);
	if (what) {
		return vr_err_set(err, ENOTSUP, "update: %s can't change while a container lives",
				  what);
	}
	return res->memory ? check_memory(res->memory, ram_bytes, err) : 0;
}

/* Both live in one file: the half that wasn't asked for stays as it is. */
static void complete_cpu_time(const char *cgroup, struct sbx_cgroup_limits *limits)
{
	bool one = (limits->cpu_quota_us == 0) != (limits->cpu_period_us == 0);
	uint64_t period;
	int64_t quota;

	if (one && sbx_cgroup_cpu_max(cgroup, &quota, &period) == 0) {
		limits->cpu_quota_us = limits->cpu_quota_us != 0 ? limits->cpu_quota_us : quota;
		limits->cpu_period_us = limits->cpu_period_us != 0 ? limits->cpu_period_us : period;
	}
}

/* The host's memory limit belongs to the VM, whose size stays. */
static int update_host(const struct container *c, const struct oci_resources *res,
		       const struct cgroup_files *files, struct vr_err *err)
{
	struct sbx_cgroup_limits limits = {.files = files->v, .n_files = files->n};
	const struct oci_cpu none = {.cpus = NULL};
	const struct oci_cpu *cpu = res->cpu ? res->cpu : &none;

	if (!c->state.cgroup_path) {
		return 0;
	}
	limits.cpu_quota_us = cpu->quota.set ? VR_MAX(cpu->quota.v, (int64_t)SBX_CG_UNLIMITED) : 0;
	limits.cpu_period_us = cpu->period.set ? cpu->period.v : 0;
	complete_cpu_time(c->state.cgroup_path, &limits);
	limits.cpu_shares = cpu->shares.set ? cpu->shares.v : 0;
	limits.cpuset_cpus = cpu->cpus;
	limits.cpuset_mems = cpu->mems;
	return host_cgroup_set(c->state.cgroup_path, c->state.systemd_cgroup, &limits, err);
}

/* As runc says it. A guest without figures has nothing to compare with. */
static int check_usage(const struct container *c, const struct oci_memory *m, struct vr_err *err)
{
	vr_autofree void *memory = NULL;
	struct ap_stats stats;
	uint64_t current;
	int rc;

	if (!m || !m->check_before_update.set || !m->check_before_update.v || !m->limit.set ||
	    m->limit.v <= 0) {
		return 0;
	}
	if (container_noted(c) == OCI_PAUSED) {
		return vr_err_set(err, EBUSY, "update: a paused container can't tell what it uses");
	}
	rc = container_stats(c, &stats, &memory, err);
	if (rc < 0) {
		return rc;
	}
	current = stats.v[AP_STAT_MEM_CURRENT];
	if (current != AP_STAT_NONE && current > (uint64_t)m->limit.v) {
		return vr_err_set(
			err, EBUSY,
			"update: rejecting memory limit: unable to set memory limit to %lld "
			"(current usage: %llu, peak usage: %llu)",
			(long long)m->limit.v, (unsigned long long)current,
			(unsigned long long)stats.v[AP_STAT_MEM_PEAK]);
	}
	return 0;
}

static int vm_size(const struct oci_spec *spec, struct vmsize *out, struct vr_err *err)
{
	struct oci_settings settings;
	unsigned host_cpus;
	uint64_t host_ram;
	int rc = oci_settings_parse("config.json", &spec->annotations, &settings, err);

	vmsize_host(&host_cpus, &host_ram);
	return rc < 0 ? rc : vmsize_from_spec(spec, &settings, host_cpus, host_ram, out, err);
}

static int update(struct container *c, const struct oci_spec *spec, struct oci_resources *res,
		  struct cgroup_files *files, struct vr_err *err)
{
	struct ap_resources guest;
	struct vmsize size = {.ram_bytes = ML_RAM_MAX};
	int rc = 0;

	/* The size of another one's VM is that one's affair: what is above it is no limit. */
	if (!c->state.machine) {
		rc = vm_size(spec, &size, err);
	}
	if (rc == 0) {
		rc = update_check(res, size.ram_bytes, err);
	}
	if (rc < 0) {
		return rc;
	}
	rc = check_usage(c, res->memory, err);
	if (rc < 0) {
		return rc;
	}
	ap_resources_init(&guest);
	guest_plan_resources(res, &guest);
	rc = cgroup_files_host(res, files, err);
	if (rc < 0) {
		return vr_err_wrap(err, "update");
	}
	rc = container_update(c, &guest, err);
	return rc < 0 ? rc : update_host(c, res, files, err);
}

int update_run(struct container *c, struct oci_resources *res, struct vr_err *err)
{
	struct cgroup_files files = {.n = 0};
	struct oci_spec *spec = NULL;
	int rc;

	switch (oci_state_status(&c->state)) {
	case OCI_CREATED:
	case OCI_RUNNING:
	case OCI_PAUSED: /* the guest hears of it when it goes on */
		break;
	default:
		return vr_err_set(err, ESRCH, "container not running");
	}
	rc = oci_spec_load(c->dir.fd, OCI_CONFIG_FILE, &spec, err);
	if (rc == 0) {
		rc = update(c, spec, res, &files, err);
	}
	cgroup_files_finish(&files);
	oci_spec_free(spec);
	return rc;
}
