/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_blk.c - block device over a block device of the host; see virtio_blk.h
 *
 * A request is one chain: 16 bytes of header that the device reads, data, and a last byte that
 * it writes, the status. Where the buffers begin and end is the driver's choice, so everything
 * is addressed by its offset in the chain.
 */
#include "vmm/virtio_blk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/checked.h"
#include "vmm/virtio_serve.h"

#define BLK_QUEUE     0u
#define BLK_QUEUE_MAX 128u
#define BLK_IOV	      (VIRTIO_BLK_SEG_MAX + 2u) /* with header and status */
#define HEADER_LEN    16u
#define CONFIG_LEN    24u /* up to blk_size */

struct virtio_blk {
	struct virtio_dev dev;
	struct virtio_ops ops; /* features depend on the backend */
	struct virtio_blk_backend backend;
	char serial[VIRTIO_BLK_SERIAL_LEN];
	uint8_t config[CONFIG_LEN];
};

/* Wire form of a request's header (virtio 1.2, 5.2.6). */
struct header {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

_Static_assert(sizeof(struct header) == HEADER_LEN, "wire form");

static struct virtio_blk *of_dev(struct virtio_dev *dev)
{
	return (struct virtio_blk *)dev; /* embedded first */
}

_Static_assert(offsetof(struct virtio_blk, dev) == 0, "of_dev() casts");

/* Those parts of @iov that are [off, off + len). Return: how many */
static unsigned slice(const struct iovec *iov, unsigned n, uint64_t off, uint64_t len,
		      struct iovec *out)
{
	unsigned used = 0;

	for (unsigned i = 0; i < n && len > 0; i++) {
		size_t part = iov[i].iov_len;

		if (off >= part) {
			off -= part;
			continue;
		}
		part -= (size_t)off;
		part = (size_t)VR_MIN((uint64_t)part, len);
		out[used++] = (struct iovec){(uint8_t *)iov[i].iov_base + off, part};
		off = 0;
		len -= part;
	}
	return used;
}

/* Is this a range of whole sectors of ours? */
static bool range_ok(const struct virtio_blk *blk, uint64_t sector, uint64_t len)
{
	uint64_t sectors = blk->backend.bytes / VIRTIO_BLK_SECTOR;

	return len > 0 && len <= VIRTIO_BLK_REQUEST_MAX && len % VIRTIO_BLK_SECTOR == 0 &&
	       sector <= sectors && len / VIRTIO_BLK_SECTOR <= sectors - sector;
}

/*
 * All of a range; each system call makes progress or ends it.
 * Syscalls: preadv, pwritev (role vmm)
 */
static uint8_t transfer(const struct virtio_blk *blk, bool write, const struct iovec *iov,
			unsigned n, uint64_t off, uint64_t len, uint64_t at)
{
	struct iovec part[BLK_IOV];
	uint64_t done = 0;

	while (done < len) {
		unsigned parts = slice(iov, n, off + done, len - done, part);
		ssize_t rc = write ? pwritev(blk->backend.fd, part, (int)parts, (off_t)(at + done))
				   : preadv(blk->backend.fd, part, (int)parts, (off_t)(at + done));

		if (rc < 0 && errno == EINTR) {
			continue;
		}
		if (rc <= 0) {
			return VIRTIO_BLK_S_IOERR; /* end of file: it has shrunk */
		}
		done += (uint64_t)rc;
	}
	return VIRTIO_BLK_S_OK;
}

static uint8_t read_sectors(const struct virtio_blk *blk, const struct virtq_chain *c,
			    uint64_t sector)
{
	uint64_t len = c->in_bytes - 1;

	if (!range_ok(blk, sector, len)) {
		return VIRTIO_BLK_S_IOERR;
	}
	return transfer(blk, false, c->iov + c->n_out, c->n_in, 0, len, sector * VIRTIO_BLK_SECTOR);
}

static uint8_t write_sectors(const struct virtio_blk *blk, const struct virtq_chain *c,
			     uint64_t sector)
{
	uint64_t len = c->out_bytes - HEADER_LEN;

	if (blk->backend.ro || !range_ok(blk, sector, len)) {
		return VIRTIO_BLK_S_IOERR;
	}
	return transfer(blk, true, c->iov, c->n_out, HEADER_LEN, len, sector * VIRTIO_BLK_SECTOR);
}

/* Syscalls: fdatasync (role vmm) */
static uint8_t flush(const struct virtio_blk *blk)
{
	return fdatasync(blk->backend.fd) < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

static uint8_t get_id(const struct virtio_blk *blk, const struct virtq_chain *c)
{
	if (c->in_bytes - 1 < sizeof(blk->serial)) {
		return VIRTIO_BLK_S_IOERR;
	}
	(void)virtq_iov_write(c->iov + c->n_out, c->n_in, 0, blk->serial, sizeof(blk->serial));
	return VIRTIO_BLK_S_OK;
}

static int blk_request(struct virtio_dev *dev, const struct virtq_chain *c, uint32_t *out_written)
{
	const struct virtio_blk *blk = of_dev(dev);
	struct header h;
	uint8_t status;

	if (c->out_bytes < HEADER_LEN || c->in_bytes < 1 ||
	    virtq_iov_read(c->iov, c->n_out, 0, &h, sizeof(h)) != sizeof(h)) {
		return -EPROTO;
	}
	switch (h.type) { /* a copy: the driver's may change meanwhile */
	case VIRTIO_BLK_T_IN:
		status = read_sectors(blk, c, h.sector);
		break;
	case VIRTIO_BLK_T_OUT:
		status = write_sectors(blk, c, h.sector);
		break;
	case VIRTIO_BLK_T_FLUSH:
		status = flush(blk);
		break;
	case VIRTIO_BLK_T_GET_ID:
		status = get_id(blk, c);
		break;
	default:
		status = VIRTIO_BLK_S_UNSUPP;
		break;
	}
	(void)virtq_iov_write(c->iov + c->n_out, c->n_in, c->in_bytes - 1, &status, 1);
	*out_written = (uint32_t)c->in_bytes; /* below 4 GiB, says virtq_pop() */
	return 0;
}

static void blk_notify(struct virtio_dev *dev, unsigned q)
{
	struct iovec iov[BLK_IOV];

	(void)virtio_serve(dev, q, iov, BLK_IOV, blk_request, "not a block request");
}

static int blk_activate(struct virtio_dev *dev)
{
	return dev->vq[BLK_QUEUE].ready ? 0 : -EINVAL;
}

static void blk_reset(struct virtio_dev *dev)
{
	(void)dev; /* no state but the transport's */
}

static void blk_config_read(struct virtio_dev *dev, uint32_t off, void *buf, uint32_t len)
{
	memcpy(buf, of_dev(dev)->config + off, len); /* the transport checked the range */
}

static void put_le(uint8_t *at, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++) {
		at[i] = (uint8_t)(v >> (8 * i));
	}
}

static void fill_config(struct virtio_blk *blk)
{
	put_le(blk->config, blk->backend.bytes / VIRTIO_BLK_SECTOR, 8); /* capacity */
	put_le(blk->config + 12, VIRTIO_BLK_SEG_MAX, 4);
	put_le(blk->config + 20, VIRTIO_BLK_SECTOR, 4); /* blk_size */
}

int virtio_blk_create(const struct gmem *mem, const struct virtio_blk_backend *backend,
		      struct virtio_blk **out)
{
	struct virtio_blk *blk = calloc(1, sizeof(*blk));
	int err;

	if (!blk) {
		return -ENOMEM;
	}
	blk->ops = (struct virtio_ops){
		.name = "blk",
		.id = VIRTIO_ID_BLOCK,
		.features = VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_BLK_F_SEG_MAX |
			    VIRTIO_BLK_F_FLUSH | (backend->ro ? VIRTIO_BLK_F_RO : 0),
		.n_queues = 1,
		.queue_max = BLK_QUEUE_MAX,
		.config_len = CONFIG_LEN,
		.activate = blk_activate,
		.reset = blk_reset,
		.notify = blk_notify,
		.config_read = blk_config_read,
	};
	blk->backend = *backend;
	if (backend->serial) {
		memcpy(blk->serial, backend->serial, strnlen(backend->serial, sizeof(blk->serial)));
	}
	fill_config(blk);
	err = virtio_dev_init(&blk->dev, &blk->ops, mem);
	if (err < 0) {
		free(blk);
		return err;
	}
	*out = blk;
	return 0;
}

void virtio_blk_destroy(struct virtio_blk *blk)
{
	if (!blk) {
		return;
	}
	virtio_dev_finish(&blk->dev);
	free(blk);
}

struct virtio_dev *virtio_blk_dev(struct virtio_blk *blk)
{
	return &blk->dev;
}
