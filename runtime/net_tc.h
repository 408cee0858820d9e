/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_tc.h - traffic control: frames go from one interface to another
 *
 * An ingress qdisc with a filter that takes every frame and redirects it to the
 * far interface's way out: the near end's own network stack never sees it.
 * Filters of ours are told from others by their priorities.
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
/** net_tc_is_ours() - do the ingress filters of @ifindex include one of ours? */
bool net_tc_is_ours(struct nl_sock *nl, int ifindex);

/**
 * net_tc_redirect() - all that comes in at @from goes out at @to
 * @src_mac: NULL, or only frames with this source address; all others are dropped
 *
 * Return: 0 or -errno.
 */
int net_tc_redirect(struct nl_sock *nl, int from, int to, const uint8_t src_mac[6])
	__attribute__((warn_unused_result));

/** net_nl_errno() - what a function of libnl returned, as 0 or -errno */
int net_nl_errno(int nl_err);

#endif /* VOLT_NET_TC_H */
