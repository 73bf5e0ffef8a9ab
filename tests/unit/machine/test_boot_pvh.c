// SPDX-License-Identifier: BSD-2-Clause
/* The PVH loader against good and hand-damaged ELF files: what is told to the guest, and in which
 * words bad ones are refused. */
#include <lib/tap.h>

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "boot_pvh.h"

#define MIB	  (1ull << 20)
#define RAM_BYTES (16 * MIB)
#define TEXT_GPA  (1 * MIB)
#define BSS_BYTES 0x3000

/* A whole kernel: headers, one segment of text, one PVH note. */
struct kernel {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[2];
	struct {
		Elf64_Nhdr head;
		char name[4];
		uint64_t entry;
	} note;
	char text[64];
};

static const struct boot_reserved nothing = { 0, 0 };

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

static int setup(void **state)
{
	struct error err;

	*state = guest_ram_new(RAM_BYTES, RAM_BYTES, &err);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	guest_ram_free(*state);
	return 0;
}

static int load_bytes(struct guest_ram *ram, const void *bytes, uint64_t size, const char *cmdline,
		      struct boot_entry *entry, struct error *err)
{
	struct boot_image *image = boot_image_of("test.elf", bytes, size, err);
	int ret;

	assert_non_null(image);
	ret = boot_pvh_load(ram, image, cmdline, &nothing, entry, err);
	boot_image_free(image);
	return ret;
}

/* Must be refused, naming the file and saying `words`. */
static void refused(void **state, const struct kernel *k, uint64_t size, const char *words)
{
	struct boot_entry entry;
	struct error err = { "" };

	assert_int_not_equal(load_bytes(*state, k, size, "", &entry, &err), 0);
	if (!strstr(err.msg, words) || !strstr(err.msg, "test.elf"))
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

static void check_map(struct guest_ram *ram, const struct memmap_entry *want, unsigned int n)
{
	const struct boot_reserved ecam = { 0xb0000000, MIB };
	struct kernel k = good_kernel();
	struct memmap_entry got[8];
	struct boot_image *image;
	struct start_info info;
	struct boot_entry entry;
	struct error err;
	char cmdline[16];

	image = boot_image_of("test.elf", &k, sizeof(k), &err);
	assert_int_equal(boot_pvh_load(ram, image, "words=of it", &ecam, &entry, &err), 0);
	boot_image_free(image);
	assert_true(guest_ram_read(ram, entry.start_info_gpa, &info, sizeof(info)));
	assert_int_equal(info.magic, 0x336ec578);
	assert_int_equal(info.version, 1);
	assert_true(guest_ram_read(ram, info.cmdline, cmdline, sizeof(cmdline)));
	assert_string_equal(cmdline, "words=of it");
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
		{ MIB, RAM_BYTES - MIB, 1, 0 },
		{ 0xb0000000, MIB, 2, 0 },
	};

	check_map(*state, want, ARRAY_SIZE(want));
}

/* RAM beyond the PCI hole appears above 4 GiB. */
static void test_boot_pvh__tells_high_memory(void **state)
{
	static const struct memmap_entry want[] = {
		{ 0, 0xa0000, 1, 0 },
		{ MIB, 8 * MIB - MIB, 1, 0 },
		{ 4096 * MIB, 24 * MIB, 1, 0 },
		{ 0xb0000000, MIB, 2, 0 },
	};
	struct error err;
	struct guest_ram *ram = guest_ram_new(32 * MIB, 8 * MIB, &err);

	assert_non_null(ram);
	check_map(ram, want, ARRAY_SIZE(want));
	guest_ram_free(ram);
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

/* A bzImage, a script, an empty file: not an ELF, and what to do about it. */
static void test_boot_pvh__refuses_other_files(void **state)
{
	struct kernel k = good_kernel();

	refused(state, &k, 0, "not an ELF file");
	refused(state, &k, 10, "not an ELF file");
	k.ehdr.e_ident[0] = 'M';
	refused(state, &k, sizeof(k), "extract-vmlinux");
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
		{ RAM_BYTES, 0x1000 },	  { RAM_BYTES - 0x1000, 0x2000 }, { TEXT_GPA, 1ull << 40 },
		{ TEXT_GPA, UINT64_MAX }, { UINT64_MAX - 0x100, 0x1000 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct kernel k = good_kernel();

		k.phdr[0].p_paddr = bad[i].gpa;
		k.phdr[0].p_memsz = bad[i].bytes;
		refused(state, &k, sizeof(k), "(16 MiB)");
	}
}

/* A segment over the boot data would change what the kernel is told. */
static void test_boot_pvh__refuses_segments_over_boot_data(void **state)
{
	struct kernel k = good_kernel();

	k.phdr[0].p_paddr = BOOT_DATA_GPA - sizeof(k.text);
	refused(state, &k, sizeof(k), "boot data");
	k.phdr[0].p_paddr = BOOT_DATA_GPA + BOOT_DATA_BYTES - 1;
	refused(state, &k, sizeof(k), "boot data");
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

/* From a file it is the same; a missing file and a folder are told by name. */
static void test_boot_pvh__reads_files(void **state)
{
	char path[] = "/tmp/handoff-test-kernel.XXXXXX";
	struct kernel k = good_kernel();
	struct boot_image *image;
	struct boot_entry entry;
	struct error err;
	int fd = mkstemp(path);

	assert_int_equal(write(fd, &k, sizeof(k)), sizeof(k));
	image = boot_image_open(path, &err);
	assert_non_null(image);
	assert_int_equal(boot_pvh_load(*state, image, "", &nothing, &entry, &err), 0);
	assert_int_equal(entry.rip, TEXT_GPA + 0x10);
	/* It shrinks while we look at it. */
	assert_int_equal(ftruncate(fd, sizeof(k) - 10), 0);
	assert_int_not_equal(boot_pvh_load(*state, image, "", &nothing, &entry, &err), 0);
	boot_image_free(image);
	close(fd);
	unlink(path);
	assert_null(boot_image_open(path, &err));
	assert_non_null(strstr(err.msg, path));
	assert_null(boot_image_open("/tmp", &err));
	assert_non_null(strstr(err.msg, "/tmp: not a file"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_boot_pvh__loads_a_kernel),
		TEST(test_boot_pvh__tells_the_memory_map),
		TEST(test_boot_pvh__tells_high_memory),
		TEST(test_boot_pvh__takes_a_short_note),
		TEST(test_boot_pvh__refuses_other_files),
		TEST(test_boot_pvh__refuses_other_machines),
		TEST(test_boot_pvh__refuses_a_kernel_without_note),
		TEST(test_boot_pvh__survives_lying_notes),
		TEST(test_boot_pvh__refuses_segments_outside_of_ram),
		TEST(test_boot_pvh__refuses_segments_over_boot_data),
		TEST(test_boot_pvh__refuses_damaged_files),
		TEST(test_boot_pvh__refuses_an_entry_outside_of_ram),
		TEST(test_boot_pvh__survives_any_damaged_byte),
		TEST(test_boot_pvh__bounds_the_command_line),
		TEST(test_boot_pvh__reads_files),
	};

	return cmocka_run_group_tests_name("boot_pvh", tests, NULL, NULL);
}
