/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storm.c - takes as much of one thing as it gets
 *
 *   storm fork     processes, until there are no more; prints how many
 *   storm hog      memory, until it is killed
 *   storm files D  open files beneath D, in several processes, until there are no more; prints how many
 *   storm ticks N P  timer interrupts, N of them in each of P processes at once
 *   storm log N    lines of the kernel's log, N of them
 *
 * Runs in a container.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCS_MAX  4096
#define FILE_PROCS 2
#define CHUNK	   (1u << 20)

static int storm_fork(void)
{
	static pid_t child[PROCS_MAX];
	int n = 0;

	while (n < PROCS_MAX) {
		child[n] = fork();
		if (child[n] == 0) {
			pause();
			_exit(0);
		}
		if (child[n] < 0) {
			break;
		}
		n++;
	}
	printf("%d\n", n);
	for (int i = 0; i < n; i++) {
		kill(child[i], SIGKILL);
		waitpid(child[i], NULL, 0);
	}
	return 0;
}

static _Noreturn void storm_hog(void)
{
	for (;;) {
		char *p = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

		if (p != MAP_FAILED) {
			memset(p, 1, CHUNK);
		}
	}
}

/* Files of one process. Return: how many it got, at most 255 times 16. */
static int files_of(const char *dir, int who)
{
	char path[256];
	int n = 0;

	for (;;) {
		snprintf(path, sizeof(path), "%s/%d.%d", dir, who, n);
		if (open(path, O_RDWR | O_CREAT, 0600) < 0) {
			break;
		}
		n++;
	}
	return n / 16 > 255 ? 255 : n / 16;
}

static int storm_files(const char *dir)
{
	int sum = 0;

	for (int i = 0; i < FILE_PROCS; i++) {
		if (fork() == 0) {
			_exit(files_of(dir, i));
		}
	}
	for (int i = 0; i < FILE_PROCS; i++) {
		int status;

		wait(&status);
		sum += WEXITSTATUS(status) * 16;
	}
	printf("%d\n", sum);
	return 0;
}

static int ticks(uint64_t want)
{
	const struct itimerspec every = {{0, 20000}, {0, 20000}};
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t ticks;

	if (fd < 0 || timerfd_settime(fd, 0, &every, NULL) < 0) {
		return 1;
	}
	for (uint64_t n = 0; n < want; n += ticks) {
		if (read(fd, &ticks, sizeof(ticks)) != sizeof(ticks)) {
			return 1;
		}
	}
	return 0;
}

static int storm_ticks(uint64_t want, int n_procs)
{
	int failed = 0;

	for (int i = 0; i < n_procs; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			_exit(ticks(want));
		}
		failed += pid < 0;
	}
	for (int status; wait(&status) > 0;) {
		failed += status != 0;
	}
	return failed > 0;
}

static int storm_log(long want)
{
	int fd = open("/dev/kmsg", O_WRONLY);
	char line[900];

	if (fd < 0) {
		perror("/dev/kmsg");
		return 1;
	}
	memset(line, 'x', sizeof(line));
	memcpy(line, "<0>storm ", 9);
	line[sizeof(line) - 1] = '\n';
	for (long i = 0; i < want; i++) {
		if (write(fd, line, sizeof(line)) < 0 && errno != EAGAIN) {
			perror("write");
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	const char *arg = argc > 2 ? argv[2] : "0";

	if (strcmp(what, "fork") == 0) {
		return storm_fork();
	}
	if (strcmp(what, "hog") == 0) {
		storm_hog();
	}
	if (strcmp(what, "files") == 0) {
		return storm_files(arg);
	}
	if (strcmp(what, "ticks") == 0) {
		return storm_ticks(strtoull(arg, NULL, 10), argc > 3 ? atoi(argv[3]) : 1);
	}
	if (strcmp(what, "log") == 0) {
		return storm_log(atol(arg));
	}
	return 2;
}
