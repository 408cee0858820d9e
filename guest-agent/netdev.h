/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netdev.h - the machine's network devices, and others on spare slots, by their slot
 *
 * A device of slot s is the platform device "virtio-mmio.N" with N = AP_DEVICE_NET + s. Where the
 * slot was empty at boot no driver is bound to it: the kernel looks again when it is told to.
 *
 * Threads: none.
 */
#ifndef AGENT_NETDEV_H
#define AGENT_NETDEV_H

#include <net/if.h>
#include <stdint.h>

/** netdev_find() - name of the device's interface. Return: 0, -ENODEV (there is none) or -errno */
int netdev_find(uint32_t slot, char name[IF_NAMESIZE]);
/** netdev_bind() - look for a device, of any kind, on an empty slot. Return: 0 or -errno of its
 *  driver */
int netdev_bind(uint32_t slot);
/** netdev_unbind() - let go of the device, and of its interface with all that is on it */
int netdev_unbind(uint32_t slot);

#endif /* AGENT_NETDEV_H */
