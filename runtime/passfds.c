/* SPDX-License-Identifier: Apache-2.0 */
/* passfds.c - descriptors that a caller wants its process to inherit; see passfds.h */
#include "passfds.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "stream.h"

#define FIRST_FD 3

static int socket_option(int fd, int option)
{
	socklen_t len = sizeof(int);
	int value = 0;

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

static const char *kind_of(const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return "a file";
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a pipe for both directions";
	case S_IFSOCK:
		return "a socket that is no connected or listening stream";
	case S_IFCHR:
	case S_IFBLK:
		return "a device";
	default:
		return "an object of the kernel";
	}
}

/* Return: AP_FD_LISTEN(), 0 for a family that has no loopback */
static uint32_t listening_kind(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage room;
	} at = {.any = {.sa_family = AF_UNSPEC}};
	socklen_t len = sizeof(at);

	if (getsockname(fd, &at.any, &len) < 0) {
		return 0;
	}
	switch (at.any.sa_family) {
	case AF_UNIX:
		return AP_FD_LISTEN(0, 0);
	case AF_INET:
		return AP_FD_LISTEN(4, ntohs(at.in.sin_port));
	case AF_INET6:
		return AP_FD_LISTEN(6, ntohs(at.in6.sin6_port));
	default:
		return 0;
	}
}

static uint32_t socket_kind(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	if (socket_option(fd, SO_TYPE) != SOCK_STREAM) {
		return 0;
	}
	if (socket_option(fd, SO_ACCEPTCONN) == 1) {
		return listening_kind(fd);
	}
	return getpeername(fd, (struct sockaddr *)&peer, &len) == 0 ? AP_FD_BOTH : 0;
}

static bool is_null(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

void passfds_leave_null(const int stdio[3], struct ap_process *plan)
{
	struct stat st;

	for (unsigned i = 0; !(plan->flags & AP_P_TTY) && i < 3; i++) {
		if (fstat(stdio[i], &st) == 0 && is_null(&st)) {
			plan->stdio &= ~(1u << i);
		}
	}
}

/* Return: enum ap_fd or AP_FD_LISTEN(), 0 for what can't be passed */
static uint32_t pass_kind(int fd, const struct stat *st, int flags)
{
	if (S_ISFIFO(st->st_mode)) {
		return (flags & O_ACCMODE) == O_RDONLY	 ? AP_FD_IN
		       : (flags & O_ACCMODE) == O_WRONLY ? AP_FD_OUT
							 : 0;
	}
	if (is_null(st)) {
		return AP_FD_NULL;
	}
	return S_ISSOCK(st->st_mode) ? socket_kind(fd) : 0;
}

/* What is closed on exec wasn't inherited: it is ours. */
static bool is_inherited(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags >= 0 && !(flags & FD_CLOEXEC);
}

static int take_one(int fd, const char *why, struct passfds *out, struct vr_err *err)
{
	uint32_t i = out->n;
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (!is_inherited(fd) || flags < 0 || fstat(fd, &st) < 0) {
		return vr_err_set(err, EBADF, "%s: preserved-fd %d: descriptor %d is not open", why,
				  fd - FIRST_FD, fd);
	}
	out->kind[i] = pass_kind(fd, &st, flags);
	if (out->kind[i] == 0) {
		return vr_err_set(
			err, ENOTSUP,
			"%s: descriptor %d is %s of the host, which can't be passed into a "
			"microVM; pipes and stream sockets can, files as bind mounts",
			why, fd, kind_of(&st));
	}
	out->rfd[i] = passfds_reads(out->kind[i]) ? fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD) : -1;
	out->wfd[i] = passfds_writes(out->kind[i]) ? fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD) : -1;
	out->n++;
	if ((passfds_reads(out->kind[i]) && out->rfd[i] < 0) ||
	    (passfds_writes(out->kind[i]) && out->wfd[i] < 0)) {
		return vr_err_sys(err, errno, "%s: duplicate descriptor %d", why, fd);
	}
	if (S_ISFIFO(st.st_mode)) {
		out->rfd[i] = out->rfd[i] < 0 ? -1 : stream_reopen_fd(out->rfd[i]);
		out->wfd[i] = out->wfd[i] < 0 ? -1 : stream_reopen_fd(out->wfd[i]);
	}
	return 0;
}

/* Return: number of descriptors of socket activation, or -EINVAL */
static int listen_count(struct vr_err *err)
{
	const char *pid = getenv("LISTEN_PID");
	const char *n = getenv("LISTEN_FDS");
	long value;
	char *end;
	int open = 0;

	if (!n || (pid && strtol(pid, NULL, 10) != (long)getpid())) {
		return 0; /* meant for somebody else; without a pid, as crun takes it, for us */
	}
	value = strtol(n, &end, 10);
	if (end == n || *end != '\0' || value < 0) {
		return vr_err_set(err, EINVAL, "LISTEN_FDS: '%.40s' is not a number", n);
	}
	value = VR_MIN(value, (long)AP_MAX_FDS + 1);
	while (!pid && open < value && is_inherited(FIRST_FD + open)) {
		open++;
	}
	return pid ? (int)value : open; /* nobody said that they are for us: there may be none */
}

int passfds_take(unsigned preserve, bool activation, struct passfds *out, struct vr_err *err)
{
	static const char option[] = "option '--preserve-fds'";
	int n_listen = activation ? listen_count(err) : 0;
	int rc = 0;

	*out = (struct passfds){0};
	if (n_listen < 0) {
		return n_listen;
	}
	if (preserve > AP_MAX_FDS || (unsigned)n_listen + preserve > AP_MAX_FDS) {
		return vr_err_set(err, E2BIG, "%s: at most %u descriptors can be passed",
				  preserve > 0 ? option : "LISTEN_FDS", AP_MAX_FDS);
	}
	out->n_listen = (uint32_t)n_listen;
	for (unsigned i = 0; rc == 0 && i < (unsigned)n_listen + preserve; i++) {
		rc = take_one(FIRST_FD + (int)i, i < (unsigned)n_listen ? "LISTEN_FDS" : option,
			      out, err);
	}
	if (rc < 0) {
		passfds_close(out);
		return rc;
	}
	for (uint32_t i = 0; i < out->n; i++) {
		(void)close(FIRST_FD + (int)i);
	}
	return 0;
}

void passfds_close(struct passfds *p)
{
	for (uint32_t i = 0; i < p->n; i++) {
		vr_close_reset(&p->rfd[i]);
		vr_close_reset(&p->wfd[i]);
	}
	p->n = 0;
}

void passfds_plan(const struct passfds *p, struct ap_process *out)
{
	out->n_fds = p->n;
	memcpy(out->fds, p->kind, p->n * sizeof(out->fds[0]));
}

size_t passfds_env(const struct passfds *p, const char *out[PASSFDS_ENV_MAX])
{
	static char fds[32];

	if (p->n_listen == 0) {
		return 0;
	}
	(void)snprintf(fds, sizeof(fds), "LISTEN_FDS=%u", p->n_listen); /* two digits at most */
	out[0] = fds;
	out[1] = "LISTEN_PID=1";
	return PASSFDS_ENV_MAX;
}

size_t passfds_list(const struct passfds *p, int out[2 * AP_MAX_FDS])
{
	size_t n = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		if (p->rfd[i] >= 0) {
			out[n++] = p->rfd[i];
		}
		if (p->wfd[i] >= 0) {
			out[n++] = p->wfd[i];
		}
	}
	return n;
}
