/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_plan_internal.h - shared by the files that compile config.json for the guest
 */
#ifndef VOLT_GUEST_PLAN_INTERNAL_H
#define VOLT_GUEST_PLAN_INTERNAL_H

#include "guest_plan.h"

/** guest_plan_keep() - own a malloc'd string until guest_plan_finish(). Return: @text or NULL */
char *guest_plan_keep(struct guest_plan *plan, char *text);

/** guest_plan_mounts() - config.json's mounts, in their order, and the shares they need */
int guest_plan_mounts(const struct oci_spec *spec, struct guest_plan *plan, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_GUEST_PLAN_INTERNAL_H */
