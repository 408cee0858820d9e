/* SPDX-License-Identifier: Apache-2.0 */
/* virtio_fs.c - the vmm's side of virtio-fs; see virtio_fs.h */
#include "vmm/virtio_fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define CONFIG_BYTES (VIRTIO_FS_TAG_BYTES + 4u) /* virtio 1.2, 5.11.4 */

struct virtio_fs {
	struct virtio_dev dev;
	struct virtio_fs_backend backend;
	bool started;
	uint8_t config[CONFIG_BYTES];
};

static struct virtio_fs *of_dev(struct virtio_dev *dev)
{
	return (struct virtio_fs *)dev; /* embedded first */
}

_Static_assert(offsetof(struct virtio_fs, dev) == 0, "of_dev() casts");

static int fs_activate(struct virtio_dev *dev)
{
	struct virtio_fs *fs = of_dev(dev);
	int err;

	/* The driver may use fewer request queues than there are (one a CPU), but not none. */
	if (!dev->layout[VIRTIO_FS_Q_HIPRIO].ready || !dev->layout[VIRTIO_FS_Q_HIPRIO + 1].ready) {
		return -EINVAL;
	}
	err = fs->backend.start(fs->backend.ctx, dev->layout, dev->n_queues, dev->driver_features);
	if (err < 0) {
		return err;
	}
	fs->started = true;
	return 0;
}

static void stop(struct virtio_fs *fs)
{
	if (fs->started) {
		fs->started = false;
		fs->backend.stop(fs->backend.ctx);
	}
}

static void fs_reset(struct virtio_dev *dev)
{
	stop(of_dev(dev));
}

static void fs_config_read(struct virtio_dev *dev, uint32_t off, void *buf, uint32_t len)
{
	memcpy(buf, of_dev(dev)->config + off, len);
}

static const struct virtio_ops fs_ops = {
	.name = "fs",
	.id = VIRTIO_ID_FS,
	.features = VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX,
	.n_queues = VIRTIO_MAX_QUEUES,
	.queue_max = VIRTIO_FS_QUEUE_MAX,
	.config_len = CONFIG_BYTES,
	.external = true,
	.activate = fs_activate,
	.reset = fs_reset,
	.config_read = fs_config_read,
};

static int config_build(uint8_t config[CONFIG_BYTES], const struct virtio_fs_config *cfg)
{
	size_t tag_len = cfg->tag ? strlen(cfg->tag) : 0;
	struct vr_wr w;

	if (tag_len == 0 || tag_len > VIRTIO_FS_TAG_BYTES || cfg->n_request_queues == 0 ||
	    cfg->n_request_queues > VIRTIO_FS_MAX_REQUEST_QUEUES || !cfg->backend.start ||
	    !cfg->backend.stop) {
		return -EINVAL;
	}
	memset(config, 0, CONFIG_BYTES);
	memcpy(config, cfg->tag, tag_len);
	vr_wr_init(&w, config + VIRTIO_FS_TAG_BYTES, CONFIG_BYTES - VIRTIO_FS_TAG_BYTES);
	vr_wr_u32(&w, cfg->n_request_queues);
	return 0;
}

int virtio_fs_create(const struct gmem *mem, const struct virtio_fs_config *cfg,
		     struct virtio_fs **out)
{
	struct virtio_fs *fs = calloc(1, sizeof(*fs));
	int err;

	if (!fs) {
		return -ENOMEM;
	}
	err = config_build(fs->config, cfg);
	if (err == 0) {
		err = virtio_dev_init(&fs->dev, &fs_ops, mem);
	}
	if (err < 0) {
		free(fs);
		return err;
	}
	fs->dev.n_queues = 1 + cfg->n_request_queues;
	fs->backend = cfg->backend;
	if (cfg->irq_status) {
		fs->dev.irq_status = cfg->irq_status;
	}
	*out = fs;
	return 0;
}

void virtio_fs_destroy(struct virtio_fs *fs)
{
	if (!fs) {
		return;
	}
	stop(fs);
	virtio_dev_finish(&fs->dev);
	free(fs);
}

struct virtio_dev *virtio_fs_dev(struct virtio_fs *fs)
{
	return &fs->dev;
}

void virtio_fs_fault(struct virtio_fs *fs, const char *reason)
{
	(void)pthread_mutex_lock(&fs->dev.lock); /* can't fail: not recursive, not robust */
	virtio_dev_fault(&fs->dev, reason);
	(void)pthread_mutex_unlock(&fs->dev.lock);
}
