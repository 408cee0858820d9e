/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock.h - virtio-vsock in the vmm, without the host's vsock driver
 *
 * The guest (its agent) connects out to CID 2; ports are endpoints inside this
 * process. Data from the guest waits in a bounded ring per connection until
 * the endpoint consumes it; only then is credit given back. Data to the guest
 * is accepted as far as the guest's credit and the rx queue allow.
 *
 * Trust:   headers and credit figures are the guest's; a connection that
 *          overdraws its credit or breaks the state machine is reset.
 * Threads: the device lock; callbacks run in the loop thread with it held.
 *          The functions on a connection must be called with it held (from
 *          callbacks, or between vsock_lock() and vsock_unlock()).
 *
 * Callbacks are never made from inside a vsock_conn_*() call: they come while a
 * kick is served, from vsock_unlock(), vsock_work() and vsock_destroy(). Hence
 * they may call anything on any connection; a connection that ended or was
 * reset stays valid memory until the outermost of these returns.
 */
#ifndef VMM_VSOCK_H
#define VMM_VSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/virtio.h"

#define VSOCK_HOST_CID	2u
#define VSOCK_GUEST_CID 3u
#define VSOCK_MAX_CONNS 1024u
#define VSOCK_BUF_BYTES (256u * 1024u) /* advertised buf_alloc, allocated at first use */

struct vsock;
struct vsock_conn;

/**
 * struct vsock_endpoint - who owns a connection once it is accepted; all may be NULL but closed
 * @readable: bytes are waiting (vsock_conn_peek); called on each arrival
 * @writable: after a short vsock_conn_send(): room again
 * @shut:     the peer said it will send no more (@no_more_data, after all data was delivered
 *            to the ring) or receive no more (@no_more_room)
 * @closed:   the connection is gone (reset by either side, or both directions shut); @conn is
 *            invalid after. Data that had arrived isn't lost by the guest closing, resetting the
 *            connection or the device: shut() comes first, closed() once it was consumed.
 */
struct vsock_endpoint {
	void (*readable)(void *ctx, struct vsock_conn *conn);
	void (*writable)(void *ctx, struct vsock_conn *conn);
	void (*shut)(void *ctx, struct vsock_conn *conn, bool no_more_data, bool no_more_room);
	void (*closed)(void *ctx, struct vsock_conn *conn);
};

/**
 * Called for a connection request to host @port. Return 0 and set @ep, @ep_ctx to accept;
 * anything else refuses it with RST. Sending is possible after the return only.
 */
typedef int (*vsock_accept_fn)(void *ctx, uint32_t port, struct vsock_conn *conn,
			       const struct vsock_endpoint **ep, void **ep_ctx);

int vsock_create(const struct gmem *mem, vsock_accept_fn accept, void *ctx, struct vsock **out)
	__attribute__((warn_unused_result));
/** vsock_destroy() - closed() for every connection left, then free; takes NULL */
void vsock_destroy(struct vsock *v);
/** vsock_dev() - the device, to be put on a virtio-mmio slot */
struct virtio_dev *vsock_dev(struct vsock *v);
void vsock_lock(struct vsock *v);
/** vsock_unlock() - send what became due, make callbacks, raise interrupts (once), unlock */
void vsock_unlock(struct vsock *v);
/**
 * vsock_event_fd() - an eventfd, readable when vsock_work() is to be called; owned by the device
 *
 * Needed because a driver resets the device from a vCPU thread, where no callback may run, and
 * because one kick is served for a bounded time only.
 */
int vsock_event_fd(const struct vsock *v);
/**
 * vsock_work() - loop side of vsock_event_fd(); takes the lock
 * Syscalls: read, write (role vmm)
 */
void vsock_work(struct vsock *v);

/** vsock_conn_peek() - what waits, as at most 2 pieces of host memory. Return: total bytes */
size_t vsock_conn_peek(struct vsock_conn *c, struct iovec iov[2]);
/** vsock_conn_consume() - drop @n <= peeked bytes and give the credit back */
void vsock_conn_consume(struct vsock_conn *c, size_t n);
/** vsock_conn_room() - bytes vsock_conn_send() takes now, at least; when 0, writable() follows */
size_t vsock_conn_room(struct vsock_conn *c);
/**
 * vsock_conn_send() - hand bytes to the guest
 *
 * Return: bytes taken (0..len); when short, writable() follows, unless the guest takes no more.
 */
size_t vsock_conn_send(struct vsock_conn *c, const void *data, size_t len);
/** vsock_conn_shutdown() - no more data from us (@send), none wanted (@recv: drops what waits) */
void vsock_conn_shutdown(struct vsock_conn *c, bool send, bool recv);
/** vsock_conn_reset() - drop it now; closed() is not called */
void vsock_conn_reset(struct vsock_conn *c);

#endif /* VMM_VSOCK_H */
