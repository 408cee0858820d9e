/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_vhost.h - may the host's kernel serve a container's network? (annotation dev.volt.net.vhost)
 *
 * It spares the way through the vmm; but the kernel then parses queues that the guest writes. That
 * is what the cage is to keep away from it, so nobody gets it without asking.
 *
 * Uses: base, vmm/vhost.h, net_attach. Used by: launch.
 */
#ifndef VOLT_NET_VHOST_H
#define VOLT_NET_VHOST_H

#include "base/err.h"
#include "net_attach.h"
#include "oci/annotations.h"

/**
 * net_vhost_open() - a descriptor for each queue of each tap, if that is wanted
 *
 * Return: 0; a negative errno value with @err if it must be had and can't.
 */
int net_vhost_open(struct net_plan *plan, enum oci_vhost mode, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_NET_VHOST_H */
