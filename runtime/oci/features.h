/* SPDX-License-Identifier: Apache-2.0 */
/*
 * features.h - what this runtime knows, as JSON; and a template configuration
 *
 * Uses: json, names, mount_options. Used by: cmd_features, cmd_spec.
 */
#ifndef OCI_FEATURES_H
#define OCI_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/**
 * oci_features_json() - the document of `features`
 * @version:  this program's version
 * @commit:   its commit, or NULL
 * @out_text: malloc'd, ends with a newline
 */
int oci_features_json(const char *version, const char *commit, char **out_text, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * oci_template_json() - a config.json to start from, as `spec` writes it
 * @rootless: with a user namespace for the calling user, and without a network namespace
 * @out_text: malloc'd, ends with a newline
 */
int oci_template_json(bool rootless, char **out_text, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* OCI_FEATURES_H */
