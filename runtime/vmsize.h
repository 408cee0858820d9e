/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmsize.h - how much memory and how many vCPUs a container's VM gets
 *
 * Memory: the container's limit plus what the guest's kernel and agent need for
 * themselves, so that the whole limit is usable; the guest's cgroup carries the
 * exact limit. Without a limit VMSIZE_DEFAULT_RAM. The memory is sparse: what
 * the guest doesn't touch costs nothing.
 * vCPUs: the quota rounded up, not more than the cpuset or the host offers.
 *
 * Uses: base, oci.
 */
#ifndef VOLT_VMSIZE_H
#define VOLT_VMSIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "oci/annotations.h"
#include "oci/spec.h"

#define VMSIZE_DEFAULT_RAM   (512ull << 20)
#define VMSIZE_MIN_LIMIT     (16ull << 20) /* a smaller limit is honoured by the guest's cgroup only */
#define VMSIZE_OVERHEAD	     (48ull << 20) /* kernel image, slab, agent */
#define VMSIZE_OVERHEAD_FRAC 40u	   /* and 1/40 of the limit: page structs, page tables */
#define VMSIZE_DEFAULT_VCPUS 8u

/*
 * What the host's side of a VM may take beside guest RAM. For each MiB of RAM there are page tables in
 * the vmm, in each fs process and in KVM, and the page cache's index of it. A file that the guest knows
 * is held on the host: inodes and names of two file systems (overlayfs), an open file.
 */
#define VMSIZE_HOST_FIXED      (32ull << 20) /* vmm, fs, net, shim, open files, their page cache */
#define VMSIZE_HOST_FRAC       64u	     /* and 1/64 of RAM */
#define VMSIZE_FILES_FIXED     (32ull << 20) /* for files, */
#define VMSIZE_FILES_FRAC      8u	     /* and 1/8 of RAM for more of them, */
#define VMSIZE_FILE_HOST_BYTES 3072u	     /* each of which takes as much */

struct vmsize {
	uint64_t ram_bytes;
	unsigned n_vcpus;
};

/**
 * vmsize_from_spec() - decide
 * @settings:  what annotations say; they come before limits and vm.hwConfig
 * @host_cpus: CPUs this process may run on, at least 1
 * @host_ram:  physical memory of the host in bytes: a higher limit counts as this one
 *
 * Return: 0, or -EINVAL with @err for an unusable cpuset.
 */
int vmsize_from_spec(const struct oci_spec *spec, const struct oci_settings *settings,
		     unsigned host_cpus, uint64_t host_ram, struct vmsize *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/** vmsize_usable() - the largest memory limit that a VM of @ram_bytes can honour; 0 if too small */
uint64_t vmsize_usable(uint64_t ram_bytes);

/** vmsize_host_limit() - what guest RAM of @ram_bytes and the processes around it may take, in bytes */
uint64_t vmsize_host_limit(uint64_t ram_bytes);

/**
 * vmsize_max_files() - how many files the guest may know at a time
 * @limited: the host bounds the VM's memory, by vmsize_host_limit()
 *
 * Return: their number, 0 for as many as descriptors allow.
 */
unsigned vmsize_max_files(uint64_t ram_bytes, bool limited);

/** vmsize_host() - the two numbers of this host, for vmsize_from_spec() */
void vmsize_host(unsigned *out_cpus, uint64_t *out_ram);

#endif /* VOLT_VMSIZE_H */
