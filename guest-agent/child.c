/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.c - what happens between clone and execve; see child.h
 *
 * The order is runc's where a workload could tell the difference: root, mounts, terminal, names,
 * protected paths, then rights, then the search for the executable as the final user. A child that
 * can't go on says why over the status socket and ends; it never returns to the agent's code.
 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "accept.h"
#include "creds.h"
#include "devices.h"
#include "hooks.h"
#include "lookup.h"
#include "rootfs.h"
#include "strv.h"
#include "sys.h"
#include "sysctl.h"
#include "tty.h"

#define STATUS_FD ((int)AP_STREAMS) /* above those of the workload */
#define TARGET_FD (STATUS_FD + 1)
#define FIXED_FDS (TARGET_FD + 1)
#define HIGH_FD	  (2 * FIXED_FDS) /* out of the way of the descriptors with a fixed place */

static void give_up(const struct fail *f) __attribute__((noreturn));
static void give_up(const struct fail *f)
{
	struct child_fail m = {.what = 'F', .fail = *f};

	(void)!write(STATUS_FD, &m, sizeof(m)); /* without a listener there is no VM either */
	_exit(f->kind == AP_FAIL_NOT_FOUND ? 127 : f->kind == AP_FAIL_PERMISSION ? 126 : 1);
}

/* Wait for one word; what comes with it goes to @buf. Return: bytes after the word */
static size_t await(char word, char *buf, size_t cap)
{
	ssize_t n = read(STATUS_FD, buf, cap);

	if (n < 1 || buf[0] != word) {
		_exit(1); /* the agent is gone, or was told to forget us */
	}
	return (size_t)n - 1;
}

static void send_master(int master)
{
	union {
		struct cmsghdr hdr;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char word = 'P';
	struct iovec iov = {.iov_base = &word, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &master, sizeof(int));
	(void)!sendmsg(STATUS_FD, &msg, 0);
}

/* Put every descriptor into its place and close all the agent's others. */
static bool is_null(const struct child_args *a, int fd)
{
	int passed = fd - (int)(AP_STREAMS - AP_MAX_FDS);

	return fd < 3 || (a->p && passed >= 0 && (uint32_t)passed < a->p->n_fds &&
			  a->p->fds[passed] == AP_FD_NULL);
}

static void place_fds(struct child_args *a)
{
	int fds[FIXED_FDS];

	memcpy(fds, a->fds, sizeof(a->fds));
	fds[STATUS_FD] = a->status;
	fds[TARGET_FD] = a->target;
	for (int i = 0; i < FIXED_FDS; i++) {
		int fd = fds[i];

		if (fd < 0 && is_null(a, i)) {
			fd = devices_stdnull();
		}
		fds[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
	}
	for (int i = 0; i < FIXED_FDS; i++) {
		if (fds[i] < 0) {
			(void)close(i);
		} else {
			(void)dup3(fds[i], i, i < STATUS_FD ? 0 : O_CLOEXEC);
		}
	}
	(void)sys_close_range(FIXED_FDS, UINT_MAX);
}

static bool leads_to_null(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* Like runc: what leads to /dev/null leads to the container's, which has a name there. */
static void reopen_null(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; leads_to_null(null) && i < STATUS_FD; i++) {
		if (i != null && leads_to_null(i)) {
			(void)dup2(null, i); /* or it stays the machine's, which does as well */
		}
	}
	sys_close(&null);
}

/* Sockets in the place of listening ones of the host: in the container's network, which is there by now. */
static int listen_all(const struct child_args *a, struct fail *f)
{
	for (uint32_t i = 0; a->p && i < a->p->n_fds; i++) {
		int place = (int)(AP_STREAMS - AP_MAX_FDS + i);
		int fd;

		if (!AP_FD_IS_LISTEN(a->p->fds[i])) {
			continue;
		}
		fd = accept_listen(a->p->fds[i], a->id, (uint32_t)place);
		if (fd < 0) {
			return fail_set(f, "listen", fd, "make a listening socket as descriptor %d",
					place);
		}
		/* Those before it are all taken, so it isn't in the place of another one. */
		if (fd == place ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, place) < 0) {
			return fail_set(f, "listen", -errno, "place descriptor %d", place);
		}
		if (fd != place) {
			close(fd);
		}
	}
	return 0;
}

static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* --- a new container ----------------------------------------------------------------------- */

static int time_offsets(const struct ap_container *c, struct fail *f)
{
	char text[160];
	int rc;

	if (!(c->namespaces & AP_NS_TIME)) {
		return 0;
	}
	rc = sys_unshare(VA_CLONE_NEWTIME); /* entered by execve */
	if (rc == 0 && (c->flags & AP_C_TIME_OFFSETS)) {
		snprintf(text, sizeof(text), "monotonic %" PRId64 " %u\nboottime %" PRId64 " %u\n",
			 c->monotonic_s, c->monotonic_ns, c->boottime_s, c->boottime_ns);
		rc = sys_write_file(-1, "/proc/self/timens_offsets", text);
	}
	return rc ? fail_set(f, "timens", rc, "time namespace") : 0;
}

static int set_names(const struct ap_container *c, struct fail *f)
{
	if (c->hostname && sethostname(c->hostname, strlen(c->hostname)) < 0) {
		return fail_set(f, "hostname", -errno, "sethostname '%s'", c->hostname);
	}
	if (c->domainname && setdomainname(c->domainname, strlen(c->domainname)) < 0) {
		return fail_set(f, "hostname", -errno, "setdomainname '%s'", c->domainname);
	}
	return 0;
}

/* The pid namespace was joined by being cloned into it. */
static int join_first(const struct child_args *a, struct fail *f)
{
	uint64_t flags = a->c->joined & (AP_NS_IPC | AP_NS_UTS);
	int rc = flags ? sys_setns(TARGET_FD, flags) : 0;

	if (a->target >= 0) {
		close(TARGET_FD);
	}
	return rc ? fail_set(f, "namespaces", rc,
			     "join the namespaces of the machine's first container")
		  : 0;
}

static int open_terminal(const struct ap_process *p, int root, bool console, struct fail *f)
{
	int master;
	int rc;

	if (!p || !(p->flags & AP_P_TTY)) {
		return 0;
	}
	rc = tty_open(root, p->rows, p->cols, console, &master, f);
	if (rc == 0) {
		send_master(master);
		close(master);
	}
	return rc;
}

static int build(const struct child_args *a, struct fail *f)
{
	const struct ap_container *c = a->c;
	int root = -1;
	int rc = join_first(a, f);

	rc = rc ? rc : time_offsets(c, f);
	if (rc == 0 && (c->namespaces & AP_NS_CGROUP)) {
		rc = sys_unshare(VA_CLONE_NEWCGROUP);
		rc = rc ? fail_set(f, "cgroup", rc, "cgroup namespace") : 0;
	}
	if (rc == 0 && (c->namespaces & AP_NS_USER)) {
		rc = creds_become_root(f);
	}
	umask(0);
	rc = rc ? rc : set_names(c, f);
	rc = rc ? rc : sysctl_apply(c, true, f);
	rc = rc ? rc : rootfs_prepare(c, &root, f);
	rc = rc ? rc : open_terminal(a->p, root, true, f);
	return rc ? rc : rootfs_enter(c, root, f);
}

/* --- joining one --------------------------------------------------------------------------- */

static int join(const struct child_args *a, struct fail *f)
{
	/* the pid namespace was joined by being cloned into it */
	uint64_t flags = VA_CLONE_NEWNS | (a->ns & ~(AP_NS_PID | AP_NS_MOUNT)) |
			 (a->ns & AP_NS_USER ? VA_CLONE_NEWNET : 0);
	int rc = sys_setns(TARGET_FD, flags);
	int root;

	close(TARGET_FD);
	if (rc) {
		return fail_set(f, "setns", rc, "join the container");
	}
	if ((a->ns & AP_NS_USER) && (rc = creds_become_root(f))) {
		return rc;
	}
	root = sys_rc(open("/", VA_O_PATH | O_DIRECTORY | O_CLOEXEC));
	if (root < 0) {
		return fail_set(f, "rootfs", root, "open root");
	}
	rc = open_terminal(a->p, root, false, f);
	close(root);
	return rc;
}

/* --- the workload -------------------------------------------------------------------------- */

struct image {
	char path[PATH_MAX];
	char home[PATH_MAX];
	char **args;
	char **env;
};

/* HOME from the container's passwd, when the configuration gives none (or an empty one). */
static void complete_env(const struct ap_process *p, struct image *im)
{
	const char *home = lookup_env(im->env, "HOME");

	if (home && *home) {
		return;
	}
	snprintf(im->home, sizeof(im->home), "HOME=");
	lookup_home("/etc/passwd", p->uid, im->home + 5, sizeof(im->home) - 5);
	for (uint32_t i = 0;; i++) {
		if (!im->env[i] || strncmp(im->env[i], "HOME=", 5) == 0) {
			im->env[i] = im->home;
			return;
		}
	}
}

static int prepare_image(const struct ap_process *p, struct image *im, struct fail *f)
{
	im->args = strv_array(&p->args, 0);
	im->env = strv_array(&p->env, 1);
	if (!im->args || !im->env) {
		return fail_set(f, "exec", -ENOMEM, "arguments");
	}
	complete_env(p, im);
	return 0;
}

static void run_workload(const struct child_args *a, const char *state, size_t len,
			 struct image *im, struct fail *f)
{
	/* Hooks are under the container's filter as the workload is. */
	if (creds_seal(a->p, f) || (a->c && hooks_run(a->c, im->env, state, len, f))) {
		return;
	}
	execve(im->path, im->args, im->env);
	lookup_exec_fail(im->path, -errno, f);
}

void child_main(struct child_args *a)
{
	static char word[CHILD_STATE_MAX + 2];
	static struct image im;
	struct fail f = {0};
	size_t len;

	place_fds(a);
	(void)setsid(); /* fails only for a session leader, which is what we want to be */
	await('G', word, 2);
	reset_signals();
	if (listen_all(a, &f)) {
		give_up(&f);
	}
	if (a->c ? build(a, &f) : join(a, &f)) {
		give_up(&f);
	}
	reopen_null();
	if (a->p &&
	    (prepare_image(a->p, &im, &f) || creds_apply(a->p, &f) ||
	     lookup_exec(im.args[0], lookup_env(im.env, "PATH"), im.path, sizeof(im.path), &f))) {
		give_up(&f);
	}
	(void)!write(STATUS_FD, "R", 1);
	len = await('S', word, sizeof(word) - 1);
	if (a->p) {
		word[len + 1] = '\0';
		run_workload(a, word + 1, len, &im, &f);
	}
	give_up(&f);
}
