/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cage_find.c - who stands in for processes of a container; see cage.h
 *
 * The state names the container's own roles. Those of `exec` and of a `run` in the foreground
 * come and go, and are found by their titles. A title is a process's own: it counts for
 * processes of our user only.
 */
#include "cage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"

#define CMDLINE_MAX (1u << 20)
#define STATUS_MAX  65536u
#define TITLE_MAX   300

/* Is this its title? @needed: what the space of a short command line has room for at least */
static bool has_title(const char *dir, const char *title, size_t needed)
{
	vr_autofree char *text = NULL;
	char path[PATH_MAX];
	struct stat st;
	size_t len;

	(void)snprintf(path, sizeof(path), "%s/cmdline", dir);
	if (stat(dir, &st) < 0 || st.st_uid != geteuid() ||
	    vr_read_file(AT_FDCWD, path, CMDLINE_MAX, &text, &len) < 0) {
		return false;
	}
	len = strnlen(text, len);
	return len >= needed && strncmp(text, title, len) == 0;
}

static pid_t parent_of(const char *dir)
{
	vr_autofree char *text = NULL;
	char path[PATH_MAX];
	const char *at;
	size_t len;

	(void)snprintf(path, sizeof(path), "%s/status", dir);
	if (vr_read_file(AT_FDCWD, path, STATUS_MAX, &text, &len) < 0) {
		return 0;
	}
	at = strstr(text, "\nPPid:");
	return at ? (pid_t)atoi(at + strlen("\nPPid:")) : 0;
}

/* Is it the one that forked the other? Who executed another program meanwhile is not, nor an adopter. */
static bool same_program(const char *proc, pid_t a, pid_t b)
{
	char path[PATH_MAX];
	struct stat x, y;

	(void)snprintf(path, sizeof(path), "%s/%d/exe", proc, (int)a);
	if (stat(path, &x) < 0) {
		return false;
	}
	(void)snprintf(path, sizeof(path), "%s/%d/exe", proc, (int)b);
	return stat(path, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Those that end meanwhile are left out. */
static int read_one(const char *proc, const char *role, pid_t pid, struct cage *io,
		    struct vr_err *err)
{
	struct vr_err why = VR_ERR_INIT;
	size_t before = io->n;
	int rc = cage_read(proc, role, pid, io, &why);

	if (rc == -ESRCH || rc == -ENOENT) {
		io->n = before;
		return 0;
	}
	if (rc < 0) {
		*err = why;
	}
	return rc;
}

static int look_at(const char *proc, const char *id, pid_t pid, struct cage *io, struct vr_err *err)
{
	char dir[PATH_MAX - 256], shim[TITLE_MAX], relay[TITLE_MAX];
	pid_t parent;
	int rc;

	(void)snprintf(dir, sizeof(dir), "%s/%d", proc, (int)pid);
	(void)snprintf(shim, sizeof(shim), "volt-shim: %s (exec)", id);
	(void)snprintf(relay, sizeof(relay), "volt-relay: %s", id);
	if (has_title(dir, relay, strlen(relay))) {
		return read_one(proc, "relay", pid, io, err);
	}
	if (!has_title(dir, shim, strlen(shim) - strlen("exec)"))) {
		return 0;
	}
	rc = read_one(proc, "exec", pid, io, err);
	parent = parent_of(dir);
	if (rc == 0 && parent > 0 && same_program(proc, pid, parent)) {
		rc = read_one(proc, "proxy", parent, io, err);
	}
	return rc;
}

int cage_read_standins(const char *proc, const char *id, struct cage *io, struct vr_err *err)
{
	struct dirent *e;
	int rc = 0;
	DIR *d = opendir(proc);

	if (!d) {
		return vr_err_sys(err, errno, "open '%s'", proc);
	}
	while (rc == 0 && (e = readdir(d)) != NULL) {
		pid_t pid = (pid_t)atoi(e->d_name);

		if (pid > 0) {
			rc = look_at(proc, id, pid, io, err);
		}
	}
	(void)closedir(d); /* was only read */
	return rc;
}
