// SPDX-License-Identifier: BSD-2-Clause
/* bzImages, good ones and hand-damaged ones: where everything lies, what the kernel is told by
 * Linux's 64-bit boot protocol, and in which words bad ones are refused. */
#include <lib/tap.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "boot_fixture.h"

static int boot(struct guest_ram *ram, const union test_bzimage *k, uint64_t size,
		const char *cmdline, struct boot_entry *entry, struct error *err)
{
	const struct boot_bytes bytes = { .kernel = k, .kernel_bytes = size, .cmdline = cmdline };

	return boot_from_bytes(ram, &bytes, entry, err);
}

/* Boots, and returns the zero page. */
static struct boot_params *zero_page(struct guest_ram *ram, const struct boot_bytes *with)
{
	union test_bzimage k = good_bzimage();
	struct boot_bytes bytes = *with;
	struct boot_entry entry;
	struct error err = { "" };

	bytes.kernel = &k;
	bytes.kernel_bytes = sizeof(k);
	if (boot_from_bytes(ram, &bytes, &entry, &err))
		fail_msg("%s", err.msg);
	return guest_ram_hva(ram, entry.data_gpa, sizeof(struct boot_params));
}

/* Must be refused, naming the file and saying `words`. */
static void refused(void **state, const union test_bzimage *k, uint64_t size, const char *words)
{
	struct boot_entry entry;
	struct error err = { "" };

	assert_int_not_equal(boot(*state, k, size, "", &entry, &err), 0);
	if (!strstr(err.msg, words) || !strstr(err.msg, BOOT_KERNEL_NAME))
		fail_msg("'%s' is not in: %s", words, err.msg);
}

/* The code behind the setup sectors is where the kernel wants to be; it is entered 0x200 in. */
static void test_boot_bzimage__loads_a_kernel(void **state)
{
	union test_bzimage k = good_bzimage();
	struct boot_entry entry;
	struct error err;

	assert_int_equal(boot(*state, &k, sizeof(k), "", &entry, &err), 0);
	assert_int_equal(entry.protocol, BOOT_LINUX64);
	assert_int_equal(entry.rip, TEST_LOAD_GPA + 0x200);
	assert_memory_equal(guest_ram_hva(*state, TEST_LOAD_GPA, TEST_CODE_BYTES),
			    k.bytes + TEST_CODE_OFFSET, TEST_CODE_BYTES);
}

/* Bytes behind the code, as a signature for secure boot, are not loaded. */
static void test_boot_bzimage__leaves_a_signature_out(void **state)
{
	struct {
		union test_bzimage k;
		char signature[8];
	} file = { good_bzimage(), "signed" };
	struct boot_entry entry;
	struct error err;

	assert_int_equal(boot(*state, &file.k, sizeof(file), "", &entry, &err), 0);
	assert_int_equal(*(char *)guest_ram_hva(*state, TEST_LOAD_GPA + TEST_CODE_BYTES, 1), 0);
}

/* The header is handed on, the fields that are the loader's are filled in. */
static void test_boot_bzimage__tells_the_zero_page(void **state)
{
	const struct boot_bytes with = { .cmdline = "console=ttyS0", .rsdp_gpa = 0xe0000 };
	struct boot_params *zero;

	memset(guest_ram_hva(*state, 0x6000, 0x1000), 0xff, 0x1000);
	zero = zero_page(*state, &with);
	assert_int_equal(zero->hdr.header, 0x53726448);
	assert_int_equal(zero->hdr.init_size, TEST_INIT_SIZE);
	assert_int_equal(zero->hdr.type_of_loader, 0xff);
	assert_int_equal(zero->hdr.code32_start, TEST_LOAD_GPA);
	assert_int_equal(zero->sentinel, 0);
	assert_int_equal(zero->screen_info.orig_video_isVGA, 0);
	assert_int_equal(zero->acpi_rsdp_addr, 0xe0000);
	assert_int_equal(zero->ext_cmd_line_ptr, 0);
	assert_string_equal(guest_ram_hva(*state, zero->hdr.cmd_line_ptr, 16), "console=ttyS0");
	assert_int_equal(zero->hdr.ramdisk_size, 0);
	assert_int_equal(zero->hdr.ramdisk_image, 0);
}

/* A header with more fields than we know is handed on whole, and nothing behind it. */
static void test_boot_bzimage__hands_on_a_longer_header(void **state)
{
	union test_bzimage k = good_bzimage();
	struct boot_entry entry;
	struct error err;
	uint8_t *zero;

	k.hdr.jump = 0xeb | (0x280 - 0x202) << 8;
	memset(k.bytes + 0x26c, 0x77, 0x24);
	assert_int_equal(boot(*state, &k, sizeof(k), "", &entry, &err), 0);
	zero = guest_ram_hva(*state, entry.data_gpa, 4096);
	assert_int_equal(zero[0x27f], 0x77);
	assert_int_equal(zero[0x280], 0);
}

/* RAM and what is none, ascending; above the hole as well. */
static void test_boot_bzimage__tells_e820(void **state)
{
	static const struct boot_e820_entry want[] = {
		{ 0, 0xa0000, 1 },	{ 0xe0000, 0x20000, 2 },     { MIB, 8 * MIB - MIB, 1 },
		{ 0xb0000000, MIB, 2 }, { 4096 * MIB, 24 * MIB, 1 },
	};
	const struct boot_bytes with = { .cmdline = "" };
	struct error err;
	struct guest_ram *ram = guest_ram_new(32 * MIB, 8 * MIB, &err);
	struct boot_params *zero = zero_page(ram, &with);

	assert_int_equal(zero->e820_entries, ARRAY_SIZE(want));
	assert_memory_equal(zero->e820_table, want, sizeof(want));
	guest_ram_free(ram);
}

/* Where the tables map an address, as the CPU walks them; -1: nowhere. */
static uint64_t translate(struct guest_ram *ram, uint64_t table, uint64_t address)
{
	unsigned int shift;

	for (shift = 39;; shift -= 9) {
		uint64_t e = ((uint64_t *)guest_ram_hva(ram, table, 4096))[address >> shift & 511];

		if (!(e & 1) || !(e & 2))
			return UINT64_MAX;
		table = e & 0xffffffffff000;
		if (shift == 12 || e & 0x80)
			return table + (address & ((1ull << shift) - 1));
	}
}

/* The page tables map the low 4 GiB to themselves, and nothing else. */
static void test_boot_bzimage__maps_memory_to_itself(void **state)
{
	static const uint64_t same[] = { 0,	     0x6000,	 TEST_LOAD_GPA + 0x200,
					 0x3fffffff, 0x40000000, 0xfee00123,
					 0xffffffff };
	union test_bzimage k = good_bzimage();
	struct boot_entry entry;
	struct error err;
	unsigned int i;

	memset(guest_ram_hva(*state, 0x6000, 0x1a000), 0xff, 0x1a000);
	assert_int_equal(boot(*state, &k, sizeof(k), "", &entry, &err), 0);
	for (i = 0; i < ARRAY_SIZE(same); i++)
		assert_int_equal(translate(*state, entry.pml4_gpa, same[i]), same[i]);
	assert_int_equal(translate(*state, entry.pml4_gpa, 0x100000000), UINT64_MAX);
	assert_int_equal(translate(*state, entry.pml4_gpa, 1ull << 40), UINT64_MAX);
}

/* Selector 0x10 is 64-bit code, 0x18 writable data, flat and present both. */
static void test_boot_bzimage__gives_a_gdt(void **state)
{
	union test_bzimage k = good_bzimage();
	struct boot_entry entry;
	struct error err;
	uint64_t *gdt;

	assert_int_equal(boot(*state, &k, sizeof(k), "", &entry, &err), 0);
	gdt = guest_ram_hva(*state, entry.gdt_gpa, 32);
	assert_int_equal(gdt[0], 0);
	assert_int_equal(gdt[2], 0x00af9b000000ffff);
	assert_int_equal(gdt[3], 0x00cf93000000ffff);
}

/* A place that is not aligned as the kernel wants is no place; one that cannot move is taken at its
 * word. */
static void test_boot_bzimage__keeps_alignment(void **state)
{
	union test_bzimage k = good_bzimage();
	struct boot_entry entry;
	struct error err;

	k.hdr.pref_address = TEST_LOAD_GPA + 1;
	assert_int_equal(boot(*state, &k, sizeof(k), "", &entry, &err), 0);
	assert_int_equal(entry.rip, 2 * TEST_LOAD_GPA + 0x200);
	k.hdr.pref_address = 0;
	assert_int_equal(boot(*state, &k, sizeof(k), "", &entry, &err), 0);
	assert_int_equal(entry.rip, 2 * MIB + 0x200);
	k.hdr.relocatable_kernel = 0;
	k.hdr.pref_address = TEST_LOAD_GPA + 0x1000;
	assert_int_equal(boot(*state, &k, sizeof(k), "", &entry, &err), 0);
	assert_int_equal(entry.rip, TEST_LOAD_GPA + 0x1200);
}

/* Too old, for 32 bits, a zImage: what it is, and what is needed. */
static void test_boot_bzimage__refuses_other_kernels(void **state)
{
	union test_bzimage k = good_bzimage();

	k.hdr.version = 0x20b;
	refused(state, &k, sizeof(k), "2.11, 2.12 is needed");
	k = good_bzimage();
	k.hdr.xloadflags &= ~XLF_KERNEL_64;
	refused(state, &k, sizeof(k), "for 32 bits");
	k = good_bzimage();
	k.hdr.loadflags = 0;
	refused(state, &k, sizeof(k), "zImage");
}

/* Cut off anywhere: refused, by name, whatever is left. */
static void test_boot_bzimage__refuses_truncated_files(void **state)
{
	union test_bzimage k = good_bzimage();
	uint64_t size;

	for (size = 0; size < sizeof(k); size++) {
		union test_bzimage *part = test_malloc(size + 1); /* so that ASAN sees its end */

		memcpy(part, &k, size);
		refused(state, part, size, size < 0x206 ? "cut off" : "truncated");
		test_free(part);
	}
}

/* setup_sects 0 means 4, which this file does not have room for. */
static void test_boot_bzimage__knows_the_default_of_setup_sects(void **state)
{
	union test_bzimage k = good_bzimage();
	struct {
		union test_bzimage k;
		uint8_t more[1024];
	} longer;
	struct boot_entry entry;
	struct error err;

	k.hdr.setup_sects = 0;
	refused(state, &k, sizeof(k), "truncated");
	memset(&longer, 0, sizeof(longer));
	longer.k = k;
	((uint8_t *)&longer)[5 * 512] = 0x5a;
	assert_int_equal(boot(*state, &longer.k, sizeof(longer), "", &entry, &err), 0);
	assert_int_equal(*(uint8_t *)guest_ram_hva(*state, TEST_LOAD_GPA, 1), 0x5a);
}

/* Numbers that cannot be, each up to where a sum in 32 or 64 bits would wrap. */
static void test_boot_bzimage__refuses_hostile_headers(void **state)
{
	union test_bzimage k = good_bzimage();

	k.hdr.syssize = UINT32_MAX;
	refused(state, &k, sizeof(k), "truncated");
	k.hdr.syssize = 0x200 / 16; /* nothing at the entry */
	refused(state, &k, sizeof(k), "damaged");
	k = good_bzimage();
	k.hdr.init_size = TEST_CODE_BYTES - 1;
	refused(state, &k, sizeof(k), "damaged");
	k = good_bzimage();
	k.hdr.init_size = UINT32_MAX;
	refused(state, &k, sizeof(k), "never RAM");
	k = good_bzimage();
	k.hdr.pref_address = UINT64_MAX;
	refused(state, &k, sizeof(k), "wants to lie at");
	k.hdr.pref_address = 0x100000000;
	refused(state, &k, sizeof(k), "wants to lie at");
	k.hdr.pref_address = UINT32_MAX;
	refused(state, &k, sizeof(k), "never RAM");
	k = good_bzimage();
	k.hdr.kernel_alignment = 0;
	refused(state, &k, sizeof(k), "alignment");
	k.hdr.kernel_alignment = 3;
	refused(state, &k, sizeof(k), "alignment");
	k.hdr.kernel_alignment = 0x80000000;
	refused(state, &k, sizeof(k), "--memory 2049M");
	k = good_bzimage();
	k.hdr.relocatable_kernel = 0;
	k.hdr.pref_address = 0x9f000; /* into ACPI's tables */
	refused(state, &k, sizeof(k), "never RAM");
	k = good_bzimage();
	k.hdr.jump = 0xeb | (0x263 - 0x202) << 8; /* without all of init_size */
	refused(state, &k, sizeof(k), "header of");
}

/* A kernel that does not fit says how much memory would do; with that much it boots. */
static void test_boot_bzimage__tells_the_memory_it_needs(void **state)
{
	union test_bzimage k = good_bzimage();
	struct guest_ram *ram;
	struct boot_entry entry;
	struct error err = { "" };

	k.hdr.init_size = BOOT_RAM_BYTES - TEST_LOAD_GPA;
	assert_int_equal(boot(*state, &k, sizeof(k), "", &entry, &err), 0);
	k.hdr.init_size++;
	refused(state, &k, sizeof(k), "use --memory 17M");
	k.hdr.init_size = 20 * MIB + 5;
	refused(state, &k, sizeof(k), "use --memory 23M");
	ram = guest_ram_new(23 * MIB, 23 * MIB, &err);
	assert_int_equal(boot(ram, &k, sizeof(k), "", &entry, &err), 0);
	guest_ram_free(ram);
}

/* A command line longer than this kernel reads is refused, one that just fits is not. */
static void test_boot_bzimage__bounds_the_command_line(void **state)
{
	union test_bzimage k = good_bzimage();
	struct boot_entry entry;
	struct error err = { "" };
	char line[] = "0123456789";

	k.hdr.cmdline_size = 9;
	assert_int_equal(boot(*state, &k, sizeof(k), line, &entry, &err), -E2BIG);
	assert_non_null(strstr(err.msg, "(--append) has 10 bytes, this kernel takes 9"));
	line[9] = '\0';
	assert_int_equal(boot(*state, &k, sizeof(k), line, &entry, &err), 0);
}

/* Every single damaged byte of the header ends in success or in words, never in a crash. */
static void test_boot_bzimage__survives_any_damaged_byte(void **state)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x0f, 0x7f, 0x80, 0xff };
	unsigned int i, j, loaded = 0, tried = 0;

	for (i = 0x1f1; i < 0x290; i++) {
		for (j = 0; j < ARRAY_SIZE(values); j++) {
			union test_bzimage k = good_bzimage();
			struct boot_entry entry;
			struct error err = { "" };

			k.bytes[i] = values[j];
			tried++;
			if (!boot(*state, &k, sizeof(k), "", &entry, &err))
				loaded++;
			else
				assert_true(err.msg[0]);
		}
	}
	assert_in_range(loaded, 1, tried - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, boot_setup, boot_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_boot_bzimage__loads_a_kernel),
		TEST(test_boot_bzimage__leaves_a_signature_out),
		TEST(test_boot_bzimage__tells_the_zero_page),
		TEST(test_boot_bzimage__hands_on_a_longer_header),
		TEST(test_boot_bzimage__tells_e820),
		TEST(test_boot_bzimage__maps_memory_to_itself),
		TEST(test_boot_bzimage__gives_a_gdt),
		TEST(test_boot_bzimage__keeps_alignment),
		TEST(test_boot_bzimage__refuses_other_kernels),
		TEST(test_boot_bzimage__refuses_truncated_files),
		TEST(test_boot_bzimage__knows_the_default_of_setup_sects),
		TEST(test_boot_bzimage__refuses_hostile_headers),
		TEST(test_boot_bzimage__tells_the_memory_it_needs),
		TEST(test_boot_bzimage__bounds_the_command_line),
		TEST(test_boot_bzimage__survives_any_damaged_byte),
	};

	return cmocka_run_group_tests_name("boot_bzimage", tests, NULL, NULL);
}
