/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx_child.h - run a piece of a sandbox test in a child process and judge its end
 *
 * What a stage drops can't be had again, so each experiment is a process of its
 * own. In it, CHECK() reports on stderr and ends the function; the assertions here
 * are for the parent.
 */
#ifndef TESTS_C_SBX_CHILD_H
#define TESTS_C_SBX_CHILD_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/err.h"
#include "sandbox/seccomp.h"

/* In a child: true, or a line on stderr and return 1. Uses nothing but write(2). */
#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			child_fail(__FILE__, __LINE__, #cond, errno);                              \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

static inline void child_fail(const char *file, int line, const char *what, int code)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "# %s:%d: not true: %s (errno %d)\n", file, line, what,
			 code);

	(void)!write(2, text, (size_t)n); /* nowhere else to tell */
}

/* In a child: run a stage, with `&err` in the call; a failure is told and returned. */
static inline int child_failed(const struct vr_err *err)
{
	child_fail(__FILE__, __LINE__, err->msg, err->code);
	return 1;
}

#define STAGE(call)                                                                                \
	do {                                                                                       \
		struct vr_err err = VR_ERR_INIT;                                                   \
		if ((call) != 0) {                                                                 \
			return child_failed(&err);                                                 \
		}                                                                                  \
	} while (0)

/* Return: wait status of a child that ends with fn's result. */
static inline int child_run(int (*fn)(void *), void *arg)
{
	pid_t pid;
	int status;

	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(30); /* an experiment that hangs is a failure */
		_exit(fn(arg));
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

#define assert_child_ok(fn, arg) assert_int_equal(child_run((fn), (arg)), 0)

/* Ended by a filter. */
static inline void assert_sigsys(int status)
{
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status) & 0x7f, SIGSYS);
}

/* Environments that can't do it are skipped, unless VOLT_MUST_WORK=1 says they have to. */
static inline void require(int condition, const char *what)
{
	const char *must = getenv("VOLT_MUST_WORK");

	if (condition) {
		return;
	}
	print_message("# skip: needs %s\n", what);
	if (must && strcmp(must, "1") == 0) {
		fail_msg("VOLT_MUST_WORK=1, but this needs %s", what);
	}
	skip();
}

static inline void require_root(void)
{
	require(geteuid() == 0, "root");
}

/* A property of the build, not of the environment: a sanitizer build always skips these. */
static inline void require_seccomp(void)
{
	if (!sbx_seccomp_enforced()) {
		print_message("# skip: this build installs no system call filters\n");
		skip();
	}
}

#endif /* TESTS_C_SBX_CHILD_H */
