// SPDX-License-Identifier: BSD-2-Clause
/*
 * ELF64 kernels into guest RAM. The file may be hostile: every offset and length is judged by
 * subtraction, never by a sum that may wrap. Main thread. Neighbours: boot_pvh.c calls,
 * boot_image.c reads.
 */
#include "boot_pvh.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "board.h"
#include "boot_image.h"

#define MIB			 (1ull << 20)
#define PHDRS_MAX		 128
#define NOTES_MAX_BYTES		 65536
#define XEN_ELFNOTE_PHYS32_ENTRY 18

struct elf {
	const struct guest_ram *ram;
	const struct boot_image *image;
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[PHDRS_MAX];
	bool has_entry;
	struct elf_kernel kernel;
};

#define elf_error(elf, err, errnum, fmt, ...)                                                      \
	error_set(err, errnum, "%s: " fmt, boot_image_name((elf)->image), ##__VA_ARGS__)

static int judge_header(struct elf *elf, struct error *err)
{
	const Elf64_Ehdr *e = &elf->ehdr;

	if (boot_image_read(elf->image, 0, &elf->ehdr, sizeof(elf->ehdr)))
		return elf_error(elf, err, -ENOEXEC,
				 "an ELF file cut off in its header: truncated?");
	if (e->e_ident[EI_CLASS] != ELFCLASS64 || e->e_ident[EI_DATA] != ELFDATA2LSB ||
	    e->e_machine != EM_X86_64)
		return elf_error(elf, err, -ENOEXEC, "an ELF file, but not for x86-64");
	if (e->e_type != ET_EXEC && e->e_type != ET_DYN)
		return elf_error(elf, err, -ENOEXEC, "an ELF file, but not an executable");
	if (e->e_phentsize != sizeof(Elf64_Phdr) || !e->e_phnum || e->e_phnum > PHDRS_MAX)
		return elf_error(elf, err, -ENOEXEC, "%u program headers of %u bytes: damaged?",
				 e->e_phnum, e->e_phentsize);
	if (boot_image_read(elf->image, e->e_phoff, elf->phdr, e->e_phnum * sizeof(Elf64_Phdr)))
		return elf_error(elf, err, -ENOEXEC, "program headers beyond its end: truncated?");
	return 0;
}

/* Low memory that is taken when a kernel is loaded. */
static const struct {
	uint64_t start, end;
	const char *what;
} taken[] = {
	{ BOOT_DATA_GPA, BOOT_DATA_END, "boot data" },
	{ BOARD_ACPI_GPA, BOARD_ACPI_END, "ACPI tables" },
};

static int judge_place(struct elf *elf, const Elf64_Phdr *p, struct error *err)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(taken); i++) {
		/* Cannot wrap: it is inside of RAM. */
		if (p->p_paddr < taken[i].end && taken[i].start < p->p_paddr + p->p_memsz)
			return elf_error(elf, err, -ENOEXEC,
					 "the segment at 0x%llx, %llu KiB, takes the place of the "
					 "%s (0x%llx, %llu KiB)",
					 (unsigned long long)p->p_paddr,
					 (unsigned long long)p->p_memsz / 1024, taken[i].what,
					 (unsigned long long)taken[i].start,
					 (unsigned long long)(taken[i].end - taken[i].start) /
						 1024);
	}
	return 0;
}

/* RAM that would hold all segments; 0 if no amount does, since none is ever at their addresses. */
static uint64_t needed_bytes(const struct elf *elf)
{
	uint64_t end = 0;
	unsigned int i;

	for (i = 0; i < elf->ehdr.e_phnum; i++) {
		const Elf64_Phdr *p = &elf->phdr[i];

		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_paddr > BOARD_LOW_RAM_END_GPA ||
		    p->p_memsz > BOARD_LOW_RAM_END_GPA - p->p_paddr)
			return 0;
		end = MAX(end, p->p_paddr + p->p_memsz);
	}
	return end;
}

static int outside(struct elf *elf, const Elf64_Phdr *p, struct error *err)
{
	uint64_t needed = needed_bytes(elf);
	char advice[64] = "damaged?";

	if (needed)
		snprintf(advice, sizeof(advice), "use --memory %lluM or more",
			 (unsigned long long)ROUND_UP(needed, MIB) / MIB);
	return elf_error(elf, err, -E2BIG,
			 "the segment at 0x%llx, %llu KiB, is outside of the guest's RAM "
			 "(%llu MiB): %s",
			 (unsigned long long)p->p_paddr, (unsigned long long)p->p_memsz / 1024,
			 (unsigned long long)elf->ram->size_bytes / MIB, advice);
}

static int load_segment(struct elf *elf, const Elf64_Phdr *p, struct error *err)
{
	uint64_t size = boot_image_size(elf->image);
	char *hva;
	int ret;

	if (!p->p_memsz)
		return 0;
	if (p->p_filesz > p->p_memsz || p->p_offset > size || p->p_filesz > size - p->p_offset)
		return elf_error(elf, err, -ENOEXEC,
				 "the segment at 0x%llx lies beyond its end: truncated?",
				 (unsigned long long)p->p_paddr);
	hva = guest_ram_hva(elf->ram, p->p_paddr, p->p_memsz);
	if (!hva)
		return outside(elf, p, err);
	ret = judge_place(elf, p, err);
	if (ret)
		return ret;
	ret = boot_image_read(elf->image, p->p_offset, hva, p->p_filesz);
	if (ret)
		return elf_error(elf, err, ret, "cannot read it: %s", strerror(-ret));
	memset(hva + p->p_filesz, 0, p->p_memsz - p->p_filesz);
	elf->kernel.end_gpa = MAX(elf->kernel.end_gpa, p->p_paddr + p->p_memsz);
	return 0;
}

/* One note of `left` bytes at most; *size is what it takes. False if it does not fit: then the rest
 * is no note either. */
static bool take_note(struct elf *elf, const char *at, uint64_t left, uint64_t align,
		      uint64_t *size)
{
	uint64_t name_bytes, desc_bytes, value = 0;
	Elf64_Nhdr n;

	if (left < sizeof(n))
		return false;
	memcpy(&n, at, sizeof(n));
	name_bytes = ROUND_UP((uint64_t)n.n_namesz, align);
	desc_bytes = ROUND_UP((uint64_t)n.n_descsz, align);
	left -= sizeof(n);
	/* The last note's padding may be missing. */
	if (name_bytes > left || n.n_descsz > left - name_bytes)
		return false;
	*size = sizeof(n) + name_bytes + MIN(desc_bytes, left - name_bytes);
	if (n.n_type != XEN_ELFNOTE_PHYS32_ENTRY || n.n_namesz != sizeof("Xen") ||
	    memcmp(at + sizeof(n), "Xen", sizeof("Xen")) || (n.n_descsz != 4 && n.n_descsz != 8))
		return true;
	memcpy(&value, at + sizeof(n) + name_bytes, n.n_descsz);
	elf->has_entry = value <= UINT32_MAX;
	elf->kernel.entry = (uint32_t)value;
	return true;
}

static int search_notes(struct elf *elf, const Elf64_Phdr *p, struct error *err)
{
	uint64_t align = p->p_align == 8 ? 8 : 4, at = 0, size;
	char *notes;
	int ret;

	if (p->p_filesz > NOTES_MAX_BYTES)
		return elf_error(elf, err, -ENOEXEC, "notes of %llu bytes: damaged?",
				 (unsigned long long)p->p_filesz);
	notes = malloc(NOTES_MAX_BYTES);
	if (!notes)
		return error_set(err, -ENOMEM, "out of memory");
	ret = boot_image_read(elf->image, p->p_offset, notes, p->p_filesz);
	if (ret) {
		elf_error(elf, err, ret, "notes beyond its end: truncated?");
		goto free;
	}
	while (!elf->has_entry && take_note(elf, notes + at, p->p_filesz - at, align, &size))
		at += size;
free:
	free(notes);
	return ret;
}

/* First of all: what has none is no kernel for us, whatever else is wrong with it. */
static int find_entry(struct elf *elf, struct error *err)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < elf->ehdr.e_phnum && !elf->has_entry; i++) {
		if (elf->phdr[i].p_type == PT_NOTE)
			ret = search_notes(elf, &elf->phdr[i], err);
	}
	if (ret || elf->has_entry)
		return ret;
	return elf_error(elf, err, -ENOEXEC,
			 "an ELF file, but without a PVH entry note (Linux has one if it was built "
			 "with CONFIG_PVH=y; as a bzImage it needs none)");
}

static int load_all(struct elf *elf, struct error *err)
{
	unsigned int i;
	int ret;

	ret = judge_header(elf, err);
	if (!ret)
		ret = find_entry(elf, err);
	for (i = 0; !ret && i < elf->ehdr.e_phnum; i++) {
		if (elf->phdr[i].p_type == PT_LOAD)
			ret = load_segment(elf, &elf->phdr[i], err);
	}
	if (ret)
		return ret;
	if (!guest_ram_hva(elf->ram, elf->kernel.entry, 1))
		return elf_error(elf, err, -ENOEXEC,
				 "its entry point 0x%x is outside of the guest's RAM",
				 elf->kernel.entry);
	return 0;
}

int elf_load(const struct guest_ram *ram, const struct boot_image *image, struct elf_kernel *kernel,
	     struct error *err)
{
	struct elf *elf = calloc(1, sizeof(*elf));
	int ret;

	if (!elf)
		return error_set(err, -ENOMEM, "out of memory");
	elf->ram = ram;
	elf->image = image;
	ret = load_all(elf, err);
	*kernel = elf->kernel;
	free(elf);
	return ret;
}
