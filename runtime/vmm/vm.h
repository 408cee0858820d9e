/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vm.h - one virtual machine
 *
 * Order of use, also the order of the lifetime of what it owns:
 *   vm_create -> vm_add_device, vm_add_spare (each) -> pvh_load into the gmem ->
 *   vm_set_entry -> (sandbox narrows) -> vm_start -> ... -> vm_stop -> vm_destroy
 * vm_start() freezes the buses; what is on a spare slot may change all the time. vm_stop() returns when every vCPU thread has
 * left guest mode and ended; then devices are quiesced, the VM with its
 * ioeventfds and irqfds is closed, and only then may memory be unmapped
 * (vm_destroy does it in that order, and never unmaps the gmem: its owner does).
 *
 * Threads: all functions are for the one thread that created the VM.
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/gmem.h"
#include "vmm/virtio.h"

struct bus_ops;
struct vm;

/** Why the vCPUs stopped for good. Values are stable: they travel to the vmm's log and messages. */
enum vm_exit {
	VM_EXIT_NONE,
	VM_EXIT_RESET,	  /* triple fault or reset port: Linux's reboot and panic=-1 */
	VM_EXIT_POWEROFF, /* the power-off port */
	VM_EXIT_INTERNAL, /* KVM_EXIT_INTERNAL_ERROR, FAIL_ENTRY, or an ioctl failed */
	VM_EXIT_STOPPED,  /* vm_stop() */
	VM_EXIT_COUNT,
};

const char *vm_exit_name(enum vm_exit e);

/**
 * struct vm_config
 * @kvm_fd:    /dev/kvm, borrowed during vm_create()
 * @mem:       guest RAM; must outlive the VM
 * @n_vcpus:   1..VM_MAX_VCPUS
 * @vcpu_init: called first thing in each vCPU thread (thread name is set already), before any
 *             guest instruction: the place for the per-thread seccomp filter; <0 stops the VM
 * @count_exits: have vm_count_exits() work; costs a file descriptor a vCPU
 */
#define VM_MAX_VCPUS 64u
struct vm_config {
	int kvm_fd;
	struct gmem *mem;
	unsigned n_vcpus;
	int (*vcpu_init)(void *ctx, unsigned index);
	void *vcpu_init_ctx;
	bool count_exits;
};

/**
 * vm_create() - make the machine: memory, interrupt controllers, vCPUs, reset ports; no threads yet
 *
 * To be called before the process has threads: it makes the fd table large,
 * which is slow afterwards.
 *
 * Return: 0, -EINVAL for a bad number of vCPUs, what kvm_check() returns for a
 * KVM that doesn't do, or -errno.
 */
int vm_create(const struct vm_config *cfg, struct vm **out) __attribute__((warn_unused_result));

/**
 * vm_add_device() - put a device on the next virtio-mmio slot
 *
 * Opens its eventfds unless already open, registers them as irqfd and ioeventfds.
 * The word for the kernel command line is made by cmdline_add_virtio().
 *
 * Return: slot number >= 0, -EBUSY after vm_start(), -ENOSPC, or -errno.
 */
int vm_add_device(struct vm *vm, struct virtio_dev *dev) __attribute__((warn_unused_result));

/**
 * vm_add_spare() - keep the next virtio-mmio slot for a device that comes later
 *
 * Until then the guest finds a placeholder there (device id 0: virtio 1.2, 4.2.2.2), with
 * registers that read as zeros and ignore writes.
 *
 * Return: slot number >= 0, -EBUSY after vm_start(), -ENOSPC.
 */
int vm_add_spare(struct vm *vm) __attribute__((warn_unused_result));

/**
 * vm_plug() - put a device on a spare slot, also while the guest runs
 *
 * The guest doesn't notice by itself: somebody has to tell it to look.
 *
 * Return: 0, -EINVAL (no spare slot), -EBUSY (it has a device), or -errno.
 */
int vm_plug(struct vm *vm, unsigned slot, struct virtio_dev *dev)
	__attribute__((warn_unused_result));

/**
 * vm_unplug() - take a plugged device away again; its slot is spare afterwards
 *
 * Returns when no vCPU, kick or interrupt concerns the device any more, whatever its driver is
 * doing: it may be destroyed. A slot without a device is fine.
 */
void vm_unplug(struct vm *vm, unsigned slot);

/**
 * vm_add_pio() - put something that is no virtio device on I/O ports (a debug console)
 * @ops: as in bus.h: called from vCPU threads
 *
 * Return: 0 or -errno of bus_add() (-EBUSY after vm_start()).
 */
int vm_add_pio(struct vm *vm, uint16_t port, uint16_t n_ports, const struct bus_ops *ops, void *ctx)
	__attribute__((warn_unused_result));

/** vm_set_entry() - 32-bit PVH entry point, as returned by pvh_load() */
int vm_set_entry(struct vm *vm, uint64_t entry) __attribute__((warn_unused_result));

/**
 * vm_start() - start the vCPU threads; once
 *
 * The guest runs when every thread has done its vcpu_init.
 *
 * Return: 0 or -errno, also of a vcpu_init (then everything started was stopped).
 */
int vm_start(struct vm *vm) __attribute__((warn_unused_result));
/** vm_count_exits() - exits from guest mode so far. Return: 0, -ENODATA (not counted), -errno */
int vm_count_exits(const struct vm *vm, uint64_t *out) __attribute__((warn_unused_result));
/** vm_exit_fd() - an eventfd that becomes readable when the VM has ended; owned by the VM */
int vm_exit_fd(const struct vm *vm);
/**
 * vm_exit_reason() - why the VM ended, VM_EXIT_NONE while it runs
 * @out_detail: may be NULL; a sentence or "", owned by the VM
 */
enum vm_exit vm_exit_reason(const struct vm *vm, const char **out_detail);
/**
 * vm_pause()/vm_resume() - all vCPUs out of guest mode and back; idempotent
 *
 * Not with a device lock held: a vCPU may wait for it.
 *
 * Return: 0, -EINVAL before vm_start().
 */
int vm_pause(struct vm *vm) __attribute__((warn_unused_result));
int vm_resume(struct vm *vm) __attribute__((warn_unused_result));
/** vm_stop() - end the vCPU threads, wait for them; idempotent. Not with a device lock held */
void vm_stop(struct vm *vm);
/** vm_destroy() - stop, reset the devices (they must still exist), close; NULL is fine */
void vm_destroy(struct vm *vm);

#endif /* VMM_VM_H */
