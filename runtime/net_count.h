/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_count.h - what the filters of net_tc have counted
 *
 * Trust:   messages of the host's kernel; each length is checked all the same.
 * Uses:    libnl, net_tc.h. Used by: net_stats, tests.
 */
#ifndef VOLT_NET_COUNT_H
#define VOLT_NET_COUNT_H

#include <stdint.h>

#include "net_egress.h"
#include "net_tc.h"

struct nl_sock;
struct nlmsghdr;

/** struct net_count - frames as they crossed the tap: one may be 64 KiB before its segmentation */
struct net_count {
	uint64_t packets;
	uint64_t bytes;
};

/**
 * struct net_counts - of one interface's ingress filters that are ours
 * @redirect_to: interface index that an unlabelled filter leads to, 0 without any
 * @allowed:     label 1 is entry 0
 */
struct net_counts {
	int redirect_to;
	struct net_count allowed[NET_EGRESS_MAX];
	struct net_count refused;
	struct net_count spoofed;
};

/**
 * net_count_filter() - add what an RTM_NEWTFILTER message says to @c
 * @h: whole: nlmsg_len bytes are there
 *
 * Filters of others, and what is malformed, count nothing.
 */
void net_count_filter(struct nlmsghdr *h, struct net_counts *c);

/** net_count_read() - ask the kernel for the ingress filters of @ifindex. Return: 0 or -errno */
int net_count_read(struct nl_sock *nl, int ifindex, struct net_counts *out)
	__attribute__((warn_unused_result));

#endif /* VOLT_NET_COUNT_H */
