/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.c - the state file and what it means; see state.h
 */
#include "oci/state.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "oci/json.h"
#include "oci/schema.h"

static const char *const status_names[] = {"creating", "created", "running", "paused", "stopped"};

_Static_assert(VR_ARRAY_SIZE(status_names) == OCI_STATUS_COUNT, "a name for each status");

static const struct oci_name status_values[] = {
	{"creating", OCI_CREATING}, {"created", OCI_CREATED}, {"running", OCI_RUNNING},
	{"paused", OCI_PAUSED},	    {"stopped", OCI_STOPPED}, {NULL, 0},
};

/** struct state_file - the file as it is on disk */
struct state_file {
	uint32_t version;
	int status;
	const char *id;
	const char *created;
	const char *owner;
	const char *boot_id;
	struct oci_state s;
};

static const struct oci_field proc_fields[] = {
	OCI_F_I32(struct oci_proc, pid, "pid", 0, INT32_MAX, REQUIRED),
	OCI_F_U64(struct oci_proc, start, "start", REQUIRED),
};

static const struct oci_type proc_type = OCI_TYPE(struct oci_proc, proc_fields, NULL);

static const struct oci_field state_fields[] = {
	OCI_F_U32(struct state_file, version, "version", UINT32_MAX, REQUIRED),
	OCI_F_ENUM(struct state_file, status, "status", status_values, "status", REQUIRED),
	OCI_F_STR(struct state_file, id, "id", REQUIRED),
	OCI_F_STR(struct state_file, created, "created", REQUIRED),
	OCI_F_STR(struct state_file, owner, "owner", REQUIRED),
	OCI_F_STR(struct state_file, boot_id, "bootId", REQUIRED),
	OCI_F_STR(struct state_file, s.bundle, "bundle", REQUIRED),
	OCI_F_STR(struct state_file, s.rootfs, "rootfs", .note = NULL),
	OCI_F_STR(struct state_file, s.machine, "machine", .note = NULL),
	OCI_F_KVS(struct state_file, s.annotations, "annotations", .note = NULL),
	OCI_F_INLINE(struct state_file, s.creator, "creator", proc_type, struct oci_proc, REQUIRED),
	OCI_F_INLINE(struct state_file, s.shim, "shim", proc_type, struct oci_proc, REQUIRED),
	OCI_F_INLINE(struct state_file, s.vmm, "vmm", proc_type, struct oci_proc, REQUIRED),
	OCI_F_INLINE(struct state_file, s.fs, "fs", proc_type, struct oci_proc, REQUIRED),
	OCI_F_INLINE(struct state_file, s.net, "net", proc_type, struct oci_proc, .note = NULL),
	OCI_F_BOOL(struct state_file, s.systemd_cgroup, "systemdCgroup", .note = NULL),
	OCI_F_STR(struct state_file, s.cgroup_path, "cgroupPath", .note = NULL),
	OCI_F_STR(struct state_file, s.cgroup_scope, "cgroupScope", .note = NULL),
	OCI_F_STR(struct state_file, s.reason, "reason", .note = NULL),
	OCI_F_OPT_I64(struct state_file, s.exit_status, "exitStatus", INT32_MIN, INT32_MAX,
		      .note = NULL),
	OCI_F_BOOL(struct state_file, s.terminal, "terminal", .note = NULL),
	OCI_F_BOOL(struct state_file, s.paused_created, "pausedCreated", .note = NULL),
};

static const struct oci_type state_type = OCI_TYPE(struct state_file, state_fields, NULL);

const char *oci_status_name(enum oci_status status)
{
	return status < OCI_STATUS_COUNT ? status_names[status] : "unknown";
}

int oci_proc_get(pid_t pid, struct oci_proc *out, struct vr_err *err)
{
	struct oci_proc p = {.pid = pid};
	int r = vr_proc_stat(pid, &p.start, NULL);

	if (r < 0) {
		return vr_err_sys(err, r, "look at process %ld", (long)pid);
	}
	*out = p;
	return 0;
}

static void owner_name(char *buf, size_t cap)
{
	const struct passwd *pw = getpwuid(geteuid());

	if (pw && pw->pw_name[0] != '\0') {
		(void)snprintf(buf, cap, "%s", pw->pw_name); /* a cut name is fine */
	} else {
		(void)snprintf(buf, cap, "%ld", (long)geteuid());
	}
}

int oci_state_init(struct oci_state *s, const char *id, struct vr_err *err)
{
	struct timespec now = {0};
	int r;

	memset(s, 0, sizeof(*s));
	s->status = OCI_CREATING;
	if (strlen(id) > OCI_ID_MAX) {
		return vr_err_set(err, EINVAL, "container id is too long");
	}
	memcpy(s->id, id, strlen(id) + 1);
	r = vr_boot_id(s->boot_id);
	if (r < 0) {
		return vr_err_sys(err, r, "read the boot id");
	}
	(void)clock_gettime(CLOCK_REALTIME, &now); /* can't fail for this clock */
	(void)vr_time_rfc3339(s->created, &now, true);
	owner_name(s->owner, sizeof(s->owner));
	return oci_proc_get(getpid(), &s->creator, err);
}

void oci_state_finish(struct oci_state *s)
{
	if (s) {
		json_doc_free(s->doc);
		memset(s, 0, sizeof(*s));
	}
}

bool oci_proc_alive(const struct oci_state *s, const struct oci_proc *p)
{
	char boot_id[VR_BOOT_ID_LEN + 1];

	if (p->pid <= 0) {
		return false;
	}
	if (vr_boot_id(boot_id) == 0 && strcmp(boot_id, s->boot_id) != 0) {
		return false; /* another boot's processes: pid and start time may match by chance */
	}
	return vr_proc_alive(p->pid, p->start);
}

enum oci_status oci_state_status(const struct oci_state *s)
{
	if (s->status == OCI_CREATING) {
		return oci_proc_alive(s, &s->creator) ? OCI_CREATING : OCI_STOPPED;
	}
	return oci_proc_alive(s, &s->shim) ? s->status : OCI_STOPPED;
}

static void gen_proc(struct json_gen *g, const char *key, const struct oci_proc *p)
{
	json_gen_key(g, key);
	json_gen_object_open(g);
	json_gen_kv_i64(g, "pid", p->pid);
	json_gen_kv_u64(g, "start", p->start);
	json_gen_object_close(g);
}

static void gen_kvs(struct json_gen *g, const char *key, const struct oci_kvs *kvs)
{
	json_gen_key(g, key);
	json_gen_object_open(g);
	for (size_t i = 0; i < kvs->n; i++) {
		json_gen_kv_str(g, kvs->v[i].key, kvs->v[i].value);
	}
	json_gen_object_close(g);
}

static void gen_file(struct json_gen *g, const struct oci_state *s)
{
	json_gen_object_open(g);
	json_gen_kv_u64(g, "version", OCI_STATE_VERSION);
	json_gen_kv_str(g, "id", s->id);
	json_gen_kv_str(g, "status", oci_status_name(s->status));
	json_gen_kv_str(g, "bundle", s->bundle);
	json_gen_kv_str(g, "rootfs", s->rootfs);
	json_gen_kv_str(g, "machine", s->machine);
	json_gen_kv_str(g, "created", s->created);
	json_gen_kv_str(g, "owner", s->owner);
	json_gen_kv_str(g, "bootId", s->boot_id);
	gen_proc(g, "creator", &s->creator);
	gen_proc(g, "shim", &s->shim);
	gen_proc(g, "vmm", &s->vmm);
	gen_proc(g, "fs", &s->fs);
	gen_proc(g, "net", &s->net);
	json_gen_kv_bool(g, "systemdCgroup", s->systemd_cgroup);
	json_gen_kv_str(g, "cgroupPath", s->cgroup_path);
	json_gen_kv_str(g, "cgroupScope", s->cgroup_scope);
	json_gen_kv_str(g, "reason", s->reason);
	if (s->exit_status.set) {
		json_gen_kv_i64(g, "exitStatus", s->exit_status.v);
	}
	json_gen_kv_bool(g, "terminal", s->terminal);
	json_gen_kv_bool(g, "pausedCreated", s->paused_created);
	gen_kvs(g, "annotations", &s->annotations);
	json_gen_object_close(g);
}

int oci_state_write(const struct oci_container *c, const struct oci_state *s, struct vr_err *err)
{
	struct json_gen *g = json_gen_create(false);
	const char *text = NULL;
	size_t len = 0;
	int r;

	if (g) {
		gen_file(g, s);
		text = json_gen_finish(g, &len);
	}
	if (!text) {
		json_gen_destroy(g);
		return vr_err_set(err, EILSEQ, "state of '%s': can't be written as JSON", s->id);
	}
	r = vr_write_file_atomic(c->fd, OCI_STATE_FILE, text, len, 0600);
	json_gen_destroy(g);
	return r < 0 ? vr_err_sys(err, r, "write state of '%s'", s->id) : 0;
}

static int copy_text(char *dst, size_t cap, const char *src)
{
	size_t len = strlen(src);

	if (len >= cap) {
		return -EINVAL;
	}
	memcpy(dst, src, len + 1);
	return 0;
}

static int state_from_doc(const struct oci_container *c, struct json_doc *doc,
			  struct oci_state *out, struct vr_err *err)
{
	struct oci_loader l = {.arena = json_doc_arena(doc), .err = err};
	struct state_file f = {0};
	int r = oci_schema_load(&l, &state_type, json_doc_root(doc), &f);

	if (r < 0) {
		return r;
	}
	if (f.version != OCI_STATE_VERSION) {
		return vr_err_set(err, EPROTO, "state of '%s': version %u is not %u", c->id,
				  f.version, OCI_STATE_VERSION);
	}
	if (strcmp(f.id, c->id) != 0 ||
	    copy_text(f.s.created, sizeof(f.s.created), f.created) < 0 ||
	    copy_text(f.s.owner, sizeof(f.s.owner), f.owner) < 0 ||
	    copy_text(f.s.boot_id, sizeof(f.s.boot_id), f.boot_id) < 0) {
		return vr_err_set(err, EPROTO, "state of '%s': not what was written", c->id);
	}
	memcpy(f.s.id, c->id, sizeof(f.s.id));
	f.s.status = (enum oci_status)f.status;
	f.s.doc = doc;
	*out = f.s;
	return 0;
}

int oci_state_read(const struct oci_container *c, struct oci_state *out, struct vr_err *err)
{
	vr_autofree char *text = NULL;
	struct json_doc *doc;
	size_t len = 0;
	int r = vr_read_file(c->fd, OCI_STATE_FILE, JSON_TEXT_MAX, &text, &len);

	if (r == -ENOENT) {
		return vr_err_set(err, ENODATA,
				  "container '%s' has no state: its creation or removal was cut "
				  "short; delete it with --force",
				  c->id);
	}
	if (r < 0) {
		return vr_err_sys(err, r, "read state of '%s'", c->id);
	}
	r = json_parse(OCI_STATE_FILE, text, len, &doc, err);
	if (r < 0) {
		return vr_err_wrap(err, "state of '%s'", c->id);
	}
	r = state_from_doc(c, doc, out, err);
	if (r < 0) {
		json_doc_free(doc);
	}
	return r;
}

void oci_state_gen(struct json_gen *g, const struct oci_state *s, enum oci_status status)
{
	json_gen_object_open(g);
	json_gen_kv_str(g, "ociVersion", OCI_SPEC_VERSION);
	json_gen_kv_str(g, "id", s->id);
	json_gen_kv_i64(g, "pid", status == OCI_STOPPED ? 0 : s->shim.pid);
	json_gen_kv_str(g, "status", oci_status_name(status));
	json_gen_kv_str(g, "bundle", s->bundle);
	json_gen_kv_str(g, "rootfs", s->rootfs);
	json_gen_kv_str(g, "created", s->created);
	gen_kvs(g, "annotations", &s->annotations);
	json_gen_kv_str(g, "owner", s->owner);
	if (s->reason) {
		json_gen_kv_str(g, "dev.volt.reason", s->reason);
	}
	json_gen_object_close(g);
}

int oci_state_json(const struct oci_state *s, enum oci_status status, bool pretty, char **out_text,
		   size_t *out_len, struct vr_err *err)
{
	struct json_gen *g = json_gen_create(pretty);
	const char *text = NULL;
	char *copy = NULL;
	size_t len = 0;

	if (g) {
		oci_state_gen(g, s, status);
		text = json_gen_finish(g, &len);
	}
	if (text) {
		copy = strdup(text);
	}
	json_gen_destroy(g);
	if (!copy) {
		return vr_err_set(err, EILSEQ, "state of '%s': can't be written as JSON", s->id);
	}
	*out_text = copy;
	if (out_len) {
		*out_len = len;
	}
	return 0;
}
