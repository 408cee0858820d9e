/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_plan_mounts.c - config.json's mounts for the guest
 *
 * A bind becomes a share of the file server. Exceptions are binds of things
 * that belong to a kernel: the host's /proc, /sys, cgroup tree and device nodes
 * stay on the host, the guest mounts its own in their place; and a tmpfs for
 * /dev/shm, which engines prepare on the host, becomes a tmpfs of the guest,
 * where shared memory works at full speed.
 */
#include "guest_plan_internal.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/checked.h"
#include "overlay.h"

static int no_memory(struct vr_err *err)
{
	return vr_err_set(err, ENOMEM, "config.json: mounts: out of memory");
}

/* Length of the option at @s: up to a comma that isn't in quotes, as in context="...:c1,c2". */
static size_t option_len(const char *s)
{
	bool in_quotes = false;
	size_t n;

	for (n = 0; s[n] != '\0' && (in_quotes || s[n] != ','); n++) {
		in_quotes ^= s[n] == '"';
	}
	return n;
}

static bool is_label(const char *option, size_t len)
{
	static const char *const names[] = {
		"context=", "fscontext=", "defcontext=", "rootcontext="};

	for (size_t i = 0; i < VR_ARRAY_SIZE(names); i++) {
		if (len >= strlen(names[i]) && strncmp(option, names[i], strlen(names[i])) == 0) {
			return true;
		}
	}
	return false;
}

/* The guest kernel has no SELinux: its mount options would be refused. */
static const char *data_without_labels(struct guest_plan *plan, const char *data)
{
	size_t len, used = 0;
	char *out;

	if (!data || !strstr(data, "context=")) {
		return data;
	}
	out = guest_plan_keep(plan, calloc(1, strlen(data) + 1));
	if (!out) {
		return NULL;
	}
	for (const char *p = data; *p != '\0'; p += len + (p[len] == ',')) {
		len = option_len(p);
		if (!is_label(p, len)) {
			used += (size_t)sprintf(out + used, "%s%.*s", used > 0 ? "," : "", (int)len,
						p);
		}
	}
	return used > 0 ? out : NULL;
}

static bool is_cgroup_type(const char *type)
{
	return type && (strcmp(type, "cgroup") == 0 || strcmp(type, "cgroup2") == 0);
}

static void guest_fs(struct ap_mount *out, const char *type, const char *data)
{
	out->type = type;
	out->source = type;
	out->data = data;
	out->ms_flags &= ~(uint64_t)(MS_BIND | MS_REC);
}

/* Of the file system of a kernel that @path lies in. Return: its type, or NULL. */
static const char *kernel_fs_type(const char *path)
{
	struct statfs sf;

	if (statfs(path, &sf) < 0) {
		return NULL;
	}
	switch ((unsigned long)sf.f_type) {
	case PROC_SUPER_MAGIC:
		return "proc";
	case SYSFS_MAGIC:
		return "sysfs";
	case CGROUP2_SUPER_MAGIC:
	case CGROUP_SUPER_MAGIC:
		return "cgroup2";
	default:
		/* with version 1 a tmpfs holds the hierarchies */
		return strcmp(path, "/sys/fs/cgroup") == 0 ? "cgroup2" : NULL;
	}
}

#define KERNEL_FS_ROOT_INO 1u /* of proc (PROC_ROOT_INO) and sysfs */

/*
 * The host's kernel is not the container's: what lies in proc or sysfs is the guest's own,
 * the whole file system or what has the same path in it.
 */
static int kernel_mount(struct guest_plan *plan, const struct oci_mount *m, size_t index,
			const char *type, const struct stat *st, struct ap_mount *out,
			struct vr_err *err)
{
	char *real;

	if (st->st_ino == KERNEL_FS_ROOT_INO || strcmp(type, "cgroup2") == 0) {
		guest_fs(out, type, NULL);
		return 0;
	}
	real = realpath(m->source, NULL);
	if (!real || (strncmp(real, "/proc/", 6) != 0 && strncmp(real, "/sys/", 5) != 0)) {
		free(real);
		return vr_err_set(
			err, ENOTSUP,
			"config.json: mounts[%zu].source: '%s' belongs to the host's "
			"kernel; only what is below /proc or /sys has a counterpart in the "
			"microVM",
			index, m->source);
	}
	out->type = "bind";
	out->source = guest_plan_keep(plan, real);
	out->flags |= S_ISDIR(st->st_mode) ? 0 : AP_M_FILE;
	out->ms_flags |= MS_BIND;
	return out->source ? 0 : no_memory(err);
}

/*
 * The tmpfs an engine made for /dev/shm. Anything else a caller binds there is
 * a volume with content.
 */
static bool is_shm(const struct oci_mount *m, unsigned long long *out_bytes)
{
	struct statfs sf;

	if (strcmp(m->destination, "/dev/shm") != 0 || statfs(m->source, &sf) < 0 ||
	    sf.f_type != TMPFS_MAGIC) {
		return false;
	}
	/* The size the user asked for; 0 is no limit, here as in a tmpfs's options. */
	*out_bytes = (unsigned long long)sf.f_blocks * (unsigned long long)sf.f_bsize;
	return true;
}

static const char *shm_options(struct guest_plan *plan, unsigned long long bytes)
{
	char *text = NULL;

	if (asprintf(&text, "mode=1777,size=%llu", bytes) < 0) {
		return NULL;
	}
	return guest_plan_keep(plan, text);
}

/* Device nodes every kernel has, by the path the agent's own /dev gives them. */
static const char *virtual_device_path(const struct stat *st)
{
	static const struct {
		unsigned major, minor;
		const char *path;
	} table[] = {
		{1, 3, "/dev/null"},	{1, 5, "/dev/zero"},	   {1, 7, "/dev/full"},
		{1, 8, "/dev/random"},	{1, 9, "/dev/urandom"},	   {5, 0, "/dev/tty"},
		{10, 229, "/dev/fuse"}, {10, 200, "/dev/net/tun"},
	};

	for (size_t i = 0; S_ISCHR(st->st_mode) && i < VR_ARRAY_SIZE(table); i++) {
		if (major(st->st_rdev) == table[i].major && minor(st->st_rdev) == table[i].minor) {
			return table[i].path;
		}
	}
	return NULL;
}

/* @path: on the host */
static int share_add(struct guest_plan *plan, const struct oci_mount *m, const char *path,
		     struct ap_mount *out, struct vr_err *err)
{
	size_t n = plan->n_shares;
	struct sbx_share *shares = realloc(plan->shares, (n + 1) * sizeof(*shares));
	struct guest_bind *binds;
	unsigned flags = 0;

	if (!shares) {
		return no_memory(err);
	}
	plan->shares = shares;
	binds = realloc(plan->binds, (n + 1) * sizeof(*binds));
	if (!binds) {
		return no_memory(err);
	}
	plan->binds = binds;
	if (m->opt.flags & MS_RDONLY || m->opt.rec_set & MOUNT_ATTR_RDONLY) {
		flags |= SBX_SHARE_RO;
	}
	flags |= m->opt.flags & MS_REC ? SBX_SHARE_RECURSIVE : 0;
	flags |= m->opt.idmap == OCI_IDMAP_RECURSIVE ? SBX_SHARE_IDMAP_BELOW : 0;
	flags |= m->opt.propagation & (MS_SLAVE | MS_SHARED) ? SBX_SHARE_SLAVE : 0;
	shares[n] = (struct sbx_share){
		.fd = -1, .path = path, .flags = flags, .idmap_fd = SBX_NO_IDMAP};
	binds[n] = (struct guest_bind){.dest = m->destination, .share = n, .mount = m};
	plan->n_shares = n + 1;
	out->type = "bind";
	out->share = (uint32_t)n;
	out->ms_flags |= MS_BIND;
	return 0;
}

/* copy-symlink: a source that is a symbolic link becomes one. Return: 1 if so, 0, or -errno */
static int symlink_of(struct guest_plan *plan, const struct oci_mount *m, struct ap_mount *out,
		      struct vr_err *err)
{
	char target[PATH_MAX];
	ssize_t n = m->opt.copy_symlink && m->source
			    ? readlink(m->source, target, sizeof(target) - 1)
			    : -1;
	char *copy;

	if (n < 0) {
		return 0; /* no link; what else is wrong with it will be found out */
	}
	target[n] = '\0';
	copy = strdup(target);
	out->source = copy ? guest_plan_keep(plan, copy) : NULL;
	if (!out->source) {
		return no_memory(err);
	}
	out->type = "symlink";
	out->flags |= AP_M_SYMLINK;
	return 1;
}

static int bind_mount(struct guest_plan *plan, const struct oci_mount *m, size_t index,
		      struct ap_mount *out, struct vr_err *err)
{
	unsigned long long shm_bytes;
	const char *type;
	struct stat st;
	int rc = symlink_of(plan, m, out, err);

	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	if (!m->source || stat(m->source, &st) < 0) {
		return vr_err_sys(err, m->source ? errno : EINVAL,
				  "config.json: mounts[%zu].source: '%s'", index,
				  m->source ? m->source : "");
	}
	if (S_ISDIR(st.st_mode) && is_shm(m, &shm_bytes)) {
		guest_fs(out, "tmpfs", shm_options(plan, shm_bytes));
		return out->data ? 0 : no_memory(err);
	}
	type = S_ISDIR(st.st_mode) || S_ISREG(st.st_mode) ? kernel_fs_type(m->source) : NULL;
	if (type) {
		return kernel_mount(plan, m, index, type, &st, out, err);
	}
	out->flags |= S_ISDIR(st.st_mode) ? 0 : AP_M_FILE;
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		out->type = "bind";
		out->source = virtual_device_path(&st);
		out->ms_flags |= MS_BIND;
		if (out->source) {
			return 0;
		}
		return vr_err_set(err, ENOTSUP,
				  "config.json: mounts[%zu].source: '%s' is a device of the host, "
				  "which a microVM has no access to",
				  index, m->source);
	}
	return share_add(plan, m, m->source, out, err);
}

/* Its layers are the host's, where it is mounted already; see overlay.h. */
static int overlay_mount(struct guest_plan *plan, const struct oci_mount *m, struct ap_mount *out,
			 struct vr_err *err)
{
	char *place = overlay_place(m, err);
	const char *path;

	if (!place) {
		return -EINVAL;
	}
	path = guest_plan_keep(plan, place);
	if (!path) {
		return no_memory(err);
	}
	return share_add(plan, m, path, out, err);
}

static void propagation(const struct oci_mount *m, struct ap_mount *out)
{
	if (m->opt.propagation != 0) {
		out->propagation[out->n_propagation++] = (uint32_t)m->opt.propagation;
	}
}

static int one_mount(struct guest_plan *plan, const struct oci_mount *m, size_t index,
		     struct ap_mount *out, struct vr_err *err)
{
	*out = (struct ap_mount){
		.dest = m->destination,
		.share = AP_NO_SHARE,
		.flags = m->opt.tmpcopyup ? AP_M_TMPCOPYUP : 0,
		.ms_flags = m->opt.flags,
		.ms_clear = m->opt.flags_clear,
		.attr_set = m->opt.rec_set,
		.attr_clear = m->opt.rec_clear,
	};
	propagation(m, out);
	if (m->opt.idmap != OCI_IDMAP_NONE && m->uid_mappings.n == 0 &&
	    !(plan->container->namespaces & AP_NS_USER)) {
		return vr_err_set(err, EINVAL,
				  "config.json: mounts[%zu]: option 'idmap' needs mappings, of the "
				  "mount or of a user namespace",
				  index);
	}
	if ((m->opt.idmap != OCI_IDMAP_NONE || m->uid_mappings.n > 0) && !m->opt.bind) {
		return vr_err_set(err, ENOTSUP,
				  "config.json: mounts[%zu]: only bind mounts can be id-mapped",
				  index);
	}
	if (m->opt.bind) {
		return bind_mount(plan, m, index, out, err);
	}
	if (overlay_is(m)) {
		return overlay_mount(plan, m, out, err);
	}
	if (is_cgroup_type(m->type)) {
		guest_fs(out, "cgroup2", NULL);
		return 0;
	}
	out->type = m->type ? m->type : "none";
	out->source = m->source ? m->source : out->type;
	out->data = data_without_labels(plan, m->opt.data);
	return 0;
}

int guest_plan_mounts(const struct oci_spec *spec, struct guest_plan *plan, struct vr_err *err)
{
	struct ap_container *c = plan->container;
	int rc;

	if (spec->mounts.n > AP_MAX_MOUNTS) {
		return vr_err_set(err, E2BIG,
				  "config.json: mounts: %zu entries, at most %u are possible",
				  spec->mounts.n, AP_MAX_MOUNTS);
	}
	for (size_t i = 0; i < spec->mounts.n; i++) {
		rc = one_mount(plan, &spec->mounts.v[i], i, &c->mounts[c->n_mounts], err);
		if (rc < 0) {
			return rc;
		}
		c->n_mounts++;
	}
	return 0;
}
