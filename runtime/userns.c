/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userns.c - the user namespace of a container; see userns.h
 *
 * A namespace can be had only through a process that is in it: a child makes or joins
 * it and waits to be killed, while we write or read its files in /proc.
 */
#include "userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fdio.h"
#include "sandbox/caps.h"

/* The kernel's own limit of such a file: one page, less than this. */
#define MAP_TEXT_MAX 8192

/* In the child: go where it belongs, say so, wait for the end. @fd -1: a new namespace */
static void hold(int fd, int pipe_fd) __attribute__((noreturn));
static void hold(int fd, int pipe_fd)
{
	int rc = fd < 0 ? unshare(CLONE_NEWUSER) : setns(fd, CLONE_NEWUSER);
	int code = rc < 0 ? errno : 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)!write(pipe_fd, &code, sizeof(code)); /* nobody reads: nobody is left */
	for (;;) {
		(void)pause();
	}
}

static void holder_end(pid_t pid)
{
	if (pid > 0) {
		(void)kill(pid, SIGKILL); /* our child, not reaped: it is it */
		(void)waitpid(pid, NULL, 0);
	}
}

static int holder_start(int fd, pid_t *out_pid, struct vr_err *err)
{
	int code = EIO;
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0) {
		return vr_err_sys(err, errno, "make a user namespace");
	}
	(void)fflush(NULL); /* buffered output must not come out twice */
	pid = (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		hold(fd, p[1]);
	}
	if (pid < 0) {
		code = errno;
	}
	(void)close(p[1]);
	if (pid > 0 && read(p[0], &code, sizeof(code)) != (ssize_t)sizeof(code)) {
		code = EIO;
	}
	(void)close(p[0]);
	if (code != 0) {
		holder_end(pid);
		return vr_err_sys(err, code,
				  fd < 0 ? "make a user namespace" : "join the user namespace");
	}
	*out_pid = pid;
	return 0;
}

static int map_write(pid_t pid, const char *file, const struct ap_idmap *map, uint32_t n,
		     struct vr_err *err)
{
	vr_autofree char *text = calloc((size_t)n + 1, 40);
	char path[64];
	size_t len = 0;
	int fd, rc;

	if (!text) {
		return vr_err_set(err, ENOMEM, "user namespace: out of memory");
	}
	for (uint32_t i = 0; i < n; i++) {
		len += (size_t)sprintf(text + len, "%u %u %u\n", map[i].inside, map[i].outside,
				       map[i].count);
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	rc = fd < 0 || write(fd, text, len) != (ssize_t)len ? -errno : 0;
	vr_cleanup_close(&fd);
	return rc < 0 ? vr_err_sys(err, rc, "user namespace: write %s", file) : 0;
}

static int convert(const struct oci_idmaps *from, struct ap_idmap *to, uint32_t *out_n,
		   struct vr_err *err)
{
	if (from->n > AP_MAX_IDMAPS) {
		return vr_err_set(err, E2BIG, "%zu id mappings, at most %u are possible", from->n,
				  AP_MAX_IDMAPS);
	}
	*out_n = 0;
	OCI_FOREACH(m, from)
	{
		to[(*out_n)++] = (struct ap_idmap){
			.inside = m->container_id, .outside = m->host_id, .count = m->size};
	}
	return 0;
}

int userns_maps_from(const struct oci_idmaps *uid, const struct oci_idmaps *gid,
		     struct userns_maps *out, struct vr_err *err)
{
	int rc = convert(uid, out->uid, &out->n_uid, err);

	return rc < 0 ? rc : convert(gid, out->gid, &out->n_gid, err);
}

void userns_maps_same(const struct userns_maps *maps, struct userns_maps *out)
{
	memmove(out, maps, sizeof(*out));
	for (uint32_t i = 0; i < out->n_uid; i++) {
		out->uid[i].inside = out->uid[i].outside;
	}
	for (uint32_t i = 0; i < out->n_gid; i++) {
		out->gid[i].inside = out->gid[i].outside;
	}
}

uint32_t userns_first(const struct ap_idmap *map, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (map[i].inside == 0) {
			return 0;
		}
	}
	return n > 0 ? map[0].inside : 0;
}

int userns_make(const struct userns_maps *maps, int *out_fd, struct vr_err *err)
{
	char path[64];
	pid_t pid = -1;
	int rc = holder_start(-1, &pid, err);

	if (rc == 0) {
		rc = map_write(pid, "uid_map", maps->uid, maps->n_uid, err);
	}
	if (rc == 0) {
		rc = map_write(pid, "gid_map", maps->gid, maps->n_gid, err);
	}
	if (rc == 0) {
		(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
		*out_fd = open(path, O_RDONLY | O_CLOEXEC);
		rc = *out_fd < 0 ? vr_err_sys(err, errno, "open '%s'", path) : 0;
	}
	holder_end(pid);
	return rc;
}

static int map_read(pid_t pid, const char *file, struct ap_idmap *out, uint32_t *out_n,
		    struct vr_err *err)
{
	vr_autofree char *text = NULL;
	char path[64];
	size_t len;
	int used, rc;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	rc = vr_read_file(AT_FDCWD, path, MAP_TEXT_MAX * 4, &text, &len);
	if (rc < 0) {
		return vr_err_sys(err, rc, "read '%s'", path);
	}
	*out_n = 0;
	for (const char *p = text; p[strspn(p, " \n")] != '\0'; p += used) {
		struct ap_idmap m;

		if (*out_n == AP_MAX_IDMAPS) {
			return vr_err_set(err, E2BIG, "user namespace: too many id mappings");
		}
		if (sscanf(p, "%u %u %u%n", &m.inside, &m.outside, &m.count, &used) != 3) {
			return vr_err_set(err, EIO, "user namespace: '%s' is malformed", path);
		}
		out[(*out_n)++] = m;
	}
	return 0;
}

int userns_maps_read(int fd, struct userns_maps *out, struct vr_err *err)
{
	pid_t pid = -1;
	int rc = holder_start(fd, &pid, err);

	if (rc == 0) {
		rc = map_read(pid, "uid_map", out->uid, &out->n_uid, err);
	}
	if (rc == 0) {
		rc = map_read(pid, "gid_map", out->gid, &out->n_gid, err);
	}
	holder_end(pid);
	return rc;
}

bool userns_is_own(int fd)
{
	struct stat own, st;

	return stat("/proc/self/ns/user", &own) == 0 && fstat(fd, &st) == 0 &&
	       own.st_dev == st.st_dev && own.st_ino == st.st_ino;
}

int userns_enter(int fd, uint32_t uid, uint32_t gid, struct vr_err *err)
{
	int rc;

	if (setns(fd, CLONE_NEWUSER) < 0) {
		return vr_err_sys(err, errno, "join the container's user namespace");
	}
	rc = sbx_drop_groups();
	if (rc < 0) {
		return vr_err_sys(err, rc, "drop supplementary groups");
	}
	/* EINVAL: not mapped; then we stay who we are, which is nobody in there */
	if ((setresgid(gid, gid, gid) < 0 && errno != EINVAL) ||
	    (setresuid(uid, uid, uid) < 0 && errno != EINVAL)) {
		return vr_err_sys(err, errno, "become user %u of the container's user namespace",
				  uid);
	}
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* can't fail for this value */
	return 0;
}
