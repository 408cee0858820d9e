/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fs_names.c - make, find, rename, link, remove; and every way out of the tree is shut
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "evil_fuse.h"

static struct fuse_guest guest;
static struct fuse_guest *const g = &guest;

static int setup(void **state)
{
	(void)state;
	fuse_guest_setup(g, 1000, 100);
	fuse_guest_init(g);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fuse_guest_teardown(g);
	return 0;
}

static bool exists(const char *rel)
{
	struct stat st;

	return lstat(fuse_guest_path(g, rel), &st) == 0;
}

static const char *const bad_names[] = {
	"..",
	".",
	"/",
	"/etc",
	"../outside",
	"../../outside",
	"d/../../..",
	"a/b",
	"/proc/self/root",
	"d/",
	"../outside/bait",
	"//",
	"./x",
};

/* One request with a bad name in the place of each name it takes */
static void every_name_op(uint64_t dir, const char *name, int expect)
{
	struct fuse_entry_out e;
	uint64_t fh;

	assert_int_equal(fuse_lookup(g, dir, name, &e), expect);
	assert_int_equal(fuse_mkdir(g, dir, name, 0755, &e), expect);
	assert_int_equal(fuse_mknod(g, dir, name, S_IFREG | 0644, 0, &e), expect);
	assert_int_equal(fuse_symlink(g, dir, name, "target", &e), expect);
	assert_int_equal(fuse_create(g, dir, name, O_RDWR, 0644, &e, &fh), expect);
	assert_int_equal(fuse_name_op(g, FUSE_UNLINK, dir, name), expect);
	assert_int_equal(fuse_name_op(g, FUSE_RMDIR, dir, name), expect);
	assert_int_equal(fuse_rename(g, dir, name, dir, "good", 0), expect);
	assert_int_equal(fuse_rename(g, dir, "d", dir, name, 0), expect);
	assert_int_equal(fuse_link(g, dir, dir, name, &e), expect);
}

static void test_bad_names_everywhere(void **state)
{
	struct fuse_entry_out e;
	char too_long[300];

	(void)state;
	assert_int_equal(fuse_mkdir(g, g->rootfs, "d", 0755, &e), 0);
	for (size_t i = 0; i < VR_ARRAY_SIZE(bad_names); i++) {
		every_name_op(g->rootfs, bad_names[i], -EINVAL);
	}
	every_name_op(g->rootfs, "", -EINVAL);
	memset(too_long, 'n', sizeof(too_long));
	too_long[256] = '\0';
	every_name_op(g->rootfs, too_long, -ENAMETOOLONG);
	too_long[255] = '\0';
	assert_int_equal(fuse_mkdir(g, g->rootfs, too_long, 0755, &e), 0);
}

static void test_names_without_end_or_with_tail(void **state)
{
	(void)state;
	fuse_begin(g, FUSE_LOOKUP, g->rootfs);
	fuse_put(g, "abcdef", 6); /* no NUL */
	assert_int_equal(fuse_send(g), -EINVAL);
	fuse_begin(g, FUSE_LOOKUP, g->rootfs);
	fuse_put(g, "abc\0def", 8); /* something behind the NUL */
	assert_int_equal(fuse_send(g), -EINVAL);
	fuse_begin(g, FUSE_SYMLINK, g->rootfs);
	fuse_put(g, "name\0target", 11); /* second string without NUL */
	assert_int_equal(fuse_send(g), -EINVAL);
	assert_false(exists("tree/rootfs/name"));
}

static void test_lookup_finds_and_counts_one_node(void **state)
{
	struct fuse_entry_out a;
	struct fuse_entry_out b;

	(void)state;
	assert_int_equal(fuse_mkdir(g, g->rootfs, "d", 0751, &a), 0);
	assert_true(S_ISDIR(a.attr.mode));
	assert_int_equal(a.attr.mode & 07777, 0751);
	assert_int_equal(fuse_lookup(g, g->rootfs, "d", &b), 0);
	assert_int_equal(a.nodeid, b.nodeid);
	assert_int_equal(fuse_mkdir(g, g->rootfs, "d", 0755, &b), -EEXIST);
	assert_int_equal(fuse_lookup(g, a.nodeid, "x", &b), 0);
	assert_int_equal(b.nodeid, 0);
}

static void test_lookup_below_a_file(void **state)
{
	struct fuse_entry_out e;

	(void)state;
	assert_int_equal(fuse_mknod(g, g->rootfs, "f", S_IFREG | 0644, 0, &e), 0);
	assert_int_equal(fuse_lookup(g, e.nodeid, "x", &e), -ENOTDIR);
}

/* Links in the container's tree are shown as links; nothing ever goes through one. */
static void test_symlinks_are_not_followed(void **state)
{
	static const char *const targets[] = {"/etc", "../../outside", "/", "../.."};
	struct fuse_entry_out link;
	struct fuse_entry_out e;
	struct fuse_attr attr;
	uint64_t fh;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(targets); i++) {
		assert_int_equal(symlink(targets[i], fuse_guest_path(g, "tree/rootfs/l")), 0);
		assert_int_equal(fuse_lookup(g, g->rootfs, "l", &link), 0);
		assert_true(S_ISLNK(link.attr.mode));
		assert_int_equal(
			fuse_call(g, FUSE_READLINK, link.nodeid, NULL, 0, NULL, strlen(targets[i])),
			0);
		assert_memory_equal(g->reply, targets[i], strlen(targets[i]));
		/* as a directory */
		assert_int_equal(fuse_lookup(g, link.nodeid, "passwd", &e), -ENOTDIR);
		assert_int_equal(fuse_mkdir(g, link.nodeid, "x", 0755, &e), -ENOTDIR);
		assert_int_equal(fuse_rename(g, g->rootfs, "l", link.nodeid, "x", 0), -ENOTDIR);
		assert_int_equal(fuse_open(g, FUSE_OPENDIR, link.nodeid, 0, &fh), -ENOTDIR);
		/* as a file */
		assert_int_equal(fuse_open(g, FUSE_OPEN, link.nodeid, O_RDWR, &fh), -EPERM);
		assert_int_equal(fuse_create(g, g->rootfs, "l", O_RDWR | O_TRUNC, 0644, &e, &fh),
				 -EPERM);
		assert_int_equal(fuse_create(g, g->rootfs, "l", O_RDWR | O_EXCL, 0644, &e, &fh),
				 -EEXIST);
		assert_int_equal(fuse_getattr(g, link.nodeid, &attr), 0);
		assert_true(S_ISLNK(attr.mode));
		assert_int_equal(fuse_name_op(g, FUSE_RMDIR, g->rootfs, "l"), -ENOTDIR);
		assert_int_equal(fuse_name_op(g, FUSE_UNLINK, g->rootfs, "l"), 0);
	}
}

static void test_dangling_symlink_creates_nothing(void **state)
{
	struct fuse_entry_out e;
	uint64_t fh;

	(void)state;
	assert_int_equal(symlink("../../outside/new", fuse_guest_path(g, "tree/rootfs/l")), 0);
	assert_int_equal(fuse_create(g, g->rootfs, "l", O_RDWR, 0644, &e, &fh), -EPERM);
	assert_int_equal(fuse_mknod(g, g->rootfs, "l", S_IFREG | 0644, 0, &e), -EEXIST);
	assert_int_equal(fuse_mkdir(g, g->rootfs, "l", 0755, &e), -EEXIST);
	assert_false(exists("outside/new"));
}

static void test_setattr_on_symlink_stays_on_it(void **state)
{
	struct fuse_setattr_in in = {.valid = FATTR_MODE, .mode = 0777};
	struct fuse_entry_out link;
	struct stat st;

	(void)state;
	assert_int_equal(fuse_symlink(g, g->rootfs, "l", "../../outside/bait", &link), 0);
	assert_int_equal(fuse_setattr(g, link.nodeid, &in), -EOPNOTSUPP);
	in.valid = FATTR_SIZE;
	assert_int_equal(fuse_setattr(g, link.nodeid, &in), -EINVAL);
	in.valid = FATTR_MTIME;
	in.mtime = 1000;
	assert_int_equal(fuse_setattr(g, link.nodeid, &in), 0);
	assert_int_equal(lstat(fuse_guest_path(g, "tree/rootfs/l"), &st), 0);
	assert_int_equal(st.st_mtime, 1000);
	if (geteuid() == 0) {
		in.valid = FATTR_UID | FATTR_GID;
		in.uid = 1234;
		in.gid = 4321;
		assert_int_equal(fuse_setattr(g, link.nodeid, &in), 0);
		assert_int_equal(lstat(fuse_guest_path(g, "tree/rootfs/l"), &st), 0);
		assert_int_equal(st.st_uid, 1234);
		assert_int_equal(stat(fuse_guest_path(g, "outside/bait"), &st), 0);
		assert_int_equal(st.st_uid, 0);
	}
}

static void test_symlink_targets(void **state)
{
	struct fuse_entry_out e;
	char target[4200];

	(void)state;
	memset(target, 't', sizeof(target));
	target[4096] = '\0';
	assert_int_equal(fuse_symlink(g, g->rootfs, "long", target, &e), -ENAMETOOLONG);
	target[4095] = '\0';
	assert_int_equal(fuse_symlink(g, g->rootfs, "long", target, &e), 0);
	assert_int_equal(fuse_call(g, FUSE_READLINK, e.nodeid, NULL, 0, target, 4095), 0);
	g->room = 16 + 100;
	fuse_begin(g, FUSE_READLINK, e.nodeid);
	assert_int_equal(fuse_send(g), -EIO);
	g->room = 4096;
	assert_int_equal(fuse_symlink(g, g->rootfs, "none", "", &e), -ENOENT);
	fuse_begin(g, FUSE_READLINK, g->rootfs);
	assert_int_equal(fuse_send(g), -EINVAL);
}

static void test_mknod_kinds(void **state)
{
	struct fuse_entry_out e;
	uint64_t fh;

	(void)state;
	assert_int_equal(fuse_mknod(g, g->rootfs, "reg", S_IFREG | 0640, 0, &e), 0);
	assert_true(S_ISREG(e.attr.mode));
	assert_int_equal(fuse_mknod(g, g->rootfs, "fifo", S_IFIFO | 0640, 0, &e), 0);
	assert_true(S_ISFIFO(e.attr.mode));
	/* would wait for a writer if it were opened */
	assert_int_equal(fuse_open(g, FUSE_OPEN, e.nodeid, O_RDONLY, &fh), -EPERM);
	assert_int_equal(fuse_create(g, g->rootfs, "fifo", O_RDONLY, 0644, &e, &fh), -EPERM);
	assert_int_equal(fuse_mknod(g, g->rootfs, "sock", S_IFSOCK | 0640, 0, &e), 0);
	assert_true(S_ISSOCK(e.attr.mode));
	assert_int_equal(fuse_open(g, FUSE_OPEN, e.nodeid, O_RDONLY, &fh), -EPERM);
	assert_int_equal(fuse_mknod(g, g->rootfs, "white", S_IFCHR, 0, &e), 0);
	assert_true(S_ISCHR(e.attr.mode));
	assert_int_equal(e.attr.rdev, 0);
	assert_int_equal(fuse_open(g, FUSE_OPEN, e.nodeid, O_RDWR, &fh), -EPERM);
}

static void test_no_device_nodes(void **state)
{
	struct fuse_entry_out e;

	(void)state;
	assert_int_equal(fuse_mknod(g, g->rootfs, "null", S_IFCHR | 0666, 0x103, &e), -EPERM);
	assert_int_equal(fuse_mknod(g, g->rootfs, "disk", S_IFBLK | 0666, 0, &e), -EPERM);
	assert_int_equal(fuse_mknod(g, g->rootfs, "disk", S_IFBLK | 0666, 0x800, &e), -EPERM);
	assert_int_equal(fuse_mknod(g, g->rootfs, "dir", S_IFDIR | 0755, 0, &e), -EPERM);
	assert_int_equal(fuse_mknod(g, g->rootfs, "lnk", S_IFLNK | 0755, 0, &e), -EPERM);
	assert_int_equal(fuse_mknod(g, g->rootfs, "none", 0644, 0, &e), -EPERM);
	assert_int_equal(fuse_mknod(g, g->rootfs, "all", S_IFMT | 0644, 0, &e), -EPERM);
	assert_false(exists("tree/rootfs/null"));
	assert_false(exists("tree/rootfs/disk"));
}

static void test_existing_device_is_shown_not_opened(void **state)
{
	struct fuse_entry_out e;
	uint64_t fh;

	(void)state;
	if (mknod(fuse_guest_path(g, "tree/rootfs/dev"), S_IFCHR | 0666, makedev(1, 3)) < 0) {
		skip(); /* needs CAP_MKNOD */
	}
	assert_int_equal(fuse_lookup(g, g->rootfs, "dev", &e), 0);
	assert_true(S_ISCHR(e.attr.mode));
	assert_int_equal(fuse_open(g, FUSE_OPEN, e.nodeid, O_RDONLY, &fh), -EPERM);
}

static void test_rename(void **state)
{
	struct fuse_entry_out d;
	struct fuse_entry_out f;
	struct fuse_entry_out e;
	struct fuse_rename_in in;

	(void)state;
	assert_int_equal(fuse_mkdir(g, g->rootfs, "d", 0755, &d), 0);
	assert_int_equal(fuse_mknod(g, g->rootfs, "f", S_IFREG | 0600, 0, &f), 0);
	assert_int_equal(fuse_rename(g, g->rootfs, "f", d.nodeid, "g", 0), 0);
	assert_true(exists("tree/rootfs/d/g"));
	assert_int_equal(fuse_lookup(g, d.nodeid, "g", &e), 0);
	assert_int_equal(e.nodeid, f.nodeid);
	assert_int_equal(fuse_mknod(g, g->rootfs, "h", S_IFREG | 0600, 0, &e), 0);
	assert_int_equal(fuse_rename(g, g->rootfs, "h", d.nodeid, "g", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(fuse_rename(g, g->rootfs, "h", d.nodeid, "g", RENAME_EXCHANGE), 0);
	assert_int_equal(fuse_lookup(g, g->rootfs, "h", &e), 0);
	assert_int_equal(e.nodeid, f.nodeid);
	assert_int_equal(fuse_rename(g, g->rootfs, "h", d.nodeid, "g", RENAME_WHITEOUT), -EINVAL);
	assert_int_equal(fuse_rename(g, g->rootfs, "h", d.nodeid, "g", 1U << 31), -EINVAL);
	assert_int_equal(fuse_rename(g, g->rootfs, "d", d.nodeid, "self", 0), -EINVAL);
	assert_int_equal(fuse_rename(g, g->rootfs, "h", f.nodeid, "x", 0), -ENOTDIR);
	/* the short form */
	in.newdir = g->rootfs;
	fuse_begin(g, FUSE_RENAME, g->rootfs);
	fuse_put(g, &in, sizeof(in));
	fuse_str(g, "h");
	fuse_str(g, "i");
	assert_int_equal(fuse_send(g), 0);
	assert_true(exists("tree/rootfs/i"));
}

static void test_link(void **state)
{
	struct fuse_entry_out f;
	struct fuse_entry_out l;
	struct fuse_entry_out e;

	(void)state;
	assert_int_equal(fuse_mknod(g, g->rootfs, "f", S_IFREG | 0600, 0, &f), 0);
	assert_int_equal(fuse_link(g, f.nodeid, g->rootfs, "f2", &e), 0);
	assert_int_equal(e.nodeid, f.nodeid);
	assert_int_equal(e.attr.nlink, 2);
	assert_int_equal(fuse_link(g, f.nodeid, g->rootfs, "f2", &e), -EEXIST);
	assert_int_equal(fuse_link(g, g->rootfs, g->rootfs, "dir", &e), -EPERM);
	/* a link to a symbolic link, not to what it points at */
	assert_int_equal(fuse_symlink(g, g->rootfs, "l", "../../outside/bait", &l), 0);
	assert_int_equal(fuse_link(g, l.nodeid, g->rootfs, "l2", &e), 0);
	assert_true(S_ISLNK(e.attr.mode));
	assert_int_equal(e.nodeid, l.nodeid);
}

static void test_unlinked_file_lives_on(void **state)
{
	struct fuse_setattr_in set = {.valid = FATTR_MODE, .mode = 0600};
	struct fuse_entry_out f;
	struct fuse_attr attr;
	uint64_t fh;
	uint64_t fh2;

	(void)state;
	assert_int_equal(fuse_create(g, g->rootfs, "f", O_RDWR, 0644, &f, &fh), 0);
	assert_int_equal(fuse_name_op(g, FUSE_UNLINK, g->rootfs, "f"), 0);
	assert_int_equal(fuse_write(g, f.nodeid, fh, 0, "still here", 10, 0, 0), 10);
	assert_int_equal(fuse_read(g, FUSE_READ, f.nodeid, fh, 0, 100), 10);
	assert_int_equal(fuse_setattr(g, f.nodeid, &set), 0);
	assert_int_equal(fuse_open(g, FUSE_OPEN, f.nodeid, O_RDONLY, &fh2), 0);
	assert_int_equal(fuse_read(g, FUSE_READ, f.nodeid, fh2, 0, 100), 10);
	assert_int_equal(fuse_getattr(g, f.nodeid, &attr), 0);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(attr.mode & 07777, 0600);
}

static void test_remove(void **state)
{
	struct fuse_entry_out d;
	struct fuse_entry_out e;

	(void)state;
	assert_int_equal(fuse_mkdir(g, g->rootfs, "d", 0755, &d), 0);
	assert_int_equal(fuse_mkdir(g, d.nodeid, "e", 0755, &e), 0);
	assert_int_equal(fuse_name_op(g, FUSE_RMDIR, g->rootfs, "d"), -ENOTEMPTY);
	assert_int_equal(fuse_name_op(g, FUSE_UNLINK, g->rootfs, "d"), -EISDIR);
	assert_int_equal(fuse_name_op(g, FUSE_RMDIR, d.nodeid, "e"), 0);
	assert_int_equal(fuse_name_op(g, FUSE_RMDIR, g->rootfs, "d"), 0);
	assert_int_equal(fuse_name_op(g, FUSE_RMDIR, g->rootfs, "d"), -ENOENT);
	assert_int_equal(fuse_mkdir(g, d.nodeid, "late", 0755, &e),
			 -ENOENT); /* removed directory */
	assert_int_equal(fuse_name_op(g, FUSE_UNLINK, g->rootfs, "gone"), -ENOENT);
}

/* A directory that the host swaps for a link between two requests */
static void test_swapped_directory(void **state)
{
	struct fuse_entry_out d;
	struct fuse_entry_out e;

	(void)state;
	assert_int_equal(fuse_mkdir(g, g->rootfs, "d", 0755, &d), 0);
	assert_int_equal(fuse_name_op(g, FUSE_RMDIR, g->rootfs, "d"), 0);
	assert_int_equal(fuse_symlink(g, g->rootfs, "d", "../../outside", &e), 0);
	assert_int_equal(fuse_lookup(g, d.nodeid, "bait", &e), 0);
	assert_int_equal(e.nodeid, 0); /* the old, empty directory: no bait */
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_bad_names_everywhere),
		T(test_names_without_end_or_with_tail),
		T(test_lookup_finds_and_counts_one_node),
		T(test_lookup_below_a_file),
		T(test_symlinks_are_not_followed),
		T(test_dangling_symlink_creates_nothing),
		T(test_setattr_on_symlink_stays_on_it),
		T(test_symlink_targets),
		T(test_mknod_kinds),
		T(test_no_device_nodes),
		T(test_existing_device_is_shown_not_opened),
		T(test_rename),
		T(test_link),
		T(test_unlinked_file_lives_on),
		T(test_remove),
		T(test_swapped_directory),
	};

	return cmocka_run_group_tests_name("fs_names", tests, NULL, NULL);
}
