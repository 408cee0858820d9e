/* SPDX-License-Identifier: Apache-2.0 */
/*
 * landlock_abi.h - the kernel's Landlock interface, ABI versions 1 to 6, pinned
 *
 * Build machines have older headers than the kernels we run on (Debian 12
 * ships Linux 6.1's, which end at ABI 2), so everything is spelled out here
 * with the version it came in. Values: Linux include/uapi/linux/landlock.h.
 * What a running kernel knows is asked at run time, see landlock.h.
 *
 * Uses: libc. Used by: landlock.c, tree users that name rights, tests.
 */
#ifndef SANDBOX_LANDLOCK_ABI_H
#define SANDBOX_LANDLOCK_ABI_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define LL_ABI_MAX 6

#define LL_CREATE_RULESET_VERSION 1u
#define LL_RULE_PATH_BENEATH	  1

/* ABI 1, Linux 5.13 */
#define LL_FS_EXECUTE	  (1ull << 0)
#define LL_FS_WRITE_FILE  (1ull << 1)
#define LL_FS_READ_FILE	  (1ull << 2)
#define LL_FS_READ_DIR	  (1ull << 3)
#define LL_FS_REMOVE_DIR  (1ull << 4)
#define LL_FS_REMOVE_FILE (1ull << 5)
#define LL_FS_MAKE_CHAR	  (1ull << 6)
#define LL_FS_MAKE_DIR	  (1ull << 7)
#define LL_FS_MAKE_REG	  (1ull << 8)
#define LL_FS_MAKE_SOCK	  (1ull << 9)
#define LL_FS_MAKE_FIFO	  (1ull << 10)
#define LL_FS_MAKE_BLOCK  (1ull << 11)
#define LL_FS_MAKE_SYM	  (1ull << 12)
/* ABI 2, Linux 5.19: before it, a rename or link to another directory is always refused (EXDEV) */
#define LL_FS_REFER (1ull << 13)
/* ABI 3, Linux 6.2: before it, truncation is not controlled */
#define LL_FS_TRUNCATE (1ull << 14)
/* ABI 4, Linux 6.7 */
#define LL_NET_BIND_TCP	   (1ull << 0)
#define LL_NET_CONNECT_TCP (1ull << 1)
/* ABI 5, Linux 6.10 */
#define LL_FS_IOCTL_DEV (1ull << 15)
/* ABI 6, Linux 6.12 */
#define LL_SCOPE_ABSTRACT_UNIX_SOCKET (1ull << 0)
#define LL_SCOPE_SIGNAL		      (1ull << 1)

/* The rights that make sense for a rule on something that is not a directory; others are EINVAL. */
#define LL_FS_FILE_RIGHTS                                                                          \
	(LL_FS_EXECUTE | LL_FS_WRITE_FILE | LL_FS_READ_FILE | LL_FS_TRUNCATE | LL_FS_IOCTL_DEV)

/**
 * struct ll_ruleset_attr - argument of landlock_create_ruleset(2)
 *
 * Grown over time; the size passed with it says which fields exist, and a
 * kernel refuses a larger one than it knows unless the rest is zero.
 */
struct ll_ruleset_attr {
	uint64_t handled_fs;
	uint64_t handled_net; /* ABI 4 */
	uint64_t scoped;      /* ABI 6 */
};

#define LL_RULESET_SIZE_V1 8u
#define LL_RULESET_SIZE_V4 16u
#define LL_RULESET_SIZE_V6 24u

static_assert(sizeof(struct ll_ruleset_attr) == LL_RULESET_SIZE_V6, "landlock.h, ABI 6");
static_assert(offsetof(struct ll_ruleset_attr, scoped) == LL_RULESET_SIZE_V4, "landlock.h, ABI 6");

/** struct ll_path_beneath_attr - rights for everything beneath a file or directory (packed) */
struct ll_path_beneath_attr {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

static_assert(sizeof(struct ll_path_beneath_attr) == 12, "landlock.h, ABI 1");

#endif /* SANDBOX_LANDLOCK_ABI_H */
