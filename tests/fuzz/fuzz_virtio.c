/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_virtio.c - what a driver puts into the queues of each device
 *
 * The first byte picks the device, which is brought up honestly. Each step adds a chain
 * (of buffers with content from the input, with or without a lie), writes raw
 * descriptors and ring indices, kicks, or lets time pass. For vsock, disks and the network there
 * are also packets, requests and frames whose headers are nearly right.
 */
#include "fuzz.h"

#include "devices.h"
#include "vmm/vsock_pkt.h"

#define MAX_STEPS 128
#define CHUNK_MAX 512u
#define Q_SIZE	  32u
#define LIE_DESCS 8u /* enough for any lie */

#define NO_STATUS 0xee /* no disk answers this */

static unsigned n_served[FUZZ_KINDS], n_faults[FUZZ_KINDS];
static uint8_t blk_status; /* of the last request by add_request() */

enum step {
	STEP_CHAIN,
	STEP_LYING_CHAIN,
	STEP_PACKET, /* vsock, blk and net; nothing elsewhere */
	STEP_DESC,
	STEP_AVAIL,
	STEP_KICK,
	STEP_WORK,
	STEP_RESTART,
	STEP_COUNT,
};

static void restart(struct fuzz_rig *r, bool event_idx)
{
	uint64_t features = eg_offered(r->dev);

	(void)eg_start(r->g, r->dev, event_idx ? EG_ALL_OFFERED : features & ~VIRTIO_F_EVENT_IDX,
		       Q_SIZE);
}

static void add_chain(struct fuzz_rig *r, struct fuzz_in *in, unsigned q, enum eg_lie lie)
{
	static uint8_t out[4][CHUNK_MAX];
	struct eg_buf bufs[4];
	unsigned n_out = fuzz_u8(in) % 3, n_in = fuzz_u8(in) % 3, n = 0;

	if (n_out + n_in == 0 || eg_free_descs(r->g, q) < (lie ? LIE_DESCS : n_out + n_in)) {
		return;
	}
	for (unsigned i = 0; i < n_out; i++) {
		size_t want = fuzz_uint(in, 2) % CHUNK_MAX;

		bufs[n] = EG_OUT(out[n], fuzz_bytes(in, out[n], want));
		bufs[n].len += bufs[n].len == 0;
		n++;
	}
	for (unsigned i = 0; i < n_in; i++) {
		bufs[n] = EG_IN(1 + fuzz_uint(in, 2));
		n++;
	}
	eg_indirect(r->g, fuzz_u8(in) % 4 == 0);
	if (lie != EG_LIE_NONE) {
		eg_lie(r->g, lie);
	}
	(void)eg_add_chain(r->g, q, bufs, n);
}

static void add_packet(struct fuzz_rig *r, struct fuzz_in *in)
{
	static uint8_t packet[VSOCK_HDR_BYTES + CHUNK_MAX];
	struct vsock_hdr h = {
		.src_cid = VSOCK_GUEST_CID,
		.dst_cid = VSOCK_HOST_CID,
		.src_port = 5000 + fuzz_u8(in) % 4,
		.dst_port = 100 + fuzz_u8(in) % 8,
		.type = 1,
		.op = fuzz_u8(in) % 8,
		.flags = fuzz_u8(in) % 4,
		.buf_alloc = (uint32_t)fuzz_uint(in, 3),
		.fwd_cnt = (uint32_t)fuzz_uint(in, 2),
	};
	struct eg_buf b = EG_OUT(packet, 0);
	size_t n = fuzz_uint(in, 2) % CHUNK_MAX;
	uint8_t twist = fuzz_u8(in);

	if (eg_free_descs(r->g, 1) < 4) {
		return;
	}
	n = fuzz_bytes(in, packet + VSOCK_HDR_BYTES, n);
	h.len = twist % 16 == 1 ? (uint32_t)n + twist : (uint32_t)n;
	h.type = twist % 16 == 2 ? twist : h.type;
	h.src_cid += twist % 16 == 3;
	h.dst_cid += twist % 16 == 4;
	vsock_hdr_encode(&h, packet);
	b.len = (uint32_t)(VSOCK_HDR_BYTES + n);
	(void)eg_add_chain(r->g, 1, &b, 1);
	eg_kick(r->g, 1);
}

/* Wire form of a request's header (virtio 1.2, 5.2.6). */
struct blk_header {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

/* A request of whole sectors at both ends of the disk; buffers are cut where the input says. */
static void add_request(struct fuzz_rig *r, struct fuzz_in *in)
{
	static const uint32_t types[] = {VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_FLUSH,
					 VIRTIO_BLK_T_GET_ID};
	static const uint64_t far[] = {FUZZ_DISK_BYTES / VIRTIO_BLK_SECTOR, 1ull << 55,
				       UINT64_MAX / VIRTIO_BLK_SECTOR, UINT64_MAX};
	static uint8_t out[sizeof(struct blk_header) + 3 * VIRTIO_BLK_SECTOR + 15];
	struct blk_header h = {.type = types[fuzz_u8(in) % 4], .sector = fuzz_u8(in) % 18};
	uint32_t len = fuzz_u8(in) % 4 * VIRTIO_BLK_SECTOR;
	uint32_t cut = (uint32_t)fuzz_uint(in, 2);
	uint8_t twist = fuzz_u8(in);
	struct eg_buf bufs[4];
	unsigned n = 0;

	if (eg_free_descs(r->g, 0) < 4) {
		return;
	}
	h.sector = twist % 16 == 1 ? far[twist / 16 % 4] : h.sector;
	h.type = twist % 16 == 2 ? twist : h.type;
	len += twist % 16 == 3 ? twist / 16 : 0;
	memcpy(out, &h, sizeof(h));
	if (h.type == VIRTIO_BLK_T_OUT) {
		cut %= (uint32_t)sizeof(h) + len + 1;
		if (cut > 0) {
			bufs[n++] = EG_OUT(out, cut);
		}
		if (cut < sizeof(h) + len) {
			bufs[n++] = EG_OUT(out + cut, sizeof(h) + len - cut);
		}
		bufs[n++] = EG_IN(1);
	} else {
		len = h.type == VIRTIO_BLK_T_GET_ID ? 19 + len % 3 : len;
		cut = 1 + cut % (len + 1);
		bufs[n++] = EG_OUT(out, sizeof(h));
		bufs[n++] = EG_IN(cut);
		if (cut < len + 1) {
			bufs[n++] = EG_IN(len + 1 - cut);
		}
	}
	eg_indirect(r->g, twist >= 128);
	(void)eg_add_chain(r->g, 0, bufs, n);
	blk_status = NO_STATUS;
	eg_put(r->g, bufs[n - 1].addr + bufs[n - 1].len - 1, &blk_status, 1);
	eg_kick(r->g, 0);
	eg_get(r->g, bufs[n - 1].addr + bufs[n - 1].len - 1, &blk_status, 1);
}

/* A frame to send whose header is zeros mostly, or a buffer to receive one. */
static void add_frame(struct fuzz_rig *r, struct fuzz_in *in)
{
	static uint8_t frame[NET_HDR_LEN + FUZZ_NET_MTU + 64];
	unsigned q = fuzz_u8(in) % 2;
	uint8_t twist = fuzz_u8(in);
	size_t n = NET_HDR_LEN + fuzz_uint(in, 2) % (sizeof(frame) - NET_HDR_LEN);
	/* The device waits until the largest frame has room. */
	struct eg_buf b = q == VIRTIO_NET_Q_RX(0) ? EG_IN(twist < 128 ? n : n + NET_FRAME_MAX)
						  : EG_OUT(frame, n);

	if (eg_free_descs(r->g, q) < 1) {
		return;
	}
	memset(frame, 0, sizeof(frame));
	if (twist < 128) {
		frame[twist % NET_HDR_LEN] = fuzz_u8(in);
	}
	eg_indirect(r->g, false);
	(void)eg_add_chain(r->g, q, &b, 1);
	eg_kick(r->g, q);
}

static void put_desc(struct fuzz_rig *r, struct fuzz_in *in, unsigned q)
{
	struct eg_desc d = {
		.addr = fuzz_uint(in, 4),
		.len = (uint32_t)fuzz_uint(in, 3),
		.flags = fuzz_u8(in) % 8,
		.next = fuzz_u8(in) % (Q_SIZE + 1),
	};
	uint8_t twist = fuzz_u8(in);

	d.addr = twist % 8 == 0 ? d.addr << 32 : d.addr % (32u << 20);
	d.len = twist % 16 == 1 ? ~d.len : d.len;
	eg_desc_set(r->g, q, twist % Q_SIZE, &d);
}

/* Frees the descriptors, as a driver does. Raw ones may have led the device into the rings. */
static bool collect(struct fuzz_rig *r, bool raw)
{
	bool any = false;
	struct eg_used u;

	for (unsigned q = 0; q < r->dev->n_queues; q++) {
		for (unsigned i = 0; i < Q_SIZE && eg_used_next(r->g, q, &u); i++) {
			fuzz_must(raw || u.id < eg_layout(r->g, q)->size, "a chain is given back");
			any = true;
		}
	}
	return any;
}

static void one_step(struct fuzz_rig *r, struct fuzz_in *in)
{
	enum step what = (enum step)(fuzz_u8(in) % STEP_COUNT);
	unsigned q = fuzz_u8(in) % r->dev->n_queues;

	switch (what) {
	case STEP_CHAIN:
		add_chain(r, in, q, EG_LIE_NONE);
		eg_kick(r->g, q);
		break;
	case STEP_LYING_CHAIN:
		add_chain(r, in, q, (enum eg_lie)(fuzz_u8(in) % EG_LIE_COUNT));
		eg_kick(r->g, q);
		break;
	case STEP_PACKET:
		if (r->vsock) {
			add_packet(r, in);
		} else if (r->blk) {
			add_request(r, in);
		} else if (r->net) {
			add_frame(r, in);
		}
		break;
	case STEP_DESC:
		put_desc(r, in, q);
		break;
	case STEP_AVAIL:
		if (fuzz_u8(in) % 8 == 0) {
			eg_avail_idx_set(r->g, q, (uint16_t)fuzz_uint(in, 2));
		} else {
			eg_avail_push(r->g, q, fuzz_u8(in) % (Q_SIZE + 1));
		}
		break;
	case STEP_KICK:
		eg_kick(r->g, q);
		break;
	case STEP_WORK:
		fuzz_rig_work(r, fuzz_u8(in));
		break;
	case STEP_RESTART:
		restart(r, fuzz_u8(in) % 2);
		break;
	case STEP_COUNT:
		break;
	}
}

/* What came of it; for disks and the network with the answer to the last request or frame */
static void tell(struct fuzz_rig *r, bool served)
{
	struct virtio_net_stats st;
	char answer[64] = "";

	if (r->blk && blk_status != NO_STATUS) {
		(void)snprintf(answer, sizeof(answer), ", status %u", blk_status);
	} else if (r->net) {
		virtio_net_stats(r->net, &st);
		(void)snprintf(answer, sizeof(answer), ", %u sent, %u refused",
			       (unsigned)st.tx_frames, (unsigned)st.tx_refused);
	}
	fuzz_outcome("%s: %s%s%s%s", fuzz_kind_names[r->kind], served ? "served" : "idle", answer,
		     r->dev->n_faults ? ", " : "", r->dev->n_faults ? r->dev->last_fault : "");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {.data = data, .len = size};
	enum fuzz_kind kind = (enum fuzz_kind)(fuzz_u8(&in) % FUZZ_KINDS);
	bool served = false, raw = false;
	struct fuzz_rig r;

	blk_status = NO_STATUS;
	fuzz_rig_make(&r, kind);
	restart(&r, true);
	for (unsigned i = 0; i < MAX_STEPS && in.len > 0; i++) {
		raw |= in.data[0] % STEP_COUNT == STEP_DESC;
		one_step(&r, &in);
		served |= collect(&r, raw);
	}
	fuzz_rig_check(&r);
	n_served[kind] += served;
	n_faults[kind] += r.dev->n_faults > 0;
	tell(&r, served);
	fuzz_rig_drop(&r);
	return 0;
}

#ifndef VOLT_LIBFUZZER
static bool smoke(void)
{
	uint8_t data[400];
	bool all = true;

	for (int i = 0; i < 2400; i++) {
		for (size_t b = 0; b < sizeof(data); b++) {
			data[b] = (uint8_t)fuzz_random();
		}
		(void)LLVMFuzzerTestOneInput(data, sizeof(data));
	}
	for (int k = 0; k < FUZZ_KINDS; k++) {
		printf("# %s: %u, at fault %u\n", fuzz_kind_names[k], n_served[k], n_faults[k]);
		/* the queues of fs are served elsewhere: see fuzz_fuse.c */
		all &= k == FUZZ_FS || (n_served[k] > 10 && n_faults[k] > 20);
	}
	return all;
}

static const struct fuzz_known known[] = {
	FUZZ_KNOWN("rng-served", "rng: served"),
	FUZZ_KNOWN("vsock-request", "vsock: served"),
	FUZZ_KNOWN("balloon-report", "balloon: served"),
	FUZZ_KNOWN("console-text", "console: served"),
	FUZZ_KNOWN("blk-read", "blk: served, status 0"),
	FUZZ_KNOWN("blk-write", "blk: served, status 0"),
	FUZZ_KNOWN("net-frame", "net: served, 1 sent, 0 refused"),
	FUZZ_KNOWN("net-receive", "net: served, 0 sent, 0 refused"),
	FUZZ_REPAIRED("bad-cycle", "rng: idle, bad chain", "rng: served", 3, EG_LIE_NONE),
	FUZZ_REPAIRED("bad-vsock-length", "vsock: idle, tx packet shorter than its header says",
		      "vsock: served", 14, 0),
	FUZZ_REPAIRED("bad-blk-type", "blk: served, status 2", "blk: served, status 0", 8, 0),
	FUZZ_REPAIRED("bad-blk-end", "blk: served, status 1", "blk: served, status 0", 4, 14),
	FUZZ_REPAIRED("bad-blk-far", "blk: served, status 1", "blk: served, status 0", 8, 0),
	FUZZ_REPAIRED("bad-blk-odd", "blk: served, status 1", "blk: served, status 0", 8, 0),
	FUZZ_REPAIRED("bad-blk-header", "blk: idle, not a block request", "blk: served", 5, 16),
	FUZZ_REPAIRED("bad-blk-ro", "blk-ro: served, status 1", "blk: served, status 0", 0,
		      FUZZ_BLK),
	FUZZ_REPAIRED("bad-net-flags", "net: served, 0 sent, 1 refused",
		      "net: served, 1 sent, 0 refused", 7, 0),
	FUZZ_REPAIRED("bad-net-gso", "net: served, 0 sent, 1 refused",
		      "net: served, 1 sent, 0 refused", 7, 0),
	FUZZ_REPAIRED("bad-net-buffer", "net: idle, 0 sent, 0 refused, not a receive buffer",
		      "net: idle, 0 sent, 0 refused", 6, 1),
};
#endif

FUZZ_MAIN("virtio", known, smoke)
