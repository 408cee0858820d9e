/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_elf.c - kernel images
 *
 * A plan that is accepted lies in RAM, above the first MiB, without overlaps, with the entry
 * inside the bytes of a segment; and it can be carried out.
 */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "pvh/elf.h"
#include "tests/c/fake_kernel.h"
#include "vmm/gmem.h"

#define RAM_BYTES (64ull << 20)
#define LOAD_MAX  (1u << 20) /* bigger ones are only checked, for speed */

static unsigned n_loaded, n_refused;
static struct gmem *ram;
static int file_fd = -1;

static void make_world(void)
{
	int fd = gmem_memfd(RAM_BYTES);

	fuzz_must(fd >= 0 && gmem_map(fd, RAM_BYTES, &ram) == 0, "guest RAM");
	(void)close(fd);
	file_fd = memfd_create("kernel", MFD_CLOEXEC);
	fuzz_must(file_fd >= 0, "memfd");
}

static void check_plan(const struct elf_plan *p, size_t file_bytes)
{
	bool entry_found = false;

	fuzz_must(p->n >= 1 && p->n <= ELF_MAX_SEGMENTS, "number of segments");
	for (unsigned i = 0; i < p->n; i++) {
		const struct elf_segment *s = &p->seg[i];

		fuzz_must(s->file_bytes <= s->mem_bytes, "file bytes fit");
		fuzz_must(s->file_off <= file_bytes && s->file_bytes <= file_bytes - s->file_off,
			  "inside the file");
		fuzz_must(s->paddr >= 1u << 20, "above the first MiB");
		fuzz_must(s->paddr < RAM_BYTES && s->mem_bytes <= RAM_BYTES - s->paddr, "in RAM");
		fuzz_must(s->paddr + s->mem_bytes <= p->end, "end");
		entry_found |= p->entry >= s->paddr && p->entry - s->paddr < s->file_bytes;
		for (unsigned j = 0; j < i; j++) {
			const struct elf_segment *o = &p->seg[j];

			fuzz_must(s->paddr + s->mem_bytes <= o->paddr ||
					  o->paddr + o->mem_bytes <= s->paddr,
				  "no overlap");
		}
	}
	fuzz_must(entry_found, "entry inside a segment");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vr_err err = VR_ERR_INIT;
	struct elf_plan plan = {0};
	uint64_t total = 0;

	if (!ram) {
		make_world();
	}
	fuzz_must(ftruncate(file_fd, 0) == 0 && pwrite(file_fd, data, size, 0) == (ssize_t)size,
		  "the file");
	if (elf_parse(ram, file_fd, &plan, &err) < 0) {
		fuzz_must(err.msg[0] != '\0' && plan.n == 0, "a refusal says why");
		fuzz_outcome("%s", err.msg);
		n_refused++;
		return 0;
	}
	check_plan(&plan, size);
	for (unsigned i = 0; i < plan.n; i++) {
		total += plan.seg[i].mem_bytes;
	}
	if (total <= LOAD_MAX) {
		fuzz_must(elf_load(ram, file_fd, &plan, &err) == 0, "an accepted plan loads");
	}
	fuzz_outcome("loaded");
	n_loaded++;
	return 0;
}

#ifndef VOLT_LIBFUZZER
static bool smoke(void)
{
	static uint8_t good[FAKE_FILE_BYTES], image[FAKE_FILE_BYTES];
	struct fake_kernel k;
	int fd;

	fake_kernel_init(&k);
	fd = fake_kernel_fd(&k);
	fuzz_must(pread(fd, good, sizeof(good), 0) == (ssize_t)sizeof(good), "fake kernel");
	(void)close(fd);
	for (int i = 0; i < 4000; i++) {
		memcpy(image, good, sizeof(good));
		for (uint32_t n = fuzz_random() % 3; n > 0; n--) {
			/* headers and the note, where it matters */
			size_t at = fuzz_random() % 2 ? fuzz_random() % 320
						      : FAKE_NOTE_OFF + fuzz_random() % 64;

			image[at] = (uint8_t)fuzz_random();
		}
		(void)LLVMFuzzerTestOneInput(image, sizeof(image));
	}
	return n_loaded > 400 && n_refused > 400;
}

static const struct fuzz_known known[] = {
	FUZZ_KNOWN("good", "loaded"),
	FUZZ_KNOWN("bad-empty", "kernel image: too short for an ELF header"),
	FUZZ_KNOWN("bad-magic",
		   "kernel image: not an ELF file (an uncompressed vmlinux is needed)"),
	FUZZ_KNOWN("bad-entry",
		   "kernel image: the PVH entry point lies outside the loaded segments"),
	FUZZ_KNOWN("bad-note", "kernel image: no PVH entry note (is CONFIG_PVH set?)"),
	FUZZ_KNOWN("bad-overlap", "kernel image: two segments overlap"),
	FUZZ_KNOWN("bad-low", "kernel image: a segment lies below 1 MiB"),
	FUZZ_KNOWN("bad-end", "kernel image: needs memory up to 65 MiB, the guest has 64 MiB"),
};
#endif

FUZZ_MAIN("elf", known, smoke)
