/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_virtio.c - what a driver puts into the queues of each device
 *
 * The first byte picks the device, which is brought up honestly. Each step adds a chain
 * (of buffers with content from the input, with or without a lie), writes raw
 * descriptors and ring indices, kicks, or lets time pass. For vsock there are also packets
 * whose headers are nearly right.
 */
#include "fuzz.h"

#include "devices.h"
#include "vmm/vsock_pkt.h"

#define MAX_STEPS 128
#define CHUNK_MAX 512u
#define Q_SIZE	  32u
#define LIE_DESCS 8u /* enough for any lie */

static unsigned n_served[FUZZ_KINDS], n_faults[FUZZ_KINDS];

enum step {
	STEP_CHAIN,
	STEP_LYING_CHAIN,
	STEP_PACKET, /* vsock; a chain elsewhere */
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

	if (r->kind != FUZZ_VSOCK || eg_free_descs(r->g, 1) < 4) {
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
		add_packet(r, in);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {.data = data, .len = size};
	enum fuzz_kind kind = (enum fuzz_kind)(fuzz_u8(&in) % FUZZ_KINDS);
	bool served = false, raw = false;
	struct fuzz_rig r;

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
	fuzz_outcome("%s: %s%s%s", fuzz_kind_names[kind], served ? "served" : "idle",
		     r.dev->n_faults ? ", " : "", r.dev->n_faults ? r.dev->last_fault : "");
	fuzz_rig_drop(&r);
	return 0;
}

#ifndef VOLT_LIBFUZZER
static bool smoke(void)
{
	uint8_t data[400];
	bool all = true;

	for (int i = 0; i < 1500; i++) {
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
	FUZZ_REPAIRED("bad-cycle", "rng: idle, bad chain", "rng: served", 3, EG_LIE_NONE),
	FUZZ_REPAIRED("bad-vsock-length", "vsock: idle, tx packet shorter than its header says",
		      "vsock: served", 14, 0),
};
#endif

FUZZ_MAIN("virtio", known, smoke)
