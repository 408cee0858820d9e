/* SPDX-License-Identifier: Apache-2.0 */
/* test_hooks.c - hooks: what they get, and how each way of failing is told */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fdio.h"
#include "oci/hooks.h"

static char tmp[] = "/tmp/test_hooks.XXXXXX";
static char out_path[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(tmp)) {
		return -1;
	}
	(void)snprintf(out_path, sizeof(out_path), "%s/out", tmp);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink(out_path);
	return rmdir(tmp);
}

/* A hook "sh -c SCRIPT"; OUT in its environment names the scratch file. */
static const char *argv[4];
static const char *envp[3];
static char out_env[80];

static struct oci_hook shell(const char *script)
{
	argv[0] = "sh";
	argv[1] = "-c";
	argv[2] = script;
	(void)snprintf(out_env, sizeof(out_env), "OUT=%s", out_path);
	envp[0] = out_env;
	envp[1] = "PATH=/usr/bin:/bin";
	return (struct oci_hook){
		.path = "/bin/sh", .args = {.v = argv, .n = 3}, .env = {.v = envp, .n = 2}};
}

static int run_hooks(struct oci_hook *hooks, size_t n, const char *text, bool keep_going,
		     struct vr_err *err)
{
	struct oci_hook_run how = {.kind = "poststop",
				   .state = text,
				   .state_len = strlen(text),
				   .keep_going = keep_going};
	struct oci_hookv list = {.v = hooks, .n = n};

	return oci_hooks_run(&how, &list, err);
}

static void expect_output(const char *expected)
{
	char *text = NULL;
	size_t len;

	assert_int_equal(vr_read_file(AT_FDCWD, out_path, 1 << 20, &text, &len), 0);
	assert_string_equal(text, expected);
	free(text);
	assert_int_equal(unlink(out_path), 0);
}

static void expect_failure(const char *script, int code, const char *message)
{
	struct oci_hook h = shell(script);
	struct vr_err err = VR_ERR_INIT;

	assert_int_equal(run_hooks(&h, 1, "{}", false, &err), -code);
	assert_message(err, message);
}

static void no_hooks_succeed(void **state)
{
	(void)state;
	assert_int_equal(run_hooks(NULL, 0, "{}", false, NULL), 0);
}

static void state_comes_on_stdin(void **state)
{
	struct oci_hook h = shell("cat > $OUT");
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_no_error(run_hooks(&h, 1, "{\"id\":\"x\"}", false, &err), err);
	expect_output("{\"id\":\"x\"}");
}

static void each_hook_gets_the_whole_state(void **state)
{
	struct oci_hook h[2] = {shell("cat >> $OUT"), shell("cat >> $OUT")};
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_no_error(run_hooks(h, 2, "ab", false, &err), err);
	expect_output("abab");
}

static void big_states_and_outputs_do_not_block(void **state)
{
	size_t size = 300 * 1024;
	char *big = malloc(size + 1);
	struct oci_hook ignores = shell("exit 0");
	struct oci_hook prints = shell("cat; cat >&2 < /dev/null");
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_non_null(big);
	memset(big, 'x', size);
	big[size] = '\0';
	assert_no_error(run_hooks(&ignores, 1, big, false, &err), err);
	assert_no_error(run_hooks(&prints, 1, big, false, &err), err);
	free(big);
}

static void environment_and_arguments_are_exact(void **state)
{
	struct oci_hook h = shell("tr '\\0' ' ' < /proc/self/environ > $OUT; echo \"$0\" >> $OUT");
	struct oci_hook bare = {.path = "/usr/bin/env"};
	char expected[200];
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(setenv("LEAK", "1", 1), 0);
	argv[0] = "myself";
	assert_no_error(run_hooks(&h, 1, "", false, &err), err);
	(void)snprintf(expected, sizeof(expected), "OUT=%s PATH=/usr/bin:/bin myself\n", out_path);
	expect_output(expected);
	assert_no_error(run_hooks(&bare, 1, "", false, &err), err); /* no args, no env */
}

static void descriptors_do_not_leak(void **state)
{
	struct oci_hook h = shell("ls /proc/self/fd | tr '\\n' ' ' > $OUT");
	struct vr_err err = VR_ERR_INIT;
	int fd = open("/dev/null", O_RDONLY); /* not close-on-exec, as callers leak them */

	(void)state;
	assert_true(fd >= 0);
	assert_no_error(run_hooks(&h, 1, "", false, &err), err);
	close(fd);
	expect_output("0 1 2 3 "); /* 3 is the directory that ls reads */
}

static void signals_are_default_in_hooks(void **state)
{
	/* glibc's posix_spawn leaves its own signals 32 and 33 ignored in every child of make. */
	struct oci_hook h = shell("grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -d '\\t' |"
				  " sed 's/Ign:0000000180000000/Ign:0000000000000000/' > $OUT");
	struct vr_err err = VR_ERR_INIT;
	sigset_t set;
	sigset_t old;

	(void)state;
	(void)sigfillset(&set);
	assert_int_equal(sigprocmask(SIG_SETMASK, &set, &old), 0);
	(void)signal(SIGPIPE, SIG_IGN);
	assert_no_error(run_hooks(&h, 1, "", false, &err), err);
	(void)signal(SIGPIPE, SIG_DFL);
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
	expect_output("SigBlk:0000000000000000\nSigIgn:0000000000000000\n");
}

static void failures_have_status_and_last_words(void **state)
{
	(void)state;
	expect_failure(
		"exit 3", ECHILD,
		"error running poststop hook #0: '/bin/sh': poststop hook failed with exit code 3");
	expect_failure("echo out; echo 'no such net' >&2; exit 1", ECHILD,
		       "error running poststop hook #0: '/bin/sh': poststop hook failed with exit "
		       "code 1: out no such net");
	expect_failure("kill -9 $$", ECHILD,
		       "error running poststop hook #0: '/bin/sh': killed by signal 9");
}

static void long_outputs_are_shortened_to_their_end(void **state)
{
	struct oci_hook h = shell("yes abc | head -c 100000; echo THE END; exit 1");
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(run_hooks(&h, 1, "{}", false, &err), -ECHILD);
	assert_true(strlen(err.msg) < 400);
	assert_string_equal(err.msg + strlen(err.msg) - 7, "THE END");
}

static void hooks_that_can_not_start_say_why(void **state)
{
	struct oci_hook absent = {.path = "/nonexistent/hook"};
	struct oci_hook directory = {.path = "/tmp"};
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(run_hooks(&absent, 1, "{}", false, &err), -ENOENT);
	assert_message(err, "error running poststop hook #0: '/nonexistent/hook': exec: No such "
			    "file or directory");
	assert_int_equal(run_hooks(&directory, 1, "{}", false, &err), -EACCES);
	assert_message(err, "error running poststop hook #0: '/tmp': exec: Permission denied");
}

static void namespaces_are_joined_or_reported(void **state)
{
	int bad = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct oci_hook h = shell("exit 0");
	struct oci_hookv list = {.v = &h, .n = 1};
	struct oci_hook_run how = {
		.kind = "createContainer", .state = "", .ns_fds = &bad, .n_ns_fds = 1};
	struct vr_err err = VR_ERR_INIT;
	int own;

	(void)state;
	assert_int_equal(oci_hooks_run(&how, &list, &err), -EINVAL);
	assert_message(err, "error running createContainer hook #0: '/bin/sh': join namespace: "
			    "Invalid argument");
	close(bad);
	if (geteuid() == 0) {
		own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		assert_true(own >= 0);
		how.ns_fds = &own;
		assert_no_error(oci_hooks_run(&how, &list, &err), err);
		close(own);
	}
	how.n_ns_fds = 0;
	how.cwd = "/nonexistent";
	assert_int_equal(oci_hooks_run(&how, &list, &err), -ENOENT);
	assert_message(err, "error running createContainer hook #0: '/bin/sh': change directory: "
			    "No such file or "
			    "directory");
	how.cwd = tmp;
	h = shell("pwd > $OUT");
	assert_no_error(oci_hooks_run(&how, &list, &err), err);
	out_env[0] = '\0';
	(void)snprintf(out_env, sizeof(out_env), "%s\n", tmp);
	expect_output(out_env);
}

/* The one whose pid the hook wrote. */
static void expect_child_gone(void)
{
	char *text = NULL;
	size_t len;
	uint64_t start;
	char letter = 'Z';
	pid_t child;

	assert_int_equal(vr_read_file(AT_FDCWD, out_path, 64, &text, &len), 0);
	child = (pid_t)atoi(text);
	free(text);
	assert_true(child > 0);
	for (int i = 0; i < 1000 && vr_proc_stat(child, &start, &letter) == 0 && letter != 'Z';
	     i++) {
		(void)usleep(1000);
	}
	assert_false(vr_proc_alive(child, start));
	assert_int_equal(unlink(out_path), 0);
}

static void timeout_kills_the_whole_group(void **state)
{
	struct oci_hook h = shell("sleep 1000 & echo $! > $OUT; echo waiting; wait");
	struct vr_err err = VR_ERR_INIT;
	uint64_t before = vr_now_ms();

	(void)state;
	h.timeout_s = (struct oci_opt_i64){.set = true, .v = 1};
	assert_int_equal(run_hooks(&h, 1, "{}", false, &err), -ETIMEDOUT);
	assert_message(err,
		       "error running poststop hook #0: '/bin/sh': timed out after 1 s: waiting");
	assert_true(vr_now_ms() - before >= 1000);
	assert_true(vr_now_ms() - before < 30000);
	expect_child_gone();
}

static unsigned n_asked;

static bool never(void)
{
	n_asked++;
	return false;
}

/* As a signal to the command that comes while the hook runs. */
static bool once_it_runs(void)
{
	struct stat st;

	return stat(out_path, &st) == 0 && st.st_size > 0;
}

static void a_hook_can_be_given_up(void **state)
{
	struct oci_hook h = shell("sleep 1000 & echo $! > $OUT; wait");
	struct oci_hook_run how = {.kind = "prestart", .state = "{}", .state_len = 2};
	const struct oci_hookv list = {.v = &h, .n = 1};
	struct vr_err err = VR_ERR_INIT;
	uint64_t before = vr_now_ms();

	(void)state;
	how.give_up = once_it_runs;
	h.timeout_s = (struct oci_opt_i64){.set = true, .v = 60};
	assert_int_equal(oci_hooks_run(&how, &list, &err), -EINTR);
	assert_message(err, "error running prestart hook #0: '/bin/sh': interrupted by a signal");
	assert_true(vr_now_ms() - before < 30000);
	expect_child_gone();
	/* asking changes nothing else */
	how.give_up = never;
	h = shell("sleep 0.5");
	assert_no_error(oci_hooks_run(&how, &list, &err), err);
	assert_in_range(n_asked, 2, 100);
	h = shell("sleep 1000");
	h.timeout_s = (struct oci_opt_i64){.set = true, .v = 1};
	assert_int_equal(oci_hooks_run(&how, &list, &err), -ETIMEDOUT);
}

static void background_children_do_not_hold_us(void **state)
{
	struct oci_hook h = shell("sleep 5 & exit 0");
	struct vr_err err = VR_ERR_INIT;
	uint64_t before = vr_now_ms();

	(void)state;
	assert_no_error(run_hooks(&h, 1, "{}", false, &err), err);
	assert_true(vr_now_ms() - before < 4000);
}

static void first_failure_stops_unless_told_to_go_on(void **state)
{
	struct oci_hook h[3];
	struct vr_err err = VR_ERR_INIT;
	static const char *scripts[3][4] = {{"sh", "-c", "echo 1 >> $OUT; exit 4", NULL},
					    {"sh", "-c", "echo 2 >> $OUT; exit 5", NULL},
					    {"sh", "-c", "echo 3 >> $OUT", NULL}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		h[i] = shell("");
		h[i].args.v = scripts[i];
	}
	assert_int_equal(run_hooks(h, 3, "{}", false, &err), -ECHILD);
	assert_message(
		err,
		"error running poststop hook #0: '/bin/sh': poststop hook failed with exit code 4");
	expect_output("1\n");
	assert_int_equal(run_hooks(h, 3, "{}", true, &err), -ECHILD);
	assert_message(err, "error running poststop hook #0: '/bin/sh': poststop hook failed with "
			    "exit code 4"); /* the first one's */
	expect_output("1\n2\n3\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_hooks_succeed),
		cmocka_unit_test(state_comes_on_stdin),
		cmocka_unit_test(each_hook_gets_the_whole_state),
		cmocka_unit_test(big_states_and_outputs_do_not_block),
		cmocka_unit_test(environment_and_arguments_are_exact),
		cmocka_unit_test(descriptors_do_not_leak),
		cmocka_unit_test(signals_are_default_in_hooks),
		cmocka_unit_test(failures_have_status_and_last_words),
		cmocka_unit_test(long_outputs_are_shortened_to_their_end),
		cmocka_unit_test(hooks_that_can_not_start_say_why),
		cmocka_unit_test(namespaces_are_joined_or_reported),
		cmocka_unit_test(timeout_kills_the_whole_group),
		cmocka_unit_test(a_hook_can_be_given_up),
		cmocka_unit_test(background_children_do_not_hold_us),
		cmocka_unit_test(first_failure_stops_unless_told_to_go_on),
	};

	return cmocka_run_group_tests_name("hooks", tests, setup, teardown);
}
