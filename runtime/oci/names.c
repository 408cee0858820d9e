/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - tables of names; see names.h */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "oci/names.h"

#include <ctype.h>
#include <linux/capability.h>
#include <linux/mempolicy.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include "base/checked.h"
#include "oci/spec.h"

#define END                                                                                        \
	{                                                                                          \
		NULL, 0                                                                            \
	}

/* Named by number where the build host's headers may be older than the guest kernel. */
const struct oci_name oci_cap_names[] = {
	{"CAP_CHOWN", 0},
	{"CAP_DAC_OVERRIDE", 1},
	{"CAP_DAC_READ_SEARCH", 2},
	{"CAP_FOWNER", 3},
	{"CAP_FSETID", 4},
	{"CAP_KILL", 5},
	{"CAP_SETGID", 6},
	{"CAP_SETUID", 7},
	{"CAP_SETPCAP", 8},
	{"CAP_LINUX_IMMUTABLE", 9},
	{"CAP_NET_BIND_SERVICE", 10},
	{"CAP_NET_BROADCAST", 11},
	{"CAP_NET_ADMIN", 12},
	{"CAP_NET_RAW", 13},
	{"CAP_IPC_LOCK", 14},
	{"CAP_IPC_OWNER", 15},
	{"CAP_SYS_MODULE", 16},
	{"CAP_SYS_RAWIO", 17},
	{"CAP_SYS_CHROOT", 18},
	{"CAP_SYS_PTRACE", 19},
	{"CAP_SYS_PACCT", 20},
	{"CAP_SYS_ADMIN", 21},
	{"CAP_SYS_BOOT", 22},
	{"CAP_SYS_NICE", 23},
	{"CAP_SYS_RESOURCE", 24},
	{"CAP_SYS_TIME", 25},
	{"CAP_SYS_TTY_CONFIG", 26},
	{"CAP_MKNOD", 27},
	{"CAP_LEASE", 28},
	{"CAP_AUDIT_WRITE", 29},
	{"CAP_AUDIT_CONTROL", 30},
	{"CAP_SETFCAP", 31},
	{"CAP_MAC_OVERRIDE", 32},
	{"CAP_MAC_ADMIN", 33},
	{"CAP_SYSLOG", 34},
	{"CAP_WAKE_ALARM", 35},
	{"CAP_BLOCK_SUSPEND", 36},
	{"CAP_AUDIT_READ", 37},
	{"CAP_PERFMON", 38},
	{"CAP_BPF", 39},
	{"CAP_CHECKPOINT_RESTORE", 40},
	END,
};

_Static_assert(CAP_AUDIT_READ == 37 && CAP_MAC_ADMIN == 33, "capability numbers are the kernel's");

const struct oci_name oci_rlimit_names[] = {
	{"RLIMIT_AS", RLIMIT_AS},
	{"RLIMIT_CORE", RLIMIT_CORE},
	{"RLIMIT_CPU", RLIMIT_CPU},
	{"RLIMIT_DATA", RLIMIT_DATA},
	{"RLIMIT_FSIZE", RLIMIT_FSIZE},
	{"RLIMIT_LOCKS", RLIMIT_LOCKS},
	{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
	{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
	{"RLIMIT_NICE", RLIMIT_NICE},
	{"RLIMIT_NOFILE", RLIMIT_NOFILE},
	{"RLIMIT_NPROC", RLIMIT_NPROC},
	{"RLIMIT_RSS", RLIMIT_RSS},
	{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
	{"RLIMIT_RTTIME", RLIMIT_RTTIME},
	{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
	{"RLIMIT_STACK", RLIMIT_STACK},
	END,
};

const struct oci_name oci_namespace_names[] = {
	{"pid", OCI_NS_PID},	   {"network", OCI_NS_NETWORK}, {"mount", OCI_NS_MOUNT},
	{"ipc", OCI_NS_IPC},	   {"uts", OCI_NS_UTS},		{"user", OCI_NS_USER},
	{"cgroup", OCI_NS_CGROUP}, {"time", OCI_NS_TIME},	END,
};

/* sched.h of the C library has no SCHED_ISO and DEADLINE only lately: kernel numbers. */
const struct oci_name oci_sched_names[] = {
	{"SCHED_OTHER", 0}, {"SCHED_FIFO", 1}, {"SCHED_RR", 2},	      {"SCHED_BATCH", 3},
	{"SCHED_ISO", 4},   {"SCHED_IDLE", 5}, {"SCHED_DEADLINE", 6}, END,
};

const struct oci_name oci_sched_flag_names[] = {
	{"SCHED_FLAG_RESET_ON_FORK", 0x01},  {"SCHED_FLAG_RECLAIM", 0x02},
	{"SCHED_FLAG_DL_OVERRUN", 0x04},     {"SCHED_FLAG_KEEP_POLICY", 0x08},
	{"SCHED_FLAG_KEEP_PARAMS", 0x10},    {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
	{"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40}, END,
};

const struct oci_name oci_ioprio_names[] = {
	{"IOPRIO_CLASS_RT", 1},
	{"IOPRIO_CLASS_BE", 2},
	{"IOPRIO_CLASS_IDLE", 3},
	END,
};

const struct oci_name oci_action_names[] = {
	{"SCMP_ACT_KILL", OCI_SECCOMP_KILL_THREAD},
	{"SCMP_ACT_KILL_PROCESS", OCI_SECCOMP_KILL_PROCESS},
	{"SCMP_ACT_KILL_THREAD", OCI_SECCOMP_KILL_THREAD},
	{"SCMP_ACT_TRAP", OCI_SECCOMP_TRAP},
	{"SCMP_ACT_ERRNO", OCI_SECCOMP_ERRNO},
	{"SCMP_ACT_TRACE", OCI_SECCOMP_TRACE},
	{"SCMP_ACT_ALLOW", OCI_SECCOMP_ALLOW},
	{"SCMP_ACT_LOG", OCI_SECCOMP_LOG},
	{"SCMP_ACT_NOTIFY", OCI_SECCOMP_NOTIFY},
	END,
};

const struct oci_name oci_op_names[] = {
	{"SCMP_CMP_NE", OCI_SECCOMP_NE},
	{"SCMP_CMP_LT", OCI_SECCOMP_LT},
	{"SCMP_CMP_LE", OCI_SECCOMP_LE},
	{"SCMP_CMP_EQ", OCI_SECCOMP_EQ},
	{"SCMP_CMP_GE", OCI_SECCOMP_GE},
	{"SCMP_CMP_GT", OCI_SECCOMP_GT},
	{"SCMP_CMP_MASKED_EQ", OCI_SECCOMP_MASKED_EQ},
	END,
};

const struct oci_name oci_arch_names[] = {
	{"SCMP_ARCH_X86", 0},	   {"SCMP_ARCH_X86_64", 1},	  {"SCMP_ARCH_X32", 2},
	{"SCMP_ARCH_ARM", 3},	   {"SCMP_ARCH_AARCH64", 4},	  {"SCMP_ARCH_MIPS", 5},
	{"SCMP_ARCH_MIPS64", 6},   {"SCMP_ARCH_MIPS64N32", 7},	  {"SCMP_ARCH_MIPSEL", 8},
	{"SCMP_ARCH_MIPSEL64", 9}, {"SCMP_ARCH_MIPSEL64N32", 10}, {"SCMP_ARCH_PPC", 11},
	{"SCMP_ARCH_PPC64", 12},   {"SCMP_ARCH_PPC64LE", 13},	  {"SCMP_ARCH_S390", 14},
	{"SCMP_ARCH_S390X", 15},   {"SCMP_ARCH_PARISC", 16},	  {"SCMP_ARCH_PARISC64", 17},
	{"SCMP_ARCH_RISCV64", 18}, {"SCMP_ARCH_LOONGARCH64", 19}, {"SCMP_ARCH_M68K", 20},
	{"SCMP_ARCH_SH", 21},	   {"SCMP_ARCH_SHEB", 22},	  END,
};

const struct oci_name oci_filter_flag_names[] = {
	{"SECCOMP_FILTER_FLAG_TSYNC", 0x01},
	{"SECCOMP_FILTER_FLAG_LOG", 0x02},
	{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", 0x04},
	{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 0x20},
	END,
};

const struct oci_name oci_personality_names[] = {
	{"LINUX", PER_LINUX},
	{"LINUX32", PER_LINUX32},
	END,
};

const struct oci_name oci_mpol_names[] = {
	{"MPOL_DEFAULT", 0},
	{"MPOL_PREFERRED", 1},
	{"MPOL_BIND", 2},
	{"MPOL_INTERLEAVE", 3},
	{"MPOL_LOCAL", 4},
	{"MPOL_PREFERRED_MANY", 5},
	{"MPOL_WEIGHTED_INTERLEAVE", 6},
	END,
};

const struct oci_name oci_mpol_flag_names[] = {
	{"MPOL_F_STATIC_NODES", 1 << 15},
	{"MPOL_F_RELATIVE_NODES", 1 << 14},
	{"MPOL_F_NUMA_BALANCING", 1 << 13},
	END,
};

const struct oci_name oci_hook_names[] = {
	{"prestart", 0},
	{"createRuntime", 1},
	{"createContainer", 2},
	{"startContainer", 3},
	{"poststart", 4},
	{"poststop", 5},
	END,
};

int oci_cap_find(const char *name)
{
	const char *rest = strncasecmp(name, "CAP_", 4) == 0 ? name + 4 : name;

	for (const struct oci_name *n = oci_cap_names; n->name; n++) {
		if (strcasecmp(n->name + 4, rest) == 0) {
			return n->value;
		}
	}
	return -1;
}

static const struct oci_name signal_names[] = {
	{"HUP", SIGHUP},
	{"INT", SIGINT},
	{"QUIT", SIGQUIT},
	{"ILL", SIGILL},
	{"TRAP", SIGTRAP},
	{"ABRT", SIGABRT},
	{"IOT", SIGABRT},
	{"BUS", SIGBUS},
	{"FPE", SIGFPE},
	{"KILL", SIGKILL},
	{"USR1", SIGUSR1},
	{"SEGV", SIGSEGV},
	{"USR2", SIGUSR2},
	{"PIPE", SIGPIPE},
	{"ALRM", SIGALRM},
	{"TERM", SIGTERM},
	{"STKFLT", 16},
	{"CHLD", SIGCHLD},
	{"CLD", SIGCHLD},
	{"CONT", SIGCONT},
	{"STOP", SIGSTOP},
	{"TSTP", SIGTSTP},
	{"TTIN", SIGTTIN},
	{"TTOU", SIGTTOU},
	{"URG", SIGURG},
	{"XCPU", SIGXCPU},
	{"XFSZ", SIGXFSZ},
	{"VTALRM", SIGVTALRM},
	{"PROF", SIGPROF},
	{"WINCH", SIGWINCH},
	{"IO", SIGIO},
	{"POLL", SIGIO},
	{"PWR", SIGPWR},
	{"SYS", SIGSYS},
	END,
};

/* Decimal digits only, at most @max; -1 otherwise. */
static int small_number(const char *s, int max)
{
	int v = 0;

	if (*s == '\0' || strlen(s) > 3) {
		return -1;
	}
	for (; *s; s++) {
		if (!isdigit((unsigned char)*s)) {
			return -1;
		}
		v = v * 10 + (*s - '0');
	}
	return v <= max ? v : -1;
}

/* RTMIN, RTMIN+n, RTMAX, RTMAX-n with the range the C library leaves to programs (34..64). */
static int realtime_signal(const char *s)
{
	bool from_min = strncasecmp(s, "RTMIN", 5) == 0;
	int offset;

	if (!from_min && strncasecmp(s, "RTMAX", 5) != 0) {
		return -1;
	}
	if (s[5] == '\0') {
		return from_min ? 34 : 64;
	}
	offset = s[5] == (from_min ? '+' : '-') ? small_number(s + 6, 30) : -1;
	if (offset < 0) {
		return -1;
	}
	return from_min ? 34 + offset : 64 - offset;
}

int oci_signal_find(const char *name)
{
	const char *rest = strncasecmp(name, "SIG", 3) == 0 ? name + 3 : name;

	if (isdigit((unsigned char)name[0])) {
		return small_number(name, 64);
	}
	for (const struct oci_name *n = signal_names; n->name; n++) {
		if (strcasecmp(n->name, rest) == 0) {
			return n->value;
		}
	}
	return realtime_signal(rest);
}
