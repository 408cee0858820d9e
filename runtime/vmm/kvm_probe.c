/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm_probe.c - can this KVM run a guest kernel?
 *
 * The VM has one page of memory and one processor in flat 32-bit protected
 * mode, ring 0, and no irqchip. Its code begins again after each result, so
 * that a run can be repeated: the fastest of a few counts, since the first one
 * faults pages in and a busy machine may disturb any.
 *
 * The loop is sized so that the probe takes less than a second even at a
 * million instructions a second. A processor takes about 0.1 ms for a run, a
 * whole machine emulated by a compiling emulator some milliseconds.
 */
#include "vmm/kvm_probe.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "vmm/kvm.h"
#include "vmm/vcpu_x86.h"

#define PROBE_PAGE   4096u
#define PROBE_PORT   0x600u
#define PROBE_MAX_MS 50u
#define PROBE_RUNS   4u
#define CR4_OSFXSR   (1u << 9)

/* So slow that no disturbance explains it. */
#define PROBE_HOPELESS_MS 300

static const uint8_t probe_code[] = {
	0x0f, 0x57, 0xc0,	      /* xorps %xmm0, %xmm0 */
	0x66, 0x0f, 0x6e, 0xc8,	      /* movd %eax, %xmm1 */
	0x66, 0x0f, 0xfe, 0xc1,	      /* paddd %xmm1, %xmm0 */
	0xb9, 0xf0, 0x49, 0x02, 0x00, /* mov $150000, %ecx */
	0x49,			      /* 1: dec %ecx */
	0x75, 0xfd,		      /* jnz 1b */
	0x66, 0x0f, 0x7e, 0xc0,	      /* movd %xmm0, %eax */
	0x66, 0xba, 0x00, 0x06,	      /* mov $PROBE_PORT, %dx */
	0xee,			      /* out %al, %dx */
	0xeb, 0xe2,		      /* jmp from the beginning */
};

/* What the code is started with, and hence what it sends to the port. */
#define PROBE_TOKEN 0x5au

/** struct probe - everything of the throw-away VM */
struct probe {
	int vm_fd;
	int vcpu_fd;
	uint8_t *page;
	struct kvm_run *run;
	size_t run_bytes;
};

static int say(char *why, size_t n, int code, const char *text, int err)
{
	if (err < 0) {
		(void)snprintf(why, n, "%s: %s", text, strerror(-err)); /* a cut is fine */
	} else {
		(void)snprintf(why, n, "%s", text);
	}
	return code;
}

static int probe_memory(struct probe *p)
{
	void *page =
		mmap(NULL, PROBE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED) {
		return -errno;
	}
	p->page = page;
	memcpy(p->page, probe_code, sizeof(probe_code));
	return kvm_set_memory(p->vm_fd, 0, 0, PROBE_PAGE, p->page);
}

static int probe_registers(const struct probe *p)
{
	struct kvm_regs r = {.rip = 0, .rax = PROBE_TOKEN, .rflags = 2};
	struct kvm_sregs s;
	int ret = kvm_get_sregs(p->vcpu_fd, &s);

	if (ret < 0) {
		return ret;
	}
	vcpu_x86_flat(&s);
	s.cr4 = CR4_OSFXSR;
	ret = kvm_set_sregs(p->vcpu_fd, &s);
	if (ret < 0) {
		return ret;
	}
	return kvm_set_regs(p->vcpu_fd, &r);
}

static int probe_vcpu(struct probe *p, int kvm_fd)
{
	struct x86_cpuid cpuid;
	void *run;
	int ret;

	p->vcpu_fd = kvm_create_vcpu(p->vm_fd, 0);
	if (p->vcpu_fd < 0) {
		return p->vcpu_fd;
	}
	ret = kvm_run_bytes(kvm_fd);
	if (ret < 0) {
		return ret;
	}
	p->run_bytes = (size_t)ret;
	run = mmap(NULL, p->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, p->vcpu_fd, 0);
	if (run == MAP_FAILED) {
		return -errno;
	}
	p->run = run;
	ret = vcpu_x86_cpuid_host(kvm_fd, &cpuid);
	if (ret < 0) {
		return ret;
	}
	return kvm_set_cpuid(p->vcpu_fd, (const struct kvm_cpuid2 *)&cpuid);
}

static int probe_create(struct probe *p, int kvm_fd)
{
	int ret;

	p->vm_fd = kvm_create_vm(kvm_fd);
	if (p->vm_fd < 0) {
		return p->vm_fd;
	}
	ret = probe_memory(p);
	if (ret < 0) {
		return ret;
	}
	ret = probe_vcpu(p, kvm_fd);
	if (ret < 0) {
		return ret;
	}
	return probe_registers(p);
}

static void probe_destroy(struct probe *p)
{
	if (p->run) {
		(void)munmap(p->run, p->run_bytes);
	}
	vr_close_reset(&p->vcpu_fd);
	vr_close_reset(&p->vm_fd);
	if (p->page) {
		(void)munmap(p->page, PROBE_PAGE);
	}
}

/* Processor time of this thread: a busy host doesn't make a good KVM look slow. */
static uint64_t cpu_ms(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts) < 0) {
		return 0;
	}
	return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}

/* Did the guest get through its code, with the right result? */
static int judge_exit(const struct probe *p, char *why, size_t n)
{
	const struct kvm_run *run = p->run;

	assert(run); /* probe_create() succeeded */
	if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR) {
		return say(
			why, n, -EOPNOTSUPP,
			"KVM can't execute SSE instructions in guest kernel mode: it emulates the "
			"guest's kernel in software",
			0);
	}
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != PROBE_PORT ||
	    *((const uint8_t *)run + run->io.data_offset) != PROBE_TOKEN) {
		(void)snprintf(why, n,
			       "a guest in kernel mode ended with exit %u instead of its "
			       "result",
			       run->exit_reason);
		return -EOPNOTSUPP;
	}
	return 0;
}

/* Return: milliseconds of processor time, or -errno with @why set */
static int64_t run_once(const struct probe *p, char *why, size_t n)
{
	uint64_t begin = cpu_ms();
	int ret = kvm_run(p->vcpu_fd);

	if (ret < 0) {
		return say(why, n, ret, "running the test guest", ret);
	}
	ret = judge_exit(p, why, n);
	return ret < 0 ? ret : (int64_t)(cpu_ms() - begin);
}

static int probe_run(const struct probe *p, char *why, size_t n)
{
	int64_t best = INT64_MAX;

	for (unsigned i = 0; i < PROBE_RUNS; i++) {
		int64_t took = run_once(p, why, n);

		if (took <= PROBE_MAX_MS) {
			return took < 0 ? (int)took : 0;
		}
		best = VR_MIN(best, took);
		if (took > PROBE_HOPELESS_MS) {
			break;
		}
	}
	(void)snprintf(
		why, n,
		"KVM takes %lld ms for what a processor does in less than 1: it emulates the "
		"guest's kernel in software",
		(long long)best);
	return -EOPNOTSUPP;
}

int kvm_probe_guest_kernel(int kvm_fd, char *why, size_t n)
{
	struct probe p = {.vm_fd = -1, .vcpu_fd = -1};
	const char *missing;
	int ret = kvm_check(kvm_fd, &missing);

	if (ret < 0) {
		return say(why, n, ret, missing, 0);
	}
	ret = probe_create(&p, kvm_fd);
	if (ret < 0) {
		(void)say(why, n, ret, "making a test VM", ret);
	} else {
		ret = probe_run(&p, why, n);
	}
	probe_destroy(&p);
	return ret;
}
