/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container.c - where containers are kept: ids, directories, locks; see state.h
 *
 * The lock is on the container's directory itself. Who waited for it looks
 * whether the directory is still there: delete removes it while holding the lock.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "oci/state.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LOCK_POLL_MS 5

int oci_id_check(const char *id, struct vr_err *err)
{
	size_t len = strlen(id);

	if (len == 0) {
		return vr_err_set(err, EINVAL, "container id cannot be empty");
	}
	if (len > OCI_ID_MAX) {
		return vr_err_set(err, EINVAL, "invalid container ID format: longer than %d",
				  OCI_ID_MAX);
	}
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)id[i]) && !strchr("_+-.", id[i])) {
			return vr_err_set(
				err, EINVAL,
				"invalid container ID format: '%s': invalid character '%c' "
				"in the container ID",
				id, id[i]);
		}
	}
	if (strcmp(id, ".") == 0 || strcmp(id, "..") == 0) {
		return vr_err_set(err, EINVAL, "invalid container ID format: '%s'", id);
	}
	return 0;
}

static int is_id(const struct dirent *de)
{
	return (de->d_type == DT_DIR || de->d_type == DT_UNKNOWN) &&
	       oci_id_check(de->d_name, NULL) == 0;
}

int oci_root_list(int root_fd, int (*visit)(void *ctx, const char *id), void *ctx,
		  struct vr_err *err)
{
	struct dirent **names;
	int n = scandirat(root_fd, ".", &names, is_id, alphasort);
	int r = 0;

	if (n < 0) {
		return vr_err_sys(err, errno, "list state directory");
	}
	for (int i = 0; i < n; i++) {
		if (r == 0) {
			r = visit(ctx, names[i]->d_name);
		}
		free(names[i]);
	}
	free(names);
	return r;
}

static int does_not_exist(struct vr_err *err, const char *id)
{
	return vr_err_set(err, ENOENT, "container does not exist: '%s'", id);
}

int oci_container_open(int root_fd, const char *id, struct oci_container *out, struct vr_err *err)
{
	struct oci_container c = {.root_fd = root_fd};
	int r = oci_id_check(id, err);

	if (r < 0) {
		return r;
	}
	memcpy(c.id, id, strlen(id) + 1);
	c.fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c.fd < 0 && errno == ENOENT) {
		return does_not_exist(err, id);
	}
	if (c.fd < 0) {
		return vr_err_sys(err, errno, "open container '%s'", id);
	}
	*out = c;
	return 0;
}

int oci_container_create(int root_fd, const char *id, struct oci_container *out, struct vr_err *err)
{
	struct oci_container c = OCI_CONTAINER_INIT;
	int r = oci_id_check(id, err);

	if (r < 0) {
		return r;
	}
	if (mkdirat(root_fd, id, 0700) < 0) {
		if (errno == EEXIST) {
			return vr_err_set(err, EEXIST,
					  "container with given ID already exists: '%s'", id);
		}
		return vr_err_sys(err, errno, "make state directory of '%s'", id);
	}
	r = oci_container_open(root_fd, id, &c, err);
	if (r < 0) {
		(void)unlinkat(root_fd, id,
			       AT_REMOVEDIR); /* the first error is the one to report */
		return r;
	}
	r = oci_container_lock(&c, -1, err);
	if (r < 0) {
		oci_container_close(&c);
		return r;
	}
	*out = c;
	return 0;
}

/*
 * A removed directory stays open for those who wait for its lock. Its link count
 * does not tell on every file system, so look whether the name still leads here.
 */
static bool is_removed(const struct oci_container *c)
{
	struct stat named;
	struct stat open_one;

	return fstat(c->fd, &open_one) < 0 ||
	       fstatat(c->root_fd, c->id, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	       named.st_dev != open_one.st_dev || named.st_ino != open_one.st_ino;
}

static int try_lock(const struct oci_container *c, uint64_t end_ms, bool forever)
{
	struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000L};

	for (;;) {
		if (flock(c->fd, forever ? LOCK_EX : LOCK_EX | LOCK_NB) == 0) {
			return 0;
		}
		if (errno == EWOULDBLOCK && vr_now_ms() >= end_ms) {
			return -EBUSY;
		}
		if (errno == EWOULDBLOCK) {
			(void)nanosleep(&pause, NULL); /* woken early: just asks again */
		} else if (errno != EINTR) {
			return -errno;
		}
	}
}

int oci_container_lock(struct oci_container *c, int timeout_ms, struct vr_err *err)
{
	uint64_t end = vr_now_ms() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0);
	int r = try_lock(c, end, timeout_ms < 0);

	if (r == -EBUSY) {
		return vr_err_set(err, EBUSY, "container '%s' is busy with another command", c->id);
	}
	if (r < 0) {
		return vr_err_sys(err, r, "lock container '%s'", c->id);
	}
	if (is_removed(c)) {
		(void)flock(c->fd, LOCK_UN); /* nobody is left to wait for it */
		return does_not_exist(err, c->id);
	}
	c->locked = true;
	return 0;
}

void oci_container_unlock(struct oci_container *c)
{
	if (c->locked) {
		(void)flock(c->fd, LOCK_UN); /* of an open fd of ours: can't fail */
		c->locked = false;
	}
}

void oci_container_close(struct oci_container *c)
{
	oci_container_unlock(c); /* a forked role may still have the fd open: don't rely on close */
	vr_close_reset(&c->fd);
}

int oci_container_remove(struct oci_container *c, struct vr_err *err)
{
	int r = vr_remove_tree(c->root_fd, c->id);

	if (r < 0) {
		return vr_err_sys(err, r, "remove state directory of '%s'", c->id);
	}
	oci_container_close(c);
	return 0;
}

int oci_container_put_config(const struct oci_container *c, const char *text, size_t len,
			     struct vr_err *err)
{
	int r = vr_write_file_atomic(c->fd, OCI_CONFIG_FILE, text, len, 0600);

	return r < 0 ? vr_err_sys(err, r, "keep a copy of config.json of '%s'", c->id) : 0;
}
