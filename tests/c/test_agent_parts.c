/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_parts.c - the agent's pure parts: paths in a root, PATH, passwd, options, figures */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/agent_proto.h"
#include "guest-agent/accept.h"
#include "guest-agent/abi.h"
#include "guest-agent/cgroup.h"
#include "guest-agent/lookup.h"
#include "guest-agent/mounts.h"
#include "guest-agent/path.h"
#include "guest-agent/self.h"
#include "guest-agent/sysctl.h"

static char dir[] = "/tmp/volt-parts-XXXXXX";
static int root;

static int set_up(void **state)
{
	(void)state;
	strcpy(strrchr(dir, '-'), "-XXXXXX");
	if (!mkdtemp(dir)) {
		return -1;
	}
	root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0;
}

static int tear_down(void **state)
{
	char cmd[128];

	(void)state;
	close(root);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mode : 0;
}

static int made(const char *path, bool is_dir)
{
	int fd = path_make(root, path, is_dir);

	if (fd >= 0) {
		close(fd);
	}
	return fd < 0 ? fd : 0;
}

static void missing_paths_are_made(void **state)
{
	(void)state;
	umask(077);
	assert_int_equal(made("/a/b/c", true), 0);
	assert_int_equal(mode_of("a/b/c"), S_IFDIR | 0755);
	assert_int_equal(made("/a//x/./f", false), 0);
	assert_int_equal(mode_of("a/x/f"), S_IFREG | 0755);
	assert_int_equal(made("/a/x/f", false), 0); /* there already */
	assert_int_equal(made("/a/x/f/g", true), -ENOTDIR);
	assert_int_equal(made("/", true), 0);
	umask(022);
}

static void links_stay_in_the_root(void **state)
{
	(void)state;
	assert_return_code(symlinkat("/outside/dir", root, "abs"), errno);
	assert_return_code(symlinkat("../../../up", root, "rel"), errno);
	assert_return_code(symlinkat("loop", root, "loop"), errno);
	assert_return_code(symlinkat("abs/deeper/../file", root, "chain"), errno);
	assert_int_equal(made("/abs/x", true), 0);
	assert_int_equal(mode_of("outside/dir/x"), S_IFDIR | 0755);
	assert_int_equal(made("/rel", false), 0);
	assert_int_equal(mode_of("up"), S_IFREG | 0755);
	assert_int_equal(made("/../../../../up2", true), 0);
	assert_int_equal(mode_of("up2"), S_IFDIR | 0755);
	assert_int_equal(made("/loop", true), -ELOOP);
	assert_int_equal(made("/chain", false), 0);
	assert_int_equal(mode_of("outside/dir/file"), S_IFREG | 0755);
	assert_int_equal(access("/outside", F_OK), -1);
}

static void too_long_is_refused(void **state)
{
	static char name[PATH_MAX + 16];

	(void)state;
	memset(name, 'n', NAME_MAX + 2);
	name[0] = '/';
	assert_int_equal(made(name, true), -ENAMETOOLONG);
	memset(name, 'n', sizeof(name) - 1);
	assert_int_equal(made(name, true), -ENAMETOOLONG);
}

static void parents(void **state)
{
	const char *name;
	int fd = path_parent(root, "/p/q/node", &name);

	(void)state;
	assert_true(fd >= 0);
	assert_string_equal(name, "node");
	assert_int_equal(mode_of("p/q"), S_IFDIR | 0755);
	close(fd);
	assert_int_equal(path_parent(root, "/p/..", &name), -EINVAL);
	assert_int_equal(path_parent(root, "/p/", &name), -EINVAL);
	assert_int_equal(path_parent(root, "rel", &name), -EINVAL);
}

static void put_file(const char *name, const char *text, mode_t mode)
{
	int fd = openat(root, name, O_CREAT | O_WRONLY | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void executables_are_found(void **state)
{
	char path_var[PATH_MAX];
	char want[PATH_MAX];
	char out[PATH_MAX];
	struct fail f = {0};

	(void)state;
	assert_int_equal(made("/one/prog", true), 0); /* a directory of that name */
	assert_int_equal(made("/two", true), 0);
	assert_int_equal(made("/three", true), 0);
	put_file("two/prog", "", 0644);
	put_file("three/prog", "", 0755);
	snprintf(path_var, sizeof(path_var), "/nowhere:%s/one:%s/two:%s/three", dir, dir, dir);
	snprintf(want, sizeof(want), "%s/three/prog", dir);
	assert_int_equal(lookup_exec("prog", path_var, out, sizeof(out), &f), 0);
	assert_string_equal(out, want);
	assert_int_equal(lookup_exec(want, "", out, sizeof(out), &f), 0);
	assert_int_equal(lookup_exec("prog", NULL, out, sizeof(out), &f), -ENOENT);
	assert_string_equal(f.text, "exec: \"prog\": executable file not found in $PATH");
	assert_int_equal(f.kind, AP_FAIL_NOT_FOUND);
	assert_int_equal(lookup_exec("", path_var, out, sizeof(out), &f), -ENOENT);
	lookup_exec_fail("/bin/x", -ENOEXEC, &f);
	assert_string_equal(f.text, "exec /bin/x: exec format error");
	assert_int_equal(f.kind, AP_FAIL_PERMISSION);
}

static void home_directories(void **state)
{
	char path[PATH_MAX];
	char out[64];

	(void)state;
	put_file("passwd",
		 "root:x:0:0:root:/root:/bin/sh\nbad:x:x1:1::/bad:\nshort:x:7\n"
		 "rel:x:8:8::relative:/x\nnobody:x:65534:65534:n:/none:/bin/false\n",
		 0644);
	snprintf(path, sizeof(path), "%s/passwd", dir);
	lookup_home(path, 0, out, sizeof(out));
	assert_string_equal(out, "/root");
	lookup_home(path, 65534, out, sizeof(out));
	assert_string_equal(out, "/none");
	lookup_home(path, 7, out, sizeof(out));
	assert_string_equal(out, "/");
	lookup_home(path, 8, out, sizeof(out));
	assert_string_equal(out, "/");
	lookup_home("/dev/zero", 0, out, sizeof(out)); /* no file at all */
	assert_string_equal(out, "/");
}

static void environment(void **state)
{
	char *env[] = {"PATHX=1", "PATH=/a:/b", "E=", NULL};

	(void)state;
	assert_string_equal(lookup_env(env, "PATH"), "/a:/b");
	assert_string_equal(lookup_env(env, "E"), "");
	assert_null(lookup_env(env, "PAT"));
}

static void mount_options(void **state)
{
	char text[] = "size=1m,,mode=755,lower=a\\,b,last";
	char *rest = text;

	(void)state;
	assert_string_equal(mounts_option_next(&rest), "size=1m");
	assert_string_equal(mounts_option_next(&rest), "");
	assert_string_equal(mounts_option_next(&rest), "mode=755");
	assert_string_equal(mounts_option_next(&rest), "lower=a,b");
	assert_string_equal(mounts_option_next(&rest), "last");
	assert_null(mounts_option_next(&rest));
	assert_int_equal(mounts_attr(MS_RDONLY | MS_NOSUID | MS_BIND | MS_REC),
			 VA_ATTR_RDONLY | VA_ATTR_NOSUID);
	assert_int_equal(mounts_attr(MS_NOATIME | MS_STRICTATIME), VA_ATTR_NOATIME);
	assert_int_equal(mounts_attr(MS_RELATIME), 0);
}

/* Each listening socket of a process is another one of the host's, which may have the same port. */
static void listeners_with_the_same_port(void **state)
{
	static const uint32_t families[] = {4, 6};

	(void)state;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		uint32_t kind = AP_FD_LISTEN(families[i], 7199);
		int fd[2] = {accept_listen(kind, 1, 3), accept_listen(kind, 1, 4)};
		int domain = 0;
		socklen_t len = sizeof(domain);

		assert_true(fd[0] >= 0);
		assert_true(fd[1] >= 0);
		assert_int_equal(getsockopt(fd[1], SOL_SOCKET, SO_DOMAIN, &domain, &len), 0);
		assert_int_equal(domain, families[i] == 4 ? AF_INET : AF_INET6);
		close(fd[0]);
		close(fd[1]);
	}
}

static void sysctl_names(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(sysctl_path("net.ipv4.ip_forward", out, sizeof(out)), 0);
	assert_string_equal(out, "net/ipv4/ip_forward");
	assert_int_equal(sysctl_path("net/ipv4/conf/eth0.1/x", out, sizeof(out)), 0);
	assert_string_equal(out, "net/ipv4/conf/eth0.1/x");
	assert_int_equal(sysctl_path("/etc/passwd", out, sizeof(out)), -EINVAL);
	assert_int_equal(sysctl_path("a/../b", out, sizeof(out)), -EINVAL);
	assert_int_equal(sysctl_path("", out, sizeof(out)), -EINVAL);
	assert_int_equal(sysctl_path("a.b", out, 3), -EINVAL);
	assert_true(sysctl_is_namespaced("kernel/shmmax", AP_NS_IPC));
	assert_false(sysctl_is_namespaced("kernel/shmmax", AP_NS_UTS));
	assert_false(sysctl_is_namespaced("net/core/somaxconn", AP_NS_ALL & ~AP_NS_USER));
	assert_true(sysctl_is_namespaced("net/core/somaxconn", AP_NS_USER)); /* its own network */
	assert_true(sysctl_is_namespaced("kernel/domainname", AP_NS_UTS));
}

static void keyed_figures(void **state)
{
	const char *text = "low 0\nhigh 12\noom_kill 3\nmax 18446744073709551614\n";

	(void)state;
	assert_true(cgroup_key(text, "oom_kill") == 3);
	assert_true(cgroup_key(text, "low") == 0);
	assert_true(cgroup_key(text, "max") == UINT64_MAX - 1);
	assert_true(cgroup_key(text, "oom") == AP_STAT_NONE);
	assert_true(cgroup_key("", "oom") == AP_STAT_NONE);
}

/* Names that begin alike are another container's. The last test: who we are is for good. */
static void cgroups_by_name(void **state)
{
	(void)state;
	assert_int_equal(self_number(), 0);
	assert_string_equal(self_cgroup(), "container");
	assert_true(cgroup_is_ours("0::/container\n"));
	assert_true(cgroup_is_ours("1:name=x:/\n0::/container/init.scope\n"));
	assert_false(cgroup_is_ours("0::/container-2\n"));
	assert_false(cgroup_is_ours("0::/container-2/container\n"));
	assert_false(cgroup_is_ours("0::/containers\n"));
	assert_false(cgroup_is_ours("0::/\n"));
	assert_false(cgroup_is_ours(""));
	self_set(2);
	assert_int_equal(self_number(), 2);
	assert_string_equal(self_cgroup(), "container-2");
	assert_true(cgroup_is_ours("0::/container-2\n"));
	assert_true(cgroup_is_ours("0::/container-2/a\n"));
	assert_false(cgroup_is_ours("0::/container\n"));
	assert_false(cgroup_is_ours("0::/container-20\n"));
	assert_false(cgroup_is_ours("0::/container/container-2\n"));
	assert_int_equal(cgroup_clear(AP_MEMBERS_MAX), 0); /* never was */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(missing_paths_are_made, set_up, tear_down),
		cmocka_unit_test_setup_teardown(links_stay_in_the_root, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_long_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(parents, set_up, tear_down),
		cmocka_unit_test_setup_teardown(executables_are_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(home_directories, set_up, tear_down),
		cmocka_unit_test(environment),
		cmocka_unit_test(mount_options),
		cmocka_unit_test(sysctl_names),
		cmocka_unit_test(listeners_with_the_same_port),
		cmocka_unit_test(keyed_figures),
		cmocka_unit_test(cgroups_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
