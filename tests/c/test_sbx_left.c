/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sbx_left.c - what each role is left with, read back from the kernel
 *
 * A table of facts, and for each role what is expected of it. Processes go through the
 * roles' stages (the shim through its own main function) and are looked at from outside;
 * what /proc doesn't show they try themselves, with the system call filter left out.
 *
 * `test_sbx_left table` prints docs/SANDBOX.md's part, `show` what this kernel has, and
 * `check ROLE PID` compares a process of a real container: tests/bats/sandbox.bats.
 */
#include "left_look.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/checked.h"
#include "evil_cage.h"
#include "roles.h"
#include "sandbox/cgroup.h"
#include "sandbox/sandbox.h"

/* ---- the table ---- */

#define IN_STAGES 1u /* can be told of a process that went through the stages */
#define IN_REAL	  2u /* of one of a container */
#define IN_BOTH	  3u

/**
 * struct fact
 * @look:     from outside, into LEFT_CELL bytes; or NULL: @trial tells
 * @where:    IN_*
 * @filter:   about system call filters, which not every build installs
 * @landlock: version that it takes
 * @want:     NULL: can be anything
 */
static const struct fact {
	const char *name;
	void (*look)(const struct place *p, char *out);
	enum trial trial;
	unsigned where;
	bool filter;
	int landlock;
	const char *want[ROLES];
} facts[] = {
	{.name = "file system in view",
	 .look = left_root,
	 .where = IN_BOTH,
	 .want = {"the container's root", "nothing: an empty, read-only tmpfs",
		  "nothing: an empty, read-only tmpfs", "the shares, in a read-only tmpfs",
		  "nothing: an empty, read-only tmpfs", "the caller's", "the caller's"}},
	{.name = "namespaces of its own",
	 .look = left_namespaces,
	 .where = IN_BOTH,
	 .want = {"mnt, and those of config.json", "ipc, mnt, net, pid, uts",
		  "ipc, mnt, net, pid, uts", "ipc, mnt, net, pid, uts", "ipc, mnt, net, pid, uts",
		  "none", "none"}},
	{.name = "user and group",
	 .look = left_user,
	 .where = IN_BOTH,
	 .want = {"the caller's", "one of its own", "one of its own", "the caller's",
		  "one of its own", "the caller's", "the caller's"}},
	{.name = "supplementary groups",
	 .look = left_groups,
	 .where = IN_STAGES,
	 .want = {"the caller's", "none", "none", "none", "none", "the caller's", "the caller's"}},
	{.name = "capabilities, and bounding set",
	 .look = left_caps,
	 .where = IN_BOTH,
	 .want = {"none", "none", "none",
		  "chown, dac_override, fowner, fsetid, setgid, setuid, setfcap", "net_admin",
		  "none", NULL}},
	{.name = "no_new_privs",
	 .look = left_new_privs,
	 .where = IN_BOTH,
	 .want = {"yes", "yes", "yes", "yes", "yes", "yes", "no"}},
	{.name = "system call filters",
	 .look = left_filters,
	 .where = IN_BOTH,
	 .filter = true,
	 .want = {"1", "2", "2", "1", "1", "1", "0"}},
	{.name = "dumpable",
	 .look = left_dumpable,
	 .where = IN_BOTH,
	 .want = {"yes", "no", "no", "no", "no", "yes", "yes"}},
	{.name = "core dumps, locked memory, message queues, realtime",
	 .look = left_limits,
	 .where = IN_BOTH,
	 .want = {"none", "none", "none", "none", "none", "none", "some"}},
	{.name = "open descriptors, at most",
	 .look = left_nofile,
	 .where = IN_STAGES,
	 .want = {"64", "1024", "1024", "as the caller", "1024", "as the caller", "as the caller"}},
	{.name = "environment",
	 .look = left_environment,
	 .where = IN_REAL,
	 .want = {"empty", "empty", "empty", "empty", "empty", "empty", NULL}},
	{.name = "memory made code",
	 .trial = TRY_CODE,
	 .where = IN_STAGES,
	 .want = {"never", "never", "never", "never", "never", "never", "can be"}},
	{.name = "Landlock: files",
	 .trial = TRY_FILES,
	 .where = IN_STAGES,
	 .landlock = 1,
	 .want = {"none", "none", "none", "beneath the shares", "none", "none", "anything"}},
	{.name = "Landlock: TCP",
	 .trial = TRY_TCP,
	 .where = IN_STAGES,
	 .landlock = 4,
	 .want = {"none", "none", "none", "none", "none", "none", "can bind"}},
	{.name = "Landlock: abstract sockets, signals",
	 .trial = TRY_SOCKETS,
	 .where = IN_STAGES,
	 .landlock = 6,
	 .want = {"its own", "its own", "its own", "its own", "its own", "anybody's", "anybody's"}},
};

/* ---- a role that stands still ---- */

/* Left open by mistake, in all roles: a directory, sockets; and a socket to send to. */
static struct leak {
	char dir[32];
	int dir_fd;
	int tcp;
	int dgram;
	int listener;
	struct sockaddr_un name;
	socklen_t name_len;
} leak;

int __real_sbx_seccomp_thread(enum sbx_role role);
int __wrap_sbx_seccomp_thread(enum sbx_role role);

static bool without_filter;

int __wrap_sbx_seccomp_thread(enum sbx_role role)
{
	return without_filter ? 0 : __real_sbx_seccomp_thread(role);
}

static int world_make(void)
{
	socklen_t len = sizeof(leak.name);

	(void)snprintf(leak.dir, sizeof(leak.dir), "/tmp/left.XXXXXX");
	leak.dir_fd = mkdtemp(leak.dir) ? open(leak.dir, O_PATH | O_CLOEXEC) : -1;
	leak.tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	leak.dgram = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	leak.listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	leak.name = (struct sockaddr_un){.sun_family = AF_UNIX};
	/* The kernel makes an abstract name. */
	CHECK(leak.dir_fd >= 0 && leak.tcp >= 0 && leak.dgram >= 0);
	CHECK(bind(leak.listener, (struct sockaddr *)&leak.name, sizeof(sa_family_t)) == 0);
	CHECK(getsockname(leak.listener, (struct sockaddr *)&leak.name, &len) == 0);
	leak.name_len = len;
	CHECK(close(openat(leak.dir_fd, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644)) == 0);
	return mkdirat(leak.dir_fd, "share", 0755);
}

static void world_end(void)
{
	(void)unlinkat(leak.dir_fd, "share/new", 0);
	(void)unlinkat(leak.dir_fd, "share", AT_REMOVEDIR);
	(void)unlinkat(leak.dir_fd, "file", 0);
	(void)rmdir(leak.dir);
}

/* @tree_fd: of fs, else -1 */
static void try_all(int tree_fd, char tried[TRIALS][LEFT_CELL])
{
	const struct sockaddr_in any = {.sin_family = AF_INET,
					.sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	const char *files = "none";
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (openat(leak.dir_fd, "file", O_RDONLY | O_CLOEXEC) >= 0) {
		files = "anything";
	} else if (openat(tree_fd, "rootfs/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644) >= 0) {
		files = "beneath the shares";
	}
	(void)snprintf(tried[TRY_FILES], LEFT_CELL, "%s", files);
	(void)snprintf(tried[TRY_TCP], LEFT_CELL, "%s",
		       bind(leak.tcp, (const struct sockaddr *)&any, sizeof(any)) == 0 ? "can bind"
										       : "none");
	(void)snprintf(tried[TRY_SOCKETS], LEFT_CELL, "%s",
		       sendto(leak.dgram, "x", 1, 0, (const struct sockaddr *)&leak.name,
			      leak.name_len) == 1
			       ? "anybody's"
			       : "its own");
	(void)snprintf(tried[TRY_CODE], LEFT_CELL, "%s",
		       mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 ? "can be" : "never");
}

struct subject {
	struct place place;
	int fd; /* closing it lets it end */
};

static atomic_int thread_caged;

static void *vcpu_main(void *arg)
{
	char c;

	atomic_store(&thread_caged, sbx_seccomp_thread(SBX_ROLE_VCPU) == 0 ? 1 : -1);
	(void)!read(*(int *)arg, &c, 1); /* until the process ends */
	return NULL;
}

static int enter_vmm(int fd)
{
	static int thread_fd;
	pthread_t thread;

	STAGE(sbx_stage_vmm_mounts(&err));
	STAGE(sbx_stage_vmm_final(&evil_vmm_user, &err));
	thread_fd = fd;
	CHECK(pthread_create(&thread, NULL, vcpu_main, &thread_fd) == 0);
	while (atomic_load(&thread_caged) == 0) {
		(void)sched_yield(); /* nothing else for it is on all lists */
	}
	CHECK(atomic_load(&thread_caged) == 1);
	STAGE(sbx_stage_vmm_started(&err));
	return 0;
}

static int enter(enum role role, int fd, int *out_tree_fd)
{
	static struct sbx_fs_tree tree = SBX_FS_TREE_INIT;
	char path[64];
	const struct sbx_share share = {.fd = -1, .path = path};

	*out_tree_fd = -1;
	switch (role) {
	case SHIM:
		STAGE(sbx_stage_shim_final(&err));
		return 0;
	case VMM:
	case VCPU:
		return enter_vmm(fd);
	case FS:
		(void)snprintf(path, sizeof(path), "%s/share", leak.dir);
		STAGE(sbx_fs_tree_build(&share, NULL, 0, &tree, &err));
		*out_tree_fd = tree.root_fd;
		STAGE(sbx_stage_fs_final(&tree, &err));
		return 0;
	case NET:
		CHECK(unshare(CLONE_NEWNET) == 0); /* not the host's: it stays there */
		STAGE(sbx_stage_net_final(&evil_vmm_user, &err));
		return 0;
	case PROXY:
		STAGE(sbx_stage_proxy_final(getppid(), &err));
		return 0;
	default:
		return 0;
	}
}

/* The role, as far as its stages go: vmm, fs and net in a pid namespace of their own, see launch_fork.c. */
static noreturn void subject_main(enum role role, int fd, bool filter)
{
	char tried[TRIALS][LEFT_CELL];
	int tree_fd;
	char c;

	alarm(60);
	without_filter = !filter;
	c = enter(role, fd, &tree_fd) == 0;
	if (!filter) {
		try_all(tree_fd, tried);
	}
	(void)!write(fd, &c, 1);
	if (!filter) {
		(void)!write(fd, tried, sizeof(tried));
	}
	(void)!read(fd, &c, 1); /* until the other end is closed */
	_exit(0);
}

/* The shim itself, with a directory for a container's root. */
static noreturn void shim_subject(int fd, int report_fd)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	const struct shim_plan plan = {
		.id = "c1",
		.report_fd = report_fd,
		.vmm_fd = fd,
		.alive_fd = -1,
		.null_fd = null_fd,
		.reason_fd = -1,
		.tty_fd = -1,
		.rootfs_tree_fd = (int)syscall(SYS_open_tree, AT_FDCWD, leak.dir,
					       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
		.userns_fd = -1,
	};

	shim_main(&plan);
}

static pid_t other_thread(pid_t pid)
{
	struct dirent *e;
	char path[64];
	pid_t tid = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	while (d && tid == 0 && (e = readdir(d)) != NULL) {
		tid = atoi(e->d_name) != pid ? (pid_t)atoi(e->d_name) : 0;
	}
	(void)closedir(d);
	return tid;
}

static void place_of(struct place *p, enum role role, pid_t pid, pid_t tid)
{
	p->role = role;
	p->pid = pid;
	(void)snprintf(p->dir, sizeof(p->dir), "/proc/%d/task/%d", (int)pid, (int)tid);
}

static void subject_start(struct subject *s, enum role role, bool filter)
{
	bool new_pid = role == VMM || role == VCPU || role == FS || role == NET;
	bool real_shim = role == SHIM && filter;
	struct vr_err err = VR_ERR_INIT;
	int pair[2], report[2];
	bool inside;
	char c = 1;
	pid_t pid;

	memset(s, 0, sizeof(*s));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report), 0);
	(void)fflush(NULL);
	pid = sbx_cgroup_fork(new_pid ? CLONE_NEWPID : 0, NULL, &inside);
	if (pid == 0) {
		(void)close(pair[0]);
		if (real_shim) {
			shim_subject(pair[1], report[1]);
		}
		subject_main(role, pair[1], filter);
	}
	assert_true(pid > 0);
	(void)close(pair[1]);
	(void)close(report[1]);
	s->fd = pair[0];
	if (real_shim) {
		assert_int_equal(role_report_read(report[0], "shim", 10000, &err), 0);
	}
	if (!real_shim) {
		assert_int_equal(read(s->fd, &c, 1), 1);
		assert_int_equal(c, 1);
	}
	(void)close(report[0]);
	if (!filter) {
		assert_int_equal(read(s->fd, s->place.tried, sizeof(s->place.tried)),
				 sizeof(s->place.tried));
	}
	place_of(&s->place, role, pid, role == VCPU ? other_thread(pid) : pid);
}

static void subject_end(struct subject *s)
{
	(void)close(s->fd);
	assert_int_equal(waitpid(s->place.pid, NULL, 0), s->place.pid);
}

/* ---- what came of it ---- */

/* Is this something that this kernel, or this build, has? */
static bool is_there(const struct fact *f)
{
	if (f->filter && !sbx_seccomp_enforced()) {
		return false;
	}
	if (!f->look && f->trial == TRY_CODE && prctl(66 /* PR_GET_MDWE */, 0, 0, 0, 0) < 0) {
		return false;
	}
	return sbx_landlock_abi(SBX_LANDLOCK_ANY) >= f->landlock;
}

static const char *cell(const struct fact *f, const struct place *p, char *buf)
{
	if (!f->look) {
		return p->tried[f->trial];
	}
	f->look(p, buf);
	return buf;
}

/* Return: how many facts differ */
static unsigned compare(const struct place *p, unsigned where)
{
	unsigned bad = 0;
	char buf[LEFT_CELL];

	for (size_t i = 0; i < VR_ARRAY_SIZE(facts); i++) {
		const struct fact *f = &facts[i];
		const char *want = f->want[p->role];

		if (want && f->where & where && is_there(f) && strcmp(cell(f, p, buf), want) != 0) {
			print_error("%s (%s): %s: expected '%s', is '%s'\n", role_names[p->role],
				    p->dir, f->name, want, cell(f, p, buf));
			bad++;
		}
	}
	return bad;
}

static void look_at(enum role role, struct place *out, struct subject *s)
{
	subject_start(s, role, false);
	*out = s->place;
	subject_end(s);
	subject_start(s, role, true);
	memcpy(s->place.tried, out->tried, sizeof(out->tried));
}

static void it_is_left_with_what_the_table_has(void **state)
{
	unsigned bad = 0;

	(void)state;
	require_root();
	for (enum role role = 0; role < ROLES; role++) {
		struct subject s;
		struct place p;

		look_at(role, &p, &s);
		bad += compare(&s.place, IN_STAGES);
		subject_end(&s);
	}
	assert_int_equal(bad, 0);
}

/* ---- for a person, for docs/SANDBOX.md, and for a real container ---- */

static int print_table(void)
{
	printf("| | shim | vmm | vCPU threads | fs | net | proxy "
	       "|\n|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < VR_ARRAY_SIZE(facts); i++) {
		printf("| %s |", facts[i].name);
		for (enum role role = 0; role < FREE; role++) {
			printf(" %s |", facts[i].want[role]);
		}
		printf("\n");
	}
	return 0;
}

static int show(void)
{
	char buf[LEFT_CELL];

	for (enum role role = 0; role < ROLES; role++) {
		struct subject s;
		struct place p;

		look_at(role, &p, &s);
		for (size_t i = 0; i < VR_ARRAY_SIZE(facts); i++) {
			if (facts[i].where & IN_STAGES) {
				printf("%-6s %-52s %s%s\n", role_names[role], facts[i].name,
				       cell(&facts[i], &s.place, buf),
				       is_there(&facts[i]) ? "" : " (not here)");
			}
		}
		subject_end(&s);
	}
	return 0;
}

static int check(const char *name, pid_t pid)
{
	struct dirent *e;
	unsigned bad = 0, n = 0;
	struct place p;
	char path[64];
	enum role role;
	DIR *d;

	for (role = 0; role < FREE && strcmp(name, role_names[role]) != 0; role++) {
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = role < FREE ? opendir(path) : NULL;
	while (d && (e = readdir(d)) != NULL) {
		pid_t tid = (pid_t)atoi(e->d_name);

		if (tid > 0 && (tid == pid) == (role != VCPU)) {
			place_of(&p, role, pid, tid);
			bad += compare(&p, IN_REAL);
			n++;
		}
	}
	(void)closedir(d);
	return n > 0 && bad == 0 ? 0 : 1;
}

/* So that what is the caller's differs from what a role may have. */
static int setup(void **state)
{
	static const gid_t groups[] = {1, 2};
	const struct rlimit many = {5000, 5000};

	(void)state;
	if (geteuid() != 0) {
		return 0; /* all is skipped */
	}
	CHECK(setgroups(2, groups) == 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &many) == 0);
	return world_make();
}

static int teardown(void **state)
{
	(void)state;
	if (geteuid() == 0) {
		world_end();
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_left_with_what_the_table_has),
	};

	if (argc == 2 && strcmp(argv[1], "table") == 0) {
		return print_table();
	}
	if (argc == 4 && strcmp(argv[1], "check") == 0) {
		return check(argv[2], (pid_t)atoi(argv[3]));
	}
	if (argc == 2 && strcmp(argv[1], "show") == 0) {
		return setup(NULL) == 0 && show() == 0 ? teardown(NULL) : 1;
	}
	return cmocka_run_group_tests_name("left", tests, setup, teardown);
}
