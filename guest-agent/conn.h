/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn.h - the control connection: whole frames in, whole frames out
 *
 * Both buffers are static and bounded. While the outgoing one is more than half full no request is
 * taken in, so that a host which doesn't read is not answered into memory.
 *
 * Threads: none.
 */
#ifndef AGENT_CONN_H
#define AGENT_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/agent_proto.h"

#define CONN_OUT_CAP (512u * 1024u)

struct conn {
	int fd;
	uint32_t in_len;
	uint32_t out_at;
	uint32_t out_len;
	uint8_t in[AP_HEADER_LEN + AP_FRAME_MAX];
	uint8_t out[CONN_OUT_CAP];
};

/** conn_init() - take a connected, non-blocking socket */
void conn_init(struct conn *c, int fd);
/** conn_read() - read what is there. Return: 0, or -errno (-EPIPE: the host has hung up) */
int conn_read(struct conn *c) __attribute__((warn_unused_result));
/**
 * conn_next() - the next complete frame, if there is one and there is room to answer
 * @out_payload: points into the connection until conn_done()
 * Return: 1 a frame, 0 none, -EPROTO
 */
int conn_next(struct conn *c, struct ap_header *out, const uint8_t **out_payload)
	__attribute__((warn_unused_result));
/** conn_done() - drop the frame conn_next() gave */
void conn_done(struct conn *c, const struct ap_header *h);
/** conn_room() - where the next frame may be encoded, and how long it may be */
uint8_t *conn_room(struct conn *c, size_t *out_cap);
/** conn_commit() - @len bytes at conn_room() are a frame */
void conn_commit(struct conn *c, size_t len);
/** conn_flush() - send what the socket takes. Return: 0, or -errno of a broken connection */
int conn_flush(struct conn *c) __attribute__((warn_unused_result));
/** conn_events() - what to wait for */
uint32_t conn_events(const struct conn *c);

/** agent_dial() - connect to a host port, without waiting for the answer. Return: fd or -errno */
int agent_dial(uint32_t port);

#endif /* AGENT_CONN_H */
