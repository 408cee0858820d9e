/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_rng.h - entropy device
 *
 * The host's random bytes go straight into the guest's buffers, at a bounded
 * rate: a guest can't spend the host's CPU by asking. A request that finds no
 * tokens stays in the queue until the owner's timer calls virtio_rng_tick().
 *
 * Trust:   chains are hostile; readable buffers or no room at all are a fault.
 * Threads: the device lock; virtio_rng_tick() takes it.
 * Uses: virtio, virtio_serve.
 */
#ifndef VMM_VIRTIO_RNG_H
#define VMM_VIRTIO_RNG_H

#include <stdint.h>

#include "vmm/virtio.h"

#define VIRTIO_RNG_BURST       (64u * 1024u)   /* bytes at once */
#define VIRTIO_RNG_RATE	       (1024u * 1024u) /* bytes a second */
#define VIRTIO_RNG_REQUEST_MAX 4096u	       /* bytes a request gets at most */

struct virtio_rng;

/**
 * struct virtio_rng_owner - what the device needs from the event loop
 * @want_timer: call virtio_rng_tick() in @ms; made with the device lock held. NULL: pending
 *              requests wait for the next kick.
 * @now_ms:     a monotonic clock; NULL for CLOCK_MONOTONIC (tests bring their own)
 */
struct virtio_rng_owner {
	void (*want_timer)(void *ctx, unsigned ms);
	uint64_t (*now_ms)(void *ctx);
	void *ctx;
};

/** virtio_rng_create() - @owner is copied and may be NULL. Return: 0 or -errno */
int virtio_rng_create(const struct gmem *mem, const struct virtio_rng_owner *owner,
		      struct virtio_rng **out) __attribute__((warn_unused_result));
void virtio_rng_destroy(struct virtio_rng *rng);
struct virtio_dev *virtio_rng_dev(struct virtio_rng *rng);
/** virtio_rng_tick() - time has passed: serve what waits; takes the lock */
void virtio_rng_tick(struct virtio_rng *rng);

#endif /* VMM_VIRTIO_RNG_H */
