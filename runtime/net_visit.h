/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_visit.h - a stay in another network namespace
 *
 * A netlink socket belongs to the namespace it was made in, for as long as it is open:
 * who only asks questions needn't stay.
 *
 * Threads: the calling process must have one.
 * Uses: base, sandbox/namespaces.h, libnl. Used by: net_attach, net_stats.
 */
#ifndef VOLT_NET_VISIT_H
#define VOLT_NET_VISIT_H

#include "base/err.h"

/** NET_OWN_NS - the namespace we are in */
#define NET_OWN_NS "/proc/self/ns/net"

struct nl_sock;

/** struct net_visit - @nl: a socket there; @own_fd: where we came from */
struct net_visit {
	int own_fd;
	struct nl_sock *nl;
};

/** net_socket_open() - a socket in the present namespace, to be freed with nl_socket_free() */
int net_socket_open(struct nl_sock **out, struct vr_err *err) __attribute__((warn_unused_result));

/** net_visit_begin() - enter @ns_fd. net_visit_end() has to follow, whatever this returned */
int net_visit_begin(struct net_visit *v, int ns_fd, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * net_visit_end() - close the socket, go back
 *
 * Return: 0, or a negative errno value with @err: then we are in the wrong namespace for good.
 */
int net_visit_end(struct net_visit *v, struct vr_err *err) __attribute__((warn_unused_result));

#endif /* VOLT_NET_VISIT_H */
