/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_client.h - the vmm's side of the conversation with the guest agent
 *
 * Frames in, frames out, over one vsock connection the guest opens. What to
 * say, and what an answer means, is vmproc's business.
 *
 * Trust:   the guest is hostile. Every frame is decoded with bounds; the first
 *          malformed one ends the conversation (on_lost with a reason).
 * Threads: the loop thread. agent_client_send() wants the vsock lock held.
 * Uses: base, vmm/vsock.
 */
#ifndef VOLT_AGENT_CLIENT_H
#define VOLT_AGENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/agent_proto.h"
#include "vmm/vsock.h"

struct agent_client;

/**
 * struct agent_events - called with the vsock lock held; strings are borrowed for the call
 * @on_lost: the connection is gone or was dropped because of @reason; called at most once
 */
struct agent_events {
	void (*on_hello)(void *ctx, const struct ap_hello *m);
	void (*on_reply)(void *ctx, uint32_t id, const struct ap_reply *m);
	void (*on_exit)(void *ctx, const struct ap_exit *m);
	void (*on_notify)(void *ctx, const struct ap_notify *m);
	void (*on_left)(void *ctx, const struct ap_left *m);
	void (*on_lost)(void *ctx, const char *reason);
};

/** agent_client_create() - Return: 0 or -ENOMEM */
int agent_client_create(const struct agent_events *ev, void *ctx, struct agent_client **out)
	__attribute__((warn_unused_result));
void agent_client_destroy(struct agent_client *a);

/**
 * agent_client_accept() - the guest asks for the control port
 *
 * Only the first connection of a VM's life is taken.
 *
 * Return: 0 with @ep, @ep_ctx set, or -EBUSY.
 */
int agent_client_accept(struct agent_client *a, struct vsock_conn *conn,
			const struct vsock_endpoint **ep, void **ep_ctx);

/** agent_client_drop() - reset its connection, never tell of it, take no other; the vsock lock is held */
void agent_client_drop(struct agent_client *a);

/** agent_client_connected() - is there a connection to send on? */
bool agent_client_connected(const struct agent_client *a);

/**
 * agent_client_send() - queue one encoded frame
 *
 * Return: 0, -ENOTCONN, or -ENOBUFS when the guest doesn't read and the queue is full.
 */
int agent_client_send(struct agent_client *a, const void *frame, size_t len)
	__attribute__((warn_unused_result));

#endif /* VOLT_AGENT_CLIENT_H */
