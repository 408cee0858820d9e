/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_queues.h - the virtio-fs queues that the fs process serves from guest RAM
 *
 * The InterruptStatus register of the device lives in a page shared with the
 * vmm, since a driver reads it on each interrupt.
 *
 * Trust:   the rings and the requests are the guest's, and change while they are read: virtq and
 *          fs_server take care of that. Where the queues are, the vmm says, which may have been
 *          taken over: numbers are checked here, addresses by virtq_setup().
 * Threads: one.
 * Uses:    virtq, fs_server. Used by: fsproc, tests.
 */
#ifndef VOLT_FS_QUEUES_H
#define VOLT_FS_QUEUES_H

#include "roles.h"
#include "virtio-fs/fs_server.h"
#include "vmm/gmem.h"
#include "vmm/virtq.h"

/**
 * struct fs_queues - @mem, @server and @wires are the caller's; the rest begins as zeros
 * @n:          those that run
 * @irq_status: the device's register
 */
struct fs_queues {
	const struct gmem *mem;
	struct fs_server *server;
	const struct fs_wires *wires;
	struct virtq vq[FS_QUEUES];
	unsigned n;
	_Atomic uint32_t *irq_status;
	struct iovec iov[FS_SERVER_IOV_MAX];
};

/** fs_queues_start() - what FS_OP_START asks: new queues, a server that knows nothing. Return: 0 or -errno */
int fs_queues_start(struct fs_queues *s, const struct fs_queue_msg *m);
void fs_queues_stop(struct fs_queues *s);
/** fs_queues_kicked() - kick number @i, below FS_QUEUES: serve what is there, if that queue runs */
void fs_queues_kicked(struct fs_queues *s, unsigned i);

#endif /* VOLT_FS_QUEUES_H */
