/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch_open.c - everything that has to be opened with the caller's rights
 *
 * After this nothing is looked up by path any more on behalf of the guest.
 */
#include "launch_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "assets.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/log.h"
#include "control.h"
#include "disks.h"
#include "sandbox/mounts.h"
#include "sandbox/namespaces.h"
#include "stream.h"
#include "vmm/gmem.h"
#include "vmm/kvm.h"

#define CREATE_REQUEST_ID 2u

static void pair_init(int pair[2])
{
	pair[0] = -1;
	pair[1] = -1;
}

void launch_init(struct launch *l, const struct globals *g, const struct launch_opts *o)
{
	memset(l, 0, sizeof(*l));
	l->g = g;
	l->o = o;
	l->kvm_fd = l->kernel_fd = l->initramfs_fd = l->ram_fd = -1;
	l->rootfs_fd = l->rootfs_tree_fd = l->machine.dir_fd = l->net_lock_fd = -1;
	l->notify.fd = -1;
	l->userns_fd = l->fs_userns_fd = -1;
	l->alive_fd = l->reason_fd = l->control_fd = l->null_fd = -1;
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		pair_init(l->report[i]);
	}
	pair_init(l->pair_shim_vmm);
	pair_init(l->pair_fs_vmm);
	pair_init(l->pair_net_vmm);
	net_plan_init(&l->net);
	l->wires.irq_fd = l->wires.page_fd = -1;
	for (unsigned q = 0; q < FS_QUEUES; q++) {
		l->wires.kick_fd[q] = -1;
	}
	for (unsigned i = 0; i < VMM_DISKS_MAX; i++) {
		l->disks[i].fd = -1;
	}
	l->console = (struct console){.master = -1, .slave = -1};
	for (unsigned i = 0; i < 3; i++) {
		l->stdio[i] = -1;
	}
}

static void pair_close(int pair[2])
{
	vr_close_reset(&pair[0]);
	vr_close_reset(&pair[1]);
}

void launch_hang_up(struct launch *l)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		pair_close(l->report[i]);
	}
	pair_close(l->pair_shim_vmm);
	pair_close(l->pair_fs_vmm);
	pair_close(l->pair_net_vmm);
}

void launch_finish(struct launch *l)
{
	int *const fds[] = {
		&l->kvm_fd,	    &l->kernel_fd,	  &l->initramfs_fd,	&l->ram_fd,
		&l->rootfs_fd,	    &l->alive_fd,	  &l->reason_fd,	&l->control_fd,
		&l->null_fd,	    &l->wires.irq_fd,	  &l->stdio[0],		&l->stdio[1],
		&l->stdio[2],	    &l->wires.kick_fd[0], &l->wires.kick_fd[1], &l->rootfs_tree_fd,
		&l->userns_fd,	    &l->fs_userns_fd,	  &l->notify.fd,	&l->wires.page_fd,
		&l->machine.dir_fd, &l->net_lock_fd,
	};

	for (size_t i = 0; i < VR_ARRAY_SIZE(fds); i++) {
		vr_close_reset(fds[i]);
	}
	launch_hang_up(l);
	for (unsigned i = 0; i < l->n_ns_fds; i++) {
		vr_close_reset(&l->ns_fds[i]);
	}
	for (size_t i = 0; l->binds && i < l->guest.n_shares; i++) {
		vr_close_reset(&l->binds[i].tree_fd);
		vr_close_reset(&l->guest.shares[i].fd);
	}
	launch_userns_finish(l);
	console_close(&l->console);
	for (unsigned i = 0; i < VMM_DISKS_MAX; i++) {
		vr_close_reset(&l->disks[i].fd);
	}
	net_plan_finish(&l->net);
	if (l->wires.irq_page) {
		(void)munmap(l->wires.irq_page, FS_IRQ_PAGE_BYTES);
	}
	free(l->binds);
	free(l->create_frame);
	free(l->more_env);
	guest_plan_finish(&l->guest);
	oci_spec_free(l->spec);
}

static int open_machine(struct launch *l, struct vr_err *err)
{
	const char *why;
	int rc;

	if (launch_joins(l)) {
		return 0; /* it runs already */
	}
	l->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (l->kvm_fd < 0) {
		return vr_err_sys(err, errno, "open '/dev/kvm'");
	}
	rc = kvm_check(l->kvm_fd, &why);
	if (rc < 0) {
		return vr_err_set(err, -rc, "/dev/kvm: %s", why);
	}
	l->kernel_fd = asset_open(ASSET_KERNEL, err);
	if (l->kernel_fd < 0) {
		return l->kernel_fd;
	}
	l->initramfs_fd = asset_open(ASSET_INITRAMFS, err);
	if (l->initramfs_fd < 0) {
		return l->initramfs_fd;
	}
	l->ram_fd = gmem_memfd(l->size.ram_bytes);
	if (l->ram_fd < 0) {
		return vr_err_sys(err, l->ram_fd, "reserve guest memory");
	}
	return 0;
}

static int open_pairs(struct launch *l, struct vr_err *err)
{
	int type = SOCK_SEQPACKET | SOCK_CLOEXEC;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < ROLE_COUNT; i++) {
		rc = socketpair(AF_UNIX, type, 0, l->report[i]);
	}
	if (rc == 0) {
		rc = socketpair(AF_UNIX, type, 0, l->pair_shim_vmm);
	}
	if (rc == 0) {
		rc = socketpair(AF_UNIX, type, 0, l->pair_fs_vmm);
	}
	if (rc == 0 && !launch_joins(l)) {
		rc = socketpair(AF_UNIX, type, 0, l->pair_net_vmm);
	}
	return rc < 0 ? vr_err_sys(err, errno, "make socket pairs") : 0;
}

static int open_wires(struct launch *l, struct vr_err *err)
{
	void *page;
	int rc;

	if (l->wires.page_fd < 0) { /* else it is the machine's that we join, of whatever size */
		l->wires.page_fd = vr_memfd("volt-irq", FS_IRQ_PAGE_BYTES, MFD_ALLOW_SEALING);
	}
	if (l->wires.page_fd < 0) {
		return vr_err_sys(err, l->wires.page_fd, "make a memory file");
	}
	rc = vr_memfd_fix_size(l->wires.page_fd, FS_IRQ_PAGE_BYTES);
	if (rc < 0) {
		return vr_err_sys(err, rc, "seal a shared page");
	}
	page = mmap(NULL, FS_IRQ_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, l->wires.page_fd,
		    0);
	if (page == MAP_FAILED) {
		return vr_err_sys(err, errno, "map a shared page");
	}
	l->wires.irq_page = page;
	l->wires.irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (unsigned q = 0; q < FS_QUEUES; q++) {
		l->wires.kick_fd[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (l->wires.kick_fd[q] < 0) {
			return vr_err_sys(err, errno, "make an eventfd");
		}
	}
	return l->wires.irq_fd < 0 ? vr_err_sys(err, errno, "make an eventfd") : 0;
}

/*
 * The lock of @alive tells that a role lives; it goes with the last copy of the descriptor. None
 * can write to it, or a role that was taken over could fill the state's file system. For the same
 * cause the shim alone has @reason: the guest doesn't talk to it, and it writes one message.
 */
static int open_state_files(struct launch *l, int dirfd, struct vr_err *err)
{
	l->alive_fd = openat(dirfd, "alive", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	if (l->alive_fd < 0 || flock(l->alive_fd, LOCK_EX | LOCK_NB) < 0) {
		return vr_err_sys(err, errno, "lock 'alive' in the state directory");
	}
	l->reason_fd = openat(dirfd, "reason", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (l->reason_fd < 0) {
		return vr_err_sys(err, errno, "create 'reason' in the state directory");
	}
	l->control_fd = ctl_listen(dirfd, err);
	return l->control_fd < 0 ? l->control_fd : 0;
}

static int open_terminal(struct launch *l, struct vr_err *err)
{
	const struct ap_process *p = &l->guest.container->process;
	int rc;

	if (!l->o->console_socket && !l->o->console_fd) {
		return vr_err_set(
			err, EINVAL,
			"cannot allocate tty if runc will detach without setting console socket "
			"(use --console-socket)");
	}
	rc = console_open(p->rows, p->cols, &l->console, err);
	if (rc == 0 && l->o->console_socket) {
		rc = console_send(l->o->console_socket, &l->console, err);
	}
	if (rc < 0) {
		return rc;
	}
	if (l->o->console_fd) {
		*l->o->console_fd = vr_take_fd(&l->console.master);
	}
	for (unsigned i = 0; i < 2; i++) {
		l->stdio[i] = fcntl(l->console.slave, F_DUPFD_CLOEXEC, 3);
		if (l->stdio[i] < 0) {
			return vr_err_sys(err, errno, "duplicate the terminal");
		}
		l->stdio[i] = stream_reopen_fd(l->stdio[i]);
	}
	return 0;
}

static int open_disks(struct launch *l, struct vr_err *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < l->guest.n_disks; i++) {
		l->disks[i].ro = l->guest.disks[i].ro;
		rc = disk_open(l->guest.disks[i].dev, l->disks[i].ro, &l->disks[i].fd,
			       &l->disks[i].bytes, err);
	}
	return rc;
}

static int open_stdio(struct launch *l, struct vr_err *err)
{
	bool tty = l->spec->process && l->spec->process->terminal;

	l->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (l->null_fd < 0) {
		return vr_err_sys(err, errno, "open '/dev/null'");
	}
	if (tty) {
		return open_terminal(l, err);
	}
	if (l->o->console_socket) {
		return vr_err_set(
			err, EINVAL,
			"cannot use console socket if runc will not detach or allocate tty");
	}
	for (int i = 0; i < 3; i++) {
		/* A caller may have closed any of them. */
		l->stdio[i] = fcntl(i, F_DUPFD_CLOEXEC, 3);
		if (l->stdio[i] < 0) {
			l->stdio[i] = fcntl(l->null_fd, F_DUPFD_CLOEXEC, 3);
		}
		if (l->stdio[i] < 0) {
			return vr_err_sys(err, errno, "duplicate standard stream %d", i);
		}
		l->stdio[i] = stream_reopen_fd(l->stdio[i]);
	}
	return 0;
}

static int open_namespaces(struct launch *l, struct vr_err *err)
{
	static const int flag[OCI_NS_COUNT] = {
		[OCI_NS_PID] = CLONE_NEWPID,	   [OCI_NS_NETWORK] = CLONE_NEWNET,
		[OCI_NS_MOUNT] = CLONE_NEWNS,	   [OCI_NS_IPC] = CLONE_NEWIPC,
		[OCI_NS_UTS] = CLONE_NEWUTS,	   [OCI_NS_USER] = CLONE_NEWUSER,
		[OCI_NS_CGROUP] = CLONE_NEWCGROUP, [OCI_NS_TIME] = CLONE_NEWTIME,
	};
	int fd, rc;

	OCI_FOREACH(ns, &l->spec->linux_->namespaces)
	{
		if (ns->type == OCI_NS_USER) {
			continue; /* launch_userns.c */
		}
		if (!ns->path) {
			/* The shim makes its mount namespace itself; time is the guest's alone. */
			if (ns->type != OCI_NS_MOUNT && ns->type != OCI_NS_TIME) {
				l->shim_clone_flags |= flag[ns->type];
			}
			continue;
		}
		rc = sbx_ns_open(ns->path, flag[ns->type], &fd, err);
		if (rc < 0) {
			return vr_err_wrap(err, "config.json: linux.namespaces");
		}
		if (ns->type == OCI_NS_MOUNT || ns->type == OCI_NS_PID || ns->type == OCI_NS_TIME) {
			(void)close(
				fd); /* of the right type, but the guest's processes can't be there */
			continue;
		}
		l->ns_fds[l->n_ns_fds++] = fd;
	}
	return 0;
}

/*
 * A detached clone of mounts for the shim. A clone of a shared mount is its peer: what the
 * shim mounts on it would appear on the host, and pivot_root refuses it. So it becomes a slave.
 *
 * Return: fd or -errno.
 */
static int clone_tree(int dirfd, const char *path, unsigned flags)
{
	vr_autoclose int fd = (int)syscall(SYS_open_tree, dirfd, path,
					   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
	int rc = fd < 0 ? -errno : sbx_mount_attr(fd, 0, MS_SLAVE, true);

	return rc < 0 ? rc : vr_take_fd(&fd);
}

/* Mounts for the shim's view, cloned here since an fd of another mount namespace can't be. */
static int open_trees(struct launch *l, struct vr_err *err)
{
	struct sbx_share *s;

	l->rootfs_tree_fd = clone_tree(l->rootfs_fd, "", AT_EMPTY_PATH | AT_RECURSIVE);
	if (l->rootfs_tree_fd < 0) {
		return vr_err_sys(err, l->rootfs_tree_fd,
				  "clone the mounts of the root filesystem");
	}
	if (l->guest.n_shares == 0) {
		return 0;
	}
	l->binds = calloc(l->guest.n_shares, sizeof(*l->binds));
	if (!l->binds) {
		return vr_err_set(err, ENOMEM, "collect bind mounts: out of memory");
	}
	for (size_t i = 0; i < l->guest.n_shares; i++) {
		l->binds[i].tree_fd = -1;
	}
	for (size_t i = 0; i < l->guest.n_shares; i++) {
		s = &l->guest.shares[i];
		s->fd = open(s->path, O_PATH | O_CLOEXEC);
		if (s->fd < 0) {
			return vr_err_sys(err, errno, "config.json: mounts: source '%s'", s->path);
		}
		l->binds[i].dest = l->guest.binds[i].dest;
		l->binds[i].tree_fd = clone_tree(
			s->fd, "",
			AT_EMPTY_PATH | (s->flags & SBX_SHARE_RECURSIVE ? AT_RECURSIVE : 0));
		if (s->idmap_fd > 0 && l->binds[i].tree_fd >= 0 &&
		    sbx_mount_idmap(l->binds[i].tree_fd, s->idmap_fd,
				    (s->flags & SBX_SHARE_IDMAP_BELOW) != 0) < 0) {
			vr_close_reset(&l->binds[i].tree_fd); /* the file server will say why */
		}
		if (l->binds[i].tree_fd < 0) {
			vr_debug("bind of '%s' is not visible through the shim", s->path);
		}
	}
	return 0;
}

/* Longer by @n strings; its vector is @out_vec, for free(). */
static int env_add(struct ap_strv *env, const char *const *more, size_t n, const char ***out_vec,
		   struct vr_err *err)
{
	const char **vec = n > 0 ? malloc((env->count + n) * sizeof(*vec)) : NULL;

	if (n > 0 && !vec) {
		return vr_err_set(err, ENOMEM, "the process's environment: out of memory");
	}
	*out_vec = vec;
	if (n == 0) {
		return 0;
	}
	if (env->count > 0) {
		memcpy(vec, env->vec, env->count * sizeof(*vec));
	}
	memcpy(vec + env->count, more, n * sizeof(*vec));
	*env = (struct ap_strv){.count = env->count + (uint32_t)n, .vec = vec};
	return 0;
}

/* What doesn't come from config.json: passed descriptors, and where to tell of readiness. */
static int complete_process(struct launch *l, struct vr_err *err)
{
	struct ap_container *c = l->guest.container;
	const char *more[PASSFDS_ENV_MAX + 1];
	size_t n;

	if (!(c->flags & AP_C_HAS_PROCESS)) {
		return 0;
	}
	passfds_leave_null(l->stdio, &c->process);
	for (unsigned i = 0; i < 3; i++) {
		if (!(c->process.stdio & 1u << i)) {
			vr_close_reset(&l->stdio[i]);
		}
	}
	passfds_plan(l->o->fds, &c->process);
	n = passfds_env(l->o->fds, more);
	notify_find(l->spec, &l->notify);
	if (notify_plan(&l->notify, c) < 0) {
		return vr_err_set(err, E2BIG, "config.json: mounts: no room for NOTIFY_SOCKET");
	}
	if (l->notify.fd >= 0 && l->notify.env[0] != '\0') {
		more[n++] = l->notify.env;
	}
	return env_add(&c->process.env, more, n, &l->more_env, err);
}

int launch_encode(struct launch *l, struct vr_err *err)
{
	size_t cap = AP_HEADER_LEN + AP_FRAME_MAX;
	long n;

	free(l->create_frame);
	l->create_frame = malloc(cap);
	if (!l->create_frame) {
		return vr_err_set(err, ENOMEM, "encode the container: out of memory");
	}
	n = ap_encode_create(l->guest.container, CREATE_REQUEST_ID, l->create_frame, cap);
	if (n < 0) {
		return vr_err_set(
			err, (int)-n,
			"config.json: too large for the guest agent (1 MiB with all strings)");
	}
	l->create_len = (size_t)n;
	return 0;
}

static int encode_create(struct launch *l, struct vr_err *err)
{
	uint32_t bits;
	int rc;

	if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits)) {
		return vr_err_sys(err, errno, "get random bytes");
	}
	l->guest.container->process.port = AP_PORT_STDIO(bits);
	rc = complete_process(l, err);
	return rc < 0 ? rc : launch_encode(l, err);
}

int launch_open(struct launch *l, int dirfd, struct vr_err *err)
{
	int (*const steps[])(struct launch *, struct vr_err *) = {
		open_namespaces, launch_userns_open, open_stdio, encode_create, open_machine,
		open_pairs,	 open_wires,	     open_trees, open_disks,
	};
	int rc;

	rc = open_state_files(l, dirfd, err);
	for (size_t i = 0; rc == 0 && i < VR_ARRAY_SIZE(steps); i++) {
		rc = steps[i](l, err);
	}
	return rc;
}
