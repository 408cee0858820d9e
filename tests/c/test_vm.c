/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_vm.c - machines that run a few instructions: exits, pause, stop, ends
 *
 * Needs a KVM that can make VMs; one that emulates kernel mode will do, since
 * the guests here are a handful of plain instructions in protected mode.
 */
#include "vmm/vm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "ram_fixture.h"
#include "vmm/bus.h"
#include "vmm/kvm.h"
#include "vmm/kvm_probe.h"
#include "vmm/memlayout.h"
#include "vmm/virtio_rng.h"

#define RAM	  ML_RAM_MIN
#define CODE	  0x100000u
#define DATA	  0x200000u
#define TEST_PORT 0x500u

static int kvm_fd = -1;

/** struct port - a device on TEST_PORT that remembers what it was told */
struct port {
	uint8_t seen[64];
	_Atomic unsigned n;
};

static void port_read(void *ctx, uint64_t off, void *buf, uint32_t len)
{
	(void)ctx;
	memset(buf, 0x11 * (int)(off + 1), len);
}

static void port_write(void *ctx, uint64_t off, const void *buf, uint32_t len)
{
	struct port *p = ctx;
	unsigned n = atomic_load(&p->n);

	(void)off;
	if (n + len <= sizeof(p->seen)) {
		memcpy(p->seen + n, buf, len);
	}
	atomic_store(&p->n, n + len);
}

static const struct bus_ops port_ops = {.read = port_read, .write = port_write};

/** struct machine - a VM with its memory and the test port */
struct machine {
	struct gmem *mem;
	struct vm *vm;
	struct port port;
};

static bool have_kvm(void)
{
	const char *why = NULL;

	if (kvm_fd < 0) {
		kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	}
	return kvm_fd >= 0 && kvm_check(kvm_fd, &why) == 0;
}

#define NEED_KVM()                                                                                 \
	do {                                                                                       \
		if (!have_kvm()) {                                                                 \
			print_message("no usable /dev/kvm\n");                                     \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

static void machine_make(struct machine *t, unsigned n_vcpus, const void *code, size_t len,
			 int (*init)(void *ctx, unsigned index), void *ctx)
{
	struct vm_config cfg = {
		.kvm_fd = kvm_fd, .n_vcpus = n_vcpus, .vcpu_init = init, .vcpu_init_ctx = ctx};

	memset(t, 0, sizeof(*t));
	t->mem = make_ram(RAM);
	assert_int_equal(gmem_write(t->mem, gpa(CODE), code, len), 0);
	cfg.mem = t->mem;
	assert_int_equal(vm_create(&cfg, &t->vm), 0);
	assert_int_equal(vm_add_pio(t->vm, TEST_PORT, 4, &port_ops, &t->port), 0);
	assert_int_equal(vm_set_entry(t->vm, CODE), 0);
	assert_int_equal(vm_exit_reason(t->vm, NULL), VM_EXIT_NONE);
}

static void machine_drop(struct machine *t)
{
	vm_destroy(t->vm);
	gmem_unmap(t->mem);
}

static bool ended_within(struct machine *t, int ms)
{
	struct pollfd p = {.fd = vm_exit_fd(t->vm), .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

static void sleep_ms(long ms)
{
	struct timespec ts = {.tv_nsec = ms * 1000000};

	(void)nanosleep(&ts, NULL);
}

/* Run @code on one vCPU until the VM ends, and compare the reason. */
static void expect_end(struct machine *t, const void *code, size_t len, enum vm_exit reason)
{
	const char *detail = NULL;

	machine_make(t, 1, code, len, NULL, NULL);
	assert_int_equal(vm_start(t->vm), 0);
	assert_true(ended_within(t, 5000));
	if (vm_exit_reason(t->vm, &detail) != reason) {
		fail_msg("%s (%s)", vm_exit_name(vm_exit_reason(t->vm, NULL)), detail);
	}
	/* A stop afterwards doesn't change the reason. */
	vm_stop(t->vm);
	assert_int_equal(vm_exit_reason(t->vm, NULL), reason);
}

/* mov $v, %al; mov $port, %dx; out %al, %dx */
#define OUTB(v, port) 0xb0, (v), 0x66, 0xba, (port)&0xff, (port) >> 8, 0xee
#define SPIN	      0xeb, 0xfe

static void the_keyboard_controllers_pulse_resets(void **state)
{
	/* Other commands and other ports do nothing. */
	static const uint8_t code[] = {OUTB(0xd1, 0x64),      OUTB(0xfe, 0x65),
				       OUTB(0x11, TEST_PORT), OUTB(0xfe, 0x64),
				       OUTB(0x22, TEST_PORT), SPIN};
	struct machine t;

	(void)state;
	NEED_KVM();
	expect_end(&t, code, sizeof(code), VM_EXIT_RESET);
	assert_int_equal(t.port.n, 1);
	assert_int_equal(t.port.seen[0], 0x11);
	machine_drop(&t);
}

static void the_power_off_port_powers_off(void **state)
{
	static const uint8_t code[] = {OUTB(0x33, 0x600), OUTB(0x34, 0x600), SPIN};
	struct machine t;

	(void)state;
	NEED_KVM();
	expect_end(&t, code, sizeof(code), VM_EXIT_POWEROFF);
	machine_drop(&t);
}

static void a_triple_fault_resets(void **state)
{
	/* No IDT: the exception of an undefined instruction can't be delivered. */
	static const uint8_t code[] = {0x0f, 0x0b};
	struct machine t;

	(void)state;
	NEED_KVM();
	expect_end(&t, code, sizeof(code), VM_EXIT_RESET);
	machine_drop(&t);
}

static void ports_carry_every_size_and_unclaimed_ones_read_zero(void **state)
{
	static const uint8_t code[] = {
		0x66,
		0xba,
		0x00,
		0x05, /* mov $0x500, %dx */
		0xed, /* in %dx, %eax */
		0xef, /* out %eax, %dx */
		0xb8,
		0x78,
		0x56,
		0x34,
		0x12, /* mov $0x12345678, %eax */
		0x66,
		0xef, /* out %ax, %dx */
		0x66,
		0xba,
		0x01,
		0x05, /* mov $0x501, %dx */
		0xec, /* in %dx, %al */
		0xee, /* out %al, %dx */
		0xe4,
		0x64, /* in $0x64, %al */
		0xee, /* out %al, %dx */
		0xb0,
		0x77, /* mov $0x77, %al */
		0xe4,
		0x80, /* in $0x80, %al */
		0xee, /* out %al, %dx */
		OUTB(0x34, 0x600),
	};
	static const uint8_t want[] = {0x11, 0x11, 0x11, 0x11, 0x78, 0x56, 0x22, 0, 0};
	struct machine t;

	(void)state;
	NEED_KVM();
	expect_end(&t, code, sizeof(code), VM_EXIT_POWEROFF);
	assert_int_equal(t.port.n, sizeof(want));
	assert_memory_equal(t.port.seen, want, sizeof(want));
	machine_drop(&t);
}

static void string_output_arrives_in_order(void **state)
{
	static const uint8_t code[] = {
		0xbe,
		0x00,
		0x00,
		0x20,
		0x00, /* mov $DATA, %esi */
		0xb9,
		0x08,
		0x00,
		0x00,
		0x00, /* mov $8, %ecx */
		0x66,
		0xba,
		0x00,
		0x05, /* mov $0x500, %dx */
		0xf3,
		0x66,
		0x6f, /* rep outsw */
		OUTB(0x34, 0x600),
	};
	struct machine t;

	(void)state;
	NEED_KVM();
	machine_make(&t, 1, code, sizeof(code), NULL, NULL);
	assert_int_equal(gmem_write(t.mem, gpa(DATA), "0123456789abcdef", 16), 0);
	assert_int_equal(vm_start(t.vm), 0);
	assert_true(ended_within(&t, 5000));
	assert_int_equal(vm_exit_reason(t.vm, NULL), VM_EXIT_POWEROFF);
	assert_int_equal(t.port.n, 16);
	assert_memory_equal(t.port.seen, "0123456789abcdef", 16);
	machine_drop(&t);
}

static void an_entry_above_4_gib_is_refused(void **state)
{
	static const uint8_t code[] = {SPIN};
	struct machine t;

	(void)state;
	NEED_KVM();
	machine_make(&t, 1, code, sizeof(code), NULL, NULL);
	assert_int_equal(vm_set_entry(t.vm, 1ull << 32), -EINVAL);
	machine_drop(&t);
}

/* Counts in memory, for ever: incl DATA; jmp */
static const uint8_t counting[] = {0xff, 0x05, 0x00, 0x00, 0x20, 0x00, 0xeb, 0xf8};

static uint32_t count_of(const struct machine *t)
{
	uint32_t v;

	assert_int_equal(gmem_read(t->mem, gpa(DATA), &v, sizeof(v)), 0);
	return v;
}

static void wait_for_progress(const struct machine *t)
{
	uint32_t from = count_of(t);

	for (unsigned i = 0; i < 5000 && count_of(t) == from; i++) {
		sleep_ms(1);
	}
	assert_int_not_equal(count_of(t), from);
}

static void a_paused_guest_makes_no_progress(void **state)
{
	struct machine t;

	(void)state;
	NEED_KVM();
	machine_make(&t, 4, counting, sizeof(counting), NULL, NULL);
	assert_int_equal(vm_pause(t.vm), -EINVAL);
	assert_int_equal(vm_start(t.vm), 0);
	for (unsigned i = 0; i < 20; i++) {
		uint32_t at;

		wait_for_progress(&t);
		assert_int_equal(vm_pause(t.vm), 0);
		assert_int_equal(vm_pause(t.vm), 0);
		at = count_of(&t);
		sleep_ms(2);
		assert_int_equal(count_of(&t), at);
		assert_int_equal(vm_resume(t.vm), 0);
		assert_int_equal(vm_resume(t.vm), 0);
	}
	machine_drop(&t);
}

static void pausing_and_resuming_at_full_speed_never_hangs(void **state)
{
	struct machine t;

	(void)state;
	NEED_KVM();
	machine_make(&t, 3, counting, sizeof(counting), NULL, NULL);
	assert_int_equal(vm_start(t.vm), 0);
	for (unsigned i = 0; i < 2000; i++) {
		assert_int_equal(vm_pause(t.vm), 0);
		assert_int_equal(vm_resume(t.vm), 0);
	}
	wait_for_progress(&t);
	machine_drop(&t);
}

static void stop_ends_running_paused_and_waiting_vcpus(void **state)
{
	(void)state;
	NEED_KVM();
	for (unsigned i = 0; i < 20; i++) {
		struct machine t;

		machine_make(&t, 4, counting, sizeof(counting), NULL, NULL);
		assert_int_equal(vm_start(t.vm), 0);
		assert_int_equal(vm_start(t.vm), -EBUSY);
		if (i % 2) {
			assert_int_equal(vm_pause(t.vm), 0);
		}
		vm_stop(t.vm);
		vm_stop(t.vm);
		assert_int_equal(vm_exit_reason(t.vm, NULL), VM_EXIT_STOPPED);
		assert_true(ended_within(&t, 0));
		machine_drop(&t);
	}
}

/** struct init_log - what the per-thread init saw */
struct init_log {
	_Atomic unsigned calls;
	unsigned fail_at;
};

static int logging_init(void *ctx, unsigned index)
{
	struct init_log *log = ctx;

	atomic_fetch_add(&log->calls, 1);
	return index == log->fail_at ? -EPERM : 0;
}

static unsigned n_entries(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d)) {
		n++;
	}
	closedir(d);
	return n;
}

/* A joined thread may stay listed for a moment. */
static void expect_threads(unsigned n)
{
	for (unsigned i = 0; i < 2000 && n_entries("/proc/self/task") != n; i++) {
		sleep_ms(1);
	}
	assert_int_equal(n_entries("/proc/self/task"), n);
}

static void a_failing_init_runs_no_guest_and_leaves_no_thread(void **state)
{
	unsigned threads = n_entries("/proc/self/task");

	(void)state;
	NEED_KVM();
	for (unsigned fail_at = 0; fail_at < 3; fail_at++) {
		struct init_log log = {.fail_at = fail_at};
		struct machine t;

		machine_make(&t, 3, counting, sizeof(counting), logging_init, &log);
		assert_int_equal(vm_start(t.vm), -EPERM);
		assert_int_equal(log.calls, 3);
		assert_int_equal(count_of(&t), 0);
		expect_threads(threads);
		machine_drop(&t);
	}
}

static void nothing_is_left_behind(void **state)
{
	unsigned threads = n_entries("/proc/self/task");
	unsigned before;

	(void)state;
	NEED_KVM();
	before = n_entries("/proc/self/fd");
	for (unsigned i = 0; i < 3; i++) {
		struct machine t;

		machine_make(&t, 2, counting, sizeof(counting), NULL, NULL);
		if (i > 0) {
			assert_int_equal(vm_start(t.vm), 0);
		}
		machine_drop(&t);
	}
	vm_destroy(NULL);
	assert_int_equal(n_entries("/proc/self/fd"), before);
	expect_threads(threads);
}

/* Copies the device id of the first slot to DATA, for ever; writes 1 to its status first. */
static const uint8_t watching[] = {
	0xb8, 0x01, 0x00, 0x00, 0x00, /* mov $1, %eax */
	0xa3, 0x70, 0x00, 0x00, 0xc0, /* mov %eax, 0xc0000070 */
	0xa1, 0x08, 0x00, 0x00, 0xc0, /* mov 0xc0000008, %eax */
	0xa3, 0x00, 0x00, 0x20, 0x00, /* mov %eax, DATA */
	0xeb, 0xea,		      /* jmp to the start */
};
_Static_assert(ML_MMIO_BASE == 0xc0000000 && DATA == 0x200000, "addresses in the code");

static void wait_for_word(const struct machine *t, uint32_t want)
{
	for (unsigned i = 0; i < 5000 && count_of(t) != want; i++) {
		sleep_ms(1);
	}
	assert_int_equal(count_of(t), want);
}

static void devices_come_and_go_on_a_spare_slot(void **state)
{
	struct virtio_rng *rng = NULL;
	struct virtio_dev *dev;
	struct machine t;
	uint32_t word = 0xdead;

	(void)state;
	NEED_KVM();
	machine_make(&t, 2, watching, sizeof(watching), NULL, NULL);
	assert_int_equal(gmem_write(t.mem, gpa(DATA), &word, sizeof(word)), 0);
	assert_int_equal(vm_add_spare(t.vm), 0);
	assert_int_equal(vm_start(t.vm), 0);
	assert_int_equal(vm_add_spare(t.vm), -EBUSY);
	wait_for_word(&t, 0);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(virtio_rng_create(t.mem, NULL, &rng), 0);
		dev = virtio_rng_dev(rng);
		assert_int_equal(vm_plug(t.vm, 0, dev), 0);
		assert_int_equal(vm_plug(t.vm, 0, dev), -EBUSY);
		wait_for_word(&t, VIRTIO_ID_RNG);
		vm_unplug(t.vm, 0);
		assert_int_equal(dev->status, 0); /* as if its driver had reset it */
		virtio_rng_destroy(rng);
		wait_for_word(&t, 0);
	}
	vm_unplug(t.vm, 0);
	assert_int_equal(virtio_rng_create(t.mem, NULL, &rng), 0);
	assert_int_equal(vm_plug(t.vm, 1, virtio_rng_dev(rng)), -EINVAL);
	assert_int_equal(vm_plug(t.vm, 0, virtio_rng_dev(rng)), 0); /* goes with the VM */
	vm_destroy(t.vm);
	virtio_rng_destroy(rng);
	gmem_unmap(t.mem);
}

static void bad_configurations_are_refused(void **state)
{
	struct vm_config cfg = {.kvm_fd = -1, .n_vcpus = 1};
	struct vm *vm = NULL;

	(void)state;
	assert_int_equal(vm_create(&cfg, &vm), -ENOTTY);
	cfg.n_vcpus = 0;
	assert_int_equal(vm_create(&cfg, &vm), -EINVAL);
	cfg.n_vcpus = VM_MAX_VCPUS + 1;
	assert_int_equal(vm_create(&cfg, &vm), -EINVAL);
	assert_null(vm);
}

static void the_probe_decides_and_says_why(void **state)
{
	char why[256] = "untouched";
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int ret;

	(void)state;
	assert_int_equal(kvm_probe_guest_kernel(fd, why, sizeof(why)), -ENOTTY);
	assert_string_equal(why, "not a KVM device");
	close(fd);
	NEED_KVM();
	strcpy(why, "untouched");
	ret = kvm_probe_guest_kernel(kvm_fd, why, sizeof(why));
	if (ret == 0) {
		assert_string_equal(why, "untouched");
	} else {
		assert_int_equal(ret, -EOPNOTSUPP);
		assert_non_null(strstr(why, "kernel"));
		print_message("%s\n", why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_keyboard_controllers_pulse_resets),
		cmocka_unit_test(the_power_off_port_powers_off),
		cmocka_unit_test(a_triple_fault_resets),
		cmocka_unit_test(ports_carry_every_size_and_unclaimed_ones_read_zero),
		cmocka_unit_test(string_output_arrives_in_order),
		cmocka_unit_test(an_entry_above_4_gib_is_refused),
		cmocka_unit_test(a_paused_guest_makes_no_progress),
		cmocka_unit_test(pausing_and_resuming_at_full_speed_never_hangs),
		cmocka_unit_test(stop_ends_running_paused_and_waiting_vcpus),
		cmocka_unit_test(a_failing_init_runs_no_guest_and_leaves_no_thread),
		cmocka_unit_test(nothing_is_left_behind),
		cmocka_unit_test(devices_come_and_go_on_a_spare_slot),
		cmocka_unit_test(bad_configurations_are_refused),
		cmocka_unit_test(the_probe_decides_and_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
