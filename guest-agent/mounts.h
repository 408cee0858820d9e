/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts.h - config.json's mounts, performed in the guest
 *
 * Runs in the container's child, in its new namespaces, before pivot_root. Targets are resolved
 * inside the root (path.h); mounts are built detached and attached by descriptor, so no path in
 * the image is looked up twice.
 */
#ifndef AGENT_MOUNTS_H
#define AGENT_MOUNTS_H

#include "base/agent_proto.h"
#include "fail.h"

/** mounts_attr() - MOUNT_ATTR_* for MS_* @flags that are per mount */
uint32_t mounts_attr(uint64_t ms_flags);

/** mounts_option_next() - cut the next comma-separated option off *@rest ("\," is a comma inside).
 *  Return: the option, unescaped in place; NULL at the end. *@rest is modified. */
char *mounts_option_next(char **rest);

/**
 * mounts_apply() - one mount of the list
 * @root: descriptor of the container's root, attached in this mount namespace
 * @ns:   the container's AP_NS_*
 * Return: 0, or -errno with @f filled
 */
int mounts_apply(int root, const struct ap_mount *m, uint32_t ns, struct fail *f)
	__attribute__((warn_unused_result));

/**
 * mounts_seal() - make read-only what is to be, and had to be written to so far
 *
 * After everything that mounts, devices and terminals need in a tmpfs was made there.
 * Return: 0, or -errno with @f filled
 */
int mounts_seal(struct fail *f) __attribute__((warn_unused_result));

/** mounts_new_fs() - a detached mount of @type with comma-separated @data. Return: fd, -errno */
int mounts_new_fs(const char *type, const char *source, const char *data, uint64_t ms_flags,
		  struct fail *f) __attribute__((warn_unused_result));

#endif /* AGENT_MOUNTS_H */
