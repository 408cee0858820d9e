/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_tx.c - guest to tap
 *
 * The header is copied, checked and sent from the copy; the frame goes to the
 * kernel straight from guest memory. A tap that takes no more leaves the frame in
 * the queue until it is writable.
 */
#include "vmm/net_priv.h"

#include <errno.h>
#include <sys/uio.h>

#include "vmm/net_hdr.h"
#include "vmm/virtio_serve.h"

/* A chain's iovecs without the first @skip bytes. Return: number of iovecs */
static unsigned skip_bytes(const struct virtq_chain *c, uint32_t skip, struct iovec *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_out; i++) {
		struct iovec v = c->iov[i];

		if (v.iov_len <= skip) {
			skip -= (uint32_t)v.iov_len;
			continue;
		}
		out[n].iov_base = (uint8_t *)v.iov_base + skip;
		out[n++].iov_len = v.iov_len - skip;
		skip = 0;
	}
	return n;
}

/* Return: 0 when done with the frame, whatever became of it; -EAGAIN to keep it. */
static int send_frame(struct virtio_net *net, int tap, const struct virtq_chain *c,
		      struct net_hdr *hdr)
{
	struct iovec iov[1 + NET_CHAIN_IOV] = {{.iov_base = hdr, .iov_len = sizeof(*hdr)}};
	unsigned n = 1 + skip_bytes(c, NET_HDR_LEN, iov + 1);

	if (net->tap_gone) {
		net->stats.tx_dropped++;
		return 0;
	}
	if (writev(tap, iov, (int)n) >= 0) {
		net->stats.tx_frames++;
		net->stats.tx_bytes += c->out_bytes - NET_HDR_LEN;
		return 0;
	}
	if (errno == EAGAIN || errno == ENOBUFS) {
		return -EAGAIN;
	}
	(void)net_tap_failed(net, -errno);
	net->stats.tx_dropped++;
	return 0;
}

static int tx_serve(struct virtio_dev *dev, const struct virtq_chain *c, uint32_t *out_written)
{
	struct virtio_net *net = net_of_dev(dev);
	struct net_pair *pair = &net->pair[net->tx_pair];
	struct net_hdr hdr;
	int ret;

	*out_written = 0;
	if (c->n_in > 0 || c->out_bytes < NET_HDR_LEN + NET_ETH_LEN ||
	    c->out_bytes > NET_HDR_LEN + NET_FRAME_MAX) {
		return -EPROTO;
	}
	(void)virtq_iov_read(c->iov, c->n_out, 0, &hdr, sizeof(hdr)); /* all there: see above */
	if (net_hdr_check(&hdr, (uint32_t)c->out_bytes - NET_HDR_LEN, net->cfg.mtu,
			  net->dev.driver_features) < 0) {
		net->stats.tx_refused++;
		return 0;
	}
	ret = send_frame(net, pair->tap, c, &hdr);
	pair->tx_blocked = ret == -EAGAIN;
	return ret;
}

void net_tx(struct virtio_net *net, unsigned pair)
{
	struct iovec iov[NET_CHAIN_IOV];

	if (net->pair[pair].tx_blocked) {
		return; /* kicks don't make room in the tap */
	}
	net->tx_pair = pair; /* virtio_serve() hands down the device only */
	(void)virtio_serve(&net->dev, VIRTIO_NET_Q_TX(pair), iov, NET_CHAIN_IOV, tx_serve,
			   "not a frame");
}
