/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp.c - a system call allow-list per role; see seccomp.h
 *
 * The programs are compiled when we are (gen_filters.c) and are part of us: the tests
 * simulate exactly what is loaded, whatever libseccomp the host has, and a start doesn't
 * wait for a compiler. Only the pids in them are filled in here.
 */
#include "sandbox/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/seccomp_roles.h"

#ifndef __x86_64__
#error "the lists and the architecture check are for x86-64 only"
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BUILT_WITH_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
	__has_feature(memory_sanitizer)
#define BUILT_WITH_SANITIZER 1
#endif
#endif
#ifndef BUILT_WITH_SANITIZER
#define BUILT_WITH_SANITIZER 0
#endif

/* An instruction that compares with a pid: the child's, or our own. */
struct pid_place {
	unsigned short at;
	bool child;
};

/* A program as it was compiled with us. */
struct ready {
	const struct sock_filter *insns;
	size_t n_insns;
	const struct pid_place *pids;
	size_t n_pids;
};

#include "seccomp_filters.h"

/* Written by sbx_seccomp_prepare() while the process has one thread, constant afterwards. */
static struct sbx_filter prepared[SBX_ROLE_COUNT];

/* Whom the proxy may signal; 0: nobody was named. Written as above. */
static pid_t child;

const char *sbx_role_name(enum sbx_role role)
{
	return (unsigned)role < SBX_ROLE_COUNT ? sbx_role_defs[role].name : "?";
}

#ifdef VOLT_DEBUG
static bool log_only(void)
{
	const char *value = getenv("VOLT_SECCOMP_LOG");

	return value && strcmp(value, "1") == 0;
}
#else
#define log_only() false
#endif

void sbx_seccomp_child(pid_t pid)
{
	child = pid;
}

static void log_instead(const struct sbx_filter *f)
{
	for (size_t i = 0; i < f->len; i++) {
		if (f->insns[i].code == (BPF_RET | BPF_K) &&
		    f->insns[i].k == SECCOMP_RET_KILL_PROCESS) {
			f->insns[i].k = SECCOMP_RET_LOG;
		}
	}
}

int sbx_filter_get(enum sbx_role role, pid_t pid, struct sbx_filter *out)
{
	const struct ready *r;
	size_t i;

	if ((unsigned)role >= SBX_ROLE_COUNT) {
		return -EINVAL;
	}
	r = &ready[role];
	for (i = 0; i < r->n_pids; i++) {
		if (r->pids[i].child && child <= 0) {
			return -EINVAL; /* 0 would be the process group */
		}
	}
	out->insns = malloc(r->n_insns * sizeof(*r->insns));
	if (!out->insns) {
		return -ENOMEM;
	}
	out->len = r->n_insns;
	memcpy(out->insns, r->insns, r->n_insns * sizeof(*r->insns));
	for (i = 0; i < r->n_pids; i++) {
		out->insns[r->pids[i].at].k = (uint32_t)(r->pids[i].child ? child : pid);
	}
	if (log_only()) {
		log_instead(out);
	}
	return 0;
}

int sbx_seccomp_prepare(enum sbx_role role)
{
	struct sbx_filter filter;
	int ret = sbx_filter_get(role, getpid(), &filter);

	if (ret < 0) {
		return ret;
	}
	sbx_filter_finish(&prepared[role]);
	prepared[role] = filter;
	return 0;
}

int sbx_seccomp_thread(enum sbx_role role)
{
	struct sock_fprog prog;

	if ((unsigned)role >= SBX_ROLE_COUNT || !prepared[role].insns) {
		return -EINVAL;
	}
	if (BUILT_WITH_SANITIZER) {
		return 0;
	}
	prog.len = (unsigned short)prepared[role].len; /* BPF_MAXINSNS at most */
	prog.filter = prepared[role].insns;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}

bool sbx_seccomp_enforced(void)
{
	return !BUILT_WITH_SANITIZER && !log_only();
}
