/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_handle.h - bounded tables behind the numbers the guest holds
 *
 * Node ids and file handles are never pointers: an id is a slot number plus
 * the generation of the slot, so that a number kept after its release finds
 * nothing rather than the slot's next tenant.
 *
 *   id = generation << 32 | (slot + 1)          slot 0, generation 0 = id 1
 *
 * Slots live in chunks that never move; a pointer to an item is good until
 * the item is freed.
 *
 * Trust:    ids come from the guest.
 * Threads:  none inside; one owner.
 * Uses:     base. Used by: fs_inode, handlers.
 */
#ifndef VIRTIO_FS_FS_HANDLE_H
#define VIRTIO_FS_FS_HANDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Upper limit of any table: the chunk index stays small. */
#define FS_TABLE_MAX (1U << 22)

/** struct fs_slot - first member of every item in a table */
struct fs_slot {
	uint32_t generation;
	uint32_t index;
	uint32_t next_free; /* slot number + 1; 0 ends the list */
	bool in_use;
};

/**
 * struct fs_table - items of one kind
 * @item_size: bytes of an item, which begins with a struct fs_slot
 * @max:       most items in use at a time
 * @n_used:    items in use
 * @n_slots:   slots ever touched
 * @free_head: list of freed slots, slot number + 1
 * @chunks:    item memory, allocated as the table grows
 */
struct fs_table {
	size_t item_size;
	unsigned max;
	unsigned n_used;
	unsigned n_slots;
	uint32_t free_head;
	uint8_t **chunks;
};

/** fs_table_init() - empty table; -EINVAL for a @max of 0 or above FS_TABLE_MAX, -ENOMEM */
int fs_table_init(struct fs_table *t, size_t item_size, unsigned max)
	__attribute__((warn_unused_result));

/** fs_table_finish() - free the memory; items must have been released by their owner */
void fs_table_finish(struct fs_table *t);

/** fs_table_full() - would fs_table_alloc() answer -ENFILE? */
bool fs_table_full(const struct fs_table *t);

/**
 * fs_table_alloc() - take a slot
 * @t:        table
 * @out_item: zeroed item with its slot filled in
 *
 * Return: 0, -ENFILE when @max items are in use, -ENOMEM.
 */
int fs_table_alloc(struct fs_table *t, void **out_item) __attribute__((warn_unused_result));

/** fs_table_free() - give a slot back; its generation moves on, so old ids find nothing */
void fs_table_free(struct fs_table *t, void *item);

/** fs_table_get() - the item of an id, or NULL if the id is stale, free or out of range */
void *fs_table_get(const struct fs_table *t, uint64_t id);

/** fs_table_at() - the item in slot @index if in use, else NULL; for walks up to @n_slots */
void *fs_table_at(const struct fs_table *t, unsigned index);

/** fs_table_id() - the id of an item in use */
uint64_t fs_table_id(const void *item);

#endif /* VIRTIO_FS_FS_HANDLE_H */
