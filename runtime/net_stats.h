/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_stats.h - what crossed a container's network interfaces
 *
 * Read by who asks, in the container's network namespace; the VM's processes have no part in
 * it: what they say of themselves may be the guest's word.
 *
 * Uses: base, libnl, net_count, net_visit. Used by: cmd_events, stats_json.
 */
#ifndef VOLT_NET_STATS_H
#define VOLT_NET_STATS_H

#include "base/agent_proto.h"
#include "base/err.h"
#include "net_count.h"

/**
 * struct net_if_stats - as the container sees it: rx is what it received
 * @rx_dropped: with what the guest didn't take in time
 * @policy:     frames that the filters at its tap have seen
 */
struct net_if_stats {
	char name[AP_NET_NAME_MAX + 1];
	uint64_t rx_bytes;
	uint64_t rx_packets;
	uint64_t rx_errors;
	uint64_t rx_dropped;
	uint64_t tx_bytes;
	uint64_t tx_packets;
	uint64_t tx_errors;
	uint64_t tx_dropped;
	struct net_counts policy;
};

/** struct net_stats - interfaces that a VM has taken the place of */
struct net_stats {
	unsigned n;
	struct net_if_stats v[AP_MAX_LINKS];
};

/** net_stats_open() - @out: a socket in the namespace @ns_fd, to be freed with nl_socket_free() */
int net_stats_open(int ns_fd, struct nl_sock **out, struct vr_err *err)
	__attribute__((warn_unused_result));

/** net_stats_read() - Return: 0 or a negative errno value with @err */
int net_stats_read(struct nl_sock *nl, struct net_stats *out, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_NET_STATS_H */
