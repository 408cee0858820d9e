/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio.h - what a virtio device is to its transport
 *
 * Transport (virtio_mmio) knows registers and the status machine. A device
 * (rng, balloon, vsock, console, fs, ...) knows its request format. Its
 * backend knows host fds. The device list is an explicit array in launch.
 *
 * Threads: @lock covers everything in struct virtio_dev and in the device.
 *          The transport takes it for each register access (vCPU threads), the
 *          event loop takes it around notify and backend events. Hence reset()
 *          returns only when nobody touches guest memory for the device.
 * Uses: base, gmem, virtq.
 */
#ifndef VMM_VIRTIO_H
#define VMM_VIRTIO_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/gmem.h"
#include "vmm/virtq.h"

#define VIRTIO_MAX_QUEUES 17u /* eight pairs and a control queue of a network device */

/* Device status bits (virtio 1.2, 2.1). */
#define VIRTIO_S_ACKNOWLEDGE 1u
#define VIRTIO_S_DRIVER	     2u
#define VIRTIO_S_DRIVER_OK   4u
#define VIRTIO_S_FEATURES_OK 8u
#define VIRTIO_S_NEEDS_RESET 64u
#define VIRTIO_S_FAILED	     128u

/* Feature bits below are masks, not bit numbers. */
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)

enum virtio_id {
	VIRTIO_ID_NET = 1,
	VIRTIO_ID_BLOCK = 2,
	VIRTIO_ID_CONSOLE = 3,
	VIRTIO_ID_RNG = 4,
	VIRTIO_ID_BALLOON = 5,
	VIRTIO_ID_VSOCK = 19,
	VIRTIO_ID_FS = 26,
};

struct virtio_dev;

/**
 * struct virtio_ops - a kind of device; all callbacks run with the device lock held
 * @features:     offered, without VERSION_1 (always offered and required)
 * @queue_max:    largest size of each queue, power of two <= VIRTQ_MAX_SIZE
 * @activate:     driver set DRIVER_OK, queues are set up; <0 marks NEEDS_RESET
 * @reset:        forget all driver state; queues are reset by the transport afterwards
 * @notify:       queue @q was kicked
 * @config_read:  fill @len bytes from offset @off; the transport already checked
 *                that the range lies inside @config_len
 * @config_write: may be NULL (writes are ignored)
 * @external:     queues are served by another process: kicks don't reach @notify
 */
struct virtio_ops {
	const char *name;
	enum virtio_id id;
	uint64_t features;
	unsigned n_queues;
	uint16_t queue_max;
	uint32_t config_len;
	bool external;
	int (*activate)(struct virtio_dev *dev);
	void (*reset)(struct virtio_dev *dev);
	void (*notify)(struct virtio_dev *dev, unsigned q);
	void (*config_read)(struct virtio_dev *dev, uint32_t off, void *buf, uint32_t len);
	void (*config_write)(struct virtio_dev *dev, uint32_t off, const void *buf, uint32_t len);
};

/**
 * struct virtio_dev - the part of a device its transport works on; embedded first in a device
 * @irq_status: InterruptStatus register; in a page shared with the serving process when external
 * @irq_fd:     irqfd of the device's line; written to raise the interrupt (-1 in unit tests)
 * @kick_fd:    ioeventfd of each queue (-1 in unit tests)
 * @kernel_queues: mask of queues that the host's kernel serves: their kicks don't come here, and
 *              as their interrupts don't either, InterruptStatus always claims that there is one
 * @n_faults:   how often the driver broke the rules
 * @n_refused:  register writes that were ignored because the state forbids them
 * @last_fault: reason of the last fault, a literal; NULL before the first
 * @on_fault:   may be NULL; told of the 1st, 2nd, 4th, 8th ... fault (a guest can't flood a log),
 *              with the lock held
 */
struct virtio_dev {
	const struct virtio_ops *ops;
	const struct gmem *mem;
	pthread_mutex_t lock;
	uint64_t driver_features;
	uint32_t features_sel;
	uint32_t driver_features_sel;
	bool driver_features_bad; /* a bit above 63 was asked for */
	uint32_t queue_sel;
	uint32_t status;
	uint32_t config_generation;
	bool active;
	struct virtq_layout layout[VIRTIO_MAX_QUEUES];
	struct virtq vq[VIRTIO_MAX_QUEUES];
	unsigned n_queues; /* from ops, or fewer */
	_Atomic uint32_t own_irq_status;
	_Atomic uint32_t *irq_status;
	int irq_fd;
	int kick_fd[VIRTIO_MAX_QUEUES];
	uint32_t kernel_queues;
	uint64_t n_faults;
	uint64_t n_refused;
	const char *last_fault;
	void (*on_fault)(void *ctx, struct virtio_dev *dev);
	void *on_fault_ctx;
};

/** virtio_dev_init() - prepare the common part; fds start as -1. Return: 0 or -errno */
int virtio_dev_init(struct virtio_dev *dev, const struct virtio_ops *ops, const struct gmem *mem)
	__attribute__((warn_unused_result));
/** virtio_dev_finish() - release what virtio_dev_init() and virtio_dev_open_fds() made */
void virtio_dev_finish(struct virtio_dev *dev);
/**
 * virtio_dev_open_fds() - make the irq and kick eventfds (non-blocking, cloexec), all or none
 *
 * Return: 0 or -errno.
 */
int virtio_dev_open_fds(struct virtio_dev *dev) __attribute__((warn_unused_result));

/**
 * virtio_dev_fault() - the driver broke the rules
 *
 * The one place for the policy: count, tell @on_fault rarely, set NEEDS_RESET,
 * raise a configuration interrupt, stop serving (queues broken, not active)
 * until reset. Lock held. @reason is a literal.
 */
void virtio_dev_fault(struct virtio_dev *dev, const char *reason);

/* InterruptStatus bits (virtio 1.2, 4.2.2). */
#define VIRTIO_IRQ_QUEUE  1u
#define VIRTIO_IRQ_CONFIG 2u

/**
 * virtio_irq_raise() - set @bit in an InterruptStatus, then signal its irqfd
 *
 * For who serves a queue without a struct virtio_dev, too. @irq_fd may be -1.
 * Syscalls: write (role vmm, vcpu, fs)
 */
void virtio_irq_raise(_Atomic uint32_t *irq_status, int irq_fd, uint32_t bit);

/** virtio_dev_interrupt() - raise the queue interrupt if the driver wants one for @q */
void virtio_dev_interrupt(struct virtio_dev *dev, unsigned q);
/** virtio_dev_config_changed() - bump the generation and raise the configuration interrupt */
void virtio_dev_config_changed(struct virtio_dev *dev);
/**
 * virtio_dev_kicked() - loop side: drain the kick fd of @q, take the lock, notify when active
 *
 * Syscalls: read, futex (role vmm)
 */
void virtio_dev_kicked(struct virtio_dev *dev, unsigned q);

/*
 * virtio_mmio.c: register accesses of one device page (offset 0..0xfff). Takes the lock, but for
 * InterruptStatus and InterruptACK, which every interrupt of the guest reads and writes.
 *
 * Syscalls: write, futex (role vcpu)
 */
void virtio_mmio_read(struct virtio_dev *dev, uint32_t off, void *buf, uint32_t len);
void virtio_mmio_write(struct virtio_dev *dev, uint32_t off, const void *buf, uint32_t len);

/** virtio_mmio_read_placeholder() - the same for a page without a device; @buf is zeroed before */
void virtio_mmio_read_placeholder(uint32_t off, void *buf, uint32_t len);

#endif /* VMM_VIRTIO_H */
