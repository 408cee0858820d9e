/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proctitle.h - the name of a role in ps: "volt-vmm: ID"
 *
 * And what lies behind it in memory: the caller's environment, which is none of a role's business.
 */
#ifndef VOLT_PROCTITLE_H
#define VOLT_PROCTITLE_H

/** proctitle_init() - remember where argv lies; first thing in main() */
void proctitle_init(int argc, char **argv);

/**
 * proctitle_set() - overwrite argv (cut to its space) and the thread name
 * @role: at most 15 bytes, becomes comm
 * @id:   container id
 *
 * argv's strings are lost: everything needed from them was copied before.
 * Syscalls: prctl (before the sandbox)
 */
void proctitle_set(const char *role, const char *id);

/**
 * proctitle_forget_environment() - overwrite the environment's strings, and have none
 *
 * An engine's environment may hold secrets. A role that is taken over would read them in its
 * own memory, and others in its /proc/PID/environ.
 */
void proctitle_forget_environment(void);

#endif /* VOLT_PROCTITLE_H */
