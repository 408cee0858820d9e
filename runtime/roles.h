/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roles.h - the long-lived processes of a container and what each is given
 *
 * `create` prepares everything that needs the caller's rights, then forks, the vmm last: when
 * hooks have run and the network they may have set up has been attached to:
 *
 *   shim  what the caller takes for the container: the pid of the pid file
 *   vmm   KVM, vCPUs, all devices but the file server, stdio, control socket
 *   fs    the file server
 *   net   follows what changes in the container's network namespace
 *
 * Each gets the fds named in its plan and closes all others. They watch each
 * other through socket pairs: the end of one is end-of-file for the others.
 *
 *   create <-report-> each role   ready, or why not; the vmm is told "go" when the files are
 *                                 served, and "commit" at the end
 *   shim   <-------->  vmm        exit status down, signals up
 *   exec's shim <---->  vmm        the same; one more for each `exec`
 *   fs     <-------->  vmm        queue set-up and stop, answered by fs
 *   net    <-------->  vmm        what the network is now, with new taps; slots that are free again
 *
 * All hold @alive_fd, an open file description with a flock: once the lock can be
 * had, none of them is left, whatever killed them.
 */
#ifndef VOLT_ROLES_H
#define VOLT_ROLES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

#include "base/err.h"
#include "net_attach.h"
#include "passfds.h"
#include "sandbox/sandbox.h"
#include "vmm/virtq.h"

#define FS_QUEUES 2u /* hiprio and one request queue: the server has one thread */

/** struct shim_bind - a bind mount to be seen through the shim's root (podman cp, docker cp) */
struct shim_bind {
	const char *dest; /* in the container */
	int tree_fd;	  /* detached mount (open_tree) */
};

/**
 * struct shim_plan - see shim.c for the order
 * @ns_fds, @n_ns_fds: namespaces to join, already checked to be of their type
 * @rootfs_tree_fd:    detached mount (open_tree) of the container's root
 * @hostname:          for a new UTS namespace, or NULL
 */
struct shim_plan {
	const char *id;
	int report_fd;
	int vmm_fd;
	int alive_fd;
	int null_fd;
	int reason_fd; /* file in the state directory that says why a VM ended badly */
	int tty_fd;    /* slave of the terminal, to become the controlling one; or -1 */
	int rootfs_tree_fd;
	bool new_uts;
	bool new_pid;
	const char *hostname;
	const int *ns_fds;
	unsigned n_ns_fds;
	int userns_fd; /* the container's, or -1 */
	struct shim_bind *binds;
	unsigned n_binds;
	const char *apparmor; /* profile to change to, or NULL */
};

/**
 * struct shim_exec_plan - the shim of one `exec`; stays in the caller's namespaces
 * @report_fd: to the exec command, as to `create` for others
 * @vmm_fd:    its socket pair with the vmm, which gets the other end with CTL_EXEC
 */
struct shim_exec_plan {
	const char *id;
	int report_fd;
	int vmm_fd;
	int null_fd;
	int tty_fd;
	const char *apparmor;
};

/**
 * struct fs_wires - how the fs process takes part in a device of the vmm
 * @irq_page: InterruptStatus registers, in a page that the vmm and all file servers of its VM share
 * @page_fd:  memfd of it, for those of containers that join later; the vmm's alone
 */
struct fs_wires {
	int kick_fd[FS_QUEUES];
	int irq_fd;
	int page_fd;
	_Atomic uint32_t *irq_page;
};

#define FS_IRQ_PAGE_BYTES 4096u
#define FS_IRQ_STRIDE	  16u /* words from one register to the next: a cache line each */
_Static_assert((AP_MEMBERS_MAX + 1) * FS_IRQ_STRIDE * sizeof(uint32_t) <= FS_IRQ_PAGE_BYTES,
	       "a register for each container of a VM");

/** fs_irq_status() - the register of container number @n of the VM, 0 for the first */
static inline _Atomic uint32_t *fs_irq_status(const struct fs_wires *w, unsigned n)
{
	return w->irq_page + n * FS_IRQ_STRIDE;
}

/**
 * struct fs_plan - see fsproc.c
 * @rootfs:   becomes rootfs/ of the exported tree
 * @shares:   become mounts/N; N is the index in the array
 * @max_files: how many the guest may know at a time, 0: as many as descriptors allow
 * @userns_fd: user namespace with the only ids the server has power over, or -1
 * @uid, @gid: who to be in there
 */
struct fs_plan {
	const char *id;
	int report_fd;
	int vmm_fd;
	int alive_fd;
	int null_fd;
	int ram_fd;
	uint64_t ram_bytes;
	struct fs_wires wires;
	int userns_fd;
	struct sbx_share rootfs;
	const struct sbx_share *shares;
	size_t n_shares;
	unsigned max_files;
	uint32_t uid;
	uint32_t gid;
};

#define VMM_DISKS_MAX 4u

/** struct vmm_disk - a block device of the host; see disks.h */
struct vmm_disk {
	int fd;
	bool ro;
	uint64_t bytes;
};

struct vmm_plan {
	const char *id;
	int report_fd;
	int shim_fd;
	int fs_fd;
	int alive_fd;
	int null_fd;
	int control_fd;
	int kvm_fd;
	int kernel_fd;
	int initramfs_fd;
	int ram_fd;
	uint64_t ram_bytes;
	unsigned n_vcpus;
	uint32_t boot_timeout_s;
	struct sbx_user user;
	struct fs_wires wires;
	bool tty;
	int stdio[3];
	const struct passfds *fds; /* of init; taken over */
	int notify_fd;		   /* connected to the service manager's socket, or -1 */
	const char *hostname;
	bool readonly_root;
	const struct vmm_disk *disks;
	unsigned n_disks;
	uint32_t stdio_port;	  /* of init, as in @create_frame */
	const void *create_frame; /* encoded AP_MSG_CREATE, request id 2 */
	size_t create_len;
	const struct net_plan *net;
	int net_fd; /* the net process, or -1 */
};

/**
 * struct netproc_plan - see netproc.c
 * @user:   the vmm's
 * @net:    as net_attach() left it
 * @egress: where the guest may send to, or NULL
 * @stays:  the namespace outlives the container: nothing may be left on its interfaces
 */
struct netproc_plan {
	const char *id;
	int report_fd;
	int vmm_fd;
	int alive_fd;
	int null_fd;
	struct sbx_user user;
	struct net_plan *net;
	unsigned n_vcpus;
	const struct net_egress *egress;
	bool stays;
};

noreturn void shim_main(const struct shim_plan *plan);
noreturn void shim_exec_main(const struct shim_exec_plan *plan);
noreturn void fsproc_main(const struct fs_plan *plan);
noreturn void netproc_main(const struct netproc_plan *plan);
noreturn void vmproc_main(const struct vmm_plan *plan);

/* ---- messages between roles (seqpacket, one struct a message) ---- */

/**
 * shim <- vmm: the container ended; the shim exits with it
 * @status: wait status style: 0..255
 * @reason: why, if that was not the workload; as long as the message is, no NUL. The shim writes
 *          it into the state directory: a vmm that was taken over gets no more than this in there.
 */
struct shim_exit_msg {
	uint32_t status;
	char reason[VR_ERR_MSG_MAX];
};
#define SHIM_EXIT_MIN offsetof(struct shim_exit_msg, reason)

/**
 * shim -> vmm: a signal the shim got, to be forwarded
 * @from_tty: the terminal's driver sent it, not a process
 */
struct shim_signal_msg {
	uint32_t signo;
	uint32_t from_tty;
};

enum fs_op {
	FS_OP_START = 1,
	FS_OP_STOP = 2,
	FS_OP_FREEZE = 3 /* the guest has made its mount points in a read-only root */
};
/** vmm -> fs; answered with an int32_t: 0 or -errno */
struct fs_queue_msg {
	uint32_t op; /* enum fs_op */
	uint32_t n_queues;
	uint32_t number; /* of the container in its VM, for fs_irq_status() */
	uint32_t pad;
	uint64_t features;
	struct virtq_layout layout[FS_QUEUES];
};

enum net_op {
	NET_OP_SYNC = 1,     /* vmm -> net: @arg comes back when all that changed before was told */
	NET_OP_RELEASED = 2, /* vmm -> net: slot @arg has no device any more */
	NET_OP_TAKEN =
		5, /* vmm -> net: slot @arg has a device that is no network, until RELEASED */
	NET_OP_SYNCED = 3, /* net -> vmm: the answer to NET_OP_SYNC */
	NET_OP_STATE = 4,  /* net -> vmm: struct net_state_msg */
	NET_OP_CARRIER = 6 /* net -> vmm: the links that have one, a bit of @arg for each slot */
};
struct net_msg {
	uint32_t op; /* enum net_op */
	uint32_t arg;
};

/**
 * net -> vmm: the interfaces there are, by slot
 * @slots:   a bit for each
 * @added:   those that are new: queue descriptors of their taps come along, in this order
 * @ifs:     of those
 * @payload: of AP_MSG_NET, as long as the message is
 */
struct net_state_msg {
	uint32_t op;
	uint32_t slots;
	uint32_t added;
	uint32_t pad;
	struct {
		uint8_t mac[6];
		uint16_t mtu;
		uint32_t n_queues;
		uint32_t uso;
		uint32_t carrier;
	} ifs[AP_MAX_LINKS];
	uint8_t payload[];
};
#define NET_STATE_FDS (AP_MAX_LINKS * NET_TAP_MAX_QUEUES)

#define LAUNCH_NET_REQUEST_ID 3u /* of the agent request encoded before the fork */

#define ROLE_SAYS_GO	 'g' /* create -> vmm: the guest may prepare the container */
#define ROLE_SAYS_COMMIT 'c' /* create -> vmm: live on your own */

/** role_report() - tell `create` that the role is ready (@err NULL) or failed */
void role_report(int report_fd, const struct vr_err *err);
/** role_report_read() - `create`'s side: wait. Return: 0, or what the role said */
int role_report_read(int report_fd, const char *role, int timeout_ms, struct vr_err *err)
	__attribute__((warn_unused_result));
/**
 * role_tell_shim() - the vmm's last word to a shim; it can't be told when it is gone
 * @reason: or NULL; cut to what the message has room for
 */
void role_tell_shim(int shim_fd, uint8_t status, const char *reason);
/**
 * role_log_fd() - the log for a role to keep, or -1
 *
 * The roles never log errors. So the log is given up where nobody asked for more: a role that was
 * taken over could fill the file system it is on.
 */
int role_log_fd(void) __attribute__((warn_unused_result));
/**
 * role_stdio_null() - fds 0, 1, 2 become @null_fd
 *
 * A role is born in its cgroup, and that may have no devices: whoever made it opens them.
 */
void role_stdio_null(int null_fd);

#endif /* VOLT_ROLES_H */
