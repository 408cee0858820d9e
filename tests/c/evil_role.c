/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil_role.c - the attempts of a role that was taken over, as a table; see evil_role.h
 *
 * Columns of outcomes, a letter each: before = vmm in its empty root, fs with its shares;
 * caged = vmm that starts threads, vmm, vCPU thread, fs, shim, proxy, net; alone = vmm, fs, shim,
 * proxy, net without their filters. 'k' killed, 'e' refused, 'L' refused by Landlock only, 'y' can.
 *
 * What a role can do without its filter is no hole: it tells how much rests on the filter
 * alone. Each 'y' in "caged" is a power that the role needs.
 */
#include "evil_role.h"

#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/keyctl.h>
#include <linux/kvm.h>
#include <linux/if_tun.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/fdrange.h"

#ifndef __NR_mseal
#define __NR_mseal 462
#endif

/* clang-format off */
#define P(s)	    ((long)(s))
#define CALL(n, ...) .nr = __NR_##n, .args = {__VA_ARGS__}
#define PAST(e)	    .past = (e)
#define FN(f)	    .nr = -1, .fn = (f)
#define OUT(b, c, a) .before = (b), .caged = (c), .alone = (a)
#define LANDLOCK(v) .needs = (v)
#define SINCE_MDWE  .since = 66 /* PR_GET_MDWE, Linux 6.3 */
/* all roles: ended by the filter, and refused by the others */
#define NOBODY OUT("yy", "kkkkkkk", "eeeee")

static unsigned char buffer[4096];

const struct evil_attempt evil_attempts[] = {
	/* ---- files ---- */
	{"files", "open a file by name", CALL(openat, AT_FDCWD, P("/etc/passwd"), O_RDONLY),
		OUT("ee", "kkkekkk", "eeLLe"), LANDLOCK(1)},
	{"files", "open a file, old call", CALL(open, P("/etc/passwd"), O_RDONLY),
		OUT("ee", "kkkkkkk", "eeLLe"), LANDLOCK(1)},
	{"files", "open another process's /proc entries", FN(evil_environ),
		OUT("ee", "kkkekkk", "eeeee")},
	{"files", "open its own memory through /proc", FN(evil_own_memory),
		OUT("ee", "kkkekkk", "eeLLe"), LANDLOCK(1)},
	{"files", "open a descriptor again through /proc/self/fd", FN(evil_reopen),
		OUT("ee", "kkkekkk", "eeLLe"), LANDLOCK(1)},
	{"files", "leave its root with ..",
		CALL(openat, AT_FDCWD, P("/../../../etc/passwd"), O_RDONLY),
		OUT("ee", "kkkekkk", "eeLLe"), LANDLOCK(1)},
	{"files", "open beneath a directory that leaked",
		CALL(openat, EVIL_ROOT_FD, P("etc/passwd"), O_RDONLY),
		OUT("yy", "kkkLkkk", "LLLLL"), LANDLOCK(1)},
	{"files", "the same with openat2", FN(evil_openat2),
		OUT("yy", "kkkLkkk", "LLLLL"), LANDLOCK(1)},
	{"files", "make a directory beneath one that leaked", FN(evil_mkdir),
		OUT("yy", "kkkLkkk", "LLLLL"), LANDLOCK(1)},
	{"files", "change an owner beneath a directory that leaked",
		CALL(fchownat, EVIL_ROOT_FD, P("tmp/secret"), 0, 0, 0),
		OUT("yy", "kkkykkk", "eyyye")}, /* of its own, the vmm has none */
	{"files", "look at a name", CALL(newfstatat, AT_FDCWD, P("/etc/passwd"), P(buffer), 0),
		OUT("ee", "eeeekke", "eeyye")},
	{"files", "make a device node", FN(evil_device_node), OUT("ey", "kkkkkkk", "eeeee")},
	{"files", "open a file by its handle", FN(evil_open_handle), NOBODY},
	{"files", "make a file in memory", CALL(memfd_create, P("evil"), 0),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"files", "make a file larger that it holds (ftruncate)", CALL(ftruncate, -1, 1l << 40),
		PAST(EBADF), OUT("--", "kkkykkk", "-----")},
	{"files", "the same with fallocate", CALL(fallocate, -1, 0, 0, 1l << 40), PAST(EBADF),
		OUT("--", "kkkykkk", "-----")},
	{"files", "change the current directory", CALL(chdir, P("/etc")),
		OUT("ee", "kkkkkkk", "eeyye")},
	{"files", "watch files (inotify)", CALL(inotify_init1, 0), OUT("yy", "kkkkkkk", "yyyyy")},
	{"files", "watch files (fanotify)", CALL(fanotify_init, 0, 0), NOBODY},
	/* ---- processes ---- */
	{"processes", "make a process", FN(evil_fork), OUT("yy", "kkkkkkk", "yyyyy")},
	{"processes", "make one with clone3", FN(evil_clone3), OUT("yy", "eeeeeee", "yyyyy")},
	{"processes", "run a program", FN(evil_execve), OUT("ee", "kkkkkkk", "eeLLe"), LANDLOCK(1)},
	{"processes", "run a program from a descriptor that leaked", FN(evil_execveat),
		OUT("yy", "kkkkkkk", "LLLLL"), LANDLOCK(1)},
	{"processes", "trace another process", FN(evil_ptrace), OUT("ee", "kkkkkkk", "eeeee")},
	{"processes", "read another process's memory", FN(evil_read_memory),
		OUT("ee", "kkkkkkk", "eeeee")},
	{"processes", "signal another process", CALL(kill, EVIL_VICTIM, 0),
		OUT("ee", "kkkkkkk", "eeLye"), LANDLOCK(6)},
	{"processes", "signal another process's thread", CALL(tgkill, EVIL_VICTIM, EVIL_VICTIM, 0),
		OUT("ee", "kkkkkkk", "eeLye"), LANDLOCK(6)},
	{"processes", "queue a signal", FN(evil_queue_signal),
		OUT("ee", "kkkkkkk", "eeLye"), LANDLOCK(6)},
	{"processes", "signals by way of F_SETOWN",
		CALL(fcntl, EVIL_UNIX_FD, F_SETOWN, EVIL_VICTIM),
		OUT("ee", "kkkkkkk", "eeyye")},
	{"processes", "get a descriptor of another process", CALL(pidfd_open, EVIL_VICTIM, 0),
		OUT("ee", "kkkkkkk", "eeyye")},
	{"processes", "another process's limits",
		CALL(prlimit64, EVIL_VICTIM, RLIMIT_CORE, 0, P(buffer)),
		OUT("ee", "kkkkkkk", "eeyye")},
	{"processes", "another process's priority", CALL(setpriority, PRIO_PROCESS, EVIL_VICTIM, 1),
		OUT("ee", "kkkkkkk", "eeeee")},
	/* ---- network ---- */
	{"network", "socket: unix", CALL(socket, AF_UNIX, SOCK_STREAM, 0),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"network", "socket: IPv4", CALL(socket, AF_INET, SOCK_STREAM, 0),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"network", "socket: IPv6", CALL(socket, AF_INET6, SOCK_DGRAM, 0),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"network", "socket: netlink", CALL(socket, AF_NETLINK, SOCK_RAW, 0),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"network", "socket: raw packets", CALL(socket, AF_PACKET, SOCK_RAW, 0), NOBODY},
	{"network", "socket: vsock", CALL(socket, AF_VSOCK, SOCK_STREAM, 0), PAST(EAFNOSUPPORT),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"network", "socket: kernel crypto",
		CALL(socket, AF_ALG, SOCK_SEQPACKET, 0), PAST(EAFNOSUPPORT),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"network", "socket pair", CALL(socketpair, AF_UNIX, SOCK_STREAM, 0, P(buffer)),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"network", "a TCP connection to the host", FN(evil_tcp),
		OUT("ey", "kkkkkkk", "eeLLe"), LANDLOCK(4)},
	{"network", "the same with a socket that leaked", FN(evil_tcp_leaked),
		OUT("yy", "kkkkkkk", "LLLLL"), LANDLOCK(4)},
	{"network", "bind a socket that leaked", FN(evil_tcp_bind_leaked),
		OUT("yy", "kkkkkkk", "LLLLL"), LANDLOCK(4)},
	{"network", "listen on a socket that leaked", CALL(listen, EVIL_TCP_FD, 1),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"network", "connect to an abstract socket of the host", FN(evil_abstract),
		OUT("ey", "kkkkkkk", "eeLye"), LANDLOCK(6)},
	{"network", "send to one with a socket that leaked", FN(evil_dgram_abstract),
		OUT("yy", "kkkkkkk", "LLLyL"), LANDLOCK(6)},
	{"network", "connect to a socket of the host by name", FN(evil_unix_path),
		OUT("ee", "kkkkkkk", "eeyye")},
	{"network", "connect to a socket in a share", FN(evil_share_socket),
		OUT("ey", "kkkkkkk", "eyyye")},
	/* ---- mounts and namespaces ---- */
	{"mounts and namespaces", "mount", FN(evil_mount), NOBODY},
	{"mounts and namespaces", "unmount", CALL(umount2, P("/"), MNT_DETACH), PAST(EINVAL),
		NOBODY},
	{"mounts and namespaces", "pivot_root", CALL(pivot_root, P("."), P(".")), PAST(EBUSY),
		NOBODY},
	{"mounts and namespaces", "chroot", CALL(chroot, P("/")), NOBODY},
	{"mounts and namespaces", "clone mounts of a directory that leaked",
		CALL(open_tree, EVIL_ROOT_FD, P(""), AT_EMPTY_PATH | 1), PAST(EINVAL),
		NOBODY},
	{"mounts and namespaces", "make a file system", CALL(fsopen, P("tmpfs"), 0), NOBODY},
	{"mounts and namespaces", "enter a namespace that leaked",
		CALL(setns, EVIL_NETNS_FD, CLONE_NEWNET),
		NOBODY},
	{"mounts and namespaces", "a new mount namespace", CALL(unshare, CLONE_NEWNS), NOBODY},
	{"mounts and namespaces", "a new user namespace", CALL(unshare, CLONE_NEWUSER),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"mounts and namespaces", "a process in a new user namespace", FN(evil_new_userns_child),
		OUT("yy", "kkkkkkk", "yyyyy")},
	/* ---- privileges ---- */
	{"privileges", "become another user", CALL(setresuid, 1000, 1000, 1000),
		OUT("yy", "kkkkkkk", "eyeee")},
	{"privileges", "become another group", CALL(setresgid, 1000, 1000, 1000),
		OUT("yy", "kkkkkkk", "eyeee")},
	{"privileges", "supplementary groups", CALL(setgroups, 0, 0), OUT("yy", "kkkkkkk", "eyeee")},
	{"privileges", "act on files as another user", CALL(setfsuid, 1000),
		OUT("yy", "kkkykkk", "yyyyy")},
	{"privileges", "take a capability", FN(evil_capset), OUT("yy", "kkkekkk", "eeeee")},
	{"privileges", "change the rules for root", CALL(prctl, PR_SET_SECUREBITS, 0), NOBODY},
	{"privileges", "become dumpable", CALL(prctl, PR_SET_DUMPABLE, 1),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"privileges", "raise a limit", FN(evil_limit_up), NOBODY},
	{"privileges", "raise a limit, old call", FN(evil_setrlimit_up), NOBODY},
	{"privileges", "a better priority", CALL(setpriority, PRIO_PROCESS, 0, -20), NOBODY},
	{"privileges", "real-time scheduling", FN(evil_realtime), NOBODY},
	{"privileges", "change the personality", CALL(personality, ADDR_NO_RANDOMIZE),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"privileges", "filter system calls with a listener", FN(evil_seccomp_listener),
		OUT("yy", "kkkkkkk", "yyyyy")},
	/* ---- the kernel's interfaces ---- */
	{"kernel", "bpf", FN(evil_bpf), NOBODY},
	{"kernel", "perf_event_open", FN(evil_perf), OUT("ee", "kkkkkkk", "eeeee")},
	{"kernel", "io_uring_setup", FN(evil_io_uring), NOBODY},
	{"kernel", "userfaultfd", CALL(userfaultfd, 0), NOBODY},
	{"kernel", "keyctl", CALL(keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"kernel", "add_key",
		CALL(add_key, P("user"), P("evil"), P("x"), 1, KEY_SPEC_PROCESS_KEYRING),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"kernel", "load a module",
		CALL(init_module, P(buffer), sizeof(buffer), P("")), PAST(ENOEXEC),
		NOBODY},
	{"kernel", "load a module from a descriptor",
		CALL(finit_module, EVIL_FILE_FD, P(""), 0), PAST(ENOEXEC),
		NOBODY},
	{"kernel", "unload a module", CALL(delete_module, P("evil_is_none"), 0), PAST(ENOENT),
		NOBODY},
	{"kernel", "load another kernel", CALL(kexec_load, 0, 0, 0, 0x4000), PAST(EINVAL), NOBODY},
	{"kernel", "reboot", CALL(reboot, 0, 0, 0, 0), PAST(EINVAL), NOBODY},
	{"kernel", "the kernel's log", CALL(syslog, 8, 0, 0), PAST(EINVAL), NOBODY},
	{"kernel", "I/O ports", CALL(ioperm, 0x80, 1, 1), NOBODY},
	{"kernel", "all I/O ports", CALL(iopl, 3), NOBODY},
	{"kernel", "segment descriptors", CALL(modify_ldt, 0, P(buffer), 16),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"kernel", "swap to a file", CALL(swapon, P("/evil/none"), 0), PAST(ENOENT), NOBODY},
	{"kernel", "process accounting", CALL(acct, P("/evil/none")), PAST(ENOENT), NOBODY},
	{"kernel", "set the clock", FN(evil_adjtime), NOBODY},
	{"kernel", "set the host name", CALL(sethostname, P("evil"), 4), NOBODY},
	{"kernel", "shared memory (System V)", CALL(shmget, IPC_PRIVATE, 4096, 0600),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"kernel", "message queues (System V)", CALL(msgget, IPC_PRIVATE, 0600),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"kernel", "calls of 32-bit programs", FN(evil_i386), OUT("yy", "kkkkkkk", "yyyyy")},
	{"kernel", "calls of x32 programs", .nr = 0x40000000 | __NR_getpid,
		OUT("--", "kkkkkkk", "-----")},
	/* ---- memory ---- */
	{"memory", "memory to write code into", FN(evil_exec_memory), SINCE_MDWE, NOBODY},
	{"memory", "make written memory code", FN(evil_memory_made_code), SINCE_MDWE, NOBODY},
	{"memory", "map a program that leaked",
		CALL(mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, EVIL_FILE_FD, 0),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"memory", "map a file that leaked",
		CALL(mmap, 0, 4096, PROT_READ, MAP_SHARED, EVIL_FILE_FD, 0),
		OUT("yy", "kkkkkkk", "yyyyy")},
	{"memory", "share equal pages with others (KSM)",
		CALL(madvise, P(buffer), 0, MADV_MERGEABLE), PAST(EINVAL),
		OUT("--", "kkkkkkk", "-----")},
	{"memory", "lock all memory", CALL(mlockall, MCL_FUTURE), NOBODY},
	/* ---- ioctl: what a filter sees, the number ---- */
	{"ioctl", "type into a terminal (TIOCSTI)", CALL(ioctl, EVIL_TTY_FD, TIOCSTI, P("x")),
		NOBODY},
	{"ioctl", "the same with bits above the number's",
		CALL(ioctl, EVIL_TTY_FD, 0x7777777700000000l | TIOCSTI, P("x")),
		NOBODY},
	{"ioctl", "TIOCLINUX", CALL(ioctl, -1, TIOCLINUX, P(buffer)), PAST(EBADF),
		OUT("--", "kkkkkkk", "-----")},
	{"ioctl", "KVM_CREATE_VM", CALL(ioctl, -1, KVM_CREATE_VM, 0), PAST(EBADF),
		OUT("--", "kkkkkkk", "-----")},
	{"ioctl", "KVM_SET_USER_MEMORY_REGION",
		CALL(ioctl, -1, KVM_SET_USER_MEMORY_REGION, P(buffer)), PAST(EBADF),
		OUT("--", "kkkkkkk", "-----")},
	{"ioctl", "KVM_CREATE_DEVICE", CALL(ioctl, -1, KVM_CREATE_DEVICE, P(buffer)), PAST(EBADF),
		OUT("--", "kkkkkkk", "-----")},
	{"ioctl", "KVM_RUN of something that is no vCPU", CALL(ioctl, -1, KVM_RUN, 0), PAST(EBADF),
		OUT("--", "kkkkkkk", "-----")},
	{"ioctl", "KVM_RUN", CALL(ioctl, VR_FDS_VCPU + VR_FDS_VCPU_N - 1, KVM_RUN, 0), PAST(EBADF),
		OUT("--", "ykykkkk", "-----")},
	{"ioctl", "KVM_IOEVENTFD of something that is no VM",
		CALL(ioctl, VR_FDS_VM + 1, KVM_IOEVENTFD, 0), PAST(EBADF),
		OUT("--", "kkkkkkk", "-----")},
	{"ioctl", "KVM_IOEVENTFD", FN(evil_ioeventfd), OUT("--", "yyykkkk", "-----")},
	{"ioctl", "KVM_IRQFD", FN(evil_irqfd), OUT("--", "yyykkkk", "-----")},
	{"ioctl", "TUNSETIFF of something that is no tap", CALL(ioctl, -1, TUNSETIFF, P(buffer)),
		PAST(EBADF), OUT("--", "kkkkkkk", "-----")},
	{"ioctl", "TUNSETIFF", CALL(ioctl, VR_FDS_NET + VR_FDS_NET_N - 1, TUNSETIFF, P(buffer)),
		PAST(EBADF), OUT("--", "kkkkkky", "-----")},
	{"ioctl", "TUNSETPERSIST", CALL(ioctl, -1, TUNSETPERSIST, 1), PAST(EBADF),
		OUT("--", "kkkkkkk", "-----")},
	{"ioctl", "TUNSETOFFLOAD", CALL(ioctl, VR_FDS_NET + VR_FDS_NET_N - 1, TUNSETOFFLOAD, 0),
		PAST(EBADF),
		OUT("--", "ykykkky", "-----")},
	{"ioctl", "flags of a file (FS_IOC_SETFLAGS)",
		CALL(ioctl, -1, FS_IOC_SETFLAGS, P(buffer)), PAST(EBADF),
		OUT("--", "kkkkkkk", "-----")},
	{"ioctl", "a disk's read-only flag (BLKROSET)",
		CALL(ioctl, -1, BLKROSET, P(buffer)), PAST(EBADF),
		OUT("--", "kkkkkkk", "-----")},
};
/* clang-format on */

const size_t evil_n_attempts = sizeof(evil_attempts) / sizeof(evil_attempts[0]);

static long argument(long value)
{
	if (value == EVIL_TCP_FD) {
		return evil_world.tcp_fd;
	}
	return value == EVIL_VICTIM ? evil_world.victim : value;
}

int evil_do(const struct evil_attempt *a)
{
	long ret;

	if (a->fn) {
		return a->fn();
	}
	ret = syscall(a->nr, argument(a->args[0]), argument(a->args[1]), argument(a->args[2]),
		      argument(a->args[3]), argument(a->args[4]), argument(a->args[5]));
	return ret < 0 && errno != a->past ? errno : 0;
}

char evil_outcome(int status)
{
	if (WIFSIGNALED(status)) {
		return (status & 0x7f) == SIGSYS ? EVIL_KILLED : '?';
	}
	return WEXITSTATUS(status) == 0 ? EVIL_CAN : EVIL_REFUSED;
}

char evil_combine(char with, char without)
{
	if (with == EVIL_REFUSED && without == EVIL_CAN) {
		return EVIL_LANDLOCK;
	}
	return with == without ? with : '?';
}

char evil_expected(const struct evil_attempt *a, enum evil_stage stage, bool filter)
{
	static const unsigned char alone[EVIL_CAGED] = {0, 0, 0, 1, 2, 3, 4};

	if (stage == EVIL_FREE) {
		return a->before[0] == EVIL_UNTOLD ? EVIL_UNTOLD : EVIL_CAN;
	}
	if (stage < EVIL_VMM_FINAL) {
		return a->before[stage - EVIL_VMM_MOUNTS];
	}
	return filter ? a->caged[stage - EVIL_VMM_FINAL] : a->alone[alone[stage - EVIL_VMM_FINAL]];
}

const char *evil_stage_name(enum evil_stage stage)
{
	static const char *const names[EVIL_STAGES] = {
		[EVIL_FREE] = "outside",
		[EVIL_VMM_MOUNTS] = "vmm, mounts",
		[EVIL_FS_TREE] = "fs, tree",
		[EVIL_VMM_FINAL] = "vmm, final",
		[EVIL_VMM_STARTED] = "vmm, started",
		[EVIL_VCPU] = "vcpu",
		[EVIL_FS_FINAL] = "fs, final",
		[EVIL_SHIM_FINAL] = "shim, final",
		[EVIL_PROXY_FINAL] = "proxy, final",
		[EVIL_NET_FINAL] = "net, final",
	};

	return names[stage];
}

/* ---- docs/SANDBOX.md ---- */

static const char *word(char outcome)
{
	switch (outcome) {
	case EVIL_CAN:
		return "can";
	case EVIL_REFUSED:
		return "no";
	case EVIL_KILLED:
		return "ends";
	case EVIL_LANDLOCK:
		return "Landlock";
	default:
		return "";
	}
}

static void print_row(const struct evil_attempt *a)
{
	const char cells[] = {a->before[0], a->caged[0], a->caged[1], a->caged[2], a->alone[0],
			      a->before[1], a->caged[3], a->alone[1], a->caged[6], a->alone[4],
			      a->caged[4],  a->alone[2], a->caged[5], a->alone[3]};

	printf("| %s |", a->name);
	for (size_t i = 0; i < sizeof(cells); i++) {
		printf(" %s |", word(cells[i]));
	}
	printf("\n");
}

void evil_print_doc(void)
{
	const char *group = "";

	printf("| | vmm: mounts | final | started | vcpu | *alone* | fs: tree | final | *alone* "
	       "| net: final | *alone* | shim: final | *alone* | proxy: final | *alone* |\n"
	       "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < evil_n_attempts; i++) {
		if (strcmp(group, evil_attempts[i].group) != 0) {
			group = evil_attempts[i].group;
			printf("| **%s** | | | | | | | | | | | | | | |\n", group);
		}
		print_row(&evil_attempts[i]);
	}
}
