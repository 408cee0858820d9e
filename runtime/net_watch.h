/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_watch.h - a container's network namespace after the VM was attached to it
 *
 * Engines add networks to running containers and take them away, and some configure the
 * first one only between create and start. The kernel tells of each change; when it has
 * been quiet for a moment everything is read again, and what differs is done: new
 * interfaces get a tap, those that are gone lose theirs, filters follow the addresses, and
 * the guest is told what its network is now.
 *
 * Taps are made from descriptors that were opened before (net_tap_reserve()), and made again
 * from those of taps that were removed: as many as there were at the beginning.
 *
 * Trust:   only the kernel is listened to here, and the slots that the vmm gives back.
 * Threads: one, in the container's network namespace.
 * Uses:    base, libnl, net_attach, net_port, net_scan. Used by: netproc.
 */
#ifndef VOLT_NET_WATCH_H
#define VOLT_NET_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/agent_proto.h"
#include "base/err.h"
#include "net_attach.h"

#define NET_WATCH_PAYLOAD_MAX (128u * 1024u) /* of an AP_MSG_NET with all that it can have */

#define NET_WATCH_CHANGED 1 /* the guest has to be told of its network */
#define NET_WATCH_CARRIER 2 /* of a link, which its device shows */

struct net_watch;

/**
 * struct net_change - what the network is now
 * @slots: of the interfaces there are, a bit each
 * @added: of those that are new since the last change; @tap: theirs, borrowed
 * @carrier: of those that have one
 * @payload: of AP_MSG_NET, borrowed
 */
struct net_change {
	uint32_t slots;
	uint32_t added;
	uint32_t carrier;
	struct net_if ifs[AP_MAX_LINKS];
	const void *payload;
	size_t payload_len;
};

/**
 * net_watch_create() - begin where net_attach() left off
 * @plan:    its result, to outlast the watch; the taps stay the plan's
 * @n_vcpus: of the VM: a new tap gets as many queues, if there are descriptors left
 *
 * The caller is in the container's network namespace.
 *
 * Return: 0 or a negative errno value with @err.
 */
int net_watch_create(struct net_plan *plan, unsigned n_vcpus, const struct net_egress *egress,
		     struct net_watch **out, struct vr_err *err)
	__attribute__((warn_unused_result));

/** net_watch_fd() - readable when something changed */
int net_watch_fd(const struct net_watch *w);

/** net_watch_socket() - the socket that it asks with, borrowed */
struct nl_sock *net_watch_socket(const struct net_watch *w);

/** net_watch_drain() - read what the kernel has told. Return: whether net_watch_scan() has a reason */
bool net_watch_drain(struct net_watch *w);

/**
 * net_watch_scan() - read the namespace and follow it
 * @out: filled for a change
 *
 * What can't be followed (too many interfaces, one that is taken) is logged and left out.
 *
 * Return: NET_WATCH_* of what changed, 0 for nothing, or -errno.
 */
int net_watch_scan(struct net_watch *w, struct net_change *out) __attribute__((warn_unused_result));

/**
 * net_watch_taken() - the VM has another device on @slot, until it is released; any number is fine
 *
 * An interface that was to have it gets another one with the next scan, if there is one.
 */
void net_watch_taken(struct net_watch *w, uint32_t slot);
/** net_watch_released() - the VM has no device on @slot any more: its tap may go; any number is fine */
void net_watch_released(struct net_watch *w, uint32_t slot);

/**
 * net_watch_leave() - the VM has ended: take away what was made on interfaces that stay
 *
 * Taps end with their descriptors.
 */
void net_watch_leave(struct net_watch *w);

void net_watch_destroy(struct net_watch *w);

#endif /* VOLT_NET_WATCH_H */
