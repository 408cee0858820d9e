/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_mounts.c - the mounts of config.json and their options
 *
 * Options are applied from left to right, as mount(8) does: "ro,rw" is
 * writable. What no table knows is the file system's own and goes to data.
 */
#include "oci/spec_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/checked.h"
#include "oci/mount_options.h"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef MS_LAZYTIME
#define MS_LAZYTIME (1 << 25)
#endif
/* linux/mount.h, which can't be included next to sys/mount.h */
#define ATTR_RDONLY	 0x00000001u
#define ATTR_NOSUID	 0x00000002u
#define ATTR_NODEV	 0x00000004u
#define ATTR_NOEXEC	 0x00000008u
#define ATTR_ATIME	 0x00000070u /* the field that the next two are values of */
#define ATTR_NOATIME	 0x00000010u
#define ATTR_STRICTATIME 0x00000020u
#define ATTR_NODIRATIME	 0x00000080u
#define ATTR_NOSYMFOLLOW 0x00200000u

const struct oci_name oci_propagation_names[] = {
	{"private", MS_PRIVATE},
	{"rprivate", MS_PRIVATE | MS_REC},
	{"shared", MS_SHARED},
	{"rshared", MS_SHARED | MS_REC},
	{"slave", MS_SLAVE},
	{"rslave", MS_SLAVE | MS_REC},
	{"unbindable", MS_UNBINDABLE},
	{"runbindable", MS_UNBINDABLE | MS_REC},
	{NULL, 0},
};

const struct oci_mount_flag oci_mount_flags[] = {
	{"acl", MS_POSIXACL, false},
	{"async", MS_SYNCHRONOUS, true},
	{"atime", MS_NOATIME, true},
	{"bind", MS_BIND, false},
	{"defaults", 0, false},
	{"dev", MS_NODEV, true},
	{"diratime", MS_NODIRATIME, true},
	{"dirsync", MS_DIRSYNC, false},
	{"exec", MS_NOEXEC, true},
	{"iversion", MS_I_VERSION, false},
	{"lazytime", MS_LAZYTIME, false},
	{"loud", MS_SILENT, true},
	{"mand", MS_MANDLOCK, false},
	{"noacl", MS_POSIXACL, true},
	{"noatime", MS_NOATIME, false},
	{"nodev", MS_NODEV, false},
	{"nodiratime", MS_NODIRATIME, false},
	{"noexec", MS_NOEXEC, false},
	{"noiversion", MS_I_VERSION, true},
	{"nolazytime", MS_LAZYTIME, true},
	{"nomand", MS_MANDLOCK, true},
	{"norelatime", MS_RELATIME, true},
	{"nostrictatime", MS_STRICTATIME, true},
	{"nosuid", MS_NOSUID, false},
	{"nosymfollow", MS_NOSYMFOLLOW, false},
	{"rbind", MS_BIND | MS_REC, false},
	{"relatime", MS_RELATIME, false},
	{"remount", MS_REMOUNT, false},
	{"ro", MS_RDONLY, false},
	{"rw", MS_RDONLY, true},
	{"silent", MS_SILENT, false},
	{"strictatime", MS_STRICTATIME, false},
	{"suid", MS_NOSUID, true},
	{"symfollow", MS_NOSYMFOLLOW, true},
	{"sync", MS_SYNCHRONOUS, false},
	{NULL, 0, false},
};

const struct oci_mount_attr oci_mount_attrs[] = {
	{"ratime", 0, ATTR_NOATIME},
	{"rdev", 0, ATTR_NODEV},
	{"rdiratime", 0, ATTR_NODIRATIME},
	{"rexec", 0, ATTR_NOEXEC},
	{"rnoatime", ATTR_NOATIME, ATTR_ATIME},
	{"rnodev", ATTR_NODEV, 0},
	{"rnodiratime", ATTR_NODIRATIME, 0},
	{"rnoexec", ATTR_NOEXEC, 0},
	{"rnorelatime", 0, ATTR_ATIME},
	{"rnostrictatime", 0, ATTR_STRICTATIME},
	{"rnosuid", ATTR_NOSUID, 0},
	{"rnosymfollow", ATTR_NOSYMFOLLOW, 0},
	{"rrelatime", 0, ATTR_ATIME}, /* the value of relatime is zero */
	{"rro", ATTR_RDONLY, 0},
	{"rrw", 0, ATTR_RDONLY},
	{"rstrictatime", ATTR_STRICTATIME, ATTR_ATIME},
	{"rsuid", 0, ATTR_NOSUID},
	{"rsymfollow", 0, ATTR_NOSYMFOLLOW},
	{NULL, 0, 0},
};

const char *const oci_mount_extras[] = {"copy-symlink", "idmap", "ridmap", "tmpcopyup", NULL};

static bool apply_flag(struct oci_mount_options *o, const char *name)
{
	for (const struct oci_mount_flag *f = oci_mount_flags; f->name; f++) {
		if (strcmp(f->name, name) != 0) {
			continue;
		}
		if (f->clear) {
			o->flags &= ~f->flag;
			o->flags_clear |= f->flag;
		} else {
			o->flags |= f->flag;
			o->flags_clear &= ~f->flag;
		}
		return true;
	}
	return false;
}

static bool apply_attr(struct oci_mount_options *o, const char *name)
{
	for (const struct oci_mount_attr *a = oci_mount_attrs; a->name; a++) {
		if (strcmp(a->name, name) != 0) {
			continue;
		}
		o->rec_set = (o->rec_set & ~a->clear) | a->set;
		o->rec_clear = (o->rec_clear & ~a->set) | a->clear;
		/* The kernel wants the whole time field cleared whenever one of its values is. */
		if (o->rec_clear & ATTR_ATIME || o->rec_set & ATTR_ATIME) {
			o->rec_clear |= ATTR_ATIME;
		}
		return true;
	}
	return false;
}

static bool apply_extra(struct oci_mount_options *o, const char *name)
{
	int propagation = oci_name_find(oci_propagation_names, name);

	if (propagation >= 0) {
		o->propagation = (unsigned long)propagation;
	} else if (strcmp(name, "tmpcopyup") == 0) {
		o->tmpcopyup = true;
	} else if (strcmp(name, "copy-symlink") == 0) {
		o->copy_symlink = true;
	} else if (strcmp(name, "idmap") == 0) {
		o->idmap = OCI_IDMAP_MOUNT;
	} else if (strcmp(name, "ridmap") == 0) {
		o->idmap = OCI_IDMAP_RECURSIVE;
	} else {
		return false;
	}
	return true;
}

/* Appends ",@name" to the data at @end. Return: the new end. */
static char *append_data(char *start, char *end, const char *name)
{
	size_t n = strlen(name);

	if (end != start) {
		*end++ = ',';
	}
	memcpy(end, name, n);
	end[n] = '\0';
	return end + n;
}

int oci_mount_options_parse(struct oci_arena *arena, const struct oci_strv *options,
			    struct oci_mount_options *out)
{
	struct oci_mount_options o = {0};
	size_t room = 1;
	char *data;
	char *end;

	for (size_t i = 0; i < options->n; i++) {
		room += strlen(options->v[i]) + 1;
	}
	data = oci_arena_alloc(arena, room, 1);
	if (!data) {
		return -ENOMEM;
	}
	end = data;
	for (size_t i = 0; i < options->n; i++) {
		const char *name = options->v[i];

		if (name[0] != '\0' && !apply_flag(&o, name) && !apply_attr(&o, name) &&
		    !apply_extra(&o, name)) {
			end = append_data(data, end, name);
		}
	}
	o.bind = (o.flags & MS_BIND) != 0;
	o.data = end != data ? data : NULL;
	*out = o;
	return 0;
}

static const struct oci_field idmap_fields[] = {
	OCI_F_U32(struct oci_idmap, container_id, "containerID", UINT32_MAX, REQUIRED, BOTH),
	OCI_F_U32(struct oci_idmap, host_id, "hostID", UINT32_MAX, REQUIRED, BOTH),
	OCI_F_U32(struct oci_idmap, size, "size", UINT32_MAX, REQUIRED, BOTH),
};

static int idmap_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	const struct oci_idmap *m = obj;

	if (m->size == 0) {
		return json_fail_member(l->err, j, "size", EINVAL, "must not be 0");
	}
	if (m->size - 1 > UINT32_MAX - m->container_id || m->size - 1 > UINT32_MAX - m->host_id) {
		return json_fail_member(l->err, j, "size", ERANGE, "reaches beyond the last id");
	}
	return 0;
}

const struct oci_type oci_idmap_type = OCI_TYPE(struct oci_idmap, idmap_fields, idmap_finish);

static const struct oci_field mount_fields[] = {
	OCI_F_STR(struct oci_mount, destination, "destination", REQUIRED, GUEST,
		  NOTE("relative ones are taken below /, with a warning")),
	OCI_F_STR(struct oci_mount, type, "type", GUEST),
	OCI_F_STR(struct oci_mount, source, "source", BOTH,
		  NOTE("binds: exported by the fs process; the host's /proc, /sys, cgroups and "
		       "virtual devices become the guest's")),
	OCI_F_STRV(struct oci_mount, options, "options", BOTH,
		   NOTE("of binds, ro holds on the host too; nosuid, nodev and noexec always do")),
	OCI_F_OBJV(struct oci_mount, uid_mappings, "uidMappings", oci_idmap_type, struct oci_idmaps,
		   HOST),
	OCI_F_OBJV(struct oci_mount, gid_mappings, "gidMappings", oci_idmap_type, struct oci_idmaps,
		   HOST, NOTE("as uidMappings")),
};

static int root_relative(struct oci_loader *l, const struct json *j, struct oci_mount *m)
{
	size_t room = strlen(m->destination) + 2;
	char *absolute = oci_arena_alloc(l->arena, room, 1);

	if (!absolute) {
		return oci_no_memory(l);
	}
	(void)snprintf(absolute, room, "/%s", m->destination); /* measured above */
	m->destination = absolute;
	oci_warn(l, json_member(j, "destination"), "is not absolute; taken as '%s'", absolute);
	return 0;
}

static int check_idmap(struct oci_loader *l, const struct json *j, const struct oci_mount *m)
{
	bool uid = m->uid_mappings.n > 0;
	bool gid = m->gid_mappings.n > 0;

	if (uid != gid) {
		return json_fail_member(l->err, j, uid ? "gidMappings" : "uidMappings", EINVAL,
					"must be set when %s are",
					uid ? "uidMappings" : "gidMappings");
	}
	if (uid && !m->opt.bind) {
		return json_fail_member(l->err, j, "uidMappings", ENOTSUP,
					"only bind mounts can have id mappings");
	}
	return 0;
}

static int mount_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	struct oci_mount *m = obj;
	int r;

	r = oci_mount_options_parse(l->arena, &m->options, &m->opt);
	if (r < 0) {
		return oci_no_memory(l);
	}
	if (m->type && strcmp(m->type, "bind") == 0) {
		m->opt.bind = true;
	}
	if (m->destination[0] == '\0') {
		return json_fail_member(l->err, j, "destination", EINVAL, "must not be empty");
	}
	if (m->destination[0] != '/') {
		r = root_relative(l, j, m);
		if (r < 0) {
			return r;
		}
	}
	if (m->opt.bind && (!m->source || m->source[0] == '\0')) {
		return json_fail_member(l->err, j, "source", EINVAL,
					"must be set for a bind mount");
	}
	if (!m->opt.bind && !(m->opt.flags & MS_REMOUNT) && (!m->type || m->type[0] == '\0')) {
		return json_fail_member(l->err, j, "type", EINVAL,
					"must be set unless the options say bind");
	}
	return check_idmap(l, j, m);
}

const struct oci_type oci_mount_type = OCI_TYPE(struct oci_mount, mount_fields, mount_finish);
