/* SPDX-License-Identifier: Apache-2.0 */
/* spec_resources.c - linux.resources of config.json, which is also the file of `update` */
#include "oci/spec_internal.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "oci/spec_check.h"

#define UNIFIED_MAX 64u /* what the guest agent takes */

#define V1_ONLY "no such control in cgroup v2"

static const struct oci_field device_rule_fields[] = {
	OCI_F_BOOL(struct oci_device_rule, allow, "allow", REQUIRED, BOTH),
	OCI_F_STR(struct oci_device_rule, type, "type", BOTH),
	OCI_F_OPT_I64(struct oci_device_rule, major, "major", -1, UINT32_MAX, BOTH),
	OCI_F_OPT_I64(struct oci_device_rule, minor, "minor", -1, UINT32_MAX, BOTH),
	OCI_F_STR(struct oci_device_rule, access, "access", BOTH),
};

static int device_rule_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	struct oci_device_rule *r = obj;

	if (r->type && r->type[0] == '\0') {
		r->type = NULL;
	}
	if (r->access && r->access[0] == '\0') {
		r->access = NULL;
	}
	if (r->type && strcmp(r->type, "a") != 0 && strcmp(r->type, "b") != 0 &&
	    strcmp(r->type, "c") != 0) {
		return json_fail_member(l->err, j, "type", EINVAL, "must be a, b or c, not '%.20s'",
					r->type);
	}
	if (r->access && r->access[strspn(r->access, "rwm")] != '\0') {
		return json_fail_member(l->err, j, "access", EINVAL,
					"must be made of r, w and m, not '%.20s'", r->access);
	}
	return 0;
}

static const struct oci_type device_rule_type =
	OCI_TYPE(struct oci_device_rule, device_rule_fields, device_rule_finish);

static const struct oci_field memory_fields[] = {
	OCI_F_OPT_I64(struct oci_memory, limit, "limit", -1, INT64_MAX, BOTH,
		      NOTE("sizes the machine; the host allows its overhead on top")),
	OCI_F_OPT_I64(struct oci_memory, reservation, "reservation", -1, INT64_MAX, GUEST),
	OCI_F_OPT_I64(struct oci_memory, swap, "swap", -1, INT64_MAX, GUEST,
		      NOTE("memory and swap together; the machine itself has no swap")),
	OCI_F_OPT_I64(struct oci_memory, kernel, "kernel", -1, INT64_MAX, IGNORED(V1_ONLY)),
	OCI_F_OPT_I64(struct oci_memory, kernel_tcp, "kernelTCP", -1, INT64_MAX, IGNORED(V1_ONLY)),
	OCI_F_OPT_U64(struct oci_memory, swappiness, "swappiness", 100, IGNORED(V1_ONLY)),
	OCI_F_OPT_BOOL(struct oci_memory, disable_oom_killer, "disableOOMKiller", IGNORED(V1_ONLY)),
	OCI_F_OPT_BOOL(struct oci_memory, use_hierarchy, "useHierarchy", IGNORED(V1_ONLY)),
	OCI_F_OPT_BOOL(struct oci_memory, check_before_update, "checkBeforeUpdate", HOST,
		       NOTE("by update")),
};

static int memory_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	const struct oci_memory *m = obj;

	if (m->swap.set && m->limit.set && m->swap.v > 0 && m->limit.v > m->swap.v) {
		return json_fail_member(
			l->err, j, "swap", EINVAL,
			"must not be less than the memory limit, which it includes");
	}
	return 0;
}

static const struct oci_type memory_type =
	OCI_TYPE(struct oci_memory, memory_fields, memory_finish);

static const struct oci_field cpu_fields[] = {
	OCI_F_OPT_U64(struct oci_cpu, shares, "shares", UINT64_MAX, BOTH),
	OCI_F_OPT_I64(struct oci_cpu, quota, "quota", INT64_MIN, INT64_MAX, BOTH,
		      NOTE("also gives the number of virtual CPUs")),
	OCI_F_OPT_U64(struct oci_cpu, burst, "burst", UINT64_MAX, GUEST),
	OCI_F_OPT_U64(struct oci_cpu, period, "period", UINT64_MAX, BOTH),
	OCI_F_OPT_I64(struct oci_cpu, realtime_runtime, "realtimeRuntime", INT64_MIN, INT64_MAX,
		      IGNORED(V1_ONLY)),
	OCI_F_OPT_U64(struct oci_cpu, realtime_period, "realtimePeriod", UINT64_MAX,
		      IGNORED(V1_ONLY)),
	OCI_F_STR(struct oci_cpu, cpus, "cpus", HOST,
		  NOTE("cpuset of the host's cgroup; also bounds the number of virtual CPUs")),
	OCI_F_STR(struct oci_cpu, mems, "mems", HOST, NOTE("cpuset of the host's cgroup")),
	OCI_F_OPT_I64(struct oci_cpu, idle, "idle", 0, 1, GUEST),
};

static int cpu_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	const struct oci_cpu *c = obj;
	int r = oci_check_cpulist(l->err, j, "cpus", c->cpus);

	return r < 0 ? r : oci_check_cpulist(l->err, j, "mems", c->mems);
}

static const struct oci_type cpu_type = OCI_TYPE(struct oci_cpu, cpu_fields, cpu_finish);

static const struct oci_field pids_fields[] = {
	OCI_F_OPT_I64(struct oci_pids, limit, "limit", INT64_MIN, INT64_MAX, GUEST,
		      NOTE("the host would count the machine's threads")),
};

static const struct oci_type pids_type = OCI_TYPE(struct oci_pids, pids_fields, NULL);

static const struct oci_field weight_device_fields[] = {
	OCI_F_I64(struct oci_weight_device, major, "major", 0, UINT32_MAX, REQUIRED, HOST),
	OCI_F_I64(struct oci_weight_device, minor, "minor", 0, UINT32_MAX, REQUIRED, HOST),
	OCI_F_OPT_U32(struct oci_weight_device, weight, "weight", UINT16_MAX, HOST),
	OCI_F_OPT_U32(struct oci_weight_device, leaf_weight, "leafWeight", UINT16_MAX, HOST,
		      NOTE("cgroup v1 only")),
};

static const struct oci_type weight_device_type =
	OCI_TYPE(struct oci_weight_device, weight_device_fields, NULL);

static const struct oci_field throttle_device_fields[] = {
	OCI_F_I64(struct oci_throttle_device, major, "major", 0, UINT32_MAX, REQUIRED, HOST),
	OCI_F_I64(struct oci_throttle_device, minor, "minor", 0, UINT32_MAX, REQUIRED, HOST),
	OCI_F_U64(struct oci_throttle_device, rate, "rate", REQUIRED, HOST),
};

static const struct oci_type throttle_device_type =
	OCI_TYPE(struct oci_throttle_device, throttle_device_fields, NULL);

static const struct oci_field block_io_fields[] = {
	OCI_F_OPT_U32(struct oci_block_io, weight, "weight", UINT16_MAX, HOST),
	OCI_F_OPT_U32(struct oci_block_io, leaf_weight, "leafWeight", UINT16_MAX, HOST,
		      NOTE("cgroup v1 only")),
	OCI_F_OBJV(struct oci_block_io, weight_device, "weightDevice", weight_device_type,
		   struct oci_weight_devices, HOST),
	OCI_F_OBJV(struct oci_block_io, read_bps, "throttleReadBpsDevice", throttle_device_type,
		   struct oci_throttle_devices, HOST),
	OCI_F_OBJV(struct oci_block_io, write_bps, "throttleWriteBpsDevice", throttle_device_type,
		   struct oci_throttle_devices, HOST),
	OCI_F_OBJV(struct oci_block_io, read_iops, "throttleReadIOPSDevice", throttle_device_type,
		   struct oci_throttle_devices, HOST),
	OCI_F_OBJV(struct oci_block_io, write_iops, "throttleWriteIOPSDevice", throttle_device_type,
		   struct oci_throttle_devices, HOST),
};

static const struct oci_type block_io_type = OCI_TYPE(struct oci_block_io, block_io_fields, NULL);

static const struct oci_field hugepage_fields[] = {
	OCI_F_STR(struct oci_hugepage_limit, page_size, "pageSize", REQUIRED, HOST),
	OCI_F_U64(struct oci_hugepage_limit, limit, "limit", REQUIRED, HOST),
};

/* "64KB", "2MB", "1GB": becomes part of a file name in the cgroup. */
static bool is_page_size(const char *s)
{
	size_t digits = strspn(s, "0123456789");

	return digits > 0 && digits < 8 && s[0] != '0' && strchr("KMG", s[digits]) &&
	       s[digits] != '\0' && strcmp(s + digits + 1, "B") == 0;
}

static int hugepage_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	const struct oci_hugepage_limit *h = obj;

	if (!is_page_size(h->page_size)) {
		return json_fail_member(l->err, j, "pageSize", EINVAL,
					"must look like 64KB, 2MB or 1GB, not '%.40s'",
					h->page_size);
	}
	return 0;
}

static const struct oci_type hugepage_type =
	OCI_TYPE(struct oci_hugepage_limit, hugepage_fields, hugepage_finish);

static const struct oci_field if_priority_fields[] = {
	OCI_F_STR(struct oci_if_priority, name, "name", REQUIRED, IGNORED(V1_ONLY)),
	OCI_F_U32(struct oci_if_priority, priority, "priority", UINT32_MAX, REQUIRED,
		  IGNORED(V1_ONLY)),
};

static const struct oci_type if_priority_type =
	OCI_TYPE(struct oci_if_priority, if_priority_fields, NULL);

static const struct oci_field network_fields[] = {
	OCI_F_OPT_U32(struct oci_network, class_id, "classID", UINT32_MAX, IGNORED(V1_ONLY)),
	OCI_F_OBJV(struct oci_network, priorities, "priorities", if_priority_type,
		   struct oci_if_priorities, IGNORED(V1_ONLY)),
};

static const struct oci_type network_type = OCI_TYPE(struct oci_network, network_fields, NULL);

static const struct oci_field rdma_fields[] = {
	OCI_F_OPT_U32(struct oci_rdma, hca_handles, "hcaHandles", UINT32_MAX,
		      IGNORED("the machine has no RDMA device")),
	OCI_F_OPT_U32(struct oci_rdma, hca_objects, "hcaObjects", UINT32_MAX,
		      IGNORED("the machine has no RDMA device")),
};

static const struct oci_type rdma_type = OCI_TYPE(struct oci_rdma, rdma_fields, NULL);

static const struct oci_field resources_fields[] = {
	OCI_F_OBJV(struct oci_resources, devices, "devices", device_rule_type,
		   struct oci_device_rules, HOST,
		   NOTE("which block devices of the host become disks, and how; nodes of the guest "
			"open nothing of the host's and need no rule")),
	OCI_F_OBJ(struct oci_resources, memory, "memory", memory_type, struct oci_memory, BOTH),
	OCI_F_OBJ(struct oci_resources, cpu, "cpu", cpu_type, struct oci_cpu, BOTH),
	OCI_F_OBJ(struct oci_resources, pids, "pids", pids_type, struct oci_pids, GUEST),
	OCI_F_OBJ(struct oci_resources, block_io, "blockIO", block_io_type, struct oci_block_io,
		  BOTH, NOTE("limits on the host, the weight in the guest, too")),
	OCI_F_OBJV(struct oci_resources, hugepage_limits, "hugepageLimits", hugepage_type,
		   struct oci_hugepage_limits, IGNORED("the guest has no pool of huge pages")),
	OCI_F_OBJ(struct oci_resources, network, "network", network_type, struct oci_network,
		  IGNORED(V1_ONLY)),
	OCI_F_OBJMAP(struct oci_resources, rdma, "rdma", rdma_type, struct oci_rdmas,
		     IGNORED("the machine has no RDMA device")),
	OCI_F_KVS(struct oci_resources, unified, "unified", BOTH,
		  NOTE("memory, pids, hugetlb and cgroup in the guest, cpuset and io on the host, "
		       "cpu "
		       "in both")),
};

/* Whoever asks for another would get no limit at all. */
static bool is_known_controller(const char *key)
{
	static const char *const names[] = {"cgroup.", "cpu.",	  "cpuset.", "hugetlb.",
					    "io.",     "memory.", "pids."};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(key, names[i], strlen(names[i])) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_unified_key(const char *key)
{
	const char *dot = strchr(key, '.');

	if (!isalpha((unsigned char)key[0]) || !dot || dot[1] == '\0') {
		return false;
	}
	for (const char *p = key; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p)) {
			return false;
		}
	}
	return true;
}

static int resources_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	const struct oci_resources *r = obj;
	const struct json *unified = json_member(j, "unified");

	if (r->unified.n > UNIFIED_MAX) {
		return json_fail_member(l->err, j, "unified", E2BIG, "more than %u files",
					UNIFIED_MAX);
	}

	for (size_t i = 0; i < r->unified.n; i++) {
		if (!is_unified_key(r->unified.v[i].key)) {
			return json_fail_member(l->err, unified, r->unified.v[i].key, EINVAL,
						"must be the name of a cgroup file: the specified "
						"key has not the form CONTROLLER.VALUE `%s`",
						r->unified.v[i].key);
		}
		if (!is_known_controller(r->unified.v[i].key)) {
			return json_fail_member(
				l->err, unified, r->unified.v[i].key, EINVAL,
				"can't be set: controller \"%.*s\" not available "
				"(the requested cgroup controller `%.*s` is not available)",
				(int)strcspn(r->unified.v[i].key, "."), r->unified.v[i].key,
				(int)strcspn(r->unified.v[i].key, "."), r->unified.v[i].key);
		}
	}
	return 0;
}

const struct oci_type oci_resources_type =
	OCI_TYPE(struct oci_resources, resources_fields, resources_finish);
