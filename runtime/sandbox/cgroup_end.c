/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_end.c - the end of a container's cgroup: kill and remove; see cgroup.h
 *
 * Both have to be right after a crash at any moment, so they look at what is there and
 * know nothing else. Every loop that waits for others is bounded.
 */
#include "sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "sandbox/cgroup_internal.h"

#define PROCS_MAX    (1024u * 1024u) /* bytes of cgroup.procs */
#define RETRY_MIN_MS 2u
#define RETRY_MAX_MS 50u
#define KILL_ROUNDS  100u

static void pause_ms(unsigned ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	(void)nanosleep(&ts, NULL); /* shorter is fine, callers count */
}

/* SIGKILL for the members of one cgroup. Return: how many there were, or -errno. */
static int kill_members(int dir)
{
	vr_autoclose int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	vr_autofree char *text = NULL;
	char *save;
	char *line;
	size_t len;
	int n = 0;
	int ret;

	if (fd < 0) {
		return -errno;
	}
	ret = vr_read_fd(fd, PROCS_MAX, &text, &len);
	if (ret < 0) {
		return ret;
	}
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		pid_t pid = (pid_t)strtol(line, NULL, 10);

		/* 0: a process outside our pid namespace. It can't be named, so not be killed. */
		if (pid > 0 && pid != getpid()) {
			n++;
			(void)kill(pid, SIGKILL); /* gone already, or seen again next round */
		}
	}
	return n;
}

typedef int (*visit_fn)(int parent, const char *name);

/* Call @fn for each directory in @dir. Return: sum of its results, or the first negative one. */
static int for_each_child(int dir, visit_fn fn)
{
	vr_autoclosedir DIR *d = NULL;
	struct dirent *e;
	int sum = 0;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		return -errno;
	}
	d = fdopendir(fd);
	if (!d) {
		int ret = -errno;

		(void)close(fd); /* read-only */
		return ret;
	}
	while ((e = readdir(d)) != NULL) {
		int ret;

		if (e->d_type != DT_DIR || e->d_name[0] == '.') {
			continue;
		}
		ret = fn(dir, e->d_name);
		if (ret < 0) {
			return ret;
		}
		sum += ret;
	}
	return sum;
}

/* The recursions below are as deep as the host's administrators nest cgroups; no guest can. */
static int kill_below(int parent, const char *name)
{
	vr_autoclose int dir =
		openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int below;
	int here;

	if (dir < 0) {
		return errno == ENOENT ? 0 : -errno;
	}
	below = for_each_child(dir, kill_below);
	here = kill_members(dir);
	if (below < 0 || here < 0) {
		return below < 0 ? below : here;
	}
	return below + here;
}

static int remove_below(int parent, const char *name)
{
	vr_autoclose int dir =
		openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int ret;

	if (dir < 0) {
		return errno == ENOENT ? 0 : -errno;
	}
	ret = for_each_child(dir, remove_below);
	if (ret < 0) {
		return ret;
	}
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
		return -errno;
	}
	return 0;
}

/* Open the parent of @path in @h and point at the last component. */
static int open_parent(const struct cg_hierarchy *h, const char *path, const char **out_name)
{
	char parent[SBX_CGROUP_PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (!slash || slash[1] == '\0') {
		return -EINVAL;
	}
	(void)snprintf(parent, sizeof(parent), "%.*s/", (int)(slash - path), path); /* shorter */
	*out_name = slash + 1;
	return cg_open(h, parent);
}

/*
 * New processes may appear while we read the list, so go on until a round finds
 * none. Members that are dying are found again; a few rounds see the end of them.
 */
static int kill_v1(const struct cg_hierarchy *h, const char *path)
{
	const char *name;
	vr_autoclose int parent = open_parent(h, path, &name);
	unsigned i;
	int n = 0;

	if (parent < 0) {
		return parent == -ENOENT ? 0 : parent;
	}
	for (i = 0; i < KILL_ROUNDS; i++) {
		n = kill_below(parent, name);
		if (n <= 0) {
			break;
		}
		pause_ms(RETRY_MIN_MS);
	}
	return n < 0 ? n : 0;
}

/* cgroup.kill would take the caller, too. */
static bool caller_is_inside(const struct cg_table *t, const char *path)
{
	char own[SBX_CGROUP_PATH_MAX];

	return cg_own_path(t, &t->h[0], own, sizeof(own)) < 0 || cg_is_within(own, path);
}

static int kill_in(const struct cg_table *t, const struct cg_hierarchy *h, const char *path)
{
	if (t->mode == SBX_CGROUP_V2 && !caller_is_inside(t, path)) {
		vr_autoclose int dir = cg_open(h, path);
		int ret = dir < 0 ? dir : cg_write(dir, "cgroup.kill", "1");

		if (ret == 0 || dir == -ENOENT) {
			return 0;
		}
		/* Linux before 5.14 has no such file: one by one. */
	}
	return kill_v1(h, path);
}

int sbx_cgroup_kill(const char *path, struct vr_err *err)
{
	struct cg_table t;
	size_t i;
	int ret;

	ret = cg_load(&t, err);
	for (i = 0; ret == 0 && i < t.n; i++) {
		ret = kill_in(&t, &t.h[i], path);
		if (ret < 0) {
			return vr_err_sys(err, ret, "kill the processes of cgroup '%s%s'",
					  t.h[i].mount, path);
		}
	}
	return ret;
}

static int remove_in(const struct cg_hierarchy *h, const char *path, uint64_t deadline)
{
	unsigned wait_ms = RETRY_MIN_MS;
	const char *name;
	vr_autoclose int parent = open_parent(h, path, &name);

	if (parent < 0) {
		return parent == -ENOENT ? 0 : parent;
	}
	for (;;) {
		int ret = remove_below(parent, name);

		if (ret != -EBUSY || vr_now_ms() >= deadline) {
			return ret;
		}
		pause_ms(wait_ms);
		wait_ms = VR_MIN(wait_ms * 2, RETRY_MAX_MS);
	}
}

int sbx_cgroup_remove(const char *path, unsigned timeout_ms, struct vr_err *err)
{
	uint64_t deadline = vr_now_ms() + timeout_ms;
	struct cg_table t;
	size_t i;
	int first = 0;
	int ret;

	ret = cg_table_load(&t);
	if (ret < 0) {
		return ret == -ENOENT ? 0 : vr_err_sys(err, ret, "find the cgroup file systems");
	}
	for (i = 0; i < t.n; i++) {
		ret = remove_in(&t.h[i], path, deadline);
		if (ret < 0 && first == 0) {
			first = vr_err_sys(err, ret, "remove cgroup '%s%s'", t.h[i].mount, path);
		}
	}
	return first;
}
