/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus.c - who answers at an address: a sorted array, searched by halving
 */
#include "vmm/bus.h"

#include <errno.h>
#include <string.h>

#include "base/checked.h"

void bus_init(struct bus *b)
{
	*b = (struct bus){.n = 0};
}

/* Index of the first range that begins above @addr. */
static unsigned upper_bound(const struct bus *b, uint64_t addr)
{
	unsigned lo = 0;
	unsigned hi = b->n;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (b->range[mid].base <= addr) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return lo;
}

int bus_add(struct bus *b, uint64_t base, uint64_t size, const struct bus_ops *ops, void *ctx)
{
	unsigned i = upper_bound(b, base);
	uint64_t end;

	if (b->frozen) {
		return -EBUSY;
	}
	if (size == 0 || !ops || !ops->read || !vr_add_u64(base, size, &end)) {
		return -EINVAL;
	}
	if (i > 0 && base - b->range[i - 1].base < b->range[i - 1].size) {
		return -EEXIST;
	}
	if (i < b->n && b->range[i].base < end) {
		return -EEXIST;
	}
	if (b->n == BUS_MAX_RANGES) {
		return -ENOSPC;
	}
	memmove(&b->range[i + 1], &b->range[i], (b->n - i) * sizeof(b->range[0]));
	b->range[i] = (struct bus_range){.base = base, .size = size, .ops = ops, .ctx = ctx};
	b->n++;
	return 0;
}

void bus_freeze(struct bus *b)
{
	b->frozen = true;
}

/* The range that holds the whole access; NULL (and counted) when there is none. */
static const struct bus_range *find(struct bus *b, uint64_t addr, uint32_t len)
{
	unsigned i = upper_bound(b, addr);

	if (i > 0 && len >= 1 && len <= BUS_MAX_ACCESS &&
	    vr_range_inside(addr, len, b->range[i - 1].base, b->range[i - 1].size)) {
		return &b->range[i - 1];
	}
	atomic_fetch_add_explicit(&b->n_unclaimed, 1, memory_order_relaxed);
	return NULL;
}

bool bus_read(struct bus *b, uint64_t addr, void *buf, uint32_t len)
{
	const struct bus_range *r = find(b, addr, len);

	memset(buf, 0, len);
	if (!r) {
		return false;
	}
	r->ops->read(r->ctx, addr - r->base, buf, len);
	return true;
}

bool bus_write(struct bus *b, uint64_t addr, const void *buf, uint32_t len)
{
	const struct bus_range *r = find(b, addr, len);

	if (!r) {
		return false;
	}
	if (r->ops->write) {
		r->ops->write(r->ctx, addr - r->base, buf, len);
	}
	return true;
}
