/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_agent_stream.c - bytes on the control connection, as both ends take frames out of them
 *
 * The first byte picks the end (the vmm's, agent_client.c, or the agent's, conn.c) and the pieces in
 * which the rest arrives. Both ends must find the same frames in them as in one piece, and stop at
 * the same place for the same reason.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent_client.h"
#include "base/checked.h"
#include "guest-agent/conn.h"

#define N_WAYS	  3
#define REPLY_LEN 3000u /* so that not all answers have room */

/* What one reading of the input came to. */
struct story {
	uint64_t hash; /* of all frames, in order */
	unsigned n_frames;
	const char *end; /* why it ended, NULL when it didn't */
};

static unsigned n_seen[2], n_ended[2], n_waited;

static void note(struct story *s, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		s->hash = (s->hash ^ p[i]) * 0x100000001b3u;
	}
}

/* Sizes of pieces: a fixed sequence for each @seed; 0 is all in one. */
static size_t piece(uint32_t *seed, size_t left)
{
	size_t n;

	if (*seed == 0) {
		return left;
	}
	*seed = *seed * 1664525u + 1013904223u;
	n = 1 + (*seed >> 16) % (*seed >> 31 ? 4 : 40);
	*seed += *seed == 0;
	return VR_MIN(n, left);
}

/* ---- the vmm's end: this file is the connection ------------------------------------------- */

static struct {
	struct agent_client *client;
	struct vsock_conn *conn; /* a name, never looked into */
	uint8_t *ring; /* goes with the connection, so that a sanitizer sees a late read */
	size_t len, off;
	size_t first; /* bytes of the ring's first piece */
	struct story story;
} vmm;

size_t vsock_conn_peek(struct vsock_conn *c, struct iovec iov[2])
{
	size_t left = vmm.len - vmm.off;
	size_t n = VR_MIN(vmm.first, left);

	fuzz_must(c == vmm.conn && vmm.ring, "a connection that is gone isn't read");
	iov[0] = (struct iovec){.iov_base = vmm.ring + vmm.off, .iov_len = n};
	iov[1] = (struct iovec){.iov_base = vmm.ring + vmm.off + n, .iov_len = left - n};
	return left;
}

void vsock_conn_consume(struct vsock_conn *c, size_t n)
{
	fuzz_must(c == vmm.conn && vmm.ring, "nor is anything taken from it");
	fuzz_must(n <= vmm.len - vmm.off, "what is taken was there");
	vmm.off += n;
	vmm.first = vmm.len; /* the ring wraps once */
}

size_t vsock_conn_send(struct vsock_conn *c, const void *data, size_t len)
{
	static volatile uint8_t sum;

	fuzz_must(c == vmm.conn && vmm.ring, "nor sent to");
	for (size_t i = 0; i < len; i++) {
		sum ^= ((const uint8_t *)data)[i]; /* a sanitizer looks */
	}
	return len - len / 3;
}

void vsock_conn_reset(struct vsock_conn *c)
{
	fuzz_must(c == vmm.conn && vmm.ring, "it is dropped once");
	free(vmm.ring);
	vmm.ring = NULL;
}

static void frame_noted(uint16_t type, uint32_t id)
{
	fuzz_must(vmm.ring && !vmm.story.end, "nothing is told of a connection that is gone");
	note(&vmm.story, &type, sizeof(type));
	note(&vmm.story, &id, sizeof(id));
	vmm.story.n_frames++;
}

static void on_hello(void *ctx, const struct ap_hello *m)
{
	(void)ctx;
	frame_noted(AP_MSG_HELLO, 0);
	fuzz_must(vmm.story.n_frames == 1, "hello comes first, and once");
	note(&vmm.story, m->release, strlen(m->release));
}

/* Some answers end the conversation from within. */
static void on_reply(void *ctx, uint32_t id, const struct ap_reply *m)
{
	(void)ctx;
	frame_noted(AP_MSG_REPLY, id);
	note(&vmm.story, &m->pid, sizeof(m->pid));
	if (id == 77) {
		agent_client_drop(vmm.client);
		vmm.story.end = "dropped";
	}
}

static void on_exit_event(void *ctx, const struct ap_exit *m)
{
	(void)ctx;
	frame_noted(AP_MSG_EXIT, 0);
	note(&vmm.story, &m->proc, sizeof(m->proc));
}

/* And some are answered from within. */
static void on_notify(void *ctx, const struct ap_notify *m)
{
	static const uint8_t frame[200];
	int rc = agent_client_send(vmm.client, frame, sizeof(frame));

	(void)ctx;
	fuzz_must(rc == 0 || rc == -ENOBUFS, "an answer is queued or refused");
	frame_noted(AP_MSG_NOTIFY, 0);
	note(&vmm.story, m->text, strlen(m->text));
}

static void on_left(void *ctx, const struct ap_left *m)
{
	(void)ctx;
	frame_noted(AP_MSG_LEFT, 0);
	note(&vmm.story, &m->number, sizeof(m->number));
}

static void on_lost(void *ctx, const char *reason)
{
	(void)ctx;
	fuzz_must(!vmm.story.end, "the end is told once");
	vmm.story.end = reason;
}

static struct story read_as_vmm(const uint8_t *data, size_t size, uint32_t seed)
{
	static const struct agent_events events = {on_hello,  on_reply, on_exit_event,
						   on_notify, on_left,	on_lost};
	const struct vsock_endpoint *ep;
	void *ep_ctx;

	memset(&vmm, 0, sizeof(vmm));
	vmm.conn = (struct vsock_conn *)&vmm;
	vmm.ring = malloc(size + 1);
	fuzz_must(vmm.ring && agent_client_create(&events, NULL, &vmm.client) == 0, "memory");
	fuzz_must(agent_client_accept(vmm.client, vmm.conn, &ep, &ep_ctx) == 0, "the first");
	fuzz_must(agent_client_accept(vmm.client, vmm.conn, &ep, &ep_ctx) < 0, "and the only one");
	while (vmm.ring && vmm.len < size) {
		size_t n = piece(&seed, size - vmm.len);

		memcpy(vmm.ring + vmm.len, data + vmm.len, n);
		vmm.len += n;
		vmm.first = 1 + n / 2;
		ep->readable(ep_ctx, vmm.conn);
	}
	fuzz_must(!vmm.ring == !!vmm.story.end, "a connection that is gone has an end");
	if (vmm.ring) {
		ep->writable(ep_ctx, vmm.conn);
	}
	agent_client_destroy(vmm.client);
	free(vmm.ring);
	return vmm.story;
}

/* ---- the agent's end ---------------------------------------------------------------------- */

/* Frames as agent.c takes them, each answered. Return: 0 or why it ends */
static const char *take_frames(struct conn *c, struct story *s)
{
	const uint8_t *payload;
	struct ap_header h;
	size_t cap;
	int more;

	while ((more = conn_next(c, &h, &payload)) > 0) {
		fuzz_must(h.len <= AP_FRAME_MAX && payload >= c->in &&
				  payload + h.len <= c->in + c->in_len,
			  "a frame lies in the buffer");
		note(s, &h.type, sizeof(h.type));
		note(s, &h.id, sizeof(h.id));
		note(s, payload, h.len);
		s->n_frames++;
		memset(conn_room(c, &cap), 0, REPLY_LEN);
		fuzz_must(cap >= CONN_OUT_CAP / 2, "a frame that is given can be answered");
		conn_commit(c, REPLY_LEN);
		conn_done(c, &h);
	}
	return more < 0 ? "a bad header" : NULL;
}

static void drain(int fd)
{
	static uint8_t buf[65536];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0) {
		continue;
	}
}

/* One round of the agent's loop. Return: did anything come of it? */
static bool agent_round(struct conn *c, struct story *s)
{
	uint32_t in = c->in_len, out = c->out_len - c->out_at;
	unsigned frames = s->n_frames;

	fuzz_must(conn_flush(c) == 0, "the host is there");
	if (conn_events(c) & EPOLLIN) {
		fuzz_must(conn_read(c) == 0, "and hasn't hung up");
	}
	s->end = take_frames(c, s);
	return c->in_len != in || s->n_frames != frames || c->out_len - c->out_at != out;
}

/* The host reads answers only when the agent takes no more requests, and at the end. */
static struct story read_as_agent(const uint8_t *data, size_t size, uint32_t seed)
{
	static struct conn c;
	struct story s = {0};
	bool busy = true;
	size_t off = 0;
	int pair[2];

	fuzz_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0, "sockets");
	conn_init(&c, pair[0]);
	while (!s.end && (busy || off < size)) {
		size_t n = piece(&seed, size - off);
		ssize_t sent = n > 0 ? send(pair[1], data + off, n, 0) : 0;

		off += sent > 0 ? (size_t)sent : 0;
		if (off == size || !(conn_events(&c) & EPOLLIN)) {
			n_waited += !(conn_events(&c) & EPOLLIN);
			drain(pair[1]);
		}
		busy = agent_round(&c, &s);
	}
	(void)close(pair[0]);
	(void)close(pair[1]);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct story first = {0}, other;
	bool agent;

	if (size < 1) {
		return 0;
	}
	agent = data[0] % 2;
	for (uint32_t way = 0; way < N_WAYS; way++) {
		uint32_t seed = way * (1 + data[0] / 2u);

		other = agent ? read_as_agent(data + 1, size - 1, seed)
			      : read_as_vmm(data + 1, size - 1, seed);
		first = way == 0 ? other : first;
		fuzz_must(other.n_frames == first.n_frames && other.hash == first.hash,
			  "frames don't depend on the pieces they come in");
		fuzz_must(other.end == first.end, "nor does the end");
	}
	n_seen[agent] += first.n_frames > 0;
	n_ended[agent] += first.end != NULL;
	fuzz_outcome("%s: %u frames, %s", agent ? "agent" : "vmm", first.n_frames,
		     first.end ? first.end : "open");
	return 0;
}

#ifndef VOLT_LIBFUZZER
/* A frame of the right direction. Return: its bytes */
static size_t some_frame(bool agent, bool is_first, uint8_t *buf, size_t cap)
{
	uint32_t id = 1 + fuzz_random() % 100;
	long n;

	if (agent) {
		n = ap_encode_start(&(struct ap_start){.state = "{}"}, id, buf, cap);
	} else if (is_first) {
		n = ap_encode_hello(&(struct ap_hello){.release = "6"}, buf, cap);
	} else if (fuzz_random() % 3) {
		n = ap_encode_reply(&(struct ap_reply){.pid = 7}, id, buf, cap);
	} else {
		n = ap_encode_notify(&(struct ap_notify){.text = "READY=1"}, buf, cap);
	}
	fuzz_must(n > 0, "encode");
	return (size_t)n;
}

static bool smoke(void)
{
	static uint8_t data[1 + 300 * 128];

	for (int i = 0; i < 600; i++) {
		bool agent = i % 2;
		unsigned frames = i % 40 == 1 ? 300 : 6; /* more answers than there is room for */
		size_t n = 1;

		data[0] = (uint8_t)(fuzz_random() << 1 | agent);
		for (unsigned f = 0; f < frames; f++) {
			n += some_frame(agent, f == 0, data + n, sizeof(data) - n);
		}
		if (i % 4 >= 2) {
			data[1 + fuzz_random() % (n - 1)] ^= (uint8_t)(1u << fuzz_random() % 8);
		}
		(void)LLVMFuzzerTestOneInput(data, n);
	}
	printf("# vmm: %u with frames, %u ended; agent: %u, %u; waited for room %u times\n",
	       n_seen[0], n_ended[0], n_seen[1], n_ended[1], n_waited);
	return n_seen[0] > 100 && n_ended[0] > 50 && n_seen[1] > 100 && n_ended[1] > 20 && n_waited;
}

/* Where the second frame of an input begins. */
#define VMM_HEADER   107
#define AGENT_HEADER 24

static const struct fuzz_known known[] = {
	FUZZ_KNOWN("hello-reply", "vmm: 2 frames, open"),
	FUZZ_KNOWN("vmm-all", "vmm: 5 frames, open"),
	FUZZ_KNOWN("dropped-within", "vmm: 2 frames, dropped"),
	FUZZ_KNOWN("agent-two", "agent: 2 frames, open"),
	FUZZ_REPAIRED("bad-no-hello", "vmm: 0 frames, the agent sent a frame out of turn",
		      "agent: 2 frames, open", 0, 1),
	FUZZ_KNOWN("bad-two-hellos", "vmm: 1 frames, the agent sent a frame out of turn"),
	FUZZ_KNOWN("bad-request", "vmm: 1 frames, the agent sent a request"),
	FUZZ_REPAIRED("bad-vmm-header", "vmm: 1 frames, the agent sent a malformed frame header",
		      "vmm: 2 frames, open", VMM_HEADER + 6, 0),
	FUZZ_REPAIRED("bad-vmm-reply", "vmm: 1 frames, the agent sent a malformed reply",
		      "vmm: 2 frames, open", VMM_HEADER + AP_HEADER_LEN, 1),
	FUZZ_REPAIRED("bad-agent-header", "agent: 1 frames, a bad header", "agent: 2 frames, open",
		      AGENT_HEADER + 6, 0),
	FUZZ_REPAIRED("bad-agent-length", "agent: 1 frames, a bad header", "agent: 2 frames, open",
		      AGENT_HEADER + 2, 0),
};
#endif

FUZZ_MAIN("agent_stream", known, smoke)
