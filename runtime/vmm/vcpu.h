/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vcpu.h - the virtual processors of a VM and their threads
 *
 * Each vCPU has a thread that runs the guest until the VM ends. All threads
 * start parked: vcpus_start() returns when each has done its init and waits,
 * so that nothing of the guest runs unless everything is in place;
 * vcpus_resume() lets them go.
 *
 * Kick protocol. Whoever wants a vCPU out of guest mode sets the request under
 * the lock, then immediate_exit in the vCPU's shared area, then sends
 * VCPU_SIGNAL to its thread. A vCPU in the guest is interrupted by the signal;
 * one anywhere else finds immediate_exit set at its next KVM_RUN, which then
 * only completes the last exit and returns. There is no window between. The
 * thread clears immediate_exit and looks at the requests under the same lock.
 *
 * Threads: all functions by the owner of the VM, but for vcpus_end(), which
 *          any thread may call. The lock is taken last: nothing is called with it held.
 * Uses: base, vmm/kvm, vmm/vcpu_x86, vmm/bus. Used by: vm.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <signal.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/vm.h"

/* Reserved in the whole process; blocked everywhere but in vCPU threads. */
#define VCPU_SIGNAL SIGRTMIN

/* Exits are handled in these small stacks. */
#define VCPU_STACK_BYTES (128u * 1024u)

struct vcpus;

/**
 * struct vcpus_config
 * @kvm_fd:   borrowed during vcpus_create()
 * @vm_fd:    borrowed during vcpus_create()
 * @n:        1..VM_MAX_VCPUS
 * @mmio:     borrowed, frozen before vcpus_start()
 * @pio:      the same
 * @init:     see struct vm_config
 * @count_exits: the same
 */
struct vcpus_config {
	int kvm_fd;
	int vm_fd;
	unsigned n;
	struct bus *mmio;
	struct bus *pio;
	int (*init)(void *ctx, unsigned index);
	void *init_ctx;
	bool count_exits;
};

/** vcpus_create() - vCPUs set up but for the entry point, no threads. Return: 0 or -errno */
int vcpus_create(const struct vcpus_config *cfg, struct vcpus **out)
	__attribute__((warn_unused_result));
/** vcpus_set_entry() - where the first vCPU starts. Return: 0 or -errno */
int vcpus_set_entry(struct vcpus *vs, uint64_t entry) __attribute__((warn_unused_result));

/**
 * vcpus_start() - make the threads, parked
 *
 * Return: 0, -EBUSY when already started, or -errno of thread creation or of
 * an init; then no thread is left.
 */
int vcpus_start(struct vcpus *vs) __attribute__((warn_unused_result));

/** vcpus_pause() - wait until no vCPU is in guest mode. Don't call it holding a device lock. */
void vcpus_pause(struct vcpus *vs);
/** vcpus_resume() - let the vCPUs run */
void vcpus_resume(struct vcpus *vs);
/** vcpus_stop() - end and join all threads; idempotent. Don't call it holding a device lock. */
void vcpus_stop(struct vcpus *vs);

/**
 * vcpus_end() - the VM is over
 * @fmt: detail, may be NULL
 *
 * The first reason stays. Makes the exit fd readable. A vCPU thread that
 * caused it leaves its loop by itself; the others run until vcpus_stop().
 *
 * Syscalls: write, futex (role vcpu)
 */
void vcpus_end(struct vcpus *vs, enum vm_exit reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** vcpus_exit_fd() - eventfd that becomes readable by vcpus_end(); owned by @vs */
int vcpus_exit_fd(const struct vcpus *vs);
/** vcpus_reason() - VM_EXIT_NONE while running; @out_detail (may be NULL) lives as long as @vs */
enum vm_exit vcpus_reason(struct vcpus *vs, const char **out_detail);

/**
 * vcpus_count_exits() - how often a vCPU left guest mode, as KVM counts
 *
 * Return: 0, -ENODATA when not asked for or not offered by the kernel, or -errno.
 */
int vcpus_count_exits(const struct vcpus *vs, uint64_t *out) __attribute__((warn_unused_result));

/** vcpus_destroy() - stop and free; NULL is allowed */
void vcpus_destroy(struct vcpus *vs);

#endif /* VMM_VCPU_H */
