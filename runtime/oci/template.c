/* SPDX-License-Identifier: Apache-2.0 */
/* template.c - a config.json to start from, as `spec` writes it; see features.h */
#include "oci/features.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "oci/json.h"
#include "oci/state.h"

#define OPTIONS_MAX 8

struct mount_line {
	const char *destination;
	const char *type;
	const char *source;
	const char *options[OPTIONS_MAX];
};

static const struct mount_line mounts[] = {
	{"/proc", "proc", "proc", {NULL}},
	{"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
	{"/dev/pts",
	 "devpts",
	 "devpts",
	 {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
	{"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
	{"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
	{"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
	{"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}},
};

static const char *const caps[] = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
static const char *const cap_sets[] = {"bounding", "effective", "permitted"};
static const char *const env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"TERM=xterm",
};
static const char *const args[] = {"sh"};
static const char *const masked[] = {
	"/proc/acpi",	       "/proc/asound",	   "/proc/kcore",	"/proc/keys",
	"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
	"/sys/firmware",       "/proc/scsi",
};
static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					"/proc/sysrq-trigger"};
static const char *const namespaces[] = {"pid", "network", "ipc", "uts", "mount", "cgroup"};

static void gen_strings(struct json_gen *g, const char *key, const char *const *strings, size_t n)
{
	json_gen_key(g, key);
	json_gen_array_open(g);
	for (size_t i = 0; i < n; i++) {
		json_gen_str(g, strings[i]);
	}
	json_gen_array_close(g);
}

static void gen_process(struct json_gen *g)
{
	json_gen_key(g, "process");
	json_gen_object_open(g);
	json_gen_kv_bool(g, "terminal", true);
	json_gen_key(g, "user");
	json_gen_object_open(g);
	json_gen_kv_u64(g, "uid", 0);
	json_gen_kv_u64(g, "gid", 0);
	json_gen_object_close(g);
	gen_strings(g, "args", args, VR_ARRAY_SIZE(args));
	gen_strings(g, "env", env, VR_ARRAY_SIZE(env));
	json_gen_kv_str(g, "cwd", "/");
	json_gen_key(g, "capabilities");
	json_gen_object_open(g);
	for (size_t i = 0; i < VR_ARRAY_SIZE(cap_sets); i++) {
		gen_strings(g, cap_sets[i], caps, VR_ARRAY_SIZE(caps));
	}
	json_gen_object_close(g);
	json_gen_key(g, "rlimits");
	json_gen_array_open(g);
	json_gen_object_open(g);
	json_gen_kv_str(g, "type", "RLIMIT_NOFILE");
	json_gen_kv_u64(g, "hard", 1024);
	json_gen_kv_u64(g, "soft", 1024);
	json_gen_object_close(g);
	json_gen_array_close(g);
	json_gen_kv_bool(g, "noNewPrivileges", true);
	json_gen_object_close(g);
}

/* A devpts group that the user namespace does not map would be an error. */
static size_t count_options(const struct mount_line *m, bool rootless)
{
	size_t n = 0;

	while (n < OPTIONS_MAX && m->options[n]) {
		n++;
	}
	return rootless && n > 0 && strcmp(m->options[n - 1], "gid=5") == 0 ? n - 1 : n;
}

static void gen_mounts(struct json_gen *g, bool rootless)
{
	json_gen_key(g, "mounts");
	json_gen_array_open(g);
	for (size_t i = 0; i < VR_ARRAY_SIZE(mounts); i++) {
		const struct mount_line *m = &mounts[i];

		json_gen_object_open(g);
		json_gen_kv_str(g, "destination", m->destination);
		json_gen_kv_str(g, "type", m->type);
		json_gen_kv_str(g, "source", m->source);
		if (m->options[0]) {
			gen_strings(g, "options", m->options, count_options(m, rootless));
		}
		json_gen_object_close(g);
	}
	json_gen_array_close(g);
}

static void gen_id_map(struct json_gen *g, const char *key, uint64_t host_id)
{
	json_gen_key(g, key);
	json_gen_array_open(g);
	json_gen_object_open(g);
	json_gen_kv_u64(g, "containerID", 0);
	json_gen_kv_u64(g, "hostID", host_id);
	json_gen_kv_u64(g, "size", 1);
	json_gen_object_close(g);
	json_gen_array_close(g);
}

static void gen_namespace(struct json_gen *g, const char *type)
{
	json_gen_object_open(g);
	json_gen_kv_str(g, "type", type);
	json_gen_object_close(g);
}

static void gen_namespaces(struct json_gen *g, bool rootless)
{
	json_gen_key(g, "namespaces");
	json_gen_array_open(g);
	for (size_t i = 0; i < VR_ARRAY_SIZE(namespaces); i++) {
		if (!rootless || strcmp(namespaces[i], "network") != 0) {
			gen_namespace(g, namespaces[i]);
		}
	}
	if (rootless) {
		gen_namespace(g, "user");
	}
	json_gen_array_close(g);
}

static void gen_linux(struct json_gen *g, bool rootless)
{
	json_gen_key(g, "linux");
	json_gen_object_open(g);
	if (rootless) {
		gen_id_map(g, "uidMappings", geteuid());
		gen_id_map(g, "gidMappings", getegid());
	} else {
		json_gen_key(g, "resources");
		json_gen_object_open(g);
		json_gen_key(g, "devices");
		json_gen_array_open(g);
		json_gen_object_open(g);
		json_gen_kv_bool(g, "allow", false);
		json_gen_kv_str(g, "access", "rwm");
		json_gen_object_close(g);
		json_gen_array_close(g);
		json_gen_object_close(g);
	}
	gen_namespaces(g, rootless);
	gen_strings(g, "maskedPaths", masked, VR_ARRAY_SIZE(masked));
	gen_strings(g, "readonlyPaths", read_only, VR_ARRAY_SIZE(read_only));
	json_gen_object_close(g);
}

static void gen_template(struct json_gen *g, bool rootless)
{
	json_gen_object_open(g);
	json_gen_kv_str(g, "ociVersion", OCI_SPEC_VERSION);
	gen_process(g);
	json_gen_key(g, "root");
	json_gen_object_open(g);
	json_gen_kv_str(g, "path", "rootfs");
	json_gen_kv_bool(g, "readonly", true);
	json_gen_object_close(g);
	json_gen_kv_str(g, "hostname", "volt");
	gen_mounts(g, rootless);
	gen_linux(g, rootless);
	json_gen_object_close(g);
}

int oci_template_json(bool rootless, char **out_text, struct vr_err *err)
{
	struct json_gen *g = json_gen_create(true);
	const char *text = NULL;
	char *copy = NULL;

	if (g) {
		gen_template(g, rootless);
		text = json_gen_finish(g, NULL);
	}
	if (text) {
		copy = strdup(text);
	}
	json_gen_destroy(g);
	if (!copy) {
		return vr_err_set(err, ENOMEM, "spec: out of memory");
	}
	*out_text = copy;
	return 0;
}
