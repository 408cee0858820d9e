/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot.h - from the kernel's first process to a connected agent
 *
 * Everything here happens once, as PID 1, in order; what can't be done without ends the VM.
 */
#ifndef AGENT_BOOT_H
#define AGENT_BOOT_H

#include "base/agent_proto.h"

/** boot_mounts() - a root of our own (pivot_root needs one), /proc /sys /dev, cgroups, the share,
 *  loopback. Fills stamps, features, release, cpus and memory of @hello. */
void boot_mounts(struct ap_hello *hello);

/** boot_connect() - the control connection; retries for a few seconds. Return: its descriptor */
int boot_connect(void);

#endif /* AGENT_BOOT_H */
