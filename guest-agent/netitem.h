/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netitem.h - addresses, routes, neighbours and rules of the container's network, one at a time
 *
 * Threads: none.
 */
#ifndef AGENT_NETITEM_H
#define AGENT_NETITEM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/agent_proto.h"
#include "fail.h"
#include "netlink.h"

/**
 * struct netcfg - the work under way
 * @nl:    a socket for rtnetlink
 * @sock:  a socket for ioctls
 * @net:   what the network shall be
 * @index: of the interface on each slot, 0: none
 */
struct netcfg {
	int nl;
	int sock;
	const struct ap_net *net;
	int index[AP_MAX_LINKS];
	struct nl_msg m;
};

/** enum netitem_kind - in the order in which they can be added */
enum netitem_kind {
	NETITEM_ADDR,
	NETITEM_NEIGH,
	NETITEM_ROUTE,
	NETITEM_RULE,
	NETITEM_COUNT,
};

/** netitem_at() - item number @i of a kind, NULL after the last one; @out_size: its bytes */
const void *netitem_at(const struct ap_net *net, enum netitem_kind kind, uint32_t i,
		       size_t *out_size);
/** netitem_add() - Return: 0, also for what exists already; -errno with @f, which names it */
int netitem_add(struct netcfg *c, enum netitem_kind kind, const void *item, struct fail *f)
	__attribute__((warn_unused_result));
/** netitem_del() - what isn't there any more is no failure: the workload may have removed it */
void netitem_del(struct netcfg *c, enum netitem_kind kind, const void *item);

#endif /* AGENT_NETITEM_H */
