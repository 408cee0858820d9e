/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices.h - every virtio device of the vmm, with backends that do nothing dear
 *
 * For fuzz_mmio.c and fuzz_virtio.c. Include after fuzz.h.
 */
#ifndef TESTS_FUZZ_DEVICES_H
#define TESTS_FUZZ_DEVICES_H

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fdio.h"
#include "tests/c/evil_guest.h"
#include "vmm/virtio_balloon.h"
#include "vmm/virtio_blk.h"
#include "vmm/virtio_console.h"
#include "vmm/virtio_fs.h"
#include "vmm/virtio_net.h"
#include "vmm/virtio_rng.h"
#include "vmm/vsock.h"

enum fuzz_kind {
	FUZZ_RNG,
	FUZZ_BALLOON,
	FUZZ_CONSOLE,
	FUZZ_VSOCK,
	FUZZ_FS,
	FUZZ_BLK,
	FUZZ_BLK_RO,
	FUZZ_NET,
	FUZZ_VHOST, /* a network whose pairs the kernel serves, if there were one */
	FUZZ_KINDS,
};

static const char *const fuzz_kind_names[FUZZ_KINDS] = {"rng", "balloon", "console", "vsock", "fs",
							"blk", "blk-ro",  "net",     "vhost"};

#define FUZZ_DISK_BYTES	 8192u
#define FUZZ_DISK_FILL	 0x5a /* what is on a disk at first */
#define FUZZ_NET_MTU	 1500u
#define FUZZ_VHOST_PAIRS 2u

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
	struct virtio_blk *blk;
	struct virtio_net *net;
	int fd;	  /* the disk, or the device's end of what plays the tap; else -1 */
	int host; /* the tap's other end; else -1 */
	uint64_t now;
	unsigned n_conns;
	unsigned fs_started;
	bool vhost_runs[FUZZ_VHOST_PAIRS];
	bool vhost_detached[FUZZ_VHOST_PAIRS];
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

/* The image is a file in memory: what a write or a flush costs there is nothing. */
static int fuzz_blk_make(struct fuzz_rig *r, bool ro)
{
	struct virtio_blk_backend b = {.bytes = FUZZ_DISK_BYTES, .ro = ro, .serial = "volt-0"};
	uint8_t image[FUZZ_DISK_BYTES];

	memset(image, FUZZ_DISK_FILL, sizeof(image));
	r->fd = vr_memfd("disk", 0, 0);
	fuzz_must(r->fd >= 0 && pwrite(r->fd, image, sizeof(image), 0) == sizeof(image), "a disk");
	b.fd = r->fd;
	return virtio_blk_create(eg_mem(r->g), &b, &r->blk);
}

static int fuzz_net_make(struct fuzz_rig *r)
{
	struct virtio_net_config cfg = {.mac = {2}, .mtu = FUZZ_NET_MTU, .n_pairs = 1, .uso = true};
	int pair[2];

	fuzz_must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0,
		  "a tap");
	r->fd = cfg.tap[0] = pair[0];
	r->host = pair[1];
	return virtio_net_create(eg_mem(r->g), &cfg, &r->net);
}

static int fuzz_vhost_start(void *ctx, unsigned pair, const struct virtq_layout l[2],
			    uint64_t features)
{
	struct fuzz_rig *r = ctx;

	(void)features;
	fuzz_must(pair < FUZZ_VHOST_PAIRS && !r->vhost_runs[pair], "a pair is started once");
	for (unsigned q = 0; q < 2; q++) {
		fuzz_must(l[q].ready && l[q].size > 0 && l[q].size <= VIRTIO_NET_QUEUE_MAX,
			  "a queue that the kernel gets is one");
		fuzz_must(gmem_check(r->dev->mem, (gpa_t){l[q].desc}, l[q].size * 16ull) == 0 &&
				  gmem_check(r->dev->mem, (gpa_t){l[q].avail},
					     l[q].size * 2ull + 6) == 0 &&
				  gmem_check(r->dev->mem, (gpa_t){l[q].used},
					     l[q].size * 8ull + 6) == 0,
			  "a layout that the kernel gets lies in RAM");
	}
	r->vhost_runs[pair] = true;
	return 0;
}

static void fuzz_vhost_stop(void *ctx, unsigned pair)
{
	struct fuzz_rig *r = ctx;

	fuzz_must(pair < FUZZ_VHOST_PAIRS && r->vhost_runs[pair], "a pair is stopped once");
	r->vhost_runs[pair] = false;
}

static int fuzz_vhost_attach(void *ctx, unsigned pair, bool on)
{
	struct fuzz_rig *r = ctx;

	fuzz_must(pair < FUZZ_VHOST_PAIRS && r->vhost_detached[pair] == on,
		  "a queue changes sides");
	r->vhost_detached[pair] = !on;
	return 0;
}

static const struct virtio_net_kernel fuzz_vhost = {
	.start = fuzz_vhost_start, .stop = fuzz_vhost_stop, .attach = fuzz_vhost_attach};

static int fuzz_vhost_make(struct fuzz_rig *r)
{
	const struct virtio_net_config cfg = {.mac = {2},
					      .mtu = FUZZ_NET_MTU,
					      .n_pairs = FUZZ_VHOST_PAIRS,
					      .tap = {-1, -1},
					      .kernel = &fuzz_vhost,
					      .ctx = r};

	return virtio_net_create(eg_mem(r->g), &cfg, &r->net);
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
	r->fd = r->host = -1;
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
	case FUZZ_BLK:
	case FUZZ_BLK_RO:
		rc = fuzz_blk_make(r, kind == FUZZ_BLK_RO);
		r->dev = rc == 0 ? virtio_blk_dev(r->blk) : NULL;
		break;
	case FUZZ_NET:
		rc = fuzz_net_make(r);
		r->dev = rc == 0 ? virtio_net_dev(r->net) : NULL;
		break;
	case FUZZ_VHOST:
		rc = fuzz_vhost_make(r);
		r->dev = rc == 0 ? virtio_net_dev(r->net) : NULL;
		break;
	case FUZZ_KINDS:
		break;
	}
	fuzz_must(rc == 0 && r->dev, "make the device");
	r->now += 1000; /* the entropy device begins with no tokens */
}

/* Frames come and go. What left is looked at in fuzz_net.c. */
static void fuzz_net_work(struct fuzz_rig *r, unsigned ms)
{
	static uint8_t buf[NET_HDR_LEN + NET_FRAME_MAX];
	uint32_t events = EPOLLIN | EPOLLOUT;

	while (recv(r->host, buf, sizeof(buf), 0) > 0) {
		continue;
	}
	memset(buf, 0, NET_HDR_LEN);
	/* short, or anything up to the largest; the link may drop it */
	(void)!send(r->host, buf, ms % 2 ? ms : ms * 257, 0);
	if (ms % 16 == 14) {
		virtio_net_set_link(r->net, ms >= 128);
	}
	virtio_net_event(r->net, 0, ms == 254 ? events | EPOLLERR : events);
	fuzz_must((virtio_net_wants(r->net, 0) & ~events) == 0, "what a tap is watched for");
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
	if (r->kind == FUZZ_NET) {
		fuzz_net_work(r, ms);
	}
	if (r->kind == FUZZ_BLK && ms == 255) { /* behind the device's back */
		fuzz_must(ftruncate(r->fd, FUZZ_DISK_BYTES / 2) == 0, "shrink the disk");
	}
}

/* No driver makes a disk longer, nor writes to one that is for reading. */
static void fuzz_disk_check(const struct fuzz_rig *r)
{
	uint8_t image[FUZZ_DISK_BYTES];
	struct stat st;

	fuzz_must(fstat(r->fd, &st) == 0 && st.st_size <= (off_t)FUZZ_DISK_BYTES, "the disk's end");
	if (r->kind != FUZZ_BLK_RO) {
		return;
	}
	fuzz_must(pread(r->fd, image, sizeof(image), 0) == sizeof(image), "read the disk");
	for (size_t i = 0; i < sizeof(image); i++) {
		fuzz_must(image[i] == FUZZ_DISK_FILL, "nothing is written to a read-only disk");
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
	for (unsigned i = 0; i < FUZZ_VHOST_PAIRS; i++) {
		fuzz_must(r->dev->active || !r->vhost_runs[i],
			  "the kernel serves a device that runs");
	}
	if (r->blk) {
		fuzz_disk_check(r);
	}
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
	virtio_blk_destroy(r->blk);
	virtio_net_destroy(r->net);
	vr_close_reset(&r->fd);
	vr_close_reset(&r->host);
	fuzz_must(r->n_conns == 0, "all connections were closed");
	fuzz_must(r->fs_started == 0, "the file server was stopped");
	for (unsigned i = 0; i < FUZZ_VHOST_PAIRS; i++) {
		fuzz_must(!r->vhost_runs[i], "the kernel was stopped");
	}
	eg_destroy(r->g);
}

#endif /* TESTS_FUZZ_DEVICES_H */
