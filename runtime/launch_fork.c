/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch_fork.c - the processes of a container
 *
 * All are children of `create`, so that after its end the caller (a subreaper)
 * gets the shim. Each runs on a copy of our memory and its plan; it never
 * returns here.
 */
#include "launch_internal.h"

#include <sched.h>

#include "host_cgroup.h"
#include "interrupt.h"
#include "sandbox/cgroup.h"

static void run_shim(struct launch *l)
{
	const struct shim_plan plan = {
		.id = l->o->id,
		.report_fd = l->report[ROLE_SHIM][1],
		.vmm_fd = l->pair_shim_vmm[0],
		.alive_fd = l->alive_fd,
		.null_fd = l->null_fd,
		.reason_fd = l->reason_fd,
		.tty_fd = l->console.slave,
		.rootfs_tree_fd = l->rootfs_tree_fd,
		.new_uts = (l->shim_clone_flags & CLONE_NEWUTS) != 0,
		.new_pid = (l->shim_clone_flags & CLONE_NEWPID) != 0,
		.hostname = l->spec->hostname,
		.ns_fds = l->ns_fds,
		.n_ns_fds = l->n_ns_fds,
		.userns_fd = l->userns_fd,
		.binds = l->binds,
		.n_binds = (unsigned)l->guest.n_shares,
		.apparmor = l->spec->process ? l->spec->process->apparmor_profile : NULL,
	};

	shim_main(&plan);
}

static void run_vmm(struct launch *l)
{
	const struct vmm_plan plan = {
		.id = l->o->id,
		.report_fd = l->report[ROLE_VMM][1],
		.shim_fd = l->pair_shim_vmm[1],
		.fs_fd = l->pair_fs_vmm[1],
		.alive_fd = l->alive_fd,
		.null_fd = l->null_fd,
		.control_fd = l->control_fd,
		.kvm_fd = l->kvm_fd,
		.kernel_fd = l->kernel_fd,
		.initramfs_fd = l->initramfs_fd,
		.ram_fd = l->ram_fd,
		.ram_bytes = l->size.ram_bytes,
		.n_vcpus = l->size.n_vcpus,
		.boot_timeout_s = l->settings.boot_timeout_s,
		.user = l->g->vmm,
		.wires = l->wires,
		.tty = l->spec->process && l->spec->process->terminal,
		.stdio = {l->stdio[0], l->stdio[1], l->stdio[2]},
		.fds = l->o->fds,
		.notify_fd = l->notify.fd,
		.hostname = l->spec->hostname,
		.stdio_port = l->guest.container->process.port,
		.disks = l->disks,
		.n_disks = l->guest.n_disks,
		.readonly_root = l->spec->root->readonly,
		.create_frame = l->create_frame,
		.create_len = l->create_len,
		.net = &l->net,
		.net_fd = l->pair_net_vmm[1],
	};

	vmproc_main(&plan);
}

static void run_fs(struct launch *l)
{
	const struct fs_plan plan = {
		.id = l->o->id,
		.report_fd = l->report[ROLE_FS][1],
		.vmm_fd = l->pair_fs_vmm[0],
		.alive_fd = l->alive_fd,
		.null_fd = l->null_fd,
		.ram_fd = l->ram_fd,
		.ram_bytes = l->size.ram_bytes,
		.wires = l->wires,
		.userns_fd = l->fs_userns_fd,
		.uid = l->fs_uid,
		.gid = l->fs_gid,
		.rootfs = {.fd = l->rootfs_fd,
			   .path = l->spec->root->path,
			   /* Writable also for a read-only root: the guest makes its mount
			    * points first. Then the server is told, see FS_OP_FREEZE,
			    * and the mount is changed, see launch_freeze_root(). */
			   .flags = SBX_SHARE_RECURSIVE},
		.shares = l->guest.shares,
		.n_shares = l->guest.n_shares,
		.max_files = vmsize_max_files(
			l->size.ram_bytes, host_cgroup_bounds_memory(l->spec->linux_->resources)),
	};

	fsproc_main(&plan);
}

static void run_net(struct launch *l)
{
	const struct netproc_plan plan = {
		.id = l->o->id,
		.report_fd = l->report[ROLE_NET][1],
		.vmm_fd = l->pair_net_vmm[0],
		.alive_fd = l->alive_fd,
		.null_fd = l->null_fd,
		.user = l->g->vmm,
		.net = &l->net,
		.n_vcpus = l->size.n_vcpus,
		.egress = l->settings.net_egress ? &l->egress : NULL,
		.stays = net_ns_stays(l->spec),
	};

	netproc_main(&plan);
}

int launch_fork(struct launch *l, enum role role, struct vr_err *err)
{
	const struct {
		const char *name;
		int flags;
		void (*run)(struct launch *l);
	} roles[ROLE_COUNT] = {
		[ROLE_SHIM] = {"shim", l->shim_clone_flags, run_shim},
		/* Nothing there needs to see other processes. */
		[ROLE_VMM] = {"vmm", CLONE_NEWPID, run_vmm},
		[ROLE_FS] = {"fs", CLONE_NEWPID, run_fs},
		[ROLE_NET] = {"net", CLONE_NEWPID, run_net},
	};
	pid_t pid = sbx_cgroup_fork(roles[role].flags, l->cgroup, &l->in_cgroup[role]);

	if (pid == 0) {
		interrupt_release();
		roles[role].run(l);
	}
	if (pid < 0) {
		return vr_err_sys(err, pid, "start the %s process", roles[role].name);
	}
	l->pid[role] = pid;
	return 0;
}
