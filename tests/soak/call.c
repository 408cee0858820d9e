/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - one call of the runtime, and what it answered; see soak.h */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "soak.h"

#define DEADLINE_MS 300000

extern char **environ;

uint64_t call_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void slurp(const char *path, char *buf)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, TEXT_MAX - 1);

	buf[n > 0 ? n : 0] = '\0';
	if (fd >= 0) {
		(void)close(fd);
	}
}

static int start(const struct call *c, const char *out, const char *log, pid_t *pid)
{
	const char *argv[24] = {c->volt, "--root", c->root, "--log", log, "--log-format", "json"};
	posix_spawn_file_actions_t fa;
	size_t n = 7;
	int rc;

	for (size_t i = 0; c->args[i]; i++) {
		argv[n++] = c->args[i];
	}
	(void)unlink(log);
	(void)posix_spawn_file_actions_init(&fa);
	(void)posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(&fa, 1, c->silent ? "/dev/null" : out,
					       O_WRONLY | O_CREAT | O_TRUNC, 0600);
	(void)posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
	rc = posix_spawn(pid, c->volt, &fa, NULL, (char *const *)argv, environ);
	(void)posix_spawn_file_actions_destroy(&fa);
	return -rc;
}

/* Return: exit status, or as struct answer says. */
static int finish(pid_t pid, int kill_ms)
{
	struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	int status = 0;
	int rc = poll(&p, 1, kill_ms > 0 ? kill_ms : DEADLINE_MS);

	if (rc == 0) {
		(void)kill(pid, SIGKILL);
	}
	(void)close(p.fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	if (rc == 0 && kill_ms == 0) {
		return -2;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int call_run(const struct call *c, struct answer *out)
{
	char stdout_path[256];
	char log_path[256];
	pid_t pid;
	int rc;

	(void)snprintf(stdout_path, sizeof(stdout_path), "%s/out.%u", c->work, c->caller);
	(void)snprintf(log_path, sizeof(log_path), "%s/log.%u", c->work, c->caller);
	*out = (struct answer){.begin = call_now()};
	rc = start(c, stdout_path, log_path, &pid);
	if (rc < 0) {
		return rc;
	}
	out->status = finish(pid, c->kill_ms);
	out->end = call_now();
	slurp(log_path, out->log);
	if (!c->silent) {
		slurp(stdout_path, out->out);
	}
	return 0;
}
