/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_check.h - rules about the meaning of configuration values
 *
 * The rules of one object are in its section (the finish functions of
 * spec_*.c); here is what several sections share, and the rules across sections.
 *
 * Uses: base, json, spec. Used by: spec_*.c, cmd_* for values from options.
 */
#ifndef OCI_SPEC_CHECK_H
#define OCI_SPEC_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/schema.h"
#include "oci/spec.h"

/** OCI_CPULIST_MAX - CPU numbers are below this */
#define OCI_CPULIST_MAX 8192

/**
 * oci_cpulist_parse() - a list like "0-3,7" into a bitmap
 * @s:       the list; NULL and "" are the empty list
 * @bits:    bitmap, cleared first; NULL checks only the syntax
 * @n_words: its length
 *
 * Return: the number of CPUs, -EINVAL for bad syntax, or -ERANGE for a number
 * beyond the bitmap (or OCI_CPULIST_MAX).
 */
int oci_cpulist_parse(const char *s, uint64_t *bits, size_t n_words)
	__attribute__((warn_unused_result));

/** oci_check_cpulist() - fail with the place of @key unless @s is a CPU or node list (or NULL) */
int oci_check_cpulist(struct vr_err *err, const struct json *obj, const char *key, const char *s)
	__attribute__((warn_unused_result));

/**
 * oci_sysctl_path() - path below /proc/sys of a sysctl name
 * @name: dots or slashes between parts; the first one met decides which
 * @out:  destination
 * @cap:  its size
 *
 * As sysctl(8): when dots separate, a slash stands for a dot inside a part.
 *
 * Return: 0, or -EINVAL when the name is empty, has an empty part, a part "."
 * or "..", an odd character, or is too long.
 */
int oci_sysctl_path(const char *name, char *out, size_t cap) __attribute__((warn_unused_result));

/** oci_check_version() - 0 when @version is a semantic version of major number 1, else -EINVAL */
int oci_check_version(const char *version) __attribute__((warn_unused_result));

/**
 * oci_spec_check() - rules across the sections of a whole config.json
 * @l:    loader, for error and warnings
 * @j:    the root
 * @spec: all sections loaded
 */
int oci_spec_check(struct oci_loader *l, const struct json *j, struct oci_spec *spec)
	__attribute__((warn_unused_result));

/** oci_check_absolute_paths() - fail at the first string of member @key that is not absolute */
int oci_check_absolute_paths(struct oci_loader *l, const struct json *obj, const char *key,
			     const struct oci_strv *paths) __attribute__((warn_unused_result));

#endif /* OCI_SPEC_CHECK_H */
