/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch_userns.c - user namespaces of a container in the making
 *
 * Three of them, with one set of mappings: the guest's own, where the container runs; the
 * shim's on the host, which callers see and join; and the file server's, in which the
 * same ids are mapped to themselves, so that the host's kernel lets it do nothing that the
 * container's root couldn't do. Mounts with mappings of their own have one more each.
 */
#include "launch_internal.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/namespaces.h"
#include "userns.h"

#define WHERE "config.json: linux.namespaces"

static const struct oci_namespace *find(const struct oci_linux *l)
{
	OCI_FOREACH(ns, &l->namespaces)
	{
		if (ns->type == OCI_NS_USER) {
			return ns;
		}
	}
	return NULL;
}

/* A namespace that exists: its own mappings count, whatever config.json says about them. */
static int open_existing(struct launch *l, const char *path, struct userns_maps *maps,
			 struct vr_err *err)
{
	struct ap_container *c = l->guest.container;
	int rc = sbx_ns_open(path, CLONE_NEWUSER, &l->userns_fd, err);

	if (rc < 0) {
		return vr_err_wrap(err, WHERE);
	}
	c->n_uidmaps = c->n_gidmaps = 0;
	if (userns_is_own(l->userns_fd)) {
		vr_close_reset(&l->userns_fd);
		c->namespaces &= ~(uint32_t)AP_NS_USER;
		return 0;
	}
	rc = userns_maps_read(l->userns_fd, maps, err);
	if (rc < 0) {
		return vr_err_wrap(err, WHERE);
	}
	memcpy(c->uidmaps, maps->uid, maps->n_uid * sizeof(*maps->uid));
	memcpy(c->gidmaps, maps->gid, maps->n_gid * sizeof(*maps->gid));
	c->n_uidmaps = maps->n_uid;
	c->n_gidmaps = maps->n_gid;
	return 0;
}

static int open_container(struct launch *l, struct userns_maps *maps, struct vr_err *err)
{
	const struct oci_namespace *ns = find(l->spec->linux_);
	int rc;

	if (!ns) {
		return 0;
	}
	if (ns->path) {
		rc = open_existing(l, ns->path, maps, err);
		if (rc < 0 || l->userns_fd < 0) {
			return rc;
		}
	} else {
		rc = userns_maps_from(&l->spec->linux_->uid_mappings,
				      &l->spec->linux_->gid_mappings, maps, err);
		rc = rc < 0 ? rc : userns_make(maps, &l->userns_fd, err);
		if (rc < 0) {
			return vr_err_wrap(err, "config.json: linux.uidMappings");
		}
	}
	userns_maps_same(maps, maps);
	l->fs_uid = userns_first(maps->uid, maps->n_uid);
	l->fs_gid = userns_first(maps->gid, maps->n_gid);
	rc = userns_make(maps, &l->fs_userns_fd, err);
	return rc < 0 ? vr_err_wrap(err, "the file server's user namespace") : 0;
}

static int open_idmap(struct launch *l, size_t i, struct userns_maps *maps, struct vr_err *err)
{
	const struct oci_mount *m = l->guest.binds[i].mount;
	struct sbx_share *s = &l->guest.shares[i];
	int rc;

	if (m->opt.idmap == OCI_IDMAP_NONE && m->uid_mappings.n == 0) {
		return 0;
	}
	if (m->uid_mappings.n == 0) {
		s->idmap_fd = l->userns_fd; /* none: it was our own, and ids stay */
		return 0;
	}
	rc = userns_maps_from(&m->uid_mappings, &m->gid_mappings, maps, err);
	rc = rc < 0 ? rc : userns_make(maps, &l->idmap_fds[i], err);
	if (rc < 0) {
		return vr_err_wrap(err, "config.json: mounts: mappings of '%s'", m->destination);
	}
	s->idmap_fd = l->idmap_fds[i];
	return 0;
}

int launch_userns_open(struct launch *l, struct vr_err *err)
{
	vr_autofree struct userns_maps *maps = calloc(1, sizeof(*maps));
	size_t n = l->guest.n_shares;
	int rc;

	l->idmap_fds = calloc(n + 1, sizeof(*l->idmap_fds));
	if (!maps || !l->idmap_fds) {
		return vr_err_set(err, ENOMEM, WHERE ": out of memory");
	}
	for (size_t i = 0; i < n; i++) {
		l->idmap_fds[i] = -1;
	}
	rc = open_container(l, maps, err);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = open_idmap(l, i, maps, err);
	}
	return rc;
}

void launch_userns_finish(struct launch *l)
{
	for (size_t i = 0; l->idmap_fds && i < l->guest.n_shares; i++) {
		vr_close_reset(&l->idmap_fds[i]);
	}
	free(l->idmap_fds);
	l->idmap_fds = NULL;
}
