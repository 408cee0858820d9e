/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns.h - a name server on the container's loopback interface, which is really the host's
 *
 * docker gives the containers of its own networks a name server in their network namespace, at
 * 127.0.0.11. In a VM that address is the guest's own: the agent takes questions there and has the
 * vmm ask them. Datagrams only, as the one behind it is reached by datagrams: an answer that doesn't
 * fit says so.
 *
 * Threads: none.
 */
#ifndef AGENT_DNS_H
#define AGENT_DNS_H

#include <stdint.h>

#include "agent.h"
#include "fail.h"

/** dns_open() - answer at @addr, port 53, from now on. Once. Return: 0 or -errno with @f */
int dns_open(struct agent *a, const uint8_t addr[4], struct fail *f)
	__attribute__((warn_unused_result));
/** dns_asked() - somebody in the guest has a question */
void dns_asked(struct agent *a);
/** dns_answered() - the host has an answer, or takes questions again */
void dns_answered(struct agent *a, uint32_t events);

#endif /* AGENT_DNS_H */
