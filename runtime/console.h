/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console.h - the host side of a container's terminal
 *
 * A pty pair of the host: its master goes to the caller's console socket, its
 * slave, in raw mode, is what the vmm reads and writes. The line discipline
 * that the user feels is the guest's.
 */
#ifndef VOLT_CONSOLE_H
#define VOLT_CONSOLE_H

#include <stdint.h>

#include "base/err.h"

/** struct console - @master goes to the caller, @slave to the vmm; both owned */
struct console {
	int master;
	int slave;
};

/** console_open() - make the pair; @rows, @cols: window size, 0 0 leaves it unset */
int console_open(uint16_t rows, uint16_t cols, struct console *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * console_send() - hand the master to whoever listens on the console socket
 * @path: of the AF_UNIX stream socket
 *
 * One message: the slave's path as data, exactly one descriptor.
 */
int console_send(const char *path, const struct console *c, struct vr_err *err)
	__attribute__((warn_unused_result));

void console_close(struct console *c);

#endif /* VOLT_CONSOLE_H */
