/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container_hooks.h - hooks of a container's later life: poststart and poststop
 *
 * Those of its creation are launch's, startContainer's are the guest's.
 *
 * Uses: base, oci. Used by: container.
 */
#ifndef VOLT_CONTAINER_HOOKS_H
#define VOLT_CONTAINER_HOOKS_H

#include "base/err.h"
#include "oci/spec.h"
#include "oci/state.h"

/**
 * container_hooks_load() - the configuration that a container was made from
 *
 * Return: NULL when it has no hooks, or when there is no configuration (any more)
 * because its creation or removal was cut short.
 */
struct oci_spec *container_hooks_load(const struct oci_container *dir);

/** container_hooks_state() - state for the guest's startContainer hooks; malloc'd, NULL without any */
int container_hooks_state(const struct oci_spec *spec, const struct oci_state *s, char **out_text,
			  struct vr_err *err) __attribute__((warn_unused_result));

/** container_poststart() - stops at the first failure; @spec may be NULL */
int container_poststart(const struct oci_spec *spec, const struct oci_state *s, struct vr_err *err)
	__attribute__((warn_unused_result));

/** container_poststop() - runs all of them; failures are logged; @spec may be NULL */
void container_poststop(const struct oci_spec *spec, const struct oci_state *s);

#endif /* VOLT_CONTAINER_HOOKS_H */
