/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_priv.h - the inside of virtio_net, for its own files
 *
 *   virtio_net.c  the device: features, configuration, control queue, life
 *   net_rx.c      tap to guest
 *   net_tx.c      guest to tap
 *   net_hdr.c     what a frame's header may say
 *
 * Threads: the device lock.
 */
#ifndef VMM_NET_PRIV_H
#define VMM_NET_PRIV_H

#include "vmm/virtio_net.h"
#include "vmm/virtq.h"

#define NET_CHAIN_IOV	 64u  /* longest chain; Linux has at most 19 pieces a frame */
#define NET_STOCK_IOV	 128u /* so that one more chain fits unless it is at least half full */
#define NET_STOCK_CHAINS 128u
#define NET_SMALL_IOV	 4u /* a receive buffer of that many pieces at most may stand alone */

/** struct net_buf - a receive buffer: its chain's head, size, and number of iovecs */
struct net_buf {
	uint16_t head;
	uint16_t n_iov;
	uint32_t bytes;
};

/**
 * struct net_stock - receive buffers popped ahead of the frames that will need them
 *
 * How large a frame is shows only when it was read, and a frame may take many small
 * buffers. So as many as the largest one needs are kept ready, each popped once.
 * The queues of both arrays begin at @first_* and move to the front when they reach the end.
 *
 * @bytes:   in all buffers
 * @starved: more is needed than the guest gave; until its next kick
 */
struct net_stock {
	struct iovec iov[NET_STOCK_IOV];
	struct net_buf buf[NET_STOCK_CHAINS];
	unsigned first_iov;
	unsigned n_iov;
	unsigned first_buf;
	unsigned n_bufs;
	uint64_t bytes;
	bool starved;
};

/**
 * struct net_pair - @tx_blocked: the tap took no more; until it is writable
 * @in_kernel: the kernel serves it now; @detached: the tap gives it nothing
 * @rx_small: the last frame fitted one receive buffer, so the next one probably does
 */
struct net_pair {
	int tap;
	bool tx_blocked;
	bool in_kernel;
	bool detached;
	bool rx_small;
	struct net_stock stock;
};

struct virtio_net {
	struct virtio_dev dev;
	struct virtio_ops ops; /* features and queues differ between devices */
	struct virtio_net_config cfg;
	bool link_up;
	bool tap_gone;
	unsigned n_active_pairs; /* as the driver said */
	unsigned tx_pair;	 /* net_tx() under way: whose queue it is */
	struct net_pair pair[VIRTIO_NET_MAX_PAIRS];
	uint8_t spill[NET_HDR_LEN + NET_FRAME_MAX]; /* see net_rx.c; untouched, it costs nothing */
	struct virtio_net_stats stats;
};

static inline struct virtio_net *net_of_dev(struct virtio_dev *dev)
{
	return (struct virtio_net *)dev; /* embedded first */
}

_Static_assert(offsetof(struct virtio_net, dev) == 0, "net_of_dev() casts");

/** net_rx_pair() - where frames of tap queue @tap_queue go: fewer pairs may be in use */
static inline unsigned net_rx_pair(const struct virtio_net *net, unsigned tap_queue)
{
	return tap_queue % net->n_active_pairs;
}

/** net_rx() - hand frames of a tap queue to the guest. Syscalls: readv (role vmm) */
void net_rx(struct virtio_net *net, unsigned tap_queue);
/** net_tx() - send what waits in a pair's transmit queue. Syscalls: writev (role vmm) */
void net_tx(struct virtio_net *net, unsigned pair);
/**
 * net_tap_failed() - is @err (-errno of a tap) its end? Then the link goes down
 *
 * No pair waits for room any more: when a queue isn't being served, all are to be looked at again.
 */
bool net_tap_failed(struct virtio_net *net, int err);

#endif /* VMM_NET_PRIV_H */
