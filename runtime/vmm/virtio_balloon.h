/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_balloon.h - the guest gives back memory it doesn't use
 *
 * Only free page reporting is of interest: the guest names free ranges now and
 * then, and their pages leave the host. We never ask for a balloon (num_pages
 * is 0); pages put into it regardless are given back, too.
 *
 * Queues are numbered as Linux does on virtio-mmio, skipping those whose
 * feature isn't offered: inflate 0, deflate 1, reporting 2.
 *
 * Trust:   page numbers and ranges are hostile; whatever they say, only pages
 *          of this guest's RAM can be discarded.
 * Threads: the device lock.
 * Uses: gmem, virtio, virtio_serve.
 */
#ifndef VMM_VIRTIO_BALLOON_H
#define VMM_VIRTIO_BALLOON_H

#include <stdint.h>

#include "vmm/virtio.h"

#define VIRTIO_BALLOON_Q_INFLATE   0u
#define VIRTIO_BALLOON_Q_DEFLATE   1u
#define VIRTIO_BALLOON_Q_REPORTING 2u

#define VIRTIO_BALLOON_F_REPORTING (1ull << 5)
#define VIRTIO_BALLOON_PFNS_MAX	   1024u /* page numbers a request; Linux sends up to 256 */

struct virtio_balloon;

/** virtio_balloon_create() - a balloon for the RAM of @mem. Return: 0 or -errno */
int virtio_balloon_create(const struct gmem *mem, struct virtio_balloon **out)
	__attribute__((warn_unused_result));
void virtio_balloon_destroy(struct virtio_balloon *b);
struct virtio_dev *virtio_balloon_dev(struct virtio_balloon *b);

/**
 * struct virtio_balloon_stats - what became of the guest's offers
 * @reported_bytes: length of all ranges that were given back
 * @kept_bytes:     length of those the host would not take (a failed discard harms nobody)
 */
struct virtio_balloon_stats {
	uint64_t reported_bytes;
	uint64_t kept_bytes;
};

/** virtio_balloon_stats() - takes the lock */
void virtio_balloon_stats(struct virtio_balloon *b, struct virtio_balloon_stats *out);

#endif /* VMM_VIRTIO_BALLOON_H */
