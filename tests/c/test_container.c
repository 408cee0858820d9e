/* SPDX-License-Identifier: Apache-2.0 */
/* test_container.c - what verbs make of what a vmm left behind, or says */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/fdio.h"
#include "container.h"
#include "control.h"
#include "oci/state.h"

static char dir[64];
static struct container c;

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/volt-container-XXXXXX");
	assert_non_null(mkdtemp(dir));
	c = (struct container)CONTAINER_INIT;
	c.dir.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(c.dir.fd >= 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)close(c.dir.fd);
	return chdir("/tmp") < 0 || vr_remove_tree(AT_FDCWD, strrchr(dir, '/') + 1) < 0;
}

static char *reason_of(const void *bytes, size_t len)
{
	int fd = openat(c.dir.fd, "reason", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	(void)close(fd);
	return container_reason(&c);
}

/* Any bytes: of a vmm that was taken over, or of ours, cut in the middle of a character. */
static void a_reason_is_always_shown(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *shown;
	} cases[] = {
		{"the guest \xe2\x82\xac", 13, "the guest \xe2\x82\xac"},
		{"cut \xe2\x82", 6, "cut ??"},
		{"\xff\xfe\x1b[2J\n", 7, "???[2J?"},
		{"up to\0here", 10, "up to"},
	};
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_null(container_reason(&c)); /* no file */
	assert_null(reason_of("", 0));
	assert_null(reason_of("\0x", 2));
	for (size_t i = 0; i < VR_ARRAY_SIZE(cases); i++) {
		struct oci_state s = {.bundle = "/b", .rootfs = "/b/rootfs"};
		char *reason = reason_of(cases[i].bytes, cases[i].len);
		char *text = NULL;

		assert_non_null(reason);
		assert_string_equal(reason, cases[i].shown);
		s.reason = reason;
		assert_no_error(oci_state_json(&s, OCI_STOPPED, true, &text, NULL, &err), err);
		free(text);
		free(reason);
	}
}

/* A vmm that answers PS with whom it likes */
static void *serve_ps(void *arg)
{
	const uint32_t pids[] = {1, (uint32_t)getpid(), 0, UINT32_MAX};
	int listen_fd = *(const int *)arg;
	uint8_t msg[64], data[sizeof(pids)];
	struct vr_wr w;
	int fd;

	do {
		(void)usleep(1000);
		fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	} while (fd < 0 && errno == EAGAIN);
	vr_wr_init(&w, data, sizeof(data));
	for (size_t i = 0; i < VR_ARRAY_SIZE(pids); i++) {
		vr_wr_u32(&w, pids[i]);
	}
	if (recv(fd, msg, sizeof(msg), 0) > 0) {
		(void)send(fd, msg, ctl_data_encode(msg, sizeof(msg), data, sizeof(data)),
			   MSG_NOSIGNAL);
	}
	(void)close(fd);
	return NULL;
}

/* Return: how many processes the container has when its cgroup is at @cgroup */
static size_t count_pids(const char *cgroup)
{
	struct vr_err err = VR_ERR_INIT;
	pthread_t thread;
	int listen_fd = ctl_listen(c.dir.fd, &err);
	pid_t *pids = NULL;
	size_t n = 0;

	assert_no_error(listen_fd, err);
	c.state.cgroup_path = cgroup;
	assert_int_equal(pthread_create(&thread, NULL, serve_ps, &listen_fd), 0);
	assert_no_error(container_pids(&c, &pids, &n, &err), err);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(pids[0], getpid()); /* stands for the shim */
	free(pids);
	(void)close(listen_fd);
	assert_int_equal(unlinkat(c.dir.fd, CTL_SOCKET_NAME, 0), 0);
	return n;
}

/* What is in the cgroup is shown: tests/bats/exec.bats. */
static void processes_of_others_are_not_shown(void **state)
{
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_no_error(oci_state_init(&c.state, "c1", &err), err);
	assert_no_error(oci_proc_get(getpid(), &c.state.shim, &err), err);
	c.state.status = OCI_RUNNING;
	assert_int_equal(count_pids("/volt-test-of-nobody"), 1);
	assert_int_equal(count_pids(NULL), 1 + 4); /* without one nobody can tell */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_reason_is_always_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(processes_of_others_are_not_shown, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
