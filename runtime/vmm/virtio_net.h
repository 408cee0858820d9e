/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_net.h - network device on a tap
 *
 * Each queue pair has one queue of a tap device (IFF_VNET_HDR, header of 12
 * bytes), read and written straight from and to the guest's buffers. Nothing is
 * queued here: a full host makes the transmit queue wait, a guest without
 * receive buffers leaves frames to the tap's own bounded queue.
 *
 * Who watches the tap's descriptors is the owner, in its loop: after each call
 * that may have changed it, virtio_net_wants() says what to watch for. So the
 * vCPU threads, which activate and reset the device, never touch the loop.
 *
 * Or the host's kernel does all that (virtio_net_kernel): then frames, and their headers,
 * are no business of ours.
 *
 * Trust:   chains and headers are hostile; frames are the host kernel's to parse.
 * Threads: the device lock.
 * Uses:    net_hdr, virtio, virtio_serve. Used by: the vmm's device array.
 */
#ifndef VMM_VIRTIO_NET_H
#define VMM_VIRTIO_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/net_abi.h"
#include "vmm/virtio.h"

#define VIRTIO_NET_MAX_PAIRS ((VIRTIO_MAX_QUEUES - 1u) / 2u)
#define VIRTIO_NET_QUEUE_MAX 256u
#define VIRTIO_NET_RX_BUDGET 64u /* frames a call; then other devices have their turn */

#define VIRTIO_NET_Q_RX(pair) ((pair)*2u)
#define VIRTIO_NET_Q_TX(pair) ((pair)*2u + 1u)

struct virtio_net;

/**
 * struct virtio_net_kernel - who else may serve the pairs: the host's kernel (vhost.h)
 *
 * The device then keeps registers, configuration and control queue. Called with the lock held, by
 * vCPU threads and the loop.
 *
 * @start:  serve a pair whose two queues are ready; 0 or -errno
 * @stop:   returns when guest memory isn't touched any more
 * @attach: does the tap give frames to the queue of this pair? Only with several pairs
 */
struct virtio_net_kernel {
	int (*start)(void *ctx, unsigned pair, const struct virtq_layout l[2], uint64_t features);
	void (*stop)(void *ctx, unsigned pair);
	int (*attach)(void *ctx, unsigned pair, bool on);
};

/**
 * struct virtio_net_config
 * @mac, @mtu: of the interface the VM takes the place of
 * @n_pairs:   1..VIRTIO_NET_MAX_PAIRS queue pairs, each with
 * @tap:       a non-blocking tap queue; borrowed
 * @uso:       the tap segments UDP (Linux 6.2)
 * @no_carrier: the interface has none: the link is down at first
 * @kernel:    serves the pairs; NULL: we do
 * @offload:   tell the tap what the driver takes, NET_TUN_*; may be NULL. Called by vCPU
 *             threads, with the lock held
 */
struct virtio_net_config {
	uint8_t mac[6];
	uint16_t mtu;
	unsigned n_pairs;
	int tap[VIRTIO_NET_MAX_PAIRS];
	bool uso;
	bool no_carrier;
	const struct virtio_net_kernel *kernel;
	int (*offload)(void *ctx, unsigned flags);
	void *ctx;
};

/** virtio_net_create() - a device. Return: 0, -EINVAL, -ENOMEM */
int virtio_net_create(const struct gmem *mem, const struct virtio_net_config *cfg,
		      struct virtio_net **out) __attribute__((warn_unused_result));
/** virtio_net_destroy() - the taps stay open; NULL is fine */
void virtio_net_destroy(struct virtio_net *net);
struct virtio_dev *virtio_net_dev(struct virtio_net *net);

/**
 * virtio_net_event() - a tap queue is ready
 * @pair:   which
 * @events: EPOLL*; EPOLLERR means that the tap is gone: the link goes down for good
 *
 * Takes the lock. Syscalls: readv, writev, write (role vmm)
 */
void virtio_net_event(struct virtio_net *net, unsigned pair, uint32_t events);

/** virtio_net_wants() - EPOLL* to watch tap queue @pair for, 0 for nothing; takes the lock */
uint32_t virtio_net_wants(struct virtio_net *net, unsigned pair);

/** virtio_net_set_link() - the guest sees a cable going in or out; takes the lock */
void virtio_net_set_link(struct virtio_net *net, bool up);

/**
 * struct virtio_net_stats - in frames and bytes without headers; rx is towards the guest
 * @tx_refused: header that no sound driver sends
 * @tx_dropped: the tap refused it
 */
struct virtio_net_stats {
	uint64_t rx_frames;
	uint64_t rx_bytes;
	uint64_t tx_frames;
	uint64_t tx_bytes;
	uint64_t tx_refused;
	uint64_t tx_dropped;
};

/** virtio_net_stats() - takes the lock */
void virtio_net_stats(struct virtio_net *net, struct virtio_net_stats *out);

#endif /* VMM_VIRTIO_NET_H */
