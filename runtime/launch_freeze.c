/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch_freeze.c - a read-only root, for the file server's process as well
 *
 * The guest makes its mount points in the root, so the file server starts with a writable mount of it.
 * When the container is ready, and nothing of it has run yet, that becomes a read-only one: from
 * outside, as the file server's process has given up all that it would take. What it can be made to
 * do later then doesn't matter: its kernel refuses.
 */
#include "launch_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/log.h"
#include "sandbox/mounts.h"
#include "sandbox/namespaces.h"
#include "sandbox/tree.h"

/* The guest closes the files that it made when it gets round to it. */
#define CLOSE_MS 5000
#define LOOK_MS	 5

static int make_readonly(void)
{
	uint64_t deadline = vr_now_ms() + CLOSE_MS;
	vr_autoclose int fd =
		open(SBX_FS_TREE_ROOTFS, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc;

	if (fd < 0) {
		return -errno;
	}
	while ((rc = sbx_mount_attr(fd, MOUNT_ATTR_RDONLY, 0, true)) == -EBUSY &&
	       vr_now_ms() < deadline) {
		(void)poll(NULL, 0, LOOK_MS);
	}
	return rc;
}

/* A process of its own: with the namespace come another root and current directory, that of the tree. */
static int visit(int ns_fd)
{
	struct vr_err ignored = VR_ERR_INIT;
	int status = 0;
	pid_t pid = fork();
	int rc;

	if (pid == 0) {
		/* One that shares its root with a thread, as of a sanitizer, can't enter. */
		rc = unshare(CLONE_FS) < 0 ? -errno : sbx_ns_join(ns_fd, CLONE_NEWNS, &ignored);
		_exit(rc < 0 ? -rc : -make_readonly());
	}
	if (pid < 0) {
		return -errno;
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return -errno;
		}
	}
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

int launch_freeze_root(const struct launch *l, struct vr_err *err)
{
	vr_autoclose int ns_fd = -1;
	char path[64];
	int rc;

	if (!l->spec->root->readonly) {
		return 0;
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)l->pid[ROLE_FS]); /* fits */
	ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	rc = ns_fd < 0 ? -errno : visit(ns_fd);
	if (rc == -EACCES || rc == -EPERM) {
		/* As in a container without CAP_SYS_PTRACE. The guest and the file server still refuse. */
		vr_warn("the host's kernel doesn't know that the root is read-only: %s",
			strerror(-rc));
		return 0;
	}
	return rc < 0 ? vr_err_sys(err, rc, "make the root read-only") : 0;
}
