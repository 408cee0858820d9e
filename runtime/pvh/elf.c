/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf.c - validate a kernel image and load it
 *
 * elf_parse() goes through numbered steps; each may rely on what the steps
 * before it established. The uncompressed vmlinux of Linux is an ET_EXEC file
 * whose program headers carry physical addresses; the virtual ones are of no
 * interest here.
 */
#include "pvh/elf.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "vmm/memlayout.h"

#define XEN_NOTE_NAME	      "Xen" /* with its NUL */
#define XEN_NOTE_PHYS32_ENTRY 18u

/** struct elf_file - the file and the headers, copied once */
struct elf_file {
	int fd;
	uint64_t size;
	Elf64_Ehdr eh;
	Elf64_Phdr ph[ELF_MAX_PHDRS];
};

/* pread() of exactly @len bytes. Return: 0, -ENODATA at the end of the file, -errno */
static int read_exact(int fd, void *dst, size_t len, uint64_t off)
{
	uint8_t *p = dst;

	while (len > 0) {
		ssize_t n = pread(fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return -errno;
		}
		if (n == 0) {
			return -ENODATA;
		}
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int bad(struct vr_err *err, const char *why)
{
	return vr_err_set(err, ENOEXEC, "kernel image: %s", why);
}

/* Step 1: a regular file, of a size that file offsets can express, with an ELF header. */
static int read_ehdr(struct elf_file *f, struct vr_err *err)
{
	struct stat st;
	int ret;

	if (fstat(f->fd, &st) < 0) {
		return vr_err_sys(err, errno, "kernel image: stat");
	}
	if (!S_ISREG(st.st_mode)) {
		return bad(err, "not a regular file");
	}
	f->size = (uint64_t)st.st_size;
	if (f->size < sizeof(f->eh)) {
		return bad(err, "too short for an ELF header");
	}
	ret = read_exact(f->fd, &f->eh, sizeof(f->eh), 0);
	if (ret < 0) {
		return vr_err_sys(err, ret, "kernel image: read the ELF header");
	}
	return 0;
}

/* Step 2: the kind of ELF file we boot. */
static int check_ehdr(const Elf64_Ehdr *eh, struct vr_err *err)
{
	if (memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0) {
		return bad(err, "not an ELF file (an uncompressed vmlinux is needed)");
	}
	if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_ident[EI_DATA] != ELFDATA2LSB) {
		return bad(err, "not 64-bit little-endian");
	}
	if (eh->e_ident[EI_VERSION] != EV_CURRENT || eh->e_version != EV_CURRENT) {
		return bad(err, "unknown ELF version");
	}
	if (eh->e_machine != EM_X86_64) {
		return bad(err, "not for x86-64");
	}
	if (eh->e_type != ET_EXEC) {
		return bad(err, "not an executable with fixed addresses (ET_EXEC)");
	}
	if (eh->e_phentsize != sizeof(Elf64_Phdr)) {
		return bad(err, "unexpected size of program headers");
	}
	if (eh->e_phnum == 0 || eh->e_phnum > ELF_MAX_PHDRS) {
		return bad(err, "no program headers, or too many");
	}
	return 0;
}

/* Step 3: the program headers lie in the file. */
static int read_phdrs(struct elf_file *f, struct vr_err *err)
{
	uint64_t len = (uint64_t)f->eh.e_phnum * sizeof(Elf64_Phdr);
	int ret;

	if (!vr_range_inside(f->eh.e_phoff, len, 0, f->size)) {
		return bad(err, "program headers outside the file");
	}
	ret = read_exact(f->fd, f->ph, (size_t)len, f->eh.e_phoff);
	if (ret < 0) {
		return vr_err_sys(err, ret, "kernel image: read the program headers");
	}
	return 0;
}

/* Step 4: a segment lies in the file and in RAM, above everything else we put there. */
static int check_segment(const struct gmem *m, const struct elf_file *f,
			 const struct elf_segment *s, struct vr_err *err)
{
	uint64_t end;

	if (s->file_bytes > s->mem_bytes) {
		return bad(err, "a segment has more bytes in the file than in memory");
	}
	if (!vr_range_inside(s->file_off, s->file_bytes, 0, f->size)) {
		return bad(err, "a segment lies outside the file");
	}
	if (s->paddr < ML_MIB) {
		return bad(err, "a segment lies below 1 MiB");
	}
	if (!vr_add_u64(s->paddr, s->mem_bytes, &end) || end > ML_LOW_RAM_END) {
		return bad(err, "a segment doesn't end below 3 GiB");
	}
	if (gmem_check(m, gpa(s->paddr), s->mem_bytes) < 0) {
		return vr_err_set(
			err, ENOMEM,
			"kernel image: needs memory up to %llu MiB, the guest has %llu MiB",
			end / ML_MIB + 1, gmem_ram_bytes(m) / ML_MIB);
	}
	return 0;
}

/* Step 5: segments don't overlap (their ends were checked not to overflow). */
static bool overlaps(const struct elf_plan *p, const struct elf_segment *s)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (s->paddr < p->seg[i].paddr + p->seg[i].mem_bytes &&
		    p->seg[i].paddr < s->paddr + s->mem_bytes) {
			return true;
		}
	}
	return false;
}

static int add_segment(const struct gmem *m, const struct elf_file *f, const Elf64_Phdr *ph,
		       struct elf_plan *p, struct vr_err *err)
{
	struct elf_segment s = {.file_off = ph->p_offset,
				.file_bytes = ph->p_filesz,
				.mem_bytes = ph->p_memsz,
				.paddr = ph->p_paddr};
	int ret;

	if (p->n == ELF_MAX_SEGMENTS) {
		return bad(err, "too many segments");
	}
	ret = check_segment(m, f, &s, err);
	if (ret < 0) {
		return ret;
	}
	if (overlaps(p, &s)) {
		return bad(err, "two segments overlap");
	}
	p->seg[p->n++] = s;
	p->end = VR_MAX(p->end, s.paddr + s.mem_bytes);
	return 0;
}

static int collect_segments(const struct gmem *m, const struct elf_file *f, struct elf_plan *p,
			    struct vr_err *err)
{
	for (unsigned i = 0; i < f->eh.e_phnum; i++) {
		int ret;

		if (f->ph[i].p_type != PT_LOAD || f->ph[i].p_memsz == 0) {
			continue;
		}
		ret = add_segment(m, f, &f->ph[i], p, err);
		if (ret < 0) {
			return ret;
		}
	}
	if (p->n == 0) {
		return bad(err, "nothing to load");
	}
	return 0;
}

/* Skip to the next multiple of @align in a note segment; sticky failure past its end. */
static void skip_padding(struct vr_rd *r, size_t align)
{
	size_t pad = (align - r->off % align) % align;

	/* The last note may come without padding. */
	(void)vr_rd_bytes(r, VR_MIN(pad, vr_rd_left(r)));
}

/*
 * Look for the entry note among the notes of a segment.
 * Return: 1 with @entry, 0 when it isn't there, -ENOEXEC when the notes are malformed.
 */
static int find_entry(const uint8_t *notes, size_t len, size_t align, uint64_t *entry)
{
	struct vr_rd r;

	vr_rd_init(&r, notes, len);
	while (vr_rd_left(&r) > 0) {
		uint32_t name_len = vr_rd_u32(&r);
		uint32_t desc_len = vr_rd_u32(&r);
		uint32_t type = vr_rd_u32(&r);
		const uint8_t *name = vr_rd_bytes(&r, name_len);
		const uint8_t *desc;
		struct vr_rd d;

		skip_padding(&r, align);
		desc = vr_rd_bytes(&r, desc_len);
		skip_padding(&r, align);
		if (!vr_rd_ok(&r)) {
			return -ENOEXEC;
		}
		if (type != XEN_NOTE_PHYS32_ENTRY || name_len != sizeof(XEN_NOTE_NAME) ||
		    memcmp(name, XEN_NOTE_NAME, sizeof(XEN_NOTE_NAME)) != 0) {
			continue;
		}
		if (desc_len != 4 && desc_len != 8) {
			return -ENOEXEC;
		}
		vr_rd_init(&d, desc, desc_len);
		*entry = desc_len == 4 ? vr_rd_u32(&d) : vr_rd_u64(&d);
		return 1;
	}
	return 0;
}

/* Return: as find_entry(), or -errno of reading; @err is set on failure. */
static int entry_in_segment(const struct elf_file *f, const Elf64_Phdr *ph, uint64_t *entry,
			    struct vr_err *err)
{
	uint8_t *notes;
	int ret;

	if (ph->p_filesz > ELF_MAX_NOTES ||
	    !vr_range_inside(ph->p_offset, ph->p_filesz, 0, f->size)) {
		return bad(err, "a note segment is too large or outside the file");
	}
	notes = malloc(ph->p_filesz + 1);
	if (!notes) {
		return vr_err_sys(err, ENOMEM, "kernel image: read the notes");
	}
	ret = read_exact(f->fd, notes, ph->p_filesz, ph->p_offset);
	if (ret < 0) {
		vr_err_sys(err, ret, "kernel image: read the notes");
	} else {
		ret = find_entry(notes, ph->p_filesz, ph->p_align == 8 ? 8 : 4, entry);
		if (ret < 0) {
			bad(err, "malformed notes");
		}
	}
	free(notes);
	return ret;
}

/* Step 6: the entry note is there and points into something that will have been loaded. */
static int find_pvh_entry(const struct elf_file *f, struct elf_plan *p, struct vr_err *err)
{
	int found = 0;

	for (unsigned i = 0; i < f->eh.e_phnum && found == 0; i++) {
		if (f->ph[i].p_type == PT_NOTE) {
			found = entry_in_segment(f, &f->ph[i], &p->entry, err);
		}
	}
	if (found < 0) {
		return found;
	}
	if (found == 0) {
		return bad(err, "no PVH entry note (is CONFIG_PVH set?)");
	}
	for (unsigned i = 0; i < p->n; i++) {
		if (vr_range_inside(p->entry, 1, p->seg[i].paddr, p->seg[i].file_bytes)) {
			return 0;
		}
	}
	return bad(err, "the PVH entry point lies outside the loaded segments");
}

int elf_parse(const struct gmem *m, int fd, struct elf_plan *out, struct vr_err *err)
{
	struct elf_file f = {.fd = fd};
	struct elf_plan plan = {.n = 0};
	int ret;

	ret = read_ehdr(&f, err);
	if (ret < 0) {
		return ret;
	}
	ret = check_ehdr(&f.eh, err);
	if (ret < 0) {
		return ret;
	}
	ret = read_phdrs(&f, err);
	if (ret < 0) {
		return ret;
	}
	ret = collect_segments(m, &f, &plan, err);
	if (ret < 0) {
		return ret;
	}
	ret = find_pvh_entry(&f, &plan, err);
	if (ret < 0) {
		return ret;
	}
	*out = plan;
	return 0;
}

int elf_read_guest(const struct gmem *m, int fd, uint64_t file_off, uint64_t paddr, uint64_t len)
{
	struct iovec iov;
	int ret;

	ret = gmem_iov(m, gpa(paddr), len, &iov);
	if (ret < 0) {
		return ret;
	}
	return read_exact(fd, iov.iov_base, (size_t)len, file_off);
}

static int clear(const struct gmem *m, uint64_t paddr, uint64_t len)
{
	struct iovec iov;
	int ret;

	ret = gmem_iov(m, gpa(paddr), len, &iov);
	if (ret < 0) {
		return ret;
	}
	memset(iov.iov_base, 0, (size_t)len);
	return 0;
}

/*
 * Clear a range without making all of it present: whole huge pages are punched out of the memfd
 * (which holds nothing there in a fresh VM), the rest is written. Smaller holes would split the
 * huge page around them, and the guest would pay for it with a fault for each page of its data.
 */
static int clear_sparse(const struct gmem *m, uint64_t paddr, uint64_t len)
{
	uint64_t end = paddr + len;
	uint64_t first = vr_align_up(paddr, ML_HUGE);
	uint64_t last = end & ~(ML_HUGE - 1);
	int ret;

	if (first >= last) {
		return clear(m, paddr, len);
	}
	ret = clear(m, paddr, first - paddr);
	if (ret < 0) {
		return ret;
	}
	if (gmem_discard(m, gpa(first), last - first) < 0) {
		ret = clear(m, first, last - first);
		if (ret < 0) {
			return ret;
		}
	}
	return clear(m, last, end - last);
}

int elf_load(const struct gmem *m, int fd, const struct elf_plan *plan, struct vr_err *err)
{
	for (unsigned i = 0; i < plan->n; i++) {
		const struct elf_segment *s = &plan->seg[i];
		int ret = elf_read_guest(m, fd, s->file_off, s->paddr, s->file_bytes);

		if (ret == -ENODATA) {
			return bad(err, "the file became shorter while it was read");
		}
		if (ret == 0) {
			ret = clear_sparse(m, s->paddr + s->file_bytes,
					   s->mem_bytes - s->file_bytes);
		}
		if (ret < 0) {
			return vr_err_sys(err, ret, "kernel image: load segment %u", i);
		}
	}
	return 0;
}
