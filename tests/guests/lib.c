/* SPDX-License-Identifier: Apache-2.0 */
/* lib.c - honest drivers and small helpers of a guest without an operating system; see guest.h */
#include "guest.h"

#define CONSOLE_SIZE 64u
#define CONSOLE_TX   1u
#define WAIT_READS   3000000u /* each is an exit: minutes */

void *memcpy(void *dst, const void *src, size_t n)
{
	void *at = dst;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(src), "+c"(n)::"memory");
	return dst;
}

void *memset(void *dst, int byte, size_t n)
{
	void *at = dst;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(byte) : "memory");
	return dst;
}

size_t length(const char *s)
{
	size_t n = 0;

	while (s[n]) {
		n++;
	}
	return n;
}

bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static uint64_t state = 0x9e3779b97f4a7c15u;

void rnd_seed(uint64_t seed)
{
	state = seed * 2 + 1;
}

uint64_t rnd(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1du;
}

void touch_mmio(uint64_t addr, unsigned width, bool write, uint64_t v)
{
	switch (width) {
	case 1:
		write ? wr8(addr, (uint8_t)v) : (void)rd8(addr);
		break;
	case 2:
		write ? wr16(addr, (uint16_t)v) : (void)rd16(addr);
		break;
	case 4:
		write ? wr32(addr, (uint32_t)v) : (void)rd32(addr);
		break;
	default:
		write ? wr64(addr, v) : (void)rd64(addr);
		break;
	}
}

uint32_t reg_get(unsigned slot, uint32_t off)
{
	return rd32(MMIO_BASE + slot * MMIO_STRIDE + off);
}

void reg_set(unsigned slot, uint32_t off, uint32_t v)
{
	wr32(MMIO_BASE + slot * MMIO_STRIDE + off, v);
}

struct device devices[MMIO_SLOTS];
unsigned n_devices;

void survey(uint32_t id)
{
	n_devices = 0;
	for (unsigned slot = 0; slot < MMIO_SLOTS; slot++) {
		struct device d = {.slot = slot, .id = reg_get(slot, R_DEVICE_ID)};

		if (d.id == 0 || (id != 0 && d.id != id)) {
			continue;
		}
		reg_set(slot, R_STATUS, 0);
		for (d.n_queues = 0; d.n_queues < QUEUES_MAX; d.n_queues++) {
			reg_set(slot, R_QUEUE_SEL, d.n_queues);
			if (reg_get(slot, R_QUEUE_MAX) == 0) {
				break;
			}
		}
		devices[n_devices++] = d;
	}
}

bool negotiate(unsigned slot, uint64_t mask)
{
	uint32_t half[2];

	reg_set(slot, R_STATUS, 0);
	reg_set(slot, R_STATUS, S_ACK);
	reg_set(slot, R_STATUS, S_ACK | S_DRIVER);
	for (uint32_t i = 0; i < 2; i++) {
		reg_set(slot, R_FEATURES_SEL, i);
		half[i] = reg_get(slot, R_FEATURES) & (uint32_t)(mask >> (32 * i));
		half[i] |= i; /* VERSION_1 is bit 32 */
		reg_set(slot, R_DRV_SEL, i);
		reg_set(slot, R_DRV_FEATURES, half[i]);
	}
	reg_set(slot, R_STATUS, S_ACK | S_DRIVER | S_FEATURES_OK);
	return (reg_get(slot, R_STATUS) & S_FEATURES_OK) != 0;
}

void program_queue(unsigned slot, unsigned q, uint32_t size, uint64_t desc, uint64_t avail,
		   uint64_t used)
{
	reg_set(slot, R_QUEUE_SEL, q);
	reg_set(slot, R_QUEUE_READY, 0);
	reg_set(slot, R_QUEUE_NUM, size);
	reg_set(slot, R_DESC_LOW, (uint32_t)desc);
	reg_set(slot, R_DESC_HIGH, (uint32_t)(desc >> 32));
	reg_set(slot, R_AVAIL_LOW, (uint32_t)avail);
	reg_set(slot, R_AVAIL_HIGH, (uint32_t)(avail >> 32));
	reg_set(slot, R_USED_LOW, (uint32_t)used);
	reg_set(slot, R_USED_HIGH, (uint32_t)(used >> 32));
	reg_set(slot, R_QUEUE_READY, 1);
}

void ring_setup(struct ring *r, unsigned slot, unsigned q, uint64_t base, uint16_t size)
{
	memset((void *)base, 0, 0x3000);
	*r = (struct ring){
		.slot = slot,
		.q = q,
		.size = size,
		.desc = (void *)base,
		.avail = (void *)(base + 0x1000),
		.used = (void *)(base + 0x2000),
	};
	program_queue(slot, q, size, base, base + 0x1000, base + 0x2000);
}

void ring_add(struct ring *r, uint16_t head)
{
	r->avail[2 + r->avail_idx % r->size] = head;
	__sync_synchronize();
	r->avail[1] = ++r->avail_idx;
	__sync_synchronize();
	reg_set(r->slot, R_NOTIFY, r->q);
}

bool ring_used(struct ring *r, uint32_t *out_id, uint32_t *out_len)
{
	volatile uint32_t *elem = (volatile uint32_t *)(r->used + 2);

	if (r->used[1] == r->used_idx) {
		return false;
	}
	__sync_synchronize();
	*out_id = elem[2u * (r->used_idx % r->size)];
	*out_len = elem[2u * (r->used_idx % r->size) + 1];
	r->used_idx++;
	return true;
}

bool ring_wait(struct ring *r, uint32_t *out_id, uint32_t *out_len)
{
	for (unsigned i = 0; i < WAIT_READS; i++) {
		if (ring_used(r, out_id, out_len)) {
			return true;
		}
		if (reg_get(r->slot, R_STATUS) & S_NEEDS_RESET) {
			return false;
		}
	}
	return false;
}

bool print(const char *text, size_t len)
{
	uint8_t *buf = (uint8_t *)(HONEST_CONSOLE + 0x8000);
	struct ring r;
	uint32_t id;
	uint32_t used;

	if (!negotiate(SLOT_CONSOLE, 0)) {
		return false;
	}
	ring_setup(&r, SLOT_CONSOLE, CONSOLE_TX, HONEST_CONSOLE, CONSOLE_SIZE);
	reg_set(SLOT_CONSOLE, R_STATUS, S_ACK | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK);
	memcpy(buf, text, len);
	r.desc[0] = (struct desc){.addr = (uint64_t)buf, .len = (uint32_t)len};
	ring_add(&r, 0);
	return ring_wait(&r, &id, &used);
}

void done(const char *word)
{
	char line[64] = "\nhostile: ";
	size_t n = length(line);

	for (size_t i = 0; word[i] && n < sizeof(line) - 8; i++) {
		line[n++] = word[i];
	}
	memcpy(line + n, " done\n", 6);
	if (!print(line, n + 6)) {
		stop();
	}
}

_Noreturn void stop(void)
{
	for (;;) {
		__asm__ volatile("cli; hlt");
	}
}
