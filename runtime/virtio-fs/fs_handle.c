/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_handle.c - bounded tables behind the numbers the guest holds
 */
#include "virtio-fs/fs_handle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_ITEMS 128U

static struct fs_slot *slot_of(const struct fs_table *t, unsigned index)
{
	uint8_t *chunk = t->chunks[index / CHUNK_ITEMS];

	return (struct fs_slot *)(void *)(chunk + (index % CHUNK_ITEMS) * t->item_size);
}

int fs_table_init(struct fs_table *t, size_t item_size, unsigned max)
{
	memset(t, 0, sizeof(*t));
	if (max == 0 || max > FS_TABLE_MAX || item_size < sizeof(struct fs_slot)) {
		return -EINVAL;
	}
	t->chunks = calloc(max / CHUNK_ITEMS + 1, sizeof(*t->chunks));
	if (!t->chunks) {
		return -ENOMEM;
	}
	t->item_size = item_size;
	t->max = max;
	return 0;
}

void fs_table_finish(struct fs_table *t)
{
	if (!t->chunks) {
		return;
	}
	for (unsigned i = 0; i <= t->max / CHUNK_ITEMS; i++) {
		free(t->chunks[i]);
	}
	free(t->chunks);
	memset(t, 0, sizeof(*t));
}

bool fs_table_full(const struct fs_table *t)
{
	return t->n_used >= t->max;
}

/* A slot never used before; the caller has checked that one is left. */
static struct fs_slot *slot_fresh(struct fs_table *t)
{
	uint8_t **chunk = &t->chunks[t->n_slots / CHUNK_ITEMS];
	struct fs_slot *slot;

	if (!*chunk) {
		*chunk = calloc(CHUNK_ITEMS, t->item_size);
		if (!*chunk) {
			return NULL;
		}
	}
	slot = slot_of(t, t->n_slots);
	slot->index = t->n_slots;
	t->n_slots++;
	return slot;
}

int fs_table_alloc(struct fs_table *t, void **out_item)
{
	struct fs_slot *slot;
	struct fs_slot fresh = {.in_use = true};

	if (fs_table_full(t)) {
		return -ENFILE;
	}
	if (t->free_head) {
		slot = slot_of(t, t->free_head - 1);
		t->free_head = slot->next_free;
	} else {
		slot = slot_fresh(t);
	}
	if (!slot) {
		return -ENOMEM;
	}
	fresh.generation = slot->generation;
	fresh.index = slot->index;
	memset(slot, 0, t->item_size);
	*slot = fresh;
	t->n_used++;
	*out_item = slot;
	return 0;
}

void fs_table_free(struct fs_table *t, void *item)
{
	struct fs_slot *slot = item;

	slot->in_use = false;
	slot->generation++;
	slot->next_free = t->free_head;
	t->free_head = slot->index + 1;
	t->n_used--;
}

void *fs_table_at(const struct fs_table *t, unsigned index)
{
	struct fs_slot *slot;

	if (index >= t->n_slots) {
		return NULL;
	}
	slot = slot_of(t, index);
	return slot->in_use ? slot : NULL;
}

void *fs_table_get(const struct fs_table *t, uint64_t id)
{
	uint32_t number = (uint32_t)id;
	struct fs_slot *slot;

	if (number == 0) {
		return NULL;
	}
	slot = fs_table_at(t, number - 1);
	if (!slot || slot->generation != (uint32_t)(id >> 32)) {
		return NULL;
	}
	return slot;
}

uint64_t fs_table_id(const void *item)
{
	const struct fs_slot *slot = item;

	return (uint64_t)slot->generation << 32 | (slot->index + 1);
}
