/* SPDX-License-Identifier: Apache-2.0 */
/*
 * farpage.c - farpage READY: create READY; on SIGUSR1 say so and read a page of itself
 *
 * The page is far from those in use, so it must come from the file server. With the server stopped
 * this is a process that can be killed in the middle of a read, and no other file is left whose
 * closing would wait for the server, too.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FAR (2u << 20)

static const volatile char here[2 * FAR] = {[0] = 1, [FAR] = 2, [2 * FAR - 1] = 3};

static void must(int rc, const char *what)
{
	if (rc < 0) {
		perror(what);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	sigset_t usr1;
	int sig;

	if (argc != 2) {
		fprintf(stderr, "usage: farpage READY\n");
		return 2;
	}
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	must(close(creat(argv[1], 0644)), argv[1]);
	if (sigwait(&usr1, &sig) != 0) {
		return 1;
	}
	must(write(STDOUT_FILENO, "reading\n", 8) == 8 ? 0 : -1, "write");
	return here[FAR] != 2;
}
