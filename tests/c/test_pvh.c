/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pvh.c - kernel, initramfs and boot structures together
 */
#include "pvh/pvh.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/checked.h"
#include "fake_kernel.h"
#include "pvh/start_info.h"
#include "ram_fixture.h"
#include "vmm/memlayout.h"

static int make_kernel(void)
{
	struct fake_kernel k;
	int fd;

	fake_kernel_init(&k);
	fd = fake_kernel_fd(&k);
	assert_true(fd >= 0);
	return fd;
}

/* A file of @size bytes that begins with "070701" and ends with "END!". */
static int make_initramfs(off_t size)
{
	int fd = memfd_create("fake-initramfs", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	if (size >= 10) {
		assert_int_equal(pwrite(fd, "070701", 6, 0), 6);
		assert_int_equal(pwrite(fd, "END!", 4, size - 4), 4);
	}
	return fd;
}

static int load(const struct gmem *m, int initramfs, const char *cmdline, unsigned n_vcpus,
		uint64_t *entry, struct vr_err *err)
{
	struct pvh_boot b = {.kernel_fd = make_kernel(),
			     .initramfs_fd = initramfs,
			     .cmdline = cmdline,
			     .n_vcpus = n_vcpus};
	int ret = pvh_load(m, &b, entry, err);

	close(b.kernel_fd);
	return ret;
}

static void check_loaded(uint64_t ram_bytes, uint64_t initramfs_bytes, uint64_t expected_addr)
{
	struct gmem *m = make_ram(ram_bytes);
	struct vr_err err = VR_ERR_INIT;
	struct hvm_modlist_entry mod;
	struct hvm_start_info si;
	uint64_t entry = 0;
	char tail[4];
	int fd = make_initramfs((off_t)initramfs_bytes);

	assert_int_equal(load(m, fd, "panic=-1", 2, &entry, &err), 0);
	assert_int_equal(entry, FAKE_ENTRY);
	assert_int_equal(gmem_read(m, gpa(ML_START_INFO), &si, sizeof(si)), 0);
	assert_int_equal(si.magic, HVM_START_MAGIC);
	assert_int_equal(si.nr_modules, 1);
	assert_int_equal(gmem_read(m, gpa(ML_MODLIST), &mod, sizeof(mod)), 0);
	assert_int_equal(mod.paddr, expected_addr);
	assert_int_equal(mod.size, initramfs_bytes);
	assert_true(mod.paddr + mod.size <= ML_LOW_RAM_END);
	assert_int_equal(gmem_read(m, gpa(mod.paddr + mod.size - 4), tail, 4), 0);
	assert_memory_equal(tail, "END!", 4);
	assert_int_equal(gmem_read(m, gpa(ML_MP_POINTER), tail, 4), 0);
	assert_memory_equal(tail, "_MP_", 4);
	close(fd);
	gmem_unmap(m);
}

static void the_initramfs_goes_to_the_top_of_low_ram(void **state)
{
	(void)state;
	check_loaded(64 * ML_MIB, 5000, 64 * ML_MIB - 2 * ML_PAGE);
	check_loaded(64 * ML_MIB, ML_PAGE, 64 * ML_MIB - ML_PAGE);
	check_loaded(3 * ML_GIB, 5000, 3 * ML_GIB - 2 * ML_PAGE);
	check_loaded(3 * ML_GIB + ML_PAGE, 5000, 3 * ML_GIB - 2 * ML_PAGE);
	check_loaded(6 * ML_GIB, 5000, 3 * ML_GIB - 2 * ML_PAGE);
}

static void it_may_fill_all_room_behind_the_kernel_but_not_more(void **state)
{
	uint64_t end = vr_align_up(FAKE_DATA_ADDR + FAKE_DATA_MEM, ML_PAGE);
	struct gmem *m = make_ram(ML_RAM_MIN);
	struct vr_err err = VR_ERR_INIT;
	uint64_t entry;
	int fd;

	(void)state;
	fd = make_initramfs((off_t)(ML_RAM_MIN - end));
	assert_int_equal(load(m, fd, "", 1, &entry, &err), 0);
	close(fd);
	fd = make_initramfs((off_t)(ML_RAM_MIN - end + 1));
	assert_int_equal(load(m, fd, "", 1, &entry, &err), -ENOMEM);
	assert_non_null(strstr(err.msg, "don't fit"));
	close(fd);
	fd = make_initramfs((off_t)(8 * ML_GIB));
	assert_int_equal(load(m, fd, "", 1, &entry, &err), -ENOMEM);
	close(fd);
	gmem_unmap(m);
}

static void refusals_name_the_file(void **state)
{
	struct gmem *m = make_ram(ML_RAM_MIN);
	struct vr_err err = VR_ERR_INIT;
	char line[ML_CMDLINE_MAX + 1];
	uint64_t entry = 42;
	int fd = make_initramfs(0);
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(load(m, fd, "", 1, &entry, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "initramfs"));
	assert_int_equal(load(m, null_fd, "", 1, &entry, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "initramfs: not a regular file"));
	memset(line, 'x', sizeof(line));
	line[ML_CMDLINE_MAX] = '\0';
	assert_int_equal(load(m, -1, line, 1, &entry, &err), -E2BIG);
	assert_non_null(strstr(err.msg, "command line"));
	assert_int_equal(load(m, -1, "", 0, &entry, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "MP table"));
	assert_int_equal(pvh_load(m, &(struct pvh_boot){.kernel_fd = null_fd, .initramfs_fd = -1},
				  &entry, &err),
			 -ENOEXEC);
	assert_non_null(strstr(err.msg, "kernel image"));
	assert_int_equal(entry, 42);
	close(fd);
	close(null_fd);
	gmem_unmap(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_initramfs_goes_to_the_top_of_low_ram),
		cmocka_unit_test(it_may_fill_all_room_behind_the_kernel_but_not_more),
		cmocka_unit_test(refusals_name_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
