/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.c - make a container: the composition root
 *
 * The order of things in launch_create() and the functions it calls:
 *
 *   bundle, config.json        parsed and checked, nothing on disk yet
 *   state directory            locked, state "creating" with what a later
 *                              `delete --force` needs to know
 *   everything opened          KVM, kernel, RAM, sockets, stdio, namespaces
 *   cgroup                     with limits for the VM and its helpers
 *   shim, fs                   two processes; each narrows itself and reports
 *   hooks                      when the namespaces and the shim exist
 *   network                    a tap for each interface the engine or a hook made
 *   vmm                        the third process (or that of the container whose network namespace
 *                              it shares: then it is handed over to); its guest boots, prepares the process, answers
 *   net                        the fourth: it follows what becomes of the network
 *   state "created", pid file  then the vmm is told that it lives on its own
 *
 * A failure at any point undoes all before it. If this process is killed the
 * roles notice that nobody committed them and end.
 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/log.h"
#include "cgroup_path.h"
#include "container_hooks.h"
#include "doctor.h"
#include "host_cgroup.h"
#include "interrupt.h"
#include "launch_internal.h"
#include "net_sysctl.h"
#include "net_vhost.h"
#include "oci/annotations.h"
#include "oci/bundle.h"
#include "oci/hooks.h"
#include "oci/state.h"
#include "overlay.h"
#include "pidfile.h"
#include "timeline.h"

#define REAP_TIMEOUT_MS 10000

struct creation {
	struct launch l;
	struct oci_bundle bundle;
	struct oci_container dir;
	struct oci_state state;
	int root_fd;
	char *config_text; /* what the specification was made from */
	size_t config_len;
	char *rootfs_path;
	char **sources;		   /* one a mount, NULL where the configuration's own is used */
	struct host_cgroup cgroup; /* its path is empty: none */
	bool have_dir;
	bool have_cgroup;
	bool have_pid_file;
	bool forked;
	bool no_boot;
	bool attached;
	bool net_undid; /* the net process has given back what moved */
};

/* A relative source of a bind is meant from the bundle, whatever the current directory is. */
static int make_sources_absolute(struct creation *c, struct vr_err *err)
{
	struct oci_mounts *mounts = &c->l.spec->mounts;

	c->sources = calloc(mounts->n + 1, sizeof(*c->sources));
	if (!c->sources) {
		return vr_err_set(err, ENOMEM, "config.json: mounts: out of memory");
	}
	OCI_FOREACH(m, mounts)
	{
		if (!m->opt.bind || !m->source || m->source[0] == '/') {
			continue;
		}
		if (asprintf(&c->sources[m - mounts->v], "%s/%s", c->bundle.path, m->source) < 0) {
			return vr_err_set(err, ENOMEM, "config.json: mounts: out of memory");
		}
		m->source = c->sources[m - mounts->v];
	}
	return 0;
}

static int load_spec(struct creation *c, const struct launch_opts *o, struct vr_err *err)
{
	struct launch *l = &c->l;
	unsigned host_cpus;
	uint64_t host_ram;
	int rc;

	rc = oci_bundle_open(o->bundle, &c->bundle, err);
	if (rc == 0) {
		rc = oci_bundle_spec(&c->bundle, o->config, &l->spec, &c->config_text,
				     &c->config_len, err);
	}
	if (rc == 0) {
		rc = oci_settings_parse("config.json", &l->spec->annotations, &l->settings, err);
	}
	if (rc == 0 && l->settings.rootfs != OCI_ROOTFS_SHARE) {
		rc = vr_err_set(
			err, ENOTSUP,
			"config.json: annotations: dev.volt.rootfs: 'image' is not supported yet");
	}
	if (rc < 0) {
		return rc;
	}
	for (size_t i = 0; i < l->spec->warnings.n; i++) {
		vr_warn("%s", l->spec->warnings.v[i]);
	}
	rc = net_spec_check(l->spec, err);
	if (rc == 0 && l->settings.net_egress) {
		rc = net_egress_parse(l->settings.net_egress, l->spec, &l->egress, err);
	}
	rc = rc < 0 ? rc : overlay_mount_all(l->spec, err);
	if (rc > 0) {
		/* It is looked at from the new mount namespace from here on. */
		oci_bundle_close(&c->bundle);
		rc = oci_bundle_open(o->bundle, &c->bundle, err);
	}
	if (rc < 0) {
		return rc;
	}
	rc = oci_bundle_rootfs(&c->bundle, l->spec->root, &l->rootfs_fd, &c->rootfs_path, err);
	if (rc < 0) {
		return rc;
	}
	rc = make_sources_absolute(c, err);
	if (rc < 0) {
		return rc;
	}
	vmsize_host(&host_cpus, &host_ram);
	rc = vmsize_from_spec(l->spec, &l->settings, host_cpus, host_ram, &l->size, err);
	rc = rc < 0 ? rc : guest_plan_build(l->spec, &l->guest, err);
	return rc < 0 ? rc : launch_join_find(l, err);
}

/* From here on `delete --force ID` can clean up after us. */
static int claim_id(struct creation *c, struct vr_err *err)
{
	const struct launch_opts *o = c->l.o;
	struct oci_state *s = &c->state;
	int rc;

	if (!c->l.g->no_cgroup) {
		rc = cgroup_path_from_spec(c->l.spec->linux_->cgroups_path, o->id,
					   c->l.g->systemd_cgroup, c->cgroup.path, err);
		if (rc < 0) {
			return rc;
		}
	}
	rc = oci_root_open(c->l.g->root, true, &c->root_fd, err);
	if (rc == 0) {
		rc = oci_container_create(c->root_fd, o->id, &c->dir, err);
	}
	if (rc < 0) {
		return rc;
	}
	c->have_dir = true;
	rc = oci_state_init(s, o->id, err);
	if (rc < 0) {
		return rc;
	}
	s->bundle = c->bundle.path;
	s->rootfs = c->rootfs_path;
	s->machine = launch_joins(&c->l) ? c->l.machine.id : NULL;
	s->annotations = c->l.spec->annotations;
	s->systemd_cgroup = c->l.g->systemd_cgroup;
	s->cgroup_path = c->cgroup.path[0] != '\0' ? c->cgroup.path : NULL;
	s->terminal = c->l.spec->process && c->l.spec->process->terminal;
	return oci_state_write(&c->dir, s, err);
}

static int keep_config(struct creation *c, struct vr_err *err)
{
	return oci_container_put_config(&c->dir, c->config_text, c->config_len, err);
}

static int make_cgroup(struct creation *c, struct vr_err *err)
{
	int rc;

	if (c->cgroup.path[0] == '\0') {
		return 0;
	}
	c->cgroup.id = c->l.o->id;
	c->cgroup.systemd = c->l.g->systemd_cgroup;
	c->cgroup.annotations = &c->l.spec->annotations;
	rc = host_cgroup_limits(c->l.spec->linux_->resources, c->l.size.ram_bytes, &c->cgroup, err);
	rc = rc < 0 ? rc : host_cgroup_prepare(&c->cgroup, err);
	c->have_cgroup = rc == 0;
	if (rc == 0 && !c->cgroup.systemd) {
		c->l.cgroup = c->cgroup.path;
	}
	return rc;
}

/* The helpers, unless they were born there. */
static int enter_cgroup(struct creation *c, struct vr_err *err)
{
	static const enum role helpers[] = {ROLE_SHIM, ROLE_FS};
	pid_t pids[VR_ARRAY_SIZE(helpers)];
	size_t n = 0;

	for (size_t i = 0; c->have_cgroup && i < VR_ARRAY_SIZE(helpers); i++) {
		if (!c->l.in_cgroup[helpers[i]]) {
			pids[n++] = c->l.pid[helpers[i]];
		}
	}
	return n > 0 ? host_cgroup_enter(&c->cgroup, pids, n, err) : 0;
}

static int fork_role(struct creation *c, enum role role, struct vr_err *err)
{
	int rc;

	c->forked = true;
	rc = launch_fork(&c->l, role, err);
	vr_close_reset(&c->l.report[role][1]); /* theirs alone, or their death would go unnoticed */
	return rc;
}

static int wait_role(struct creation *c, enum role role, struct vr_err *err)
{
	static const char *const names[ROLE_COUNT] = {
		[ROLE_SHIM] = "shim", [ROLE_VMM] = "vmm", [ROLE_FS] = "fs", [ROLE_NET] = "net"};
	int ms = LAUNCH_REPORT_TIMEOUT_MS;

	if (role == ROLE_VMM) {
		ms += (int)c->l.settings.boot_timeout_s * 1000;
	}
	return role_report_read(c->l.report[role][0], names[role], ms, err);
}

static int hook_namespaces(pid_t pid, int fds[3], struct vr_err *err)
{
	static const char *const names[] = {"net", "uts", "mnt"};
	char path[64];

	for (unsigned i = 0; i < VR_ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, names[i]);
		fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (fds[i] < 0) {
			return vr_err_sys(err, errno, "open '%s'", path);
		}
	}
	return 0;
}

static int prestart_hooks(struct creation *c, struct vr_err *err)
{
	const struct oci_hookv *hooks = &c->l.spec->hooks->prestart;
	struct oci_hook_run run = {
		.kind = "prestart", .cwd = c->bundle.path, .give_up = interrupt_came};
	vr_autofree char *text = NULL;
	int rc;

	if (hooks->n == 0) {
		return 0;
	}
	rc = oci_state_json(&c->state, OCI_CREATED, false, &text, &run.state_len, err);
	run.state = text;
	return rc < 0 ? rc : oci_hooks_run(&run, hooks, err);
}

/* prestart and createRuntime in the runtime's namespaces, createContainer in the container's. */
static int run_hooks(struct creation *c, struct vr_err *err)
{
	const struct oci_hooks *h = c->l.spec->hooks;
	struct oci_hook_run run = {.cwd = c->bundle.path, .give_up = interrupt_came};
	int ns[3] = {-1, -1, -1};
	vr_autofree char *text = NULL;
	int rc;

	if (!h) {
		return 0;
	}
	/* The older kind runs when everything is "created", as the specification had it then. */
	rc = prestart_hooks(c, err);
	if (rc == 0) {
		rc = oci_state_json(&c->state, OCI_CREATING, false, &text, &run.state_len, err);
		run.state = text;
	}
	if (rc == 0) {
		run.kind = "createRuntime";
		rc = oci_hooks_run(&run, &h->create_runtime, err);
	}
	if (rc == 0 && h->create_container.n > 0) {
		run.kind = "createContainer";
		rc = hook_namespaces(c->l.pid[ROLE_SHIM], ns, err);
		run.ns_fds = ns;
		run.n_ns_fds = 2; /* the hook's program lies in the runtime's mount namespace */
		rc = rc == 0 ? oci_hooks_run(&run, &h->create_container, err) : rc;
	}
	for (unsigned i = 0; i < VR_ARRAY_SIZE(ns); i++) {
		vr_close_reset(&ns[i]);
	}
	return rc;
}

static int note_process(struct oci_proc *out, pid_t pid, struct vr_err *err)
{
	int rc = vr_proc_stat(pid, &out->start, NULL);

	if (rc < 0) {
		return vr_err_set(err, -rc, "a process of the container ended unexpectedly");
	}
	out->pid = pid;
	return 0;
}

static int note_helpers(struct creation *c, struct vr_err *err)
{
	struct oci_state *s = &c->state;
	int rc = note_process(&s->shim, c->l.pid[ROLE_SHIM], err);

	if (rc == 0) {
		rc = note_process(&s->fs, c->l.pid[ROLE_FS], err);
	}
	return rc == 0 ? oci_state_write(&c->dir, s, err) : rc;
}

static int note_others(struct creation *c, struct vr_err *err)
{
	int rc = 0;

	if (c->l.pid[ROLE_VMM] > 0) {
		rc = note_process(&c->state.vmm, c->l.pid[ROLE_VMM], err);
	}
	if (rc == 0 && c->l.pid[ROLE_NET] > 0) {
		rc = note_process(&c->state.net, c->l.pid[ROLE_NET], err);
	}
	return rc == 0 ? oci_state_write(&c->dir, &c->state, err) : rc;
}

/* What config.json says of sysctls comes later there, so it holds. */
static int tell_sysctls(struct launch *l, struct vr_err *err)
{
	struct ap_container *c = l->guest.container;
	const struct net_sysctls *s = l->net.sysctls;

	if (!s || s->n == 0) {
		return 0;
	}
	memcpy(c->net_sysctls, s->kv, s->n * sizeof(s->kv[0]));
	c->n_net_sysctls = s->n;
	return launch_encode(l, err);
}

/* The shim lives in the container's network namespace, whoever made it. */
static int attach_network(struct creation *c, struct vr_err *err)
{
	const struct net_egress *egress = c->l.settings.net_egress ? &c->l.egress : NULL;
	char path[64];
	int rc, fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)c->l.pid[ROLE_SHIM]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return vr_err_sys(err, errno, "open '%s'", path);
	}
	rc = net_attach(c->l.spec, fd, c->l.size.n_vcpus, egress, LAUNCH_NET_REQUEST_ID, &c->l.net,
			err);
	c->attached = c->l.net.n > 0;
	(void)close(fd);
	if (rc == 0) {
		rc = tell_sysctls(&c->l, err);
	}
	return rc < 0 ? rc : net_vhost_open(&c->l.net, c->l.settings.net_vhost, err);
}

static int tell_vmm(const struct creation *c, char word, struct vr_err *err)
{
	int fd = c->l.report[ROLE_VMM][0];
	int rc;

	if (send(fd, &word, 1, MSG_NOSIGNAL) == 1) {
		return 0;
	}
	/* it has ended, but may have said why before */
	rc = role_report_read(fd, "vmm", LAUNCH_REPORT_TIMEOUT_MS, err);
	return rc < 0 ? rc : vr_err_set(err, ECONNRESET, "the vmm process ended unexpectedly");
}

/* Our own VM, with a network as it is by now; it boots meanwhile. */
static int start_machine(struct creation *c, struct vr_err *err)
{
	static const enum role late[] = {ROLE_VMM, ROLE_NET};
	struct launch *l = &c->l;
	int rc = attach_network(c, err);

	for (unsigned i = 0; rc == 0 && i < VR_ARRAY_SIZE(late); i++) {
		rc = fork_role(c, late[i], err);
	}
	for (unsigned i = 0; rc == 0 && i < VR_ARRAY_SIZE(late); i++) {
		if (c->have_cgroup && !l->in_cgroup[late[i]]) {
			rc = sbx_cgroup_attach(c->cgroup.path, l->pid[late[i]], err);
		}
	}
	return rc;
}

/*
 * The vmm comes after the hooks: some engines make the network in one, and what is there when the VM
 * boots needn't be added later.
 */
static int start_roles(struct creation *c, struct vr_err *err)
{
	struct launch *l = &c->l;
	int rc = fork_role(c, ROLE_SHIM, err);

	if (rc == 0) {
		rc = fork_role(c, ROLE_FS, err);
	}
	if (rc == 0) {
		rc = enter_cgroup(c, err);
	}
	l->cgroup = c->have_cgroup ? c->cgroup.path : NULL; /* systemd has made its own by now */
	if (rc == 0) {
		rc = wait_role(c, ROLE_SHIM, err);
	}
	if (rc == 0) {
		rc = note_helpers(c, err);
	}
	launch_join_found(l);
	if (rc == 0) {
		rc = run_hooks(c, err);
	}
	/* A machine that runs looks at a new device at once, and for ever if nobody serves it. */
	if (rc == 0 && launch_joins(l)) {
		rc = wait_role(c, ROLE_FS, err);
	}
	if (rc == 0) {
		rc = launch_joins(l) ? launch_join(l, err) : start_machine(c, err);
	}
	timeline_mark("processes started");
	for (unsigned i = 0; i < 2; i++) {
		vr_close_reset(&l->pair_shim_vmm[i]);
		vr_close_reset(&l->pair_fs_vmm[i]);
		vr_close_reset(&l->pair_net_vmm[i]);
	}
	return rc;
}

static int wait_roles(struct creation *c, struct vr_err *err)
{
	int rc = note_others(c, err);

	if (rc == 0 && !launch_joins(&c->l)) {
		rc = wait_role(c, ROLE_FS, err);
	}
	if (rc == 0 && c->l.pid[ROLE_NET] > 0) {
		rc = wait_role(c, ROLE_NET, err);
	}
	if (rc == 0) {
		rc = tell_vmm(c, ROLE_SAYS_GO, err);
	}
	if (rc == 0) {
		rc = wait_role(c, ROLE_VMM, err);
		/* With EIO the vmm tells of a guest that stopped or was silent. */
		c->no_boot = !launch_joins(&c->l) && (rc == -EIO || rc == -ETIMEDOUT);
	}
	return rc < 0 ? rc : launch_freeze_root(&c->l, err);
}

/* From now on what was moved into the container stays. One that has ended took the VM along. */
static void tell_net(const struct creation *c)
{
	static const char word = ROLE_SAYS_COMMIT;

	if (c->l.pid[ROLE_NET] > 0) {
		(void)send(c->l.report[ROLE_NET][0], &word, 1, MSG_NOSIGNAL);
	}
}

static int commit(struct creation *c, struct vr_err *err)
{
	int rc;

	c->state.status = OCI_CREATED;
	rc = oci_state_write(&c->dir, &c->state, err);
	if (rc == 0) {
		rc = pidfile_write(c->l.o->pid_file, c->state.shim.pid, err);
		c->have_pid_file = rc == 0 && c->l.o->pid_file;
	}
	if (rc == 0) {
		rc = tell_vmm(c, ROLE_SAYS_COMMIT, err);
	}
	if (rc == 0) {
		tell_net(c);
	}
	return rc;
}

/* Children that were told to end (by closing their sockets). */
static void reap_roles(struct creation *c)
{
	uint64_t deadline = vr_now_ms() + REAP_TIMEOUT_MS;
	int status;
	pid_t pid;

	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		pid = c->l.pid[i];
		status = -1;
		while (pid > 0 && waitpid(pid, &status, WNOHANG) == 0) {
			if (vr_now_ms() > deadline) {
				(void)kill(pid, SIGKILL); /* our child, not reaped: it is it */
			}
			(void)poll(NULL, 0, 5);
		}
		/* The net process gives back what moved into its namespace, unless it came to a bad end. */
		c->net_undid |= i == ROLE_NET && pid > 0 && status == 0;
	}
}

static void undo(struct creation *c)
{
	struct vr_err ignored = VR_ERR_INIT; /* the first failure is the one to report */

	launch_hang_up(&c->l);
	if (c->forked) {
		reap_roles(c);
	}
	if (!c->net_undid) {
		net_plan_undo(&c->l.net);
	}
	net_plan_finish(&c->l.net); /* the taps go first */
	if (c->attached) {
		net_detach(c->l.spec);
	}
	/* A cgroup that can't be removed stays on record, for `delete --force` to try again. */
	if (c->have_dir && (!c->have_cgroup || host_cgroup_remove(c->cgroup.path, c->cgroup.systemd,
								  2000, &ignored) == 0)) {
		(void)!oci_container_remove(&c->dir, &ignored);
	}
	if (c->have_pid_file) {
		(void)unlink(c->l.o->pid_file);
	}
	/* Hooks that ran, or could have, find their counterpart, as with runc. */
	if (c->forked && c->l.spec->hooks) {
		container_poststop(c->l.spec, &c->state);
	}
	launch_finish(&c->l);
}

static int create(struct creation *c, struct vr_err *err)
{
	int (*const steps[])(struct creation *, struct vr_err *) = {
		claim_id, keep_config, NULL, make_cgroup, start_roles, wait_roles, commit,
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < VR_ARRAY_SIZE(steps); i++) {
		rc = interrupt_check(err);
		if (rc < 0) {
			break;
		}
		rc = steps[i] ? steps[i](c, err) : launch_open(&c->l, c->dir.fd, err);
	}
	return rc;
}

int launch_create(const struct globals *g, const struct launch_opts *o, struct vr_err *err)
{
	struct creation c = {
		.bundle = OCI_BUNDLE_INIT,
		.dir = OCI_CONTAINER_INIT,
		.root_fd = -1,
	};
	size_t n_sources;
	pid_t shim;
	int rc;

	launch_init(&c.l, g, o);
	rc = oci_id_check(o->id, err);
	if (rc == 0) {
		rc = load_spec(&c, o, err);
	}
	if (rc == 0) {
		rc = create(&c, err);
	}
	shim = c.l.pid[ROLE_SHIM];
	n_sources = c.l.spec ? c.l.spec->mounts.n : 0;
	if (rc < 0) {
		undo(&c);
		if (c.no_boot) {
			doctor_explain_boot(err);
		}
	} else {
		launch_finish(&c.l);
	}
	host_cgroup_finish(&c.cgroup);
	oci_container_close(&c.dir);
	vr_close_reset(&c.root_fd);
	free(c.config_text);
	free(c.rootfs_path);
	for (size_t i = 0; c.sources && i < n_sources; i++) {
		free(c.sources[i]);
	}
	free(c.sources);
	oci_bundle_close(&c.bundle);
	return rc < 0 ? rc : shim;
}
