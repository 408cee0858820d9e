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

#include <stdbool.h>
#include <sys/types.h>

/** foreground_signals() - from now on pass signals to @shim; also before foreground_wait() */
void foreground_signals(pid_t shim);

/** foreground_size() - give the terminal @master the size of ours, if we have one */
void foreground_size(int master);

/**
 * foreground_wait() - until the shim, a child, has ended
 * @master: of the container's terminal, or -1; owned
 * @last:   nothing comes afterwards but exit: give up all powers that waiting doesn't take
 *
 * Return: its exit code as a shell would show it.
 */
int foreground_wait(pid_t shim, int master, bool last);

#endif /* VOLT_FOREGROUND_H */
