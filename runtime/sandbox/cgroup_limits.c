/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup_limits.c - limits as the files of version 1 and 2 want them; see cgroup.h */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "sandbox/cgroup_internal.h"

#define DEFAULT_PERIOD_US 100000u
#define NUMBER_MAX	  24 /* digits of an int64_t, sign, NUL */

#define SHARES_MIN 2u
#define SHARES_MAX 262144u
#define WEIGHT_MIN 1u
#define WEIGHT_MAX 10000u

uint64_t sbx_cgroup_weight(uint64_t shares)
{
	shares = VR_MAX(shares, (uint64_t)SHARES_MIN);
	shares = VR_MIN(shares, (uint64_t)SHARES_MAX);
	/* linear, as the OCI runtimes agreed on */
	return WEIGHT_MIN +
	       (shares - SHARES_MIN) * (WEIGHT_MAX - WEIGHT_MIN) / (SHARES_MAX - SHARES_MIN);
}

bool cg_limits_need(const struct sbx_cgroup_limits *l, const char *name)
{
	if (!l) {
		return false;
	}
	for (size_t i = 0; i < l->n_files; i++) {
		if (strncmp(l->files[i].name, name, strlen(name)) == 0 &&
		    l->files[i].name[strlen(name)] == '.') {
			return true;
		}
	}
	if (strcmp(name, "memory") == 0) {
		return l->memory_max != 0 || l->memory_swap != 0 || l->memory_low != 0;
	}
	if (strcmp(name, "cpu") == 0) {
		return l->cpu_quota_us != 0 || l->cpu_period_us != 0 || l->cpu_shares != 0;
	}
	if (strcmp(name, "pids") == 0) {
		return l->pids_max != 0;
	}
	if (strcmp(name, "cpuset") == 0) {
		return l->cpuset_cpus || l->cpuset_mems;
	}
	return false;
}

static int put(int dir, const char *file, const char *value, struct vr_err *err)
{
	int ret = cg_write(dir, file, value);

	return ret < 0 ? vr_err_sys(err, ret, "cgroup: set %s to '%s'", file, value) : 0;
}

/* Version 2 says "max" where version 1 says -1. */
static void number(char out[NUMBER_MAX], int64_t value, const char *unlimited)
{
	if (value < 0) {
		(void)snprintf(out, NUMBER_MAX, "%s", unlimited); /* "max" or "-1" */
	} else {
		(void)snprintf(out, NUMBER_MAX, "%" PRId64, value); /* always fits */
	}
}

static int put_number(int dir, const char *file, int64_t value, const char *unlimited,
		      struct vr_err *err)
{
	char text[NUMBER_MAX];

	if (value == 0) {
		return 0;
	}
	number(text, value, unlimited);
	return put(dir, file, text, err);
}

static int put_text(int dir, const char *file, const char *value, struct vr_err *err)
{
	return value && *value != '\0' ? put(dir, file, value, err) : 0;
}

static int check(const struct sbx_cgroup_limits *l, struct vr_err *err)
{
	if (l->memory_swap > 0 && l->memory_max > 0 && l->memory_swap < l->memory_max) {
		return vr_err_set(err, EINVAL,
				  "memory and swap together (%" PRId64
				  ") must not be less than memory (%" PRId64 ")",
				  l->memory_swap, l->memory_max);
	}
	return 0;
}

static int swap_v2(int dir, const struct sbx_cgroup_limits *l, struct vr_err *err)
{
	char text[NUMBER_MAX];
	int ret;

	if (l->memory_swap == 0 || (l->memory_swap > 0 && l->memory_max <= 0)) {
		return 0; /* "memory and swap" says nothing about swap without a memory limit */
	}
	number(text, l->memory_swap < 0 ? -1 : l->memory_swap - l->memory_max, "max");
	ret = cg_write(dir, "memory.swap.max", text);
	if (ret == -ENOENT) {
		return 0; /* a kernel without swap accounting has nothing to limit */
	}
	return ret < 0 ? vr_err_sys(err, ret, "cgroup: set memory.swap.max to '%s'", text) : 0;
}

static int cpu_v2(int dir, const struct sbx_cgroup_limits *l, struct vr_err *err)
{
	uint64_t period = l->cpu_period_us != 0 ? l->cpu_period_us : DEFAULT_PERIOD_US;
	char text[2 * NUMBER_MAX];
	char quota[NUMBER_MAX];
	int ret = 0;

	if (l->cpu_quota_us != 0 || l->cpu_period_us != 0) {
		number(quota, l->cpu_quota_us == 0 ? -1 : l->cpu_quota_us, "max");
		(void)snprintf(text, sizeof(text), "%s %" PRIu64, quota, period); /* fits */
		ret = put(dir, "cpu.max", text, err);
	}
	if (ret == 0 && l->cpu_shares != 0) {
		ret = put_number(dir, "cpu.weight", (int64_t)sbx_cgroup_weight(l->cpu_shares), "",
				 err);
	}
	return ret;
}

/* A line at a time, as the kernel takes them. */
static int put_lines(int dir, const char *name, const char *value, struct vr_err *err)
{
	vr_autofree char *copy = strdup(value);
	char *save;
	int ret = 0;

	if (!copy) {
		return vr_err_set(err, ENOMEM, "cgroup: set %s: out of memory", name);
	}
	for (char *line = strtok_r(copy, "\n", &save); line && ret == 0;
	     line = strtok_r(NULL, "\n", &save)) {
		ret = put(dir, name, line, err);
	}
	return ret;
}

static int put_file(int dir, const struct sbx_cgroup_file *f, struct vr_err *err)
{
	bool missing = faccessat(dir, f->name, F_OK, 0) < 0 && errno == ENOENT;

	if (missing && f->or_name) {
		return put_lines(dir, f->or_name, f->or_value, err);
	}
	if (missing && strcmp(f->value, "0") == 0) {
		return 0; /* nothing is asked of what this kernel can't do */
	}
	return put_lines(dir, f->name, f->value, err);
}

static int files_v2(int dir, const struct sbx_cgroup_limits *l, struct vr_err *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < l->n_files; i++) {
		if (strchr(l->files[i].name, '/')) {
			return vr_err_set(err, EINVAL, "cgroup: '%s' is not the name of a file",
					  l->files[i].name);
		}
		ret = put_file(dir, &l->files[i], err);
	}
	return ret;
}

int cg_limits_write_v2(int dir, const struct sbx_cgroup_limits *l, struct vr_err *err)
{
	int ret = check(l, err);

	if (ret == 0) {
		ret = put_number(dir, "memory.max", l->memory_max, "max", err);
	}
	if (ret == 0) {
		ret = swap_v2(dir, l, err);
	}
	if (ret == 0) {
		ret = put_number(dir, "memory.low", l->memory_low, "max", err);
	}
	if (ret == 0) {
		ret = cpu_v2(dir, l, err);
	}
	if (ret == 0) {
		ret = put_number(dir, "pids.max", l->pids_max, "max", err);
	}
	if (ret == 0) {
		ret = put_text(dir, "cpuset.cpus", l->cpuset_cpus, err);
	}
	if (ret == 0) {
		ret = put_text(dir, "cpuset.mems", l->cpuset_mems, err);
	}
	return ret < 0 ? ret : files_v2(dir, l, err);
}

static int swap_v1(int dir, const struct sbx_cgroup_limits *l)
{
	char text[NUMBER_MAX];
	int ret;

	if (l->memory_swap == 0) {
		return 0;
	}
	number(text, l->memory_swap, "-1");
	ret = cg_write(dir, "memory.memsw.limit_in_bytes", text);
	return ret == -ENOENT ? 0 : ret; /* no swap accounting: nothing to limit */
}

/*
 * Memory and swap together may at no moment be less than memory alone (EINVAL). So
 * memory goes first when shrinking, which a new cgroup always does, and last when
 * growing.
 */
static int memory_v1(int dir, const struct sbx_cgroup_limits *l, struct vr_err *err)
{
	char text[NUMBER_MAX];
	int ret = 0;

	number(text, l->memory_max, "-1");
	if (l->memory_max != 0) {
		ret = cg_write(dir, "memory.limit_in_bytes", text);
	}
	if (ret == -EINVAL && swap_v1(dir, l) == 0) {
		ret = cg_write(dir, "memory.limit_in_bytes", text);
	}
	if (ret < 0) {
		return vr_err_sys(err, ret, "cgroup: set memory.limit_in_bytes to '%s'", text);
	}
	ret = swap_v1(dir, l);
	if (ret < 0) {
		return vr_err_sys(err, ret, "cgroup: set memory.memsw.limit_in_bytes");
	}
	return put_number(dir, "memory.soft_limit_in_bytes", l->memory_low, "-1", err);
}

static int cpu_v1(int dir, const struct sbx_cgroup_limits *l, struct vr_err *err)
{
	int ret = put_number(dir, "cpu.cfs_period_us", (int64_t)l->cpu_period_us, "", err);

	if (ret == 0) {
		ret = put_number(dir, "cpu.cfs_quota_us", l->cpu_quota_us, "-1", err);
	}
	if (ret == 0) {
		ret = put_number(dir, "cpu.shares", (int64_t)l->cpu_shares, "", err);
	}
	return ret;
}

int cg_limits_write_v1(const struct cg_hierarchy *h, int dir, const struct sbx_cgroup_limits *l,
		       struct vr_err *err)
{
	int ret = check(l, err);

	if (ret == 0 && l->n_files > 0) {
		return vr_err_set(err, ENOTSUP, "cgroup: %s needs cgroup version 2",
				  l->files[0].name);
	}
	if (ret == 0 && cg_has_controller(h, "memory")) {
		ret = memory_v1(dir, l, err);
	}
	if (ret == 0 && cg_has_controller(h, "cpu")) {
		ret = cpu_v1(dir, l, err);
	}
	if (ret == 0 && cg_has_controller(h, "pids")) {
		ret = put_number(dir, "pids.max", l->pids_max, "max", err);
	}
	if (ret == 0 && cg_has_controller(h, "cpuset")) {
		ret = put_text(dir, "cpuset.cpus", l->cpuset_cpus, err);
		if (ret == 0) {
			ret = put_text(dir, "cpuset.mems", l->cpuset_mems, err);
		}
	}
	return ret;
}
