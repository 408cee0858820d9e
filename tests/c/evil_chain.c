/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil_chain.c - a virtio driver that can lie: descriptor chains
 *
 * A chain is built honestly into a struct draft (all descriptors, in order),
 * bent by the lie of the moment, and then written to the queue's table or to
 * an indirect one.
 */
#include "evil_guest_priv.h"

#include <string.h>

#include "base/checked.h"

#define DRAFT_MAX (VIRTQ_MAX_SIZE + 2u)
#define SIDE_LEN  16u /* bytes of a buffer that only a lie needs */

/** struct draft - a chain before it is written: descriptors in order, NEXT flags not yet set */
struct draft {
	unsigned n;
	struct eg_desc d[DRAFT_MAX];
};

static const char *const lie_names[] = {
	[EG_LIE_NONE] = "none",
	[EG_LIE_LEN_ZERO] = "length zero",
	[EG_LIE_LEN_MAX] = "length 2^32-1",
	[EG_LIE_TOTAL_TOO_BIG] = "4 GiB in all",
	[EG_LIE_ADDR_OUTSIDE] = "address outside RAM",
	[EG_LIE_ADDR_WRAP] = "address wraps",
	[EG_LIE_REGION_CROSS] = "buffer leaves RAM",
	[EG_LIE_CYCLE] = "cycle",
	[EG_LIE_SELF_LINK] = "self link",
	[EG_LIE_NEXT_OUT_OF_RANGE] = "next out of range",
	[EG_LIE_HEAD_OUT_OF_RANGE] = "head out of range",
	[EG_LIE_AVAIL_JUMP] = "avail index jumps",
	[EG_LIE_AVAIL_BACK] = "avail index runs backwards",
	[EG_LIE_IN_BEFORE_OUT] = "writable before readable",
	[EG_LIE_INDIRECT_NESTED] = "nested indirect",
	[EG_LIE_INDIRECT_AND_NEXT] = "indirect and next",
	[EG_LIE_INDIRECT_LEN_ZERO] = "empty indirect table",
	[EG_LIE_INDIRECT_LEN_ODD] = "odd indirect length",
	[EG_LIE_INDIRECT_LEN_MAX] = "huge indirect length",
	[EG_LIE_INDIRECT_OUTSIDE] = "indirect table outside RAM",
	[EG_LIE_INDIRECT_CYCLE] = "cycle in an indirect table",
	[EG_LIE_INDIRECT_NEXT_RANGE] = "next out of an indirect table",
	[EG_LIE_INDIRECT_TOO_LONG] = "indirect table longer than the queue",
	[EG_LIE_INDIRECT_NOT_AGREED] = "indirect not agreed",
};
_Static_assert(VR_ARRAY_SIZE(lie_names) == EG_LIE_COUNT, "a name for every lie");

void eg_lie(struct eg *g, enum eg_lie lie)
{
	g->lie = lie;
}

const char *eg_lie_name(enum eg_lie lie)
{
	return lie < EG_LIE_COUNT ? lie_names[lie] : "?";
}

void eg_indirect(struct eg *g, bool on)
{
	g->indirect = on;
}

static void draft_add(struct draft *dr, uint64_t addr, uint32_t len, bool in)
{
	EG_CHECK(dr->n < DRAFT_MAX, "chain too long");
	dr->d[dr->n++] =
		(struct eg_desc){.addr = addr, .len = len, .flags = in ? EG_DESC_WRITE : 0};
}

static void draft_honest(struct eg *g, struct draft *dr, struct eg_buf *bufs, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (bufs[i].addr == 0) {
			bufs[i].addr = eg_buf_alloc(g, bufs[i].len);
		}
		if (bufs[i].out) {
			eg_put(g, bufs[i].addr, bufs[i].out, bufs[i].len);
		}
		draft_add(dr, bufs[i].addr, bufs[i].len, bufs[i].in);
	}
}

/* Lies about buffers, the same with and without an indirect table. */
static void lie_about_buffers(struct eg *g, unsigned q, struct draft *dr)
{
	struct eg_desc *last = &dr->d[dr->n - 1];

	switch (g->lie) {
	case EG_LIE_LEN_ZERO:
		draft_add(dr, UINT64_MAX, 0, last->flags & EG_DESC_WRITE);
		break;
	case EG_LIE_LEN_MAX:
		last->len = UINT32_MAX;
		break;
	case EG_LIE_TOTAL_TOO_BIG:
		dr->n = 0;
		for (uint64_t sum = 0; sum <= UINT32_MAX; sum += g->ram_end) {
			draft_add(dr, 0, (uint32_t)g->ram_end, true);
		}
		break;
	case EG_LIE_ADDR_OUTSIDE:
		last->addr = g->ram_end;
		break;
	case EG_LIE_ADDR_WRAP:
		last->addr = UINT64_MAX - 1;
		last->len = VR_MAX(last->len, 4u);
		break;
	case EG_LIE_REGION_CROSS:
		last->addr = g->ram_end - 1;
		last->len = VR_MAX(last->len, 2u);
		break;
	case EG_LIE_IN_BEFORE_OUT:
		memmove(&dr->d[1], &dr->d[0], dr->n * sizeof(dr->d[0]));
		dr->n++;
		dr->d[0] = (struct eg_desc){
			.addr = eg_buf_alloc(g, SIDE_LEN), .len = SIDE_LEN, .flags = EG_DESC_WRITE};
		draft_add(dr, eg_buf_alloc(g, SIDE_LEN), SIDE_LEN, false);
		break;
	case EG_LIE_INDIRECT_TOO_LONG:
		while (dr->n <= g->q[q].l.size && dr->n < DRAFT_MAX) {
			draft_add(dr, eg_buf_alloc(g, SIDE_LEN), 1, true);
		}
		break;
	default:
		break;
	}
}

/* Link the draft, descriptor i being number index[i] (or i when NULL) of a table of @size. */
static void draft_link(struct draft *dr, const uint16_t *index, uint32_t size, enum eg_lie lie)
{
	struct eg_desc *last = &dr->d[dr->n - 1];
	uint16_t first = index ? index[0] : 0;

	for (unsigned i = 0; i + 1 < dr->n; i++) {
		dr->d[i].flags |= EG_DESC_NEXT;
		dr->d[i].next = index ? index[i + 1] : (uint16_t)(i + 1);
	}
	switch (lie) {
	case EG_LIE_CYCLE:
	case EG_LIE_INDIRECT_CYCLE:
		last->flags |= EG_DESC_NEXT;
		last->next = first;
		break;
	case EG_LIE_SELF_LINK:
		dr->d[0].flags |= EG_DESC_NEXT;
		dr->d[0].next = first;
		break;
	case EG_LIE_NEXT_OUT_OF_RANGE:
	case EG_LIE_INDIRECT_NEXT_RANGE:
		last->flags |= EG_DESC_NEXT;
		last->next = (uint16_t)size;
		break;
	default:
		break;
	}
}

unsigned eg_free_descs(const struct eg *g, unsigned q)
{
	unsigned n = 0;

	for (unsigned i = 0; i < g->q[q].l.size; i++) {
		n += g->q[q].owner[i] == 0;
	}
	return n;
}

/* Take @n free descriptors, the first of which becomes the head that owns them. */
static void take_descs(struct eg *g, unsigned q, uint16_t *index, unsigned n)
{
	struct queue *queue = &g->q[q];
	unsigned got = 0;

	for (unsigned i = 0; i < queue->l.size && got < n; i++) {
		if (queue->owner[i] == 0) {
			index[got++] = (uint16_t)i;
		}
	}
	EG_CHECK(got == n, "no free descriptors: collect used elements or make the queue larger");
	for (unsigned i = 0; i < n; i++) {
		queue->owner[index[i]] = (uint16_t)(index[0] + 1);
	}
}

/* Behind the end of a table lies what a careless device would take for a good descriptor. */
static void bait(struct eg *g, uint64_t addr)
{
	struct eg_desc d = {
		.addr = eg_buf_alloc(g, SIDE_LEN), .len = SIDE_LEN, .flags = EG_DESC_WRITE};

	eg_put(g, addr, &d, sizeof(d));
}

static uint16_t place_direct(struct eg *g, unsigned q, struct draft *dr)
{
	uint16_t index[DRAFT_MAX];
	enum eg_lie lie = g->lie;

	if (dr->n > eg_free_descs(g, q)) {
		dr->n = eg_free_descs(g, q); /* a small queue: go round until it is too much */
		lie = EG_LIE_CYCLE;
	}
	take_descs(g, q, index, dr->n);
	draft_link(dr, index, g->q[q].l.size, lie);
	for (unsigned i = 0; i < dr->n; i++) {
		eg_desc_set(g, q, index[i], &dr->d[i]);
	}
	bait(g, g->q[q].l.desc + (uint64_t)g->q[q].l.size * sizeof(dr->d[0]));
	return index[0];
}

static void lie_about_table(struct eg *g, struct draft *dr, struct eg_desc *ref)
{
	switch (g->lie) {
	case EG_LIE_INDIRECT_NESTED:
		/* The last entry becomes a reference to a table with just that entry. */
		ref->addr = eg_buf_alloc(g, sizeof(dr->d[0]));
		eg_put(g, ref->addr, &dr->d[dr->n - 1], sizeof(dr->d[0]));
		dr->d[dr->n - 1] = (struct eg_desc){
			.addr = ref->addr, .len = sizeof(dr->d[0]), .flags = EG_DESC_INDIRECT};
		ref->addr = eg_buf_alloc(g, ref->len);
		break;
	case EG_LIE_INDIRECT_LEN_ZERO:
		ref->len = 0;
		break;
	case EG_LIE_INDIRECT_LEN_ODD:
		ref->len += 8;
		break;
	case EG_LIE_INDIRECT_LEN_MAX:
		ref->len = UINT32_MAX - 15;
		break;
	default:
		break;
	}
}

static uint16_t place_indirect(struct eg *g, unsigned q, struct draft *dr)
{
	uint32_t table_len = dr->n * (uint32_t)sizeof(dr->d[0]);
	struct eg_desc ref = {.len = table_len, .flags = EG_DESC_INDIRECT};
	bool two = g->lie == EG_LIE_INDIRECT_AND_NEXT;
	uint16_t index[2];

	take_descs(g, q, index, two ? 2 : 1);
	draft_link(dr, NULL, dr->n, g->lie);
	ref.addr = eg_buf_alloc(g, table_len + sizeof(dr->d[0]));
	lie_about_table(g, dr, &ref);
	eg_put(g, ref.addr, dr->d, table_len);
	bait(g, ref.addr + table_len);
	if (g->lie == EG_LIE_INDIRECT_OUTSIDE) {
		ref.addr = g->ram_end;
	}
	if (two) {
		struct eg_desc extra = {
			.addr = eg_buf_alloc(g, SIDE_LEN), .len = SIDE_LEN, .flags = EG_DESC_WRITE};

		ref.flags |= EG_DESC_NEXT;
		ref.next = index[1];
		eg_desc_set(g, q, index[1], &extra);
	}
	eg_desc_set(g, q, index[0], &ref);
	return index[0];
}

static void publish(struct eg *g, unsigned q, uint16_t head)
{
	const struct queue *queue = &g->q[q];
	uint32_t size = queue->l.size;

	switch (g->lie) {
	case EG_LIE_HEAD_OUT_OF_RANGE:
		eg_avail_push(g, q, (uint16_t)size);
		break;
	case EG_LIE_AVAIL_JUMP:
		eg_avail_push(g, q, head);
		eg_avail_idx_set(g, q, (uint16_t)(queue->avail_idx + size));
		break;
	case EG_LIE_AVAIL_BACK:
		/* By more than can be waiting: backwards for the device, too. */
		eg_avail_idx_set(g, q, (uint16_t)(queue->avail_idx - size - 1));
		break;
	default:
		eg_avail_push(g, q, head);
		break;
	}
}

uint16_t eg_add_chain(struct eg *g, unsigned q, struct eg_buf *bufs, unsigned n)
{
	static _Thread_local struct draft dr; /* too large for small stacks */
	bool agreed = (g->features & VIRTIO_F_INDIRECT_DESC) != 0;
	uint16_t head;

	EG_CHECK(n >= 1 && n <= EG_MAX_BUFS, "1..EG_MAX_BUFS buffers");
	dr.n = 0;
	draft_honest(g, &dr, bufs, n);
	lie_about_buffers(g, q, &dr);
	if ((g->indirect && agreed) || g->lie >= EG_LIE_INDIRECT_NESTED) {
		head = place_indirect(g, q, &dr);
	} else {
		head = place_direct(g, q, &dr);
	}
	publish(g, q, head);
	g->lie = EG_LIE_NONE;
	return head;
}

bool eg_used_next(struct eg *g, unsigned q, struct eg_used *out)
{
	struct queue *queue = &g->q[q];
	uint64_t slot = queue->used_seen % queue->l.size;

	if (eg_used_idx(g, q) == queue->used_seen) {
		return false;
	}
	eg_get(g, queue->l.used + 4 + 8 * slot, out, sizeof(*out));
	queue->used_seen++;
	for (unsigned i = 0; i < queue->l.size; i++) {
		if (queue->owner[i] == out->id + 1) {
			queue->owner[i] = 0;
		}
	}
	if (g->features & VIRTIO_F_EVENT_IDX) {
		eg_used_event_set(g, q, queue->used_seen); /* tell me of the next one */
	}
	return true;
}
