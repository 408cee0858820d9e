/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net_kernel.c - a network device whose queue pairs the kernel serves
 */
#include "cm.h"

#include <errno.h>
#include <sys/epoll.h>

#include "net_fixture.h"

static struct {
	bool running[PAIRS];
	bool attached[PAIRS];
	unsigned n_starts;
	unsigned n_stops;
	uint64_t features;
	struct virtq_layout rx;
	int start_rc[PAIRS];
	int attach_rc;
} kern;

static int kern_start(void *ctx, unsigned pair, const struct virtq_layout l[2], uint64_t features)
{
	(void)ctx;
	assert_false(kern.running[pair]);
	assert_true(l[0].ready && l[1].ready);
	kern.rx = l[0];
	kern.features = features;
	kern.n_starts++;
	kern.running[pair] = kern.start_rc[pair] == 0;
	return kern.start_rc[pair];
}

static void kern_stop(void *ctx, unsigned pair)
{
	(void)ctx;
	assert_true(kern.running[pair]);
	kern.running[pair] = false;
	kern.n_stops++;
}

static int kern_attach(void *ctx, unsigned pair, bool on)
{
	(void)ctx;
	assert_true(kern.attached[pair] != on);
	kern.attached[pair] = kern.attach_rc == 0 ? on : kern.attached[pair];
	return kern.attach_rc;
}

static const struct virtio_net_kernel kern_ops = {
	.start = kern_start, .stop = kern_stop, .attach = kern_attach};

static int setup_kernel(void **state)
{
	struct virtio_net_config cfg = {.mtu = MTU, .n_pairs = PAIRS, .kernel = &kern_ops};
	struct fixture *f;

	memset(&kern, 0, sizeof(kern));
	memset(kern.attached, 1, sizeof(kern.attached)); /* as taps come */
	if (setup(state) != 0) {
		return -1;
	}
	f = *state;
	virtio_net_destroy(f->net);
	assert_int_equal(virtio_net_create(eg_mem(f->g), &cfg, &f->net), 0);
	f->dev = virtio_net_dev(f->net);
	return 0;
}

static void test_the_kernel_serves_the_pairs(void **state)
{
	struct fixture *f = *state;
	uint64_t addr[2];
	uint32_t irq = 0;

	assert_int_equal(f->dev->kernel_queues, (1u << 2 * PAIRS) - 1);
	start(f, EG_ALL_OFFERED);
	assert_int_equal(kern.n_starts, PAIRS);
	assert_int_equal(kern.rx.size, 256);
	assert_true(kern.features & NETF_MRG_RXBUF);
	assert_true(kern.attached[0] && !kern.attached[1] && !kern.attached[2]);
	/* nothing of it is ours any more */
	assert_int_equal(virtio_net_wants(f->net, 0), 0);
	guest_gives(f, 0, 2, RX_BUF, addr);
	host_sends(f, 0, 60, 0);
	virtio_net_event(f->net, 0, EPOLLIN | EPOLLOUT);
	assert_int_equal(eg_used_idx(f->g, VIRTIO_NET_Q_RX(0)), 0);
	/* whoever asks for the interrupt's cause is sent to the queues, each time */
	for (unsigned i = 0; i < 2; i++) {
		virtio_mmio_read(f->dev, 0x60, &irq, sizeof(irq));
		assert_int_equal(irq & VIRTIO_IRQ_QUEUE, VIRTIO_IRQ_QUEUE);
		virtio_mmio_write(f->dev, 0x64, &irq, sizeof(irq));
	}
	/* but the control queue is */
	assert_true(set_pairs(f, PAIRS));
	assert_true(kern.attached[0] && kern.attached[1] && kern.attached[2]);
	assert_true(set_pairs(f, 2));
	assert_true(kern.attached[1] && !kern.attached[2]);
	kern.attach_rc = -EIO;
	assert_false(set_pairs(f, 1));
	kern.attach_rc = 0;

	eg_reset(f->g);
	assert_int_equal(kern.n_stops, PAIRS);
	start(f, EG_ALL_OFFERED);
	assert_int_equal(kern.n_starts, 2 * PAIRS);
	assert_true(kern.attached[0] && !kern.attached[1] && !kern.attached[2]);
	virtio_net_destroy(f->net); /* the VM ends without a reset */
	f->net = NULL;
	assert_int_equal(kern.n_stops, 2 * PAIRS);
}

static void test_a_kernel_that_will_not(void **state)
{
	struct fixture *f = *state;

	kern.start_rc[1] = -EFAULT;
	assert_false(eg_start(f->g, f->dev, EG_ALL_OFFERED, 256));
	assert_true(eg_needs_reset(f->g));
	assert_int_equal(kern.n_stops, 1); /* the first one's */
	kern.start_rc[1] = 0;
	start(f, EG_ALL_OFFERED);
	kern.attach_rc = -EIO;
	eg_reset(f->g);
	assert_int_equal(kern.n_stops, 1 + PAIRS);
	assert_true(eg_start(f->g, f->dev, EG_ALL_OFFERED, 256)); /* they are attached as needed */
}

static void test_a_fault_stops_the_kernel(void **state)
{
	struct fixture *f = *state;
	struct eg_buf b = EG_IN(1);

	start(f, EG_ALL_OFFERED);
	(void)eg_add_chain(f->g, Q_CTRL, &b, 1);
	eg_kick(f->g, Q_CTRL);
	assert_true(eg_needs_reset(f->g));
	assert_int_equal(kern.n_stops, PAIRS);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup_kernel, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_the_kernel_serves_the_pairs),
		T(test_a_kernel_that_will_not),
		T(test_a_fault_stops_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
