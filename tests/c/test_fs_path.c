/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fs_path.c - name checks, opening beneath a directory, pieces of buffers
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "virtio-fs/fs_iov.h"
#include "virtio-fs/fs_path.h"

static void test_good_names(void **state)
{
	static const char *const names[] = {"a",	"...", "..a",  ".hidden", "a.",
					    "\xff\xfe", " ",   "a\nb", "-rf",	  "*"};
	char longest[FS_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(names); i++) {
		assert_int_equal(fs_name_check(names[i], strlen(names[i])), 0);
	}
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(fs_name_check(longest, sizeof(longest)), 0);
}

static void test_bad_names(void **state)
{
	static const char *const names[] = {"",	    ".",  "..",	  "/",	 "a/b", "../x",
					    "/etc", "a/", "a/..", "./a", "//"};
	char too_long[FS_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(names); i++) {
		assert_int_equal(fs_name_check(names[i], strlen(names[i])), -EINVAL);
	}
	assert_int_equal(fs_name_check("a\0b", 3), -EINVAL);
	memset(too_long, 'x', sizeof(too_long));
	assert_int_equal(fs_name_check(too_long, sizeof(too_long)), -ENAMETOOLONG);
}

/* Even were the name check gone, the kernel is told to stay beneath. */
static void test_open_stays_beneath(void **state)
{
	char dir[] = "/tmp/volt-path-XXXXXX";
	int dir_fd;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir_fd >= 0);
	assert_int_equal(symlinkat("/etc", dir_fd, "link"), 0);
	assert_int_equal(fs_path_open(dir_fd, "..", O_PATH, 0), -EXDEV);
	assert_int_equal(fs_path_open(dir_fd, "/etc", O_PATH, 0), -EXDEV);
	assert_int_equal(fs_path_open(dir_fd, "link/passwd", O_PATH, 0), -ELOOP);
	assert_int_equal(fs_path_open(dir_fd, "link", O_RDONLY, 0), -ELOOP);
	fd = fs_path_open(dir_fd, "link", O_PATH, 0);
	assert_true(fd >= 0);
	close(fd);
	unlinkat(dir_fd, "link", 0);
	close(dir_fd);
	rmdir(dir);
}

static void test_reopen_refuses_special_files(void **state)
{
	char dir[] = "/tmp/volt-path-XXXXXX";
	int proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int dir_fd;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkfifoat(dir_fd, "fifo", 0600), 0);
	fd = fs_path_open(dir_fd, "fifo", O_PATH, 0);
	assert_true(fd >= 0);
	/* would wait for ever if it were opened */
	assert_int_equal(fs_path_reopen(proc_fd, fd, S_IFIFO, O_RDONLY), -EPERM);
	assert_int_equal(fs_path_reopen(proc_fd, fd, S_IFCHR, O_RDWR), -EPERM);
	assert_int_equal(fs_path_reopen(proc_fd, fd, S_IFBLK, O_RDWR), -EPERM);
	assert_int_equal(fs_path_reopen(proc_fd, fd, S_IFSOCK, O_RDWR), -EPERM);
	assert_int_equal(fs_path_reopen(proc_fd, fd, S_IFLNK, O_RDWR), -EPERM);
	close(fd);
	unlinkat(dir_fd, "fifo", 0);
	close(dir_fd);
	close(proc_fd);
	rmdir(dir);
}

static void test_proc_names(void **state)
{
	(void)state;
	assert_string_equal(fs_path_proc(0).s, "0");
	assert_string_equal(fs_path_proc(2147483647).s, "2147483647");
}

static void test_iov(void **state)
{
	char a[3] = "abc";
	char b[1] = "d";
	char c[4] = "efgh";
	struct iovec iov[4] = {{a, 3}, {b, 1}, {NULL, 0}, {c, 4}};
	struct iovec out[4];
	char buf[8];
	uint64_t total;

	(void)state;
	assert_true(fs_iov_total(iov, 4, &total));
	assert_int_equal(total, 8);
	assert_true(fs_iov_read(iov, 4, 0, buf, 8));
	assert_memory_equal(buf, "abcdefgh", 8);
	assert_true(fs_iov_read(iov, 4, 2, buf, 3));
	assert_memory_equal(buf, "cde", 3);
	assert_false(fs_iov_read(iov, 4, 5, buf, 4));
	assert_false(fs_iov_read(iov, 4, 9, buf, 1));
	assert_true(fs_iov_read(iov, 4, 8, buf, 0));
	assert_true(fs_iov_write(iov, 4, 3, "XY", 2));
	assert_memory_equal(b, "X", 1);
	assert_memory_equal(c, "Yfgh", 4);
	assert_false(fs_iov_write(iov, 4, 7, "ZZ", 2));

	assert_int_equal(fs_iov_slice(iov, 4, 2, 3, out), 3);
	assert_ptr_equal(out[0].iov_base, a + 2);
	assert_int_equal(out[0].iov_len, 1);
	assert_ptr_equal(out[2].iov_base, c);
	assert_int_equal(out[2].iov_len, 1);
	assert_int_equal(fs_iov_slice(iov, 4, 6, 100, out), 1);
	assert_int_equal(out[0].iov_len, 2);
	assert_int_equal(fs_iov_slice(iov, 4, 8, 1, out), 0);
	assert_int_equal(fs_iov_slice(iov, 4, 0, 0, out), 0);
}

static void test_iov_overflow(void **state)
{
	struct iovec iov[2] = {{NULL, SIZE_MAX}, {NULL, 1}};
	uint64_t total = 7;

	(void)state;
	assert_false(fs_iov_total(iov, 2, &total));
	assert_int_equal(total, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_names),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_open_stays_beneath),
		cmocka_unit_test(test_reopen_refuses_special_files),
		cmocka_unit_test(test_proc_names),
		cmocka_unit_test(test_iov),
		cmocka_unit_test(test_iov_overflow),
	};

	return cmocka_run_group_tests_name("fs_path", tests, NULL, NULL);
}
