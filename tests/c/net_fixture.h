/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_fixture.h - a network device, a guest, and the far ends of its taps
 *
 * A pair of datagram-like sockets stands for a tap queue: one read or write, one frame.
 * Shared by test_net.c and test_net_kernel.c. Include after cmocka.h.
 */
#ifndef TESTS_NET_FIXTURE_H
#define TESTS_NET_FIXTURE_H

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dev_lies.h"
#include "vmm/virtio_net.h"

#define PAIRS  3u
#define MTU    1500u
#define HDR    NET_HDR_LEN
#define RX_BUF 1536u
#define Q_CTRL (2 * PAIRS)

static const uint8_t mac[6] = {0x02, 0x42, 0xac, 0x11, 0x00, 0x07};

struct fixture {
	struct eg *g;
	struct virtio_net *net;
	struct virtio_dev *dev;
	int host[PAIRS]; /* the far ends of the taps */
	int tap[PAIRS];
	unsigned offload;
	int offload_rc;
};

static inline int set_offload(void *ctx, unsigned flags)
{
	struct fixture *f = ctx;

	f->offload = flags;
	return f->offload_rc;
}

static inline int setup_cable(void **state, bool carrier)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct virtio_net_config cfg = {.mtu = MTU,
					.n_pairs = PAIRS,
					.uso = true,
					.no_carrier = !carrier,
					.offload = set_offload,
					.ctx = f};

	memcpy(cfg.mac, mac, sizeof(mac));
	for (unsigned i = 0; i < PAIRS; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
		f->tap[i] = cfg.tap[i] = pair[0];
		f->host[i] = pair[1];
	}
	f->g = eg_create();
	assert_int_equal(virtio_net_create(eg_mem(f->g), &cfg, &f->net), 0);
	f->dev = virtio_net_dev(f->net);
	*state = f;
	return 0;
}

static inline int setup(void **state)
{
	return setup_cable(state, true);
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	virtio_net_destroy(f->net);
	eg_destroy(f->g);
	for (unsigned i = 0; i < PAIRS; i++) {
		close(f->tap[i]);
		close(f->host[i]);
	}
	free(f);
	return 0;
}

static inline void fill(uint8_t *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++) {
		p[i] = (uint8_t)(i * 31 + (i >> 8) + seed);
	}
}

/* The host's side: a frame of @len bytes with a header as a tap makes it. */
static inline void host_sends(struct fixture *f, unsigned queue, size_t len, unsigned seed)
{
	uint8_t buf[HDR + NET_FRAME_MAX] = {0};

	fill(buf + HDR, len, seed);
	buf[10] = 0xee; /* the tap's idea of the number of buffers must not survive */
	assert_int_equal(send(f->host[queue], buf, HDR + len, 0), HDR + len);
}

static inline void guest_gives(struct fixture *f, unsigned pair, unsigned n, uint32_t len,
			       uint64_t *addr)
{
	for (unsigned i = 0; i < n; i++) {
		struct eg_buf b = EG_IN(len);

		b.addr = lies_buf(f->g, len);
		addr[i] = b.addr;
		(void)eg_add_chain(f->g, VIRTIO_NET_Q_RX(pair), &b, 1);
	}
	eg_kick(f->g, VIRTIO_NET_Q_RX(pair));
}

static inline void start(struct fixture *f, uint64_t features)
{
	assert_true(eg_start(f->g, f->dev, features, 256));
}

static inline bool set_pairs(struct fixture *f, unsigned n)
{
	const uint8_t req[] = {NET_CTRL_MQ, NET_CTRL_MQ_PAIRS, (uint8_t)n, (uint8_t)(n >> 8)};
	struct eg_buf b[] = {EG_OUT(req, 2), EG_OUT(req + 2, 2), EG_IN(1)};
	struct eg_used u;
	uint8_t ack = 0xff;

	(void)eg_add_chain(f->g, Q_CTRL, b, 3);
	eg_kick(f->g, Q_CTRL);
	assert_true(eg_used_next(f->g, Q_CTRL, &u));
	assert_int_equal(u.len, 1);
	eg_get(f->g, b[2].addr, &ack, 1);
	return ack == NET_CTRL_OK;
}

#endif /* TESTS_NET_FIXTURE_H */
