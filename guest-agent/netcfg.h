/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netcfg.h - the container's network, as the engine set it up on the host
 *
 * The device on a link's slot gets its name, MTU, addresses (without duplicate
 * detection: they are the container's already), routes, neighbours and rules.
 * Nothing is made up here: an address whose route to its network the engine removed
 * doesn't bring one. Networks come and go while the container runs.
 *
 * Threads: none.
 */
#ifndef AGENT_NETCFG_H
#define AGENT_NETCFG_H

#include "base/agent_proto.h"
#include "fail.h"

/**
 * netcfg_apply() - the network is @net from now on, whatever it was before
 *
 * An address or a route that can't be had keeps no other from being had, an interface does. The
 * next call makes up for what is missing.
 *
 * Return: 0 or -errno with @f: what went wrong first.
 */
int netcfg_apply(const struct ap_net *net, struct fail *f) __attribute__((warn_unused_result));

/**
 * netcfg_enter() - the network, and the agent with it, move into another network namespace
 * @ns: descriptor of it; kept
 *
 * For a container with a user namespace: there its root has power over the network, as outside of a
 * VM. Devices that come later make their first appearance in the old one, and follow. Once.
 *
 * Return: 0 or -errno with @f.
 */
int netcfg_enter(int ns, struct fail *f) __attribute__((warn_unused_result));

#endif /* AGENT_NETCFG_H */
