/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vcpu_x86.c - what a virtual x86 processor is when it starts
 *
 * CPUID bits are named by leaf, register and bit as in the vendors' manuals
 * (Intel SDM vol. 2A "CPUID"; AMD APM vol. 3 appendix E).
 */
#include "vmm/vcpu_x86.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "vmm/kvm.h"
#include "vmm/memlayout.h"

#define BIT(n) (1u << (n))

_Static_assert(offsetof(struct x86_cpuid, entries) == offsetof(struct kvm_cpuid2, entries),
	       "struct x86_cpuid is a struct kvm_cpuid2 with room");

#define LEAF_FEATURES	   0x1u
#define LEAF_CACHE	   0x4u
#define LEAF_MONITOR	   0x5u
#define LEAF_POWER	   0x6u
#define LEAF_EXT_FEATURES  0x7u
#define LEAF_PMU	   0xau
#define LEAF_TOPOLOGY	   0xbu
#define LEAF_SGX	   0x12u
#define LEAF_PT		   0x14u
#define LEAF_LBR	   0x1cu
#define LEAF_TOPOLOGY_V2   0x1fu
#define LEAF_AMD_FEATURES  0x80000001u
#define LEAF_AMD_SIZES	   0x80000008u
#define LEAF_AMD_SVM	   0x8000000au
#define LEAF_AMD_IBS	   0x8000001bu
#define LEAF_AMD_LWP	   0x8000001cu
#define LEAF_AMD_CACHE	   0x8000001du
#define LEAF_AMD_TOPOLOGY  0x8000001eu
#define LEAF_AMD_SEV	   0x8000001fu
#define LEAF_AMD_PMU	   0x80000022u
#define LEAF_AMD_TOPO_V2   0x80000026u
#define F1_ECX_DEADLINE	   BIT(24)
#define F1_ECX_HYPERVISOR  BIT(31)
#define F1_EDX_HTT	   BIT(28)
#define F6_EAX_ARAT	   BIT(2)
#define AMD1_ECX_CMPLEGACY BIT(1)

/* Bits the guest doesn't get, whatever KVM says. */
static const struct {
	uint32_t leaf;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
} hidden[] = {
	/* MONITOR, VMX, SMX, EST, TM2, PDCM */
	{LEAF_FEATURES, 0, BIT(3) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(15), 0},
	/* SGX, processor trace; SGX launch control; architectural LBR */
	{LEAF_EXT_FEATURES, BIT(2) | BIT(25), BIT(30), BIT(19)},
	/* SVM, IBS, SKINIT, WDT, LWP, performance counters (core, NB, LLC) */
	{LEAF_AMD_FEATURES, 0,
	 BIT(2) | BIT(10) | BIT(12) | BIT(13) | BIT(15) | BIT(23) | BIT(24) | BIT(28), 0},
};

/* Leaves that describe what is hidden, and topology that is written anew. */
static const uint32_t dropped[] = {
	LEAF_MONITOR, LEAF_PMU,		LEAF_TOPOLOGY,	  LEAF_SGX,	LEAF_PT,
	LEAF_LBR,     LEAF_TOPOLOGY_V2, LEAF_AMD_SVM,	  LEAF_AMD_IBS, LEAF_AMD_LWP,
	LEAF_AMD_SEV, LEAF_AMD_PMU,	LEAF_AMD_TOPO_V2,
};

static bool is_dropped(uint32_t leaf)
{
	for (size_t i = 0; i < VR_ARRAY_SIZE(dropped); i++) {
		if (dropped[i] == leaf) {
			return true;
		}
	}
	return false;
}

static void hide_bits(struct kvm_cpuid_entry2 *e)
{
	for (size_t i = 0; i < VR_ARRAY_SIZE(hidden); i++) {
		/* Only sub-leaf 0 of leaf 7 has these bits; the other leaves have no sub-leaves. */
		if (hidden[i].leaf == e->function && e->index == 0) {
			e->ebx &= ~hidden[i].ebx;
			e->ecx &= ~hidden[i].ecx;
			e->edx &= ~hidden[i].edx;
		}
	}
}

void vcpu_x86_cpuid_filter(struct x86_cpuid *c)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < c->nent && i < X86_CPUID_MAX; i++) {
		struct kvm_cpuid_entry2 e = c->entries[i];

		if (is_dropped(e.function)) {
			continue;
		}
		hide_bits(&e);
		if (e.function == LEAF_FEATURES) {
			e.ecx |= F1_ECX_DEADLINE | F1_ECX_HYPERVISOR;
		}
		if (e.function == LEAF_POWER) {
			e.eax |= F6_EAX_ARAT;
		}
		c->entries[kept++] = e;
	}
	c->nent = kept;
}

int vcpu_x86_cpuid_host(int kvm_fd, struct x86_cpuid *out)
{
	int ret;

	memset(out, 0, sizeof(*out));
	out->nent = X86_CPUID_MAX;
	ret = kvm_get_supported_cpuid(kvm_fd, (struct kvm_cpuid2 *)out);
	if (ret < 0) {
		return ret;
	}
	vcpu_x86_cpuid_filter(out);
	return 0;
}

static const struct kvm_cpuid_entry2 *find(const struct x86_cpuid *c, uint32_t leaf)
{
	for (uint32_t i = 0; i < c->nent; i++) {
		if (c->entries[i].function == leaf) {
			return &c->entries[i];
		}
	}
	return NULL;
}

/* AMD and Hygon share the 0x8000xxxx topology. Leaf 0, EBX: "Auth", "Hygo". */
static bool is_amd(const struct x86_cpuid *c)
{
	const struct kvm_cpuid_entry2 *e = find(c, 0);

	return e && (e->ebx == 0x68747541u || e->ebx == 0x6f677948u);
}

/* Bits of an APIC id that number @n cores. */
static unsigned core_bits(unsigned n)
{
	unsigned bits = 0;

	while ((1u << bits) < n) {
		bits++;
	}
	return bits;
}

/* Caches: levels 1 and 2 belong to a core, higher ones to the socket. */
static void set_cache_sharing(struct kvm_cpuid_entry2 *e, unsigned sharers)
{
	uint32_t level = (e->eax >> 5) & 7;

	e->eax &= ~(0xfffu << 14);
	if (level >= 3) {
		e->eax |= (sharers - 1) << 14;
	}
}

struct topology {
	unsigned index;
	unsigned n;
	unsigned bits;
	bool amd;
};

static void set_topology(struct kvm_cpuid_entry2 *e, const struct topology *t)
{
	unsigned ids = 1u << t->bits;

	switch (e->function) {
	case LEAF_FEATURES:
		e->ebx = (e->ebx & 0xffffu) | (VR_MIN(ids, 255u) << 16) | (t->index << 24);
		e->edx &= ~F1_EDX_HTT;
		e->edx |= t->n > 1 ? F1_EDX_HTT : 0;
		break;
	case LEAF_CACHE:
		if ((e->eax & 0x1f) != 0) {
			set_cache_sharing(e, ids);
			e->eax = (e->eax & ~(0x3fu << 26)) | ((VR_MIN(ids, 64u) - 1) << 26);
		}
		break;
	case LEAF_AMD_FEATURES:
		if (t->amd) {
			e->ecx &= ~AMD1_ECX_CMPLEGACY;
			e->ecx |= t->n > 1 ? AMD1_ECX_CMPLEGACY : 0;
		}
		break;
	case LEAF_AMD_SIZES:
		if (t->amd) {
			e->ecx = (e->ecx & ~0xf0ffu) | (t->bits << 12) | (t->n - 1);
		}
		break;
	case LEAF_AMD_CACHE:
		if ((e->eax & 0x1f) != 0) {
			set_cache_sharing(e, ids);
		}
		break;
	case LEAF_AMD_TOPOLOGY:
		e->eax = t->index;
		e->ebx = t->index & 0xffu; /* core id; one thread a core */
		e->ecx = 0;		   /* node 0 of 1 */
		e->edx = 0;
		break;
	default:
		break;
	}
}

static int add_entry(struct x86_cpuid *c, const struct kvm_cpuid_entry2 *e)
{
	if (c->nent >= X86_CPUID_MAX) {
		return -E2BIG;
	}
	c->entries[c->nent++] = *e;
	return 0;
}

/* Extended topology: level types 1 (thread) and 2 (core), then the end. */
static int add_levels(struct x86_cpuid *c, uint32_t leaf, const struct topology *t)
{
	const struct {
		uint32_t shift;
		uint32_t count;
		uint32_t type;
	} level[] = {{0, 1, 1}, {t->bits, t->n, 2}, {0, 0, 0}};

	for (uint32_t i = 0; i < VR_ARRAY_SIZE(level); i++) {
		struct kvm_cpuid_entry2 e = {.function = leaf,
					     .index = i,
					     .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
					     .eax = level[i].shift,
					     .ebx = level[i].count,
					     .ecx = i | (level[i].type << 8),
					     .edx = t->index};
		int ret = add_entry(c, &e);

		if (ret < 0) {
			return ret;
		}
	}
	return 0;
}

int vcpu_x86_cpuid_topology(struct x86_cpuid *c, unsigned index, unsigned n)
{
	const struct kvm_cpuid_entry2 *leaf0 = find(c, 0);
	uint32_t max_leaf = leaf0 ? leaf0->eax : 0;
	struct topology t = {.index = index, .n = n, .bits = core_bits(n), .amd = is_amd(c)};
	int ret = 0;

	for (uint32_t i = 0; i < c->nent; i++) {
		set_topology(&c->entries[i], &t);
	}
	if (max_leaf >= LEAF_TOPOLOGY) {
		ret = add_levels(c, LEAF_TOPOLOGY, &t);
	}
	if (ret == 0 && max_leaf >= LEAF_TOPOLOGY_V2) {
		ret = add_levels(c, LEAF_TOPOLOGY_V2, &t);
	}
	return ret;
}

/* What firmware would have set up and Linux takes for granted. */
static int set_msrs(int vcpu_fd)
{
	enum {
		MISC_ENABLE = 0x1a0,
		MTRR_DEF_TYPE = 0x2ff,
		N = 2
	};
	union {
		struct kvm_msrs head;
		uint8_t room[sizeof(struct kvm_msrs) + N * sizeof(struct kvm_msr_entry)];
	} msrs = {.head = {.nmsrs = N}};

	/* Fast strings. */
	msrs.head.entries[0] = (struct kvm_msr_entry){.index = MISC_ENABLE, .data = 1};
	/* MTRRs on, everything write-back. */
	msrs.head.entries[1] =
		(struct kvm_msr_entry){.index = MTRR_DEF_TYPE, .data = (1u << 11) | 6u};
	return kvm_set_msrs(vcpu_fd, &msrs.head);
}

static int set_fpu(int vcpu_fd)
{
	/* The state after FNINIT, and MXCSR after reset: all exceptions masked. */
	struct kvm_fpu f = {.fcw = 0x37f, .mxcsr = 0x1f80};

	return kvm_set_fpu(vcpu_fd, &f);
}

static void lapic_set_mode(struct kvm_lapic_state *l, unsigned reg, uint32_t mode)
{
	uint32_t v;

	memcpy(&v, l->regs + reg, sizeof(v));
	v = (v & ~(7u << 8)) | (mode << 8);
	memcpy(l->regs + reg, &v, sizeof(v));
}

/* As the MP table says: external interrupts on LINT0, NMI on LINT1. */
static int set_lapic(int vcpu_fd)
{
	enum {
		LVT_LINT0 = 0x350,
		LVT_LINT1 = 0x360,
		MODE_NMI = 4,
		MODE_EXTINT = 7
	};
	struct kvm_lapic_state l;
	int ret = kvm_get_lapic(vcpu_fd, &l);

	if (ret < 0) {
		return ret;
	}
	lapic_set_mode(&l, LVT_LINT0, MODE_EXTINT);
	lapic_set_mode(&l, LVT_LINT1, MODE_NMI);
	return kvm_set_lapic(vcpu_fd, &l);
}

int vcpu_x86_setup(int vcpu_fd, const struct x86_cpuid *c)
{
	int ret = kvm_set_cpuid(vcpu_fd, (const struct kvm_cpuid2 *)c);

	if (ret < 0) {
		return ret;
	}
	ret = set_msrs(vcpu_fd);
	if (ret < 0) {
		return ret;
	}
	ret = set_fpu(vcpu_fd);
	if (ret < 0) {
		return ret;
	}
	return set_lapic(vcpu_fd);
}

/* A flat 32-bit segment; KVM wants the limit in bytes. */
static struct kvm_segment flat_segment(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment){.base = 0,
				    .limit = 0xffffffffu,
				    .selector = selector,
				    .type = type,
				    .present = 1,
				    .db = 1,
				    .s = 1,
				    .g = 1};
}

void vcpu_x86_flat(struct kvm_sregs *s)
{
	enum {
		CODE_RX_ACCESSED = 0xb,
		DATA_RW_ACCESSED = 0x3,
		TSS32_BUSY = 0xb
	};
	enum {
		CR0_PE = 1,
		CR0_ET = 0x10
	};

	s->cs = flat_segment(0x8, CODE_RX_ACCESSED);
	s->ds = flat_segment(0x10, DATA_RW_ACCESSED);
	s->es = s->ds;
	s->fs = s->ds;
	s->gs = s->ds;
	s->ss = s->ds;
	s->tr = (struct kvm_segment){
		.limit = 0x67, .selector = 0x18, .type = TSS32_BUSY, .present = 1};
	/* The guest loads tables of its own before it needs any. */
	s->gdt = (struct kvm_dtable){.base = 0, .limit = 0};
	s->idt = (struct kvm_dtable){.base = 0, .limit = 0};
	s->cr0 = CR0_PE | CR0_ET;
	s->cr3 = 0;
	s->cr4 = 0;
	s->efer = 0;
}

int vcpu_x86_set_entry(int vcpu_fd, uint64_t entry)
{
	struct kvm_regs r = {.rip = entry, .rbx = ML_START_INFO, .rflags = 2};
	struct kvm_sregs s;
	int ret;

	if (entry > UINT32_MAX) {
		return -EINVAL;
	}
	ret = kvm_get_sregs(vcpu_fd, &s);
	if (ret < 0) {
		return ret;
	}
	vcpu_x86_flat(&s);
	ret = kvm_set_sregs(vcpu_fd, &s);
	if (ret < 0) {
		return ret;
	}
	return kvm_set_regs(vcpu_fd, &r);
}
