/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_dns.h - a name server on the loopback interface of the container's network namespace
 *
 * docker answers questions of the containers on its own networks at 127.0.0.11, inside their
 * namespace, and asks others itself from there. The guest has a loopback interface of its own, and
 * all that comes in at the namespace's interfaces is the guest's. So questions take another way
 * (dns_relay.h), and of what comes in the namespace keeps what such a server needs: answers of other
 * servers, told by their ports, and a copy of ARP.
 *
 * Uses: base, net_tc, net_egress, resolv_conf. Used by: net_attach.
 */
#ifndef VOLT_NET_DNS_H
#define VOLT_NET_DNS_H

#include <stdint.h>

#include "base/err.h"
#include "net_egress.h"
#include "oci/spec.h"

struct nl_sock;

/** NET_DNS_PRIOS - priorities that net_dns_filters() uses, from the given one on */
#define NET_DNS_PRIOS 2

/**
 * net_dns_open() - find the server, connect a socket to it, keep ports for it
 * @egress: an allow-list that has to have it, or NULL
 * @addr:   where it is; zeros when there is none: the socket then stays what it is
 * @out_fd: a connected datagram socket, non-blocking, close-on-exec
 *
 * In the container's namespace, when the engine has set it up. There is one when the container is
 * told of it first and somebody has a socket there.
 *
 * Return: 0, or a negative errno value.
 */
int net_dns_open(const struct oci_spec *spec, const struct net_egress *egress, uint8_t addr[4],
		 int *out_fd, struct vr_err *err) __attribute__((warn_unused_result));

/** net_dns_filters() - what the namespace keeps of that comes in at @ifindex. Return: 0 or -errno */
int net_dns_filters(struct nl_sock *nl, int ifindex, int tap, uint16_t prio)
	__attribute__((warn_unused_result));

#endif /* VOLT_NET_DNS_H */
