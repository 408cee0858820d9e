/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmproc_net.c - network devices and their taps
 *
 * A device says what it waits for; the loop watches the tap for just that. A tap
 * that nobody waits for isn't watched at all, since epoll reports errors anyway.
 */
#include "vmproc_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "vmm/vhost.h"
#include "vmm/virtio_net.h"

_Static_assert(VIRTIO_NET_MAX_PAIRS >= NET_TAP_MAX_QUEUES, "a pair for each queue of a tap");

/** struct vmproc_net - a device; @watched: what the loop watches each queue of its tap for */
struct vmproc_net {
	struct virtio_net *dev;
	const struct net_if *nif;
	const struct gmem *mem;
	uint32_t watched[NET_TAP_MAX_QUEUES];
};

struct vmproc_nets {
	unsigned n;
	struct vmproc_net v[AP_MAX_LINKS];
};

/* In the cage TUNSETOFFLOAD has a rule of its own: activation is the work of vCPU threads. */
static int offload(void *ctx, unsigned flags)
{
	const struct vmproc_net *n = ctx;

	return net_tap_offload(n->nif->tap.fd[0], flags); /* all queues of a tap have the same */
}

static int kernel_start(void *ctx, unsigned pair, const struct virtq_layout l[VHOST_QUEUES],
			uint64_t features)
{
	const struct vmproc_net *n = ctx;

	return vhost_start(n->nif->vhost[pair], n->mem, l, features, n->nif->tap.fd[pair]);
}

static void kernel_stop(void *ctx, unsigned pair)
{
	const struct vmproc_net *n = ctx;

	vhost_stop(n->nif->vhost[pair]);
}

static int kernel_attach(void *ctx, unsigned pair, bool on)
{
	const struct vmproc_net *n = ctx;

	return net_tap_attach(n->nif->tap.fd[pair], on);
}

static const struct virtio_net_kernel kernel = {
	.start = kernel_start, .stop = kernel_stop, .attach = kernel_attach};

static bool in_kernel(const struct net_if *nif)
{
	return nif->vhost[0] >= 0; /* all or none */
}

static int create_one(struct vmproc *p, const struct net_if *nif, struct vmproc_net *out)
{
	struct virtio_net_config cfg = {
		.mtu = nif->mtu,
		.n_pairs = nif->tap.n_queues,
		.uso = nif->tap.uso,
		.kernel = in_kernel(nif) ? &kernel : NULL,
		.offload = offload,
		.ctx = out,
	};

	memcpy(cfg.mac, nif->mac, sizeof(cfg.mac));
	memcpy(cfg.tap, nif->tap.fd, nif->tap.n_queues * sizeof(cfg.tap[0]));
	out->nif = nif;
	out->mem = p->mem;
	return virtio_net_create(p->mem, &cfg, &out->dev);
}

int vmproc_net_create(struct vmproc *p)
{
	const struct net_plan *plan = p->plan->net;
	int rc = 0;

	p->nets = calloc(1, sizeof(*p->nets));
	if (!p->nets) {
		return -ENOMEM;
	}
	for (unsigned i = 0; rc == 0 && i < plan->n; i++) {
		rc = create_one(p, &plan->ifs[i], &p->nets->v[i]);
		p->nets->n = i + 1;
	}
	return rc;
}

int vmproc_net_own(struct vmproc *p, struct vr_err *err)
{
	int rc = 0;

	for (unsigned i = 0; i < p->nets->n; i++) {
		const struct net_if *nif = p->nets->v[i].nif;
		const struct virtio_dev *dev = virtio_net_dev(p->nets->v[i].dev);

		for (unsigned q = 0; rc == 0 && in_kernel(nif) && q < nif->tap.n_queues; q++) {
			rc = vhost_own(nif->vhost[q], p->mem, &dev->kick_fd[VIRTIO_NET_Q_RX(q)],
				       dev->irq_fd);
		}
	}
	return rc < 0 ? vr_err_sys(err, rc, "let '%s' serve the network", VHOST_DEVICE) : 0;
}

void vmproc_net_destroy(struct vmproc *p)
{
	for (unsigned i = 0; p->nets && i < p->nets->n; i++) {
		virtio_net_destroy(p->nets->v[i].dev);
	}
	free(p->nets);
	p->nets = NULL;
}

struct virtio_dev *vmproc_net_dev(const struct vmproc *p, unsigned i)
{
	return virtio_net_dev(p->nets->v[i].dev);
}

static void watch_queue(struct vmproc *p, unsigned i, unsigned q)
{
	struct vmproc_net *n = &p->nets->v[i];
	uint32_t want = virtio_net_wants(n->dev, q);
	int fd = n->nif->tap.fd[q];
	int rc = 0;

	if (want == n->watched[q]) {
		return;
	}
	if (want == 0) {
		loop_del(p->loop, fd);
	} else if (n->watched[q] == 0) {
		rc = loop_add(p->loop, fd, want, EV_NET, i << 8 | q);
	} else {
		rc = loop_mod(p->loop, fd, want, EV_NET, i << 8 | q);
	}
	if (rc < 0) {
		vr_debug("tap of network device %u can't be watched", i); /* the next kick tries */
		return;
	}
	n->watched[q] = want;
}

void vmproc_net_watch(struct vmproc *p, unsigned i)
{
	if (i >= p->nets->n) {
		return;
	}
	for (unsigned q = 0; q < p->nets->v[i].nif->tap.n_queues; q++) {
		watch_queue(p, i, q);
	}
}

void vmproc_net_event(struct vmproc *p, uint32_t index, uint32_t events)
{
	unsigned i = index >> 8;
	unsigned q = index & 0xff;

	if (i >= p->nets->n) {
		return;
	}
	virtio_net_event(p->nets->v[i].dev, q, events);
	watch_queue(p, i, q);
}
