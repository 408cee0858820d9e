/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_move.h - interfaces of the runtime's network namespace move into the container's
 *
 * config.json's linux.netDevices. An interface keeps its global addresses, gets its new
 * name on the way and is brought up; then it is one like those the engine made. When
 * the namespace ends, the kernel gives physical ones back and removes the others.
 *
 * Uses: base, oci/spec.h, libnl. Used by: net_attach.
 */
#ifndef VOLT_NET_MOVE_H
#define VOLT_NET_MOVE_H

#include "base/err.h"
#include "oci/spec.h"

struct nl_sock;
struct net_moved;

/**
 * net_move_out() - move the interfaces; called in the runtime's namespace
 * @nl:    socket in it
 * @ns_fd: the container's
 * @out:   what net_move_in() needs, NULL when there is none; to be freed in any case
 *
 * Return: 0 or a negative errno value with @err.
 */
int net_move_out(struct nl_sock *nl, const struct oci_net_devices *devs, int ns_fd,
		 struct net_moved **out, struct vr_err *err) __attribute__((warn_unused_result));

/** net_move_in() - give them their addresses and bring them up; called in the container's */
int net_move_in(struct nl_sock *nl, const struct net_moved *moved, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * net_move_return() - give back what is away; called in the container's namespace
 * @nl:      socket in it
 * @home_fd: the runtime's namespace
 *
 * Best effort; what goes wrong is logged.
 */
void net_move_return(struct nl_sock *nl, struct net_moved *moved, int home_fd);

/** net_move_restore() - addresses and state of what came back; in the runtime's namespace */
void net_move_restore(struct nl_sock *nl, const struct net_moved *moved);

/** net_moved_free() - NULL is fine */
void net_moved_free(struct net_moved *moved);

#endif /* VOLT_NET_MOVE_H */
