/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmproc_member.c - further containers in the same VM
 *
 * A network namespace has the sockets of one kernel. So a container that shares another one's joins the
 * VM that is there already. It brings a shim and a file server of its own; here it gets a device for
 * the latter, on a slot that was empty at boot, and in the guest an agent of its own, which the first
 * one starts and which connects to a port that only it was told.
 *
 * Its end is the end of its shims, streams and verbs at once. The device, the file server and the lock that
 * says that the container lives stay until the guest has let go of its files, or has had time to.
 */
#include "vmproc_internal.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/log.h"
#include "vmm/virtio_fs.h"

#define ID_CREATE 2u
#define LEAVE_MS  8000u

/* EV_MEMBER's indices */
enum member_work {
	MEMBER_ENDED, /* all were told: let go of what is the host's */
	MEMBER_GONE,  /* the guest has let go of its part, or was given the time to */
};

/**
 * struct member
 * @p:      first: the rest of the vmm knows it alone
 * @slot:   its device's, as networks are counted
 * @port:   its agent's control connection
 * @request: id of JOIN
 * @filled: the processes' table has the descriptors of init
 * @asked:  the first agent was told: LEFT will follow
 * @ended:  it did
 * @left:   and said that the guest has let go of the device
 * @quit:   nothing of it but the device and the guest's part is there any more
 */
struct member {
	struct vmproc p;
	struct vmm_plan plan;
	struct passfds fds;
	struct virtio_fs *fs;
	uint32_t slot;
	uint32_t port;
	uint32_t request;
	bool filled;
	bool plugged;
	bool asked;
	bool ended;
	bool left;
	bool quit;
};
_Static_assert(offsetof(struct member, p) == 0, "see member_of()");

/** struct vmproc_members - @lost: of those whose number and slot the guest has not given back, a bit each */
struct vmproc_members {
	struct member *v[AP_MEMBERS_MAX + 1]; /* by number; the first is never used */
	uint32_t lost;
	uint32_t lost_slot[AP_MEMBERS_MAX + 1];
};

static struct member *member_of(struct vmproc *p)
{
	return p != p->machine ? (struct member *)p : NULL;
}

struct vmproc *vmproc_member(struct vmproc *first, unsigned number)
{
	struct member *m = NULL;

	if (number == 0) {
		return first;
	}
	if (first->members && number <= AP_MEMBERS_MAX) {
		m = first->members->v[number];
	}
	return m ? &m->p : NULL;
}

bool vmproc_member_any(struct vmproc *first)
{
	for (unsigned n = 1; n <= AP_MEMBERS_MAX; n++) {
		if (vmproc_member(first, n)) {
			return true;
		}
	}
	return false;
}

bool vmproc_member_is_control(const struct vmproc *p, uint32_t port)
{
	return p != p->machine && ((const struct member *)p)->port == port;
}

static bool has_port(const struct vmproc *p, uint32_t port)
{
	return vmproc_accept_has_port(p, port) || vmproc_procs_has_port(p, port);
}

struct vmproc *vmproc_member_of_port(struct vmproc *first, uint32_t port)
{
	if (has_port(first, port)) {
		return first;
	}
	for (unsigned n = 1; first->members && n <= AP_MEMBERS_MAX; n++) {
		struct member *m = first->members->v[n];

		/* nobody connects any more to one that has quit */
		if (m && !m->quit && (m->port == port || has_port(&m->p, port))) {
			return &m->p;
		}
	}
	return NULL;
}

int vmproc_member_machine(struct vmproc *p, int client, struct vr_err *err)
{
	const struct ctl_machine m = {.ram_bytes = p->plan->ram_bytes, .n_vcpus = p->plan->n_vcpus};
	const int fds[CTL_MACHINE_FDS] = {p->plan->ram_fd, p->plan->wires.page_fd};
	uint8_t data[32];
	uint8_t msg[64];
	size_t n;

	if (p != p->machine) {
		return vr_err_set(err, EINVAL,
				  "the container shares another one's virtual machine");
	}
	n = ctl_data_encode(msg, sizeof(msg), data, ctl_machine_encode(data, sizeof(data), &m));
	p->clients[client].waiting = false;
	/* A client that went away, or doesn't read, misses its answer. */
	(void)!vr_send_fds(p->clients[client].fd, msg, n, fds, CTL_MACHINE_FDS);
	return 0;
}

/* --- joining ---------------------------------------------------------------------------------- */

struct work {
	struct ap_container container;
	uint8_t payload[AP_FRAME_MAX];
};

/* The highest one that is free: the networks' process gives its devices the lowest. */
static int slot_find(const struct vmproc *first, uint32_t *out)
{
	const struct vmproc_members *all = first->members;
	uint32_t taken = vmproc_net_slots(first);

	for (unsigned n = 1; n <= AP_MEMBERS_MAX; n++) {
		taken |= all->v[n] ? 1u << all->v[n]->slot : 0;
		taken |= all->lost & 1u << n ? 1u << all->lost_slot[n] : 0;
	}
	for (uint32_t slot = AP_MAX_LINKS; slot-- > 0;) {
		if (!(taken & 1u << slot) && vmproc_net_place(first, slot) >= 0) {
			*out = slot;
			return 0;
		}
	}
	return -ENOSPC;
}

static int number_find(const struct vmproc_members *all)
{
	for (int n = 1; n <= (int)AP_MEMBERS_MAX; n++) {
		if (!all->v[n] && !(all->lost & 1u << n)) {
			return n;
		}
	}
	return -ENOSPC;
}

/* Return: the new one, of which only the memory is there; NULL with @err */
static struct member *member_new(struct vmproc *first, struct vr_err *err)
{
	struct member *m;
	int number;

	if (!first->members) {
		first->members = calloc(1, sizeof(*first->members));
	}
	m = first->members ? calloc(1, sizeof(*m)) : NULL;
	if (!m) {
		(void)vr_err_set(err, ENOMEM, "join the virtual machine: out of memory");
		return NULL;
	}
	number = number_find(first->members);
	if (number < 0 || slot_find(first, &m->slot) < 0) {
		free(m);
		(void)vr_err_set(err, ENOSPC, "its virtual machine has no room for another one");
		return NULL;
	}
	m->p = (struct vmproc){
		.plan = &m->plan,
		.machine = first,
		.number = (unsigned)number,
		.loop = first->loop,
		.mem = first->mem,
		.vm = first->vm,
		.dev = first->dev,
		.vsock = first->vsock,
		.dns = {.fd = -1},
		.fs_lock = PTHREAD_MUTEX_INITIALIZER,
	};
	for (size_t i = 0; i < VMPROC_MAX_CLIENTS; i++) {
		m->p.clients[i].fd = -1;
	}
	first->members->v[number] = m;
	return m;
}

/* The request as the agent gets it, with a port of ours. Decoded and encoded again, as with exec. */
static int frame_make(struct member *m, int fd, struct work *w)
{
	size_t cap = AP_HEADER_LEN + AP_FRAME_MAX;
	ssize_t n = vmproc_exec_read(fd, w->payload);
	int rc = n < 0 ? (int)n : ap_decode_create(w->payload, (size_t)n, &w->container);
	uint8_t *frame;
	long len;

	if (rc == 0) {
		rc = vmproc_procs_port(m->p.machine, &w->container.process.port);
	}
	frame = rc == 0 ? malloc(cap) : NULL;
	if (!frame) {
		return rc < 0 ? rc : -ENOMEM;
	}
	m->plan.create_frame = frame;
	len = ap_encode_create(&w->container, ID_CREATE, frame, cap);
	m->plan.create_len = len > 0 ? (size_t)len : 0;
	m->plan.stdio_port = w->container.process.port;
	return len < 0 ? (int)len : 0;
}

/* @fds: checked to be as many as @req says. Taken over when nothing can fail any more. */
static void fds_take(struct member *m, const struct ctl_request *req, int *fds, size_t n_fds)
{
	struct vmm_plan *plan = &m->plan;
	bool tty = (req->flags & CTL_JOIN_TTY) != 0;

	plan->control_fd = fds[CTL_JOIN_CONTROL];
	plan->report_fd = fds[CTL_JOIN_REPORT];
	plan->shim_fd = fds[CTL_JOIN_SHIM];
	plan->fs_fd = fds[CTL_JOIN_FS];
	plan->alive_fd = fds[CTL_JOIN_ALIVE];
	plan->wires.irq_fd = fds[CTL_JOIN_IRQ];
	for (unsigned q = 0; q < FS_QUEUES; q++) {
		plan->wires.kick_fd[q] = fds[CTL_JOIN_KICK + q];
	}
	plan->notify_fd = -1;
	if (req->flags & CTL_JOIN_NOTIFY) {
		plan->notify_fd = vr_take_fd(&fds[CTL_JOIN_NOTIFY_FD]);
	}
	for (unsigned i = 0; i < (tty ? 2u : 3u); i++) {
		plan->stdio[i] = fds[CTL_JOIN_STDIO + i];
	}
	if (tty) {
		plan->stdio[2] = -1;
	}
	for (size_t i = 0; i < n_fds; i++) {
		if (i != CTL_JOIN_FRAME && i != CTL_JOIN_NOTIFY_FD) {
			fds[i] = -1;
		}
	}
}

static int plan_make(struct member *m, const struct ctl_request *req, int *fds, size_t n_fds,
		     struct vr_err *err)
{
	vr_autofree struct work *w = malloc(sizeof(*w));
	bool tty = (req->flags & CTL_JOIN_TTY) != 0;
	size_t n_fixed = tty ? CTL_JOIN_FDS_TTY : CTL_JOIN_FDS;
	const struct ap_process *process;
	int rc = w ? 0 : -ENOMEM;

	if (rc == 0) {
		rc = n_fds < n_fixed ? -EPROTO : frame_make(m, fds[CTL_JOIN_FRAME], w);
	}
	if (rc < 0) {
		return vr_err_sys(err, rc, "join: read the container");
	}
	process = &w->container.process;
	if (((process->flags & AP_P_TTY) != 0) != tty ||
	    vmproc_exec_passed(process, fds + n_fixed, n_fds - n_fixed, &m->fds) < 0) {
		return vr_err_set(err, EPROTO, "join: wrong descriptors");
	}
	for (unsigned i = 0; !tty && i < VMPROC_STREAMS; i++) {
		if (!(process->stdio & 1u << i)) {
			vr_close_reset(
				&fds[CTL_JOIN_STDIO + i]); /* /dev/null: the guest has its own */
		}
	}
	m->plan.fds = &m->fds;
	m->plan.tty = tty;
	m->plan.readonly_root = (req->flags & CTL_JOIN_READONLY_ROOT) != 0;
	m->plan.boot_timeout_s = req->seconds;
	fds_take(m, req, fds, n_fds);
	return 0;
}

static int plug(struct member *m)
{
	struct vmproc *first = m->p.machine;
	struct virtio_fs_config cfg = {
		.n_request_queues = FS_QUEUES - 1,
		.backend = vmproc_fs_backend(&m->p),
		.irq_status = fs_irq_status(&first->plan->wires, m->p.number),
	};
	char tag[32];
	int rc;

	(void)snprintf(tag, sizeof(tag), AP_MEMBER_TAG_FMT, m->p.number); /* fits */
	cfg.tag = tag;
	atomic_store(cfg.irq_status, 0); /* of who had the number before */
	rc = virtio_fs_create(first->mem, &cfg, &m->fs);
	if (rc < 0) {
		return rc;
	}
	virtio_fs_dev(m->fs)->on_fault = vmproc_device_fault;
	vmproc_fs_wires(&m->plan.wires, virtio_fs_dev(m->fs));
	rc = vm_plug(first->vm, (unsigned)vmproc_net_place(first, m->slot), virtio_fs_dev(m->fs));
	m->plugged = rc == 0;
	if (rc == 0) {
		vmproc_netrole_slot(first, m->slot, true);
	}
	return rc;
}

static int tell_agent(struct member *m)
{
	struct vmproc *first = m->p.machine;
	struct vpending *slot = vmproc_agent_pending(first, -1, 0);
	const struct ap_join join = {.number = m->p.number, .slot = m->slot, .port = m->port};
	uint8_t frame[64];
	int rc;

	if (!slot) {
		return -EAGAIN;
	}
	slot->member = m->p.number;
	m->request = slot->id;
	m->asked = true; /* it may have answered when this returns */
	rc = vmproc_agent_send(first, slot, frame,
			       ap_encode_join(&join, slot->id, frame, sizeof(frame)));
	if (rc < 0) {
		m->asked = false;
	}
	return rc;
}

static int start(struct member *m)
{
	struct vmproc *p = &m->p;
	int rc;

	vmproc_handlers(p, true);
	rc = agent_client_create(vmproc_agent_events(), p, &p->agent);
	if (rc == 0) {
		rc = vmproc_procs_init(p);
		m->filled = p->procs[0].used;
	}
	rc = rc < 0 ? rc : vmproc_procs_port(p, &m->port);
	rc = rc < 0 ? rc : plug(m);
	rc = rc < 0 ? rc : vmproc_watch(p);
	return rc < 0 ? rc : tell_agent(m);
}

/* --- leaving ---------------------------------------------------------------------------------- */

/* Those that would be the process table's if there had been the memory for it. */
static void close_streams(struct member *m)
{
	vr_close_reset(&m->plan.shim_fd);
	for (unsigned i = 0; i < VMPROC_STREAMS; i++) {
		vr_close_reset(&m->plan.stdio[i]);
	}
	for (uint32_t i = 0; i < m->fds.n; i++) {
		vr_close_reset(&m->fds.rfd[i]);
		vr_close_reset(&m->fds.wfd[i]);
	}
}

/* What is the host's: from here on there is no container, for whoever asks. */
static void quit(struct member *m)
{
	struct vmproc *p = &m->p;

	m->quit = true;
	loop_del(p->loop, m->plan.control_fd);
	vr_close_reset(&m->plan.control_fd);
	if (!p->committed) {
		loop_del(p->loop, m->plan.report_fd);
		vr_close_reset(&m->plan.report_fd);
	}
	for (uint32_t i = 0; i < VMPROC_MAX_CLIENTS; i++) {
		if (p->clients[i].fd >= 0) {
			loop_del(p->loop, p->clients[i].fd);
			vr_close_reset(&p->clients[i].fd);
		}
	}
	for (uint32_t slot = 0; slot < VMPROC_MAX_PROCS; slot++) {
		if (p->procs[slot].used) {
			vmproc_procs_release(p, &p->procs[slot]);
		}
	}
	if (!m->filled) {
		close_streams(m);
	}
	vsock_lock(p->vsock);
	vmproc_accept_abandon(p);
	if (p->agent) {
		agent_client_drop(p->agent);
	}
	vsock_unlock(p->vsock);
	for (uint32_t i = DEADLINE_BOOT; i <= DEADLINE_DRAIN; i++) {
		loop_cancel(p->loop, vmproc_kind(p, EV_DEADLINE), i);
	}
	vr_close_reset(&m->plan.notify_fd);
	loop_del(p->loop, m->plan.fs_fd); /* its end matters no more */
}

static void member_free(struct member *m)
{
	virtio_fs_destroy(m->fs);
	vmproc_accept_destroy(&m->p);
	agent_client_destroy(m->p.agent);
	free((void *)m->plan.create_frame);
	free(m);
}

/* Before the device has them. */
static void close_wires(struct member *m)
{
	vr_close_reset(&m->plan.wires.irq_fd);
	for (unsigned q = 0; q < FS_QUEUES; q++) {
		vr_close_reset(&m->plan.wires.kick_fd[q]);
	}
}

/* The device goes, then the file server ends by itself; with it, and with our lock, the container. */
static void drop(struct member *m)
{
	struct vmproc *first = m->p.machine;
	struct vmproc_members *all = first->members;
	unsigned number = m->p.number;
	bool lost = m->asked && !m->left;

	if (lost) {
		vr_info("the guest has not let go of a container's files");
		all->lost |= 1u << number;
		all->lost_slot[number] = m->slot;
		/* A file server that hangs isn't waited for: the others of the VM would have to, too. */
		(void)shutdown(m->plan.fs_fd, SHUT_RDWR);
	}
	if (m->plugged) {
		vm_unplug(first->vm, (unsigned)vmproc_net_place(first, m->slot));
		if (!lost) {
			vmproc_netrole_slot(first, m->slot, false);
		}
	}
	if (!m->fs) {
		close_wires(m);
	}
	loop_cancel(m->p.loop, vmproc_kind(&m->p, EV_MEMBER), MEMBER_GONE);
	vmproc_handlers(&m->p, false);
	vr_close_reset(&m->plan.fs_fd);
	vr_close_reset(&m->plan.alive_fd);
	all->v[number] = NULL;
	member_free(m);
}

int vmproc_member_join(struct vmproc *p, int client, const struct ctl_request *req, int *fds,
		       size_t n_fds, struct vr_err *err)
{
	struct member *m;
	int rc;

	if (p != p->machine) {
		return vr_err_set(err, EINVAL,
				  "the container shares another one's virtual machine");
	}
	m = member_new(p, err);
	if (!m) {
		return -err->code;
	}
	rc = plan_make(m, req, fds, n_fds, err);
	if (rc < 0) {
		p->members->v[m->p.number] = NULL;
		member_free(m);
		return rc;
	}
	rc = start(m);
	if (rc < 0) {
		(void)vr_err_sys(err, rc, "join its virtual machine");
		quit(m);
		drop(m);
		return rc;
	}
	vmproc_control_answer(p, client, 0, "");
	return 0;
}

void vmproc_member_answered(struct vmproc *first, unsigned number, uint32_t id,
			    const struct vr_err *err)
{
	struct vmproc *p = vmproc_member(first, number);

	/* or it is about one that had the number before */
	if (p && err && member_of(p)->request == id) {
		member_of(p)->asked = false; /* there is nobody who could leave */
		vmproc_refuse(p, err);
	}
}

/* Later than it was waited for. */
static void found_again(struct vmproc *first, uint32_t number)
{
	struct vmproc_members *all = first->members;

	if (all && all->lost & 1u << number) {
		all->lost &= ~(1u << number);
		vmproc_netrole_slot(first, all->lost_slot[number], false);
	}
}

void vmproc_member_left(struct vmproc *first, const struct ap_left *left)
{
	struct vmproc *p = left->number > 0 ? vmproc_member(first, left->number) : NULL;
	struct member *m = p ? member_of(p) : NULL;

	if (!m || !m->asked) {
		if (!m && left->status == 0) {
			found_again(first, left->number);
		}
		return;
	}
	m->ended = true;
	m->left = left->status == 0;
	if (!p->ending) {
		vmproc_fail(p, "the container's agent in the guest has ended");
	} else if (m->quit && loop_after(p->loop, vmproc_kind(p, EV_MEMBER), MEMBER_GONE, 0) < 0) {
		vmproc_fail(first, "out of memory");
	}
}

void vmproc_member_ended(struct vmproc *p)
{
	if (loop_after(p->loop, vmproc_kind(p, EV_MEMBER), MEMBER_ENDED, 0) < 0) {
		vmproc_fail(p->machine, "out of memory");
	}
}

void vmproc_member_work(struct vmproc *p, uint32_t index)
{
	struct member *m = member_of(p);

	if (!m) {
		return;
	}
	if (index == MEMBER_ENDED && !m->quit) {
		quit(m);
		if (m->asked && !m->ended &&
		    loop_after(p->loop, vmproc_kind(p, EV_MEMBER), MEMBER_GONE, LEAVE_MS) == 0) {
			return;
		}
	}
	drop(m);
}

void vmproc_members_destroy(struct vmproc *first)
{
	for (unsigned n = 1; first->members && n <= AP_MEMBERS_MAX; n++) {
		if (first->members->v[n]) {
			member_free(first->members->v[n]);
		}
	}
	free(first->members);
	first->members = NULL;
}
