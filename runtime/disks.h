/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disks.h - block devices of the host that become disks of the machine
 *
 * Only one that both linux.devices and a rule of its own in linux.resources.devices name:
 * privileged containers list every disk of the host, which nobody wants to give away.
 *
 * Uses: base, oci. Used by: guest_plan, launch.
 */
#ifndef VOLT_DISKS_H
#define VOLT_DISKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/spec.h"

/** disk_is_meant() - is there a rule that allows just this device? @out_ro: not to be written to */
bool disk_is_meant(const struct oci_resources *res, const struct oci_device *dev, bool *out_ro);

/**
 * disk_open() - open the host's node
 * @dev:       of type 'b'
 * @out_fd:    close-on-exec, owned by the caller
 * @out_bytes: size
 *
 * The node is found by its numbers: config.json has the path in the container only.
 *
 * Return: 0; -ENODEV when the host's /dev has no such node; or a negative errno value with @err.
 */
int disk_open(const struct oci_device *dev, bool ro, int *out_fd, uint64_t *out_bytes,
	      struct vr_err *err) __attribute__((warn_unused_result));

#endif /* VOLT_DISKS_H */
