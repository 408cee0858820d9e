/* SPDX-License-Identifier: Apache-2.0 */
/* test_fdrange.c - descriptors whose numbers tell what they are */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fdrange.h"
#include "cm.h"
#include "sbx_child.h"

static int null_fd(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static int moves(void *arg)
{
	int fd = null_fd();
	int old = fd;

	(void)arg;
	CHECK(vr_fd_move(&fd, VR_FDS_VM, VR_FDS_VM_N) == 0);
	CHECK(fd == VR_FDS_VM && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(old, F_GETFD) == -1 && errno == EBADF);
	return 0;
}

static int fills(void *arg)
{
	int fd;

	(void)arg;
	for (int i = 0; i < VR_FDS_VCPU_N; i++) {
		fd = null_fd();
		CHECK(vr_fd_move(&fd, VR_FDS_VCPU, VR_FDS_VCPU_N) == 0);
		CHECK(fd == VR_FDS_VCPU + i);
	}
	fd = null_fd();
	CHECK(vr_fd_move(&fd, VR_FDS_VCPU, VR_FDS_VCPU_N) == -EMFILE);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && fd < VR_FDS_VCPU); /* as it was */
	CHECK(fcntl(VR_FDS_VCPU + VR_FDS_VCPU_N, F_GETFD) == -1);    /* and no copy */
	return 0;
}

static int set_soft(rlim_t soft)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0) {
		return -1;
	}
	rl.rlim_cur = soft;
	return setrlimit(RLIMIT_NOFILE, &rl);
}

/* A caller's `ulimit -n 256`, or just above where the range begins. */
static int raises(void *arg)
{
	static const rlim_t soft[] = {256, VR_FDS_VCPU + 1};

	(void)arg;
	for (size_t i = 0; i < 2; i++) {
		int one = null_fd();
		int two = null_fd();

		CHECK(set_soft(soft[i]) == 0);
		CHECK(vr_fd_move(&one, VR_FDS_VCPU, VR_FDS_VCPU_N) == 0);
		CHECK(vr_fd_move(&two, VR_FDS_VCPU, VR_FDS_VCPU_N) == 0);
		CHECK(two == one + 1);
		CHECK(close(one) == 0 && close(two) == 0);
	}
	return 0;
}

static int is_above_hard(void *arg)
{
	struct rlimit rl = {256, 256};
	int fd = null_fd();

	(void)arg;
	CHECK(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	CHECK(vr_fd_move(&fd, VR_FDS_VM, VR_FDS_VM_N) == -EMFILE);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	fd = -1;
	CHECK(vr_fd_move(&fd, VR_FDS_VM, VR_FDS_VM_N) < 0);
	return 0;
}

static void a_descriptor_gets_a_number_of_its_range(void **state)
{
	(void)state;
	assert_child_ok(moves, NULL);
	assert_child_ok(fills, NULL);
}

static void the_soft_limit_is_raised_the_hard_one_is_an_error(void **state)
{
	(void)state;
	assert_child_ok(raises, NULL);
	assert_child_ok(is_above_hard, NULL);
}

/* What the filters compare is the upper bits. */
static void ranges_are_powers_of_two_apart_and_small(void **state)
{
	static const struct {
		int first, n;
	} ranges[] = {
		{VR_FDS_VCPU, VR_FDS_VCPU_N}, {VR_FDS_VM, VR_FDS_VM_N}, {VR_FDS_NET, VR_FDS_NET_N}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(ranges[i].n & (ranges[i].n - 1), 0);
		assert_int_equal(ranges[i].first % ranges[i].n, 0);
		assert_true(ranges[i].first + ranges[i].n <= 1024);
		for (size_t j = 0; j < i; j++) {
			assert_true(ranges[j].first + ranges[j].n <= ranges[i].first);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_gets_a_number_of_its_range),
		cmocka_unit_test(the_soft_limit_is_raised_the_hard_one_is_an_error),
		cmocka_unit_test(ranges_are_powers_of_two_apart_and_small),
	};

	return cmocka_run_group_tests_name("fdrange", tests, NULL, NULL);
}
