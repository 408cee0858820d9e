/* SPDX-License-Identifier: Apache-2.0 */
/* lookup.c - what execve needs and config.json leaves to be found; see lookup.h */
#include "lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/agent_proto.h"
#include "sys.h"

/* 0 when @path is a file the caller may execute. */
static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		return -errno;
	}
	if (S_ISDIR(st.st_mode)) {
		return -EISDIR;
	}
	/* access alone lets root "execute" a file without any x bit on some file systems */
	if (!(st.st_mode & 0111)) {
		return -EACCES;
	}
	if (syscall(SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS) == 0) {
		return 0;
	}
	/* A seccomp profile older than the call: then execve() has the last word alone. */
	return errno == ENOSYS || errno == EPERM ? 0 : -errno;
}

static int direct(const char *name, char *out, size_t cap, struct fail *f)
{
	int rc = executable(name);

	if (rc == 0 && strlen(name) >= cap) {
		rc = -ENAMETOOLONG;
	}
	switch (rc) {
	case 0:
		snprintf(out, cap, "%s", name);
		return 0;
	case -EACCES:
	case -EPERM:
		return fail_kind(f, AP_FAIL_PERMISSION, "exec", rc, "exec: \"%s\": %s", name,
				 fail_errno_text(-rc));
	case -EISDIR:
		return fail_kind(f, AP_FAIL_PERMISSION, "exec", rc,
				 "exec: \"%s\": is a directory: permission denied", name);
	default:
		return fail_kind(f, AP_FAIL_NOT_FOUND, "exec", rc, "exec: \"%s\": stat %s: %s",
				 name, name, fail_errno_text(-rc));
	}
}

int lookup_exec(const char *name, const char *path_var, char *out, size_t cap, struct fail *f)
{
	const char *dir = path_var ? path_var : "";

	if (strchr(name, '/')) {
		return direct(name, out, cap, f);
	}
	while (*name && *dir) {
		size_t len = strcspn(dir, ":");
		int n = snprintf(out, cap, "%.*s/%s", len ? (int)len : 1, len ? dir : ".", name);

		if (n > 0 && (size_t)n < cap && executable(out) == 0) {
			return 0;
		}
		dir += len + (dir[len] == ':');
	}
	return fail_kind(f, AP_FAIL_NOT_FOUND, "exec", -ENOENT,
			 "exec: \"%s\": executable file not found in $PATH", name);
}

int lookup_exec_fail(const char *path, int rc, struct fail *f)
{
	uint32_t kind = AP_FAIL_SETUP;

	if (rc == -ENOENT || rc == -ENOTDIR) {
		kind = AP_FAIL_NOT_FOUND;
	} else if (rc == -EACCES || rc == -EPERM || rc == -ENOEXEC) {
		kind = AP_FAIL_PERMISSION;
	}
	return fail_kind(f, kind, "exec", rc, "exec %s: %s", path, fail_errno_text(-rc));
}

const char *lookup_env(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; *env; env++) {
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=') {
			return *env + len + 1;
		}
	}
	return NULL;
}

/* The @n-th colon-separated field of @line, cut out in place; NULL if there are fewer. */
static char *field(char *line, int n)
{
	while (n-- > 0) {
		line = strchr(line, ':');
		if (!line) {
			return NULL;
		}
		line++;
	}
	line[strcspn(line, ":\n")] = '\0';
	return line;
}

/* One passwd line: name:password:uid:gid:gecos:home:shell. The later field is cut first. */
static const char *home_of(char *line, uint32_t uid)
{
	char *home = field(line, 5);
	char *id = field(line, 2);
	char *end;
	unsigned long v;

	if (!home || !id || !*id) {
		return NULL;
	}
	v = strtoul(id, &end, 10);
	return *end == '\0' && v == uid && home[0] == '/' ? home : NULL;
}

void lookup_home(const char *passwd_path, uint32_t uid, char *out, size_t cap)
{
	char line[1024];
	FILE *f = NULL;
	struct stat st;
	int fd = open(passwd_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	snprintf(out, cap, "/");
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		f = fdopen(fd, "r");
	}
	if (!f) {
		sys_close(&fd);
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		const char *home = home_of(line, uid);

		if (home && strlen(home) < cap) {
			snprintf(out, cap, "%s", home);
			break;
		}
	}
	fclose(f);
}
