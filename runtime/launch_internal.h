/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch_internal.h - a container in the making, shared by the files of launch
 *
 *   launch.c       the order of things, and their undoing
 *   launch_open.c  everything that has to be opened with the caller's rights
 *   launch_fork.c  the processes
 *   launch_join.c  in the VM of another container
 */
#ifndef VOLT_LAUNCH_INTERNAL_H
#define VOLT_LAUNCH_INTERNAL_H

#include <sys/types.h>

#include "console.h"
#include "guest_plan.h"
#include "launch.h"
#include "net_attach.h"
#include "notify.h"
#include "oci/annotations.h"
#include "oci/spec.h"
#include "oci/state.h"
#include "roles.h"
#include "vmsize.h"

#define LAUNCH_REPORT_TIMEOUT_MS 20000 /* the vmm has the guest's time to boot on top */

enum role {
	ROLE_SHIM,
	ROLE_VMM,
	ROLE_FS,
	ROLE_NET,
	ROLE_COUNT
};

/**
 * struct launch_machine - the container whose VM it is
 * @dir_fd: its state directory; -1: there is none, the VM is our own
 */
struct launch_machine {
	int dir_fd;
	pid_t shim;
	char id[OCI_ID_MAX + 1];
};

/**
 * struct launch - all fds are -1 until opened, and closed by launch_finish()
 * @report: [role][0] is ours, [role][1] the role's
 * @pair_*: [0] belongs to the first named role, [1] to the second
 */
struct launch {
	const struct globals *g;
	const struct launch_opts *o;
	struct oci_spec *spec;
	struct guest_plan guest;
	struct oci_settings settings;
	struct vmsize size;
	struct launch_machine machine;
	int net_lock_fd; /* the lock of a network namespace given by path; see launch_join_found() */
	uint8_t *create_frame;
	size_t create_len;
	int kvm_fd;
	int kernel_fd;
	int initramfs_fd;
	int ram_fd;
	int rootfs_fd;
	int rootfs_tree_fd; /* clone for the shim */
	int alive_fd;
	int reason_fd;
	int control_fd;
	int null_fd;
	int report[ROLE_COUNT][2];
	int pair_shim_vmm[2];
	int pair_fs_vmm[2];
	int pair_net_vmm[2];
	struct net_egress egress; /* meant if the settings have one */
	struct net_plan net;
	struct fs_wires wires;
	struct console console;
	struct vmm_disk disks[VMM_DISKS_MAX];
	int stdio[3];
	struct notify notify;
	const char **more_env; /* vector of a longer environment, or NULL */
	int ns_fds[OCI_NS_COUNT];
	unsigned n_ns_fds;
	int shim_clone_flags;
	int userns_fd;	  /* the container's, for the shim */
	int fs_userns_fd; /* with the same ids inside and outside, for the file server */
	uint32_t fs_uid;  /* who the file server is in there */
	uint32_t fs_gid;
	int *idmap_fds; /* one a share: user namespace of its id mapping, or -1 */
	struct shim_bind *binds;
	const char *cgroup; /* for the roles to be born in; NULL until there is one */
	bool in_cgroup[ROLE_COUNT];
	pid_t pid[ROLE_COUNT];
};

/**
 * launch_join_find() - is the network namespace that of a container that runs? Then it has the VM, too
 *
 * Fills @l->machine, guest RAM and the VM's size in that case, and tells the guest what is shared.
 */
int launch_join_find(struct launch *l, struct vr_err *err) __attribute__((warn_unused_result));
/** launch_join_found() - the container can be found from now on: let others look */
void launch_join_found(struct launch *l);
/** launch_join() - hand over to the vmm there what one of our own would have got by fork */
int launch_join(struct launch *l, struct vr_err *err) __attribute__((warn_unused_result));
/** launch_joins() - has the container no VM of its own? */
static inline bool launch_joins(const struct launch *l)
{
	return l->machine.dir_fd >= 0;
}
/** launch_encode() - the container as the guest's agent gets it; once more if something was added since */
int launch_encode(struct launch *l, struct vr_err *err) __attribute__((warn_unused_result));
/** launch_open() - @dirfd: the container's state directory */
int launch_open(struct launch *l, int dirfd, struct vr_err *err)
	__attribute__((warn_unused_result));
/**
 * launch_userns_open() - the container's user namespace, and those of id-mapped mounts
 *
 * Completes the guest's container with the mappings of a namespace given by path.
 */
int launch_userns_open(struct launch *l, struct vr_err *err) __attribute__((warn_unused_result));
/** launch_userns_finish() - let go of what launch_finish() doesn't know */
void launch_userns_finish(struct launch *l);
/** launch_hang_up() - let go of the roles: those that nobody committed end */
void launch_hang_up(struct launch *l);
/** launch_fork() - start one role; those already started end by themselves when a later one fails */
int launch_fork(struct launch *l, enum role role, struct vr_err *err)
	__attribute__((warn_unused_result));
/** launch_freeze_root() - the guest has its mount points: make a read-only root the file server's, too */
int launch_freeze_root(const struct launch *l, struct vr_err *err)
	__attribute__((warn_unused_result));
/** launch_init()/launch_finish() - closes and frees; does not wait for roles */
void launch_init(struct launch *l, const struct globals *g, const struct launch_opts *o);
void launch_finish(struct launch *l);

#endif /* VOLT_LAUNCH_INTERNAL_H */
