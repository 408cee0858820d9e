/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm.c - KVM's ioctls as functions
 */
#include "vmm/kvm.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "base/checked.h"

/* A value argument travels as a pointer-sized integer: that is the ABI of ioctl. */
static int kvm_ioctl(int fd, unsigned long request, unsigned long arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

static int kvm_ioctl_ptr(int fd, unsigned long request, const void *arg)
{
	return kvm_ioctl(fd, request, (unsigned long)(uintptr_t)arg);
}

/* What the VMM can't do without, with the sentence an operator reads. */
static const struct {
	unsigned cap;
	const char *why;
} needed[] = {
	{KVM_CAP_USER_MEMORY, "KVM has no user memory regions"},
	{KVM_CAP_SET_TSS_ADDR, "KVM can't place its TSS (not an x86 KVM)"},
	{KVM_CAP_SET_IDENTITY_MAP_ADDR, "KVM can't place its identity map"},
	{KVM_CAP_EXT_CPUID, "KVM can't report the processor features it supports"},
	{KVM_CAP_IRQCHIP, "KVM has no in-kernel interrupt controllers"},
	{KVM_CAP_IRQFD, "KVM has no irqfds"},
	{KVM_CAP_IOEVENTFD, "KVM has no ioeventfds"},
	{KVM_CAP_IMMEDIATE_EXIT, "KVM has no immediate_exit (Linux 4.12 is needed)"},
	{KVM_CAP_TSC_DEADLINE_TIMER, "KVM has no TSC deadline timer"},
};

int kvm_has(int fd, unsigned cap)
{
	int ret = kvm_ioctl(fd, KVM_CHECK_EXTENSION, cap);

	return ret > 0 ? ret : 0;
}

int kvm_check(int kvm_fd, const char **out_why)
{
	int version = kvm_ioctl(kvm_fd, KVM_GET_API_VERSION, 0);

	if (version < 0) {
		*out_why = "not a KVM device";
		return -ENOTTY;
	}
	if (version != KVM_API_VERSION) {
		*out_why = "unknown version of the KVM interface";
		return -EPROTO;
	}
	for (size_t i = 0; i < VR_ARRAY_SIZE(needed); i++) {
		if (kvm_has(kvm_fd, needed[i].cap) == 0) {
			*out_why = needed[i].why;
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

int kvm_create_vm(int kvm_fd)
{
	return kvm_ioctl(kvm_fd, KVM_CREATE_VM, 0);
}

int kvm_run_bytes(int kvm_fd)
{
	int ret = kvm_ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (ret >= 0 && (size_t)ret < sizeof(struct kvm_run)) {
		return -EPROTO;
	}
	return ret;
}

int kvm_get_supported_cpuid(int kvm_fd, struct kvm_cpuid2 *c)
{
	return kvm_ioctl_ptr(kvm_fd, KVM_GET_SUPPORTED_CPUID, c);
}

int kvm_set_tss_addr(int vm_fd, uint64_t addr)
{
	return kvm_ioctl(vm_fd, KVM_SET_TSS_ADDR, addr);
}

int kvm_set_identity_map_addr(int vm_fd, uint64_t addr)
{
	return kvm_ioctl_ptr(vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &addr);
}

int kvm_create_irqchip(int vm_fd)
{
	return kvm_ioctl(vm_fd, KVM_CREATE_IRQCHIP, 0);
}

int kvm_disable_pmu(int vm_fd)
{
	struct kvm_enable_cap cap = {.cap = KVM_CAP_PMU_CAPABILITY, .args = {KVM_PMU_CAP_DISABLE}};

	return kvm_ioctl_ptr(vm_fd, KVM_ENABLE_CAP, &cap);
}

int kvm_set_memory(int vm_fd, uint32_t slot, uint64_t guest_addr, uint64_t size, void *host)
{
	struct kvm_userspace_memory_region r = {.slot = slot,
						.guest_phys_addr = guest_addr,
						.memory_size = size,
						.userspace_addr = (uint64_t)(uintptr_t)host};

	return kvm_ioctl_ptr(vm_fd, KVM_SET_USER_MEMORY_REGION, &r);
}

int kvm_get_stats_fd(int vcpu_fd)
{
	return kvm_ioctl(vcpu_fd, KVM_GET_STATS_FD, 0);
}

int kvm_create_vcpu(int vm_fd, unsigned id)
{
	return kvm_ioctl(vm_fd, KVM_CREATE_VCPU, id);
}

int kvm_set_cpuid(int vcpu_fd, const struct kvm_cpuid2 *c)
{
	return kvm_ioctl_ptr(vcpu_fd, KVM_SET_CPUID2, c);
}

int kvm_set_msrs(int vcpu_fd, const struct kvm_msrs *msrs)
{
	int ret = kvm_ioctl_ptr(vcpu_fd, KVM_SET_MSRS, msrs);

	if (ret < 0) {
		return ret;
	}
	return (unsigned)ret == msrs->nmsrs ? 0 : -EIO;
}

int kvm_get_regs(int vcpu_fd, struct kvm_regs *r)
{
	return kvm_ioctl_ptr(vcpu_fd, KVM_GET_REGS, r);
}

int kvm_set_regs(int vcpu_fd, const struct kvm_regs *r)
{
	return kvm_ioctl_ptr(vcpu_fd, KVM_SET_REGS, r);
}

int kvm_get_sregs(int vcpu_fd, struct kvm_sregs *s)
{
	return kvm_ioctl_ptr(vcpu_fd, KVM_GET_SREGS, s);
}

int kvm_set_sregs(int vcpu_fd, const struct kvm_sregs *s)
{
	return kvm_ioctl_ptr(vcpu_fd, KVM_SET_SREGS, s);
}

int kvm_set_fpu(int vcpu_fd, const struct kvm_fpu *f)
{
	return kvm_ioctl_ptr(vcpu_fd, KVM_SET_FPU, f);
}

int kvm_get_lapic(int vcpu_fd, struct kvm_lapic_state *l)
{
	return kvm_ioctl_ptr(vcpu_fd, KVM_GET_LAPIC, l);
}

int kvm_set_lapic(int vcpu_fd, const struct kvm_lapic_state *l)
{
	return kvm_ioctl_ptr(vcpu_fd, KVM_SET_LAPIC, l);
}

int kvm_run(int vcpu_fd)
{
	return ioctl(vcpu_fd, KVM_RUN, 0) < 0 ? -errno : 0;
}
