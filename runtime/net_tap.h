/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_tap.h - tap devices for VMs
 *
 * A tap lives as long as its descriptors: it is never made persistent, so however
 * its VM ends, the kernel removes it.
 *
 * Uses: base, vmm/net_abi.h, libnl. Used by: net_attach, net_port, the vmm.
 */
#ifndef VOLT_NET_TAP_H
#define VOLT_NET_TAP_H

#include <net/if.h>
#include <stdbool.h>

#include "base/err.h"

struct nl_sock;

#define NET_TAP_PREFIX	   "volt" /* names of ours: volt0, volt1, ... */
#define NET_TAP_MAX_QUEUES 8u

/**
 * struct net_tap - an open tap
 * @fd:      a descriptor for each queue, non-blocking; -1 when not open
 * @ifindex: in the network namespace it was opened in
 * @uso:     it segments UDP
 */
struct net_tap {
	unsigned n_queues;
	int fd[NET_TAP_MAX_QUEUES];
	char name[IF_NAMESIZE];
	int ifindex;
	bool uso;
};

/** net_tap_init() - nothing open */
void net_tap_init(struct net_tap *tap);

/**
 * net_tap_reserve() - descriptors for queues of taps to come in the current network namespace
 * @fd: @n of them, -1 from the first one on that failed
 *
 * They have to be opened by who may open devices; who makes a tap of them needn't.
 *
 * Return: 0 or a negative errno value with @err.
 */
int net_tap_reserve(int *fd, unsigned n, struct vr_err *err) __attribute__((warn_unused_result));

/**
 * net_tap_make() - make a tap in the network namespace of the descriptors, down, without offloads
 * @nl:       a socket there
 * @fd:       of net_tap_reserve(), taken over; or of a tap that was removed
 * @n_queues: 1..NET_TAP_MAX_QUEUES
 *
 * Return: 0 or a negative errno value with @err; @tap is to be closed in any case.
 */
int net_tap_make(struct net_tap *tap, struct nl_sock *nl, const int *fd, unsigned n_queues,
		 struct vr_err *err) __attribute__((warn_unused_result));

/** net_tap_open() - both: reserve and make */
int net_tap_open(struct net_tap *tap, struct nl_sock *nl, unsigned n_queues, struct vr_err *err)
	__attribute__((warn_unused_result));

/** net_tap_remove() - take the device away; its descriptors stay, for another one */
void net_tap_remove(const struct net_tap *tap, struct nl_sock *nl);

/** net_tap_close() - close its descriptors: the last copies take it away */
void net_tap_close(struct net_tap *tap);

/**
 * net_tap_offload() - what may come out of the tap unsegmented and without checksum
 * @flags: NET_TUN_*
 *
 * Return: 0 or -errno. The roles vmm and vcpu may: see seccomp_roles.c.
 */
int net_tap_offload(int fd, unsigned flags) __attribute__((warn_unused_result));

/** net_tap_attach() - does this queue get frames? Several queues only. Return: 0 or -errno */
int net_tap_attach(int fd, bool on) __attribute__((warn_unused_result));

#endif /* VOLT_NET_TAP_H */
