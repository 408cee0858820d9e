/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus.h - who answers at an address: MMIO or port I/O
 *
 * A bounded, sorted table of ranges with one handler each. It is filled before
 * the first vCPU exists and frozen then; lookups need no lock.
 *
 * What nobody claims reads as zeros and swallows writes (Linux on its way to
 * reset polls port 0x64 until the busy bit is 0), and is counted.
 *
 * Trust:   addresses, lengths and data of accesses are the guest's.
 * Threads: bus_add() and bus_freeze() by the creating thread; reads and writes
 *          by any vCPU thread after bus_freeze().
 * Uses: base. Used by: vm, vcpu.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BUS_MAX_RANGES 32u
#define BUS_MAX_ACCESS 8u /* bytes; KVM never delivers more at once */

/**
 * struct bus_ops - handlers of a range, called from vCPU threads at the same time
 * @read:  fill @len bytes (1..BUS_MAX_ACCESS); @buf is zeroed before
 * @write: may be NULL: writes are ignored
 *
 * @off counts from the start of the range; [@off, @off + @len) lies inside it.
 */
struct bus_ops {
	void (*read)(void *ctx, uint64_t off, void *buf, uint32_t len);
	void (*write)(void *ctx, uint64_t off, const void *buf, uint32_t len);
};

/** struct bus_range - private to bus.c */
struct bus_range {
	uint64_t base;
	uint64_t size;
	const struct bus_ops *ops;
	void *ctx;
};

/**
 * struct bus - one address space; zero-initialised is an empty bus
 * @n_unclaimed: accesses nobody answered
 */
struct bus {
	struct bus_range range[BUS_MAX_RANGES];
	unsigned n;
	bool frozen;
	_Atomic uint64_t n_unclaimed;
};

void bus_init(struct bus *b);

/**
 * bus_add() - claim [@base, @base + @size)
 *
 * Return: 0, -EINVAL (empty or wrapping range), -EEXIST (overlap), -ENOSPC
 * (table full), -EBUSY (frozen).
 */
int bus_add(struct bus *b, uint64_t base, uint64_t size, const struct bus_ops *ops, void *ctx)
	__attribute__((warn_unused_result));

/** bus_freeze() - no more bus_add(); before the first vCPU thread is started */
void bus_freeze(struct bus *b);

/**
 * bus_read() - an access of the guest
 * @len: 1..BUS_MAX_ACCESS; another length is unclaimed, as is an access that leaves its range
 *
 * Return: true when somebody claimed it; @buf is filled in any case.
 */
bool bus_read(struct bus *b, uint64_t addr, void *buf, uint32_t len);
bool bus_write(struct bus *b, uint64_t addr, const void *buf, uint32_t len);

#endif /* VMM_BUS_H */
