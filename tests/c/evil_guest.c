/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil_guest.c - a virtio driver that can lie: memory, transport, queue layouts
 *
 * Guest RAM: queues have fixed places from QUEUES_BASE on, eg_alloc() hands out
 * the rest of the lower half, buffers of chains and indirect tables come from
 * the upper half, round and round. Chains are in evil_chain.c.
 */
#include "evil_guest_priv.h"

#include <linux/virtio_mmio.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"

#define QUEUES_BASE  0x200000ull
#define QUEUE_STRIDE 0x10000ull
#define QUEUE_AVAIL  0x8000ull
#define QUEUE_USED   0xa000ull
#define ALLOC_BASE   (QUEUES_BASE + VIRTIO_MAX_QUEUES * QUEUE_STRIDE)

/* What a layout lie changes: a field becomes anchor + per_entry * size + bias. */
enum field {
	F_NONE,
	F_SIZE,
	F_DESC,
	F_AVAIL,
	F_USED
};
enum anchor {
	A_ZERO,
	A_DESC,
	A_AVAIL,
	A_USED,
	A_RAM_END
};

static const struct {
	const char *name;
	enum field field;
	enum anchor anchor;
	int per_entry;
	int bias;
} layout_lies[] = {
	[EG_LAYOUT_HONEST] = {"honest", F_NONE, A_ZERO, 0, 0},
	[EG_LAYOUT_DESC_UNALIGNED] = {"descriptors unaligned", F_DESC, A_DESC, 0, 8},
	[EG_LAYOUT_AVAIL_UNALIGNED] = {"avail unaligned", F_AVAIL, A_AVAIL, 0, 1},
	[EG_LAYOUT_USED_UNALIGNED] = {"used unaligned", F_USED, A_USED, 0, 2},
	[EG_LAYOUT_DESC_OUTSIDE] = {"descriptors outside RAM", F_DESC, A_RAM_END, 0, 0},
	[EG_LAYOUT_AVAIL_OUTSIDE] = {"avail outside RAM", F_AVAIL, A_RAM_END, 0, 0},
	[EG_LAYOUT_USED_OUTSIDE] = {"used outside RAM", F_USED, A_RAM_END, 0, 0},
	[EG_LAYOUT_DESC_CROSS] = {"descriptors leave RAM", F_DESC, A_RAM_END, -16, 16},
	[EG_LAYOUT_AVAIL_CROSS] = {"avail event leaves RAM", F_AVAIL, A_RAM_END, -2, -4},
	[EG_LAYOUT_USED_CROSS] = {"used event leaves RAM", F_USED, A_RAM_END, -8, -4},
	[EG_LAYOUT_USED_WRAP] = {"used wraps", F_USED, A_ZERO, 0, -4},
	[EG_LAYOUT_DESC_IS_AVAIL] = {"descriptors are avail", F_AVAIL, A_DESC, 0, 0},
	[EG_LAYOUT_AVAIL_IN_DESC] = {"avail in descriptors", F_AVAIL, A_DESC, 16, -2},
	[EG_LAYOUT_USED_IN_DESC] = {"used in descriptors", F_USED, A_DESC, 16, -4},
	[EG_LAYOUT_USED_IN_AVAIL] = {"used in avail", F_USED, A_AVAIL, 2, 4},
	[EG_LAYOUT_SIZE_ZERO] = {"size zero", F_SIZE, A_ZERO, 0, 0},
	[EG_LAYOUT_SIZE_NOT_POW2] = {"size no power of two", F_SIZE, A_ZERO, 0, 3},
	[EG_LAYOUT_SIZE_TOO_BIG] = {"size too big", F_SIZE, A_ZERO, 0, 2 * VIRTQ_MAX_SIZE},
};
_Static_assert(VR_ARRAY_SIZE(layout_lies) == EG_LAYOUT_COUNT, "every layout lie has its change");

/* ---- guest and memory ---- */

struct eg *eg_create(void)
{
	return eg_create_sized(EG_RAM_BYTES);
}

struct eg *eg_create_sized(uint64_t ram_bytes)
{
	struct eg *g = calloc(1, sizeof(*g));

	EG_CHECK(g, "out of memory");
	g->memfd = gmem_memfd(ram_bytes);
	EG_CHECK(g->memfd >= 0, "no memfd");
	EG_CHECK(gmem_map(g->memfd, ram_bytes, &g->mem) == 0, "can't map guest RAM");
	g->ram_end = gmem_region(g->mem, 0)->size;
	g->alloc_next = ALLOC_BASE;
	g->buf_next = g->ram_end / 2;
	return g;
}

void eg_destroy(struct eg *g)
{
	if (!g) {
		return;
	}
	if (g->flip.running) {
		(void)eg_flip_stop(g);
	}
	gmem_unmap(g->mem);
	(void)close(g->memfd);
	free(g);
}

const struct gmem *eg_mem(const struct eg *g)
{
	return g->mem;
}

int eg_memfd(const struct eg *g)
{
	return g->memfd;
}

uint64_t eg_alloc(struct eg *g, size_t len, size_t align)
{
	uint64_t addr = vr_align_up(g->alloc_next, align ? align : 1);

	EG_CHECK(addr + len <= g->ram_end / 2, "lower half of RAM is used up");
	g->alloc_next = addr + len;
	return addr;
}

uint64_t eg_buf_alloc(struct eg *g, uint64_t len)
{
	uint64_t base = g->ram_end / 2;
	uint64_t addr = vr_align_up(g->buf_next, 16);

	EG_CHECK(len <= g->ram_end - base, "buffer larger than half of RAM");
	if (addr + len > g->ram_end) {
		addr = base;
	}
	g->buf_next = addr + len;
	return addr;
}

void eg_put(struct eg *g, uint64_t addr, const void *src, size_t len)
{
	EG_CHECK(gmem_write(g->mem, gpa(addr), src, len) == 0, "outside RAM");
}

void eg_get(struct eg *g, uint64_t addr, void *dst, size_t len)
{
	EG_CHECK(gmem_read(g->mem, gpa(addr), dst, len) == 0, "outside RAM");
}

void eg_fill(struct eg *g, uint64_t addr, uint8_t byte, size_t len)
{
	struct iovec v;

	EG_CHECK(gmem_iov(g->mem, gpa(addr), len, &v) == 0, "outside RAM");
	memset(v.iov_base, byte, len);
}

static uint16_t get16(struct eg *g, uint64_t addr)
{
	uint16_t v = 0;

	EG_CHECK(gmem_load16(g->mem, gpa(addr), &v) == 0, "outside RAM");
	return v;
}

static void put16(struct eg *g, uint64_t addr, uint16_t v)
{
	EG_CHECK(gmem_store16(g->mem, gpa(addr), v) == 0, "outside RAM");
}

/* ---- transport ---- */

uint32_t eg_reg_read(struct virtio_dev *dev, uint32_t off)
{
	uint32_t v = 0;

	virtio_mmio_read(dev, off, &v, sizeof(v));
	return v;
}

void eg_reg_write(struct virtio_dev *dev, uint32_t off, uint32_t v)
{
	virtio_mmio_write(dev, off, &v, sizeof(v));
}

uint32_t eg_status(struct virtio_dev *dev)
{
	return eg_reg_read(dev, VIRTIO_MMIO_STATUS);
}

static void status_add(struct virtio_dev *dev, uint32_t bits)
{
	eg_reg_write(dev, VIRTIO_MMIO_STATUS, eg_status(dev) | bits);
}

uint64_t eg_offered(struct virtio_dev *dev)
{
	uint64_t low;

	eg_reg_write(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	low = eg_reg_read(dev, VIRTIO_MMIO_DEVICE_FEATURES);
	eg_reg_write(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	return low | (uint64_t)eg_reg_read(dev, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
}

uint64_t eg_negotiate(struct eg *g, struct virtio_dev *dev, uint64_t features)
{
	g->dev = dev;
	eg_reset(g);
	status_add(dev, VIRTIO_S_ACKNOWLEDGE);
	status_add(dev, VIRTIO_S_DRIVER);
	features = features == EG_ALL_OFFERED ? eg_offered(dev) : features | VIRTIO_F_VERSION_1;
	eg_reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	eg_reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
	eg_reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	eg_reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
	status_add(dev, VIRTIO_S_FEATURES_OK);
	g->features = features;
	return eg_status(dev) & VIRTIO_S_FEATURES_OK ? features : 0;
}

static void write_address(struct virtio_dev *dev, uint32_t low_reg, uint64_t addr)
{
	eg_reg_write(dev, low_reg, (uint32_t)addr);
	eg_reg_write(dev, low_reg + 4, (uint32_t)(addr >> 32));
}

void eg_queue_setup_lying(struct eg *g, unsigned q, uint32_t size, enum eg_layout_lie lie)
{
	struct virtq_layout l = eg_queue_make(g, q, size, lie);

	EG_CHECK(g->dev, "eg_negotiate() first");
	eg_reg_write(g->dev, VIRTIO_MMIO_QUEUE_SEL, q);
	eg_reg_write(g->dev, VIRTIO_MMIO_QUEUE_NUM, l.size);
	write_address(g->dev, VIRTIO_MMIO_QUEUE_DESC_LOW, l.desc);
	write_address(g->dev, VIRTIO_MMIO_QUEUE_AVAIL_LOW, l.avail);
	write_address(g->dev, VIRTIO_MMIO_QUEUE_USED_LOW, l.used);
	eg_reg_write(g->dev, VIRTIO_MMIO_QUEUE_READY, 1);
}

void eg_queue_setup(struct eg *g, unsigned q, uint32_t size)
{
	eg_queue_setup_lying(g, q, size, EG_LAYOUT_HONEST);
}

bool eg_driver_ok(struct eg *g)
{
	status_add(g->dev, VIRTIO_S_DRIVER_OK);
	return (eg_status(g->dev) & VIRTIO_S_DRIVER_OK) && !eg_needs_reset(g);
}

bool eg_start(struct eg *g, struct virtio_dev *dev, uint64_t features, uint32_t size)
{
	if (eg_negotiate(g, dev, features) == 0) {
		return false;
	}
	for (unsigned q = 0; q < VIRTIO_MAX_QUEUES; q++) {
		uint32_t max;

		eg_reg_write(dev, VIRTIO_MMIO_QUEUE_SEL, q);
		max = eg_reg_read(dev, VIRTIO_MMIO_QUEUE_NUM_MAX);
		if (max != 0) {
			eg_queue_setup(g, q, VR_MIN(size, max));
		}
	}
	return eg_driver_ok(g);
}

void eg_reset(struct eg *g)
{
	eg_reg_write(g->dev, VIRTIO_MMIO_STATUS, 0);
	memset(g->q, 0, sizeof(g->q));
	g->lie = EG_LIE_NONE;
}

bool eg_needs_reset(struct eg *g)
{
	return (eg_status(g->dev) & VIRTIO_S_NEEDS_RESET) != 0;
}

void eg_kick(struct eg *g, unsigned q)
{
	eg_reg_write(g->dev, VIRTIO_MMIO_QUEUE_NOTIFY, q);
}

uint32_t eg_irq_take(struct eg *g)
{
	uint32_t bits = eg_reg_read(g->dev, VIRTIO_MMIO_INTERRUPT_STATUS);

	eg_reg_write(g->dev, VIRTIO_MMIO_INTERRUPT_ACK, bits);
	return bits;
}

/* ---- queue layouts ---- */

static uint64_t anchor_of(const struct eg *g, const struct virtq_layout *l, enum anchor a)
{
	switch (a) {
	case A_DESC:
		return l->desc;
	case A_AVAIL:
		return l->avail;
	case A_USED:
		return l->used;
	case A_RAM_END:
		return g->ram_end;
	case A_ZERO:
		break;
	}
	return 0;
}

static void layout_lie(const struct eg *g, struct virtq_layout *l, enum eg_layout_lie lie)
{
	uint64_t v = anchor_of(g, l, layout_lies[lie].anchor);

	v += (uint64_t)((int64_t)layout_lies[lie].per_entry * l->size + layout_lies[lie].bias);
	switch (layout_lies[lie].field) {
	case F_NONE:
		break;
	case F_SIZE:
		l->size = (uint32_t)v;
		break;
	case F_DESC:
		l->desc = v;
		break;
	case F_AVAIL:
		l->avail = v;
		break;
	case F_USED:
		l->used = v;
		break;
	}
}

const char *eg_layout_lie_name(enum eg_layout_lie lie)
{
	return lie < EG_LAYOUT_COUNT ? layout_lies[lie].name : "?";
}

struct virtq_layout eg_queue_make(struct eg *g, unsigned q, uint32_t size, enum eg_layout_lie lie)
{
	uint64_t base = QUEUES_BASE + q * QUEUE_STRIDE;
	struct queue *queue = &g->q[q];

	EG_CHECK(q < VIRTIO_MAX_QUEUES, "no such queue");
	EG_CHECK(size <= VIRTQ_MAX_SIZE, "size lies have a knob of their own");
	eg_fill(g, base, 0, QUEUE_STRIDE);
	*queue = (struct queue){
		.l = {.size = size,
		      .ready = 1,
		      .desc = base,
		      .avail = base + QUEUE_AVAIL,
		      .used = base + QUEUE_USED},
	};
	layout_lie(g, &queue->l, lie);
	return queue->l;
}

void eg_set_features(struct eg *g, uint64_t features)
{
	g->features = features;
}

const struct virtq_layout *eg_layout(const struct eg *g, unsigned q)
{
	return &g->q[q].l;
}

/* ---- raw ring access ---- */

void eg_desc_set(struct eg *g, unsigned q, uint16_t i, const struct eg_desc *d)
{
	eg_put(g, g->q[q].l.desc + 16ull * i, d, sizeof(*d));
}

struct eg_desc eg_desc_get(struct eg *g, unsigned q, uint16_t i)
{
	struct eg_desc d;

	eg_get(g, g->q[q].l.desc + 16ull * i, &d, sizeof(d));
	return d;
}

void eg_avail_idx_set(struct eg *g, unsigned q, uint16_t idx)
{
	g->q[q].avail_idx = idx;
	put16(g, g->q[q].l.avail + 2, idx);
}

uint16_t eg_avail_idx(struct eg *g, unsigned q)
{
	return get16(g, g->q[q].l.avail + 2);
}

void eg_avail_push(struct eg *g, unsigned q, uint16_t head)
{
	const struct queue *queue = &g->q[q];
	uint64_t slot = queue->avail_idx % queue->l.size;

	put16(g, queue->l.avail + 4 + 2 * slot, head);
	eg_avail_idx_set(g, q, (uint16_t)(queue->avail_idx + 1));
}

void eg_avail_flags_set(struct eg *g, unsigned q, uint16_t flags)
{
	put16(g, g->q[q].l.avail, flags);
}

void eg_used_event_set(struct eg *g, unsigned q, uint16_t v)
{
	put16(g, g->q[q].l.avail + 4 + 2ull * g->q[q].l.size, v);
}

uint16_t eg_used_idx(struct eg *g, unsigned q)
{
	return get16(g, g->q[q].l.used + 2);
}

uint16_t eg_used_flags(struct eg *g, unsigned q)
{
	return get16(g, g->q[q].l.used);
}

uint16_t eg_avail_event(struct eg *g, unsigned q)
{
	return get16(g, g->q[q].l.used + 4 + 8ull * g->q[q].l.size);
}

/* ---- the second thread ---- */

static void flip_write(struct flipper *f, uint64_t v)
{
	switch (f->width) {
	case 2:
		__atomic_store_n((uint16_t *)f->field, (uint16_t)v, __ATOMIC_RELAXED);
		break;
	case 4:
		__atomic_store_n((uint32_t *)f->field, (uint32_t)v, __ATOMIC_RELAXED);
		break;
	default:
		__atomic_store_n((uint64_t *)f->field, v, __ATOMIC_RELAXED);
		break;
	}
}

static void *flip_main(void *ctx)
{
	struct flipper *f = ctx;

	for (uint64_t i = 0; !atomic_load(&f->stop); i++) {
		flip_write(f, f->value[i & 1]);
		atomic_fetch_add_explicit(&f->writes, 1, memory_order_relaxed);
	}
	return NULL;
}

void eg_flip_start(struct eg *g, uint64_t addr, unsigned width, uint64_t a, uint64_t b)
{
	struct iovec v;

	EG_CHECK(!g->flip.running, "one flipper at a time");
	EG_CHECK(width == 2 || width == 4 || width == 8, "width is 2, 4 or 8");
	EG_CHECK(addr % width == 0, "unaligned");
	EG_CHECK(gmem_iov(g->mem, gpa(addr), width, &v) == 0, "outside RAM");
	g->flip.field = v.iov_base;
	g->flip.width = width;
	g->flip.value[0] = a;
	g->flip.value[1] = b;
	atomic_store(&g->flip.stop, false);
	atomic_store(&g->flip.writes, 0);
	EG_CHECK(pthread_create(&g->flip.thread, NULL, flip_main, &g->flip) == 0, "no thread");
	g->flip.running = true;
	while (atomic_load(&g->flip.writes) < 2) { /* both values were there before we go on */
		usleep(10);
	}
}

uint64_t eg_flip_stop(struct eg *g)
{
	EG_CHECK(g->flip.running, "no flipper");
	atomic_store(&g->flip.stop, true);
	(void)pthread_join(g->flip.thread, NULL);
	g->flip.running = false;
	return atomic_load(&g->flip.writes);
}
