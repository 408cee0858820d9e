/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch_join.c - a container in the VM of another one
 *
 * Whoever is given the network namespace of a container that runs gets into its VM: two kernels can't
 * share the sockets of one namespace. The container's shim and file server are made as ever; what the
 * vmm would be given by fork goes over the control socket of the one that is there (vmproc_member.c).
 */
#include "launch_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/log.h"
#include "control.h"
#include "interrupt.h"
#include "oci/state.h"

#define JOIN_TIMEOUT_MS 15000
#define LOCK_TIMEOUT_MS 30000
#define LOOK_MS		20
#define LOCK_FILE	".netns:lock" /* can be no container's id */

/** struct search - for the container whose network it is; @l->machine is the result */
struct search {
	struct launch *l;
	int root_fd;
	struct stat net;
};

static bool is_namespace_of(pid_t pid, const char *name, const struct stat *wanted)
{
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name); /* fits */
	return stat(path, &st) == 0 && st.st_dev == wanted->st_dev && st.st_ino == wanted->st_ino;
}

static bool owns_network(const struct oci_state *s, const struct search *search)
{
	enum oci_status status = oci_state_status(s);

	/* One that has joined itself has the same namespace: not that one, but its host. */
	return !s->machine && status != OCI_STOPPED && s->shim.pid > 0 &&
	       is_namespace_of(s->shim.pid, "net", &search->net);
}

/* Return: 0 to go on, 1 when it is found */
static int visit(void *ctx, const char *id)
{
	const struct search *search = ctx;
	struct launch_machine *m = &search->l->machine;
	struct oci_container dir = OCI_CONTAINER_INIT;
	struct vr_err ignored = VR_ERR_INIT;
	struct oci_state s;
	int found = 0;

	if (strcmp(id, search->l->o->id) == 0 ||
	    oci_container_open(search->root_fd, id, &dir, &ignored) < 0) {
		return 0; /* ours, or gone meanwhile */
	}
	if (oci_state_read(&dir, &s, &ignored) == 0) {
		found = owns_network(&s, search);
		if (found) {
			(void)snprintf(m->id, sizeof(m->id), "%s", s.id);
			m->shim = s.shim.pid;
			m->dir_fd = vr_take_fd(&dir.fd);
		}
		oci_state_finish(&s);
	}
	oci_container_close(&dir);
	return found;
}

/* What only a VM of its own can have. */
static int check(const struct launch *l, struct vr_err *err)
{
	const char *id = l->machine.id;

	if (l->guest.container->namespaces & AP_NS_USER) {
		return vr_err_set(
			err, ENOTSUP,
			"config.json: linux.namespaces: a container with a user namespace "
			"can't share the network of container '%s': it would have no power over it",
			id);
	}
	if (l->guest.n_disks > 0) {
		return vr_err_set(
			err, ENOTSUP,
			"config.json: linux.devices: '%s': the virtual machine, which is that of "
			"container '%s', runs already",
			l->guest.disks[0].dev->path, id);
	}
	if (l->settings.net_egress || l->spec->linux_->net_devices.n > 0) {
		return vr_err_set(err, ENOTSUP,
				  "config.json: %s: the network is that of container '%s'",
				  l->settings.net_egress ? "annotations: dev.volt.net.egress"
							 : "linux.netDevices",
				  id);
	}
	return 0;
}

/* Which of its namespaces are the first one's: the guest has them, too. */
static void share_namespaces(struct launch *l)
{
	static const struct {
		enum oci_ns_type type;
		const char *name;
		uint32_t flag;
	} shared[] = {
		{OCI_NS_PID, "pid", AP_NS_PID},
		{OCI_NS_IPC, "ipc", AP_NS_IPC},
		{OCI_NS_UTS, "uts", AP_NS_UTS},
	};
	struct stat st;

	OCI_FOREACH(ns, &l->spec->linux_->namespaces)
	{
		for (size_t i = 0; ns->path && i < VR_ARRAY_SIZE(shared); i++) {
			if (ns->type != shared[i].type || stat(ns->path, &st) < 0) {
				continue;
			}
			if (is_namespace_of(l->machine.shim, shared[i].name, &st)) {
				l->guest.container->joined |= shared[i].flag;
			} else {
				vr_warn("config.json: linux.namespaces: '%s' isn't that of "
					"container '%s': it gets a new one in the guest",
					ns->path, l->machine.id);
			}
		}
	}
}

static void warn_of_size(const struct launch *l, const struct vmsize *wanted)
{
	const struct oci_resources *res = l->spec->linux_->resources;

	if (res && res->memory && res->memory->limit.set &&
	    (uint64_t)res->memory->limit.v > vmsize_usable(l->size.ram_bytes) &&
	    wanted->ram_bytes > l->size.ram_bytes) {
		vr_warn("config.json: linux.resources.memory.limit: the virtual machine, which is "
			"that of "
			"container '%s', has less memory",
			l->machine.id);
	}
}

/* What the vmm there says, or that it doesn't. */
static int machine_call(const struct launch *l, struct ctl_call *call, struct vr_err *err)
{
	int rc = ctl_call(l->machine.dir_fd, call, err);

	if (rc < 0) {
		vr_err_wrap(err,
			    "config.json: linux.namespaces: the network is that of container '%s'",
			    l->machine.id);
	}
	return rc;
}

/* Guest RAM, and how much it is. */
static int open_machine(struct launch *l, struct vr_err *err)
{
	const struct vmsize wanted = l->size;
	int fds[CTL_MACHINE_FDS] = {-1, -1};
	struct ctl_machine m;
	struct ctl_call call = {.req = {.type = CTL_MACHINE},
				.timeout_ms = JOIN_TIMEOUT_MS,
				.got_fds = fds,
				.cap_got = CTL_MACHINE_FDS};
	uint64_t deadline = vr_now_ms() + JOIN_TIMEOUT_MS;
	int rc = machine_call(l, &call, err);

	while (rc == -EBUSY && strstr(err->msg, "still being created") && vr_now_ms() < deadline) {
		(void)poll(NULL, 0, LOOK_MS);
		*err = (struct vr_err)VR_ERR_INIT;
		rc = interrupt_check(err);
		rc = rc < 0 ? rc : machine_call(l, &call, err);
	}
	l->ram_fd = fds[0];
	l->wires.page_fd = fds[1];
	if (rc == 0 && (ctl_machine_decode(call.data, call.data_len, &m) < 0 || fds[1] < 0)) {
		rc = vr_err_set(err, EPROTO, "unreadable answer on the control socket");
	}
	free(call.data);
	if (rc < 0) {
		return rc;
	}
	l->size = (struct vmsize){.ram_bytes = m.ram_bytes, .n_vcpus = m.n_vcpus};
	warn_of_size(l, &wanted);
	return 0;
}

/*
 * Two that are made at once in one namespace: the second sees the first. The lock is a byte of a file
 * in the state directory, at the namespace's number. The namespace itself, or the file it is bound to,
 * can be opened, and so be locked, by everybody.
 */
static int lock(struct launch *l, int root_fd, const struct stat *net, struct vr_err *err)
{
	struct flock range = {.l_type = F_WRLCK, .l_start = (off_t)net->st_ino, .l_len = 1};
	uint64_t deadline = vr_now_ms() + LOCK_TIMEOUT_MS;

	l->net_lock_fd =
		openat(root_fd, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (l->net_lock_fd < 0) {
		return vr_err_sys(err, errno, "open '%s' in the state directory", LOCK_FILE);
	}
	while (fcntl(l->net_lock_fd, F_OFD_SETLK, &range) < 0) {
		if ((errno != EAGAIN && errno != EINTR) || vr_now_ms() > deadline) {
			return vr_err_sys(err, errno, "lock the network namespace in '%s'",
					  LOCK_FILE);
		}
		(void)poll(NULL, 0, LOOK_MS);
		if (interrupt_check(err) < 0) {
			return -err->code;
		}
	}
	return 0;
}

void launch_join_found(struct launch *l)
{
	struct flock all = {.l_type = F_UNLCK};

	if (l->net_lock_fd >= 0) {
		/* The roles have copies of it for a moment. */
		(void)fcntl(l->net_lock_fd, F_OFD_SETLK, &all);
	}
	vr_close_reset(&l->net_lock_fd);
}

int launch_join_find(struct launch *l, struct vr_err *err)
{
	struct search search = {.l = l, .root_fd = -1};
	const char *path = NULL;
	int rc;

	OCI_FOREACH(ns, &l->spec->linux_->namespaces)
	{
		path = ns->type == OCI_NS_NETWORK ? ns->path : path;
	}
	if (!path || stat(path, &search.net) < 0) {
		return 0; /* one of its own; a bad path is told of where it is opened */
	}
	rc = oci_root_open(l->g->root, true, &search.root_fd, err);
	rc = rc < 0 ? rc : lock(l, search.root_fd, &search.net, err);
	if (rc == 0) {
		rc = oci_root_list(search.root_fd, visit, &search, err);
	}
	vr_close_reset(&search.root_fd);
	if (rc < 0 || l->machine.dir_fd < 0) {
		return rc < 0 ? rc : 0;
	}
	rc = check(l, err);
	if (rc == 0) {
		share_namespaces(l);
		rc = open_machine(l, err);
	}
	return rc;
}

int launch_join(struct launch *l, struct vr_err *err)
{
	bool tty = l->spec->process && l->spec->process->terminal;
	vr_autoclose int frame_fd = vr_memfd_of("volt-create", l->create_frame + AP_HEADER_LEN,
						l->create_len - AP_HEADER_LEN);
	int fds[CTL_FDS_MAX] = {
		[CTL_JOIN_CONTROL] = l->control_fd,
		[CTL_JOIN_REPORT] = l->report[ROLE_VMM][1],
		[CTL_JOIN_SHIM] = l->pair_shim_vmm[1],
		[CTL_JOIN_FS] = l->pair_fs_vmm[1],
		[CTL_JOIN_ALIVE] = l->alive_fd,
		[CTL_JOIN_IRQ] = l->wires.irq_fd,
		[CTL_JOIN_KICK] = l->wires.kick_fd[0],
		l->wires.kick_fd[1],
		[CTL_JOIN_FRAME] = frame_fd,
		[CTL_JOIN_NOTIFY_FD] = l->notify.fd >= 0 ? l->notify.fd : l->null_fd,
	};
	size_t n_fds = tty ? CTL_JOIN_FDS_TTY : CTL_JOIN_FDS;
	struct ctl_call call = {
		.req = {.type = CTL_JOIN,
			.flags = (tty ? CTL_JOIN_TTY : 0) |
				 (l->notify.fd >= 0 ? CTL_JOIN_NOTIFY : 0) |
				 (l->spec->root->readonly ? CTL_JOIN_READONLY_ROOT : 0),
			.seconds = l->settings.boot_timeout_s},
		.fds = fds,
		.timeout_ms = JOIN_TIMEOUT_MS,
	};
	int rc;

	if (frame_fd < 0) {
		return vr_err_sys(err, frame_fd, "make a memory file");
	}
	for (unsigned i = 0; i < n_fds - CTL_JOIN_STDIO; i++) {
		fds[CTL_JOIN_STDIO + i] = l->stdio[i] >= 0 ? l->stdio[i] : l->null_fd;
	}
	call.n_fds = n_fds + passfds_list(l->o->fds, fds + n_fds);
	rc = machine_call(l, &call, err);
	free(call.data); /* there is none */
	vr_close_reset(
		&l->report[ROLE_VMM][1]); /* the vmm's alone, or its end would go unnoticed */
	return rc;
}
