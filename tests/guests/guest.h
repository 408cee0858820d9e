/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest.h - what a guest without an operating system has
 *
 * Runs in 64-bit mode, all of the first 4 GiB mapped as they are, interrupts off.
 * No code here is the runtime's: it is the other side, written from the virtio
 * specification and docs/. Only the agent protocol's numbers come from agent_proto.h.
 *
 * Memory: [0, 1 MiB) boot structures, SCRATCH for what devices are pointed at by
 * lies (they may write anywhere in it), HONEST for queues that shall work, the
 * program itself at 0x2345000.
 */
#ifndef TESTS_GUEST_H
#define TESTS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRATCH	       0x800000ul
#define SCRATCH_END    0x1e00000ul
#define HONEST	       0x2000000ul
#define HONEST_CONSOLE (HONEST)
#define HONEST_VSOCK   (HONEST + 0x100000ul)
#define HONEST_IO      (HONEST + 0x200000ul)
#define AP_PAGE	       0x8000ul

#define MMIO_BASE   0xc0000000ul
#define MMIO_STRIDE 0x1000ul
#define MMIO_SLOTS  19u

/* Slots of devices that honest drivers use, and are always there (docs/ARCHITECTURE.md). */
#define SLOT_CONSOLE 0u
#define SLOT_VSOCK   1u
#define SLOT_FS	     2u

/* Kinds of devices (virtio 1.2, 5). */
#define ID_NET 1u
#define ID_BLK 2u
#define ID_RNG 4u
#define ID_FS  26u

#define QUEUES_MAX 8u /* of a device */

/* Registers (virtio 1.2, 4.2.2). */
#define R_MAGIC	       0x000u
#define R_DEVICE_ID    0x008u
#define R_FEATURES     0x010u
#define R_FEATURES_SEL 0x014u
#define R_DRV_FEATURES 0x020u
#define R_DRV_SEL      0x024u
#define R_QUEUE_SEL    0x030u
#define R_QUEUE_MAX    0x034u
#define R_QUEUE_NUM    0x038u
#define R_QUEUE_READY  0x044u
#define R_NOTIFY       0x050u
#define R_IRQ_STATUS   0x060u
#define R_IRQ_ACK      0x064u
#define R_STATUS       0x070u
#define R_DESC_LOW     0x080u
#define R_DESC_HIGH    0x084u
#define R_AVAIL_LOW    0x090u
#define R_AVAIL_HIGH   0x094u
#define R_USED_LOW     0x0a0u
#define R_USED_HIGH    0x0a4u
#define R_CONFIG       0x100u

#define S_ACK	      1u
#define S_DRIVER      2u
#define S_DRIVER_OK   4u
#define S_FEATURES_OK 8u
#define S_NEEDS_RESET 64u

#define D_NEXT	   1u
#define D_WRITE	   2u
#define D_INDIRECT 4u

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

/** struct device - one that is there; @n_queues are those that have a size */
struct device {
	unsigned slot;
	uint32_t id;
	unsigned n_queues;
};

/** struct ring - a queue of ours that shall work */
struct ring {
	unsigned slot;
	unsigned q;
	uint16_t size;
	uint16_t avail_idx;
	uint16_t used_idx;
	volatile struct desc *desc;
	volatile uint16_t *avail; /* flags, idx, ring[] */
	volatile uint16_t *used;  /* flags, idx, then {u32, u32}[] */
};

/* rd8() to rd64(), wr8() to wr64() - one access of just that width */
#define RD(bits, suffix)                                                                           \
	static inline uint##bits##_t rd##bits(uint64_t a)                                          \
	{                                                                                          \
		uint##bits##_t v;                                                                  \
                                                                                                   \
		__asm__ volatile("mov" suffix " (%1), %0" : "=r"(v) : "r"(a) : "memory");          \
		return v;                                                                          \
	}

#define WR(bits, suffix)                                                                           \
	static inline void wr##bits(uint64_t a, uint##bits##_t v)                                  \
	{                                                                                          \
		__asm__ volatile("mov" suffix " %0, (%1)" ::"r"(v), "r"(a) : "memory");            \
	}

RD(8, "b")
RD(16, "w")
RD(32, "l")
RD(64, "q")
WR(8, "b")
WR(16, "w")
WR(32, "l")
WR(64, "q")

static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

/* lib.c */
void *memcpy(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
size_t length(const char *s);
bool same(const char *a, const char *b);
/** rnd() - the next pseudo-random number; rnd_seed() chooses the series */
uint64_t rnd(void);
void rnd_seed(uint64_t seed);
/** touch_mmio() - one access of a width of 1, 2, 4 or 8 bytes */
void touch_mmio(uint64_t addr, unsigned width, bool write, uint64_t v);
uint32_t reg_get(unsigned slot, uint32_t off);
void reg_set(unsigned slot, uint32_t off, uint32_t v);
/** negotiate() - reset up to FEATURES_OK, with the offered features that @mask has */
bool negotiate(unsigned slot, uint64_t mask);
/** survey() - look which devices there are, of @id alone unless it is 0; they are what is attacked from now on */
void survey(uint32_t id);
extern struct device devices[MMIO_SLOTS];
extern unsigned n_devices;
/** program_queue() - all registers of a queue, whatever they say */
void program_queue(unsigned slot, unsigned q, uint32_t size, uint64_t desc, uint64_t avail,
		   uint64_t used);
/** ring_setup() - a queue at @base that works; @size descriptors */
void ring_setup(struct ring *r, unsigned slot, unsigned q, uint64_t base, uint16_t size);
/** ring_add() - make the chain that begins with descriptor @head available, and kick */
void ring_add(struct ring *r, uint16_t head);
/** ring_used() - the next used element. Return: false when there is none */
bool ring_used(struct ring *r, uint32_t *out_id, uint32_t *out_len);
/** ring_wait() - the same, waiting for it. Return: false when the device is at fault, or silent */
bool ring_wait(struct ring *r, uint32_t *out_id, uint32_t *out_len);
/** print() - bytes to the console, by a driver that is set up anew. Return: false on failure */
bool print(const char *text, size_t len);
/** done() - "hostile: WORD done" on the console; a machine that can't say it any more hangs */
void done(const char *word);
_Noreturn void stop(void);

/* hostile_devices.c */
/** some_addr() - for a lie: in scratch memory mostly, else one of those that nobody should follow */
uint64_t some_addr(void);
uint32_t some_length(void);
void do_registers(void);
void do_states(void);
void do_queues(void);
void do_doorbells(void);
void do_ports(void);
void do_console(void);
void do_race(void);
void do_touch(void);

/* hostile_io.c */
void do_net(void);
void do_blk(void);
void do_ticks(void);
void do_lines(void);
void do_ipis(void);

/* hostile_vsock.c */
void do_vsock(void);
/** do_agent() - break the agent protocol in the way that @how names; ends unless that is to go on with others */
void do_agent(const char *how);

extern uint64_t start_info_addr;
extern char second_begin[], second_end[];
/** on_interrupt - what an interrupt's gate leads to: counts it in @interrupts and lets the next one come */
extern char on_interrupt[];
extern volatile uint32_t interrupts;

#endif /* TESTS_GUEST_H */
