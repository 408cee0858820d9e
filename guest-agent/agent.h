/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent.h - the agent's state: one container, its processes, one control connection
 *
 * Further containers of the same machine have agents of their own: see member.h.
 *
 * Threads: none; everything runs in one epoll loop.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/agent_proto.h"
#include "cgroup.h"
#include "conn.h"
#include "fail.h"
#include "stream.h"

/**
 * enum proc_phase - one process of the container
 *
 * FREE -> SETUP     a child was cloned and builds the container, or joins it
 * SETUP -> READY    it has reported that only execve is left; init stays here until START
 * READY -> STARTING it was told to go on (an exec at once)
 * STARTING -> RUNNING  execve succeeded: its status socket has closed by itself
 * any -> DEAD       it was reaped; its output is being drained; then its EXIT is sent
 * DEAD -> FREE      nothing of it is left. init's slot is never freed: one container an agent.
 */
enum proc_phase {
	PROC_FREE,
	PROC_SETUP,
	PROC_READY,
	PROC_STARTING,
	PROC_RUNNING,
	PROC_DEAD,
};

/**
 * struct proc - a slot of the process table
 * @gen:       how often the slot was used; in its epoll data, so that a late event finds nobody
 * @id:        the host's name for it, 0 is init
 * @request:   the request still to be answered, or 0
 * @status:    our end of the status socket, -1 after execve
 * @signo:     reported instead of the SIGKILL that was sent in its place, or 0
 * @silent:    no EXIT is sent: the host learned of its end from a reply
 * @tty_peer:  slave of its terminal, held so that the terminal doesn't hang up before its end
 * @spec:      the values the agent itself applies to it
 */
struct proc {
	enum proc_phase phase;
	uint16_t gen;
	uint32_t id;
	uint32_t request;
	pid_t pid;
	uint32_t inner_pid; /* in the container's pid namespace */
	int pidfd;
	int status;
	int wstatus;
	int signo;
	bool silent;
	bool tty;
	int tty_host; /* connected, waiting for the terminal; -1 otherwise */
	int tty_peer;
	uint64_t oom_before;
	uint64_t t_exit;
	uint32_t n_rlimits;
	struct ap_rlimit rlimits[AP_MAX_RLIMITS];
	struct stream streams[AP_STREAMS]; /* 0 to 2, then passed descriptors */
	uint32_t fds[AP_MAX_FDS];	   /* their kinds, 0 beyond them */
};

/* States of the container; bits, for the table of permitted requests. */
enum agent_state {
	ST_NEW = 1u << 0,	 /* hello was sent */
	ST_CONFIGURED = 1u << 1, /* clock and seed are set */
	ST_CREATING = 1u << 2,
	ST_CREATED = 1u << 3, /* waits for START */
	ST_STARTING = 1u << 4,
	ST_RUNNING = 1u << 5,
	ST_PAUSED = 1u << 6,  /* as a permission only: see agent_state_now() */
	ST_STOPPED = 1u << 7, /* init has ended, or CREATE has failed */
};

/**
 * struct agent - everything
 * @frozen: FREEZE was done; @state stays what it was
 * @own_pid_ns: our pid namespace, to come back to after spawning into the container's
 * @first:      of a member's agent: pidfd of the init of the machine's first container; -1 without
 * @mounts:     the container's mount namespace while it is held (hold.h), or -1
 */
struct agent {
	int ep;
	int signals;
	int own_pid_ns;
	int first;
	int mounts;
	int notify;	     /* datagrams of sd_notify(3), meant with AP_C_NOTIFY */
	uint8_t resolver[4]; /* where to be a name server; zeros: nowhere */
	enum agent_state state;
	bool frozen;
	bool has_process;
	uint32_t namespaces;
	struct cgroup cgroup;
	uint32_t conn_events;
	struct proc procs[AP_MAX_PROCS];
	struct conn conn;
};

/* Typed epoll data: {kind, stream, generation, slot}. A stale one matches no slot. */
enum ref_kind {
	REF_CONTROL,
	REF_SIGNALS,
	REF_STATUS,
	REF_GUEST,
	REF_HOST,
	REF_NOTIFY,
	REF_DNS_GUEST,
	REF_DNS_HOST,
	REF_LINK_GUEST, /* connections of accept.h */
	REF_LINK_HOST,
	REF_COUNT
};

static inline uint64_t ref_make(enum ref_kind kind, uint32_t slot, uint16_t gen, uint32_t stream)
{
	return (uint64_t)kind << 56 | (uint64_t)stream << 48 | (uint64_t)gen << 32 | slot;
}

/** agent_state_now() - the state, with ST_PAUSED in the place of what is frozen */
enum agent_state agent_state_now(const struct agent *a);
/** agent_init() - an agent on a connected control socket */
int agent_init(struct agent *a, int control) __attribute__((warn_unused_result));
/** agent_hello() - the first frame; its last stamp is filled in */
int agent_hello(struct agent *a, struct ap_hello *hello) __attribute__((warn_unused_result));
/** agent_run() - the loop. Return: 0 the host has hung up or asked to shut down, or -errno */
int agent_run(struct agent *a);
/** agent_watch() - put a descriptor into the epoll set */
int agent_watch(struct agent *a, int fd, uint64_t ref, uint32_t events);

/* request.c */
/** request_handle() - one frame from the host. Return: 0, 1 to shut down */
int request_handle(struct agent *a, const struct ap_header *h, const uint8_t *payload);
/** reply_ok(), reply_fail() - answer request @id; 0 is nobody's and is not answered */
void reply_ok(struct agent *a, uint32_t id, uint32_t pid);
void reply_fail(struct agent *a, uint32_t id, const struct fail *f);

/* proc.c */
struct proc *proc_find(struct agent *a, uint32_t id);
struct proc *proc_by_pid(struct agent *a, pid_t pid);
/** proc_alloc() - a free slot; slot 0 for init only. NULL when there is none */
struct proc *proc_alloc(struct agent *a, uint32_t id);
void proc_free(struct agent *a, struct proc *p);
/** proc_status() - its status socket has something to say */
void proc_status(struct agent *a, struct proc *p);
/** proc_go() - let it execute its workload; @state: for hooks, may be empty */
int proc_go(struct agent *a, struct proc *p, const char *state) __attribute__((warn_unused_result));

/* spawn.c */
/** spawn_init() - clone the container's child; its progress comes by proc_status() */
int spawn_init(struct agent *a, struct proc *p, const struct ap_container *c, struct fail *f)
	__attribute__((warn_unused_result));
/** spawn_exec() - clone a child that joins the container */
int spawn_exec(struct agent *a, struct proc *p, const struct ap_process *spec, struct fail *f)
	__attribute__((warn_unused_result));

/* reap.c */
/** reap_all() - collect every child that has ended */
void reap_all(struct agent *a);
/** reap_settle() - send the EXITs that have become due */
void reap_settle(struct agent *a);

/* ps.c */
/** ps_list() - the container's processes. Return: number; strings live in @text */
size_t ps_list(const struct agent *a, struct ap_ps_entry *out, size_t cap, char *text,
	       size_t text_cap);

#endif /* AGENT_AGENT_H */
