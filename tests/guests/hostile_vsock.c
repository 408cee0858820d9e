/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile_vsock.c - malformed packets, and a guest agent that isn't one
 *
 * The driver works; what it sends doesn't always make sense. The protocol is that
 * of docs/PROTOCOL-agent.md.
 */
#include "guest.h"

#include "base/agent_proto.h"

#define N_RX	   32u
#define RX_BYTES   4096u
#define RX_BUFS	   (HONEST_VSOCK + 0x20000ul)
#define TX_BUF	   (HONEST_VSOCK + 0x10000ul)
#define CHUNK	   4096u
#define IDLE_MAX   50000u
#define HDR	   44u
#define HOST	   2u
#define GUEST	   3u
#define OP_REQUEST 1u
#define OP_RST	   3u
#define OP_RW	   5u

#define OUR_PORT    70000u
#define STDOUT_PORT 70001u

struct packet {
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
} __attribute__((packed));

_Static_assert(sizeof(struct packet) == HDR, "virtio 1.2, 5.10.6");

/** struct frame - a message under construction; @len without the header */
struct frame {
	uint8_t *at;
	uint32_t len;
};

static struct ring rx;
static struct ring tx;
static uint32_t received; /* bytes of the agent's connection */
static uint32_t out_room; /* up to where standard output may be written: the host's credit */
static uint8_t inbox[0x40000];

static void rx_give(uint16_t i)
{
	rx.desc[i] =
		(struct desc){.addr = RX_BUFS + i * RX_BYTES, .len = RX_BYTES, .flags = D_WRITE};
	ring_add(&rx, i);
}

static bool vsock_up(void)
{
	struct ring events;

	if (!negotiate(SLOT_VSOCK, 0)) {
		return false;
	}
	ring_setup(&rx, SLOT_VSOCK, 0, HONEST_VSOCK, N_RX);
	ring_setup(&tx, SLOT_VSOCK, 1, HONEST_VSOCK + 0x4000, 4);
	ring_setup(&events, SLOT_VSOCK, 2, HONEST_VSOCK + 0x8000, 4);
	reg_set(SLOT_VSOCK, R_STATUS, S_ACK | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK);
	for (uint16_t i = 0; i < N_RX; i++) {
		rx_give(i);
	}
	received = 0;
	return true;
}

/* Take what came. Data of the agent's connection is kept. Return: the last packet's op, 0 for none */
static uint16_t vsock_poll(void)
{
	uint16_t op = 0;
	uint32_t id;
	uint32_t len;

	while (ring_used(&rx, &id, &len)) {
		const struct packet *p = (void *)(RX_BUFS + id * RX_BYTES);

		op = p->op;
		if (op == OP_RW && p->dst_port == OUR_PORT && received + p->len <= sizeof(inbox)) {
			memcpy(inbox + received, p + 1, p->len);
			received += p->len;
		}
		if (p->dst_port == STDOUT_PORT) {
			out_room = p->fwd_cnt + p->buf_alloc;
		}
		rx_give((uint16_t)id);
	}
	return op;
}

/* Send a header and what lies behind it in TX_BUF, @bytes together. Return: false on a fault */
static bool vsock_send(const struct packet *p, uint32_t bytes)
{
	uint32_t id;
	uint32_t len;

	memcpy((void *)TX_BUF, p, HDR);
	tx.desc[0] = (struct desc){.addr = TX_BUF, .len = bytes};
	ring_add(&tx, 0);
	return ring_wait(&tx, &id, &len);
}

static struct packet packet(uint32_t src_port, uint32_t dst_port, uint16_t op, uint32_t len)
{
	return (struct packet){
		.src_cid = GUEST,
		.dst_cid = HOST,
		.src_port = src_port,
		.dst_port = dst_port,
		.len = len,
		.type = 1,
		.op = op,
		.buf_alloc = sizeof(inbox),
		.fwd_cnt = src_port == OUR_PORT ? received : 0,
	};
}

static struct packet malformed(void)
{
	struct packet p = packet((uint32_t)rnd() % 4096, (uint32_t)rnd() % 64,
				 (uint16_t)(rnd() % 10), (uint32_t)rnd() % 64);

	switch (rnd() % 8) {
	case 0:
		p.len = (uint32_t)rnd(); /* more than there is: the device is at fault */
		break;
	case 1:
		p.type = (uint16_t)rnd();
		break;
	case 2:
		p.src_cid = rnd();
		break;
	case 3:
		p.dst_cid = rnd();
		break;
	case 4:
		p.op = (uint16_t)rnd();
		break;
	case 5:
		p.buf_alloc = (uint32_t)rnd();
		p.fwd_cnt = (uint32_t)rnd();
		break;
	default:
		p.op = OP_REQUEST; /* to nobody: more of them than there may be connections */
		break;
	}
	return p;
}

/* Packets that nobody should send, to ports where nobody listens. */
void do_vsock(void)
{
	if (!vsock_up()) {
		stop();
	}
	for (unsigned i = 0; i < 1000; i++) {
		struct packet p = malformed();

		if (!vsock_send(&p, HDR + 64) && !vsock_up()) {
			stop();
		}
		if (i % 256 < 128) { /* else the host has nowhere to put its answers */
			(void)vsock_poll();
		}
		if (tx.used_idx != tx.avail_idx && !vsock_up()) {
			stop();
		}
	}
}

/* ---- the agent's protocol ---- */

static void put(struct frame *f, const void *data, uint32_t len)
{
	memcpy(f->at + f->len, data, len);
	f->len += len;
}

static void put_u32(struct frame *f, uint32_t v)
{
	put(f, &v, 4);
}

static void field(struct frame *f, uint32_t tag, const void *data, uint32_t len)
{
	put_u32(f, tag);
	put_u32(f, len);
	put(f, data, len);
}

static void field_u32(struct frame *f, uint32_t tag, uint32_t v)
{
	field(f, tag, &v, 4);
}

static struct frame frame_begin(void)
{
	return (struct frame){.at = (uint8_t *)TX_BUF + HDR, .len = AP_HEADER_LEN};
}

static void send_bytes(uint32_t len)
{
	struct packet p = packet(OUR_PORT, AP_PORT_CONTROL, OP_RW, len);

	if (!vsock_send(&p, HDR + len)) {
		stop();
	}
	(void)vsock_poll();
}

static void frame_send(struct frame *f, uint32_t len, uint32_t type, uint32_t id)
{
	uint32_t total = f->len;

	f->len = 0;
	put_u32(f, len);
	put_u32(f, type);
	put_u32(f, id);
	send_bytes(total);
}

static void hello(uint32_t version)
{
	static const uint64_t zeros[3];
	struct frame f = frame_begin();

	field_u32(&f, 1, version);
	field_u32(&f, 2, AP_FEAT_ALL);
	field_u32(&f, 3, 1);
	field(&f, 4, zeros, 8);
	field(&f, 5, zeros, 24);
	field(&f, 6, "evil", 5);
	frame_send(&f, f.len - AP_HEADER_LEN, AP_MSG_HELLO, 0);
}

static void reply(uint32_t id, uint32_t code, const char *text)
{
	static const uint64_t zero;
	struct frame f = frame_begin();

	field_u32(&f, 1, code);
	field_u32(&f, 2, code ? 1 : 0);
	field_u32(&f, 3, 1);
	field(&f, 4, &zero, 8);
	if (text) {
		field(&f, 6, text, (uint32_t)length(text) + 1);
	}
	frame_send(&f, f.len - AP_HEADER_LEN, AP_MSG_REPLY, id);
}

static void ended(uint32_t proc)
{
	static const uint64_t zero;
	struct frame f = frame_begin();

	field_u32(&f, 1, proc);
	field_u32(&f, 2, 3);
	field_u32(&f, 3, 0);
	field(&f, 4, &zero, 1);
	field(&f, 5, &zero, 8);
	frame_send(&f, f.len - AP_HEADER_LEN, AP_MSG_EXIT, 0);
}

static uint32_t u32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

/* Wait for a request of a type. Return: its payload, with length and id */
static const uint8_t *await(uint32_t type, uint32_t *out_len, uint32_t *out_id)
{
	for (;;) {
		uint32_t at = 0;

		while (at + AP_HEADER_LEN <= received &&
		       at + AP_HEADER_LEN + u32_at(inbox + at) <= received) {
			if (u32_at(inbox + at + 4) == type) {
				*out_len = u32_at(inbox + at);
				*out_id = u32_at(inbox + at + 8);
				return inbox + at + AP_HEADER_LEN;
			}
			at += AP_HEADER_LEN + u32_at(inbox + at);
		}
		(void)vsock_poll();
		(void)reg_get(SLOT_VSOCK, R_STATUS); /* let the host run */
	}
}

/* The field @tag of a list of fields; NULL when it isn't there. */
static const uint8_t *find(const uint8_t *p, uint32_t len, uint32_t tag, uint32_t *out_len)
{
	for (uint32_t at = 0; at + 8 <= len; at += 8 + u32_at(p + at + 4)) {
		if (u32_at(p + at) == tag) {
			*out_len = u32_at(p + at + 4);
			return p + at + 8;
		}
	}
	return NULL;
}

static void answer(uint32_t type)
{
	uint32_t len;
	uint32_t id;

	(void)await(type, &len, &id);
	reply(id, 0, NULL);
}

/* Says yes to everything, does nothing of it, and writes to standard output what that takes. */
static _Noreturn void liar(void)
{
	uint32_t len;
	uint32_t id;
	const uint8_t *p = await(AP_MSG_CREATE, &len, &id);
	struct packet out;
	uint32_t port;

	p = find(p, len, 20, &len);	       /* process */
	p = p ? find(p, len, 22, &len) : NULL; /* port */
	if (!p) {
		stop();
	}
	port = u32_at(p);
	reply(id, 0, NULL);
	answer(AP_MSG_START);
	out = packet(STDOUT_PORT, port + 1, OP_REQUEST, 0);
	(void)vsock_send(&out, HDR);
	memset((void *)(TX_BUF + HDR), 'x', CHUNK);
	/* What isn't read within that many looks is never sent; then it is dead to the world. */
	for (uint32_t sent = 0, idle = 0; idle < IDLE_MAX; idle++) {
		while ((int32_t)(out_room - sent) >= (int32_t)CHUNK) {
			out = packet(STDOUT_PORT, port + 1, OP_RW, CHUNK);
			(void)vsock_send(&out, HDR + CHUNK);
			sent += CHUNK;
			idle = 0;
		}
		(void)vsock_poll();
		(void)reg_get(SLOT_VSOCK, R_STATUS);
	}
	stop();
}

static void header_only(uint32_t len, uint32_t type, uint32_t id)
{
	struct frame f = frame_begin();

	frame_send(&f, len, type, id);
}

static void after_hello(const char *how)
{
	if (same(how, "agent-twice")) {
		hello(AP_VERSION);
	} else if (same(how, "agent-request")) {
		header_only(0, AP_MSG_SHUTDOWN, 1);
	} else if (same(how, "agent-exit")) {
		ended(0);
	} else if (same(how, "agent-refuses")) {
		uint32_t len;
		uint32_t id;

		(void)await(AP_MSG_CREATE, &len, &id);
		reply(id, 5, "\033[2Jno\nsuch\rluck");
	} else if (same(how, "agent-exits")) {
		/* thousands of ends of nobody, then its own */
		answer(AP_MSG_CREATE);
		answer(AP_MSG_START);
		for (unsigned i = 0; i < 3000; i++) {
			ended(77);
		}
		ended(0);
	} else if (same(how, "agent-replies")) {
		for (;;) {
			reply(1, 5, "I have no clock");
		}
	} else if (same(how, "agent-hosts")) {
		/* lets another container in; what its device is for then, the next words say */
		answer(AP_MSG_CREATE);
		answer(AP_MSG_START);
		answer(AP_MSG_JOIN);
	} else if (same(how, "agent-liar")) {
		liar();
	}
}

void do_agent(const char *how)
{
	struct packet connect = packet(OUR_PORT, AP_PORT_CONTROL, OP_REQUEST, 0);

	if (!vsock_up() || !vsock_send(&connect, HDR)) {
		stop();
	}
	while (vsock_poll() == 0) {
		(void)reg_get(SLOT_VSOCK, R_STATUS);
	}
	if (same(how, "agent-early")) {
		reply(2, 0, NULL);
	} else if (same(how, "agent-length")) {
		header_only(0xffffffff, AP_MSG_HELLO, 0);
	} else if (same(how, "agent-type")) {
		header_only(0, 0x99, 0);
	} else if (same(how, "agent-version")) {
		hello(99);
	} else {
		hello(AP_VERSION);
		after_hello(how);
	}
	if (!same(how, "agent-hosts")) {
		stop();
	}
}
