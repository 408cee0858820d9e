/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount_options.h - mount options by name
 *
 * Uses: spec, arena. Used by: spec_mounts, features.
 */
#ifndef OCI_MOUNT_OPTIONS_H
#define OCI_MOUNT_OPTIONS_H

#include "oci/arena.h"
#include "oci/spec.h"

/** struct oci_mount_flag - an option that sets or clears MS_* bits */
struct oci_mount_flag {
	const char *name;
	unsigned long flag;
	bool clear;
};

/** struct oci_mount_attr - an option for the whole tree: MOUNT_ATTR_* to set and to clear */
struct oci_mount_attr {
	const char *name;
	uint64_t set;
	uint64_t clear;
};

extern const struct oci_mount_flag oci_mount_flags[]; /* sorted; end with a NULL name */
extern const struct oci_mount_attr oci_mount_attrs[]; /* sorted; end with a NULL name */
extern const char *const oci_mount_extras[];	      /* sorted; end with NULL */

/**
 * oci_mount_options_parse() - sort options by what to do with them
 * @arena:   memory for the data string
 * @options: as in config.json
 * @out:     filled on success
 *
 * Return: 0 or -ENOMEM.
 */
int oci_mount_options_parse(struct oci_arena *arena, const struct oci_strv *options,
			    struct oci_mount_options *out) __attribute__((warn_unused_result));

#endif /* OCI_MOUNT_OPTIONS_H */
