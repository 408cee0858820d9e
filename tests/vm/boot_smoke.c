/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot_smoke.c - boot a kernel with nothing around it
 *
 * A developer's tool: guest RAM, a VM, a console, no container and no sandbox.
 * Prints what the guest prints, then one line on standard error that says how
 * and when it ended. Needs a machine with a working KVM (tests/vm/run).
 *
 *   boot_smoke [-m MIB] [-c VCPUS] [-t SECONDS] [-i INITRAMFS] [-a WORDS] VMLINUX
 *
 * Built by hand:
 *   gcc -D_GNU_SOURCE -Iruntime -o build/boot_smoke tests/vm/boot_smoke.c \
 *       build/libpvh.a build/libvmm.a build/libbase.a -lpthread
 *
 * A kernel with the debug fragment prints from its first line with
 * -a earlyprintk=ttyS0. Exit status: 0 when the guest reset or powered off.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "pvh/cmdline.h"
#include "pvh/pvh.h"
#include "vmm/bus.h"
#include "vmm/gmem.h"
#include "vmm/kvm_probe.h"
#include "vmm/loop.h"
#include "vmm/virtio_console.h"
#include "vmm/vm.h"

#define UART_PORT      0x3f8
#define UART_N_PORTS   8
#define UART_LSR       5
#define UART_LSR_EMPTY 0x60

enum kind {
	KIND_KICK,
	KIND_END,
	KIND_TIMEOUT
};

/** struct options - the command line */
struct options {
	unsigned long mem_mib;
	unsigned n_vcpus;
	unsigned timeout_s;
	const char *initramfs;
	const char *words;
	const char *kernel;
};

/** struct smoke - everything that exists once */
struct smoke {
	struct gmem *mem;
	struct vm *vm;
	struct virtio_console *con;
	struct loop *loop;
	bool timed_out;
};

static void die(const char *what, int ret)
{
	fprintf(stderr, "boot_smoke: %s: %s\n", what, strerror(-ret));
	exit(1);
}

static void check(const char *what, int ret)
{
	if (ret < 0) {
		die(what, ret);
	}
}

static double now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void print(void *ctx, const void *data, size_t len)
{
	(void)ctx;
	(void)!write(STDOUT_FILENO, data, len);
}

/* Just enough of a UART for earlyprintk: the transmitter is always empty. */
static void uart_read(void *ctx, uint64_t off, void *buf, uint32_t len)
{
	(void)ctx;
	if (off == UART_LSR && len >= 1) {
		*(uint8_t *)buf = UART_LSR_EMPTY;
	}
}

static void uart_write(void *ctx, uint64_t off, const void *buf, uint32_t len)
{
	if (off == 0 && len >= 1) {
		print(ctx, buf, 1);
	}
}

static const struct bus_ops uart_ops = {.read = uart_read, .write = uart_write};

static void on_kick(void *ctx, uint32_t index, uint32_t events)
{
	struct smoke *s = ctx;

	(void)events;
	virtio_dev_kicked(virtio_console_dev(s->con), index);
}

static void on_end(void *ctx, uint32_t index, uint32_t events)
{
	struct smoke *s = ctx;

	(void)events;
	s->timed_out = index == KIND_TIMEOUT;
	loop_stop(s->loop);
}

static void parse(int argc, char **argv, struct options *o)
{
	int c;

	*o = (struct options){.mem_mib = 512, .n_vcpus = 1, .timeout_s = 60, .words = ""};
	while ((c = getopt(argc, argv, "m:c:t:i:a:")) != -1) {
		switch (c) {
		case 'm':
			o->mem_mib = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			o->n_vcpus = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 't':
			o->timeout_s = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'i':
			o->initramfs = optarg;
			break;
		case 'a':
			o->words = optarg;
			break;
		default:
			exit(2);
		}
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "boot_smoke: name one vmlinux\n");
		exit(2);
	}
	o->kernel = argv[optind];
}

static void make_vm(struct smoke *s, const struct options *o)
{
	struct vm_config cfg = {.n_vcpus = o->n_vcpus};
	vr_autoclose int memfd = gmem_memfd(o->mem_mib << 20);
	vr_autoclose int kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	char why[256] = "";

	check("guest memory", memfd);
	check("map guest memory", gmem_map(memfd, o->mem_mib << 20, &s->mem));
	check("/dev/kvm", kvm_fd < 0 ? -errno : 0);
	if (kvm_probe_guest_kernel(kvm_fd, why, sizeof(why)) < 0) {
		fprintf(stderr, "boot_smoke: %s\n", why);
		exit(77);
	}
	cfg.kvm_fd = kvm_fd;
	cfg.mem = s->mem;
	check("create the VM", vm_create(&cfg, &s->vm));
	check("UART", vm_add_pio(s->vm, UART_PORT, UART_N_PORTS, &uart_ops, s));
}

/* Return: the console's slot */
static int make_console(struct smoke *s)
{
	struct virtio_dev *dev;
	int slot;

	check("console", virtio_console_create(s->mem, print, s, &s->con));
	dev = virtio_console_dev(s->con);
	slot = vm_add_device(s->vm, dev);
	check("console slot", slot);
	check("loop", loop_create(&s->loop));
	loop_handle(s->loop, KIND_KICK, on_kick, s);
	loop_handle(s->loop, KIND_END, on_end, s);
	loop_handle(s->loop, KIND_TIMEOUT, on_end, s);
	for (unsigned q = 0; q < dev->n_queues; q++) {
		check("watch kicks", loop_add(s->loop, dev->kick_fd[q], EPOLLIN, KIND_KICK, q));
	}
	check("watch the end", loop_add(s->loop, vm_exit_fd(s->vm), EPOLLIN, KIND_END, KIND_END));
	return slot;
}

static void load(struct smoke *s, const struct options *o, int slot)
{
	struct pvh_boot boot = {.initramfs_fd = -1, .n_vcpus = o->n_vcpus};
	struct vr_err err = VR_ERR_INIT;
	struct cmdline line;
	uint64_t entry;

	cmdline_init(&line);
	check("command line", cmdline_add_words(&line, "console=hvc0 panic=-1 reboot=k"));
	check("command line", cmdline_add_virtio(&line, slot));
	check("command line", cmdline_add_words(&line, o->words));
	boot.cmdline = line.buf;
	boot.kernel_fd = open(o->kernel, O_RDONLY | O_CLOEXEC);
	check(o->kernel, boot.kernel_fd < 0 ? -errno : 0);
	if (o->initramfs) {
		boot.initramfs_fd = open(o->initramfs, O_RDONLY | O_CLOEXEC);
		check(o->initramfs, boot.initramfs_fd < 0 ? -errno : 0);
	}
	if (pvh_load(s->mem, &boot, &entry, &err) < 0) {
		fprintf(stderr, "boot_smoke: %s\n", err.msg);
		exit(1);
	}
	vr_close_reset(&boot.kernel_fd);
	vr_close_reset(&boot.initramfs_fd);
	check("entry", vm_set_entry(s->vm, entry));
}

int main(int argc, char **argv)
{
	struct smoke s = {.mem = NULL};
	const char *detail = "";
	struct options o;
	enum vm_exit reason;
	double t[5];

	parse(argc, argv, &o);
	t[0] = now_ms();
	make_vm(&s, &o);
	t[1] = now_ms();
	load(&s, &o, make_console(&s));
	t[2] = now_ms();
	check("start", vm_start(s.vm));
	check("timer", loop_after(s.loop, KIND_TIMEOUT, KIND_TIMEOUT, o.timeout_s * 1000ull));
	check("loop", loop_run(s.loop));
	t[3] = now_ms();
	vm_stop(s.vm);
	reason = vm_exit_reason(s.vm, &detail);
	vm_destroy(s.vm);
	virtio_console_destroy(s.con);
	loop_destroy(s.loop);
	gmem_unmap(s.mem);
	t[4] = now_ms();
	fprintf(stderr,
		"boot_smoke: %s%s%s%s; create %.1f ms, load %.1f ms, run %.1f ms, teardown %.1f "
		"ms\n",
		s.timed_out ? "timed out, " : "", vm_exit_name(reason), *detail ? ": " : "", detail,
		t[1] - t[0], t[2] - t[1], t[3] - t[2], t[4] - t[3]);
	return reason == VM_EXIT_RESET || reason == VM_EXIT_POWEROFF ? 0 : 1;
}
