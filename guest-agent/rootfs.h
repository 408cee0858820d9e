/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rootfs.h - from the agent's root to the container's
 *
 * Runs in the container's child, in its new mount namespace.
 */
#ifndef AGENT_ROOTFS_H
#define AGENT_ROOTFS_H

#include "base/agent_proto.h"
#include "fail.h"

/**
 * rootfs_prepare() - attach the root, do all mounts, devices, sysctls; not yet entered
 * @out_root: O_PATH descriptor of the attached root
 */
int rootfs_prepare(const struct ap_container *c, int *out_root, struct fail *f)
	__attribute__((warn_unused_result));

/**
 * rootfs_enter() - hide and protect paths, make the working directory and the root read-only if
 * asked, pivot_root, forget the agent's tree. Closes @root.
 */
int rootfs_enter(const struct ap_container *c, int root, struct fail *f)
	__attribute__((warn_unused_result));

#endif /* AGENT_ROOTFS_H */
