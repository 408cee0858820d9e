/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assets.h - where the guest kernel and its initramfs are
 *
 * Next to the program as it was built (guest/), in the lib/volt-runc of its
 * installation prefix, or in the prefix the build was configured for. Never
 * taken from the environment, the bundle or the image.
 */
#ifndef VOLT_ASSETS_H
#define VOLT_ASSETS_H

#include "base/err.h"

#define ASSET_KERNEL	"vmlinux"
#define ASSET_INITRAMFS "initramfs"

/** asset_open() - read-only fd of @name, or a negative errno value with @err */
int asset_open(const char *name, struct vr_err *err) __attribute__((warn_unused_result));

#endif /* VOLT_ASSETS_H */
