/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks.c - run the caller's hooks; see hooks.h
 *
 * How this works: state and output travel in memfds rather than in pipes. A
 * hook may then ignore its input, print any amount, or leave a background
 * process behind, and we neither block nor get a SIGPIPE. A close-on-exec pipe
 * tells whether execve worked. The hook leads a process group of its own, which
 * is what a timeout kills.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "oci/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"

#define WORDS_SHOWN 300 /* bytes of a failed hook's output in the message */
#define LOOK_MS	    100 /* is it to be given up? A signal just before poll() wouldn't wake it */

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/** enum step - what a child that could not run the hook was doing; sent through the pipe */
enum step {
	STEP_NAMESPACE,
	STEP_STDIO,
	STEP_CWD,
	STEP_EXEC
};

static const char *const step_names[] = {"join namespace", "set up stdio", "change directory",
					 "exec"};

struct child_failure {
	int step;
	int code;
};

static void __attribute__((noreturn)) child_fail(int pipe_fd, enum step step)
{
	struct child_failure f = {.step = step, .code = errno};

	(void)!write(pipe_fd, &f, sizeof(f)); /* the exit status says enough without it */
	_exit(127);
}

/* Signals as a program expects them. */
static void child_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++) {
		(void)signal(sig, SIG_DFL); /* KILL and STOP refuse; that's fine */
	}
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child_stdio(int in_fd, int out_fd, int pipe_fd)
{
	if (dup2(in_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0 ||
	    dup2(out_fd, STDERR_FILENO) < 0) {
		child_fail(pipe_fd, STEP_STDIO);
	}
	/* The rest goes away with execve; old kernels rely on each fd's own flag. */
	(void)syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
}

static void __attribute__((noreturn))
child_main(const struct oci_hook_run *run, const struct oci_hook *h, int in_fd, int out_fd,
	   int pipe_fd)
{
	const char *just_path[] = {h->path, NULL};
	const char **argv = h->args.n > 0 ? h->args.v : just_path;
	/* Without a list it has ours, as with runc and crun; an empty list is one. */
	char *const *envp = h->env.v ? (char *const *)(uintptr_t)h->env.v : environ;

	child_signals();
	(void)setpgid(0, 0); /* a fresh child is no leader yet: can't fail */
	for (size_t i = 0; i < run->n_ns_fds; i++) {
		if (setns(run->ns_fds[i], 0) < 0) {
			child_fail(pipe_fd, STEP_NAMESPACE);
		}
	}
	if (run->cwd && chdir(run->cwd) < 0) {
		child_fail(pipe_fd, STEP_CWD);
	}
	child_stdio(in_fd, out_fd, pipe_fd);
	/* execve promises not to write to them; its prototype is older than const. */
	(void)execve(h->path, (char *const *)(uintptr_t)argv, envp);
	child_fail(pipe_fd, STEP_EXEC);
}

static int state_memfd(const struct oci_hook_run *run)
{
	vr_autoclose int fd = vr_memfd("hook-state", 0, 0);
	int r;

	if (fd < 0) {
		return fd;
	}
	r = vr_write_full(fd, run->state, run->state_len);
	if (r < 0) {
		return r;
	}
	if (lseek(fd, 0, SEEK_SET) < 0) {
		return -errno;
	}
	return vr_take_fd(&fd);
}

/* The end of what the hook printed, as one line. */
static void last_words(int out_fd, char *words, size_t cap)
{
	off_t size = lseek(out_fd, 0, SEEK_END);
	off_t from = size > (off_t)cap - 1 ? size - (off_t)cap + 1 : 0;
	ssize_t n = size > 0 ? pread(out_fd, words, cap - 1, from) : 0;

	n = n > 0 ? n : 0;
	while (n > 0 && (words[n - 1] == '\n' || words[n - 1] == ' ')) {
		n--;
	}
	words[n] = '\0';
	for (ssize_t i = 0; i < n; i++) {
		if ((unsigned char)words[i] < ' ') {
			words[i] = ' ';
		}
	}
}

static int fail(struct vr_err *err, int code, const struct oci_hook_run *run,
		const struct oci_hook *h, int out_fd, const char *what)
{
	char words[WORDS_SHOWN];

	last_words(out_fd, words, sizeof(words));
	return vr_err_set(err, code, "error running %s hook #%zu: '%s': %s%s%s", run->kind,
			  run->index, h->path, what, words[0] ? ": " : "", words);
}

static int fail_sys(struct vr_err *err, int code, const struct oci_hook_run *run,
		    const struct oci_hook *h, const char *what)
{
	return vr_err_sys(err, code, "error running %s hook #%zu: '%s': %s", run->kind, run->index,
			  h->path, what);
}

static int reap(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return 0; /* reaped by somebody else: SIGCHLD is ignored here */
		}
	}
	return status;
}

static int judge(int status, struct vr_err *err, const struct oci_hook_run *run,
		 const struct oci_hook *h, int out_fd)
{
	char what[64];

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		return 0;
	}
	if (WIFSIGNALED(status)) {
		(void)snprintf(what, sizeof(what), "killed by signal %d", WTERMSIG(status));
	} else {
		(void)snprintf(what, sizeof(what), "%s hook failed with exit code %d", run->kind,
			       WEXITSTATUS(status));
	}
	return fail(err, ECHILD, run, h, out_fd, what);
}

/* Return: 0 when it has ended, -ETIMEDOUT, -EINTR when given up, or another -errno */
static int wait_end(int pidfd, const struct oci_hook_run *run, int timeout_ms)
{
	uint64_t now = vr_now_ms();
	uint64_t end = timeout_ms < 0 ? UINT64_MAX : now + (uint64_t)timeout_ms;
	int r;

	if (!run->give_up) {
		return vr_pidfd_wait(pidfd, timeout_ms);
	}
	do {
		if (run->give_up()) {
			return -EINTR;
		}
		r = vr_pidfd_wait(pidfd, (int)VR_MIN(end - now, (uint64_t)LOOK_MS));
		now = vr_now_ms();
	} while (r == -ETIMEDOUT && now < end);
	return r;
}

static int wait_hook(pid_t pid, const struct oci_hook_run *run, const struct oci_hook *h,
		     int out_fd, struct vr_err *err)
{
	vr_autoclose int pidfd = vr_pidfd_open(pid);
	int timeout_ms = -1;
	int r;

	if (pidfd < 0) {
		(void)kill(-pid, SIGKILL); /* without it there is no timeout: better no hook */
		(void)reap(pid);
		return fail_sys(err, pidfd, run, h, "watch it");
	}
	if (h->timeout_s.set) {
		timeout_ms = (int)VR_MIN(h->timeout_s.v, (int64_t)INT_MAX / 1000) * 1000;
	}
	r = wait_end(pidfd, run, timeout_ms);
	if (r < 0) {
		char what[64];

		(void)kill(-pid, SIGKILL); /* the group: also what the hook has started */
		(void)reap(pid);
		(void)snprintf(what, sizeof(what), "timed out after %lld s",
			       (long long)h->timeout_s.v);
		return fail(err, -r, run, h, out_fd,
			    r == -ETIMEDOUT ? what
			    : r == -EINTR   ? "interrupted by a signal"
					    : "can't be watched");
	}
	return judge(reap(pid), err, run, h, out_fd);
}

/* After the fork: did the hook start? Then wait for it. */
static int parent_main(pid_t pid, int pipe_fd, const struct oci_hook_run *run,
		       const struct oci_hook *h, int out_fd, struct vr_err *err)
{
	struct child_failure f;
	ssize_t n = vr_read_full(pipe_fd, &f, sizeof(f));

	if (n == (ssize_t)sizeof(f)) {
		(void)reap(pid);
		return fail_sys(err, f.code, run, h, step_names[f.step]);
	}
	return wait_hook(pid, run, h, out_fd, err);
}

static int run_one(const struct oci_hook_run *run, const struct oci_hook *h, struct vr_err *err)
{
	vr_autoclose int in_fd = state_memfd(run);
	vr_autoclose int out_fd = vr_memfd("hook-output", 0, 0);
	vr_autoclose int pipe_read = -1;
	vr_autoclose int pipe_write = -1;
	int fds[2];
	pid_t pid;

	if (in_fd < 0 || out_fd < 0) {
		return fail_sys(err, in_fd < 0 ? in_fd : out_fd, run, h, "make its stdio");
	}
	if (pipe2(fds, O_CLOEXEC) < 0) {
		return fail_sys(err, errno, run, h, "pipe");
	}
	pipe_read = fds[0];
	pipe_write = fds[1];
	pid = fork();
	if (pid < 0) {
		return fail_sys(err, errno, run, h, "fork");
	}
	if (pid == 0) {
		child_main(run, h, in_fd, out_fd, pipe_write);
	}
	(void)setpgid(pid, pid); /* also here, so that a timeout finds the group; the loser fails */
	vr_close_reset(&pipe_write);
	return parent_main(pid, pipe_read, run, h, out_fd, err);
}

int oci_hooks_run(const struct oci_hook_run *run, const struct oci_hookv *hooks, struct vr_err *err)
{
	struct oci_hook_run one = *run;
	int first = 0;

	for (size_t i = 0; i < hooks->n; i++) {
		int r;

		one.index = i;
		r = run_one(&one, &hooks->v[i], first == 0 ? err : NULL);

		if (r < 0 && first == 0) {
			first = r;
		}
		if (r < 0 && !run->keep_going) {
			break;
		}
	}
	return first;
}
