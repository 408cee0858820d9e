/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gmem.h - guest RAM
 *
 * Owns the mapping of guest-physical to host memory. This is the only module
 * that turns a guest address into a host pointer; everyone else copies or gets
 * bounded iovecs from here. RAM is one shared memfd: byte n of RAM (low part
 * first, then the part above 4 GiB) is byte n of the file, so that the fs
 * process can map the same memory.
 *
 * Trust:    addresses and lengths come from the guest; contents may change
 *           under us at any moment (vCPUs and other processes write it).
 * Threads:  the regions never change after gmem_map(); everything may be
 *           called from any thread.
 * Uses: base. Used by: virtq, devices, vm, pvh.
 */
#ifndef VMM_GMEM_H
#define VMM_GMEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define GMEM_MAX_REGIONS 2u

/** A guest-physical address. A struct so that it can't be dereferenced. */
typedef struct {
	uint64_t v;
} gpa_t;

static inline gpa_t gpa(uint64_t v)
{
	return (gpa_t){v};
}

/** struct gmem_region - one run of RAM; @host and @file_off are for KVM memslots only */
struct gmem_region {
	uint64_t base;
	uint64_t size;
	uint64_t file_off;
	uint8_t *host;
};

struct gmem;

/**
 * gmem_memfd() - make the file that will hold guest RAM
 * @ram_bytes: page-aligned, ML_RAM_MIN..ML_RAM_MAX
 *
 * Sparse, sealed against shrinking and growing, close-on-exec.
 *
 * Return: fd, or -errno.
 */
int gmem_memfd(uint64_t ram_bytes) __attribute__((warn_unused_result));

/**
 * gmem_map() - map guest RAM from its memfd
 * @memfd:     file of exactly @ram_bytes, sealed as gmem_memfd() does; borrowed, may be closed afterwards
 * @ram_bytes: as for gmem_memfd()
 * @out:       the mapping, to be freed with gmem_unmap()
 *
 * Return: 0, -EINVAL for a bad size, -EPERM for one that can change, or -errno of fstat/mmap.
 */
int gmem_map(int memfd, uint64_t ram_bytes, struct gmem **out) __attribute__((warn_unused_result));
void gmem_unmap(struct gmem *m);

uint64_t gmem_ram_bytes(const struct gmem *m);
unsigned gmem_n_regions(const struct gmem *m);
const struct gmem_region *gmem_region(const struct gmem *m, unsigned i);

/** gmem_read() - copy @len bytes of one region out. Return: 0 or -EFAULT (@dst untouched) */
int gmem_read(const struct gmem *m, gpa_t src, void *dst, size_t len)
	__attribute__((warn_unused_result));

/** gmem_write() - copy @len bytes in. Return: 0 or -EFAULT (guest memory untouched) */
int gmem_write(const struct gmem *m, gpa_t dst, const void *src, size_t len)
	__attribute__((warn_unused_result));

/** gmem_check() - does [@addr, @addr+@len) lie inside one region? Return: 0 or -EFAULT */
int gmem_check(const struct gmem *m, gpa_t addr, uint64_t len) __attribute__((warn_unused_result));

/**
 * gmem_iov() - a host view of guest memory for bulk data
 * @out: base and length of exactly the asked range
 *
 * The bytes belong to the guest and change at any time: never parse through
 * the pointer, only hand it to read/write/copy.
 *
 * Return: 0 or -EFAULT.
 */
int gmem_iov(const struct gmem *m, gpa_t addr, uint64_t len, struct iovec *out)
	__attribute__((warn_unused_result));

/**
 * gmem_copy_in(), gmem_copy_out() - copy from and to a view that gmem_iov() gave
 *
 * For data that is looked at afterwards: every byte of guest memory is accessed
 * once, and the compiler can't go back for a second look.
 */
void gmem_copy_in(void *dst, const void *src, size_t len);
void gmem_copy_out(void *dst, const void *src, size_t len);

/* Ring accesses with the ordering virtqueues need. @addr must be aligned to the width. */
/** gmem_load16() - acquire-load of a little-endian u16. Return: 0 or -EFAULT */
int gmem_load16(const struct gmem *m, gpa_t addr, uint16_t *out)
	__attribute__((warn_unused_result));
/** gmem_store16() - release-store of a little-endian u16. Return: 0 or -EFAULT */
int gmem_store16(const struct gmem *m, gpa_t addr, uint16_t v) __attribute__((warn_unused_result));

/**
 * gmem_discard() - give whole pages back to the host (free page reporting)
 *
 * Inner page-aligned part of the range only; reads return zeros afterwards.
 *
 * Return: 0, -EFAULT, or -errno of the hole punch.
 * Syscalls: madvise (role vmm)
 */
int gmem_discard(const struct gmem *m, gpa_t addr, uint64_t len)
	__attribute__((warn_unused_result));

/**
 * gmem_discard_iov() - gmem_discard() of a view that gmem_iov() gave (a popped chain's buffer)
 *
 * Return: 0, -EFAULT when @iov isn't inside one region, or -errno of the hole punch.
 * Syscalls: madvise (role vmm)
 */
int gmem_discard_iov(const struct gmem *m, const struct iovec *iov)
	__attribute__((warn_unused_result));

#endif /* VMM_GMEM_H */
