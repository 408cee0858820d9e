/* SPDX-License-Identifier: Apache-2.0 */
/* test_sbx_landlock.c - what each Landlock ABI version denies, and behaviour without it */
#include "sbx_child.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/checked.h"
#include "sandbox/caps.h"
#include "sandbox/landlock.h"
#include "sandbox/landlock_abi.h"

static void require_landlock(int abi)
{
	char what[32];

	(void)snprintf(what, sizeof(what), "Landlock ABI %d", abi);
	require(sbx_landlock_abi(SBX_LANDLOCK_ANY) >= abi, what);
}

static void negotiation(void **state)
{
	int abi = sbx_landlock_abi(SBX_LANDLOCK_ANY);

	(void)state;
	print_message("# Landlock ABI in use: %d\n", abi);
	assert_in_range(abi, 0, LL_ABI_MAX);
	assert_int_equal(sbx_landlock_abi(SBX_LANDLOCK_ABSENT), 0);
	assert_int_equal(sbx_landlock_abi(1), VR_MIN(abi, 1));
	assert_int_equal(sbx_landlock_abi(1000), abi);
}

static void bad_arguments(void **state)
{
	const struct sbx_landlock_rule closed = {.fd = -1, .allow = LL_FS_READ_FILE};

	(void)state;
	assert_int_equal(sbx_landlock_restrict(0, NULL, 0), -EINVAL);
	assert_int_equal(sbx_landlock_restrict(LL_ABI_MAX + 1, NULL, 0), -EINVAL);
	require_landlock(1);
	assert_int_equal(sbx_landlock_restrict(1, &closed, 1), -EBADF);
}

/* What has to be refused under a ruleset that allows nothing. */
static int deny_all(void *arg)
{
	int abi = *(const int *)arg;
	char dir[] = "/tmp/test_sbx_landlock.XXXXXX";
	int held;

	CHECK(mkdtemp(dir));
	CHECK(rmdir(dir) == 0);
	held = open("/proc/self/status", O_RDONLY);
	CHECK(held >= 0);
	CHECK(sbx_no_new_privs() == 0);
	CHECK(sbx_landlock_restrict(abi, NULL, 0) == 0);
	CHECK(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
	CHECK(open("/", O_RDONLY | O_DIRECTORY) < 0 && errno == EACCES);
	CHECK(open("/tmp", O_TMPFILE | O_RDWR, 0600) < 0 && errno == EACCES);
	CHECK(mkdir(dir, 0700) < 0 && errno == EACCES);
	CHECK(mknod(dir, S_IFIFO | 0600, 0) < 0 && errno == EACCES);
	CHECK(symlink("x", dir) < 0 && errno == EACCES);
	CHECK(mount("none", "/tmp", "tmpfs", 0, NULL) < 0 && errno == EPERM);
	CHECK(execl("/bin/true", "true", (char *)NULL) < 0 && errno == EACCES);
	CHECK(read(held, dir, 1) == 1); /* what is open stays open */
	return 0;
}

static void every_abi_denies_files(void **state)
{
	int abi;

	(void)state;
	require_root();
	require_landlock(1);
	for (abi = 1; abi <= sbx_landlock_abi(SBX_LANDLOCK_ANY); abi++) {
		assert_child_ok(deny_all, &abi);
	}
}

static int deny_truncate(void *arg)
{
	char path[] = "/tmp/test_sbx_landlock.XXXXXX";
	int fd = mkstemp(path);
	int result;

	(void)arg;
	CHECK(fd >= 0);
	CHECK(unlink(path) == 0 || errno == ENOENT);
	CHECK(sbx_no_new_privs() == 0);
	CHECK(sbx_landlock_restrict(3, NULL, 0) == 0);
	result = truncate("/proc/self/comm", 0);
	CHECK(result < 0 && errno == EACCES);
	CHECK(ftruncate(fd, 1) == 0); /* opened before */
	return 0;
}

static int deny_tcp(void *arg)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)arg;
	CHECK(fd >= 0);
	CHECK(sbx_no_new_privs() == 0);
	CHECK(sbx_landlock_restrict(4, NULL, 0) == 0);
	CHECK(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno == EACCES);
	addr.sin_port = htons(1);
	CHECK(connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno == EACCES);
	return 0;
}

static int deny_scopes(void *arg)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int server = socket(AF_UNIX, SOCK_STREAM, 0);
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t len;

	(void)arg;
	(void)snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, "test_sbx_landlock.%d",
		       getpid());
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(addr.sun_path + 1));
	CHECK(server >= 0 && client >= 0);
	CHECK(bind(server, (struct sockaddr *)&addr, len) == 0);
	CHECK(listen(server, 1) == 0);
	CHECK(sbx_no_new_privs() == 0);
	CHECK(sbx_landlock_restrict(6, NULL, 0) == 0);
	/* The server was made outside of the domain, even though by us. */
	CHECK(connect(client, (struct sockaddr *)&addr, len) < 0 && errno == EPERM);
	CHECK(kill(getppid(), 0) < 0 && errno == EPERM);
	CHECK(kill(getpid(), 0) == 0);
	return 0;
}

static void truncation_from_abi_3(void **state)
{
	(void)state;
	require_landlock(3);
	assert_child_ok(deny_truncate, NULL);
}

static void tcp_from_abi_4(void **state)
{
	(void)state;
	require_landlock(4);
	assert_child_ok(deny_tcp, NULL);
}

static void scopes_from_abi_6(void **state)
{
	(void)state;
	require_landlock(6);
	assert_child_ok(deny_scopes, NULL);
}

static int allow_beneath(void *arg)
{
	char dir[] = "/tmp/test_sbx_landlock.XXXXXX";
	struct sbx_landlock_rule rules[2];
	int abi = *(const int *)arg;
	int at;

	CHECK(mkdtemp(dir));
	at = open(dir, O_PATH | O_DIRECTORY);
	CHECK(at >= 0);
	rules[0] = (struct sbx_landlock_rule){.fd = at, .allow = ~0ull}; /* cut to the ABI's */
	rules[1] = (struct sbx_landlock_rule){.fd = open("/etc/passwd", O_PATH),
					      .allow = LL_FS_READ_FILE | LL_FS_MAKE_DIR};
	CHECK(sbx_no_new_privs() == 0);
	CHECK(sbx_landlock_restrict(abi, rules, 2) == 0);
	CHECK(mkdirat(at, "a", 0700) == 0);
	CHECK(unlinkat(at, "a", AT_REMOVEDIR) == 0);
	CHECK(open("/etc/passwd", O_RDONLY) >= 0);
	CHECK(open("/etc/passwd", O_RDWR) < 0 && errno == EACCES);
	CHECK(open("/etc/group", O_RDONLY) < 0 && errno == EACCES);
	CHECK(unlinkat(at, "../nothing", 0) < 0);
	return 0;
}

static void rules_allow_beneath_only(void **state)
{
	int abi;

	(void)state;
	require_landlock(1);
	for (abi = 1; abi <= sbx_landlock_abi(SBX_LANDLOCK_ANY); abi++) {
		assert_child_ok(allow_beneath, &abi);
	}
	(void)!system("rmdir /tmp/test_sbx_landlock.* 2>/dev/null"); /* they couldn't themselves */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(negotiation),
		cmocka_unit_test(bad_arguments),
		cmocka_unit_test(every_abi_denies_files),
		cmocka_unit_test(truncation_from_abi_3),
		cmocka_unit_test(tcp_from_abi_4),
		cmocka_unit_test(scopes_from_abi_6),
		cmocka_unit_test(rules_allow_beneath_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
