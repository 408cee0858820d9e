/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.h - the stages in which each role gives up its power
 *
 * A role is forked from a command that has the caller's rights. It opens nothing
 * itself: it is given descriptors, and then goes through its stages, once, in
 * this order:
 *
 *   shim  namespaces and root (launch's business) -> sbx_stage_shim_final
 *   vmm   sbx_stage_vmm_mounts -> guest loaded -> sbx_stage_vmm_final
 *         -> vCPU threads: sbx_seccomp_thread(SBX_ROLE_VCPU)
 *         -> all of them made: sbx_stage_vmm_started
 *   fs    sbx_fs_tree_build (tree.h) -> sbx_stage_fs_final
 *   net   network namespace (its own business) -> sbx_stage_net_final
 *   proxy (a foreground exec, the relay of a foreground run) sbx_stage_proxy_final
 *
 * A failing stage leaves the process somewhere in between: it must end. There is
 * no way back and no way to go on without a stage; only the absence of Landlock
 * in the kernel is survived, and told by sbx_status().
 *
 * Trust:   stages see no outside data. They assume that the role will one day be
 *          run by the guest.
 * Threads: every stage refuses to run with more than one thread, for what it
 *          drops would stay with the others; sbx_stage_vmm_started is the exception.
 * Uses:    base, the rest of sandbox/. Used by: the roles' main functions, tests.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>

#include "base/err.h"
#include "sandbox/landlock.h"
#include "sandbox/seccomp.h"
#include "sandbox/tree.h"

/**
 * struct sbx_status - what the final stage of this process achieved
 * @done:         a final stage ran
 * @landlock_abi: Landlock's ABI in use, 0 when the kernel has none (worth a warning)
 * @seccomp:      a filter is enforced; false in sanitizer builds and with VOLT_SECCOMP_LOG
 */
struct sbx_status {
	bool done;
	int landlock_abi;
	bool seccomp;
};

/** sbx_status() - for the log line of the role; never NULL */
const struct sbx_status *sbx_status(void);

/**
 * sbx_set_landlock_limit() - use at most this ABI from now on
 * @limit: SBX_LANDLOCK_ANY, SBX_LANDLOCK_ABSENT or a version
 *
 * For tests, to see that the other layers hold without it. Debug builds
 * (VOLT_DEBUG) also take it from the environment variable VOLT_LANDLOCK_ABI.
 */
void sbx_set_landlock_limit(int limit);

/**
 * sbx_stage_vmm_mounts() - nothing is left to be opened
 *
 * When:    the role's descriptors are at hand, foreign ones are closed.
 * Has:     the caller's rights.
 * Should:  new mount, ipc, uts and net namespaces; an empty, read-only tmpfs as
 *          root; no supplementary groups.
 * Mustn't: drop capabilities or filter system calls: loading the guest follows.
 * After:   no path leads to anything. test_sbx_left
 *
 * A tap device has to be opened before.
 *
 * Return: 0 or a negative errno value.
 */
int sbx_stage_vmm_mounts(struct vr_err *err) __attribute__((warn_unused_result));

/**
 * struct sbx_user - who a role is from now on
 * @change: or it stays who it is
 * @must:   where that is impossible (our user namespace lacks the id), give up; else stay
 */
struct sbx_user {
	bool change;
	bool must;
	uid_t uid;
};

/**
 * sbx_stage_vmm_final() - the vmm is ready to be taken over by its guest
 * @user: who it becomes
 * @err:  filled on failure
 *
 * When:    the guest is loaded, before any vCPU thread is made.
 * Has:     all capabilities, in an empty world.
 * Should:  become its user; drop all capabilities, set no_new_privs, limits and "not
 *          dumpable"; Landlock that allows nothing; the filter of SBX_ROLE_VMM_START; compile
 *          those of SBX_ROLE_VCPU and SBX_ROLE_VMM; keep malloc to one arena (a
 *          second one would read files in /proc and /sys).
 * Mustn't: forbid making threads yet.
 * After:   no new descriptor but eventfds, timers and what the control socket brings;
 *          no other process can be seen, signalled or made. test_sbx_left, test_sbx_stages
 *
 * Return: 0 or a negative errno value.
 */
int sbx_stage_vmm_final(const struct sbx_user *user, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * sbx_stage_vmm_started() - the calling (main) thread gives up what threads needed
 *
 * When:    every vCPU thread has called sbx_seccomp_thread(SBX_ROLE_VCPU).
 * After:   no thread can be made, no vCPU be run by the event loop.
 *          test_sbx_stages: vmm_started_makes_no_threads
 *
 * Return: 0 or a negative errno value.
 */
int sbx_stage_vmm_started(struct vr_err *err) __attribute__((warn_unused_result));

/**
 * sbx_stage_fs_final() - the file server is ready to be taken over by its guest
 * @tree: from sbx_fs_tree_build(), borrowed
 * @err:  filled on failure
 *
 * When:    only the tree is in view; the server has its descriptors.
 * Has:     all capabilities (those of its user namespace, if it joined one).
 * Should:  new ipc, uts and net namespaces; keep the capabilities over files named in
 *          sandbox.c and no other; no_new_privs, limits, "not dumpable"; Landlock: read
 *          beneath the tree, change beneath its writable shares; the filter of
 *          SBX_ROLE_FS.
 * Mustn't: lose the re-open through tree->proc_self_fd.
 * After:   no file outside the shares, no program, no socket, no device node, no process.
 *          test_sbx_stage_fs
 *
 * The parent-death signal does not survive the server's changes of its fs uid: watch
 * a socket instead.
 *
 * Return: 0 or a negative errno value.
 */
int sbx_stage_fs_final(const struct sbx_fs_tree *tree, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * sbx_stage_net_final() - the process that follows the container's network
 * @user: who it becomes
 * @err:  filled on failure
 *
 * When:    it is in the container's network namespace, with its sockets and spare taps.
 * Has:     the caller's rights.
 * Should:  new mount, ipc and uts namespaces; an empty, read-only tmpfs as root; become its user;
 *          keep CAP_NET_ADMIN and no other capability; no_new_privs, limits, "not dumpable";
 *          Landlock that allows nothing; the filter of SBX_ROLE_NET.
 * Mustn't: leave the network namespace.
 * After:   it speaks netlink on the sockets it has, makes taps from the descriptors it has, and
 *          tells the vmm. test_escape
 *
 * Return: 0 or a negative errno value.
 */
int sbx_stage_net_final(const struct sbx_user *user, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * sbx_stage_shim_final() - the process that callers take for the container
 *
 * When:    it is in the container's namespaces, with its socket and its signalfd.
 * Should:  drop all capabilities, set no_new_privs and limits; Landlock that allows
 *          nothing; the filter of SBX_ROLE_SHIM.
 * Mustn't: become undumpable: callers without privilege look into its /proc/PID/ns,
 *          and there is nothing in it to be read.
 * After:   it reads, writes and waits on the descriptors it has, and can end.
 *          test_sbx_left
 *
 * Return: 0 or a negative errno value.
 */
int sbx_stage_shim_final(struct vr_err *err) __attribute__((warn_unused_result));

/**
 * sbx_stage_proxy_final() - a foreground `exec` whose process runs, or the relay of a `run`
 * @shim: its child, which it waits for and passes signals on to; 0: its parent does that, and
 *        it may signal itself only
 *
 * When:    all it needs is open, signals are blocked and come by descriptor.
 * Should:  drop all capabilities, set no_new_privs and limits; Landlock that allows
 *          nothing, with a shim without its scopes, or that could not be signalled; the filter
 *          of SBX_ROLE_PROXY.
 * After:   it moves bytes between two terminals, signals its shim, and can end.
 *          test_escape, test_sbx_stages, test_shim
 *
 * Return: 0 or a negative errno value.
 */
int sbx_stage_proxy_final(pid_t shim, struct vr_err *err) __attribute__((warn_unused_result));

#endif /* SANDBOX_SANDBOX_H */
