/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_update.c - `update`: change limits of a container */
#include <errno.h>
#include <fcntl.h>

#include "base/checked.h"
#include "base/log.h"
#include "cmd.h"
#include "container.h"
#include "update.h"

struct update_args {
	const char *id;
	const char *file;
	struct update_opts limits;
	const char *unchangeable; /* any of those that exist elsewhere */
};

static int parse(int argc, char **argv, struct update_args *a, struct vr_err *err)
{
	struct update_opts *l = &a->limits;
	const struct opt table[] = {
		{"resources", 'r', OPT_STRING, &a->file, "file with linux.resources; - is stdin"},
		{"memory", 0, OPT_STRING, &l->memory, "memory limit in bytes"},
		{"memory-reservation", 0, OPT_STRING, &l->memory_reservation, "soft memory limit"},
		{"memory-swap", 0, OPT_STRING, &l->memory_swap, "memory and swap together"},
		{"cpu-period", 0, OPT_STRING, &l->cpu_period, "CPU period in microseconds"},
		{"cpu-quota", 0, OPT_STRING, &l->cpu_quota, "CPU time a period in microseconds"},
		{"cpu-burst", 0, OPT_STRING, &l->cpu_burst, "CPU time beyond it in microseconds"},
		{"cpu-share", 0, OPT_STRING, &l->cpu_share, "CPU shares, relative to others"},
		{"cpu-idle", 0, OPT_STRING, &l->cpu_idle, "1: only when nobody else runs"},
		{"cpuset-cpus", 0, OPT_STRING, &l->cpuset_cpus, "CPUs of the host to run on"},
		{"cpuset-mems", 0, OPT_STRING, &l->cpuset_mems, "memory nodes of the host"},
		{"pids-limit", 0, OPT_STRING, &l->pids_limit, "processes and threads"},
		{"blkio-weight", 0, OPT_STRING, &l->blkio_weight, "block I/O, relative to others"},
		{"cpu-rt-period", 0, OPT_STRING, &a->unchangeable, "refused"},
		{"cpu-rt-runtime", 0, OPT_STRING, &a->unchangeable, "refused"},
		{"l3-cache-schema", 0, OPT_STRING, &a->unchangeable, "refused"},
		{"mem-bw-schema", 0, OPT_STRING, &a->unchangeable, "refused"},
		{"kernel-memory", 0, OPT_IGNORED_STRING, NULL, "accepted, has no effect"},
		{"kernel-memory-tcp", 0, OPT_IGNORED_STRING, NULL, "accepted, has no effect"},
	};
	char **operands;
	int rc = cmd_args("update", "ID", table, VR_ARRAY_SIZE(table), 1, 1, argc, argv, &operands,
			  err);

	if (rc != 0) {
		return rc;
	}
	if (a->unchangeable) {
		return vr_err_set(err, ENOTSUP,
				  "update: real-time CPU and resctrl can't "
				  "change while a container lives");
	}
	a->id = operands[0];
	return 0;
}

static int resources(const struct update_args *a, struct oci_resources_file **file,
		     struct update_res *own, struct oci_resources **out, struct vr_err *err)
{
	int rc;

	if (!a->file) {
		*out = &own->res;
		return update_from_options(&a->limits, own, err);
	}
	rc = oci_resources_load(AT_FDCWD, a->file, file, err);
	if (rc < 0) {
		return rc;
	}
	for (size_t i = 0; i < (*file)->warnings.n; i++) {
		vr_warn("%s", (*file)->warnings.v[i]);
	}
	*out = (*file)->resources;
	return 0;
}

int cmd_update(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	struct oci_resources_file *file = NULL;
	struct oci_resources *res = NULL;
	struct container c = CONTAINER_INIT;
	struct update_args a = {0};
	struct update_res own;
	int rc = parse(argc, argv, &a, err);

	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	rc = resources(&a, &file, &own, &res, err);
	if (rc == 0) {
		rc = container_open(g, a.id, true, &c, err);
	}
	if (rc == 0) {
		rc = update_run(&c, res, err);
	}
	container_close(&c);
	oci_resources_file_free(file);
	return rc;
}
