/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_console.h - a write-only console for debugging and for error messages
 *
 * What the guest prints is kept in a ring: when the guest dies, its last lines
 * go into the error message. Nothing is ever typed at it.
 *
 * Trust:   output is hostile bytes; virtio_console_tail() makes them printable.
 * Threads: the device lock; virtio_console_tail() takes it.
 * Uses: virtio, virtio_serve.
 */
#ifndef VMM_VIRTIO_CONSOLE_H
#define VMM_VIRTIO_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/virtio.h"

#define VIRTIO_CONSOLE_Q_RX 0u
#define VIRTIO_CONSOLE_Q_TX 1u

#define VIRTIO_CONSOLE_RING	 (16u * 1024u)	 /* bytes kept */
#define VIRTIO_CONSOLE_WRITE_MAX (1024u * 1024u) /* bytes a request; Linux sends up to 64 KiB */

struct virtio_console;

/** Called with the raw output, in pieces, with the device lock held */
typedef void (*virtio_console_sink_fn)(void *ctx, const void *data, size_t len);

/** virtio_console_create() - @sink may be NULL. Return: 0 or -errno */
int virtio_console_create(const struct gmem *mem, virtio_console_sink_fn sink, void *ctx,
			  struct virtio_console **out) __attribute__((warn_unused_result));
void virtio_console_destroy(struct virtio_console *con);
struct virtio_dev *virtio_console_dev(struct virtio_console *con);

/**
 * virtio_console_tail() - the last output as text
 * @buf: filled and NUL-terminated
 * @n:   size of @buf, at least 1
 *
 * Only newlines, tabs and printable ASCII: a carriage return before a newline
 * is dropped, every other byte becomes '?'. When not everything fits, what is
 * left begins with a whole line if there is one. Survives resets.
 *
 * Return: length of the string.
 */
size_t virtio_console_tail(struct virtio_console *con, char *buf, size_t n);

#endif /* VMM_VIRTIO_CONSOLE_H */
