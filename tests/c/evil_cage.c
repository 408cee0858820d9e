/* SPDX-License-Identifier: Apache-2.0 */
/* evil_cage.c - all attempts of evil_role.h from one place; see evil_cage.h */
#include "evil_cage.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sandbox.h"

#define ATTEMPT_S 30u
#define PLACE_S	  250u

int __real_sbx_seccomp_prepare(enum sbx_role role);
int __real_sbx_seccomp_thread(enum sbx_role role);
int __wrap_sbx_seccomp_prepare(enum sbx_role role);
int __wrap_sbx_seccomp_thread(enum sbx_role role);

void (*evil_cage_vcpu)(void);

/* Only the processes made here are without: see evil_cage_run(). */
static bool without_filter;

int __wrap_sbx_seccomp_prepare(enum sbx_role role)
{
	return without_filter ? 0 : __real_sbx_seccomp_prepare(role);
}

int __wrap_sbx_seccomp_thread(enum sbx_role role)
{
	int rc = without_filter ? 0 : __real_sbx_seccomp_thread(role);

	if (rc == 0 && role == SBX_ROLE_VCPU && evil_cage_vcpu) {
		evil_cage_vcpu();
	}
	return rc;
}

int evil_cage_prepare(void)
{
	int rc = 0;

	sbx_seccomp_child(getpid());
	for (unsigned role = 0; rc == 0 && role < SBX_ROLE_COUNT; role++) {
		rc = __real_sbx_seccomp_prepare(role);
	}
	return rc;
}

/* ---- the child that tries ---- */

static int install(enum evil_stage stage)
{
	int rc;

	switch (stage) {
	case EVIL_FS_FINAL:
		return __real_sbx_seccomp_thread(SBX_ROLE_FS);
	case EVIL_SHIM_FINAL:
		return __real_sbx_seccomp_thread(SBX_ROLE_SHIM);
	case EVIL_PROXY_FINAL:
		return __real_sbx_seccomp_thread(SBX_ROLE_PROXY);
	case EVIL_NET_FINAL:
		return __real_sbx_seccomp_thread(SBX_ROLE_NET);
	case EVIL_VMM_FINAL:
	case EVIL_VCPU: /* its thread adds its own */
		return __real_sbx_seccomp_thread(SBX_ROLE_VMM_START);
	case EVIL_VMM_STARTED:
		rc = __real_sbx_seccomp_thread(SBX_ROLE_VMM_START);
		return rc < 0 ? rc : __real_sbx_seccomp_thread(SBX_ROLE_VMM);
	default:
		return 0;
	}
}

static void *vcpu_thread(void *arg)
{
	if (__real_sbx_seccomp_thread(SBX_ROLE_VCPU) < 0) {
		_exit(EVIL_NOT_READY);
	}
	_exit(evil_do(arg));
}

static void child(const struct evil_place *p, const struct evil_attempt *a)
{
	pthread_t thread;

	alarm(ATTEMPT_S);
	/* Before the last stage a role has the power to change what others see. */
	if (p->stage < EVIL_VMM_FINAL && unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC) < 0) {
		_exit(EVIL_NOT_READY);
	}
	if (p->filter && install(p->stage) < 0) {
		_exit(EVIL_NOT_READY);
	}
	if (p->filter && p->stage == EVIL_VCPU) {
		(void)pthread_create(&thread, NULL, vcpu_thread, (void *)a);
		(void)pthread_join(thread, NULL);
		_exit(EVIL_NOT_READY);
	}
	_exit(evil_do(a));
}

/* ---- the process that stands at the place ---- */

static int try_all(const struct evil_place *p, int *status)
{
	for (size_t i = 0; i < evil_n_attempts; i++) {
		pid_t pid;

		evil_world.tcp_fd = EVIL_TCP_FD + (int)i;
		pid = fork();
		if (pid == 0) {
			child(p, &evil_attempts[i]);
		}
		if (pid < 0 || waitpid(pid, &status[i], 0) != pid) {
			return -errno;
		}
	}
	return 0;
}

static void stand(const struct evil_place *p, int *status)
{
	alarm(PLACE_S);
	without_filter = true;
	sbx_set_landlock_limit(p->landlock);
	_exit(evil_world_leak_tcp() == 0 && p->enter(p) == 0 && try_all(p, status) == 0
		      ? 0
		      : EVIL_NOT_READY);
}

int evil_cage_run(const struct evil_place *p, int status[EVIL_ATTEMPTS_MAX])
{
	size_t bytes = EVIL_ATTEMPTS_MAX * sizeof(*status);
	unsigned long flags = SIGCHLD | (p->new_pid ? CLONE_NEWPID : 0);
	int *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int end = 0;
	pid_t pid;

	if (shared == MAP_FAILED) {
		return -errno;
	}
	(void)fflush(NULL);
	pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		stand(p, shared);
	}
	if (pid < 0 || waitpid(pid, &end, 0) != pid) {
		end = -1;
	}
	for (size_t i = 0; i < EVIL_ATTEMPTS_MAX; i++) {
		status[i] = shared[i];
	}
	(void)munmap(shared, bytes);
	return end == 0 ? 0 : -ECHILD;
}
