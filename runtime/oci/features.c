/* SPDX-License-Identifier: Apache-2.0 */
/*
 * features.c - what this runtime knows, as JSON; see features.h
 *
 * The lists are printed from the tables that the parser uses.
 */
#include "oci/features.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "oci/annotations.h"
#include "oci/json.h"
#include "oci/mount_options.h"
#include "oci/names.h"
#include "oci/spec_internal.h"
#include "oci/state.h"

#define LIST_MAX 128

static void gen_list(struct json_gen *g, const char *key, const char *const *names, size_t n)
{
	json_gen_key(g, key);
	json_gen_array_open(g);
	for (size_t i = 0; i < n; i++) {
		json_gen_str(g, names[i]);
	}
	json_gen_array_close(g);
}

static void gen_names(struct json_gen *g, const char *key, const struct oci_name *names,
		      const char *except)
{
	const char *list[LIST_MAX];
	size_t n = 0;

	for (; names->name && n < LIST_MAX; names++) {
		if (!except || strcmp(names->name, except) != 0) {
			list[n++] = names->name;
		}
	}
	gen_list(g, key, list, n);
}

static int by_name(const void *a, const void *b)
{
	const char *const *x = a;
	const char *const *y = b;

	return strcmp(*x, *y);
}

static void gen_mount_options(struct json_gen *g)
{
	const char *list[LIST_MAX];
	size_t n = 0;

	for (const struct oci_mount_flag *f = oci_mount_flags; f->name && n < LIST_MAX; f++) {
		list[n++] = f->name;
	}
	for (const struct oci_mount_attr *a = oci_mount_attrs; a->name && n < LIST_MAX; a++) {
		list[n++] = a->name;
	}
	for (const char *const *e = oci_mount_extras; *e && n < LIST_MAX; e++) {
		list[n++] = *e;
	}
	for (const struct oci_name *p = oci_propagation_names; p->name && n < LIST_MAX; p++) {
		list[n++] = p->name;
	}
	qsort(list, n, sizeof(list[0]), by_name);
	gen_list(g, "mountOptions", list, n);
}

/* {"<key>": {"enabled": ...}} */
static void gen_enabled(struct json_gen *g, const char *key, bool enabled)
{
	json_gen_key(g, key);
	json_gen_object_open(g);
	json_gen_kv_bool(g, "enabled", enabled);
	json_gen_object_close(g);
}

static void gen_seccomp(struct json_gen *g)
{
	json_gen_key(g, "seccomp");
	json_gen_object_open(g);
	json_gen_kv_bool(g, "enabled", true);
	gen_names(g, "actions", oci_action_names, "SCMP_ACT_NOTIFY");
	gen_names(g, "operators", oci_op_names, NULL);
	gen_names(g, "archs", oci_arch_names, NULL);
	gen_names(g, "knownFlags", oci_filter_flag_names, NULL);
	gen_names(g, "supportedFlags", oci_filter_flag_names, NULL);
	json_gen_object_close(g);
}

static void gen_cgroup(struct json_gen *g)
{
	json_gen_key(g, "cgroup");
	json_gen_object_open(g);
	json_gen_kv_bool(g, "v1", true);
	json_gen_kv_bool(g, "v2", true);
	json_gen_kv_bool(g, "systemd", true);
	json_gen_kv_bool(g, "systemdUser", true);
	json_gen_kv_bool(g, "rdma", false);
	json_gen_object_close(g);
}

static void gen_linux(struct json_gen *g)
{
	json_gen_key(g, "linux");
	json_gen_object_open(g);
	gen_names(g, "namespaces", oci_namespace_names, NULL);
	gen_names(g, "capabilities", oci_cap_names, NULL);
	gen_cgroup(g);
	gen_seccomp(g);
	gen_enabled(g, "apparmor", true);
	gen_enabled(g, "selinux", false);
	gen_enabled(g, "intelRdt", false);
	json_gen_key(g, "mountExtensions");
	json_gen_object_open(g);
	gen_enabled(g, "idmap", true);
	json_gen_object_close(g);
	gen_enabled(g, "netDevices", true);
	json_gen_object_close(g);
}

static void gen_features(struct json_gen *g, const char *version, const char *commit)
{
	static const char *const unsafe[] = {OCI_ANNOTATION_PREFIX};

	json_gen_object_open(g);
	json_gen_kv_str(g, "ociVersionMin", "1.0.0");
	json_gen_kv_str(g, "ociVersionMax", OCI_SPEC_VERSION);
	gen_names(g, "hooks", oci_hook_names, NULL);
	gen_mount_options(g);
	gen_linux(g);
	json_gen_key(g, "annotations");
	json_gen_object_open(g);
	json_gen_kv_str(g, "dev.volt.version", version);
	if (commit) {
		json_gen_kv_str(g, "dev.volt.commit", commit);
	}
	json_gen_kv_str(g, "org.opencontainers.runc.checkpoint.enabled", "false");
	json_gen_object_close(g);
	gen_list(g, "potentiallyUnsafeConfigAnnotations", unsafe, VR_ARRAY_SIZE(unsafe));
	json_gen_object_close(g);
}

int oci_features_json(const char *version, const char *commit, char **out_text, struct vr_err *err)
{
	struct json_gen *g = json_gen_create(true);
	const char *text = NULL;
	char *copy = NULL;

	if (g) {
		gen_features(g, version, commit);
		text = json_gen_finish(g, NULL);
	}
	if (text) {
		copy = strdup(text);
	}
	json_gen_destroy(g);
	if (!copy) {
		return vr_err_set(err, ENOMEM, "features: out of memory");
	}
	*out_text = copy;
	return 0;
}
