/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sbx_cgroup.c - make, limit, fill, kill and remove a container's cgroup
 *
 * Runs on what the machine has. On one with version 1 and a version 2 hierarchy beside
 * it, the latter is also shown to a child as if it were the only one.
 */
#include "sbx_child.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "sandbox/cgroup.h"
#include "sandbox/cgroup_internal.h"

#define TIMEOUT_MS 3000u

static char path[SBX_CGROUP_PATH_MAX]; /* of this test's cgroup */

static int resolve_own(void)
{
	struct vr_err err = VR_ERR_INIT;
	char wanted[64];

	(void)snprintf(wanted, sizeof(wanted), "/test_sbx_cgroup-%d", getpid());
	CHECK(sbx_cgroup_resolve(wanted, "id", path, &err) == 0);
	return 0;
}

static bool can_make_cgroups(void)
{
	struct cg_table t;
	int fd;

	if (geteuid() != 0 || cg_table_load(&t) < 0) {
		return false;
	}
	fd = cg_open(&t.h[0], "/");
	if (fd < 0) {
		return false;
	}
	(void)close(fd);
	return access(t.h[0].mount, W_OK) == 0;
}

static void require_cgroups(void)
{
	require(can_make_cgroups(), "root and writable cgroup file systems");
}

/* A file of the cgroup in the hierarchy that has @controller (any for version 2). */
static bool file_says(const char *controller, const char *file, const char *text)
{
	char value[256] = "?";
	struct cg_table t;

	if (cg_table_load(&t) < 0) {
		return false;
	}
	for (size_t i = 0; i < t.n; i++) {
		if (t.mode == SBX_CGROUP_V2 || cg_has_controller(&t.h[i], controller)) {
			int dir = cg_open(&t.h[i], path);

			if (dir >= 0) {
				(void)!cg_read(dir, file, value, sizeof(value));
				(void)close(dir);
			}
		}
	}
	value[strcspn(value, "\n")] = '\0';
	if (strcmp(value, text) != 0) {
		child_fail(__FILE__, __LINE__, value, 0);
	}
	return strcmp(value, text) == 0;
}

static bool in_cgroup(pid_t pid)
{
	vr_autofree char *text = NULL;
	char file[64];
	size_t len;

	(void)snprintf(file, sizeof(file), "/proc/%d/cgroup", pid);
	return vr_read_file(AT_FDCWD, file, 65536, &text, &len) == 0 && strstr(text, path);
}

static void sleep_on(void)
{
	alarm(30);
	for (;;) {
		(void)pause();
	}
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		sleep_on();
	}
	return pid;
}

/* ---- without a file system ---- */

static void paths_are_normalised(void **state)
{
	static const struct {
		const char *in;
		const char *out; /* NULL: refused */
		int code;
	} cases[] = {
		{"/a/b", "/a/b", 0},	   {"//a///b/", "/a/b", 0},
		{"/./a/./b/.", "/a/b", 0}, {"/a..b/..c", "/a..b/..c", 0},
		{"/", NULL, -EINVAL},	   {"//./", NULL, -EINVAL},
		{"/..", NULL, -EINVAL},	   {"/a/../b", NULL, -EINVAL},
		{"/a/..", NULL, -EINVAL},  {".", NULL, -EINVAL},
	};
	char out[SBX_CGROUP_PATH_MAX];
	char longest[SBX_CGROUP_PATH_MAX + 8];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(cases); i++) {
		struct vr_err err = VR_ERR_INIT;

		if (*cases[i].in != '/' && sbx_cgroup_mode() == SBX_CGROUP_NONE) {
			continue;
		}
		(void)snprintf(out, sizeof(out), "untouched");
		assert_int_equal(sbx_cgroup_resolve(cases[i].in, "id", out, &err), cases[i].code);
		assert_string_equal(out, cases[i].out ? cases[i].out : "untouched");
		assert_int_equal(err.code, -cases[i].code);
	}
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[SBX_CGROUP_PATH_MAX] = '\0';
	assert_int_equal(sbx_cgroup_resolve(longest, "id", out, NULL), -ENAMETOOLONG);
	longest[SBX_CGROUP_PATH_MAX - 1] = '\0';
	assert_int_equal(sbx_cgroup_resolve(longest, "id", out, NULL), 0);
	assert_string_equal(out, longest);
}

static void relative_paths_go_near_our_own(void **state)
{
	char a[SBX_CGROUP_PATH_MAX];
	char b[SBX_CGROUP_PATH_MAX];

	(void)state;
	require(sbx_cgroup_mode() != SBX_CGROUP_NONE, "a cgroup file system");
	assert_int_equal(sbx_cgroup_resolve("", "box", a, NULL), 0);
	assert_int_equal(sbx_cgroup_resolve("box", "other", b, NULL), 0);
	assert_string_equal(a, b);
	assert_int_equal(a[0], '/');
	assert_string_equal(strrchr(a, '/'), "/box");
}

static void weights_follow_shares(void **state)
{
	(void)state;
	assert_int_equal(sbx_cgroup_weight(2), 1);
	assert_int_equal(sbx_cgroup_weight(262144), 10000);
	assert_int_equal(sbx_cgroup_weight(1024), 39);
	assert_int_equal(sbx_cgroup_weight(0), 1);
	assert_int_equal(sbx_cgroup_weight(UINT64_MAX), 10000);
}

static void words(void **state)
{
	(void)state;
	assert_true(cg_word_in("cpu memory\n", "memory"));
	assert_true(cg_word_in("cpu,cpuacct", "cpuacct"));
	assert_false(cg_word_in("cpuset cpuacct", "cpu"));
	assert_false(cg_word_in("", "cpu"));
	assert_false(cg_word_in("  ,\n", "cpu"));
}

static void nothing_is_there(void **state)
{
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	require(sbx_cgroup_mode() != SBX_CGROUP_NONE, "a cgroup file system");
	assert_false(sbx_cgroup_exists("/test_sbx_cgroup/absent"));
	assert_int_equal(sbx_cgroup_kill("/test_sbx_cgroup/absent", &err), 0);
	assert_int_equal(sbx_cgroup_remove("/test_sbx_cgroup/absent", 0, &err), 0);
	assert_int_equal(sbx_cgroup_attach("/test_sbx_cgroup/absent", 0, &err), -ENOENT);
	assert_int_equal(sbx_cgroup_remove("", 0, &err), -EINVAL);
	assert_int_equal(sbx_cgroup_remove("/", 0, &err), -EINVAL);
	assert_int_equal(sbx_cgroup_kill("/", &err), -EINVAL);
}

/* ---- a life ---- */

static int life(void *arg)
{
	struct vr_err err = VR_ERR_INIT;
	pid_t pid;
	int status;

	(void)arg;
	if (resolve_own() != 0) {
		return 1;
	}
	CHECK(sbx_cgroup_create(path, NULL, &err) == 0);
	CHECK(sbx_cgroup_exists(path));
	CHECK(sbx_cgroup_create(path, NULL, &err) == 0); /* taken over */
	pid = sleeper();
	CHECK(!in_cgroup(pid));
	CHECK(sbx_cgroup_attach(path, pid, &err) == 0);
	CHECK(in_cgroup(pid) && !in_cgroup(getpid()));
	CHECK(sbx_cgroup_holds(path, pid) && !sbx_cgroup_holds(path, getpid()));
	CHECK(!sbx_cgroup_holds(path, 0) && !sbx_cgroup_holds(path, -1));
	CHECK(sbx_cgroup_remove(path, 20, &err) == -EBUSY);
	CHECK(strstr(err.msg, path));
	CHECK(kill(pid, 0) == 0);
	CHECK(sbx_cgroup_kill(path, &err) == 0);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(sbx_cgroup_remove(path, TIMEOUT_MS, &err) == 0);
	CHECK(!sbx_cgroup_exists(path));
	CHECK(sbx_cgroup_remove(path, 0, &err) == 0);
	return 0;
}

/* Children that were made below by somebody, and a caller that is a member itself. */
static int nested(void *arg)
{
	struct vr_err err = VR_ERR_INIT;
	char below[SBX_CGROUP_PATH_MAX + 8];
	char back[SBX_CGROUP_PATH_MAX];
	struct cg_table t;
	pid_t pid;
	int status;

	(void)arg;
	if (resolve_own() != 0) {
		return 1;
	}
	(void)snprintf(below, sizeof(below), "%s/a/b", path);
	CHECK(sbx_cgroup_create(below, NULL, &err) == 0);
	CHECK(cg_table_load(&t) == 0);
	CHECK(cg_own_path(&t, &t.h[0], back, sizeof(back)) == 0);
	pid = sleeper();
	CHECK(sbx_cgroup_attach(below, pid, &err) == 0);
	if (sbx_cgroup_mode() == SBX_CGROUP_V2) { /* somebody lives there */
		CHECK(sbx_cgroup_create(path, NULL, &err) == -EBUSY);
		CHECK(strstr(err.msg, "container's cgroup is not empty"));
		CHECK(in_cgroup(pid));
	}
	CHECK(sbx_cgroup_attach(below, 0, &err) == 0);
	CHECK(in_cgroup(getpid()));
	CHECK(sbx_cgroup_holds(path, pid) && sbx_cgroup_holds(below, pid));
	CHECK(sbx_cgroup_kill(path, &err) == 0); /* and we live */
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	CHECK(sbx_cgroup_attach(back, 0, &err) == 0);
	CHECK(sbx_cgroup_remove(path, TIMEOUT_MS, &err) == 0);
	CHECK(!sbx_cgroup_exists(path));
	return 0;
}

/* A child of sbx_cgroup_fork() in the cgroup at @where: is it there, and in a UTS namespace? */
static int child_of_fork(const char *where, bool wanted)
{
	char ours[64], its[64], link[64];
	bool inside = !wanted;
	pid_t pid = sbx_cgroup_fork(CLONE_NEWUTS, where, &inside);
	ssize_t n;

	if (pid == 0) {
		sleep_on();
	}
	CHECK(pid > 0);
	CHECK(inside == wanted && in_cgroup(pid) == wanted);
	n = readlink("/proc/self/ns/uts", ours, sizeof(ours));
	(void)snprintf(link, sizeof(link), "/proc/%d/ns/uts", pid);
	CHECK(n > 0 && readlink(link, its, sizeof(its)) == n && memcmp(ours, its, (size_t)n) != 0);
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	return 0;
}

static int birth(void *arg)
{
	struct vr_err err = VR_ERR_INIT;

	(void)arg;
	if (resolve_own() != 0) {
		return 1;
	}
	CHECK(child_of_fork(path, false) == 0); /* it isn't there yet */
	CHECK(child_of_fork(NULL, false) == 0);
	CHECK(sbx_cgroup_create(path, NULL, &err) == 0);
	CHECK(child_of_fork(path, sbx_cgroup_mode() == SBX_CGROUP_V2) == 0);
	CHECK(sbx_cgroup_remove(path, TIMEOUT_MS, &err) == 0);
	return 0;
}

static int limits(void *arg)
{
	const struct sbx_cgroup_limits l = {
		.memory_max = 64 << 20,
		.cpu_quota_us = 50000,
		.cpu_shares = 512,
		.pids_max = 123,
	};
	const struct sbx_cgroup_limits more = {.memory_max = 128 << 20,
					       .pids_max = SBX_CG_UNLIMITED};
	struct vr_err err = VR_ERR_INIT;
	bool v2 = sbx_cgroup_mode() == SBX_CGROUP_V2;
	pid_t pid;

	(void)arg;
	if (resolve_own() != 0) {
		return 1;
	}
	if (sbx_cgroup_create(path, &l, &err) != 0) {
		child_fail(__FILE__, __LINE__, err.msg, err.code);
		return 1;
	}
	CHECK(file_says("pids", "pids.max", "123"));
	if (v2) {
		CHECK(file_says("", "memory.max", "67108864"));
		CHECK(file_says("", "cpu.max", "50000 100000"));
		CHECK(file_says("", "cpu.weight", "20"));
	} else {
		CHECK(file_says("memory", "memory.limit_in_bytes", "67108864"));
		CHECK(file_says("cpu", "cpu.cfs_quota_us", "50000"));
		CHECK(file_says("cpu", "cpu.shares", "512"));
	}
	CHECK(sbx_cgroup_apply(path, &more, &err) == 0);
	CHECK(file_says("pids", "pids.max", "max"));
	CHECK(file_says("memory", v2 ? "memory.max" : "memory.limit_in_bytes", "134217728"));
	/* a cpuset that nobody configured must not keep processes out */
	pid = sleeper();
	CHECK(sbx_cgroup_attach(path, pid, &err) == 0);
	CHECK(sbx_cgroup_kill(path, &err) == 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	CHECK(sbx_cgroup_remove(path, TIMEOUT_MS, &err) == 0);
	return 0;
}

static int swap_grows_and_shrinks(void *arg)
{
	static const int64_t sizes[] = {64 << 20, 256 << 20, 32 << 20};
	struct vr_err err = VR_ERR_INIT;

	(void)arg;
	if (resolve_own() != 0) {
		return 1;
	}
	CHECK(sbx_cgroup_create(path, NULL, &err) == 0);
	for (size_t i = 0; i < VR_ARRAY_SIZE(sizes); i++) {
		const struct sbx_cgroup_limits l = {.memory_max = sizes[i],
						    .memory_swap = sizes[i]};

		if (sbx_cgroup_apply(path, &l, &err) != 0) {
			child_fail(__FILE__, __LINE__, err.msg, err.code);
			return 1;
		}
	}
	CHECK(sbx_cgroup_remove(path, TIMEOUT_MS, &err) == 0);
	return 0;
}

static int bad_limits(void *arg)
{
	const struct sbx_cgroup_limits swap = {.memory_max = 2 << 20, .memory_swap = 1 << 20};
	const struct sbx_cgroup_limits cpus = {.cpuset_cpus = "nonsense"};
	struct vr_err err = VR_ERR_INIT;

	(void)arg;
	if (resolve_own() != 0) {
		return 1;
	}
	CHECK(sbx_cgroup_create(path, &swap, &err) == -EINVAL);
	CHECK(strstr(err.msg, "memory and swap together (1048576) must not be less"));
	CHECK(strncmp(err.msg, "cgroup '", 8) == 0);
	CHECK(!sbx_cgroup_exists(path)); /* nothing is left */
	CHECK(sbx_cgroup_create(path, &cpus, &err) == -EINVAL);
	CHECK(strstr(err.msg, "cpuset.cpus"));
	CHECK(!sbx_cgroup_exists(path));
	return 0;
}

static void a_cgroup_lives_and_dies(void **state)
{
	(void)state;
	require_cgroups();
	assert_child_ok(life, NULL);
	assert_child_ok(nested, NULL);
	assert_child_ok(birth, NULL);
}

static void limits_are_set(void **state)
{
	(void)state;
	require_cgroups();
	assert_child_ok(limits, NULL);
	assert_child_ok(swap_grows_and_shrinks, NULL);
}

static void bad_limits_leave_nothing(void **state)
{
	(void)state;
	require_cgroups();
	assert_child_ok(bad_limits, NULL);
}

/* ---- version 2 on a machine with both ---- */

#define UNIFIED "/sys/fs/cgroup/unified"

static int as_version_2(int (*fn)(void *))
{
	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount(UNIFIED, "/sys/fs/cgroup", NULL, MS_BIND, NULL) == 0);
	CHECK(sbx_cgroup_mode() == SBX_CGROUP_V2);
	return fn(NULL);
}

static int missing_controller(void *arg)
{
	const struct sbx_cgroup_limits l = {.memory_max = 64 << 20};
	struct vr_err err = VR_ERR_INIT;

	(void)arg;
	if (resolve_own() != 0) {
		return 1;
	}
	CHECK(sbx_cgroup_create(path, &l, &err) == -ENOENT);
	CHECK(strstr(err.msg, "controller 'memory' is not available"));
	CHECK(!sbx_cgroup_exists(path));
	return 0;
}

static int v2_child(void *arg)
{
	int (*const steps[])(void *) = {life, nested, birth, missing_controller};

	return as_version_2(steps[*(const size_t *)arg]);
}

static void version_2_beside_version_1(void **state)
{
	struct stat st;

	(void)state;
	require_cgroups();
	if (sbx_cgroup_mode() != SBX_CGROUP_V1 || stat(UNIFIED "/cgroup.procs", &st) < 0) {
		print_message("# version 2 is tested directly, or not there\n");
		return;
	}
	for (size_t i = 0; i < 4; i++) {
		assert_child_ok(v2_child, &i);
	}
}

static int without_any(void *arg)
{
	struct vr_err err = VR_ERR_INIT;

	(void)arg;
	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(umount2("/sys/fs/cgroup", MNT_DETACH) == 0);
	CHECK(sbx_cgroup_mode() == SBX_CGROUP_NONE);
	CHECK(sbx_cgroup_create("/a", NULL, &err) == -ENOENT);
	CHECK(strncmp(err.msg, "find the cgroup file systems: ", 30) == 0);
	CHECK(sbx_cgroup_remove("/a", 0, &err) == 0);
	CHECK(!sbx_cgroup_exists("/a"));
	return 0;
}

static void a_machine_without_cgroups(void **state)
{
	(void)state;
	require_cgroups();
	assert_child_ok(without_any, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_normalised),
		cmocka_unit_test(relative_paths_go_near_our_own),
		cmocka_unit_test(weights_follow_shares),
		cmocka_unit_test(words),
		cmocka_unit_test(nothing_is_there),
		cmocka_unit_test(a_cgroup_lives_and_dies),
		cmocka_unit_test(limits_are_set),
		cmocka_unit_test(bad_limits_leave_nothing),
		cmocka_unit_test(version_2_beside_version_1),
		cmocka_unit_test(a_machine_without_cgroups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
