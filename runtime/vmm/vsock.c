/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock.c - virtio-vsock: the device, its lifetime, the public functions
 *
 * See vsock_tx.c for what comes from the guest and vsock_rx.c for what goes to
 * it. The event queue is never used: it would tell the guest of a migration.
 */
#include "vmm/vsock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "vmm/vsock_priv.h"

#define VSOCK_CONFIG_BYTES 8u

static struct vsock *of_dev(struct virtio_dev *dev)
{
	return (struct vsock *)dev; /* embedded first */
}

_Static_assert(offsetof(struct vsock, dev) == 0, "of_dev() casts");

void vsock_wake(struct vsock *v)
{
	uint64_t one = 1;

	/* Fails only when the counter is full: then it is readable anyway. */
	(void)!write(v->event_fd, &one, sizeof(one));
}

void vsock_interrupt(struct vsock *v)
{
	if (v->rx_pushed) {
		v->rx_pushed = false;
		virtio_dev_interrupt(&v->dev, VSOCK_Q_RX);
	}
	if (v->tx_pushed) {
		v->tx_pushed = false;
		virtio_dev_interrupt(&v->dev, VSOCK_Q_TX);
	}
}

void vsock_drop_all(struct vsock *v)
{
	v->tx_stalled = false;
	v->rx_pushed = false;
	v->tx_pushed = false;
	v->n_rst = 0;
	v->n_rx = 0;
	for (unsigned i = 0; i < v->n_touched; i++) {
		struct vsock_conn *c = &v->conns[i];

		if (!c->used) {
			continue;
		}
		if (c->m.state == VCONN_OPEN) {
			c->shut_due = true;
		}
		vconn_gone(&c->m);
		vsock_slot_unhash(v, c);
		vsock_conn_touch(c);
	}
	if (v->ready.n > 0) {
		vsock_wake(v);
	}
}

void vsock_fault(struct vsock *v, const char *reason)
{
	virtio_dev_fault(&v->dev, reason);
	vsock_drop_all(v);
}

static int vsock_activate(struct virtio_dev *dev)
{
	if (!dev->vq[VSOCK_Q_RX].ready || !dev->vq[VSOCK_Q_TX].ready) {
		return -EINVAL;
	}
	return 0;
}

/* Runs in a vCPU thread: callbacks have to wait for the loop. */
static void vsock_reset(struct virtio_dev *dev)
{
	vsock_drop_all(of_dev(dev));
}

/* Tx may have waited for what a flush has sent. */
static void resume_tx(struct vsock *v)
{
	if (v->tx_stalled && !vsock_rst_full(v)) {
		vsock_serve_tx(v);
	}
}

static void serve(struct vsock *v)
{
	vsock_flush(v);
	resume_tx(v);
	vsock_interrupt(v);
}

static void vsock_notify(struct virtio_dev *dev, unsigned q)
{
	struct vsock *v = of_dev(dev);

	if (q == VSOCK_Q_TX) {
		vsock_serve_tx(v);
	} else if (q == VSOCK_Q_RX) {
		serve(v);
	}
}

static void vsock_config_read(struct virtio_dev *dev, uint32_t off, void *buf, uint32_t len)
{
	uint8_t config[VSOCK_CONFIG_BYTES];
	struct vr_wr w;

	(void)dev;
	vr_wr_init(&w, config, sizeof(config));
	vr_wr_u64(&w, VSOCK_GUEST_CID);
	memcpy(buf, config + off, len);
}

static const struct virtio_ops vsock_ops = {
	.name = "vsock",
	.id = VIRTIO_ID_VSOCK,
	.features = VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX,
	.n_queues = VSOCK_QUEUES,
	.queue_max = VSOCK_QUEUE_MAX,
	.config_len = VSOCK_CONFIG_BYTES,
	.activate = vsock_activate,
	.reset = vsock_reset,
	.notify = vsock_notify,
	.config_read = vsock_config_read,
};

int vsock_create(const struct gmem *mem, vsock_accept_fn accept, void *ctx, struct vsock **out)
{
	struct vsock *v = calloc(1, sizeof(*v));
	int err;

	if (!v) {
		return -ENOMEM;
	}
	vsock_table_init(v);
	v->accept = accept;
	v->accept_ctx = ctx;
	v->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (v->event_fd < 0) {
		err = -errno;
		goto free_v;
	}
	err = virtio_dev_init(&v->dev, &vsock_ops, mem);
	if (err < 0) {
		goto close_fd;
	}
	*out = v;
	return 0;

close_fd:
	(void)close(v->event_fd); /* nothing was written to it */
free_v:
	free(v);
	return err;
}

void vsock_destroy(struct vsock *v)
{
	if (!v) {
		return;
	}
	vsock_drop_all(v);
	for (unsigned i = 0; i < v->n_touched; i++) {
		struct vsock_conn *c = &v->conns[i];

		if (c->used && !c->detached) {
			c->detached = true;
			if (c->ep->closed) {
				c->ep->closed(c->ep_ctx, c);
			}
		}
		vconn_finish(&c->m);
	}
	virtio_dev_finish(&v->dev);
	vr_close_reset(&v->event_fd);
	free(v);
}

struct virtio_dev *vsock_dev(struct vsock *v)
{
	return &v->dev;
}

int vsock_event_fd(const struct vsock *v)
{
	return v->event_fd;
}

void vsock_lock(struct vsock *v)
{
	(void)pthread_mutex_lock(&v->dev.lock); /* can't fail: not recursive, not robust */
}

void vsock_unlock(struct vsock *v)
{
	serve(v);
	(void)pthread_mutex_unlock(&v->dev.lock); /* we hold it */
}

void vsock_work(struct vsock *v)
{
	uint64_t count;

	/* Nothing to read is fine: the work is looked for in any case. */
	(void)!read(v->event_fd, &count, sizeof(count));
	vsock_lock(v);
	vsock_serve_tx(v);
	vsock_unlock(v);
}

size_t vsock_conn_peek(struct vsock_conn *c, struct iovec iov[2])
{
	return vconn_peek(&c->m, iov);
}

void vsock_conn_consume(struct vsock_conn *c, size_t n)
{
	vconn_consume(&c->m, (uint32_t)VR_MIN(n, (size_t)vconn_used(&c->m)));
	vsock_conn_touch(c);
}

static void arm(struct vsock_conn *c)
{
	if (!c->detached && vconn_may_send(&c->m)) {
		c->armed = true;
		vsock_conn_touch(c);
	}
}

size_t vsock_conn_room(struct vsock_conn *c)
{
	size_t room = vconn_credit(&c->m);

	if (c->m.pend & VCONN_PEND_RESPONSE) {
		room = 0;
	}
	if (room > 0) {
		room = VR_MIN(room, vsock_rx_room(c));
	}
	if (room == 0) {
		arm(c);
	}
	return room;
}

size_t vsock_conn_send(struct vsock_conn *c, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t done = 0;

	if (!(c->m.pend & VCONN_PEND_RESPONSE)) {
		while (done < len) {
			size_t n = vsock_rx_data(c, p + done, len - done);

			if (n == 0) {
				break;
			}
			done += n;
		}
	}
	if (done < len) {
		arm(c);
	}
	return done;
}

void vsock_conn_shutdown(struct vsock_conn *c, bool send, bool recv)
{
	vconn_shutdown(&c->m, send, recv);
	vsock_conn_touch(c);
}

void vsock_conn_reset(struct vsock_conn *c)
{
	if (c->detached) {
		return;
	}
	c->detached = true;
	c->armed = false;
	vconn_abort(&c->m);
	vsock_conn_touch(c);
}
