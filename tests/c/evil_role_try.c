/* SPDX-License-Identifier: Apache-2.0 */
/* evil_role_try.c - attempts that take more than one call; see evil_role.h */
#include "evil_role.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/kvm.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fdrange.h"

#define PROGRAM "/bin/busybox"

static char *const true_argv[] = {"true", NULL};
static char *const no_env[] = {NULL};

/* Return: errno of a call's result, 0 for success. */
static int code(long ret)
{
	return ret < 0 ? errno : 0;
}

/* @past: an error that the kernel finds only after it has asked for permission */
static int code_past(long ret, int past)
{
	return ret < 0 && errno != past ? errno : 0;
}

/* ---- processes ---- */

static int clone_with(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0) {
		_exit(0);
	}
	return code(pid);
}

int evil_fork(void)
{
	return clone_with(0);
}

int evil_new_userns_child(void)
{
	return clone_with(CLONE_NEWUSER);
}

int evil_clone3(void)
{
	uint64_t args[8] = {0};
	long pid;

	args[4] = SIGCHLD; /* exit_signal, the fifth member of struct clone_args */
	pid = syscall(SYS_clone3, args, sizeof(args));
	if (pid == 0) {
		_exit(0);
	}
	return code(pid);
}

int evil_ptrace(void)
{
	return code(syscall(SYS_ptrace, PTRACE_SEIZE, evil_world.victim, 0, 0));
}

int evil_read_memory(void)
{
	char mine[8];
	struct iovec local = {.iov_base = mine, .iov_len = sizeof(mine)};
	struct iovec remote = {.iov_base = &evil_world, .iov_len = sizeof(mine)};

	return code(syscall(SYS_process_vm_readv, evil_world.victim, &local, 1, &remote, 1, 0));
}

int evil_queue_signal(void)
{
	siginfo_t info = {.si_code = SI_QUEUE};

	return code(syscall(SYS_rt_sigqueueinfo, evil_world.victim, 0, &info));
}

/* These end with the program's 0 when it is run. */
int evil_execve(void)
{
	return code(syscall(SYS_execve, PROGRAM, true_argv, no_env));
}

int evil_execveat(void)
{
	return code(syscall(SYS_execveat, EVIL_FILE_FD, "", true_argv, no_env, AT_EMPTY_PATH));
}

/* ---- network ---- */

/* As listen_unix() of evil_world.c has them; @dir: NULL: abstract */
static socklen_t unix_name(struct sockaddr_un *a, const char *dir, const char *suffix)
{
	size_t len;

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	len = (size_t)snprintf(a->sun_path, sizeof(a->sun_path), "%s%s%s", dir ? dir : "@",
			       evil_world.name, suffix); /* always fits */
	if (!dir) {
		a->sun_path[0] = '\0';
	}
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (dir ? 1 : 0));
}

static int connect_unix(const char *dir)
{
	struct sockaddr_un a;
	socklen_t len = unix_name(&a, dir, "");
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0) {
		return errno;
	}
	return code(connect(fd, (struct sockaddr *)&a, len));
}

int evil_abstract(void)
{
	return connect_unix(NULL);
}

int evil_unix_path(void)
{
	return connect_unix("/tmp/");
}

/* One that a volume has, say: what the file server is for has to leave it alone. */
int evil_share_socket(void)
{
	int rc = connect_unix("/rootfs/");

	return rc == ENOENT ? connect_unix("/tmp/rootfs/") : rc;
}

int evil_dgram_abstract(void)
{
	struct sockaddr_un a;
	socklen_t len = unix_name(&a, NULL, "d");

	return code_past(sendto(EVIL_UNIX_FD, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&a, len),
			 EAGAIN); /* nobody reads them */
}

static int tcp(int fd, int (*call)(int, const struct sockaddr *, socklen_t), uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(port),
				.sin_addr = {htonl(INADDR_LOOPBACK)}};

	return fd < 0 ? errno : code(call(fd, (struct sockaddr *)&a, sizeof(a)));
}

int evil_tcp(void)
{
	return tcp(socket(AF_INET, SOCK_STREAM, 0), connect, evil_world.port);
}

int evil_tcp_leaked(void)
{
	return tcp(evil_world.tcp_fd, connect, evil_world.port);
}

int evil_tcp_bind_leaked(void)
{
	return tcp(evil_world.tcp_fd, bind, 0);
}

/* ---- files ---- */

/* In the share, wherever it is seen from. */
static int device_node(const char *path)
{
	int rc = code(mknod(path, S_IFCHR | 0600, makedev(1, 3)));

	if (rc == 0) {
		(void)unlink(path); /* for the next who tries */
	}
	return rc;
}

int evil_device_node(void)
{
	int rc = device_node("/rootfs/evil");

	return rc == ENOENT ? device_node("/tmp/rootfs/evil") : rc;
}

int evil_mkdir(void)
{
	int rc = code(mkdirat(EVIL_ROOT_FD, "tmp/evil", 0700));

	if (rc == 0) {
		(void)unlinkat(EVIL_ROOT_FD, "tmp/evil", AT_REMOVEDIR); /* likewise */
	}
	return rc;
}

int evil_environ(void)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "/proc/%d/environ", evil_world.victim); /* always fits */
	return code(syscall(SYS_openat, AT_FDCWD, name, O_RDONLY));
}

int evil_open_handle(void)
{
	struct {
		struct file_handle head;
		unsigned char bytes[8];
	} h = {.head = {.handle_bytes = 8, .handle_type = 1}};

	return code_past(syscall(SYS_open_by_handle_at, EVIL_FILE_FD, &h, O_RDONLY), ESTALE);
}

int evil_openat2(void)
{
	struct open_how how = {.flags = O_RDONLY};

	return code(syscall(SYS_openat2, EVIL_ROOT_FD, "etc/passwd", &how, sizeof(how)));
}

int evil_reopen(void)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", EVIL_FILE_FD); /* always fits */
	return code(syscall(SYS_openat, AT_FDCWD, name, O_RDONLY));
}

int evil_own_memory(void)
{
	return code(syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR));
}

/* ---- privileges ---- */

int evil_capset(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {0};

	d[0].effective = d[0].permitted = 1u << CAP_SYS_ADMIN;
	return code(syscall(SYS_capset, &h, d));
}

int evil_limit_up(void)
{
	struct rlimit l = {.rlim_cur = 1u << 20, .rlim_max = 1u << 20};

	return code(syscall(SYS_prlimit64, 0, RLIMIT_MEMLOCK, &l, NULL));
}

int evil_setrlimit_up(void)
{
	struct rlimit l = {.rlim_cur = 1u << 20, .rlim_max = 1u << 20};

	return code(syscall(SYS_setrlimit, RLIMIT_MEMLOCK, &l));
}

int evil_realtime(void)
{
	struct sched_param p = {.sched_priority = 1};

	return code(syscall(SYS_sched_setscheduler, 0, SCHED_RR, &p));
}

int evil_seccomp_listener(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = {.len = 1, .filter = &allow};

	return code(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &prog));
}

/* ---- kernel ---- */

/* A kprobe-like type: plain socket filters are open to everybody on some kernels. */
int evil_bpf(void)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_KPROBE,
		.insn_cnt = 2,
		.insns = (uint64_t)insns,
		.license = (uint64_t) "GPL",
	};

	return code_past(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)), EINVAL);
}

/* The counters of another process. */
int evil_perf(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_SW_CPU_CLOCK};

	return code(syscall(SYS_perf_event_open, &attr, evil_world.victim, -1, -1, 0));
}

int evil_io_uring(void)
{
	struct io_uring_params p = {0};

	return code(syscall(SYS_io_uring_setup, 1, &p));
}

int evil_adjtime(void)
{
	struct timex t = {.modes = ADJ_TICK, .tick = 1}; /* out of range: changes nothing */

	return code_past(syscall(SYS_adjtimex, &t), EINVAL);
}

/*
 * What a filter lets pass comes to nothing in other ways: here is no VM (EBADF), or that of the role
 * whose cage this is, and KVM serves none but the process that made it (EIO); else the argument is read.
 */
static int vm_ioctl(unsigned long request)
{
	long ret = ioctl(VR_FDS_VM, request, NULL);

	return ret < 0 && (errno == EBADF || errno == EIO) ? 0 : code_past(ret, EFAULT);
}

int evil_ioeventfd(void)
{
	return vm_ioctl(KVM_IOEVENTFD);
}

int evil_irqfd(void)
{
	return vm_ioctl(KVM_IRQFD);
}

int evil_mount(void)
{
	return code(syscall(SYS_mount, "evil", "/", "tmpfs", 0, NULL));
}

/* getpid() through the door for 32-bit programs, where the numbers mean other calls. */
int evil_i386(void)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	return ret < 0 ? (int)-ret : 0;
}

/* ---- memory ---- */

int evil_exec_memory(void)
{
	long p = syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return code(p == -1 ? -1 : 0);
}

int evil_memory_made_code(void)
{
	static char page[8192] __attribute__((aligned(4096)));

	page[0] = 1;
	return code(syscall(SYS_mprotect, page, 4096, PROT_READ | PROT_EXEC));
}
