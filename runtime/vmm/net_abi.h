/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_abi.h - what virtio-net and a tap device agree on (virtio 1.2, 5.1; linux/if_tun.h)
 *
 * The header in front of each frame is the same on the queues and on a tap with
 * IFF_VNET_HDR and a header size of 12, so that frames pass without being touched.
 * Names of our own: linux/virtio_net.h has bit numbers under the usual ones, and
 * Debian 12's lacks USO.
 *
 * Trust:   constants and types only.
 * Uses:    nothing. Used by: virtio_net and its files, who opens taps, tests.
 */
#ifndef VMM_NET_ABI_H
#define VMM_NET_ABI_H

#include <stddef.h>
#include <stdint.h>

/* Features (masks). HOST: the device takes such frames; GUEST: the driver does. */
#define NETF_CSUM	(1ull << 0)
#define NETF_GUEST_CSUM (1ull << 1)
#define NETF_MTU	(1ull << 3)
#define NETF_MAC	(1ull << 5)
#define NETF_GUEST_TSO4 (1ull << 7)
#define NETF_GUEST_TSO6 (1ull << 8)
#define NETF_GUEST_ECN	(1ull << 9)
#define NETF_HOST_TSO4	(1ull << 11)
#define NETF_HOST_TSO6	(1ull << 12)
#define NETF_HOST_ECN	(1ull << 13)
#define NETF_MRG_RXBUF	(1ull << 15)
#define NETF_STATUS	(1ull << 16)
#define NETF_CTRL_VQ	(1ull << 17)
#define NETF_MQ		(1ull << 22)
#define NETF_GUEST_USO4 (1ull << 54)
#define NETF_GUEST_USO6 (1ull << 55)
#define NETF_HOST_USO	(1ull << 56)

/* Frames larger than the MTU may arrive at the driver. */
#define NETF_GUEST_GSO (NETF_GUEST_TSO4 | NETF_GUEST_TSO6 | NETF_GUEST_USO4 | NETF_GUEST_USO6)

#define NET_HDR_NEEDS_CSUM 1u /* flags */

#define NET_GSO_NONE   0u /* gso_type */
#define NET_GSO_TCPV4  1u
#define NET_GSO_TCPV6  4u
#define NET_GSO_UDP_L4 5u
#define NET_GSO_ECN    0x80u

/** struct net_hdr - in front of each frame, little-endian (virtio 1.2, 5.1.6) */
struct net_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers;
};
_Static_assert(sizeof(struct net_hdr) == 12, "virtio 1.2, 5.1.6");
_Static_assert(offsetof(struct net_hdr, num_buffers) == 10, "virtio 1.2, 5.1.6");

#define NET_HDR_LEN	((uint32_t)sizeof(struct net_hdr))
#define NET_ETH_LEN	14u /* destination, source, type */
#define NET_LINK_EXTRA	18u /* Ethernet header and a VLAN tag, beyond the MTU */
#define NET_FRAME_MAX	(65536u + NET_LINK_EXTRA) /* an unsegmented one */
#define NET_STATUS_LINK 1u			  /* config space: status */
#define NET_MTU_MIN	68u

/* Control queue (5.1.6.5) */
#define NET_CTRL_MQ	  4u
#define NET_CTRL_MQ_PAIRS 0u
#define NET_CTRL_OK	  0u
#define NET_CTRL_ERR	  1u

/* TUNSETOFFLOAD (linux/if_tun.h); USO came with Linux 6.2 */
#define NET_TUN_CSUM 0x01u
#define NET_TUN_TSO4 0x02u
#define NET_TUN_TSO6 0x04u
#define NET_TUN_ECN  0x08u
#define NET_TUN_USO4 0x20u
#define NET_TUN_USO6 0x40u

#endif /* VMM_NET_ABI_H */
