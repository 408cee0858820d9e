/* SPDX-License-Identifier: Apache-2.0 */
/* test_vhost.c - what the kernel is told of guest memory when it serves queues */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vhost_types.h>
#include <unistd.h>

#include "ram_fixture.h"
#include "vmm/memlayout.h"
#include "vmm/vhost.h"

static void all_of_ram_is_told(void **state)
{
	struct gmem *m = make_ram(4 * ML_GIB);
	uint64_t room[64];
	struct vhost_memory *table = (struct vhost_memory *)room;

	(void)state;
	vhost_ram_fill(m, table);
	assert_int_equal(table->nregions, 2);
	assert_int_equal(table->regions[0].guest_phys_addr, 0);
	assert_int_equal(table->regions[0].memory_size, ML_LOW_RAM_END);
	assert_int_equal(table->regions[1].guest_phys_addr, ML_HIGH_RAM_BASE);
	assert_int_equal(table->regions[1].memory_size, ML_GIB);
	for (unsigned i = 0; i < 2; i++) {
		assert_ptr_equal((void *)(uintptr_t)table->regions[i].userspace_addr,
				 gmem_region(m, i)->host);
		assert_int_equal(table->regions[i].flags_padding, 0);
	}
	gmem_unmap(m);
}

static void rings_are_told_as_our_addresses(void **state)
{
	struct gmem *m = make_ram(ML_RAM_MIN);
	struct virtq_layout l = {
		.size = 256, .ready = 1, .desc = 0x100000, .avail = 0x102000, .used = 0x103000};
	const uint8_t *host = gmem_region(m, 0)->host;
	struct vhost_vring_addr a;

	(void)state;
	assert_int_equal(vhost_vring_fill(m, 1, &l, &a), 0);
	assert_int_equal(a.index, 1);
	assert_int_equal(a.flags, 0); /* nothing is logged */
	assert_ptr_equal((void *)(uintptr_t)a.desc_user_addr, host + l.desc);
	assert_ptr_equal((void *)(uintptr_t)a.avail_user_addr, host + l.avail);
	assert_ptr_equal((void *)(uintptr_t)a.used_user_addr, host + l.used);

	/* each area up to its last byte */
	l.desc = ML_RAM_MIN - 256 * 16;
	assert_int_equal(vhost_vring_fill(m, 0, &l, &a), 0);
	l.desc += 16;
	assert_int_equal(vhost_vring_fill(m, 0, &l, &a), -EFAULT);
	l.desc = 0x100000;
	l.avail = ML_RAM_MIN - (256 * 2 + 6);
	assert_int_equal(vhost_vring_fill(m, 0, &l, &a), 0);
	l.avail += 2;
	assert_int_equal(vhost_vring_fill(m, 0, &l, &a), -EFAULT);
	l.avail = 0x102000;
	l.used = ML_RAM_MIN - (256 * 8 + 6);
	assert_int_equal(vhost_vring_fill(m, 0, &l, &a), 0);
	l.used += 4;
	assert_int_equal(vhost_vring_fill(m, 0, &l, &a), -EFAULT);
	gmem_unmap(m);
}

static void what_is_no_vhost_is_refused(void **state)
{
	struct virtq_layout l[VHOST_QUEUES] = {{.size = 0}};
	struct gmem *m = make_ram(ML_RAM_MIN);
	const int kick[VHOST_QUEUES] = {-1, -1};
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_equal(vhost_check(fd), -ENOTTY);
	assert_int_equal(vhost_check(-1), -EBADF);
	assert_int_equal(vhost_own(fd, m, kick, -1), -ENOTTY);
	assert_int_equal(vhost_start(fd, m, l, 0, -1), -ENOTTY);
	vhost_stop(fd);
	close(fd);
	gmem_unmap(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_ram_is_told),
		cmocka_unit_test(rings_are_told_as_our_addresses),
		cmocka_unit_test(what_is_no_vhost_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
