/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope_props.h - limits and annotations as properties of a systemd unit
 *
 * Uses: base, oci, sandbox/cgroup.h. Used by: scope.
 */
#ifndef VOLT_SCOPE_PROPS_H
#define VOLT_SCOPE_PROPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/types.h"
#include "sandbox/cgroup.h"

#define SCOPE_PROPS_MAX	     64u
#define SCOPE_PROP_BYTES_MAX 1024u /* CPU numbers below 8192 */

/**
 * struct scope_prop - one property
 * @type: D-Bus signature: "b", "i", "u", "x", "t", "s", "ay"
 * @num:  of numbers and truth values
 * @text: of "s"; NUL-terminated, owned by the list
 * @len:  of "ay", in @text
 */
struct scope_prop {
	char name[64];
	char type[3];
	uint64_t num;
	char *text;
	size_t len;
};

struct scope_props {
	struct scope_prop v[SCOPE_PROPS_MAX];
	size_t n;
};

/**
 * scope_props_limits() - append what @limits sets
 * @v2: the machine has cgroup v2; names of properties differ
 *
 * Return: 0 or a negative errno value with @err.
 */
int scope_props_limits(const struct sbx_cgroup_limits *limits, bool v2, struct scope_props *p,
		       struct vr_err *err) __attribute__((warn_unused_result));

/**
 * scope_props_annotations() - append org.systemd.property.NAME annotations
 *
 * Values as GVariant writes them: 'text', true, 5, int64 5, uint32 5, uint64 5. A NAME that ends
 * in "Sec" becomes "...USec", its value microseconds.
 *
 * Return: 0, or -EINVAL with @err for a value that is of none of these forms.
 */
int scope_props_annotations(const struct oci_kvs *annotations, struct scope_props *p,
			    struct vr_err *err) __attribute__((warn_unused_result));

/** scope_props_finish() - free what they own */
void scope_props_finish(struct scope_props *p);

#endif /* VOLT_SCOPE_PROPS_H */
