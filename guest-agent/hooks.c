/* SPDX-License-Identifier: Apache-2.0 */
/* hooks.c - startContainer hooks; see hooks.h */
#include "hooks.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "strv.h"
#include "sys.h"

static void hook_exec(const struct ap_hook *h, char **env, int in, int out)
	__attribute__((noreturn));
static void hook_exec(const struct ap_hook *h, char **env, int in, int out)
{
	char *own_args[] = {(char *)h->path, NULL};
	char **args = h->args.count ? strv_array(&h->args, 0) : own_args;

	env = h->env.count ? strv_array(&h->env, 0) : env;
	if (args && env && dup2(in, 0) == 0 &&
	    (out < 0 || (dup2(out, 1) == 1 && dup2(out, 2) == 2))) {
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

/* The end of what a hook said, as one line. */
static void last_words(int out, char *words, size_t cap)
{
	off_t size = out < 0 ? -1 : lseek(out, 0, SEEK_END);
	off_t from = size > (off_t)cap - 1 ? size - (off_t)cap + 1 : 0;
	ssize_t n = size > 0 ? pread(out, words, cap - 1, from) : 0;

	n = n > 0 ? n : 0;
	while (n > 0 && words[n - 1] == '\n') {
		n--;
	}
	words[n] = '\0';
	for (ssize_t i = 0; i < n; i++) {
		words[i] = (unsigned char)words[i] < ' ' ? ' ' : words[i];
	}
}

static int hook_run(const struct ap_hook *h, char **env, const char *state, size_t len, int out)
{
	int in = state_pipe(state, len);
	pid_t pid;

	if (in < 0) {
		return in;
	}
	pid = fork();
	if (pid == 0) {
		hook_exec(h, env, in, out);
	}
	close(in);
	return pid < 0 ? -errno : hook_wait(pid, h->timeout_s);
}

/* As runc words it: "signal: killed". */
static int failed(int status, unsigned index, const char *words, struct fail *f)
{
	char how[64];

	if (status < 0) {
		return fail_set(f, "hooks", status, "error running startContainer hook #%u", index);
	}
	if (WIFSIGNALED(status)) {
		snprintf(how, sizeof(how), "signal: %s", strsignal(WTERMSIG(status)));
		for (char *c = how; *c; c++) {
			*c = (char)tolower((unsigned char)*c);
		}
	} else {
		snprintf(how, sizeof(how), "exit status %d", WEXITSTATUS(status));
	}
	return fail_kind(f, AP_FAIL_SETUP, "hooks", -EIO,
			 "error running startContainer hook #%u: %s%s%s", index, how,
			 *words ? ": " : "", words);
}

int hooks_run(const struct ap_container *c, char **env, const char *state, size_t len,
	      struct fail *f)
{
	for (uint32_t i = 0; i < c->n_hooks; i++) {
		/* where the container's filter knows no memfd: without its words */
		int out = sys_rc(syscall(SYS_memfd_create, "hook-output", VA_MFD_CLOEXEC));
		int st = hook_run(&c->hooks[i], env, state, len, out);
		char words[256];

		last_words(out, words, sizeof(words));
		sys_close(&out);
		if (st) {
			return failed(st, i, words, f);
		}
	}
	return 0;
}
