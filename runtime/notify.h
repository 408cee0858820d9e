/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify.h - sd_notify(3): tell the service manager what the container says of itself
 *
 * Sockets don't cross the machine's border. So the agent has one in the guest, at the place where
 * the container looks for it, and the vmm one that is connected to the host's.
 *
 * The host's is found as callers give it: NOTIFY_SOCKET in the process's environment, with a bind
 * that covers it (podman, conmon); or NOTIFY_SOCKET in the runtime's own, as with runc: then the
 * container gets it as /run/notify/notify.sock.
 *
 * Trust: what the container says is the guest's; see notify_filter().
 * Uses: base, oci. Used by: launch, vmproc.
 */
#ifndef VOLT_NOTIFY_H
#define VOLT_NOTIFY_H

#include <stddef.h>

#include "base/agent_proto.h"
#include "oci/spec.h"

/** struct notify - zero-initialised, @fd -1; finished with notify_close() */
struct notify {
	int fd;		  /* connected datagram socket, or -1: nobody listens */
	const char *dest; /* where it is in the container */
	char env[64];	  /* a variable for the process, or "" */
};

/** notify_find() - look for it and connect; leaves @out->fd -1 when there is none to be had */
void notify_find(const struct oci_spec *spec, struct notify *out);
/** notify_plan() - tell the agent: a flag and a mount. Return: 0, -E2BIG for too many mounts */
int notify_plan(const struct notify *n, struct ap_container *c) __attribute__((warn_unused_result));
/**
 * notify_filter() - what of @text may be said to a service manager
 * @out: the lines that speak of the service's own state, made printable, each with a newline;
 *       others (MAINPID, FDSTORE, BUSERROR) speak of the host's processes and descriptors and are
 *       left out
 *
 * Return: length of @out, cut where it is full.
 */
size_t notify_filter(const char *text, char *out, size_t cap);

#endif /* VOLT_NOTIFY_H */
