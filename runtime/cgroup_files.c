/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup_files.c - limits of config.json that are lines of cgroup files; see cgroup_files.h */
#include "cgroup_files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define WHERE "linux.resources"

static bool has_prefix(const char *key, const char *const *prefixes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strncmp(key, prefixes[i], strlen(prefixes[i])) == 0) {
			return true;
		}
	}
	return false;
}

bool cgroup_key_in_guest(const char *key)
{
	static const char *const prefixes[] = {"cgroup.", "cpu.", "hugetlb.", "memory.", "pids."};

	return has_prefix(key, prefixes, VR_ARRAY_SIZE(prefixes));
}

static bool key_on_host(const char *key)
{
	static const char *const prefixes[] = {"cpu.", "cpuset.", "io."};

	return has_prefix(key, prefixes, VR_ARRAY_SIZE(prefixes));
}

uint64_t cgroup_io_weight(uint32_t weight)
{
	weight = VR_MAX(weight, 10u);
	weight = VR_MIN(weight, 1000u);
	return 1 + (uint64_t)(weight - 10) * 9999 / 990;
}

static int too_many(struct vr_err *err)
{
	return vr_err_set(err, E2BIG, WHERE ": more than %u lines for cgroup files",
			  CGROUP_FILES_MAX);
}

static int add_file(struct cgroup_files *f, struct sbx_cgroup_file file, struct vr_err *err)
{
	if (f->n == CGROUP_FILES_MAX) {
		return too_many(err);
	}
	f->v[f->n++] = file;
	return 0;
}

static int add(struct cgroup_files *f, const char *name, const char *value, struct vr_err *err)
{
	return add_file(f, (struct sbx_cgroup_file){.name = name, .value = value}, err);
}

static int keep(struct cgroup_files *f, char **out, struct vr_err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static int keep(struct cgroup_files *f, char **out, struct vr_err *err, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (f->n_texts == CGROUP_TEXTS_MAX) {
		return too_many(err);
	}
	va_start(ap, fmt);
	n = vasprintf(out, fmt, ap);
	va_end(ap);
	if (n < 0) {
		*out = NULL;
		return vr_err_set(err, ENOMEM, WHERE ": out of memory");
	}
	f->texts[f->n_texts++] = *out;
	return 0;
}

static int throttles(const struct oci_throttle_devices *v, const char *key, struct cgroup_files *f,
		     struct vr_err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < v->n; i++) {
		const struct oci_throttle_device *d = &v->v[i];
		char *line;

		/* version 1 knew 0 as "no limit" */
		rc = d->rate == 0 ? keep(f, &line, err, "%" PRId64 ":%" PRId64 " %s=max", d->major,
					 d->minor, key)
				  : keep(f, &line, err, "%" PRId64 ":%" PRId64 " %s=%" PRIu64,
					 d->major, d->minor, key, d->rate);
		rc = rc < 0 ? rc : add(f, "io.max", line, err);
	}
	return rc;
}

/* BFQ, where there is one, has a weight of its own, on the scale of version 1. */
static int add_weight(struct cgroup_files *f, const char *disk, uint32_t weight, struct vr_err *err)
{
	char *bfq = NULL;
	char *other = NULL;
	int rc = keep(f, &bfq, err, "%s%u", disk, weight);

	rc = rc < 0 ? rc : keep(f, &other, err, "%s%" PRIu64, disk, cgroup_io_weight(weight));
	return rc < 0 ? rc
		      : add_file(f,
				 (struct sbx_cgroup_file){.name = "io.bfq.weight",
							  .value = bfq,
							  .or_name = "io.weight",
							  .or_value = other},
				 err);
}

static int weights(const struct oci_block_io *io, struct cgroup_files *f, struct vr_err *err)
{
	char disk[48];
	int rc = 0;

	if (io->weight.set && io->weight.v != 0) {
		rc = add_weight(f, "", io->weight.v, err);
	}
	for (size_t i = 0; rc == 0 && i < io->weight_device.n; i++) {
		const struct oci_weight_device *d = &io->weight_device.v[i];

		if (d->weight.set && d->weight.v != 0) {
			(void)snprintf(disk, sizeof(disk), "%" PRId64 ":%" PRId64 " ", d->major,
				       d->minor); /* always fits */
			rc = add_weight(f, disk, d->weight.v, err);
		}
	}
	return rc;
}

static int block_io(const struct oci_block_io *io, struct cgroup_files *f, struct vr_err *err)
{
	int rc = weights(io, f, err);

	if (rc == 0 && io->leaf_weight.set && io->leaf_weight.v != 0) {
		return vr_err_set(err, ENOTSUP,
				  WHERE ".blockIO.leafWeight: cgroup v2 has no such control");
	}
	rc = rc < 0 ? rc : throttles(&io->read_bps, "rbps", f, err);
	rc = rc < 0 ? rc : throttles(&io->write_bps, "wbps", f, err);
	rc = rc < 0 ? rc : throttles(&io->read_iops, "riops", f, err);
	return rc < 0 ? rc : throttles(&io->write_iops, "wiops", f, err);
}

static int cpu(const struct oci_cpu *c, struct cgroup_files *f, struct vr_err *err)
{
	char *number;
	int rc = 0;

	if ((c->realtime_runtime.set && c->realtime_runtime.v != 0) ||
	    (c->realtime_period.set && c->realtime_period.v != 0)) {
		return vr_err_set(err, ENOTSUP,
				  WHERE ".cpu.realtimeRuntime: cgroup v2 has no such control");
	}
	if (c->burst.set) {
		rc = keep(f, &number, err, "%" PRIu64, c->burst.v);
		rc = rc < 0 ? rc : add(f, "cpu.max.burst", number, err);
	}
	if (rc == 0 && c->idle.set) {
		rc = keep(f, &number, err, "%" PRId64, c->idle.v);
		rc = rc < 0 ? rc : add(f, "cpu.idle", number, err);
	}
	return rc;
}

int cgroup_files_host(const struct oci_resources *res, struct cgroup_files *out, struct vr_err *err)
{
	int rc = 0;

	out->n = out->n_texts = 0;
	if (!res) {
		return 0;
	}
	if (res->cpu) {
		rc = cpu(res->cpu, out, err);
	}
	if (rc == 0 && res->block_io) {
		rc = block_io(res->block_io, out, err);
	}
	for (size_t i = 0; rc == 0 && i < res->unified.n; i++) {
		if (key_on_host(res->unified.v[i].key)) {
			rc = add(out, res->unified.v[i].key, res->unified.v[i].value, err);
		}
	}
	return rc;
}

void cgroup_files_finish(struct cgroup_files *f)
{
	for (size_t i = 0; i < f->n_texts; i++) {
		free(f->texts[i]);
	}
	f->n = f->n_texts = 0;
}
