/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sbx_stages.c - the After of the stages of vmm and proxy (fs: test_sbx_stage_fs.c)
 *
 * From inside: what the role still can, and what ends it. From outside: test_sbx_left.c.
 */
#include "sbx_child.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "base/checked.h"
#include "sandbox/sandbox.h"

/* ---- vmm ---- */

static const struct sbx_user root;

#define SOMEBODY 0x70012345u

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
		cmocka_unit_test(vmm_stays_where_ids_are_missing),
		cmocka_unit_test(vmm_opens_nothing),
		cmocka_unit_test(vmm_starts_threads),
		cmocka_unit_test(vmm_started_makes_no_threads),
		cmocka_unit_test(status_tells_about_landlock),
		cmocka_unit_test(stages_refuse_several_threads),
		cmocka_unit_test(stages_fail_with_words),
		cmocka_unit_test(proxy_without_a_shim_signals_itself_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
