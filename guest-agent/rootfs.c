/* SPDX-License-Identifier: Apache-2.0 */
/* rootfs.c - from the agent's root to the container's; see rootfs.h */
#include "rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "devices.h"
#include "layout.h"
#include "mounts.h"
#include "path.h"
#include "sys.h"

/* Nothing we mount may travel to the agent's namespace, nor the other way. */
static int make_private(struct fail *f)
{
	struct va_mount_attr attr = {.propagation = VA_MS_PRIVATE};
	int fd = sys_rc(open("/", VA_O_PATH | O_CLOEXEC));
	int rc = fd < 0 ? fd : sys_mount_setattr(fd, &attr, true);

	sys_close(&fd);
	return rc < 0 ? fail_set(f, "rootfs", rc, "private mounts") : 0;
}

static int attach_root(const struct ap_container *c, struct fail *f)
{
	const char *path = c->rootfs ? c->rootfs : LAYOUT_ROOTFS;
	int mnt = sys_open_tree(-1, path, true);
	int at = -1;
	int rc = mnt;

	if (mnt >= 0) {
		at = sys_rc(open(LAYOUT_ROOT_MOUNT, VA_O_PATH | O_DIRECTORY | O_CLOEXEC));
		rc = at < 0 ? at : sys_move_mount(mnt, at);
		sys_close(&at);
	}
	if (rc < 0) {
		sys_close(&mnt);
		return fail_set(f, "rootfs", rc, "root file system '%s'", path);
	}
	return mnt;
}

/* Is another mount than the root there, of files of the host? However the configuration named the place. */
static bool dev_is_shared(int root)
{
	int fd = sys_openat2(root, "/dev", VA_O_PATH, VA_RESOLVE_IN_ROOT | VA_RESOLVE_NO_XDEV);
	bool crosses = fd == -EXDEV;
	struct statfs sf;
	bool shared;

	sys_close(&fd);
	if (!crosses) {
		return false;
	}
	fd = path_open(root, "/dev");
	shared = fd >= 0 && fstatfs(fd, &sf) == 0 && sf.f_type == VA_FUSE_SUPER_MAGIC;
	sys_close(&fd);
	return shared;
}

/* A /dev that the configuration binds is somebody else's; runc leaves it alone, so do we. */
static bool dev_is_bound(const struct ap_container *c, int root)
{
	if (dev_is_shared(root)) {
		return true;
	}
	for (uint32_t i = 0; i < c->n_mounts; i++) {
		const struct ap_mount *m = &c->mounts[i];

		if (strcmp(m->dest, "/dev") == 0 &&
		    ((m->ms_flags & VA_MS_BIND) || strcmp(m->type, "bind") == 0)) {
			return true;
		}
	}
	return false;
}

int rootfs_prepare(const struct ap_container *c, int *out_root, struct fail *f)
{
	int rc = make_private(f);
	int root;

	if (rc) {
		return rc;
	}
	root = attach_root(c, f);
	if (root < 0) {
		return root;
	}
	for (uint32_t i = 0; i < c->n_mounts && rc == 0; i++) {
		rc = mounts_apply(root, &c->mounts[i], c->namespaces, f);
	}
	if (rc == 0 && !dev_is_bound(c, root)) {
		rc = devices_populate(root, c, f);
	}
	if (rc) {
		close(root);
		return rc;
	}
	*out_root = root;
	return 0;
}

/* --- hiding and protecting ----------------------------------------------------------------- */

static int cover(int target, int mnt)
{
	int rc = mnt < 0 ? mnt : sys_move_mount(mnt, target);

	sys_close(&mnt);
	return rc < 0 ? rc : 0;
}

static int mask_path(int root, const char *path, struct fail *f)
{
	int target = path_open(root, path);
	struct stat st;
	int rc;

	if (target == -ENOENT || target == -ENOTDIR || target == -EACCES) {
		return 0;
	}
	if (target < 0) {
		return fail_set(f, "mask", target, "masked path '%s'", path);
	}
	if (fstat(target, &st) == 0 && S_ISDIR(st.st_mode)) {
		rc = cover(target, mounts_new_fs("tmpfs", "tmpfs", NULL, VA_MS_RDONLY, f));
	} else {
		rc = cover(target, sys_open_tree(-1, "/dev/null", false));
	}
	close(target);
	return rc ? fail_set(f, "mask", rc, "masked path '%s'", path) : 0;
}

static int protect_path(int root, const char *path, struct fail *f)
{
	struct va_mount_attr attr = {.attr_set = VA_ATTR_RDONLY};
	int target = path_open(root, path);
	int mnt;
	int rc;

	if (target == -ENOENT || target == -ENOTDIR || target == -EACCES) {
		return 0;
	}
	if (target < 0) {
		return fail_set(f, "readonly", target, "readonly path '%s'", path);
	}
	mnt = sys_open_tree(target, "", true);
	rc = mnt < 0 ? mnt : sys_mount_setattr(mnt, &attr, false);
	rc = rc < 0 ? rc : sys_move_mount(mnt, target);
	sys_close(&mnt);
	close(target);
	return rc < 0 ? fail_set(f, "readonly", rc, "readonly path '%s'", path) : 0;
}

static int for_each(const struct ap_strv *v, int root, struct fail *f,
		    int (*fn)(int root, const char *path, struct fail *f))
{
	const char *path = NULL;
	int rc = 0;

	while (rc == 0 && (path = ap_strv_next(v, path))) {
		rc = path[0] == '/' ? fn(root, path, f)
				    : fail_set(f, "rootfs", -EINVAL, "path '%s'", path);
	}
	return rc;
}

static int make_cwd(const struct ap_container *c, int root, struct fail *f)
{
	int fd;

	if (!(c->flags & AP_C_HAS_PROCESS)) {
		return 0;
	}
	fd = path_make(root, c->process.cwd, true);
	if (fd < 0) {
		return fail_set(f, "cwd", fd, "mkdir %s", c->process.cwd);
	}
	close(fd);
	return 0;
}

static int pivot(int root)
{
	if (fchdir(root) < 0 || sys_pivot_root(".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
	    chdir("/") < 0) {
		return errno ? -errno : -EINVAL;
	}
	return 0;
}

static int set_root_flags(const struct ap_container *c, struct fail *f)
{
	struct va_mount_attr attr = {.propagation = c->rootfs_propagation & ~VA_MS_REC};
	struct va_mount_attr rdonly = {.attr_set = VA_ATTR_RDONLY};
	int fd = sys_rc(open("/", VA_O_PATH | O_DIRECTORY | O_CLOEXEC));
	int rc = fd < 0 ? fd : 0;

	if (rc == 0 && attr.propagation) {
		rc = sys_mount_setattr(fd, &attr, (c->rootfs_propagation & VA_MS_REC) != 0);
	}
	if (rc >= 0 && (c->flags & AP_C_READONLY_ROOT)) {
		rc = sys_mount_setattr(fd, &rdonly, false);
	}
	sys_close(&fd);
	return rc < 0 ? fail_set(f, "rootfs", rc, "flags of the root") : 0;
}

int rootfs_enter(const struct ap_container *c, int root, struct fail *f)
{
	int rc = make_cwd(c, root, f);

	rc = rc ? rc : mounts_seal(f);
	rc = rc ? rc : for_each(&c->readonly, root, f, protect_path);
	rc = rc ? rc : for_each(&c->masked, root, f, mask_path);
	if (rc == 0) {
		rc = pivot(root);
		rc = rc ? fail_set(f, "rootfs", rc, "pivot_root") : set_root_flags(c, f);
	}
	close(root);
	return rc;
}
