/* SPDX-License-Identifier: Apache-2.0 */
/* virtio_serve.c - the loop of devices that serve one chain after the other; see virtio_serve.h */
#include "vmm/virtio_serve.h"

#include <errno.h>
#include <unistd.h>

static int fault(struct virtio_dev *dev, const char *reason)
{
	virtio_dev_fault(dev, reason);
	return -EPROTO;
}

/* Return: 1 after a chain, 0 when there was none, or an error as virtio_serve(). */
static int serve_one(struct virtio_dev *dev, struct virtq *vq, struct virtq_chain *c,
		     virtio_serve_fn fn, const char *reason)
{
	uint32_t written = 0;
	int ret = virtq_pop(vq, c);

	if (ret < 0) {
		return fault(dev, "bad chain");
	}
	if (ret == 0) {
		return 0;
	}
	ret = fn(dev, c, &written);
	if (ret == -EAGAIN) {
		virtq_unpop(vq);
		return -EAGAIN;
	}
	if (ret < 0) {
		return fault(dev, reason);
	}
	if (virtq_push(vq, c->head, written) < 0) {
		return fault(dev, "bad used ring");
	}
	return 1;
}

static void kick_self(const struct virtio_dev *dev, unsigned q)
{
	uint64_t one = 1;

	if (dev->kick_fd[q] >= 0) {
		/* Fails only when the counter is full: then a kick is pending anyway. */
		(void)!write(dev->kick_fd[q], &one, sizeof(one));
	}
}

int virtio_serve(struct virtio_dev *dev, unsigned q, struct iovec *iov, unsigned cap,
		 virtio_serve_fn fn, const char *reason)
{
	unsigned left = VIRTIO_SERVE_BUDGET;
	int ret = 1;

	while (ret == 1 && left > 0) {
		struct virtq_chain c = {.iov = iov, .cap = cap};

		ret = serve_one(dev, &dev->vq[q], &c, fn, reason);
		left--;
	}
	virtio_dev_interrupt(dev, q);
	if (ret == 1) {
		kick_self(dev, q);
		ret = 0;
	}
	return ret;
}
