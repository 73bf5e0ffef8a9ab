// SPDX-License-Identifier: BSD-2-Clause
/* The PVH loader against good and hand-damaged ELF files: what is told to the guest, and in which
 * words bad ones are refused. */
#include <lib/tap.h>

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "boot.h"
#include "boot_fixture.h"

#define TEXT_GPA  (1 * MIB)
#define BSS_BYTES 0x3000

/* A whole kernel: headers, one segment of text, one PVH note. */
struct kernel {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[3]; /* the third is a spare */
	struct {
		Elf64_Nhdr head;
		char name[4];
		uint64_t entry;
	} note;
	char text[64];
};

static struct kernel good_kernel(void)
{
	struct kernel k = {
		.ehdr = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_EXEC,
			  .e_machine = EM_X86_64,
			  .e_version = EV_CURRENT,
			  .e_phoff = offsetof(struct kernel, phdr),
			  .e_ehsize = sizeof(Elf64_Ehdr),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = 2 },
		.phdr = { { .p_type = PT_LOAD,
			    .p_offset = offsetof(struct kernel, text),
			    .p_paddr = TEXT_GPA,
			    .p_filesz = sizeof(k.text),
			    .p_memsz = sizeof(k.text) + BSS_BYTES },
			  { .p_type = PT_NOTE,
			    .p_offset = offsetof(struct kernel, note),
			    .p_filesz = sizeof(k.note),
			    .p_align = 4 } },
		.note = { .head = { .n_namesz = 4, .n_descsz = 8, .n_type = 18 },
			  .name = "Xen",
			  .entry = TEXT_GPA + 0x10 },
		.text = "the text of a kernel",
	};

	return k;
}

static int load_bytes(struct guest_ram *ram, const void *bytes, uint64_t size, const char *cmdline,
		      struct boot_entry *entry, struct error *err)
{
	const struct boot_bytes boot = { .kernel = bytes,
					 .kernel_bytes = size,
					 .cmdline = cmdline };

	return boot_from_bytes(ram, &boot, entry, err);
}

/* Must be refused, naming the file and saying `words`. */
static void refused(void **state, const struct kernel *k, uint64_t size, const char *words)
{
	struct boot_entry entry;
	struct error err = { "" };

	assert_int_not_equal(load_bytes(*state, k, size, "", &entry, &err), 0);
	if (!strstr(err.msg, words) || !strstr(err.msg, BOOT_KERNEL_NAME))
		fail_msg("'%s' is not in: %s", words, err.msg);
}

/* Text is where it belongs, bss is zero although RAM was dirty, and the entry point is the note's.
 */
static void test_boot_pvh__loads_a_kernel(void **state)
{
	struct guest_ram *ram = *state;
	struct kernel k = good_kernel();
	struct boot_entry entry;
	struct error err;
	char *text;

	memset(guest_ram_hva(ram, TEXT_GPA, 0x4000), 0xff, 0x4000);
	assert_int_equal(load_bytes(ram, &k, sizeof(k), "rw=read bs=4k", &entry, &err), 0);
	assert_int_equal(entry.protocol, BOOT_PVH);
	assert_int_equal(entry.rip, TEXT_GPA + 0x10);
	text = guest_ram_hva(ram, TEXT_GPA, 0x4000);
	assert_string_equal(text, k.text);
	assert_int_equal(text[sizeof(k.text)], 0);
	assert_int_equal(text[sizeof(k.text) + BSS_BYTES - 1], 0);
	assert_int_equal((uint8_t)text[sizeof(k.text) + BSS_BYTES], 0xff);
}

struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};

struct memmap_entry {
	uint64_t gpa, size;
	uint32_t type, reserved;
};

/* Boots a good kernel; what its entry state points to. */
static struct start_info boot_good(struct guest_ram *ram, const struct boot_bytes *with)
{
	struct kernel k = good_kernel();
	struct boot_bytes boot = *with;
	struct start_info info;
	struct boot_entry entry;
	struct error err;

	boot.kernel = &k;
	boot.kernel_bytes = sizeof(k);
	assert_int_equal(boot_from_bytes(ram, &boot, &entry, &err), 0);
	assert_true(guest_ram_read(ram, entry.data_gpa, &info, sizeof(info)));
	assert_int_equal(info.magic, 0x336ec578);
	assert_int_equal(info.version, 1);
	return info;
}

static void check_map(struct guest_ram *ram, const struct memmap_entry *want, unsigned int n)
{
	struct start_info info = boot_good(ram, &(struct boot_bytes){ .cmdline = "" });
	struct memmap_entry got[8];

	assert_int_equal(info.memmap_entries, n);
	assert_true(guest_ram_read(ram, info.memmap, got, n * sizeof(got[0])));
	assert_memory_equal(got, want, n * sizeof(got[0]));
}

/* The guest is told its RAM without the hole below 1 MiB, and what is not RAM although it answers.
 */
static void test_boot_pvh__tells_the_memory_map(void **state)
{
	static const struct memmap_entry want[] = {
		{ 0, 0xa0000, 1, 0 },
		{ 0xe0000, 0x20000, 2, 0 },
		{ MIB, BOOT_RAM_BYTES - MIB, 1, 0 },
		{ 0xb0000000, MIB, 2, 0 },
	};

	check_map(*state, want, ARRAY_SIZE(want));
}

/* RAM beyond the PCI hole appears above 4 GiB. */
static void test_boot_pvh__tells_high_memory(void **state)
{
	static const struct memmap_entry want[] = {
		{ 0, 0xa0000, 1, 0 },		{ 0xe0000, 0x20000, 2, 0 },
		{ MIB, 8 * MIB - MIB, 1, 0 },	{ 0xb0000000, MIB, 2, 0 },
		{ 4096 * MIB, 24 * MIB, 1, 0 },
	};
	struct error err;
	struct guest_ram *ram = guest_ram_new(32 * MIB, 8 * MIB, &err);

	assert_non_null(ram);
	check_map(ram, want, ARRAY_SIZE(want));
	guest_ram_free(ram);
}

/* Command line and ACPI's RSDP are where start_info says. */
static void test_boot_pvh__tells_command_line_and_rsdp(void **state)
{
	struct guest_ram *ram = *state;
	const struct boot_bytes boot = { .cmdline = "words=of it", .rsdp_gpa = 0xe0000 };
	struct start_info info = boot_good(ram, &boot);
	char cmdline[16];

	assert_int_equal(info.rsdp, 0xe0000);
	assert_true(guest_ram_read(ram, info.cmdline, cmdline, sizeof(cmdline)));
	assert_string_equal(cmdline, "words=of it");
	assert_int_equal(info.nr_modules, 0);
}

/* The initrd is the one module, whole, behind the kernel. */
static void test_boot_pvh__tells_the_initrd(void **state)
{
	static const char initrd[] = "files for a start";
	const struct boot_bytes boot = { .cmdline = "",
					 .initrd = initrd,
					 .initrd_bytes = sizeof(initrd) };
	struct start_info info = boot_good(*state, &boot);
	uint64_t module[4];
	char got[sizeof(initrd)];

	assert_int_equal(info.nr_modules, 1);
	assert_true(guest_ram_read(*state, info.modlist, module, sizeof(module)));
	assert_in_range(module[0], TEXT_GPA + BSS_BYTES, BOOT_RAM_BYTES - sizeof(initrd));
	assert_int_equal(module[1], sizeof(initrd));
	assert_int_equal(module[2], 0);
	assert_true(guest_ram_read(*state, module[0], got, sizeof(got)));
	assert_string_equal(got, initrd);
}

/* It keeps off the highest segment, wherever that stands in the table. */
static void test_boot_pvh__keeps_an_initrd_off_the_kernel(void **state)
{
	struct kernel k = good_kernel();
	struct boot_bytes boot = { .kernel = &k, .kernel_bytes = sizeof(k), .cmdline = "" };
	struct boot_entry entry;
	struct error err = { "" };
	unsigned int i;

	boot.initrd = test_calloc(1, 6 * MIB + 1);
	k.ehdr.e_phnum = 3;
	for (i = 0; i < 2; i++) {
		k.phdr[2] = k.phdr[0];
		k.phdr[i ? 0 : 2].p_paddr = 9 * MIB;
		k.phdr[i ? 0 : 2].p_memsz = MIB;
		boot.initrd_bytes = 6 * MIB;
		assert_int_equal(boot_from_bytes(*state, &boot, &entry, &err), 0);
		boot.initrd_bytes = 6 * MIB + 1;
		assert_int_equal(boot_from_bytes(*state, &boot, &entry, &err), -E2BIG);
		assert_non_null(strstr(err.msg, BOOT_INITRD_NAME));
		k.phdr[0].p_paddr = TEXT_GPA;
		k.phdr[0].p_memsz = k.phdr[0].p_filesz;
	}
	test_free((void *)boot.initrd);
}

/* Linux writes its note's address in 4 bytes on some versions: both widths are read. */
static void test_boot_pvh__takes_a_short_note(void **state)
{
	struct kernel k = good_kernel();
	struct boot_entry entry;
	struct error err;

	k.note.head.n_descsz = 4;
	k.phdr[1].p_filesz -= 4;
	assert_int_equal(load_bytes(*state, &k, sizeof(k), "", &entry, &err), 0);
	assert_int_equal(entry.rip, TEXT_GPA + 0x10);
}

/* ELF files for somebody else. */
static void test_boot_pvh__refuses_other_machines(void **state)
{
	struct kernel k = good_kernel();

	k.ehdr.e_machine = EM_AARCH64;
	refused(state, &k, sizeof(k), "not for x86-64");
	k = good_kernel();
	k.ehdr.e_ident[EI_CLASS] = ELFCLASS32;
	refused(state, &k, sizeof(k), "not for x86-64");
	k = good_kernel();
	k.ehdr.e_type = ET_REL;
	refused(state, &k, sizeof(k), "not an executable");
}

/* Without a PVH note there is no way in, and the Linux option that makes one is named. */
static void test_boot_pvh__refuses_a_kernel_without_note(void **state)
{
	struct kernel k = good_kernel();

	k.note.head.n_type = 17;
	refused(state, &k, sizeof(k), "CONFIG_PVH");
	k = good_kernel();
	memcpy(k.note.name, "Foo", 4);
	refused(state, &k, sizeof(k), "CONFIG_PVH");
	k = good_kernel();
	k.ehdr.e_phnum = 1;
	refused(state, &k, sizeof(k), "CONFIG_PVH");
	k = good_kernel();
	k.note.entry = 1ull << 32;
	refused(state, &k, sizeof(k), "CONFIG_PVH");
}

/* Notes whose lengths lie, up to those that wrap: no crash, no loop, no entry. */
static void test_boot_pvh__survives_lying_notes(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 5, 13, 0x7fffffff, 0xfffffffc, 0xffffffff };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (j = 0; j < ARRAY_SIZE(lengths); j++) {
			struct kernel k = good_kernel();

			k.note.head.n_namesz = lengths[i];
			k.note.head.n_descsz = lengths[j];
			refused(state, &k, sizeof(k), "CONFIG_PVH");
		}
	}
}

/* Segments outside of RAM, or whose end wraps, are told with the size of the RAM. */
static void test_boot_pvh__refuses_segments_outside_of_ram(void **state)
{
	static const struct {
		uint64_t gpa, bytes;
	} bad[] = {
		{ BOOT_RAM_BYTES, 0x1000 },	{ BOOT_RAM_BYTES - 0x1000, 0x2000 },
		{ TEXT_GPA, 1ull << 40 },	{ TEXT_GPA, UINT64_MAX },
		{ UINT64_MAX - 0x100, 0x1000 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct kernel k = good_kernel();

		k.phdr[0].p_paddr = bad[i].gpa;
		k.phdr[0].p_memsz = bad[i].bytes;
		refused(state, &k, sizeof(k), "(16 MiB)");
	}
}

/* The advice is for all segments at once; where no amount of memory helps, none is given. */
static void test_boot_pvh__advises_enough_memory(void **state)
{
	struct kernel k = good_kernel();

	k.phdr[0].p_memsz = BOOT_RAM_BYTES;
	refused(state, &k, sizeof(k), "use --memory 17M");
	k.ehdr.e_phnum = 3;
	k.phdr[2] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_paddr = 20 * MIB, .p_memsz = MIB + 1 };
	refused(state, &k, sizeof(k), "use --memory 22M");
	k.phdr[2].p_paddr = 2 * MIB;
	refused(state, &k, sizeof(k), "use --memory 17M");
	k.ehdr.e_phnum = 2;
	k.phdr[0].p_paddr = 0xaffff000;
	k.phdr[0].p_memsz = 0x1000;
	refused(state, &k, sizeof(k), "use --memory 2816M");
	k.phdr[0].p_memsz = 0x1001;
	refused(state, &k, sizeof(k), "damaged");
}

/* What has no note is told so, even if it lies where no kernel could. */
static void test_boot_pvh__looks_for_the_note_first(void **state)
{
	struct kernel k = good_kernel();

	k.phdr[0].p_paddr = BOOT_DATA_GPA;
	k.ehdr.e_phnum = 1;
	refused(state, &k, sizeof(k), "CONFIG_PVH");
}

/* A segment over boot data or ACPI tables would change what the kernel is told. */
static void test_boot_pvh__refuses_segments_over_boot_data(void **state)
{
	struct kernel k = good_kernel();

	k.phdr[0].p_paddr = BOOT_DATA_GPA - sizeof(k.text);
	refused(state, &k, sizeof(k), "boot data");
	k.phdr[0].p_paddr = BOOT_DATA_END - 1;
	refused(state, &k, sizeof(k), "boot data");
	k.phdr[0].p_paddr = 0xfffff;
	refused(state, &k, sizeof(k), "ACPI tables");
}

/* Truncated files and headers that point beyond the end. */
static void test_boot_pvh__refuses_damaged_files(void **state)
{
	struct kernel k = good_kernel();

	refused(state, &k, sizeof(k) - 1, "truncated");
	refused(state, &k, sizeof(k.ehdr) + 8, "truncated");
	k.ehdr.e_phoff = UINT64_MAX - 8;
	refused(state, &k, sizeof(k), "truncated");
	k = good_kernel();
	k.ehdr.e_phnum = 0xffff;
	refused(state, &k, sizeof(k), "damaged");
	k = good_kernel();
	k.ehdr.e_phentsize = 1;
	refused(state, &k, sizeof(k), "damaged");
	k = good_kernel();
	k.phdr[0].p_filesz = k.phdr[0].p_memsz + 1;
	refused(state, &k, sizeof(k), "truncated");
	k = good_kernel();
	k.phdr[0].p_offset = UINT64_MAX - 4;
	refused(state, &k, sizeof(k), "truncated");
	k = good_kernel();
	k.phdr[1].p_filesz = 1 << 30;
	refused(state, &k, sizeof(k), "damaged");
	k = good_kernel();
	k.phdr[1].p_offset = sizeof(k);
	refused(state, &k, sizeof(k), "truncated");
}

/* An entry point nobody can enter. */
static void test_boot_pvh__refuses_an_entry_outside_of_ram(void **state)
{
	struct kernel k = good_kernel();

	k.note.entry = 0xf0000000;
	refused(state, &k, sizeof(k), "entry point");
}

/* Every single damaged byte of the headers ends in success or in words, never in a crash. */
static void test_boot_pvh__survives_any_damaged_byte(void **state)
{
	unsigned int i, loaded = 0, tried = 0;

	for (i = 0; i < offsetof(struct kernel, text); i++) {
		static const uint8_t values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
		unsigned int j;

		for (j = 0; j < ARRAY_SIZE(values); j++) {
			struct kernel k = good_kernel();
			struct boot_entry entry;
			struct error err = { "" };

			((uint8_t *)&k)[i] = values[j];
			tried++;
			if (!load_bytes(*state, &k, sizeof(k), "", &entry, &err))
				loaded++;
			else
				assert_true(err.msg[0]);
		}
	}
	assert_in_range(loaded, 1, tried - 1);
}

/* A command line longer than its place is refused, one that just fits is not. */
static void test_boot_pvh__bounds_the_command_line(void **state)
{
	struct kernel k = good_kernel();
	struct boot_entry entry;
	struct error err = { "" };
	char *line = test_malloc(0x10001);

	memset(line, 'x', 0x10000);
	line[0x10000] = '\0';
	assert_int_equal(load_bytes(*state, &k, sizeof(k), line, &entry, &err), -E2BIG);
	assert_non_null(strstr(err.msg, "command line"));
	line[0xffff] = '\0';
	assert_int_equal(load_bytes(*state, &k, sizeof(k), line, &entry, &err), 0);
	test_free(line);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, boot_setup, boot_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_boot_pvh__loads_a_kernel),
		TEST(test_boot_pvh__tells_the_memory_map),
		TEST(test_boot_pvh__tells_high_memory),
		TEST(test_boot_pvh__tells_command_line_and_rsdp),
		TEST(test_boot_pvh__tells_the_initrd),
		TEST(test_boot_pvh__keeps_an_initrd_off_the_kernel),
		TEST(test_boot_pvh__takes_a_short_note),
		TEST(test_boot_pvh__refuses_other_machines),
		TEST(test_boot_pvh__refuses_a_kernel_without_note),
		TEST(test_boot_pvh__survives_lying_notes),
		TEST(test_boot_pvh__refuses_segments_outside_of_ram),
		TEST(test_boot_pvh__advises_enough_memory),
		TEST(test_boot_pvh__looks_for_the_note_first),
		TEST(test_boot_pvh__refuses_segments_over_boot_data),
		TEST(test_boot_pvh__refuses_damaged_files),
		TEST(test_boot_pvh__refuses_an_entry_outside_of_ram),
		TEST(test_boot_pvh__survives_any_damaged_byte),
		TEST(test_boot_pvh__bounds_the_command_line),
	};

	return cmocka_run_group_tests_name("boot_pvh", tests, NULL, NULL);
}
