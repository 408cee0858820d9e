/* SPDX-License-Identifier: Apache-2.0 */
/* landlock.c - ruleset builder and ABI negotiation; see landlock.h */
#include "sandbox/landlock.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "sandbox/landlock_abi.h"

/* The numbers are the same on all architectures (Linux 5.13). */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule	    445
#define SYS_landlock_restrict_self  446
#endif

/* What each ABI version handles, cumulative. Index: version. */
static const struct ll_abi {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
	size_t attr_size;
} abis[LL_ABI_MAX + 1] = {
	[1] = {0x1fff, 0, 0, LL_RULESET_SIZE_V1},
	[2] = {0x3fff, 0, 0, LL_RULESET_SIZE_V1},
	[3] = {0x7fff, 0, 0, LL_RULESET_SIZE_V1},
	[4] = {0x7fff, LL_NET_BIND_TCP | LL_NET_CONNECT_TCP, 0, LL_RULESET_SIZE_V4},
	[5] = {0xffff, LL_NET_BIND_TCP | LL_NET_CONNECT_TCP, 0, LL_RULESET_SIZE_V4},
	[6] = {0xffff, LL_NET_BIND_TCP | LL_NET_CONNECT_TCP,
	       LL_SCOPE_ABSTRACT_UNIX_SOCKET | LL_SCOPE_SIGNAL, LL_RULESET_SIZE_V6},
};

int sbx_landlock_abi(int limit)
{
	long abi;

	if (limit < 0) {
		return 0;
	}
	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LL_CREATE_RULESET_VERSION);
	if (abi < 1) {
		return 0; /* ENOSYS: not built in; EOPNOTSUPP: disabled at boot */
	}
	if (limit > 0) {
		abi = VR_MIN(abi, (long)limit);
	}
	return (int)VR_MIN(abi, (long)LL_ABI_MAX);
}

static int add_rule(int ruleset, const struct ll_abi *abi, const struct sbx_landlock_rule *rule)
{
	struct ll_path_beneath_attr attr;
	struct stat st;

	if (fstat(rule->fd, &st) < 0) {
		return -errno;
	}
	attr.allowed = rule->allow & abi->fs;
	attr.parent_fd = rule->fd;
	if (!S_ISDIR(st.st_mode)) {
		attr.allowed &= LL_FS_FILE_RIGHTS;
	}
	if (attr.allowed == 0) {
		return 0; /* the kernel refuses empty rules; an absent one means the same */
	}
	if (syscall(SYS_landlock_add_rule, ruleset, LL_RULE_PATH_BENEATH, &attr, 0) < 0) {
		return -errno;
	}
	return 0;
}

int sbx_landlock_restrict(int abi, const struct sbx_landlock_rule *rules, size_t n_rules)
{
	struct ll_ruleset_attr attr;
	vr_autoclose int ruleset = -1;
	size_t i;
	int ret;

	if (abi < 1 || abi > LL_ABI_MAX) {
		return -EINVAL;
	}
	attr = (struct ll_ruleset_attr){abis[abi].fs, abis[abi].net, abis[abi].scoped};
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, abis[abi].attr_size, 0);
	if (ruleset < 0) {
		return -errno;
	}
	for (i = 0; i < n_rules; i++) {
		ret = add_rule(ruleset, &abis[abi], &rules[i]);
		if (ret < 0) {
			return ret;
		}
	}
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0) {
		return -errno;
	}
	return 0;
}
