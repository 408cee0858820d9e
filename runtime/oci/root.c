/* SPDX-License-Identifier: Apache-2.0 */
/*
 * root.c - the state directory, and the way to it; see state.h
 *
 * What is in it is believed, and what delete removes is in it. So it is ours, and whoever else can write
 * to a directory on the way can't lead us to another directory of ours by a symbolic link.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "oci/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LINKS_MAX    40u    /* as Linux */
#define UID_UNMAPPED 65534u /* who a user namespace has no name for */

/**
 * struct walk - a path, resolved component by component
 * @fd:        where we are
 * @rest:      what is left of the path
 * @links:     followed so far
 * @create:    make what isn't there
 * @namespaced: the host's root has another number
 * @foreign:    a link was somebody else's
 */
struct walk {
	int fd;
	char rest[PATH_MAX];
	unsigned links;
	bool create;
	bool namespaced;
	bool foreign;
};

/* The initial user namespace maps all ids to themselves in one line. */
static bool in_user_namespace(void)
{
	vr_autofree char *text = NULL;
	unsigned int inside;
	unsigned int outside;
	unsigned int count;
	size_t len = 0;

	if (vr_read_file(AT_FDCWD, "/proc/self/uid_map", 65536, &text, &len) < 0) {
		return false;
	}
	return sscanf(text, "%u %u %u", &inside, &outside, &count) != 3 || inside != 0 ||
	       outside != 0 || count != UINT32_MAX;
}

int oci_root_path(const char *root, char *buf, size_t cap, struct vr_err *err)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	bool rootless = geteuid() != 0 || in_user_namespace();
	int n;

	if (root && root[0] != '\0') {
		n = snprintf(buf, cap, "%s", root);
	} else if (rootless && xdg && xdg[0] == '/') {
		n = snprintf(buf, cap, "%s/volt-runc", xdg);
	} else {
		n = snprintf(buf, cap, "%s", OCI_DEFAULT_ROOT);
	}
	if (n < 0 || (size_t)n >= cap) {
		return vr_err_set(err, ENAMETOOLONG, "state directory: path is too long");
	}
	return 0;
}

/* Cut the first component off @w->rest. Return: false when there is none */
static bool next_name(struct walk *w, char name[NAME_MAX + 1])
{
	const char *at = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(at, "/");

	if (n == 0 || n > NAME_MAX) {
		return false;
	}
	memcpy(name, at, n);
	name[n] = '\0';
	memmove(w->rest, at + n, strlen(at + n) + 1);
	return true;
}

static bool is_last(const struct walk *w)
{
	return w->rest[strspn(w->rest, "/")] == '\0';
}

/* Where a path begins. */
static int begin(struct walk *w)
{
	vr_close_reset(&w->fd);
	w->fd = open(w->rest[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return w->fd < 0 ? -errno : 0;
}

/* Put what the link @fd says in front of what is left. */
static int follow(struct walk *w, int fd, const struct stat *st)
{
	char target[PATH_MAX];
	char joined[PATH_MAX];
	ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);
	int len;

	if (n < 0) {
		return -errno;
	}
	if (st->st_uid != 0 && st->st_uid != geteuid() &&
	    !(w->namespaced && st->st_uid == UID_UNMAPPED)) {
		w->foreign = true;
		return -EPERM;
	}
	if (++w->links > LINKS_MAX) {
		return -ELOOP;
	}
	target[n] = '\0';
	len = snprintf(joined, sizeof(joined), "%s%s", target, w->rest);
	if (len < 0 || (size_t)len >= sizeof(joined)) {
		return -ENAMETOOLONG;
	}
	memcpy(w->rest, joined, (size_t)len + 1);
	return joined[0] == '/' ? begin(w) : 0;
}

/* One component on, by links too, but for the last one. */
static int step(struct walk *w, const char *name)
{
	vr_autoclose int fd = -1;
	struct stat st;

	if (w->create && mkdirat(w->fd, name, 0700) < 0 && errno != EEXIST) {
		return -errno;
	}
	fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		return -errno;
	}
	if (S_ISLNK(st.st_mode)) {
		return is_last(w) ? -ELOOP : follow(w, fd, &st);
	}
	if (!S_ISDIR(st.st_mode)) {
		return -ENOTDIR;
	}
	(void)close(w->fd);
	w->fd = vr_take_fd(&fd);
	return 0;
}

/* Return: the directory that @w->rest leads to, or -errno */
static int walk(struct walk *w)
{
	char name[NAME_MAX + 1];
	int rc = begin(w);
	int fd;

	while (rc == 0 && next_name(w, name)) {
		rc = step(w, name);
	}
	if (rc == 0 && !is_last(w)) {
		rc = -ENAMETOOLONG;
	}
	if (rc == 0) {
		fd = openat(w->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = fd < 0 ? -errno : fd;
	}
	vr_close_reset(&w->fd);
	return rc;
}

static int check_ours(int fd, const char *path, struct vr_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		return vr_err_sys(err, errno, "look at state directory '%s'", path);
	}
	if (st.st_uid != geteuid()) {
		return vr_err_set(err, EPERM, "state directory '%s' belongs to uid %ld, not to us",
				  path, (long)st.st_uid);
	}
	if (st.st_mode & S_IWOTH) {
		return vr_err_set(err, EPERM, "state directory '%s' is writable by everybody",
				  path);
	}
	if ((st.st_mode & S_IWGRP) && st.st_gid != getegid()) {
		return vr_err_set(err, EPERM, "state directory '%s' is writable by group %ld", path,
				  (long)st.st_gid);
	}
	return 0;
}

int oci_root_open(const char *root, bool create, int *out_fd, struct vr_err *err)
{
	struct walk w = {.fd = -1, .create = create, .namespaced = in_user_namespace()};
	vr_autoclose int fd = -1;
	char path[PATH_MAX];
	int r = oci_root_path(root, path, sizeof(path), err);

	if (r < 0) {
		return r;
	}
	(void)snprintf(w.rest, sizeof(w.rest), "%s", path); /* fits: as large as path */
	fd = walk(&w);
	if (w.foreign) {
		return vr_err_set(
			err, EPERM,
			"state directory '%s': a symbolic link on the way to it belongs to "
			"somebody else",
			path);
	}
	if (fd < 0) {
		return vr_err_sys(err, fd, "open state directory '%s'", path);
	}
	r = check_ours(fd, path, err);
	if (r < 0) {
		return r;
	}
	*out_fd = vr_take_fd(&fd);
	return 0;
}
