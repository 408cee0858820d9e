/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_mmio.c - sequences of register accesses, at every offset and width
 *
 * The first byte picks the device. Each step is 8 bytes: what to do, where (most offsets are
 * turned into those of registers), how wide, and a value; some values are replaced by
 * such that get somewhere: guest addresses of a valid queue, the next status.
 */
#include "fuzz.h"

#include <linux/virtio_mmio.h>

#include "devices.h"

#define MAX_STEPS 256
#define PAGE	  0x1000u

static unsigned n_up[FUZZ_KINDS], n_faults[FUZZ_KINDS], n_refused;

/* Every register a driver writes or reads, and their neighbours. */
static const uint16_t registers[] = {
	VIRTIO_MMIO_MAGIC_VALUE,
	VIRTIO_MMIO_VERSION,
	VIRTIO_MMIO_DEVICE_ID,
	VIRTIO_MMIO_VENDOR_ID,
	VIRTIO_MMIO_DEVICE_FEATURES,
	VIRTIO_MMIO_DEVICE_FEATURES_SEL,
	VIRTIO_MMIO_DRIVER_FEATURES,
	VIRTIO_MMIO_DRIVER_FEATURES_SEL,
	VIRTIO_MMIO_QUEUE_SEL,
	VIRTIO_MMIO_QUEUE_NUM_MAX,
	VIRTIO_MMIO_QUEUE_NUM,
	VIRTIO_MMIO_QUEUE_READY,
	VIRTIO_MMIO_QUEUE_NOTIFY,
	VIRTIO_MMIO_INTERRUPT_STATUS,
	VIRTIO_MMIO_INTERRUPT_ACK,
	VIRTIO_MMIO_STATUS,
	VIRTIO_MMIO_QUEUE_DESC_LOW,
	VIRTIO_MMIO_QUEUE_DESC_HIGH,
	VIRTIO_MMIO_QUEUE_AVAIL_LOW,
	VIRTIO_MMIO_QUEUE_AVAIL_HIGH,
	VIRTIO_MMIO_QUEUE_USED_LOW,
	VIRTIO_MMIO_QUEUE_USED_HIGH,
	VIRTIO_MMIO_CONFIG_GENERATION,
	VIRTIO_MMIO_CONFIG,
	VIRTIO_MMIO_CONFIG + 4,
	VIRTIO_MMIO_CONFIG + 36,
	0x0ac, /* shared memory regions */
	0x0b0,
};

enum step {
	STEP_WRITE,
	STEP_READ,
	STEP_STATUS,	/* the next bit of the status machine, or a reset */
	STEP_QUEUE,	/* addresses of a good queue into the selected one */
	STEP_NEGOTIATE, /* features, honestly */
	STEP_START,	/* all of it, honestly */
	STEP_WORK,
	STEP_WILD, /* an access that no register has */
	STEP_COUNT,
};

static void access_page(struct fuzz_rig *r, bool write, uint32_t off, uint32_t len, uint64_t v)
{
	uint8_t buf[8];

	if (write) {
		memcpy(buf, &v, sizeof(buf));
		virtio_mmio_write(r->dev, off, buf, len);
		return;
	}
	memset(buf, 0xa5, sizeof(buf));
	virtio_mmio_read(r->dev, off, buf, len);
	for (uint32_t i = len; i < sizeof(buf); i++) {
		fuzz_must(buf[i] == 0xa5, "a read fills what was asked for only");
	}
}

static void put_queue(struct fuzz_rig *r, unsigned q, uint32_t v)
{
	struct virtq_layout l =
		eg_queue_make(r->g, q % VIRTIO_MAX_QUEUES, 1u << v % 8,
			      (enum eg_layout_lie)((v >> 8 & 0xff) % EG_LAYOUT_COUNT));

	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_SEL, q);
	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_NUM, l.size);
	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)l.desc);
	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_DESC_HIGH, (uint32_t)(l.desc >> 32));
	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)l.avail);
	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, (uint32_t)(l.avail >> 32));
	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)l.used);
	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_USED_HIGH, (uint32_t)(l.used >> 32));
	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_READY, v >> 16 & 1);
}

static void step_status(struct fuzz_rig *r, uint32_t v)
{
	static const uint32_t order[] = {VIRTIO_S_ACKNOWLEDGE, VIRTIO_S_DRIVER,
					 VIRTIO_S_FEATURES_OK, VIRTIO_S_DRIVER_OK};
	uint32_t now = eg_status(r->dev);

	if (v % 16 == 0) {
		eg_reg_write(r->dev, VIRTIO_MMIO_STATUS, 0);
		return;
	}
	for (unsigned i = 0; i < 4; i++) {
		if (!(now & order[i])) {
			eg_reg_write(r->dev, VIRTIO_MMIO_STATUS, now | order[i]);
			return;
		}
	}
}

static void one_step(struct fuzz_rig *r, struct fuzz_in *in)
{
	static const uint32_t widths[] = {4, 1, 2, 8};
	enum step what = (enum step)(fuzz_u8(in) % STEP_COUNT);
	uint8_t where = fuzz_u8(in);
	uint16_t width = (uint16_t)fuzz_uint(in, 2);
	uint32_t v = (uint32_t)fuzz_uint(in, 4);

	switch (what) {
	case STEP_WRITE:
	case STEP_READ:
		access_page(r, what == STEP_WRITE,
			    registers[where % (sizeof(registers) / sizeof(registers[0]))],
			    width % 16 ? 4 : widths[width / 16 % 4], v);
		break;
	case STEP_STATUS:
		step_status(r, v);
		break;
	case STEP_QUEUE:
		put_queue(r, where % 4, v);
		break;
	case STEP_NEGOTIATE:
		(void)eg_negotiate(r->g, r->dev, v % 2 ? EG_ALL_OFFERED : v);
		break;
	case STEP_START:
		(void)eg_start(r->g, r->dev, EG_ALL_OFFERED, 1u << where % 8);
		break;
	case STEP_WORK:
		fuzz_rig_work(r, where);
		break;
	case STEP_WILD:
		access_page(r, v % 2, (v >> 1) % PAGE, widths[width % 4], v * 0x9e3779b97f4a7c15u);
		break;
	case STEP_COUNT:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {.data = data, .len = size};
	enum fuzz_kind kind = (enum fuzz_kind)(fuzz_u8(&in) % FUZZ_KINDS);
	struct fuzz_rig r;
	bool up = false;

	fuzz_rig_make(&r, kind);
	for (unsigned i = 0; i < MAX_STEPS && in.len > 0; i++) {
		one_step(&r, &in);
		up |= r.dev->active;
	}
	fuzz_rig_check(&r);
	n_up[kind] += up;
	n_faults[kind] += r.dev->n_faults > 0;
	n_refused += r.dev->n_refused > 0;
	fuzz_outcome("%s: %s%s%s", fuzz_kind_names[kind], up ? "up" : "down",
		     r.dev->n_faults ? ", " : "", r.dev->n_faults ? r.dev->last_fault : "");
	fuzz_rig_drop(&r);
	return 0;
}

#ifndef VOLT_LIBFUZZER
static bool smoke(void)
{
	uint8_t data[1 + 8 * 40];
	bool all = true;

	for (int i = 0; i < 2400; i++) {
		for (size_t b = 0; b < sizeof(data); b++) {
			data[b] = (uint8_t)fuzz_random();
		}
		(void)LLVMFuzzerTestOneInput(data, sizeof(data));
	}
	for (int k = 0; k < FUZZ_KINDS; k++) {
		printf("# %s: %u, at fault %u\n", fuzz_kind_names[k], n_up[k], n_faults[k]);
		all &= n_up[k] > 50 && n_faults[k] > 2;
	}
	return all && n_refused > 100;
}

static const struct fuzz_known known[] = {
	FUZZ_KNOWN("rng-up", "rng: up"),
	FUZZ_KNOWN("fs-up", "fs: up, the file server says so"),
	FUZZ_KNOWN("blk-up", "blk: up"),
	FUZZ_KNOWN("net-up", "net: up"),
	FUZZ_KNOWN("vhost-up", "vhost: up"),
	FUZZ_KNOWN("status-by-hand", "rng: up"),
	FUZZ_REPAIRED("bad-layout", "console: down, queue layout is invalid", "console: up", 14,
		      EG_LAYOUT_HONEST),
	FUZZ_REPAIRED("bad-blk-layout", "blk: down, queue layout is invalid", "blk: up", 14,
		      EG_LAYOUT_HONEST),
	FUZZ_REPAIRED("bad-blk-no-queue", "blk: down, device could not be activated", "blk: up", 15,
		      1),
	FUZZ_REPAIRED("bad-net-no-queue", "net: down, device could not be activated", "net: up", 15,
		      1),
};
#endif

FUZZ_MAIN("mmio", known, smoke)
