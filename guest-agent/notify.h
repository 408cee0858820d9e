/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify.h - sd_notify(3) of the container, carried to the host
 *
 * The agent holds the socket that the container finds where NOTIFY_SOCKET says, by a bind of the
 * host's choice, and sends on what comes to it. Datagrams for which there is no room are lost.
 */
#ifndef AGENT_NOTIFY_H
#define AGENT_NOTIFY_H

#include "agent.h"

/** notify_open() - make the socket LAYOUT_NOTIFY and watch it. Return: 0 or -errno */
int notify_open(struct agent *a) __attribute__((warn_unused_result));
/** notify_event() - something came */
void notify_event(struct agent *a);

#endif /* AGENT_NOTIFY_H */
