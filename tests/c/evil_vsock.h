/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil_vsock.h - the guest's side of virtio-vsock, packet by packet
 *
 * Sends what it is told, honest or not. What it receives is checked for what
 * every driver relies on: the used length is that of the packet, nothing was
 * written outside the buffer, the addresses are right.
 *
 * Uses: evil_guest, vmm/vsock_pkt. Aborts on a violation, as evil_guest does.
 */
#ifndef TESTS_EVIL_VSOCK_H
#define TESTS_EVIL_VSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evil_guest.h"
#include "vmm/vsock_pkt.h"

#define VSG_RX_BUFS 128u
#define VSG_RX_LEN  3776u /* SKB_WITH_OVERHEAD(4096): what Linux 6.12 posts */
#define VSG_BUF	    (256u * 1024u)

struct vsg;

/** vsg_create() - a guest for @dev; vsg_start() brings it up (again) with empty queues */
struct vsg *vsg_create(struct eg *g, struct virtio_dev *dev);
void vsg_destroy(struct vsg *v);
bool vsg_start(struct vsg *v, uint64_t features);

/** vsg_post() - add @n rx buffers of @len bytes, kick. Return: how many there was room for */
unsigned vsg_post(struct vsg *v, unsigned n, uint32_t len);
/** vsg_put() - add a packet to the tx queue without a kick; @h->len bytes of @data follow */
void vsg_put(struct vsg *v, const struct vsock_hdr *h, const void *data);
void vsg_kick_tx(struct vsg *v);
/** vsg_tx_done() - collect sent packets. Return: how many are still under way */
unsigned vsg_tx_done(struct vsg *v);
/** vsg_take() - the next packet; @data has VSOCK_PAYLOAD_MAX bytes or is NULL. Return: got one? */
bool vsg_take(struct vsg *v, struct vsock_hdr *h, uint8_t *data);

/** vsg_hdr() - header of a packet from @guest_port to @host_port; fwd_cnt 0, buf_alloc VSG_BUF */
struct vsock_hdr vsg_hdr(uint16_t op, uint32_t guest_port, uint32_t host_port);
/** vsg_send() - vsg_hdr() with @flags, put, kick */
void vsg_send(struct vsg *v, uint16_t op, uint32_t guest_port, uint32_t host_port, uint32_t flags);
/** vsg_send_data() - a data packet whose credit says that @fwd_cnt bytes were consumed */
void vsg_send_data(struct vsg *v, uint32_t guest_port, uint32_t host_port, const void *data,
		   uint32_t len, uint32_t fwd_cnt);

#endif /* TESTS_EVIL_VSOCK_H */
