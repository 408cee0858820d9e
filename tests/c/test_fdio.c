/* SPDX-License-Identifier: Apache-2.0 */
/* test_fdio.c - whole reads and writes, atomic files, fd passing, process identity */
#include "cm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fdio.h"

static char dir[] = "/tmp/test_fdio.XXXXXX";
static int dirfd_ = -1;

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir)) {
		return -1;
	}
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd_ < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)close(dirfd_);
	return vr_remove_tree(AT_FDCWD, ".") == -EINVAL ? rmdir(dir) : -1;
}

static size_t count_entries(void)
{
	vr_autoclosedir DIR *d = opendir(dir);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d)) {
		n++;
	}
	return n - 2; /* . and .. */
}

static size_t count_fds(void)
{
	vr_autoclosedir DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d)) {
		n++;
	}
	return n;
}

static void read_full_joins_pieces_and_stops_at_eof(void **state)
{
	char buf[8];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(vr_write_full(fds[1], "abc", 3), 0);
	assert_int_equal(vr_write_full(fds[1], "def", 3), 0);
	assert_int_equal(vr_read_full(fds[0], buf, 4), 4);
	assert_memory_equal(buf, "abcd", 4);
	close(fds[1]);
	assert_int_equal(vr_read_full(fds[0], buf, 8), 2);
	assert_int_equal(vr_read_full(fds[0], buf, 8), 0);
	close(fds[0]);
	assert_int_equal(vr_read_full(-1, buf, 1), -EBADF);
	assert_int_equal(vr_write_full(-1, buf, 1), -EBADF);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void reads_survive_signals(void **state)
{
	struct sigaction sa = {.sa_handler = on_alarm}; /* no SA_RESTART */
	char buf[2];
	int fds[2];
	pid_t pid;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &sa, NULL), 0);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (int i = 0; i < 20; i++) {
			(void)usleep(1000);
			(void)kill(getppid(), SIGUSR1);
		}
		_exit(write(fds[1], "xy", 2) == 2 ? 0 : 1);
	}
	assert_int_equal(vr_read_full(fds[0], buf, 2), 2);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
	}
	(void)signal(SIGUSR1, SIG_DFL);
	close(fds[0]);
	close(fds[1]);
}

static void read_file_has_a_limit(void **state)
{
	char *buf = NULL;
	size_t len = 99;

	(void)state;
	assert_int_equal(vr_write_file_atomic(dirfd_, "f", "0123456789", 10, 0600), 0);
	assert_int_equal(vr_read_file(dirfd_, "f", 10, &buf, &len), 0);
	assert_int_equal(len, 10);
	assert_string_equal(buf, "0123456789");
	free(buf);
	buf = NULL;
	len = 99;
	assert_int_equal(vr_read_file(dirfd_, "f", 9, &buf, &len), -EFBIG);
	assert_null(buf);
	assert_int_equal(len, 99);
	assert_int_equal(vr_read_file(dirfd_, "absent", 9, &buf, &len), -ENOENT);
	assert_int_equal(vr_read_file(dirfd_, ".", 9, &buf, &len), -EISDIR);
	assert_int_equal(unlinkat(dirfd_, "f", 0), 0);
}

static void read_file_handles_empty_and_big(void **state)
{
	size_t size = 3 * 4096 + 1;
	char *big = malloc(size);
	char *buf = NULL;
	size_t len;

	(void)state;
	assert_non_null(big);
	memset(big, 'z', size);
	assert_int_equal(vr_write_file_atomic(dirfd_, "f", "", 0, 0600), 0);
	assert_int_equal(vr_read_file(dirfd_, "f", 0, &buf, &len), 0);
	assert_int_equal(len, 0);
	assert_string_equal(buf, "");
	free(buf);
	assert_int_equal(vr_write_file_atomic(dirfd_, "f", big, size, 0600), 0);
	assert_int_equal(vr_read_file(dirfd_, "f", size, &buf, &len), 0);
	assert_int_equal(len, size);
	assert_memory_equal(buf, big, size);
	free(buf);
	assert_int_equal(vr_read_file(dirfd_, "f", size - 1, &buf, &len), -EFBIG);
	assert_int_equal(vr_read_file(AT_FDCWD, "/proc/self/status", 65536, &buf, &len), 0);
	assert_true(len > 100); /* whose st_size is 0 */
	free(buf);
	free(big);
	assert_int_equal(unlinkat(dirfd_, "f", 0), 0);
}

static void atomic_write_replaces_with_exact_mode(void **state)
{
	mode_t old = umask(077);
	struct stat st;

	(void)state;
	assert_int_equal(vr_write_file_atomic(dirfd_, "f", "one", 3, 0644), 0);
	assert_int_equal(vr_write_file_atomic(dirfd_, "f", "twelve", 6, 0664), 0);
	(void)umask(old);
	assert_int_equal(fstatat(dirfd_, "f", &st, 0), 0);
	assert_int_equal(st.st_size, 6);
	assert_int_equal(st.st_mode & 07777, 0664);
	assert_int_equal(count_entries(), 1);
	assert_int_equal(unlinkat(dirfd_, "f", 0), 0);
}

static void failed_atomic_write_leaves_nothing(void **state)
{
	struct rlimit old;
	struct rlimit tiny;
	char big[8192] = {0};
	char *buf;
	size_t len;

	(void)state;
	assert_int_equal(vr_write_file_atomic(dirfd_, "f", "old", 3, 0600), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tiny = old;
	tiny.rlim_cur = 4096;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);
	assert_int_equal(vr_write_file_atomic(dirfd_, "f", big, sizeof(big), 0600), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(count_entries(), 1);
	assert_int_equal(vr_read_file(dirfd_, "f", 10, &buf, &len), 0);
	assert_string_equal(buf, "old");
	free(buf);
	assert_int_equal(unlinkat(dirfd_, "f", 0), 0);

	assert_int_equal(mkdirat(dirfd_, "d", 0700), 0); /* rename onto a directory fails */
	assert_int_equal(vr_write_file_atomic(dirfd_, "d", "x", 1, 0600), -EISDIR);
	assert_int_equal(count_entries(), 1);
	assert_int_equal(unlinkat(dirfd_, "d", AT_REMOVEDIR), 0);
	assert_int_equal(vr_write_file_atomic(dirfd_, "no/f", "x", 1, 0600), -ENOENT);
}

static void fds_travel_with_their_message(void **state)
{
	char buf[16] = {0};
	int got[4];
	size_t n = 0;
	int pair[2];
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(vr_send_fds(pair[0], "hello", 5, fds, 2), 0);
	assert_int_equal(vr_recv_fds(pair[1], buf, sizeof(buf), got, 4, &n), 5);
	assert_string_equal(buf, "hello");
	assert_int_equal(n, 2);
	assert_int_equal(fcntl(got[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(vr_write_full(got[1], "q", 1), 0);
	assert_int_equal(vr_read_full(fds[0], buf, 1), 1);
	assert_int_equal(buf[0], 'q');
	assert_int_equal(vr_send_fds(pair[0], "", 0, fds, 1), -EINVAL);
	assert_int_equal(vr_send_fds(pair[0], "x", 1, fds, VR_FDS_MAX + 1), -EINVAL);
	close(got[0]);
	close(got[1]);
	close(pair[0]);
	assert_int_equal(vr_recv_fds(pair[1], buf, sizeof(buf), got, 4, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(vr_send_fds(pair[1], "x", 1, NULL, 0), -EPIPE); /* and no SIGPIPE */
	close(pair[1]);
	close(fds[0]);
	close(fds[1]);
}

static void too_many_fds_are_refused_and_closed(void **state)
{
	char buf[4];
	int got[1];
	size_t n = 77;
	int pair[2];
	int fds[3];
	size_t before;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	for (size_t i = 0; i < 3; i++) {
		fds[i] = pair[0];
	}
	before = count_fds();
	assert_int_equal(vr_send_fds(pair[0], "x", 1, fds, 3), 0);
	assert_int_equal(vr_recv_fds(pair[1], buf, sizeof(buf), got, 1, &n), -EMSGSIZE);
	assert_int_equal(n, 77);
	assert_int_equal(vr_send_fds(pair[0], "too long", 8, fds, 1), 0);
	assert_int_equal(vr_recv_fds(pair[1], buf, sizeof(buf), got, 1, &n), -EMSGSIZE);
	assert_int_equal(count_fds(), before);
	close(pair[0]);
	close(pair[1]);
}

static void processes_are_identified_by_start_time(void **state)
{
	uint64_t start = 0;
	uint64_t again = 0;
	char letter = '?';
	pid_t pid;

	(void)state;
	assert_int_equal(vr_proc_stat(getpid(), &start, &letter), 0);
	assert_true(start > 0);
	assert_int_equal(letter, 'R');
	assert_true(vr_proc_alive(getpid(), start));
	assert_false(vr_proc_alive(getpid(), start + 1));
	assert_false(vr_proc_alive(0, start));
	assert_false(vr_proc_alive(-1, start));
	assert_int_equal(vr_proc_stat(0, &again, NULL), -ESRCH);
	assert_int_equal(vr_proc_stat(0x7ffffff0, &again, NULL), -ESRCH);
	pid = fork();
	if (pid == 0) {
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(vr_proc_stat(pid, &start, NULL), 0);
	while (vr_proc_stat(pid, &start, &letter) == 0 && letter != 'Z') {
		(void)usleep(1000);
	}
	assert_false(vr_proc_alive(pid, start)); /* a zombie is dead */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(vr_proc_alive(pid, start));
}

/* A program may call itself anything, also what looks like the rest of the line. */
static void odd_process_names_do_not_confuse(void **state)
{
	static const char odd[] = "a) Z 1 (b";
	uint64_t start = 0;
	uint64_t odd_start = 1;
	char letter = '?';
	char old[16];
	vr_autoclose int fd = open("/proc/self/comm", O_RDWR | O_CLOEXEC);
	ssize_t n;

	(void)state;
	assert_true(fd >= 0);
	n = read(fd, old, sizeof(old));
	assert_true(n > 0);
	assert_int_equal(vr_proc_stat(getpid(), &start, NULL), 0);
	assert_int_equal(vr_write_full(fd, odd, sizeof(odd) - 1), 0);
	assert_int_equal(vr_proc_stat(getpid(), &odd_start, &letter), 0);
	assert_int_equal(vr_write_full(fd, old, (size_t)n), 0);
	assert_true(odd_start == start);
	assert_int_equal(letter, 'R');
}

static void pidfds_wait_and_signal(void **state)
{
	uint64_t start;
	int pidfd;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(vr_proc_stat(pid, &start, NULL), 0);
	assert_int_equal(vr_pidfd_open_checked(pid, start + 1), -ESRCH);
	assert_int_equal(vr_pidfd_open_checked(0, start), -ESRCH);
	pidfd = vr_pidfd_open_checked(pid, start);
	assert_true(pidfd >= 0);
	assert_int_equal(vr_pidfd_wait(pidfd, 10), -ETIMEDOUT);
	assert_int_equal(vr_pidfd_send_signal(pidfd, 0), 0);
	assert_int_equal(vr_pidfd_send_signal(pidfd, SIGKILL), 0);
	assert_int_equal(vr_pidfd_wait(pidfd, -1), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(vr_pidfd_send_signal(pidfd, 0), -ESRCH);
	close(pidfd);
	assert_int_equal(vr_pidfd_open(0x7ffffff0), -ESRCH);
}

static void memfd_has_size_and_cloexec(void **state)
{
	int fd = vr_memfd("test", 12345, 0);
	struct stat st;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 12345);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
	assert_int_equal(vr_memfd("test", UINT64_MAX, 0), -EFBIG);
}

static void the_size_of_a_memory_file_can_be_fixed(void **state)
{
	int fd = vr_memfd("test", 8192, MFD_ALLOW_SEALING);
	int other = vr_memfd("test", 8192, 0); /* may never be sealed */
	int file = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_equal(vr_memfd_fix_size(fd, 8192), 0);
	assert_int_equal(vr_memfd_fix_size(fd, 8192), 0); /* by the next one, too */
	assert_int_equal(vr_memfd_fix_size(fd, 4096), -EINVAL);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 10000), -1);
	assert_int_equal(vr_memfd_fix_size(other, 8192), -EPERM);
	assert_int_equal(vr_memfd_fix_size(file, 0), -EINVAL);
	assert_int_equal(vr_memfd_fix_size(-1, 0), -EBADF);
	close(fd);
	close(other);
	close(file);
}

static void flags_toggle(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(vr_set_nonblock(fds[0], true), 0);
	assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(vr_set_nonblock(fds[0], false), 0);
	assert_false(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(vr_set_nonblock(-1, true), -EBADF);
	close(fds[0]);
	close(fds[1]);
}

static void close_range_closes(void **state)
{
	int high = fcntl(0, F_DUPFD_CLOEXEC, 200);

	(void)state;
	if (high < 0) { /* started without stdin */
		high = fcntl(dirfd_, F_DUPFD_CLOEXEC, 200);
	}
	assert_true(high >= 200);
	assert_int_equal(vr_close_range(200, 300), 0);
	assert_int_equal(fcntl(high, F_GETFD), -1);
	assert_true(fcntl(dirfd_, F_GETFD) >= 0);
}

static void boot_id_is_a_uuid(void **state)
{
	char a[VR_BOOT_ID_LEN + 1];
	char b[VR_BOOT_ID_LEN + 1];

	(void)state;
	assert_int_equal(vr_boot_id(a), 0);
	assert_int_equal(vr_boot_id(b), 0);
	assert_string_equal(a, b);
	assert_int_equal(strlen(a), VR_BOOT_ID_LEN);
	assert_int_equal(a[8], '-');
}

static void openat2_obeys_resolve(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(symlinkat("/", dirfd_, "link"), 0);
	fd = vr_openat2(dirfd_, "link", O_PATH, 0, 0x08 /* RESOLVE_BENEATH */);
	assert_true(fd == -EXDEV || fd == -ENOSYS);
	fd = vr_openat2(dirfd_, ".", O_PATH, 0, 0x08);
	assert_true(fd >= 0 || fd == -ENOSYS);
	if (fd >= 0) {
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		close(fd);
	}
	assert_int_equal(unlinkat(dirfd_, "link", 0), 0);
}

static void remove_tree_removes_but_does_not_follow(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(dirfd_, "keep", 0700), 0);
	assert_int_equal(vr_write_file_atomic(dirfd_, "keep/file", "x", 1, 0600), 0);
	assert_int_equal(mkdirat(dirfd_, "t", 0700), 0);
	assert_int_equal(mkdirat(dirfd_, "t/sub", 0700), 0);
	assert_int_equal(vr_write_file_atomic(dirfd_, "t/sub/file", "x", 1, 0600), 0);
	assert_int_equal(symlinkat("../../keep", dirfd_, "t/sub/link"), 0);
	assert_int_equal(vr_remove_tree(dirfd_, "t"), 0);
	assert_int_equal(faccessat(dirfd_, "t", F_OK, 0), -1);
	assert_int_equal(faccessat(dirfd_, "keep/file", F_OK, 0), 0);
	assert_int_equal(vr_remove_tree(dirfd_, "t"), 0); /* gone already */
	assert_int_equal(symlinkat("keep", dirfd_, "link"), 0);
	assert_int_equal(vr_remove_tree(dirfd_, "link"), 0);
	assert_int_equal(faccessat(dirfd_, "keep/file", F_OK, 0), 0);
	assert_int_equal(vr_remove_tree(dirfd_, "keep"), 0);
	assert_int_equal(count_entries(), 0);
	assert_int_equal(vr_remove_tree(dirfd_, ".."), -EINVAL);
	assert_int_equal(vr_remove_tree(dirfd_, "."), -EINVAL);
	assert_int_equal(vr_remove_tree(dirfd_, "a/b"), -EINVAL);
	assert_int_equal(vr_remove_tree(dirfd_, ""), -EINVAL);
}

static void remove_tree_has_a_depth_limit(void **state)
{
	int fd = dup(dirfd_);

	(void)state;
	for (int i = 0; i < 40; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_int_equal(vr_remove_tree(dirfd_, "d"), -ELOOP);
	/* Take the upper half away, then the rest fits. */
	fd = openat(dirfd_, "d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d", O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	assert_int_equal(vr_remove_tree(fd, "d"), 0);
	close(fd);
	assert_int_equal(vr_remove_tree(dirfd_, "d"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_full_joins_pieces_and_stops_at_eof),
		cmocka_unit_test(reads_survive_signals),
		cmocka_unit_test(read_file_has_a_limit),
		cmocka_unit_test(read_file_handles_empty_and_big),
		cmocka_unit_test(atomic_write_replaces_with_exact_mode),
		cmocka_unit_test(failed_atomic_write_leaves_nothing),
		cmocka_unit_test(fds_travel_with_their_message),
		cmocka_unit_test(too_many_fds_are_refused_and_closed),
		cmocka_unit_test(processes_are_identified_by_start_time),
		cmocka_unit_test(odd_process_names_do_not_confuse),
		cmocka_unit_test(pidfds_wait_and_signal),
		cmocka_unit_test(memfd_has_size_and_cloexec),
		cmocka_unit_test(the_size_of_a_memory_file_can_be_fixed),
		cmocka_unit_test(flags_toggle),
		cmocka_unit_test(close_range_closes),
		cmocka_unit_test(boot_id_is_a_uuid),
		cmocka_unit_test(openat2_obeys_resolve),
		cmocka_unit_test(remove_tree_removes_but_does_not_follow),
		cmocka_unit_test(remove_tree_has_a_depth_limit),
	};

	return cmocka_run_group_tests_name("fdio", tests, setup, teardown);
}
