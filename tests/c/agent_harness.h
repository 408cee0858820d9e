/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_harness.h - the guest agent's real code in throwaway namespaces, with the test as its host
 *
 * The agent runs as PID 1 of new pid, mount, uts, ipc and cgroup namespaces, with a tmpfs in the
 * place of the share: rootfs/ is a busybox, mounts/N are whatever the test puts there. Instead of
 * vsock it dials an abstract unix socket and says the port first. Needs root.
 *
 * The agent of a member is the test program executed again, which main() must hand to
 * harness_member(); its share is another tmpfs.
 */
#ifndef TESTS_AGENT_HARNESS_H
#define TESTS_AGENT_HARNESS_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/agent_proto.h"
#include "guest-agent/agent.h"
#include "guest-agent/boot.h"
#include "guest-agent/layout.h"
#include "guest-agent/member.h"

/* Each test uses what it needs of this. */
#pragma GCC diagnostic ignored "-Wunused-function"

#define MAX_CONNS 16
#define MAX_EXITS 16
#define WAIT_MS	  20000

/** struct host - what the vmm would know */
struct host {
	struct host *machine; /* of a member: the one with the listener */
	int listener;
	pid_t launcher;
	int control;
	uint32_t next_id;
	struct {
		uint32_t port;
		int fd;
	} conns[MAX_CONNS];
	struct ap_exit exits[MAX_EXITS];
	size_t n_exits;
	char notified[256]; /* the last text */
	bool left[AP_MEMBERS_MAX + 1];
	uint32_t left_status[AP_MEMBERS_MAX + 1];
	struct ap_hello hello; /* of a member */
	struct ap_reply reply;
	uint8_t frame[AP_HEADER_LEN + AP_FRAME_MAX];
	uint8_t payload[AP_FRAME_MAX];
};

static char harness_name[64];

static socklen_t harness_addr(struct sockaddr_un *sa)
{
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(sa->sun_path + 1, sizeof(sa->sun_path) - 1, "%s", harness_name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(harness_name));
}

/* In the place of guest-agent/dial.c. */
int agent_dial(uint32_t port)
{
	struct sockaddr_un sa;
	socklen_t len = harness_addr(&sa);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, len) < 0 ||
	    write(fd, &port, sizeof(port)) != sizeof(port)) {
		return -errno;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* --- the guest's side ---------------------------------------------------------------------- */

static void must_be(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		_exit(99);
	}
}

static void guest_cgroup(void)
{
	char dir[128];
	char pid[16];
	int fd;

	must_be(mount("tmpfs", "/sys/fs/cgroup", "tmpfs", 0, NULL) == 0, "cover cgroups");
	must_be(mkdir("/sys/fs/cgroup/all", 0755) == 0, "mkdir");
	if (mount("cgroup2", "/sys/fs/cgroup/all", "cgroup2", 0, NULL) < 0) {
		return; /* no cgroup v2 here: the agent does without */
	}
	snprintf(dir, sizeof(dir), "/sys/fs/cgroup/all/%s", harness_name);
	must_be(mkdir(dir, 0755) == 0, dir);
	strcat(dir, "/cgroup.procs");
	fd = open(dir, O_WRONLY);
	snprintf(pid, sizeof(pid), "0");
	must_be(write(fd, pid, strlen(pid)) > 0, "enter cgroup");
	close(fd);
	must_be(unshare(CLONE_NEWCGROUP) == 0, "cgroup namespace");
	must_be(umount2("/sys/fs/cgroup", MNT_DETACH) == 0, "umount");
	must_be(mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) == 0, "mount cgroup2");
}

#define NAME_FILE "/run/harness" /* how members' agents learn where the host is */

static void write_name(void)
{
	FILE *f = fopen(NAME_FILE, "w");

	must_be(f && fputs(harness_name, f) >= 0 && fclose(f) == 0, NAME_FILE);
}

static void guest_share(void)
{
	must_be(mount("tmpfs", LAYOUT_SHARE, "tmpfs", 0, "mode=755") == 0, "mount share");
	must_be(system("cd /mnt && mkdir -p rootfs/bin rootfs/etc rootfs/data mounts/0 && "
		       "cp /bin/busybox rootfs/bin/ && chroot rootfs /bin/busybox --install -s "
		       "/bin && "
		       "echo 'user:x:1000:1000::/home/user:/bin/sh' > rootfs/etc/passwd && "
		       "echo shared > mounts/0/file && echo one > mounts/1 && "
		       "echo plain > rootfs/etc/plain && echo kept > rootfs/data/kept && "
		       "ln -s ../missing/there rootfs/etc/dangling && ln -s / rootfs/etc/up") == 0,
		"fill the share");
}

static void guest_files(void)
{
	must_be(mount("tmpfs", "/run", "tmpfs", 0, "mode=755") == 0, "mount /run");
	must_be(mkdir("/run/volt", 0755) == 0 && mkdir(LAYOUT_NODES, 0755) == 0 &&
			mkdir(LAYOUT_ROOT_MOUNT, 0755) == 0,
		"make /run/volt");
	write_name();
	guest_share();
}

#define NO_DEVICE 7u /* a slot without one */

/* In the place of guest-agent/member_share.c. */
int member_share_attach(const struct ap_join *m, bool *out_clean)
{
	*out_clean = false;
	if (m->slot == NO_DEVICE) {
		return -ENODEV;
	}
	guest_share();
	must_be(system("echo here > " LAYOUT_ROOTFS "/etc/member") == 0, "mark the share");
	return 0;
}

int member_share_detach(const struct ap_join *m)
{
	(void)m;
	return umount(LAYOUT_SHARE) == 0 ? 0 : -errno;
}

/* First thing in main(): the program may be the agent of a member. */
static void harness_member(int argc, char **argv)
{
	FILE *f = argc > 1 && strcmp(argv[1], "member") == 0 ? fopen(NAME_FILE, "r") : NULL;

	if (f) {
		must_be(fgets(harness_name, sizeof(harness_name), f) != NULL, NAME_FILE);
		fclose(f);
		member_main(argc, argv);
		must_be(0, "arguments of a member's agent");
	}
}

static void guest_main(void) __attribute__((noreturn));
static void guest_main(void)
{
	static struct agent agent;

	must_be(mount("proc", "/proc", "proc", 0, NULL) == 0, "mount /proc");
	guest_files();
	must_be(agent_init(&agent, agent_dial(AP_PORT_CONTROL)) == 0, "agent_init");
	_exit(agent_run(&agent) == 0 ? 0 : 98);
}

static void launcher_main(void) __attribute__((noreturn));
static void launcher_main(void)
{
	int st = 0;
	pid_t pid;

	must_be(unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC) == 0, "unshare");
	must_be(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private mounts");
	guest_cgroup();
	pid = fork();
	if (pid == 0) {
		guest_main();
	}
	waitpid(pid, &st, 0);
	rmdir("/sys/fs/cgroup/" LAYOUT_CONTAINER);
	for (uint32_t i = 1; i <= AP_MEMBERS_MAX; i++) {
		(void)cgroup_clear(i); /* of one whose agent was killed */
	}
	_exit(WIFEXITED(st) ? WEXITSTATUS(st) : 97);
}

/* --- the host's side ----------------------------------------------------------------------- */

static int host_wait(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, WAIT_MS) == 1;
}

static void read_exactly(int fd, void *buf, size_t len)
{
	for (size_t off = 0; off < len;) {
		ssize_t n;

		assert_true(host_wait(fd));
		n = read(fd, (char *)buf + off, len - off);
		assert_true(n > 0);
		off += (size_t)n;
	}
}

/* The connection to @port; accepts others on the way. */
static int host_conn(struct host *h, uint32_t port)
{
	h = h->machine ? h->machine : h;
	for (size_t i = 0; i < MAX_CONNS; i++) {
		if (h->conns[i].fd > 0 && h->conns[i].port == port) {
			int fd = h->conns[i].fd;

			h->conns[i].fd = 0;
			return fd;
		}
	}
	for (size_t i = 0; i < MAX_CONNS; i++) {
		if (h->conns[i].fd == 0) {
			assert_true(host_wait(h->listener));
			h->conns[i].fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC);
			assert_true(h->conns[i].fd > 0);
			read_exactly(h->conns[i].fd, &h->conns[i].port, sizeof(uint32_t));
			return host_conn(h, port);
		}
	}
	fail_msg("no connection to port %u", port);
	return -1;
}

/* A secret, but not here. */
#define TEST_PORT(proc) AP_PORT_STDIO((proc)*4096u)

static int host_stdio(struct host *h, uint32_t proc, uint32_t stream)
{
	return host_conn(h, TEST_PORT(proc) + stream);
}

static struct host *host_start(void)
{
	static int counter;
	struct host *h = calloc(1, sizeof(*h));
	struct sockaddr_un sa;
	socklen_t len;

	assert_non_null(h);
	snprintf(harness_name, sizeof(harness_name), "volt-agent-test-%d-%d", (int)getpid(),
		 counter++);
	len = harness_addr(&sa);
	h->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_return_code(bind(h->listener, (struct sockaddr *)&sa, len), errno);
	assert_return_code(listen(h->listener, 64), errno);
	fflush(NULL);
	h->launcher = fork();
	if (h->launcher == 0) {
		launcher_main();
	}
	h->control = host_conn(h, AP_PORT_CONTROL);
	h->next_id = 1;
	return h;
}

/* One frame; EXITs are kept, a reply is returned as true. */
static int host_frame(struct host *h)
{
	uint8_t hdr[AP_HEADER_LEN];
	struct ap_header head;

	read_exactly(h->control, hdr, sizeof(hdr));
	assert_int_equal(ap_decode_header(hdr, &head), 0);
	if (head.type == AP_MSG_EXIT) {
		uint8_t body[256];

		assert_true(head.len <= sizeof(body));
		read_exactly(h->control, body, head.len);
		assert_true(h->n_exits < MAX_EXITS);
		assert_int_equal(ap_decode_exit(body, head.len, &h->exits[h->n_exits]), 0);
		h->n_exits++;
		return 0;
	}
	if (head.type == AP_MSG_NOTIFY) {
		uint8_t body[AP_NOTIFY_MAX + 64];
		struct ap_notify m;

		assert_true(head.len <= sizeof(body));
		read_exactly(h->control, body, head.len);
		assert_int_equal(ap_decode_notify(body, head.len, &m), 0);
		snprintf(h->notified, sizeof(h->notified), "%s", m.text);
		return 0;
	}
	if (head.type == AP_MSG_LEFT) {
		uint8_t body[64];
		struct ap_left m;

		assert_true(head.len <= sizeof(body));
		read_exactly(h->control, body, head.len);
		assert_int_equal(ap_decode_left(body, head.len, &m), 0);
		assert_false(h->left[m.number]);
		h->left[m.number] = true;
		h->left_status[m.number] = m.status;
		return 0;
	}
	if (head.type == AP_MSG_HELLO) {
		read_exactly(h->control, h->payload, head.len);
		assert_int_equal(ap_decode_hello(h->payload, head.len, &h->hello), 0);
		return 0;
	}
	assert_int_equal(head.type, AP_MSG_REPLY);
	read_exactly(h->control, h->payload, head.len);
	assert_int_equal(ap_decode_reply(h->payload, head.len, &h->reply), 0);
	assert_int_equal(head.id, h->next_id - 1);
	return 1;
}

/* Send what an encoder left in h->frame, and wait for its reply. */
static struct ap_reply *host_ask(struct host *h, long len)
{
	assert_true(len > 0);
	for (long off = 0; off < len;) {
		ssize_t n = write(h->control, h->frame + off, (size_t)(len - off));

		assert_true(n > 0);
		off += n;
	}
	while (!host_frame(h)) {
	}
	return &h->reply;
}

#define ASK(h, name, m)                                                                            \
	host_ask(h, ap_encode_##name(m, (h)->next_id++, (h)->frame, sizeof((h)->frame)))
#define ASK_EMPTY(h, type)                                                                         \
	host_ask(h, ap_encode_empty(type, (h)->next_id++, (h)->frame, sizeof((h)->frame)))

static struct ap_exit host_exit(struct host *h, uint32_t proc)
{
	for (;;) {
		for (size_t i = 0; i < h->n_exits; i++) {
			if (h->exits[i].proc == proc) {
				return h->exits[i];
			}
		}
		assert_false(host_frame(h));
	}
}

#define MEMBER_PORT(number) TEST_PORT(0x1000u * (number))

static struct ap_reply *host_ask_join(struct host *h, uint32_t number, uint32_t slot)
{
	struct ap_join m = {.number = number, .slot = slot, .port = MEMBER_PORT(number)};

	return ASK(h, join, &m);
}

/* Let a member in. Return: what is its host, configured; end it by host_leave() */
static struct host *host_join(struct host *h, uint32_t number, uint32_t slot)
{
	struct ap_reply *r = host_ask_join(h, number, slot);
	struct host *m = calloc(1, sizeof(*m));
	struct ap_configure c = {0};

	assert_non_null(m);
	if (r->code) {
		fail_msg("join: %s: %s", r->stage, r->text);
	}
	m->machine = h;
	m->control = host_conn(h, MEMBER_PORT(number));
	m->next_id = 1;
	assert_int_equal(host_frame(m), 0);
	assert_int_equal(m->hello.version, AP_VERSION);
	assert_int_equal(ASK(m, configure, &c)->code, 0);
	return m;
}

/* Wait until the member is no more. Return: its status */
static uint32_t host_left(struct host *h, uint32_t number)
{
	while (!h->left[number]) {
		assert_false(host_frame(h));
	}
	h->left[number] = false;
	return h->left_status[number];
}

static uint32_t host_leave(struct host *m, uint32_t number)
{
	struct host *h = m->machine;

	close(m->control);
	free(m);
	return host_left(h, number);
}

/* The launcher's cgroup can go only when the launcher has. */
static void remove_cgroup(void)
{
	static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	char dir[160];

	for (size_t i = 0; i < 2; i++) {
		snprintf(dir, sizeof(dir), "%s/%s", mounts[i], harness_name);
		(void)rmdir(dir);
	}
}

static void host_stop(struct host *h)
{
	int st = 0;

	close(h->control);
	for (size_t i = 0; i < MAX_CONNS; i++) {
		if (h->conns[i].fd > 0) {
			close(h->conns[i].fd);
		}
	}
	assert_int_equal(waitpid(h->launcher, &st, 0), h->launcher);
	close(h->listener);
	free(h);
	remove_cgroup();
	assert_true(WIFEXITED(st));
	assert_int_equal(WEXITSTATUS(st), 0);
}

/* Everything a connection delivers until its end, NUL-terminated. */
static char *host_drain(int fd)
{
	size_t len = 0;
	size_t cap = 65536;
	char *buf = malloc(cap);
	ssize_t n;

	assert_non_null(buf);
	while (host_wait(fd) && (n = read(fd, buf + len, cap - len - 1)) > 0) {
		len += (size_t)n;
		if (cap - len < 4096) {
			cap *= 2;
			buf = realloc(buf, cap);
			assert_non_null(buf);
		}
	}
	buf[len] = '\0';
	close(fd);
	return buf;
}

/* --- specs --------------------------------------------------------------------------------- */

static const char *const harness_env[] = {"PATH=/bin"};

static struct ap_strv strings(const char *const *vec, uint32_t n)
{
	return (struct ap_strv){.count = n, .vec = vec};
}

static void spec_shell(struct ap_process *p, const char *script)
{
	static const char *args[4][3];
	static int turn;
	const char **a = args[turn++ % 4];

	a[0] = "sh";
	a[1] = "-c";
	a[2] = script;
	*p = (struct ap_process){.args = strings(a, 3),
				 .env = strings(harness_env, 1),
				 .cwd = "/",
				 .stdio = AP_STDIO_OUT | AP_STDIO_ERR,
				 .port = TEST_PORT(0)};
}

static void add_mount(struct ap_container *c, const char *dest, const char *type, const char *data,
		      uint64_t flags)
{
	c->mounts[c->n_mounts++] = (struct ap_mount){.dest = dest,
						     .type = type,
						     .source = type,
						     .data = data,
						     .share = AP_NO_SHARE,
						     .ms_flags = flags};
}

/* What podman would ask for, about. */
static struct ap_container *spec_container(const char *script)
{
	static struct ap_container c;

	ap_container_init(&c);
	c.flags = AP_C_HAS_PROCESS;
	c.namespaces = AP_NS_ALL & ~(AP_NS_USER | AP_NS_TIME);
	c.hostname = "boxed";
	add_mount(&c, "/proc", "proc", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV);
	add_mount(&c, "/dev", "tmpfs", "mode=755,size=65536k", MS_NOSUID | MS_STRICTATIME);
	add_mount(&c, "/sys", "sysfs", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY);
	add_mount(&c, "/dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=0620,gid=5",
		  MS_NOSUID | MS_NOEXEC);
	add_mount(&c, "/dev/mqueue", "mqueue", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV);
	add_mount(&c, "/dev/shm", "tmpfs", "mode=1777,size=1m", MS_NOSUID | MS_NOEXEC | MS_NODEV);
	spec_shell(&c.process, script);
	return &c;
}

static struct host *host_configured(void)
{
	struct host *h = host_start();
	struct ap_configure m = {0};

	assert_int_equal(ASK(h, configure, &m)->code, 0);
	return h;
}

/* Create, and say why not. */
static struct host *host_created(struct ap_container *c)
{
	struct host *h = host_configured();
	struct ap_reply *r = ASK(h, create, c);

	if (r->code) {
		fail_msg("create: %s: %s", r->stage, r->text);
	}
	return h;
}

static void host_go(struct host *h)
{
	struct ap_start m = {0};
	struct ap_reply *r = ASK(h, start, &m);

	if (r->code) {
		fail_msg("start: %s: %s", r->stage, r->text);
	}
}

/* Run a container to its end. Return: its stdout; the exit in *@out_exit. */
static char *host_run(struct ap_container *c, struct ap_exit *out_exit)
{
	struct host *h = host_created(c);
	char *text;
	char *err;

	host_go(h);
	text = host_drain(host_stdio(h, 0, 1));
	err = host_drain(host_stdio(h, 0, 2));
	*out_exit = host_exit(h, 0);
	if (*err) {
		print_message("%s", err);
	}
	free(err);
	host_stop(h);
	return text;
}

static int harness_possible(void)
{
	if (geteuid() != 0 || access("/bin/busybox", X_OK) < 0) {
		return 0;
	}
	return system("unshare -m -p -f -u -i true 2>/dev/null") == 0;
}

#endif /* TESTS_AGENT_HARNESS_H */
