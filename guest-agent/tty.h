/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tty.h - the workload's terminal
 *
 * The pty comes from the container's own devpts, as its programs expect; the child opens it and
 * sends the master to the agent over the status socket.
 */
#ifndef AGENT_TTY_H
#define AGENT_TTY_H

#include <stdbool.h>
#include <stdint.h>

#include "fail.h"

/**
 * tty_open() - (child) a new pty, its slave as controlling terminal and stdio
 * @root:    descriptor of the container's root
 * @console: also bind the slave over /dev/console
 * @out_master: master, for the agent
 * The caller must be a session leader.
 */
int tty_open(int root, uint16_t rows, uint16_t cols, bool console, int *out_master, struct fail *f)
	__attribute__((warn_unused_result));

/** tty_peer() - (agent) the slave of @master, so that it never hangs up. Return: fd, or -errno */
int tty_peer(int master) __attribute__((warn_unused_result));

/** tty_resize() - Return: 0, or -errno */
int tty_resize(int master, uint16_t rows, uint16_t cols) __attribute__((warn_unused_result));

#endif /* AGENT_TTY_H */
