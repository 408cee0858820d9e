/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reset.h - the ports with which a guest ends its VM
 *
 * There is no ACPI and no keyboard controller. A guest ends the VM by
 *
 *  - writing 0xfe to port 0x64: the i8042's "pulse the reset line", what Linux
 *    does with the kernel parameter reboot=k. => VM_EXIT_RESET. Linux first
 *    polls the same port until bit 1 reads 0: everything here reads as zeros.
 *  - writing the byte 0x34 to port 0x600. => VM_EXIT_POWEROFF. The port is
 *    ours (QEMU's is another); a guest that wants to use it needs port access.
 *  - a triple fault (KVM reports it, not this file). => VM_EXIT_RESET. What
 *    Linux does with reboot=t, and when a panic with panic=-1 finds no other way.
 *
 * So an ordinary Linux guest needs only reboot(RB_AUTOBOOT) and one of the two
 * kernel parameters; reboot=k is preferred: it is one exit, without a fault.
 *
 * Trust:   the guest may write anything; other values are ignored.
 * Threads: handlers run in vCPU threads and only call @request.
 * Uses: vmm/bus. Used by: vm.
 */
#ifndef VMM_RESET_H
#define VMM_RESET_H

#include "vmm/bus.h"
#include "vmm/vm.h"

#define RESET_PORT_KBD	     0x64u
#define RESET_KBD_PULSE	     0xfeu
#define RESET_PORT_POWEROFF  0x600u
#define RESET_POWEROFF_VALUE 0x34u

/**
 * struct reset_dev - where requests go
 * @request: called in the vCPU thread that wrote the port, with VM_EXIT_RESET or VM_EXIT_POWEROFF
 */
struct reset_dev {
	void (*request)(void *ctx, enum vm_exit reason);
	void *ctx;
};

/**
 * reset_add() - claim the ports
 * @pio: port I/O bus, not frozen yet
 * @dev: filled in by the caller; must outlive the bus
 *
 * Return: 0 or -errno of bus_add().
 */
int reset_add(struct bus *pio, struct reset_dev *dev) __attribute__((warn_unused_result));

#endif /* VMM_RESET_H */
