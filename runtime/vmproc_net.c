/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmproc_net.c - network devices and their taps
 *
 * They sit on spare slots, since networks come and go while a container runs. A device
 * says what it waits for; the loop watches the tap for just that. A tap that nobody
 * waits for isn't watched at all, since epoll reports errors anyway.
 */
#include "vmproc_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "pvh/cmdline.h"
#include "vmm/vhost.h"
#include "vmm/virtio_net.h"

_Static_assert(VIRTIO_NET_MAX_PAIRS >= NET_TAP_MAX_QUEUES, "a pair for each queue of a tap");

/**
 * struct vmproc_net - a device; @watched: what the loop watches each queue of its tap for
 * @dev: NULL: there is none on this slot
 */
struct vmproc_net {
	struct virtio_net *dev;
	struct net_if nif;
	const struct gmem *mem;
	uint32_t watched[NET_TAP_MAX_QUEUES];
};

/** struct vmproc_nets - @slot: of the VM, for each; @n of them */
struct vmproc_nets {
	unsigned n;
	int slot[AP_MAX_LINKS];
	struct vmproc_net v[AP_MAX_LINKS];
};

/* In the cage TUNSETOFFLOAD has a rule of its own: activation is the work of vCPU threads. */
static int offload(void *ctx, unsigned flags)
{
	const struct vmproc_net *n = ctx;

	return net_tap_offload(n->nif.tap.fd[0], flags); /* all queues of a tap have the same */
}

static int kernel_start(void *ctx, unsigned pair, const struct virtq_layout l[VHOST_QUEUES],
			uint64_t features)
{
	const struct vmproc_net *n = ctx;

	return vhost_start(n->nif.vhost[pair], n->mem, l, features, n->nif.tap.fd[pair]);
}

static void kernel_stop(void *ctx, unsigned pair)
{
	const struct vmproc_net *n = ctx;

	vhost_stop(n->nif.vhost[pair]);
}

static int kernel_attach(void *ctx, unsigned pair, bool on)
{
	const struct vmproc_net *n = ctx;

	return net_tap_attach(n->nif.tap.fd[pair], on);
}

static const struct virtio_net_kernel kernel = {
	.start = kernel_start, .stop = kernel_stop, .attach = kernel_attach};

static bool in_kernel(const struct net_if *nif)
{
	return nif->vhost[0] >= 0; /* all or none */
}

static int device_create(struct vmproc *p, struct vmproc_net *n, const struct net_if *nif)
{
	struct virtio_net_config cfg = {
		.mtu = nif->mtu,
		.n_pairs = nif->tap.n_queues,
		.uso = nif->tap.uso,
		.no_carrier = !nif->carrier,
		.kernel = in_kernel(nif) ? &kernel : NULL,
		.offload = offload,
		.ctx = n,
	};
	int rc;

	memcpy(cfg.mac, nif->mac, sizeof(cfg.mac));
	memcpy(cfg.tap, nif->tap.fd, nif->tap.n_queues * sizeof(cfg.tap[0]));
	*n = (struct vmproc_net){.nif = *nif, .mem = p->mem};
	rc = virtio_net_create(p->mem, &cfg, &n->dev);
	if (rc == 0) {
		virtio_net_dev(n->dev)->on_fault = vmproc_device_fault;
	}
	return rc;
}

static int watch_kicks(struct vmproc *p, unsigned i)
{
	const struct virtio_dev *dev = virtio_net_dev(p->nets->v[i].dev);
	int rc = 0;

	for (unsigned q = 0; rc == 0 && q < dev->n_queues; q++) {
		if (!(dev->kernel_queues & 1u << q)) {
			rc = loop_add(p->loop, dev->kick_fd[q], EPOLLIN, EV_NET_KICK, i << 8 | q);
		}
	}
	return rc;
}

static void device_destroy(struct vmproc *p, unsigned i)
{
	struct vmproc_net *n = &p->nets->v[i];
	const struct virtio_dev *dev = virtio_net_dev(n->dev);

	for (unsigned q = 0; q < dev->n_queues; q++) {
		loop_del(p->loop, dev->kick_fd[q]);
	}
	for (unsigned q = 0; q < n->nif.tap.n_queues; q++) {
		loop_del(p->loop, n->nif.tap.fd[q]);
	}
	vm_unplug(p->vm, (unsigned)p->nets->slot[i]);
	virtio_net_destroy(n->dev);
	n->dev = NULL;
}

/* On slot @i of ours. The descriptors stay the caller's after a failure. */
static int device_add(struct vmproc *p, unsigned i, const struct net_if *nif)
{
	struct vmproc_net *n = &p->nets->v[i];
	int rc = device_create(p, n, nif);

	if (rc < 0) {
		return rc;
	}
	rc = vm_plug(p->vm, (unsigned)p->nets->slot[i], virtio_net_dev(n->dev));
	if (rc < 0) { /* what is there may be another one's */
		virtio_net_destroy(n->dev);
		n->dev = NULL;
		return rc;
	}
	rc = watch_kicks(p, i);
	if (rc < 0) {
		device_destroy(p, i);
	}
	return rc;
}

int vmproc_net_create(struct vmproc *p)
{
	const struct net_plan *plan = p->plan->net;
	unsigned n_slots = p->plan->net_fd >= 0 ? plan->n_slots : plan->n;
	int rc = 0;

	p->nets = calloc(1, sizeof(*p->nets));
	if (!p->nets) {
		return -ENOMEM;
	}
	for (unsigned i = 0; rc >= 0 && i < n_slots; i++) {
		rc = p->nets->slot[i] = vm_add_spare(p->vm);
		p->nets->n = i + 1;
	}
	for (unsigned i = 0; rc >= 0 && i < plan->n; i++) {
		rc = device_add(p, i, &plan->ifs[i]);
	}
	return rc < 0 ? rc : 0;
}

int vmproc_net_cmdline(const struct vmproc *p, struct cmdline *c)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < p->nets->n; i++) {
		rc = cmdline_add_virtio(c, p->nets->slot[i]);
	}
	return rc;
}

int vmproc_net_add(struct vmproc *p, uint32_t slot, const struct net_if *nif)
{
	if (slot >= p->nets->n) {
		return -EINVAL;
	}
	return p->nets->v[slot].dev ? -EBUSY : device_add(p, slot, nif);
}

int vmproc_net_place(const struct vmproc *p, uint32_t slot)
{
	return slot < p->nets->n ? p->nets->slot[slot] : -EINVAL;
}

void vmproc_net_carrier(struct vmproc *p, uint32_t slots)
{
	for (unsigned i = 0; i < p->nets->n; i++) {
		if (p->nets->v[i].dev) {
			virtio_net_set_link(p->nets->v[i].dev, (slots & 1u << i) != 0);
		}
	}
}

static void close_fds(struct net_if *nif)
{
	net_tap_close(&nif->tap);
	for (unsigned q = 0; q < NET_TAP_MAX_QUEUES; q++) {
		vr_close_reset(&nif->vhost[q]);
	}
}

void vmproc_net_remove(struct vmproc *p, uint32_t slot)
{
	if (slot < p->nets->n && p->nets->v[slot].dev) {
		device_destroy(p, slot);
		close_fds(&p->nets->v[slot].nif);
	}
}

uint32_t vmproc_net_slots(const struct vmproc *p)
{
	uint32_t slots = 0;

	for (unsigned i = 0; i < p->nets->n; i++) {
		slots |= p->nets->v[i].dev ? 1u << i : 0;
	}
	return slots;
}

int vmproc_net_own(struct vmproc *p, struct vr_err *err)
{
	int rc = 0;

	for (unsigned i = 0; i < p->nets->n; i++) {
		const struct net_if *nif = &p->nets->v[i].nif;
		const struct virtio_dev *dev;

		if (!p->nets->v[i].dev || !in_kernel(nif)) {
			continue;
		}
		dev = virtio_net_dev(p->nets->v[i].dev);
		for (unsigned q = 0; rc == 0 && q < nif->tap.n_queues; q++) {
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

static void watch_queue(struct vmproc *p, unsigned i, unsigned q)
{
	struct vmproc_net *n = &p->nets->v[i];
	uint32_t want = virtio_net_wants(n->dev, q);
	int fd = n->nif.tap.fd[q];
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

static struct virtio_net *device_at(const struct vmproc *p, unsigned i)
{
	return i < p->nets->n ? p->nets->v[i].dev : NULL;
}

void vmproc_net_kick(struct vmproc *p, uint32_t index)
{
	unsigned i = index >> 8;
	struct virtio_net *dev = device_at(p, i);

	if (!dev) {
		return;
	}
	virtio_dev_kicked(virtio_net_dev(dev), index & 0xff);
	for (unsigned q = 0; q < p->nets->v[i].nif.tap.n_queues; q++) {
		watch_queue(p, i, q);
	}
}

void vmproc_net_event(struct vmproc *p, uint32_t index, uint32_t events)
{
	unsigned i = index >> 8;
	unsigned q = index & 0xff;

	if (device_at(p, i)) {
		virtio_net_event(p->nets->v[i].dev, q, events);
		watch_queue(p, i, q);
	}
}
