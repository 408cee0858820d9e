/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pidfile.h - tell callers the pid of a shim
 *
 * Uses: base. Used by: launch, exec.
 */
#ifndef VOLT_PIDFILE_H
#define VOLT_PIDFILE_H

#include <sys/types.h>

#include "base/err.h"

/**
 * pidfile_write() - replace the file: decimal digits and nothing else, strict readers exist
 * @path: NULL is allowed and writes nothing
 */
int pidfile_write(const char *path, pid_t pid, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_PIDFILE_H */
