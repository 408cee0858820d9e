/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pvh.c - put a kernel, its initramfs and the boot structures into guest RAM
 *
 * The kernel goes where its program headers say, the initramfs to the top of
 * low RAM: as far from the kernel as possible, and below 4 GiB because Linux
 * keeps the address in 32 bits.
 */
#include "pvh/pvh.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "pvh/elf.h"
#include "pvh/mptable.h"
#include "pvh/start_info.h"
#include "vmm/memlayout.h"

/* Find room above @kernel_end. Return: 0 with @out_addr page-aligned, or -ENOMEM */
static int place_initramfs(const struct gmem *m, uint64_t kernel_end, uint64_t size,
			   uint64_t *out_addr)
{
	uint64_t low_end = VR_MIN(gmem_ram_bytes(m), ML_LOW_RAM_END);
	uint64_t addr;

	if (size > low_end) {
		return -ENOMEM;
	}
	addr = (low_end - size) & ~(ML_PAGE - 1);
	if (addr < kernel_end) {
		return -ENOMEM;
	}
	*out_addr = addr;
	return 0;
}

static int load_initramfs(const struct gmem *m, int fd, uint64_t kernel_end, uint64_t *out_addr,
			  uint64_t *out_size, struct vr_err *err)
{
	struct stat st;
	uint64_t addr;
	int ret;

	if (fstat(fd, &st) < 0) {
		return vr_err_sys(err, errno, "initramfs: stat");
	}
	if (!S_ISREG(st.st_mode) || st.st_size <= 0) {
		return vr_err_set(err, EINVAL, "initramfs: not a regular file with contents");
	}
	ret = place_initramfs(m, kernel_end, (uint64_t)st.st_size, &addr);
	if (ret < 0) {
		return vr_err_set(err, ENOMEM,
				  "initramfs: %llu bytes don't fit between the end of the kernel "
				  "(%llu MiB) and the end of guest RAM (%llu MiB)",
				  (unsigned long long)st.st_size, kernel_end / ML_MIB,
				  gmem_ram_bytes(m) / ML_MIB);
	}
	ret = elf_read_guest(m, fd, 0, addr, (uint64_t)st.st_size);
	if (ret == -ENODATA) {
		return vr_err_set(err, EINVAL, "initramfs: became shorter while it was read");
	}
	if (ret < 0) {
		return vr_err_sys(err, ret, "initramfs: read");
	}
	*out_addr = addr;
	*out_size = (uint64_t)st.st_size;
	return 0;
}

static int write_tables(const struct gmem *m, const struct pvh_boot *b, uint64_t initramfs,
			uint64_t initramfs_bytes, struct vr_err *err)
{
	int ret;

	ret = mptable_write(m, b->n_vcpus);
	if (ret < 0) {
		return vr_err_sys(err, ret, "MP table for %u processors", b->n_vcpus);
	}
	ret = start_info_write(m, b->cmdline, initramfs, initramfs_bytes);
	if (ret == -E2BIG) {
		return vr_err_set(err, E2BIG, "kernel command line: longer than %u characters",
				  ML_CMDLINE_MAX - 1);
	}
	if (ret < 0) {
		return vr_err_sys(err, ret, "PVH boot structures");
	}
	return 0;
}

int pvh_load(const struct gmem *m, const struct pvh_boot *b, uint64_t *out_entry,
	     struct vr_err *err)
{
	uint64_t initramfs = 0;
	uint64_t initramfs_bytes = 0;
	struct elf_plan plan;
	int ret;

	ret = elf_parse(m, b->kernel_fd, &plan, err);
	if (ret < 0) {
		return ret;
	}
	ret = elf_load(m, b->kernel_fd, &plan, err);
	if (ret < 0) {
		return ret;
	}
	if (b->initramfs_fd >= 0) {
		ret = load_initramfs(m, b->initramfs_fd, plan.end, &initramfs, &initramfs_bytes,
				     err);
		if (ret < 0) {
			return ret;
		}
	}
	ret = write_tables(m, b, initramfs, initramfs_bytes, err);
	if (ret < 0) {
		return ret;
	}
	*out_entry = plan.entry;
	return 0;
}
