/* SPDX-License-Identifier: Apache-2.0 */
/* devices.c - nodes and links in the container's /dev; see devices.h */
#include "devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "layout.h"
#include "path.h"
#include "sys.h"

/* What every container has (the runtime specification's default devices). */
static const struct ap_device defaults[] = {
	{"/dev/null", 'c', 1, 3, 0666, 0, 0},	{"/dev/zero", 'c', 1, 5, 0666, 0, 0},
	{"/dev/full", 'c', 1, 7, 0666, 0, 0},	{"/dev/tty", 'c', 5, 0, 0666, 0, 0},
	{"/dev/random", 'c', 1, 8, 0666, 0, 0}, {"/dev/urandom", 'c', 1, 9, 0666, 0, 0},
};
#define N_DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

static const struct {
	const char *target;
	const char *path;
} links[] = {
	{"/proc/self/fd", "/dev/fd"},	    {"/proc/self/fd/0", "/dev/stdin"},
	{"/proc/self/fd/1", "/dev/stdout"}, {"/proc/self/fd/2", "/dev/stderr"},
	{"/proc/kcore", "/dev/core"},
};

/* Disks of the machine, by the number in their serial; 0 where there is none. */
#define MAX_DISKS 16u
static dev_t disks[MAX_DISKS];

static bool sysfs_text(const char *disk, const char *file, char *buf, size_t cap)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/%s/%s", disk, file);
	if (sys_read_file(-1, path, buf, cap) <= 0) {
		return false;
	}
	buf[strcspn(buf, "\n")] = '\0';
	return true;
}

/* Numbers of the disk with serial "volt-@index": the order of probing need not be ours. */
static dev_t disk_find(uint32_t index)
{
	char want[24];
	char name[8] = "vda";
	char text[64];
	unsigned major_nr, minor_nr;

	snprintf(want, sizeof(want), "volt-%u", index);
	for (unsigned i = 0; i < MAX_DISKS; i++) {
		name[2] = (char)('a' + i);
		if (sysfs_text(name, "serial", text, sizeof(text)) && strcmp(text, want) == 0 &&
		    sysfs_text(name, "dev", text, sizeof(text)) &&
		    sscanf(text, "%u:%u", &major_nr, &minor_nr) == 2) {
			return makedev(major_nr, minor_nr);
		}
	}
	return 0;
}

static dev_t dev_of(const struct ap_device *d)
{
	if (d->type == 'b' && d->major == AP_DEV_DISK) {
		return d->minor < MAX_DISKS ? disks[d->minor] : 0;
	}
	return makedev(d->major, d->minor);
}

static mode_t node_type(const struct ap_device *d)
{
	return d->type == 'c' ? S_IFCHR : d->type == 'b' ? S_IFBLK : S_IFIFO;
}

static int make_node(int dir, const char *name, const struct ap_device *d)
{
	if (mknodat(dir, name, node_type(d) | d->mode, dev_of(d)) < 0 ||
	    fchmodat(dir, name, d->mode, 0) < 0 ||
	    fchownat(dir, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0) {
		return -errno;
	}
	return 0;
}

/* --- in the agent -------------------------------------------------------------------------- */

static int stage_one(int dir, size_t i, const struct ap_device *d)
{
	char name[16];

	snprintf(name, sizeof(name), "%zu", i);
	(void)unlinkat(dir, name, 0); /* of an earlier, failed create */
	return make_node(dir, name, d);
}

int devices_stage(const struct ap_container *c, struct fail *f)
{
	int dir = sys_rc(open(LAYOUT_NODES, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int rc = dir < 0 ? dir : 0;

	for (size_t i = 0; i < N_DEFAULTS && rc == 0; i++) {
		rc = stage_one(dir, i, &defaults[i]);
	}
	for (uint32_t i = 0; i < c->n_devices && rc == 0; i++) {
		const struct ap_device *d = &c->devices[i];

		if (d->type == 'b' && d->major == AP_DEV_DISK && d->minor < MAX_DISKS) {
			disks[d->minor] = disk_find(d->minor);
		}
		if (d->type == 'b' && dev_of(d) == 0) {
			rc = fail_set(f, "devices", -ENODEV, "disk for '%s'", d->path);
			goto out;
		}
		rc = stage_one(dir, N_DEFAULTS + i, &c->devices[i]);
		if (rc) {
			fail_set(f, "devices", rc, "device node '%s'", c->devices[i].path);
			goto out;
		}
	}
	if (rc) {
		fail_set(f, "devices", rc, "default device nodes");
	}
out:
	sys_close(&dir);
	return rc;
}

/* --- in the container's child -------------------------------------------------------------- */

static int bind_node(int root, const struct ap_device *d, size_t i)
{
	char path[64];
	int target = path_make(root, d->path, false);
	int mnt;
	int rc;

	if (target < 0) {
		return target;
	}
	snprintf(path, sizeof(path), LAYOUT_NODES "/%zu", i);
	mnt = sys_open_tree(-1, path, false);
	rc = mnt < 0 ? mnt : sys_move_mount(mnt, target);
	sys_close(&mnt);
	close(target);
	return rc < 0 ? rc : 0;
}

/* Is there already exactly this node? */
static bool same_node(int dir, const char *name, const struct ap_device *d)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (st.st_mode & S_IFMT) == node_type(d) && (d->type == 'p' || st.st_rdev == dev_of(d));
}

static int place_node(int root, const struct ap_device *d, size_t i)
{
	const char *name;
	int dir = path_parent(root, d->path, &name);
	int rc;

	if (dir < 0) {
		return dir;
	}
	rc = make_node(dir, name, d);
	if (rc == -EEXIST && same_node(dir, name, d)) {
		rc = 0;
	}
	close(dir);
	if (rc == -EPERM || rc == -EACCES || rc == -EEXIST || rc == -EROFS || rc == -ENODEV) {
		rc = bind_node(root, d, i);
	}
	return rc;
}

static int place_link(int root, const char *target, const char *path)
{
	const char *name;
	int dir = path_parent(root, path, &name);
	int rc;

	if (dir < 0) {
		return dir;
	}
	rc = symlinkat(target, dir, name) < 0 ? -errno : 0;
	close(dir);
	return rc == -EEXIST || rc == -EROFS ? 0 : rc;
}

/* The container's own pty multiplexer, whatever the image has in its place. */
static int place_ptmx(int root)
{
	const char *name;
	int dir = path_parent(root, "/dev/ptmx", &name);
	int rc;

	if (dir < 0) {
		return dir;
	}
	(void)unlinkat(dir, name, 0); /* absent is fine */
	rc = symlinkat("pts/ptmx", dir, name) < 0 ? -errno : 0;
	close(dir);
	return rc == -EEXIST || rc == -EROFS ? 0 : rc;
}

static bool skipped(const struct ap_device *d)
{
	return strcmp(d->path, "/dev/ptmx") == 0 || strcmp(d->path, "/dev/pts/ptmx") == 0;
}

int devices_populate(int root, const struct ap_container *c, struct fail *f)
{
	int rc = 0;

	for (size_t i = 0; i < N_DEFAULTS && rc == 0; i++) {
		rc = place_node(root, &defaults[i], i);
		if (rc) {
			return fail_set(f, "devices", rc, "device node '%s'", defaults[i].path);
		}
	}
	for (uint32_t i = 0; i < c->n_devices && rc == 0; i++) {
		rc = skipped(&c->devices[i]) ? 0 : place_node(root, &c->devices[i], N_DEFAULTS + i);
		if (rc) {
			return fail_set(f, "devices", rc, "device node '%s'", c->devices[i].path);
		}
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]) && rc == 0; i++) {
		rc = place_link(root, links[i].target, links[i].path);
	}
	if (rc == 0) {
		rc = place_ptmx(root);
	}
	return rc ? fail_set(f, "devices", rc, "links in /dev") : 0;
}

int devices_stdnull(void)
{
	return sys_rc(open("/dev/null", O_RDWR | O_CLOEXEC));
}
