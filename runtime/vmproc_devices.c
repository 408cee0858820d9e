/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmproc_devices.c - the device array of a VM
 *
 * The order here is the order of the slots, hence of the guest's probing: the
 * console first, so that its last lines tell of the others.
 */
#include "vmproc_internal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/checked.h"
#include "base/log.h"
#include "pvh/cmdline.h"
#include "vmm/memlayout.h"
#include "vmm/virtio_balloon.h"
#include "vmm/virtio_console.h"
#include "vmm/virtio_fs.h"
#include "vmm/virtio_rng.h"

#define FS_ANSWER_TIMEOUT_MS 10000
#define CONSOLE_TAIL_BYTES   400u
#define CONSOLE_SEARCH_BYTES 8192u

enum device {
	DEV_CONSOLE,
	DEV_VSOCK,
	DEV_FS,
	DEV_RNG,
	DEV_BALLOON,
	DEV_MAX, /* networks and disks come after them */
};

_Static_assert(DEV_MAX + AP_MAX_LINKS + VMM_DISKS_MAX <= ML_MMIO_SLOTS,
	       "a slot for each device there may be");
_Static_assert(DEV_MAX == AP_DEVICE_NET, "the agent finds network devices by their number");

/* Indices of EV_KICK beyond the devices' queues. */
#define KICK_VSOCK_WORK (0xffu << 8)

struct vmproc_devices {
	struct virtio_console *console;
	struct virtio_fs *fs;
	struct virtio_rng *rng;
	struct virtio_balloon *balloon;
	struct virtio_dev *list[DEV_MAX];
	int slot[DEV_MAX];
};

/* Ask the fs process and wait: the guest's register write waits for it, too.
 * Syscalls: sendto, recvfrom, poll (roles vmm, vcpu) */
static int fs_ask_locked(struct vmproc *p, const struct fs_queue_msg *m)
{
	struct pollfd pfd = {.fd = p->plan->fs_fd, .events = POLLIN};
	int32_t answer;
	int rc;

	if (p->fs_late ||
	    send(p->plan->fs_fd, m, sizeof(*m), MSG_NOSIGNAL) != (ssize_t)sizeof(*m)) {
		return -EPIPE;
	}
	do {
		rc = poll(&pfd, 1, FS_ANSWER_TIMEOUT_MS);
	} while (rc < 0 && errno == EINTR);
	if (rc <= 0) {
		p->fs_late = true;
		return -ETIMEDOUT;
	}
	if (recv(p->plan->fs_fd, &answer, sizeof(answer), MSG_DONTWAIT) !=
	    (ssize_t)sizeof(answer)) {
		return -EPIPE;
	}
	return answer > 0 ? -EPROTO : answer;
}

/* Syscalls: futex (roles vmm, vcpu) */
static int fs_ask(struct vmproc *p, const struct fs_queue_msg *m)
{
	int rc;

	(void)pthread_mutex_lock(&p->fs_lock); /* can't fail for a plain mutex */
	rc = fs_ask_locked(p, m);
	(void)pthread_mutex_unlock(&p->fs_lock);
	return rc;
}

static int fs_start(void *ctx, const struct virtq_layout *l, unsigned n_queues, uint64_t features)
{
	const struct vmproc *p = ctx;
	struct fs_queue_msg m = {
		.op = FS_OP_START, .n_queues = n_queues, .number = p->number, .features = features};

	if (n_queues > FS_QUEUES) {
		return -EINVAL;
	}
	memcpy(m.layout, l, n_queues * sizeof(*l));
	return fs_ask(ctx, &m);
}

static void fs_stop(void *ctx)
{
	const struct fs_queue_msg m = {.op = FS_OP_STOP};

	/* On failure the fs process is dead, which ends the VM by itself. */
	(void)fs_ask(ctx, &m);
}

struct virtio_fs_backend vmproc_fs_backend(struct vmproc *p)
{
	return (struct virtio_fs_backend){.start = fs_start, .stop = fs_stop, .ctx = p};
}

int vmproc_devices_freeze_root(struct vmproc *p)
{
	const struct fs_queue_msg m = {.op = FS_OP_FREEZE};

	return fs_ask(p, &m);
}

static void rng_want_timer(void *ctx, unsigned ms)
{
	struct vmproc *p = ctx;

	if (loop_after(p->loop, EV_DEVICE_TIMER, DEV_RNG, ms) < 0) {
		vr_debug("no timer for the rng"); /* it is served at the next kick */
	}
}

static int on_connect(void *ctx, uint32_t port, struct vsock_conn *conn,
		      const struct vsock_endpoint **ep, void **ep_ctx)
{
	struct vmproc *first = ctx;
	struct vmproc *p;

	if (port == AP_PORT_CONTROL) {
		return agent_client_accept(first->agent, conn, ep, ep_ctx);
	}
	if (port == AP_PORT_DNS) {
		return dns_relay_accept(&first->dns, conn, ep, ep_ctx);
	}
	p = vmproc_member_of_port(first, port);
	if (!p) {
		return -ECONNREFUSED;
	}
	if (vmproc_member_is_control(p, port)) {
		return agent_client_accept(p->agent, conn, ep, ep_ctx);
	}
	if (vmproc_accept_has_port(p, port)) {
		return vmproc_accept_connect(p, port, conn, ep, ep_ctx);
	}
	return vmproc_procs_accept(p, port, conn, ep, ep_ctx);
}

static int create_all(struct vmproc *p, struct vmproc_devices *d)
{
	const struct virtio_rng_owner rng_owner = {.want_timer = rng_want_timer, .ctx = p};
	const struct virtio_fs_config fs_cfg = {
		.tag = "volt",
		.n_request_queues = FS_QUEUES - 1,
		.backend = vmproc_fs_backend(p),
		.irq_status = fs_irq_status(&p->plan->wires, 0),
	};
	int rc;

	rc = virtio_console_create(p->mem, NULL, NULL, &d->console);
	if (rc == 0) {
		rc = vsock_create(p->mem, on_connect, p, &p->vsock);
	}
	if (rc == 0) {
		dns_relay_init(&p->dns, p->vsock, p->plan->net->dns_fd);
	}
	if (rc == 0) {
		rc = virtio_fs_create(p->mem, &fs_cfg, &d->fs);
	}
	if (rc == 0) {
		rc = virtio_rng_create(p->mem, &rng_owner, &d->rng);
	}
	if (rc == 0) {
		rc = virtio_balloon_create(p->mem, &d->balloon);
	}
	return rc;
}

/* The fs process got these before the fork. */
void vmproc_fs_wires(const struct fs_wires *wires, struct virtio_dev *dev)
{
	dev->irq_fd = wires->irq_fd;
	for (unsigned q = 0; q < FS_QUEUES; q++) {
		dev->kick_fd[q] = wires->kick_fd[q];
	}
}

void vmproc_device_fault(void *ctx, struct virtio_dev *dev)
{
	(void)ctx;
	vr_warn("guest broke the rules of device %s (%llu times): %s", dev->ops->name,
		(unsigned long long)dev->n_faults, dev->last_fault);
}

static int wire_one(struct vmproc *p, unsigned i)
{
	struct virtio_dev *dev = p->dev->list[i];
	int slot, rc = 0;

	dev->on_fault = vmproc_device_fault;
	slot = vm_add_device(p->vm, dev);
	if (slot < 0) {
		return slot;
	}
	p->dev->slot[i] = slot;
	for (unsigned q = 0; rc == 0 && q < dev->n_queues && !dev->ops->external; q++) {
		rc = loop_add(p->loop, dev->kick_fd[q], EPOLLIN, EV_KICK, i << 8 | q);
	}
	return rc;
}

int vmproc_devices_create(struct vmproc *p, struct vr_err *err)
{
	struct vmproc_devices *d = calloc(1, sizeof(*d));
	int rc = d ? create_all(p, d) : -ENOMEM;

	p->dev = d;
	if (rc < 0) {
		return vr_err_sys(err, rc, "create the VM's devices");
	}
	d->list[DEV_CONSOLE] = virtio_console_dev(d->console);
	d->list[DEV_VSOCK] = vsock_dev(p->vsock);
	d->list[DEV_FS] = virtio_fs_dev(d->fs);
	d->list[DEV_RNG] = virtio_rng_dev(d->rng);
	d->list[DEV_BALLOON] = virtio_balloon_dev(d->balloon);
	vmproc_fs_wires(&p->plan->wires, d->list[DEV_FS]);
	for (unsigned i = 0; rc == 0 && i < DEV_MAX; i++) {
		rc = wire_one(p, i);
	}
	if (rc == 0) {
		rc = vmproc_net_create(p);
	}
	if (rc == 0) {
		rc = vmproc_disks_create(p);
	}
	if (rc == 0) {
		rc = loop_add(p->loop, vsock_event_fd(p->vsock), EPOLLIN, EV_KICK, KICK_VSOCK_WORK);
	}
	if (rc == 0) {
		rc = vmproc_procs_init(p);
	}
	return rc < 0 ? vr_err_sys(err, rc, "attach the VM's devices") : 0;
}

int vmproc_devices_cmdline(const struct vmproc *p, const char *base, char *buf, size_t cap)
{
	struct cmdline c;
	int rc;

	cmdline_init(&c);
	rc = cmdline_add_words(&c, base);
	for (unsigned i = 0; rc == 0 && i < DEV_MAX; i++) {
		rc = cmdline_add_virtio(&c, p->dev->slot[i]);
	}
	if (rc == 0) {
		rc = vmproc_net_cmdline(p, &c);
	}
	if (rc == 0) {
		rc = vmproc_disks_cmdline(p, &c);
	}
	if (rc == 0 && c.len >= cap) {
		rc = -E2BIG;
	}
	if (rc == 0) {
		memcpy(buf, c.buf, c.len + 1);
	}
	return rc;
}

void vmproc_devices_kick(struct vmproc *p, uint32_t index)
{
	unsigned i = index >> 8;

	if (index == KICK_VSOCK_WORK) {
		vsock_work(p->vsock);
	} else if (i < DEV_MAX) {
		virtio_dev_kicked(p->dev->list[i], index & 0xff);
	} else {
		vmproc_disks_kick(p, index);
	}
}

void vmproc_devices_tick(struct vmproc *p)
{
	virtio_rng_tick(p->dev->rng);
}

size_t vmproc_console_tail(struct vmproc *p, char *buf, size_t cap)
{
	size_t n;

	buf[0] = '\0';
	if (!p->dev || !p->dev->console) {
		return 0;
	}
	n = virtio_console_tail(p->dev->console, buf, VR_MIN(cap, (size_t)CONSOLE_TAIL_BYTES));
	while (n > 0 && buf[n - 1] == '\n') {
		buf[--n] = '\0';
	}
	for (char *c = buf; *c; c++) {
		if (*c == '\n') {
			*c = '|'; /* one log line stays one line */
		}
	}
	return n;
}

size_t vmproc_console_panic(struct vmproc *p, char *buf, size_t cap)
{
	static const char mark[] = "Kernel panic - ";
	char text[CONSOLE_SEARCH_BYTES];
	char *line;
	size_t n = 0;

	buf[0] = '\0';
	if (!p->dev || !p->dev->console ||
	    virtio_console_tail(p->dev->console, text, sizeof(text)) == 0) {
		return 0;
	}
	line = strstr(text, mark);
	if (line) {
		n = VR_MIN(strcspn(line, "\n"), cap - 1);
		memcpy(buf, line, n);
		buf[n] = '\0';
	}
	return n;
}

void vmproc_console_debug(struct vmproc *p)
{
	char text[CONSOLE_SEARCH_BYTES];
	char *rest = text;
	char *line;

	if (!vr_log_enabled(VR_LOG_DEBUG) || !p->dev || !p->dev->console ||
	    virtio_console_tail(p->dev->console, text, sizeof(text)) == 0) {
		return;
	}
	while ((line = strsep(&rest, "\n"))) {
		if (*line) {
			vr_log(VR_LOG_DEBUG, "guest: %s", line);
		}
	}
}

void vmproc_devices_destroy(struct vmproc *p)
{
	struct vmproc_devices *d = p->dev;

	if (!d) {
		return;
	}
	vmproc_disks_destroy(p);
	vsock_destroy(p->vsock);
	virtio_fs_destroy(d->fs);
	virtio_rng_destroy(d->rng);
	virtio_balloon_destroy(d->balloon);
	virtio_console_destroy(d->console);
	vmproc_net_destroy(p);
	p->vsock = NULL;
	free(d);
	p->dev = NULL;
}
