/* SPDX-License-Identifier: Apache-2.0 */
/* vmsize.c - how much memory and how many vCPUs a container's VM gets; see vmsize.h */
#include "vmsize.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/checked.h"
#include "vmm/memlayout.h"
#include "vmm/vm.h"

#define RAM_ALIGN (2 * ML_MIB) /* huge pages fit */

void vmsize_host(unsigned *out_cpus, uint64_t *out_ram)
{
	cpu_set_t set;
	long pages = sysconf(_SC_PHYS_PAGES);
	long page = sysconf(_SC_PAGESIZE);

	*out_cpus = 1;
	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0) {
		*out_cpus = (unsigned)CPU_COUNT(&set);
	}
	*out_ram = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : VMSIZE_DEFAULT_RAM;
}

static uint64_t ram_for_limit(const struct oci_memory *mem, uint64_t host_ram)
{
	uint64_t limit, total;

	if (!mem || !mem->limit.set || mem->limit.v <= 0) {
		return VMSIZE_DEFAULT_RAM;
	}
	limit = VR_MIN((uint64_t)mem->limit.v, host_ram);
	limit = VR_MIN(limit, (uint64_t)ML_RAM_MAX / 2);
	limit = VR_MAX(limit, VMSIZE_MIN_LIMIT);
	total = limit + VMSIZE_OVERHEAD + limit / VMSIZE_OVERHEAD_FRAC;
	return vr_align_up(total, RAM_ALIGN);
}

uint64_t vmsize_usable(uint64_t ram_bytes)
{
	if (ram_bytes <= VMSIZE_OVERHEAD) {
		return 0;
	}
	/* Rounded up: the limit that this size was made for must be among those it can honour. */
	return ((ram_bytes - VMSIZE_OVERHEAD) * VMSIZE_OVERHEAD_FRAC + VMSIZE_OVERHEAD_FRAC) /
	       (VMSIZE_OVERHEAD_FRAC + 1);
}

static uint64_t files_bytes(uint64_t ram_bytes)
{
	return VMSIZE_FILES_FIXED + ram_bytes / VMSIZE_FILES_FRAC;
}

uint64_t vmsize_host_limit(uint64_t ram_bytes)
{
	return ram_bytes + VMSIZE_HOST_FIXED + ram_bytes / VMSIZE_HOST_FRAC +
	       files_bytes(ram_bytes);
}

unsigned vmsize_max_files(uint64_t ram_bytes, bool limited)
{
	uint64_t n = files_bytes(ram_bytes) / VMSIZE_FILE_HOST_BYTES;

	return limited ? (unsigned)VR_MIN(n, (uint64_t)UINT32_MAX) : 0;
}

/* Count a list like "0-3,7". Return: number of CPUs, 0 when malformed. */
static unsigned cpulist_count(const char *list)
{
	unsigned long first, last, total = 0;
	const char *p = list;
	char *end;

	while (*p != '\0') {
		first = strtoul(p, &end, 10);
		if (end == p || *p == '-' || *p == '+') {
			return 0;
		}
		last = first;
		if (*end == '-') {
			p = end + 1;
			last = strtoul(p, &end, 10);
			if (end == p) {
				return 0;
			}
		}
		if (last < first || last > 65535) {
			return 0;
		}
		total += last - first + 1;
		if (*end == ',') {
			end++;
		} else if (*end != '\0' && *end != '\n') {
			return 0;
		}
		p = *end == '\n' ? end + 1 : end;
	}
	return (unsigned)VR_MIN(total, 65536ul);
}

static int vcpus_for_cpu(const struct oci_cpu *cpu, unsigned host_cpus, unsigned *out,
			 struct vr_err *err)
{
	unsigned n = VR_MIN(host_cpus, VMSIZE_DEFAULT_VCPUS);
	uint64_t period, wanted;
	unsigned in_set;

	if (cpu && cpu->quota.set && cpu->quota.v > 0) {
		period = cpu->period.set && cpu->period.v > 0 ? cpu->period.v : 100000;
		wanted = ((uint64_t)cpu->quota.v + period - 1) / period;
		wanted = VR_MIN(wanted, (uint64_t)VM_MAX_VCPUS);
		n = VR_MIN((unsigned)wanted, host_cpus);
	}
	if (cpu && cpu->cpus && cpu->cpus[0] != '\0') {
		in_set = cpulist_count(cpu->cpus);
		if (in_set == 0) {
			return vr_err_set(
				err, EINVAL,
				"config.json: linux.resources.cpu.cpus: '%s' is not a list of CPUs",
				cpu->cpus);
		}
		n = VR_MIN(n, in_set);
	}
	*out = VR_MAX(n, 1u);
	return 0;
}

int vmsize_from_spec(const struct oci_spec *spec, const struct oci_settings *settings,
		     unsigned host_cpus, uint64_t host_ram, struct vmsize *out, struct vr_err *err)
{
	const struct oci_resources *res = spec->linux_->resources;
	const struct oci_vm_hw *hw = spec->vm ? spec->vm->hw : NULL;
	unsigned n = 1;
	int rc;

	rc = vcpus_for_cpu(res ? res->cpu : NULL, host_cpus, &n, err);
	if (rc < 0) {
		return rc;
	}
	out->n_vcpus = n;
	out->ram_bytes = ram_for_limit(res ? res->memory : NULL, host_ram);
	if (hw && hw->vcpus.set && hw->vcpus.v > 0) {
		out->n_vcpus = VR_MIN(hw->vcpus.v, VM_MAX_VCPUS);
	}
	if (hw && hw->memory.set) {
		out->ram_bytes = vr_align_up(VR_MIN(hw->memory.v, ML_RAM_MAX), RAM_ALIGN);
		out->ram_bytes = VR_MAX(out->ram_bytes, ML_RAM_MIN);
	}
	if (settings->vcpus.set) {
		out->n_vcpus = settings->vcpus.v;
	}
	if (settings->memory_mib.set) {
		out->ram_bytes = vr_align_up(settings->memory_mib.v * ML_MIB, RAM_ALIGN);
	}
	return 0;
}
