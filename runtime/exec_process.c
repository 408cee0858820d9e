/* SPDX-License-Identifier: Apache-2.0 */
/* exec_process.c - which process an `exec` means; see exec_process.h */
#include "exec_process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "guest_plan.h"
#include "oci/json.h"
#include "oci/names.h"
#include "oci/spec_check.h"
#include "oci/state.h"
#include "seccomp_profile.h"

static int out_of_memory(struct vr_err *err)
{
	return vr_err_set(err, ENOMEM, "exec: out of memory");
}

static int number(const char *what, const char *text, size_t len, uint32_t *out, struct vr_err *err)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' || v > UINT32_MAX) {
			v = UINT64_MAX;
			break;
		}
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	if (len == 0 || v >= UINT32_MAX) { /* all ones is no id */
		return vr_err_set(err, EINVAL, "exec: option '--%s': '%.*s' is not a number", what,
				  (int)len, text);
	}
	*out = (uint32_t)v;
	return 0;
}

static int merge_user(struct oci_process *proc, const char *user, struct vr_err *err)
{
	const char *colon = strchr(user, ':');
	size_t len = colon ? (size_t)(colon - user) : strlen(user);
	int rc = number("user", user, len, &proc->user.uid, err);

	if (rc == 0 && colon) {
		rc = number("user", colon + 1, strlen(colon + 1), &proc->user.gid, err);
	}
	return rc;
}

/* A name given again replaces the earlier value: programs would see the first one. */
static void env_put(struct oci_strv *env, const char *entry)
{
	size_t len = strcspn(entry, "=");

	for (size_t i = 0; i < env->n; i++) {
		if (strncmp(env->v[i], entry, len) == 0 &&
		    (env->v[i][len] == '=' || env->v[i][len] == '\0')) {
			env->v[i] = entry;
			return;
		}
	}
	env->v[env->n++] = entry;
}

static int merge_env(struct oci_process *proc, struct oci_arena *arena, const struct opt_list *add,
		     struct vr_err *err)
{
	struct oci_strv env = {
		.v = oci_arena_alloc(arena, proc->env.n + add->n + 1, sizeof(*env.v))};

	if (!env.v) {
		return out_of_memory(err);
	}
	for (size_t i = 0; i < proc->env.n; i++) {
		env_put(&env, proc->env.v[i]);
	}
	for (size_t i = 0; i < add->n; i++) {
		if (add->v[i][0] == '\0' || add->v[i][0] == '=') {
			return vr_err_set(err, EINVAL, "exec: option '--env': '%s' has no name",
					  add->v[i]);
		}
		env_put(&env, add->v[i]);
	}
	env.v[env.n] = NULL;
	proc->env = env;
	return 0;
}

static int merge_gids(struct oci_process *proc, struct oci_arena *arena, const struct opt_list *add,
		      struct vr_err *err)
{
	struct oci_u32v *have = &proc->user.additional_gids;
	uint32_t *v = oci_arena_alloc(arena, have->n + add->n + 1, sizeof(*v));
	int rc = 0;

	if (!v) {
		return out_of_memory(err);
	}
	if (have->n > 0) {
		memcpy(v, have->v, have->n * sizeof(*v));
	}
	for (size_t i = 0; rc == 0 && i < add->n; i++) {
		rc = number("additional-gids", add->v[i], strlen(add->v[i]), &v[have->n + i], err);
	}
	*have = (struct oci_u32v){.v = v, .n = have->n + add->n};
	return rc;
}

/* As runc: ambient only where the configuration has inheritable ones. */
static int merge_caps(struct oci_process *proc, struct oci_arena *arena, const struct opt_list *add,
		      struct vr_err *err)
{
	struct oci_caps *caps;
	int cap;

	if (add->n == 0) {
		return 0;
	}
	caps = oci_arena_alloc(arena, 1, sizeof(*caps));
	if (!caps) {
		return out_of_memory(err);
	}
	*caps = proc->caps ? *proc->caps : (struct oci_caps){0};
	for (size_t i = 0; i < add->n; i++) {
		cap = oci_cap_find(add->v[i]);
		if (cap < 0) {
			vr_warn("exec: option '--cap': unknown capability '%s' ignored", add->v[i]);
			continue;
		}
		caps->mask[OCI_CAPS_BOUNDING] |= 1ull << cap;
		caps->mask[OCI_CAPS_EFFECTIVE] |= 1ull << cap;
		caps->mask[OCI_CAPS_PERMITTED] |= 1ull << cap;
		if (caps->mask[OCI_CAPS_INHERITABLE] != 0) {
			caps->mask[OCI_CAPS_INHERITABLE] |= 1ull << cap;
			caps->mask[OCI_CAPS_AMBIENT] |= 1ull << cap;
		}
	}
	proc->caps = caps;
	return 0;
}

int exec_process_merge(struct oci_process *proc, struct json_doc *doc, const struct exec_opts *o,
		       struct vr_err *err)
{
	struct oci_arena *arena = json_doc_arena(doc);
	int rc = 0;

	proc->args.v = oci_arena_alloc(arena, o->n_args + 1, sizeof(*proc->args.v));
	if (!proc->args.v) {
		return out_of_memory(err);
	}
	memcpy(proc->args.v, o->args, o->n_args * sizeof(*proc->args.v));
	proc->args.v[o->n_args] = NULL;
	proc->args.n = o->n_args;
	proc->terminal = o->tty;
	proc->no_new_privileges = proc->no_new_privileges || o->no_new_privs;
	if (o->cwd && o->cwd[0] != '/') {
		return vr_err_set(err, EINVAL, "exec: option '--cwd': '%s' is not absolute",
				  o->cwd);
	}
	proc->cwd = o->cwd ? o->cwd : proc->cwd;
	if (o->user) {
		rc = merge_user(proc, o->user, err);
	}
	if (rc == 0) {
		rc = merge_env(proc, arena, &o->env, err);
	}
	if (rc == 0) {
		rc = merge_gids(proc, arena, &o->gids, err);
	}
	return rc < 0 ? rc : merge_caps(proc, arena, &o->caps, err);
}

static int choose(const struct exec_opts *o, struct exec_process *p, struct oci_process **out,
		  struct vr_err *err)
{
	int rc;

	if (o->process_file) {
		rc = oci_process_load(AT_FDCWD, o->process_file, &p->file, err);
		if (rc < 0) {
			return rc;
		}
		for (size_t i = 0; i < p->file->warnings.n; i++) {
			vr_warn("%s", p->file->warnings.v[i]);
		}
		*out = p->file->process;
		/* Older conmons give the option as well. */
		p->file->process->terminal = p->file->process->terminal || o->tty;
		return 0;
	}
	if (o->n_args == 0) {
		return vr_err_set(err, EINVAL,
				  "exec: missing arguments: neither a command nor "
				  "--process is given");
	}
	if (!p->spec->process) {
		return vr_err_set(err, EINVAL,
				  "exec: the container's configuration has no process to start "
				  "from; use --process");
	}
	*out = p->spec->process;
	return exec_process_merge(p->spec->process, p->spec->doc, o, err);
}

/* The numbers are those of virtual CPUs; one that doesn't exist is the guest's to refuse. */
static int affinity(const char *key, const char *list, uint64_t *out, struct vr_err *err)
{
	int n = oci_cpulist_parse(list, out, 1);

	if (n < 0) {
		return vr_err_set(
			err, EINVAL,
			"exec: process.execCPUAffinity.%s: '%s' names a CPU that no microVM "
			"has",
			key, list);
	}
	return 0;
}

int exec_process_affinity(const struct oci_process *proc, struct ap_process *out,
			  struct vr_err *err)
{
	const struct oci_exec_affinity *a = proc->exec_affinity;
	int rc;

	if (!a) {
		return 0;
	}
	rc = affinity("initial", a->initial, &out->cpus_initial, err);
	return rc < 0 ? rc : affinity("final", a->final, &out->cpus_final, err);
}

/* The guest opens it beneath the container's; this is for a clear word. */
static int sub_cgroup(const char *wanted, struct ap_process *out, struct vr_err *err)
{
	const char *path = wanted ? strrchr(wanted, ':') : NULL;

	path = path ? path + 1 : wanted;
	if (!path) {
		return 0;
	}
	path += strspn(path, "/");
	for (const char *at = path; *at; at += strcspn(at, "/"), at += strspn(at, "/")) {
		if (strcspn(at, "/") == 2 && at[0] == '.' && at[1] == '.') {
			return vr_err_set(err, EINVAL,
					  "exec: option '--cgroup': bad sub cgroup path: %s",
					  wanted);
		}
	}
	out->cgroup = path;
	return 0;
}

int exec_process_load(int dirfd, const struct exec_opts *o, struct exec_process *out,
		      struct vr_err *err)
{
	const struct oci_linux *l;
	struct oci_process *proc = NULL;
	const char *profile;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = oci_spec_load(dirfd, OCI_CONFIG_FILE, &out->spec, err);
	if (rc == 0) {
		rc = choose(o, out, &proc, err);
	}
	if (rc < 0 || !proc) { /* choose() fails without a process */
		return rc;
	}
	rc = guest_plan_process(proc, &out->plan, err);
	if (rc == 0) {
		rc = exec_process_affinity(proc, &out->plan, err);
	}
	if (rc < 0) {
		return rc;
	}
	rc = sub_cgroup(o->cgroup, &out->plan, err);
	if (rc < 0) {
		return rc;
	}
	profile = o->apparmor ? o->apparmor : proc->apparmor_profile;
	out->apparmor = profile ? strdup(profile) : NULL;
	if (profile && !out->apparmor) {
		return out_of_memory(err);
	}
	l = out->spec->linux_;
	if (l->personality) {
		out->plan.flags |= AP_P_HAS_PERSONALITY;
		out->plan.personality = l->personality->domain;
	}
	if (l->seccomp) { /* the container's rules are for all that runs in it */
		out->plan.flags |= AP_P_HAS_SECCOMP;
		out->plan.seccomp_flags = l->seccomp->flags;
		rc = seccomp_profile_compile(l->seccomp, &out->seccomp, &out->plan.n_seccomp, err);
		out->plan.seccomp = out->seccomp;
	}
	return rc;
}

void exec_process_finish(struct exec_process *p)
{
	free(p->apparmor);
	free(p->seccomp);
	oci_process_file_free(p->file);
	oci_spec_free(p->spec);
	memset(p, 0, sizeof(*p));
}
