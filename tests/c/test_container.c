/* SPDX-License-Identifier: Apache-2.0 */
/* test_container.c - what verbs make of what a vmm left behind, or says */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
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

/** struct vmm - answers one request with what it likes */
struct vmm {
	pthread_t thread;
	int listen_fd;
	uint8_t answer[128];
	size_t len;
};

static void *serve(void *arg)
{
	const struct vmm *vmm = arg;
	uint8_t msg[64];
	int fd;

	do {
		(void)usleep(1000);
		fd = accept4(vmm->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	} while (fd < 0 && errno == EAGAIN);
	if (recv(fd, msg, sizeof(msg), 0) > 0) {
		(void)send(fd, vmm->answer, vmm->len, MSG_NOSIGNAL);
	}
	(void)close(fd);
	return NULL;
}

/* Of a container that runs, whose shim we are. */
static void vmm_up(struct vmm *vmm)
{
	struct vr_err err = VR_ERR_INIT;

	assert_no_error(oci_state_init(&c.state, "c1", &err), err);
	assert_no_error(oci_proc_get(getpid(), &c.state.shim, &err), err);
	c.state.status = OCI_RUNNING;
	vmm->listen_fd = ctl_listen(c.dir.fd, &err);
	assert_no_error(vmm->listen_fd, err);
	assert_int_equal(pthread_create(&vmm->thread, NULL, serve, vmm), 0);
}

static void vmm_down(struct vmm *vmm)
{
	assert_int_equal(pthread_join(vmm->thread, NULL), 0);
	(void)close(vmm->listen_fd);
	assert_int_equal(unlinkat(c.dir.fd, CTL_SOCKET_NAME, 0), 0);
}

/* Return: how many processes the container has when its cgroup is at @cgroup */
static size_t count_pids(const char *cgroup)
{
	const uint32_t pids[] = {1, (uint32_t)getpid(), 0, UINT32_MAX};
	struct vr_err err = VR_ERR_INIT;
	uint8_t data[sizeof(pids)];
	struct vmm vmm;
	struct vr_wr w;
	pid_t *got = NULL;
	size_t n = 0;

	vr_wr_init(&w, data, sizeof(data));
	for (size_t i = 0; i < VR_ARRAY_SIZE(pids); i++) {
		vr_wr_u32(&w, pids[i]);
	}
	vmm.len = ctl_data_encode(vmm.answer, sizeof(vmm.answer), data, sizeof(data));
	vmm_up(&vmm);
	c.state.cgroup_path = cgroup;
	assert_no_error(container_pids(&c, &got, &n, &err), err);
	assert_int_equal(got[0], getpid()); /* stands for the shim */
	free(got);
	vmm_down(&vmm);
	return n;
}

/* What is in the cgroup is shown: tests/bats/exec.bats. */
static void processes_of_others_are_not_shown(void **state)
{
	(void)state;
	assert_int_equal(count_pids("/volt-test-of-nobody"), 1);
	assert_int_equal(count_pids(NULL), 1 + 4); /* without one nobody can tell */
}

/* Its codes are those of calls that reached nobody, too. */
static void a_start_that_is_refused_says_why(void **state)
{
	static const int codes[] = {ENOENT, ECONNREFUSED};
	static const char why[] = "exec /script: no such file or directory";

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(codes); i++) {
		struct vr_err err = VR_ERR_INIT;
		struct vmm vmm;

		vmm.len = ctl_reply_encode(vmm.answer, sizeof(vmm.answer), codes[i], why);
		vmm_up(&vmm);
		c.state.status = OCI_CREATED;
		assert_int_equal(container_start(&c, &err), -codes[i]);
		assert_message(err, why);
		vmm_down(&vmm);
		assert_int_equal(container_start(&c, &err), -EINVAL);
		assert_message(err, "cannot start a container that has stopped");
	}
}

/* Return: the wait status of a shim that was to be killed while the vmm refused with @code */
static int killed_though_refused(uint32_t signo, int code, int rc)
{
	struct vr_err err = VR_ERR_INIT;
	pid_t shim = fork();
	struct vmm vmm;
	int status = 0;

	if (shim == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody */
		(void)pause();
		_exit(0);
	}
	assert_true(shim > 0);
	vmm.len = ctl_reply_encode(vmm.answer, sizeof(vmm.answer), code, "no");
	vmm_up(&vmm);
	assert_no_error(oci_proc_get(shim, &c.state.shim, &err), err);
	assert_int_equal(container_kill(&c, signo, false, &err), rc);
	vmm_down(&vmm);
	assert_true(waitpid(shim, &status, WNOHANG) >= 0);
	(void)kill(shim, SIGUSR1);
	if (status == 0) {
		assert_int_equal(waitpid(shim, &status, 0), shim);
	}
	return status;
}

static void kill_does_without_the_vmm(void **state)
{
	(void)state;
	assert_int_equal(killed_though_refused(SIGKILL, EIO, 0), SIGKILL);
	assert_int_equal(killed_though_refused(SIGKILL, ECONNREFUSED, 0), SIGKILL);
	assert_int_equal(killed_though_refused(SIGTERM, EIO, -EIO), SIGUSR1);
	assert_int_equal(killed_though_refused(SIGTERM, ESRCH, -ESRCH), SIGUSR1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_reason_is_always_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(processes_of_others_are_not_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(a_start_that_is_refused_says_why, setup, teardown),
		cmocka_unit_test_setup_teardown(kill_does_without_the_vmm, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
