/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h - bytes between a process's pipes (or terminal) and its vsock connections
 *
 * A stream has a guest end (a pipe's end or a pty master) and a host end (a connected socket), and
 * one or two directions. Each direction has one buffer, mapped when the stream opens; nothing is
 * allocated while data flows. A full buffer simply is not read into: pipe and vsock credit do the
 * rest.
 *
 * Closing, by direction:
 *   in  (host -> guest): the host's end of data closes the pipe's write end, after all was written.
 *                        The workload closing its stdin closes the connection. On a terminal the
 *                        host's end of data is a hang-up.
 *   out (guest -> host): all writers gone closes the connection. The host closing (or shutting
 *                        down) an output connection closes the pipe's read end: SIGPIPE.
 *                        Once the process is dead, an empty pipe counts as closed, whoever else
 *                        still holds it.
 *
 * On a socket each direction ends by itself, as a shutdown of that direction.
 *
 * Threads: none.
 */
#ifndef AGENT_STREAM_H
#define AGENT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_BUF 65536u

/** struct end - a descriptor in the epoll set; @armed: registered at all, with @events */
struct end {
	int fd;
	bool armed;
	uint32_t events;
	uint64_t ref; /* its epoll datum */
};

/** struct pump - one direction: @len bytes at @at wait in @buf; @eof: nothing more comes */
struct pump {
	bool open;
	bool eof;
	char *buf;
	uint32_t at;
	uint32_t len;
};

/** enum stream_kind - what the guest end is, and hence which directions there are */
enum stream_kind {
	STREAM_NONE,
	STREAM_IN,     /* write end of a pipe */
	STREAM_OUT,    /* read end of a pipe */
	STREAM_SOCKET, /* both directions, each with its own end; up to here values of enum ap_fd */
	STREAM_TTY,    /* pty master: both directions, one end */
};

/**
 * struct stream - see above
 * @connecting: the host has not answered yet
 * @dead:       the process has ended: drain, then close
 */
struct stream {
	int ep;
	struct end guest;
	struct end host;
	struct pump in;
	struct pump out;
	enum stream_kind kind;
	bool connecting;
	bool dead;
};

/** stream_init() - closed, no descriptors */
void stream_init(struct stream *s);
/**
 * stream_open() - start pumping; takes both descriptors (closed on failure too)
 * @guest: non-blocking; @host: non-blocking, perhaps still connecting
 * Return: 0, or -errno
 */
int stream_open(struct stream *s, int ep, int guest, uint64_t guest_ref, int host,
		uint64_t host_ref, enum stream_kind kind) __attribute__((warn_unused_result));
/** stream_event() - epoll said @events about an end (@at_host); moves what can be moved */
void stream_event(struct stream *s, bool at_host, uint32_t events);
/** stream_finish() - the process is dead: input ends, output is drained */
void stream_finish(struct stream *s);
/** stream_is_open() - is there still something to pump? */
bool stream_is_open(const struct stream *s);
/** stream_close() - at once, in every state */
void stream_close(struct stream *s);

#endif /* AGENT_STREAM_H */
