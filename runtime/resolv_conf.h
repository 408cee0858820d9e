/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolv_conf.h - the name servers a container is told of
 *
 * By the file that the engine binds to /etc/resolv.conf; what an image brings is its own affair.
 *
 * Trust: the file is the engine's.
 * Uses: base, oci/spec.h. Used by: net_egress, net_dns.
 */
#ifndef VOLT_RESOLV_CONF_H
#define VOLT_RESOLV_CONF_H

#include <stdint.h>

#include "base/err.h"
#include "oci/spec.h"

#define RESOLV_CONF "/etc/resolv.conf"

/** Called for a name server, IPv4 in the first 4 bytes. Return: 0 to go on, anything else to stop */
typedef int (*resolv_conf_fn)(void *ctx, uint32_t family, const uint8_t addr[16],
			      struct vr_err *err);

/**
 * resolv_conf_each() - call @fn for each name server, in their order
 *
 * Lines that a resolver would ignore are.
 *
 * Return: 0, what @fn returned, -ENODATA without setting @err when no file is bound there, or another
 * negative errno value when it can't be read.
 */
int resolv_conf_each(const struct oci_spec *spec, resolv_conf_fn fn, void *ctx, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_RESOLV_CONF_H */
