/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vcpu.c - the virtual processors of a VM and their threads
 *
 * The loop of a thread is: KVM_RUN; serve the exit; repeat. Requests (pause,
 * stop) are looked at only after KVM_RUN returned -EINTR: by then KVM has
 * completed the last port or MMIO access, so a parked vCPU has no half-done
 * instruction. The end of the VM is looked at after each exit, because the
 * exit itself may have caused it.
 */
#include "vmm/vcpu.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fdrange.h"
#include "vmm/kvm.h"
#include "vmm/kvm_stats.h"
#include "vmm/vcpu_x86.h"

#define DETAIL_MAX 160u

/** struct vcpu - one vCPU; owned by its thread while that exists */
struct vcpu {
	struct vcpus *set;
	unsigned index;
	int fd;
	struct kvm_run *run;
	struct kvm_stat exits; /* closed unless asked for */
	pthread_t thread;
};

/**
 * struct vcpus - all vCPUs of a VM
 * @lock:      protects what follows it up to @detail; @changed tells of any change
 * @n_threads: threads made and not joined yet
 * @n_parked:  threads waiting for @pause to end
 * @n_left:    threads that have left their loop
 */
struct vcpus {
	unsigned n;
	uint32_t run_bytes;
	int exit_fd;
	struct bus *mmio;
	struct bus *pio;
	int (*init)(void *ctx, unsigned index);
	void *init_ctx;
	atomic_bool ended;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n_threads;
	unsigned n_parked;
	unsigned n_left;
	bool pause;
	bool stop;
	int init_error;
	enum vm_exit reason;
	char detail[DETAIL_MAX];

	struct vcpu vcpu[];
};

void vcpus_end(struct vcpus *vs, enum vm_exit reason, const char *fmt, ...)
{
	uint64_t one = 1;

	pthread_mutex_lock(&vs->lock);
	if (vs->reason == VM_EXIT_NONE) {
		vs->reason = reason;
		if (fmt) {
			va_list ap;

			va_start(ap, fmt);
			(void)vsnprintf(vs->detail, sizeof(vs->detail), fmt, ap); /* cut is fine */
			va_end(ap);
		}
	}
	pthread_mutex_unlock(&vs->lock);
	atomic_store(&vs->ended, true);
	/* Fails only when the counter is full, and then the fd is readable anyway. */
	(void)!write(vs->exit_fd, &one, sizeof(one));
}

enum vm_exit vcpus_reason(struct vcpus *vs, const char **out_detail)
{
	enum vm_exit reason;

	pthread_mutex_lock(&vs->lock);
	reason = vs->reason;
	pthread_mutex_unlock(&vs->lock);
	if (out_detail) {
		*out_detail = vs->detail; /* written once, before the reason was seen */
	}
	return reason;
}

int vcpus_exit_fd(const struct vcpus *vs)
{
	return vs->exit_fd;
}

static void serve_mmio(struct vcpu *v)
{
	struct kvm_run *run = v->run;

	if (run->mmio.is_write) {
		(void)bus_write(v->set->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	} else {
		(void)bus_read(v->set->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	}
}

/* A port access; string instructions deliver @count items of @size bytes at once. */
static void serve_io(struct vcpu *v)
{
	uint32_t size = v->run->io.size;
	uint32_t count = v->run->io.count;
	uint64_t off = v->run->io.data_offset;
	uint8_t *data = (uint8_t *)v->run + off;

	if ((size != 1 && size != 2 && size != 4) || off > v->set->run_bytes ||
	    count > (v->set->run_bytes - off) / size) {
		vcpus_end(v->set, VM_EXIT_INTERNAL, "KVM delivered a malformed port access");
		return;
	}
	for (uint32_t i = 0; i < count; i++, data += size) {
		if (v->run->io.direction == KVM_EXIT_IO_OUT) {
			(void)bus_write(v->set->pio, v->run->io.port, data, size);
		} else {
			(void)bus_read(v->set->pio, v->run->io.port, data, size);
		}
	}
}

static void serve_system_event(struct vcpu *v)
{
	switch (v->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		vcpus_end(v->set, VM_EXIT_POWEROFF, NULL);
		break;
	case KVM_SYSTEM_EVENT_RESET:
		vcpus_end(v->set, VM_EXIT_RESET, NULL);
		break;
	default:
		vcpus_end(v->set, VM_EXIT_INTERNAL, "vcpu %u: system event %u from KVM", v->index,
			  v->run->system_event.type);
		break;
	}
}

/* Where the guest was, for the message; 0 when KVM doesn't say. */
static unsigned long long guest_rip(const struct vcpu *v)
{
	struct kvm_regs r;

	return kvm_get_regs(v->fd, &r) < 0 ? 0 : r.rip;
}

static void serve_internal_error(struct vcpu *v)
{
	static const char *const names[] = {
		[KVM_INTERNAL_ERROR_EMULATION] = "can't emulate an instruction",
		[KVM_INTERNAL_ERROR_SIMUL_EX] = "simultaneous exceptions",
		[KVM_INTERNAL_ERROR_DELIVERY_EV] = "failed to deliver an event",
		[KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "unexpected hardware exit",
	};
	uint32_t sub = v->run->internal.suberror;
	const char *name = sub < sizeof(names) / sizeof(names[0]) ? names[sub] : NULL;

	vcpus_end(v->set, VM_EXIT_INTERNAL, "vcpu %u: KVM internal error %u (%s) at rip 0x%llx",
		  v->index, sub, name ? name : "unknown", guest_rip(v));
}

static void serve_exit(struct vcpu *v)
{
	switch (v->run->exit_reason) {
	case KVM_EXIT_MMIO:
		serve_mmio(v);
		break;
	case KVM_EXIT_IO:
		serve_io(v);
		break;
	case KVM_EXIT_INTR:
		break;
	case KVM_EXIT_SHUTDOWN: /* triple fault */
		vcpus_end(v->set, VM_EXIT_RESET, NULL);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		serve_system_event(v);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		serve_internal_error(v);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		vcpus_end(v->set, VM_EXIT_INTERNAL,
			  "vcpu %u: the processor refused to enter the guest (reason 0x%llx)",
			  v->index,
			  (unsigned long long)v->run->fail_entry.hardware_entry_failure_reason);
		break;
	default:
		vcpus_end(v->set, VM_EXIT_INTERNAL, "vcpu %u: unexpected exit %u from KVM",
			  v->index, v->run->exit_reason);
		break;
	}
}

/* Shared with the kicking thread and the kernel. */
static void set_immediate_exit(struct vcpu *v, uint8_t value)
{
	__atomic_store_n(&v->run->immediate_exit, value, __ATOMIC_SEQ_CST);
}

/*
 * Look at the requests; wait here while paused. Return: false to leave the loop.
 * Syscalls: futex (role vcpu)
 */
static bool attend(struct vcpu *v)
{
	struct vcpus *vs = v->set;
	bool go_on;

	pthread_mutex_lock(&vs->lock);
	set_immediate_exit(v, 0);
	if (vs->pause && !vs->stop) {
		vs->n_parked++;
		pthread_cond_broadcast(&vs->changed);
		while (vs->pause && !vs->stop) {
			pthread_cond_wait(&vs->changed, &vs->lock);
		}
		vs->n_parked--;
	}
	go_on = !vs->stop;
	pthread_mutex_unlock(&vs->lock);
	return go_on;
}

static void run_guest(struct vcpu *v)
{
	struct vcpus *vs = v->set;

	while (!atomic_load(&vs->ended)) {
		int ret = kvm_run(v->fd);

		if (ret == 0) {
			serve_exit(v);
		} else if (ret == -EINTR || ret == -EAGAIN) {
			/* -EAGAIN: a processor that still waits for INIT was woken up. */
			if (!attend(v)) {
				break;
			}
		} else {
			vcpus_end(vs, VM_EXIT_INTERNAL, "vcpu %u: KVM_RUN failed: %s", v->index,
				  strerror(-ret));
		}
	}
}

/*
 * The thread of a vCPU.
 * Syscalls: ioctl, futex, write, prctl, rt_sigreturn, rt_sigprocmask, madvise, exit (role vcpu)
 */
static void *vcpu_main(void *arg)
{
	struct vcpu *v = arg;
	struct vcpus *vs = v->set;
	char name[16];
	int ret = 0;

	(void)snprintf(name, sizeof(name), "vcpu%u", v->index);
	(void)pthread_setname_np(pthread_self(), name); /* cosmetic */
	if (vs->init) {
		ret = vs->init(vs->init_ctx, v->index);
	}
	if (ret < 0) {
		pthread_mutex_lock(&vs->lock);
		vs->init_error = vs->init_error < 0 ? vs->init_error : ret;
		pthread_mutex_unlock(&vs->lock);
	} else if (attend(v)) {
		run_guest(v);
	}
	pthread_mutex_lock(&vs->lock);
	vs->n_left++;
	pthread_cond_broadcast(&vs->changed);
	pthread_mutex_unlock(&vs->lock);
	return NULL;
}

/* Get every vCPU out of guest mode; the lock is held, the request is set. */
static void kick_all(struct vcpus *vs)
{
	for (unsigned i = 0; i < vs->n_threads; i++) {
		set_immediate_exit(&vs->vcpu[i], 1);
		/* A thread that has left already isn't joined yet: its id is valid. */
		(void)pthread_kill(vs->vcpu[i].thread, VCPU_SIGNAL);
	}
}

static void wait_parked(struct vcpus *vs)
{
	while (vs->n_parked + vs->n_left < vs->n_threads) {
		pthread_cond_wait(&vs->changed, &vs->lock);
	}
}

void vcpus_pause(struct vcpus *vs)
{
	pthread_mutex_lock(&vs->lock);
	vs->pause = true;
	kick_all(vs);
	wait_parked(vs);
	pthread_mutex_unlock(&vs->lock);
}

void vcpus_resume(struct vcpus *vs)
{
	pthread_mutex_lock(&vs->lock);
	vs->pause = false;
	pthread_cond_broadcast(&vs->changed);
	pthread_mutex_unlock(&vs->lock);
}

void vcpus_stop(struct vcpus *vs)
{
	unsigned n;

	pthread_mutex_lock(&vs->lock);
	vs->stop = true;
	kick_all(vs);
	pthread_cond_broadcast(&vs->changed);
	n = vs->n_threads;
	pthread_mutex_unlock(&vs->lock);
	for (unsigned i = 0; i < n; i++) {
		(void)pthread_join(vs->vcpu[i].thread, NULL);
	}
	pthread_mutex_lock(&vs->lock);
	vs->n_threads = 0;
	vs->n_left = 0;
	pthread_mutex_unlock(&vs->lock);
}

static void ignore_signal(int sig)
{
	(void)sig; /* its delivery is all that matters: KVM_RUN returns -EINTR */
}

/* The threads block every signal but the kick and those that a fault of ours raises. */
static void thread_sigmask(sigset_t *mask)
{
	static const int open[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};

	(void)sigfillset(mask);
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		(void)sigdelset(mask, open[i]);
	}
	(void)sigdelset(mask, VCPU_SIGNAL);
}

static int make_threads(struct vcpus *vs, const pthread_attr_t *attr)
{
	for (unsigned i = 0; i < vs->n; i++) {
		pthread_t thread;
		int ret = pthread_create(&thread, attr, vcpu_main, &vs->vcpu[i]);

		if (ret != 0) {
			return -ret;
		}
		/* Nobody kicks before this thread does, so the id is in time. */
		pthread_mutex_lock(&vs->lock);
		vs->vcpu[i].thread = thread;
		vs->n_threads++;
		pthread_mutex_unlock(&vs->lock);
	}
	return 0;
}

/* Threads inherit the signal mask: set theirs while making them. */
static int make_threads_masked(struct vcpus *vs)
{
	pthread_attr_t attr;
	sigset_t mask;
	sigset_t old;
	int ret;

	ret = pthread_attr_init(&attr);
	if (ret != 0) {
		return -ret;
	}
	ret = pthread_attr_setstacksize(&attr, VCPU_STACK_BYTES);
	if (ret != 0) {
		(void)pthread_attr_destroy(&attr);
		return -ret;
	}
	thread_sigmask(&mask);
	(void)pthread_sigmask(SIG_SETMASK, &mask, &old);
	ret = make_threads(vs, &attr);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	return ret;
}

int vcpus_start(struct vcpus *vs)
{
	struct sigaction sa = {.sa_handler = ignore_signal};
	int ret;

	if (vs->n_threads > 0 || vs->stop) {
		return -EBUSY;
	}
	if (sigaction(VCPU_SIGNAL, &sa, NULL) < 0) {
		return -errno;
	}
	vs->pause = true;
	ret = make_threads_masked(vs);
	if (ret == 0) {
		pthread_mutex_lock(&vs->lock);
		wait_parked(vs);
		ret = vs->init_error;
		pthread_mutex_unlock(&vs->lock);
	}
	if (ret < 0) {
		vcpus_stop(vs);
	}
	return ret;
}

static int create_one(const struct vcpus_config *cfg, const struct x86_cpuid *host, struct vcpu *v,
		      uint32_t run_bytes)
{
	struct x86_cpuid cpuid = *host;
	void *run;
	int ret;

	v->fd = kvm_create_vcpu(cfg->vm_fd, v->index);
	if (v->fd < 0) {
		return v->fd;
	}
	ret = vr_fd_move(&v->fd, VR_FDS_VCPU, VR_FDS_VCPU_N);
	if (ret < 0) {
		return ret;
	}
	run = mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (run == MAP_FAILED) {
		return -errno;
	}
	v->run = run;
	ret = vcpu_x86_cpuid_topology(&cpuid, v->index, cfg->n);
	if (ret < 0) {
		return ret;
	}
	if (cfg->count_exits) {
		(void)!kvm_stat_open(v->fd, "exits", &v->exits); /* older kernels: no count */
	}
	return vcpu_x86_setup(v->fd, &cpuid);
}

static int create_all(const struct vcpus_config *cfg, struct vcpus *vs)
{
	struct x86_cpuid host;
	int ret = kvm_run_bytes(cfg->kvm_fd);

	if (ret < 0) {
		return ret;
	}
	vs->run_bytes = (uint32_t)ret;
	ret = vcpu_x86_cpuid_host(cfg->kvm_fd, &host);
	for (unsigned i = 0; ret == 0 && i < vs->n; i++) {
		ret = create_one(cfg, &host, &vs->vcpu[i], vs->run_bytes);
	}
	return ret;
}

/* The lock needs no failing initialisation: default attributes. */
static struct vcpus *alloc_set(const struct vcpus_config *cfg)
{
	struct vcpus *vs = calloc(1, sizeof(*vs) + cfg->n * sizeof(vs->vcpu[0]));

	if (!vs) {
		return NULL;
	}
	vs->n = cfg->n;
	vs->mmio = cfg->mmio;
	vs->pio = cfg->pio;
	vs->init = cfg->init;
	vs->init_ctx = cfg->init_ctx;
	vs->exit_fd = -1;
	(void)pthread_mutex_init(&vs->lock, NULL);
	(void)pthread_cond_init(&vs->changed, NULL);
	for (unsigned i = 0; i < vs->n; i++) {
		vs->vcpu[i] =
			(struct vcpu){.set = vs, .index = i, .fd = -1, .exits = KVM_STAT_INIT};
	}
	return vs;
}

int vcpus_create(const struct vcpus_config *cfg, struct vcpus **out)
{
	struct vcpus *vs;
	int ret;

	if (cfg->n == 0 || cfg->n > VM_MAX_VCPUS) {
		return -EINVAL;
	}
	vs = alloc_set(cfg);
	if (!vs) {
		return -ENOMEM;
	}
	vs->exit_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = vs->exit_fd < 0 ? -errno : create_all(cfg, vs);
	if (ret < 0) {
		vcpus_destroy(vs);
		return ret;
	}
	*out = vs;
	return 0;
}

int vcpus_set_entry(struct vcpus *vs, uint64_t entry)
{
	return vcpu_x86_set_entry(vs->vcpu[0].fd, entry);
}

int vcpus_count_exits(const struct vcpus *vs, uint64_t *out)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < vs->n; i++) {
		uint64_t one;
		int ret;

		if (vs->vcpu[i].exits.fd < 0) {
			return -ENODATA;
		}
		ret = kvm_stat_read(&vs->vcpu[i].exits, &one);
		if (ret < 0) {
			return ret;
		}
		sum += one;
	}
	*out = sum;
	return 0;
}

void vcpus_destroy(struct vcpus *vs)
{
	if (!vs) {
		return;
	}
	vcpus_stop(vs);
	for (unsigned i = 0; i < vs->n; i++) {
		if (vs->vcpu[i].run) {
			(void)munmap(vs->vcpu[i].run, vs->run_bytes);
		}
		kvm_stat_close(&vs->vcpu[i].exits);
		vr_close_reset(&vs->vcpu[i].fd);
	}
	vr_close_reset(&vs->exit_fd);
	(void)pthread_cond_destroy(&vs->changed);
	(void)pthread_mutex_destroy(&vs->lock);
	free(vs);
}
