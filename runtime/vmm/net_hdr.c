/* SPDX-License-Identifier: Apache-2.0 */
/* net_hdr.c - may this frame's header go to the host's kernel? See net_hdr.h */
#include "vmm/net_hdr.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>

#define CSUM_BYTES 2u

/* The feature that permits a kind of segmentation; 0 for a kind nobody knows. */
static uint64_t gso_feature(unsigned kind)
{
	switch (kind) {
	case NET_GSO_TCPV4:
		return NETF_HOST_TSO4;
	case NET_GSO_TCPV6:
		return NETF_HOST_TSO6;
	case NET_GSO_UDP_L4:
		return NETF_HOST_USO;
	default:
		return 0;
	}
}

static bool csum_ok(const struct net_hdr *h, uint32_t frame_len, uint64_t features)
{
	/* u16 each: the sum can't overflow. */
	uint32_t end = (uint32_t)le16toh(h->csum_start) + le16toh(h->csum_offset) + CSUM_BYTES;

	return (features & NETF_CSUM) && le16toh(h->csum_start) >= NET_ETH_LEN && end <= frame_len;
}

static bool gso_ok(const struct net_hdr *h, uint32_t frame_len, uint16_t mtu, uint64_t features)
{
	unsigned kind = h->gso_type & ~NET_GSO_ECN;
	bool ecn = (h->gso_type & NET_GSO_ECN) != 0;

	if (!(gso_feature(kind) & features) || !(h->flags & NET_HDR_NEEDS_CSUM)) {
		return false;
	}
	if (ecn && (kind == NET_GSO_UDP_L4 || !(features & NETF_HOST_ECN))) {
		return false;
	}
	return h->gso_size != 0 && le16toh(h->gso_size) <= mtu && le16toh(h->hdr_len) <= frame_len;
}

int net_hdr_check(struct net_hdr *h, uint32_t frame_len, uint16_t mtu, uint64_t features)
{
	if (frame_len < NET_ETH_LEN || frame_len > NET_FRAME_MAX) {
		return -EINVAL;
	}
	if (h->flags & ~NET_HDR_NEEDS_CSUM) {
		return -EINVAL;
	}
	if ((h->flags & NET_HDR_NEEDS_CSUM) && !csum_ok(h, frame_len, features)) {
		return -EINVAL;
	}
	if (h->gso_type != NET_GSO_NONE) {
		if (!gso_ok(h, frame_len, mtu, features)) {
			return -EINVAL;
		}
	} else {
		if (frame_len > (uint32_t)mtu + NET_LINK_EXTRA) {
			return -EINVAL;
		}
		h->hdr_len = 0;
		h->gso_size = 0;
	}
	if (!(h->flags & NET_HDR_NEEDS_CSUM)) {
		h->csum_start = 0;
		h->csum_offset = 0;
	}
	h->num_buffers = 0;
	return 0;
}
