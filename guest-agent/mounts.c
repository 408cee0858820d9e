/* SPDX-License-Identifier: Apache-2.0 */
/* mounts.c - config.json's mounts, performed in the guest; see mounts.h */
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copyup.h"
#include "layout.h"
#include "path.h"
#include "self.h"
#include "sys.h"

struct flag_map {
	uint32_t ms;
	uint32_t attr;
};

static const struct flag_map attr_map[] = {
	{VA_MS_RDONLY, VA_ATTR_RDONLY},		{VA_MS_NOSUID, VA_ATTR_NOSUID},
	{VA_MS_NODEV, VA_ATTR_NODEV},		{VA_MS_NOEXEC, VA_ATTR_NOEXEC},
	{VA_MS_NOATIME, VA_ATTR_NOATIME},	{VA_MS_STRICTATIME, VA_ATTR_STRICTATIME},
	{VA_MS_NODIRATIME, VA_ATTR_NODIRATIME}, {VA_MS_NOSYMFOLLOW, VA_ATTR_NOSYMFOLLOW},
};

#define ATIME_FLAGS (VA_MS_NOATIME | VA_MS_STRICTATIME | VA_MS_RELATIME)

uint32_t mounts_attr(uint64_t ms_flags)
{
	uint32_t attr = 0;

	for (size_t i = 0; i < sizeof(attr_map) / sizeof(attr_map[0]); i++) {
		if (ms_flags & attr_map[i].ms) {
			attr |= attr_map[i].attr;
		}
	}
	/* noatime wins over strictatime as in mount(2); together they are no valid attribute */
	if (attr & VA_ATTR_NOATIME) {
		attr &= ~VA_ATTR_STRICTATIME;
	}
	return attr;
}

char *mounts_option_next(char **rest)
{
	char *option = *rest;
	char *to = option;
	char *from = option;

	if (!option) {
		return NULL;
	}
	while (*from && *from != ',') {
		if (from[0] == '\\' && from[1] == ',') {
			from++;
		}
		*to++ = *from++;
	}
	*rest = *from ? from + 1 : NULL;
	*to = '\0';
	return option;
}

/* --- new file systems ---------------------------------------------------------------------- */

/* What the kernel says about a refused option: "e tmpfs: Bad value for 'size'". */
static void fs_complaint(int fs, struct fail *f)
{
	char line[160];
	ssize_t n = read(fs, line, sizeof(line) - 1);
	size_t len = strlen(f->text);

	if (n > 2) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		snprintf(f->text + len, sizeof(f->text) - len, " (%s)", line + 2);
	}
}

static int fs_option(int fs, const char *type, char *option, struct fail *f)
{
	char *eq = strchr(option, '=');
	int rc;

	if (!*option) {
		return 0;
	}
	if (eq) {
		*eq = '\0';
	}
	rc = sys_fsconfig(fs, option, eq ? eq + 1 : NULL);
	if (rc < 0) {
		fail_set(f, "mount", rc, "option '%s' of file system '%s'", option, type);
		fs_complaint(fs, f);
	}
	return rc;
}

static int fs_options(int fs, const char *type, const char *data, struct fail *f)
{
	char *copy = data ? strdup(data) : NULL;
	char *rest = copy;
	char *option;
	int rc = 0;

	if (data && !copy) {
		return fail_set(f, "mount", -ENOMEM, "mount options");
	}
	while (rc == 0 && (option = mounts_option_next(&rest))) {
		rc = fs_option(fs, type, option, f);
	}
	free(copy);
	return rc;
}

/* Flags of mount(2) that belong to the super block. */
static int fs_sb_flags(int fs, uint64_t ms_flags)
{
	static const struct {
		uint32_t ms;
		const char *name;
	} map[] = {
		{VA_MS_SYNCHRONOUS, "sync"},
		{VA_MS_DIRSYNC, "dirsync"},
		{VA_MS_MANDLOCK, "mand"},
		{VA_MS_LAZYTIME, "lazytime"},
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]) && rc >= 0; i++) {
		if (ms_flags & map[i].ms) {
			rc = sys_fsconfig(fs, map[i].name, NULL);
		}
	}
	return rc;
}

int mounts_new_fs(const char *type, const char *source, const char *data, uint64_t ms_flags,
		  struct fail *f)
{
	int fs = sys_fsopen(type);
	int rc;

	if (fs < 0) {
		return fail_set(f, "mount", fs, "file system '%s'", type);
	}
	rc = source && *source ? sys_fsconfig(fs, "source", source) : 0;
	if (rc >= 0) {
		rc = fs_sb_flags(fs, ms_flags);
	}
	if (rc >= 0) {
		rc = fs_options(fs, type, data, f);
		if (rc < 0) {
			goto out;
		}
		rc = sys_fsconfig(fs, NULL, NULL);
	}
	if (rc >= 0) {
		rc = sys_fsmount(fs, mounts_attr(ms_flags));
	}
	if (rc < 0) {
		fail_set(f, "mount", rc, "file system '%s'", type);
		fs_complaint(fs, f);
	}
out:
	close(fs);
	return rc;
}

/* --- attaching ----------------------------------------------------------------------------- */

static bool fd_is_dir(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static int set_propagation(int mnt, const struct ap_mount *m)
{
	int rc = 0;

	for (uint32_t i = 0; i < m->n_propagation && rc >= 0; i++) {
		struct va_mount_attr attr = {.propagation = m->propagation[i] & ~VA_MS_REC};

		rc = sys_mount_setattr(mnt, &attr, (m->propagation[i] & VA_MS_REC) != 0);
	}
	return rc;
}

static int set_recursive(int mnt, const struct ap_mount *m)
{
	struct va_mount_attr attr = {.attr_set = m->attr_set, .attr_clr = m->attr_clear};

	return m->attr_set || m->attr_clear ? sys_mount_setattr(mnt, &attr, true) : 0;
}

/* A link to somewhere else in the image would get what is meant for /proc (CVE-2019-16884 and others). */
static int check_ordinary(int root, const struct ap_mount *m, struct fail *f)
{
	int fd = sys_openat2(root, m->dest, VA_O_PATH | O_NOFOLLOW, VA_RESOLVE_IN_ROOT);
	bool bad = fd >= 0 && !fd_is_dir(fd);

	sys_close(&fd);
	return bad ? fail_kind(f, AP_FAIL_SETUP, "mount", -EINVAL,
			       "mount destination '%s': filesystem \"%s\" must be mounted on "
			       "ordinary directory",
			       m->dest, m->type)
		   : 0;
}

/* Attach the detached mount @mnt at @m's destination. */
static int attach(int root, int mnt, const struct ap_mount *m, struct fail *f)
{
	bool is_dir = fd_is_dir(mnt);
	int target;
	int rc;

	if ((strcmp(m->type, "proc") == 0 || strcmp(m->type, "sysfs") == 0) &&
	    (rc = check_ordinary(root, m, f))) {
		return rc;
	}
	target = path_make(root, m->dest, is_dir);
	if (target < 0) {
		return fail_set(f, "mount", target, "mount destination '%s'", m->dest);
	}
	if ((m->flags & AP_M_TMPCOPYUP) && is_dir) {
		rc = copyup_tree(target, mnt);
		if (rc) {
			close(target);
			return fail_set(f, "mount", rc, "tmpcopyup of '%s'", m->dest);
		}
	}
	rc = set_recursive(mnt, m);
	if (rc >= 0) {
		rc = sys_move_mount(mnt, target);
	}
	close(target);
	if (rc >= 0) {
		rc = set_propagation(mnt, m);
	}
	return rc < 0 ? fail_set(f, "mount", rc, "mount '%s' of type '%s'", m->dest, m->type) : 0;
}

/* --- kinds of mounts ----------------------------------------------------------------------- */

static int bind_attrs(int mnt, const struct ap_mount *m)
{
	struct va_mount_attr attr = {.attr_set = mounts_attr(m->ms_flags),
				     .attr_clr = mounts_attr(m->ms_clear & ~m->ms_flags)};

	if ((m->ms_flags | m->ms_clear) & ATIME_FLAGS) {
		attr.attr_clr |= VA_ATTR__ATIME;
	}
	return attr.attr_set || attr.attr_clr ? sys_mount_setattr(mnt, &attr, false) : 0;
}

static int bind_source(const struct ap_mount *m, struct fail *f)
{
	bool recursive = (m->ms_flags & VA_MS_REC) != 0;
	char path[64];
	int mnt;

	if (m->share == AP_NO_SHARE) {
		mnt = m->source ? sys_open_tree(-1, m->source, recursive) : -EINVAL;
		return mnt < 0 ? fail_set(f, "mount", mnt, "bind source '%s'",
					  m->source ? m->source : "")
			       : mnt;
	}
	snprintf(path, sizeof(path), LAYOUT_BIND_FMT, m->share);
	mnt = sys_open_tree(-1, path, recursive);
	return mnt < 0 ? fail_set(f, "mount", mnt, "shared source of '%s'", m->dest) : mnt;
}

static int open_bind(const struct ap_mount *m, struct fail *f)
{
	int mnt = bind_source(m, f);
	int rc;

	if (mnt < 0) {
		return mnt;
	}
	rc = bind_attrs(mnt, m);
	if (rc < 0) {
		close(mnt);
		return fail_set(f, "mount", rc, "flags of '%s'", m->dest);
	}
	return mnt;
}

/* A copy of something the agent has mounted itself, with the flags of @m. */
static int open_own(const char *path, const struct ap_mount *m, struct fail *f)
{
	struct ap_mount bind = *m;

	bind.share = AP_NO_SHARE;
	bind.source = path;
	bind.ms_flags |= VA_MS_REC;
	return open_bind(&bind, f);
}

static int open_cgroup(const struct ap_mount *m, uint32_t ns, struct fail *f)
{
	char path[64];

	if (ns & AP_NS_CGROUP) {
		return mounts_new_fs("cgroup2", "cgroup", NULL, m->ms_flags, f);
	}
	snprintf(path, sizeof(path), LAYOUT_CGROUP "/%s", self_cgroup());
	return open_own(path, m, f);
}

/*
 * sysfs belongs to the network namespace, which is the container's own where it has a user namespace. In
 * one the kernel allows only what hides no more than the mount there is already: other options get that one.
 */
static int open_sysfs(const struct ap_mount *m, uint32_t ns, struct fail *f)
{
	struct fail first = {0};
	int fd = mounts_new_fs("sysfs", "sysfs", m->data, m->ms_flags, &first);

	if (fd == -EPERM && (ns & AP_NS_USER)) {
		return open_own("/sys", m, f);
	}
	if (fd < 0) {
		*f = first;
	}
	return fd;
}

static bool has_mode(const char *data)
{
	while (data && strncmp(data, "mode=", 5) != 0) {
		data = strchr(data, ',');
		data = data ? data + 1 : NULL;
	}
	return data != NULL;
}

/* Like runc: without a mode of its own it has that of the directory it covers. */
static int open_tmpfs(int root, const struct ap_mount *m, struct fail *f)
{
	uint64_t ms_flags = m->ms_flags & ~(uint64_t)VA_MS_RDONLY; /* see mounts_seal() */
	int covered = has_mode(m->data) ? -1 : path_open(root, m->dest);
	char *data = NULL;
	struct stat st;
	int rc;

	if (covered >= 0 && fstat(covered, &st) == 0 && S_ISDIR(st.st_mode) &&
	    asprintf(&data, "mode=%o%s%s", st.st_mode & 07777, m->data ? "," : "",
		     m->data ? m->data : "") < 0) {
		data = NULL;
	}
	sys_close(&covered);
	rc = mounts_new_fs(m->type, m->source, data ? data : m->data, ms_flags, f);
	free(data);
	return rc;
}

/* A group that the user namespace doesn't have: then terminals have the one of whoever opens them. */
static int open_devpts(const struct ap_mount *m, uint32_t ns, struct fail *f)
{
	struct fail first = {0};
	int fd = mounts_new_fs(m->type, m->source, m->data, m->ms_flags, &first);
	char *copy = fd == -EINVAL && (ns & AP_NS_USER) && m->data ? strdup(m->data) : NULL;
	char *gid = copy;

	while (gid && strncmp(gid, "gid=", 4) != 0) {
		gid = strchr(gid, ',');
		gid = gid ? gid + 1 : NULL;
	}
	if (gid) {
		size_t len = strcspn(gid, ",");

		memmove(gid, gid + len, strlen(gid + len) + 1); /* an empty option is none */
		fd = mounts_new_fs(m->type, m->source, copy, m->ms_flags, &first);
	}
	free(copy);
	if (fd < 0) {
		*f = first;
	}
	return fd;
}

static int open_mount(int root, const struct ap_mount *m, uint32_t ns, struct fail *f)
{
	if (strcmp(m->type, "bind") == 0 || (m->ms_flags & VA_MS_BIND)) {
		return open_bind(m, f);
	}
	if (strcmp(m->type, "cgroup") == 0 || strcmp(m->type, "cgroup2") == 0) {
		return open_cgroup(m, ns, f);
	}
	if (strcmp(m->type, "sysfs") == 0) {
		return open_sysfs(m, ns, f);
	}
	if (strcmp(m->type, "devpts") == 0) {
		return open_devpts(m, ns, f);
	}
	if (strcmp(m->type, "tmpfs") == 0) {
		return open_tmpfs(root, m, f);
	}
	return mounts_new_fs(m->type, m->source, m->data, m->ms_flags, f);
}

/* A bind of a symbolic link that is to stay one. */
static int make_link(int root, const struct ap_mount *m, struct fail *f)
{
	char there[PATH_MAX];
	const char *name;
	int dir = path_parent(root, m->dest, &name);
	ssize_t n;
	int rc;

	if (dir < 0) {
		return fail_set(f, "mount", dir, "mount destination '%s'", m->dest);
	}
	rc = m->source ? sys_rc(symlinkat(m->source, dir, name)) : -EINVAL;
	if (rc == -EEXIST) {
		n = readlinkat(dir, name, there, sizeof(there) - 1);
		there[n > 0 ? n : 0] = '\0';
		rc = n > 0 && strcmp(there, m->source) == 0 ? 0 : rc;
	}
	close(dir);
	return rc < 0 ? fail_set(f, "mount", rc, "symbolic link '%s'", m->dest) : 0;
}

/* Mounts that become read-only when nothing has to be made in them any more. */
static int unsealed[AP_MAX_MOUNTS];
static uint32_t n_unsealed;

int mounts_apply(int root, const struct ap_mount *m, uint32_t ns, struct fail *f)
{
	int mnt;
	int rc;

	if (m->flags & AP_M_SYMLINK) {
		return make_link(root, m, f);
	}
	mnt = open_mount(root, m, ns, f);
	if (mnt < 0) {
		return mnt;
	}
	rc = attach(root, mnt, m, f);
	if (rc == 0 && strcmp(m->type, "tmpfs") == 0 && (m->ms_flags & VA_MS_RDONLY) &&
	    n_unsealed < AP_MAX_MOUNTS) {
		unsealed[n_unsealed++] = mnt;
		return 0;
	}
	close(mnt);
	return rc;
}

int mounts_seal(struct fail *f)
{
	struct va_mount_attr rdonly = {.attr_set = VA_ATTR_RDONLY};
	int rc = 0;

	while (n_unsealed > 0) {
		int mnt = unsealed[--n_unsealed];

		rc = rc < 0 ? rc : sys_mount_setattr(mnt, &rdonly, false);
		close(mnt);
	}
	return rc < 0 ? fail_set(f, "mount", rc, "make a tmpfs read-only") : 0;
}
