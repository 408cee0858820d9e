/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foreground.h - stand in for a process of a container until it ends
 *
 * For `run` and `exec` without --detach: signals go to the shim, which passes
 * them on; with a terminal, our own is connected with the master of the
 * container's, in raw mode, and both keep the same size.
 *
 * Threads: one; signal handlers and the signal mask of the process change.
 * Uses: base, sandbox. Used by: cmd_create, exec.
 */
#ifndef VOLT_FOREGROUND_H
#define VOLT_FOREGROUND_H

#include <sys/types.h>

/** foreground_signals() - from now on pass signals to @shim; also before it is waited for */
void foreground_signals(pid_t shim);

/** foreground_size() - give the terminal @master the size of ours, if we have one */
void foreground_size(int master);

/**
 * foreground_wait() - until the shim, a child, has ended
 * @id:     of the container
 * @master: of the container's terminal, or -1; owned
 *
 * A child relays the terminal, and has no powers; we keep ours, and touch nothing that the
 * guest can write. Should the child be ended (by its filter, that is), the shim is killed.
 *
 * Return: its exit code as a shell would show it.
 */
int foreground_wait(const char *id, pid_t shim, int master);

/**
 * foreground_wait_caged() - the same for who has nothing left to do but to exit
 *
 * Gives up all powers that waiting and relaying don't take; so it takes no second process.
 */
int foreground_wait_caged(pid_t shim, int master);

#endif /* VOLT_FOREGROUND_H */
