/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sbx_stage_fs.c - the After of the file server's final stage
 *
 * What the server can still do, which is its work, and what it can't or what ends it.
 */
#include "sbx_world.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include "base/checked.h"
#include "sandbox/sandbox.h"

static const struct sbx_share root_share = {.fd = -1, .path = WORLD "/rootfs"};
static const struct sbx_share mounts[] = {
	{.fd = -1, .path = WORLD "/vol", .flags = SBX_SHARE_RECURSIVE | SBX_SHARE_SLAVE},
	{.fd = -1, .path = WORLD "/single", .flags = SBX_SHARE_RO},
	{.fd = -1, .path = WORLD "/single"},
};

static int enter_fs(struct sbx_fs_tree *tree)
{
	STAGE(sbx_fs_tree_build(&root_share, mounts, VR_ARRAY_SIZE(mounts), tree, &err));
	STAGE(sbx_stage_fs_final(tree, &err));
	return 0;
}

static int fd_name(int fd, char out[16])
{
	(void)snprintf(out, 16, "%d", fd);
	return fd;
}

/* All that the file server has to be able to do, under its final stage. */
static int fs_serves(const struct world *w)
{
	const struct iovec again = {.iov_base = "again\n", .iov_len = 6};
	struct sbx_fs_tree t;
	struct stat st;
	char name[16];
	int fd;

	(void)w;
	if (enter_fs(&t) != 0) {
		return 1;
	}
	CHECK(sbx_status()->done);
	CHECK(has_text(t.root_fd, "rootfs/etc/name", "guest\n"));
	CHECK(has_text(t.root_fd, "mounts/0/sub/deep", "deep\n"));
	CHECK(has_text(t.root_fd, "mounts/1", "single\n"));
	/* re-open of a handle, through the only door */
	CHECK(fd_name(openat(t.root_fd, "rootfs/etc/name", O_PATH | O_NOFOLLOW), name) >= 0);
	fd = openat(t.proc_self_fd, name, O_RDWR | O_TRUNC);
	CHECK(fd >= 0 && pwritev(fd, &again, 1, 0) == 6 && ftruncate(fd, 6) == 0);
	/* what has no form for a descriptor goes by its name, too */
	CHECK(fchmodat(t.proc_self_fd, name, 0640, 0) == 0);
	CHECK(utimensat(t.proc_self_fd, name, NULL, 0) == 0);
	CHECK(fchdir(t.proc_self_fd) == 0);
	CHECK(setxattr(name, "user.b", "1", 1, 0) == 0 || errno == EOPNOTSUPP);
	CHECK(linkat(t.proc_self_fd, name, t.root_fd, "rootfs/etc/linked", AT_SYMLINK_FOLLOW) == 0);
	CHECK(fd_name(openat(t.root_fd, "mounts/2", O_PATH | O_NOFOLLOW), name) >= 0);
	CHECK(openat(t.proc_self_fd, name, O_RDWR) >= 0);
	/* everything a directory can get */
	CHECK(mkdirat(t.root_fd, "rootfs/d", 0755) == 0);
	CHECK(symlinkat("x", t.root_fd, "rootfs/d/link") == 0);
	CHECK(mknodat(t.root_fd, "rootfs/d/fifo", S_IFIFO | 0600, 0) == 0);
	CHECK(mknodat(t.root_fd, "rootfs/d/sock", S_IFSOCK | 0600, 0) == 0);
	CHECK(mknodat(t.root_fd, "rootfs/d/file", S_IFREG | 0600, 0) == 0);
	CHECK(mknodat(t.root_fd, "rootfs/d/white", S_IFCHR | 0600, makedev(0, 0)) == 0);
	CHECK(fstatat(t.root_fd, "rootfs/d/white", &st, AT_SYMLINK_NOFOLLOW) == 0);
	CHECK(linkat(t.root_fd, "rootfs/d/file", t.root_fd, "rootfs/d/file2", 0) == 0);
	CHECK(fchownat(t.root_fd, "rootfs/d/file", 1000, 1000, AT_SYMLINK_NOFOLLOW) == 0);
	CHECK(fchmodat(t.root_fd, "rootfs/d/file", 04711, 0) == 0);
	CHECK(unlinkat(t.root_fd, "rootfs/d/link", 0) == 0);
	/* to another directory: Landlock's REFER, which ABI 1 always refuses */
	CHECK(syscall(SYS_renameat2, t.root_fd, "rootfs/d/file", t.root_fd, "rootfs/etc/file", 0) ==
		      0 ||
	      sbx_status()->landlock_abi == 1);
	return 0;
}

/* The guest's user is the one who makes files, with all capabilities over files back afterwards. */
static int fs_acts_as_the_guests_user(const struct world *w)
{
	struct sbx_fs_tree t;
	struct stat st;
	int fd;

	(void)w;
	if (enter_fs(&t) != 0) {
		return 1;
	}
	CHECK(fchmodat(t.root_fd, "rootfs/etc", 0777, 0) == 0);
	(void)syscall(SYS_setfsgid, 1000);
	(void)syscall(SYS_setfsuid, 1000);
	fd = openat(t.root_fd, "rootfs/etc/made", O_CREAT | O_EXCL | O_RDWR, 0600);
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	CHECK(st.st_uid == 1000 && st.st_gid == 1000);
	CHECK(mkdirat(t.root_fd, "rootfs/not_mine", 0755) < 0 && errno == EACCES);
	(void)syscall(SYS_setfsuid, 0);
	(void)syscall(SYS_setfsgid, 0);
	CHECK(fchownat(t.root_fd, "rootfs/etc/made", 7, 7, 0) == 0);
	return 0;
}

static int fs_sees_later_mounts(const struct world *w)
{
	struct sbx_fs_tree t;

	if (enter_fs(&t) != 0) {
		return 1;
	}
	CHECK(has_text(t.root_fd, "mounts/0/sub/deep", "deep\n"));
	CHECK(sbx_turn(w) == 0);
	CHECK(has_text(t.root_fd, "mounts/0/sub/new", "new\n"));
	CHECK(mkdirat(t.root_fd, "mounts/0/sub/d", 0755) == 0);
	return 0;
}

static int mount_later(const struct world *w)
{
	(void)w;
	CHECK(mount("new", WORLD "/vol/sub", "tmpfs", 0, NULL) == 0);
	CHECK(put_file(WORLD "/vol/sub/new", "new\n") == 0);
	return 0;
}

/* A descriptor of the host's that came along by mistake: the last line of defence. */
static int fs_with_leaked_directory(int limit)
{
	int leaked = open(WORLD, O_PATH | O_DIRECTORY);
	int abi = sbx_landlock_abi(limit);
	struct sbx_fs_tree t;

	CHECK(leaked >= 0);
	sbx_set_landlock_limit(limit);
	if (enter_fs(&t) != 0) {
		return 1;
	}
	CHECK(sbx_status()->landlock_abi == abi);
	if (abi > 0) {
		CHECK(openat(leaked, "secret", O_RDONLY) < 0 && errno == EACCES);
		CHECK(mkdirat(leaked, "x", 0755) < 0 && errno == EACCES);
		CHECK(openat(t.root_fd, "mounts/1", O_RDWR) < 0);
	} else {
		CHECK(openat(leaked, "secret", O_RDONLY) >= 0); /* hence sbx_close_fds() */
	}
	CHECK(openat(t.root_fd, "rootfs/../../secret", O_RDONLY) < 0);
	CHECK(openat(t.proc_self_fd, "../environ", O_RDONLY) < 0);
	return 0;
}

static int fs_leaks(const struct world *w)
{
	(void)w;
	return fs_with_leaked_directory(SBX_LANDLOCK_ANY);
}

static int fs_leaks_without_landlock(const struct world *w)
{
	(void)w;
	return fs_with_leaked_directory(SBX_LANDLOCK_ABSENT);
}

static int fs_works_with_abi_1(const struct world *w)
{
	sbx_set_landlock_limit(1);
	return fs_serves(w);
}

/* Rootless, and containers with a user namespace of their own. */
static int fs_in_user_namespace(const struct world *w)
{
	struct sbx_fs_tree t;

	(void)w;
	STAGE(sbx_fs_tree_build(&root_share, mounts, VR_ARRAY_SIZE(mounts), &t, &err));
	CHECK(unshare(CLONE_NEWUSER) == 0);
	STAGE(sbx_stage_fs_final(&t, &err));
	CHECK(has_text(t.root_fd, "rootfs/etc/name", "guest\n"));
	return 0;
}

static int fs_makes_device(const struct world *w)
{
	struct sbx_fs_tree t;

	(void)w;
	if (enter_fs(&t) != 0) {
		return 1;
	}
	CHECK(mknodat(t.root_fd, "rootfs/null", S_IFCHR | 0666, makedev(1, 3)) == 0);
	return 0;
}

static int fs_changes_mounts(const struct world *w)
{
	struct sbx_fs_tree t;

	(void)w;
	if (enter_fs(&t) != 0) {
		return 1;
	}
	CHECK(umount("/mounts/0/sub") == 0);
	return 0;
}

static int fs_forks(const struct world *w)
{
	struct sbx_fs_tree t;

	(void)w;
	if (enter_fs(&t) != 0) {
		return 1;
	}
	CHECK(fork() >= 0);
	return 0;
}

static int fs_tampered_tree(const struct world *w)
{
	struct sbx_fs_tree t;

	(void)w;
	STAGE(sbx_fs_tree_build(&root_share, mounts, VR_ARRAY_SIZE(mounts), &t, &err));
	t.n_mounts++; /* a share that doesn't exist */
	t.writable = realloc(t.writable, t.n_mounts + 1);
	t.writable[t.n_mounts] = true;
	{
		struct vr_err err = VR_ERR_INIT;

		CHECK(sbx_stage_fs_final(&t, &err) == -ENOENT);
		CHECK(strncmp(err.msg, "sandbox: find share 4", 21) == 0);
	}
	return 0;
}

static int fs_caps(const struct world *w)
{
	const uint64_t want = 1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_FOWNER |
			      1ull << CAP_FSETID | 1ull << CAP_SETUID | 1ull << CAP_SETGID |
			      1ull << CAP_SETFCAP;
	int status = open("/proc/self/status", O_RDONLY);
	struct sbx_fs_tree t;
	char line[32];
	char text[8192];
	ssize_t n;

	(void)w;
	CHECK(status >= 0);
	if (enter_fs(&t) != 0) {
		return 1;
	}
	n = read(status, text, sizeof(text) - 1); /* made now */
	CHECK(n > 0);
	text[n] = '\0';
	(void)snprintf(line, sizeof(line), "CapEff:\t%016llx\n", (unsigned long long)want);
	CHECK(strstr(text, line));
	(void)snprintf(line, sizeof(line), "CapBnd:\t%016llx\n", (unsigned long long)want);
	CHECK(strstr(text, line));
	CHECK(strstr(text, "NoNewPrivs:\t1\n"));
	CHECK(!sbx_seccomp_enforced() || strstr(text, "Seccomp:\t2\n"));
	return 0;
}

struct experiment {
	int (*server)(const struct world *);
	int (*host)(const struct world *);
};

static int run_experiment(void *arg)
{
	const struct experiment *e = arg;

	return world_run(e->server, e->host);
}

static int run(int (*server)(const struct world *), int (*host)(const struct world *))
{
	struct experiment e = {.server = server, .host = host};
	int status;

	require_root();
	status = child_run(run_experiment, &e);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void fs_can_do_its_work(void **state)
{
	(void)state;
	assert_int_equal(run(fs_serves, NULL), 0);
	assert_int_equal(run(fs_acts_as_the_guests_user, NULL), 0);
	assert_int_equal(run(fs_sees_later_mounts, mount_later), 0);
	assert_int_equal(run(fs_in_user_namespace, NULL), 0);
}

static void fs_works_with_an_old_landlock(void **state)
{
	(void)state;
	assert_int_equal(run(fs_works_with_abi_1, NULL), 0);
}

static void fs_keeps_capabilities_over_files_only(void **state)
{
	(void)state;
	assert_int_equal(run(fs_caps, NULL), 0);
}

static void fs_reaches_nothing_outside(void **state)
{
	(void)state;
	assert_int_equal(run(fs_leaks, NULL), 0);
	assert_int_equal(run(fs_leaks_without_landlock, NULL), 0);
}

static void fs_is_ended_by_what_it_must_not_do(void **state)
{
	static int (*const deeds[])(const struct world *) = {
		fs_makes_device,
		fs_changes_mounts,
		fs_forks,
	};

	(void)state;
	require_seccomp();
	for (size_t i = 0; i < VR_ARRAY_SIZE(deeds); i++) {
		assert_int_equal(run(deeds[i], NULL), 128 + SIGSYS);
	}
}

static void fs_stage_fails_as_a_whole(void **state)
{
	(void)state;
	assert_int_equal(run(fs_tampered_tree, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fs_can_do_its_work),
		cmocka_unit_test(fs_works_with_an_old_landlock),
		cmocka_unit_test(fs_keeps_capabilities_over_files_only),
		cmocka_unit_test(fs_reaches_nothing_outside),
		cmocka_unit_test(fs_is_ended_by_what_it_must_not_do),
		cmocka_unit_test(fs_stage_fails_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
