/* SPDX-License-Identifier: Apache-2.0 */
/*
 * irq.h - kicks and interrupts without exits: KVM's ioeventfds and irqfds
 *
 * Thin: one ioctl a function, plus the pair that does all of a virtio device
 * with clean-up when a step fails. The in-kernel irqchip must exist already.
 *
 * Threads: the thread that owns the VM.
 * Uses: vmm/virtio. Used by: vm.
 */
#ifndef VMM_IRQ_H
#define VMM_IRQ_H

#include <stdint.h>

#include "vmm/virtio.h"

/**
 * irq_irqfd_add() - each write to @fd raises an edge on @gsi
 * @fd: eventfd, borrowed
 *
 * Return: 0 or -errno of KVM_IRQFD.
 */
int irq_irqfd_add(int vm_fd, int fd, uint32_t gsi) __attribute__((warn_unused_result));
int irq_irqfd_del(int vm_fd, int fd, uint32_t gsi);

/**
 * irq_ioeventfd_add() - a 32-bit guest write of @value to @addr adds to @fd instead of exiting
 * @fd: eventfd, borrowed
 *
 * Return: 0 or -errno of KVM_IOEVENTFD.
 */
int irq_ioeventfd_add(int vm_fd, int fd, uint64_t addr, uint32_t value)
	__attribute__((warn_unused_result));
int irq_ioeventfd_del(int vm_fd, int fd, uint64_t addr, uint32_t value);

/**
 * irq_device_add() - wire a device whose fds are open
 * @mmio_base: guest-physical address of its register page
 * @gsi:       its interrupt line
 *
 * Return: 0, or -errno with nothing left registered.
 */
int irq_device_add(int vm_fd, const struct virtio_dev *dev, uint64_t mmio_base, uint32_t gsi)
	__attribute__((warn_unused_result));
/** irq_device_del() - undo it; after it returns no kick or interrupt is in flight */
void irq_device_del(int vm_fd, const struct virtio_dev *dev, uint64_t mmio_base, uint32_t gsi);

#endif /* VMM_IRQ_H */
