/* SPDX-License-Identifier: Apache-2.0 */
/* passfds.c - descriptors that a caller wants its process to inherit; see passfds.h */
#include "passfds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_FD 3

static const char *kind_of_socket(int fd)
{
	socklen_t len = sizeof(int);
	int listening = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening) {
		return "a listening socket";
	}
	return "a socket";
}

static const char *kind_of(int fd, const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return "a file";
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a pipe";
	case S_IFSOCK:
		return kind_of_socket(fd);
	case S_IFCHR:
	case S_IFBLK:
		return "a device";
	default:
		return "an object of the kernel";
	}
}

static int refuse(int fd, const char *why, struct vr_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		return vr_err_set(err, EBADF, "%s: descriptor %d is not open", why, fd);
	}
	return vr_err_set(err, ENOTSUP,
			  "%s: descriptor %d is %s of the host, which can't be passed into a "
			  "microVM; use a bind mount or the standard streams",
			  why, fd, kind_of(fd, &st));
}

static int listen_check(struct vr_err *err)
{
	const char *pid = getenv("LISTEN_PID");
	const char *n = getenv("LISTEN_FDS");
	long value;
	char *end;

	if (!n || !pid || strtol(pid, NULL, 10) != (long)getpid()) {
		return 0; /* meant for somebody else */
	}
	value = strtol(n, &end, 10);
	if (end == n || *end != '\0' || value < 0) {
		return vr_err_set(err, EINVAL, "LISTEN_FDS: '%.40s' is not a number", n);
	}
	return value > 0 ? refuse(FIRST_FD, "LISTEN_FDS", err) : 0;
}

int passfds_check(unsigned preserve, struct vr_err *err)
{
	return preserve > 0 ? refuse(FIRST_FD, "option '--preserve-fds'", err) : listen_check(err);
}
