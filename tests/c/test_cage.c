/* SPDX-License-Identifier: Apache-2.0 */
/* test_cage.c - reading the cage of processes back from a /proc made for it, and from the real one */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cage.h"
#include "oci/json.h"

static char top[] = "/tmp/volt-cage-XXXXXX";

static const char caged[] = "Name:\tvcpu\t0\x07\n"
			    "Umask:\t0022\n"
			    "Tgid:\t70\n"
			    "Uid:\t501\t0\t0\t0\n"
			    "Gid:\t502\t0\t0\t0\n"
			    "CapInh:\t0000000000000000\n"
			    "CapPrm:\t00000000000000c1\n"
			    "CapEff:\t0000000000000000\n"
			    "CapBnd:\t00000000000000c1\n"
			    "CapAmb:\t0000000000000000\n"
			    "NoNewPrivs:\t1\n"
			    "Seccomp:\t2\n"
			    "Seccomp_filters:\t3\n"
			    "Speculation_Store_Bypass:\tthread vulnerable\n";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(top) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

static const char *at(const char *rel)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", top, rel);
	return path;
}

static void put(const char *rel, const char *text)
{
	int fd = open(at(rel), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void make_dirs(const char *const *dirs)
{
	for (; *dirs; dirs++) {
		assert_int_equal(mkdir(at(*dirs), 0700), 0);
	}
}

static void status_is_parsed(void **state)
{
	struct cage_thread t = {.role = "vmm", .tid = 71};

	(void)state;
	assert_int_equal(cage_parse_status(caged, &t), 0);
	assert_string_equal(t.name, "vcpu?0?");
	assert_int_equal(t.uid, 501);
	assert_int_equal(t.gid, 502);
	assert_int_equal(t.caps, 0xc1);
	assert_int_equal(t.bounding, 0xc1);
	assert_true(t.no_new_privs);
	assert_int_equal(t.seccomp, 2);
	assert_int_equal(t.filters, 3);
	assert_int_equal(t.tid, 71); /* kept */
}

/* Each set counts: any of them is a power. */
static void a_capability_in_any_set_shows(void **state)
{
	static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapAmb"};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct cage_thread t = {0};
		char text[sizeof(caged)];
		char *at_set;

		memcpy(text, caged, sizeof(caged));
		at_set = strstr(text, "c1");
		memcpy(at_set, "00", 2);
		at_set = strstr(text, sets[i]);
		at_set[8] = '8';
		assert_int_equal(cage_parse_status(text, &t), 0);
		assert_int_equal(t.caps, 0x8000000000000000u);
	}
}

static void what_is_missing_is_not_made_up(void **state)
{
	static const char *const keys[] = {"CapPrm", "CapBnd",	   "Uid",
					   "Gid",    "NoNewPrivs", "Seccomp:"};
	struct cage_thread t = {0};
	char text[sizeof(caged)];

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		memcpy(text, caged, sizeof(caged));
		strstr(text, keys[i])[0] = 'x';
		assert_int_equal(cage_parse_status(text, &t), -EPROTO);
	}
	assert_int_equal(cage_parse_status("", &t), -EPROTO);
	memcpy(text, caged, sizeof(caged));
	strstr(text, "Seccomp_filters")[0] = 'x'; /* before Linux 5.9 */
	assert_int_equal(cage_parse_status(text, &t), 0);
	assert_int_equal(t.filters, -1);
}

static void make_world(void)
{
	static const char *const dirs[] = {
		"self",	      "self/ns",       "70",	     "70/fd",	      "70/task",
		"70/task/70", "70/task/70/ns", "70/task/71", "70/task/71/ns", NULL};

	make_dirs(dirs);
	put("70/task/70/status", caged);
	put("70/task/71/status", caged);
	put("70/mountinfo", "one\ntwo\n");
	put("70/fd/0", "");
	put("70/fd/7", "");
	put("70/fd/9", "");
	assert_int_equal(symlink("net:[1]", at("self/ns/net")), 0);
	assert_int_equal(symlink("net:[2]", at("70/task/70/ns/net")), 0);
	assert_int_equal(symlink("net:[1]", at("70/task/71/ns/net")), 0);
	assert_int_equal(symlink("mnt:[1]", at("self/ns/mnt")), 0);
	assert_int_equal(symlink("mnt:[10]", at("70/task/70/ns/mnt")), 0);
}

static const struct cage_thread *thread(const struct cage *c, pid_t tid)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].tid == tid) {
			return &c->v[i];
		}
	}
	fail_msg("no thread %d", (int)tid);
	return NULL;
}

static void all_threads_are_read(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct cage c = {0};

	(void)state;
	make_world();
	assert_no_error(cage_read(top, "vmm", 70, &c, &err), err);
	assert_int_equal(c.n, 2);
	assert_int_equal(thread(&c, 70)->own, 1u << CAGE_NS_NET | 1u << CAGE_NS_MNT);
	assert_int_equal(thread(&c, 71)->own, 0);
	assert_int_equal(thread(&c, 71)->mounts, 2);
	assert_int_equal(thread(&c, 71)->fds, 3);
	assert_string_equal(thread(&c, 71)->role, "vmm");
	assert_int_equal(cage_read(top, "fs", 99, &c, &err), -ESRCH);
	assert_message(err, "look at the fs process 99: No such process");
	cage_finish(&c);
	assert_int_equal(c.n, 0);
}

/* @title: NULL for a command's own arguments */
static void make_process(pid_t pid, pid_t parent, const char *title, const char *exe)
{
	char name[64], text[1024];
	int fd;

	(void)snprintf(name, sizeof(name), "%d", (int)pid);
	assert_int_equal(mkdir(at(name), 0700), 0);
	(void)snprintf(name, sizeof(name), "%d/task", (int)pid);
	assert_int_equal(mkdir(at(name), 0700), 0);
	(void)snprintf(name, sizeof(name), "%d/task/%d", (int)pid, (int)pid);
	assert_int_equal(mkdir(at(name), 0700), 0);
	(void)snprintf(name, sizeof(name), "%d/task/%d/status", (int)pid, (int)pid);
	put(name, caged);
	(void)snprintf(name, sizeof(name), "%d/status", (int)pid);
	(void)snprintf(text, sizeof(text), "%sPPid:\t%d\n", caged, (int)parent);
	put(name, text);
	(void)snprintf(name, sizeof(name), "%d/cmdline", (int)pid);
	fd = open(at(name), O_WRONLY | O_CREAT, 0600);
	title = title ? title : "volt-runc\0exec\0c1";
	assert_true(write(fd, title, strlen(title) + 1) > 0);
	close(fd);
	(void)snprintf(name, sizeof(name), "%d/exe", (int)pid);
	put(exe, "");
	(void)snprintf(text, sizeof(text), "%s/%s", top, exe);
	assert_int_equal(symlink(text, at(name)), 0);
}

static void stand_ins_are_found(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct cage c = {0};

	(void)state;
	make_process(200, 1, NULL, "volt-runc");
	make_process(201, 200, "volt-shim: c1 (exec)", "volt-runc");
	make_process(202, 300, "volt-shim: c1 (exe", "volt-runc"); /* cut; its parent ended */
	make_process(300, 1, "conmon", "conmon");
	make_process(204, 1, "volt-relay: c1", "volt-runc");
	/* none of ours */
	make_process(205, 200, "volt-shim: c11 (exec)", "volt-runc");
	make_process(206, 200, "volt-shim: c1", "volt-runc");
	make_process(207, 200, "volt-relay: c", "volt-runc");
	make_process(208, 200, "volt-relay: c12", "volt-runc");
	make_process(209, 200, "", "volt-runc");
	make_process(210, 200, "volt-shim: c1 (exec)", "volt-runc");
	assert_int_equal(chown(at("210"), 4242, 4242), 0); /* somebody else's */
	assert_no_error(cage_read_standins(top, "c1", &c, &err), err);
	assert_string_equal(thread(&c, 200)->role, "proxy");
	assert_string_equal(thread(&c, 201)->role, "exec");
	assert_string_equal(thread(&c, 202)->role, "exec");
	assert_string_equal(thread(&c, 204)->role, "relay");
	assert_int_equal(c.n, 4);
	cage_finish(&c);
	assert_int_equal(cage_read_standins("/no/such", "c1", &c, &err), -ENOENT);
	assert_message(err, "open '/no/such': No such file or directory");
}

static void the_table_says_it(void **state)
{
	struct cage_thread t[2] = {
		{.role = "fs",
		 .name = "volt-fs: c",
		 .tid = 5,
		 .no_new_privs = true,
		 .seccomp = 2,
		 .filters = 1,
		 .caps = 0xc1,
		 .bounding = 0x1ffffffffff,
		 .mounts = 1,
		 .fds = 9,
		 .own = 1u << CAGE_NS_MNT | 1u << CAGE_NS_PID},
		{.role = "vmm", .name = "vcpu0", .tid = 6, .seccomp = 0, .filters = 0},
	};
	struct cage c = {.v = t, .n = 2};
	char *text = cage_text(&c, 6);

	(void)state;
	assert_non_null(
		strstr(text, "fs    volt-fs: c             5      0 yes 1 filter        1"));
	assert_non_null(strstr(text, "  mnt,pid\n"));
	assert_non_null(strstr(text, "capabilities: chown,setgid,setuid; bounding: 41 of them\n"));
	assert_non_null(strstr(text, "vmm   vcpu0                  6      0 no  none "));
	assert_non_null(strstr(text, "  none\n"));
	assert_non_null(strstr(text, "Landlock: this kernel has version 6."));
	free(text);
	text = cage_text(&c, 0);
	assert_non_null(strstr(text, "Landlock: this host's kernel has none"));
	free(text);
}

static void json_says_it_too(void **state)
{
	struct cage_thread t = {.role = "fs", .tid = 5, .seccomp = 2, .filters = 2, .caps = 1};
	struct cage c = {.v = &t, .n = 1};
	struct vr_err err = VR_ERR_INIT;
	const struct json *thread0;
	struct json_doc *doc;
	char *text = cage_json(&c, 3);

	(void)state;
	t.own = 1u << CAGE_NS_UTS;
	free(text);
	text = cage_json(&c, 3);
	assert_no_error(json_parse("t", text, strlen(text), &doc, &err), err);
	thread0 = json_at(json_member(json_doc_root(doc), "threads"), 0);
	assert_string_equal(json_text(json_member(thread0, "seccomp")), "filter");
	assert_string_equal(json_text(json_member(thread0, "seccompFilters")), "2");
	assert_string_equal(json_text(json_at(json_member(thread0, "capabilities"), 0)),
			    "CAP_CHOWN");
	assert_string_equal(json_text(json_at(json_member(thread0, "namespaces"), 0)), "uts");
	json_doc_free(doc);
	free(text);
}

/* The real /proc: a child that gave something up is told from one that did not. */
static void the_kernel_is_asked(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct cage c = {0};
	int fds[2];
	char word;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		(void)!write(fds[1], "x", 1);
		(void)pause();
		_exit(0);
	}
	assert_int_equal(read(fds[0], &word, 1), 1);
	assert_no_error(cage_read("/proc", "shim", pid, &c, &err), err);
	assert_no_error(cage_read("/proc", "vmm", getpid(), &c, &err), err);
	assert_int_equal(c.n, 2);
	assert_true(c.v[0].no_new_privs);
	assert_false(c.v[1].no_new_privs);
	assert_int_equal(c.v[1].own, 0);
	assert_true(c.v[1].mounts > 0);
	assert_true(c.v[1].fds >= 3);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(cage_read("/proc", "shim", pid, &c, &err), -ESRCH);
	cage_finish(&c);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_is_parsed),
		cmocka_unit_test(a_capability_in_any_set_shows),
		cmocka_unit_test(what_is_missing_is_not_made_up),
		cmocka_unit_test(all_threads_are_read),
		cmocka_unit_test(stand_ins_are_found),
		cmocka_unit_test(the_table_says_it),
		cmocka_unit_test(json_says_it_too),
		cmocka_unit_test(the_kernel_is_asked),
	};

	return cmocka_run_group_tests_name("cage", tests, setup, teardown);
}
