/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock_pkt.h - the packet header of virtio-vsock on the wire
 *
 * Trust:   decoded values are the guest's; the decoder only converts.
 * Threads: pure functions.
 * Uses: base. Used by: vsock, vsock_conn, tests.
 */
#ifndef VMM_VSOCK_PKT_H
#define VMM_VSOCK_PKT_H

#include <stdint.h>

#define VSOCK_HDR_BYTES	  44u
#define VSOCK_PAYLOAD_MAX (64u * 1024u) /* what Linux sends at most in one packet */

#define VSOCK_TYPE_STREAM 1u

/* Operations (virtio 1.2, 5.10.6). */
#define VSOCK_OP_REQUEST	1u
#define VSOCK_OP_RESPONSE	2u
#define VSOCK_OP_RST		3u
#define VSOCK_OP_SHUTDOWN	4u
#define VSOCK_OP_RW		5u
#define VSOCK_OP_CREDIT_UPDATE	6u
#define VSOCK_OP_CREDIT_REQUEST 7u

/* Flags of SHUTDOWN, from the sender's point of view. */
#define VSOCK_SHUT_RCV	1u /* "I will receive no more" */
#define VSOCK_SHUT_SEND 2u /* "I will send no more" */
#define VSOCK_SHUT_BOTH 3u

/** struct vsock_hdr - a header in host byte order; @len is the payload's */
struct vsock_hdr {
	uint64_t src_cid;
	uint64_t dst_cid;
	uint32_t src_port;
	uint32_t dst_port;
	uint32_t len;
	uint16_t type;
	uint16_t op;
	uint32_t flags;
	uint32_t buf_alloc;
	uint32_t fwd_cnt;
};

/** vsock_hdr_decode() - wire to host order */
void vsock_hdr_decode(struct vsock_hdr *h, const uint8_t wire[static VSOCK_HDR_BYTES]);
/** vsock_hdr_encode() - host order to wire */
void vsock_hdr_encode(const struct vsock_hdr *h, uint8_t wire[static VSOCK_HDR_BYTES]);

#endif /* VMM_VSOCK_PKT_H */
