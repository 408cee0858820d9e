/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock_priv.h - what the vsock*.c files of the device share
 *
 * vsock.c:       the device, its lifetime, the public functions
 * vsock_table.c: connection slots, and the fifo of RSTs that belong to none
 * vsock_tx.c:    packets from the guest (tx queue)
 * vsock_rx.c:    packets to the guest (rx queue), turns and callbacks
 *
 * Threads: the device lock, everywhere.
 */
#ifndef VMM_VSOCK_PRIV_H
#define VMM_VSOCK_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/virtio.h"
#include "vmm/vsock.h"
#include "vmm/vsock_conn.h"

#define VSOCK_Q_RX    0u
#define VSOCK_Q_TX    1u
#define VSOCK_Q_EVENT 2u
#define VSOCK_QUEUES  3u

/*
 * Linux fills the rx queue with a page a buffer at boot, and refills it when half
 * was used. 128 of them hold more than the 256 KiB of credit that a connection has.
 */
#define VSOCK_QUEUE_MAX 128u

#define VSOCK_RX_CACHE	 64u /* rx buffers taken ahead, so that room is known */
#define VSOCK_RX_IOV	 8u  /* pieces of an rx buffer; Linux uses 1 */
#define VSOCK_TX_IOV	 64u /* pieces of a tx packet; Linux uses up to 18 */
#define VSOCK_RST_FIFO	 64u
#define VSOCK_TX_BATCH	 16u  /* packets taken between two rounds of callbacks */
#define VSOCK_TX_BUDGET	 256u /* packets served by one kick */
#define VSOCK_FLUSH_MAX	 16u  /* rounds of turns in one flush */
#define VSOCK_HASH_SLOTS 1024u
#define VSOCK_NO_SLOT	 0xffffu

_Static_assert(VSOCK_MAX_CONNS < VSOCK_NO_SLOT, "slot numbers are 16 bits wide");
_Static_assert((VSOCK_HASH_SLOTS & (VSOCK_HASH_SLOTS - 1)) == 0, "hash by mask");

/**
 * struct vsock_conn - a slot: the pure connection, its endpoint, what is due
 * @used:      the slot is taken
 * @hashed:    packets of the guest find it
 * @queued:    it is in a list
 * @detached:  the endpoint is gone (closed() was called, or it reset the connection)
 * @armed:     the endpoint wants writable()
 * @close_due: the guest broke the rules: closed() without waiting for anything
 * @next:      in its list, or in the list of free slots
 */
struct vsock_conn {
	struct vconn m;
	struct vsock *v;
	const struct vsock_endpoint *ep;
	void *ep_ctx;
	bool used;
	bool hashed;
	bool queued;
	bool detached;
	bool armed;
	bool read_due;
	bool shut_due;
	bool close_due;
	uint16_t next;
	uint16_t hash_next;
};

/** struct vsock_list - connections in order, linked by slot number; each is in one list at most */
struct vsock_list {
	uint16_t head;
	uint16_t tail;
	unsigned n;
};
#define VSOCK_LIST_EMPTY                                                                           \
	{                                                                                          \
		.head = VSOCK_NO_SLOT, .tail = VSOCK_NO_SLOT                                       \
	}

/** struct vsock_rx_buf - a buffer of the guest that waits to be filled; @cap with the header */
struct vsock_rx_buf {
	struct iovec iov[VSOCK_RX_IOV];
	unsigned n;
	uint16_t head;
	uint32_t cap;
};

/** struct vsock_rst - a RST to a sender that no connection belongs to */
struct vsock_rst {
	uint64_t src_cid; /* as the guest addressed us */
	uint32_t src_port;
	uint32_t dst_port;
	uint16_t type;
};

/**
 * struct vsock - the device
 * @flushing:   a flush runs; callbacks must not begin another
 * @tx_stalled: tx packets wait for room in the RST fifo
 * @starved:    connections wait for rx buffers; whoever comes later queues up behind them
 * @rx_pushed, @tx_pushed: buffers were used since the last interrupt decision
 * @current:    the connection whose turn it is; @turn_left: rx buffers it may still use
 * @progress:   counts everything a flush achieved
 * @ready:      connections that wait for a turn
 */
struct vsock {
	struct virtio_dev dev;
	vsock_accept_fn accept;
	void *accept_ctx;
	int event_fd;
	bool flushing;
	bool tx_stalled;
	bool starved;
	bool rx_pushed;
	bool tx_pushed;
	struct vsock_conn *current;
	unsigned turn_left;
	uint64_t progress;

	struct vsock_list ready;

	uint16_t free_head;
	uint16_t n_touched; /* slots that were ever used */
	uint16_t hash[VSOCK_HASH_SLOTS];

	struct vsock_rst rst[VSOCK_RST_FIFO];
	unsigned rst_head;
	unsigned n_rst;

	struct vsock_rx_buf rx[VSOCK_RX_CACHE];
	unsigned rx_head;
	unsigned n_rx;

	struct vsock_conn conns[VSOCK_MAX_CONNS];
};

/* vsock_table.c */
void vsock_table_init(struct vsock *v);
/** vsock_slot_get() - a free slot, hashed under the ports of @req. Return: NULL if there is none */
struct vsock_conn *vsock_slot_get(struct vsock *v, const struct vsock_hdr *req);
void vsock_slot_put(struct vsock *v, struct vsock_conn *c);
struct vsock_conn *vsock_slot_find(struct vsock *v, uint32_t guest_port, uint32_t host_port);
/** vsock_slot_unhash() - packets of the guest shall not find it any more */
void vsock_slot_unhash(struct vsock *v, struct vsock_conn *c);
/** vsock_list_add() - put @c at the end, unless it is in a list already */
void vsock_list_add(struct vsock *v, struct vsock_list *l, struct vsock_conn *c);
/** vsock_list_take() - the first one, or NULL */
struct vsock_conn *vsock_list_take(struct vsock *v, struct vsock_list *l);
/** vsock_list_prepend() - move all of @front before what is in @l */
void vsock_list_prepend(struct vsock *v, struct vsock_list *l, const struct vsock_list *front);
bool vsock_rst_full(const struct vsock *v);
/** vsock_rst_add() - refuse a packet; one that is queued already isn't queued twice */
void vsock_rst_add(struct vsock *v, const struct vsock_hdr *h);
/** vsock_rst_take() - header of the oldest RST. Return: false when there is none */
bool vsock_rst_take(struct vsock *v, struct vsock_hdr *h);

/* vsock_tx.c */
/** vsock_serve_tx() - take packets of the guest, with rounds of turns in between */
void vsock_serve_tx(struct vsock *v);

/* vsock_rx.c */
/** vsock_conn_touch() - give it a turn if anything is due for it */
void vsock_conn_touch(struct vsock_conn *c);
/** vsock_rx_room() - payload bytes the rx buffers open to @c can take now */
size_t vsock_rx_room(struct vsock_conn *c);
/** vsock_rx_data() - send one packet, as long as credit and buffer allow. Return: bytes, or 0 */
size_t vsock_rx_data(struct vsock_conn *c, const uint8_t *data, size_t len);
/** vsock_flush() - give turns to those who wait: control packets, callbacks, closes */
void vsock_flush(struct vsock *v);

/* vsock.c */
/** vsock_interrupt() - raise the interrupts for what was pushed since last asked */
void vsock_interrupt(struct vsock *v);
/** vsock_fault() - the driver broke the rules: device fault, all connections end */
void vsock_fault(struct vsock *v, const char *reason);
/** vsock_wake() - have vsock_work() called. Syscalls: write (role vmm, vcpu) */
void vsock_wake(struct vsock *v);
/** vsock_drop_all() - the guest's side of everything is gone; callbacks follow in the loop */
void vsock_drop_all(struct vsock *v);

#endif /* VMM_VSOCK_PRIV_H */
