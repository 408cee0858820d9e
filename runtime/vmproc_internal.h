/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmproc_internal.h - the vmm role, shared by its files
 *
 *   vmproc.c         start, event dispatch, end
 *   vmproc_devices.c the VM and its device array
 *   vmproc_disks.c   disks beside it
 *   vmproc_net.c     network devices and their taps
 *   vmproc_netrole.c networks that come and go, as the net process says
 *   vmproc_agent.c   what the guest agent says
 *   vmproc_control.c what verbs ask
 *   vmproc_procs.c   guest processes, their streams and shims
 *   vmproc_exec.c    more of them, asked for by `exec`
 *   vmproc_accept.c  connections to listening sockets they were passed
 *   vmproc_member.c  further containers in the same VM
 *
 * Threads: the loop thread owns all of it. vCPU threads touch devices only,
 *          through the device locks.
 */
#ifndef VOLT_VMPROC_INTERNAL_H
#define VOLT_VMPROC_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent_client.h"
#include "base/err.h"
#include "control.h"
#include "dns_relay.h"
#include "roles.h"
#include "stream.h"
#include "vmm/gmem.h"
#include "vmm/loop.h"
#include "vmm/vm.h"
#include "vmm/vsock.h"

#define VMPROC_MAX_CLIENTS 64u
#define VMPROC_MAX_PENDING 128u
#define VMPROC_MAX_PROCS   AP_MAX_PROCS
#define VMPROC_STREAMS	   3u

/* Kinds of loop events; the index says which one. */
enum vmproc_event {
	EV_KICK,	 /* device << 8 | queue */
	EV_VM,		 /* the VM ended */
	EV_SHIM,	 /* slot in procs */
	EV_FS,		 /* the fs process said something out of turn, or ended */
	EV_CREATE,	 /* `create` committed, or died */
	EV_LISTEN,	 /* a verb connects */
	EV_CLIENT,	 /* slot in clients */
	EV_STREAM,	 /* (slot in procs << 5) | stream << 1 | write side */
	EV_ATTACH,	 /* as EV_STREAM: the guest connected this stream */
	EV_DEADLINE,	 /* enum vmproc_deadline */
	EV_DEVICE_TIMER, /* a device asked to be called again */
	EV_PROC,	 /* slot in procs << 1 | enum vmproc_proc_work */
	EV_NET,		 /* network device << 8 | queue of its tap */
	EV_NET_KICK,	 /* network device << 8 | queue */
	EV_NETROLE,	 /* enum vmproc_netrole_event */
	EV_DNS,		 /* the name server has answered */
	EV_ACCEPT,	 /* slot of a listening socket */
	EV_LINK,	 /* slot of an accepted connection << 1 | write side */
	EV_LINK_ATTACH,	 /* slot of an accepted connection */
	EV_MEMBER,	 /* a container that joined has ended: enum vmproc_member_work */
	EV_COUNT,
};
_Static_assert(EV_COUNT *(AP_MEMBERS_MAX + 1) <= LOOP_MAX_KINDS, "too many kinds of events");

enum vmproc_deadline {
	DEADLINE_BOOT,	/* the agent must have said hello and prepared the container */
	DEADLINE_KILL,	/* the guest must have ended after SIGKILL */
	DEADLINE_DRAIN, /* what execs wrote must have been read after init's end */
};

enum vmproc_netrole_event {
	NETROLE_MESSAGE, /* the net process says something */
	NETROLE_WORK,	 /* what can't be done where its need is found: in callbacks of the vsock */
};

/* Work on a process that can't be done where its need is found: in callbacks of the vsock. */
enum vmproc_proc_work {
	PROC_WORK_OVER,	  /* it ended and its output is written */
	PROC_WORK_RESIZE, /* tell the guest the window's size */
};

/**
 * struct vproc - a guest process somebody on the host waits for; slot 0 is the container's init
 * @status:     valid once @exited
 * @id:         agent protocol's process id; never used twice
 * @shim_fd:    -1 once told or gone
 * @host_pid:   its shim's, as the client of `exec` said; for `ps`
 * @rows, @cols: window size the guest knows
 */
struct vproc {
	bool used;
	bool running; /* the agent said that it was started */
	bool exited;
	bool tty;
	uint8_t status;
	uint32_t id;
	uint32_t port; /* of its streams, the first one's */
	uint32_t host_pid;
	uint16_t rows;
	uint16_t cols;
	int shim_fd;
	struct stream streams[VMPROC_STREAMS]; /* a terminal has the first alone */
	struct stream *passed;		       /* those of passed descriptors, @n_passed of them */
	unsigned n_passed;
	struct vmproc *owner;
};

/** struct vclient - one connection to the control socket */
struct vclient {
	int fd;	      /* -1: free slot */
	bool waiting; /* for an answer of the agent */
	enum ctl_type type;
};

/** struct vpending - a request the agent has not answered yet */
struct vpending {
	uint32_t id;	    /* 0: free slot */
	int client;	    /* slot in clients, -1: nobody waits */
	enum ctl_type type; /* what it was for, whoever waits; 0: something of our own */
	uint32_t proc;	    /* CTL_EXEC: process id */
	uint32_t net;	    /* number of a NET of vmproc_netrole.c, 0 for all else */
	uint32_t link;	    /* 1 + slot of a connection of vmproc_accept.c, 0 for all else */
	uint32_t member;    /* number of a container that joins, 0 for all else */
};

struct vmproc_devices;
struct vmproc_disks;
struct cmdline;
struct vmproc_nets;
struct vmproc_netrole;
struct vmproc_accepts;
struct vmproc_members;

/**
 * struct vmproc - a container, and with the first one its VM
 *
 * Those that join (vmproc_member.c) have a struct of their own that borrows the VM's parts; what is
 * about networks, disks and name servers is the first one's.
 *
 * @machine: the first container; itself for that one
 * @number:  as the agent of the first one knows it; 0 is the first one
 */
struct vmproc {
	const struct vmm_plan *plan;
	struct vmproc *machine;
	unsigned number;
	struct vmproc_members *members; /* of the first one: NULL while nobody joined */
	struct loop *loop;
	struct gmem *mem;
	struct vm *vm;
	struct vmproc_devices *dev;
	struct vmproc_disks *disks;
	struct vmproc_nets *nets;
	struct vmproc_netrole *netrole;
	struct vmproc_accepts *accepts; /* NULL while there is no listening socket */
	struct vsock *vsock;		/* borrowed from dev */
	struct agent_client *agent;
	struct dns_relay dns;
	enum ctl_state state;
	enum ctl_state before_pause;
	bool go;	/* `create` lets the guest prepare the container */
	bool greeted;	/* the agent said hello */
	bool committed; /* `create` finished; from now on the VM lives by itself */
	bool ending;	/* loop_stop() was called */
	bool killing;	/* DEADLINE_KILL is set */
	bool frozen;	/* paused in the guest, while the VM runs */
	bool freezing;	/* the agent has not answered FREEZE or THAW yet */
	pthread_mutex_t
		fs_lock; /* one question to the fs process at a time: vCPUs ask, and the loop */
	bool fs_late;	 /* it owes an answer, which would be taken for the next one */
	uint32_t n_configures; /* requests of this kind that the agent has not answered yet */
	uint32_t n_nets;       /* the same for NET */
	uint32_t next_request;
	uint32_t last_proc; /* last process id given away */
	struct vproc procs[VMPROC_MAX_PROCS];
	struct vclient clients[VMPROC_MAX_CLIENTS];
	struct vpending pending[VMPROC_MAX_PENDING];
};

/** vmproc_kind() - the loop's number for @kind of this container: each has its own */
static inline unsigned vmproc_kind(const struct vmproc *p, enum vmproc_event kind)
{
	return p->number * EV_COUNT + kind;
}

/* vmproc.c */
/** vmproc_end() - tell all shims: init's @status, the others were killed; leave the loop */
void vmproc_end(struct vmproc *p, uint8_t status);
/** vmproc_kill() - end as if killed, or with init's status when it is known */
void vmproc_kill(struct vmproc *p);
/** vmproc_refuse() - end with @err as the reason, told to `create` while that waits */
void vmproc_refuse(struct vmproc *p, const struct vr_err *err);
/** vmproc_fail() - vmproc_refuse() with a sentence that gets the guest's last words added */
void vmproc_fail(struct vmproc *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** vmproc_handlers() - who handles the container's events; before anything is watched. !@on: nobody */
void vmproc_handlers(struct vmproc *p, bool on);
/** vmproc_watch() - the container's peers and verbs, and the time it may take to get ready */
int vmproc_watch(struct vmproc *p) __attribute__((warn_unused_result));

/* vmproc_member.c */
/** vmproc_member() - the container with this number in @first's VM, 0 for itself; or NULL */
struct vmproc *vmproc_member(struct vmproc *first, unsigned number);
/** vmproc_member_of_port() - whose is what connects to this port? NULL: nobody's */
struct vmproc *vmproc_member_of_port(struct vmproc *first, uint32_t port);
/** vmproc_member_is_control() - is it where the agent of @p, which joined, connects to? */
bool vmproc_member_is_control(const struct vmproc *p, uint32_t port);
/** vmproc_member_any() - has another container joined that is still there? */
bool vmproc_member_any(struct vmproc *first);
/** vmproc_member_machine() - serve CTL_MACHINE. Return: 0 (answered), or -errno with @err */
int vmproc_member_machine(struct vmproc *p, int client, struct vr_err *err)
	__attribute__((warn_unused_result));
/**
 * vmproc_member_join() - serve CTL_JOIN
 * @fds: as in enum ctl_join_fd; those taken over are set to -1
 *
 * Return: 0 (answered), or -errno with @err.
 */
int vmproc_member_join(struct vmproc *p, int client, const struct ctl_request *req, int *fds,
		       size_t n_fds, struct vr_err *err) __attribute__((warn_unused_result));
/** vmproc_member_answered() - the agent's answer to JOIN number @id; from a callback of the vsock */
void vmproc_member_answered(struct vmproc *first, unsigned number, uint32_t id,
			    const struct vr_err *err);
/** vmproc_member_left() - its agent has ended; from a callback of the vsock */
void vmproc_member_left(struct vmproc *first, const struct ap_left *m);
/** vmproc_member_ended() - all have been told of the end of @p: let go of it, soon */
void vmproc_member_ended(struct vmproc *p);
/** vmproc_member_work() - EV_MEMBER */
void vmproc_member_work(struct vmproc *p, uint32_t index);
/** vmproc_members_destroy() - after the devices */
void vmproc_members_destroy(struct vmproc *first);

/* vmproc_devices.c */
int vmproc_devices_create(struct vmproc *p, struct vr_err *err) __attribute__((warn_unused_result));
/** vmproc_devices_cmdline() - @base and a word for each device. Return: 0 or -errno */
int vmproc_devices_cmdline(const struct vmproc *p, const char *base, char *buf, size_t cap)
	__attribute__((warn_unused_result));
/** vmproc_devices_destroy() - after vm_destroy() */
void vmproc_devices_destroy(struct vmproc *p);
/** vmproc_device_fault() - says that the guest broke a device's rules; for virtio_dev.on_fault */
void vmproc_device_fault(void *ctx, struct virtio_dev *dev);

/* vmproc_disks.c: the same for what config.json adds */
int vmproc_disks_create(struct vmproc *p) __attribute__((warn_unused_result));
int vmproc_disks_cmdline(const struct vmproc *p, struct cmdline *c)
	__attribute__((warn_unused_result));
void vmproc_disks_kick(struct vmproc *p, uint32_t index);
void vmproc_disks_destroy(struct vmproc *p);

/* vmproc_devices.c again */
/** vmproc_fs_backend() - who serves the queues of this container's virtio-fs device */
struct virtio_fs_backend vmproc_fs_backend(struct vmproc *p);
/** vmproc_fs_wires() - give the device the eventfds that the fs process has */
void vmproc_fs_wires(const struct fs_wires *wires, struct virtio_dev *dev);
/** vmproc_devices_freeze_root() - the file server lets nothing in the root be changed any more */
int vmproc_devices_freeze_root(struct vmproc *p) __attribute__((warn_unused_result));
void vmproc_devices_kick(struct vmproc *p, uint32_t index);
void vmproc_devices_tick(struct vmproc *p);
/** vmproc_console_tail() - the guest's last console lines, one line of printable text */
size_t vmproc_console_tail(struct vmproc *p, char *buf, size_t cap);
/** vmproc_console_panic() - the line that names a kernel panic, or "". Return: its length */
size_t vmproc_console_panic(struct vmproc *p, char *buf, size_t cap);
/** vmproc_console_debug() - all that is kept of the console, a debug message a line */
void vmproc_console_debug(struct vmproc *p);

/* vmproc_net.c */
/**
 * vmproc_net_own() - where the host's kernel serves the queues: it gets to know guest RAM
 *
 * After the final stage, since its threads are made from ours; before there are vCPUs.
 */
int vmproc_net_own(struct vmproc *p, struct vr_err *err) __attribute__((warn_unused_result));
/** vmproc_net_create() - slots, and a device for each interface of the plan. Return: 0 or -errno */
int vmproc_net_create(struct vmproc *p) __attribute__((warn_unused_result));
int vmproc_net_cmdline(const struct vmproc *p, struct cmdline *c)
	__attribute__((warn_unused_result));
/**
 * vmproc_net_add() - one more device, while the guest runs
 * @nif: its descriptors are taken over on success
 *
 * Return: 0, -EINVAL (no such slot), -EBUSY (it has a device), or -errno.
 */
int vmproc_net_add(struct vmproc *p, uint32_t slot, const struct net_if *nif)
	__attribute__((warn_unused_result));
/** vmproc_net_remove() - one less; a slot without a device is fine */
void vmproc_net_remove(struct vmproc *p, uint32_t slot);
/** vmproc_net_carrier() - the guest sees which of its links have one: a bit of @slots for each */
void vmproc_net_carrier(struct vmproc *p, uint32_t slots);
/** vmproc_net_place() - the VM's slot for slot @slot of networks. Return: it, or -EINVAL */
int vmproc_net_place(const struct vmproc *p, uint32_t slot) __attribute__((warn_unused_result));
/** vmproc_net_slots() - those with a device, a bit each */
uint32_t vmproc_net_slots(const struct vmproc *p);
void vmproc_net_destroy(struct vmproc *p);
/** vmproc_net_event() - a tap is ready; @index as in EV_NET */
void vmproc_net_event(struct vmproc *p, uint32_t index, uint32_t events);
/** vmproc_net_kick() - @index as in EV_NET_KICK */
void vmproc_net_kick(struct vmproc *p, uint32_t index);

/* vmproc_netrole.c */
/** vmproc_netrole_init() - listen to the net process, if there is one. Return: 0 or -errno */
int vmproc_netrole_init(struct vmproc *p) __attribute__((warn_unused_result));
/** vmproc_netrole_event() - @index: enum vmproc_netrole_event */
void vmproc_netrole_event(struct vmproc *p, uint32_t index);
/** vmproc_netrole_created() - the guest is ready to hear of changes; from a callback of the vsock */
void vmproc_netrole_created(struct vmproc *p);
/** vmproc_netrole_answered() - the agent's answer to NET number @net; from a callback of the vsock */
void vmproc_netrole_answered(struct vmproc *p, uint32_t net, const struct vr_err *err);
/**
 * vmproc_netrole_start() - start the container when the guest knows the network as it is now
 * @client: who waits
 * @state:  for CTL_START's body, @len bytes, at most CTL_BODY_MAX
 *
 * Return: 0 or -errno.
 */
int vmproc_netrole_start(struct vmproc *p, int client, const void *state, size_t len)
	__attribute__((warn_unused_result));
/** vmproc_netrole_slot() - a slot for networks has another device, or none any more */
void vmproc_netrole_slot(const struct vmproc *p, uint32_t slot, bool taken);
/** vmproc_netrole_forget() - @client is gone, what it asked for goes on */
void vmproc_netrole_forget(struct vmproc *p, int client);
void vmproc_netrole_destroy(struct vmproc *p);

/* vmproc_agent.c */
const struct agent_events *vmproc_agent_events(void);
/** vmproc_agent_go() - hooks have run: let the agent prepare the container, now or after its hello */
void vmproc_agent_go(struct vmproc *p);
/**
 * vmproc_agent_pending() - a slot for a request to the agent, with a fresh id
 * @client: who waits for the answer, as in struct vpending
 *
 * Return: the slot, NULL when too many requests are unanswered.
 */
struct vpending *vmproc_agent_pending(struct vmproc *p, int client, enum ctl_type type);
/**
 * vmproc_agent_send() - send the request of @slot; takes the vsock lock
 * @slot: from vmproc_agent_pending(), free again after a failure; NULL is -EAGAIN
 * @len:  what encoding returned
 *
 * Return: 0 or -errno.
 */
int vmproc_agent_send(struct vmproc *p, struct vpending *slot, const void *frame, long len)
	__attribute__((warn_unused_result));
/**
 * vmproc_agent_signal() - forward a signal; takes the vsock lock
 *
 * SIGKILL for init always comes to its end: without an answer of the guest, the VM does.
 *
 * Return: 0 or -errno.
 */
int vmproc_agent_signal(struct vmproc *p, uint32_t proc, uint32_t signo, bool all, int client);
/** vmproc_agent_set_clock() - after a pause. Return: 0 or -errno */
int vmproc_agent_set_clock(struct vmproc *p) __attribute__((warn_unused_result));
/** vmproc_agent_forget() - the client is gone: nobody waits for its answer any more */
void vmproc_agent_forget(struct vmproc *p, int client);

/* vmproc_control.c */
/** vmproc_control_start() - CTL_START, now. @state: as above. Return: 0 or -errno */
int vmproc_control_start(struct vmproc *p, int client, const void *state, size_t len)
	__attribute__((warn_unused_result));
/** vmproc_control_frozen() - the agent's answer to FREEZE (@on) or THAW */
void vmproc_control_frozen(struct vmproc *p, bool on, bool ok);
void vmproc_control_accept(struct vmproc *p);
void vmproc_control_event(struct vmproc *p, uint32_t slot);
void vmproc_control_answer(struct vmproc *p, int client, int code, const char *msg);
/** vmproc_control_answer_data() - success, with data for the client */
void vmproc_control_answer_data(struct vmproc *p, int client, const void *data, size_t len);

/* vmproc_procs.c */
/** vmproc_procs_init() - slot 0 is init. Return: 0 or -ENOMEM */
int vmproc_procs_init(struct vmproc *p) __attribute__((warn_unused_result));
/**
 * vmproc_procs_add() - take a slot for one more process
 * @rfd, @wfd: of each stream (one for a terminal), -1 for none; owned on success, as is @fds
 *
 * Return: the process, NULL when there are too many.
 */
struct vproc *vmproc_procs_add(struct vmproc *p, bool tty, const int rfd[VMPROC_STREAMS],
			       const int wfd[VMPROC_STREAMS], const struct passfds *fds);
/** vmproc_procs_stream_of() - stream number @s (as its port says), NULL if it has none */
struct stream *vmproc_procs_stream_of(struct vproc *v, unsigned s);
/** vmproc_procs_port() - a port for streams that nobody has. Return: 0 or -EIO */
int vmproc_procs_port(struct vmproc *p, uint32_t *out) __attribute__((warn_unused_result));
/** vmproc_procs_drained() - something that it wrote elsewhere has been taken: perhaps it is over */
void vmproc_procs_drained(struct vmproc *p, uint32_t id);
/** vmproc_procs_find() - by process id, NULL when there is none */
struct vproc *vmproc_procs_find(struct vmproc *p, uint32_t id);
/** vmproc_procs_release() - end all of it and free the slot; its shim learns of it by end of file */
void vmproc_procs_release(struct vmproc *p, struct vproc *v);
/** vmproc_procs_tell() - its shim may exit with @status; @reason: for `state`, or NULL */
void vmproc_procs_tell(struct vmproc *p, struct vproc *v, uint8_t status, const char *reason);
/** vmproc_procs_defer() - do @work from the loop, without locks */
void vmproc_procs_defer(struct vmproc *p, struct vproc *v, enum vmproc_proc_work work);
void vmproc_procs_work(struct vmproc *p, uint32_t index);
/** vmproc_procs_has_port() - is it one of a process's streams? */
bool vmproc_procs_has_port(const struct vmproc *p, uint32_t port);
int vmproc_procs_accept(struct vmproc *p, uint32_t port, struct vsock_conn *conn,
			const struct vsock_endpoint **ep, void **ep_ctx);
void vmproc_procs_attach(struct vmproc *p, uint32_t index);
void vmproc_procs_stream(struct vmproc *p, uint32_t index);
void vmproc_procs_shim(struct vmproc *p, uint32_t slot);
/** vmproc_procs_exited() - the agent says that process @id ended */
void vmproc_procs_exited(struct vmproc *p, const struct ap_exit *m);
/** vmproc_procs_abandon() - stop waiting for readers of output */
void vmproc_procs_abandon(struct vmproc *p);

/* vmproc_exec.c */
/**
 * vmproc_exec_read() - the payload of a request that a client has encoded
 * @buf: AP_FRAME_MAX bytes
 *
 * Return: bytes, or -errno.
 */
ssize_t vmproc_exec_read(int fd, void *buf) __attribute__((warn_unused_result));
/** vmproc_exec_passed() - @fds, to pass as @plan says. Return: 0, -EPROTO when they are not as many */
int vmproc_exec_passed(const struct ap_process *plan, const int *fds, size_t n, struct passfds *out)
	__attribute__((warn_unused_result));
/**
 * vmproc_exec() - serve CTL_EXEC
 * @fds:   as in enum ctl_exec_fd; those taken over are set to -1
 *
 * Return: 0 (the agent's answer will follow), or -errno with @err.
 */
int vmproc_exec(struct vmproc *p, int client, const struct ctl_request *req, int *fds, size_t n_fds,
		struct vr_err *err) __attribute__((warn_unused_result));
/** vmproc_exec_answered() - the agent has started process @id, or not; the vsock lock is held */
void vmproc_exec_answered(struct vmproc *p, uint32_t id, bool ok);

/* vmproc_accept.c */
/** vmproc_accept_room() - is there room for the listening ones of @fds? Return: 0, -ENOSPC, -ENOMEM */
int vmproc_accept_room(struct vmproc *p, const struct passfds *fds)
	__attribute__((warn_unused_result));
/**
 * vmproc_accept_add() - pass connections to @fd on to a process
 * @fd:     listening, non-blocking or not; owned on success
 * @stream: its number among the process's
 *
 * Return: 0 or -errno.
 */
int vmproc_accept_add(struct vmproc *p, uint32_t proc, uint32_t stream, int fd)
	__attribute__((warn_unused_result));
/** vmproc_accept_running() - a process may be connected to now, if it was passed some */
void vmproc_accept_running(struct vmproc *p, uint32_t proc);
/** vmproc_accept_drained() - is all written that @proc wrote to its connections? */
bool vmproc_accept_drained(const struct vmproc *p, uint32_t proc);
/** vmproc_accept_end() - a process has ended; the vsock lock is held */
void vmproc_accept_end(struct vmproc *p, uint32_t proc);
/** vmproc_accept_event() - EV_ACCEPT, EV_LINK, EV_LINK_ATTACH */
void vmproc_accept_event(struct vmproc *p, enum vmproc_event kind, uint32_t index);
/** vmproc_accept_has_port() - is it one of a connection? */
bool vmproc_accept_has_port(const struct vmproc *p, uint32_t port);
/** vmproc_accept_connect() - the guest connects to such a port; as vmproc_procs_accept() */
int vmproc_accept_connect(struct vmproc *p, uint32_t port, struct vsock_conn *conn,
			  const struct vsock_endpoint **ep, void **ep_ctx);
/** vmproc_accept_answered() - the agent passes connection @link on, or not; the vsock lock is held */
void vmproc_accept_answered(struct vmproc *p, uint32_t link, bool ok);
/** vmproc_accept_abandon() - close all, lose what was not written yet; the vsock lock is held */
void vmproc_accept_abandon(struct vmproc *p);
/** vmproc_accept_destroy() - before the vsock goes */
void vmproc_accept_destroy(struct vmproc *p);

#endif /* VOLT_VMPROC_INTERNAL_H */
