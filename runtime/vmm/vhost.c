/* SPDX-License-Identifier: Apache-2.0 */
/* vhost.c - the host's kernel serves a queue pair of a network device; see vhost.h */
#include "vmm/vhost.h"

#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_ring.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "vmm/net_abi.h"

/* What of a driver's features concerns the rings; all others are between it and the tap. */
#define RING_FEATURES                                                                              \
	(1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_RING_F_EVENT_IDX |                   \
	 1ull << VIRTIO_F_VERSION_1 | NETF_MRG_RXBUF)

#define DESC_BYTES  16u /* virtio 1.2, 2.7: descriptor, and the rings with their event fields */
#define AVAIL_BYTES 2u
#define USED_BYTES  8u
#define RING_EXTRA  6u

static int set(int fd, unsigned long request, const void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

int vhost_check(int fd)
{
	uint64_t features = 0;

	if (ioctl(fd, VHOST_GET_FEATURES, &features) < 0) {
		return -errno;
	}
	return (features & RING_FEATURES) == RING_FEATURES ? 0 : -ENOTSUP;
}

void vhost_ram_fill(const struct gmem *mem, struct vhost_memory *out)
{
	*out = (struct vhost_memory){.nregions = gmem_n_regions(mem)};
	for (unsigned i = 0; i < out->nregions; i++) {
		const struct gmem_region *r = gmem_region(mem, i);

		out->regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = r->base,
			.memory_size = r->size,
			.userspace_addr = (uint64_t)(uintptr_t)r->host,
		};
	}
}

static int host_address(const struct gmem *mem, uint64_t addr, uint64_t len, __u64 *out)
{
	struct iovec v;
	int rc = gmem_iov(mem, gpa(addr), len, &v);

	if (rc == 0) {
		*out = (uint64_t)(uintptr_t)v.iov_base;
	}
	return rc;
}

int vhost_vring_fill(const struct gmem *mem, unsigned index, const struct virtq_layout *l,
		     struct vhost_vring_addr *out)
{
	int rc;

	*out = (struct vhost_vring_addr){.index = index};
	rc = host_address(mem, l->desc, (uint64_t)l->size * DESC_BYTES, &out->desc_user_addr);
	if (rc == 0) {
		rc = host_address(mem, l->avail, (uint64_t)l->size * AVAIL_BYTES + RING_EXTRA,
				  &out->avail_user_addr);
	}
	if (rc == 0) {
		rc = host_address(mem, l->used, (uint64_t)l->size * USED_BYTES + RING_EXTRA,
				  &out->used_user_addr);
	}
	return rc;
}

int vhost_own(int fd, const struct gmem *mem, const int kick[VHOST_QUEUES], int call)
{
	union {
		struct vhost_memory table;
		uint8_t room[sizeof(struct vhost_memory) +
			     GMEM_MAX_REGIONS * sizeof(struct vhost_memory_region)];
	} ram;
	int rc = set(fd, VHOST_SET_OWNER, NULL);

	vhost_ram_fill(mem, &ram.table);
	if (rc == 0) {
		rc = set(fd, VHOST_SET_MEM_TABLE, &ram);
	}
	for (unsigned q = 0; rc == 0 && q < VHOST_QUEUES; q++) {
		const struct vhost_vring_file k = {.index = q, .fd = kick[q]};
		const struct vhost_vring_file c = {.index = q, .fd = call};

		rc = set(fd, VHOST_SET_VRING_KICK, &k);
		rc = rc == 0 ? set(fd, VHOST_SET_VRING_CALL, &c) : rc;
	}
	return rc;
}

static int start_queue(int fd, const struct gmem *mem, unsigned q, const struct virtq_layout *l,
		       int tap)
{
	const struct vhost_vring_state num = {.index = q, .num = l->size};
	const struct vhost_vring_state base = {.index = q, .num = 0}; /* as after any reset */
	const struct vhost_vring_file backend = {.index = q, .fd = tap};
	struct vhost_vring_addr addr;
	int rc = vhost_vring_fill(mem, q, l, &addr);

	if (rc == 0) {
		rc = set(fd, VHOST_SET_VRING_NUM, &num);
	}
	if (rc == 0) {
		rc = set(fd, VHOST_SET_VRING_BASE, &base);
	}
	if (rc == 0) {
		rc = set(fd, VHOST_SET_VRING_ADDR, &addr);
	}
	return rc == 0 ? set(fd, VHOST_NET_SET_BACKEND, &backend) : rc;
}

int vhost_start(int fd, const struct gmem *mem, const struct virtq_layout l[VHOST_QUEUES],
		uint64_t features, int tap)
{
	uint64_t wanted = features & RING_FEATURES;
	int rc = set(fd, VHOST_SET_FEATURES, &wanted);

	for (unsigned q = 0; rc == 0 && q < VHOST_QUEUES; q++) {
		rc = start_queue(fd, mem, q, &l[q], tap);
	}
	if (rc < 0) {
		vhost_stop(fd);
	}
	return rc;
}

void vhost_stop(int fd)
{
	for (unsigned q = 0; q < VHOST_QUEUES; q++) {
		const struct vhost_vring_file none = {.index = q, .fd = VHOST_FILE_UNBIND};

		(void)set(fd, VHOST_NET_SET_BACKEND, &none); /* fails when it never started */
	}
}
