/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil_role.h - a role that was taken over tries to get out
 *
 * A table of attempts, one power each, and for each what is known to become of
 * it: in every stage, with the system call filter and by the other layers alone.
 * test_escape.c goes through it with processes caged as roles are; tests/escape
 * puts it into the real roles of a container; docs/SANDBOX.md is printed from it.
 *
 * An attempt has succeeded when the kernel did it, or would have but for harmless
 * arguments: EINVAL from a call that asks for permission first is a success.
 *
 * Threads: one process an attempt.
 * Uses:    libc only.
 */
#ifndef TESTS_C_EVIL_ROLE_H
#define TESTS_C_EVIL_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** enum evil_stage - where an attempt is made */
enum evil_stage {
	EVIL_FREE,	  /* outside: shows that the attempt could succeed */
	EVIL_VMM_MOUNTS,  /* after sbx_stage_vmm_mounts() */
	EVIL_FS_TREE,	  /* after sbx_fs_tree_build() */
	EVIL_VMM_FINAL,	  /* main thread after sbx_stage_vmm_final() */
	EVIL_VMM_STARTED, /* main thread after sbx_stage_vmm_started() */
	EVIL_VCPU,	  /* a vCPU's thread */
	EVIL_FS_FINAL,	  /* after sbx_stage_fs_final() */
	EVIL_SHIM_FINAL,  /* after sbx_stage_shim_final() */
	EVIL_PROXY_FINAL, /* after sbx_stage_proxy_final() */
	EVIL_NET_FINAL,	  /* after sbx_stage_net_final() */
	EVIL_STAGES,
};

/*
 * Outcomes, a letter each.
 */
#define EVIL_CAN      'y' /* it worked */
#define EVIL_REFUSED  'e' /* the call failed */
#define EVIL_KILLED   'k' /* the process was ended by the filter */
#define EVIL_LANDLOCK 'L' /* refused where there is Landlock, else it worked */
#define EVIL_UNTOLD   '-' /* this shows only what a filter does */

#define EVIL_BEFORE 2u /* stages without a filter: EVIL_VMM_MOUNTS, EVIL_FS_TREE */
#define EVIL_CAGED  7u /* those with one: EVIL_VMM_FINAL ... EVIL_NET_FINAL */
#define EVIL_ALONE  5u /* without the filter: vmm, fs, shim, proxy, net */

/**
 * struct evil_attempt - one way out
 * @group:  kind of power
 * @name:   what is attempted
 * @nr:     system call, or -1 when @fn does it
 * @args:   its arguments; EVIL_VICTIM stands for the other process
 * @past:   errno that tells of permission all the same, or 0
 * @fn:     return 0 or an errno value
 * @since:  prctl that a kernel without the layer in question doesn't know, or 0
 * @needs:  Landlock version that the 'L' of this line is about
 * @before: outcome in the stages without filter
 * @caged:  outcome in the stages with it
 * @alone:  outcome in the final stages with the filter left out
 */
struct evil_attempt {
	const char *group;
	const char *name;
	long nr;
	long args[6];
	int past;
	int (*fn)(void);
	int since;
	int needs;
	const char *before;
	const char *caged;
	const char *alone;
};

extern const struct evil_attempt evil_attempts[];
extern const size_t evil_n_attempts;

/* Descriptors of the host's that a role was left with by mistake. */
#define EVIL_ROOT_FD  200 /* O_PATH of a directory: the root */
#define EVIL_FILE_FD  201 /* a static program, open for reading */
#define EVIL_UNIX_FD  202 /* a datagram socket of the host's network namespace */
#define EVIL_TCP_FD   300 /* and on: stream sockets, likewise, a fresh one an attempt */
#define EVIL_NETNS_FD 204 /* the host's network namespace */
#define EVIL_TTY_FD   205 /* a terminal */

#define EVIL_VICTIM 0x7e57ed1l

/**
 * struct evil_world - what attempts are about
 * @victim: another process of the same user, in no cage
 * @tcp_fd: a leaked socket nobody has used yet
 * @name:   of an abstract socket, and of some in /tmp and /tmp/rootfs: the maker's own
 * @port:   a TCP port that is listened on at 127.0.0.1
 */
struct evil_world {
	pid_t victim;
	int tcp_fd;
	char name[40];
	unsigned short port;
};

extern struct evil_world evil_world;

/** evil_world_make() - start the victim, listen, and open what is leaked. Return: 0 or -errno */
int evil_world_make(void) __attribute__((warn_unused_result));

/** evil_world_leak() - open what is leaked, with what is in view now. Return: 0 or -errno */
int evil_world_leak(void) __attribute__((warn_unused_result));

/** evil_world_leak_tcp() - a TCP socket for each attempt. Return: 0 or -errno */
int evil_world_leak_tcp(void) __attribute__((warn_unused_result));

/** evil_world_end() - end the victim */
void evil_world_end(void);

/** evil_do() - make an attempt in this thread. Return: 0 for success, or an errno value */
int evil_do(const struct evil_attempt *a);

/** evil_outcome() - one letter for a wait status of a process that ended with evil_do()'s result */
char evil_outcome(int status);

/** evil_combine() - one letter for an outcome with Landlock and one without */
char evil_combine(char with, char without);

/** evil_expected() - what the table has for a stage with filter (or without); '-' when untold */
char evil_expected(const struct evil_attempt *a, enum evil_stage stage, bool filter);

/** evil_stage_name() - "vmm, started" */
const char *evil_stage_name(enum evil_stage stage);

/** evil_print_doc() - the table as docs/SANDBOX.md has it, on stdout */
void evil_print_doc(void);

/* evil_role_try.c: attempts that take more than one call */
int evil_fork(void);
int evil_clone3(void);
int evil_new_userns_child(void);
int evil_ptrace(void);
int evil_read_memory(void);
int evil_queue_signal(void);
int evil_execve(void);
int evil_execveat(void);
int evil_tcp(void);
int evil_abstract(void);
int evil_dgram_abstract(void);
int evil_unix_path(void);
int evil_share_socket(void);
int evil_tcp_leaked(void);
int evil_tcp_bind_leaked(void);
int evil_device_node(void);
int evil_mkdir(void);
int evil_environ(void);
int evil_open_handle(void);
int evil_openat2(void);
int evil_reopen(void);
int evil_own_memory(void);
int evil_capset(void);
int evil_bpf(void);
int evil_perf(void);
int evil_io_uring(void);
int evil_seccomp_listener(void);
int evil_adjtime(void);
int evil_ioeventfd(void);
int evil_irqfd(void);
int evil_limit_up(void);
int evil_setrlimit_up(void);
int evil_realtime(void);
int evil_exec_memory(void);
int evil_memory_made_code(void);
int evil_i386(void);
int evil_mount(void);

#endif /* TESTS_C_EVIL_ROLE_H */
