/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_virtio_mmio.c - the register page and the common part of devices
 */
#include <errno.h>
#include <linux/virtio_mmio.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "evil_guest.h"

#define FEATURES   (1ull << 0 | 1ull << 40 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC)
#define QUEUE_MAX  64u
#define CONFIG_LEN 12u

/** struct toy - a device with two queues that counts what is done to it */
struct toy {
	struct virtio_dev dev;
	unsigned n_activate;
	unsigned n_reset;
	unsigned n_notify[2];
	int activate_ret;
	bool fault_in_activate;
	uint8_t config[CONFIG_LEN];
	unsigned n_told; /* on_fault */
};

static struct toy *toy_of(struct virtio_dev *dev)
{
	return (struct toy *)dev;
}

static int toy_activate(struct virtio_dev *dev)
{
	toy_of(dev)->n_activate++;
	if (toy_of(dev)->fault_in_activate) {
		virtio_dev_fault(dev, "toy");
	}
	return toy_of(dev)->activate_ret;
}

static void toy_reset(struct virtio_dev *dev)
{
	toy_of(dev)->n_reset++;
	assert_true(dev->status != 0); /* queues and status are still there */
}

static void toy_notify(struct virtio_dev *dev, unsigned q)
{
	struct iovec iov[4];
	struct virtq_chain c = {.iov = iov, .cap = 4};
	int ret;

	toy_of(dev)->n_notify[q]++;
	while ((ret = virtq_pop(&dev->vq[q], &c)) == 1) {
		assert_int_equal(virtq_push(&dev->vq[q], c.head, 0), 0);
	}
	if (ret < 0) {
		virtio_dev_fault(dev, "toy: bad chain");
		return;
	}
	virtio_dev_interrupt(dev, q);
}

static void toy_config_read(struct virtio_dev *dev, uint32_t off, void *buf, uint32_t len)
{
	assert_true(off + len <= CONFIG_LEN);
	memcpy(buf, toy_of(dev)->config + off, len);
}

static void toy_config_write(struct virtio_dev *dev, uint32_t off, const void *buf, uint32_t len)
{
	assert_true(off + len <= CONFIG_LEN);
	memcpy(toy_of(dev)->config + off, buf, len);
}

#define TOY_OPS                                                                                    \
	.name = "toy", .id = VIRTIO_ID_RNG, .features = FEATURES, .n_queues = 2,                   \
	.queue_max = QUEUE_MAX, .config_len = CONFIG_LEN, .activate = toy_activate,                \
	.reset = toy_reset, .notify = toy_notify, .config_read = toy_config_read

static const struct virtio_ops toy_ops = {TOY_OPS, .config_write = toy_config_write};
static const struct virtio_ops fixed_config_ops = {TOY_OPS};
static const struct virtio_ops external_ops = {TOY_OPS, .external = true};

/** struct rig - the toy and its guest */
struct rig {
	struct eg *g;
	struct toy toy;
	struct virtio_dev *dev;
};

static void told(void *ctx, struct virtio_dev *dev)
{
	struct rig *r = ctx;

	assert_non_null(dev->last_fault);
	r->toy.n_told++;
}

static void rig_device(struct rig *r, const struct virtio_ops *ops)
{
	virtio_dev_finish(r->dev);
	memset(&r->toy, 0, sizeof(r->toy));
	assert_int_equal(virtio_dev_init(r->dev, ops, eg_mem(r->g)), 0);
	r->dev->on_fault = told;
	r->dev->on_fault_ctx = r;
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->g = eg_create();
	r->dev = &r->toy.dev;
	rig_device(r, &toy_ops);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	virtio_dev_finish(r->dev);
	virtio_dev_finish(r->dev); /* a second time does no harm */
	eg_destroy(r->g);
	free(r);
	return 0;
}

static void status_write(struct rig *r, uint32_t v)
{
	eg_reg_write(r->dev, VIRTIO_MMIO_STATUS, v);
}

static void test_identity(void **state)
{
	struct rig *r = *state;

	assert_true(eg_reg_read(r->dev, 0x000) == 0x74726976);
	assert_int_equal(eg_reg_read(r->dev, 0x004), 2);
	assert_int_equal(eg_reg_read(r->dev, 0x008), VIRTIO_ID_RNG);
	assert_true(eg_offered(r->dev) == (FEATURES | VIRTIO_F_VERSION_1));
	eg_reg_write(r->dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	assert_int_equal(eg_reg_read(r->dev, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	for (uint32_t off = 0xb0; off <= 0xbc; off += 4) {
		assert_true(eg_reg_read(r->dev, off) == UINT32_MAX);
	}
	assert_int_equal(eg_reg_read(r->dev, 0x0c0), 0);
}

static void test_init_refuses_unsound_ops(void **state)
{
	struct rig *r = *state;
	struct virtio_ops bad = toy_ops;
	struct virtio_dev dev;

	bad.n_queues = VIRTIO_MAX_QUEUES + 1;
	assert_int_equal(virtio_dev_init(&dev, &bad, eg_mem(r->g)), -EINVAL);
	bad = toy_ops;
	bad.queue_max = 48;
	assert_int_equal(virtio_dev_init(&dev, &bad, eg_mem(r->g)), -EINVAL);
	bad.queue_max = 2 * VIRTQ_MAX_SIZE;
	assert_int_equal(virtio_dev_init(&dev, &bad, eg_mem(r->g)), -EINVAL);
	bad = toy_ops;
	bad.notify = NULL;
	assert_int_equal(virtio_dev_init(&dev, &bad, eg_mem(r->g)), -EINVAL);
	bad = toy_ops;
	bad.config_read = NULL;
	assert_int_equal(virtio_dev_init(&dev, &bad, eg_mem(r->g)), -EINVAL);
}

/* Every pair of values: only the table's transitions change the status. */
static void test_status_transitions(void **state)
{
	struct rig *r = *state;
	static const uint32_t path[] = {0, 1, 3, 11, 15};

	for (unsigned from = 0; from < 5; from++) {
		for (uint32_t to = 1; to < 256; to++) {
			uint32_t asked = to & ~VIRTIO_S_NEEDS_RESET;
			uint32_t expect = path[from];

			eg_negotiate(r->g, r->dev, 0);
			status_write(r, 0);
			for (unsigned i = 1; i <= from; i++) {
				if (path[i] == 11) {
					eg_reg_write(r->dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
					eg_reg_write(r->dev, VIRTIO_MMIO_DRIVER_FEATURES, 1);
				}
				status_write(r, path[i]);
			}
			assert_int_equal(eg_status(r->dev), path[from]);
			status_write(r, to);
			if (from < 4 && asked == path[from + 1] && asked != 11) {
				expect = asked;
			} else if (from > 0 && (asked & VIRTIO_S_FAILED)) {
				expect = path[from] | VIRTIO_S_FAILED;
			}
			assert_int_equal(eg_status(r->dev), expect);
		}
	}
}

static void test_features(void **state)
{
	struct rig *r = *state;

	assert_true(eg_negotiate(r->g, r->dev, EG_ALL_OFFERED) == (FEATURES | VIRTIO_F_VERSION_1));
	assert_true(r->dev->driver_features == (FEATURES | VIRTIO_F_VERSION_1));
	assert_true(eg_negotiate(r->g, r->dev, 0) == VIRTIO_F_VERSION_1);
	assert_true(eg_negotiate(r->g, r->dev, 1ull << 41) == 0); /* not offered */
	assert_int_equal(eg_status(r->dev), 3);
	assert_true(eg_negotiate(r->g, r->dev, 1ull << 63) == 0);
	/* After it didn't stick the driver may ask for less. */
	eg_reg_write(r->dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	eg_reg_write(r->dev, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	status_write(r, 11);
	assert_int_equal(eg_status(r->dev), 11);
	/* Too late to change them now. */
	eg_reg_write(r->dev, VIRTIO_MMIO_DRIVER_FEATURES, 0);
	assert_true(r->dev->driver_features == VIRTIO_F_VERSION_1);
}

static void test_version_1_is_required(void **state)
{
	struct rig *r = *state;

	status_write(r, 1);
	status_write(r, 3);
	status_write(r, 11);
	assert_int_equal(eg_status(r->dev), 3);
	/* A bit beyond the 64 that exist. */
	eg_reg_write(r->dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	eg_reg_write(r->dev, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	eg_reg_write(r->dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 2);
	eg_reg_write(r->dev, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	status_write(r, 11);
	assert_int_equal(eg_status(r->dev), 3);
}

static void test_life(void **state)
{
	struct rig *r = *state;
	struct eg_buf b = EG_IN(8);
	struct eg_used u;

	assert_true(eg_start(r->g, r->dev, 0, 256));
	assert_int_equal(r->toy.n_activate, 1);
	assert_int_equal(r->toy.n_reset, 0); /* nothing to forget before the first life */
	assert_true(r->dev->active);
	assert_int_equal(eg_layout(r->g, 0)->size, QUEUE_MAX);
	eg_add_chain(r->g, 1, &b, 1);
	eg_kick(r->g, 1);
	assert_int_equal(r->toy.n_notify[0], 0);
	assert_int_equal(r->toy.n_notify[1], 1);
	assert_true(eg_used_next(r->g, 1, &u));
	assert_int_equal(eg_irq_take(r->g), VIRTIO_IRQ_QUEUE);
	assert_int_equal(eg_irq_take(r->g), 0);
	eg_kick(r->g, 2); /* no such queue */
	eg_kick(r->g, UINT32_MAX);
	assert_false(eg_needs_reset(r->g));
	eg_reset(r->g);
	assert_int_equal(r->toy.n_reset, 1);
	assert_false(r->dev->active);
	assert_int_equal(eg_status(r->dev), 0);
	assert_false(r->dev->vq[1].ready);
	eg_kick(r->g, 1);
	assert_int_equal(r->toy.n_notify[1], 1);
	assert_true(eg_start(r->g, r->dev, EG_ALL_OFFERED, 8)); /* and again */
}

static void test_reset_clears_interrupts(void **state)
{
	struct rig *r = *state;

	assert_true(eg_start(r->g, r->dev, 0, 8));
	virtio_dev_config_changed(r->dev);
	assert_int_equal(eg_reg_read(r->dev, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_IRQ_CONFIG);
	eg_reset(r->g);
	assert_int_equal(eg_reg_read(r->dev, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}

static void test_ack_clears_only_what_it_names(void **state)
{
	struct rig *r = *state;

	assert_true(eg_start(r->g, r->dev, 0, 8));
	virtio_irq_raise(r->dev->irq_status, -1, VIRTIO_IRQ_QUEUE);
	virtio_irq_raise(r->dev->irq_status, -1, VIRTIO_IRQ_CONFIG);
	eg_reg_write(r->dev, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_IRQ_QUEUE);
	assert_int_equal(eg_reg_read(r->dev, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_IRQ_CONFIG);
	eg_reg_write(r->dev, VIRTIO_MMIO_INTERRUPT_STATUS, 0); /* read-only */
	assert_int_equal(eg_reg_read(r->dev, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_IRQ_CONFIG);
}

static void test_queue_registers(void **state)
{
	struct rig *r = *state;

	assert_true(eg_negotiate(r->g, r->dev, 0) != 0);
	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_SEL, 1);
	assert_int_equal(eg_reg_read(r->dev, VIRTIO_MMIO_QUEUE_NUM_MAX), QUEUE_MAX);
	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_SEL, 2);
	assert_int_equal(eg_reg_read(r->dev, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_NUM, 4);
	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_READY, 1);
	assert_int_equal(eg_reg_read(r->dev, VIRTIO_MMIO_QUEUE_READY), 0);
	eg_queue_setup(r->g, 1, 16);
	assert_int_equal(eg_reg_read(r->dev, VIRTIO_MMIO_QUEUE_READY), 1);
	assert_memory_equal(&r->dev->layout[1], eg_layout(r->g, 1), sizeof(struct virtq_layout));
	/* While it is ready nothing changes. */
	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_NUM, 8);
	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_DESC_HIGH, 8);
	assert_memory_equal(&r->dev->layout[1], eg_layout(r->g, 1), sizeof(struct virtq_layout));
	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_READY, 0);
	assert_int_equal(eg_reg_read(r->dev, VIRTIO_MMIO_QUEUE_READY), 0);
	eg_reg_write(r->dev, VIRTIO_MMIO_QUEUE_NUM, 8);
	assert_int_equal(r->dev->layout[1].size, 8);
}

static void test_fewer_queues_than_the_kind_has(void **state)
{
	struct rig *r = *state;

	r->dev->n_queues = 1;
	assert_true(eg_start(r->g, r->dev, 0, 8));
	assert_false(r->dev->vq[1].ready);
	eg_kick(r->g, 1);
	assert_int_equal(r->toy.n_notify[1], 0);
}

/* A write of each register in each state: queue and feature registers move in one state only. */
static void test_writes_in_the_wrong_state(void **state)
{
	struct rig *r = *state;
	static const uint32_t queue_regs[] = {0x38, 0x44, 0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4};
	struct virtq_layout before;
	uint64_t refused;

	for (uint32_t status = 0; status < 4; status++) { /* 0, 1, (2), 3 */
		status_write(r, 0);
		for (uint32_t s = 1; s <= status; s = s * 2 + 1) {
			status_write(r, s);
		}
		for (unsigned i = 0; i < 8; i++) {
			eg_reg_write(r->dev, queue_regs[i], 1);
		}
		before = (struct virtq_layout){0};
		assert_memory_equal(&r->dev->layout[0], &before, sizeof(before));
	}
	assert_true(eg_start(r->g, r->dev, 0, 16));
	before = r->dev->layout[1];
	refused = r->dev->n_refused;
	for (unsigned i = 0; i < 8; i++) {
		eg_reg_write(r->dev, queue_regs[i], 0);
	}
	eg_reg_write(r->dev, VIRTIO_MMIO_DRIVER_FEATURES, 0);
	eg_reg_write(r->dev, VIRTIO_MMIO_MAGIC_VALUE, 0);
	eg_reg_write(r->dev, 0x0c0, 1);
	assert_memory_equal(&r->dev->layout[1], &before, sizeof(before));
	assert_int_equal(r->dev->n_refused, refused + 11);
	assert_true(r->dev->driver_features == VIRTIO_F_VERSION_1);
}

static void test_layout_lies_end_in_needs_reset(void **state)
{
	struct rig *r = *state;

	for (enum eg_layout_lie lie = 1; lie < EG_LAYOUT_COUNT; lie++) {
		assert_true(eg_negotiate(r->g, r->dev, 0) != 0);
		eg_queue_setup(r->g, 0, 16);
		eg_queue_setup_lying(r->g, 1, 16, lie);
		if (eg_driver_ok(r->g)) {
			fail_msg("'%s' came up", eg_layout_lie_name(lie));
		}
		assert_true(eg_needs_reset(r->g));
		assert_int_equal(eg_irq_take(r->g), VIRTIO_IRQ_CONFIG);
		assert_false(r->dev->active);
		eg_kick(r->g, 0);
	}
	assert_int_equal(r->toy.n_activate, 0);
	assert_int_equal(r->toy.n_notify[0], 0);
	assert_int_equal(r->dev->n_faults, EG_LAYOUT_COUNT - 1);
	assert_true(eg_start(r->g, r->dev, 0, 16)); /* all is forgiven after a reset */
}

static void test_activation_may_fail(void **state)
{
	struct rig *r = *state;

	r->toy.activate_ret = -EIO;
	assert_false(eg_start(r->g, r->dev, 0, 8));
	assert_true(eg_needs_reset(r->g));
	r->toy.activate_ret = 0;
	r->toy.fault_in_activate = true;
	assert_false(eg_start(r->g, r->dev, 0, 8));
	assert_false(r->dev->active);
	assert_int_equal(r->dev->n_faults, 2);
}

static void test_every_chain_lie_faults(void **state)
{
	struct rig *r = *state;

	for (enum eg_lie lie = EG_LIE_LEN_ZERO; lie < EG_LIE_COUNT; lie++) {
		struct eg_buf b[] = {EG_OUT("xy", 2), EG_IN(4)};
		bool legal = lie == EG_LIE_LEN_ZERO;
		bool agreed = lie != EG_LIE_INDIRECT_NOT_AGREED;

		assert_true(eg_start(r->g, r->dev, agreed ? VIRTIO_F_INDIRECT_DESC : 0, 64));
		eg_lie(r->g, lie);
		eg_add_chain(r->g, 0, b, 2);
		eg_kick(r->g, 0);
		if (eg_needs_reset(r->g) == legal) {
			fail_msg("'%s': needs reset is %d", eg_lie_name(lie), !legal);
		}
		if (!legal) {
			assert_int_equal(eg_irq_take(r->g), VIRTIO_IRQ_CONFIG);
			assert_string_equal(r->dev->last_fault, "toy: bad chain");
		}
	}
	assert_int_equal(r->dev->n_faults, EG_LIE_COUNT - 2);
	assert_int_equal(r->toy.n_told, 5); /* of 22: the 1st, 2nd, 4th, 8th, 16th */
}

static void test_needs_reset_is_sticky(void **state)
{
	struct rig *r = *state;

	assert_true(eg_start(r->g, r->dev, 0, 8));
	virtio_dev_fault(r->dev, "test");
	assert_int_equal(eg_status(r->dev), 15 | VIRTIO_S_NEEDS_RESET);
	status_write(r, 15); /* the driver can't take it back */
	status_write(r, 11);
	assert_int_equal(eg_status(r->dev), 15 | VIRTIO_S_NEEDS_RESET);
	eg_kick(r->g, 0);
	assert_int_equal(r->toy.n_notify[0], 0);
	status_write(r, 15 | VIRTIO_S_NEEDS_RESET | VIRTIO_S_FAILED); /* as Linux gives up */
	assert_int_equal(eg_status(r->dev), 15 | VIRTIO_S_NEEDS_RESET | VIRTIO_S_FAILED);
	status_write(r, 0);
	assert_int_equal(eg_status(r->dev), 0);
}

static void test_fault_before_driver_ok_is_silent(void **state)
{
	struct rig *r = *state;

	assert_true(eg_negotiate(r->g, r->dev, 0) != 0);
	virtio_dev_fault(r->dev, "test");
	assert_true(eg_needs_reset(r->g));
	assert_int_equal(eg_irq_take(r->g), 0);
	assert_false(eg_driver_ok(r->g));
	assert_int_equal(r->toy.n_activate, 0);
}

static void test_config_space(void **state)
{
	struct rig *r = *state;
	uint8_t buf[16];
	uint32_t gen = eg_reg_read(r->dev, VIRTIO_MMIO_CONFIG_GENERATION);

	for (unsigned i = 0; i < CONFIG_LEN; i++) {
		r->toy.config[i] = (uint8_t)(i + 1);
	}
	virtio_mmio_read(r->dev, 0x100 + 11, buf, 1);
	assert_int_equal(buf[0], 12);
	virtio_mmio_read(r->dev, 0x102, buf, 2);
	assert_memory_equal(buf, r->toy.config + 2, 2);
	virtio_mmio_read(r->dev, 0x104, buf, 8);
	assert_memory_equal(buf, r->toy.config + 4, 8);
	/* Outside, straddling the end, or of an odd length: zeros. */
	static const struct {
		uint32_t off;
		uint32_t len;
	} bad[] = {{12, 1}, {11, 2}, {8, 8}, {0, 3}, {0xefc, 4}, {UINT32_MAX - 0x100, 4}};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(buf, 0xff, sizeof(buf));
		virtio_mmio_read(r->dev, 0x100 + bad[i].off, buf, bad[i].len);
		assert_int_equal(buf[0] | buf[bad[i].len - 1], 0);
		assert_int_equal(buf[bad[i].len], 0xff);
	}
	virtio_mmio_write(r->dev, 0x100, "A", 1); /* no driver yet */
	assert_int_equal(r->toy.config[0], 1);
	assert_true(eg_negotiate(r->g, r->dev, 0) != 0);
	virtio_mmio_write(r->dev, 0x100, "A", 1);
	virtio_mmio_write(r->dev, 0x10a, "BCDE", 4); /* straddles the end */
	assert_int_equal(r->toy.config[0], 'A');
	assert_int_equal(r->toy.config[10], 11);
	virtio_dev_config_changed(r->dev);
	assert_int_equal(eg_irq_take(r->g), 0); /* only a live driver is interrupted */
	assert_int_equal(eg_reg_read(r->dev, VIRTIO_MMIO_CONFIG_GENERATION), gen + 1);
}

static void test_config_may_be_read_only(void **state)
{
	struct rig *r = *state;

	rig_device(r, &fixed_config_ops);
	assert_true(eg_start(r->g, r->dev, 0, 8));
	virtio_mmio_write(r->dev, 0x100, "A", 1);
	assert_int_equal(r->toy.config[0], 0);
}

static void test_odd_register_accesses(void **state)
{
	struct rig *r = *state;
	uint8_t buf[8];

	static const struct {
		uint32_t off;
		uint32_t len;
	} odd[] = {{0, 1}, {0, 2}, {0, 8}, {1, 4}, {2, 2}, {0x6e, 4}, {0xfe, 4}, {0xf8, 8}};
	for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		memset(buf, 0xff, sizeof(buf));
		virtio_mmio_read(r->dev, odd[i].off, buf, odd[i].len);
		assert_int_equal(buf[0] | buf[odd[i].len - 1], 0);
		virtio_mmio_write(r->dev, odd[i].off, buf, odd[i].len);
	}
	virtio_mmio_write(r->dev, VIRTIO_MMIO_STATUS, "\1", 1);
	assert_int_equal(eg_status(r->dev), 0);
}

static void test_kick_goes_to_the_eventfd(void **state)
{
	struct rig *r = *state;
	struct eg_buf b = EG_IN(8);
	uint64_t n = 0;

	assert_int_equal(virtio_dev_open_fds(r->dev), 0);
	assert_int_equal(r->dev->kick_fd[2], -1);
	assert_true(eg_start(r->g, r->dev, 0, 8));
	eg_add_chain(r->g, 0, &b, 1);
	eg_kick(r->g, 0);
	assert_int_equal(r->toy.n_notify[0], 0); /* the loop's business now */
	virtio_dev_kicked(r->dev, 0);
	assert_int_equal(r->toy.n_notify[0], 1);
	assert_int_equal(read(r->dev->kick_fd[0], &n, sizeof(n)), -1); /* drained */
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(read(r->dev->irq_fd, &n, sizeof(n)), sizeof(n));
	assert_int_equal(n, 1);
	virtio_dev_kicked(r->dev, 0); /* spurious: harmless */
	virtio_dev_kicked(r->dev, VIRTIO_MAX_QUEUES);
	eg_reset(r->g);
	virtio_dev_kicked(r->dev, 0); /* late: not delivered */
	assert_int_equal(r->toy.n_notify[0], 2);
}

static void test_buffers_from_before_driver_ok_are_seen(void **state)
{
	struct rig *r = *state;
	struct eg_buf b = EG_IN(8);
	struct eg_used u;

	assert_true(eg_negotiate(r->g, r->dev, 0) != 0);
	eg_queue_setup(r->g, 0, 8);
	eg_queue_setup(r->g, 1, 8);
	eg_add_chain(r->g, 1, &b, 1);
	eg_kick(r->g, 1); /* too early: ignored */
	assert_false(eg_used_next(r->g, 1, &u));
	assert_true(eg_driver_ok(r->g));
	assert_true(eg_used_next(r->g, 1, &u));
	assert_int_equal(r->toy.n_notify[0], 0);
}

static void test_external_device(void **state)
{
	struct rig *r = *state;
	_Atomic uint32_t shared = 0;
	uint64_t n = 0;

	rig_device(r, &external_ops);
	r->dev->irq_status = &shared;
	assert_int_equal(virtio_dev_open_fds(r->dev), 0);
	assert_true(eg_start(r->g, r->dev, 0, 8));
	eg_kick(r->g, 1);
	assert_int_equal(read(r->dev->kick_fd[1], &n, sizeof(n)), sizeof(n));
	virtio_dev_kicked(r->dev, 1);
	assert_int_equal(r->toy.n_notify[1], 0);
	virtio_irq_raise(&shared, r->dev->irq_fd, VIRTIO_IRQ_QUEUE); /* as the server does */
	assert_int_equal(eg_irq_take(r->g), VIRTIO_IRQ_QUEUE);
	/* Its layouts are judged here, before it hears of them. */
	assert_true(eg_negotiate(r->g, r->dev, 0) != 0);
	eg_queue_setup_lying(r->g, 0, 8, EG_LAYOUT_USED_OUTSIDE);
	assert_false(eg_driver_ok(r->g));
	assert_int_equal(r->toy.n_activate, 1);
}

/* A vCPU hammers registers while the loop serves kicks: for the thread sanitizer. */
static void *hammer(void *ctx)
{
	struct rig *r = ctx;

	for (unsigned i = 0; i < 2000; i++) {
		(void)eg_reg_read(r->dev, (i * 4) % 0x100);
		eg_reg_write(r->dev, VIRTIO_MMIO_INTERRUPT_ACK, 3);
		if (i % 100 == 99) {
			status_write(r, 0);
		}
	}
	return NULL;
}

static void test_registers_and_kicks_in_parallel(void **state)
{
	struct rig *r = *state;
	pthread_t t;

	assert_int_equal(virtio_dev_open_fds(r->dev), 0);
	assert_true(eg_start(r->g, r->dev, 0, 8));
	assert_int_equal(pthread_create(&t, NULL, hammer, r), 0);
	for (unsigned i = 0; i < 2000; i++) {
		virtio_dev_kicked(r->dev, i & 1);
	}
	(void)pthread_join(t, NULL);
	assert_int_equal(eg_status(r->dev), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void a_slot_without_a_device_is_a_placeholder(void **state)
{
	(void)state;
	for (uint32_t off = 0; off < 0x1000; off++) {
		for (uint32_t len = 1; len <= 8; len++) {
			uint64_t v = 0;
			uint64_t want = len != 4       ? 0
					: off == 0x000 ? 0x74726976 /* "virt" */
					: off == 0x004 ? 2	    /* version */
					: off == 0x00c ? 0x544c4f56 /* vendor */
						       : 0; /* device id 0: virtio 1.2, 4.2.2.2 */

			virtio_mmio_read_placeholder(off, &v, len);
			assert_int_equal(v, want);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_identity),
		T(test_init_refuses_unsound_ops),
		T(test_status_transitions),
		T(test_features),
		T(test_version_1_is_required),
		T(test_life),
		T(test_reset_clears_interrupts),
		T(test_ack_clears_only_what_it_names),
		T(test_queue_registers),
		T(test_fewer_queues_than_the_kind_has),
		T(test_writes_in_the_wrong_state),
		T(test_layout_lies_end_in_needs_reset),
		T(test_activation_may_fail),
		T(test_every_chain_lie_faults),
		T(test_needs_reset_is_sticky),
		T(test_fault_before_driver_ok_is_silent),
		T(test_config_space),
		T(test_config_may_be_read_only),
		T(test_odd_register_accesses),
		T(test_kick_goes_to_the_eventfd),
		T(test_buffers_from_before_driver_ok_are_seen),
		T(test_external_device),
		T(test_registers_and_kicks_in_parallel),
		cmocka_unit_test(a_slot_without_a_device_is_a_placeholder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
