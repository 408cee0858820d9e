/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_mounts.c - which hierarchies exist, where they are, and where we are in them
 *
 * Version 2 is recognised by the file system at /sys/fs/cgroup, as all tools do. A
 * machine with a version 2 hierarchy somewhere below (systemd's "hybrid" layout) keeps
 * its controllers in version 1, and that is what counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fdio.h"
#include "sandbox/cgroup_internal.h"

#define CGROUP_ROOT   "/sys/fs/cgroup"
#define PROC_FILE_MAX (4u * 1024u * 1024u) /* mountinfo of a host with thousands of mounts */

bool cg_word_in(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list != '\0') {
		size_t span = strcspn(list, " ,\n");

		if (span == len && strncmp(list, word, len) == 0) {
			return true;
		}
		list += span;
		list += strspn(list, " ,\n");
	}
	return false;
}

bool cg_has_controller(const struct cg_hierarchy *h, const char *name)
{
	return cg_word_in(h->controllers, name);
}

static bool copy(char *out, size_t cap, const char *s)
{
	return s && (size_t)snprintf(out, cap, "%s", s) < cap;
}

/* Version 1 super options: flags, then the controllers, e.g. "rw,cpu,cpuacct". */
static bool copy_controllers(struct cg_hierarchy *h, char *options)
{
	static const char *const flags[] = {"rw",	"ro", "xattr", "clone_children",
					    "noprefix", NULL};
	size_t used = 0;
	char *save;
	char *word;

	h->controllers[0] = '\0';
	for (word = strtok_r(options, ",\n", &save); word; word = strtok_r(NULL, ",\n", &save)) {
		bool flag = strncmp(word, "release_agent=", 14) == 0;
		size_t i;
		int n;

		for (i = 0; flags[i] && !flag; i++) {
			flag = strcmp(word, flags[i]) == 0;
		}
		if (flag) {
			continue;
		}
		n = snprintf(h->controllers + used, sizeof(h->controllers) - used, "%s%s",
			     used > 0 ? "," : "", word);
		used += (size_t)n;
		if (used >= sizeof(h->controllers)) {
			return false;
		}
	}
	return used > 0;
}

/*
 * One line of mountinfo, proc(5):
 *   36 35 98:0 /root /mount/point options [optional...] - type source super-options
 * Blanks in paths are octal escapes; a hierarchy at such a place is passed over.
 */
static bool parse_mount(char *line, struct cg_hierarchy *h)
{
	char *tail = strstr(line, " - ");
	char *save;
	char *root = NULL;
	char *mount_point = NULL;
	char *options;
	char *word;
	int i;

	if (!tail || strncmp(tail, " - cgroup ", 10) != 0) {
		return false;
	}
	*tail = '\0';
	word = strtok_r(line, " ", &save);
	for (i = 0; word && i < 5; i++) {
		root = i == 3 ? word : root;
		mount_point = i == 4 ? word : mount_point;
		word = strtok_r(NULL, " ", &save);
	}
	options = strrchr(tail + 3, ' ');
	if (!options || !copy(h->root, sizeof(h->root), root) ||
	    !copy(h->mount, sizeof(h->mount), mount_point) || strchr(h->mount, '\\')) {
		return false;
	}
	return copy_controllers(h, options + 1);
}

static bool known(const struct cg_table *t, const struct cg_hierarchy *h)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		if (strcmp(t->h[i].controllers, h->controllers) == 0) {
			return true; /* mounted a second time somewhere */
		}
	}
	return false;
}

static int load_v1(struct cg_table *t)
{
	vr_autofree char *text = NULL;
	char *save;
	char *line;
	size_t len;
	int ret = vr_read_file(AT_FDCWD, "/proc/self/mountinfo", PROC_FILE_MAX, &text, &len);

	if (ret < 0) {
		return ret;
	}
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct cg_hierarchy h;

		if (t->n < CG_HIERARCHIES_MAX && parse_mount(line, &h) && !known(t, &h)) {
			t->h[t->n++] = h;
		}
	}
	t->mode = t->n > 0 ? SBX_CGROUP_V1 : SBX_CGROUP_NONE;
	return t->n > 0 ? 0 : -ENOENT;
}

int cg_table_load(struct cg_table *t)
{
	struct statfs sfs;

	t->n = 0;
	t->mode = SBX_CGROUP_NONE;
	if (statfs(CGROUP_ROOT, &sfs) == 0 && sfs.f_type == CGROUP2_SUPER_MAGIC) {
		t->mode = SBX_CGROUP_V2;
		t->h[0] = (struct cg_hierarchy){.mount = CGROUP_ROOT, .root = "/"};
		t->n = 1;
		return 0;
	}
	return load_v1(t);
}

int cg_load(struct cg_table *t, struct vr_err *err)
{
	int ret = cg_table_load(t);

	return ret < 0 ? vr_err_sys(err, ret, "find the cgroup file systems") : 0;
}

enum sbx_cgroup_mode sbx_cgroup_mode(void)
{
	struct cg_table t;

	return cg_table_load(&t) < 0 ? SBX_CGROUP_NONE : t.mode;
}

/* What a mount shows is relative to its root: take that prefix off. */
static const char *below_root(const char *path, const char *root)
{
	size_t len = strlen(root);

	if (strcmp(root, "/") != 0 && strncmp(path, root, len) == 0 &&
	    (path[len] == '/' || path[len] == '\0')) {
		return path[len] == '\0' ? "/" : path + len;
	}
	return path;
}

/* @file: /proc/PID/cgroup */
static int path_in_file(const char *file, const struct cg_table *t, const struct cg_hierarchy *h,
			char *out, size_t cap)
{
	vr_autofree char *text = NULL;
	char *save;
	char *line;
	size_t len;
	int ret = vr_read_file(AT_FDCWD, file, PROC_FILE_MAX, &text, &len);

	if (ret < 0) {
		return ret;
	}
	/* Each line is "number:controllers:path"; version 2's has no controllers. */
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		const char *want = t->mode == SBX_CGROUP_V2 ? "" : h->controllers;

		if (!path) {
			continue;
		}
		*path++ = '\0';
		if (strcmp(controllers + 1, want) != 0) {
			continue;
		}
		return copy(out, cap, below_root(path, h->root)) ? 0 : -ENAMETOOLONG;
	}
	return -ENOENT;
}

int cg_own_path(const struct cg_table *t, const struct cg_hierarchy *h, char *out, size_t cap)
{
	return path_in_file("/proc/self/cgroup", t, h, out, cap);
}

int cg_pid_path(pid_t pid, const struct cg_table *t, const struct cg_hierarchy *h, char *out,
		size_t cap)
{
	char file[64];

	(void)snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid); /* fits */
	return path_in_file(file, t, h, out, cap);
}

bool cg_is_within(const char *path, const char *top)
{
	size_t len = strlen(top);

	return strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

int cg_open(const struct cg_hierarchy *h, const char *path)
{
	char full[CG_MOUNT_MAX + SBX_CGROUP_PATH_MAX];
	int fd;

	if ((size_t)snprintf(full, sizeof(full), "%s%s", h->mount, path) >= sizeof(full)) {
		return -ENAMETOOLONG;
	}
	fd = open(full, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int cg_write(int dir, const char *file, const char *value)
{
	vr_autoclose int fd = openat(dir, file, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		return -errno;
	}
	return vr_write_full(fd, value, strlen(value));
}

int cg_read(int dir, const char *file, char *out, size_t cap)
{
	vr_autoclose int fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	if (fd < 0) {
		return -errno;
	}
	n = vr_read_full(fd, out, cap - 1);
	if (n < 0) {
		return (int)n;
	}
	out[n] = '\0';
	return 0;
}
