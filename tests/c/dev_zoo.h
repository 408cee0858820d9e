/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dev_zoo.h - one of every device that the vmm has, with backends that do nothing
 *
 * For tests of what holds for all of them. Include after cmocka.h.
 */
#ifndef TESTS_DEV_ZOO_H
#define TESTS_DEV_ZOO_H

#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "evil_guest.h"
#include "vmm/virtio_balloon.h"
#include "vmm/virtio_blk.h"
#include "vmm/virtio_console.h"
#include "vmm/virtio_fs.h"
#include "vmm/virtio_net.h"
#include "vmm/virtio_rng.h"
#include "vmm/vsock.h"

#define ZOO_DISK_BYTES (1u << 20)
#define ZOO_QUEUE_SIZE 16u
#define ZOO_PAIRS      2u

enum zoo_kind {
	ZOO_CONSOLE,
	ZOO_VSOCK,
	ZOO_FS,
	ZOO_RNG,
	ZOO_BALLOON,
	ZOO_NET,
	ZOO_BLK,
	ZOO_VHOST, /* a network whose pairs are served elsewhere: by the kernel */
	ZOO_KINDS,
};

/**
 * struct zoo - the device under test and its guest
 * @fs_running: the file server was started and not stopped
 * @served:     by the kernel: these pairs
 * @detached:   these queues of the tap get no frames
 */
struct zoo {
	enum zoo_kind kind;
	struct eg *g;
	struct virtio_dev *dev;
	struct virtio_console *console;
	struct vsock *vsock;
	struct virtio_fs *fs;
	struct virtio_rng *rng;
	struct virtio_balloon *balloon;
	struct virtio_net *net;
	struct virtio_blk *blk;
	int fds[4];
	bool fs_running;
	bool served[ZOO_PAIRS];
	bool detached[ZOO_PAIRS];
	uint64_t now;
};

static inline uint64_t zoo_now(void *ctx)
{
	return ((struct zoo *)ctx)->now += 1000; /* the rng is never out of tokens */
}

static inline int zoo_fs_start(void *ctx, const struct virtq_layout *l, unsigned n, uint64_t f)
{
	struct zoo *z = ctx;

	(void)f;
	assert_false(z->fs_running);
	for (unsigned q = 0; q < n; q++) {
		if (l[q].ready) {
			assert_int_equal(gmem_check(eg_mem(z->g), gpa(l[q].desc), l[q].size * 16u),
					 0);
		}
	}
	z->fs_running = true;
	return 0;
}

static inline void zoo_fs_stop(void *ctx)
{
	struct zoo *z = ctx;

	assert_true(z->fs_running);
	z->fs_running = false;
}

static inline void zoo_net(struct zoo *z)
{
	struct virtio_net_config cfg = {
		.mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500, .n_pairs = ZOO_PAIRS, .uso = true};

	for (unsigned i = 0; i < ZOO_PAIRS; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
					    z->fds + 2 * i),
				 0);
		cfg.tap[i] = z->fds[2 * i];
	}
	assert_int_equal(virtio_net_create(eg_mem(z->g), &cfg, &z->net), 0);
	z->dev = virtio_net_dev(z->net);
}

static inline int zoo_vhost_start(void *ctx, unsigned pair, const struct virtq_layout l[2],
				  uint64_t features)
{
	struct zoo *z = ctx;

	(void)features;
	assert_true(pair < ZOO_PAIRS && !z->served[pair]);
	for (unsigned q = 0; q < 2; q++) {
		assert_true(l[q].ready);
		assert_int_equal(gmem_check(eg_mem(z->g), gpa(l[q].desc), l[q].size * 16u), 0);
		assert_int_equal(gmem_check(eg_mem(z->g), gpa(l[q].avail), l[q].size * 2u + 6), 0);
		assert_int_equal(gmem_check(eg_mem(z->g), gpa(l[q].used), l[q].size * 8u + 6), 0);
	}
	z->served[pair] = true;
	return 0;
}

static inline void zoo_vhost_stop(void *ctx, unsigned pair)
{
	struct zoo *z = ctx;

	assert_true(z->served[pair]);
	z->served[pair] = false;
}

static inline int zoo_vhost_attach(void *ctx, unsigned pair, bool on)
{
	struct zoo *z = ctx;

	assert_true(pair < ZOO_PAIRS && z->detached[pair] == on);
	z->detached[pair] = !on;
	return 0;
}

static inline void zoo_vhost(struct zoo *z)
{
	static const struct virtio_net_kernel kernel = {
		.start = zoo_vhost_start, .stop = zoo_vhost_stop, .attach = zoo_vhost_attach};
	const struct virtio_net_config cfg = {.mac = {2, 0, 0, 0, 0, 1},
					      .mtu = 1500,
					      .n_pairs = ZOO_PAIRS,
					      .tap = {-1, -1},
					      .kernel = &kernel,
					      .ctx = z};

	assert_int_equal(virtio_net_create(eg_mem(z->g), &cfg, &z->net), 0);
	z->dev = virtio_net_dev(z->net);
}

static inline void zoo_blk(struct zoo *z)
{
	struct virtio_blk_backend b = {.bytes = ZOO_DISK_BYTES, .serial = "zoo"};

	z->fds[0] = memfd_create("disk", MFD_CLOEXEC);
	assert_true(z->fds[0] >= 0);
	assert_int_equal(ftruncate(z->fds[0], ZOO_DISK_BYTES), 0);
	b.fd = z->fds[0];
	assert_int_equal(virtio_blk_create(eg_mem(z->g), &b, &z->blk), 0);
	z->dev = virtio_blk_dev(z->blk);
}

static inline void zoo_rest(struct zoo *z)
{
	const struct virtio_rng_owner owner = {.now_ms = zoo_now, .ctx = z};
	const struct virtio_fs_config fs = {
		.tag = "zoo",
		.n_request_queues = 2,
		.backend = {.start = zoo_fs_start, .stop = zoo_fs_stop, .ctx = z},
	};
	const struct gmem *mem = eg_mem(z->g);

	switch (z->kind) {
	case ZOO_CONSOLE:
		assert_int_equal(virtio_console_create(mem, NULL, NULL, &z->console), 0);
		z->dev = virtio_console_dev(z->console);
		break;
	case ZOO_VSOCK:
		assert_int_equal(vsock_create(mem, NULL, NULL, &z->vsock), 0);
		z->dev = vsock_dev(z->vsock);
		break;
	case ZOO_FS:
		assert_int_equal(virtio_fs_create(mem, &fs, &z->fs), 0);
		z->dev = virtio_fs_dev(z->fs);
		break;
	case ZOO_RNG:
		assert_int_equal(virtio_rng_create(mem, &owner, &z->rng), 0);
		z->dev = virtio_rng_dev(z->rng);
		break;
	default:
		assert_int_equal(virtio_balloon_create(mem, &z->balloon), 0);
		z->dev = virtio_balloon_dev(z->balloon);
		break;
	}
}

static inline void zoo_open(struct zoo *z, enum zoo_kind kind)
{
	*z = (struct zoo){.kind = kind, .fds = {-1, -1, -1, -1}};
	z->g = eg_create();
	if (kind == ZOO_NET) {
		zoo_net(z);
	} else if (kind == ZOO_BLK) {
		zoo_blk(z);
	} else if (kind == ZOO_VHOST) {
		zoo_vhost(z);
	} else {
		zoo_rest(z);
	}
}

static inline void zoo_close(struct zoo *z)
{
	virtio_console_destroy(z->console);
	vsock_destroy(z->vsock);
	virtio_fs_destroy(z->fs);
	virtio_rng_destroy(z->rng);
	virtio_balloon_destroy(z->balloon);
	virtio_net_destroy(z->net);
	virtio_blk_destroy(z->blk);
	assert_false(z->fs_running);
	assert_false(z->served[0] || z->served[1]);
	eg_destroy(z->g);
	for (unsigned i = 0; i < 4; i++) {
		if (z->fds[i] >= 0) {
			(void)close(z->fds[i]);
		}
	}
}

/** What the event loop does besides kicks */
static inline void zoo_work(struct zoo *z)
{
	if (z->vsock) {
		vsock_work(z->vsock);
	}
	if (z->kind == ZOO_NET) {
		virtio_net_event(z->net, 0, EPOLLIN | EPOLLOUT);
	}
}

#endif /* TESTS_DEV_ZOO_H */
