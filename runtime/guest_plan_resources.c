/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_plan_resources.c - limits as cgroup v2 of the guest knows them
 *
 * config.json speaks the language of cgroup v1 in places; the conversions are
 * those of the runtime-spec's users (crun, runc).
 */
#include "guest_plan_internal.h"

#include "base/checked.h"
#include "cgroup_files.h"

/* -1 and below mean no limit. */
static int64_t limit(const struct oci_opt_i64 *v)
{
	if (!v->set) {
		return AP_UNSET;
	}
	return v->v < 0 ? AP_NO_LIMIT : v->v;
}

static void memory(const struct oci_memory *m, struct ap_resources *out)
{
	/* A limit of 0 is what engines write for "none". */
	out->memory_max = m->limit.set && m->limit.v == 0 ? AP_UNSET : limit(&m->limit);
	out->memory_low = limit(&m->reservation);
	if (m->swap.set && m->swap.v < 0) {
		out->memory_swap_max = AP_NO_LIMIT;
	} else if (m->swap.set && m->limit.set && m->limit.v > 0 && m->swap.v >= m->limit.v) {
		out->memory_swap_max = m->swap.v - m->limit.v; /* v1 counts both together */
	}
}

static void cpu(const struct oci_cpu *c, struct ap_resources *out)
{
	uint64_t shares;

	if (c->quota.set) {
		out->cpu_quota_us = c->quota.v <= 0 ? AP_NO_LIMIT : c->quota.v;
	}
	if (c->period.set && c->period.v > 0) {
		out->cpu_period_us = (int64_t)c->period.v;
	}
	if (c->burst.set) {
		out->cpu_burst_us = (int64_t)c->burst.v;
	}
	if (c->idle.set) {
		out->cpu_idle = c->idle.v;
	}
	if (c->shares.set && c->shares.v > 0) {
		/* [2, 262144] -> [1, 10000] */
		shares = VR_MAX(c->shares.v, (uint64_t)2);
		shares = VR_MIN(shares, (uint64_t)262144);
		out->cpu_weight = (int64_t)(1 + (shares - 2) * 9999 / 262142);
	}
	/* cpus and mems name CPUs of the host; they decided the number of vCPUs. */
}

/* More than fit are refused with the file, see oci/spec_resources.c. */
static void unified(const struct oci_kvs *v, struct ap_resources *out)
{
	for (size_t i = 0; i < v->n && out->n_unified < AP_MAX_UNIFIED; i++) {
		if (cgroup_key_in_guest(v->v[i].key)) {
			out->unified[out->n_unified++] =
				(struct ap_kv){.key = v->v[i].key, .value = v->v[i].value};
		}
	}
}

void guest_plan_resources(const struct oci_resources *res, struct ap_resources *out)
{
	if (!res) {
		return;
	}
	if (res->memory) {
		memory(res->memory, out);
	}
	if (res->cpu) {
		cpu(res->cpu, out);
	}
	if (res->block_io && res->block_io->weight.set && res->block_io->weight.v != 0) {
		out->io_weight = (int64_t)cgroup_io_weight(res->block_io->weight.v);
	}
	unified(&res->unified, out);
	if (res->pids && res->pids->limit.set) {
		out->pids_max = res->pids->limit.v <= 0 ? AP_NO_LIMIT : res->pids->limit.v;
	}
}
