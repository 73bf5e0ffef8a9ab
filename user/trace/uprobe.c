// SPDX-License-Identifier: BSD-2-Clause
/*
 * Symbols of the running file (/proc/PID/exe is that file even if it was replaced since), where
 * they lie in it, and attaching there. The functions are QEMU's, by the names it has had for years;
 * another VMM exports none of them, and is told so.
 */
#include "uprobe.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/libbpf.h>
#include "kernel.h"
#include "libbpf_log.h"
#include "uprobe_place.h"

/* More of a function is not looked at for jumps: none of ours is a tenth of it. */
#define CODE_BYTES 16384

/* What bpf/uprobe.bpf.c reads at each, by QEMU's include/sysemu/block-backend-io.h and
 * hw/virtio/virtio.h: all but flush and discard have the request as their sixth argument. */
static const uint32_t needs_of[PROGRAMS] = {
	[PROGRAM_UP_HANDLE] = UPROBE_RSI, [PROGRAM_UP_HANDLED] = UPROBE_RSP,
	[PROGRAM_UP_READ] = UPROBE_R9,	  [PROGRAM_UP_WRITE] = UPROBE_R9,
	[PROGRAM_UP_ZEROES] = UPROBE_R9,  [PROGRAM_UP_DISCARD] = UPROBE_R8,
	[PROGRAM_UP_FLUSH] = UPROBE_RDX,  [PROGRAM_UP_PUSH] = UPROBE_RDI | UPROBE_RSI,
	[PROGRAM_UP_NOTIFY] = UPROBE_RSI, [PROGRAM_UP_NOTIFY_FD] = UPROBE_RSI,
};

static bool symbol_is(Elf *elf, const GElf_Shdr *table, const GElf_Sym *sym, const char *name)
{
	const char *s;

	if (GELF_ST_TYPE(sym->st_info) != STT_FUNC || sym->st_shndx == SHN_UNDEF)
		return false;
	s = elf_strptr(elf, table->sh_link, sym->st_name);
	return s && !strcmp(s, name);
}

static bool symbol_in(Elf *elf, Elf_Scn *section, const GElf_Shdr *table, const char *name,
		      GElf_Sym *sym)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t i, n;

	if (!data || !table->sh_entsize)
		return false;
	n = table->sh_size / table->sh_entsize;
	for (i = 0; i < n && gelf_getsym(data, i, sym); i++)
		if (symbol_is(elf, table, sym, name))
			return true;
	return false;
}

static bool symbol_find(Elf *elf, const char *name, GElf_Sym *sym)
{
	static const uint32_t kinds[] = { SHT_DYNSYM, SHT_SYMTAB };
	Elf_Scn *section;
	GElf_Shdr table;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		for (section = NULL; (section = elf_nextscn(elf, section));)
			if (gelf_getshdr(section, &table) && table.sh_type == kinds[i] &&
			    symbol_in(elf, section, &table, name, sym))
				return true;
	return false;
}

/* An address of the file's own into an offset, and how many bytes of its segment follow. */
static bool offset_of(Elf *elf, uint64_t address, uint64_t *offset, uint64_t *left)
{
	GElf_Phdr segment;
	size_t i, n;

	if (elf_getphdrnum(elf, &n))
		return false;
	for (i = 0; i < n; i++) {
		if (!gelf_getphdr(elf, i, &segment) || segment.p_type != PT_LOAD ||
		    !(segment.p_flags & PF_X) || address < segment.p_vaddr ||
		    address - segment.p_vaddr >= segment.p_filesz)
			continue;
		*offset = address - segment.p_vaddr + segment.p_offset;
		*left = segment.p_filesz - (address - segment.p_vaddr);
		return true;
	}
	return false;
}

/* The place in the function, from its bytes. */
static int spot_place(int fd, uint64_t offset, uint64_t bytes, uint32_t needs,
		      struct uprobe_spot *spot)
{
	struct uprobe_place place;
	uint8_t *code = malloc(CODE_BYTES);
	ssize_t n;

	if (!code)
		return -ENOMEM;
	n = pread(fd, code, MIN(bytes, (uint64_t)CODE_BYTES), (off_t)offset);
	if (n < 0) {
		n = -errno;
		free(code);
		return n;
	}
	uprobe_place_find(code, n, needs, &place);
	free(code);
	spot->file_offset = offset + place.offset;
	spot->cheap = place.cheap;
	snprintf(spot->why, sizeof(spot->why), "%s", place.why);
	return 0;
}

static int spot_in(Elf *elf, int fd, const char *symbol, uint32_t needs, struct uprobe_spot *spot)
{
	uint64_t offset, left;
	GElf_Ehdr header;
	GElf_Sym sym;

	if (!gelf_getehdr(elf, &header))
		return -ENOEXEC;
	if (!symbol_find(elf, symbol, &sym) || !offset_of(elf, sym.st_value, &offset, &left))
		return -ENOENT;
	if (header.e_machine == EM_X86_64)
		return spot_place(fd, offset, MIN(sym.st_size ?: left, left), needs, spot);
	spot->file_offset = offset;
	snprintf(spot->why, sizeof(spot->why), "what a probe in it costs is known for x86-64 only");
	return 0;
}

int uprobe_find(const char *path, const char *symbol, uint32_t needs, struct uprobe_spot *spot)
{
	int ret = -ENOEXEC, fd;
	Elf *elf = NULL;

	memset(spot, 0, sizeof(*spot));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		ret = -errno;
	else if (elf_version(EV_CURRENT) != EV_NONE && (elf = elf_begin(fd, ELF_C_READ_MMAP, NULL)))
		ret = spot_in(elf, fd, symbol, needs, spot);
	if (ret == -ENOENT && fd >= 0)
		snprintf(spot->why, sizeof(spot->why), "it exports no function %s", symbol);
	else if (ret)
		snprintf(spot->why, sizeof(spot->why), "its symbols cannot be read: %s",
			 strerror(-ret));
	elf_end(elf);
	if (fd >= 0)
		close(fd);
	return ret;
}

struct bpf_link *uprobe_attach(const struct bpf_program *program, enum program p,
			       const struct kernel_config *config, char *why, size_t size)
{
	const char *symbol = config->uprobe_on ?: programs[p].target;
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .retprobe = needs_of[p] & UPROBE_RSP);
	struct uprobe_spot spot;
	struct bpf_link *link;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)config->pid);
	if (uprobe_find(path, symbol, needs_of[p], &spot)) {
		snprintf(why, size, "%s", spot.why);
		return NULL;
	}
	if (!spot.cheap && !config->uprobes_slow) {
		snprintf(why, size, "%s: %s (--uprobes=all attaches it)", symbol, spot.why);
		return NULL;
	}
	libbpf_log_begin();
	link = bpf_program__attach_uprobe_opts(program, config->pid, path, spot.file_offset, &opts);
	if (!link)
		libbpf_log_why(-errno, why, size);
	return link;
}
