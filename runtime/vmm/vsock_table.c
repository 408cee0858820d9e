/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock_table.c - connection slots, the ready list, RSTs without a connection
 *
 * All memory is in struct vsock and bounded. Slots are linked by number; those
 * never used are not even touched. The guest chooses its port numbers, and may
 * choose them to collide: a lookup then walks VSOCK_MAX_CONNS slots at worst.
 */
#include <stddef.h>

#include "vmm/vsock_priv.h"

void vsock_table_init(struct vsock *v)
{
	v->free_head = VSOCK_NO_SLOT;
	v->ready = (struct vsock_list)VSOCK_LIST_EMPTY;
	for (unsigned i = 0; i < VSOCK_HASH_SLOTS; i++) {
		v->hash[i] = VSOCK_NO_SLOT;
	}
}

static uint16_t slot_number(const struct vsock *v, const struct vsock_conn *c)
{
	return (uint16_t)(c - v->conns);
}

static uint16_t *hash_slot(struct vsock *v, uint32_t guest_port, uint32_t host_port)
{
	uint32_t h = (guest_port * 0x9e3779b1u) ^ (host_port * 0x85ebca6bu);

	return &v->hash[(h >> 16) & (VSOCK_HASH_SLOTS - 1)];
}

struct vsock_conn *vsock_slot_get(struct vsock *v, const struct vsock_hdr *req)
{
	struct vsock_conn *c;
	uint16_t *head;

	if (v->free_head != VSOCK_NO_SLOT) {
		c = &v->conns[v->free_head];
		v->free_head = c->next;
	} else if (v->n_touched < VSOCK_MAX_CONNS) {
		c = &v->conns[v->n_touched++];
	} else {
		return NULL;
	}
	head = hash_slot(v, req->src_port, req->dst_port);
	*c = (struct vsock_conn){.v = v, .used = true, .hashed = true, .hash_next = *head};
	*head = slot_number(v, c);
	vconn_init(&c->m, req);
	return c;
}

void vsock_slot_unhash(struct vsock *v, struct vsock_conn *c)
{
	uint16_t *p = hash_slot(v, c->m.guest_port, c->m.host_port);

	if (!c->hashed) {
		return;
	}
	while (*p != slot_number(v, c)) {
		p = &v->conns[*p].hash_next;
	}
	*p = c->hash_next;
	c->hashed = false;
}

void vsock_slot_put(struct vsock *v, struct vsock_conn *c)
{
	vsock_slot_unhash(v, c);
	vconn_finish(&c->m);
	c->used = false;
	c->ep = NULL;
	c->next = v->free_head;
	v->free_head = slot_number(v, c);
}

struct vsock_conn *vsock_slot_find(struct vsock *v, uint32_t guest_port, uint32_t host_port)
{
	uint16_t i = *hash_slot(v, guest_port, host_port);

	while (i != VSOCK_NO_SLOT) {
		struct vsock_conn *c = &v->conns[i];

		if (c->m.guest_port == guest_port && c->m.host_port == host_port) {
			return c;
		}
		i = c->hash_next;
	}
	return NULL;
}

void vsock_list_add(struct vsock *v, struct vsock_list *l, struct vsock_conn *c)
{
	uint16_t i = slot_number(v, c);

	if (c->queued) {
		return;
	}
	c->queued = true;
	c->next = VSOCK_NO_SLOT;
	if (l->tail == VSOCK_NO_SLOT) {
		l->head = i;
	} else {
		v->conns[l->tail].next = i;
	}
	l->tail = i;
	l->n++;
}

struct vsock_conn *vsock_list_take(struct vsock *v, struct vsock_list *l)
{
	struct vsock_conn *c;

	if (l->head == VSOCK_NO_SLOT) {
		return NULL;
	}
	c = &v->conns[l->head];
	l->head = c->next;
	if (l->head == VSOCK_NO_SLOT) {
		l->tail = VSOCK_NO_SLOT;
	}
	c->queued = false;
	l->n--;
	return c;
}

void vsock_list_prepend(struct vsock *v, struct vsock_list *l, const struct vsock_list *front)
{
	if (front->head == VSOCK_NO_SLOT) {
		return;
	}
	v->conns[front->tail].next = l->head;
	l->head = front->head;
	if (l->tail == VSOCK_NO_SLOT) {
		l->tail = front->tail;
	}
	l->n += front->n;
}

bool vsock_rst_full(const struct vsock *v)
{
	return v->n_rst == VSOCK_RST_FIFO;
}

void vsock_rst_add(struct vsock *v, const struct vsock_hdr *h)
{
	struct vsock_rst *r;

	for (unsigned i = 0; i < v->n_rst; i++) {
		r = &v->rst[(v->rst_head + i) % VSOCK_RST_FIFO];
		if (r->dst_port == h->src_port && r->src_port == h->dst_port &&
		    r->src_cid == h->dst_cid && r->type == h->type) {
			return;
		}
	}
	if (vsock_rst_full(v)) {
		return; /* callers stop before that */
	}
	r = &v->rst[(v->rst_head + v->n_rst++) % VSOCK_RST_FIFO];
	*r = (struct vsock_rst){
		.src_cid = h->dst_cid,
		.src_port = h->dst_port,
		.dst_port = h->src_port,
		.type = h->type,
	};
}

bool vsock_rst_take(struct vsock *v, struct vsock_hdr *h)
{
	const struct vsock_rst *r = &v->rst[v->rst_head];

	if (v->n_rst == 0) {
		return false;
	}
	*h = (struct vsock_hdr){
		.src_cid = r->src_cid,
		.dst_cid = VSOCK_GUEST_CID,
		.src_port = r->src_port,
		.dst_port = r->dst_port,
		.type = r->type,
		.op = VSOCK_OP_RST,
	};
	v->rst_head = (v->rst_head + 1) % VSOCK_RST_FIFO;
	v->n_rst--;
	return true;
}
