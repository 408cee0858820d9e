/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold.h - the container's mounts stay until the file server has answered everything
 *
 * A mount namespace ends with its last process, and its mounts with it. A volume is a file system
 * of its own for the guest's kernel (a FUSE submount), and up to Linux 6.12 at least the kernel
 * takes one away although read-aheads and releases of its files are still under way: "Busy inodes
 * after unmount", and a crash when the answer arrives. So the agent holds the namespace, lets the
 * server catch up once all processes are gone, and only then lets the mounts go.
 *
 * Threads: none. Uses: sys.
 */
#ifndef AGENT_HOLD_H
#define AGENT_HOLD_H

#include <sys/types.h>

/** hold_mounts() - keep the mount namespace of @pid. Return: a descriptor, or -errno */
int hold_mounts(pid_t pid);

/**
 * hold_release() - unmount what *@fd holds, unless a process still uses it; *@fd becomes -1
 *
 * Blocks until the file server has answered what was under way.
 */
void hold_release(int *fd);

#endif /* AGENT_HOLD_H */
