/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vm.c - one virtual machine
 *
 * Creation and teardown in the order that vm.h promises. What runs while the
 * guest does is elsewhere: vcpu.c serves exits through the two buses that are
 * filled here, KVM itself serves kicks and interrupts (irq.c).
 */
#include "vmm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdrange.h"
#include "vmm/bus.h"
#include "vmm/irq.h"
#include "vmm/kvm.h"
#include "vmm/memlayout.h"
#include "vmm/reset.h"
#include "vmm/vcpu.h"

/* The status register of a device page; 0 resets (virtio 1.2, 4.2.2). */
#define REG_STATUS 0x70u

/* A process with threads waits for an RCU grace period when its fd table grows. */
#define FD_TABLE_SIZE 1024

/**
 * struct spare - a slot whose device may come and go while vCPUs run
 * @lock: covers @dev; taken before the device's own lock
 */
struct spare {
	pthread_mutex_t lock;
	struct virtio_dev *dev;
};

/**
 * struct vm - owned by the thread that created it; the buses are frozen while vCPUs run
 * @dev:   of each slot, borrowed; NULL for a spare one
 * @spare: of each slot, NULL for a fixed one
 */
struct vm {
	int fd;
	struct bus mmio;
	struct bus pio;
	struct reset_dev reset;
	struct vcpus *vcpus;
	struct virtio_dev *dev[ML_MMIO_SLOTS];
	struct spare *spare[ML_MMIO_SLOTS];
	unsigned n_slots;
	bool started;
};

const char *vm_exit_name(enum vm_exit e)
{
	static const char *const names[] = {
		[VM_EXIT_NONE] = "running",	  [VM_EXIT_RESET] = "reset",
		[VM_EXIT_POWEROFF] = "power-off", [VM_EXIT_INTERNAL] = "internal error",
		[VM_EXIT_STOPPED] = "stopped",
	};

	_Static_assert(VR_ARRAY_SIZE(names) == VM_EXIT_COUNT, "a name for each reason");
	return (unsigned)e < VM_EXIT_COUNT ? names[e] : "unknown";
}

static uint64_t slot_base(unsigned slot)
{
	return ML_MMIO_BASE + slot * ML_MMIO_STRIDE;
}

static void device_read(void *ctx, uint64_t off, void *buf, uint32_t len)
{
	virtio_mmio_read(ctx, (uint32_t)off, buf, len);
}

static void device_write(void *ctx, uint64_t off, const void *buf, uint32_t len)
{
	virtio_mmio_write(ctx, (uint32_t)off, buf, len);
}

static const struct bus_ops device_ops = {.read = device_read, .write = device_write};

/* Return: number of the slot that comes next, -EBUSY, -ENOSPC */
static int next_slot(const struct vm *vm)
{
	if (vm->started) {
		return -EBUSY;
	}
	return vm->n_slots == ML_MMIO_SLOTS ? -ENOSPC : (int)vm->n_slots;
}

static int wire(const struct vm *vm, unsigned slot, struct virtio_dev *dev)
{
	int ret = dev->irq_fd < 0 ? virtio_dev_open_fds(dev) : 0;

	return ret < 0 ? ret : irq_device_add(vm->fd, dev, slot_base(slot), ML_IRQ_BASE + slot);
}

int vm_add_device(struct vm *vm, struct virtio_dev *dev)
{
	int slot = next_slot(vm);
	int ret = slot < 0 ? slot : wire(vm, (unsigned)slot, dev);

	if (ret < 0) {
		return ret;
	}
	ret = bus_add(&vm->mmio, slot_base((unsigned)slot), ML_MMIO_STRIDE, &device_ops, dev);
	if (ret < 0) {
		irq_device_del(vm->fd, dev, slot_base((unsigned)slot),
			       ML_IRQ_BASE + (unsigned)slot);
		return ret;
	}
	vm->dev[vm->n_slots++] = dev;
	return slot;
}

/* Syscalls: futex (role vcpu) */
static void spare_read(void *ctx, uint64_t off, void *buf, uint32_t len)
{
	struct spare *s = ctx;

	(void)pthread_mutex_lock(&s->lock); /* can't fail for a plain mutex */
	if (s->dev) {
		virtio_mmio_read(s->dev, (uint32_t)off, buf, len);
	} else {
		virtio_mmio_read_placeholder((uint32_t)off, buf, len);
	}
	(void)pthread_mutex_unlock(&s->lock);
}

/* Syscalls: futex (role vcpu) */
static void spare_write(void *ctx, uint64_t off, const void *buf, uint32_t len)
{
	struct spare *s = ctx;

	(void)pthread_mutex_lock(&s->lock); /* as above */
	if (s->dev) {
		virtio_mmio_write(s->dev, (uint32_t)off, buf, len);
	}
	(void)pthread_mutex_unlock(&s->lock);
}

static const struct bus_ops spare_ops = {.read = spare_read, .write = spare_write};

int vm_add_spare(struct vm *vm)
{
	int slot = next_slot(vm);
	struct spare *s;
	int ret;

	if (slot < 0) {
		return slot;
	}
	s = calloc(1, sizeof(*s)); /* zeros are a plain mutex */
	if (!s) {
		return -ENOMEM;
	}
	ret = bus_add(&vm->mmio, slot_base((unsigned)slot), ML_MMIO_STRIDE, &spare_ops, s);
	if (ret < 0) {
		free(s);
		return ret;
	}
	vm->spare[vm->n_slots++] = s;
	return slot;
}

/* Only the thread that owns the VM changes what is on a slot: others may read it under the lock. */
static void spare_set(struct spare *s, struct virtio_dev *dev)
{
	(void)pthread_mutex_lock(&s->lock); /* as above */
	s->dev = dev;
	(void)pthread_mutex_unlock(&s->lock);
}

/* Syscalls: eventfd2, ioctl, close (role vmm) */
int vm_plug(struct vm *vm, unsigned slot, struct virtio_dev *dev)
{
	struct spare *s = slot < vm->n_slots ? vm->spare[slot] : NULL;
	int ret;

	if (!s) {
		return -EINVAL;
	}
	if (s->dev) {
		return -EBUSY;
	}
	ret = wire(vm, slot, dev);
	if (ret == 0) {
		spare_set(s, dev);
	}
	return ret;
}

/* A driver's reset: returns when nobody touches guest memory for the device any more. */
static void quiesce(struct virtio_dev *dev)
{
	uint32_t zero = 0;

	virtio_mmio_write(dev, REG_STATUS, &zero, sizeof(zero));
}

/* Syscalls: ioctl, close (role vmm) */
void vm_unplug(struct vm *vm, unsigned slot)
{
	struct spare *s = slot < vm->n_slots ? vm->spare[slot] : NULL;
	struct virtio_dev *dev = s ? s->dev : NULL;

	if (!dev) {
		return;
	}
	spare_set(s, NULL);
	quiesce(dev);
	irq_device_del(vm->fd, dev, slot_base(slot), ML_IRQ_BASE + slot);
}

/*
 * Their eventfds go with the VM: KVM waits for a grace period for each that is taken away from a
 * living one, and for one in all when its fd is closed.
 */
static void quiesce_devices(struct vm *vm)
{
	for (unsigned i = vm->n_slots; i-- > 0;) {
		struct virtio_dev *dev = vm->spare[i] ? vm->spare[i]->dev : vm->dev[i];

		if (dev) {
			quiesce(dev);
		}
		free(vm->spare[i]);
	}
	vm->n_slots = 0;
}

/* Make the fd table large while there is only one thread. Merely slower later when it fails. */
static void grow_fd_table(int some_fd)
{
	struct rlimit rl;
	int fd;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur < 2) {
		return;
	}
	fd = fcntl(some_fd, F_DUPFD_CLOEXEC, (int)VR_MIN(rl.rlim_cur, (rlim_t)FD_TABLE_SIZE) - 1);
	if (fd >= 0) {
		(void)close(fd);
	}
}

static void reset_requested(void *ctx, enum vm_exit reason)
{
	struct vm *vm = ctx;

	vcpus_end(vm->vcpus, reason, NULL);
}

static int map_memory(const struct vm *vm, const struct gmem *mem)
{
	for (unsigned i = 0; i < gmem_n_regions(mem); i++) {
		const struct gmem_region *r = gmem_region(mem, i);
		int ret = kvm_set_memory(vm->fd, i, r->base, r->size, r->host);

		if (ret < 0) {
			return ret;
		}
	}
	return 0;
}

/* Interrupt controllers before vCPUs: each vCPU gets its local APIC when it is made. */
static int create_machine(struct vm *vm, const struct vm_config *cfg)
{
	int ret;

	vm->fd = kvm_create_vm(cfg->kvm_fd);
	if (vm->fd < 0) {
		return vm->fd;
	}
	ret = vr_fd_move(&vm->fd, VR_FDS_VM, VR_FDS_VM_N);
	if (ret < 0) {
		return ret;
	}
	(void)kvm_disable_pmu(vm->fd); /* absent before Linux 5.18; CPUID hides the PMU anyway */
	ret = kvm_set_identity_map_addr(vm->fd, ML_KVM_IDENTITY);
	if (ret < 0) {
		return ret;
	}
	ret = kvm_set_tss_addr(vm->fd, ML_KVM_TSS);
	if (ret < 0) {
		return ret;
	}
	ret = kvm_create_irqchip(vm->fd);
	if (ret < 0) {
		return ret;
	}
	return map_memory(vm, cfg->mem);
}

static int create_vcpus(struct vm *vm, const struct vm_config *cfg)
{
	struct vcpus_config vc = {.kvm_fd = cfg->kvm_fd,
				  .vm_fd = vm->fd,
				  .n = cfg->n_vcpus,
				  .mmio = &vm->mmio,
				  .pio = &vm->pio,
				  .init = cfg->vcpu_init,
				  .init_ctx = cfg->vcpu_init_ctx,
				  .count_exits = cfg->count_exits};

	return vcpus_create(&vc, &vm->vcpus);
}

int vm_create(const struct vm_config *cfg, struct vm **out)
{
	const char *why;
	struct vm *vm;
	int ret;

	if (cfg->n_vcpus == 0 || cfg->n_vcpus > VM_MAX_VCPUS) {
		return -EINVAL;
	}
	ret = kvm_check(cfg->kvm_fd, &why);
	if (ret < 0) {
		return ret;
	}
	vm = calloc(1, sizeof(*vm));
	if (!vm) {
		return -ENOMEM;
	}
	vm->fd = -1;
	bus_init(&vm->mmio);
	bus_init(&vm->pio);
	vm->reset = (struct reset_dev){.request = reset_requested, .ctx = vm};
	grow_fd_table(cfg->kvm_fd);
	ret = create_machine(vm, cfg);
	if (ret == 0) {
		ret = create_vcpus(vm, cfg);
	}
	if (ret == 0) {
		ret = reset_add(&vm->pio, &vm->reset);
	}
	if (ret < 0) {
		vm_destroy(vm);
		return ret;
	}
	*out = vm;
	return 0;
}

int vm_add_pio(struct vm *vm, uint16_t port, uint16_t n_ports, const struct bus_ops *ops, void *ctx)
{
	return bus_add(&vm->pio, port, n_ports, ops, ctx);
}

int vm_set_entry(struct vm *vm, uint64_t entry)
{
	return vcpus_set_entry(vm->vcpus, entry);
}

int vm_start(struct vm *vm)
{
	int ret;

	bus_freeze(&vm->mmio);
	bus_freeze(&vm->pio);
	vm->started = true;
	ret = vcpus_start(vm->vcpus);
	if (ret < 0) {
		return ret;
	}
	vcpus_resume(vm->vcpus);
	return 0;
}

int vm_exit_fd(const struct vm *vm)
{
	return vcpus_exit_fd(vm->vcpus);
}

int vm_count_exits(const struct vm *vm, uint64_t *out)
{
	return vcpus_count_exits(vm->vcpus, out);
}

enum vm_exit vm_exit_reason(const struct vm *vm, const char **out_detail)
{
	return vcpus_reason(vm->vcpus, out_detail);
}

int vm_pause(struct vm *vm)
{
	if (!vm->started) {
		return -EINVAL;
	}
	vcpus_pause(vm->vcpus);
	return 0;
}

int vm_resume(struct vm *vm)
{
	if (!vm->started) {
		return -EINVAL;
	}
	vcpus_resume(vm->vcpus);
	return 0;
}

void vm_stop(struct vm *vm)
{
	vcpus_end(vm->vcpus, VM_EXIT_STOPPED, NULL);
	vcpus_stop(vm->vcpus);
}

void vm_destroy(struct vm *vm)
{
	if (!vm) {
		return;
	}
	if (vm->vcpus) {
		vm_stop(vm);
	}
	quiesce_devices(vm);
	vcpus_destroy(vm->vcpus);
	vr_close_reset(&vm->fd);
	free(vm);
}
