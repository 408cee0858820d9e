/* SPDX-License-Identifier: Apache-2.0 */
/* test_sbx_caps.c - capabilities, limits, descriptors, namespaces: the small steps of the stages */
#include "sbx_child.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "sandbox/caps.h"
#include "sandbox/fds.h"
#include "sandbox/namespaces.h"

/* A hexadecimal line of /proc/self/status. */
static uint64_t status_hex(const char *key)
{
	char line[256];
	uint64_t value = UINT64_MAX;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, strlen(key)) == 0) {
			value = strtoull(line + strlen(key), NULL, 16);
		}
	}
	if (f) {
		(void)fclose(f);
	}
	return value;
}

static int keep_none(void *arg)
{
	(void)arg;
	CHECK(sbx_caps_keep(NULL, 0) == 0);
	CHECK(status_hex("CapPrm:") == 0);
	CHECK(status_hex("CapEff:") == 0);
	CHECK(status_hex("CapInh:") == 0);
	CHECK(status_hex("CapBnd:") == 0);
	CHECK(status_hex("CapAmb:") == 0);
	CHECK(prctl(PR_GET_SECUREBITS) & SECBIT_NOROOT_LOCKED);
	CHECK(sbx_caps_keep(NULL, 0) == 0); /* a second time, without CAP_SETPCAP */
	return 0;
}

static int keep_two(void *arg)
{
	static const int caps[] = {CAP_CHOWN, CAP_FOWNER};
	const uint64_t mask = 1ull << CAP_CHOWN | 1ull << CAP_FOWNER;

	(void)arg;
	CHECK(sbx_caps_keep(caps, VR_ARRAY_SIZE(caps)) == 0);
	CHECK(status_hex("CapPrm:") == mask);
	CHECK(status_hex("CapEff:") == mask);
	CHECK(status_hex("CapBnd:") == mask);
	CHECK(status_hex("CapInh:") == 0);
	return 0;
}

static int keep_what_is_not_held(void *arg)
{
	static const int chown_only[] = {CAP_CHOWN};
	static const int both[] = {CAP_CHOWN, CAP_SYS_ADMIN};

	(void)arg;
	CHECK(sbx_caps_keep(chown_only, 1) == 0);
	CHECK(sbx_caps_keep(both, 2) == 0);
	CHECK(status_hex("CapPrm:") == 1ull << CAP_CHOWN);
	return 0;
}

static void capabilities(void **state)
{
	(void)state;
	require_root();
	assert_child_ok(keep_none, NULL);
	assert_child_ok(keep_two, NULL);
	assert_child_ok(keep_what_is_not_held, NULL);
}

static int flags(void *arg)
{
	(void)arg;
	CHECK(sbx_no_new_privs() == 0);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(sbx_undumpable() == 0);
	CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	CHECK(sbx_no_new_code() == 0 && sbx_no_new_code() == 0); /* a second time is as good */
	return 0;
}

static int limits(void *arg)
{
	struct rlimit rl;

	(void)arg;
	CHECK(sbx_limits(100) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur == 100 && rl.rlim_max == 100);
	CHECK(getrlimit(RLIMIT_CORE, &rl) == 0 && rl.rlim_max == 1);
	CHECK(getrlimit(RLIMIT_MEMLOCK, &rl) == 0 && rl.rlim_max == 0);
	CHECK(getrlimit(RLIMIT_MSGQUEUE, &rl) == 0 && rl.rlim_max == 0);
	CHECK(getrlimit(RLIMIT_RTPRIO, &rl) == 0 && rl.rlim_max == 0);
	CHECK(getrlimit(RLIMIT_NICE, &rl) == 0 && rl.rlim_max == 0);
	CHECK(sbx_caps_keep(NULL, 0) == 0);
	CHECK(sbx_limits(200) == 0); /* can't be raised any more: stays */
	CHECK(getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_max == 100);
	CHECK(sbx_limits(0) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_max == 100);
	return 0;
}

static int groups(void *arg)
{
	const gid_t some[] = {1, 2, 3};

	(void)arg;
	CHECK(syscall(116 /* setgroups */, 3, some) == 0);
	CHECK(sbx_drop_groups() == 0);
	CHECK(getgroups(0, NULL) == 0);
	return 0;
}

static void process_attributes(void **state)
{
	(void)state;
	assert_child_ok(flags, NULL);
	require_root();
	assert_child_ok(limits, NULL);
	assert_child_ok(groups, NULL);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int close_fds(void *arg)
{
	const int keep[] = {300, -1, 7, 8, 300, 10};
	int fd;

	(void)arg;
	for (fd = 3; fd < 20; fd++) {
		CHECK(dup2(0, fd) == fd);
	}
	CHECK(dup2(0, 300) == 300 && dup2(0, 301) == 301);
	CHECK(sbx_close_fds(keep, VR_ARRAY_SIZE(keep)) == 0);
	CHECK(is_open(0) && is_open(1) && is_open(2));
	CHECK(is_open(7) && is_open(8) && is_open(10) && is_open(300));
	for (fd = 3; fd < 1024; fd++) {
		CHECK(fd == 7 || fd == 8 || fd == 10 || fd == 300 || !is_open(fd));
	}
	CHECK(sbx_close_fds(NULL, 0) == 0);
	CHECK(!is_open(7) && !is_open(300) && is_open(2));
	return 0;
}

static void descriptors(void **state)
{
	(void)state;
	assert_child_ok(close_fds, NULL);
}

static void namespace_files_are_checked(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	int fd = -2;

	(void)state;
	assert_int_equal(sbx_ns_open("/proc/self/ns/net", CLONE_NEWNET, &fd, &err), 0);
	assert_true(fd >= 0);
	assert_int_equal(err.code, 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	(void)close(fd);

	fd = -2;
	assert_int_equal(sbx_ns_open("/proc/self/ns/net", CLONE_NEWIPC, &fd, &err), -EINVAL);
	assert_string_equal(err.msg, "'/proc/self/ns/net' is a namespace of type net, not ipc");
	assert_int_equal(sbx_ns_open("/etc/passwd", CLONE_NEWNET, &fd, &err), -EINVAL);
	assert_string_equal(err.msg, "'/etc/passwd' is not a namespace");
	assert_int_equal(sbx_ns_open("/nonexistent", CLONE_NEWNET, &fd, &err), -ENOENT);
	assert_int_equal(fd, -2);
	assert_string_equal(sbx_ns_name(CLONE_NEWNS), "mnt");
	assert_string_equal(sbx_ns_name(0), "?");
}

/* A FIFO would hang an open for reading. */
static int open_fifo(void *arg)
{
	char path[] = "/tmp/test_sbx_caps.XXXXXX";
	struct vr_err err = VR_ERR_INIT;
	int fd;
	int ret;

	(void)arg;
	CHECK(mkdtemp(path) && rmdir(path) == 0 && mkfifo(path, 0600) == 0);
	ret = sbx_ns_open(path, CLONE_NEWNET, &fd, &err);
	CHECK(unlink(path) == 0);
	CHECK(ret == -EINVAL);
	return 0;
}

static int join_and_unshare(void *arg)
{
	struct vr_err err = VR_ERR_INIT;
	struct stat before;
	struct stat after;
	int fd;

	(void)arg;
	CHECK(sbx_ns_open("/proc/self/ns/uts", CLONE_NEWUTS, &fd, &err) == 0);
	CHECK(stat("/proc/self/ns/uts", &before) == 0);
	CHECK(sbx_ns_unshare(CLONE_NEWUTS, &err) == 0);
	CHECK(stat("/proc/self/ns/uts", &after) == 0 && after.st_ino != before.st_ino);
	CHECK(sbx_ns_join(fd, CLONE_NEWUTS, &err) == 0);
	CHECK(stat("/proc/self/ns/uts", &after) == 0 && after.st_ino == before.st_ino);
	CHECK(sbx_ns_join(fd, CLONE_NEWIPC, &err) == -EINVAL);
	CHECK(strncmp(err.msg, "join ipc namespace: ", 20) == 0);
	CHECK(sbx_caps_keep(NULL, 0) == 0);
	CHECK(sbx_ns_unshare(CLONE_NEWUTS, &err) == -EPERM);
	return 0;
}

static void namespaces(void **state)
{
	(void)state;
	assert_child_ok(open_fifo, NULL);
	require_root();
	assert_child_ok(join_and_unshare, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capabilities), cmocka_unit_test(process_attributes),
		cmocka_unit_test(descriptors),	cmocka_unit_test(namespace_files_are_checked),
		cmocka_unit_test(namespaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
