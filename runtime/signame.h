/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signame.h - signals by name or number, as people and engines write them
 */
#ifndef VOLT_SIGNAME_H
#define VOLT_SIGNAME_H

#include <stdint.h>

#include "base/err.h"

/**
 * signame_parse() - "9", "KILL", "SIGKILL", "sigkill", "RTMIN+3", "RTMAX-1"
 *
 * Real-time signals count from 34, as the guest's C libraries do. 0 probes.
 *
 * Return: 0, or -EINVAL with @err.
 */
int signame_parse(const char *s, uint32_t *out, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_SIGNAME_H */
