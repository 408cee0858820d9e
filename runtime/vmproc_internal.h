/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmproc_internal.h - the vmm role, shared by its files
 *
 *   vmproc.c         start, event dispatch, end
 *   vmproc_devices.c the VM and its device array
 *   vmproc_agent.c   what the guest agent says
 *   vmproc_control.c what verbs ask
 *   vmproc_procs.c   guest processes, their streams and shims
 *
 * Threads: the loop thread owns all of it. vCPU threads touch devices only,
 *          through the device locks.
 */
#ifndef VOLT_VMPROC_INTERNAL_H
#define VOLT_VMPROC_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_client.h"
#include "base/err.h"
#include "control.h"
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
	EV_STREAM,	 /* (slot in procs << 3) | stream << 1 | write side */
	EV_ATTACH,	 /* as EV_STREAM: the guest connected this stream */
	EV_DEADLINE,	 /* enum vmproc_deadline */
	EV_DEVICE_TIMER, /* a device asked to be called again */
	EV_COUNT,
};
_Static_assert(EV_COUNT <= LOOP_MAX_KINDS, "too many kinds of events");

enum vmproc_deadline {
	DEADLINE_BOOT, /* the agent must have said hello and prepared the container */
	DEADLINE_KILL, /* the guest must have ended after SIGKILL */
};

/** struct vproc - a guest process somebody on the host waits for; slot 0 is the container's init */
struct vproc {
	bool used;
	bool exited;
	uint8_t status; /* valid once exited */
	uint32_t id;	/* agent protocol's process id */
	int shim_fd;	/* -1 once told or gone */
	unsigned n_streams;
	struct stream streams[VMPROC_STREAMS];
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
	uint32_t id; /* 0: free slot */
	int client;  /* slot in clients, -1: nobody waits */
	bool start;  /* the answer says whether the container runs, even when nobody waits for it */
};

struct vmproc_devices;

struct vmproc {
	const struct vmm_plan *plan;
	struct loop *loop;
	struct gmem *mem;
	struct vm *vm;
	struct vmproc_devices *dev;
	struct vsock *vsock; /* borrowed from dev */
	struct agent_client *agent;
	enum ctl_state state;
	bool go;	/* `create` lets the guest prepare the container */
	bool greeted;	/* the agent said hello */
	bool committed; /* `create` finished; from now on the VM lives by itself */
	bool ending;	/* loop_stop() was called */
	bool killing;	/* DEADLINE_KILL is set */
	uint32_t next_request;
	struct vproc procs[VMPROC_MAX_PROCS];
	struct vclient clients[VMPROC_MAX_CLIENTS];
	struct vpending pending[VMPROC_MAX_PENDING];
};

/* vmproc.c */
/** vmproc_end() - tell init's shim @status and leave the loop */
void vmproc_end(struct vmproc *p, uint8_t status);
/** vmproc_kill() - end as if killed, or with init's status when it is known */
void vmproc_kill(struct vmproc *p);
/** vmproc_refuse() - end with @err as the reason, told to `create` while that waits */
void vmproc_refuse(struct vmproc *p, const struct vr_err *err);
/** vmproc_fail() - vmproc_refuse() with a sentence that gets the guest's last words added */
void vmproc_fail(struct vmproc *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* vmproc_devices.c */
int vmproc_devices_create(struct vmproc *p, struct vr_err *err) __attribute__((warn_unused_result));
/** vmproc_devices_cmdline() - @base and a word for each device. Return: 0 or -errno */
int vmproc_devices_cmdline(const struct vmproc *p, const char *base, char *buf, size_t cap)
	__attribute__((warn_unused_result));
/** vmproc_devices_destroy() - after vm_destroy() */
void vmproc_devices_destroy(struct vmproc *p);
void vmproc_devices_kick(struct vmproc *p, uint32_t index);
void vmproc_devices_tick(struct vmproc *p);
/** vmproc_console_tail() - the guest's last console lines, one line of printable text */
size_t vmproc_console_tail(struct vmproc *p, char *buf, size_t cap);

/* vmproc_agent.c */
const struct agent_events *vmproc_agent_events(void);
/** vmproc_agent_go() - hooks have run: let the agent prepare the container, now or after its hello */
void vmproc_agent_go(struct vmproc *p);
/** vmproc_agent_request() - a fresh request id; @client as in struct vpending. Return: id, 0 when full */
uint32_t vmproc_agent_request(struct vmproc *p, int client);
/**
 * vmproc_agent_send() - send the frame of request @id; takes the vsock lock
 * @id:  from vmproc_agent_request(), which is taken back on failure
 * @len: what encoding returned
 *
 * Return: 0 or -errno.
 */
int vmproc_agent_send(struct vmproc *p, uint32_t id, const void *frame, long len)
	__attribute__((warn_unused_result));
/**
 * vmproc_agent_signal() - forward a signal
 *
 * SIGKILL for init always comes to its end: without an answer of the guest, the VM does.
 *
 * Return: 0 or -errno.
 */
int vmproc_agent_signal(struct vmproc *p, uint32_t proc, uint32_t signo, bool all, int client);

/* vmproc_control.c */
void vmproc_control_accept(struct vmproc *p);
void vmproc_control_event(struct vmproc *p, uint32_t slot);
void vmproc_control_answer(struct vmproc *p, int client, int code, const char *msg);

/* vmproc_procs.c */
void vmproc_procs_init(struct vmproc *p);
int vmproc_procs_accept(struct vmproc *p, uint32_t port, struct vsock_conn *conn,
			const struct vsock_endpoint **ep, void **ep_ctx);
void vmproc_procs_attach(struct vmproc *p, uint32_t index);
void vmproc_procs_stream(struct vmproc *p, uint32_t index);
void vmproc_procs_shim(struct vmproc *p, uint32_t slot);
/** vmproc_procs_exited() - the agent says that process @id ended */
void vmproc_procs_exited(struct vmproc *p, const struct ap_exit *m);
/** vmproc_procs_abandon() - stop waiting for readers of init's output */
void vmproc_procs_abandon(struct vmproc *p);

#endif /* VOLT_VMPROC_INTERNAL_H */
