/* SPDX-License-Identifier: Apache-2.0 */
/*
 * creds.h - from the agent's rights to the workload's
 *
 * All of this runs in a child, just before execve. Order matters and is creds_apply()'s.
 */
#ifndef AGENT_CREDS_H
#define AGENT_CREDS_H

#include "base/agent_proto.h"
#include "fail.h"

/** creds_become_root() - uid and gid 0 of a fresh user namespace, if it maps them */
int creds_become_root(struct fail *f);

/**
 * creds_apply() - scheduling, personality, keyring, working directory, user, capabilities, umask
 *
 * Without no_new_privs the seccomp filter is loaded here while that is still allowed; with it,
 * creds_seal() loads it later. After: nothing of the agent's rights is left.
 */
int creds_apply(const struct ap_process *p, struct fail *f) __attribute__((warn_unused_result));

/** creds_seal() - the last step before execve: CPU affinity, a filter under no_new_privs */
int creds_seal(const struct ap_process *p, struct fail *f) __attribute__((warn_unused_result));

#endif /* AGENT_CREDS_H */
