/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices.h - every virtio device of the vmm, with backends that do nothing dear
 *
 * For fuzz_mmio.c and fuzz_virtio.c. Include after fuzz.h.
 */
#ifndef TESTS_FUZZ_DEVICES_H
#define TESTS_FUZZ_DEVICES_H

#include "tests/c/evil_guest.h"
#include "vmm/virtio_balloon.h"
#include "vmm/virtio_console.h"
#include "vmm/virtio_fs.h"
#include "vmm/virtio_rng.h"
#include "vmm/vsock.h"

enum fuzz_kind {
	FUZZ_RNG,
	FUZZ_BALLOON,
	FUZZ_CONSOLE,
	FUZZ_VSOCK,
	FUZZ_FS,
	FUZZ_KINDS,
};

static const char *const fuzz_kind_names[FUZZ_KINDS] = {"rng", "balloon", "console", "vsock", "fs"};

/** struct fuzz_rig - one device and its guest */
struct fuzz_rig {
	enum fuzz_kind kind;
	struct eg *g;
	struct virtio_dev *dev;
	struct virtio_rng *rng;
	struct virtio_balloon *balloon;
	struct virtio_console *console;
	struct vsock *vsock;
	struct virtio_fs *fs;
	uint64_t now;
	unsigned n_conns;
	unsigned fs_started;
};

static uint64_t fuzz_now(void *ctx)
{
	return ((struct fuzz_rig *)ctx)->now;
}

static int fuzz_fs_start(void *ctx, const struct virtq_layout *l, unsigned n, uint64_t features)
{
	struct fuzz_rig *r = ctx;

	(void)features;
	fuzz_must(r->fs_started == 0, "the file server is started once");
	for (unsigned q = 0; q < n; q++) {
		if (l[q].ready) {
			fuzz_must(l[q].size > 0 && l[q].size <= VIRTIO_FS_QUEUE_MAX, "queue size");
			fuzz_must(gmem_check(r->dev->mem, (gpa_t){l[q].desc}, l[q].size * 16ull) ==
					  0,
				  "a layout that was handed out lies in RAM");
		}
	}
	r->fs_started = 1;
	return 0;
}

static void fuzz_fs_stop(void *ctx)
{
	struct fuzz_rig *r = ctx;

	fuzz_must(r->fs_started == 1, "the file server is stopped once");
	r->fs_started = 0;
}

/* Reads what came, sends it back, and closes now and then. */
static void fuzz_conn_readable(void *ctx, struct vsock_conn *c)
{
	struct iovec iov[2];
	size_t n = vsock_conn_peek(c, iov);

	(void)ctx;
	fuzz_must(n <= VSOCK_BUF_BYTES, "a connection holds no more than its buffer");
	if (n > 0) {
		(void)vsock_conn_send(c, iov[0].iov_base, iov[0].iov_len); /* as far as it goes */
	}
	vsock_conn_consume(c, n);
	if (n % 16 == 15) {
		vsock_conn_shutdown(c, true, false);
	}
}

static void fuzz_conn_closed(void *ctx, struct vsock_conn *c)
{
	struct fuzz_rig *r = ctx;

	(void)c;
	fuzz_must(r->n_conns > 0, "a connection is closed once");
	r->n_conns--;
}

static const struct vsock_endpoint fuzz_endpoint = {
	.readable = fuzz_conn_readable,
	.closed = fuzz_conn_closed,
};

static int fuzz_accept(void *ctx, uint32_t port, struct vsock_conn *conn,
		       const struct vsock_endpoint **ep, void **ep_ctx)
{
	struct fuzz_rig *r = ctx;

	(void)conn;
	if (port % 8 == 7) {
		return -1;
	}
	r->n_conns++;
	fuzz_must(r->n_conns <= VSOCK_MAX_CONNS, "connections are bounded");
	*ep = &fuzz_endpoint;
	*ep_ctx = r;
	return 0;
}

static void fuzz_rig_make(struct fuzz_rig *r, enum fuzz_kind kind)
{
	const struct virtio_rng_owner owner = {.now_ms = fuzz_now, .ctx = r};
	const struct virtio_fs_config fs = {
		.tag = "volt",
		.n_request_queues = 1,
		.backend = {.start = fuzz_fs_start, .stop = fuzz_fs_stop, .ctx = r},
	};
	int rc = -1;

	memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->g = eg_create_sized(32ull << 20);
	switch (kind) {
	case FUZZ_RNG:
		rc = virtio_rng_create(eg_mem(r->g), &owner, &r->rng);
		r->dev = rc == 0 ? virtio_rng_dev(r->rng) : NULL;
		break;
	case FUZZ_BALLOON:
		rc = virtio_balloon_create(eg_mem(r->g), &r->balloon);
		r->dev = rc == 0 ? virtio_balloon_dev(r->balloon) : NULL;
		break;
	case FUZZ_CONSOLE:
		rc = virtio_console_create(eg_mem(r->g), NULL, NULL, &r->console);
		r->dev = rc == 0 ? virtio_console_dev(r->console) : NULL;
		break;
	case FUZZ_VSOCK:
		rc = vsock_create(eg_mem(r->g), fuzz_accept, r, &r->vsock);
		r->dev = rc == 0 ? vsock_dev(r->vsock) : NULL;
		break;
	case FUZZ_FS:
		rc = virtio_fs_create(eg_mem(r->g), &fs, &r->fs);
		r->dev = rc == 0 ? virtio_fs_dev(r->fs) : NULL;
		break;
	case FUZZ_KINDS:
		break;
	}
	fuzz_must(rc == 0 && r->dev, "make the device");
	r->now += 1000; /* the entropy device begins with no tokens */
}

/* Time passes, and the event loop runs. */
static void fuzz_rig_work(struct fuzz_rig *r, unsigned ms)
{
	r->now += ms;
	if (r->rng) {
		virtio_rng_tick(r->rng);
	}
	if (r->vsock) {
		vsock_work(r->vsock);
	}
	if (r->fs && ms == 255) {
		virtio_fs_fault(r->fs, "the file server says so");
	}
}

/* What holds after any sequence. */
static void fuzz_rig_check(struct fuzz_rig *r)
{
	uint32_t status = eg_status(r->dev);
	char tail[300];

	fuzz_must((eg_reg_read(r->dev, 0x60) & ~3u) == 0, "InterruptStatus has two bits");
	fuzz_must(!((status & VIRTIO_S_NEEDS_RESET) && r->dev->active), "a faulty device rests");
	fuzz_must(!(r->dev->active && !(status & VIRTIO_S_DRIVER_OK)), "active means DRIVER_OK");
	fuzz_must(!(status & VIRTIO_S_NEEDS_RESET) || r->dev->n_faults > 0, "faults are counted");
	fuzz_must(r->dev->n_faults == 0 || r->dev->last_fault, "a fault has a reason");
	if (r->console) {
		size_t n = virtio_console_tail(r->console, tail, sizeof(tail));

		fuzz_must(n < sizeof(tail) && strlen(tail) == n, "the tail is a string");
		for (size_t i = 0; i < n; i++) {
			fuzz_must(tail[i] == '\n' || tail[i] == '\t' ||
					  (tail[i] >= ' ' && tail[i] < 127),
				  "the tail is printable");
		}
	}
}

static void fuzz_rig_drop(struct fuzz_rig *r)
{
	virtio_rng_destroy(r->rng);
	virtio_balloon_destroy(r->balloon);
	virtio_console_destroy(r->console);
	vsock_destroy(r->vsock);
	virtio_fs_destroy(r->fs);
	fuzz_must(r->n_conns == 0, "all connections were closed");
	fuzz_must(r->fs_started == 0, "the file server was stopped");
	eg_destroy(r->g);
}

#endif /* TESTS_FUZZ_DEVICES_H */
