/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.c - the stages in which each role gives up its power; see sandbox.h */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "sandbox/caps.h"
#include "sandbox/landlock_abi.h"
#include "sandbox/mounts.h"
#include "sandbox/namespaces.h"

/* Room for descriptors that come later: control connections and the stdio of exec. */
#define VMM_NOFILE  1024u
#define SHIM_NOFILE 64u
#define NET_NOFILE  1024u /* what it has already */

/*
 * What the file server keeps. It acts for the guest's kernel, which has already
 * decided; these make the host's kernel agree for files of any owner.
 */
static const int fs_caps[] = {
	CAP_CHOWN,	  /* SETATTR of owner and group */
	CAP_DAC_OVERRIDE, /* read and write whatever the mode; includes what DAC_READ_SEARCH has
			     for paths, which alone would add opening files by handle */
	CAP_FOWNER,	  /* mode, times and sticky directories of other users' files */
	CAP_FSETID,	  /* keep set-group-ID where the guest's rules say so */
	CAP_SETUID,	  /* setfsuid(): new files belong to the guest's user */
	CAP_SETGID,	  /* setfsgid(): likewise */
	CAP_SETFCAP,	  /* file capabilities, which package managers in the guest set */
			  /*
	 * Not CAP_MKNOD: a device node made by a guest would be one of the host's.
	 * Overlayfs's whiteouts (character 0:0) need no capability since Linux 5.8.
	 */
};

#define LL_READ (LL_FS_READ_FILE | LL_FS_READ_DIR)
/* All that changes things but EXECUTE, MAKE_BLOCK and IOCTL_DEV. MAKE_CHAR: whiteouts. */
#define LL_CHANGE                                                                                  \
	(LL_READ | LL_FS_WRITE_FILE | LL_FS_REMOVE_DIR | LL_FS_REMOVE_FILE | LL_FS_MAKE_CHAR |     \
	 LL_FS_MAKE_DIR | LL_FS_MAKE_REG | LL_FS_MAKE_SOCK | LL_FS_MAKE_FIFO | LL_FS_MAKE_SYM |    \
	 LL_FS_REFER | LL_FS_TRUNCATE)

/* Written by the final stage (one thread), constant afterwards. */
static struct sbx_status status;
static int landlock_limit = SBX_LANDLOCK_ANY;

const struct sbx_status *sbx_status(void)
{
	return &status;
}

void sbx_set_landlock_limit(int limit)
{
	landlock_limit = limit;
}

static int effective_limit(void)
{
#ifdef VOLT_DEBUG
	const char *value = getenv("VOLT_LANDLOCK_ABI");

	if (value) {
		/* "0" is how a person says "none" */
		return atoi(value) > 0 ? atoi(value) : SBX_LANDLOCK_ABSENT;
	}
#endif
	return landlock_limit;
}

static int one_thread(struct vr_err *err)
{
	/* The kernel accepts this flag, and does nothing, only for a process with one thread. */
	if (unshare(CLONE_THREAD) < 0) {
		return vr_err_set(err, EBUSY, "sandbox: the process has several threads");
	}
	return 0;
}

/* Landlock's last version without scopes. */
#define LANDLOCK_NO_SCOPES 5

/* @max: highest version to use */
static int restrict_paths(const struct sbx_landlock_rule *rules, size_t n, int max,
			  struct vr_err *err)
{
	int abi = VR_MIN(sbx_landlock_abi(effective_limit()), max);
	int ret;

	if (abi > 0) {
		ret = sbx_landlock_restrict(abi, rules, n);
		if (ret < 0) {
			return vr_err_sys(err, ret, "sandbox: restrict with Landlock (ABI %d)",
					  abi);
		}
	}
	status.landlock_abi = abi;
	return 0;
}

/* Capabilities, no_new_privs, limits, no new code: what the final stages have in common. */
static int drop_powers(const int *caps, size_t n_caps, unsigned nofile, struct vr_err *err)
{
	int ret;

	ret = sbx_limits(nofile);
	if (ret < 0) {
		return vr_err_sys(err, ret, "sandbox: set resource limits");
	}
	ret = sbx_caps_keep(caps, n_caps);
	if (ret < 0) {
		return vr_err_sys(err, ret, "sandbox: drop capabilities");
	}
	ret = sbx_no_new_privs();
	if (ret < 0) {
		return vr_err_sys(err, ret, "sandbox: set no_new_privs");
	}
	ret = sbx_no_new_code();
	if (ret < 0) {
		return vr_err_sys(err, ret, "sandbox: refuse new code");
	}
	return 0;
}

static int prepare_filter(enum sbx_role role, struct vr_err *err)
{
	int ret = sbx_seccomp_prepare(role);

	if (ret < 0) {
		return vr_err_sys(err, ret, "sandbox: prepare the system call filter of '%s'",
				  sbx_role_name(role));
	}
	return 0;
}

static int install_filter(enum sbx_role role, struct vr_err *err)
{
	int ret = sbx_seccomp_thread(role);

	if (ret < 0) {
		return vr_err_sys(err, ret, "sandbox: install the system call filter of '%s'",
				  sbx_role_name(role));
	}
	status.seccomp = sbx_seccomp_enforced();
	status.done = true;
	return 0;
}

static int drop_groups(struct vr_err *err)
{
	int ret = sbx_drop_groups();

	return ret < 0 ? vr_err_sys(err, ret, "sandbox: drop supplementary groups") : 0;
}

static int undumpable(struct vr_err *err)
{
	int ret = sbx_undumpable();

	return ret < 0 ? vr_err_sys(err, ret, "sandbox: become undumpable") : 0;
}

/* glibc counts CPUs in /sys for a second arena, and asks /proc before shrinking one. */
static void one_malloc_arena(void)
{
#ifdef __GLIBC__
	(void)mallopt(M_ARENA_MAX, 1); /* can't fail for this parameter */
#endif
}

/* @namespaces: CLONE_NEW* besides the mount namespace, whose root is empty */
static int enter_nothing(int namespaces, struct vr_err *err)
{
	vr_autoclose int root = -1;
	int ret;

	ret = one_thread(err);
	if (ret < 0) {
		return ret;
	}
	ret = sbx_ns_unshare(namespaces, err);
	if (ret < 0) {
		return ret;
	}
	ret = sbx_tmpfs_new(2, &root, err); /* the root directory, and what tmpfs wants */
	if (ret < 0) {
		return ret;
	}
	ret = sbx_root_enter(root, err);
	if (ret < 0) {
		return ret;
	}
	ret = sbx_mount_attr(root, MOUNT_ATTR_RDONLY, 0, false);
	if (ret < 0) {
		return vr_err_sys(err, ret, "make the empty root read-only");
	}
	return drop_groups(err);
}

int sbx_stage_vmm_mounts(struct vr_err *err)
{
	return enter_nothing(CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET, err);
}

static int become(const struct sbx_user *user, struct vr_err *err)
{
	int ret = user->change ? sbx_become(user->uid) : 0;

	if (ret < 0 && user->must) {
		return vr_err_sys(err, ret, "sandbox: become user %u", (unsigned)user->uid);
	}
	return 0;
}

int sbx_stage_vmm_final(const struct sbx_user *user, struct vr_err *err)
{
	static const enum sbx_role roles[] = {SBX_ROLE_VMM_START, SBX_ROLE_VCPU, SBX_ROLE_VMM};
	size_t i;
	int ret;

	ret = one_thread(err);
	for (i = 0; ret == 0 && i < VR_ARRAY_SIZE(roles); i++) {
		ret = prepare_filter(roles[i], err);
	}
	if (ret < 0) {
		return ret;
	}
	one_malloc_arena();
	ret = become(user, err);
	if (ret < 0) {
		return ret;
	}
	ret = drop_powers(NULL, 0, VMM_NOFILE, err);
	if (ret < 0) {
		return ret;
	}
	ret = undumpable(err);
	if (ret < 0) {
		return ret;
	}
	ret = restrict_paths(NULL, 0, LL_ABI_MAX, err);
	if (ret < 0) {
		return ret;
	}
	return install_filter(SBX_ROLE_VMM_START, err);
}

int sbx_stage_vmm_started(struct vr_err *err)
{
	return install_filter(SBX_ROLE_VMM, err);
}

static int open_share(const struct sbx_fs_tree *tree, size_t i)
{
	char name[32];

	if (i == 0) {
		return openat(tree->root_fd, SBX_FS_TREE_ROOTFS, O_PATH | O_CLOEXEC);
	}
	(void)snprintf(name, sizeof(name), "mounts/%zu", i - 1); /* always fits */
	return openat(tree->root_fd, name, O_PATH | O_CLOEXEC);
}

/* Reading beneath the whole tree, changes beneath the writable shares. */
static int restrict_to_tree(const struct sbx_fs_tree *tree, struct vr_err *err)
{
	size_t n = 0;
	struct sbx_landlock_rule *rules = calloc(tree->n_mounts + 2, sizeof(*rules));
	size_t i;
	int ret = 0;

	if (!rules) {
		return vr_err_sys(err, ENOMEM, "sandbox: restrict with Landlock");
	}
	rules[n++] = (struct sbx_landlock_rule){.fd = tree->root_fd, .allow = LL_READ};
	for (i = 0; i <= tree->n_mounts; i++) {
		int fd;

		if (!tree->writable[i]) {
			continue;
		}
		fd = open_share(tree, i);
		if (fd < 0) {
			ret = vr_err_sys(err, errno, "sandbox: find share %zu", i);
			break;
		}
		rules[n++] = (struct sbx_landlock_rule){.fd = fd, .allow = LL_CHANGE};
	}
	if (ret == 0) {
		ret = restrict_paths(rules, n, LL_ABI_MAX, err);
	}
	for (i = 1; i < n; i++) {
		(void)close(rules[i].fd); /* O_PATH: nothing can fail */
	}
	free(rules);
	return ret;
}

int sbx_stage_fs_final(const struct sbx_fs_tree *tree, struct vr_err *err)
{
	int ret;

	ret = one_thread(err);
	if (ret < 0) {
		return ret;
	}
	ret = prepare_filter(SBX_ROLE_FS, err);
	if (ret < 0) {
		return ret;
	}
	ret = sbx_ns_unshare(CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET, err);
	if (ret < 0) {
		return ret;
	}
	one_malloc_arena();
	ret = drop_groups(err);
	if (ret < 0) {
		return ret;
	}
	ret = drop_powers(fs_caps, VR_ARRAY_SIZE(fs_caps), 0, err);
	if (ret < 0) {
		return ret;
	}
	ret = undumpable(err);
	if (ret < 0) {
		return ret;
	}
	ret = restrict_to_tree(tree, err);
	if (ret < 0) {
		return ret;
	}
	return install_filter(SBX_ROLE_FS, err);
}

int sbx_stage_net_final(const struct sbx_user *user, struct vr_err *err)
{
	static const int caps[] = {CAP_NET_ADMIN};
	int ret = enter_nothing(CLONE_NEWIPC | CLONE_NEWUTS, err);

	if (ret < 0) {
		return ret;
	}
	ret = prepare_filter(SBX_ROLE_NET, err);
	if (ret < 0) {
		return ret;
	}
	one_malloc_arena();
	ret = become(user, err);
	if (ret < 0) {
		return ret;
	}
	ret = drop_powers(caps, VR_ARRAY_SIZE(caps), NET_NOFILE, err);
	if (ret < 0) {
		return ret;
	}
	ret = undumpable(err);
	if (ret < 0) {
		return ret;
	}
	ret = restrict_paths(NULL, 0, LL_ABI_MAX, err);
	if (ret < 0) {
		return ret;
	}
	return install_filter(SBX_ROLE_NET, err);
}

int sbx_stage_shim_final(struct vr_err *err)
{
	int ret;

	ret = one_thread(err);
	if (ret < 0) {
		return ret;
	}
	ret = prepare_filter(SBX_ROLE_SHIM, err);
	if (ret < 0) {
		return ret;
	}
	ret = drop_powers(NULL, 0, SHIM_NOFILE, err);
	if (ret < 0) {
		return ret;
	}
	ret = restrict_paths(NULL, 0, LL_ABI_MAX, err);
	if (ret < 0) {
		return ret;
	}
	return install_filter(SBX_ROLE_SHIM, err);
}

int sbx_stage_proxy_final(pid_t shim, struct vr_err *err)
{
	int ret;

	ret = one_thread(err);
	if (ret < 0) {
		return ret;
	}
	sbx_seccomp_child(shim > 0 ? shim : getpid());
	ret = prepare_filter(SBX_ROLE_PROXY, err);
	if (ret < 0) {
		return ret;
	}
	ret = drop_powers(NULL, 0, 0, err);
	if (ret < 0) {
		return ret;
	}
	ret = restrict_paths(NULL, 0, shim > 0 ? LANDLOCK_NO_SCOPES : LL_ABI_MAX, err);
	if (ret < 0) {
		return ret;
	}
	return install_filter(SBX_ROLE_PROXY, err);
}
