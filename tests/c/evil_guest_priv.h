/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil_guest_priv.h - what evil_guest.c and evil_chain.c share; not for tests
 */
#ifndef TESTS_EVIL_GUEST_PRIV_H
#define TESTS_EVIL_GUEST_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "evil_guest.h"

#define EG_CHECK(cond, what)                                                                       \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "evil_guest: %s: %s\n", __func__, what);                   \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/** struct queue - the driver's view; owner[i]: 1 + head of the chain of descriptor i, 0 if free */
struct queue {
	struct virtq_layout l;
	uint16_t avail_idx;
	uint16_t used_seen;
	uint16_t owner[VIRTQ_MAX_SIZE];
};

struct flipper {
	pthread_t thread;
	bool running;
	_Atomic bool stop;
	_Atomic uint64_t writes;
	void *field;
	unsigned width;
	uint64_t value[2];
};

struct eg {
	int memfd;
	struct gmem *mem;
	uint64_t ram_end; /* of the low region */
	uint64_t alloc_next;
	uint64_t buf_next;
	uint64_t features;
	struct virtio_dev *dev;
	enum eg_lie lie;
	bool indirect;
	struct queue q[VIRTIO_MAX_QUEUES];
	struct flipper flip;
};

/** eg_buf_alloc() - guest memory from the upper half of RAM, handed out round and round */
uint64_t eg_buf_alloc(struct eg *g, uint64_t len);

#endif /* TESTS_EVIL_GUEST_PRIV_H */
