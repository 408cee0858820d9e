/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_plan.c - compile config.json into what the guest agent gets; see guest_plan.h
 *
 * Mounts are in guest_plan_mounts.c, limits in guest_plan_resources.c.
 */
#include "guest_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "disks.h"
#include "guest_plan_internal.h"
#include "oci/spec_check.h"
#include "seccomp_profile.h"

static struct ap_strv strv(const struct oci_strv *v)
{
	return (struct ap_strv){.count = (uint32_t)v->n, .vec = (const char *const *)v->v};
}

static int too_many(const char *what, size_t n, size_t max, struct vr_err *err)
{
	if (n <= max) {
		return 0;
	}
	return vr_err_set(err, E2BIG, "config.json: %s: %zu entries, at most %zu are possible",
			  what, n, max);
}

static void process_caps(const struct oci_caps *caps, struct ap_process *out)
{
	static const enum ap_capset to[OCI_CAPS_COUNT] = {
		[OCI_CAPS_BOUNDING] = AP_CAPS_BOUNDING,
		[OCI_CAPS_EFFECTIVE] = AP_CAPS_EFFECTIVE,
		[OCI_CAPS_INHERITABLE] = AP_CAPS_INHERITABLE,
		[OCI_CAPS_PERMITTED] = AP_CAPS_PERMITTED,
		[OCI_CAPS_AMBIENT] = AP_CAPS_AMBIENT,
	};

	/* A file without capabilities means none, as with runc. */
	out->flags |= AP_P_HAS_CAPS;
	for (int i = 0; caps && i < OCI_CAPS_COUNT; i++) {
		out->caps[to[i]] = caps->mask[i];
	}
}

static void process_scheduling(const struct oci_process *proc, struct ap_process *out)
{
	const struct oci_scheduler *s = proc->scheduler;

	if (s) {
		out->flags |= AP_P_HAS_SCHED;
		out->sched = (struct ap_sched){
			.policy = (uint32_t)s->policy,
			.flags = s->flags,
			.nice = s->nice,
			.priority = (uint32_t)s->priority,
			.runtime_ns = s->runtime_ns,
			.deadline_ns = s->deadline_ns,
			.period_ns = s->period_ns,
		};
	}
	if (proc->io_priority) {
		out->flags |= AP_P_HAS_IOPRIO;
		out->ioprio = (uint32_t)proc->io_priority->ioprio_class << 13 |
			      (uint32_t)proc->io_priority->priority;
	}
	if (proc->oom_score_adj.set) {
		out->flags |= AP_P_HAS_OOM;
		out->oom_score_adj = (int32_t)proc->oom_score_adj.v;
	}
}

/* crun's annotation, which podman's `--group-add keep-groups` sets: the caller's groups. */
static int own_groups(const struct oci_spec *spec, struct ap_process *out, struct vr_err *err)
{
	gid_t gids[AP_MAX_GIDS];
	int n;

	OCI_FOREACH(kv, &spec->annotations)
	{
		if (strcmp(kv->key, "run.oci.keep_original_groups") != 0 ||
		    strcmp(kv->value, "1") != 0) {
			continue;
		}
		n = getgroups(AP_MAX_GIDS, gids);
		if (n < 0) {
			return vr_err_sys(err, errno, "keep the caller's groups");
		}
		memcpy(out->gids, gids, (size_t)n * sizeof(gids[0]));
		out->n_gids = (uint32_t)n;
	}
	return 0;
}

static int process_ids(const struct oci_process *proc, struct ap_process *out, struct vr_err *err)
{
	const struct oci_user *u = &proc->user;
	int rc = too_many("process.user.additionalGids", u->additional_gids.n, AP_MAX_GIDS, err);

	if (rc < 0) {
		return rc;
	}
	out->uid = u->uid;
	out->gid = u->gid;
	out->n_gids = (uint32_t)u->additional_gids.n;
	for (size_t i = 0; i < u->additional_gids.n; i++) {
		out->gids[i] = u->additional_gids.v[i];
	}
	if (u->umask.set) {
		out->flags |= AP_P_HAS_UMASK;
		out->umask = u->umask.v & 0777; /* all that umask(2) looks at */
	}
	return 0;
}

int guest_plan_process(const struct oci_process *proc, struct ap_process *out, struct vr_err *err)
{
	int rc = process_ids(proc, out, err);

	if (rc == 0) {
		rc = too_many("process.rlimits", proc->rlimits.n, AP_MAX_RLIMITS, err);
	}
	if (rc < 0) {
		return rc;
	}
	out->args = strv(&proc->args);
	out->env = strv(&proc->env);
	out->cwd = proc->cwd;
	out->stdio = AP_STDIO_ALL;
	if (proc->terminal) {
		out->flags |= AP_P_TTY;
	}
	if (proc->no_new_privileges) {
		out->flags |= AP_P_NO_NEW_PRIVS;
	}
	process_caps(proc->caps, out);
	process_scheduling(proc, out);
	OCI_FOREACH(rl, &proc->rlimits)
	{
		out->rlimits[out->n_rlimits++] = (struct ap_rlimit){
			.resource = (uint32_t)rl->resource, .soft = rl->soft, .hard = rl->hard};
	}
	if (proc->console_size) {
		out->rows = (uint16_t)proc->console_size->height;
		out->cols = (uint16_t)proc->console_size->width;
	}
	return 0;
}

/*
 * Which namespaces the guest makes. The network is the VM's own. A path names
 * a namespace of the host: the guest can't enter it and gets a new one.
 */
static uint32_t namespaces(const struct oci_linux *l)
{
	static const uint32_t flag[OCI_NS_COUNT] = {
		[OCI_NS_PID] = AP_NS_PID,	[OCI_NS_MOUNT] = AP_NS_MOUNT,
		[OCI_NS_IPC] = AP_NS_IPC,	[OCI_NS_UTS] = AP_NS_UTS,
		[OCI_NS_CGROUP] = AP_NS_CGROUP, [OCI_NS_TIME] = AP_NS_TIME,
		[OCI_NS_USER] = AP_NS_USER,
	};
	uint32_t flags = AP_NS_MOUNT;

	OCI_FOREACH(ns, &l->namespaces)
	{
		flags |= flag[ns->type];
	}
	return flags;
}

/*
 * The guest's user namespace has the host's ids outside: what the container's root makes
 * reaches the file server under the id that it has to have on the host.
 */
static int idmaps(const struct oci_idmaps *from, const char *what, struct ap_idmap *to,
		  uint32_t *out_n, struct vr_err *err)
{
	int rc = too_many(what, from->n, AP_MAX_IDMAPS, err);

	OCI_FOREACH(m, from)
	{
		if (rc == 0) {
			to[(*out_n)++] = (struct ap_idmap){
				.inside = m->container_id, .outside = m->host_id, .count = m->size};
		}
	}
	return rc;
}

static int user_namespace(const struct oci_linux *l, struct ap_container *c, struct vr_err *err)
{
	int rc;

	if (!(c->namespaces & AP_NS_USER)) {
		return 0;
	}
	rc = idmaps(&l->uid_mappings, "linux.uidMappings", c->uidmaps, &c->n_uidmaps, err);
	return rc < 0 ? rc
		      : idmaps(&l->gid_mappings, "linux.gidMappings", c->gidmaps, &c->n_gidmaps,
			       err);
}

/* Nodes that mean the same in every kernel. What stands for hardware of the host does not exist here. */
static bool device_is_virtual(const struct oci_device *d)
{
	static const struct {
		int64_t major, minor;
	} table[] = {
		{1, 3},	   {1, 5}, {1, 7}, {1, 8}, {1, 9},
		{1, 11},   {5, 0}, {5, 1}, {5, 2}, {10, 200}, /* net/tun */
		{10, 229},				      /* fuse */
	};

	if (d->type == 'p') {
		return true;
	}
	for (size_t i = 0; d->type == 'c' && i < VR_ARRAY_SIZE(table); i++) {
		if (d->major == table[i].major && d->minor == table[i].minor) {
			return true;
		}
	}
	return false;
}

/* Return: 1 when it is one, with the numbers the agent knows it by; 0; or -E2BIG */
static int disk(const struct oci_linux *l, const struct oci_device *d, struct guest_plan *plan,
		struct ap_device *out, struct vr_err *err)
{
	bool ro = false;

	if (!disk_is_meant(l->resources, d, &ro)) {
		return 0;
	}
	if (plan->n_disks == VMM_DISKS_MAX) {
		return vr_err_set(err, E2BIG,
				  "config.json: linux.devices: '%s': more than %u block devices",
				  d->path, VMM_DISKS_MAX);
	}
	out->major = AP_DEV_DISK;
	out->minor = plan->n_disks;
	plan->disks[plan->n_disks++] = (struct guest_disk){.dev = d, .ro = ro};
	return 1;
}

static int devices(const struct oci_linux *l, struct guest_plan *plan, struct vr_err *err)
{
	struct ap_container *c = plan->container;

	OCI_FOREACH(d, &l->devices)
	{
		struct ap_device node = {.major = (uint32_t)d->major, .minor = (uint32_t)d->minor};
		int is_disk = disk(l, d, plan, &node, err);

		if (is_disk < 0) {
			return is_disk;
		}
		if (!is_disk && !device_is_virtual(d)) {
			vr_debug("config.json: linux.devices: '%s' is a device of the host, left "
				 "out",
				 d->path);
			continue;
		}
		if (c->n_devices == AP_MAX_DEVICES) {
			return too_many("linux.devices", l->devices.n, AP_MAX_DEVICES, err);
		}
		c->devices[c->n_devices++] = (struct ap_device){
			.path = d->path,
			.type = (uint32_t)d->type,
			.major = node.major,
			.minor = node.minor,
			.mode = d->file_mode.set ? d->file_mode.v & 07777 : 0666,
			.uid = d->uid.set ? d->uid.v : 0,
			.gid = d->gid.set ? d->gid.v : 0,
		};
	}
	return 0;
}

/* The agent gets paths: which of dots and slashes separate is decided in one place. */
static int sysctls(const struct oci_linux *l, struct guest_plan *plan, struct vr_err *err)
{
	struct ap_container *c = plan->container;
	int rc = too_many("linux.sysctl", l->sysctl.n, AP_MAX_SYSCTLS, err);
	char path[256];
	const char *key;

	for (size_t i = 0; rc == 0 && i < l->sysctl.n; i++) {
		const struct oci_kv *kv = &l->sysctl.v[i];

		if (oci_sysctl_path(kv->key, path, sizeof(path)) < 0) {
			return vr_err_set(err, EINVAL, "config.json: linux.sysctl: '%.100s'",
					  kv->key); /* was checked with the file */
		}
		key = guest_plan_keep(plan, strdup(path));
		if (!key) {
			return vr_err_set(err, ENOMEM, "config.json: linux.sysctl: out of memory");
		}
		c->sysctls[c->n_sysctls++] = (struct ap_kv){.key = key, .value = kv->value};
	}
	return rc;
}

static void time_offsets(const struct oci_linux *l, struct ap_container *c)
{
	OCI_FOREACH(t, &l->time_offsets)
	{
		c->flags |= AP_C_TIME_OFFSETS;
		if (strcmp(t->key, "monotonic") == 0) {
			c->monotonic_s = t->secs;
			c->monotonic_ns = t->nanosecs;
		} else {
			c->boottime_s = t->secs;
			c->boottime_ns = t->nanosecs;
		}
	}
}

static int hooks(const struct oci_spec *spec, struct ap_container *c, struct vr_err *err)
{
	const struct oci_hookv *v = spec->hooks ? &spec->hooks->start_container : NULL;
	int rc;

	if (!v) {
		return 0;
	}
	rc = too_many("hooks.startContainer", v->n, AP_MAX_HOOKS, err);
	if (rc < 0) {
		return rc;
	}
	OCI_FOREACH(h, v)
	{
		c->hooks[c->n_hooks++] = (struct ap_hook){
			.path = h->path,
			.args = strv(&h->args),
			.env = strv(&h->env),
			.timeout_s = h->timeout_s.set ? (uint32_t)h->timeout_s.v : 0,
		};
	}
	return 0;
}

static int process(const struct oci_spec *spec, struct guest_plan *plan, struct vr_err *err)
{
	struct ap_process *p = &plan->container->process;
	int rc;

	if (!spec->process) {
		return 0;
	}
	plan->container->flags |= AP_C_HAS_PROCESS;
	rc = guest_plan_process(spec->process, p, err);
	/* In a user namespace they have no names. */
	if (rc == 0 && !(plan->container->namespaces & AP_NS_USER)) {
		rc = own_groups(spec, p, err);
	}
	if (rc == 0 && spec->linux_->personality) {
		p->flags |= AP_P_HAS_PERSONALITY;
		p->personality = spec->linux_->personality->domain;
	}
	if (rc == 0 && spec->linux_->seccomp) {
		p->flags |= AP_P_HAS_SECCOMP;
		rc = seccomp_profile_compile(spec->linux_->seccomp, &plan->seccomp, &p->n_seccomp,
					     err);
		p->seccomp = plan->seccomp;
		p->seccomp_flags = spec->linux_->seccomp->flags;
	}
	return rc;
}

static int build(const struct oci_spec *spec, struct guest_plan *plan, struct vr_err *err)
{
	const struct oci_linux *l = spec->linux_;
	struct ap_container *c = plan->container;
	int rc;

	c->namespaces = namespaces(l);
	c->hostname = spec->hostname;
	c->domainname = spec->domainname;
	c->rootfs_propagation = (uint32_t)l->rootfs_propagation;
	c->flags = spec->root->readonly ? AP_C_READONLY_ROOT : 0;
	c->masked = strv(&l->masked_paths);
	c->readonly = strv(&l->readonly_paths);
	time_offsets(l, c);
	guest_plan_resources(l->resources, &c->resources);
	rc = user_namespace(l, c, err);
	if (rc == 0) {
		rc = guest_plan_mounts(spec, plan, err);
	}
	if (rc == 0) {
		rc = devices(l, plan, err);
	}
	if (rc == 0) {
		rc = sysctls(l, plan, err);
	}
	if (rc == 0) {
		rc = hooks(spec, c, err);
	}
	if (rc == 0) {
		rc = process(spec, plan, err);
	}
	return rc;
}

int guest_plan_build(const struct oci_spec *spec, struct guest_plan *out, struct vr_err *err)
{
	memset(out, 0, sizeof(*out));
	out->container = calloc(1, sizeof(*out->container));
	if (!out->container) {
		return vr_err_set(err, ENOMEM, "compile config.json for the guest: out of memory");
	}
	ap_container_init(out->container);
	return build(spec, out, err);
}

char *guest_plan_keep(struct guest_plan *plan, char *text)
{
	char **grown;

	if (!text) {
		return NULL;
	}
	grown = realloc(plan->texts, (plan->n_texts + 1) * sizeof(*grown));
	if (!grown) {
		free(text);
		return NULL;
	}
	plan->texts = grown;
	plan->texts[plan->n_texts++] = text;
	return text;
}

void guest_plan_finish(struct guest_plan *plan)
{
	for (size_t i = 0; i < plan->n_texts; i++) {
		free(plan->texts[i]);
	}
	free(plan->texts);
	free(plan->shares);
	free(plan->binds);
	free(plan->seccomp);
	free(plan->container);
	memset(plan, 0, sizeof(*plan));
}
