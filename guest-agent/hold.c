/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold.c - see hold.h
 *
 * The server answers in the order of the requests, and a statfs(2) is always asked. The first one
 * comes back after all reads; the end of a read may be what sends its file's release, so a second
 * one comes back after those. The third covers a kernel that had more requests than it sends at
 * once (MAX_BACKGROUND of the server).
 */
#include "hold.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/vfs.h>

#include "layout.h"
#include "sys.h"

#define ROUNDS 3

int hold_mounts(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	return sys_rc(open(path, O_RDONLY | O_CLOEXEC));
}

void hold_release(int *fd)
{
	struct statfs ignored;

	if (*fd < 0) {
		return;
	}
	for (int i = 0; i < ROUNDS; i++) {
		(void)statfs(LAYOUT_SHARE, &ignored); /* for the time it takes */
	}
	sys_close(fd);
}
