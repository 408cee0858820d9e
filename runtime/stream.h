/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h - one standard stream of a guest process: caller's fd <-> vsock connection
 *
 * The caller's fds may be pipes, files, ttys, sockets or /dev/null. Nothing is
 * buffered here: bytes wait in the fd, or in the connection's ring until the fd
 * takes them. Back-pressure is the vsock credit. Each direction closes on its own:
 *
 *   fd at end of file      -> the guest sees end of file
 *   guest closed its stdin -> our read end is closed (the writer gets SIGPIPE)
 *   guest closed stdout    -> our write end is closed once all bytes are written
 *   fd's reader went away  -> the connection is shut for receiving (guest gets SIGPIPE)
 *
 * A passed socket has both directions. What the guest shuts is shut here; what it
 * closes is closed only, as its process would have done.
 *
 * Trust:   bytes are opaque; their number is bounded by the credit.
 * Threads: the loop thread, with the vsock lock held in stream_* calls but
 *          stream_event() and stream_attached(), which take it.
 * Uses: base, vmm/loop, vmm/vsock.
 */
#ifndef VOLT_STREAM_H
#define VOLT_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/loop.h"
#include "vmm/vsock.h"

/**
 * struct stream - a stream; zero-initialised, then stream_init()
 * @rfd:      bytes for the guest come from here, -1 when there is none (any more)
 * @wfd:      bytes of the guest go here, -1 likewise; another fd number than @rfd even for a terminal
 * @conn:     the guest's connection, NULL before it connected and after it is gone
 * @out_done: nothing will be written to the caller any more
 */
struct stream {
	struct loop *loop;
	struct vsock *vsock;
	struct vsock_conn *conn;
	unsigned loop_kind;
	uint32_t loop_index; /* read side; the write side has loop_index + 1 */
	int rfd;
	int wfd;
	bool attached; /* the guest connected (at some time: it may only once) */
	bool watching_r;
	bool watching_w;
	bool never_full;  /* @wfd can't be polled: a file, which takes whatever it is given */
	bool guest_ended; /* the guest said that it sends no more */
	bool is_socket;	  /* @rfd and @wfd are one socket: each direction is shut by itself */
	bool guest_shut;  /* ... and the guest only said that it sends no more, it still reads */
	bool out_done;
	/* Told once, when out_done becomes true. */
	void (*drained)(void *ctx);
	void *ctx;
};

/** stream_reopen_fd() - an fd of our own, non-blocking, for the same pipe or terminal
 *
 * O_NONBLOCK on the caller's open file would be visible to the caller. @fd is
 * closed and replaced if a private open file can be had; else it is returned as it is.
 */
int stream_reopen_fd(int fd);

/** stream_init() - @rfd, @wfd: owned from here on, -1 for none */
void stream_init(struct stream *s, struct loop *loop, struct vsock *vsock, unsigned kind,
		 uint32_t index, int rfd, int wfd);
/** stream_endpoint() - to be handed to the vsock for an accepted connection, ctx = the stream */
const struct vsock_endpoint *stream_endpoint(void);
/** stream_attached() - the connection in @conn is usable; takes the lock, starts reading */
void stream_attached(struct stream *s);
/** stream_process_ended() - its process is gone: read no more, and expect no more than has arrived */
void stream_process_ended(struct stream *s);
/** stream_event() - the loop saw something on one of the fds */
void stream_event(struct stream *s, bool write_side);
/** stream_abandon() - close everything, lose what was not written yet */
void stream_abandon(struct stream *s);

#endif /* VOLT_STREAM_H */
