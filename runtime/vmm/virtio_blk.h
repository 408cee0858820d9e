/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_blk.h - block device over a block device of the host
 *
 * Bytes go between the host's descriptor and the guest's buffers without a copy of ours. One
 * queue, one request at a time, served where the queue's kick arrives; a slow disk delays what
 * else that thread does, which a request's size bounds.
 *
 * Trust:   chains and request headers are hostile: no room for header or status is a fault;
 *          a request for sectors that don't exist, of an odd or excessive length, of an unknown
 *          kind, or a write to a read-only device is answered with an error status.
 * Threads: the device lock.
 * Uses: virtio, virtio_serve.
 */
#ifndef VMM_VIRTIO_BLK_H
#define VMM_VIRTIO_BLK_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/virtio.h"

#define VIRTIO_BLK_SECTOR      512u
#define VIRTIO_BLK_SEG_MAX     126u	  /* data buffers of a request */
#define VIRTIO_BLK_REQUEST_MAX (4u << 20) /* data bytes of a request */
#define VIRTIO_BLK_SERIAL_LEN  20u

/* Feature bits, as masks (virtio 1.2, 5.2.3). */
#define VIRTIO_BLK_F_SEG_MAX (1ull << 2)
#define VIRTIO_BLK_F_RO	     (1ull << 5)
#define VIRTIO_BLK_F_FLUSH   (1ull << 9)

/* Kinds of requests and their answers (virtio 1.2, 5.2.6). */
#define VIRTIO_BLK_T_IN	    0u
#define VIRTIO_BLK_T_OUT    1u
#define VIRTIO_BLK_T_FLUSH  4u
#define VIRTIO_BLK_T_GET_ID 8u
#define VIRTIO_BLK_S_OK	    0u
#define VIRTIO_BLK_S_IOERR  1u
#define VIRTIO_BLK_S_UNSUPP 2u

/**
 * struct virtio_blk_backend - the host's side
 * @fd:     open for reading, and for writing unless @ro; stays the caller's
 * @bytes:  size; what is beyond the last whole sector is out of reach
 * @ro:     refuse writes
 * @serial: what the guest reads as the disk's serial number, at most VIRTIO_BLK_SERIAL_LEN bytes
 */
struct virtio_blk_backend {
	int fd;
	uint64_t bytes;
	bool ro;
	const char *serial;
};

struct virtio_blk;

/** virtio_blk_create() - @backend is copied. Return: 0 or -errno */
int virtio_blk_create(const struct gmem *mem, const struct virtio_blk_backend *backend,
		      struct virtio_blk **out) __attribute__((warn_unused_result));
void virtio_blk_destroy(struct virtio_blk *blk);
struct virtio_dev *virtio_blk_dev(struct virtio_blk *blk);

#endif /* VMM_VIRTIO_BLK_H */
