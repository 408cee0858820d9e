/* SPDX-License-Identifier: Apache-2.0 */
/* hooks.c - startContainer hooks; see hooks.h */
#include "hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "strv.h"
#include "sys.h"

static void hook_exec(const struct ap_hook *h, int in) __attribute__((noreturn));
static void hook_exec(const struct ap_hook *h, int in)
{
	char *own_args[] = {(char *)h->path, NULL};
	char **args = h->args.count ? strv_array(&h->args, 0) : own_args;
	char **env = strv_array(&h->env, 0);

	if (args && env && dup2(in, 0) == 0) {
		(void)sys_close_range(3, UINT_MAX); /* passed descriptors are for the workload */
		execve(h->path, args, env);
	}
	_exit(errno == ENOENT ? 127 : 126);
}

/* Wait for @pid at most @timeout_s seconds (0: for ever). Return: wait status, or -errno */
static int hook_wait(pid_t pid, uint32_t timeout_s)
{
	struct pollfd p = {.fd = sys_rc(syscall(SYS_pidfd_open, pid, 0)), .events = POLLIN};
	int ms = timeout_s == 0 || timeout_s > 86400 ? -1 : (int)timeout_s * 1000;
	bool late = p.fd >= 0 && poll(&p, 1, ms) == 0;
	int status = 0;

	if (late) {
		kill(pid, SIGKILL);
	}
	sys_close(&p.fd);
	if (waitpid(pid, &status, 0) < 0) {
		return -errno;
	}
	return late ? -ETIMEDOUT : status;
}

/* The state is small enough for a pipe; a hook that doesn't read it doesn't stop us. */
static int state_pipe(const char *state, size_t len)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0) {
		return -errno;
	}
	(void)!write(p[1], state, len); /* cut if larger than a pipe: hooks parse what they get */
	close(p[1]);
	(void)fcntl(p[0], F_SETFL, 0);
	return p[0];
}

static int hook_run(const struct ap_hook *h, const char *state, size_t len)
{
	int in = state_pipe(state, len);
	pid_t pid;

	if (in < 0) {
		return in;
	}
	pid = fork();
	if (pid == 0) {
		hook_exec(h, in);
	}
	close(in);
	return pid < 0 ? -errno : hook_wait(pid, h->timeout_s);
}

int hooks_run(const struct ap_container *c, const char *state, size_t len, struct fail *f)
{
	for (uint32_t i = 0; i < c->n_hooks; i++) {
		int st = hook_run(&c->hooks[i], state, len);

		if (st < 0) {
			return fail_set(f, "hooks", st, "error running startContainer hook #%u", i);
		}
		if (WIFSIGNALED(st)) {
			return fail_kind(f, AP_FAIL_SETUP, "hooks", -EIO,
					 "error running startContainer hook #%u: signal: %d", i,
					 WTERMSIG(st));
		}
		if (WEXITSTATUS(st)) {
			return fail_kind(f, AP_FAIL_SETUP, "hooks", -EIO,
					 "error running startContainer hook #%u: exit status %d", i,
					 WEXITSTATUS(st));
		}
	}
	return 0;
}
