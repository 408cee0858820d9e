/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost.h - the host's kernel serves a queue pair of a network device (/dev/vhost-net)
 *
 * One descriptor a pair. Its life: vhost_check() by who opened it; vhost_own() in the vmm,
 * once, when RAM is mapped and before the guest runs: the kernel makes a worker thread that
 * shares our memory; vhost_start() and vhost_stop() as often as the driver wants.
 *
 * Interrupts: the kernel raises the device's line by itself and can't set a bit in its
 * InterruptStatus; see struct virtio_dev, @kernel_queues.
 *
 * Trust:   layouts were checked by virtq_setup(); the rings are the kernel's to parse.
 * Uses:    gmem, virtq. Used by: the vmm's network, who opens it, tests.
 */
#ifndef VMM_VHOST_H
#define VMM_VHOST_H

#include <stdint.h>

#include "vmm/gmem.h"
#include "vmm/virtq.h"

#define VHOST_DEVICE "/dev/vhost-net"
#define VHOST_QUEUES 2u /* of a pair: receive, transmit */

/* linux/vhost_types.h; it has other meanings for names of vmm/virtio.h */
struct vhost_memory;
struct vhost_vring_addr;

/** vhost_check() - can it do what our network devices offer? Return: 0, -ENOTSUP, or -errno */
int vhost_check(int fd) __attribute__((warn_unused_result));

/** vhost_ram_fill() - describe @mem; @out has room for GMEM_MAX_REGIONS regions */
void vhost_ram_fill(const struct gmem *mem, struct vhost_memory *out);

/**
 * vhost_vring_fill() - where queue @index lies, as addresses of this process
 *
 * Return: 0, or -EFAULT for a layout that isn't in RAM.
 */
int vhost_vring_fill(const struct gmem *mem, unsigned index, const struct virtq_layout *l,
		     struct vhost_vring_addr *out) __attribute__((warn_unused_result));

/**
 * vhost_own() - bind it to this process's memory and to a device's eventfds
 * @kick: of the receive and the transmit queue
 * @call: irqfd of the device
 *
 * Return: 0 or -errno. Between the vmm's final stage and its vCPUs.
 */
int vhost_own(int fd, const struct gmem *mem, const int kick[VHOST_QUEUES], int call)
	__attribute__((warn_unused_result));

/**
 * vhost_start() - serve a pair from now on
 * @l:        both queues, ready, as virtq_setup() accepted them
 * @features: negotiated; those of frames are between driver and tap
 * @tap:      a queue of it
 *
 * Return: 0, or -errno and it doesn't. Role vcpu may: see seccomp_roles.c.
 */
int vhost_start(int fd, const struct gmem *mem, const struct virtq_layout l[VHOST_QUEUES],
		uint64_t features, int tap) __attribute__((warn_unused_result));

/** vhost_stop() - when it returns, the kernel doesn't touch guest memory any more */
void vhost_stop(int fd);

#endif /* VMM_VHOST_H */
