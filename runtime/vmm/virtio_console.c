/* SPDX-License-Identifier: Apache-2.0 */
/* virtio_console.c - a write-only console; see virtio_console.h */
#include "vmm/virtio_console.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "vmm/virtio_serve.h"

#define CONSOLE_QUEUES	  2u
#define CONSOLE_QUEUE_MAX 64u
#define CONSOLE_IOV	  64u
#define COPY_BYTES	  4096u
#define CONFIG_BYTES	  12u /* cols, rows, max_nr_ports, emerg_wr: not offered, all 0 */

/**
 * struct virtio_console - the device
 * @total: bytes ever printed; the ring holds the last VIRTIO_CONSOLE_RING of them
 */
struct virtio_console {
	struct virtio_dev dev;
	virtio_console_sink_fn sink;
	void *sink_ctx;
	uint64_t total;
	uint8_t ring[VIRTIO_CONSOLE_RING];
};

static struct virtio_console *of_dev(struct virtio_dev *dev)
{
	return (struct virtio_console *)dev; /* embedded first */
}

_Static_assert(offsetof(struct virtio_console, dev) == 0, "of_dev() casts");
_Static_assert(COPY_BYTES <= VIRTIO_CONSOLE_RING, "a piece wraps once at most");

static void ring_put(struct virtio_console *con, const uint8_t *data, size_t len)
{
	size_t off = con->total % VIRTIO_CONSOLE_RING;
	size_t first = VR_MIN(len, VIRTIO_CONSOLE_RING - off);

	memcpy(con->ring + off, data, first);
	memcpy(con->ring, data + first, len - first);
	con->total += len;
}

static int print(struct virtio_dev *dev, const struct virtq_chain *c, uint32_t *out_written)
{
	struct virtio_console *con = of_dev(dev);
	uint8_t piece[COPY_BYTES];

	*out_written = 0;
	if (c->n_in > 0 || c->out_bytes > VIRTIO_CONSOLE_WRITE_MAX) {
		return -EPROTO;
	}
	for (uint64_t off = 0; off < c->out_bytes;) {
		size_t got = virtq_iov_read(c->iov, c->n_out, off, piece, sizeof(piece));

		if (got == 0) {
			break;
		}
		ring_put(con, piece, got);
		if (con->sink) {
			con->sink(con->sink_ctx, piece, got);
		}
		off += got;
	}
	return 0;
}

static void console_notify(struct virtio_dev *dev, unsigned q)
{
	struct iovec iov[CONSOLE_IOV];

	if (q == VIRTIO_CONSOLE_Q_TX) { /* buffers for input stay where they are */
		(void)virtio_serve(dev, q, iov, CONSOLE_IOV, print, "not console output");
	}
}

static int console_activate(struct virtio_dev *dev)
{
	return dev->vq[VIRTIO_CONSOLE_Q_TX].ready ? 0 : -EINVAL;
}

static void console_reset(struct virtio_dev *dev)
{
	(void)dev; /* the output stays: it may be what explains the reset */
}

static void console_config_read(struct virtio_dev *dev, uint32_t off, void *buf, uint32_t len)
{
	(void)dev;
	(void)off;
	memset(buf, 0, len);
}

static const struct virtio_ops console_ops = {
	.name = "console",
	.id = VIRTIO_ID_CONSOLE,
	.features = VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX,
	.n_queues = CONSOLE_QUEUES,
	.queue_max = CONSOLE_QUEUE_MAX,
	.config_len = CONFIG_BYTES,
	.activate = console_activate,
	.reset = console_reset,
	.notify = console_notify,
	.config_read = console_config_read,
};

int virtio_console_create(const struct gmem *mem, virtio_console_sink_fn sink, void *ctx,
			  struct virtio_console **out)
{
	struct virtio_console *con = calloc(1, sizeof(*con));
	int err;

	if (!con) {
		return -ENOMEM;
	}
	err = virtio_dev_init(&con->dev, &console_ops, mem);
	if (err < 0) {
		free(con);
		return err;
	}
	con->sink = sink;
	con->sink_ctx = ctx;
	*out = con;
	return 0;
}

void virtio_console_destroy(struct virtio_console *con)
{
	if (!con) {
		return;
	}
	virtio_dev_finish(&con->dev);
	free(con);
}

struct virtio_dev *virtio_console_dev(struct virtio_console *con)
{
	return &con->dev;
}

static uint8_t ring_at(const struct virtio_console *con, uint64_t pos)
{
	return con->ring[pos % VIRTIO_CONSOLE_RING];
}

static bool dropped(const struct virtio_console *con, uint64_t pos)
{
	return ring_at(con, pos) == '\r' && pos + 1 < con->total && ring_at(con, pos + 1) == '\n';
}

static char printable(uint8_t byte)
{
	bool as_is = byte == '\n' || byte == '\t' || (byte >= 0x20 && byte < 0x7f);

	return as_is ? (char)byte : '?';
}

/* Where @room bytes of text begin: back from the end, then forward to the next whole line. */
static uint64_t tail_start(const struct virtio_console *con, size_t room)
{
	uint64_t oldest = con->total - VR_MIN(con->total, (uint64_t)VIRTIO_CONSOLE_RING);
	uint64_t start = con->total;

	while (start > oldest && (room > 0 || dropped(con, start - 1))) {
		start--;
		room -= dropped(con, start) ? 0 : 1;
	}
	if (start == 0 || (start > oldest && ring_at(con, start - 1) == '\n')) {
		return start;
	}
	for (uint64_t pos = start; pos + 1 < con->total; pos++) {
		if (ring_at(con, pos) == '\n') {
			return pos + 1;
		}
	}
	return start;
}

size_t virtio_console_tail(struct virtio_console *con, char *buf, size_t n)
{
	size_t len = 0;

	(void)pthread_mutex_lock(&con->dev.lock); /* can't fail: not recursive, not robust */
	for (uint64_t pos = tail_start(con, n - 1); pos < con->total && len < n - 1; pos++) {
		if (!dropped(con, pos)) {
			buf[len++] = printable(ring_at(con, pos));
		}
	}
	(void)pthread_mutex_unlock(&con->dev.lock);
	buf[len] = '\0';
	return len;
}
