/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile_io.c - frames, disk requests and interrupts of a guest that means harm
 *
 * The queues work; what is in them doesn't always make sense. After it an honest driver finds the
 * device as good as ever, or the machine never says that it is done.
 */
#include "guest.h"

#define RING_STRIDE 0x4000ul
#define BUFFERS	    (HONEST_IO + 0x40000ul)
#define RING_SIZE   64u
#define ROUNDS	    150u
#define BATCH	    4u /* chains before a look at what became of them */
#define CHAIN_MAX   5u
#define LOOKS_MAX   2000u

#define NET_HDR 12u
#define NET_F_CTRL                                                                                 \
	(1ul << 17 | 1ul << 22) /* with both of them the last queue is that for commands */
#define ETH_ARP	    0x0608u	/* as it lies in memory */
#define FORGED_MAC  0x6602u	/* 02:66 */
#define FRAME_BYTES 42u
#define RX_BYTES    2048u
#define RX_WAIT	    200000u

#define BLK_IN	      0u
#define BLK_OUT	      1u
#define BLK_F_RO      (1u << 5)
#define BLK_SECTOR    9u
#define SECTOR_BYTES  512u
#define SECTORS_THERE 8192u

#define IOAPIC	    0xfec00000ul
#define APIC	    0xfee00000ul
#define ICR_ALL	    (2u << 18) /* all processors, this one, too */
#define RNG_KICKS   20000u
#define IPIS	    40000u
#define TICKS	    3000u
#define LOOKS_TICKS 1000000u

static void start(unsigned slot)
{
	reg_set(slot, R_STATUS, S_ACK | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK);
}

static uint64_t ring_base(unsigned q)
{
	return HONEST_IO + q * RING_STRIDE;
}

/* All queues of a device, with features of which @mask has some. */
static void device_up(const struct device *d, uint64_t mask, struct ring rings[QUEUES_MAX])
{
	if (!negotiate(d->slot, mask)) {
		stop();
	}
	for (unsigned q = 0; q < d->n_queues; q++) {
		ring_setup(&rings[q], d->slot, q, ring_base(q), RING_SIZE);
	}
	start(d->slot);
}

/* Wait until all that was made available is used. Return: false when the device is at fault, or gave up on us */
static bool drain(struct ring *r)
{
	uint32_t id;
	uint32_t len;

	for (unsigned looks = 0; r->used_idx != r->avail_idx; looks++) {
		if (!ring_used(r, &id, &len) &&
		    (looks > LOOKS_MAX || (reg_get(r->slot, R_STATUS) & S_NEEDS_RESET))) {
			return false;
		}
	}
	return true;
}

/* ---- network --------------------------------------------------------------------------------- */

/** struct frame - an ARP request behind its virtio header */
struct frame {
	uint8_t hdr[NET_HDR];
	uint8_t dst[6];
	uint8_t src[6];
	uint16_t kind;
	uint8_t arp[8];
	uint8_t sender[6];
	uint8_t sender_ip[4];
	uint8_t target[6];
	uint8_t target_ip[4];
};

_Static_assert(sizeof(struct frame) == NET_HDR + FRAME_BYTES, "RFC 826");

/* Who has the host's end of the cable? That of the tests: ours is 10.9.N.2, the host's 10.9.N.1. */
static void honest_frame(const struct device *d, struct frame *f)
{
	static const uint8_t arp[8] = {0, 1, 8, 0, 6, 4, 0, 1};
	static const uint8_t ours[4] = {10, 9, 1, 2};

	memset(f, 0, sizeof(*f));
	memset(f->dst, 0xff, sizeof(f->dst));
	for (unsigned i = 0; i < 6; i++) {
		f->src[i] = rd8(MMIO_BASE + d->slot * MMIO_STRIDE + R_CONFIG + i);
	}
	f->kind = ETH_ARP;
	memcpy(f->arp, arp, sizeof(arp));
	memcpy(f->sender, f->src, sizeof(f->sender));
	memcpy(f->sender_ip, ours, 4);
	memcpy(f->target_ip, ours, 4);
	f->target_ip[3] = 1;
}

/* Headers that promise what isn't there, of somebody who we are not. Return: its length */
static uint32_t lying_frame(struct frame *f)
{
	static const uint8_t gso[] = {0, 0, 1, 3, 4, 5, 0x81, 0xff};
	static const uint16_t kinds[] = {ETH_ARP, 0x0008, 0xdd86, 0x0081, 0xa888, 0};
	uint8_t *at = (uint8_t *)f;

	for (unsigned i = 0; i < 256; i += 8) {
		wr64((uint64_t)at + i, rnd());
	}
	f->hdr[0] = (uint8_t)(rnd() % 4);
	f->hdr[1] = gso[rnd() % sizeof(gso)];
	for (unsigned i = 2; i < NET_HDR; i += 2) {
		wr16((uint64_t)f->hdr + i, (uint16_t)(rnd() % 2 ? rnd() % 128 : rnd()));
	}
	if (rnd() % 4) {
		memset(f->dst, 0xff, sizeof(f->dst));
	}
	wr16((uint64_t)f->src, FORGED_MAC);
	f->kind = kinds[rnd() % (sizeof(kinds) / sizeof(kinds[0]))];
	if (rnd() % 2) {
		f->arp[0] = f->kind == 0xdd86 ? 0x60 : 0x45;
	}
	return rnd() % 8 ? NET_HDR + (uint32_t)rnd() % 1600 : some_length();
}

/* A chain at @head over what lies at @at, cut anywhere. */
static void cut(struct ring *r, uint16_t head, uint64_t at, uint32_t len, uint16_t flags)
{
	unsigned n = 1 + (unsigned)rnd() % (CHAIN_MAX - 1);

	for (unsigned i = 0; i < n; i++) {
		uint32_t part = i + 1 < n && len ? (uint32_t)rnd() % len : len;

		r->desc[head + i] = (struct desc){
			.addr = at,
			.len = part,
			.flags = (uint16_t)(flags | (i + 1 < n ? D_NEXT : 0)),
			.next = (uint16_t)(head + i + 1),
		};
		at += part;
		len -= part;
	}
	ring_add(r, head);
}

static bool lying_frames(struct ring *tx, struct ring *rx)
{
	for (unsigned i = 0; i < BATCH; i++) {
		struct frame *f = (void *)(BUFFERS + i * 0x10000ul);
		uint32_t len = lying_frame(f);

		cut(tx, (uint16_t)(i * CHAIN_MAX), (uint64_t)f, len, 0);
	}
	/* room for what comes: too little, nowhere, of the wrong kind */
	rx->desc[0] = (struct desc){
		.addr = some_addr(), .len = some_length(), .flags = (uint16_t)(rnd() % 8)};
	ring_add(rx, 0);
	return drain(tx);
}

/* The control queue: classes and commands that nobody knows, numbers of queues that aren't there. */
static bool lying_command(struct ring *ctrl)
{
	uint64_t at = BUFFERS + 0x100000ul;

	wr64(at, rnd());
	if (rnd() % 2) {
		wr16(at, 4); /* VIRTIO_NET_CTRL_MQ, VQ_PAIRS_SET */
	}
	ctrl->desc[0] =
		(struct desc){.addr = at, .len = (uint32_t)rnd() % 8, .flags = D_NEXT, .next = 1};
	ctrl->desc[1] = (struct desc){
		.addr = at + 8, .len = (uint32_t)rnd() % 3, .flags = rnd() % 8 ? D_WRITE : 0};
	ring_add(ctrl, 0);
	return drain(ctrl);
}

static void honest_exchange(const struct device *d)
{
	struct ring rings[QUEUES_MAX];
	struct frame *f = (void *)BUFFERS;
	uint32_t id;
	uint32_t len;

	device_up(d, 0, rings);
	rings[0].desc[0] =
		(struct desc){.addr = BUFFERS + 0x10000ul, .len = RX_BYTES, .flags = D_WRITE};
	ring_add(&rings[0], 0);
	honest_frame(d, f);
	rings[1].desc[0] = (struct desc){.addr = BUFFERS, .len = sizeof(*f)};
	ring_add(&rings[1], 0);
	if (!ring_wait(&rings[0], &id, &len) || len < NET_HDR + 14) {
		stop(); /* nobody hears us */
	}
}

void do_net(void)
{
	struct ring rings[QUEUES_MAX];

	for (unsigned n = 0; n < n_devices; n++) {
		const struct device *d = &devices[n];
		bool up = false;

		for (unsigned i = 0; d->id == ID_NET && i < ROUNDS; i++) {
			if (!up || i % 32 == 0) {
				device_up(d, rnd() % 2 ? ~0ul : rnd() | NET_F_CTRL, rings);
			}
			up = lying_frames(&rings[1], &rings[0]);
			if (up && d->n_queues % 2) {
				up = lying_command(&rings[d->n_queues - 1]);
			}
		}
		if (d->id == ID_NET) {
			honest_exchange(d);
		}
	}
}

/* ---- disks ----------------------------------------------------------------------------------- */

struct request {
	uint32_t kind;
	uint32_t reserved;
	uint64_t sector;
};

static void lying_request(struct ring *r, uint16_t head, struct request *q)
{
	static const uint32_t kinds[] = {BLK_IN, BLK_OUT, BLK_OUT, 4, 8, 11, 13, 0x80000000};
	static const uint64_t sectors[] = {
		0,	   SECTORS_THERE - 1, SECTORS_THERE,	  ~0ul,
		1ul << 55, (1ul << 55) - 1,   0x7fffffffffffffff, 1ul << 63,
	};
	uint64_t at = rnd() % 4 ? SCRATCH : some_addr();

	q->kind = rnd() % 8 ? kinds[rnd() % 8] : (uint32_t)rnd();
	q->sector = rnd() % 2 ? sectors[rnd() % 8] : rnd() % SECTORS_THERE;
	r->desc[head] = (struct desc){.addr = (uint64_t)q,
				      .len = rnd() % 16 ? 16 : (uint32_t)rnd() % 32,
				      .flags = D_NEXT,
				      .next = head + 1};
	r->desc[head + 1] = (struct desc){
		.addr = at,
		.len = rnd() % 2 ? SECTOR_BYTES * ((uint32_t)rnd() % 64) : some_length(),
		.flags = D_NEXT | ((q->kind == BLK_OUT) == (rnd() % 8 != 0) ? 0 : D_WRITE),
		.next = head + 2};
	r->desc[head + 2] = (struct desc){.addr = (uint64_t)q + 32,
					  .len = rnd() % 16 ? 1 : (uint32_t)rnd() % 3,
					  .flags = rnd() % 16 ? D_WRITE : 0};
	ring_add(r, head);
}

/* One request as it should be, with a sector at @data. Return: its status, 0xff for none */
static uint8_t honest_request(struct ring *r, uint32_t kind, uint64_t data)
{
	struct request *q = (void *)BUFFERS;
	volatile uint8_t *status = (uint8_t *)BUFFERS + 32;
	uint32_t id;
	uint32_t used;

	*status = 0xff;
	*q = (struct request){.kind = kind, .sector = BLK_SECTOR};
	r->desc[0] = (struct desc){.addr = BUFFERS, .len = 16, .flags = D_NEXT, .next = 1};
	r->desc[1] = (struct desc){.addr = data,
				   .len = SECTOR_BYTES,
				   .flags = D_NEXT | (kind == BLK_IN ? D_WRITE : 0),
				   .next = 2};
	r->desc[2] = (struct desc){.addr = BUFFERS + 32, .len = 1, .flags = D_WRITE};
	ring_add(r, 0);
	return ring_wait(r, &id, &used) ? *status : 0xff;
}

/* What is written can be read, unless writing is refused. */
static void honest_disk(const struct device *d)
{
	static const char text[] = "the guest's own words";
	char *out = (char *)BUFFERS + 0x1000;
	char *in = (char *)BUFFERS + 0x2000;
	struct ring rings[QUEUES_MAX];
	bool ro;

	device_up(d, ~0ul, rings);
	reg_set(d->slot, R_FEATURES_SEL, 0);
	ro = (reg_get(d->slot, R_FEATURES) & BLK_F_RO) != 0;
	memset(out, 0, SECTOR_BYTES);
	memset(in, 0, SECTOR_BYTES);
	memcpy(out, text, sizeof(text));
	if ((honest_request(&rings[0], BLK_OUT, (uint64_t)out) == 0) == ro ||
	    honest_request(&rings[0], BLK_IN, (uint64_t)in) != 0 || same(in, text) == ro) {
		stop();
	}
}

void do_blk(void)
{
	struct ring rings[QUEUES_MAX];

	for (unsigned n = 0; n < n_devices; n++) {
		const struct device *d = &devices[n];
		bool up = false;

		for (unsigned i = 0; d->id == ID_BLK && i < ROUNDS; i++) {
			if (!up) {
				device_up(d, ~0ul, rings);
			}
			for (unsigned k = 0; k < BATCH; k++) {
				lying_request(&rings[0], (uint16_t)(k * 3),
					      (void *)(BUFFERS + k * 64));
			}
			up = drain(&rings[0]);
		}
		if (d->id == ID_BLK) {
			honest_disk(d);
		}
	}
}

/* ---- interrupts ------------------------------------------------------------------------------ */

static void gates_open(void)
{
	static uint64_t gates[256][2];
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr = {sizeof(gates) - 1, (uint64_t)gates};
	uint64_t to = (uint64_t)on_interrupt;

	for (unsigned i = 0; i < 256; i++) {
		gates[i][0] = (to & 0xffff) | 0x08u << 16 | 0x8e00ul << 32 | (to >> 16) << 48;
		gates[i][1] = to >> 32;
	}
	__asm__ volatile("lidt %0; sti" ::"m"(idtr), "m"(gates));
}

/* Every pin, by edge and by level, to anybody. (An active low one would never be quiet again.) */
static void ioapic_scramble(void)
{
	for (uint32_t pin = 0; pin < 24; pin++) {
		uint32_t how = (0x30 + (uint32_t)rnd() % 0xc0) | ((uint32_t)rnd() & 0x8800);

		wr32(IOAPIC, 0x11 + 2 * pin);
		wr32(IOAPIC + 0x10, rnd() % 4 ? 0 : (uint32_t)rnd());
		wr32(IOAPIC, 0x10 + 2 * pin);
		wr32(IOAPIC + 0x10, how); /* fixed delivery; no mask */
	}
}

static void rng_storm(const struct device *d)
{
	struct ring rings[QUEUES_MAX];
	uint32_t id;
	uint32_t len;

	device_up(d, ~0ul, rings);
	rings[0].desc[0] = (struct desc){.addr = SCRATCH, .len = 1, .flags = D_WRITE};
	for (unsigned i = 0; i < RNG_KICKS; i++) {
		if ((uint16_t)(rings[0].avail_idx - rings[0].used_idx) < RING_SIZE) {
			ring_add(&rings[0], 0);
		}
		(void)ring_used(&rings[0], &id, &len);
		if (i % 1024 == 0) {
			ioapic_scramble();
		}
	}
}

static void interrupts_on(void)
{
	wr32(APIC + 0xf0, 0x1ff);
	wr32(APIC + 0x80, 0);
	gates_open();
	interrupts = 0;
}

static void interrupts_off(uint32_t fewest)
{
	__asm__ volatile("cli");
	if (interrupts < fewest) {
		stop();
	}
}

/* The timer as fast as it goes. */
void do_ticks(void)
{
	interrupts_on();
	wr32(APIC + 0x3e0, 0xb);
	wr32(APIC + 0x320, 1u << 17 | 0x40);
	wr32(APIC + 0x380, 1);
	for (unsigned i = 0; i < LOOKS_TICKS && interrupts < TICKS; i++) {
		(void)reg_get(SLOT_CONSOLE, R_MAGIC);
	}
	wr32(APIC + 0x380, 0);
	interrupts_off(TICKS);
}

/* A device's line, and all others, wherever they go. */
void do_lines(void)
{
	interrupts_on();
	for (unsigned n = 0; n < n_devices; n++) {
		if (devices[n].id == ID_RNG) {
			rng_storm(&devices[n]);
		}
	}
	interrupts_off(1);
}

/* One processor for another. */
void do_ipis(void)
{
	interrupts_on();
	for (unsigned i = 0; i < IPIS; i++) {
		wr32(APIC + 0x310, (uint32_t)rnd() % 4 << 24);
		wr32(APIC + 0x300, (rnd() % 2 ? ICR_ALL : 0) | 0x4000 | (0x30 + rnd() % 0xc0));
	}
	interrupts_off(IPIS / 4);
}
