/* SPDX-License-Identifier: Apache-2.0 */
/* copyup.c - fill a fresh tmpfs with what its mount point holds; see copyup.h */
#include "copyup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys.h"

#define MAX_DEPTH 64

static int copy_dir(int from, int to, int depth);

static int copy_owner(int to, const struct stat *st)
{
	if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0) {
		return -errno;
	}
	return 0;
}

static int copy_bytes(int from, int to)
{
	static char buf[32768];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0) {
		for (ssize_t off = 0, w; off < n; off += w) {
			w = write(to, buf + off, (size_t)(n - off));
			if (w < 0) {
				return -errno;
			}
		}
	}
	return n < 0 ? -errno : 0;
}

static int copy_file(int from, int to, const char *name, const struct stat *st)
{
	int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc = in < 0 || out < 0 ? -errno : copy_bytes(in, out);

	if (rc == 0) {
		rc = copy_owner(out, st);
	}
	sys_close(&in);
	sys_close(&out);
	return rc;
}

static int copy_link(int from, int to, const char *name, const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0) {
		return -errno;
	}
	target[n] = '\0';
	if (symlinkat(target, to, name) < 0 ||
	    fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0) {
		return -errno;
	}
	return 0;
}

static int copy_subdir(int from, int to, const char *name, int depth)
{
	int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int out = -1;
	int rc;

	if (in < 0) {
		return -errno;
	}
	if (mkdirat(to, name, 0700) == 0) {
		out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	rc = out < 0 ? -errno : copy_dir(in, out, depth + 1);
	sys_close(&in);
	sys_close(&out);
	return rc;
}

static int copy_entry(int from, int to, const char *name, int depth)
{
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		return -errno;
	}
	switch (st.st_mode & S_IFMT) {
	case S_IFDIR:
		return depth < MAX_DEPTH ? copy_subdir(from, to, name, depth) : -ELOOP;
	case S_IFREG:
		return copy_file(from, to, name, &st);
	case S_IFLNK:
		return copy_link(from, to, name, &st);
	default:
		return 0;
	}
}

static int copy_entries(DIR *dir, int to, int depth)
{
	struct dirent *e;
	int rc = 0;

	while (rc == 0 && (errno = 0, e = readdir(dir))) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
			rc = copy_entry(dirfd(dir), to, e->d_name, depth);
		}
	}
	return rc ? rc : -errno;
}

static int copy_dir(int from, int to, int depth)
{
	struct stat st;
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int rc;

	if (!dir) {
		rc = -errno;
		sys_close(&fd);
		return rc;
	}
	rc = copy_entries(dir, to, depth);
	if (rc == 0) {
		rc = fstat(fd, &st) < 0 ? -errno : copy_owner(to, &st);
	}
	closedir(dir);
	return rc;
}

int copyup_tree(int from, int to)
{
	int out = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = out < 0 ? -errno : copy_dir(from, out, 0);

	sys_close(&out);
	return rc;
}
