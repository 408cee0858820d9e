/* SPDX-License-Identifier: Apache-2.0 */
/* test_sbx_tree.c - the file server's view: what is in it, with which flags, and what isn't */
#include "sbx_world.h"

#include "base/checked.h"
#include "sandbox/namespaces.h"

static const struct sbx_share root_share = {.fd = -1, .path = WORLD "/rootfs", .flags = 0};

static const struct sbx_share some_mounts[] = {
	{.fd = -1, .path = WORLD "/vol", .flags = SBX_SHARE_RECURSIVE | SBX_SHARE_SLAVE},
	{.fd = -1, .path = WORLD "/single", .flags = SBX_SHARE_RO},
	{.fd = -1, .path = WORLD "/vol", .flags = SBX_SHARE_RO | SBX_SHARE_RECURSIVE},
	{.fd = -1, .path = WORLD "/vol", .flags = 0},
};

static int build(struct sbx_fs_tree *tree)
{
	struct vr_err err = VR_ERR_INIT;
	int ret =
		sbx_fs_tree_build(&root_share, some_mounts, VR_ARRAY_SIZE(some_mounts), tree, &err);

	if (ret < 0) {
		child_fail(__FILE__, __LINE__, err.msg, -ret);
	}
	return ret;
}

static int see_contents(const struct world *w)
{
	struct sbx_fs_tree tree;
	struct stat st;

	(void)w;
	CHECK(build(&tree) == 0);
	CHECK(has_text(tree.root_fd, "rootfs/etc/name", "guest\n"));
	CHECK(has_text(tree.root_fd, "mounts/0/data", "data\n"));
	CHECK(has_text(tree.root_fd, "mounts/0/sub/deep", "deep\n"));
	CHECK(has_text(tree.root_fd, "mounts/1", "single\n"));
	CHECK(has_text(tree.root_fd, "mounts/2/sub/deep", "deep\n"));
	CHECK(has_text(tree.root_fd, "mounts/3/data", "data\n"));
	/* not recursive: the mount point without its mount */
	CHECK(fstatat(tree.root_fd, "mounts/3/sub", &st, 0) == 0 && S_ISDIR(st.st_mode));
	CHECK(!has_text(tree.root_fd, "mounts/3/sub/deep", "deep\n"));
	CHECK(tree.n_mounts == 4);
	CHECK(tree.writable[0] && tree.writable[1] && !tree.writable[2] && !tree.writable[3] &&
	      tree.writable[4]);
	sbx_fs_tree_finish(&tree);
	CHECK(tree.root_fd == -1 && !tree.writable);
	return 0;
}

static int see_nothing_else(const struct world *w)
{
	struct sbx_fs_tree tree;

	(void)w;
	CHECK(build(&tree) == 0);
	CHECK(access("/rootfs", F_OK) == 0);
	CHECK(access("/proc", F_OK) < 0 && errno == ENOENT);
	CHECK(access("/etc", F_OK) < 0 && errno == ENOENT);
	CHECK(access(WORLD "/secret", F_OK) < 0);
	CHECK(access("../secret", F_OK) < 0);
	CHECK(faccessat(tree.root_fd, "../secret", F_OK, 0) < 0);
	CHECK(faccessat(tree.root_fd, "rootfs/../../secret", F_OK, 0) < 0);
	CHECK(faccessat(tree.root_fd, "mounts/0/../../../secret", F_OK, 0) < 0);
	/* no way up from the descriptors to the rest of /proc */
	CHECK(faccessat(tree.proc_self_fd, "../status", F_OK, 0) < 0 && errno == ENOENT);
	CHECK(faccessat(tree.proc_self_fd, "../../version", F_OK, 0) < 0 && errno == ENOENT);
	return 0;
}

static int refuse_writes(const struct world *w)
{
	struct sbx_fs_tree tree;

	(void)w;
	CHECK(build(&tree) == 0);
	CHECK(mkdirat(tree.root_fd, "x", 0755) < 0 && errno == EROFS);
	CHECK(mkdirat(tree.root_fd, "mounts/x", 0755) < 0 && errno == EROFS);
	CHECK(openat(tree.root_fd, "mounts/1", O_RDWR) < 0 && errno == EROFS);
	CHECK(mkdirat(tree.root_fd, "mounts/2/x", 0755) < 0 && errno == EROFS);
	CHECK(mkdirat(tree.root_fd, "mounts/2/sub/x", 0755) < 0 && errno == EROFS);
	CHECK(mkdirat(tree.root_fd, "mounts/0/x", 0755) == 0);
	CHECK(mkdirat(tree.root_fd, "mounts/0/sub/x", 0755) == 0);
	CHECK(mkdirat(tree.root_fd, "rootfs/x", 0755) == 0);
	return 0;
}

/* The mount options that /proc/self/mountinfo shows for a mount point. */
static bool options_of(int mountinfo, const char *point, char *out, size_t cap)
{
	static char text[16384];
	ssize_t n = pread(mountinfo, text, sizeof(text) - 1, 0);
	char *save;
	char *line;

	text[n > 0 ? n : 0] = '\0';
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char where[256];
		char options[512];

		if (sscanf(line, "%*s %*s %*s %*s %255s %511[^-]", where, options) == 2 &&
		    strcmp(where, point) == 0) {
			(void)snprintf(out, cap, "%s", options);
			return true;
		}
	}
	return false;
}

static int show_flags(const struct world *w)
{
	static const struct {
		const char *point;
		bool ro;
		bool slave;
	} points[] = {
		{"/", true, false},	    {"/rootfs", false, false},
		{"/mounts/0", false, true}, {"/mounts/0/sub", false, true},
		{"/mounts/1", true, false}, {"/mounts/2/sub", true, false},
	};
	int mountinfo = open("/proc/self/mountinfo", O_RDONLY);
	struct sbx_fs_tree tree;
	char o[512];

	(void)w;
	CHECK(mountinfo >= 0);
	(void)close(mountinfo);
	CHECK(build(&tree) == 0);
	/* The file knows the namespace it was opened in, so go through the new one's. */
	mountinfo = openat(tree.proc_self_fd, "../mountinfo", O_RDONLY);
	CHECK(mountinfo < 0);
	CHECK(mount("proc", "/rootfs/etc", "proc", 0, NULL) == 0);
	mountinfo = open("/rootfs/etc/self/mountinfo", O_RDONLY);
	CHECK(mountinfo >= 0);
	for (size_t i = 0; i < VR_ARRAY_SIZE(points); i++) {
		CHECK(options_of(mountinfo, points[i].point, o, sizeof(o)));
		CHECK(strstr(o, "nosuid") && strstr(o, "nodev") && strstr(o, "noexec"));
		CHECK((strncmp(o, "ro,", 3) == 0) == points[i].ro);
		CHECK((strstr(o, "master:") != NULL) == points[i].slave);
		CHECK(!strstr(o, "shared:"));
	}
	return 0;
}

static int reopen(const struct world *w)
{
	struct sbx_fs_tree tree;
	char name[16];
	int handle;
	int fd;

	(void)w;
	CHECK(build(&tree) == 0);
	handle = openat(tree.root_fd, "rootfs/etc/name", O_PATH | O_NOFOLLOW);
	CHECK(handle >= 0);
	(void)snprintf(name, sizeof(name), "%d", handle);
	fd = openat(tree.proc_self_fd, name, O_RDWR | O_TRUNC);
	CHECK(fd >= 0);
	CHECK(write(fd, "again\n", 6) == 6);
	CHECK(has_text(tree.root_fd, "rootfs/etc/name", "again\n"));
	handle = openat(tree.root_fd, "mounts/1", O_PATH | O_NOFOLLOW);
	(void)snprintf(name, sizeof(name), "%d", handle);
	CHECK(openat(tree.proc_self_fd, name, O_RDWR) < 0 && errno == EROFS);
	CHECK(openat(tree.proc_self_fd, name, O_RDONLY) >= 0);
	return 0;
}

static int mount_later(const struct world *w)
{
	(void)w;
	CHECK(mount("new", WORLD "/vol/sub", "tmpfs", 0, NULL) == 0);
	CHECK(put_file(WORLD "/vol/sub/new", "new\n") == 0);
	CHECK(mount("new", WORLD "/rootfs/later", "tmpfs", 0, NULL) == 0);
	CHECK(put_file(WORLD "/rootfs/later/new", "new\n") == 0);
	return 0;
}

static int see_later_mounts(const struct world *w)
{
	struct sbx_fs_tree tree;

	CHECK(build(&tree) == 0);
	CHECK(!has_text(tree.root_fd, "mounts/0/sub/new", "new\n"));
	CHECK(sbx_turn(w) == 0);
	CHECK(has_text(tree.root_fd, "mounts/0/sub/new", "new\n"));  /* slave */
	CHECK(!has_text(tree.root_fd, "mounts/2/sub/new", "new\n")); /* private */
	CHECK(!has_text(tree.root_fd, "rootfs/later/new", "new\n")); /* private */
	return 0;
}

static int host_is_untouched(const struct world *w)
{
	(void)w;
	CHECK(access(WORLD "/rootfs/inside", F_OK) == 0);
	CHECK(!has_text(AT_FDCWD, WORLD "/vol/sub/inside", "x"));
	CHECK(has_text(AT_FDCWD, WORLD "/vol/sub/deep", "deep\n"));
	return 0;
}

/* A mount made in the tree must not appear on the host, not even below a slave. */
static int mount_inside(const struct world *w)
{
	struct sbx_fs_tree tree;

	CHECK(build(&tree) == 0);
	CHECK(mkdirat(tree.root_fd, "rootfs/inside", 0755) == 0);
	CHECK(mount("inside", "/mounts/0/sub", "tmpfs", 0, NULL) == 0);
	CHECK(put_file("/mounts/0/sub/inside", "x") == 0);
	return sbx_turn(w);
}

/* What podman gives us: an overlay as root file system. */
static int on_overlay(const struct world *w)
{
	const struct sbx_share merged = {.fd = -1, .path = WORLD "/merged"};
	struct vr_err err = VR_ERR_INIT;
	struct sbx_fs_tree tree;
	char name[16];
	int handle;
	int fd;

	(void)w;
	CHECK(mkdir(WORLD "/upper", 0755) == 0 && mkdir(WORLD "/work", 0755) == 0);
	CHECK(mkdir(WORLD "/merged", 0755) == 0);
	CHECK(mount("o", WORLD "/merged", "overlay", 0,
		    "lowerdir=" WORLD "/rootfs,upperdir=" WORLD "/upper,workdir=" WORLD
		    "/work") == 0);
	CHECK(sbx_fs_tree_build(&merged, NULL, 0, &tree, &err) == 0);
	handle = openat(tree.root_fd, "rootfs/etc/name", O_PATH | O_NOFOLLOW);
	(void)snprintf(name, sizeof(name), "%d", handle);
	fd = openat(tree.proc_self_fd, name, O_RDWR | O_TRUNC);
	CHECK(fd >= 0 && write(fd, "upper\n", 6) == 6);
	CHECK(has_text(tree.root_fd, "rootfs/etc/name", "upper\n"));
	CHECK(unlinkat(tree.root_fd, "rootfs/etc/name", 0) == 0); /* a whiteout underneath */
	return 0;
}

static int by_descriptor(const struct world *w)
{
	struct sbx_share rootfs = {.path = "by descriptor"};
	struct vr_err err = VR_ERR_INIT;
	struct sbx_fs_tree tree;

	(void)w;
	rootfs.fd = open(WORLD "/rootfs", O_PATH);
	CHECK(rootfs.fd >= 0);
	/* What is at the path now doesn't matter any more. */
	CHECK(rename(WORLD "/rootfs", WORLD "/gone") == 0);
	CHECK(sbx_fs_tree_build(&rootfs, NULL, 0, &tree, &err) == 0);
	CHECK(has_text(tree.root_fd, "rootfs/etc/name", "guest\n"));
	CHECK(fcntl(rootfs.fd, F_GETFD) >= 0); /* borrowed */
	return 0;
}

static int with_many(const struct world *w)
{
	enum {
		MANY = 500
	};
	static struct sbx_share many[MANY];
	struct vr_err err = VR_ERR_INIT;
	struct sbx_fs_tree tree;

	(void)w;
	for (size_t i = 0; i < MANY; i++) {
		many[i] = some_mounts[i % 2];
	}
	CHECK(sbx_fs_tree_build(&root_share, many, MANY, &tree, &err) == 0);
	CHECK(has_text(tree.root_fd, "mounts/0/data", "data\n"));
	CHECK(has_text(tree.root_fd, "mounts/499", "single\n"));
	CHECK(faccessat(tree.root_fd, "mounts/500", F_OK, 0) < 0);
	return 0;
}

static int refuse(const struct sbx_share *rootfs, const struct sbx_share *mounts, size_t n,
		  int code, const char *message)
{
	struct vr_err err = VR_ERR_INIT;
	struct sbx_fs_tree tree = SBX_FS_TREE_INIT;

	CHECK(sbx_fs_tree_build(rootfs, mounts, n, &tree, &err) == -code);
	CHECK(err.code == code);
	if (strcmp(err.msg, message) != 0) {
		child_fail(__FILE__, __LINE__, err.msg, 0);
		return 1;
	}
	CHECK(tree.root_fd == -1 && tree.proc_self_fd == -1 && !tree.writable);
	return 0;
}

static int bad_shares(const struct world *w)
{
	const struct sbx_share absent = {.fd = -1, .path = WORLD "/absent"};
	const struct sbx_share file = {.fd = -1, .path = WORLD "/single"};
	const struct sbx_share link = {.fd = open(WORLD "/link", O_PATH | O_NOFOLLOW),
				       .path = WORLD "/link"};
	int before = dup(0);
	int after;

	(void)w;
	CHECK(refuse(&absent, NULL, 0, ENOENT,
		     "share '" WORLD "/absent': No such file or directory") == 0);
	CHECK(refuse(&file, NULL, 0, ENOTDIR,
		     "root file system '" WORLD "/single': not a directory") == 0);
	CHECK(refuse(&root_share, &absent, 1, ENOENT,
		     "share '" WORLD "/absent': No such file or directory") == 0);
	CHECK(refuse(&root_share, &link, 1, ELOOP, "share '" WORLD "/link': is a symbolic link") ==
	      0);
	CHECK(refuse(&root_share, NULL, SBX_SHARES_MAX + 1, E2BIG,
		     "4097 bind mounts are more than 4096") == 0);
	after = dup(0);
	CHECK(after == before + 1);				/* no descriptor was left behind */
	CHECK(has_text(AT_FDCWD, WORLD "/secret", "secret\n")); /* and the world is as it was */
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

static void run(int (*server)(const struct world *), int (*host)(const struct world *))
{
	struct experiment e = {.server = server, .host = host};

	require_root();
	assert_child_ok(run_experiment, &e);
}

static void tree_contains_the_shares(void **state)
{
	(void)state;
	run(see_contents, NULL);
}

static void tree_contains_nothing_else(void **state)
{
	(void)state;
	run(see_nothing_else, NULL);
}

static void read_only_is_read_only(void **state)
{
	(void)state;
	run(refuse_writes, NULL);
}

static void flags_are_in_mountinfo(void **state)
{
	(void)state;
	run(show_flags, NULL);
}

static void held_files_can_be_reopened(void **state)
{
	(void)state;
	run(reopen, NULL);
}

static void later_mounts_reach_slaves_only(void **state)
{
	(void)state;
	run(see_later_mounts, mount_later);
}

static void own_mounts_stay_inside(void **state)
{
	(void)state;
	run(mount_inside, host_is_untouched);
}

static void overlay_works_as_rootfs(void **state)
{
	(void)state;
	run(on_overlay, NULL);
}

static void descriptors_win_over_paths(void **state)
{
	(void)state;
	run(by_descriptor, NULL);
}

static void many_shares_fit(void **state)
{
	(void)state;
	run(with_many, NULL);
}

static void bad_shares_are_named(void **state)
{
	(void)state;
	run(bad_shares, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tree_contains_the_shares),
		cmocka_unit_test(tree_contains_nothing_else),
		cmocka_unit_test(read_only_is_read_only),
		cmocka_unit_test(flags_are_in_mountinfo),
		cmocka_unit_test(held_files_can_be_reopened),
		cmocka_unit_test(later_mounts_reach_slaves_only),
		cmocka_unit_test(own_mounts_stay_inside),
		cmocka_unit_test(overlay_works_as_rootfs),
		cmocka_unit_test(descriptors_win_over_paths),
		cmocka_unit_test(many_shares_fit),
		cmocka_unit_test(bad_shares_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
