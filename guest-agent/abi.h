/* SPDX-License-Identifier: Apache-2.0 */
/*
 * abi.h - the Linux ABI the agent uses beyond what its libc declares
 *
 * The agent is built against musl without kernel headers, its tests against glibc with them; so
 * the values stand here once, under names of our own. Sources: include/uapi/linux/{sched,mount,
 * openat2,vm_sockets,capability,seccomp,filter,random,reboot}.h of Linux 6.12, x86-64.
 *
 * Threads: constants and types only.
 */
#ifndef AGENT_ABI_H
#define AGENT_ABI_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

/* clone3 (linux/sched.h) */
#define VA_CLONE_NEWTIME     0x00000080ull
#define VA_CLONE_PIDFD	     0x00001000ull
#define VA_CLONE_NEWNS	     0x00020000ull
#define VA_CLONE_NEWCGROUP   0x02000000ull
#define VA_CLONE_NEWUTS	     0x04000000ull
#define VA_CLONE_NEWIPC	     0x08000000ull
#define VA_CLONE_NEWUSER     0x10000000ull
#define VA_CLONE_NEWPID	     0x20000000ull
#define VA_CLONE_NEWNET	     0x40000000ull
#define VA_CLONE_INTO_CGROUP 0x200000000ull

struct va_clone_args {
	uint64_t flags;
	uint64_t pidfd;
	uint64_t child_tid;
	uint64_t parent_tid;
	uint64_t exit_signal;
	uint64_t stack;
	uint64_t stack_size;
	uint64_t tls;
	uint64_t set_tid;
	uint64_t set_tid_size;
	uint64_t cgroup;
};
_Static_assert(sizeof(struct va_clone_args) == 88, "linux/sched.h: CLONE_ARGS_SIZE_VER2");

/* openat2 (linux/openat2.h) */
#define VA_RESOLVE_NO_XDEV     0x01u
#define VA_RESOLVE_NO_SYMLINKS 0x04u
#define VA_RESOLVE_BENEATH     0x08u
#define VA_RESOLVE_IN_ROOT     0x10u

struct va_open_how {
	uint64_t flags;
	uint64_t mode;
	uint64_t resolve;
};
_Static_assert(sizeof(struct va_open_how) == 24, "linux/openat2.h: OPEN_HOW_SIZE_VER0");

/* the mount API (linux/mount.h) */
#define VA_OPEN_TREE_CLONE	   1u
#define VA_AT_RECURSIVE		   0x8000u
#define VA_MOVE_MOUNT_F_EMPTY_PATH 0x04u
#define VA_MOVE_MOUNT_T_EMPTY_PATH 0x40u
#define VA_FSCONFIG_SET_FLAG	   0u
#define VA_FSCONFIG_SET_STRING	   1u
#define VA_FSCONFIG_CMD_CREATE	   6u
#define VA_ATTR_RDONLY		   0x00000001u
#define VA_ATTR_NOSUID		   0x00000002u
#define VA_ATTR_NODEV		   0x00000004u
#define VA_ATTR_NOEXEC		   0x00000008u
#define VA_ATTR__ATIME		   0x00000070u
#define VA_ATTR_NOATIME		   0x00000010u
#define VA_ATTR_STRICTATIME	   0x00000020u
#define VA_ATTR_NODIRATIME	   0x00000080u
#define VA_ATTR_NOSYMFOLLOW	   0x00200000u

struct va_mount_attr {
	uint64_t attr_set;
	uint64_t attr_clr;
	uint64_t propagation;
	uint64_t userns_fd;
};
_Static_assert(sizeof(struct va_mount_attr) == 32, "linux/mount.h: MOUNT_ATTR_SIZE_VER0");

/* mount(2) flags that musl does not name, or names differently (linux/mount.h) */
#define VA_MS_RDONLY	  0x00000001u
#define VA_MS_NOSUID	  0x00000002u
#define VA_MS_NODEV	  0x00000004u
#define VA_MS_NOEXEC	  0x00000008u
#define VA_MS_SYNCHRONOUS 0x00000010u
#define VA_MS_MANDLOCK	  0x00000040u
#define VA_MS_DIRSYNC	  0x00000080u
#define VA_MS_NOSYMFOLLOW 0x00000100u
#define VA_MS_NOATIME	  0x00000400u
#define VA_MS_NODIRATIME  0x00000800u
#define VA_MS_BIND	  0x00001000u
#define VA_MS_REC	  0x00004000u
#define VA_MS_UNBINDABLE  0x00020000u
#define VA_MS_PRIVATE	  0x00040000u
#define VA_MS_SLAVE	  0x00080000u
#define VA_MS_SHARED	  0x00100000u
#define VA_MS_RELATIME	  0x00200000u
#define VA_MS_STRICTATIME 0x01000000u
#define VA_MS_LAZYTIME	  0x02000000u

/* vsock (linux/vm_sockets.h, linux/socket.h) */
#define VA_AF_VSOCK		 40
#define VA_VMADDR_CID_HOST	 2u
#define VA_SO_VM_BUFFER_SIZE	 0
#define VA_SO_VM_BUFFER_MAX_SIZE 2

struct va_sockaddr_vm {
	uint16_t family;
	uint16_t reserved1;
	uint32_t port;
	uint32_t cid;
	uint8_t flags;
	uint8_t zero[3];
};
_Static_assert(sizeof(struct va_sockaddr_vm) == 16, "linux/vm_sockets.h: size of a sockaddr");

/* capabilities (linux/capability.h) */
#define VA_CAP_VERSION_3 0x20080522u

struct va_cap_header {
	uint32_t version;
	int32_t pid;
};

struct va_cap_data {
	uint32_t effective;
	uint32_t permitted;
	uint32_t inheritable;
};

/* prctl (linux/prctl.h) */
#define VA_PR_SET_DUMPABLE	    4
#define VA_PR_SET_KEEPCAPS	    8
#define VA_PR_CAPBSET_READ	    23
#define VA_PR_CAPBSET_DROP	    24
#define VA_PR_SET_CHILD_SUBREAPER   36
#define VA_PR_SET_NO_NEW_PRIVS	    38
#define VA_PR_CAP_AMBIENT	    47
#define VA_PR_CAP_AMBIENT_RAISE	    2
#define VA_PR_CAP_AMBIENT_CLEAR_ALL 4

/* seccomp (linux/seccomp.h, linux/filter.h) */
#define VA_SECCOMP_SET_MODE_FILTER  1u
#define VA_SECCOMP_GET_ACTION_AVAIL 2u
#define VA_SECCOMP_RET_ALLOW	    0x7fff0000u

struct va_sock_fprog {
	unsigned short len;
	const void *filter; /* 8 bytes an instruction */
};

/* scheduling (linux/sched/types.h, linux/ioprio.h) */
struct va_sched_attr {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime;
	uint64_t deadline;
	uint64_t period;
};
_Static_assert(sizeof(struct va_sched_attr) == 48, "linux/sched/types.h: SCHED_ATTR_SIZE_VER0");
#define VA_IOPRIO_WHO_PROCESS 1

/* the rest */
#define VA_KEYCTL_JOIN_SESSION_KEYRING 1
#define VA_RNDADDENTROPY	       0x40085203u /* linux/random.h */
#define VA_RNDRESEEDCRNG	       0x5207u
#define VA_TIOCGPTPEER		       0x5441u /* asm-generic/ioctls.h */
#define VA_TIOCSPTLCK		       0x40045431u
#define VA_DEVPTS_MAGIC		       0x1cd1u
#define VA_CGROUP2_MAGIC	       0x63677270u
#define VA_FUSE_SUPER_MAGIC	       0x65735546u
#define VA_MFD_CLOEXEC		       0x1u
#define VA_O_PATH		       010000000
#define VA_P_PIDFD		       3

#endif /* AGENT_ABI_H */
