/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fs_attr.c - attributes, ownership of new files, setuid clearing
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "evil_fuse.h"

static struct fuse_guest guest;
static struct fuse_guest *const g = &guest;
static struct fuse_entry_out file;
static uint64_t fh;

static int setup(void **state)
{
	(void)state;
	fuse_guest_setup(g, 1000, 100);
	fuse_guest_init(g);
	assert_int_equal(fuse_create(g, g->rootfs, "f", O_RDWR, 0644, &file, &fh), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	/* whatever was switched has been switched back */
	assert_int_equal(syscall(SYS_setfsuid, -1), geteuid());
	assert_int_equal(syscall(SYS_setfsgid, -1), getegid());
	assert_int_equal(umask(0), 0);
	fuse_guest_teardown(g);
	return 0;
}

static struct stat host_stat(const char *rel)
{
	struct stat st;

	assert_int_equal(lstat(fuse_guest_path(g, rel), &st), 0);
	return st;
}

static void test_getattr_and_statx(void **state)
{
	struct fuse_statx_in in = {.sx_mask = STATX_BASIC_STATS | STATX_BTIME};
	struct fuse_statx_out out;
	struct fuse_attr attr;
	struct stat st;

	(void)state;
	assert_int_equal(fuse_write(g, file.nodeid, fh, 0, "12345", 5, 0, 0), 5);
	assert_int_equal(fuse_getattr(g, file.nodeid, &attr), 0);
	st = host_stat("tree/rootfs/f");
	assert_int_equal(attr.ino, st.st_ino);
	assert_int_equal(attr.size, 5);
	assert_int_equal(attr.mode, st.st_mode);
	assert_int_equal(attr.nlink, 1);
	assert_int_equal(attr.mtime, st.st_mtime);
	assert_int_equal(attr.mtimensec, st.st_mtim.tv_nsec);
	assert_int_equal(attr.blksize, st.st_blksize);
	assert_int_equal(attr.flags, 0);
	assert_int_equal(fuse_call(g, FUSE_STATX, file.nodeid, &in, sizeof(in), &out, sizeof(out)),
			 0);
	assert_int_equal(out.stat.ino, st.st_ino);
	assert_int_equal(out.stat.size, 5);
	assert_int_equal(out.stat.mode, st.st_mode);
	assert_int_equal(out.stat.ctime.tv_sec, st.st_ctime);
	assert_int_equal(out.stat.mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	assert_int_equal(out.stat.mask & (uint32_t)STATX_MNT_ID, 0);
}

static void test_chmod(void **state)
{
	struct fuse_setattr_in in = {.valid = FATTR_MODE, .mode = S_IFREG | 04751};
	struct fuse_entry_out fifo;
	struct fuse_entry_out dir;

	(void)state;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), 0);
	assert_int_equal(host_stat("tree/rootfs/f").st_mode, S_IFREG | 04751);
	in.mode = 0xffffffff;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), 0);
	assert_int_equal(host_stat("tree/rootfs/f").st_mode, S_IFREG | 07777);
	in.mode = 0700;
	assert_int_equal(fuse_mknod(g, g->rootfs, "fifo", S_IFIFO | 0600, 0, &fifo), 0);
	assert_int_equal(fuse_setattr(g, fifo.nodeid, &in), 0);
	assert_int_equal(fuse_mkdir(g, g->rootfs, "d", 0777, &dir), 0);
	assert_int_equal(fuse_setattr(g, dir.nodeid, &in), 0);
	assert_int_equal(host_stat("tree/rootfs/d").st_mode, S_IFDIR | 0700);
}

static void test_truncate(void **state)
{
	struct fuse_setattr_in in = {.valid = FATTR_SIZE, .size = 1000};
	struct fuse_entry_out fifo;
	uint64_t ro;

	(void)state;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), 0);
	assert_int_equal(host_stat("tree/rootfs/f").st_size, 1000);
	in.valid = FATTR_SIZE | FATTR_FH;
	in.fh = fh;
	in.size = 10;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), 0);
	assert_int_equal(host_stat("tree/rootfs/f").st_size, 10);
	in.fh = fh + 1;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), -EBADF);
	assert_int_equal(fuse_open(g, FUSE_OPEN, file.nodeid, O_RDONLY, &ro), 0);
	in.fh = ro;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), -EINVAL);
	in.valid = FATTR_SIZE;
	in.size = UINT64_MAX;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), -EINVAL);
	in.size = 0;
	assert_int_equal(fuse_setattr(g, g->rootfs, &in), -EINVAL);
	assert_int_equal(fuse_mknod(g, g->rootfs, "fifo", S_IFIFO | 0600, 0, &fifo), 0);
	assert_int_equal(fuse_setattr(g, fifo.nodeid, &in), -EINVAL); /* not opened: no wait */
}

static void test_times(void **state)
{
	struct fuse_setattr_in in = {
		.valid = FATTR_ATIME, .atime = 1111, .atimensec = 5, .mtime = 2222, .mtimensec = 6};
	time_t before = time(NULL);
	struct stat st;

	(void)state;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), 0);
	st = host_stat("tree/rootfs/f");
	assert_int_equal(st.st_atim.tv_sec, 1111);
	assert_int_equal(st.st_atim.tv_nsec, 5);
	assert_true(st.st_mtim.tv_sec >= before - 1); /* left alone */
	in.valid = FATTR_MTIME;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), 0);
	st = host_stat("tree/rootfs/f");
	assert_int_equal(st.st_atim.tv_sec, 1111);
	assert_int_equal(st.st_mtim.tv_sec, 2222);
	assert_int_equal(st.st_mtim.tv_nsec, 6);
	in.valid = FATTR_ATIME | FATTR_ATIME_NOW | FATTR_MTIME | FATTR_MTIME_NOW;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), 0);
	st = host_stat("tree/rootfs/f");
	assert_true(st.st_atim.tv_sec >= before - 1 && st.st_mtim.tv_sec >= before - 1);
	/* nanoseconds that utimensat would take for a command */
	in.valid = FATTR_ATIME;
	in.atimensec = UTIME_NOW;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), -EINVAL);
	in.atimensec = UTIME_OMIT;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), -EINVAL);
	in.atimensec = 1000000000;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), -EINVAL);
	in.valid = FATTR_MTIME;
	in.mtimensec = UINT32_MAX;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), -EINVAL);
}

static void test_chown(void **state)
{
	struct fuse_setattr_in in = {.valid = FATTR_UID, .uid = 1000, .gid = 77};
	struct stat st;

	(void)state;
	if (geteuid() != 0) {
		skip();
	}
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), 0);
	st = host_stat("tree/rootfs/f");
	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(st.st_gid, 0);
	in.valid = FATTR_GID;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), 0);
	st = host_stat("tree/rootfs/f");
	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(st.st_gid, 77);
	in.gid = UINT32_MAX;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), -EINVAL);
	in.valid = FATTR_UID;
	in.uid = UINT32_MAX;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), -EINVAL);
}

/* Owner and mode in one request: the mode asked for is what stays. */
static void test_chown_then_mode(void **state)
{
	struct fuse_setattr_in in = {.valid = FATTR_UID | FATTR_MODE, .uid = 1000, .mode = 04755};

	(void)state;
	if (geteuid() != 0) {
		skip();
	}
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), 0);
	assert_int_equal(host_stat("tree/rootfs/f").st_mode, S_IFREG | 04755);
	in.valid = FATTR_UID;
	in.uid = 1001;
	assert_int_equal(fuse_setattr(g, file.nodeid, &in), 0);
	assert_int_equal(host_stat("tree/rootfs/f").st_mode, S_IFREG | 0755);
}

static void check_owner(const char *rel, uid_t uid, gid_t gid)
{
	struct stat st = host_stat(rel);

	assert_int_equal(st.st_uid, uid);
	assert_int_equal(st.st_gid, gid);
}

static void test_new_files_belong_to_their_maker(void **state)
{
	struct fuse_create_in tmp = {.flags = O_RDWR, .mode = S_IFREG | 0600};
	struct fuse_entry_out e;
	struct fuse_attr attr;
	uint64_t h;

	(void)state;
	if (geteuid() != 0) {
		skip();
	}
	g->uid = 1000;
	g->gid = 1234;
	/* rootfs is root's and 0755: the guest's kernel has decided, the host doesn't again */
	assert_int_equal(fuse_create(g, g->rootfs, "reg", O_RDWR, 0640, &e, &h), 0);
	assert_int_equal(e.attr.uid, 1000);
	assert_int_equal(e.attr.gid, 1234);
	check_owner("tree/rootfs/reg", 1000, 1234);
	assert_int_equal(fuse_mkdir(g, g->rootfs, "dir", 0700, &e), 0);
	check_owner("tree/rootfs/dir", 1000, 1234);
	assert_int_equal(fuse_mknod(g, g->rootfs, "fifo", S_IFIFO | 0600, 0, &e), 0);
	check_owner("tree/rootfs/fifo", 1000, 1234);
	assert_int_equal(fuse_mknod(g, g->rootfs, "white", S_IFCHR, 0, &e), 0);
	check_owner("tree/rootfs/white", 1000, 1234);
	assert_int_equal(fuse_symlink(g, g->rootfs, "lnk", "x", &e), 0);
	check_owner("tree/rootfs/lnk", 1000, 1234);
	fuse_begin(g, FUSE_TMPFILE, g->rootfs);
	fuse_put(g, &tmp, sizeof(tmp));
	if (fuse_send(g) == 0) {
		memcpy(&e, g->reply, sizeof(e));
		assert_int_equal(fuse_getattr(g, e.nodeid, &attr), 0);
		assert_int_equal(attr.uid, 1000);
		assert_int_equal(attr.gid, 1234);
	}
	g->uid = 0; /* root with another group */
	assert_int_equal(fuse_mkdir(g, g->rootfs, "dir2", 0700, &e), 0);
	check_owner("tree/rootfs/dir2", 0, 1234);
	g->gid = 0;
	assert_int_equal(fuse_mkdir(g, g->rootfs, "dir3", 0700, &e), 0);
	check_owner("tree/rootfs/dir3", 0, 0);
	g->uid = UINT32_MAX;
	assert_int_equal(fuse_mkdir(g, g->rootfs, "dir4", 0700, &e), -EINVAL);
}

static void test_umask_is_the_requests(void **state)
{
	struct fuse_mkdir_in dir = {.mode = 0777, .umask = 027};
	struct fuse_create_in reg = {.flags = O_RDWR, .mode = S_IFREG | 0666, .umask = 077};

	(void)state;
	fuse_begin(g, FUSE_MKDIR, g->rootfs);
	fuse_put(g, &dir, sizeof(dir));
	fuse_str(g, "d");
	assert_int_equal(fuse_send(g), 0);
	assert_int_equal(host_stat("tree/rootfs/d").st_mode & 07777, 0750);
	fuse_begin(g, FUSE_CREATE, g->rootfs);
	fuse_put(g, &reg, sizeof(reg));
	fuse_str(g, "r");
	assert_int_equal(fuse_send(g), 0);
	assert_int_equal(host_stat("tree/rootfs/r").st_mode & 07777, 0600);
	dir.umask = 0xffffffff;
	fuse_begin(g, FUSE_MKDIR, g->rootfs);
	fuse_put(g, &dir, sizeof(dir));
	fuse_str(g, "none");
	assert_int_equal(fuse_send(g), 0);
	assert_int_equal(host_stat("tree/rootfs/none").st_mode & 07777, 0);
}

/*
 * Ask for set-group-ID in a set-group-ID directory of group 500, as 1000:1000,
 * with an extension that claims @n_groups groups and holds one.
 */
static mode_t make_sgid(const char *name, uint32_t n_groups)
{
	struct {
		struct fuse_ext_header h;
		uint32_t n;
		uint32_t groups[1];
	} ext = {.h = {.size = 16, .type = FUSE_EXT_GROUPS}, .n = n_groups, .groups = {500}};
	struct fuse_mknod_in in = {.mode = S_IFREG | 02755};
	struct fuse_entry_out dir;
	char rel[64];

	assert_int_equal(fuse_lookup(g, g->rootfs, "sgid", &dir), 0);
	fuse_begin(g, FUSE_MKNOD, dir.nodeid);
	fuse_put(g, &in, sizeof(in));
	fuse_str(g, name);
	if (n_groups) {
		fuse_put(g, &ext, sizeof(ext));
		g->ext_len = sizeof(ext);
	}
	assert_int_equal(fuse_send(g), 0);
	(void)snprintf(rel, sizeof(rel), "tree/rootfs/sgid/%s", name);
	check_owner(rel, 1000, 500);
	return host_stat(rel).st_mode & 07777;
}

static void test_setgid_directory(void **state)
{
	const char *dir;

	(void)state;
	if (geteuid() != 0) {
		skip();
	}
	dir = fuse_guest_path(g, "tree/rootfs/sgid");
	assert_int_equal(mkdir(dir, 0777), 0);
	assert_int_equal(chown(dir, 0, 500), 0);
	assert_int_equal(chmod(dir, 02777), 0);
	g->uid = 1000;
	g->gid = 1000;
	assert_int_equal(make_sgid("member", 1), 02755);
	assert_int_equal(make_sgid("stranger", 0), 0755);
	assert_int_equal(make_sgid("liar", 2), 0755);
	assert_int_equal(make_sgid("boaster", UINT32_MAX), 0755);
}

static void test_broken_group_extensions(void **state)
{
	static const uint32_t exts[][4] = {
		{0, FUSE_EXT_GROUPS, 1, 500},  {7, FUSE_EXT_GROUPS, 1, 500},
		{17, FUSE_EXT_GROUPS, 1, 500}, {UINT32_MAX, FUSE_EXT_GROUPS, 1, 500},
		{8, FUSE_EXT_GROUPS, 8, 0},    {16, FUSE_EXT_GROUPS, UINT32_MAX, 500},
		{16, FUSE_EXT_GROUPS, 2, 500}, {16, 0, 1, 500},
	};
	struct fuse_mkdir_in in = {.mode = 0755};
	char name[16];

	(void)state;
	g->uid = geteuid() == 0 ? 1000 : geteuid();
	for (size_t i = 0; i < VR_ARRAY_SIZE(exts); i++) {
		(void)snprintf(name, sizeof(name), "d%zu", i);
		fuse_begin(g, FUSE_MKDIR, g->rootfs);
		fuse_put(g, &in, sizeof(in));
		fuse_str(g, name);
		fuse_put(g, exts[i], 16);
		g->ext_len = 16;
		assert_int_equal(fuse_send(g), 0); /* as if there were none */
	}
}

static mode_t suid_mode(void)
{
	return host_stat("tree/rootfs/f").st_mode & 07777;
}

static void arm_suid(void)
{
	assert_int_equal(chmod(fuse_guest_path(g, "tree/rootfs/f"), 06755), 0);
}

static void test_write_clears_setuid(void **state)
{
	struct fuse_setattr_in trunc = {.valid = FATTR_SIZE, .size = 3};
	struct fuse_fallocate_in fa = {.fh = fh, .length = 4096};
	struct fuse_open_in open_in = {.flags = O_RDWR | O_TRUNC};
	struct fuse_open_out out;

	(void)state;
	arm_suid();
	assert_int_equal(fuse_write(g, file.nodeid, fh, 0, "x", 1, FUSE_WRITE_KILL_SUIDGID, 0), 1);
	assert_int_equal(suid_mode(), 0755);
	if (geteuid() != 0) {
		return;
	}
	arm_suid(); /* by root: stays */
	assert_int_equal(fuse_write(g, file.nodeid, fh, 0, "x", 1, 0, 0), 1);
	assert_int_equal(suid_mode(), 06755);
	assert_int_equal(fuse_setattr(g, file.nodeid, &trunc), 0);
	assert_int_equal(suid_mode(), 06755);
	trunc.valid |= FATTR_KILL_SUIDGID;
	trunc.size = 2;
	assert_int_equal(fuse_setattr(g, file.nodeid, &trunc), 0);
	assert_int_equal(suid_mode(), 0755);
	arm_suid();
	assert_int_equal(
		fuse_call(g, FUSE_OPEN, file.nodeid, &open_in, sizeof(open_in), &out, sizeof(out)),
		0);
	assert_int_equal(suid_mode(), 06755);
	open_in.open_flags = FUSE_OPEN_KILL_SUIDGID;
	assert_int_equal(
		fuse_call(g, FUSE_OPEN, file.nodeid, &open_in, sizeof(open_in), &out, sizeof(out)),
		0);
	assert_int_equal(suid_mode(), 0755);
	arm_suid();
	g->uid = 1000;
	if (fuse_call(g, FUSE_FALLOCATE, file.nodeid, &fa, sizeof(fa), NULL, 0) == 0) {
		assert_int_equal(suid_mode(), 0755);
	}
}

static void test_statfs(void **state)
{
	struct fuse_statfs_out out;

	(void)state;
	assert_int_equal(fuse_call(g, FUSE_STATFS, FUSE_ROOT_ID, NULL, 0, &out, sizeof(out)), 0);
	assert_true(out.bsize > 0);
	assert_int_equal(out.namelen, 255);
}

static int access_as(uint32_t uid, uint32_t mask)
{
	struct fuse_access_in in = {.mask = mask};

	g->uid = uid;
	g->gid = uid;
	return fuse_call(g, FUSE_ACCESS, file.nodeid, &in, sizeof(in), NULL, 0);
}

static void test_access(void **state)
{
	(void)state;
	assert_int_equal(access_as(geteuid(), R_OK | W_OK), 0);
	assert_int_equal(access_as(geteuid(), 8), -EINVAL);
	assert_int_equal(access_as(geteuid(), X_OK), -EACCES);
}

/* A mount below the share is announced, so that the guest gives it a device number of its own. */
static int submount_child(void)
{
	struct fuse_entry_out e;
	struct fuse_entry_out f;
	struct fuse_attr attr;

	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		return 77;
	}
	fuse_guest_setup(g, 100, 10);
	if (mount("t", fuse_guest_path(g, "tree/mounts/0"), "tmpfs", 0, NULL) < 0) {
		fuse_guest_teardown(g);
		return 77;
	}
	fuse_guest_init(g);
	assert_int_equal(fuse_lookup(g, FUSE_ROOT_ID, "mounts", &e), 0);
	assert_int_equal(e.attr.flags, 0);
	assert_int_equal(fuse_lookup(g, e.nodeid, "0", &e), 0);
	assert_int_equal(e.attr.flags, FUSE_ATTR_SUBMOUNT);
	assert_int_equal(fuse_getattr(g, e.nodeid, &attr), 0);
	assert_int_equal(attr.flags, FUSE_ATTR_SUBMOUNT);
	assert_int_equal(fuse_mkdir(g, e.nodeid, "below", 0755, &e), 0);
	assert_int_equal(e.attr.flags, 0);
	/* nothing moves or links across the border */
	assert_int_equal(fuse_mknod(g, g->rootfs, "f", S_IFREG | 0600, 0, &f), 0);
	assert_int_equal(fuse_rename(g, g->rootfs, "f", e.nodeid, "f", 0), -EXDEV);
	assert_int_equal(fuse_link(g, f.nodeid, e.nodeid, "f", &f), -EXDEV);
	fs_server_reset(g->srv);
	assert_int_equal(umount2(fuse_guest_path(g, "tree/mounts/0"), MNT_DETACH), 0);
	fuse_guest_teardown(g);
	return 0;
}

static void test_submount(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		skip();
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		_exit(submount_child());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		skip(); /* no mount namespaces here */
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_getattr_and_statx),
		T(test_chmod),
		T(test_truncate),
		T(test_times),
		T(test_chown),
		T(test_chown_then_mode),
		T(test_new_files_belong_to_their_maker),
		T(test_umask_is_the_requests),
		T(test_setgid_directory),
		T(test_broken_group_extensions),
		T(test_write_clears_setuid),
		T(test_statfs),
		T(test_access),
		cmocka_unit_test(test_submount),
	};

	return cmocka_run_group_tests_name("fs_attr", tests, NULL, NULL);
}
