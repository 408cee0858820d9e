/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_link.h - change a network interface
 *
 * Uses: libnl. Used by: net_attach, net_move, net_tc. All work in the namespace of the socket.
 */
#ifndef VOLT_NET_LINK_H
#define VOLT_NET_LINK_H

struct nl_sock;
struct rtnl_link;

/** net_nl_errno() - what a function of libnl returned, as 0 or -errno */
int net_nl_errno(int nl_err);

/** net_link_change() - apply what is set in @change, borrowed. Return: 0 or -errno */
int net_link_change(struct nl_sock *nl, int ifindex, struct rtnl_link *change)
	__attribute__((warn_unused_result));

/** net_link_set_flags() - set IFF_* @flags, leave the others. Return: 0 or -errno */
int net_link_set_flags(struct nl_sock *nl, int ifindex, unsigned flags)
	__attribute__((warn_unused_result));

/** net_link_clear_flags() - clear them. Return: 0 or -errno */
int net_link_clear_flags(struct nl_sock *nl, int ifindex, unsigned flags);

#endif /* VOLT_NET_LINK_H */
