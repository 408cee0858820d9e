/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sbx_stages.c - the After of every stage of vmm and shim (fs: test_sbx_stage_fs.c)
 *
 * Seen from outside (/proc/PID of a process that went through its stages) and from
 * inside (what the role still can, and what ends it).
 */
#include "sbx_child.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "sandbox/caps.h"
#include "sandbox/sandbox.h"

/* ---- a role that stands still to be looked at ---- */

struct subject {
	pid_t pid;
	int fd; /* closing it lets the role end */
};

static void subject_start(struct subject *s, int (*enter)(void))
{
	int pair[2];
	char c = 1;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	(void)fflush(NULL);
	s->pid = fork();
	if (s->pid == 0) {
		(void)close(pair[0]);
		alarm(30);
		c = enter() == 0;
		(void)!write(pair[1], &c, 1); /* then the parent sees the end of file */
		(void)!read(pair[1], &c, 1);
		_exit(0);
	}
	assert_true(s->pid > 0);
	(void)close(pair[1]);
	s->fd = pair[0];
	assert_int_equal(read(s->fd, &c, 1), 1);
	assert_int_equal(c, 1);
}

static void subject_end(struct subject *s)
{
	int status;

	(void)close(s->fd);
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	assert_int_equal(status, 0);
}

static void read_proc(const struct subject *s, const char *file, char *out, size_t cap)
{
	char path[64];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", s->pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, out, cap - 1);
	assert_true(n >= 0);
	out[n] = '\0';
	(void)close(fd);
}

static uint64_t status_value(const struct subject *s, const char *key, int base)
{
	char text[8192];
	char *at;

	read_proc(s, "status", text, sizeof(text));
	at = strstr(text, key);
	assert_non_null(at);
	return strtoull(at + strlen(key), NULL, base);
}

static bool shares_ns(const struct subject *s, const char *name)
{
	char mine[64];
	char theirs[64];
	struct stat a;
	struct stat b;

	(void)snprintf(mine, sizeof(mine), "/proc/self/ns/%s", name);
	(void)snprintf(theirs, sizeof(theirs), "/proc/%d/ns/%s", s->pid, name);
	assert_int_equal(stat(mine, &a), 0);
	assert_int_equal(stat(theirs, &b), 0);
	return a.st_ino == b.st_ino;
}

/* May a process with the same uid and no capability look at it closely (ptrace, /proc/PID/ns)? */
static int look_closely(void *arg)
{
	const struct subject *s = arg;
	char path[64];
	char link[64];

	CHECK(sbx_caps_keep(NULL, 0) == 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", s->pid);
	return readlink(path, link, sizeof(link)) > 0 ? 0 : 2;
}

static void assert_capabilities(const struct subject *s, uint64_t caps)
{
	assert_int_equal(status_value(s, "CapPrm:", 16), caps);
	assert_int_equal(status_value(s, "CapEff:", 16), caps);
	assert_int_equal(status_value(s, "CapBnd:", 16), caps);
	assert_int_equal(status_value(s, "CapInh:", 16), 0);
	assert_int_equal(status_value(s, "CapAmb:", 16), 0);
	assert_int_equal(status_value(s, "NoNewPrivs:", 10), 1);
	if (sbx_seccomp_enforced()) {
		assert_int_equal(status_value(s, "Seccomp:", 10), 2);
	}
}

/* ---- vmm ---- */

/* With this one, what holds the others off is not just that they are others. */
static const struct sbx_user root;

static int enter_vmm(void)
{
	static const gid_t groups[] = {1, 2};

	CHECK(setgroups(2, groups) == 0);
	STAGE(sbx_stage_vmm_mounts(&err));
	STAGE(sbx_stage_vmm_final(&root, &err));
	STAGE(sbx_stage_vmm_started(&err));
	return 0;
}

static void vmm_sees_an_empty_root(void **state)
{
	char text[4096];
	struct subject s;

	(void)state;
	require_root();
	subject_start(&s, enter_vmm);
	read_proc(&s, "mountinfo", text, sizeof(text));
	assert_non_null(strchr(text, '\n'));
	assert_null(strchr(strchr(text, '\n') + 1, '\n')); /* one line */
	assert_non_null(strstr(text, " / / ro,nosuid,nodev,noexec"));
	assert_non_null(strstr(text, " - tmpfs "));
	assert_false(shares_ns(&s, "mnt"));
	assert_false(shares_ns(&s, "ipc"));
	assert_false(shares_ns(&s, "uts"));
	assert_false(shares_ns(&s, "net"));
	subject_end(&s);
}

static void vmm_has_no_power(void **state)
{
	char text[8192];
	struct subject s;

	(void)state;
	require_root();
	subject_start(&s, enter_vmm);
	assert_capabilities(&s, 0);
	if (sbx_seccomp_enforced()) {
		assert_int_equal(status_value(&s, "Seccomp_filters:", 10), 2);
	}
	read_proc(&s, "limits", text, sizeof(text));
	assert_non_null(strstr(text, "Max core file size        1 "));
	assert_non_null(strstr(text, "Max locked memory         0 "));
	read_proc(&s, "status", text, sizeof(text));
	assert_non_null(strstr(text, "Groups:\t \n"));
	assert_int_equal(WEXITSTATUS(child_run(look_closely, &s)), 2);
	subject_end(&s);
}

#define SOMEBODY 0x70012345u

static int enter_vmm_as_somebody(void)
{
	static const struct sbx_user somebody = {.change = true, .must = true, .uid = SOMEBODY};

	STAGE(sbx_stage_vmm_mounts(&err));
	STAGE(sbx_stage_vmm_final(&somebody, &err));
	return 0;
}

static void vmm_is_another_user(void **state)
{
	char text[8192];
	char want[64];
	struct subject s;

	(void)state;
	require_root();
	subject_start(&s, enter_vmm_as_somebody);
	assert_capabilities(&s, 0);
	read_proc(&s, "status", text, sizeof(text));
	(void)snprintf(want, sizeof(want), "Uid:\t%u\t%u\t%u\t%u\n", SOMEBODY, SOMEBODY, SOMEBODY,
		       SOMEBODY);
	assert_non_null(strstr(text, want));
	want[0] = 'G';
	assert_non_null(strstr(text, want));
	assert_non_null(strstr(text, "Groups:\t \n"));
	subject_end(&s);
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = write(fd, text, strlen(text));

	(void)close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* Our user namespace has one id: whoever insists on another fails, who doesn't stays. */
static int vmm_without_ids(void *arg)
{
	struct sbx_user user = {.change = true, .uid = SOMEBODY};
	struct vr_err why = VR_ERR_INIT;

	(void)arg;
	CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
	CHECK(put("/proc/self/uid_map", "0 0 1") == 0);
	CHECK(put("/proc/self/setgroups", "deny") == 0);
	CHECK(put("/proc/self/gid_map", "0 0 1") == 0);
	STAGE(sbx_stage_vmm_mounts(&err));
	user.must = true;
	CHECK(sbx_stage_vmm_final(&user, &why) == -EINVAL);
	CHECK(strstr(why.msg, "become user 1879122757"));
	user.must = false;
	STAGE(sbx_stage_vmm_final(&user, &err));
	CHECK(prctl(PR_SET_NAME, "vmm") == 0);
	return 0;
}

static void vmm_stays_where_ids_are_missing(void **state)
{
	(void)state;
	require_root();
	assert_child_ok(vmm_without_ids, NULL);
}

static int vmm_final_status(void *arg)
{
	int limit = *(const int *)arg;
	int expected = sbx_landlock_abi(limit);
	const struct sbx_status *st = sbx_status();

	CHECK(!st->done && !st->seccomp && st->landlock_abi == 0);
	sbx_set_landlock_limit(limit);
	STAGE(sbx_stage_vmm_mounts(&err));
	STAGE(sbx_stage_vmm_final(&root, &err));
	CHECK(st->done && st->seccomp == sbx_seccomp_enforced());
	CHECK(st->landlock_abi == expected);
	CHECK(prctl(PR_SET_NAME, "vmm") == 0);
	return 0;
}

static void status_tells_about_landlock(void **state)
{
	static const int limits[] = {SBX_LANDLOCK_ANY, SBX_LANDLOCK_ABSENT, 1, 4};

	(void)state;
	require_root();
	for (size_t i = 0; i < VR_ARRAY_SIZE(limits); i++) {
		int limit = limits[i];

		assert_child_ok(vmm_final_status, &limit);
	}
}

/* With the system call filter as the only guard (Landlock absent), opening is the end. */
static int vmm_opens(void *arg)
{
	sbx_set_landlock_limit(*(const int *)arg);
	STAGE(sbx_stage_vmm_mounts(&err));
	STAGE(sbx_stage_vmm_final(&root, &err));
	CHECK(open("/", O_RDONLY) < 0);
	return 0;
}

static void vmm_opens_nothing(void **state)
{
	static const int limits[] = {SBX_LANDLOCK_ANY, SBX_LANDLOCK_ABSENT};

	(void)state;
	require_root();
	require_seccomp();
	for (size_t i = 0; i < VR_ARRAY_SIZE(limits); i++) {
		int limit = limits[i];

		assert_sigsys(child_run(vmm_opens, &limit));
	}
}

/* Enough for an arena of its own to grow and shrink, had malloc not been told otherwise. */
static bool use_malloc(void)
{
	enum {
		BLOCKS = 300,
		BLOCK_BYTES = 100000
	};
	static _Thread_local void *blocks[BLOCKS];

	for (size_t i = 0; i < BLOCKS; i++) {
		blocks[i] = malloc(BLOCK_BYTES);
		if (!blocks[i]) {
			return false;
		}
		memset(blocks[i], 1, BLOCK_BYTES);
	}
	for (size_t i = 0; i < BLOCKS; i++) {
		free(blocks[i]);
	}
	return true;
}

static void *thread_main(void *arg)
{
	return sbx_seccomp_thread(SBX_ROLE_VCPU) == 0 && use_malloc() ? arg : NULL;
}

static int vmm_threads(void *arg)
{
	static char mark;
	pthread_t threads[8];
	void *result;

	STAGE(sbx_stage_vmm_mounts(&err));
	STAGE(sbx_stage_vmm_final(&root, &err));
	for (size_t i = 0; i < VR_ARRAY_SIZE(threads); i++) {
		CHECK(pthread_create(&threads[i], NULL, thread_main, &mark) == 0);
	}
	for (size_t i = 0; i < VR_ARRAY_SIZE(threads); i++) {
		CHECK(pthread_join(threads[i], &result) == 0 && result == &mark);
	}
	if (arg) {
		STAGE(sbx_stage_vmm_started(&err));
		CHECK(pthread_create(&threads[0], NULL, thread_main, &mark) != 0);
	}
	return 0;
}

static void vmm_starts_threads(void **state)
{
	(void)state;
	require_root();
	assert_child_ok(vmm_threads, NULL);
}

static void vmm_started_makes_no_threads(void **state)
{
	int later = 1;

	(void)state;
	require_root();
	require_seccomp();
	assert_sigsys(child_run(vmm_threads, &later));
}

static void *wait_forever(void *arg)
{
	(void)pause();
	return arg;
}

static int stage_with_threads(void *arg)
{
	struct vr_err err = VR_ERR_INIT;
	struct sbx_fs_tree tree = SBX_FS_TREE_INIT;
	pthread_t thread;

	(void)arg;
	CHECK(pthread_create(&thread, NULL, wait_forever, NULL) == 0);
	CHECK(sbx_stage_vmm_mounts(&err) == -EBUSY);
	CHECK(strcmp(err.msg, "sandbox: the process has several threads") == 0);
	CHECK(sbx_stage_vmm_final(&root, &err) == -EBUSY);
	CHECK(sbx_stage_shim_final(&err) == -EBUSY);
	CHECK(sbx_stage_fs_final(&tree, &err) == -EBUSY);
	CHECK(!sbx_status()->done);
	return 0;
}

static void stages_refuse_several_threads(void **state)
{
	(void)state;
	assert_child_ok(stage_with_threads, NULL);
}

static int stage_without_privilege(void *arg)
{
	struct vr_err err = VR_ERR_INIT;

	(void)arg;
	CHECK(setresuid(65534, 65534, 65534) == 0);
	CHECK(sbx_stage_vmm_mounts(&err) == -EPERM);
	CHECK(strncmp(err.msg, "make new namespaces", 19) == 0);
	return 0;
}

static void stages_fail_with_words(void **state)
{
	(void)state;
	require_root();
	assert_child_ok(stage_without_privilege, NULL);
}

/* ---- shim ---- */

static int enter_shim(void)
{
	STAGE(sbx_stage_shim_final(&err));
	return 0;
}

static void shim_has_no_power_and_can_be_looked_at(void **state)
{
	struct subject s;

	(void)state;
	require_root();
	subject_start(&s, enter_shim);
	assert_capabilities(&s, 0);
	assert_int_equal(WEXITSTATUS(child_run(look_closely, &s)), 0);
	assert_true(shares_ns(&s, "mnt")); /* its namespaces are its caller's business */
	subject_end(&s);
}

/* ---- proxy ---- */

/* Landlock's last version without scopes: they would keep it from signalling its shim. */
#define NO_SCOPES 5

static int proxy_status(void *arg)
{
	pid_t shim = *(const pid_t *)arg;
	int abi = sbx_landlock_abi(SBX_LANDLOCK_ANY);

	STAGE(sbx_stage_proxy_final(shim, &err));
	CHECK(sbx_status()->landlock_abi == (shim > 0 ? VR_MIN(abi, NO_SCOPES) : abi));
	return 0;
}

static int relay_signals(void *arg)
{
	pid_t whom = *(const pid_t *)arg;

	STAGE(sbx_stage_proxy_final(0, &err));
	return kill(whom > 0 ? whom : getpid(), whom > 0 ? 0 : SIGKILL);
}

static void proxy_without_a_shim_signals_itself_only(void **state)
{
	pid_t us = getpid();
	pid_t itself = 0;
	int status;

	(void)state;
	require_root();
	assert_child_ok(proxy_status, &us);
	assert_child_ok(proxy_status, &itself);
	status = child_run(relay_signals, &itself);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	require_seccomp();
	assert_sigsys(child_run(relay_signals, &us));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vmm_sees_an_empty_root),
		cmocka_unit_test(vmm_has_no_power),
		cmocka_unit_test(vmm_is_another_user),
		cmocka_unit_test(vmm_stays_where_ids_are_missing),
		cmocka_unit_test(vmm_opens_nothing),
		cmocka_unit_test(vmm_starts_threads),
		cmocka_unit_test(vmm_started_makes_no_threads),
		cmocka_unit_test(status_tells_about_landlock),
		cmocka_unit_test(stages_refuse_several_threads),
		cmocka_unit_test(stages_fail_with_words),
		cmocka_unit_test(shim_has_no_power_and_can_be_looked_at),
		cmocka_unit_test(proxy_without_a_shim_signals_itself_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
