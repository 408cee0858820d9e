/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_tc.h - traffic control: frames go from one interface to another
 *
 * An ingress qdisc with filters that redirect frames to the far interface's way out, or
 * drop them: the near end's own network stack sees none but what a filter lets it keep. Filters of ours are told
 * from others by their priorities.
 *
 * Uses: base, libnl. Used by: net_attach. All work in the namespace of the socket.
 */
#ifndef VOLT_NET_TC_H
#define VOLT_NET_TC_H

#include <stdbool.h>
#include <stdint.h>

struct nl_sock;

/**
 * net_tc_add_ingress() - give an interface an ingress qdisc
 *
 * Return: 0, -EEXIST (it has an ingress or clsact qdisc already), or another -errno.
 */
int net_tc_add_ingress(struct nl_sock *nl, int ifindex) __attribute__((warn_unused_result));
/** net_tc_del_ingress() - take it and its filters away. Return: 0 or -errno */
int net_tc_del_ingress(struct nl_sock *nl, int ifindex);
/** net_tc_has() - do the ingress filters of @ifindex include one with a priority of @first..@last? */
bool net_tc_has(struct nl_sock *nl, int ifindex, uint16_t first, uint16_t last);

#define NET_TC_PRIO	 0x564f /* "VO": the first of the priorities that are ours */
#define NET_TC_PRIO_LAST 0x565f
#define NET_TC_KEYS	 16u

/** net_tc_is_ours() - do the ingress filters of @ifindex include one of ours? */
static inline bool net_tc_is_ours(struct nl_sock *nl, int ifindex)
{
	return net_tc_has(nl, ifindex, NET_TC_PRIO, NET_TC_PRIO_LAST);
}

/* Labels of filters: entries of the allow-list by their number from 1 on, and: */
#define NET_LABEL_PASSED  0xfffdu /* the guest's own frame, on its way */
#define NET_LABEL_REFUSED 0xfffeu /* the guest's own frame to where it may not send */
#define NET_LABEL_SPOOFED 0xffffu /* not the guest's address */

/**
 * struct net_key - 32 bits at @off from the network header, compared where @mask has ones
 *
 * They have to be there even if @mask has none. Where the frame ends before them, the kernel leaves out the
 * filter and all that follow with its priority.
 */
struct net_key {
	int off;
	uint32_t value;
	uint32_t mask;
};

/**
 * struct net_filter - frames that match all keys
 * @prio:  NET_TC_PRIO..NET_TC_PRIO_LAST, lower ones count first; one protocol each
 * @proto: ETH_P_*
 * @to:    where they go out, 0: nowhere
 * @keep:  the near end's own network stack gets them, too; otherwise it never does
 * @label: what net_tc_count() adds them up under, NET_LABEL_*; 0: under nothing
 */
struct net_filter {
	uint16_t prio;
	uint16_t proto;
	int to;
	bool keep;
	uint16_t label;
	unsigned n_keys;
	struct net_key key[NET_TC_KEYS];
};

/** net_tc_filter() - add a filter to the ingress of @at. Return: 0 or -errno */
int net_tc_filter(struct nl_sock *nl, int at, const struct net_filter *f)
	__attribute__((warn_unused_result));

#endif /* VOLT_NET_TC_H */
