/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reset.c - the ports with which a guest ends its VM
 */
#include "vmm/reset.h"

#include <string.h>

static void read_zeros(void *ctx, uint64_t off, void *buf, uint32_t len)
{
	(void)ctx;
	(void)off;
	memset(buf, 0, len);
}

static void kbd_write(void *ctx, uint64_t off, const void *buf, uint32_t len)
{
	const struct reset_dev *dev = ctx;

	(void)off; /* the range is one port */
	if (len == 1 && *(const uint8_t *)buf == RESET_KBD_PULSE) {
		dev->request(dev->ctx, VM_EXIT_RESET);
	}
}

static void poweroff_write(void *ctx, uint64_t off, const void *buf, uint32_t len)
{
	const struct reset_dev *dev = ctx;

	(void)off;
	if (len == 1 && *(const uint8_t *)buf == RESET_POWEROFF_VALUE) {
		dev->request(dev->ctx, VM_EXIT_POWEROFF);
	}
}

static const struct bus_ops kbd_ops = {.read = read_zeros, .write = kbd_write};
static const struct bus_ops poweroff_ops = {.read = read_zeros, .write = poweroff_write};

int reset_add(struct bus *pio, struct reset_dev *dev)
{
	int ret = bus_add(pio, RESET_PORT_KBD, 1, &kbd_ops, dev);

	if (ret < 0) {
		return ret;
	}
	return bus_add(pio, RESET_PORT_POWEROFF, 1, &poweroff_ops, dev);
}
