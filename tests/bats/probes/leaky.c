/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leaky.c - leaky FILE COMMAND...: run COMMAND with descriptors that aren't its own, left open
 *
 * A pair of sockets, a pipe, a memfd and an event counter, at numbers that a program could take for its own
 * and at high ones. FILE has a line for each, as /proc/PID/fd shows them. Event counters have all the same
 * name there; this one's value, 0x7e57ed, is in its /proc/PID/fdinfo.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT 0x7e57ed
#define HIGH  500

static int must(int rc, const char *what)
{
	if (rc < 0) {
		perror(what);
		exit(125);
	}
	return rc;
}

/* Write what the descriptor is, and leave it open at a high number, too. */
static void leak(FILE *out, int fd)
{
	char link[64];
	char name[256];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = must((int)readlink(link, name, sizeof(name) - 1), link);
	fprintf(out, "%.*s\n", (int)n, name);
	must(fcntl(fd, F_DUPFD, HIGH), "duplicate");
}

int main(int argc, char **argv)
{
	int pair[2];
	FILE *out;

	if (argc < 3) {
		fprintf(stderr, "usage: leaky FILE COMMAND...\n");
		return 125;
	}
	out = fopen(argv[1], "we");
	must(out ? 0 : -1, argv[1]);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	leak(out, pair[0]);
	leak(out, pair[1]);
	must(pipe(pair), "pipe");
	leak(out, pair[0]);
	leak(out, must(memfd_create("leaked", 0), "memfd_create"));
	must(fcntl(must(eventfd(COUNT, 0), "eventfd"), F_DUPFD, HIGH), "duplicate");
	must(fclose(out), argv[1]);
	execvp(argv[2], argv + 2);
	must(-1, argv[2]);
}
