/* SPDX-License-Identifier: Apache-2.0 */
/* creds.c - from the agent's rights to the workload's; see creds.h */
#include "creds.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys.h"

/* The raw calls: libc's would try to reach threads that don't exist here. */
static int set_ids(uint32_t uid, uint32_t gid)
{
	if (syscall(SYS_setresgid, gid, gid, gid) < 0 ||
	    syscall(SYS_setresuid, uid, uid, uid) < 0) {
		return -errno;
	}
	return 0;
}

int creds_become_root(struct fail *f)
{
	int rc = set_ids(0, 0);

	/* -EINVAL: the namespace maps no 0; then capabilities alone have to do */
	return rc && rc != -EINVAL ? fail_set(f, "user", rc, "root of the user namespace") : 0;
}

static int set_sched(const struct ap_process *p, struct fail *f)
{
	const struct ap_sched *s = &p->sched;
	struct va_sched_attr attr = {.size = sizeof(attr),
				     .policy = s->policy,
				     .flags = s->flags,
				     .nice = s->nice,
				     .priority = s->priority,
				     .runtime = s->runtime_ns,
				     .deadline = s->deadline_ns,
				     .period = s->period_ns};

	if ((p->flags & AP_P_HAS_SCHED) && syscall(SYS_sched_setattr, 0, &attr, 0) < 0) {
		return fail_set(f, "scheduler", -errno, "set scheduler");
	}
	if ((p->flags & AP_P_HAS_IOPRIO) &&
	    syscall(SYS_ioprio_set, VA_IOPRIO_WHO_PROCESS, 0, p->ioprio) < 0) {
		return fail_set(f, "ioprio", -errno, "set I/O priority");
	}
	return 0;
}

static int set_personality(const struct ap_process *p, struct fail *f)
{
	if ((p->flags & AP_P_HAS_PERSONALITY) && personality(p->personality) < 0) {
		return fail_set(f, "personality", -errno, "set personality");
	}
	return 0;
}

/* A session keyring of its own, so that the container doesn't share the agent's. */
static void join_keyring(const struct ap_process *p)
{
	if (!(p->flags & AP_P_NO_KEYRING)) {
		/* a kernel without keys has nothing to share */
		(void)syscall(SYS_keyctl, VA_KEYCTL_JOIN_SESSION_KEYRING, "_ses.volt", 0, 0, 0);
	}
}

/*
 * Like runc: before the switch, for directories only root may enter, and again after it, for
 * those that root may not (a share exported without root's rights).
 */
static int enter_cwd(const struct ap_process *p)
{
	return chdir(p->cwd) < 0 ? -errno : 0;
}

/* The working directory must lie inside the root: a stray descriptor can't become it. */
static int check_cwd(const struct ap_process *p, struct fail *f)
{
	char buf[4096];
	long n = syscall(SYS_getcwd, buf, sizeof(buf));

	if (n > 0 && buf[0] == '/') {
		return 0;
	}
	if (n < 0 && errno != ENOENT) {
		return 0; /* the container's filter doesn't let us ask, and nothing of ours is open */
	}
	return fail_set(f, "cwd", -EPERM, "current working directory '%s' is outside of the root",
			p->cwd);
}

static int set_filter(const struct ap_process *p, struct fail *f)
{
	struct va_sock_fprog prog = {.len = (unsigned short)p->n_seccomp, .filter = p->seccomp};

	if (syscall(SYS_seccomp, VA_SECCOMP_SET_MODE_FILTER, p->seccomp_flags, &prog) < 0) {
		return fail_set(f, "seccomp", -errno, "load seccomp filter");
	}
	return 0;
}

static int drop_bounding(uint64_t keep)
{
	for (int cap = 0; cap < 64 && prctl(VA_PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (!(keep & (UINT64_C(1) << cap)) && prctl(VA_PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			return -errno;
		}
	}
	return 0;
}

/* The capabilities this kernel knows: capset refuses others. */
static uint64_t known_caps(void)
{
	uint64_t known = 0;

	for (int cap = 0; cap < 64 && prctl(VA_PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		known |= UINT64_C(1) << cap;
	}
	return known;
}

static int set_caps(const uint64_t caps[AP_CAPS_COUNT])
{
	struct va_cap_header hdr = {.version = VA_CAP_VERSION_3};
	uint64_t known = known_caps();
	uint64_t perm = caps[AP_CAPS_PERMITTED] & known;
	uint64_t eff = caps[AP_CAPS_EFFECTIVE] & perm;
	uint64_t inher = caps[AP_CAPS_INHERITABLE] & caps[AP_CAPS_BOUNDING] & known;
	uint64_t amb = caps[AP_CAPS_AMBIENT] & perm & inher;
	struct va_cap_data data[2] = {
		{(uint32_t)eff, (uint32_t)perm, (uint32_t)inher},
		{(uint32_t)(eff >> 32), (uint32_t)(perm >> 32), (uint32_t)(inher >> 32)},
	};

	if (syscall(SYS_capset, &hdr, data) < 0 ||
	    prctl(VA_PR_CAP_AMBIENT, VA_PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) {
		return -errno;
	}
	for (int cap = 0; cap < 64; cap++) {
		if ((amb & (UINT64_C(1) << cap)) &&
		    prctl(VA_PR_CAP_AMBIENT, VA_PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0) {
			return -errno;
		}
	}
	return 0;
}

/* Like runc: the workload owns its stdio, but a device node (/dev/null) is everybody's; a terminal keeps its group. */
static int own_stdio(const struct ap_process *p, struct fail *f)
{
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;
		bool device;

		if (fstat(fd, &st) < 0) {
			continue;
		}
		device = S_ISCHR(st.st_mode);
		if ((device && !isatty(fd)) ||
		    (st.st_uid == p->uid && (device || st.st_gid == p->gid))) {
			continue;
		}
		if (fchown(fd, p->uid, device ? (gid_t)-1 : p->gid) < 0 && errno != EINVAL &&
		    errno != EPERM && errno != EROFS) {
			return fail_set(f, "stdio", -errno, "owner of stdio");
		}
	}
	return 0;
}

static int switch_user(const struct ap_process *p, struct fail *f)
{
	int rc;

	if (prctl(VA_PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) {
		return fail_set(f, "user", -errno, "keep capabilities");
	}
	if (syscall(SYS_setgroups, p->n_gids, p->gids) < 0) {
		return fail_set(f, "user", -errno, "setgroups");
	}
	rc = set_ids(p->uid, p->gid);
	if (rc) {
		return fail_set(f, "user", rc, "setuid %u, setgid %u", p->uid, p->gid);
	}
	if (prctl(VA_PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0) {
		return fail_set(f, "user", -errno, "keep capabilities");
	}
	return 0;
}

static int cwd_fail(const struct ap_process *p, int rc, struct fail *f)
{
	return fail_set(f, "cwd", rc, "chdir to cwd (\"%s\") set in config.json failed", p->cwd);
}

static int user_and_caps(const struct ap_process *p, struct fail *f)
{
	int cwd_rc;
	int rc;

	if ((p->flags & AP_P_HAS_CAPS) && (rc = drop_bounding(p->caps[AP_CAPS_BOUNDING]))) {
		return fail_set(f, "caps", rc, "bounding capabilities");
	}
	cwd_rc = enter_cwd(p);
	if (cwd_rc && cwd_rc != -EACCES && cwd_rc != -EPERM) {
		return cwd_fail(p, cwd_rc, f);
	}
	rc = own_stdio(p, f);
	rc = rc ? rc : switch_user(p, f);
	if (rc) {
		return rc;
	}
	if (cwd_rc && (cwd_rc = enter_cwd(p))) {
		return cwd_fail(p, cwd_rc, f);
	}
	rc = check_cwd(p, f);
	if (rc == 0 && (p->flags & AP_P_HAS_CAPS) && (rc = set_caps(p->caps))) {
		return fail_set(f, "caps", rc, "capabilities");
	}
	return rc;
}

int creds_apply(const struct ap_process *p, struct fail *f)
{
	bool nnp = (p->flags & AP_P_NO_NEW_PRIVS) != 0;
	int rc = set_sched(p, f);

	rc = rc ? rc : set_personality(p, f);
	if (rc) {
		return rc;
	}
	join_keyring(p);
	umask((p->flags & AP_P_HAS_UMASK) ? p->umask : 0022);
	if (nnp && prctl(VA_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return fail_set(f, "no_new_privs", -errno, "set no_new_privs");
	}
	if (!nnp && (p->flags & AP_P_HAS_SECCOMP) && (rc = set_filter(p, f))) {
		return rc;
	}
	return user_and_caps(p, f);
}

int creds_seal(const struct ap_process *p, struct fail *f)
{
	if (p->cpus_final &&
	    syscall(SYS_sched_setaffinity, 0, sizeof(p->cpus_final), &p->cpus_final) < 0) {
		return fail_set(f, "affinity", -errno, "CPU affinity");
	}
	if ((p->flags & AP_P_NO_NEW_PRIVS) && (p->flags & AP_P_HAS_SECCOMP)) {
		return set_filter(p, f);
	}
	return 0;
}
