/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_build.c - a role's list compiled by libseccomp; see seccomp_build.h
 *
 * All comparisons are masked equalities. That keeps clear of libseccomp's merging of
 * 64-bit "greater" comparisons (wrong before 2.6.1), and 32-bit arguments are compared
 * as the kernel will use them, whatever garbage is above.
 */
#include "sandbox/seccomp_build.h"

#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "sandbox/seccomp_roles.h"

/* Numbers above this are no calls of today's kernels; a larger one in a list is a mistake. */
#define MAX_NR 1024

/* A list while it is being compiled, and what is known about each call. */
struct compile {
	scmp_filter_ctx ctx;
	const struct sbx_role_def *def;
	pid_t pid;
	pid_t child; /* 0: nobody was named */
	bool plain[MAX_NR];
	bool checked[MAX_NR];
};

static bool contains(const struct sbx_numbers *list, int nr)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (list->nrs[i] == nr) {
			return true;
		}
	}
	return false;
}

static bool forbidden(const struct compile *c, int nr)
{
	return nr < 0 || nr >= MAX_NR || contains(&sbx_sys_never, nr) ||
	       (!c->def->files && contains(&sbx_sys_files, nr));
}

/* What stands for a pid is replaced. Return: false when there is none. */
static bool get_value(const struct compile *c, const struct sbx_arg *arg, uint64_t *out)
{
	*out = arg->value == SBX_VALUE_TGID    ? (uint32_t)c->pid
	       : arg->value == SBX_VALUE_CHILD ? (uint32_t)c->child
					       : arg->value;
	return arg->value != SBX_VALUE_CHILD || c->child > 0; /* 0 would be the process group */
}

static int add_rule(const struct compile *c, const struct sbx_rule *rule)
{
	struct scmp_arg_cmp cmp[SBX_ARGS_MAX];
	unsigned i;
	int ret;

	for (i = 0; i < rule->n_args; i++) {
		const struct sbx_arg *arg = &rule->args[i];
		uint64_t value;

		if (!get_value(c, arg, &value)) {
			return -EINVAL;
		}
		cmp[i] = (struct scmp_arg_cmp){
			.arg = arg->index,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = arg->mask,
			.datum_b = value,
		};
	}
	ret = seccomp_rule_add_exact_array(c->ctx, SCMP_ACT_ALLOW, rule->nr, rule->n_args, cmp);
	return ret == -EEXIST ? 0 : ret; /* two parts of a role may say the same */
}

static int add_by_hand(struct compile *c, const struct sbx_rules *part)
{
	size_t i;

	for (i = 0; i < part->n; i++) {
		const struct sbx_rule *rule = &part->rules[i];
		bool plain = rule->n_args == 0;
		int ret;

		if (forbidden(c, rule->nr) || plain == contains(&sbx_sys_guarded, rule->nr)) {
			return -EINVAL;
		}
		ret = add_rule(c, rule);
		if (ret < 0) {
			return ret;
		}
		*(plain ? &c->plain[rule->nr] : &c->checked[rule->nr]) = true;
	}
	return 0;
}

static int add_declared(struct compile *c, const struct sbx_numbers *part)
{
	size_t i;

	for (i = 0; i < part->n; i++) {
		struct sbx_rule rule = {.nr = part->nrs[i]};
		int ret;

		if (forbidden(c, rule.nr)) {
			return -EINVAL;
		}
		if (c->plain[rule.nr] || c->checked[rule.nr]) {
			continue;
		}
		if (contains(&sbx_sys_guarded, rule.nr)) {
			return -EINVAL;
		}
		ret = add_rule(c, &rule);
		if (ret < 0) {
			return ret;
		}
		c->plain[rule.nr] = true;
	}
	return 0;
}

static int add_role(struct compile *c)
{
	size_t i;
	int ret;

	for (i = 0; i < SBX_ROLE_PARTS; i++) {
		ret = add_by_hand(c, &c->def->by_hand[i]);
		if (ret < 0) {
			return ret;
		}
	}
	for (i = 0; i < SBX_ROLE_PARTS; i++) {
		ret = add_declared(c, &c->def->declared[i]);
		if (ret < 0) {
			return ret;
		}
	}
	/* Its flags are in memory, where a filter can't look; libc falls back to clone. */
	ret = seccomp_rule_add_exact(c->ctx, SCMP_ACT_ERRNO(ENOSYS), __NR_clone3, 0);
	if (ret < 0) {
		return ret;
	}
	/* KVM_RUN is the only call that is made often: it comes first. */
	return seccomp_syscall_priority(c->ctx, __NR_ioctl, 255);
}

/* libseccomp can export only into a file. */
static int export_filter(scmp_filter_ctx ctx, struct sbx_filter *out)
{
	vr_autoclose int fd = vr_memfd("seccomp", 0, 0);
	vr_autofree char *bytes = NULL;
	size_t len;
	int ret;

	if (fd < 0) {
		return fd;
	}
	ret = seccomp_export_bpf(ctx, fd);
	if (ret < 0) {
		return ret;
	}
	if (lseek(fd, 0, SEEK_SET) < 0) {
		return -errno;
	}
	ret = vr_read_fd(fd, BPF_MAXINSNS * sizeof(struct sock_filter), &bytes, &len);
	if (ret < 0) {
		return ret;
	}
	if (len == 0 || len % sizeof(struct sock_filter) != 0) {
		return -EINVAL;
	}
	out->len = len / sizeof(struct sock_filter);
	out->insns = (struct sock_filter *)vr_take_ptr(&bytes);
	return 0;
}

int sbx_filter_build(enum sbx_role role, pid_t pid, pid_t child, struct sbx_filter *out)
{
	struct compile c = {.pid = pid, .child = child};
	int ret;

	if ((unsigned)role >= SBX_ROLE_COUNT) {
		return -EINVAL;
	}
	c.def = &sbx_role_defs[role];
	c.ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!c.ctx) {
		return -ENOMEM;
	}
	/* Other architectures, that is 32-bit and x32 calls, are never ours. */
	ret = seccomp_attr_set(c.ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (ret == 0) {
		/* 2: a binary tree. The kernel runs a new filter once for every call there is. */
		ret = seccomp_attr_set(c.ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	}
	if (ret == 0) {
		ret = add_role(&c);
	}
	if (ret == 0) {
		ret = export_filter(c.ctx, out);
	}
	seccomp_release(c.ctx);
	return ret;
}
