/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.c - paths inside a container's root; see path.h
 *
 * How path_make() works: the kernel resolves what exists (one openat2). Only for a path that does
 * not exist completely a walk follows, component by component. It keeps two strings: @done, the
 * resolved part without symlinks, and @todo, what is left; a symlink is expanded into @todo, ".."
 * shortens @done and stops at the root. Each step opens @done freshly beneath the root with
 * symlinks forbidden, so the strings are bookkeeping, never trust.
 */
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys.h"

#define MAX_LINKS 40 /* as many as the kernel follows */

struct walk {
	int root;
	bool is_dir;
	int links;
	char done[PATH_MAX]; /* "" is the root; else "/a/b" */
	char todo[PATH_MAX];
};

/* The directory @done stands for. */
static int done_open(const struct walk *w)
{
	return sys_openat2(w->root, w->done[0] ? w->done : "/", VA_O_PATH | O_DIRECTORY,
			   VA_RESOLVE_IN_ROOT | VA_RESOLVE_NO_SYMLINKS);
}

/* Split the first component off @todo into @name. Return: false when nothing is left. */
static bool next_name(struct walk *w, char name[NAME_MAX + 1], int *rc)
{
	const char *p = w->todo + strspn(w->todo, "/");
	size_t len = strcspn(p, "/");

	*rc = 0;
	if (len == 0) {
		return false;
	}
	if (len > NAME_MAX) {
		*rc = -ENAMETOOLONG;
		return false;
	}
	memcpy(name, p, len);
	name[len] = '\0';
	memmove(w->todo, p + len, strlen(p + len) + 1);
	return true;
}

static bool todo_empty(const struct walk *w)
{
	return w->todo[strspn(w->todo, "/")] == '\0';
}

static void done_up(struct walk *w)
{
	char *slash = strrchr(w->done, '/');

	if (slash) {
		*slash = '\0';
	}
}

static int done_push(struct walk *w, const char *name)
{
	size_t len = strlen(w->done);

	if (len + strlen(name) + 2 > sizeof(w->done)) {
		return -ENAMETOOLONG;
	}
	snprintf(w->done + len, sizeof(w->done) - len, "/%s", name);
	return 0;
}

/* Replace a symlink by its target in front of @todo. */
static int expand(struct walk *w, int dir, const char *name)
{
	char target[PATH_MAX];
	char rest[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n < 0) {
		return -errno;
	}
	if (++w->links > MAX_LINKS) {
		return -ELOOP;
	}
	target[n] = '\0';
	memcpy(rest, w->todo, strlen(w->todo) + 1);
	if ((size_t)n + strlen(rest) + 2 > sizeof(w->todo)) {
		return -ENAMETOOLONG;
	}
	snprintf(w->todo, sizeof(w->todo), "%.*s/%.*s", (int)n, target, (int)strlen(rest), rest);
	if (target[0] == '/') {
		w->done[0] = '\0';
	}
	return 0;
}

static int make_one(const struct walk *w, int dir, const char *name)
{
	bool file = !w->is_dir && todo_empty(w);
	int rc = file ? mknodat(dir, name, S_IFREG | 0755, 0) : mkdirat(dir, name, 0755);
	struct stat st;

	if (rc < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		return -errno;
	}
	/* the umask may have cut it; set-group-ID is its parent's */
	return sys_rc(fchmodat(dir, name, 0755 | (st.st_mode & S_ISGID), 0));
}

/* One component. @dir is @done's directory. */
static int step(struct walk *w, int dir, const char *name)
{
	struct stat st;
	int rc;

	if (strcmp(name, ".") == 0) {
		return 0;
	}
	if (strcmp(name, "..") == 0) {
		done_up(w);
		return 0;
	}
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		return S_ISLNK(st.st_mode) ? expand(w, dir, name) : done_push(w, name);
	}
	if (errno != ENOENT) {
		return -errno;
	}
	rc = make_one(w, dir, name);
	return rc ? rc : done_push(w, name);
}

static int walk(struct walk *w)
{
	char name[NAME_MAX + 1];
	int rc;

	while (next_name(w, name, &rc)) {
		int dir = done_open(w);

		if (dir < 0) {
			return dir;
		}
		rc = step(w, dir, name);
		close(dir);
		if (rc) {
			return rc;
		}
	}
	return rc;
}

int path_open(int root, const char *path)
{
	return sys_openat2(root, path, VA_O_PATH, VA_RESOLVE_IN_ROOT);
}

int path_make(int root, const char *path, bool is_dir)
{
	struct walk w = {.root = root, .is_dir = is_dir};
	int fd = path_open(root, path);
	int rc;

	if (fd != -ENOENT) {
		return fd;
	}
	if (strlen(path) >= sizeof(w.todo)) {
		return -ENAMETOOLONG;
	}
	memcpy(w.todo, path, strlen(path) + 1);
	rc = walk(&w);
	if (rc) {
		return rc;
	}
	return sys_openat2(root, w.done[0] ? w.done : "/", VA_O_PATH,
			   VA_RESOLVE_IN_ROOT | VA_RESOLVE_NO_SYMLINKS);
}

int path_parent(int root, const char *path, const char **out_name)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (!slash || !slash[1] || len >= sizeof(dir) || strcmp(slash, "/..") == 0 ||
	    strcmp(slash, "/.") == 0) {
		return -EINVAL;
	}
	memcpy(dir, path, len);
	dir[len] = '\0';
	*out_name = slash + 1;
	return path_make(root, len ? dir : "/", true);
}
