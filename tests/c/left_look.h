/* SPDX-License-Identifier: Apache-2.0 */
/*
 * left_look.h - what a role is left with, as /proc has it of its process or thread
 *
 * Each left_*() writes a word or two, as docs/SANDBOX.md is to have it, into LEFT_CELL bytes.
 * Who looks has the caller's rights, and didn't enter any stage.
 */
#ifndef TESTS_C_LEFT_LOOK_H
#define TESTS_C_LEFT_LOOK_H

#include "sbx_child.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "oci/names.h"
#include "sandbox/caps.h"

enum role {
	SHIM,
	VMM,
	VCPU,
	FS,
	NET,
	PROXY,
	FREE, /* none: shows that what is read can differ */
	ROLES,
};

static const char *const role_names[ROLES] = {"shim", "vmm", "vcpu", "fs", "net", "proxy", "free"};

#define LEFT_CELL 160u

/* What a role finds out by itself, see try_all(). */
enum trial {
	TRY_FILES,
	TRY_TCP,
	TRY_SOCKETS,
	TRY_CODE,
	TRIALS,
};

/* struct place - a role to be looked at; @dir of its process or thread in /proc */
struct place {
	enum role role;
	pid_t pid;
	char dir[64];
	char tried[TRIALS][LEFT_CELL];
};

/* ---- from outside ---- */

static inline size_t left_read_file(const struct place *p, const char *name, char *out, size_t cap)
{
	char path[96];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, out, cap - 1);
	(void)close(fd);
	out[n < 0 ? 0 : n] = '\0';
	return n < 0 ? 0 : (size_t)n;
}

/* Behind "@key:" in its status; "" without such a line. */
static const char *left_status_of(const struct place *p, const char *key, char *text, size_t cap)
{
	char *at;

	(void)left_read_file(p, "status", text, cap);
	at = strstr(text, key);
	return at ? at + strlen(key) : "";
}

static inline bool left_same_file(const struct place *p, const char *name, const char *ours)
{
	char path[96];
	struct stat a, b;

	(void)snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	return stat(path, &a) == 0 && stat(ours, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* Return: names in its root but those of a tree of shares; -1 when there are these, too */
static inline int left_names_in_root(const struct place *p)
{
	bool shares = false;
	struct dirent *e;
	char path[96];
	int n = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/root", p->dir);
	d = opendir(path);
	while (d && (e = readdir(d)) != NULL) {
		bool share = strcmp(e->d_name, "rootfs") == 0 || strcmp(e->d_name, "mounts") == 0;

		shares |= share;
		n += !share && e->d_name[0] != '.';
	}
	(void)closedir(d);
	return n == 0 && shares ? -1 : n;
}

static inline void left_root(const struct place *p, char *out)
{
	char text[8192];
	const char *line;
	int names;

	if (left_same_file(p, "root", "/")) {
		(void)snprintf(out, LEFT_CELL, "the caller's");
		return;
	}
	(void)left_read_file(p, "mountinfo", text, sizeof(text));
	line = strstr(text, " / / ro,nosuid,nodev,noexec");
	names = left_names_in_root(p);
	if (!line || names > 0) {
		(void)snprintf(out, LEFT_CELL, "the container's root");
	} else if (names < 0) {
		(void)snprintf(out, LEFT_CELL, "the shares, in a read-only tmpfs");
	} else {
		bool alone = strchr(text, '\n') && !strchr(strchr(text, '\n') + 1, '\n');

		(void)snprintf(out, LEFT_CELL, "nothing: an empty, read-only tmpfs%s",
			       alone ? "" : ", and more mounts");
	}
}

static inline void left_namespaces(const struct place *p, char *out)
{
	static const char *const names[] = {"cgroup", "ipc",  "mnt",  "net",
					    "pid",    "time", "user", "uts"};
	size_t used = 0;

	(void)snprintf(out, LEFT_CELL, "none");
	for (size_t i = 0; i < VR_ARRAY_SIZE(names); i++) {
		char name[16], ours[32];

		(void)snprintf(name, sizeof(name), "ns/%s", names[i]);
		(void)snprintf(ours, sizeof(ours), "/proc/self/ns/%s", names[i]);
		if (!left_same_file(p, name, ours)) {
			used += (size_t)snprintf(out + used, LEFT_CELL - used, "%s%s",
						 used ? ", " : "", names[i]);
		}
	}
	if (p->role == SHIM && !left_same_file(p, "ns/mnt", "/proc/self/ns/mnt")) {
		(void)snprintf(out, LEFT_CELL, "mnt, and those of config.json");
	}
}

static inline void left_user(const struct place *p, char *out)
{
	static const char *const keys[] = {"\nUid:", "\nGid:"};
	unsigned own = 0, ours = 0;
	char text[8192];

	for (size_t i = 0; i < VR_ARRAY_SIZE(keys); i++) {
		unsigned us = i == 0 ? geteuid() : getegid();
		unsigned v[4] = {0};

		(void)sscanf(left_status_of(p, keys[i], text, sizeof(text)), "%u %u %u %u", &v[0],
			     &v[1], &v[2], &v[3]);
		for (unsigned k = 0; k < 4; k++) {
			own += v[k] >= 0x70000000u && v[k] == v[0];
			ours += v[k] == us;
		}
	}
	(void)snprintf(out, LEFT_CELL, "%s",
		       own == 8	   ? "one of its own"
		       : ours == 8 ? "the caller's"
				   : "a mixture");
}

static inline void left_groups(const struct place *p, char *out)
{
	char text[8192];
	const char *list = left_status_of(p, "\nGroups:", text, sizeof(text));

	(void)snprintf(out, LEFT_CELL, "%s",
		       list[strcspn(list, "0123456789\n")] == '\n' ? "none" : "the caller's");
}

static inline void left_caps(const struct place *p, char *out)
{
	static const char *const keys[] = {
		"\nCapPrm:", "\nCapEff:", "\nCapBnd:", "\nCapInh:", "\nCapAmb:"};
	uint64_t sets[VR_ARRAY_SIZE(keys)];
	char text[8192];
	size_t used = 0;

	for (size_t i = 0; i < VR_ARRAY_SIZE(keys); i++) {
		sets[i] = strtoull(left_status_of(p, keys[i], text, sizeof(text)), NULL, 16);
	}
	if (sets[0] != sets[1] || sets[0] != sets[2] || sets[3] != 0 || sets[4] != 0) {
		(void)snprintf(out, LEFT_CELL, "not the same in all sets");
		return;
	}
	(void)snprintf(out, LEFT_CELL, "none");
	for (int cap = 0; cap < 64; cap++) {
		const char *name = oci_name_of(oci_cap_names, cap);

		if (sets[0] >> cap & 1 && used < LEFT_CELL) {
			used += (size_t)snprintf(out + used, LEFT_CELL - used, "%s%s",
						 used ? ", " : "",
						 name ? name + strlen("CAP_") : "?");
		}
	}
	for (char *c = used ? out : ""; *c; c++) {
		*c = (char)tolower((unsigned char)*c);
	}
}

static inline void left_new_privs(const struct place *p, char *out)
{
	char text[8192];

	(void)snprintf(out, LEFT_CELL, "%s",
		       atoi(left_status_of(p, "\nNoNewPrivs:", text, sizeof(text))) == 1 ? "yes"
											 : "no");
}

/* Those that we are under ourselves came from elsewhere. */
static inline void left_filters(const struct place *p, char *out)
{
	const struct place us = {.dir = "/proc/self"};
	char text[8192];
	int theirs = atoi(left_status_of(p, "\nSeccomp_filters:", text, sizeof(text)));
	int ours = atoi(left_status_of(&us, "\nSeccomp_filters:", text, sizeof(text)));

	(void)snprintf(out, LEFT_CELL, "%d", theirs - ours);
}

/* As somebody with its user and its capabilities, who isn't it: may it be read or traced? */
static inline int left_look_closely(void *arg)
{
	const struct place *p = arg;
	int caps[64], n = 0;
	char text[8192], path[96];
	uint64_t set = strtoull(left_status_of(p, "\nCapPrm:", text, sizeof(text)), NULL, 16);
	unsigned uid = (unsigned)atoi(left_status_of(p, "\nUid:", text, sizeof(text)));

	for (int cap = 0; cap < 64; cap++) {
		if (set >> cap & 1) {
			caps[n++] = cap;
		}
	}
	if (uid != geteuid()) {
		CHECK(sbx_become(uid) == 0);
	}
	CHECK(sbx_caps_keep(caps, (size_t)n) == 0);
	(void)snprintf(path, sizeof(path), "%s/ns/net", p->dir);
	return readlink(path, text, sizeof(text)) > 0 ? 0 : 2;
}

static inline void left_dumpable(const struct place *p, char *out)
{
	int status = child_run(left_look_closely, (void *)p);

	(void)snprintf(out, LEFT_CELL, "%s",
		       status == 0		  ? "yes"
		       : WEXITSTATUS(status) == 2 ? "no"
						  : "?");
}

/* Return: the hard limit; "" when there is none of that name */
static inline const char *left_limit(const struct place *p, const char *name, char *value)
{
	char text[8192];
	const char *at;

	(void)left_read_file(p, "limits", text, sizeof(text));
	at = strstr(text, name);
	value[0] = '\0';
	if (at) {
		(void)sscanf(at + strlen(name), "%*s %31s", value);
	}
	return value;
}

static inline void left_limits(const struct place *p, char *out)
{
	static const char *const names[] = {"Max locked memory", "Max msgqueue size",
					    "Max realtime priority", "Max nice priority"};
	char value[32];
	bool none = strcmp(left_limit(p, "Max core file size", value), "1") == 0;

	for (size_t i = 0; i < VR_ARRAY_SIZE(names); i++) {
		none = none && strcmp(left_limit(p, names[i], value), "0") == 0;
	}
	(void)snprintf(out, LEFT_CELL, "%s", none ? "none" : "some");
}

static inline void left_nofile(const struct place *p, char *out)
{
	const struct place us = {.dir = "/proc/self"};
	char theirs[32], ours[32];

	(void)left_limit(p, "Max open files", theirs);
	(void)snprintf(out, LEFT_CELL, "%s",
		       strcmp(theirs, left_limit(&us, "Max open files", ours)) == 0
			       ? "as the caller"
			       : theirs);
}

static inline void left_environment(const struct place *p, char *out)
{
	static char text[65536];
	size_t n = left_read_file(p, "environ", text, sizeof(text));

	(void)snprintf(out, LEFT_CELL, "empty");
	for (size_t i = 0; i < n; i++) {
		if (text[i] != '\0') {
			(void)snprintf(out, LEFT_CELL, "not empty");
		}
	}
}

#endif /* TESTS_C_LEFT_LOOK_H */
