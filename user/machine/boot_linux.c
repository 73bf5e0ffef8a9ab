// SPDX-License-Identifier: BSD-2-Clause
/*
 * A bzImage into guest RAM, and what the 64-bit boot protocol wants around it: the zero page, a
 * GDT, page tables that map the low 4 GiB to themselves. Main thread. Neighbours: boot.c calls,
 * boot_bzimage.c judges; kvm/regs.c sets the registers. Linux Documentation/arch/x86/boot.rst,
 * zero-page.rst.
 */
#include "boot_linux.h"

#include <string.h>
#include "boot_bzimage.h"
#include "boot_image.h"
#include "boot_memmap.h"

#define ZERO_PAGE_GPA BOOT_DATA_GPA
#define GDT_GPA	      0x8000ull
#define TABLES_GPA    0x9000ull
#define ENTRY64	      0x200

#define LOADER_UNDEFINED 0xff
/* Below it what is mapped to itself: enough for all that is loaded but the initrd. */
#define IDENTITY_GIB	 4
#define ENTRIES		 512
#define LARGE_PAGE	 (2ull << 20)

/* SDM volume 3, 4.5. */
#define PTE_PRESENT 0x1ull
#define PTE_WRITE   0x2ull
#define PTE_LARGE   0x80ull

struct page_tables {
	uint64_t pml4[ENTRIES], pdpt[ENTRIES], pd[IDENTITY_GIB * ENTRIES];
};

_Static_assert(sizeof(struct boot_params) == 4096, "the zero page");
_Static_assert(ZERO_PAGE_GPA + sizeof(struct boot_params) <= GDT_GPA, "zero page and GDT");
_Static_assert(TABLES_GPA + sizeof(struct page_tables) <= BOOT_CMDLINE_GPA, "tables and line");

/* Selectors 0x10 and 0x18 are __BOOT_CS and __BOOT_DS: flat, 64-bit code and data. */
static const uint64_t gdt[] = { 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff };

static void write_tables(const struct guest_ram *ram)
{
	struct page_tables *t = guest_ram_hva(ram, TABLES_GPA, sizeof(*t));
	uint64_t pd_gpa = TABLES_GPA + offsetof(struct page_tables, pd);
	unsigned int i;

	memset(t, 0, sizeof(*t));
	t->pml4[0] = (TABLES_GPA + offsetof(struct page_tables, pdpt)) | PTE_PRESENT | PTE_WRITE;
	for (i = 0; i < IDENTITY_GIB; i++)
		t->pdpt[i] = (pd_gpa + i * sizeof(t->pml4)) | PTE_PRESENT | PTE_WRITE;
	for (i = 0; i < ARRAY_SIZE(t->pd); i++)
		t->pd[i] = i * LARGE_PAGE | PTE_PRESENT | PTE_WRITE | PTE_LARGE;
}

static void write_zero_page(const struct boot_config *config, const struct bzimage *bz,
			    const struct boot_initrd *initrd)
{
	struct boot_params *zero = guest_ram_hva(config->ram, ZERO_PAGE_GPA, sizeof(*zero));
	struct boot_memmap map;
	unsigned int i;

	memset(zero, 0, sizeof(*zero));
	memcpy(&zero->hdr, bz->hdr_bytes, sizeof(bz->hdr_bytes));
	zero->hdr.type_of_loader = LOADER_UNDEFINED;
	zero->hdr.code32_start = (uint32_t)bz->load_gpa;
	zero->hdr.cmd_line_ptr = (uint32_t)BOOT_CMDLINE_GPA;
	zero->hdr.ramdisk_image = (uint32_t)initrd->gpa;
	zero->ext_ramdisk_image = initrd->gpa >> 32;
	zero->hdr.ramdisk_size = (uint32_t)initrd->size_bytes;
	zero->ext_ramdisk_size = initrd->size_bytes >> 32;
	zero->hdr.setup_data = 0;
	zero->acpi_rsdp_addr = config->rsdp_gpa;
	boot_memmap_build(&map, config->ram);
	for (i = 0; i < map.n; i++)
		zero->e820_table[i] = (struct boot_e820_entry){ .addr = map.entry[i].gpa,
								.size = map.entry[i].size_bytes,
								.type = map.entry[i].type };
	zero->e820_entries = map.n;
}

static int load_code(const struct boot_config *config, const struct bzimage *bz, struct error *err)
{
	char *hva = guest_ram_hva(config->ram, bz->load_gpa, bz->hdr.init_size);
	int ret = boot_image_read(config->kernel, bz->file_offset, hva, bz->file_bytes);

	if (ret)
		return error_set(err, ret, "%s: cannot read it: %s",
				 boot_image_name(config->kernel), strerror(-ret));
	return 0;
}

int boot_linux_load(const struct boot_config *config, struct boot_entry *entry, struct error *err)
{
	struct boot_initrd_limits limits;
	struct boot_initrd initrd;
	struct bzimage bz;
	int ret;

	ret = bzimage_judge(config->kernel, config->ram, &bz, err);
	if (ret)
		return ret;
	ret = load_code(config, &bz, err);
	if (ret)
		return ret;
	/* A kernel that can take it above 4 GiB does not mean its old initrd_addr_max. */
	limits = (struct boot_initrd_limits){
		.kernel_end_gpa = bz.end_gpa,
		.last_gpa = bz.initrd_above_4g ? UINT32_MAX : bz.hdr.initrd_addr_max,
		.above_4g = bz.initrd_above_4g,
	};
	ret = boot_initrd_load(config, &limits, &initrd, err);
	if (!ret)
		ret = boot_cmdline_write(config, bz.hdr.cmdline_size, err);
	if (ret)
		return ret;
	/* There is RAM where the kernel lies, so there is some here. */
	write_tables(config->ram);
	memcpy(guest_ram_hva(config->ram, GDT_GPA, sizeof(gdt)), gdt, sizeof(gdt));
	write_zero_page(config, &bz, &initrd);
	*entry = (struct boot_entry){
		.protocol = BOOT_LINUX64,
		.rip = bz.load_gpa + ENTRY64,
		.data_gpa = ZERO_PAGE_GPA,
		.pml4_gpa = TABLES_GPA,
		.gdt_gpa = GDT_GPA,
	};
	return 0;
}
