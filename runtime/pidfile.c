/* SPDX-License-Identifier: Apache-2.0 */
/* pidfile.c - tell callers the pid of a shim; see pidfile.h */
#include "pidfile.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/fdio.h"

int pidfile_write(const char *path, pid_t pid, struct vr_err *err)
{
	char text[16];
	int n, rc;

	if (!path) {
		return 0;
	}
	n = snprintf(text, sizeof(text), "%d", (int)pid);
	rc = vr_write_file_atomic(AT_FDCWD, path, text, (size_t)n, 0644);
	return rc < 0 ? vr_err_sys(err, rc, "write pid file '%s'", path) : 0;
}
