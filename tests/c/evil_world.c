/* SPDX-License-Identifier: Apache-2.0 */
/* evil_world.c - what a role that was taken over could reach for; see evil_role.h */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "evil_role.h"

#define VICTIM_PID_MIN 1000

struct evil_world evil_world;

/* Move a descriptor to its number. */
static int place(int fd, int number)
{
	if (fd < 0 || dup2(fd, number) < 0) {
		return -errno;
	}
	(void)close(fd); /* there is the copy */
	return 0;
}

static int open_tty(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	const char *name;

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) {
		return -1;
	}
	name = ptsname(master); /* the master stays open: the terminal goes with it */
	return name ? open(name, O_RDWR | O_NOCTTY) : -1;
}

int evil_world_leak_tcp(void)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < evil_n_attempts; i++) {
		rc = place(socket(AF_INET, SOCK_STREAM, 0), EVIL_TCP_FD + (int)i);
	}
	return rc;
}

int evil_world_leak(void)
{
	int rc = place(open("/", O_PATH | O_DIRECTORY), EVIL_ROOT_FD);

	rc = rc < 0 ? rc : place(open("/bin/busybox", O_RDONLY), EVIL_FILE_FD);
	rc = rc < 0 ? rc : place(socket(AF_UNIX, SOCK_DGRAM, 0), EVIL_UNIX_FD);
	rc = rc < 0 ? rc : place(open("/proc/self/ns/net", O_RDONLY), EVIL_NETNS_FD);
	return rc < 0 ? rc : place(open_tty(), EVIL_TTY_FD);
}

/* @dir: NULL: abstract. Datagram sockets have a "d" behind the name. */
static int listen_unix(int type, const char *dir)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0);
	size_t len;

	len = (size_t)snprintf(a.sun_path, sizeof(a.sun_path), "%s%s%s", dir ? dir : "@",
			       evil_world.name, type == SOCK_DGRAM ? "d" : ""); /* always fits */
	if (!dir) {
		a.sun_path[0] = '\0';
	}
	len += offsetof(struct sockaddr_un, sun_path) + (dir ? 1 : 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, (socklen_t)len) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 100) < 0)) {
		return -errno;
	}
	return 0;
}

static int listen_tcp(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 4000) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0) {
		return -errno;
	}
	evil_world.port = ntohs(a.sin_port);
	return 0;
}

static int listen_all(void)
{
	int rc = listen_tcp();

	(void)snprintf(evil_world.name, sizeof(evil_world.name), "volt-evil-role-%d",
		       (int)getpid()); /* always fits */
	rc = rc < 0 ? rc : listen_unix(SOCK_STREAM, NULL);
	rc = rc < 0 ? rc : listen_unix(SOCK_DGRAM, NULL);
	rc = rc < 0 ? rc : listen_unix(SOCK_STREAM, "/tmp/");
	return rc < 0 ? rc : listen_unix(SOCK_STREAM, "/tmp/rootfs/");
}

/* Ends by itself should the test be killed. */
static void be_victim(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* can't fail for a signal that there is */
	alarm(600);
	for (;;) {
		(void)pause();
	}
}

/*
 * Its number must not be one of a process in a young pid namespace: an attempt there would
 * find itself.
 */
static int make_victim(void)
{
	for (unsigned i = 0; i < 2 * VICTIM_PID_MIN; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			be_victim();
		}
		if (pid < 0) {
			return -errno;
		}
		evil_world.victim = pid;
		if (pid >= VICTIM_PID_MIN) {
			return 0;
		}
		evil_world_end();
	}
	return -EAGAIN;
}

int evil_world_make(void)
{
	int rc = listen_all();

	rc = rc < 0 ? rc : make_victim();
	return rc < 0 ? rc : evil_world_leak();
}

void evil_world_end(void)
{
	(void)kill(evil_world.victim, SIGKILL); /* our child, not reaped */
	(void)waitpid(evil_world.victim, NULL, 0);
}
