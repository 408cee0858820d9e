/* SPDX-License-Identifier: Apache-2.0 */
/*
 * irq.c - ioeventfds and irqfds of KVM
 *
 * A kick is a 4-byte write of the queue's index to QueueNotify, matched in the
 * kernel by address, length and value. An interrupt is an edge on the line:
 * no resample fd, the InterruptStatus register says what happened.
 */
#include "vmm/irq.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/virtio_mmio.h>
#include <sys/ioctl.h>

static int irqfd(int vm_fd, int fd, uint32_t gsi, uint32_t flags)
{
	struct kvm_irqfd arg = {.fd = (uint32_t)fd, .gsi = gsi, .flags = flags};

	return ioctl(vm_fd, KVM_IRQFD, &arg) < 0 ? -errno : 0;
}

int irq_irqfd_add(int vm_fd, int fd, uint32_t gsi)
{
	return irqfd(vm_fd, fd, gsi, 0);
}

int irq_irqfd_del(int vm_fd, int fd, uint32_t gsi)
{
	return irqfd(vm_fd, fd, gsi, KVM_IRQFD_FLAG_DEASSIGN);
}

static int ioeventfd(int vm_fd, int fd, uint64_t addr, uint32_t value, uint32_t flags)
{
	struct kvm_ioeventfd arg = {
		.datamatch = value,
		.addr = addr,
		.len = sizeof(value),
		.fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH | flags,
	};

	return ioctl(vm_fd, KVM_IOEVENTFD, &arg) < 0 ? -errno : 0;
}

int irq_ioeventfd_add(int vm_fd, int fd, uint64_t addr, uint32_t value)
{
	return ioeventfd(vm_fd, fd, addr, value, 0);
}

int irq_ioeventfd_del(int vm_fd, int fd, uint64_t addr, uint32_t value)
{
	return ioeventfd(vm_fd, fd, addr, value, KVM_IOEVENTFD_FLAG_DEASSIGN);
}

static void kicks_del(int vm_fd, const struct virtio_dev *dev, uint64_t mmio_base, unsigned n)
{
	for (unsigned q = 0; q < n; q++) {
		/* Nothing to be done about a failure: the VM is on its way out. */
		(void)irq_ioeventfd_del(vm_fd, dev->kick_fd[q],
					mmio_base + VIRTIO_MMIO_QUEUE_NOTIFY, q);
	}
}

int irq_device_add(int vm_fd, const struct virtio_dev *dev, uint64_t mmio_base, uint32_t gsi)
{
	int ret = irq_irqfd_add(vm_fd, dev->irq_fd, gsi);

	if (ret < 0) {
		return ret;
	}
	for (unsigned q = 0; q < dev->n_queues; q++) {
		ret = irq_ioeventfd_add(vm_fd, dev->kick_fd[q],
					mmio_base + VIRTIO_MMIO_QUEUE_NOTIFY, q);
		if (ret < 0) {
			kicks_del(vm_fd, dev, mmio_base, q);
			(void)irq_irqfd_del(vm_fd, dev->irq_fd, gsi);
			return ret;
		}
	}
	return 0;
}

void irq_device_del(int vm_fd, const struct virtio_dev *dev, uint64_t mmio_base, uint32_t gsi)
{
	kicks_del(vm_fd, dev, mmio_base, dev->n_queues);
	(void)irq_irqfd_del(vm_fd, dev->irq_fd, gsi);
}
