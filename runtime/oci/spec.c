/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec.c - config.json as a whole: load and free
 *
 * How this works: json.c makes a tree, the tables of spec_*.c turn it into
 * structs in the tree's arena, spec_check.c looks at the result. Freeing the
 * document frees everything.
 */
#include "oci/spec.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fdio.h"
#include "oci/json.h"
#include "oci/spec_check.h"
#include "oci/spec_internal.h"

static const struct oci_field root_fields[] = {
	OCI_F_STR(struct oci_root, path, "path", REQUIRED, HOST,
		  NOTE("served by the fs process; the shim's /")),
	OCI_F_BOOL(struct oci_root, readonly, "readonly", GUEST,
		   NOTE("mount points are made first, so the share itself is writable")),
};

static const struct oci_type root_type = OCI_TYPE(struct oci_root, root_fields, NULL);

static const struct oci_field hook_fields[] = {
	OCI_F_STR(struct oci_hook, path, "path", REQUIRED, BOTH),
	OCI_F_STRV(struct oci_hook, args, "args", BOTH),
	OCI_F_STRV(struct oci_hook, env, "env", BOTH),
	OCI_F_OPT_I64(struct oci_hook, timeout_s, "timeout", 1, INT32_MAX, BOTH),
};

static int hook_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	const struct oci_hook *h = obj;

	if (h->path[0] != '/') {
		return json_fail_member(l->err, j, "path", EINVAL, "must be an absolute path");
	}
	return 0;
}

static const struct oci_type hook_type = OCI_TYPE(struct oci_hook, hook_fields, hook_finish);

static const struct oci_field hooks_fields[] = {
	OCI_F_OBJV(struct oci_hooks, prestart, "prestart", hook_type, struct oci_hookv, HOST,
		   NOTE("in create, when the namespaces exist")),
	OCI_F_OBJV(struct oci_hooks, create_runtime, "createRuntime", hook_type, struct oci_hookv,
		   HOST, NOTE("in create, after prestart")),
	OCI_F_OBJV(struct oci_hooks, create_container, "createContainer", hook_type,
		   struct oci_hookv, HOST,
		   NOTE("in the shim's network and UTS namespaces, in the runtime's mount "
			"namespace")),
	OCI_F_OBJV(struct oci_hooks, start_container, "startContainer", hook_type, struct oci_hookv,
		   GUEST),
	OCI_F_OBJV(struct oci_hooks, poststart, "poststart", hook_type, struct oci_hookv, HOST,
		   NOTE("in start; a failure ends the container")),
	OCI_F_OBJV(struct oci_hooks, poststop, "poststop", hook_type, struct oci_hookv, HOST,
		   NOTE("in delete; failures are logged")),
};

const struct oci_type oci_hooks_type = OCI_TYPE(struct oci_hooks, hooks_fields, NULL);

static const struct oci_field vm_kernel_fields[] = {
	OCI_F_STR(struct oci_vm_kernel, path, "path", REQUIRED, HOST),
	OCI_F_STRV(struct oci_vm_kernel, parameters, "parameters", GUEST),
	OCI_F_STR(struct oci_vm_kernel, initrd, "initrd", HOST),
};

static int vm_kernel_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	struct oci_vm_kernel *k = obj;

	if (k->initrd && k->initrd[0] == '\0') {
		k->initrd = NULL;
	}
	if (k->path[0] != '/') {
		return json_fail_member(l->err, j, "path", EINVAL, "must be an absolute path");
	}
	if (k->initrd && k->initrd[0] != '/') {
		return json_fail_member(l->err, j, "initrd", EINVAL, "must be an absolute path");
	}
	return 0;
}

static const struct oci_type vm_kernel_type =
	OCI_TYPE(struct oci_vm_kernel, vm_kernel_fields, vm_kernel_finish);

#define NO_PASSTHROUGH "hardware is not passed through this way"

static const struct oci_field vm_hw_fields[] = {
	OCI_F_OPT_U32(struct oci_vm_hw, vcpus, "vcpus", UINT32_MAX, HOST,
		      NOTE("number of virtual CPUs")),
	OCI_F_OPT_U64(struct oci_vm_hw, memory, "memory", UINT64_MAX, HOST,
		      NOTE("bytes of guest RAM")),
	OCI_F_ANY_ARR("dtdevs", REFUSED(NO_PASSTHROUGH)),
	OCI_F_ANY_ARR("iomems", REFUSED(NO_PASSTHROUGH)),
	OCI_F_ANY_ARR("irqs", REFUSED(NO_PASSTHROUGH)),
};

static const struct oci_type vm_hw_type = OCI_TYPE(struct oci_vm_hw, vm_hw_fields, NULL);

static const struct oci_field vm_fields[] = {
	OCI_F_ANY("hypervisor", REFUSED("this runtime is the hypervisor")),
	OCI_F_OBJ(struct oci_vm, kernel, "kernel", vm_kernel_type, struct oci_vm_kernel,
		  REFUSED("only the kernel that comes with the runtime is booted")),
	OCI_F_ANY("image", REFUSED("the root is root.path")),
	OCI_F_OBJ(struct oci_vm, hw, "hwConfig", vm_hw_type, struct oci_vm_hw, HOST),
};

const struct oci_type oci_vm_type = OCI_TYPE(struct oci_vm, vm_fields, NULL);

static const struct oci_field spec_fields[] = {
	OCI_F_STR(struct oci_spec, oci_version, "ociVersion", REQUIRED, HOST),
	OCI_F_OBJ(struct oci_spec, process, "process", oci_process_type, struct oci_process, BOTH,
		  NOTE("without it a container can be created, but not started")),
	OCI_F_OBJ(struct oci_spec, root, "root", root_type, struct oci_root, REQUIRED, BOTH),
	OCI_F_STR(struct oci_spec, hostname, "hostname", BOTH,
		  NOTE("set by the agent, and by the shim in its own UTS namespace")),
	OCI_F_STR(struct oci_spec, domainname, "domainname", GUEST),
	OCI_F_OBJV(struct oci_spec, mounts, "mounts", oci_mount_type, struct oci_mounts, BOTH),
	OCI_F_OBJ(struct oci_spec, hooks, "hooks", oci_hooks_type, struct oci_hooks, BOTH),
	OCI_F_KVS(struct oci_spec, annotations, "annotations", HOST,
		  NOTE("kept in the state, so at most 1 MiB; dev.volt.* are settings")),
	OCI_F_OBJ(struct oci_spec, linux_, "linux", oci_linux_type, struct oci_linux, BOTH),
	OCI_F_OBJ(struct oci_spec, vm, "vm", oci_vm_type, struct oci_vm, HOST),
	OCI_F_ANY("windows", IGNORED("another platform")),
	OCI_F_ANY("solaris", IGNORED("another platform")),
	OCI_F_ANY("zos", IGNORED("another platform")),
	OCI_F_ANY("freebsd", IGNORED("another platform")),
};

static int spec_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	struct oci_spec *spec = obj;

	if (!spec->linux_) {
		spec->linux_ = oci_arena_alloc(l->arena, 1, sizeof(*spec->linux_));
		if (!spec->linux_) {
			return oci_no_memory(l);
		}
	}
	return oci_spec_check(l, j, spec);
}

const struct oci_type oci_spec_type = OCI_TYPE(struct oci_spec, spec_fields, spec_finish);

/* Loads the root object of @doc as @type into a new struct of the document's arena. */
static int load_root(struct json_doc *doc, const struct oci_type *type, void **out_obj,
		     struct oci_strv *out_warnings, struct vr_err *err)
{
	struct oci_loader l = {.arena = json_doc_arena(doc), .err = err};
	void *obj = oci_arena_alloc(l.arena, 1, type->size);
	int r;

	if (!obj) {
		(void)oci_no_memory(&l); /* for its words; clang-tidy can't see what it returns */
		return -ENOMEM;
	}
	r = oci_schema_load(&l, type, json_doc_root(doc), obj);
	if (r < 0) {
		return r;
	}
	*out_obj = obj;
	*out_warnings = l.warnings;
	return 0;
}

static int spec_from_doc(struct json_doc *doc, struct oci_spec **out_spec, struct vr_err *err)
{
	struct oci_strv warnings = {0};
	struct oci_spec *spec;
	void *obj = NULL;
	int r = load_root(doc, &oci_spec_type, &obj, &warnings, err);

	if (r < 0) {
		json_doc_free(doc);
		return r;
	}
	spec = obj;
	spec->name = json_doc_name(doc);
	spec->warnings = warnings;
	spec->doc = doc;
	*out_spec = spec;
	return 0;
}

int oci_spec_load(int dirfd, const char *path, struct oci_spec **out_spec, struct vr_err *err)
{
	struct json_doc *doc = NULL;
	int r = json_parse_file(dirfd, path, &doc, err);

	return r < 0 ? r : spec_from_doc(doc, out_spec, err);
}

int oci_spec_parse(const char *name, const char *text, size_t len, struct oci_spec **out_spec,
		   struct vr_err *err)
{
	struct json_doc *doc = NULL;
	int r = json_parse(name, text, len, &doc, err);

	return r < 0 ? r : spec_from_doc(doc, out_spec, err);
}

void oci_spec_free(struct oci_spec *spec)
{
	if (spec) {
		json_doc_free(spec->doc); /* and with it *spec */
	}
}

static int process_from_doc(struct json_doc *doc, struct oci_process_file **out_file,
			    struct vr_err *err)
{
	struct oci_process_file *file;
	struct oci_strv warnings = {0};
	void *obj = NULL;
	int r = load_root(doc, &oci_process_type, &obj, &warnings, err);

	if (r < 0) {
		json_doc_free(doc);
		return r;
	}
	file = oci_arena_alloc(json_doc_arena(doc), 1, sizeof(*file));
	if (!file) {
		json_doc_free(doc);
		return vr_err_set(err, ENOMEM, "process file: out of memory");
	}
	*file = (struct oci_process_file){.process = obj, .warnings = warnings, .doc = doc};
	*out_file = file;
	return 0;
}

int oci_process_load(int dirfd, const char *path, struct oci_process_file **out_file,
		     struct vr_err *err)
{
	struct json_doc *doc = NULL;
	int r = json_parse_file(dirfd, path, &doc, err);

	return r < 0 ? r : process_from_doc(doc, out_file, err);
}

int oci_process_parse(const char *name, const char *text, size_t len,
		      struct oci_process_file **out_file, struct vr_err *err)
{
	struct json_doc *doc = NULL;
	int r = json_parse(name, text, len, &doc, err);

	return r < 0 ? r : process_from_doc(doc, out_file, err);
}

void oci_process_file_free(struct oci_process_file *file)
{
	if (file) {
		json_doc_free(file->doc); /* and with it *file */
	}
}

static int resources_from_doc(struct json_doc *doc, struct oci_resources_file **out_file,
			      struct vr_err *err)
{
	struct oci_resources_file *file;
	struct oci_strv warnings = {0};
	void *obj = NULL;
	int r = load_root(doc, &oci_resources_type, &obj, &warnings, err);

	if (r < 0) {
		json_doc_free(doc);
		return r;
	}
	file = oci_arena_alloc(json_doc_arena(doc), 1, sizeof(*file));
	if (!file) {
		json_doc_free(doc);
		return vr_err_set(err, ENOMEM, "resources file: out of memory");
	}
	*file = (struct oci_resources_file){.resources = obj, .warnings = warnings, .doc = doc};
	*out_file = file;
	return 0;
}

static int read_stdin(struct json_doc **out_doc, struct vr_err *err)
{
	vr_autofree char *text = NULL;
	size_t len = 0;
	int r = vr_read_fd(STDIN_FILENO, JSON_TEXT_MAX, &text, &len);

	if (r < 0) {
		return vr_err_sys(err, r, "read resources from standard input");
	}
	return json_parse("standard input", text, len, out_doc, err);
}

int oci_resources_load(int dirfd, const char *path, struct oci_resources_file **out_file,
		       struct vr_err *err)
{
	struct json_doc *doc = NULL;
	int r;

	if (strcmp(path, "-") == 0) {
		r = read_stdin(&doc, err);
	} else {
		r = json_parse_file(dirfd, path, &doc, err);
	}
	return r < 0 ? r : resources_from_doc(doc, out_file, err);
}

int oci_resources_parse(const char *name, const char *text, size_t len,
			struct oci_resources_file **out_file, struct vr_err *err)
{
	struct json_doc *doc = NULL;
	int r = json_parse(name, text, len, &doc, err);

	return r < 0 ? r : resources_from_doc(doc, out_file, err);
}

void oci_resources_file_free(struct oci_resources_file *file)
{
	if (file) {
		json_doc_free(file->doc); /* and with it *file */
	}
}

const struct oci_namespace *oci_spec_ns(const struct oci_spec *spec, enum oci_ns_type type)
{
	for (size_t i = 0; i < spec->linux_->namespaces.n; i++) {
		if (spec->linux_->namespaces.v[i].type == type) {
			return &spec->linux_->namespaces.v[i];
		}
	}
	return NULL;
}

const char *oci_kvs_get(const struct oci_kvs *kvs, const char *key)
{
	for (size_t i = 0; i < kvs->n; i++) {
		if (strcmp(kvs->v[i].key, key) == 0) {
			return kvs->v[i].value;
		}
	}
	return NULL;
}
