/* SPDX-License-Identifier: Apache-2.0 */
/* spec_linux.c - the linux section of config.json, but for resources and seccomp */
#include "oci/spec_internal.h"

#include <errno.h>
#include <string.h>

#include "oci/names.h"
#include "oci/spec_check.h"

static const struct oci_field namespace_fields[] = {
	OCI_F_ENUM(struct oci_namespace, type, "type", oci_namespace_names, "namespace", REQUIRED,
		   BOTH),
	OCI_F_STR(
		struct oci_namespace, path, "path", HOST,
		NOTE("the shim joins network, ipc, uts and cgroup; of pid, mount and time only "
		     "the type is checked, the guest makes its own. The network of a "
		     "container that runs: in that one's VM, with those of its pid, ipc and uts")),
};

static int namespace_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	struct oci_namespace *ns = obj;

	if (ns->path && ns->path[0] == '\0') {
		ns->path = NULL; /* Go's way of saying "none" */
	}
	if (ns->path && ns->path[0] != '/') {
		return json_fail_member(l->err, j, "path", EINVAL, "must be an absolute path");
	}
	return 0;
}

static const struct oci_type namespace_type =
	OCI_TYPE(struct oci_namespace, namespace_fields, namespace_finish);

static const struct oci_field device_fields[] = {
	OCI_F_STR(struct oci_device, path, "path", REQUIRED, GUEST),
	OCI_F_STR(struct oci_device, type_name, "type", REQUIRED, GUEST,
		  NOTE("what stands for hardware of the host is left out")),
	OCI_F_I64(struct oci_device, major, "major", 0, UINT32_MAX, GUEST),
	OCI_F_I64(struct oci_device, minor, "minor", 0, UINT32_MAX, GUEST),
	OCI_F_OPT_U32(struct oci_device, file_mode, "fileMode", UINT32_MAX, GUEST),
	OCI_F_OPT_U32(struct oci_device, uid, "uid", UINT32_MAX, GUEST),
	OCI_F_OPT_U32(struct oci_device, gid, "gid", UINT32_MAX, GUEST),
};

static int device_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	struct oci_device *d = obj;
	bool numbered;

	if (strlen(d->type_name) != 1 || !strchr("bcup", d->type_name[0])) {
		return json_fail_member(l->err, j, "type", EINVAL,
					"must be b, c, u or p, not '%.20s'", d->type_name);
	}
	d->type = d->type_name[0] == 'u' ? 'c' : d->type_name[0];
	numbered = d->type != 'p';
	if (d->path[0] != '/') {
		return json_fail_member(l->err, j, "path", EINVAL, "must be an absolute path");
	}
	if (numbered && (!json_member(j, "major") || !json_member(j, "minor"))) {
		return json_fail_member(l->err, j, json_member(j, "major") ? "minor" : "major",
					EINVAL, "must be set for a device of type %s",
					d->type_name);
	}
	return 0;
}

static const struct oci_type device_type =
	OCI_TYPE(struct oci_device, device_fields, device_finish);

static const struct oci_field net_device_fields[] = {
	OCI_F_STR(struct oci_net_device, name, "name", HOST),
};

static const struct oci_type net_device_type =
	OCI_TYPE(struct oci_net_device, net_device_fields, NULL);

static const struct oci_field intel_rdt_fields[] = {
	OCI_F_STR(struct oci_intel_rdt, clos_id, "closID", HOST),
	OCI_F_STRV(struct oci_intel_rdt, schemata, "schemata", HOST),
	OCI_F_STR(struct oci_intel_rdt, l3_cache_schema, "l3CacheSchema", HOST),
	OCI_F_STR(struct oci_intel_rdt, mem_bw_schema, "memBwSchema", HOST),
	OCI_F_BOOL(struct oci_intel_rdt, enable_cmt, "enableCMT", HOST),
	OCI_F_BOOL(struct oci_intel_rdt, enable_mbm, "enableMBM", HOST),
	OCI_F_BOOL(struct oci_intel_rdt, enable_monitoring, "enableMonitoring", HOST),
};

static const struct oci_type intel_rdt_type =
	OCI_TYPE(struct oci_intel_rdt, intel_rdt_fields, NULL);

static const struct oci_field personality_fields[] = {
	OCI_F_ENUM(struct oci_personality, domain, "domain", oci_personality_names,
		   "personality domain", REQUIRED, GUEST),
	OCI_F_STRV(struct oci_personality, flags, "flags", REFUSED("none are defined")),
};

static const struct oci_type personality_type =
	OCI_TYPE(struct oci_personality, personality_fields, NULL);

static const struct oci_field time_offset_fields[] = {
	OCI_F_I64(struct oci_time_offset, secs, "secs", INT64_MIN, INT64_MAX, GUEST),
	OCI_F_U32(struct oci_time_offset, nanosecs, "nanosecs", 999999999, GUEST),
};

static int time_offset_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	const struct oci_time_offset *t = obj;

	if (strcmp(t->key, "monotonic") != 0 && strcmp(t->key, "boottime") != 0) {
		return json_fail(l->err, j, EINVAL, "unknown clock: must be monotonic or boottime");
	}
	return 0;
}

static const struct oci_type time_offset_type =
	OCI_TYPE(struct oci_time_offset, time_offset_fields, time_offset_finish);

static const struct oci_field memory_policy_fields[] = {
	OCI_F_ENUM(struct oci_memory_policy, mode, "mode", oci_mpol_names, "memory policy",
		   REQUIRED, HOST),
	OCI_F_STR(struct oci_memory_policy, nodes, "nodes", HOST),
	OCI_F_STRV(struct oci_memory_policy, flag_names, "flags", HOST),
};

static int memory_policy_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	struct oci_memory_policy *m = obj;
	int r = oci_check_cpulist(l->err, j, "nodes", m->nodes);

	return r < 0 ? r
		     : oci_names_to_mask(l, j, "flags", oci_mpol_flag_names, "memory policy flag",
					 &m->flags);
}

static const struct oci_type memory_policy_type =
	OCI_TYPE(struct oci_memory_policy, memory_policy_fields, memory_policy_finish);

static const struct oci_field linux_fields[] = {
	OCI_F_OBJV(struct oci_linux, namespaces, "namespaces", namespace_type,
		   struct oci_namespaces, BOTH,
		   NOTE("in the guest the container's, on the host its shim's")),
	OCI_F_OBJV(struct oci_linux, uid_mappings, "uidMappings", oci_idmap_type, struct oci_idmaps,
		   BOTH, NOTE("the files' owners on the host are the mapped ids")),
	OCI_F_OBJV(struct oci_linux, gid_mappings, "gidMappings", oci_idmap_type, struct oci_idmaps,
		   BOTH, NOTE("as uidMappings")),
	OCI_F_OBJMAP(struct oci_linux, time_offsets, "timeOffsets", time_offset_type,
		     struct oci_time_offsets, GUEST),
	OCI_F_OBJV(struct oci_linux, devices, "devices", device_type, struct oci_devices, GUEST),
	OCI_F_OBJMAP(struct oci_linux, net_devices, "netDevices", net_device_type,
		     struct oci_net_devices, HOST),
	OCI_F_STR(struct oci_linux, cgroups_path, "cgroupsPath", HOST,
		  NOTE("the cgroup of shim, vmm and fs")),
	OCI_F_OBJ(struct oci_linux, resources, "resources", oci_resources_type,
		  struct oci_resources, BOTH),
	OCI_F_OBJ(struct oci_linux, intel_rdt, "intelRdt", intel_rdt_type, struct oci_intel_rdt,
		  REFUSED("resctrl groups are not managed")),
	OCI_F_OBJ(struct oci_linux, memory_policy, "memoryPolicy", memory_policy_type,
		  struct oci_memory_policy, REFUSED("the machine has one memory node")),
	OCI_F_KVS(struct oci_linux, sysctl, "sysctl", GUEST,
		  NOTE("any name: the whole kernel is the container's")),
	OCI_F_OBJ(struct oci_linux, seccomp, "seccomp", oci_seccomp_type, struct oci_seccomp,
		  GUEST),
	OCI_F_STR(struct oci_linux, rootfs_propagation_name, "rootfsPropagation", GUEST),
	OCI_F_STRV(struct oci_linux, masked_paths, "maskedPaths", GUEST),
	OCI_F_STRV(struct oci_linux, readonly_paths, "readonlyPaths", GUEST),
	OCI_F_STR(struct oci_linux, mount_label, "mountLabel",
		  IGNORED("the guest has no SELinux; context= options are left out")),
	OCI_F_OBJ(struct oci_linux, personality, "personality", personality_type,
		  struct oci_personality, GUEST),
};

static int check_namespaces(struct oci_loader *l, const struct json *j,
			    const struct oci_namespaces *namespaces)
{
	unsigned int seen = 0;

	for (size_t i = 0; i < namespaces->n; i++) {
		enum oci_ns_type type = namespaces->v[i].type;

		if (seen & (1u << type)) {
			return json_fail(l->err, json_at(json_member(j, "namespaces"), i), EINVAL,
					 "the %s namespace is there twice",
					 oci_name_of(oci_namespace_names, (int)type));
		}
		seen |= 1u << type;
	}
	return 0;
}

static int check_sysctls(struct oci_loader *l, const struct json *j, const struct oci_kvs *sysctl)
{
	char path[256];

	for (size_t i = 0; i < sysctl->n; i++) {
		if (oci_sysctl_path(sysctl->v[i].key, path, sizeof(path)) < 0) {
			return json_fail_member(
				l->err, json_member(j, "sysctl"), sysctl->v[i].key, EINVAL,
				"is not the name of a sysctl: contains an invalid path");
		}
	}
	return 0;
}

static int check_propagation(struct oci_loader *l, const struct json *j, struct oci_linux *lx)
{
	const char *name = lx->rootfs_propagation_name;
	int value;

	if (!name || name[0] == '\0') {
		return 0;
	}
	value = oci_name_find(oci_propagation_names, name);
	if (value < 0) {
		return json_fail_member(l->err, j, "rootfsPropagation", EINVAL,
					"unknown propagation '%.40s'", name);
	}
	lx->rootfs_propagation = (unsigned long)value;
	return 0;
}

static int linux_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	struct oci_linux *lx = obj;
	int r;

	r = check_namespaces(l, j, &lx->namespaces);
	if (r < 0) {
		return r;
	}
	r = check_sysctls(l, j, &lx->sysctl);
	if (r < 0) {
		return r;
	}
	r = check_propagation(l, j, lx);
	if (r < 0) {
		return r;
	}
	r = oci_check_absolute_paths(l, j, "maskedPaths", &lx->masked_paths);
	return r < 0 ? r : oci_check_absolute_paths(l, j, "readonlyPaths", &lx->readonly_paths);
}

const struct oci_type oci_linux_type = OCI_TYPE(struct oci_linux, linux_fields, linux_finish);
