/* SPDX-License-Identifier: Apache-2.0 */
/* test_userns.c - user namespaces: made, read, joined; what a file server can do in one */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userns.h"

static struct userns_maps maps, other;

static void mapped(uint32_t inside, uint32_t outside, uint32_t count)
{
	memset(&maps, 0, sizeof(maps));
	maps.uid[0] = (struct ap_idmap){inside, outside, count};
	maps.gid[0] = (struct ap_idmap){inside, outside + 7, count};
	maps.n_uid = maps.n_gid = 1;
}

static int made(void)
{
	struct vr_err err = VR_ERR_INIT;
	int fd = -1;

	assert_no_error(userns_make(&maps, &fd, &err), err);
	assert_true(fd >= 0);
	assert_int_equal(err.code, 0);
	return fd;
}

/* Run @fn in a child that has joined @fd as @uid. Return: its exit code */
static int in_namespace(int fd, uint32_t uid, int (*fn)(void))
{
	struct vr_err err = VR_ERR_INIT;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		_exit(userns_enter(fd, uid, uid > 0 ? uid + 7 : 0, &err) < 0 ? 99 : fn());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void mappings_are_what_was_asked_for(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	int fd;

	(void)state;
	mapped(0, 100000, 65536);
	maps.uid[1] = (struct ap_idmap){65536, 300000, 1};
	maps.n_uid = 2;
	fd = made();
	assert_false(userns_is_own(fd));
	assert_no_error(userns_maps_read(fd, &other, &err), err);
	assert_int_equal(other.n_uid, 2);
	assert_int_equal(other.uid[1].inside, 65536);
	assert_int_equal(other.uid[1].outside, 300000);
	assert_int_equal(other.uid[1].count, 1);
	assert_int_equal(other.n_gid, 1);
	assert_int_equal(other.gid[0].outside, 100007);
	close(fd);
	fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	assert_true(userns_is_own(fd));
	close(fd);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void impossible_mappings_are_an_error(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	int fd = -1;

	(void)state;
	mapped(0, 100000, 10);
	maps.uid[1] = (struct ap_idmap){5, 200000, 10}; /* 5 to 9 twice */
	maps.n_uid = 2;
	assert_int_equal(userns_make(&maps, &fd, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "uid_map"));
	assert_int_equal(fd, -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void conversion(void **state)
{
	struct oci_idmap one = {.container_id = 3, .host_id = 4, .size = 5};
	struct oci_idmaps v = {.v = &one, .n = 1};
	struct oci_idmaps many = {.v = &one, .n = AP_MAX_IDMAPS + 1};
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(userns_maps_from(&v, &v, &maps, &err), 0);
	assert_int_equal(maps.uid[0].inside, 3);
	assert_int_equal(maps.gid[0].outside, 4);
	assert_int_equal(maps.gid[0].count, 5);
	assert_int_equal(userns_maps_from(&v, &many, &maps, &err), -E2BIG);
	assert_int_equal(userns_first(maps.uid, 1), 3);
	maps.uid[1] = (struct ap_idmap){0, 9, 1};
	assert_int_equal(userns_first(maps.uid, 2), 0);
	assert_int_equal(userns_first(maps.uid, 0), 0);
	userns_maps_same(&maps, &other);
	assert_int_equal(other.uid[0].inside, 4);
	assert_int_equal(other.uid[0].outside, 4);
	assert_int_equal(other.uid[0].count, 5);
}

static int is_root(void)
{
	return getuid() == 0 && getgid() == 0 && access("/proc/self/ns/user", R_OK) == 0 ? 0 : 1;
}

static void root_of_the_container(void **state)
{
	int fd;

	(void)state;
	mapped(0, 100000, 65536);
	fd = made();
	assert_int_equal(in_namespace(fd, 0, is_root), 0);
	close(fd);
	mapped(5, 100000, 10); /* no root: one stays what one is */
	fd = made();
	assert_int_equal(in_namespace(fd, 0, is_root), 1);
	close(fd);
}

static char dir[64];

/* As the file server: ids unchanged, power over those of the container only. */
static int serve(void)
{
	if (chdir(dir) < 0 || getuid() != 100000) {
		return 1;
	}
	if (chown("mine", 100005, 100009) < 0 || chmod("mine", 0600) < 0) {
		return 2;
	}
	if (chown("mine", 0, -1) == 0 || errno != EINVAL) {
		return 3;
	}
	if (chmod("theirs", 0777) == 0 || errno != EPERM || open("theirs", O_WRONLY) >= 0) {
		return 4;
	}
	return 0;
}

static void only_the_containers_ids(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/volt-userns-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mknod("mine", S_IFREG | 0644, 0), 0);
	assert_int_equal(chown("mine", 100000, 100007), 0);
	assert_int_equal(mknod("theirs", S_IFREG | 0644, 0), 0);
	mapped(0, 100000, 65536);
	userns_maps_same(&maps, &other);
	maps = other;
	fd = made();
	assert_int_equal(in_namespace(fd, 100000, serve), 0);
	close(fd);
	assert_int_equal(stat("mine", &st), 0);
	assert_int_equal(st.st_uid, 100005);
	assert_int_equal(st.st_gid, 100009);
	assert_int_equal(unlink("mine") | unlink("theirs"), 0);
	assert_int_equal(chdir("/") | rmdir(dir), 0);
}

static bool can_make(void)
{
	struct vr_err err = VR_ERR_INIT;
	int fd = -1;

	mapped(0, 100000, 65536);
	if (geteuid() != 0 || userns_make(&maps, &fd, &err) < 0) {
		return false; /* a builder that may not */
	}
	close(fd);
	return true;
}

int main(void)
{
	const struct CMUnitTest plain[] = {cmocka_unit_test(conversion)};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversion),
		cmocka_unit_test(mappings_are_what_was_asked_for),
		cmocka_unit_test(impossible_mappings_are_an_error),
		cmocka_unit_test(root_of_the_container),
		cmocka_unit_test(only_the_containers_ids),
	};

	if (!can_make()) {
		return cmocka_run_group_tests(plain, NULL, NULL);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
