/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx_world.h - a small host of its own for tests of the file server's tree
 *
 * A child process with a private mount namespace and a tmpfs in which files and
 * mounts can be made that go away with it. A second process, forked from it,
 * plays the file server; the two take turns with sbx_turn().
 */
#ifndef TESTS_C_SBX_WORLD_H
#define TESTS_C_SBX_WORLD_H

#include "sbx_child.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "sandbox/tree.h"

#define WORLD "/tmp" /* covered by the world's own tmpfs */

struct world {
	int turn; /* socket to the other process */
};

static inline int put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	(void)close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* Does the file contain exactly this? */
static inline bool has_text(int at, const char *path, const char *text)
{
	char buf[128] = "";
	int fd = openat(at, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	(void)close(fd);
	return n == (ssize_t)strlen(text) && strcmp(buf, text) == 0;
}

static inline int world_make(void)
{
	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("world", WORLD, "tmpfs", 0, NULL) == 0);
	CHECK(mount(NULL, WORLD, NULL, MS_SHARED, NULL) == 0);
	CHECK(mkdir(WORLD "/rootfs", 0755) == 0);
	CHECK(mkdir(WORLD "/rootfs/etc", 0755) == 0);
	CHECK(mkdir(WORLD "/rootfs/later", 0755) == 0);
	CHECK(mkdir(WORLD "/vol", 0755) == 0);
	CHECK(mkdir(WORLD "/vol/sub", 0755) == 0);
	CHECK(mount("sub", WORLD "/vol/sub", "tmpfs", 0, NULL) == 0);
	CHECK(put_file(WORLD "/rootfs/etc/name", "guest\n") == 0);
	CHECK(put_file(WORLD "/vol/data", "data\n") == 0);
	CHECK(put_file(WORLD "/vol/sub/deep", "deep\n") == 0);
	CHECK(put_file(WORLD "/single", "single\n") == 0);
	CHECK(put_file(WORLD "/secret", "secret\n") == 0);
	CHECK(symlink("rootfs", WORLD "/link") == 0);
	return 0;
}

/* Hand over to the other process and wait until it hands back. */
static inline int sbx_turn(const struct world *w)
{
	char c = 0;

	CHECK(write(w->turn, &c, 1) == 1);
	CHECK(read(w->turn, &c, 1) == 1);
	return 0;
}

/*
 * In a child: make the world, run @server in a process of its own, and @host beside
 * it when that takes its first turn. Return: the server's exit status or signal + 128.
 */
static inline int world_run(int (*server)(const struct world *), int (*host)(const struct world *))
{
	int pair[2];
	int status;
	pid_t pid;
	char c;

	if (world_make() != 0) {
		return 1;
	}
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	pid = fork();
	if (pid == 0) {
		const struct world w = {.turn = pair[1]};

		(void)close(pair[0]);
		alarm(20);
		_exit(server(&w));
	}
	CHECK(pid > 0);
	(void)close(pair[1]);
	if (host && read(pair[0], &c, 1) == 1) {
		const struct world w = {.turn = pair[0]};

		if (host(&w) != 0) {
			return 1;
		}
		(void)!write(w.turn, &c, 1); /* the server may have ended */
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif /* TESTS_C_SBX_WORLD_H */
