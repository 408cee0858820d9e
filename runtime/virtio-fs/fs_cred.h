/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_cred.h - act as the guest's user for the length of one system call
 *
 * The guest kernel checks permissions (default_permissions); the server runs
 * with the powers that root has over files. Two things must still happen as
 * somebody else:
 *  - a new file must belong to the fs uid/gid of the process that makes it,
 *    from its first moment on (ownership, quota, setgid directories);
 *  - a write by somebody without CAP_FSETID must clear set-user-ID and
 *    set-group-ID, so the server must not have that capability either.
 *
 * Trust:    uid and gid come from the guest; they are only ever applied to
 *           files below the share.
 * Threads:  raw system calls, so only the calling thread changes.
 * Uses:     libc. Used by: handlers.
 */
#ifndef VIRTIO_FS_FS_CRED_H
#define VIRTIO_FS_FS_CRED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct fs_cred - the server's own identity
 * @can_switch: switching is possible; without it every call here does nothing
 * @uid, @gid:  own fs uid and gid
 * @effective, @permitted, @inheritable: own capability sets
 */
struct fs_cred {
	bool can_switch;
	uid_t uid;
	gid_t gid;
	uint64_t effective;
	uint64_t permitted;
	uint64_t inheritable;
};

/**
 * struct fs_cred_scope - what a switch changed and has to be undone
 */
struct fs_cred_scope {
	bool uid;
	bool gid;
	bool caps;
};

/**
 * fs_cred_load() - remember the calling thread's identity
 * @cred:       to fill
 * @can_switch: the operator's word that fs uid and gid may be switched
 *
 * Return: 0 or -errno.
 * Syscalls: setfsuid, setfsgid, capget (role fs)
 */
int fs_cred_load(struct fs_cred *cred, bool can_switch) __attribute__((warn_unused_result));

/**
 * fs_cred_enter() - become the maker of a file
 * @cred:        own identity
 * @uid, @gid:   of the guest's process; (uid_t)-1 is refused
 * @keep_fsetid: the maker is a member of the parent directory's group, so a
 *               set-group-ID bit asked for is allowed (holding CAP_FSETID has
 *               this very effect, without touching supplementary groups)
 * @scope:       filled for fs_cred_leave(); nothing to undo after a failure
 *
 * The capability to override permissions is kept: the guest's kernel has
 * already said yes, perhaps because of a capability the host doesn't know of.
 *
 * Return: 0; -EINVAL; -EPERM when an id has no meaning in our user namespace.
 * Syscalls: setfsuid, setfsgid, capset (role fs)
 */
int fs_cred_enter(const struct fs_cred *cred, uid_t uid, gid_t gid, bool keep_fsetid,
		  struct fs_cred_scope *scope) __attribute__((warn_unused_result));

/**
 * fs_cred_drop_fsetid() - lose CAP_FSETID for a moment, so that a write clears setuid bits
 *
 * Return: 0 or -errno; nothing to undo after a failure.
 * Syscalls: capset (role fs)
 */
int fs_cred_drop_fsetid(const struct fs_cred *cred, struct fs_cred_scope *scope)
	__attribute__((warn_unused_result));

/**
 * fs_cred_leave() - be the server again
 *
 * Going back can't fail; should the kernel refuse nevertheless, the process
 * aborts rather than serve as the wrong user.
 *
 * Syscalls: setfsuid, setfsgid, capset (role fs)
 */
void fs_cred_leave(const struct fs_cred *cred, struct fs_cred_scope *scope);

#endif /* VIRTIO_FS_FS_CRED_H */
