/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock_conn.h - one vsock connection: state, credit accounting, receive ring
 *
 * Pure: no descriptors, no virtqueue, no callbacks. The device feeds headers in
 * and asks what has to be sent. "rx" is guest to host, "tx" is host to guest.
 *
 * Credit is counted in bytes modulo 2^32 since the connection began. Either
 * side may have at most the other's buf_alloc bytes under way: sent, but not
 * yet reported as consumed (fwd_cnt). The guest is held to what it has been
 * told, not to what happens to be free by now.
 *
 * Trust:   every header is the guest's. A header that breaks the rules gives
 *          -EPROTO, and the caller resets the connection.
 * Threads: the owner's lock.
 * Uses: base, vsock_pkt. Used by: vsock.
 */
#ifndef VMM_VSOCK_CONN_H
#define VMM_VSOCK_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/vsock_pkt.h"

/**
 * enum vconn_state - a connection as the guest sees it
 * @VCONN_OPEN:      established; each direction may be shut on its own. Connections begin here,
 *                   with the RESPONSE pending, since only the guest connects. (A connection
 *                   asked for by the host would begin in a CONNECTING state that leaves on
 *                   RESPONSE or RST.) Left by vconn_abort() -> RESETTING, by the guest's RST or
 *                   vconn_gone() -> GONE.
 * @VCONN_RESETTING: we gave up; a RST is pending or was sent. Received data is dropped.
 * @VCONN_GONE:      the guest's side doesn't exist any more: nothing is sent, but what had been
 *                   received may still be read.
 */
enum vconn_state {
	VCONN_OPEN,
	VCONN_RESETTING,
	VCONN_GONE,
	VCONN_COUNT,
};

/* Control packets that are due. Flags instead of a queue: the guest can't make them grow. */
#define VCONN_PEND_RESPONSE 1u
#define VCONN_PEND_SHUTDOWN 2u
#define VCONN_PEND_CREDIT   4u
#define VCONN_PEND_RST	    8u

/* What vconn_recv() reports, ORed together. */
#define VCONN_EV_DATA 1 /* bytes were put into the ring */
#define VCONN_EV_SHUT 2 /* a direction was shut by the guest */
#define VCONN_EV_GONE 4 /* RST: the state is VCONN_GONE now */

/**
 * struct vconn - a connection; read the fields, change them only through functions
 * @pend:      VCONN_PEND_*
 * @peer_shut: VSOCK_SHUT_* the guest said
 * @own_shut:  VSOCK_SHUT_* we say
 * @rx_cnt:    bytes received
 * @fwd_cnt:   bytes of those that were consumed
 * @told_cnt:  @fwd_cnt as the guest was last told
 * @tx_cnt:    bytes sent
 * @peer_alloc, @peer_fwd: size of the guest's buffer, and how much of @tx_cnt it consumed
 * @ring:      VSOCK_BUF_BYTES, allocated with the first byte received; NULL before
 * @ring_off:  where the oldest byte lies
 */
struct vconn {
	uint32_t guest_port;
	uint32_t host_port;
	enum vconn_state state;
	uint8_t pend;
	uint8_t peer_shut;
	uint8_t own_shut;
	uint32_t rx_cnt;
	uint32_t fwd_cnt;
	uint32_t told_cnt;
	uint32_t tx_cnt;
	uint32_t peer_alloc;
	uint32_t peer_fwd;
	uint8_t *ring;
	uint32_t ring_off;
};

/** vconn_init() - a connection made by @req (op REQUEST): open, RESPONSE pending */
void vconn_init(struct vconn *c, const struct vsock_hdr *req);
/** vconn_finish() - free the ring */
void vconn_finish(struct vconn *c);

/**
 * vconn_recv() - take a packet of the guest in
 * @h:     header; @h->len was checked against the chain by the caller
 * @dst:   for data: where @h->len bytes go, to be filled before anything else is called
 * @n_dst: number of pieces in @dst, 0..2; 0 also when the data is to be dropped
 *
 * Return: VCONN_EV_* bits; -EPROTO when the guest broke the rules (overdrawn credit, data after
 * its own shutdown, consumed more than was sent, an operation that makes no sense); -ENOMEM.
 */
int vconn_recv(struct vconn *c, const struct vsock_hdr *h, struct iovec dst[2], unsigned *n_dst)
	__attribute__((warn_unused_result));

/** vconn_used() - bytes in the ring */
uint32_t vconn_used(const struct vconn *c);
/** vconn_peek() - what is in the ring, as 2 pieces (unused ones have length 0). Return: bytes */
size_t vconn_peek(const struct vconn *c, struct iovec iov[2]);
/** vconn_consume() - drop @n <= vconn_used() bytes; a credit update may become pending */
void vconn_consume(struct vconn *c, uint32_t n);

/** vconn_may_send() - is the direction to the guest still open? */
bool vconn_may_send(const struct vconn *c);
/** vconn_credit() - data bytes the guest has promised to take; 0 when sending isn't possible */
uint32_t vconn_credit(const struct vconn *c);
/** vconn_data_hdr() - header of the next data packet; @len in 1..vconn_credit(), counted as sent */
void vconn_data_hdr(struct vconn *c, uint32_t len, struct vsock_hdr *h);
/** vconn_ctl_hdr() - the next control packet, which is pending no more. Return: false if none */
bool vconn_ctl_hdr(struct vconn *c, struct vsock_hdr *h);

/** vconn_shutdown() - shut directions from our side; shutting @recv drops what is in the ring */
void vconn_shutdown(struct vconn *c, bool send, bool recv);
/**
 * vconn_over() - has it come to its natural end?
 *
 * Both directions are shut and all data was consumed. When it was us who shut
 * both, the guest has the last word (its RST).
 */
bool vconn_over(const struct vconn *c);
/** vconn_abort() - reset from our side: drop all data, RST pending (unless GONE) */
void vconn_abort(struct vconn *c);
/** vconn_gone() - the guest's side vanished; data in the ring stays readable */
void vconn_gone(struct vconn *c);

#endif /* VMM_VSOCK_CONN_H */
