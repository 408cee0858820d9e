/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil_cage.h - all attempts of evil_role.h from one place
 *
 * A process goes through a role's stages, but without the system call filter. For
 * each attempt it makes a child, which installs the filter of its place, as the
 * stage's last step would have, and tries. So an attempt that ends the role ends
 * only that child, and a place is made once, not once an attempt.
 *
 * The stages' calls of sbx_seccomp_prepare() and sbx_seccomp_thread() come here:
 * who uses this is linked with --wrap (see the Makefile). The product isn't.
 *
 * Threads: call with one thread.
 * Uses:    sandbox, evil_role.
 */
#ifndef TESTS_C_EVIL_CAGE_H
#define TESTS_C_EVIL_CAGE_H

#include "evil_role.h"
#include "sandbox/sandbox.h"

/** EVIL_NOT_READY - exit status of a child that didn't get as far as its attempt */
#define EVIL_NOT_READY 250

/** EVIL_ATTEMPTS_MAX - room for results; evil_n_attempts is less */
#define EVIL_ATTEMPTS_MAX 200

/** evil_vmm_user - whom the vmm is where it is tried out, as --vmm-user would choose */
static const struct sbx_user evil_vmm_user = {.change = true, .must = true, .uid = 0x70012345};

/**
 * struct evil_place - where attempts are made
 * @stage:    the role and how far it is
 * @landlock: limit, see sandbox/landlock.h
 * @filter:   with the system call filter; the stages without one have none
 * @new_pid:  in a pid namespace of its own, as vmm and fs are
 * @enter:    goes through the stages up to @stage; 0, or why not has been told
 */
struct evil_place {
	enum evil_stage stage;
	int landlock;
	bool filter;
	bool new_pid;
	int (*enter)(const struct evil_place *p);
};

/**
 * evil_cage_prepare() - compile the filters, once for all places
 *
 * They name this process as the one whose threads may be signalled.
 *
 * Return: 0 or -errno.
 */
int evil_cage_prepare(void) __attribute__((warn_unused_result));

/**
 * evil_cage_run() - make all attempts from a place
 * @status: wait status of each; of an attempt that hangs that of SIGALRM
 *
 * Return: 0, -ECHILD when the place could not be entered, or -errno.
 */
int evil_cage_run(const struct evil_place *p, int status[EVIL_ATTEMPTS_MAX])
	__attribute__((warn_unused_result));

/** evil_cage_vcpu - called by each real vCPU thread once it is caged; or NULL */
extern void (*evil_cage_vcpu)(void);

#endif /* TESTS_C_EVIL_CAGE_H */
