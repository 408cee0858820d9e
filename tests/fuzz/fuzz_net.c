/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_net.c - a driver that does anything with a network device
 *
 * The input is a program of small steps: features, chains of any shape on any queue, descriptors
 * written over, frames from outside, kicks, resets. Properties: nothing outside the guest's buffers
 * is touched (a sanitizer would see it), and what reaches the tap has a header the
 * kernel can rely on.
 */
#include "fuzz.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "tests/c/evil_guest.h"
#include "vmm/virtio_net.h"

#define PAIRS 2u
#define MTU   1500u
#define STEPS 200

static struct {
	unsigned long out, in, refused, faults;
} seen;

struct input {
	const uint8_t *p;
	size_t left;
};

static uint8_t byte(struct input *in)
{
	if (in->left == 0) {
		return 0;
	}
	in->left--;
	return *in->p++;
}

static uint32_t number(struct input *in)
{
	/* small ones mostly, and the edges */
	static const uint32_t edge[] = {0,    1,     11,    12,	   13,	  25,	      26,
					1530, 65535, 65566, 65567, 70000, 0x7fffffff, 0xffffffff};
	uint8_t b = byte(in);

	return b < 128 ? b * 16u : edge[b % (sizeof(edge) / sizeof(edge[0]))];
}

struct world {
	struct eg *g;
	struct virtio_net *net;
	struct virtio_dev *dev;
	int host[PAIRS];
	int tap[PAIRS];
};

static void build(struct world *w)
{
	struct virtio_net_config cfg = {.mac = {2}, .mtu = MTU, .n_pairs = PAIRS, .uso = true};

	for (unsigned i = 0; i < PAIRS; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) < 0) {
			abort();
		}
		cfg.tap[i] = w->tap[i] = pair[0];
		w->host[i] = pair[1];
	}
	w->g = eg_create_sized(32ull << 20);
	if (virtio_net_create(eg_mem(w->g), &cfg, &w->net) < 0) {
		abort();
	}
	w->dev = virtio_net_dev(w->net);
}

static void tell(const struct world *w, const struct virtio_net_stats *st)
{
	fuzz_outcome("%u sent, %u refused, %s", (unsigned)st->tx_frames, (unsigned)st->tx_refused,
		     w->dev->n_faults ? w->dev->last_fault : "no fault");
}

static void tear_down(struct world *w)
{
	struct virtio_net_stats st;

	virtio_net_stats(w->net, &st);
	tell(w, &st);
	seen.in += st.rx_frames;
	seen.refused += st.tx_refused;
	seen.faults += w->dev->n_faults;
	virtio_net_destroy(w->net);
	eg_destroy(w->g);
	for (unsigned i = 0; i < PAIRS; i++) {
		close(w->tap[i]);
		close(w->host[i]);
	}
}

/* What the kernel is handed must be what net_hdr.h promises. */
static void check_sent(struct world *w, unsigned i)
{
	static uint8_t buf[NET_HDR_LEN + NET_FRAME_MAX + 1];
	struct net_hdr h;
	ssize_t n;

	while ((n = recv(w->host[i], buf, sizeof(buf), 0)) > 0) {
		uint32_t len = (uint32_t)n - NET_HDR_LEN;

		memcpy(&h, buf, sizeof(h));
		if (n < (ssize_t)(NET_HDR_LEN + NET_ETH_LEN) || len > NET_FRAME_MAX ||
		    (h.flags & ~NET_HDR_NEEDS_CSUM) || h.num_buffers != 0 ||
		    ((h.flags & NET_HDR_NEEDS_CSUM) && h.csum_start + h.csum_offset + 2u > len) ||
		    (h.gso_type ? h.gso_size == 0 || h.gso_size > MTU
				: len > MTU + NET_LINK_EXTRA)) {
			fprintf(stderr, "fuzz_net: a bad frame went out\n");
			abort();
		}
		seen.out++;
	}
}

static void add_chain(struct world *w, struct input *in)
{
	static uint8_t bytes[128];
	struct eg_buf b[6];
	unsigned q = byte(in) % (2 * PAIRS + 1);
	unsigned n = 1 + byte(in) % 6;
	bool rx = q < 2 * PAIRS && q % 2 == 0;

	if (eg_free_descs(w->g, q) < n + 1) { /* a lie may take one more */
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		uint32_t len = number(in) % 70000;

		b[i] = byte(in) % 16 == 0 ? (struct eg_buf){.len = len, .in = !rx}
					  : (struct eg_buf){.len = len, .in = rx};
	}
	if (!rx) { /* a header, half of them sound */
		for (unsigned i = 0; i < sizeof(bytes); i++) {
			bytes[i] = byte(in);
		}
		if (bytes[12] & 1) {
			memset(bytes, 0, NET_HDR_LEN);
		}
		b[0].out = bytes;
		b[0].len = b[0].len % sizeof(bytes);
		if (q == 2 * PAIRS && n > 1) {
			b[n - 1].in = true;
		}
	}
	eg_lie(w->g, byte(in) % 8 == 0 ? (enum eg_lie)(byte(in) % EG_LIE_COUNT) : EG_LIE_NONE);
	eg_indirect(w->g, byte(in) & 1);
	(void)eg_add_chain(w->g, q, b, n);
	eg_kick(w->g, q);
}

/* Receive buffers as Linux gives them. */
static void refill(struct world *w, struct input *in)
{
	unsigned q = VIRTIO_NET_Q_RX(byte(in) % PAIRS);
	uint32_t len = 1536u + byte(in) * 16u;

	for (unsigned i = 0; i < 48 && eg_free_descs(w->g, q) > 0; i++) {
		struct eg_buf b = EG_IN(len);

		(void)eg_add_chain(w->g, q, &b, 1);
	}
	eg_kick(w->g, q);
}

static void frame_in(struct world *w, struct input *in)
{
	static uint8_t buf[NET_HDR_LEN + NET_FRAME_MAX];
	unsigned i = byte(in) % PAIRS;
	uint32_t len = number(in) % sizeof(buf);

	(void)!send(w->host[i], buf, len ? len : 1, 0);
	virtio_net_event(w->net, i, EPOLLIN);
}

static void scribble(struct world *w, struct input *in)
{
	struct eg_desc d = {.addr = number(in), .len = number(in)};
	unsigned q = byte(in) % (2 * PAIRS + 1);

	d.flags = byte(in) % 8;
	d.next = byte(in);
	eg_desc_set(w->g, q, byte(in) % 64, &d);
	eg_avail_push(w->g, q, byte(in) % 70);
	eg_kick(w->g, q);
}

static void start(struct world *w, struct input *in)
{
	uint64_t drop = 0;

	for (unsigned i = byte(in) % 4; i > 0; i--) {
		drop |= 1ull << byte(in) % 64;
	}
	(void)eg_start(w->g, w->dev, eg_offered(w->dev) & ~drop, 64);
}

static void step(struct world *w, struct input *in)
{
	unsigned i = byte(in) % PAIRS;
	struct eg_used u;

	switch (byte(in) % 16) {
	case 0:
		start(w, in);
		break;
	case 1:
		scribble(w, in);
		break;
	case 2:
		virtio_net_event(w->net, i, EPOLLOUT);
		break;
	case 3:
		virtio_net_set_link(w->net, byte(in) & 1);
		break;
	case 4:
	case 5:
		refill(w, in);
		break;
	case 6:
	case 7:
	case 8:
		frame_in(w, in);
		break;
	default:
		add_chain(w, in);
	}
	check_sent(w, i);
	(void)virtio_net_wants(w->net, i);
	while (eg_used_next(w->g, byte(in) % (2 * PAIRS + 1), &u)) {
		continue;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.p = data, .left = size};
	struct world w;

	build(&w);
	(void)eg_start(w.g, w.dev, EG_ALL_OFFERED, 64);
	for (unsigned i = 0; i < STEPS && in.left > 0; i++) {
		if (eg_needs_reset(w.g)) {
			start(&w, &in);
		}
		step(&w, &in);
	}
	tear_down(&w);
	return 0;
}

#ifndef VOLT_LIBFUZZER
/* Frames must go both ways, some be refused, and the device be driven into faults. */
static bool smoke(void)
{
	static uint8_t program[4096];

	for (unsigned i = 0; i < 1000; i++) {
		for (size_t k = 0; k < sizeof(program); k++) {
			program[k] = (uint8_t)fuzz_random();
		}
		(void)LLVMFuzzerTestOneInput(program, sizeof(program));
	}
	printf("# %lu frames out, %lu in, %lu refused, %lu faults\n", seen.out, seen.in,
	       seen.refused, seen.faults);
	return seen.out && seen.in && seen.refused && seen.faults;
}

static const struct fuzz_known known[] = {
	FUZZ_KNOWN("nothing", "0 sent, 0 refused, no fault"),
	FUZZ_KNOWN("sent", "1 sent, 0 refused, no fault"),
	FUZZ_REPAIRED("bad-next", "0 sent, 0 refused, bad chain", "1 sent, 0 refused, no fault", 5,
		      0),
	FUZZ_REPAIRED("bad-receive-buffer", "0 sent, 0 refused, not a receive buffer",
		      "0 sent, 0 refused, no fault", 5, 1),
	FUZZ_REPAIRED("bad-control", "0 sent, 0 refused, not a control request",
		      "0 sent, 0 refused, no fault", 3, 1),
	FUZZ_REPAIRED("bad-flags", "0 sent, 1 refused, no fault", "1 sent, 0 refused, no fault", 6,
		      0),
};
#endif

FUZZ_MAIN("net", known, smoke)
