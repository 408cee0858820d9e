/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interrupt.h - a signal while a container is being made undoes what was made
 *
 * Between interrupt_catch() and interrupt_release() the signals that end a command are only
 * noted. launch.c looks before each step and while it waits, and fails: so everything is undone
 * as after any other failure.
 *
 * Threads: one.
 * Uses:    base. Used by: cmd_create, launch.
 */
#ifndef VOLT_INTERRUPT_H
#define VOLT_INTERRUPT_H

#include <stdbool.h>

#include "base/err.h"

/** interrupt_catch() - from now on note SIGINT, SIGTERM, SIGHUP and SIGQUIT, where not ignored */
void interrupt_catch(void);

/** interrupt_check() - 0, or -EINTR with @err when one came */
int interrupt_check(struct vr_err *err) __attribute__((warn_unused_result));

/** interrupt_signal() - the signal that came, or 0 */
int interrupt_signal(void);

/** interrupt_came() - has one come? For those that ask by a pointer */
bool interrupt_came(void);

/** interrupt_release() - as before interrupt_catch(); what was noted stays noted */
void interrupt_release(void);

#endif /* VOLT_INTERRUPT_H */
