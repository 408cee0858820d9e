/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net.c - the network device against honest and lying drivers
 */
#include "cm.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/checked.h"
#include "net_fixture.h"

#define NO_GSO	(~(NETF_GUEST_GSO | NETF_GUEST_ECN))
#define MTU_MAX (HDR + NET_LINK_EXTRA + MTU)

/* --- what it says of itself ------------------------------------------------------------------ */

static void test_identity(void **state)
{
	struct fixture *f = *state;
	uint8_t config[12];
	const uint8_t want[12] = {0x02, 0x42, 0xac,  0x11, 0x00,       0x07,
				  1,	0,    PAIRS, 0,	   MTU & 0xff, MTU >> 8};

	assert_int_equal(f->dev->ops->id, VIRTIO_ID_NET);
	virtio_mmio_read(f->dev, 0x100, config, 8);
	virtio_mmio_read(f->dev, 0x108, config + 8, 4);
	assert_memory_equal(config, want, sizeof(want));
	assert_int_equal(f->dev->n_queues, 2 * PAIRS + 1);
	assert_true(eg_offered(f->dev) & NETF_MQ);
	assert_true(eg_offered(f->dev) & NETF_HOST_USO);
	assert_int_equal(virtio_net_wants(f->net, 0), 0); /* nobody drives it yet */
	start(f, EG_ALL_OFFERED);
	assert_int_equal(virtio_net_wants(f->net, 0), EPOLLIN);
	assert_int_equal(virtio_net_wants(f->net, PAIRS), 0);
}

static void test_bad_configurations(void **state)
{
	struct fixture *f = *state;
	struct virtio_net_config cfg = {.mtu = MTU, .n_pairs = 0};
	struct virtio_net *net = NULL;

	assert_int_equal(virtio_net_create(eg_mem(f->g), &cfg, &net), -EINVAL);
	cfg.n_pairs = VIRTIO_NET_MAX_PAIRS + 1;
	assert_int_equal(virtio_net_create(eg_mem(f->g), &cfg, &net), -EINVAL);
	cfg.n_pairs = 1;
	cfg.mtu = NET_MTU_MIN - 1;
	assert_int_equal(virtio_net_create(eg_mem(f->g), &cfg, &net), -EINVAL);
	virtio_net_destroy(net);

	cfg.mtu = MTU;
	assert_int_equal(virtio_net_create(eg_mem(f->g), &cfg, &net), 0);
	assert_int_equal(virtio_net_dev(net)->n_queues, 2);
	assert_false(eg_offered(virtio_net_dev(net)) & (NETF_MQ | NETF_CTRL_VQ | NETF_HOST_USO));
	virtio_net_destroy(net);
}

static void test_offloads_follow_the_driver(void **state)
{
	struct fixture *f = *state;
	static const struct {
		uint64_t without;
		unsigned want;
	} t[] = {
		{0, 0x6f},
		{NETF_GUEST_CSUM, 0},
		{NETF_GUEST_TSO4, 0x6d},
		{NETF_GUEST_TSO4 | NETF_GUEST_TSO6, 0x61},
		{NETF_GUEST_USO4, 0x0f},
		{NETF_GUEST_USO6 | NETF_GUEST_ECN, 0x07},
	};

	for (size_t i = 0; i < VR_ARRAY_SIZE(t); i++) {
		start(f, eg_offered(f->dev) & ~t[i].without);
		assert_int_equal(f->offload, t[i].want);
	}
	f->offload_rc = -EINVAL;
	assert_false(eg_start(f->g, f->dev, EG_ALL_OFFERED, 256));
	assert_true(eg_needs_reset(f->g));
}

/* --- receiving ------------------------------------------------------------------------------- */

/* One frame the guest received: checks the header and the bytes. Return: buffers it took. */
static unsigned guest_has(struct fixture *f, unsigned pair, const uint64_t *addr, uint32_t buf_len,
			  size_t len, unsigned seed)
{
	static uint8_t got[HDR + NET_FRAME_MAX];
	static uint8_t want[NET_FRAME_MAX];
	struct eg_used u;
	size_t have = 0;
	unsigned n = 0;

	fill(want, len, seed);
	while (have < HDR + len) {
		assert_true(eg_used_next(f->g, VIRTIO_NET_Q_RX(pair), &u));
		assert_true(u.len <= buf_len);
		eg_get(f->g, addr[n], got + have, u.len);
		lies_check_guards(f->g, addr[n], buf_len);
		have += u.len;
		n++;
	}
	assert_int_equal(have, HDR + len);
	assert_memory_equal(got + HDR, want, len);
	assert_int_equal(got[10] | got[11] << 8, n);
	return n;
}

static void test_small_frames(void **state)
{
	struct fixture *f = *state;
	uint64_t addr[100];

	start(f, EG_ALL_OFFERED);
	guest_gives(f, 0, 100, RX_BUF, addr);
	for (unsigned i = 0; i < 5; i++) {
		host_sends(f, 0, 60 + i, i);
	}
	virtio_net_event(f->net, 0, EPOLLIN);
	assert_int_equal(eg_irq_take(f->g), VIRTIO_IRQ_QUEUE);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(guest_has(f, 0, addr + i, RX_BUF, 60 + i, i), 1);
	}
	lies_check_fill(f->g, addr[5], RX_BUF);
	virtio_net_event(f->net, 0, EPOLLIN); /* nothing there: no interrupt */
	assert_int_equal(eg_irq_take(f->g), 0);
}

static void test_large_frames_span_buffers(void **state)
{
	struct fixture *f = *state;
	static const size_t len[] = {RX_BUF - HDR, RX_BUF - HDR + 1, 9000, NET_FRAME_MAX, 1};
	uint64_t addr[256];
	unsigned used = 0;
	unsigned free_bufs = 200;

	start(f, EG_ALL_OFFERED);
	guest_gives(f, 0, free_bufs, RX_BUF, addr);
	for (unsigned round = 0; round < VR_ARRAY_SIZE(len); round++) {
		unsigned n;

		host_sends(f, 0, len[round], round);
		virtio_net_event(f->net, 0, EPOLLIN);
		n = guest_has(f, 0, addr + used, RX_BUF, len[round], round);
		assert_int_equal(n, (len[round] + HDR + RX_BUF - 1) / RX_BUF);
		used += n;
	}
	lies_check_fill(f->g, addr[used], RX_BUF);
}

/* Only one buffer is offered after a small frame; a large one may follow all the same. */
static void test_small_and_large_frames_take_turns(void **state)
{
	struct fixture *f = *state;
	static const size_t len[] = {60, NET_FRAME_MAX, 60, RX_BUF - HDR + 1, 60, 3000, 60, 60};
	uint64_t addr[120];
	unsigned used = 0;

	start(f, EG_ALL_OFFERED);
	guest_gives(f, 0, 120, RX_BUF, addr);
	for (unsigned round = 0; round < VR_ARRAY_SIZE(len); round++) {
		unsigned want = (unsigned)((len[round] + HDR + RX_BUF - 1) / RX_BUF);

		host_sends(f, 0, len[round], round);
		virtio_net_event(f->net, 0, EPOLLIN);
		assert_int_equal(guest_has(f, 0, addr + used, RX_BUF, len[round], round), want);
		used += want;
	}
	lies_check_fill(f->g, addr[used], RX_BUF);
}

static void test_ring_wraps(void **state)
{
	struct fixture *f = *state;
	uint64_t addr[256];
	unsigned at = 0;

	start(f, EG_ALL_OFFERED);
	guest_gives(f, 0, 256, RX_BUF, addr);
	for (unsigned i = 0; i < 2000; i++) {
		size_t len = 14 + i * 37u % 5000;
		unsigned n;
		uint64_t again[4];

		host_sends(f, 0, len, i);
		virtio_net_event(f->net, 0, EPOLLIN);
		for (unsigned k = 0; k < 4; k++) {
			again[k] = addr[(at + k) % 256];
		}
		n = guest_has(f, 0, again, RX_BUF, len, i);
		for (unsigned k = 0; k < n; k++) {
			struct eg_buf b = {.len = RX_BUF, .in = true, .addr = again[k]};

			eg_fill(f->g, again[k], LIES_FILL, RX_BUF);
			(void)eg_add_chain(f->g, 0, &b, 1);
			addr[(at + k) % 256] = again[k]; /* they come back in the same order */
		}
		at = (at + n) % 256;
		eg_kick(f->g, 0);
	}
}

static void test_no_frame_is_cut_for_lack_of_buffers(void **state)
{
	struct fixture *f = *state;
	uint64_t addr[60];

	start(f, EG_ALL_OFFERED);
	guest_gives(f, 0, 10, RX_BUF, addr); /* less than the largest frame takes */
	host_sends(f, 0, 100, 1);
	virtio_net_event(f->net, 0, EPOLLIN);
	assert_int_equal(eg_used_idx(f->g, 0), 0);
	assert_int_equal(virtio_net_wants(f->net, 0), 0); /* the tap keeps it, nobody spins */
	guest_gives(f, 0, 50, RX_BUF, addr + 10);
	assert_int_equal(virtio_net_wants(f->net, 0), EPOLLIN);
	virtio_net_event(f->net, 0, EPOLLIN);
	assert_int_equal(guest_has(f, 0, addr, RX_BUF, 100, 1), 1);
}

static void test_without_mergeable_buffers(void **state)
{
	struct fixture *f = *state;
	uint64_t addr[4];
	struct eg_buf big[3] = {EG_IN(HDR), EG_IN(1000), EG_IN(70000)};
	struct eg_used u;
	uint8_t nb[2];

	start(f, eg_offered(f->dev) & ~NETF_MRG_RXBUF & NO_GSO);
	guest_gives(f, 0, 4, RX_BUF, addr);
	host_sends(f, 0, 1514, 3);
	virtio_net_event(f->net, 0, EPOLLIN);
	assert_int_equal(guest_has(f, 0, addr, RX_BUF, 1514, 3), 1);

	start(f, eg_offered(f->dev) & ~NETF_MRG_RXBUF);
	eg_indirect(f->g, true);
	for (unsigned i = 0; i < 3; i++) {
		big[i].addr = lies_buf(f->g, big[i].len);
	}
	(void)eg_add_chain(f->g, 0, big, 3);
	host_sends(f, 0, NET_FRAME_MAX, 4);
	eg_kick(f->g, 0);
	virtio_net_event(f->net, 0, EPOLLIN);
	assert_true(eg_used_next(f->g, 0, &u));
	assert_int_equal(u.len, HDR + NET_FRAME_MAX);
	eg_get(f->g, big[0].addr + 10, nb, 2);
	assert_int_equal(nb[0] | nb[1] << 8, 1);
	for (unsigned i = 0; i < 3; i++) {
		lies_check_guards(f->g, big[i].addr, big[i].len);
	}
}

static void test_buffers_too_small(void **state)
{
	struct fixture *f = *state;
	struct eg_buf small = EG_IN(HDR - 1);
	struct eg_buf readable = EG_OUT("x", 1);
	struct eg_buf one = EG_IN(MTU_MAX - 1);

	start(f, EG_ALL_OFFERED);
	(void)eg_add_chain(f->g, 0, &small, 1);
	virtio_net_event(f->net, 0, EPOLLIN);
	assert_true(eg_needs_reset(f->g));
	start(f, EG_ALL_OFFERED);
	(void)eg_add_chain(f->g, 0, &readable, 1);
	virtio_net_event(f->net, 0, EPOLLIN);
	assert_true(eg_needs_reset(f->g));
	start(f, eg_offered(f->dev) & ~NETF_MRG_RXBUF & NO_GSO);
	(void)eg_add_chain(f->g, 0, &one, 1);
	virtio_net_event(f->net, 0, EPOLLIN);
	assert_true(eg_needs_reset(f->g));
}

/* Many buffers of a few bytes: no room to keep enough of them for the largest frame. */
static void test_buffers_in_tiny_pieces(void **state)
{
	struct fixture *f = *state;

	start(f, EG_ALL_OFFERED);
	for (unsigned i = 0; i < 200; i++) {
		struct eg_buf b = EG_IN(HDR);

		(void)eg_add_chain(f->g, 0, &b, 1);
	}
	host_sends(f, 0, 100, 0);
	virtio_net_event(f->net, 0, EPOLLIN);
	assert_true(eg_needs_reset(f->g));
	assert_string_equal(f->dev->last_fault, "receive buffers are too fragmented");
}

static void test_a_flood_from_outside_leaves_others_their_turn(void **state)
{
	struct fixture *f = *state;
	uint64_t addr[256];

	start(f, EG_ALL_OFFERED);
	guest_gives(f, 0, 256, RX_BUF, addr);
	for (unsigned i = 0; i < VIRTIO_NET_RX_BUDGET + 1; i++) {
		host_sends(f, 0, 60, i);
	}
	virtio_net_event(f->net, 0, EPOLLIN);
	assert_int_equal(eg_used_idx(f->g, 0), VIRTIO_NET_RX_BUDGET);
	virtio_net_event(f->net, 0, EPOLLIN);
	assert_int_equal(eg_used_idx(f->g, 0), VIRTIO_NET_RX_BUDGET + 1);
}

/* --- sending --------------------------------------------------------------------------------- */

static ssize_t host_receives(struct fixture *f, unsigned queue, uint8_t *buf, size_t cap)
{
	ssize_t n = recv(f->host[queue], buf, cap, 0);

	return n < 0 ? -errno : n;
}

static void guest_sends(struct fixture *f, unsigned pair, const struct net_hdr *h,
			const uint8_t *frame, size_t len)
{
	struct eg_buf b[] = {EG_OUT(h, sizeof(*h)), EG_OUT(frame, len / 2),
			     EG_OUT(frame + len / 2, len - len / 2)};

	(void)eg_add_chain(f->g, VIRTIO_NET_Q_TX(pair), b, 3);
	eg_kick(f->g, VIRTIO_NET_Q_TX(pair));
}

static void test_sending(void **state)
{
	struct fixture *f = *state;
	const struct net_hdr h = {.hdr_len = 0x1234, .num_buffers = 9};
	const struct net_hdr zero = {0};
	struct virtio_net_stats st;
	uint8_t frame[1514];
	uint8_t got[4096];
	struct eg_used u;

	fill(frame, sizeof(frame), 5);
	start(f, EG_ALL_OFFERED);
	guest_sends(f, 0, &h, frame, sizeof(frame));
	assert_int_equal(host_receives(f, 0, got, sizeof(got)), HDR + sizeof(frame));
	assert_memory_equal(got, &zero, HDR); /* the checked copy, not what the guest wrote */
	assert_memory_equal(got + HDR, frame, sizeof(frame));
	assert_true(eg_used_next(f->g, 1, &u));
	assert_int_equal(u.len, 0);
	guest_sends(f, 2, &zero, frame, 60);
	assert_int_equal(host_receives(f, 2, got, sizeof(got)), HDR + 60);
	virtio_net_stats(f->net, &st);
	assert_int_equal(st.tx_frames, 2);
	assert_int_equal(st.tx_bytes, sizeof(frame) + 60);
}

static void test_header_and_frame_in_one_piece(void **state)
{
	struct fixture *f = *state;
	uint8_t both[HDR + 60] = {0};
	uint8_t got[200];
	struct eg_buf b = EG_OUT(both, sizeof(both));

	fill(both + HDR, 60, 6);
	start(f, EG_ALL_OFFERED);
	(void)eg_add_chain(f->g, 1, &b, 1);
	eg_kick(f->g, 1);
	assert_int_equal(host_receives(f, 0, got, sizeof(got)), sizeof(both));
	assert_memory_equal(got, both, sizeof(both));
}

static void test_bad_headers_are_dropped(void **state)
{
	struct fixture *f = *state;
	const struct net_hdr bad = {
		.flags = NET_HDR_NEEDS_CSUM, .csum_start = 100, .csum_offset = 100};
	const struct net_hdr zero = {0};
	struct virtio_net_stats st;
	uint8_t frame[60] = {0};
	uint8_t got[200];
	struct eg_used u;

	start(f, EG_ALL_OFFERED);
	guest_sends(f, 0, &bad, frame, sizeof(frame));
	assert_true(eg_used_next(f->g, 1, &u)); /* the driver isn't to blame: it goes on */
	assert_false(eg_needs_reset(f->g));
	assert_int_equal(host_receives(f, 0, got, sizeof(got)), -EAGAIN);
	virtio_net_stats(f->net, &st);
	assert_int_equal(st.tx_refused, 1);
	guest_sends(f, 0, &zero, frame, sizeof(frame));
	assert_int_equal(host_receives(f, 0, got, sizeof(got)), HDR + sizeof(frame));
}

static void test_no_frame_at_all(void **state)
{
	struct fixture *f = *state;
	static uint8_t junk[HDR + NET_FRAME_MAX + 1];
	const size_t len[] = {1, HDR, HDR + NET_ETH_LEN - 1, HDR + NET_FRAME_MAX + 1};

	for (size_t i = 0; i < VR_ARRAY_SIZE(len); i++) {
		struct eg_buf b = EG_OUT(junk, len[i]);

		start(f, EG_ALL_OFFERED);
		(void)eg_add_chain(f->g, 1, &b, 1);
		eg_kick(f->g, 1);
		assert_true(eg_needs_reset(f->g));
	}
	start(f, EG_ALL_OFFERED);
	{
		struct eg_buf b[] = {EG_OUT(junk, 100), EG_IN(10)};

		(void)eg_add_chain(f->g, 1, b, 2);
		eg_kick(f->g, 1);
		assert_true(eg_needs_reset(f->g));
	}
}

static void test_a_full_tap_makes_the_queue_wait(void **state)
{
	struct fixture *f = *state;
	const struct net_hdr zero = {0};
	uint8_t frame[1000] = {0};
	uint8_t got[2000];
	unsigned sent = 0;
	unsigned received = 0;
	struct eg_used u;

	start(f, EG_ALL_OFFERED);
	while (!(virtio_net_wants(f->net, 0) & EPOLLOUT)) {
		frame[0] = (uint8_t)sent;
		guest_sends(f, 0, &zero, frame, sizeof(frame));
		sent++;
		assert_in_range(sent, 1, 2000);
		(void)eg_used_next(f->g, 1, &u);
	}
	eg_kick(f->g, 1); /* kicks don't help, and don't lose anything */
	assert_int_equal(virtio_net_wants(f->net, 1) & EPOLLOUT, 0); /* others aren't held up */
	while (host_receives(f, 0, got, sizeof(got)) > 0) {
		assert_int_equal(got[HDR], (uint8_t)received);
		received++;
	}
	assert_int_equal(received, sent - 1);
	virtio_net_event(f->net, 0, EPOLLOUT);
	assert_int_equal(virtio_net_wants(f->net, 0), EPOLLIN);
	assert_int_equal(host_receives(f, 0, got, sizeof(got)), HDR + sizeof(frame));
	assert_int_equal(got[HDR], (uint8_t)received);
}

static void fill_tap(struct fixture *f, unsigned pair)
{
	static const uint8_t frame[1000];
	const struct net_hdr zero = {0};
	unsigned sent = 0;
	struct eg_used u;

	while (!(virtio_net_wants(f->net, pair) & EPOLLOUT)) {
		guest_sends(f, pair, &zero, frame, sizeof(frame));
		assert_in_range(++sent, 1, 2000);
		while (eg_used_next(f->g, VIRTIO_NET_Q_TX(pair), &u)) {
			continue;
		}
	}
}

/* A tap that ends while it is full never says that there is room: what waits is dropped, in all queues. */
static void test_frames_that_wait_for_a_tap_that_ends_are_dropped(void **state)
{
	static const uint8_t frame[60];
	const struct net_hdr zero = {0};
	struct fixture *f = *state;
	struct virtio_net_stats st;
	struct eg_used u;

	start(f, EG_ALL_OFFERED);
	fill_tap(f, 0);
	fill_tap(f, 1);
	guest_sends(f, 1, &zero, frame, sizeof(frame));
	virtio_net_event(f->net, 2, EPOLLERR); /* poll says no more of a tap without a device */
	assert_int_equal(virtio_net_wants(f->net, 0), 0);
	assert_true(eg_used_next(f->g, VIRTIO_NET_Q_TX(0), &u));
	assert_true(eg_used_next(f->g, VIRTIO_NET_Q_TX(1), &u));
	assert_true(eg_used_next(f->g, VIRTIO_NET_Q_TX(1), &u));
	virtio_net_stats(f->net, &st);
	assert_int_equal(st.tx_dropped, 3);
	guest_sends(f, 0, &zero, frame, sizeof(frame)); /* and so is what comes later */
	assert_true(eg_used_next(f->g, VIRTIO_NET_Q_TX(0), &u));
}

/* --- queue pairs ----------------------------------------------------------------------------- */

static void test_pairs(void **state)
{
	struct fixture *f = *state;
	uint64_t addr[PAIRS][60];

	start(f, EG_ALL_OFFERED);
	for (unsigned i = 0; i < PAIRS; i++) {
		guest_gives(f, i, 60, RX_BUF, addr[i]);
	}
	host_sends(f, 2, 60, 1); /* until the driver says otherwise all come to the first */
	virtio_net_event(f->net, 2, EPOLLIN);
	assert_int_equal(guest_has(f, 0, addr[0], RX_BUF, 60, 1), 1);

	assert_true(set_pairs(f, PAIRS));
	host_sends(f, 2, 61, 2);
	virtio_net_event(f->net, 2, EPOLLIN);
	assert_int_equal(guest_has(f, 2, addr[2], RX_BUF, 61, 2), 1);

	assert_true(set_pairs(f, 2));
	host_sends(f, 2, 62, 3);
	virtio_net_event(f->net, 2, EPOLLIN);
	assert_int_equal(guest_has(f, 0, addr[0] + 1, RX_BUF, 62, 3), 1);

	assert_false(set_pairs(f, 0));
	assert_false(set_pairs(f, PAIRS + 1));
	assert_false(set_pairs(f, 0x8000));
	start(f, EG_ALL_OFFERED); /* a reset goes back to one */
	guest_gives(f, 0, 60, RX_BUF, addr[0]);
	host_sends(f, 1, 63, 4);
	virtio_net_event(f->net, 1, EPOLLIN);
	assert_int_equal(guest_has(f, 0, addr[0], RX_BUF, 63, 4), 1);
}

static void test_unknown_control_requests(void **state)
{
	struct fixture *f = *state;
	const uint8_t rx_mode[] = {0, 0, 1};
	struct eg_buf b[] = {EG_OUT(rx_mode, 3), EG_IN(1)};
	struct eg_buf no_ack = EG_OUT(rx_mode, 3);
	struct eg_buf headless[] = {EG_OUT(rx_mode, 1), EG_IN(1)};
	struct eg_used u;
	uint8_t ack = 0;

	start(f, EG_ALL_OFFERED);
	(void)eg_add_chain(f->g, Q_CTRL, b, 2);
	eg_kick(f->g, Q_CTRL);
	assert_true(eg_used_next(f->g, Q_CTRL, &u));
	eg_get(f->g, b[1].addr, &ack, 1);
	assert_int_equal(ack, NET_CTRL_ERR);
	(void)eg_add_chain(f->g, Q_CTRL, &no_ack, 1);
	eg_kick(f->g, Q_CTRL);
	assert_true(eg_needs_reset(f->g));
	start(f, EG_ALL_OFFERED);
	(void)eg_add_chain(f->g, Q_CTRL, headless, 2);
	eg_kick(f->g, Q_CTRL);
	assert_true(eg_needs_reset(f->g));
}

/* Without MQ the control queue is the third, where otherwise the second pair receives. */
static void test_control_queue_without_multiqueue(void **state)
{
	struct fixture *f = *state;
	const uint8_t req[] = {NET_CTRL_MQ, NET_CTRL_MQ_PAIRS, 1, 0};
	struct eg_buf b[] = {EG_OUT(req, 4), EG_IN(1)};
	struct eg_used u;
	uint8_t ack = 0;

	start(f, eg_offered(f->dev) & ~NETF_MQ);
	(void)eg_add_chain(f->g, 2, b, 2);
	eg_kick(f->g, 2);
	assert_true(eg_used_next(f->g, 2, &u));
	eg_get(f->g, b[1].addr, &ack, 1);
	assert_int_equal(ack, NET_CTRL_ERR);
	start(f, eg_offered(f->dev) & ~(NETF_MQ | NETF_CTRL_VQ));
	eg_kick(f->g, Q_CTRL); /* there is none: ignored */
	assert_false(eg_needs_reset(f->g));
}

/* --- the cable ------------------------------------------------------------------------------- */

static void test_link(void **state)
{
	struct fixture *f = *state;
	const struct net_hdr zero = {0};
	uint8_t frame[60] = {0};
	uint8_t status[2];
	struct eg_used u;

	start(f, EG_ALL_OFFERED);
	virtio_net_set_link(f->net, true); /* as it was: nobody is told */
	assert_int_equal(eg_irq_take(f->g), 0);
	virtio_net_set_link(f->net, false);
	assert_int_equal(eg_irq_take(f->g), VIRTIO_IRQ_CONFIG);
	virtio_mmio_read(f->dev, 0x106, status, 2);
	assert_int_equal(status[0], 0);
	virtio_net_set_link(f->net, true);
	assert_int_equal(eg_irq_take(f->g), VIRTIO_IRQ_CONFIG);

	virtio_net_event(f->net, 0, EPOLLERR | EPOLLIN); /* the tap was taken away */
	assert_int_equal(eg_irq_take(f->g), VIRTIO_IRQ_CONFIG);
	assert_int_equal(virtio_net_wants(f->net, 0), 0);
	virtio_net_set_link(f->net, true); /* for good */
	virtio_mmio_read(f->dev, 0x106, status, 2);
	assert_int_equal(status[0], 0);
	guest_sends(f, 0, &zero, frame, sizeof(frame)); /* goes nowhere, is completed */
	assert_true(eg_used_next(f->g, 1, &u));
}

static int setup_unplugged(void **state)
{
	return setup_cable(state, false);
}

static void test_no_carrier_at_first(void **state)
{
	struct fixture *f = *state;
	uint8_t status[2] = {0xff};

	assert_true(f->dev->ops->features & NETF_STATUS); /* else nobody would look */
	start(f, EG_ALL_OFFERED);
	virtio_mmio_read(f->dev, 0x106, status, 2);
	assert_int_equal(status[0], 0);
	virtio_net_set_link(f->net, true);
	assert_int_equal(eg_irq_take(f->g), VIRTIO_IRQ_CONFIG);
	virtio_mmio_read(f->dev, 0x106, status, 2);
	assert_int_equal(status[0], NET_STATUS_LINK);
}

/* --- lies ------------------------------------------------------------------------------------ */

static void good_tx(struct eg *g, void *ctx)
{
	struct fixture *f = ctx;
	const struct net_hdr zero = {0};
	uint8_t frame[60] = {0};
	uint8_t got[2000];

	(void)g;
	while (host_receives(f, 0, got, sizeof(got)) > 0) {
		continue; /* a legal chain among the lies sent something */
	}
	guest_sends(f, 0, &zero, frame, sizeof(frame));
	assert_int_equal(host_receives(f, 0, got, sizeof(got)), HDR + sizeof(frame));
}

static void test_lies_when_sending(void **state)
{
	struct fixture *f = *state;
	const struct net_hdr zero = {0};
	uint8_t frame[100] = {0};
	struct eg_buf b[] = {EG_OUT(&zero, HDR), EG_OUT(frame, sizeof(frame))};
	struct lies t = {.g = f->g,
			 .dev = f->dev,
			 .q = 1,
			 .bufs = b,
			 .n = 2,
			 .size = 64,
			 .good = good_tx,
			 .ctx = f};

	lies_check(&t);
	lies_check_layouts(&t);
}

/* A kick of a receive queue only makes the device look at it when a frame comes. */
static void test_lies_when_receiving(void **state)
{
	struct fixture *f = *state;
	uint64_t addr[60];

	for (int lie = EG_LIE_NONE + 1; lie < EG_LIE_COUNT; lie++) {
		struct eg_buf b[2] = {EG_IN(2000), EG_IN(70000)};
		uint64_t features = eg_offered(f->dev);
		uint64_t faults = f->dev->n_faults;
		uint8_t drop[2000];

		if (lie == EG_LIE_LEN_ZERO) {
			continue; /* no lie */
		}
		if (lie == EG_LIE_INDIRECT_NOT_AGREED) {
			features &= ~VIRTIO_F_INDIRECT_DESC;
		}
		start(f, features);
		for (unsigned i = 0; i < 2; i++) {
			b[i].addr = lies_buf(f->g, b[i].len);
		}
		eg_lie(f->g, lie);
		(void)eg_add_chain(f->g, 0, b, 2);
		host_sends(f, 0, 60, 1);
		virtio_net_event(f->net, 0, EPOLLIN);
		if (!eg_needs_reset(f->g)) {
			print_error("not refused: %s\n", eg_lie_name(lie));
		}
		assert_true(eg_needs_reset(f->g));
		assert_int_equal(f->dev->n_faults, faults + 1);
		assert_int_equal(eg_used_idx(f->g, 0), 0);
		assert_int_equal(virtio_net_wants(f->net, 0), 0);
		for (unsigned i = 0; i < 2; i++) {
			lies_check_fill(f->g, b[i].addr - LIES_GUARD, b[i].len + 2 * LIES_GUARD);
		}
		while (recv(f->tap[0], drop, sizeof(drop), 0) > 0) {
			continue;
		}
	}
	start(f, EG_ALL_OFFERED);
	guest_gives(f, 0, 60, RX_BUF, addr);
	host_sends(f, 0, 60, 7);
	virtio_net_event(f->net, 0, EPOLLIN);
	assert_int_equal(guest_has(f, 0, addr, RX_BUF, 60, 7), 1);
}

/* Buffers kept for later frames belong to the driver that gave them: a reset forgets them. */
static void test_reset_forgets_buffers(void **state)
{
	struct fixture *f = *state;
	uint64_t addr[60];
	uint64_t fresh[60];

	start(f, EG_ALL_OFFERED);
	guest_gives(f, 0, 60, RX_BUF, addr);
	host_sends(f, 0, 60, 1);
	virtio_net_event(f->net, 0, EPOLLIN);
	eg_reset(f->g);
	host_sends(f, 0, 60, 2);
	virtio_net_event(f->net, 0, EPOLLIN);
	start(f, EG_ALL_OFFERED);
	virtio_net_event(f->net, 0, EPOLLIN);
	assert_int_equal(virtio_net_wants(f->net, 0), 0);
	for (unsigned i = 1; i < 60; i++) {
		lies_check_fill(f->g, addr[i], RX_BUF);
	}
	guest_gives(f, 0, 60, RX_BUF, fresh);
	virtio_net_event(f->net, 0, EPOLLIN);
	assert_int_equal(guest_has(f, 0, fresh, RX_BUF, 60, 2), 1);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_identity),
		T(test_bad_configurations),
		T(test_offloads_follow_the_driver),
		T(test_small_frames),
		T(test_large_frames_span_buffers),
		T(test_small_and_large_frames_take_turns),
		T(test_ring_wraps),
		T(test_no_frame_is_cut_for_lack_of_buffers),
		T(test_without_mergeable_buffers),
		T(test_buffers_too_small),
		T(test_buffers_in_tiny_pieces),
		T(test_a_flood_from_outside_leaves_others_their_turn),
		T(test_sending),
		T(test_header_and_frame_in_one_piece),
		T(test_bad_headers_are_dropped),
		T(test_no_frame_at_all),
		T(test_a_full_tap_makes_the_queue_wait),
		T(test_frames_that_wait_for_a_tap_that_ends_are_dropped),
		T(test_pairs),
		T(test_unknown_control_requests),
		T(test_control_queue_without_multiqueue),
		T(test_link),
		cmocka_unit_test_setup_teardown(test_no_carrier_at_first, setup_unplugged,
						teardown),
		T(test_lies_when_sending),
		T(test_lies_when_receiving),
		T(test_reset_forgets_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
