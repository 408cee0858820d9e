/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_mmio.c - the register page of a virtio-mmio device, version 2
 *
 * How this works: the status register is a state machine, written down as the
 * table of transitions a driver may ask for, and each register has the set of
 * states in which a write means anything. A write outside both is ignored and
 * counted. Queue addresses are only remembered while the driver programs them;
 * they are judged together when it says DRIVER_OK, and what is wrong then ends
 * in NEEDS_RESET.
 */
#include <linux/virtio_mmio.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "vmm/virtio.h"

#define MMIO_MAGIC   0x74726976u /* "virt" */
#define MMIO_VERSION 2u
#define MMIO_VENDOR  0x544c4f56u /* "VOLT" */

/**
 * enum reg_state - what the status register says
 *
 * RESET -> ACK -> DRIVER -> FEATURES -> LIVE, each by one write of the driver
 * (DRIVER -> FEATURES only with acceptable features). Any but RESET -> DEAD by
 * FAILED (driver) or NEEDS_RESET (device). Any -> RESET by writing 0.
 */
enum reg_state {
	ST_RESET,
	ST_ACK,
	ST_DRIVER,
	ST_FEATURES,
	ST_LIVE,
	ST_DEAD,
	ST_COUNT,
};

#define IN(state) (1u << (state))
#define IN_ANY	  (IN(ST_COUNT) - 1u)
#define IN_CONFIG (IN(ST_DRIVER) | IN(ST_FEATURES) | IN(ST_LIVE))

#define STATUS_ACK	(VIRTIO_S_ACKNOWLEDGE)
#define STATUS_DRIVER	(STATUS_ACK | VIRTIO_S_DRIVER)
#define STATUS_FEATURES (STATUS_DRIVER | VIRTIO_S_FEATURES_OK)
#define STATUS_LIVE	(STATUS_FEATURES | VIRTIO_S_DRIVER_OK)

static const struct {
	uint32_t from;
	uint32_t to;
} legal_transition[] = {
	{0, STATUS_ACK},
	{STATUS_ACK, STATUS_DRIVER},
	{STATUS_DRIVER, STATUS_FEATURES},
	{STATUS_FEATURES, STATUS_LIVE},
};

/* Where a write is accepted. What is not listed is read-only or doesn't exist. */
static const struct {
	uint32_t off;
	uint32_t states;
} writable[] = {
	{VIRTIO_MMIO_DEVICE_FEATURES_SEL, IN_ANY},
	{VIRTIO_MMIO_DRIVER_FEATURES_SEL, IN(ST_DRIVER)},
	{VIRTIO_MMIO_DRIVER_FEATURES, IN(ST_DRIVER)},
	{VIRTIO_MMIO_QUEUE_SEL, IN_ANY},
	{VIRTIO_MMIO_QUEUE_NUM, IN(ST_FEATURES)},
	{VIRTIO_MMIO_QUEUE_READY, IN(ST_FEATURES)},
	{VIRTIO_MMIO_QUEUE_DESC_LOW, IN(ST_FEATURES)},
	{VIRTIO_MMIO_QUEUE_DESC_HIGH, IN(ST_FEATURES)},
	{VIRTIO_MMIO_QUEUE_AVAIL_LOW, IN(ST_FEATURES)},
	{VIRTIO_MMIO_QUEUE_AVAIL_HIGH, IN(ST_FEATURES)},
	{VIRTIO_MMIO_QUEUE_USED_LOW, IN(ST_FEATURES)},
	{VIRTIO_MMIO_QUEUE_USED_HIGH, IN(ST_FEATURES)},
	{VIRTIO_MMIO_QUEUE_NOTIFY, IN(ST_LIVE)},
	{VIRTIO_MMIO_STATUS, IN_ANY},
	{VIRTIO_MMIO_SHM_SEL, IN_ANY},
};

static enum reg_state state_of(uint32_t status)
{
	if (status & (VIRTIO_S_NEEDS_RESET | VIRTIO_S_FAILED)) {
		return ST_DEAD;
	}
	switch (status) {
	case 0:
		return ST_RESET;
	case STATUS_ACK:
		return ST_ACK;
	case STATUS_DRIVER:
		return ST_DRIVER;
	case STATUS_FEATURES:
		return ST_FEATURES;
	case STATUS_LIVE:
		return ST_LIVE;
	default:
		return ST_DEAD; /* no transition leads here */
	}
}

static uint64_t offered(const struct virtio_dev *dev)
{
	return dev->ops->features | VIRTIO_F_VERSION_1;
}

static uint32_t half_get(uint64_t v, uint32_t sel)
{
	return sel == 0 ? (uint32_t)v : sel == 1 ? (uint32_t)(v >> 32) : 0;
}

static void half_set(uint64_t *p, uint32_t sel, uint32_t v)
{
	unsigned shift = sel == 0 ? 0 : 32;

	*p = (*p & ~(0xffffffffull << shift)) | (uint64_t)v << shift;
}

/* The layout that QueueSel names; NULL when there is no such queue. */
static struct virtq_layout *selected(struct virtio_dev *dev)
{
	return dev->queue_sel < dev->n_queues ? &dev->layout[dev->queue_sel] : NULL;
}

static void queues_reset(struct virtio_dev *dev)
{
	for (unsigned q = 0; q < VIRTIO_MAX_QUEUES; q++) {
		virtq_reset(&dev->vq[q]);
		dev->layout[q] = (struct virtq_layout){.size = 0};
	}
}

static void device_reset(struct virtio_dev *dev)
{
	if (dev->status !=
	    0) { /* in RESET there is nothing to forget: spares each device's first write */
		dev->ops->reset(dev);
	}
	dev->active = false;
	queues_reset(dev);
	dev->status = 0;
	dev->driver_features = 0;
	dev->driver_features_bad = false;
	dev->features_sel = 0;
	dev->driver_features_sel = 0;
	dev->queue_sel = 0;
	atomic_store(dev->irq_status, 0);
}

/* Wake who serves the queue: another thread by its eventfd, or the device right here. */
static void queue_kick(struct virtio_dev *dev, uint32_t q)
{
	uint64_t one = 1;

	if (!dev->active || q >= dev->n_queues || !dev->vq[q].ready) {
		return;
	}
	if (dev->kick_fd[q] >= 0) {
		/* Fails only when the counter is full: then a kick is pending anyway. */
		(void)!write(dev->kick_fd[q], &one, sizeof(one));
	} else if (!dev->ops->external) {
		dev->ops->notify(dev, q);
	}
}

static int queues_setup(struct virtio_dev *dev)
{
	for (unsigned q = 0; q < dev->n_queues; q++) {
		const struct virtq_layout *l = &dev->layout[q];

		/* External queues, too: their server then gets layouts that were checked here. */
		if (l->ready && virtq_setup(&dev->vq[q], dev->mem, l, dev->ops->queue_max,
					    dev->driver_features) < 0) {
			return -1;
		}
	}
	return 0;
}

static void device_activate(struct virtio_dev *dev)
{
	if (queues_setup(dev) < 0) {
		virtio_dev_fault(dev, "queue layout is invalid");
		return;
	}
	if (dev->ops->activate(dev) < 0) {
		virtio_dev_fault(dev, "device could not be activated");
		return;
	}
	if (dev->status & VIRTIO_S_NEEDS_RESET) {
		return; /* activate() found a fault and said so itself */
	}
	dev->active = true;
	/* Drivers may fill queues before DRIVER_OK, when their kicks don't count. */
	for (unsigned q = 0; q < dev->n_queues; q++) {
		if (virtq_pending(&dev->vq[q])) {
			queue_kick(dev, q);
		}
	}
}

static bool features_acceptable(const struct virtio_dev *dev)
{
	return !dev->driver_features_bad && !(dev->driver_features & ~offered(dev)) &&
	       (dev->driver_features & VIRTIO_F_VERSION_1);
}

static bool transition_is_legal(uint32_t from, uint32_t to)
{
	for (size_t i = 0; i < VR_ARRAY_SIZE(legal_transition); i++) {
		if (legal_transition[i].from == from && legal_transition[i].to == to) {
			return true;
		}
	}
	return false;
}

static void status_write(struct virtio_dev *dev, uint32_t v)
{
	uint32_t asked =
		v & ~VIRTIO_S_NEEDS_RESET; /* the device's own bit, read back by the driver */

	if (v == 0) {
		device_reset(dev);
		return;
	}
	if (asked == (dev->status & ~VIRTIO_S_NEEDS_RESET)) {
		return;
	}
	if ((asked & VIRTIO_S_FAILED) && dev->status != 0) {
		dev->status |=
			VIRTIO_S_FAILED; /* the driver gave up: nothing is served until reset */
		dev->active = false;
		return;
	}
	if (!transition_is_legal(dev->status, asked)) {
		dev->n_refused++;
		return;
	}
	if (asked == STATUS_FEATURES && !features_acceptable(dev)) {
		return; /* doesn't stick: the driver reads it back (virtio 1.2, 3.1.1) */
	}
	dev->status = asked;
	if (asked == STATUS_LIVE) {
		device_activate(dev);
	}
}

static void driver_features_write(struct virtio_dev *dev, uint32_t v)
{
	if (dev->driver_features_sel <= 1) {
		half_set(&dev->driver_features, dev->driver_features_sel, v);
	} else if (v != 0) {
		dev->driver_features_bad = true;
	}
}

static void queue_write(struct virtio_dev *dev, uint32_t off, uint32_t v)
{
	struct virtq_layout *l = selected(dev);

	/* Of a queue that is ready only QueueReady may be written, to take it back. */
	if (!l || (l->ready && off != VIRTIO_MMIO_QUEUE_READY)) {
		dev->n_refused++;
		return;
	}
	switch (off) {
	case VIRTIO_MMIO_QUEUE_NUM:
		l->size = v;
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		l->ready = v & 1u;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		half_set(&l->desc, off == VIRTIO_MMIO_QUEUE_DESC_HIGH, v);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		half_set(&l->avail, off == VIRTIO_MMIO_QUEUE_AVAIL_HIGH, v);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		half_set(&l->used, off == VIRTIO_MMIO_QUEUE_USED_HIGH, v);
		break;
	default:
		break;
	}
}

static bool write_is_allowed(const struct virtio_dev *dev, uint32_t off)
{
	for (size_t i = 0; i < VR_ARRAY_SIZE(writable); i++) {
		if (writable[i].off == off) {
			return (writable[i].states & IN(state_of(dev->status))) != 0;
		}
	}
	return false;
}

static void reg_write(struct virtio_dev *dev, uint32_t off, uint32_t v)
{
	if (!write_is_allowed(dev, off)) {
		dev->n_refused++;
		return;
	}
	switch (off) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		dev->features_sel = v;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		dev->driver_features_sel = v;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		driver_features_write(dev, v);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		dev->queue_sel = v;
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		queue_kick(dev, v);
		break;
	case VIRTIO_MMIO_STATUS:
		status_write(dev, v);
		break;
	case VIRTIO_MMIO_SHM_SEL:
		break; /* no device has a region: all read as absent */
	default:
		queue_write(dev, off, v);
		break;
	}
}

static uint32_t reg_read(struct virtio_dev *dev, uint32_t off)
{
	const struct virtq_layout *l = selected(dev);

	switch (off) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MMIO_MAGIC;
	case VIRTIO_MMIO_VERSION:
		return MMIO_VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return dev->ops->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return MMIO_VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return half_get(offered(dev), dev->features_sel);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return l ? dev->ops->queue_max : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return l ? l->ready : 0;
	case VIRTIO_MMIO_STATUS:
		return dev->status;
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return dev->config_generation;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return UINT32_MAX; /* this shared memory region doesn't exist */
	default:
		return 0;
	}
}

static bool config_range(const struct virtio_dev *dev, uint32_t off, uint32_t len)
{
	return (len == 1 || len == 2 || len == 4 || len == 8) &&
	       vr_range_inside(off, len, VIRTIO_MMIO_CONFIG, dev->ops->config_len);
}

static void config_write(struct virtio_dev *dev, uint32_t off, const void *buf, uint32_t len)
{
	if (!(IN_CONFIG & IN(state_of(dev->status)))) {
		dev->n_refused++;
	} else if (dev->ops->config_write && config_range(dev, off, len)) {
		dev->ops->config_write(dev, off - VIRTIO_MMIO_CONFIG, buf, len);
	}
}

void virtio_mmio_read_placeholder(uint32_t off, void *buf, uint32_t len)
{
	static const struct {
		uint32_t off;
		uint32_t value;
	} regs[] = {
		{VIRTIO_MMIO_MAGIC_VALUE, MMIO_MAGIC},
		{VIRTIO_MMIO_VERSION, MMIO_VERSION},
		{VIRTIO_MMIO_VENDOR_ID, MMIO_VENDOR},
	};

	for (size_t i = 0; i < VR_ARRAY_SIZE(regs); i++) {
		if (off == regs[i].off && len == sizeof(regs[i].value)) {
			memcpy(buf, &regs[i].value, len);
		}
	}
}

void virtio_mmio_read(struct virtio_dev *dev, uint32_t off, void *buf, uint32_t len)
{
	bool is_reg = len == sizeof(uint32_t) && off % 4 == 0 && off < VIRTIO_MMIO_CONFIG;
	uint32_t v;

	memset(buf, 0, len);
	if (is_reg && off == VIRTIO_MMIO_INTERRUPT_STATUS) {
		v = atomic_load(dev->irq_status);
		v |= dev->kernel_queues ? VIRTIO_IRQ_QUEUE : 0; /* drivers look for themselves */
		memcpy(buf, &v, sizeof(v));
		return;
	}
	(void)pthread_mutex_lock(&dev->lock);
	if (is_reg) {
		v = reg_read(dev, off);
		memcpy(buf, &v, sizeof(v));
	} else if (config_range(dev, off, len)) {
		dev->ops->config_read(dev, off - VIRTIO_MMIO_CONFIG, buf, len);
	}
	(void)pthread_mutex_unlock(&dev->lock);
}

void virtio_mmio_write(struct virtio_dev *dev, uint32_t off, const void *buf, uint32_t len)
{
	bool is_reg = len == sizeof(uint32_t) && off % 4 == 0 && off < VIRTIO_MMIO_CONFIG;
	uint32_t v = 0;

	if (is_reg) {
		memcpy(&v, buf, sizeof(v));
	}
	if (is_reg && off == VIRTIO_MMIO_INTERRUPT_ACK) {
		atomic_fetch_and(dev->irq_status, ~v);
		return;
	}
	(void)pthread_mutex_lock(&dev->lock);
	if (is_reg) {
		reg_write(dev, off, v);
	} else if (off >= VIRTIO_MMIO_CONFIG) {
		config_write(dev, off, buf, len);
	} else {
		dev->n_refused++;
	}
	(void)pthread_mutex_unlock(&dev->lock);
}
