/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_roles.c - the allow-lists, a reason per line; see seccomp_roles.h
 *
 * What is kept by hand: what libc and pthreads call without being asked (by reading
 * and tracing glibc 2.36), and everything that is only safe with certain arguments.
 * The rest comes from `Syscalls:` comments in the code. Nothing is told twice: a role's own
 * rules are about calls that no comment declares, or that one does and whose arguments are
 * checked (test_sbx_seccomp).
 *
 * KVM's ioctls are named here besides vmm/kvm.c and its friends: this list is what a
 * hijacked vmm is left with, so it is not taken from the vmm's own code.
 */
#include "sandbox/seccomp_roles.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <linux/vhost.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/checked.h"
#include "base/fdrange.h"

/* clang-format off */
#define ARG(i, m, v)	{.index = (i), .mask = (m), .value = (v)}
#define ARG32(i, v)	ARG(i, 0xffffffffull, (uint32_t)(v))
#define ARG_NONE(i)	ARG(i, ~0ull, 0)	/* a NULL pointer or zero */
#define ARG_WITHOUT(i, bits) ARG(i, (uint32_t)(bits), 0)

#define SYS(name)		{.nr = __NR_##name}
#define SYS_IF(name, a)		{.nr = __NR_##name, .n_args = 1, .args = {a}}
#define SYS_IF2(name, a, b)	{.nr = __NR_##name, .n_args = 2, .args = {a, b}}
#define IOCTL(request)		SYS_IF(ioctl, ARG32(1, request))
/* What only makes sense for certain descriptors is let through for those (base/fdrange.h). */
#define IOCTL_OF(request, fds, n)                                                                  \
				SYS_IF2(ioctl, ARG32(1, request), ARG(0, (uint32_t)~((n) - 1), fds))
#define VM_IOCTL(request)	IOCTL_OF(request, VR_FDS_VM, VR_FDS_VM_N)
#define VCPU_IOCTL(request)	IOCTL_OF(request, VR_FDS_VCPU, VR_FDS_VCPU_N)
#define NET_IOCTL(request)	IOCTL_OF(request, VR_FDS_NET, VR_FDS_NET_N)
#define MADVISE(advice)		SYS_IF(madvise, ARG32(2, advice))
#define FCNTL(command)		SYS_IF(fcntl, ARG32(1, command))

#define RULES(array)	{.rules = (array), .n = VR_ARRAY_SIZE(array)}
#define NUMBERS(array)	{.nrs = (array), .n = VR_ARRAY_SIZE(array)}
/* clang-format on */

/* The flags of pthread_create() in glibc; musl adds CLONE_DETACHED, which has no effect. */
#define THREAD_FLAGS                                                                               \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_THREAD |        \
	 CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)
#define THREAD_FLAGS_MASK (~(uint64_t)CLONE_DETACHED)

/* ---- every role: what a C program does whatever it does ---- */

static const struct sbx_rule every_role[] = {
	SYS(exit),	      /* end of a thread */
	SYS(exit_group),      /* _exit(), exit() */
	SYS(restart_syscall), /* made by the kernel after SIGSTOP and SIGCONT in poll */
	SYS(rt_sigreturn),    /* end of a signal handler */
	SYS(rt_sigprocmask),  /* pthread_kill(), abort(), pthread_sigmask() */
	SYS(read),	      /* sockets, eventfds, signalfds that the role holds */
	SYS(write),	      /* the same; the log */
	SYS(close),	      /* what the role holds */
	SYS(brk),	      /* malloc */
	SYS(futex),	      /* mutexes, condition variables, pthread_join() */
	SYS(clock_gettime),   /* where the vDSO can't tell (some virtual machines as hosts) */
	SYS(getpid),	      /* abort(), pthread_kill() */
	SYS(gettid),	      /* the same */
	/* abort() and stack protector failures; kicks of vCPU threads. Own process only. */
	SYS_IF(tgkill, ARG(0, 0xffffffffull, SBX_VALUE_TGID)),
};

/* ---- roles with a heap (all but shim) ---- */

static const struct sbx_rule heap[] = {
	/* malloc, thread stacks; no new code, and no file: what a role maps it has before */
	SYS_IF2(mmap, ARG_WITHOUT(2, PROT_EXEC), ARG(3, MAP_ANONYMOUS, MAP_ANONYMOUS)),
	SYS_IF(mprotect, ARG_WITHOUT(2, PROT_EXEC)), /* malloc arenas, stack guards; no new code */
	SYS(munmap),				     /* free(), end of threads, teardown */
	SYS(mremap),		/* realloc() of large blocks; keeps protection */
	MADVISE(MADV_DONTNEED), /* free(), end of threads; not MADV_MERGEABLE, which tells others */
	MADVISE(MADV_FREE),	/* free() of other libcs */
	MADVISE(MADV_HUGEPAGE), /* malloc, where its tunables ask for it */
	SYS(getrandom),		/* malloc's tcache key; virtio-rng; generation numbers */
	SYS(sched_yield),	/* glibc's and our own bounded spinning */
	SYS(rt_sigaction),	/* abort() resets SIGABRT; the kick signal's handler */
	SYS(newfstatat), /* glibc's fstat(); in the vmm there is no file to be found by name */
	SYS(fstat),	 /* fstat() of glibc 2.39 and newer, musl */
	SYS(poll),	 /* waiting on held fds */
	SYS(ppoll),	 /* the same */
};

/* ---- shim ---- */

static const struct sbx_rule shim[] = {
	SYS_IF(sendto, ARG_NONE(4)), /* send(): signals for the guest; never to an address */
};

/* ---- vmm: the event loop ---- */

static const struct sbx_rule vmm[] = {
	SYS(epoll_pwait),	     /* epoll_wait() of other libcs */
	SYS_IF(sendto, ARG_NONE(4)), /* send(); never to an address. sendmsg: see SANDBOX.md */
	FCNTL(F_DUPFD_CLOEXEC), /* an accepted socket has two ends; new taps get their numbers */
	FCNTL(F_GETFL), /* O_NONBLOCK on and off; not F_SETOWN or F_SETSIG, which signal others */
	FCNTL(F_SETFL), /* the same */
	MADVISE(MADV_REMOVE),		  /* the balloon: pages of guest RAM go back */
	IOCTL(TIOCGWINSZ),		  /* the size of the terminal that the caller resized */
	VM_IOCTL(KVM_IOEVENTFD),	  /* teardown unregisters doorbells */
	VM_IOCTL(KVM_IRQFD),		  /* teardown unregisters interrupts */
	NET_IOCTL(VHOST_NET_SET_BACKEND), /* teardown: the kernel leaves guest memory alone */
	NET_IOCTL(TUNSETQUEUE),		  /* the driver uses more queues, or fewer */
};

/* ---- vcpu: the loop around KVM_RUN and the register files of devices ---- */

static const struct sbx_rule vcpu[] = {
	VCPU_IOCTL(KVM_RUN),		  /* what the thread is for */
	VCPU_IOCTL(KVM_GET_REGS),	  /* where it died, for the message of an internal error */
	VCPU_IOCTL(KVM_GET_SREGS),	  /* the same */
	VM_IOCTL(KVM_IOEVENTFD),	  /* a device is (de)activated by a register write */
	VM_IOCTL(KVM_IRQFD),		  /* the same */
	NET_IOCTL(TUNSETOFFLOAD),	  /* the same: a network driver says what it takes */
	NET_IOCTL(TUNSETQUEUE),		  /* the same: it begins with one pair of queues */
	NET_IOCTL(VHOST_SET_FEATURES),	  /* the same, where the kernel serves its queues */
	NET_IOCTL(VHOST_SET_VRING_NUM),	  /* where they lie */
	NET_IOCTL(VHOST_SET_VRING_BASE),  /* the same */
	NET_IOCTL(VHOST_SET_VRING_ADDR),  /* the same; beyond our own memory it reaches nothing */
	NET_IOCTL(VHOST_NET_SET_BACKEND), /* begin and end, with the tap we have */
	/* send(): of a queue that the file server serves, or its end; never to an address */
	SYS_IF(sendto, ARG_NONE(4)),
	SYS_IF(prctl, ARG32(0, PR_SET_NAME)), /* pthread_setname_np() of oneself */
};

/* ---- vmm before its vCPU threads run: what making threads takes, besides all of the above ---- */

static const struct sbx_rule vmm_start[] = {
	/* Threads of this process, nothing else. clone3 answers ENOSYS, so libc comes here. */
	SYS_IF(clone, ARG(0, THREAD_FLAGS_MASK, THREAD_FLAGS)),
	/* A thread's own, narrower filter: flags 0, so no TSYNC and no listener. */
	SYS_IF2(seccomp, ARG32(0, SECCOMP_SET_MODE_FILTER), ARG32(1, 0)),
	/* The kernel gets to know guest RAM and makes its thread, once a queue pair. */
	NET_IOCTL(VHOST_SET_OWNER), NET_IOCTL(VHOST_SET_MEM_TABLE), NET_IOCTL(VHOST_SET_VRING_KICK),
	NET_IOCTL(VHOST_SET_VRING_CALL), SYS(rseq), /* a new thread registers with the scheduler */
	SYS(set_robust_list),			    /* a new thread, likewise */
};

/* ---- fs: file operations beneath its shares; Landlock and the mount namespace say where ---- */

static const struct sbx_rule fs[] = {
	SYS_IF(sendto, ARG_NONE(4)), /* send(): the answer; never to an address */
	/* MKNOD: files, FIFOs, sockets; of device nodes only overlayfs's whiteout (0:0). */
	SYS_IF(mknodat, ARG(2, S_IFMT, 0)), SYS_IF(mknodat, ARG(2, S_IFMT, S_IFREG)),
	SYS_IF(mknodat, ARG(2, S_IFMT, S_IFIFO)), SYS_IF(mknodat, ARG(2, S_IFMT, S_IFSOCK)),
	SYS_IF2(mknodat, ARG(2, S_IFMT, S_IFCHR), ARG32(3, 0)),
	FCNTL(F_DUPFD_CLOEXEC), /* FLUSH closes a duplicate */
};

/* ---- net: netlink, and taps from descriptors that were opened before ---- */

static const struct sbx_rule net[] = {
	SYS(sysinfo),		     /* qsort() of large arrays asks for the memory size */
	SYS_IF(sendto, ARG_NONE(4)), /* send(): answers; never to an address */
	NET_IOCTL(TUNSETIFF),	     /* a tap, in the namespace its descriptor was opened in */
	NET_IOCTL(TUNSETVNETHDRSZ),  /* the same */
	NET_IOCTL(TUNSETSNDBUF),     /* the same */
	NET_IOCTL(TUNSETOFFLOAD),    /* the same */
};

/* ---- proxy: what stands in for a process in the foreground; nothing but the relay ---- */

static const struct sbx_rule proxy[] = {
	SYS(ppoll),	   /* poll() of other libcs */
	SYS(munmap),	   /* exit() */
	IOCTL(TIOCGWINSZ), /* our terminal's size */
	IOCTL(TIOCSWINSZ), /* becomes the guest's */
	IOCTL(TCSETSW),	   /* our terminal as it was before: tcsetattr() */
	IOCTL(TCGETS),	   /* tcsetattr() of some C libraries looks whether it worked */
	/* Signals are passed on, to its shim and nobody else. */
	SYS_IF(kill, ARG(0, 0xffffffffull, SBX_VALUE_CHILD)),
};

/* ---- what the code declares ---- */

#define SBX_SYSCALL(name) __NR_##name,

static const int declared_shim[] = {
#include "syscalls_shim.h"
	__NR_exit_group,
};

static const int declared_vmm[] = {
#include "syscalls_vmm.h"
	__NR_exit_group,
};

static const int declared_vcpu[] = {
#include "syscalls_vcpu.h"
	__NR_exit_group,
};

static const int declared_proxy[] = {
#include "syscalls_proxy.h"
	__NR_exit_group,
};

static const int declared_net[] = {
#include "syscalls_net.h"
	__NR_exit_group,
};

static const int declared_fs[] = {
#include "syscalls_fs.h"
	__NR_exit_group,
};

const struct sbx_role_def sbx_role_defs[SBX_ROLE_COUNT] = {
	[SBX_ROLE_SHIM] =
		{
			.name = "shim",
			.by_hand = {RULES(every_role), RULES(shim)},
			.declared = {NUMBERS(declared_shim)},
		},
	[SBX_ROLE_VMM_START] =
		{
			.name = "vmm-start",
			.by_hand = {RULES(every_role), RULES(heap), RULES(vmm), RULES(vcpu),
				    RULES(vmm_start)},
			.declared = {NUMBERS(declared_vmm), NUMBERS(declared_vcpu)},
		},
	[SBX_ROLE_VMM] =
		{
			.name = "vmm",
			.by_hand = {RULES(every_role), RULES(heap), RULES(vmm)},
			.declared = {NUMBERS(declared_vmm)},
		},
	[SBX_ROLE_VCPU] =
		{
			.name = "vcpu",
			.by_hand = {RULES(every_role), RULES(heap), RULES(vcpu)},
			.declared = {NUMBERS(declared_vcpu)},
		},
	[SBX_ROLE_FS] =
		{
			.name = "fs",
			.files = true,
			.by_hand = {RULES(every_role), RULES(heap), RULES(fs)},
			.declared = {NUMBERS(declared_fs)},
		},
	[SBX_ROLE_NET] =
		{
			.name = "net",
			.by_hand = {RULES(every_role), RULES(heap), RULES(net)},
			.declared = {NUMBERS(declared_net)},
		},
	[SBX_ROLE_PROXY] =
		{
			.name = "proxy",
			.by_hand = {RULES(every_role), RULES(proxy)},
			.declared = {NUMBERS(declared_proxy)},
		},
};

/* ---- rules about the rules ---- */

/* Powerful with the wrong arguments. */
static const int guarded[] = {
	__NR_ioctl,   __NR_fcntl,   __NR_mmap,	  __NR_mprotect, __NR_clone,
	__NR_prctl,   __NR_tgkill,  __NR_sendto,  __NR_seccomp,	 __NR_prlimit64,
	__NR_mknodat, __NR_unshare, __NR_madvise, __NR_kill,
};

/*
 * In no role, ever: other processes, other programs, other namespaces, new sockets, new
 * privileges, code from memory, kernel facilities with a history.
 */
static const int never[] = {
	__NR_execve,
	__NR_execveat,
	__NR_fork,
	__NR_vfork,
	__NR_clone3,
	__NR_ptrace,
	__NR_process_vm_readv,
	__NR_process_vm_writev,
	__NR_tkill,
	__NR_pidfd_open,
	__NR_pidfd_getfd,
	__NR_pidfd_send_signal,
	__NR_rt_sigqueueinfo,
	__NR_rt_tgsigqueueinfo,
	__NR_socket,
	__NR_connect,
	__NR_bind,
	__NR_listen,
	__NR_mount,
	__NR_umount2,
	__NR_pivot_root,
	__NR_chroot,
	__NR_setns,
	__NR_open_tree,
	__NR_move_mount,
	__NR_fsopen,
	__NR_fsmount,
	__NR_mount_setattr,
	__NR_mknod,
	__NR_open_by_handle_at,
	__NR_name_to_handle_at,
	__NR_bpf,
	__NR_perf_event_open,
	__NR_userfaultfd,
	__NR_io_uring_setup,
	__NR_io_uring_enter,
	__NR_io_uring_register,
	__NR_keyctl,
	__NR_add_key,
	__NR_request_key,
	__NR_init_module,
	__NR_finit_module,
	__NR_delete_module,
	__NR_kexec_load,
	__NR_kexec_file_load,
	__NR_reboot,
	__NR_swapon,
	__NR_iopl,
	__NR_ioperm,
	__NR_modify_ldt,
	__NR_personality,
	__NR_pkey_mprotect,
	__NR_remap_file_pages,
	__NR_shmat,
	__NR_setuid,
	__NR_setresuid,
	__NR_setreuid,
	__NR_setgid,
	__NR_setresgid,
	__NR_setgroups,
	__NR_setrlimit,
	__NR_memfd_secret,
	__NR_vmsplice,
	__NR_quotactl,
	__NR_acct,
	__NR_settimeofday,
	__NR_clock_settime,
	__NR_adjtimex,
	__NR_syslog,
	__NR_fanotify_init,
};

/* In no role but fs: anything that finds a file by its name, or acts as somebody else. */
static const int files[] = {
	__NR_open,     __NR_openat,   __NR_openat2,   __NR_creat,     __NR_unlink,   __NR_unlinkat,
	__NR_rename,   __NR_renameat, __NR_renameat2, __NR_mkdir,     __NR_mkdirat,  __NR_rmdir,
	__NR_link,     __NR_linkat,   __NR_symlink,   __NR_symlinkat, __NR_mknodat,  __NR_chmod,
	__NR_fchmodat, __NR_chown,    __NR_lchown,    __NR_fchownat,  __NR_truncate, __NR_chdir,
	__NR_fchdir,   __NR_setxattr, __NR_lsetxattr, __NR_utimensat, __NR_setfsuid, __NR_setfsgid,
	__NR_capset,
};

const struct sbx_numbers sbx_sys_files = NUMBERS(files);
const struct sbx_numbers sbx_sys_guarded = NUMBERS(guarded);
const struct sbx_numbers sbx_sys_never = NUMBERS(never);
