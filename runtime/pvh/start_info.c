/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start_info.c - the PVH boot structures
 */
#include "pvh/start_info.h"

#include <errno.h>
#include <string.h>

#include "base/checked.h"

unsigned start_info_memmap(uint64_t ram_bytes, struct hvm_memmap_entry out[ML_MEMMAP_MAX])
{
	uint64_t low_end = VR_MIN(ram_bytes, ML_LOW_RAM_END);
	unsigned n = 0;

	out[n++] = (struct hvm_memmap_entry){.size = ML_MPTABLE, .type = HVM_MEMMAP_RAM};
	/* Linux adds the ISA hole (640 KiB to 1 MiB) itself. */
	out[n++] = (struct hvm_memmap_entry){
		.addr = ML_MPTABLE, .size = ML_EBDA_END - ML_MPTABLE, .type = HVM_MEMMAP_RESERVED};
	out[n++] = (struct hvm_memmap_entry){
		.addr = ML_ISA_HOLE_END, .size = low_end - ML_ISA_HOLE_END, .type = HVM_MEMMAP_RAM};
	if (ram_bytes > ML_LOW_RAM_END) {
		out[n++] = (struct hvm_memmap_entry){.addr = ML_HIGH_RAM_BASE,
						     .size = ram_bytes - ML_LOW_RAM_END,
						     .type = HVM_MEMMAP_RAM};
	}
	return n;
}

static int write_module(const struct gmem *m, uint64_t addr, uint64_t size)
{
	struct hvm_modlist_entry mod = {.paddr = addr, .size = size};

	/* Linux keeps address and size of the module in 32-bit fields. */
	if (addr % ML_PAGE != 0 || !vr_range_inside(addr, size, ML_MIB, ML_LOW_RAM_END - ML_MIB) ||
	    gmem_check(m, gpa(addr), size) < 0) {
		return -EINVAL;
	}
	return gmem_write(m, gpa(ML_MODLIST), &mod, sizeof(mod));
}

static int write_memmap(const struct gmem *m, struct hvm_start_info *si)
{
	struct hvm_memmap_entry map[ML_MEMMAP_MAX];
	unsigned n = start_info_memmap(gmem_ram_bytes(m), map);

	si->memmap_paddr = ML_MEMMAP;
	si->memmap_entries = n;
	return gmem_write(m, gpa(ML_MEMMAP), map, n * sizeof(map[0]));
}

int start_info_write(const struct gmem *m, const char *cmdline, uint64_t initramfs,
		     uint64_t initramfs_bytes)
{
	struct hvm_start_info si = {.magic = HVM_START_MAGIC, .version = HVM_START_VERSION};
	size_t len = strnlen(cmdline, ML_CMDLINE_MAX);
	int ret;

	if (len >= ML_CMDLINE_MAX) {
		return -E2BIG;
	}
	ret = gmem_write(m, gpa(ML_CMDLINE), cmdline, len + 1);
	if (ret < 0) {
		return ret;
	}
	si.cmdline_paddr = ML_CMDLINE;
	if (initramfs_bytes > 0) {
		ret = write_module(m, initramfs, initramfs_bytes);
		if (ret < 0) {
			return ret;
		}
		si.nr_modules = 1;
		si.modlist_paddr = ML_MODLIST;
	}
	ret = write_memmap(m, &si);
	if (ret < 0) {
		return ret;
	}
	return gmem_write(m, gpa(ML_START_INFO), &si, sizeof(si));
}
