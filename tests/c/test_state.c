/* SPDX-License-Identifier: Apache-2.0 */
/* test_state.c - state directory, ids, locks, the state file and the status it means */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fdio.h"
#include "oci/json.h"
#include "oci/state.h"

static char tmp[] = "/tmp/test_state.XXXXXX";
static char path[256];
static int root_fd = -1;

static const char *at(const char *name)
{
	(void)snprintf(path, sizeof(path), "%s/%s", tmp, name);
	return path;
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(tmp)) {
		return -1;
	}
	return oci_root_open(at("root"), true, &root_fd, NULL);
}

static int teardown(void **state)
{
	(void)state;
	close(root_fd);
	return chdir("/tmp") < 0 || vr_remove_tree(AT_FDCWD, strrchr(tmp, '/') + 1) < 0;
}

static struct oci_container create(const char *id)
{
	struct oci_container c = OCI_CONTAINER_INIT;
	struct vr_err err = VR_ERR_INIT;

	assert_no_error(oci_container_create(root_fd, id, &c, &err), err);
	assert_true(c.locked);
	return c;
}

static void destroy(struct oci_container *c)
{
	struct vr_err err = VR_ERR_INIT;

	assert_no_error(oci_container_remove(c, &err), err);
	assert_int_equal(c->fd, -1);
}

static struct oci_state fresh(const char *id)
{
	struct oci_state s;
	struct vr_err err = VR_ERR_INIT;

	assert_no_error(oci_state_init(&s, id, &err), err);
	s.bundle = "/b";
	s.rootfs = "/b/rootfs";
	return s;
}

/* A child that lives until it is killed. */
static pid_t sleeper(struct oci_proc *out)
{
	struct vr_err err = VR_ERR_INIT;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	assert_no_error(oci_proc_get(pid, out, &err), err);
	return pid;
}

static void end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void ids_are_checked(void **state)
{
	static const char *const good[] = {"a", "web-1", "A_b+c.d", "..a", "0", "-x"};
	struct vr_err err = VR_ERR_INIT;
	char long_id[OCI_ID_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(oci_id_check(good[i], NULL), 0);
	}
	assert_int_equal(oci_id_check("", &err), -EINVAL);
	assert_message(err, "container id cannot be empty");
	assert_int_equal(oci_id_check(".", &err), -EINVAL);
	assert_message(err, "invalid container ID format: '.'");
	assert_int_equal(oci_id_check("..", &err), -EINVAL);
	assert_int_equal(oci_id_check("a/b", &err), -EINVAL);
	assert_message(
		err,
		"invalid container ID format: 'a/b': invalid character '/' in the container ID");
	assert_int_equal(oci_id_check("a b", NULL), -EINVAL);
	assert_int_equal(oci_id_check("a\n", NULL), -EINVAL);
	assert_int_equal(oci_id_check("\xc3\xa4", NULL), -EINVAL);
	memset(long_id, 'a', sizeof(long_id) - 1);
	long_id[sizeof(long_id) - 1] = '\0';
	assert_int_equal(oci_id_check(long_id, &err), -EINVAL);
	assert_message(err, "invalid container ID format: longer than 255");
	assert_int_equal(oci_id_check(long_id + 1, NULL), 0);
}

static void root_is_made_private(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct stat st;
	int fd = -1;

	(void)state;
	assert_int_equal(oci_root_open(at("x/y/z"), false, &fd, &err), -ENOENT);
	assert_no_error(oci_root_open(at("x/y/z"), true, &fd, &err), err);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	assert_no_error(oci_root_open(at("x/y/z//"), true, &fd, &err), err);
	close(fd);
}

/* Whoever owns a link leads us where they like: with delete, to a directory of root's. */
static void links_on_the_way_are_ours(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	char expected[320];
	char above[256];
	struct stat st;
	int fd = -1;

	(void)state;
	assert_int_equal(mkdir(at("real"), 0755), 0);
	assert_int_equal(symlink("real/../real", at("way")), 0);
	assert_no_error(oci_root_open(at("way/a/b"), true, &fd, &err), err);
	close(fd);
	assert_int_equal(stat(at("real/a/b"), &st), 0);
	(void)snprintf(above, sizeof(above), "%s/real", tmp);
	assert_int_equal(symlink(above, at("absolute")), 0);
	assert_no_error(oci_root_open(at("absolute/a/./b"), false, &fd, &err), err);
	close(fd);
	fd = -1;
	assert_int_equal(symlink("ring", at("ring")), 0);
	assert_int_equal(oci_root_open(at("ring/a"), true, &fd, &err), -ELOOP);
	assert_int_equal(symlink("nowhere", at("dangling")), 0);
	assert_int_equal(oci_root_open(at("dangling/a"), false, &fd, &err), -ENOENT);
	if (geteuid() == 0) {
		assert_int_equal(lchown(at("way"), 12345, 0), 0);
		assert_int_equal(oci_root_open(at("way/a"), true, &fd, &err), -EPERM);
		(void)snprintf(expected, sizeof(expected),
			       "state directory '%s/way/a': a symbolic link on the way to it "
			       "belongs to somebody else",
			       tmp);
		assert_message(err, expected);
		/* further links lead to it, and one that comes after it is our own */
		assert_int_equal(symlink("way/a", at("outer")), 0);
		assert_int_equal(oci_root_open(at("outer/b"), false, &fd, &err), -EPERM);
	}
	assert_int_equal(fd, -1);
}

static void foreign_roots_are_refused(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	char expected[320];
	int fd = -1;

	(void)state;
	assert_int_equal(symlink("root", at("link")), 0);
	assert_true(oci_root_open(at("link"), true, &fd, &err) < 0);
	assert_true(err.code == ELOOP || err.code == ENOTDIR);
	assert_true(oci_root_open(at("link/"), true, &fd, &err) < 0);
	assert_int_equal(mkdir(at("open"), 0700), 0);
	assert_int_equal(chmod(at("open"), 0777), 0);
	assert_int_equal(oci_root_open(at("open"), true, &fd, &err), -EPERM);
	(void)snprintf(expected, sizeof(expected),
		       "state directory '%s/open' is writable by everybody", tmp);
	assert_message(err, expected);
	if (geteuid() == 0) {
		assert_int_equal(chmod(at("open"), 0700), 0);
		assert_int_equal(chown(at("open"), 12345, 0), 0);
		assert_int_equal(oci_root_open(at("open"), true, &fd, &err), -EPERM);
		(void)snprintf(expected, sizeof(expected),
			       "state directory '%s/open' belongs to uid 12345, not to us", tmp);
		assert_message(err, expected);
		assert_int_equal(chown(at("open"), 0, 12345), 0);
		assert_int_equal(chmod(at("open"), 0770), 0);
		assert_int_equal(oci_root_open(at("open"), true, &fd, &err), -EPERM);
		(void)snprintf(expected, sizeof(expected),
			       "state directory '%s/open' is writable by group 12345", tmp);
		assert_message(err, expected);
		assert_int_equal(chown(at("open"), 0, 0), 0);
		assert_no_error(oci_root_open(at("open"), true, &fd, &err), err); /* our own */
		close(fd);
		fd = -1;
	}
	assert_int_equal(fd, -1);
}

static void default_root_depends_on_who_asks(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	char buf[64];
	char tiny[4];

	(void)state;
	assert_int_equal(oci_root_path("/given", buf, sizeof(buf), &err), 0);
	assert_string_equal(buf, "/given");
	assert_int_equal(oci_root_path("/given", tiny, sizeof(tiny), &err), -ENAMETOOLONG);
	assert_message(err, "state directory: path is too long");
	assert_int_equal(setenv("XDG_RUNTIME_DIR", "/run/user/7", 1), 0);
	assert_int_equal(oci_root_path(NULL, buf, sizeof(buf), &err), 0);
	if (geteuid() != 0) {
		assert_string_equal(buf, "/run/user/7/volt-runc");
	}
	assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
	assert_int_equal(oci_root_path(NULL, buf, sizeof(buf), &err), 0);
	assert_string_equal(buf, "/run/volt-runc");
	if (geteuid() == 0) { /* also as an ordinary user */
		pid_t pid;
		int status;

		assert_int_equal(setenv("XDG_RUNTIME_DIR", "/run/user/7", 1), 0);
		pid = fork();
		if (pid == 0) {
			_exit(setuid(4711) == 0 && oci_root_path("", buf, sizeof(buf), NULL) == 0 &&
					      strcmp(buf, "/run/user/7/volt-runc") == 0
				      ? 0
				      : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
	}
}

static void same_id_twice_is_refused(void **state)
{
	struct oci_container c = create("twice");
	struct oci_container d = OCI_CONTAINER_INIT;
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(oci_container_create(root_fd, "twice", &d, &err), -EEXIST);
	assert_message(err, "container with given ID already exists: 'twice'");
	assert_int_equal(d.fd, -1);
	destroy(&c);
	assert_int_equal(oci_container_open(root_fd, "twice", &d, &err), -ENOENT);
	assert_message(err, "container does not exist: 'twice'");
	assert_int_equal(oci_container_create(root_fd, "a/b", &d, &err), -EINVAL);
	assert_int_equal(oci_container_open(root_fd, "a/b", &d, &err), -EINVAL);
	assert_message(
		err,
		"invalid container ID format: 'a/b': invalid character '/' in the container ID");
}

/* In a directory of our own, but a name is an id only if it is what it names. */
static void a_link_is_no_container(void **state)
{
	struct oci_container real = create("real");
	struct oci_container c = OCI_CONTAINER_INIT;
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(symlinkat("real", root_fd, "linked"), 0);
	assert_true(oci_container_open(root_fd, "linked", &c, &err) < 0);
	assert_true(err.code == ELOOP || err.code == ENOTDIR);
	assert_int_equal(oci_container_create(root_fd, "linked", &c, &err), -EEXIST);
	assert_int_equal(unlinkat(root_fd, "linked", 0), 0);
	destroy(&real);
}

static void lock_excludes_others(void **state)
{
	struct oci_container c = create("lock");
	struct oci_container d = OCI_CONTAINER_INIT;
	struct vr_err err = VR_ERR_INIT;
	uint64_t before;

	(void)state;
	assert_no_error(oci_container_open(root_fd, "lock", &d, &err), err);
	assert_int_equal(oci_container_lock(&d, 0, &err), -EBUSY);
	assert_message(err, "container 'lock' is busy with another command");
	before = vr_now_ms();
	assert_int_equal(oci_container_lock(&d, 50, &err), -EBUSY);
	assert_true(vr_now_ms() - before >= 50);
	oci_container_unlock(&c);
	assert_no_error(oci_container_lock(&d, 0, &err), err);
	assert_int_equal(oci_container_lock(&c, 0, &err), -EBUSY);
	oci_container_close(&d);
	oci_container_close(&d);
	assert_no_error(oci_container_lock(&c, -1, &err), err);
	destroy(&c);
}

/* A fork (a role) that keeps the descriptor must not keep the lock after a close. */
static void close_unlocks_although_a_role_holds_the_fd(void **state)
{
	struct oci_container c = create("role");
	struct oci_container d = OCI_CONTAINER_INIT;
	struct vr_err err = VR_ERR_INIT;
	struct oci_proc proc;
	pid_t pid = sleeper(&proc);

	(void)state;
	oci_container_close(&c);
	assert_no_error(oci_container_open(root_fd, "role", &d, &err), err);
	assert_no_error(oci_container_lock(&d, 0, &err), err);
	end(pid);
	destroy(&d);
}

static void who_waited_for_a_removed_container_is_told(void **state)
{
	struct oci_container c = create("gone");
	struct oci_container d = OCI_CONTAINER_INIT;
	struct oci_container again;
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_no_error(oci_container_open(root_fd, "gone", &d, &err), err);
	destroy(&c);
	assert_int_equal(oci_container_lock(&d, -1, &err), -ENOENT);
	assert_message(err, "container does not exist: 'gone'");
	again = create("gone"); /* another one of that name does not count */
	assert_int_equal(oci_container_lock(&d, -1, &err), -ENOENT);
	oci_container_close(&d);
	destroy(&again);
}

static void state_survives_the_disk(void **state)
{
	struct oci_container c = create("disk");
	struct oci_kv kv[] = {{"k\n\"1", "v"}, {"b", ""}};
	struct oci_state s = fresh("disk");
	struct oci_state r;
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	s.status = OCI_PAUSED;
	s.annotations = (struct oci_kvs){.v = kv, .n = 2};
	s.shim = (struct oci_proc){.pid = 11, .start = UINT64_MAX};
	s.vmm = (struct oci_proc){.pid = 12, .start = 2};
	s.fs = (struct oci_proc){.pid = 13, .start = 3};
	s.systemd_cgroup = true;
	s.cgroup_path = "/x/y";
	s.cgroup_scope = "x.scope";
	s.reason = "guest panic";
	s.exit_status = (struct oci_opt_i64){.set = true, .v = 256};
	s.terminal = true;
	assert_no_error(oci_state_write(&c, &s, &err), err);
	assert_no_error(oci_state_read(&c, &r, &err), err);
	assert_int_equal(r.status, OCI_PAUSED);
	assert_string_equal(r.id, "disk");
	assert_string_equal(r.bundle, "/b");
	assert_string_equal(r.rootfs, "/b/rootfs");
	assert_string_equal(r.created, s.created);
	assert_string_equal(r.owner, s.owner);
	assert_string_equal(r.boot_id, s.boot_id);
	assert_int_equal(r.creator.pid, getpid());
	assert_true(r.shim.start == UINT64_MAX);
	assert_int_equal(r.fs.pid, 13);
	assert_true(r.systemd_cgroup && r.terminal);
	assert_string_equal(r.cgroup_path, "/x/y");
	assert_string_equal(r.cgroup_scope, "x.scope");
	assert_string_equal(r.reason, "guest panic");
	assert_int_equal(r.exit_status.v, 256);
	assert_string_equal(r.annotations.v[0].key, "k\n\"1");
	assert_string_equal(r.annotations.v[1].value, "");
	oci_state_finish(&r);
	oci_state_finish(&r);
	oci_state_finish(NULL);
	destroy(&c);
}

static void absent_members_stay_absent(void **state)
{
	struct oci_container c = create("min");
	struct oci_state s = fresh("min");
	struct oci_state r;
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_no_error(oci_state_write(&c, &s, &err), err);
	assert_no_error(oci_state_read(&c, &r, &err), err);
	assert_null(r.cgroup_path);
	assert_null(r.reason);
	assert_false(r.exit_status.set);
	oci_state_finish(&r);
	destroy(&c);
}

static void broken_state_files_are_named(void **state)
{
	struct oci_container c = create("bad");
	struct oci_state s = fresh("other");
	struct oci_state r;
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(oci_state_read(&c, &r, &err), -ENODATA);
	assert_message(err, "container 'bad' has no state: its creation or removal was cut short; "
			    "delete it with --force");
	assert_int_equal(vr_write_file_atomic(c.fd, OCI_STATE_FILE, "", 0, 0600), 0);
	assert_int_equal(oci_state_read(&c, &r, &err), -EINVAL);
	assert_message(err, "state of 'bad': state.json: line 1, column 1: parse error: premature "
			    "EOF");
	assert_int_equal(vr_write_file_atomic(c.fd, OCI_STATE_FILE, "{}", 2, 0600), 0);
	assert_int_equal(oci_state_read(&c, &r, &err), -EINVAL);
	assert_message(err, "state.json: version: must be set");
	assert_no_error(oci_state_write(&c, &s, &err), err);
	assert_int_equal(oci_state_read(&c, &r, &err), -EPROTO);
	assert_message(err, "state of 'bad': not what was written");
	s.bundle = "\xff";
	assert_int_equal(oci_state_write(&c, &s, &err), -EILSEQ);
	assert_message(err, "state of 'other': can't be written as JSON");
	destroy(&c);
}

static void versions_must_match(void **state)
{
	struct oci_container c = create("ver");
	struct oci_state s = fresh("ver");
	struct oci_state r;
	struct vr_err err = VR_ERR_INIT;
	char *text = NULL;
	char *version;
	size_t len;

	(void)state;
	assert_no_error(oci_state_write(&c, &s, &err), err);
	assert_int_equal(vr_read_file(c.fd, OCI_STATE_FILE, 65536, &text, &len), 0);
	version = strstr(text, "\"version\":1");
	assert_non_null(version);
	version[10] = '2';
	assert_int_equal(vr_write_file_atomic(c.fd, OCI_STATE_FILE, text, len, 0600), 0);
	assert_int_equal(oci_state_read(&c, &r, &err), -EPROTO);
	assert_message(err, "state of 'ver': version 2 is not 1");
	free(text);
	destroy(&c);
}

static void status_follows_the_processes(void **state)
{
	struct oci_state s = fresh("st");
	pid_t pid;

	(void)state;
	assert_int_equal(oci_state_status(&s), OCI_CREATING); /* we are the creator */
	s.creator.start++;
	assert_int_equal(oci_state_status(&s), OCI_STOPPED); /* the create was killed */
	s.status = OCI_CREATED;
	assert_int_equal(oci_state_status(&s), OCI_STOPPED); /* no shim */
	pid = sleeper(&s.shim);
	assert_int_equal(oci_state_status(&s), OCI_CREATED);
	s.status = OCI_RUNNING;
	assert_int_equal(oci_state_status(&s), OCI_RUNNING);
	s.status = OCI_PAUSED;
	assert_int_equal(oci_state_status(&s), OCI_PAUSED);
	s.status = OCI_STOPPED;
	assert_int_equal(oci_state_status(&s), OCI_STOPPED);
	s.status = OCI_RUNNING;
	s.boot_id[0] = s.boot_id[0] == 'x' ? 'y' : 'x'; /* a reboot */
	assert_int_equal(oci_state_status(&s), OCI_STOPPED);
	s.boot_id[0] = '\0';
	assert_int_equal(vr_boot_id(s.boot_id), 0);
	s.shim.start--; /* a reused pid */
	assert_int_equal(oci_state_status(&s), OCI_STOPPED);
	s.shim.start++;
	assert_int_equal(kill(pid, SIGKILL), 0);
	while (oci_proc_alive(&s, &s.shim)) { /* until it is a zombie, which is dead */
		(void)usleep(1000);
	}
	assert_int_equal(oci_state_status(&s), OCI_STOPPED);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void state_json_is_what_callers_read(void **state)
{
	struct oci_kv kv = {"a.b", "c"};
	struct oci_state s = fresh("json");
	struct vr_err err = VR_ERR_INIT;
	char expected[1024];
	char *text = NULL;
	size_t len = 0;

	(void)state;
	s.shim.pid = 42;
	s.annotations = (struct oci_kvs){.v = &kv, .n = 1};
	assert_no_error(oci_state_json(&s, OCI_RUNNING, false, &text, &len, &err), err);
	(void)snprintf(
		expected, sizeof(expected),
		"{\"ociVersion\":\"1.2.0\",\"id\":\"json\",\"pid\":42,\"status\":\"running\","
		"\"bundle\":\"/b\",\"rootfs\":\"/b/rootfs\",\"created\":\"%s\","
		"\"annotations\":{\"a.b\":\"c\"},\"owner\":\"%s\"}",
		s.created, s.owner);
	assert_string_equal(text, expected);
	assert_int_equal(len, strlen(text));
	free(text);
	assert_no_error(oci_state_json(&s, OCI_STOPPED, true, &text, NULL, &err), err);
	assert_non_null(strstr(text, "\"pid\": 0,"));
	assert_non_null(strstr(text, "\"status\": \"stopped\""));
	free(text);
	assert_string_equal(oci_status_name(OCI_CREATING), "creating");
	assert_string_equal(oci_status_name(OCI_STATUS_COUNT), "unknown");
}

static char seen[256];

static int note_id(void *ctx, const char *id)
{
	const char *stop_at = ctx;

	(void)strcat(strcat(seen, id), ";");
	return stop_at && strcmp(stop_at, id) == 0 ? 9 : 0;
}

static void lists_are_sorted_and_skip_strangers(void **state)
{
	struct oci_container b = create("b");
	struct oci_container a = create("a");
	struct oci_container c = create("c");
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(vr_write_file_atomic(root_fd, "file", "", 0, 0600), 0);
	assert_int_equal(mkdirat(root_fd, "odd name", 0700), 0);
	seen[0] = '\0';
	assert_int_equal(oci_root_list(root_fd, note_id, NULL, &err), 0);
	assert_string_equal(seen, "a;b;c;");
	seen[0] = '\0';
	assert_int_equal(oci_root_list(root_fd, note_id, (void *)(uintptr_t) "b", &err), 9);
	assert_string_equal(seen, "a;b;");
	assert_int_equal(oci_root_list(-1, note_id, NULL, &err), -EBADF);
	assert_message(err, "list state directory: Bad file descriptor");
	assert_int_equal(unlinkat(root_fd, "odd name", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(root_fd, "file", 0), 0);
	destroy(&a);
	destroy(&b);
	destroy(&c);
}

static void config_is_kept(void **state)
{
	struct oci_container c = create("cfg");
	struct vr_err err = VR_ERR_INIT;
	char *text = NULL;
	size_t len;

	(void)state;
	assert_no_error(oci_container_put_config(&c, "{}", 2, &err), err);
	assert_int_equal(vr_read_file(c.fd, OCI_CONFIG_FILE, 10, &text, &len), 0);
	assert_string_equal(text, "{}");
	free(text);
	destroy(&c);
}

static void unknown_processes_are_named(void **state)
{
	struct oci_proc p = {.pid = 5};
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(oci_proc_get(0x7ffffff0, &p, &err), -ESRCH);
	assert_message(err, "look at process 2147483632: No such process");
	assert_int_equal(p.pid, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_checked),
		cmocka_unit_test(root_is_made_private),
		cmocka_unit_test(links_on_the_way_are_ours),
		cmocka_unit_test(foreign_roots_are_refused),
		cmocka_unit_test(default_root_depends_on_who_asks),
		cmocka_unit_test(same_id_twice_is_refused),
		cmocka_unit_test(a_link_is_no_container),
		cmocka_unit_test(lock_excludes_others),
		cmocka_unit_test(close_unlocks_although_a_role_holds_the_fd),
		cmocka_unit_test(who_waited_for_a_removed_container_is_told),
		cmocka_unit_test(state_survives_the_disk),
		cmocka_unit_test(absent_members_stay_absent),
		cmocka_unit_test(broken_state_files_are_named),
		cmocka_unit_test(versions_must_match),
		cmocka_unit_test(status_follows_the_processes),
		cmocka_unit_test(state_json_is_what_callers_read),
		cmocka_unit_test(lists_are_sorted_and_skip_strangers),
		cmocka_unit_test(config_is_kept),
		cmocka_unit_test(unknown_processes_are_named),
	};

	return cmocka_run_group_tests_name("state", tests, setup, teardown);
}
