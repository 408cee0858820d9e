/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm_user.h - who the vmm process is: option --vmm-user
 */
#ifndef VOLT_VMM_USER_H
#define VOLT_VMM_USER_H

#include "base/err.h"
#include "sandbox/sandbox.h"

/*
 * Ids that nobody gives out, so that each vmm is a user of its own: the systemd project's list of
 * ranges (docs/UIDS-GIDS.md there) has 0x70000000 to 0x7fffffff as unused.
 */
#define VMM_UID_FIRST 0x70000000u
#define VMM_UID_LAST  0x7fffffffu

/**
 * vmm_user_parse() - @text: "auto" (also NULL), "none", or a user id
 *
 * Return: 0; -EINVAL with @err.
 */
int vmm_user_parse(const char *text, struct sbx_user *out, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_VMM_USER_H */
