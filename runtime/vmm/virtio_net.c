/* SPDX-License-Identifier: Apache-2.0 */
/* virtio_net.c - network device on a tap: features, control queue, life; see virtio_net.h */
#include "vmm/virtio_net.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "vmm/net_priv.h"
#include "vmm/virtio_serve.h"

/* struct virtio_net_config as far as our features reach: mac, status, pairs, mtu (5.1.4). */
#define CONFIG_BYTES 12u
#define CTRL_IOV     8u
#define CTRL_HDR     2u /* class, command */
#define CTRL_PAIRS   2u

static uint64_t features_of(const struct virtio_net_config *cfg)
{
	uint64_t f = VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | NETF_CSUM | NETF_GUEST_CSUM |
		     NETF_MTU | NETF_MAC | NETF_GUEST_TSO4 | NETF_GUEST_TSO6 | NETF_GUEST_ECN |
		     NETF_HOST_TSO4 | NETF_HOST_TSO6 | NETF_HOST_ECN | NETF_MRG_RXBUF | NETF_STATUS;

	if (cfg->uso) {
		f |= NETF_GUEST_USO4 | NETF_GUEST_USO6 | NETF_HOST_USO;
	}
	if (cfg->n_pairs > 1) {
		f |= NETF_CTRL_VQ | NETF_MQ;
	}
	return f;
}

/* The control queue follows the pairs the driver knows of (5.1.2). */
static unsigned ctrl_queue(const struct virtio_net *net)
{
	unsigned pairs = net->dev.driver_features & NETF_MQ ? net->cfg.n_pairs : 1;

	return pairs * 2;
}

/* What the tap may leave to the driver. */
static unsigned offload_flags(uint64_t features)
{
	static const struct {
		uint64_t feature;
		unsigned flag;
	} map[] = {
		{NETF_GUEST_TSO4, NET_TUN_TSO4}, {NETF_GUEST_TSO6, NET_TUN_TSO6},
		{NETF_GUEST_ECN, NET_TUN_ECN},	 {NETF_GUEST_USO4, NET_TUN_USO4},
		{NETF_GUEST_USO6, NET_TUN_USO6},
	};
	unsigned flags = NET_TUN_CSUM;

	if (!(features & NETF_GUEST_CSUM)) {
		return 0; /* a driver that can't complete a checksum can't segment either */
	}
	for (size_t i = 0; i < VR_ARRAY_SIZE(map); i++) {
		flags |= features & map[i].feature ? map[i].flag : 0;
	}
	/* The kernel takes ECN only with TSO, and USO only for both families. */
	if (!(flags & (NET_TUN_TSO4 | NET_TUN_TSO6))) {
		flags &= ~NET_TUN_ECN;
	}
	if ((flags & (NET_TUN_USO4 | NET_TUN_USO6)) != (NET_TUN_USO4 | NET_TUN_USO6)) {
		flags &= ~(NET_TUN_USO4 | NET_TUN_USO6);
	}
	return flags;
}

static void pairs_reset(struct virtio_net *net)
{
	net->n_active_pairs = 1;
	for (unsigned i = 0; i < net->cfg.n_pairs; i++) {
		net->pair[i].tx_blocked = false;
		net->pair[i].rx_small = false;
		memset(&net->pair[i].stock, 0, sizeof(net->pair[i].stock));
	}
}

/* --- pairs that the kernel serves ------------------------------------------------------------ */

static void kernel_stop(struct virtio_net *net)
{
	for (unsigned i = 0; i < net->cfg.n_pairs; i++) {
		if (net->pair[i].in_kernel) {
			net->pair[i].in_kernel = false;
			net->cfg.kernel->stop(net->cfg.ctx, i);
		}
	}
}

/* Frames for a pair that the driver doesn't use would never be seen. */
static int kernel_attach(struct virtio_net *net)
{
	int rc = 0;

	for (unsigned i = 0; net->cfg.kernel && rc == 0 && i < net->cfg.n_pairs; i++) {
		bool on = i < net->n_active_pairs;

		if (net->pair[i].detached == on && net->cfg.n_pairs > 1) {
			rc = net->cfg.kernel->attach(net->cfg.ctx, i, on);
			net->pair[i].detached = rc == 0 ? !on : net->pair[i].detached;
		}
	}
	return rc;
}

static int kernel_start(struct virtio_net *net)
{
	struct virtio_dev *dev = &net->dev;
	int rc = kernel_attach(net);

	for (unsigned i = 0; net->cfg.kernel && rc == 0 && i < net->cfg.n_pairs; i++) {
		if (!dev->vq[VIRTIO_NET_Q_RX(i)].ready || !dev->vq[VIRTIO_NET_Q_TX(i)].ready) {
			continue;
		}
		rc = net->cfg.kernel->start(net->cfg.ctx, i, &dev->layout[VIRTIO_NET_Q_RX(i)],
					    dev->driver_features);
		net->pair[i].in_kernel = rc == 0;
	}
	if (rc < 0) {
		kernel_stop(net);
	}
	return rc;
}

/* The owner makes system calls here, from a vCPU thread: TUNSETOFFLOAD and those of vhost. */
static int net_activate(struct virtio_dev *dev)
{
	struct virtio_net *net = net_of_dev(dev);

	if (!dev->vq[VIRTIO_NET_Q_RX(0)].ready || !dev->vq[VIRTIO_NET_Q_TX(0)].ready) {
		return -EINVAL;
	}
	pairs_reset(net);
	if (net->cfg.offload && !net->tap_gone) {
		int rc = net->cfg.offload(net->cfg.ctx, offload_flags(dev->driver_features));

		if (rc < 0) {
			return rc;
		}
	}
	return kernel_start(net);
}

static void net_reset(struct virtio_dev *dev)
{
	kernel_stop(net_of_dev(dev));
	pairs_reset(net_of_dev(dev));
}

static uint8_t set_pairs(struct virtio_net *net, unsigned n)
{
	if (n == 0 || n > net->cfg.n_pairs || !(net->dev.driver_features & NETF_MQ)) {
		return NET_CTRL_ERR;
	}
	net->n_active_pairs = n;
	for (unsigned i = 0; i < net->cfg.n_pairs; i++) {
		net->pair[i].stock.starved = false; /* frames may go elsewhere now: look again */
	}
	return (uint8_t)(kernel_attach(net) == 0 ? NET_CTRL_OK : NET_CTRL_ERR);
}

static int ctrl_request(struct virtio_dev *dev, const struct virtq_chain *c, uint32_t *out_written)
{
	uint8_t req[CTRL_HDR + CTRL_PAIRS] = {0};
	size_t len = virtq_iov_read(c->iov, c->n_out, 0, req, sizeof(req));
	uint8_t ack = NET_CTRL_ERR;

	if (len < CTRL_HDR || c->in_bytes == 0) {
		return -EPROTO;
	}
	if (req[0] == NET_CTRL_MQ && req[1] == NET_CTRL_MQ_PAIRS && len == sizeof(req)) {
		ack = set_pairs(net_of_dev(dev), req[2] | (unsigned)req[3] << 8);
	}
	*out_written = (uint32_t)virtq_iov_write(c->iov + c->n_out, c->n_in, 0, &ack, sizeof(ack));
	return 0;
}

/* Whoever gave buffers doesn't starve any more; the loop watches the tap again. */
static void rx_kicked(struct virtio_net *net, unsigned pair)
{
	net->pair[pair].stock.starved = false;
}

/* Frames that waited for room in a tap that is gone now: nothing would ever ask for them again. */
static void drop_waiting(struct virtio_net *net, bool was_gone)
{
	if (was_gone || !net->tap_gone || net->cfg.kernel) {
		return;
	}
	for (unsigned i = 0; i < net->cfg.n_pairs; i++) {
		if (net->dev.active && net->dev.vq[VIRTIO_NET_Q_TX(i)].ready) {
			net_tx(net, i);
		}
	}
}

static void net_notify(struct virtio_dev *dev, unsigned q)
{
	struct virtio_net *net = net_of_dev(dev);
	bool was_gone = net->tap_gone;
	struct iovec iov[CTRL_IOV];

	if ((dev->driver_features & NETF_CTRL_VQ) && q == ctrl_queue(net)) {
		(void)virtio_serve(dev, q, iov, CTRL_IOV, ctrl_request, "not a control request");
		if (dev->status & VIRTIO_S_NEEDS_RESET) {
			kernel_stop(net); /* after a fault nothing is served */
		}
	} else if (q / 2 >= net->cfg.n_pairs || net->cfg.kernel) {
		return; /* the control queue of a driver that doesn't know it */
	} else if (q % 2 == 0) {
		rx_kicked(net, q / 2);
	} else {
		net_tx(net, q / 2);
		drop_waiting(net, was_gone);
	}
}

static void net_config_read(struct virtio_dev *dev, uint32_t off, void *buf, uint32_t len)
{
	const struct virtio_net *net = net_of_dev(dev);
	uint8_t config[CONFIG_BYTES];
	struct vr_wr w;

	vr_wr_init(&w, config, sizeof(config));
	vr_wr_bytes(&w, net->cfg.mac, sizeof(net->cfg.mac));
	vr_wr_u16(&w, net->link_up ? NET_STATUS_LINK : 0);
	vr_wr_u16(&w, (uint16_t)net->cfg.n_pairs);
	vr_wr_u16(&w, net->cfg.mtu);
	memcpy(buf, config + off, len);
}

static const struct virtio_ops net_ops = {
	.name = "net",
	.id = VIRTIO_ID_NET,
	.queue_max = VIRTIO_NET_QUEUE_MAX,
	.config_len = CONFIG_BYTES,
	.activate = net_activate,
	.reset = net_reset,
	.notify = net_notify,
	.config_read = net_config_read,
};

int virtio_net_create(const struct gmem *mem, const struct virtio_net_config *cfg,
		      struct virtio_net **out)
{
	struct virtio_net *net;
	int err;

	if (cfg->n_pairs == 0 || cfg->n_pairs > VIRTIO_NET_MAX_PAIRS || cfg->mtu < NET_MTU_MIN) {
		return -EINVAL;
	}
	net = calloc(1, sizeof(*net));
	if (!net) {
		return -ENOMEM;
	}
	net->cfg = *cfg;
	net->ops = net_ops;
	net->ops.features = features_of(cfg);
	net->ops.n_queues = cfg->n_pairs * 2 + (cfg->n_pairs > 1 ? 1 : 0);
	net->link_up = !cfg->no_carrier;
	for (unsigned i = 0; i < cfg->n_pairs; i++) {
		net->pair[i].tap = cfg->tap[i];
	}
	pairs_reset(net);
	err = virtio_dev_init(&net->dev, &net->ops, mem);
	if (err < 0) {
		free(net);
		return err;
	}
	if (cfg->kernel) {
		net->dev.kernel_queues = (1u << cfg->n_pairs * 2) - 1u;
	}
	*out = net;
	return 0;
}

void virtio_net_destroy(struct virtio_net *net)
{
	if (!net) {
		return;
	}
	kernel_stop(net);
	virtio_dev_finish(&net->dev);
	free(net);
}

struct virtio_dev *virtio_net_dev(struct virtio_net *net)
{
	return &net->dev;
}

static void set_link(struct virtio_net *net, bool up)
{
	if (net->link_up != up) {
		net->link_up = up;
		virtio_dev_config_changed(&net->dev);
	}
}

bool net_tap_failed(struct virtio_net *net, int err)
{
	/* -EIO is a tap that is down for now, -EINVAL a frame it doesn't like. */
	if (err != -EBADFD && err != -ENODEV) {
		return false;
	}
	net->tap_gone = true;
	for (unsigned i = 0; i < net->cfg.n_pairs; i++) {
		net->pair[i].tx_blocked = false; /* it won't be writable any more */
	}
	set_link(net, false);
	return true;
}

void virtio_net_event(struct virtio_net *net, unsigned pair, uint32_t events)
{
	bool was_gone;

	if (pair >= net->cfg.n_pairs) {
		return;
	}
	(void)pthread_mutex_lock(&net->dev.lock); /* can't fail: not recursive, not robust */
	was_gone = net->tap_gone;
	if (events & (EPOLLERR | EPOLLHUP)) {
		(void)net_tap_failed(net, -ENODEV);
	}
	if (net->cfg.kernel) {
		events = 0;
	}
	if (net->dev.active && (events & EPOLLIN) && !net->tap_gone) {
		net_rx(net, pair);
	}
	if (net->dev.active && (events & EPOLLOUT)) {
		net->pair[pair].tx_blocked = false;
		net_tx(net, pair);
	}
	drop_waiting(net, was_gone);
	(void)pthread_mutex_unlock(&net->dev.lock);
}

uint32_t virtio_net_wants(struct virtio_net *net, unsigned pair)
{
	uint32_t events = 0;

	if (pair >= net->cfg.n_pairs) {
		return 0;
	}
	(void)pthread_mutex_lock(&net->dev.lock);
	if (net->dev.active && !net->tap_gone && !net->cfg.kernel) {
		events |= net->pair[net_rx_pair(net, pair)].stock.starved ? 0 : EPOLLIN;
		events |= net->pair[pair].tx_blocked ? EPOLLOUT : 0;
	}
	(void)pthread_mutex_unlock(&net->dev.lock);
	return events;
}

void virtio_net_set_link(struct virtio_net *net, bool up)
{
	(void)pthread_mutex_lock(&net->dev.lock);
	set_link(net, up && !net->tap_gone);
	(void)pthread_mutex_unlock(&net->dev.lock);
}

void virtio_net_stats(struct virtio_net *net, struct virtio_net_stats *out)
{
	(void)pthread_mutex_lock(&net->dev.lock);
	*out = net->stats;
	(void)pthread_mutex_unlock(&net->dev.lock);
}
