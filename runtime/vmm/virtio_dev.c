/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_dev.c - what all virtio devices share: their fds, interrupts, and the
 * one answer to a driver that breaks the rules
 */
#include "vmm/virtio.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"

static bool ops_are_sound(const struct virtio_ops *ops)
{
	return ops->n_queues >= 1 && ops->n_queues <= VIRTIO_MAX_QUEUES &&
	       vr_is_pow2(ops->queue_max) && ops->queue_max <= VIRTQ_MAX_SIZE && ops->activate &&
	       ops->reset && (ops->notify || ops->external) &&
	       (ops->config_read || ops->config_len == 0);
}

int virtio_dev_init(struct virtio_dev *dev, const struct virtio_ops *ops, const struct gmem *mem)
{
	int ret;

	if (!ops_are_sound(ops)) {
		return -EINVAL;
	}
	*dev = (struct virtio_dev){
		.ops = ops,
		.mem = mem,
		.n_queues = ops->n_queues,
		.irq_fd = -1,
	};
	dev->irq_status = &dev->own_irq_status;
	for (unsigned q = 0; q < VIRTIO_MAX_QUEUES; q++) {
		dev->kick_fd[q] = -1;
	}
	ret = pthread_mutex_init(&dev->lock, NULL);
	return ret == 0 ? 0 : -ret;
}

static void close_fds(struct virtio_dev *dev)
{
	vr_close_reset(&dev->irq_fd);
	for (unsigned q = 0; q < VIRTIO_MAX_QUEUES; q++) {
		vr_close_reset(&dev->kick_fd[q]);
	}
}

void virtio_dev_finish(struct virtio_dev *dev)
{
	if (!dev->ops) {
		return; /* never initialised, or finished already */
	}
	close_fds(dev);
	(void)pthread_mutex_destroy(
		&dev->lock); /* fails only when held: nobody is left to hold it */
	dev->ops = NULL;
}

static int open_eventfd(int *out)
{
	*out = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return *out < 0 ? -errno : 0;
}

int virtio_dev_open_fds(struct virtio_dev *dev)
{
	int ret = open_eventfd(&dev->irq_fd);

	for (unsigned q = 0; ret == 0 && q < dev->n_queues; q++) {
		ret = open_eventfd(&dev->kick_fd[q]);
	}
	if (ret < 0) {
		close_fds(dev);
	}
	return ret;
}

void virtio_irq_raise(_Atomic uint32_t *irq_status, int irq_fd, uint32_t bit)
{
	uint64_t one = 1;

	/* Status first: the guest's handler reads it as soon as the interrupt arrives. */
	atomic_fetch_or(irq_status, bit);
	if (irq_fd >= 0) {
		/* Fails only when the counter is full, and then an interrupt is pending anyway. */
		(void)!write(irq_fd, &one, sizeof(one));
	}
}

void virtio_dev_fault(struct virtio_dev *dev, const char *reason)
{
	bool was_live = (dev->status & VIRTIO_S_DRIVER_OK) != 0;

	dev->n_faults++;
	dev->last_fault = reason;
	dev->status |= VIRTIO_S_NEEDS_RESET;
	dev->active = false;
	for (unsigned q = 0; q < VIRTIO_MAX_QUEUES; q++) {
		dev->vq[q].broken = true;
	}
	if (was_live) { /* virtio 1.2, 2.1.2: only a live driver is told */
		virtio_dev_config_changed(dev);
	}
	if (dev->on_fault && vr_is_pow2(dev->n_faults)) {
		dev->on_fault(dev->on_fault_ctx, dev);
	}
}

void virtio_dev_interrupt(struct virtio_dev *dev, unsigned q)
{
	if (q < dev->n_queues && virtq_must_interrupt(&dev->vq[q])) {
		virtio_irq_raise(dev->irq_status, dev->irq_fd, VIRTIO_IRQ_QUEUE);
	}
}

void virtio_dev_config_changed(struct virtio_dev *dev)
{
	dev->config_generation++;
	if (dev->status & VIRTIO_S_DRIVER_OK) {
		virtio_irq_raise(dev->irq_status, dev->irq_fd, VIRTIO_IRQ_CONFIG);
	}
}

void virtio_dev_kicked(struct virtio_dev *dev, unsigned q)
{
	uint64_t kicks;

	if (q >= dev->n_queues) {
		return;
	}
	if (dev->kick_fd[q] >= 0) {
		/* Drained before looking at the queue: a kick from now on wakes the loop again. */
		(void)!read(dev->kick_fd[q], &kicks, sizeof(kicks));
	}
	(void)pthread_mutex_lock(&dev->lock);
	if (dev->active && dev->vq[q].ready && !dev->ops->external) {
		dev->ops->notify(dev, q);
	}
	(void)pthread_mutex_unlock(&dev->lock);
}
