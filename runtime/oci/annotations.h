/* SPDX-License-Identifier: Apache-2.0 */
/*
 * annotations.h - settings of ours among a container's annotations
 *
 * One table has each name, its kind, bounds and default. Names that start with
 * "dev.volt." and are not in it are refused, so that a typing error is not a
 * silent default. Only config.json is read for them, never the image's files.
 *
 * Uses: base, spec. Used by: launch, features.
 */
#ifndef OCI_ANNOTATIONS_H
#define OCI_ANNOTATIONS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/types.h"

#define OCI_ANNOTATION_PREFIX "dev.volt."

enum oci_vhost {
	OCI_VHOST_OFF,
	OCI_VHOST_AUTO, /* if the host has it */
	OCI_VHOST_ON,	/* or fail */
};

enum oci_rootfs_mode {
	OCI_ROOTFS_SHARE, /* served by the file server */
	OCI_ROOTFS_IMAGE, /* packed into an image before the boot */
};

/**
 * struct oci_settings - what the annotations say
 * @rootfs:       dev.volt.rootfs = share | image; default share
 * @memory_mib:   dev.volt.memory, MiB of guest RAM; unset: from the memory limit
 * @vcpus:        dev.volt.vcpus; unset: from the CPU limits
 * @net_vhost:    dev.volt.net.vhost = off | auto | on; default off
 * @net_egress:   dev.volt.net.egress, unparsed; NULL: everything; borrowed from the annotations
 */
struct oci_settings {
	enum oci_rootfs_mode rootfs;
	struct oci_opt_u32 memory_mib;
	struct oci_opt_u32 vcpus;
	uint32_t boot_timeout_s; /* always set */
	const char *net_egress;
	enum oci_vhost net_vhost;
};

#define OCI_MEMORY_MIB_MIN     64u
#define OCI_MEMORY_MIB_MAX     (1024u * 1024u)
#define OCI_VCPUS_MAX	       64u
#define OCI_BOOT_TIMEOUT_S     180u /* many guests may boot at once on a slow host */
#define OCI_BOOT_TIMEOUT_S_MAX 3600u

/** struct oci_annotation - one line of the table; @values is for people */
struct oci_annotation {
	const char *name;
	const char *values;
	const char *fallback;
	const char *meaning;
};

/** oci_annotations_table() - all names, @out_n of them */
const struct oci_annotation *oci_annotations_table(size_t *out_n);

/**
 * oci_settings_parse() - read the settings
 * @name:        the file, for messages
 * @annotations: all annotations of the container
 * @out:         settings, with the defaults for what is not there
 * @err:         filled on failure
 *
 * Return: 0, or -EINVAL for an unknown name or a bad value.
 */
int oci_settings_parse(const char *name, const struct oci_kvs *annotations,
		       struct oci_settings *out, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* OCI_ANNOTATIONS_H */
