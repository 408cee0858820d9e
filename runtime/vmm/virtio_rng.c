/* SPDX-License-Identifier: Apache-2.0 */
/* virtio_rng.c - entropy device; see virtio_rng.h */
#include "vmm/virtio_rng.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "base/checked.h"
#include "vmm/virtio_serve.h"

#define RNG_QUEUE     0u
#define RNG_QUEUE_MAX 8u /* Linux has one request under way */
#define RNG_IOV	      8u
/* Fewer bytes are not worth an interrupt, unless no more are wanted. */
#define RNG_WORTH 64u

/**
 * struct virtio_rng - the device
 * @tokens:  bytes that may be given now
 * @then_ms: when @tokens was right
 */
struct virtio_rng {
	struct virtio_dev dev;
	struct virtio_rng_owner owner;
	uint32_t tokens;
	uint64_t then_ms;
};

static struct virtio_rng *of_dev(struct virtio_dev *dev)
{
	return (struct virtio_rng *)dev; /* embedded first */
}

_Static_assert(offsetof(struct virtio_rng, dev) == 0, "of_dev() casts");

static uint64_t now_ms(const struct virtio_rng *rng)
{
	struct timespec ts;

	if (rng->owner.now_ms) {
		return rng->owner.now_ms(rng->owner.ctx);
	}
	if (clock_gettime(CLOCK_MONOTONIC, &ts) < 0) {
		return rng->then_ms; /* can't happen; then nothing is refilled */
	}
	return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}

static void refill(struct virtio_rng *rng)
{
	uint64_t now = now_ms(rng);
	uint64_t ms = now > rng->then_ms ? now - rng->then_ms : 0;
	/* A second fills the bucket several times over: the product stays small. */
	uint64_t fresh = VR_MIN(ms, (uint64_t)1000) * VIRTIO_RNG_RATE / 1000;

	rng->then_ms = now;
	rng->tokens = (uint32_t)VR_MIN(rng->tokens + fresh, (uint64_t)VIRTIO_RNG_BURST);
}

/* Fill up to @len bytes of the guest's buffers. Return: bytes filled. */
static uint32_t fill(const struct virtq_chain *c, uint32_t len)
{
	uint32_t done = 0;

	for (unsigned i = 0; i < c->n_in && done < len; i++) {
		size_t part = VR_MIN(c->iov[i].iov_len, (size_t)(len - done));
		ssize_t got = getrandom(c->iov[i].iov_base, part, 0);

		if (got < 0) {
			break;
		}
		done += (uint32_t)got;
		if ((size_t)got < part) {
			break; /* interrupted: a short answer is an answer */
		}
	}
	return done;
}

static int rng_request(struct virtio_dev *dev, const struct virtq_chain *c, uint32_t *out_written)
{
	struct virtio_rng *rng = of_dev(dev);
	uint32_t want = (uint32_t)VR_MIN(c->in_bytes, (uint64_t)VIRTIO_RNG_REQUEST_MAX);

	if (c->n_out > 0 || want == 0) {
		return -EPROTO;
	}
	refill(rng);
	if (rng->tokens < VR_MIN(want, RNG_WORTH)) {
		return -EAGAIN;
	}
	*out_written = fill(c, VR_MIN(want, rng->tokens));
	rng->tokens -= *out_written;
	return 0;
}

/* Syscalls: getrandom, clock_gettime (role vmm) */
static void rng_notify(struct virtio_dev *dev, unsigned q)
{
	struct virtio_rng *rng = of_dev(dev);
	struct iovec iov[RNG_IOV];
	int ret = virtio_serve(dev, q, iov, RNG_IOV, rng_request, "not an entropy request");

	if (ret == -EAGAIN && rng->owner.want_timer) {
		/* Long enough for a full request: whole answers matter, not the first byte. */
		rng->owner.want_timer(rng->owner.ctx,
				      VIRTIO_RNG_REQUEST_MAX * 1000u / VIRTIO_RNG_RATE + 1u);
	}
}

static int rng_activate(struct virtio_dev *dev)
{
	return dev->vq[RNG_QUEUE].ready ? 0 : -EINVAL;
}

/* The bucket isn't refilled by a reset: that would be a way around the rate. */
static void rng_reset(struct virtio_dev *dev)
{
	(void)dev;
}

static const struct virtio_ops rng_ops = {
	.name = "rng",
	.id = VIRTIO_ID_RNG,
	.features = VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX,
	.n_queues = 1,
	.queue_max = RNG_QUEUE_MAX,
	.activate = rng_activate,
	.reset = rng_reset,
	.notify = rng_notify,
};

int virtio_rng_create(const struct gmem *mem, const struct virtio_rng_owner *owner,
		      struct virtio_rng **out)
{
	struct virtio_rng *rng = calloc(1, sizeof(*rng));
	int err;

	if (!rng) {
		return -ENOMEM;
	}
	err = virtio_dev_init(&rng->dev, &rng_ops, mem);
	if (err < 0) {
		free(rng);
		return err;
	}
	if (owner) {
		rng->owner = *owner;
	}
	rng->tokens = VIRTIO_RNG_BURST;
	rng->then_ms = now_ms(rng);
	*out = rng;
	return 0;
}

void virtio_rng_destroy(struct virtio_rng *rng)
{
	if (!rng) {
		return;
	}
	virtio_dev_finish(&rng->dev);
	free(rng);
}

struct virtio_dev *virtio_rng_dev(struct virtio_rng *rng)
{
	return &rng->dev;
}

void virtio_rng_tick(struct virtio_rng *rng)
{
	(void)pthread_mutex_lock(&rng->dev.lock); /* can't fail: not recursive, not robust */
	if (rng->dev.active) {
		rng_notify(&rng->dev, RNG_QUEUE);
	}
	(void)pthread_mutex_unlock(&rng->dev.lock);
}
