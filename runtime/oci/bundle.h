/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle.h - the bundle directory and the rootfs in it
 *
 * The paths are the caller's, so they are followed as he wrote them; what is
 * inside the rootfs is hostile, so after this point it is only reached through
 * the descriptor opened here.
 *
 * Uses: base. Used by: launch, cmd_*.
 */
#ifndef OCI_BUNDLE_H
#define OCI_BUNDLE_H

#include "base/err.h"
#include "oci/spec.h"

/**
 * struct oci_bundle - an open bundle
 * @fd:   O_PATH descriptor of the directory
 * @path: its absolute path without symbolic links; valid UTF-8, as the state shows it
 */
struct oci_bundle {
	int fd;
	char *path;
};

#define OCI_BUNDLE_INIT                                                                            \
	{                                                                                          \
		.fd = -1, .path = NULL                                                             \
	}

/**
 * oci_bundle_open() - open a bundle
 * @path: directory; NULL or "" is the current one
 * @out:  to be ended with oci_bundle_close(); untouched on failure
 */
int oci_bundle_open(const char *path, struct oci_bundle *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/** oci_bundle_close() - close and free; a second call does nothing */
void oci_bundle_close(struct oci_bundle *b);

/**
 * oci_bundle_spec() - load the bundle's configuration
 * @config:   file, relative to the current directory; NULL is config.json in the bundle
 * @out_text: what it was made from, to be freed: a second look at the file could find another
 * @out_len:  bytes of it
 */
int oci_bundle_spec(const struct oci_bundle *b, const char *config, struct oci_spec **out_spec,
		    char **out_text, size_t *out_len, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * oci_bundle_rootfs() - open the root filesystem
 * @b:        the bundle
 * @root:     root of config.json; its path may be absolute or relative to the bundle
 * @out_fd:   O_PATH|O_DIRECTORY descriptor
 * @out_path: malloc'd absolute path
 */
int oci_bundle_rootfs(const struct oci_bundle *b, const struct oci_root *root, int *out_fd,
		      char **out_path, struct vr_err *err) __attribute__((warn_unused_result));

/**
 * oci_bundle_source() - O_PATH descriptor of a bind mount's source
 * @source: absolute, or relative to the bundle
 */
int oci_bundle_source(const struct oci_bundle *b, const char *source, int *out_fd,
		      struct vr_err *err) __attribute__((warn_unused_result));

#endif /* OCI_BUNDLE_H */
