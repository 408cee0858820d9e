/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_kernel.h - a small valid kernel image, and a knob for every lie
 *
 * fake_kernel_init() fills in an image that must be accepted; a test changes
 * one field and expects the refusal that belongs to it.
 */
#ifndef TESTS_FAKE_KERNEL_H
#define TESTS_FAKE_KERNEL_H

#include <elf.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FAKE_TEXT_OFF	0x1000u
#define FAKE_TEXT_BYTES 0x2000u
#define FAKE_DATA_OFF	0x3000u
#define FAKE_DATA_BYTES 0x0123u
#define FAKE_DATA_MEM	0x5010u
#define FAKE_NOTE_OFF	0x3800u
#define FAKE_FILE_BYTES 0x4000u
#define FAKE_TEXT_ADDR	0x1000000ull
#define FAKE_DATA_ADDR	0x1200000ull
#define FAKE_ENTRY	(FAKE_TEXT_ADDR + 0x40)

/** struct fake_note - the entry note, preceded by one of another type */
struct fake_note {
	Elf64_Nhdr other;
	char other_name[8]; /* "Linux" padded */
	uint32_t other_desc;
	Elf64_Nhdr nhdr;
	char name[4];
	uint64_t desc;
} __attribute__((packed));

/** struct fake_kernel - headers to play with; fake_kernel_fd() makes a file of it */
struct fake_kernel {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[40]; /* 0 text, 1 data, 2 note, 3 empty */
	struct fake_note note;
	size_t file_bytes;
};

static inline void fake_kernel_init(struct fake_kernel *k)
{
	memset(k, 0, sizeof(*k));
	memcpy(k->eh.e_ident, ELFMAG, SELFMAG);
	k->eh.e_ident[EI_CLASS] = ELFCLASS64;
	k->eh.e_ident[EI_DATA] = ELFDATA2LSB;
	k->eh.e_ident[EI_VERSION] = EV_CURRENT;
	k->eh.e_type = ET_EXEC;
	k->eh.e_machine = EM_X86_64;
	k->eh.e_version = EV_CURRENT;
	k->eh.e_phoff = sizeof(k->eh);
	k->eh.e_phentsize = sizeof(Elf64_Phdr);
	k->eh.e_phnum = 4;
	k->ph[0] = (Elf64_Phdr){.p_type = PT_LOAD,
				.p_offset = FAKE_TEXT_OFF,
				.p_paddr = FAKE_TEXT_ADDR,
				.p_filesz = FAKE_TEXT_BYTES,
				.p_memsz = FAKE_TEXT_BYTES};
	k->ph[1] = (Elf64_Phdr){.p_type = PT_LOAD,
				.p_offset = FAKE_DATA_OFF,
				.p_paddr = FAKE_DATA_ADDR,
				.p_filesz = FAKE_DATA_BYTES,
				.p_memsz = FAKE_DATA_MEM};
	k->ph[2] = (Elf64_Phdr){.p_type = PT_NOTE,
				.p_offset = FAKE_NOTE_OFF,
				.p_filesz = sizeof(k->note),
				.p_memsz = sizeof(k->note),
				.p_align = 4};
	k->ph[3] = (Elf64_Phdr){.p_type = PT_LOAD}; /* nothing in it: skipped */
	k->note.other = (Elf64_Nhdr){.n_namesz = 6, .n_descsz = 4, .n_type = 257};
	memcpy(k->note.other_name, "Linux", 6);
	k->note.nhdr = (Elf64_Nhdr){.n_namesz = 4, .n_descsz = 8, .n_type = 18};
	memcpy(k->note.name, "Xen", 4);
	k->note.desc = FAKE_ENTRY;
	k->file_bytes = FAKE_FILE_BYTES;
}

/* Byte at offset @i of the file where no header lies. */
static inline uint8_t fake_kernel_byte(size_t i)
{
	return (uint8_t)(i * 7 + 1);
}

/* The image as a memfd; -1 on failure. */
static inline int fake_kernel_fd(const struct fake_kernel *k)
{
	static uint8_t image[FAKE_FILE_BYTES];
	int fd = memfd_create("fake-kernel", MFD_CLOEXEC);

	for (size_t i = 0; i < sizeof(image); i++) {
		image[i] = fake_kernel_byte(i);
	}
	memcpy(image, &k->eh, sizeof(k->eh));
	memcpy(image + sizeof(k->eh), k->ph, sizeof(k->ph));
	memcpy(image + FAKE_NOTE_OFF, &k->note, sizeof(k->note));
	if (fd >= 0 && pwrite(fd, image, k->file_bytes, 0) != (ssize_t)k->file_bytes) {
		close(fd);
		return -1;
	}
	return fd;
}

#endif /* TESTS_FAKE_KERNEL_H */
