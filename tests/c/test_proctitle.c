/* SPDX-License-Identifier: Apache-2.0 */
/* test_proctitle.c - what is left of a command's arguments and environment in a role */
#include "cm.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proctitle.h"

#define ARG_OR_SECRET "a-secret-of-the-engine"

/* How often does /proc/self/FILE have the secret? */
static int count(const char *file)
{
	static char text[1 << 16];
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	int found = 0;

	for (char *p = text; p < text + n; p += strlen(p) + 1) {
		found += strstr(p, ARG_OR_SECRET) != NULL;
	}
	(void)close(fd); /* was only read */
	return n < 0 ? -1 : found;
}

/* The second life of this program: with known arguments and environment. */
static int judge(int argc, char **argv)
{
	proctitle_init(argc, argv);
	if (count("/proc/self/environ") != 1 || count("/proc/self/cmdline") != 1) {
		return 2;
	}
	(void)setenv("LATER", "also " ARG_OR_SECRET,
		     1); /* on the heap; fails without memory only */
	proctitle_set("volt-x", "id");
	proctitle_forget_environment();
	if (count("/proc/self/environ") != 0 || count("/proc/self/cmdline") != 0) {
		return 3;
	}
	return getenv("SECRET") || getenv("LATER") ? 4 : 0;
}

static void roles_have_no_environment(void **state)
{
	char *const argv[] = {"test_proctitle", ARG_OR_SECRET, NULL};
	char *const env[] = {"SECRET=" ARG_OR_SECRET, "PATH=/bin", "EMPTY=", NULL};
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		(void)execve("/proc/self/exe", argv, env);
		_exit(9);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roles_have_no_environment),
	};

	if (argc == 2) {
		return judge(argc, argv);
	}
	return cmocka_run_group_tests_name("proctitle", tests, NULL, NULL);
}
