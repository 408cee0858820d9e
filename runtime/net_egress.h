/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_egress.h - where a container may send to (annotation dev.volt.net.egress)
 *
 *	10.0.0.0/8:443,192.0.2.7,[2001:db8::]/32,[fd00::1]:53,dns
 *
 * A list of networks or addresses, each perhaps with a port (of TCP and UDP); "dns"
 * stands for port 53 of the servers in the resolv.conf that the engine mounts;
 * "none" alone allows nothing. It is about packets, not connections: answers to
 * others, too, need an entry.
 *
 * Trust:   the text is the caller's.
 * Uses:    base, oci/spec.h. Used by: launch, net_guard.
 */
#ifndef VOLT_NET_EGRESS_H
#define VOLT_NET_EGRESS_H

#include <stdint.h>

#include "base/err.h"
#include "oci/spec.h"

#define NET_EGRESS_MAX 64u

/**
 * struct net_dest - @family: 4 or 6; @prefix: bits of @addr that count; @port: 0 for all
 * @entry: number of the entry it stands in, from 1 on; those of "dns" share one
 */
struct net_dest {
	uint16_t entry;
	uint32_t family;
	uint32_t prefix;
	uint16_t port;
	uint8_t addr[16];
};

struct net_egress {
	unsigned n;
	uint16_t n_entries;
	struct net_dest v[NET_EGRESS_MAX];
};

/**
 * net_egress_parse() - read the annotation's value
 * @spec: whose mounts name the resolv.conf for "dns"
 *
 * Return: 0, -EINVAL (the message names the entry), -E2BIG, or what reading resolv.conf gave.
 */
int net_egress_parse(const char *text, const struct oci_spec *spec, struct net_egress *out,
		     struct vr_err *err) __attribute__((warn_unused_result));

/** net_egress_allows() - is @addr among the destinations? @port: in host order */
bool net_egress_allows(const struct net_egress *e, uint32_t family, const uint8_t *addr,
		       uint16_t port);

#endif /* VOLT_NET_EGRESS_H */
