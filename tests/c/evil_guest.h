/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil_guest.h - a virtio driver that can lie, in plain memory
 *
 * Plays the guest's side of virtqueues and of virtio-mmio without KVM: RAM is
 * an ordinary gmem over a memfd. Honest by default; each lie is one knob, told
 * once, by the next chain or layout that is made after it. Typical device test:
 *
 *	struct eg *g = eg_create();
 *	eg_start(g, dev, EG_ALL_OFFERED, 64);      // reset .. DRIVER_OK, all queues
 *	struct eg_buf b[] = {EG_OUT(&req, sizeof(req)), EG_IN(512)};
 *	eg_add_chain(g, 0, b, 2);
 *	eg_kick(g, 0);                             // QueueNotify through the transport
 *	struct eg_used u;
 *	assert_true(eg_used_next(g, 0, &u));       // u.id, u.len
 *	eg_get(g, b[1].addr, reply, u.len);        // what the device wrote
 *	...
 *	eg_lie(g, EG_LIE_CYCLE);                   // the next chain is cyclic
 *	eg_add_chain(g, 0, b, 2);
 *	eg_kick(g, 0);
 *	assert_true(eg_needs_reset(g));
 *	eg_destroy(g);
 *
 * Independent of the test library (fuzz targets use it too): a harness mistake
 * prints a line and aborts.
 *
 * Threads: one, except for the flipper started by eg_flip_start().
 * Uses: vmm/virtio.
 */
#ifndef TESTS_EVIL_GUEST_H
#define TESTS_EVIL_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/gmem.h"
#include "vmm/virtio.h"
#include "vmm/virtq.h"

#define EG_RAM_BYTES   (64ull << 20)
#define EG_ALL_OFFERED (~0ull)
#define EG_MAX_BUFS    64u

/** Lies of a chain. After each but EG_LIE_LEN_ZERO the device must refuse the chain. */
enum eg_lie {
	EG_LIE_NONE,
	EG_LIE_LEN_ZERO,	    /* a descriptor of length 0: odd, but legal */
	EG_LIE_LEN_MAX,		    /* a descriptor of length 2^32-1 */
	EG_LIE_TOTAL_TOO_BIG,	    /* many large, valid buffers: 4 GiB or more together */
	EG_LIE_ADDR_OUTSIDE,	    /* a buffer just outside RAM */
	EG_LIE_ADDR_WRAP,	    /* address + length wraps at 2^64 */
	EG_LIE_REGION_CROSS,	    /* starts in RAM, ends behind it */
	EG_LIE_CYCLE,		    /* the last descriptor links to the first */
	EG_LIE_SELF_LINK,	    /* the first descriptor links to itself */
	EG_LIE_NEXT_OUT_OF_RANGE,   /* next == queue size */
	EG_LIE_HEAD_OUT_OF_RANGE,   /* ring entry == queue size */
	EG_LIE_AVAIL_JUMP,	    /* avail index runs ahead by more than the queue size */
	EG_LIE_AVAIL_BACK,	    /* avail index runs backwards by one */
	EG_LIE_IN_BEFORE_OUT,	    /* a device-readable descriptor after a device-writable one */
	EG_LIE_INDIRECT_NESTED,	    /* an indirect table that refers to another */
	EG_LIE_INDIRECT_AND_NEXT,   /* INDIRECT and NEXT in one descriptor */
	EG_LIE_INDIRECT_LEN_ZERO,   /* an empty indirect table */
	EG_LIE_INDIRECT_LEN_ODD,    /* table length no multiple of 16 */
	EG_LIE_INDIRECT_LEN_MAX,    /* table length 2^32-16 */
	EG_LIE_INDIRECT_OUTSIDE,    /* table outside RAM */
	EG_LIE_INDIRECT_CYCLE,	    /* cycle inside the table */
	EG_LIE_INDIRECT_NEXT_RANGE, /* next inside the table == its number of entries */
	EG_LIE_INDIRECT_TOO_LONG,   /* a valid table with more entries than the queue */
	EG_LIE_INDIRECT_NOT_AGREED, /* an indirect descriptor; use without the feature negotiated */
	EG_LIE_COUNT,
};

/** Lies of a queue layout. After each the device must not come up (NEEDS_RESET). */
enum eg_layout_lie {
	EG_LAYOUT_HONEST,
	EG_LAYOUT_DESC_UNALIGNED,
	EG_LAYOUT_AVAIL_UNALIGNED,
	EG_LAYOUT_USED_UNALIGNED,
	EG_LAYOUT_DESC_OUTSIDE,
	EG_LAYOUT_AVAIL_OUTSIDE,
	EG_LAYOUT_USED_OUTSIDE,
	EG_LAYOUT_DESC_CROSS,  /* begins in RAM, ends behind it */
	EG_LAYOUT_AVAIL_CROSS, /* only the event field lies behind RAM */
	EG_LAYOUT_USED_CROSS,
	EG_LAYOUT_USED_WRAP, /* address + length wraps at 2^64 */
	EG_LAYOUT_DESC_IS_AVAIL,
	EG_LAYOUT_AVAIL_IN_DESC,
	EG_LAYOUT_USED_IN_DESC,
	EG_LAYOUT_USED_IN_AVAIL, /* the used ring begins at the event field of the avail ring */
	EG_LAYOUT_SIZE_ZERO,
	EG_LAYOUT_SIZE_NOT_POW2,
	EG_LAYOUT_SIZE_TOO_BIG, /* 2 * VIRTQ_MAX_SIZE */
	EG_LAYOUT_COUNT,
};

/**
 * struct eg_buf - one buffer of a chain
 * @out:  bytes to put into it; NULL leaves guest memory as it is
 * @len:  length of the buffer
 * @in:   device-writable
 * @addr: guest address; 0 lets eg_add_chain() choose one and put it here
 */
struct eg_buf {
	const void *out;
	uint32_t len;
	bool in;
	uint64_t addr;
};

#define EG_OUT(ptr, n) ((struct eg_buf){.out = (ptr), .len = (uint32_t)(n)})
#define EG_IN(n)       ((struct eg_buf){.len = (uint32_t)(n), .in = true})

/** struct eg_used - an element of the used ring, as the device published it */
struct eg_used {
	uint32_t id;
	uint32_t len;
};

/** struct eg_desc - wire form of a descriptor (virtio 1.2, 2.7.5) */
struct eg_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

#define EG_DESC_NEXT	 1u
#define EG_DESC_WRITE	 2u
#define EG_DESC_INDIRECT 4u

struct eg;

/** eg_create() - a guest with EG_RAM_BYTES of RAM; eg_create_sized() with any valid amount */
struct eg *eg_create(void);
struct eg *eg_create_sized(uint64_t ram_bytes);
void eg_destroy(struct eg *g);
const struct gmem *eg_mem(const struct eg *g);
int eg_memfd(const struct eg *g);

/* Guest memory, as the guest sees it. Bad ranges abort: lies are told with addresses, not here. */
/** eg_alloc() - zeroed guest memory that stays allocated until eg_destroy() */
uint64_t eg_alloc(struct eg *g, size_t len, size_t align);
void eg_put(struct eg *g, uint64_t addr, const void *src, size_t len);
void eg_get(struct eg *g, uint64_t addr, void *dst, size_t len);
void eg_fill(struct eg *g, uint64_t addr, uint8_t byte, size_t len);

/* Transport: one device at a time, through virtio_mmio_read() and virtio_mmio_write(). */
uint32_t eg_reg_read(struct virtio_dev *dev, uint32_t off);
void eg_reg_write(struct virtio_dev *dev, uint32_t off, uint32_t v);
uint32_t eg_status(struct virtio_dev *dev);
/** eg_offered() - DeviceFeatures, all 64 bits */
uint64_t eg_offered(struct virtio_dev *dev);

/**
 * eg_negotiate() - reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK
 * @features: written as they are plus VERSION_1; EG_ALL_OFFERED takes the offer
 *
 * The guest forgets its queues and from now on drives @dev.
 *
 * Return: the features written, or 0 when FEATURES_OK did not stick.
 */
uint64_t eg_negotiate(struct eg *g, struct virtio_dev *dev, uint64_t features);

/** eg_queue_setup() - lay queue @q out and program it; ends with QueueReady = 1 */
void eg_queue_setup(struct eg *g, unsigned q, uint32_t size);
/** eg_queue_setup_lying() - the same with a lie in the layout; no chains may be added afterwards */
void eg_queue_setup_lying(struct eg *g, unsigned q, uint32_t size, enum eg_layout_lie lie);
/** eg_driver_ok() - write DRIVER_OK. Return: true when the device is up (no NEEDS_RESET) */
bool eg_driver_ok(struct eg *g);
/** eg_start() - negotiate, set up all queues (@size or less if their maximum is less), DRIVER_OK */
bool eg_start(struct eg *g, struct virtio_dev *dev, uint64_t features, uint32_t size);
void eg_reset(struct eg *g);
bool eg_needs_reset(struct eg *g);
/** eg_kick() - write QueueNotify */
void eg_kick(struct eg *g, unsigned q);
/** eg_irq_take() - read InterruptStatus and acknowledge what it said. Return: the bits */
uint32_t eg_irq_take(struct eg *g);

/* Rings. Without a transport: eg_queue_make(), then virtq_setup() with what it returns. */
/** eg_queue_make() - lay queue @q out in guest memory, honestly or not; only memory is touched */
struct virtq_layout eg_queue_make(struct eg *g, unsigned q, uint32_t size, enum eg_layout_lie lie);
/** eg_set_features() - what was agreed, when there is no transport (EVENT_IDX, INDIRECT_DESC) */
void eg_set_features(struct eg *g, uint64_t features);

/** eg_lie() - the next chain lies; once */
void eg_lie(struct eg *g, enum eg_lie lie);
const char *eg_lie_name(enum eg_lie lie);
const char *eg_layout_lie_name(enum eg_layout_lie lie);
/** eg_indirect() - put chains from now on into indirect tables (if agreed) */
void eg_indirect(struct eg *g, bool on);

/**
 * eg_add_chain() - make @n buffers available on queue @q
 * @bufs: readable ones first (if honest); @addr of each is filled in
 *
 * Buffers chosen here stay untouched until half of RAM was handed out after them.
 *
 * Return: the head's descriptor index.
 */
uint16_t eg_add_chain(struct eg *g, unsigned q, struct eg_buf *bufs, unsigned n);
/** eg_free_descs() - descriptors left on queue @q */
unsigned eg_free_descs(const struct eg *g, unsigned q);
/** eg_used_next() - the next used element; frees its descriptors. Return: false when none */
bool eg_used_next(struct eg *g, unsigned q, struct eg_used *out);

/* Raw access to a queue's memory, for lies that have no knob. */
void eg_desc_set(struct eg *g, unsigned q, uint16_t i, const struct eg_desc *d);
struct eg_desc eg_desc_get(struct eg *g, unsigned q, uint16_t i);
/** eg_avail_push() - put any head into the avail ring and advance its index */
void eg_avail_push(struct eg *g, unsigned q, uint16_t head);
void eg_avail_idx_set(struct eg *g, unsigned q, uint16_t idx);
uint16_t eg_avail_idx(struct eg *g, unsigned q);
void eg_avail_flags_set(struct eg *g, unsigned q, uint16_t flags);
void eg_used_event_set(struct eg *g, unsigned q, uint16_t v);
uint16_t eg_used_idx(struct eg *g, unsigned q);
uint16_t eg_used_flags(struct eg *g, unsigned q);
uint16_t eg_avail_event(struct eg *g, unsigned q);
const struct virtq_layout *eg_layout(const struct eg *g, unsigned q);

/**
 * eg_flip_start() - a second thread writes @a and @b in turn until eg_flip_stop()
 * @addr:  field in guest memory, aligned to @width (2, 4 or 8 bytes)
 *
 * For double fetches: whatever the device checked has changed when it looks again.
 */
void eg_flip_start(struct eg *g, uint64_t addr, unsigned width, uint64_t a, uint64_t b);
/** eg_flip_stop() - end it. Return: how often the field was written */
uint64_t eg_flip_stop(struct eg *g);

#endif /* TESTS_EVIL_GUEST_H */
