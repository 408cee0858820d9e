/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userns.h - the user namespace of a container
 *
 * The guest makes one with the same mappings, so that a file made by the container's
 * root reaches the file server under the id that it has to have on the host. The
 * host's own namespace is what the shim lives in, for callers that look (or join) there.
 *
 * Threads: forks; call with one thread.
 * Uses:    base, oci, sandbox/namespaces.h. Used by: launch.
 */
#ifndef VOLT_USERNS_H
#define VOLT_USERNS_H

#include "base/agent_proto.h"
#include "base/err.h"
#include "oci/spec.h"

/** struct userns_maps - uid_map and gid_map, with outside ids as they are in our own namespace */
struct userns_maps {
	struct ap_idmap uid[AP_MAX_IDMAPS];
	struct ap_idmap gid[AP_MAX_IDMAPS];
	uint32_t n_uid;
	uint32_t n_gid;
};

/**
 * userns_maps_from() - mappings of config.json
 *
 * Return: 0, or -E2BIG with @err for more than AP_MAX_IDMAPS.
 */
int userns_maps_from(const struct oci_idmaps *uid, const struct oci_idmaps *gid,
		     struct userns_maps *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * userns_maps_same() - mappings of a namespace where only the outside ids of @maps exist, unchanged
 *
 * @out: may be @maps
 *
 * For the file server: ids mean the same to it as without a namespace, but it has no power
 * over the files of others.
 */
void userns_maps_same(const struct userns_maps *maps, struct userns_maps *out);

/**
 * userns_make() - a new user namespace that nobody is in
 * @maps:   its mappings
 * @out_fd: for setns(2), close-on-exec, owned by the caller
 *
 * Return: 0 or a negative errno value with @err.
 */
int userns_make(const struct userns_maps *maps, int *out_fd, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * userns_maps_read() - the mappings of a user namespace
 * @fd:  of the namespace
 * @out: to fill
 *
 * Return: 0; -E2BIG for more than AP_MAX_IDMAPS; or a negative errno value with @err.
 */
int userns_maps_read(int fd, struct userns_maps *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/** userns_first() - 0 if it is mapped in there, else the first id that is */
uint32_t userns_first(const struct ap_idmap *map, uint32_t n);

/**
 * userns_enter() - join one for good
 * @uid, @gid: who to be in there; ids without mapping leave the process what it is
 *
 * All capabilities in it are had afterwards, none outside. The process stays dumpable, so
 * that callers may look at its entries in /proc.
 *
 * Return: 0 or a negative errno value with @err.
 */
int userns_enter(int fd, uint32_t uid, uint32_t gid, struct vr_err *err)
	__attribute__((warn_unused_result));

/** userns_is_own() - is it the one we are in? Nothing is to be joined or mapped then */
bool userns_is_own(int fd);

#endif /* VOLT_USERNS_H */
