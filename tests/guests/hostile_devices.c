/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile_devices.c - what a guest can do to registers, queues and ports
 *
 * Everything ends after a fixed number of steps, so that a machine that survived
 * can say so. Lies point into SCRATCH or outside RAM, never at the program.
 */
#include "guest.h"

#define RING_BYTES 0x3000u
#define LIVES	   20u /* of each device */

static const unsigned widths[] = {1, 2, 4, 8};

uint64_t some_addr(void)
{
	static const uint64_t odd[] = {
		0,
		0x500,
		0x9fffc,    /* the end of low memory */
		MMIO_BASE,  /* our own registers */
		0xfec00000, /* IOAPIC */
		0xfee00300, /* the APIC's command register */
		0xbffffff0, /* behind RAM, before the devices */
		0xfffffffffffff000u,
		0xfffffffffffffff8u,
		0x100000000u,
		0x8000000000000000u,
		0xfffbd000, /* KVM's own pages */
	};

	if (rnd() % 4 != 0) {
		return SCRATCH + rnd() % (SCRATCH_END - SCRATCH);
	}
	return odd[rnd() % (sizeof(odd) / sizeof(odd[0]))];
}

uint32_t some_length(void)
{
	static const uint32_t odd[] = {0,    1,	    8,	      12,	16,	    44,
				       4096, 65536, 1u << 20, 1u << 31, 0xfffffff0, 0xffffffff};

	return odd[rnd() % (sizeof(odd) / sizeof(odd[0]))];
}

/* Every register, and what lies between them, at every width; then anything anywhere. */
void do_registers(void)
{
	for (unsigned slot = 0; slot < MMIO_SLOTS; slot++) {
		uint64_t base = MMIO_BASE + slot * MMIO_STRIDE;
		uint32_t end = reg_get(slot, R_DEVICE_ID) ? 0x140 : 0x10;

		for (uint32_t off = 0; off < end; off += 4) {
			for (unsigned w = 0; w < 4; w++) {
				uint32_t skew = rnd() % 8 == 0 ? (uint32_t)rnd() % 4 : 0;

				touch_mmio(base + off + skew, widths[w], true, rnd());
				touch_mmio(base + off + skew, widths[w], false, 0);
			}
		}
	}
	for (unsigned i = 0; i < 1000; i++) {
		/* across pages, too */
		touch_mmio(MMIO_BASE + rnd() % (MMIO_SLOTS * MMIO_STRIDE), widths[rnd() % 4],
			   rnd() % 2, rnd());
	}
}

static const struct device *any_device(void)
{
	return &devices[rnd() % n_devices];
}

static void next_status(unsigned slot)
{
	static const uint32_t order[] = {S_ACK, S_DRIVER, S_FEATURES_OK, S_DRIVER_OK};
	uint32_t now = reg_get(slot, R_STATUS);

	for (unsigned i = 0; i < 4; i++) {
		if (!(now & order[i])) {
			reg_set(slot, R_STATUS, now | order[i]);
			return;
		}
	}
	reg_set(slot, R_STATUS, 0);
}

static void one_state(unsigned slot)
{
	static const uint32_t addresses[] = {R_DESC_LOW,   R_DESC_HIGH, R_AVAIL_LOW,
					     R_AVAIL_HIGH, R_USED_LOW,	R_USED_HIGH};

	switch (rnd() % 16) {
	case 0:
	case 1:
	case 2:
		next_status(slot);
		break;
	case 3:
		reg_set(slot, R_STATUS, rnd() % 4 ? (uint32_t)rnd() & 0xff : (uint32_t)rnd());
		break;
	case 4:
		reg_set(slot, R_QUEUE_SEL, rnd() % 4 ? (uint32_t)rnd() % 4 : (uint32_t)rnd());
		break;
	case 5:
	case 6:
		reg_set(slot, addresses[rnd() % 6], (uint32_t)some_addr());
		break;
	case 7:
		reg_set(slot, R_QUEUE_NUM, rnd() % 2 ? 1u << rnd() % 16 : (uint32_t)rnd());
		break;
	case 8:
		reg_set(slot, R_QUEUE_READY, (uint32_t)rnd());
		break;
	case 9:
		reg_set(slot, R_NOTIFY, rnd() % 2 ? (uint32_t)rnd() % 4 : (uint32_t)rnd());
		break;
	case 10:
		touch_mmio(MMIO_BASE + slot * MMIO_STRIDE + R_CONFIG + rnd() % 64,
			   widths[rnd() % 4], true, rnd());
		break;
	case 11:
		reg_set(slot, R_DRV_SEL, (uint32_t)rnd() % 3);
		reg_set(slot, R_DRV_FEATURES, (uint32_t)rnd());
		break;
	case 12:
		reg_set(slot, R_IRQ_ACK, (uint32_t)rnd());
		break;
	default:
		(void)reg_get(slot, (uint32_t)rnd() % 0x140 & ~3u);
		break;
	}
}

/* A walk through the states of each device, most steps of which are out of order. */
void do_states(void)
{
	for (unsigned i = 0; i < 500 * n_devices; i++) {
		one_state(any_device()->slot);
	}
}

/* Descriptors and indices that are nearly right, in memory that is laid out as queue @q of a device. */
static void scribble(uint64_t ring, uint32_t size)
{
	volatile struct desc *d = (void *)ring;
	volatile uint16_t *avail = (void *)(ring + 0x1000);
	uint32_t n = size && size <= 256 ? size : 64;

	for (unsigned i = 0; i < n; i++) {
		d[i].addr = rnd() % 8 ? some_addr() : ring + rnd() % RING_BYTES;
		d[i].len = rnd() % 2 ? some_length() : (uint32_t)rnd() % 4096;
		d[i].flags = (uint16_t)(rnd() % 3 ? rnd() % 4 : rnd() % 8);
		d[i].next = (uint16_t)(rnd() % 8 ? rnd() % n : rnd());
		avail[2 + i] = (uint16_t)(rnd() % 8 ? rnd() % n : rnd());
	}
	avail[0] = (uint16_t)(rnd() % 2);
	avail[1] = (uint16_t)(avail[1] + rnd() % (rnd() % 8 ? 8 : n + 2));
}

static uint64_t ring_of(unsigned slot, unsigned q)
{
	return SCRATCH + (slot * QUEUES_MAX + q) * 0x10000ul;
}

static void lying_queue(unsigned slot, unsigned q)
{
	uint64_t ring = ring_of(slot, q);
	uint32_t size = rnd() % 8 ? 1u << rnd() % 7 : (uint32_t)rnd() % 70000;
	bool honest = rnd() % 4 != 0;

	memset((void *)ring, 0, RING_BYTES);
	scribble(ring, size);
	program_queue(slot, q, size, honest || rnd() % 2 ? ring : some_addr(),
		      honest || rnd() % 2 ? ring + 0x1000 : some_addr(),
		      honest || rnd() % 2 ? ring + 0x2000 : some_addr());
}

static void one_life(const struct device *d)
{
	unsigned slot = d->slot;

	(void)negotiate(slot, rnd() % 2 ? ~0ul : rnd());
	for (unsigned q = 0; q < d->n_queues; q++) {
		lying_queue(slot, q);
	}
	reg_set(slot, R_STATUS, S_ACK | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK);
	for (unsigned i = 0; i < 6; i++) {
		unsigned q = (unsigned)rnd() % d->n_queues;

		reg_set(slot, R_NOTIFY, q);
		if (rnd() % 3 == 0) {
			lying_queue(slot, q); /* its registers are refused, its memory isn't */
		}
		scribble(ring_of(slot, q), 64);
		if (rnd() % 16 == 0) {
			reg_set(slot, R_STATUS, 0); /* with kicks under way */
		}
		(void)reg_get(slot, R_IRQ_STATUS);
	}
}

/* Queues with random, overlapping and impossible addresses, changed while they run. */
void do_queues(void)
{
	for (unsigned i = 0; i < LIVES * n_devices; i++) {
		one_life(&devices[i % n_devices]);
	}
}

/* Doorbells of all queues, those that don't exist among them, of devices that run and of others. */
void do_doorbells(void)
{
	for (unsigned n = 0; n < n_devices; n++) {
		unsigned slot = devices[n].slot;

		if (n % 2 == 0) {
			one_life(&devices[n]);
		}
		for (unsigned i = 0; i < 400; i++) {
			uint64_t v = rnd() % 4 ? rnd() % 20 : rnd();

			touch_mmio(MMIO_BASE + slot * MMIO_STRIDE + R_NOTIFY,
				   i % 8 ? 4 : widths[rnd() % 4], true, v);
		}
	}
}

/* A value that ends the machine would end the test. */
static uint8_t harmless(uint16_t port, uint8_t v)
{
	return (port == 0x64 && v == 0xfe) || (port == 0x600 && v == 0x34) ? 0 : v;
}

static void strings_to(uint16_t port)
{
	void *at = (void *)SCRATCH;
	const void *from = (void *)SCRATCH;
	uint64_t n = 4096;

	memset(at, 0x55, 4096);
	__asm__ volatile("rep outsb" : "+S"(from), "+c"(n) : "d"(port) : "memory");
	n = 1024;
	__asm__ volatile("rep insl" : "+D"(at), "+c"(n) : "d"(port) : "memory");
}

void do_ports(void)
{
	for (uint32_t port = 0; port < 0x10000; port += port < 0x700 ? 1 : 61) {
		(void)inb((uint16_t)port);
		outb((uint16_t)port, harmless((uint16_t)port, (uint8_t)rnd()));
		if (port % 16 == 0) {
			__asm__ volatile("outl %0, %w1" ::"a"((uint32_t)rnd()), "d"(port));
			__asm__ volatile("outw %w0, %w1" ::"a"((uint32_t)rnd()), "d"(port));
		}
	}
	strings_to(0x64);
	strings_to(0x600);
	strings_to(0x3f8);
	strings_to(0xffff);
}

/* As much as the console takes, with bytes that a terminal would obey. */
void do_console(void)
{
	static const char text[] =
		"\033]0;owned\007\033[2J\r\n<0>Kernel panic - not \033[31msyncing\n";
	char *buf = (char *)SCRATCH;
	struct ring r;
	uint32_t id;
	uint32_t len;

	for (size_t at = 0; at < (1u << 20); at += sizeof(text)) {
		memcpy(buf + at, text, sizeof(text));
	}
	(void)negotiate(SLOT_CONSOLE, ~0ul);
	ring_setup(&r, SLOT_CONSOLE, 1, HONEST_CONSOLE, 16);
	reg_set(SLOT_CONSOLE, R_STATUS, S_ACK | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK);
	r.desc[0] = (struct desc){.addr = SCRATCH, .len = 1u << 20};
	for (unsigned i = 0; i < 64; i++) {
		ring_add(&r, 0);
		/* as many as fit, and at the end all */
		while ((uint16_t)(r.avail_idx - r.used_idx) >= (i < 63 ? 16 : 1)) {
			if (!ring_wait(&r, &id, &len)) {
				stop();
			}
		}
	}
	/* Made up, and cut: without an end of line. */
	if (!print("Kernel panic - \033[2Jmade up\n", 27)) {
		stop();
	}
}

static volatile uint32_t second_runs;
static volatile uint32_t second_must_end;

static void step_of_second(uint64_t i)
{
	const struct device *d = &devices[i % n_devices];
	unsigned slot = d->slot;

	scribble(ring_of(slot, (unsigned)(i % d->n_queues)), 64);
	if (i % 4 == 0) {
		reg_set(slot, R_NOTIFY, (uint32_t)(i % d->n_queues));
	}
	if (i % 64 == 0) {
		reg_set(slot, R_STATUS, 0);
	}
}

/* What the second processor does. The two share the random numbers: what comes of that is random, too. */
void guest_second(void);
void guest_second(void)
{
	second_runs = 1;
	for (uint64_t i = 0; !second_must_end; i++) {
		step_of_second(i);
	}
	second_runs = 0;
	stop();
}

/* One processor sets queues up while another changes them, kicks and resets. */
void do_race(void)
{
	const uint64_t apic = 0xfee00000;

	memcpy((void *)AP_PAGE, second_begin, (size_t)(second_end - second_begin));
	wr32(apic + 0xf0, 0x1ff);
	wr32(apic + 0x310, 1u << 24);
	wr32(apic + 0x300, 0x4500); /* INIT */
	wr32(apic + 0x310, 1u << 24);
	wr32(apic + 0x300, 0x4600 | AP_PAGE >> 12); /* SIPI */
	while (!second_runs) {
		(void)reg_get(0, R_MAGIC);
	}
	for (unsigned i = 0; i < LIVES * n_devices; i++) {
		one_life(&devices[i % n_devices]);
	}
	for (unsigned i = 0; i < 1000; i++) {
		one_state(any_device()->slot);
	}
	second_must_end = 1;
	while (second_runs) {
		(void)reg_get(0, R_MAGIC);
	}
}

struct memmap_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

/* Every page of RAM but our own. */
void do_touch(void)
{
	const uint8_t *info = (void *)start_info_addr;
	const struct memmap_entry *map = (void *)*(const uint64_t *)(info + 40);
	uint32_t n = *(const uint32_t *)(info + 48);

	for (uint32_t i = 0; i < n; i++) {
		for (uint64_t at = map[i].addr; at < map[i].addr + map[i].size; at += 4096) {
			if (map[i].type == 1 && at >= HONEST + 0x1000000 && at < 0xc0000000) {
				wr64(at, rnd());
			}
		}
	}
	for (uint64_t at = SCRATCH; at < SCRATCH_END; at += 4096) {
		wr64(at, rnd());
	}
}
