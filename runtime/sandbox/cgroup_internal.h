/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_internal.h - between cgroup*.c: hierarchies and their files
 *
 * Uses: base.
 */
#ifndef SANDBOX_CGROUP_INTERNAL_H
#define SANDBOX_CGROUP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "sandbox/cgroup.h"

#define CG_HIERARCHIES_MAX 24
#define CG_MOUNT_MAX	   256

/**
 * struct cg_hierarchy - one mounted hierarchy
 * @mount:       mount point
 * @root:        which part of the hierarchy is mounted there, "/" for all
 * @controllers: version 1: names, comma-separated ("cpu,cpuacct", "name=systemd")
 */
struct cg_hierarchy {
	char mount[CG_MOUNT_MAX];
	char root[CG_MOUNT_MAX];
	char controllers[128];
};

/** struct cg_table - all of them; one entry for version 2 */
struct cg_table {
	enum sbx_cgroup_mode mode;
	size_t n;
	struct cg_hierarchy h[CG_HIERARCHIES_MAX];
};

/** cg_table_load() - look at the mounts. Return: 0, -ENOENT without any, or -errno */
int cg_table_load(struct cg_table *t) __attribute__((warn_unused_result));

/** cg_load() - the same with words: 0 or a negative errno value, @err filled */
int cg_load(struct cg_table *t, struct vr_err *err) __attribute__((warn_unused_result));

/** cg_own_path() - the caller's cgroup in a hierarchy, as seen from its mount */
int cg_own_path(const struct cg_table *t, const struct cg_hierarchy *h, char *out, size_t cap)
	__attribute__((warn_unused_result));

/** cg_pid_path() - the same of another process */
int cg_pid_path(pid_t pid, const struct cg_table *t, const struct cg_hierarchy *h, char *out,
		size_t cap) __attribute__((warn_unused_result));

/** cg_is_within() - is the cgroup @path @top, or below it? */
bool cg_is_within(const char *path, const char *top);

/** cg_has_controller() - is @name one of the comma-separated controllers of @h? */
bool cg_has_controller(const struct cg_hierarchy *h, const char *name);

/** cg_open() - directory of @path in @h, or -errno */
int cg_open(const struct cg_hierarchy *h, const char *path) __attribute__((warn_unused_result));

/** cg_write() - write @value to a file of a cgroup. Return: 0 or -errno */
int cg_write(int dir, const char *file, const char *value) __attribute__((warn_unused_result));

/** cg_read() - content of a file of a cgroup, cut to @cap with NUL. Return: 0 or -errno */
int cg_read(int dir, const char *file, char *out, size_t cap) __attribute__((warn_unused_result));

/** cg_word_in() - is @word one of the words in the list (separated by blanks, commas, newlines)? */
bool cg_word_in(const char *list, const char *word);

/* cgroup_limits.c */

/** cg_limits_need() - does @limits set something of version 2's controller @name? */
bool cg_limits_need(const struct sbx_cgroup_limits *limits, const char *name);

/** cg_limits_write_v2() - all limits into the cgroup @dir. Return: 0 or negative errno */
int cg_limits_write_v2(int dir, const struct sbx_cgroup_limits *limits, struct vr_err *err)
	__attribute__((warn_unused_result));

/** cg_limits_write_v1() - those limits that belong to hierarchy @h into its cgroup @dir */
int cg_limits_write_v1(const struct cg_hierarchy *h, int dir,
		       const struct sbx_cgroup_limits *limits, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* SANDBOX_CGROUP_INTERNAL_H */
