/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns_relay.h - the guest's questions to a name server in the container's network namespace
 *
 * The server (docker's, at 127.0.0.11) listens on the loopback interface of the namespace, which
 * no frame of the guest can reach. `create` connects a datagram socket to it there; the agent takes
 * the questions in the guest and brings them here. What is in a message is no concern of ours.
 *
 * Trust:   lengths are the guest's. It can say anything to this one server, as any container can.
 * Threads: the loop thread, with the vsock lock held but in dns_relay_event(), which takes it.
 * Uses: base, vmm/vsock.
 */
#ifndef VOLT_DNS_RELAY_H
#define VOLT_DNS_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/agent_proto.h"
#include "vmm/vsock.h"

#define DNS_RELAY_PREFIX 2u

/**
 * struct dns_relay - zero-initialised, then dns_relay_init()
 * @fd:    a connected datagram socket, or -1
 * @conn:  the agent's connection, NULL before it connected and after it is gone
 * @taken: it connected at some time: it may only once
 * @in:    a question that is coming in, @have bytes of it
 */
struct dns_relay {
	struct vsock *vsock;
	int fd;
	struct vsock_conn *conn;
	bool taken;
	size_t have;
	uint8_t in[DNS_RELAY_PREFIX + AP_DNS_MAX];
};

/** dns_relay_init() - @fd: not owned; -1: nobody is to be asked, and nobody may connect */
void dns_relay_init(struct dns_relay *d, struct vsock *vsock, int fd);
/** dns_relay_accept() - for a connection to AP_PORT_DNS, as vsock_accept_fn. Return: 0 or -errno */
int dns_relay_accept(struct dns_relay *d, struct vsock_conn *conn, const struct vsock_endpoint **ep,
		     void **ep_ctx) __attribute__((warn_unused_result));
/** dns_relay_event() - there is something on the socket. Syscalls: recvfrom (role vmm) */
void dns_relay_event(struct dns_relay *d);

#endif /* VOLT_DNS_RELAY_H */
