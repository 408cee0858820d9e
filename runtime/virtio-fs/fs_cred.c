/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_cred.c - act as the guest's user for the length of one system call
 *
 * setfsuid(2) from 0 to anything else takes the file capabilities out of the
 * effective set, and back to 0 puts all permitted ones in. The effective set
 * is therefore written explicitly after both. setfsuid and setfsgid don't
 * report failure; the only way to know is to ask for the value afterwards.
 */
#include "virtio-fs/fs_cred.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP_BIT(cap) (1ULL << (cap))

static uid_t fsuid_now(void)
{
	return (uid_t)syscall(SYS_setfsuid, (uid_t)-1);
}

static gid_t fsgid_now(void)
{
	return (gid_t)syscall(SYS_setfsgid, (gid_t)-1);
}

static bool set_fsuid(uid_t uid)
{
	(void)syscall(SYS_setfsuid, uid); /* returns the old value, whatever happened */
	return fsuid_now() == uid;
}

static bool set_fsgid(gid_t gid)
{
	(void)syscall(SYS_setfsgid, gid);
	return fsgid_now() == gid;
}

static int set_effective(const struct fs_cred *cred, uint64_t effective)
{
	struct __user_cap_header_struct hdr = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	for (unsigned i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(effective >> (32 * i));
		data[i].permitted = (uint32_t)(cred->permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(cred->inheritable >> (32 * i));
	}
	return syscall(SYS_capset, &hdr, data) < 0 ? -errno : 0;
}

int fs_cred_load(struct fs_cred *cred, bool can_switch)
{
	struct __user_cap_header_struct hdr = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	memset(cred, 0, sizeof(*cred));
	if (syscall(SYS_capget, &hdr, data) < 0) {
		return -errno;
	}
	cred->can_switch = can_switch;
	cred->uid = fsuid_now();
	cred->gid = fsgid_now();
	cred->effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	cred->permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	cred->inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
	return 0;
}

int fs_cred_enter(const struct fs_cred *cred, uid_t uid, gid_t gid, bool keep_fsetid,
		  struct fs_cred_scope *scope)
{
	uint64_t effective = cred->effective;
	int rc = -EPERM;

	memset(scope, 0, sizeof(*scope));
	if (!cred->can_switch) {
		return 0;
	}
	if (uid == (uid_t)-1 || gid == (gid_t)-1) {
		return -EINVAL;
	}
	if (gid != cred->gid) {
		scope->gid = true;
		if (!set_fsgid(gid)) {
			goto undo;
		}
	}
	if (uid == cred->uid) {
		return 0;
	}
	scope->uid = true;
	scope->caps = true;
	if (!set_fsuid(uid)) {
		goto undo;
	}
	if (!keep_fsetid) {
		effective &= ~CAP_BIT(CAP_FSETID);
	}
	rc = set_effective(cred, effective);
	if (rc < 0) {
		goto undo;
	}
	return 0;
undo:
	fs_cred_leave(cred, scope);
	return rc;
}

int fs_cred_drop_fsetid(const struct fs_cred *cred, struct fs_cred_scope *scope)
{
	int rc;

	memset(scope, 0, sizeof(*scope));
	if (!(cred->effective & CAP_BIT(CAP_FSETID))) {
		return 0;
	}
	rc = set_effective(cred, cred->effective & ~CAP_BIT(CAP_FSETID));
	scope->caps = rc == 0;
	return rc;
}

void fs_cred_leave(const struct fs_cred *cred, struct fs_cred_scope *scope)
{
	bool ok = true;

	if (scope->uid) {
		ok = set_fsuid(cred->uid) && ok;
	}
	if (scope->gid) {
		ok = set_fsgid(cred->gid) && ok;
	}
	if (scope->caps) {
		ok = set_effective(cred, cred->effective) == 0 && ok;
	}
	if (!ok) {
		abort(); /* our own identity lost: nothing right can follow */
	}
	memset(scope, 0, sizeof(*scope));
}
