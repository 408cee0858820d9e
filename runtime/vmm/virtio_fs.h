/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_fs.h - the vmm's side of virtio-fs
 *
 * Registers, features and configuration are here; the queues are served by the
 * fs process, which gets their layout when the driver is ready. Kicks and
 * interrupts don't pass through the vmm: eventfds lead straight there and back.
 *
 * Trust:   layouts were checked against RAM by the transport.
 * Threads: the device lock. @start and @stop run in the vCPU thread that wrote
 *          the status register.
 * Uses: virtio.
 */
#ifndef VMM_VIRTIO_FS_H
#define VMM_VIRTIO_FS_H

#include <stdatomic.h>
#include <stdint.h>

#include "vmm/virtio.h"

#define VIRTIO_FS_TAG_BYTES	     36u
#define VIRTIO_FS_Q_HIPRIO	     0u
#define VIRTIO_FS_MAX_REQUEST_QUEUES (VIRTIO_MAX_QUEUES - 1u)
/* Linux allows a request of min(256, size - 4) pages: 512 is the least for 1 MiB. */
#define VIRTIO_FS_QUEUE_MAX 1024u

struct virtio_fs;

/**
 * struct virtio_fs_backend - who serves the queues
 * @start: serve @n_queues queues (number 0 is hiprio; those with @ready == 0 the driver left
 *         alone) with the negotiated @features. Return: 0, or -errno: the device then faults
 * @stop:  returns only when nobody touches guest memory for the device any more; called once
 *         for each successful @start
 */
struct virtio_fs_backend {
	int (*start)(void *ctx, const struct virtq_layout *l, unsigned n_queues, uint64_t features);
	void (*stop)(void *ctx);
	void *ctx;
};

/**
 * struct virtio_fs_config
 * @tag:              name in the guest, 1..36 bytes
 * @n_request_queues: 1..VIRTIO_FS_MAX_REQUEST_QUEUES
 * @irq_status:       InterruptStatus word in a page shared with the serving process, which must
 *                    outlive the device; NULL for one of the device's own
 */
struct virtio_fs_config {
	const char *tag;
	unsigned n_request_queues;
	struct virtio_fs_backend backend;
	_Atomic uint32_t *irq_status;
};

/** virtio_fs_create() - @cfg is copied. Return: 0, -EINVAL for a bad configuration, or -errno */
int virtio_fs_create(const struct gmem *mem, const struct virtio_fs_config *cfg,
		     struct virtio_fs **out) __attribute__((warn_unused_result));
/** virtio_fs_destroy() - stops the backend when it is started; takes NULL */
void virtio_fs_destroy(struct virtio_fs *fs);
struct virtio_dev *virtio_fs_dev(struct virtio_fs *fs);

/**
 * virtio_fs_fault() - the fs process reports that the driver broke the rules, or it died
 *
 * Takes the lock. The backend stays started until the driver's reset, but must serve no more.
 */
void virtio_fs_fault(struct virtio_fs *fs, const char *reason);

#endif /* VMM_VIRTIO_FS_H */
