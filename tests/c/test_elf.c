/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_elf.c - kernel images: what is accepted, and every reason to refuse
 */
#include "pvh/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "fake_kernel.h"
#include "vmm/memlayout.h"

#define RAM (64 * ML_MIB)

static struct gmem *ram;

static int make_ram(void **state)
{
	int fd = gmem_memfd(RAM);

	(void)state;
	if (fd < 0 || gmem_map(fd, RAM, &ram) < 0) {
		return -1;
	}
	return close(fd);
}

static int drop_ram(void **state)
{
	(void)state;
	gmem_unmap(ram);
	return 0;
}

static int parse(const struct fake_kernel *k, struct elf_plan *plan, struct vr_err *err)
{
	int fd = fake_kernel_fd(k);
	int ret;

	assert_true(fd >= 0);
	ret = elf_parse(ram, fd, plan, err);
	close(fd);
	return ret;
}

/* The image must be refused with @code and a message that contains @words. */
static void refuse(const struct fake_kernel *k, int code, const char *words)
{
	struct vr_err err = VR_ERR_INIT;
	struct elf_plan plan;
	struct elf_plan before;

	memset(&plan, 0xa5, sizeof(plan));
	before = plan;
	assert_int_equal(parse(k, &plan, &err), -code);
	assert_int_equal(err.code, code);
	if (!strstr(err.msg, words)) {
		fail_msg("expected '%s' in '%s'", words, err.msg);
	}
	assert_memory_equal(&plan, &before, sizeof(plan));
}

static void a_valid_image_gives_a_plan(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct elf_plan plan;
	struct fake_kernel k;

	(void)state;
	fake_kernel_init(&k);
	assert_int_equal(parse(&k, &plan, &err), 0);
	assert_int_equal(err.code, 0);
	assert_int_equal(plan.n, 2);
	assert_int_equal(plan.entry, FAKE_ENTRY);
	assert_int_equal(plan.end, FAKE_DATA_ADDR + FAKE_DATA_MEM);
	assert_int_equal(plan.seg[0].paddr, FAKE_TEXT_ADDR);
	assert_int_equal(plan.seg[1].file_bytes, FAKE_DATA_BYTES);
}

static void an_entry_of_4_bytes_is_accepted(void **state)
{
	struct elf_plan plan;
	struct fake_kernel k;

	(void)state;
	fake_kernel_init(&k);
	k.note.nhdr.n_descsz = 4;
	k.note.desc |= 0x1100000000ull; /* beyond the description: must not be read */
	k.ph[2].p_filesz -= 4;
	assert_int_equal(parse(&k, &plan, NULL), 0);
	assert_int_equal(plan.entry, FAKE_ENTRY);
}

#define BREAK_EHDR(field, value, words)                                                            \
	do {                                                                                       \
		fake_kernel_init(&k);                                                              \
		k.eh.field = (value);                                                              \
		refuse(&k, ENOEXEC, words);                                                        \
	} while (0)

static void a_wrong_kind_of_file_is_refused(void **state)
{
	struct fake_kernel k;

	(void)state;
	BREAK_EHDR(e_ident[0], 'M', "not an ELF file");
	BREAK_EHDR(e_ident[EI_CLASS], ELFCLASS32, "64-bit");
	BREAK_EHDR(e_ident[EI_DATA], ELFDATA2MSB, "little-endian");
	BREAK_EHDR(e_ident[EI_VERSION], 2, "version");
	BREAK_EHDR(e_version, 0, "version");
	BREAK_EHDR(e_machine, EM_AARCH64, "x86-64");
	BREAK_EHDR(e_type, ET_DYN, "ET_EXEC");
	BREAK_EHDR(e_phentsize, 32, "size of program headers");
	BREAK_EHDR(e_phnum, 0, "program headers");
	BREAK_EHDR(e_phnum, ELF_MAX_PHDRS + 1, "too many");
	BREAK_EHDR(e_phnum, 0xffff, "too many");
	BREAK_EHDR(e_phoff, FAKE_FILE_BYTES - 8, "outside the file");
	BREAK_EHDR(e_phoff, UINT64_MAX - 8, "outside the file");
	fake_kernel_init(&k);
	k.file_bytes = sizeof(k.eh) - 1;
	refuse(&k, ENOEXEC, "too short");
	k.file_bytes = 0;
	refuse(&k, ENOEXEC, "too short");
}

#define BREAK_PHDR(i, field, value, code, words)                                                   \
	do {                                                                                       \
		fake_kernel_init(&k);                                                              \
		k.ph[i].field = (value);                                                           \
		refuse(&k, code, words);                                                           \
	} while (0)

static void a_segment_out_of_bounds_is_refused(void **state)
{
	struct fake_kernel k;

	(void)state;
	BREAK_PHDR(0, p_filesz, FAKE_TEXT_BYTES + 1, ENOEXEC, "more bytes in the file");
	BREAK_PHDR(0, p_offset, FAKE_FILE_BYTES - FAKE_TEXT_BYTES + 1, ENOEXEC, "outside the file");
	BREAK_PHDR(0, p_offset, UINT64_MAX, ENOEXEC, "outside the file");
	BREAK_PHDR(0, p_offset, (uint64_t)INT64_MAX + 1, ENOEXEC, "outside the file");
	BREAK_PHDR(0, p_paddr, 0, ENOEXEC, "below 1 MiB");
	BREAK_PHDR(0, p_paddr, ML_START_INFO, ENOEXEC, "below 1 MiB");
	BREAK_PHDR(0, p_paddr, ML_MIB - 1, ENOEXEC, "below 1 MiB");
	BREAK_PHDR(0, p_paddr, UINT64_MAX - 1, ENOEXEC, "below 3 GiB");
	BREAK_PHDR(0, p_paddr, 3 * ML_GIB, ENOEXEC, "below 3 GiB");
	BREAK_PHDR(0, p_paddr, 4 * ML_GIB, ENOEXEC, "below 3 GiB");
	BREAK_PHDR(1, p_memsz, UINT64_MAX, ENOEXEC, "below 3 GiB");
	BREAK_PHDR(0, p_paddr, RAM, ENOMEM, "the guest has 64 MiB");
	BREAK_PHDR(1, p_memsz, RAM, ENOMEM, "the guest has 64 MiB");
	BREAK_PHDR(1, p_memsz, RAM - FAKE_DATA_ADDR + 1, ENOMEM, "needs memory");
}

static void overlapping_segments_are_refused(void **state)
{
	struct fake_kernel k;

	(void)state;
	BREAK_PHDR(1, p_paddr, FAKE_TEXT_ADDR, ENOEXEC, "overlap");
	BREAK_PHDR(1, p_paddr, FAKE_TEXT_ADDR + FAKE_TEXT_BYTES - 1, ENOEXEC, "overlap");
	BREAK_PHDR(1, p_paddr, FAKE_TEXT_ADDR - FAKE_DATA_MEM + 1, ENOEXEC, "overlap");
	fake_kernel_init(&k);
	k.ph[1].p_paddr = FAKE_TEXT_ADDR + FAKE_TEXT_BYTES;
	assert_int_equal(parse(&k, &(struct elf_plan){.n = 0}, NULL), 0);
}

static void too_many_or_no_segments_are_refused(void **state)
{
	struct fake_kernel k;

	(void)state;
	fake_kernel_init(&k);
	k.eh.e_phnum = ELF_MAX_PHDRS;
	for (unsigned i = 3; i < ELF_MAX_PHDRS; i++) {
		k.ph[i] = (Elf64_Phdr){
			.p_type = PT_LOAD, .p_paddr = 0x2000000 + i * 0x1000, .p_memsz = 0x1000};
	}
	refuse(&k, ENOEXEC, "too many segments");
	fake_kernel_init(&k);
	k.ph[0].p_type = PT_NULL;
	k.ph[1].p_type = PT_NULL;
	refuse(&k, ENOEXEC, "nothing to load");
}

static void an_image_without_a_sound_entry_is_refused(void **state)
{
	struct fake_kernel k;

	(void)state;
	BREAK_PHDR(2, p_type, PT_NULL, ENOEXEC, "no PVH entry note");
	BREAK_PHDR(2, p_filesz, offsetof(struct fake_note, nhdr), ENOEXEC, "no PVH entry note");
	BREAK_PHDR(2, p_filesz, ELF_MAX_NOTES + 1, ENOEXEC, "note segment");
	BREAK_PHDR(2, p_offset, FAKE_FILE_BYTES - 4, ENOEXEC, "note segment");
	BREAK_PHDR(2, p_filesz, sizeof(k.note) - 1, ENOEXEC, "malformed");
	BREAK_PHDR(2, p_filesz, offsetof(struct fake_note, name), ENOEXEC, "malformed");
	BREAK_PHDR(2, p_filesz, 7, ENOEXEC, "malformed");
	fake_kernel_init(&k);
	k.note.nhdr.n_type = 19;
	refuse(&k, ENOEXEC, "no PVH entry note");
	fake_kernel_init(&k);
	k.note.name[0] = 'Y';
	refuse(&k, ENOEXEC, "no PVH entry note");
	fake_kernel_init(&k);
	k.note.nhdr.n_descsz = 7;
	refuse(&k, ENOEXEC, "malformed");
	fake_kernel_init(&k);
	k.note.other.n_namesz = UINT32_MAX;
	refuse(&k, ENOEXEC, "malformed");
	fake_kernel_init(&k);
	k.note.other.n_descsz = UINT32_MAX - 2;
	refuse(&k, ENOEXEC, "malformed");
}

static void an_entry_outside_the_file_bytes_is_refused(void **state)
{
	static const uint64_t entries[] = {
		0,
		FAKE_TEXT_ADDR - 1,
		FAKE_TEXT_ADDR + FAKE_TEXT_BYTES,
		FAKE_DATA_ADDR + FAKE_DATA_BYTES, /* bss */
		FAKE_ENTRY + (1ull << 32),
		UINT64_MAX,
	};
	struct fake_kernel k;

	(void)state;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		fake_kernel_init(&k);
		k.note.desc = entries[i];
		refuse(&k, ENOEXEC, "outside the loaded segments");
	}
}

static void what_is_no_regular_file_is_refused(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct elf_plan plan;
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(elf_parse(ram, fd, &plan, &err), -ENOEXEC);
	assert_non_null(strstr(err.msg, "regular"));
	close(fd);
	assert_int_equal(elf_parse(ram, -1, &plan, &err), -EBADF);
}

static void fill(uint64_t addr, size_t len, int byte)
{
	struct iovec iov;

	assert_int_equal(gmem_iov(ram, gpa(addr), len, &iov), 0);
	memset(iov.iov_base, byte, len);
}

static void loading_copies_the_file_and_clears_the_rest(void **state)
{
	static uint8_t got[FAKE_DATA_MEM + 16];
	struct elf_plan plan;
	struct fake_kernel k;
	int fd;

	(void)state;
	fake_kernel_init(&k);
	fd = fake_kernel_fd(&k);
	assert_int_equal(elf_parse(ram, fd, &plan, NULL), 0);
	fill(FAKE_DATA_ADDR, sizeof(got), 0xee);
	assert_int_equal(elf_load(ram, fd, &plan, NULL), 0);
	assert_int_equal(gmem_read(ram, gpa(FAKE_TEXT_ADDR), got, FAKE_TEXT_BYTES), 0);
	for (size_t i = 0; i < FAKE_TEXT_BYTES; i++) {
		assert_int_equal(got[i], fake_kernel_byte(FAKE_TEXT_OFF + i));
	}
	assert_int_equal(gmem_read(ram, gpa(FAKE_DATA_ADDR), got, sizeof(got)), 0);
	for (size_t i = 0; i < FAKE_DATA_MEM; i++) {
		uint8_t want = i < FAKE_DATA_BYTES ? fake_kernel_byte(FAKE_DATA_OFF + i) : 0;

		assert_int_equal(got[i], want);
	}
	assert_int_equal(got[FAKE_DATA_MEM], 0xee);
	close(fd);
}

/* Is the page at @addr in the memfd? */
static bool is_present(uint64_t addr)
{
	struct iovec iov;
	unsigned char in_core;

	assert_int_equal(gmem_iov(ram, gpa(addr), ML_PAGE, &iov), 0);
	assert_int_equal(mincore(iov.iov_base, ML_PAGE, &in_core), 0);
	return in_core & 1;
}

static void only_whole_huge_pages_are_punched_out(void **state)
{
	const uint64_t tail = FAKE_DATA_ADDR + 2 * ML_HUGE;
	struct elf_plan plan;
	struct fake_kernel k;
	int fd;

	(void)state;
	fake_kernel_init(&k);
	k.ph[1].p_memsz = 2 * ML_HUGE + 2 * ML_PAGE;
	fd = fake_kernel_fd(&k);
	assert_int_equal(elf_parse(ram, fd, &plan, NULL), 0);
	fill(FAKE_DATA_ADDR, 2 * ML_HUGE + 3 * ML_PAGE, 0xee);
	assert_int_equal(elf_load(ram, fd, &plan, NULL), 0);
	assert_true(is_present(FAKE_DATA_ADDR + ML_HUGE - ML_PAGE));
	assert_false(is_present(FAKE_DATA_ADDR + ML_HUGE));
	assert_false(is_present(tail - ML_PAGE));
	assert_true(is_present(tail));
	for (uint64_t at = FAKE_DATA_BYTES; at < 2 * ML_HUGE + 2 * ML_PAGE; at += 0x100) {
		uint8_t byte = 1;

		assert_int_equal(gmem_read(ram, gpa(FAKE_DATA_ADDR + at), &byte, 1), 0);
		assert_int_equal(byte, 0);
	}
	close(fd);
}

static void a_file_that_shrinks_meanwhile_is_an_error(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct elf_plan plan;
	struct fake_kernel k;
	int fd;

	(void)state;
	fake_kernel_init(&k);
	fd = fake_kernel_fd(&k);
	assert_int_equal(elf_parse(ram, fd, &plan, NULL), 0);
	assert_int_equal(ftruncate(fd, FAKE_TEXT_OFF + 100), 0);
	assert_int_equal(elf_load(ram, fd, &plan, &err), -ENOEXEC);
	assert_non_null(strstr(err.msg, "shorter"));
	close(fd);
}

/* No single flipped byte of the headers may do more than change the plan within the rules. */
static void every_changed_header_byte_gives_a_sound_plan_or_none(void **state)
{
	const size_t len = sizeof(Elf64_Ehdr) + 4 * sizeof(Elf64_Phdr);
	unsigned refused = 0;

	(void)state;
	for (size_t i = 0; i < len; i++) {
		struct elf_plan plan;
		struct fake_kernel k;
		int fd;

		fake_kernel_init(&k);
		fd = fake_kernel_fd(&k);
		for (unsigned bit = 0; bit < 8; bit += 7) {
			uint8_t b;

			assert_int_equal(pread(fd, &b, 1, (off_t)i), 1);
			b ^= (uint8_t)(1u << bit);
			assert_int_equal(pwrite(fd, &b, 1, (off_t)i), 1);
			if (elf_parse(ram, fd, &plan, NULL) < 0) {
				refused++;
			} else {
				assert_in_range(plan.n, 1, ELF_MAX_SEGMENTS);
				assert_int_equal(elf_load(ram, fd, &plan, NULL), 0);
			}
		}
		close(fd);
	}
	assert_true(refused > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_valid_image_gives_a_plan),
		cmocka_unit_test(an_entry_of_4_bytes_is_accepted),
		cmocka_unit_test(a_wrong_kind_of_file_is_refused),
		cmocka_unit_test(a_segment_out_of_bounds_is_refused),
		cmocka_unit_test(overlapping_segments_are_refused),
		cmocka_unit_test(too_many_or_no_segments_are_refused),
		cmocka_unit_test(an_image_without_a_sound_entry_is_refused),
		cmocka_unit_test(an_entry_outside_the_file_bytes_is_refused),
		cmocka_unit_test(what_is_no_regular_file_is_refused),
		cmocka_unit_test(loading_copies_the_file_and_clears_the_rest),
		cmocka_unit_test(only_whole_huge_pages_are_punched_out),
		cmocka_unit_test(a_file_that_shrinks_meanwhile_is_an_error),
		cmocka_unit_test(every_changed_header_byte_gives_a_sound_plan_or_none),
	};

	return cmocka_run_group_tests(tests, make_ram, drop_ram);
}
