/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot.h - from the kernel's first process to a connected agent
 *
 * boot_mounts() happens once, as PID 1, in order; what can't be done without ends the VM. The rest
 * also happens for each member of the machine, in its agent.
 */
#ifndef AGENT_BOOT_H
#define AGENT_BOOT_H

#include "base/agent_proto.h"

/** boot_mounts() - a root of our own (pivot_root needs one), /proc /sys /dev, cgroups, the share,
 *  loopback. Fills stamps, features, release, cpus and memory of @hello. */
void boot_mounts(struct ap_hello *hello);

/** boot_share() - mount the virtio-fs device with @tag as the share. Return: 0, or -errno */
int boot_share(const char *tag) __attribute__((warn_unused_result));

/** boot_describe() - version, release, cpus, memory and what the kernel can do */
void boot_describe(struct ap_hello *hello);

/** boot_connect() - a control connection to @port; retries for a few seconds.
 *  Return: its descriptor, or -errno */
int boot_connect(uint32_t port) __attribute__((warn_unused_result));

#endif /* AGENT_BOOT_H */
