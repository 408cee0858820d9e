/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gmem.c - guest RAM
 *
 * Two shared mappings of one memfd: the part below ML_LOW_RAM_END and the rest
 * at ML_HIGH_RAM_BASE. A guest range is valid when it lies inside one of them;
 * regions never join, so a range that leaves the low part is refused even
 * though the file goes on behind it.
 *
 * Guest memory is an object that others write while we read. Small copies and
 * ring fields therefore use atomic accesses: the compiler may neither read a
 * byte twice nor assume that it stayed as it was.
 */
#include "vmm/gmem.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "vmm/memlayout.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u /* Linux 6.3 */
#endif

#define GMEM_SMALL_COPY 64u

struct gmem {
	uint64_t ram_bytes;
	unsigned n_regions;
	struct gmem_region region[GMEM_MAX_REGIONS];
};

/* Guest memory has no declared type: these views may alias anything. */
typedef uint64_t __attribute__((may_alias)) guest_u64;
typedef uint16_t __attribute__((may_alias)) guest_u16;

static bool size_is_valid(uint64_t ram_bytes)
{
	return ram_bytes >= ML_RAM_MIN && ram_bytes <= ML_RAM_MAX && ram_bytes % ML_PAGE == 0;
}

static int memfd_open(void)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("volt-ram", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL) { /* an older kernel */
		fd = memfd_create("volt-ram", flags);
	}
	return fd < 0 ? -errno : fd;
}

int gmem_memfd(uint64_t ram_bytes)
{
	vr_autoclose int fd = -1;
	int ret;

	if (!size_is_valid(ram_bytes)) {
		return -EINVAL;
	}
	ret = memfd_open();
	if (ret < 0) {
		return ret;
	}
	fd = ret;
	if (ftruncate(fd, (off_t)ram_bytes) < 0) {
		return -errno;
	}
	/* A shrunk file would turn every later access into SIGBUS. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		return -errno;
	}
	return vr_take_fd(&fd);
}

static int region_add(struct gmem *m, int memfd, uint64_t base, uint64_t size, uint64_t file_off)
{
	void *host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memfd,
			  (off_t)file_off);

	if (host == MAP_FAILED) {
		return -errno;
	}
	/* The guest's memory has no business in a core file of ours. */
	(void)madvise(host, size, MADV_DONTDUMP);
	/* Matters only where the administrator chose "advise" for shared memory; else refused. */
	(void)madvise(host, size, MADV_HUGEPAGE);
	m->region[m->n_regions++] = (struct gmem_region){
		.base = base,
		.size = size,
		.file_off = file_off,
		.host = host,
	};
	return 0;
}

/* It may come from a vmm that was taken over, and a file that shrinks later is SIGBUS for who maps it. */
static int check_sealed(int memfd)
{
	const int wanted = F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fcntl(memfd, F_GET_SEALS);

	if (seals < 0) {
		return -errno;
	}
	return (seals & wanted) == wanted ? 0 : -EPERM;
}

int gmem_map(int memfd, uint64_t ram_bytes, struct gmem **out)
{
	uint64_t low = VR_MIN(ram_bytes, (uint64_t)ML_LOW_RAM_END);
	struct gmem *m;
	struct stat st;
	int ret;

	if (!size_is_valid(ram_bytes)) {
		return -EINVAL;
	}
	ret = check_sealed(memfd);
	if (ret < 0) {
		return ret;
	}
	if (fstat(memfd, &st) < 0) {
		return -errno;
	}
	if (st.st_size < 0 || (uint64_t)st.st_size != ram_bytes) {
		return -EINVAL;
	}
	m = calloc(1, sizeof(*m));
	if (!m) {
		return -ENOMEM;
	}
	m->ram_bytes = ram_bytes;
	ret = region_add(m, memfd, 0, low, 0);
	if (ret == 0 && ram_bytes > low) {
		ret = region_add(m, memfd, ML_HIGH_RAM_BASE, ram_bytes - low, low);
	}
	if (ret < 0) {
		gmem_unmap(m);
		return ret;
	}
	*out = m;
	return 0;
}

void gmem_unmap(struct gmem *m)
{
	if (!m) {
		return;
	}
	for (unsigned i = 0; i < m->n_regions; i++) {
		(void)munmap(m->region[i].host, m->region[i].size); /* our own mapping */
	}
	free(m);
}

uint64_t gmem_ram_bytes(const struct gmem *m)
{
	return m->ram_bytes;
}

unsigned gmem_n_regions(const struct gmem *m)
{
	return m->n_regions;
}

const struct gmem_region *gmem_region(const struct gmem *m, unsigned i)
{
	return i < m->n_regions ? &m->region[i] : NULL;
}

/* The gate: only here a guest address becomes a pointer. NULL when any byte is outside. */
static uint8_t *host_at(const struct gmem *m, gpa_t addr, uint64_t len)
{
	for (unsigned i = 0; i < m->n_regions; i++) {
		const struct gmem_region *r = &m->region[i];

		if (vr_range_inside(addr.v, len, r->base, r->size)) {
			return r->host + (addr.v - r->base);
		}
	}
	return NULL;
}

static inline void compiler_barrier(void)
{
	__asm__ __volatile__("" ::: "memory");
}

void gmem_copy_in(void *dst, const void *src, size_t len)
{
	uint8_t *d = dst;
	const uint8_t *s = src;

	if (len > GMEM_SMALL_COPY) {
		memcpy(dst, src, len);
		compiler_barrier(); /* what is looked at from here on is @dst, not @src again */
		return;
	}
	while (len > 0) {
		if (len >= 8 && (uintptr_t)s % 8 == 0) {
			uint64_t v = __atomic_load_n((const guest_u64 *)s, __ATOMIC_RELAXED);

			memcpy(d, &v, 8);
			d += 8;
			s += 8;
			len -= 8;
		} else {
			*d++ = __atomic_load_n(s++, __ATOMIC_RELAXED);
			len--;
		}
	}
}

void gmem_copy_out(void *dst, const void *src, size_t len)
{
	uint8_t *d = dst;
	const uint8_t *s = src;

	if (len > GMEM_SMALL_COPY) {
		memcpy(dst, src, len);
		compiler_barrier();
		return;
	}
	while (len > 0) {
		if (len >= 8 && (uintptr_t)d % 8 == 0) {
			uint64_t v;

			memcpy(&v, s, 8);
			__atomic_store_n((guest_u64 *)d, v, __ATOMIC_RELAXED);
			d += 8;
			s += 8;
			len -= 8;
		} else {
			__atomic_store_n(d++, *s++, __ATOMIC_RELAXED);
			len--;
		}
	}
}

int gmem_read(const struct gmem *m, gpa_t src, void *dst, size_t len)
{
	const uint8_t *p = host_at(m, src, len);

	if (!p) {
		return -EFAULT;
	}
	gmem_copy_in(dst, p, len);
	return 0;
}

int gmem_write(const struct gmem *m, gpa_t dst, const void *src, size_t len)
{
	uint8_t *p = host_at(m, dst, len);

	if (!p) {
		return -EFAULT;
	}
	gmem_copy_out(p, src, len);
	return 0;
}

int gmem_check(const struct gmem *m, gpa_t addr, uint64_t len)
{
	return host_at(m, addr, len) ? 0 : -EFAULT;
}

int gmem_iov(const struct gmem *m, gpa_t addr, uint64_t len, struct iovec *out)
{
	uint8_t *p = host_at(m, addr, len);

	if (!p) {
		return -EFAULT;
	}
	*out = (struct iovec){.iov_base = p, .iov_len = len};
	return 0;
}

static guest_u16 *ring_field_at(const struct gmem *m, gpa_t addr)
{
	if (addr.v % sizeof(guest_u16) != 0) {
		return NULL;
	}
	/* Regions begin on pages: an aligned guest address is an aligned pointer. */
	return (guest_u16 *)(void *)host_at(m, addr, sizeof(guest_u16));
}

int gmem_load16(const struct gmem *m, gpa_t addr, uint16_t *out)
{
	const guest_u16 *p = ring_field_at(m, addr);

	if (!p) {
		return -EFAULT;
	}
	/* Acquire: what the driver wrote before it published this field is visible after. */
	*out = le16toh(__atomic_load_n(p, __ATOMIC_ACQUIRE));
	return 0;
}

int gmem_store16(const struct gmem *m, gpa_t addr, uint16_t v)
{
	guest_u16 *p = ring_field_at(m, addr);

	if (!p) {
		return -EFAULT;
	}
	/* Release: what we wrote before (used element, data) is visible to who sees this field. */
	__atomic_store_n(p, htole16(v), __ATOMIC_RELEASE);
	return 0;
}

int gmem_discard(const struct gmem *m, gpa_t addr, uint64_t len)
{
	uint8_t *p = host_at(m, addr, len);
	uint64_t skip = vr_align_up(addr.v, ML_PAGE) - addr.v;
	uint64_t inner;

	if (!p) {
		return -EFAULT;
	}
	if (len <= skip) {
		return 0;
	}
	inner = (len - skip) & ~(uint64_t)(ML_PAGE - 1);
	/* On a shared mapping this punches the file: gone for every process that maps it. */
	if (inner > 0 && madvise(p + skip, inner, MADV_REMOVE) < 0) {
		return -errno;
	}
	return 0;
}

int gmem_discard_iov(const struct gmem *m, const struct iovec *iov)
{
	uintptr_t p = (uintptr_t)iov->iov_base;

	for (unsigned i = 0; i < m->n_regions; i++) {
		const struct gmem_region *r = &m->region[i];

		if (vr_range_inside(p, iov->iov_len, (uintptr_t)r->host, r->size)) {
			return gmem_discard(m, gpa(r->base + (p - (uintptr_t)r->host)),
					    iov->iov_len);
		}
	}
	return -EFAULT;
}
