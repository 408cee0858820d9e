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

#include "base/err.h"

#define CTL_VERSION	1u
#define CTL_MSG_MAX	(64u * 1024u)
#define CTL_FDS_MAX	8u
#define CTL_SOCKET_NAME "control.sock"

/** enum ctl_type - requests. The values travel: never renumber. */
enum ctl_type {
	CTL_START = 1, /* {}: run the prepared process */
	CTL_SIGNAL =
		2, /* {u32 signo, u32 all}: signal the container's init, or all its processes */
	CTL_TYPE_COUNT,
};

/** enum ctl_state - what the vmm is doing; bits of the permit mask */
enum ctl_state {
	CTL_BOOTING,  /* VM started, agent or container not ready yet */
	CTL_CREATED,  /* process prepared, waiting for start */
	CTL_STARTING, /* start sent, no answer yet */
	CTL_RUNNING,
	CTL_EXITED, /* init ended; output is being drained, the VM taken down */
	CTL_STATE_COUNT,
};

const char *ctl_state_name(enum ctl_state s);

/** struct ctl_request - a parsed request; all values checked */
struct ctl_request {
	enum ctl_type type;
	uint32_t signo; /* CTL_SIGNAL: 0..64 */
	bool all;	/* CTL_SIGNAL */
};

/** ctl_permitted() - may @type be asked in @state? */
bool ctl_permitted(enum ctl_type type, enum ctl_state state);

/** ctl_parse() - decode one message. Return: 0 or -EPROTO */
int ctl_parse(const void *msg, size_t len, struct ctl_request *out)
	__attribute__((warn_unused_result));

/** ctl_reply_encode() - {u32 code, message}; @cap >= VR_ERR_MSG_MAX + 16. Return: bytes */
size_t ctl_reply_encode(void *buf, size_t cap, int code, const char *msg);

/** ctl_listen() - make the socket in the state directory @dirfd. Return: fd or -errno with @err */
int ctl_listen(int dirfd, struct vr_err *err) __attribute__((warn_unused_result));

/**
 * ctl_call() - client side: connect, ask, wait for the answer
 * @dirfd:      state directory of the container
 * @req:        the request
 * @timeout_ms: for the answer
 *
 * Return: 0; -ECONNREFUSED/-ENOENT when no vmm listens any more (@err set); -ETIMEDOUT; or
 * the vmm's own refusal, code and sentence as it sent them.
 * Syscalls: none in a role; the cli calls it
 */
int ctl_call(int dirfd, const struct ctl_request *req, int timeout_ms, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_CONTROL_H */
