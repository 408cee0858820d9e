/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay.h - overlay mounts of config.json, whose layers are directories of the host
 *
 * They have to be made on the host (`podman run -v DIR:DIR:O`). They are, in a mount namespace of
 * the command's own, on top of their upper (or only lower) layer: nothing shows on the host,
 * and nothing is left when the command has ended. From then on such a mount is a bind mount of that
 * directory.
 *
 * Threads: changes the mount namespace: call with one thread.
 * Uses:    base, oci. Used by: launch, guest_plan.
 */
#ifndef VOLT_OVERLAY_H
#define VOLT_OVERLAY_H

#include <stdbool.h>

#include "base/err.h"
#include "oci/spec.h"

/** overlay_is() - is this such a mount? */
bool overlay_is(const struct oci_mount *m);

/**
 * overlay_place() - the directory it is mounted on: upperdir, or the first of lowerdir
 *
 * Return: malloc'd path, or NULL with @err.
 */
char *overlay_place(const struct oci_mount *m, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * overlay_mount_all() - mount those of @spec, if there are any
 *
 * Return: 1 when the process is in another mount namespace now, where mounts reached by
 * descriptors that were opened before can't be cloned; 0 when there was nothing to do; or a
 * negative errno value with @err.
 */
int overlay_mount_all(const struct oci_spec *spec, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_OVERLAY_H */
