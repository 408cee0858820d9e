/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtq.h - split virtqueues, device side (virtio 1.2, section 2.7)
 *
 * The driver owns three areas in guest RAM: the descriptor table, the
 * available ring (driver writes) and the used ring (device writes). A device
 * pops a descriptor chain, serves it, pushes its head and the number of bytes
 * it wrote. The device's own indices are private fields here: what is
 * published in the used ring is never read back.
 *
 * Trust:   every ring field is hostile. A violation makes the queue broken:
 *          -EPROTO now and on every later pop, until the device is reset.
 * Threads: one thread at a time (the device lock).
 * Uses: base, gmem. Used by: every device, the fs process.
 */
#ifndef VMM_VIRTQ_H
#define VMM_VIRTQ_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/gmem.h"

#define VIRTQ_MAX_SIZE 1024u

/** struct virtq_layout - where a queue lies, as the driver programmed it; plain values */
struct virtq_layout {
	uint32_t size; /* power of two, 1..max */
	uint32_t ready;
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
};

/** struct virtq - one queue; private to virtq.c but for @broken and @ready */
struct virtq {
	const struct gmem *mem;
	struct virtq_layout l;
	uint64_t features; /* negotiated: EVENT_IDX and INDIRECT_DESC matter here */
	uint16_t next_avail;
	uint16_t next_used;
	uint16_t signalled_used; /* next_used at the last interrupt decision */
	bool signalled_valid;
	bool kicks_off; /* virtq_kicks_off() without virtq_kicks_on() since */
	bool ready;
	bool broken;
};

/**
 * struct virtq_chain - a popped descriptor chain
 * @iov, @cap: caller's array and its capacity; a longer chain is refused
 * @head:      to be given back to virtq_push()
 * @n_out:     leading entries the device reads
 * @n_in:      entries after those which the device writes
 */
struct virtq_chain {
	struct iovec *iov;
	unsigned cap;
	uint16_t head;
	unsigned n_out;
	unsigned n_in;
	uint64_t out_bytes;
	uint64_t in_bytes;
};

/**
 * virtq_setup() - check a layout and make the queue usable
 *
 * Size is a power of two up to @max_size, each area is aligned (16, 2, 4) and
 * lies inside one RAM region, the areas don't overlap. @l->ready is not looked at.
 *
 * Return: 0 or -EINVAL (queue left unusable).
 */
int virtq_setup(struct virtq *q, const struct gmem *mem, const struct virtq_layout *l,
		unsigned max_size, uint64_t features) __attribute__((warn_unused_result));
void virtq_reset(struct virtq *q);

/**
 * virtq_pop() - take the next chain
 *
 * Refuses: avail index further ahead than the queue size, heads and next
 * fields out of range, cycles, chains longer than the queue or @cap, readable
 * after writable descriptors, nested or malformed indirect tables, ranges
 * outside RAM, total length above 4 GiB - 1. A zero-length descriptor is
 * accepted and skipped.
 *
 * An empty queue asks for a kick before it says so, unless kicks are off: a
 * device that pops until 0 misses nothing.
 *
 * Return: 1 with @c filled, 0 when empty, -EPROTO when the driver broke the rules.
 */
int virtq_pop(struct virtq *q, struct virtq_chain *c) __attribute__((warn_unused_result));

/** virtq_unpop() - put the chain popped last back (no room for it yet); right after the pop */
void virtq_unpop(struct virtq *q);

/** virtq_pending() - are chains waiting? Asks for no kick */
bool virtq_pending(const struct virtq *q);

/** virtq_push() - publish a used element. Return: 0 or -EPROTO */
int virtq_push(struct virtq *q, uint16_t head, uint32_t written)
	__attribute__((warn_unused_result));

/** struct virtq_used - a chain to be given back: its head and the bytes written into it */
struct virtq_used {
	uint16_t head;
	uint32_t written;
};

/**
 * virtq_push_all() - publish @n used elements at once: the driver sees all of them or none
 *
 * Return: 0 or -EPROTO.
 */
int virtq_push_all(struct virtq *q, const struct virtq_used *used, unsigned n)
	__attribute__((warn_unused_result));

/** virtq_must_interrupt() - does the driver want to hear of what was pushed since last asked? */
bool virtq_must_interrupt(struct virtq *q);

/** virtq_kicks_off() - hint that kicks aren't needed for now */
void virtq_kicks_off(struct virtq *q);
/** virtq_kicks_on() - ask for kicks again. Return: true if chains came meanwhile: serve again */
bool virtq_kicks_on(struct virtq *q);

/* Copying between a chain's iovecs and host memory. */
/** virtq_iov_read() - copy up to @len bytes at @off of an iovec array. Return: bytes copied */
size_t virtq_iov_read(const struct iovec *iov, unsigned n, uint64_t off, void *dst, size_t len);
/** virtq_iov_write() - the other way, to guest memory */
size_t virtq_iov_write(const struct iovec *iov, unsigned n, uint64_t off, const void *src,
		       size_t len);

#endif /* VMM_VIRTQ_H */
