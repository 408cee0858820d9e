/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_serve.h - the loop of devices that serve one chain after the other
 *
 * Pop, serve, push, until the queue is empty; then one interrupt decision. One
 * call serves a bounded number of chains, so that a guest which keeps adding
 * can't hold the event loop: the rest waits for the next kick, which the loop
 * gives itself.
 *
 * Threads: the device lock.
 * Uses: virtio, virtq. Used by: virtio_rng, virtio_balloon, virtio_console.
 */
#ifndef VMM_VIRTIO_SERVE_H
#define VMM_VIRTIO_SERVE_H

#include <stdint.h>
#include <sys/uio.h>

#include "vmm/virtio.h"
#include "vmm/virtq.h"

#define VIRTIO_SERVE_BUDGET 128u /* chains a call */

/**
 * virtio_serve_fn - serve one chain
 *
 * Return: 0 with @out_written set to complete it; -EAGAIN to put it back and stop; any other
 * error is a fault of the driver.
 */
typedef int (*virtio_serve_fn)(struct virtio_dev *dev, const struct virtq_chain *c,
			       uint32_t *out_written);

/**
 * virtio_serve() - serve queue @q
 * @iov, @cap: where chains are put; longer ones are a fault
 * @reason:    why a chain that @fn refuses is a fault (a literal)
 *
 * Return: 0, -EAGAIN when @fn wants to wait, -EPROTO after a fault.
 * Syscalls: write (role vmm)
 */
int virtio_serve(struct virtio_dev *dev, unsigned q, struct iovec *iov, unsigned cap,
		 virtio_serve_fn fn, const char *reason);

#endif /* VMM_VIRTIO_SERVE_H */
