/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_rx.c - tap to guest
 *
 * How this works: one readv() puts the tap's header and the frame straight into
 * the guest's buffers; then the number of buffers it took is written into the
 * header, and all of them become visible at once. What was written is never read
 * back. A frame is only read when the stock can hold the largest one: else the
 * kernel would cut it.
 *
 * The largest one needs dozens of buffers, and for a small frame the kernel would look at
 * all of them in vain. So after a small one only one buffer is offered, and behind it
 * memory of ours: what lands there is copied on, and the next frame gets all buffers.
 */
#include "vmm/net_priv.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "base/checked.h"

static bool mergeable(const struct virtio_net *net)
{
	return (net->dev.driver_features & NETF_MRG_RXBUF) != 0;
}

/* The largest frame the tap may have, with header. */
static uint32_t largest(const struct virtio_net *net)
{
	if (net->dev.driver_features & NETF_GUEST_GSO) {
		return NET_HDR_LEN + NET_FRAME_MAX;
	}
	return NET_HDR_LEN + NET_LINK_EXTRA + net->cfg.mtu;
}

static void stock_to_front(struct net_stock *s)
{
	memmove(s->iov, s->iov + s->first_iov, s->n_iov * sizeof(s->iov[0]));
	memmove(s->buf, s->buf + s->first_buf, s->n_bufs * sizeof(s->buf[0]));
	s->first_iov = 0;
	s->first_buf = 0;
}

/* Room for one more chain of any permitted length behind the last one? */
static bool stock_has_room(const struct net_stock *s)
{
	return s->first_iov + s->n_iov + NET_CHAIN_IOV <= NET_STOCK_IOV &&
	       s->first_buf + s->n_bufs < NET_STOCK_CHAINS;
}

/* Return: 1 after a buffer, 0 when there was none, -EPROTO after a fault. */
static int stock_pop(struct virtio_net *net, struct virtq *vq, struct net_stock *s, uint32_t least)
{
	struct virtq_chain c = {.iov = s->iov + s->first_iov + s->n_iov, .cap = NET_CHAIN_IOV};
	int ret = virtq_pop(vq, &c);

	if (ret == 0) {
		return 0;
	}
	if (ret < 0) {
		virtio_dev_fault(&net->dev, "bad chain");
		return -EPROTO;
	}
	if (c.n_out > 0 || c.in_bytes < least) {
		virtio_dev_fault(&net->dev, "not a receive buffer");
		return -EPROTO;
	}
	s->buf[s->first_buf + s->n_bufs] = (struct net_buf){
		.head = c.head,
		.n_iov = (uint16_t)c.n_in,
		.bytes = (uint32_t)c.in_bytes, /* virtq_pop() saw to it that this fits */
	};
	s->n_bufs++;
	s->n_iov += c.n_in;
	s->bytes += s->buf[s->first_buf + s->n_bufs - 1].bytes;
	return 1;
}

/* Return: 1 when the largest frame fits, 0 when it doesn't yet, -EPROTO after a fault. */
static int stock_fill(struct virtio_net *net, unsigned pair)
{
	struct net_stock *s = &net->pair[pair].stock;
	struct virtq *vq = &net->dev.vq[VIRTIO_NET_Q_RX(pair)];
	uint32_t need = largest(net);
	/* A frame needs all of a buffer where it can't go on in the next. */
	uint32_t least = mergeable(net) ? NET_HDR_LEN : need;
	int ret = 1;

	while (ret == 1 && s->bytes < need) {
		if (!stock_has_room(s)) {
			stock_to_front(s);
		}
		if (!stock_has_room(s)) {
			/* Only with buffers in tiny pieces: no frame could ever come. */
			virtio_dev_fault(&net->dev, "receive buffers are too fragmented");
			return -EPROTO;
		}
		ret = stock_pop(net, vq, s, least);
	}
	return ret;
}

/* Take the buffer in front out of the stock. */
static void stock_shift(struct net_stock *s)
{
	const struct net_buf *b = &s->buf[s->first_buf];

	s->first_iov += b->n_iov;
	s->n_iov -= b->n_iov;
	s->bytes -= b->bytes;
	s->first_buf++;
	s->n_bufs--;
}

/* @len bytes, header included, were read into the buffers in front of the stock. */
static int deliver(struct virtio_net *net, struct virtq *vq, struct net_stock *s, uint32_t len)
{
	struct virtq_used used[NET_STOCK_CHAINS];
	const struct iovec *front = s->iov + s->first_iov;
	unsigned front_iovs = s->buf[s->first_buf].n_iov;
	uint32_t left = len;
	unsigned n = 0;
	uint16_t num_buffers;

	while (left > 0 && s->n_bufs > 0) {
		const struct net_buf *b = &s->buf[s->first_buf];
		uint32_t part = VR_MIN(left, b->bytes);

		used[n++] = (struct virtq_used){.head = b->head, .written = part};
		left -= part;
		stock_shift(s);
	}
	num_buffers = htole16((uint16_t)n);
	(void)virtq_iov_write(front, front_iovs, offsetof(struct net_hdr, num_buffers),
			      &num_buffers,
			      sizeof(num_buffers)); /* buffers hold a header at least */
	if (virtq_push_all(vq, used, n) < 0) {
		virtio_dev_fault(&net->dev, "bad used ring");
		return -EPROTO;
	}
	net->stats.rx_frames++;
	net->stats.rx_bytes += len - NET_HDR_LEN;
	return 0;
}

static ssize_t read_long(struct virtio_net *net, struct net_stock *s, int tap)
{
	unsigned n_iov = mergeable(net) ? s->n_iov : s->buf[s->first_buf].n_iov;

	return readv(tap, s->iov + s->first_iov, (int)n_iov);
}

static ssize_t read_short(struct virtio_net *net, struct net_stock *s, int tap)
{
	const struct net_buf *front = &s->buf[s->first_buf];
	const struct iovec *rest = s->iov + s->first_iov + front->n_iov;
	struct iovec iov[NET_SMALL_IOV + 1];
	ssize_t n;

	memcpy(iov, s->iov + s->first_iov, front->n_iov * sizeof(iov[0]));
	iov[front->n_iov] = (struct iovec){net->spill, sizeof(net->spill)};
	n = readv(tap, iov, (int)front->n_iov + 1);
	if (n > (ssize_t)front->bytes) {
		/* All of it fits: the stock holds the largest frame. */
		(void)virtq_iov_write(rest, s->n_iov - front->n_iov, 0, net->spill,
				      (size_t)n - front->bytes);
	}
	return n;
}

static ssize_t read_frame(struct virtio_net *net, struct net_pair *p, int tap)
{
	struct net_stock *s = &p->stock;
	const struct net_buf *front = &s->buf[s->first_buf];
	uint32_t room = front->bytes;
	ssize_t n;

	if (p->rx_small && mergeable(net) && front->n_iov <= NET_SMALL_IOV) {
		n = read_short(net, s, tap);
	} else {
		n = read_long(net, s, tap);
	}
	if (n >= 0) {
		p->rx_small = n <= (ssize_t)room;
	}
	return n;
}

/* Return: 1 after a frame, 0 when there is none, or the guest can't take it, or after a fault. */
static int rx_one(struct virtio_net *net, unsigned pair, int tap)
{
	struct net_stock *s = &net->pair[pair].stock;
	struct virtq *vq = &net->dev.vq[VIRTIO_NET_Q_RX(pair)];
	ssize_t n;
	int ret = stock_fill(net, pair);

	if (ret <= 0) {
		s->starved = ret == 0;
		return 0;
	}
	n = read_frame(net, &net->pair[pair], tap);
	if (n < 0) {
		(void)net_tap_failed(net, -errno); /* usually -EAGAIN: no more frames */
		return 0;
	}
	if (n <= (ssize_t)NET_HDR_LEN) {
		return 1; /* no frame: the buffers stay where they are */
	}
	return deliver(net, vq, s, (uint32_t)n) == 0;
}

void net_rx(struct virtio_net *net, unsigned tap_queue)
{
	unsigned pair = net_rx_pair(net, tap_queue);
	int tap = net->pair[tap_queue].tap;
	unsigned left = VIRTIO_NET_RX_BUDGET;

	while (left > 0 && rx_one(net, pair, tap) == 1) {
		left--; /* what waits makes the tap ready again: the loop comes back */
	}
	virtio_dev_interrupt(&net->dev, VIRTIO_NET_Q_RX(pair));
}
