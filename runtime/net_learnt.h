/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_learnt.h - what only router advertisements keep alive
 *
 * Uses: net_scan. Used by: net_watch.
 */
#ifndef VOLT_NET_LEARNT_H
#define VOLT_NET_LEARNT_H

#include "net_scan.h"

/**
 * net_learnt_keep() - what the namespace forgot for want of router advertisements stays
 * @before: the scan before; its links are told by slot, number and address
 *
 * With a VM attached the namespace's own stack hears none, and what it had learnt from them expires. The
 * guest does hear them.
 */
void net_learnt_keep(struct net_scan *s, const struct net_scan *before);

#endif /* VOLT_NET_LEARNT_H */
