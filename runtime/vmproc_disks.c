/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmproc_disks.c - disks of the machine, beside its fixed devices
 *
 * They come last in the order of slots. The guest finds one by its serial number, "volt-N".
 */
#include "vmproc_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "pvh/cmdline.h"
#include "vmm/virtio_blk.h"

/* Indices of EV_KICK: the first of ours in the place of the device's number. */
#define KICK_DISKS 0x80u

struct vmproc_disks {
	struct virtio_blk *blk[VMM_DISKS_MAX];
	int slot[VMM_DISKS_MAX];
	unsigned n;
};

static int add_one(struct vmproc *p, const struct vmm_disk *disk, unsigned i)
{
	struct vmproc_disks *d = p->disks;
	char serial[VIRTIO_BLK_SERIAL_LEN];
	const struct virtio_blk_backend backend = {
		.fd = disk->fd, .bytes = disk->bytes, .ro = disk->ro, .serial = serial};
	struct virtio_dev *dev;
	int rc;

	(void)snprintf(serial, sizeof(serial), "volt-%u", i);
	rc = virtio_blk_create(p->mem, &backend, &d->blk[i]);
	if (rc < 0) {
		return rc;
	}
	d->n = i + 1;
	dev = virtio_blk_dev(d->blk[i]);
	dev->on_fault = vmproc_device_fault;
	d->slot[i] = vm_add_device(p->vm, dev);
	if (d->slot[i] < 0) {
		return d->slot[i];
	}
	return loop_add(p->loop, dev->kick_fd[0], EPOLLIN, EV_KICK, (KICK_DISKS + i) << 8);
}

int vmproc_disks_create(struct vmproc *p)
{
	int rc = 0;

	p->disks = calloc(1, sizeof(*p->disks));
	if (!p->disks) {
		return -ENOMEM;
	}
	for (unsigned i = 0; rc == 0 && i < p->plan->n_disks; i++) {
		rc = add_one(p, &p->plan->disks[i], i);
	}
	return rc;
}

int vmproc_disks_cmdline(const struct vmproc *p, struct cmdline *c)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < p->disks->n; i++) {
		rc = cmdline_add_virtio(c, p->disks->slot[i]);
	}
	return rc;
}

void vmproc_disks_kick(struct vmproc *p, uint32_t index)
{
	unsigned i = (index >> 8) - KICK_DISKS; /* huge for what is not ours */

	if (i < p->disks->n) {
		virtio_dev_kicked(virtio_blk_dev(p->disks->blk[i]), index & 0xff);
	}
}

void vmproc_disks_destroy(struct vmproc *p)
{
	for (unsigned i = 0; p->disks && i < p->disks->n; i++) {
		virtio_blk_destroy(p->disks->blk[i]);
	}
	free(p->disks);
	p->disks = NULL;
}
