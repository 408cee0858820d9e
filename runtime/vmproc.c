/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmproc.c - the vmm role: one virtual machine from boot to its end
 *
 * Order: map RAM, make the VM and its devices, leave the host's file system,
 * load the kernel, give up all powers, start the vCPUs, serve events. The end
 * comes from the guest (its init exited), from a peer process that died, or
 * from a deadline; the shim is told first, since callers wait for it, then the
 * VM is taken down in the order vm.h demands.
 */
#include "vmproc_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/log.h"
#include "proctitle.h"
#include "pvh/pvh.h"
#include "sandbox/fds.h"
#include "sandbox/sandbox.h"
#include "timeline.h"

#define STATUS_KILLED (128 + SIGKILL)

/* Kernel command line besides the devices; docs/ARCHITECTURE.md has the reasons. */
#define KERNEL_PARAMETERS                                                                          \
	"console=hvc0 quiet panic=-1 reboot=k random.trust_cpu=on no-kvmapf "                      \
	"rcupdate.rcu_expedited=1 dummy.numdummies=0"

/* @reason: of a container that didn't end by itself, or NULL; for `state`, with init's shim */
static void end(struct vmproc *p, uint8_t status, const char *reason)
{
	if (p->ending) {
		return;
	}
	p->ending = true;
	p->state = CTL_EXITED;
	vmproc_procs_tell(p, &p->procs[0], status, reason);
	for (uint32_t slot = 1; slot < VMPROC_MAX_PROCS; slot++) {
		if (p->procs[slot].used) {
			vmproc_procs_tell(p, &p->procs[slot], STATUS_KILLED, NULL);
		}
	}
	if (p != p->machine) {
		vmproc_member_ended(p);
		return;
	}
	for (unsigned n = 1; n <= AP_MEMBERS_MAX; n++) {
		struct vmproc *member = vmproc_member(p, n);

		if (member) {
			end(member, STATUS_KILLED,
			    "the container whose virtual machine it shares has ended");
		}
	}
	loop_stop(p->loop);
}

static void kill_for(struct vmproc *p, const char *reason)
{
	const struct vproc *init = &p->procs[0];

	end(p, init->exited ? init->status : STATUS_KILLED, reason);
}

void vmproc_end(struct vmproc *p, uint8_t status)
{
	end(p, status, NULL);
}

void vmproc_kill(struct vmproc *p)
{
	kill_for(p, NULL);
}

void vmproc_refuse(struct vmproc *p, const struct vr_err *err)
{
	if (p->ending) {
		return;
	}
	if (!p->committed && p->state == CTL_BOOTING) {
		role_report(p->plan->report_fd, err);
		vmproc_kill(p);
		return;
	}
	/* No error in the log: that has one for each command that failed, and callers take it
	 * for the next one's. */
	vr_info("%s", err->msg);
	kill_for(p, err->msg);
}

void vmproc_fail(struct vmproc *p, const char *fmt, ...)
{
	struct vr_err err = VR_ERR_INIT;
	char text[VR_ERR_MSG_MAX / 2];
	char tail[VR_ERR_MSG_MAX / 2];
	va_list ap;

	if (p->ending) {
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* a cut message is fine */
	va_end(ap);
	vmproc_console_debug(p);
	if (vmproc_console_tail(p, tail, sizeof(tail)) > 0) {
		(void)vr_err_set(&err, EIO, "%s; last console lines: %s", text, tail);
	} else {
		(void)vr_err_set(&err, EIO, "%s", text);
	}
	vmproc_refuse(p, &err);
}

static void on_vm(void *ctx, uint32_t index, uint32_t events)
{
	struct vmproc *p = ctx;
	const char *detail = NULL;
	char panic[160];
	enum vm_exit why = vm_exit_reason(p->vm, &detail);

	(void)index;
	(void)events;
	if (p->procs[0].exited) {
		/* All it had to say lies in our rings: go on writing it out. */
		loop_del(p->loop, vm_exit_fd(p->vm));
		return;
	}
	if (vmproc_console_panic(p, panic, sizeof(panic)) > 0) {
		detail = panic; /* a panic resets the machine, the trace after it fills the tail */
	}
	vmproc_fail(p, "the guest kernel stopped (%s)%s%s", vm_exit_name(why),
		    detail && *detail ? ": " : "", detail ? detail : "");
}

static void on_create(void *ctx, uint32_t index, uint32_t events)
{
	struct vmproc *p = ctx;
	ssize_t n;
	char word;

	(void)index;
	(void)events;
	n = recv(p->plan->report_fd, &word, 1, MSG_DONTWAIT);
	if (n == 1 && word == ROLE_SAYS_GO) {
		vmproc_agent_go(p);
		return;
	}
	if (n == 1 && word == ROLE_SAYS_COMMIT) {
		p->committed = true;
		loop_del(p->loop, p->plan->report_fd);
		(void)close(p->plan->report_fd);
		return;
	}
	vmproc_end(p, STATUS_KILLED); /* `create` died or gave up: nobody knows this container */
}

static void on_fs(void *ctx, uint32_t index, uint32_t events)
{
	(void)index;
	(void)events;
	vmproc_fail(ctx, "the file server process ended");
}

static void on_shim(void *ctx, uint32_t index, uint32_t events)
{
	(void)events;
	vmproc_procs_shim(ctx, index);
}

static void on_listen(void *ctx, uint32_t index, uint32_t events)
{
	(void)index;
	(void)events;
	vmproc_control_accept(ctx);
}

static void on_client(void *ctx, uint32_t index, uint32_t events)
{
	(void)events;
	vmproc_control_event(ctx, index);
}

static void on_stream(void *ctx, uint32_t index, uint32_t events)
{
	(void)events;
	vmproc_procs_stream(ctx, index);
}

static void on_attach(void *ctx, uint32_t index, uint32_t events)
{
	(void)events;
	vmproc_procs_attach(ctx, index);
}

static void on_kick(void *ctx, uint32_t index, uint32_t events)
{
	(void)events;
	vmproc_devices_kick(ctx, index);
}

static void on_device_timer(void *ctx, uint32_t index, uint32_t events)
{
	(void)index;
	(void)events;
	vmproc_devices_tick(ctx);
}

static void on_net(void *ctx, uint32_t index, uint32_t events)
{
	vmproc_net_event(ctx, index, events);
}

static void on_net_kick(void *ctx, uint32_t index, uint32_t events)
{
	(void)events;
	vmproc_net_kick(ctx, index);
}

static void on_netrole(void *ctx, uint32_t index, uint32_t events)
{
	(void)events;
	vmproc_netrole_event(ctx, index);
}

static void on_accept(void *ctx, uint32_t index, uint32_t events)
{
	(void)events;
	vmproc_accept_event(ctx, EV_ACCEPT, index);
}

static void on_link(void *ctx, uint32_t index, uint32_t events)
{
	(void)events;
	vmproc_accept_event(ctx, EV_LINK, index);
}

static void on_link_attach(void *ctx, uint32_t index, uint32_t events)
{
	(void)events;
	vmproc_accept_event(ctx, EV_LINK_ATTACH, index);
}

static void on_dns(void *ctx, uint32_t index, uint32_t events)
{
	struct vmproc *p = ctx;

	(void)index;
	(void)events;
	dns_relay_event(&p->dns);
}

static void on_member(void *ctx, uint32_t index, uint32_t events)
{
	(void)events;
	vmproc_member_work(ctx, index);
}

static void on_deadline(void *ctx, uint32_t index, uint32_t events)
{
	struct vmproc *p = ctx;

	(void)events;
	if (index == DEADLINE_BOOT) {
		vmproc_fail(p, "the guest did not get ready within %u s", p->plan->boot_timeout_s);
	} else {
		vmproc_kill(p);
	}
}

static void on_proc(void *ctx, uint32_t index, uint32_t events)
{
	(void)events;
	vmproc_procs_work(ctx, index);
}

void vmproc_handlers(struct vmproc *p, bool on)
{
	static const loop_fn handlers[EV_COUNT] = {
		[EV_KICK] = on_kick,
		[EV_VM] = on_vm,
		[EV_SHIM] = on_shim,
		[EV_FS] = on_fs,
		[EV_CREATE] = on_create,
		[EV_LISTEN] = on_listen,
		[EV_CLIENT] = on_client,
		[EV_STREAM] = on_stream,
		[EV_ATTACH] = on_attach,
		[EV_DEADLINE] = on_deadline,
		[EV_DEVICE_TIMER] = on_device_timer,
		[EV_PROC] = on_proc,
		[EV_NET] = on_net,
		[EV_NET_KICK] = on_net_kick,
		[EV_NETROLE] = on_netrole,
		[EV_DNS] = on_dns,
		[EV_ACCEPT] = on_accept,
		[EV_LINK] = on_link,
		[EV_LINK_ATTACH] = on_link_attach,
		[EV_MEMBER] = on_member,
	};

	for (unsigned kind = 0; kind < EV_COUNT; kind++) {
		loop_handle(p->loop, vmproc_kind(p, kind), on ? handlers[kind] : NULL, p);
	}
}

int vmproc_watch(struct vmproc *p)
{
	const struct {
		int fd;
		unsigned kind;
		uint32_t events;
	} watched[] = {
		{p->plan->shim_fd, EV_SHIM, EPOLLIN},
		/* Its answers are awaited where the questions are asked; here only its end matters. */
		{p->plan->fs_fd, EV_FS, EPOLLRDHUP},
		{p->plan->report_fd, EV_CREATE, EPOLLIN},
		{p->plan->control_fd, EV_LISTEN, EPOLLIN},
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < VR_ARRAY_SIZE(watched); i++) {
		rc = loop_add(p->loop, watched[i].fd, watched[i].events,
			      vmproc_kind(p, watched[i].kind), 0);
	}
	return rc < 0 ? rc
		      : loop_after(p->loop, vmproc_kind(p, EV_DEADLINE), DEADLINE_BOOT,
				   (uint64_t)p->plan->boot_timeout_s * 1000);
}

static int loop_wire(struct vmproc *p)
{
	int rc = loop_add(p->loop, vm_exit_fd(p->vm), EPOLLIN, EV_VM, 0);

	if (rc == 0) {
		rc = vmproc_watch(p);
	}
	if (rc == 0 && p->dns.fd >= 0) {
		rc = loop_add(p->loop, p->dns.fd, EPOLLIN, EV_DNS, 0);
	}
	return rc < 0 ? rc : vmproc_netrole_init(p);
}

static int vcpu_init(void *ctx, unsigned index)
{
	(void)ctx;
	(void)index;
	return sbx_seccomp_thread(SBX_ROLE_VCPU);
}

static int machine_create(struct vmproc *p, struct vr_err *err)
{
	struct vm_config cfg = {
		.kvm_fd = p->plan->kvm_fd,
		.n_vcpus = p->plan->n_vcpus,
		.vcpu_init = vcpu_init,
		.count_exits = vr_log_enabled(VR_LOG_DEBUG),
	};
	int rc;

	rc = gmem_map(p->plan->ram_fd, p->plan->ram_bytes, &p->mem);
	if (rc < 0) {
		return vr_err_sys(err, rc, "map guest memory");
	}
	cfg.mem = p->mem;
	rc = vm_create(&cfg, &p->vm);
	if (rc < 0) {
		return vr_err_sys(err, rc, "create a virtual machine with KVM");
	}
	timeline_mark("VM created");
	rc = loop_create(&p->loop);
	if (rc < 0) {
		return vr_err_sys(err, rc, "create the event loop");
	}
	vmproc_handlers(p, true);
	rc = agent_client_create(vmproc_agent_events(), p, &p->agent);
	if (rc < 0) {
		return vr_err_sys(err, rc, "create the agent client");
	}
	return vmproc_devices_create(p, err);
}

static int guest_load(struct vmproc *p, struct vr_err *err)
{
	struct pvh_boot boot = {
		.kernel_fd = p->plan->kernel_fd,
		.initramfs_fd = p->plan->initramfs_fd,
		.n_vcpus = p->plan->n_vcpus,
	};
	char cmdline[2048];
	uint64_t entry;
	int rc;

	rc = vmproc_devices_cmdline(p, KERNEL_PARAMETERS, cmdline, sizeof(cmdline));
	if (rc < 0) {
		return vr_err_sys(err, rc, "compose the kernel command line");
	}
	boot.cmdline = cmdline;
	rc = pvh_load(p->mem, &boot, &entry, err);
	if (rc < 0) {
		return rc;
	}
	timeline_mark("kernel loaded");
	rc = vm_set_entry(p->vm, entry);
	return rc < 0 ? vr_err_sys(err, rc, "set the entry state of the first vCPU") : 0;
}

/* Has: the caller's rights. After: see sandbox.h; nothing can be opened any more. */
static int narrow(struct vmproc *p, struct vr_err *err)
{
	int rc = sbx_stage_vmm_mounts(err);

	if (rc == 0) {
		rc = guest_load(p, err);
	}
	if (rc == 0) {
		(void)close(p->plan->kernel_fd); /* read-only files, nothing to lose */
		(void)close(p->plan->initramfs_fd);
		(void)close(p->plan->kvm_fd);
		rc = sbx_stage_vmm_final(&p->plan->user, err);
	}
	/* Not before: the kernel's threads would keep what we have given up. */
	return rc == 0 ? vmproc_net_own(p, err) : rc;
}

static int prepare(struct vmproc *p, struct vr_err *err)
{
	const struct vmm_plan *plan = p->plan;
	const int fixed[] = {
		plan->report_fd, plan->shim_fd,	     plan->fs_fd,	 plan->alive_fd,
		role_log_fd(),	 plan->control_fd,   plan->kvm_fd,	 plan->kernel_fd,
		plan->ram_fd,	 plan->initramfs_fd, plan->wires.irq_fd, plan->wires.kick_fd[0],
		plan->stdio[0],	 plan->stdio[1],     plan->stdio[2],	 plan->wires.kick_fd[1],
		plan->notify_fd, plan->net->dns_fd,  plan->net_fd,	 plan->wires.page_fd,
	};
	int keep[VR_ARRAY_SIZE(fixed) + VMM_DISKS_MAX + 2 * AP_MAX_LINKS * NET_TAP_MAX_QUEUES +
		 2 * AP_MAX_FDS];
	size_t n = VR_ARRAY_SIZE(fixed);
	int rc;

	memcpy(keep, fixed, sizeof(fixed));
	for (unsigned i = 0; i < plan->n_disks; i++) {
		keep[n++] = plan->disks[i].fd;
	}
	for (unsigned i = 0; i < plan->net->n; i++) {
		const struct net_tap *tap = &plan->net->ifs[i].tap;

		memcpy(keep + n, tap->fd, tap->n_queues * sizeof(keep[0]));
		n += tap->n_queues;
		memcpy(keep + n, plan->net->ifs[i].vhost, tap->n_queues * sizeof(keep[0]));
		n += tap->n_queues;
	}
	n += passfds_list(plan->fds, keep + n);
	role_stdio_null(plan->null_fd);
	rc = sbx_close_fds(keep, n);
	if (rc < 0) {
		return vr_err_sys(err, rc, "close foreign file descriptors");
	}
	rc = machine_create(p, err);
	if (rc == 0) {
		rc = narrow(p, err);
	}
	if (rc == 0) {
		rc = loop_wire(p);
		if (rc < 0) {
			return vr_err_sys(err, rc, "watch file descriptors");
		}
		rc = vm_start(p->vm);
		if (rc < 0) {
			return vr_err_sys(err, rc, "start the vCPUs");
		}
		timeline_mark("first instruction of the guest");
		rc = sbx_stage_vmm_started(err);
	}
	return rc;
}

/* The order vm.h demands; every part may be missing when the start failed. */
static void teardown(struct vmproc *p)
{
	if (p->vm) {
		vm_stop(p->vm);
		vm_destroy(p->vm);
	}
	vmproc_devices_destroy(p); /* tells connections, those of links too, that they are closed */
	vmproc_members_destroy(p);
	vmproc_accept_destroy(p);
	vmproc_netrole_destroy(p);
	agent_client_destroy(p->agent);
	loop_destroy(p->loop);
	gmem_unmap(p->mem);
	free(p);
}

noreturn void vmproc_main(const struct vmm_plan *plan)
{
	struct vr_err err = VR_ERR_INIT;
	struct vmproc *p = calloc(1, sizeof(*p));

	vr_log_set_role("vmm");
	proctitle_set("volt-vmm", plan->id);
	proctitle_forget_environment();
	(void)setsid(); /* fails only for a group leader */
	(void)signal(SIGPIPE, SIG_IGN);
	if (!p) {
		(void)vr_err_set(&err, ENOMEM, "create the vmm: out of memory");
		role_report(plan->report_fd, &err);
		_exit(1);
	}
	p->plan = plan;
	p->machine = p;
	for (size_t i = 0; i < VMPROC_MAX_CLIENTS; i++) {
		p->clients[i].fd = -1;
	}
	if (prepare(p, &err) < 0) {
		role_report(plan->report_fd, &err);
	} else if (loop_run(p->loop) < 0) {
		vmproc_fail(p, "the event loop failed");
	}
	teardown(p);
	_exit(0);
}
