/* SPDX-License-Identifier: Apache-2.0 */
/* test_sbx_gen.c - gen_syscalls.sh: what counts as a declaration, and what is an error */
#include "sbx_child.h"

#include <fcntl.h>

#define SCRIPT "runtime/sandbox/gen_syscalls.sh"

static char dir[] = "/tmp/test_sbx_gen.XXXXXX";
static char source[sizeof(dir) + 16];
static char output[4096];

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir)) {
		return -1;
	}
	(void)snprintf(source, sizeof(source), "%s/source.c", dir);
	return access(SCRIPT, X_OK); /* tests run from the top of the tree */
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(source);
	return rmdir(dir);
}

/* Run the script on @text. Return: its exit status; its output without the first line in output. */
static int generate(const char *role, const char *text)
{
	char command[256];
	FILE *f = fopen(source, "we");
	size_t n;
	char *body;

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	(void)snprintf(command, sizeof(command), "%s %s %s 2>&1", SCRIPT, role, source);
	f = popen(command, "re");
	assert_non_null(f);
	n = fread(output, 1, sizeof(output) - 1, f);
	output[n] = '\0';
	body = strchr(output, '\n');
	if (body) {
		memmove(output, body + 1, strlen(body + 1) + 1);
	}
	return WEXITSTATUS(pclose(f));
}

static void expect(const char *role, const char *text, const char *names)
{
	assert_int_equal(generate(role, text), 0);
	assert_string_equal(output, names);
}

static void declarations(void **state)
{
	(void)state;
	expect("vmm", "/* Syscalls: read (role vmm) */\n", "SBX_SYSCALL(read)\n");
	expect("vmm", "/**\n * x() - y\n *\n * Syscalls: write, read (role vmm)\n */\n",
	       "SBX_SYSCALL(read)\nSBX_SYSCALL(write)\n");
	expect("fs", "/* Return: 0. Syscalls: clock_gettime (role vmm, vcpu, fs) */\n",
	       "SBX_SYSCALL(clock_gettime)\n");
	expect("vcpu", "// Syscalls: futex (roles vmm and vcpu)\n", "SBX_SYSCALL(futex)\n");
	expect("shim", "/* Syscalls: poll (every role) */\n", "SBX_SYSCALL(poll)\n");
	expect("proxy", "/* Syscalls: poll (every role) */\n", "SBX_SYSCALL(poll)\n");
}

static void other_roles_do_not_count(void **state)
{
	(void)state;
	expect("fs", "/* Syscalls: read (role vmm) */\n", "");
	expect("vmm", "/* Syscalls: read (role vmm); openat (role fs) */\n", "SBX_SYSCALL(read)\n");
	expect("fs", "/* Syscalls: read (role vmm); openat (role fs) */\n",
	       "SBX_SYSCALL(openat)\n");
	expect("vmm", "/* Syscalls: prctl (before the sandbox) */\n", "");
	expect("vmm", "/* Syscalls: kill (cli) */\n", "");
}

static void several_lines_and_doubles(void **state)
{
	(void)state;
	expect("fs",
	       "/*\n * Syscalls: openat,\n *   statx,\n *   close (role fs)\n */\n"
	       "/* Syscalls: close (role fs) */\n",
	       "SBX_SYSCALL(close)\nSBX_SYSCALL(openat)\nSBX_SYSCALL(statx)\n");
	expect("vmm", "/* Syscalls: read (role vmm). More prose (with brackets). */\n",
	       "SBX_SYSCALL(read)\n");
}

static void what_does_not_count(void **state)
{
	(void)state;
	expect("vmm", "/* Syscalls: none */\n/* Syscalls: none in a role; the cli does it */\n",
	       "");
	expect("vmm", "/* Syscalls: as other_function() */\n", "");
	expect("vmm", "/* names from `Syscalls:` comments */\n", "");
	expect("vmm", "const char *s = \"Syscalls: x\";\n", "");
}

static void mistakes_are_errors(void **state)
{
	static const char *const wrong[] = {
		"/* Syscalls: read */\n",
		"/* Syscalls: read (role wmm) */\n",
		"/* Syscalls: read (vmm) */\n",
		"/* Syscalls: read write (role vmm) */\n",
		"/* Syscalls: Read (role vmm) */\n",
		"/* Syscalls: (role vmm) */\n",
		"/* Syscalls: read,\n * Syscalls: write (role vmm) */\n",
		"/* Syscalls: read,\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_not_equal(generate("vmm", wrong[i]), 0);
		assert_int_not_equal(generate("fs", wrong[i]), 0);
		assert_non_null(strstr(output, "source.c:1: Syscalls: "));
	}
	assert_int_not_equal(generate("wmm", ""), 0);
}

/*
 * Each ioctl request that a filter lets through is one that some code makes. (Of a terminal's
 * settings the C library makes them.)
 */
static void requests_that_are_let_through_are_made(void **state)
{
	static const char command[] =
		"grep -o 'IOCTL([A-Z0-9_]*)' runtime/sandbox/seccomp_roles.c | sed 's/.*(//; "
		"s/)//' | "
		"grep -v -x -e TCGETS -e TCSETSW | sort -u | while read -r name; do "
		"echo checked; grep -rqw --include='*.[ch]' --exclude=seccomp_roles.c \"$name\" "
		"runtime || echo \"nobody makes $name\"; done";
	FILE *f = popen(command, "re");
	unsigned checked = 0;
	size_t n;

	(void)state;
	assert_non_null(f);
	n = fread(output, 1, sizeof(output) - 1, f);
	output[n] = '\0';
	assert_int_equal(pclose(f), 0);
	for (const char *at = output; (at = strstr(at, "checked\n")) != NULL; at++) {
		checked++;
	}
	assert_true(checked > 10);
	if (strstr(output, "nobody")) {
		fail_msg("%s", strstr(output, "nobody"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(declarations),
		cmocka_unit_test(other_roles_do_not_count),
		cmocka_unit_test(several_lines_and_doubles),
		cmocka_unit_test(what_does_not_count),
		cmocka_unit_test(mistakes_are_errors),
		cmocka_unit_test(requests_that_are_let_through_are_made),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
