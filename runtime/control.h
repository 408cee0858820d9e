/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.h - the control socket: what a verb asks of the vmm of a container
 *
 * A SOCK_SEQPACKET socket `control.sock` in the container's state directory
 * (0700). One request a message, one reply a request, in order. Requests are
 * refused unless the table of control.c permits them in the present state.
 * docs/PROTOCOL-control.md describes the bytes.
 *
 * Trust: the socket is reachable by the container's owner only; still every
 *        message is parsed with bounds, since the vmm must not fall over.
 * Uses: base.
 */
#ifndef VOLT_CONTROL_H
#define VOLT_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/agent_proto.h"
#include "base/err.h"

#define CTL_VERSION	1u
#define CTL_BODY_MAX	(64u * 1024u)	     /* data of a request or an answer */
#define CTL_MSG_MAX	(CTL_BODY_MAX + 16u) /* a whole message */
#define CTL_FDS_MAX	(13u + 2u * AP_MAX_FDS)
#define CTL_SOCKET_NAME "control.sock"

/** enum ctl_type - requests. The values travel: never renumber. */
enum ctl_type {
	CTL_START = 1, /* {state JSON or nothing}: run the prepared process */
	CTL_SIGNAL =
		2,     /* {u32 signo, u32 all}: signal the container's init, or all its processes */
	CTL_EXEC = 3,  /* {u32 pid, u32 terminal} and descriptors, see enum ctl_exec_fd */
	CTL_PAUSE = 4, /* {}: stop the vCPUs */
	CTL_RESUME = 5,	  /* {}: let them go on */
	CTL_PS = 6,	  /* {}: answer has a u32 for each exec: its shim's pid */
	CTL_STATS = 7,	  /* {}: answer has the agent's figures (ap_decode_stats()) */
	CTL_UPDATE = 8,	  /* {payload of AP_MSG_UPDATE}: change limits in the guest */
	CTL_STATE = 9,	  /* {}: answer has a u32, enum ctl_state */
	CTL_MACHINE = 10, /* {}: answer has a struct ctl_machine, and CTL_MACHINE_FDS descriptors */
	CTL_JOIN = 11,	  /* {u32 CTL_JOIN_*, u32 seconds} and descriptors, see enum ctl_join_fd */
	CTL_TYPE_COUNT,
};

/** struct ctl_machine - a VM that further containers may join */
struct ctl_machine {
	uint64_t ram_bytes;
	uint32_t n_vcpus;
};
#define CTL_MACHINE_FDS 2u /* guest RAM; the page of fs_irq_status() */

#define CTL_JOIN_TTY	       (1u << 0) /* the process has a terminal */
#define CTL_JOIN_NOTIFY	       (1u << 1) /* CTL_JOIN_NOTIFY_FD is meant, else it is anything */
#define CTL_JOIN_READONLY_ROOT (1u << 2)
#define CTL_JOIN_FLAGS	       0x7u

/** enum ctl_join_fd - descriptors of CTL_JOIN, in this order; those of struct vmm_plan */
enum ctl_join_fd {
	CTL_JOIN_CONTROL,
	CTL_JOIN_REPORT,
	CTL_JOIN_SHIM,
	CTL_JOIN_FS,
	CTL_JOIN_ALIVE,
	CTL_JOIN_IRQ,
	CTL_JOIN_KICK,
	CTL_JOIN_FRAME = CTL_JOIN_KICK + 2, /* file with the payload of AP_MSG_CREATE */
	CTL_JOIN_NOTIFY_FD,
	CTL_JOIN_STDIO, /* as with CTL_EXEC_STDIO, and then those to pass */
	CTL_JOIN_FDS = CTL_JOIN_STDIO + 3,
	CTL_JOIN_FDS_TTY = CTL_JOIN_STDIO + 2,
};

/** enum ctl_exec_fd - descriptors of CTL_EXEC, in this order */
enum ctl_exec_fd {
	CTL_EXEC_SHIM,	/* seqpacket socket whose other end its shim has */
	CTL_EXEC_FRAME, /* file with the payload of AP_MSG_EXEC, read from its offset */
	CTL_EXEC_STDIO, /* stdin, stdout, stderr; or the terminal twice: to read and to write */
	CTL_EXEC_FDS = CTL_EXEC_STDIO + 3,
	CTL_EXEC_FDS_TTY = CTL_EXEC_STDIO + 2,
	/* then those to pass, as the file says of which kind: a pipe's end, a socket twice (to read
	 * and to write) */
};

/** enum ctl_state - what the vmm is doing; bits of the permit mask. The values travel, too */
enum ctl_state {
	CTL_BOOTING,  /* VM started, agent or container not ready yet */
	CTL_CREATED,  /* process prepared, waiting for start */
	CTL_STARTING, /* start sent, no answer yet */
	CTL_RUNNING,
	CTL_PAUSED, /* vCPUs stand still */
	CTL_EXITED, /* init ended; output is being drained, the VM taken down */
	CTL_STATE_COUNT,
};

const char *ctl_state_name(enum ctl_state s);

/**
 * struct ctl_request - a request; all values of a parsed one are checked
 * @signo:    CTL_SIGNAL: 0..64
 * @all:      CTL_SIGNAL
 * @pid:      CTL_EXEC: of its shim, as the client sees it; for CTL_PS
 * @terminal: CTL_EXEC
 * @flags:    CTL_JOIN: CTL_JOIN_*
 * @seconds:  CTL_JOIN: that the container may take to get ready
 * @body:     CTL_START, CTL_UPDATE: borrowed data, at most CTL_BODY_MAX bytes
 */
struct ctl_request {
	enum ctl_type type;
	uint32_t signo;
	bool all;
	uint32_t pid;
	bool terminal;
	uint32_t flags;
	uint32_t seconds;
	const void *body;
	size_t body_len;
};

/** ctl_permitted() - may @type be asked in @state? */
bool ctl_permitted(enum ctl_type type, enum ctl_state state);

/** ctl_parse() - decode one message. Return: 0 or -EPROTO */
int ctl_parse(const void *msg, size_t len, struct ctl_request *out)
	__attribute__((warn_unused_result));

/** ctl_request_encode() - the client's message. Return: bytes, 0 when it doesn't fit */
size_t ctl_request_encode(void *buf, size_t cap, const struct ctl_request *req);

/** ctl_reply_encode() - {u32 code, message}; @cap >= VR_ERR_MSG_MAX + 16. Return: bytes */
size_t ctl_reply_encode(void *buf, size_t cap, int code, const char *msg);

/** ctl_data_encode() - {u32 0, data}; @cap >= CTL_MSG_MAX. Return: bytes, 0 for too much data */
size_t ctl_data_encode(void *buf, size_t cap, const void *data, size_t len);

/** ctl_machine_encode() - data of CTL_MACHINE's answer. Return: bytes, 0 when it doesn't fit */
size_t ctl_machine_encode(void *buf, size_t cap, const struct ctl_machine *m);
/** ctl_machine_decode() - Return: 0, or -EPROTO, also for a size that no VM has */
int ctl_machine_decode(const void *data, size_t len, struct ctl_machine *out)
	__attribute__((warn_unused_result));

/** ctl_listen() - make the socket in the state directory @dirfd. Return: fd or -errno with @err */
int ctl_listen(int dirfd, struct vr_err *err) __attribute__((warn_unused_result));

/** struct ctl_call - a request with what travels beside it; answers come back in it */
struct ctl_call {
	struct ctl_request req;
	const int *fds; /* borrowed */
	size_t n_fds;
	int timeout_ms; /* from connecting to the answer; at least 1 */
	int *got_fds;	/* out: descriptors of a successful answer, @cap_got of them; or NULL */
	size_t cap_got;
	void *data; /* out: malloc'd data of a successful answer, NULL when there is none */
	size_t data_len;
	bool refused; /* out: a failure is the vmm's answer, and its code the vmm's */
};

/**
 * ctl_call() - client side: connect, ask, wait for the answer
 * @dirfd: state directory of the container
 * @call:  what to ask; @data is to be freed by the caller
 *
 * Return: 0; -ECONNREFUSED/-ENOENT when no vmm listens any more (@err set); -ETIMEDOUT; or
 * the vmm's own refusal, code and sentence as it sent them.
 * Syscalls: none in a role; the cli calls it
 */
int ctl_call(int dirfd, struct ctl_call *call, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * ctl_answer_read() - the part of ctl_call() that takes an answer from the socket @fd
 *
 * What answers may be a vmm that its guest took over: an answer that can't be read is -EPROTO, and
 * one that isn't a success leaves neither data nor descriptors (@got_fds are -1 then).
 */
int ctl_answer_read(int fd, struct ctl_call *call, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_CONTROL_H */
