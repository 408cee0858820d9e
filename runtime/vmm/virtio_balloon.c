/* SPDX-License-Identifier: Apache-2.0 */
/* virtio_balloon.c - the guest gives back memory it doesn't use; see virtio_balloon.h */
#include "vmm/virtio_balloon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "vmm/memlayout.h"
#include "vmm/virtio_serve.h"

#define BALLOON_QUEUES	  3u
#define BALLOON_QUEUE_MAX 64u /* Linux wants at least 32 for reporting */
#define BALLOON_IOV	  64u
#define PFN_BYTES	  4u

/* struct virtio_balloon_config: num_pages, actual, free_page_hint_cmd_id, poison_val (5.5.4). */
#define CONFIG_BYTES  16u
#define CONFIG_ACTUAL 4u

struct virtio_balloon {
	struct virtio_dev dev;
	uint32_t actual; /* pages in the balloon, as the driver says; nobody asks */
	struct virtio_balloon_stats stats;
};

static struct virtio_balloon *of_dev(struct virtio_dev *dev)
{
	return (struct virtio_balloon *)dev; /* embedded first */
}

_Static_assert(offsetof(struct virtio_balloon, dev) == 0, "of_dev() casts");

/* A range outside RAM is a lie; a page the host can't punch out right now just stays. */
static int account(struct virtio_balloon *b, uint64_t len, int ret)
{
	if (ret == -EFAULT) {
		return -EPROTO;
	}
	if (ret < 0) {
		b->stats.kept_bytes += len;
	} else {
		b->stats.reported_bytes += len;
	}
	return 0;
}

/* Free ranges come as device-writable buffers: the guest must not expect them to survive. */
static int report(struct virtio_dev *dev, const struct virtq_chain *c, uint32_t *out_written)
{
	struct virtio_balloon *b = of_dev(dev);

	*out_written = 0;
	if (c->n_out > 0 || c->n_in == 0) {
		return -EPROTO;
	}
	for (unsigned i = 0; i < c->n_in; i++) {
		int ret = gmem_discard_iov(dev->mem, &c->iov[i]);

		if (account(b, c->iov[i].iov_len, ret) < 0) {
			return -EPROTO;
		}
	}
	return 0;
}

/* The shape both balloon requests have: an array of little-endian page numbers. */
static int pfns_check(const struct virtq_chain *c)
{
	if (c->n_in > 0 || c->out_bytes == 0 || c->out_bytes % PFN_BYTES != 0 ||
	    c->out_bytes > (uint64_t)VIRTIO_BALLOON_PFNS_MAX * PFN_BYTES) {
		return -EPROTO;
	}
	return 0;
}

static int inflate(struct virtio_dev *dev, const struct virtq_chain *c, uint32_t *out_written)
{
	uint8_t pfns[VIRTIO_BALLOON_PFNS_MAX * PFN_BYTES];
	struct vr_rd r;
	size_t len;

	*out_written = 0;
	if (pfns_check(c) < 0) {
		return -EPROTO;
	}
	len = virtq_iov_read(c->iov, c->n_out, 0, pfns, sizeof(pfns));
	vr_rd_init(&r, pfns, len);
	while (vr_rd_left(&r) >= PFN_BYTES) {
		uint64_t addr = (uint64_t)vr_rd_u32(&r) * ML_PAGE;
		int ret = gmem_discard(dev->mem, gpa(addr), ML_PAGE);

		if (account(of_dev(dev), ML_PAGE, ret) < 0) {
			return -EPROTO;
		}
	}
	return 0;
}

/* Pages come back by being touched: nothing to do. */
static int deflate(struct virtio_dev *dev, const struct virtq_chain *c, uint32_t *out_written)
{
	(void)dev;
	*out_written = 0;
	return pfns_check(c);
}

/* Syscalls: madvise (role vmm) */
static void balloon_notify(struct virtio_dev *dev, unsigned q)
{
	static const virtio_serve_fn serve[BALLOON_QUEUES] = {
		[VIRTIO_BALLOON_Q_INFLATE] = inflate,
		[VIRTIO_BALLOON_Q_DEFLATE] = deflate,
		[VIRTIO_BALLOON_Q_REPORTING] = report,
	};
	struct iovec iov[BALLOON_IOV];

	if (q < BALLOON_QUEUES) {
		(void)virtio_serve(dev, q, iov, BALLOON_IOV, serve[q], "not a balloon request");
	}
}

static int balloon_activate(struct virtio_dev *dev)
{
	(void)dev; /* a driver without reporting leaves the last queue alone */
	return 0;
}

static void balloon_reset(struct virtio_dev *dev)
{
	of_dev(dev)->actual = 0;
}

static void balloon_config_read(struct virtio_dev *dev, uint32_t off, void *buf, uint32_t len)
{
	uint8_t config[CONFIG_BYTES] = {0};
	struct vr_wr w;

	vr_wr_init(&w, config, sizeof(config));
	vr_wr_u32(&w, 0);
	vr_wr_u32(&w, of_dev(dev)->actual);
	memcpy(buf, config + off, len);
}

static void balloon_config_write(struct virtio_dev *dev, uint32_t off, const void *buf,
				 uint32_t len)
{
	struct vr_rd r;

	if (off != CONFIG_ACTUAL || len != sizeof(uint32_t)) {
		return; /* the rest is ours */
	}
	vr_rd_init(&r, buf, len);
	of_dev(dev)->actual = vr_rd_u32(&r);
}

static const struct virtio_ops balloon_ops = {
	.name = "balloon",
	.id = VIRTIO_ID_BALLOON,
	.features = VIRTIO_BALLOON_F_REPORTING | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX,
	.n_queues = BALLOON_QUEUES,
	.queue_max = BALLOON_QUEUE_MAX,
	.config_len = CONFIG_BYTES,
	.activate = balloon_activate,
	.reset = balloon_reset,
	.notify = balloon_notify,
	.config_read = balloon_config_read,
	.config_write = balloon_config_write,
};

int virtio_balloon_create(const struct gmem *mem, struct virtio_balloon **out)
{
	struct virtio_balloon *b = calloc(1, sizeof(*b));
	int err;

	if (!b) {
		return -ENOMEM;
	}
	err = virtio_dev_init(&b->dev, &balloon_ops, mem);
	if (err < 0) {
		free(b);
		return err;
	}
	*out = b;
	return 0;
}

void virtio_balloon_destroy(struct virtio_balloon *b)
{
	if (!b) {
		return;
	}
	virtio_dev_finish(&b->dev);
	free(b);
}

struct virtio_dev *virtio_balloon_dev(struct virtio_balloon *b)
{
	return &b->dev;
}

void virtio_balloon_stats(struct virtio_balloon *b, struct virtio_balloon_stats *out)
{
	(void)pthread_mutex_lock(&b->dev.lock); /* can't fail: not recursive, not robust */
	*out = b->stats;
	(void)pthread_mutex_unlock(&b->dev.lock);
}
