/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtq.c - split virtqueues, device side
 *
 * How this works: next_avail and next_used live in struct virtq and are never
 * read back from guest memory. A descriptor is copied once into a local and
 * judged there; the walk is bounded by the queue size, which also ends cycles.
 * Any violation sets @broken, and the queue stays dead until the device is reset.
 *
 * Kicks: a pop that finds the ring empty asks for the next kick before it says
 * so (unless the device turned kicks off), hence a device that serves until
 * empty can't miss one. Both "ask, then look again" here and "publish, then
 * read the driver's wish" in virtq_must_interrupt() are store-load pairs and
 * need a full fence; the driver has the mirror image.
 */
#include "vmm/virtq.h"

#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "vmm/virtio.h"

/* virtio 1.2, 2.7.5 */
#define DESC_F_NEXT	     1u
#define DESC_F_WRITE	     2u
#define DESC_F_INDIRECT	     4u
#define AVAIL_F_NO_INTERRUPT 1u
#define USED_F_NO_NOTIFY     1u

/** struct vring_desc - wire form of a descriptor, little-endian (virtio 1.2, 2.7.5) */
struct vring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};
_Static_assert(sizeof(struct vring_desc) == 16, "virtio 1.2, 2.7.5");
_Static_assert(offsetof(struct vring_desc, next) == 14, "virtio 1.2, 2.7.5");

/** struct vring_used_elem - wire form of a used element (virtio 1.2, 2.7.8) */
struct vring_used_elem {
	uint32_t id;
	uint32_t len;
};
_Static_assert(sizeof(struct vring_used_elem) == 8, "virtio 1.2, 2.7.8");

/* Offsets in the available and used rings: flags, idx, ring[size], event. */
#define RING_FLAGS    0u
#define RING_IDX      2u
#define RING_ENTRIES  4u
#define AVAIL_ENTRY   2u
#define USED_ENTRY    8u
#define RING_OVERHEAD 6u /* flags, idx, event */

static uint64_t desc_bytes(uint32_t size)
{
	return (uint64_t)size * sizeof(struct vring_desc);
}

static uint64_t avail_bytes(uint32_t size)
{
	return RING_OVERHEAD + (uint64_t)size * AVAIL_ENTRY;
}

static uint64_t used_bytes(uint32_t size)
{
	return RING_OVERHEAD + (uint64_t)size * USED_ENTRY;
}

/* Both ranges were checked against RAM: their ends don't wrap. */
static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

static int layout_check(const struct gmem *mem, const struct virtq_layout *l, unsigned max_size)
{
	uint64_t desc_len = desc_bytes(l->size);
	uint64_t avail_len = avail_bytes(l->size);
	uint64_t used_len = used_bytes(l->size);

	if (!vr_is_pow2(l->size) || l->size > max_size || l->size > VIRTQ_MAX_SIZE) {
		return -EINVAL;
	}
	if (l->desc % 16 != 0 || l->avail % 2 != 0 || l->used % 4 != 0) {
		return -EINVAL;
	}
	if (gmem_check(mem, gpa(l->desc), desc_len) < 0 ||
	    gmem_check(mem, gpa(l->avail), avail_len) < 0 ||
	    gmem_check(mem, gpa(l->used), used_len) < 0) {
		return -EINVAL;
	}
	if (overlap(l->desc, desc_len, l->avail, avail_len) ||
	    overlap(l->desc, desc_len, l->used, used_len) ||
	    overlap(l->avail, avail_len, l->used, used_len)) {
		return -EINVAL;
	}
	return 0;
}

int virtq_setup(struct virtq *q, const struct gmem *mem, const struct virtq_layout *l,
		unsigned max_size, uint64_t features)
{
	virtq_reset(q);
	if (layout_check(mem, l, max_size) < 0) {
		return -EINVAL;
	}
	*q = (struct virtq){
		.mem = mem,
		.l = *l,
		.features = features,
		.signalled_valid = true, /* nothing was pushed, nothing is owed */
		.ready = true,
	};
	return 0;
}

void virtq_reset(struct virtq *q)
{
	*q = (struct virtq){.ready = false};
}

static int broken(struct virtq *q)
{
	q->broken = true;
	return -EPROTO;
}

/* Store-load order between a field of ours and one of the driver's. */
static inline void full_fence(void)
{
	__sync_synchronize(); /* unlike the C11 fence, known to the thread sanitizer's compiler */
}

static bool event_idx(const struct virtq *q)
{
	return (q->features & VIRTIO_F_EVENT_IDX) != 0;
}

/*
 * Addresses of ring fields. The whole areas were checked against RAM, which
 * never changes: the accesses below can't fail, and a failure means broken.
 */
static gpa_t avail_field(const struct virtq *q, uint64_t off)
{
	return gpa(q->l.avail + off);
}

static gpa_t used_field(const struct virtq *q, uint64_t off)
{
	return gpa(q->l.used + off);
}

static gpa_t used_event_field(const struct virtq *q)
{
	return avail_field(q, RING_ENTRIES + (uint64_t)q->l.size * AVAIL_ENTRY);
}

static gpa_t avail_event_field(const struct virtq *q)
{
	return used_field(q, RING_ENTRIES + (uint64_t)q->l.size * USED_ENTRY);
}

/* How many chains wait, or -EPROTO when the driver's index is impossible. */
static int count_available(const struct virtq *q)
{
	uint16_t g_idx;
	uint16_t ahead;

	if (gmem_load16(q->mem, avail_field(q, RING_IDX), &g_idx) < 0) {
		return -EPROTO;
	}
	ahead = (uint16_t)(g_idx - q->next_avail);
	return ahead <= q->l.size ? ahead : -EPROTO;
}

static int publish_kick_wish(struct virtq *q)
{
	uint16_t flags = q->kicks_off ? USED_F_NO_NOTIFY : 0;

	if (!event_idx(q)) {
		return gmem_store16(q->mem, used_field(q, RING_FLAGS), flags);
	}
	if (q->kicks_off) {
		return 0; /* the old event lies behind the driver: it won't kick */
	}
	return gmem_store16(q->mem, avail_event_field(q), q->next_avail);
}

/* As count_available(), but zero is only said after a kick was asked for. */
static int count_or_ask(struct virtq *q)
{
	int n = count_available(q);

	if (n != 0 || q->kicks_off || !event_idx(q)) {
		return n;
	}
	if (publish_kick_wish(q) < 0) {
		return -EPROTO;
	}
	/* Orders the wish before the second look; the driver: index, fence, wish. */
	full_fence();
	return count_available(q);
}

/**
 * struct walk - progress through one chain
 * @left:          descriptors still allowed: the bound of the walk
 * @seen_writable: readable descriptors are no longer allowed
 */
struct walk {
	struct virtq *q;
	struct virtq_chain *c;
	uint32_t left;
	bool seen_writable;
};

/** struct desc_table - where descriptors are fetched from: the queue's table or an indirect one */
struct desc_table {
	uint64_t addr;
	uint32_t n;
	bool indirect;
};

static int fetch_desc(const struct walk *w, const struct desc_table *t, uint32_t i,
		      struct vring_desc *out)
{
	struct vring_desc raw;

	if (i >= t->n) {
		return -EPROTO;
	}
	if (gmem_read(w->q->mem, gpa(t->addr + (uint64_t)i * sizeof(raw)), &raw, sizeof(raw)) < 0) {
		return -EPROTO;
	}
	*out = (struct vring_desc){
		.addr = le64toh(raw.addr),
		.len = le32toh(raw.len),
		.flags = le16toh(raw.flags),
		.next = le16toh(raw.next),
	};
	return 0;
}

static int add_buffer(struct walk *w, const struct vring_desc *d)
{
	struct virtq_chain *c = w->c;
	bool writable = (d->flags & DESC_F_WRITE) != 0;
	unsigned used = c->n_out + c->n_in;

	if (!writable && w->seen_writable) {
		return -EPROTO;
	}
	w->seen_writable = writable; /* never back to false: see above */
	if (d->len == 0) {
		return 0;
	}
	if (used >= c->cap || c->out_bytes + c->in_bytes + d->len > UINT32_MAX) {
		return -EPROTO;
	}
	if (gmem_iov(w->q->mem, gpa(d->addr), d->len, &c->iov[used]) < 0) {
		return -EPROTO;
	}
	if (writable) {
		c->n_in++;
		c->in_bytes += d->len;
	} else {
		c->n_out++;
		c->out_bytes += d->len;
	}
	return 0;
}

/* Judge the descriptor that refers to a table. WRITE has no meaning in it (2.7.5.3.2). */
static int enter_indirect(const struct walk *w, struct desc_table *t, const struct vring_desc *d)
{
	if (t->indirect || !(w->q->features & VIRTIO_F_INDIRECT_DESC)) {
		return -EPROTO;
	}
	if ((d->flags & DESC_F_NEXT) || d->len == 0 || d->len % sizeof(*d) != 0) {
		return -EPROTO;
	}
	if (gmem_check(w->q->mem, gpa(d->addr), d->len) < 0) {
		return -EPROTO;
	}
	*t = (struct desc_table){
		.addr = d->addr,
		.n = d->len / (uint32_t)sizeof(*d),
		.indirect = true,
	};
	return 0;
}

static int walk_chain(struct walk *w, uint16_t head)
{
	struct desc_table t = {.addr = w->q->l.desc, .n = w->q->l.size};
	uint32_t i = head;

	while (w->left > 0) {
		struct vring_desc d;

		if (fetch_desc(w, &t, i, &d) < 0) {
			return -EPROTO;
		}
		if (d.flags & DESC_F_INDIRECT) {
			if (enter_indirect(w, &t, &d) < 0) {
				return -EPROTO;
			}
			i = 0;
			continue; /* ends: a table can be entered once only */
		}
		w->left--;
		if (add_buffer(w, &d) < 0) {
			return -EPROTO;
		}
		if (!(d.flags & DESC_F_NEXT)) {
			return 0;
		}
		i = d.next;
	}
	return -EPROTO; /* longer than the queue: too long or a cycle */
}

static int read_head(const struct virtq *q, uint16_t *out_head)
{
	uint64_t slot = q->next_avail % q->l.size;
	uint16_t g_head;

	if (gmem_load16(q->mem, avail_field(q, RING_ENTRIES + slot * AVAIL_ENTRY), &g_head) < 0) {
		return -EPROTO;
	}
	if (g_head >= q->l.size) {
		return -EPROTO;
	}
	*out_head = g_head;
	return 0;
}

int virtq_pop(struct virtq *q, struct virtq_chain *c)
{
	struct walk w = {.q = q, .c = c, .left = q->l.size};
	int n;

	if (q->broken) {
		return -EPROTO;
	}
	if (!q->ready) {
		return 0;
	}
	n = count_or_ask(q);
	if (n == 0) {
		return 0;
	}
	c->n_out = 0;
	c->n_in = 0;
	c->out_bytes = 0;
	c->in_bytes = 0;
	if (n < 0 || read_head(q, &c->head) < 0 || walk_chain(&w, c->head) < 0) {
		return broken(q);
	}
	q->next_avail++;
	return 1;
}

void virtq_unpop(struct virtq *q)
{
	if (q->ready) {
		q->next_avail--;
	}
}

bool virtq_pending(const struct virtq *q)
{
	return q->ready && !q->broken && count_available(q) > 0;
}

/* Write the next element; the driver sees it when the index is published. */
static int put_used(struct virtq *q, uint16_t head, uint32_t written)
{
	struct vring_used_elem e = {.id = htole32(head), .len = htole32(written)};
	uint64_t slot = q->next_used % q->l.size;

	if (head >= q->l.size || gmem_write(q->mem, used_field(q, RING_ENTRIES + slot * USED_ENTRY),
					    &e, sizeof(e)) < 0) {
		return -EPROTO;
	}
	q->next_used++;
	if (q->next_used == q->signalled_used) {
		q->signalled_valid = false; /* once around since the last decision: can't compare */
	}
	return 0;
}

int virtq_push_all(struct virtq *q, const struct virtq_used *used, unsigned n)
{
	if (q->broken || !q->ready) {
		return -EPROTO;
	}
	for (unsigned i = 0; i < n; i++) {
		if (put_used(q, used[i].head, used[i].written) < 0) {
			return broken(q);
		}
	}
	/* Releases the elements and the data before them. */
	if (gmem_store16(q->mem, used_field(q, RING_IDX), q->next_used) < 0) {
		return broken(q);
	}
	return 0;
}

int virtq_push(struct virtq *q, uint16_t head, uint32_t written)
{
	return virtq_push_all(q, &(struct virtq_used){.head = head, .written = written}, 1);
}

bool virtq_must_interrupt(struct virtq *q)
{
	uint16_t pushed = (uint16_t)(q->next_used - q->signalled_used);
	bool comparable = q->signalled_valid;
	uint16_t g_field;
	gpa_t field;

	if (!q->ready || q->broken || (comparable && pushed == 0)) {
		return false;
	}
	q->signalled_used = q->next_used;
	q->signalled_valid = true;
	/* Orders the used index before the driver's wish; the driver: wish, fence, index. */
	full_fence();
	field = event_idx(q) ? used_event_field(q) : avail_field(q, RING_FLAGS);
	if (gmem_load16(q->mem, field, &g_field) < 0) {
		return false;
	}
	if (!event_idx(q)) {
		return !(g_field & AVAIL_F_NO_INTERRUPT);
	}
	/* Did we step over the element the driver waits for? Modulo 2^16 (2.7.10). */
	return !comparable || (uint16_t)(q->next_used - g_field - 1u) < pushed;
}

void virtq_kicks_off(struct virtq *q)
{
	if (!q->ready || q->broken || q->kicks_off) {
		return;
	}
	q->kicks_off = true;
	(void)publish_kick_wish(q); /* a hint; it can't fail on checked rings */
}

bool virtq_kicks_on(struct virtq *q)
{
	if (!q->ready || q->broken) {
		return false;
	}
	q->kicks_off = false;
	if (publish_kick_wish(q) < 0) {
		return false;
	}
	/* As in count_or_ask(): wish first, then look. */
	full_fence();
	return count_available(q) != 0; /* also when it is impossible: the next pop says so */
}

typedef void (*copy_fn)(void *guest, void *host, size_t len);

static void copy_from_guest(void *guest, void *host, size_t len)
{
	gmem_copy_in(host, guest, len);
}

static void copy_to_guest(void *guest, void *host, size_t len)
{
	gmem_copy_out(guest, host, len);
}

static size_t iov_copy(const struct iovec *iov, unsigned n, uint64_t off, uint8_t *host, size_t len,
		       copy_fn copy)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		size_t part;

		if (off >= iov[i].iov_len) {
			off -= iov[i].iov_len;
			continue;
		}
		part = VR_MIN(iov[i].iov_len - (size_t)off, len - done);
		copy((uint8_t *)iov[i].iov_base + off, host + done, part);
		done += part;
		off = 0;
	}
	return done;
}

size_t virtq_iov_read(const struct iovec *iov, unsigned n, uint64_t off, void *dst, size_t len)
{
	return iov_copy(iov, n, off, dst, len, copy_from_guest);
}

size_t virtq_iov_write(const struct iovec *iov, unsigned n, uint64_t off, const void *src,
		       size_t len)
{
	/* The cast only serves the shared walk: copy_to_guest() doesn't write to @host. */
	return iov_copy(iov, n, off, (uint8_t *)(uintptr_t)src, len, copy_to_guest);
}
