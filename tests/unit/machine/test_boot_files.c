// SPDX-License-Identifier: BSD-2-Clause
/* The files a guest is booted from: what is a kernel at all, where an initrd goes, and the one line
 * that each mistake gets. */
#include <lib/tap.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "boot_fixture.h"
#include "boot_image.h"

/* Boots a good bzImage with an initrd of so many bytes; where it lies, or 0 with err. */
static uint64_t place(struct guest_ram *ram, const union test_bzimage *k, uint64_t size,
		      struct error *err)
{
	struct boot_bytes bytes = { .kernel = k, .kernel_bytes = sizeof(*k), .cmdline = "" };
	struct boot_params *zero;
	struct boot_entry entry;
	char *initrd = test_malloc(size);
	uint64_t at = 0;

	memset(initrd, 'i', size);
	initrd[size - 1] = 'j';
	bytes.initrd = initrd;
	bytes.initrd_bytes = size;
	if (!boot_from_bytes(ram, &bytes, &entry, err)) {
		zero = guest_ram_hva(ram, entry.data_gpa, sizeof(*zero));
		at = (uint64_t)zero->ext_ramdisk_image << 32 | zero->hdr.ramdisk_image;
		assert_int_equal(zero->hdr.ramdisk_size, size);
		assert_int_equal(zero->ext_ramdisk_size, 0);
		assert_memory_equal(guest_ram_hva(ram, at, size), initrd, size);
	}
	test_free(initrd);
	return at;
}

/* An initrd is as high as it can be, on a page of its own. */
static void test_boot_files__places_an_initrd_high(void **state)
{
	union test_bzimage k = good_bzimage();
	struct error err = { "" };

	assert_int_equal(place(*state, &k, 1, &err), BOOT_RAM_BYTES - 4096);
	assert_int_equal(place(*state, &k, 4097, &err), BOOT_RAM_BYTES - 8192);
}

/* It never comes nearer than the memory the kernel takes while it unpacks itself; the last byte
 * that fits, and the first that does not. */
static void test_boot_files__keeps_an_initrd_off_the_kernel(void **state)
{
	union test_bzimage k = good_bzimage();
	uint64_t end = TEST_LOAD_GPA + TEST_INIT_SIZE;
	struct error err = { "" };

	assert_int_equal(place(*state, &k, BOOT_RAM_BYTES - end, &err), end);
	assert_int_equal(place(*state, &k, BOOT_RAM_BYTES - end + 1, &err), 0);
	assert_non_null(strstr(err.msg, BOOT_INITRD_NAME));
	assert_non_null(strstr(err.msg, "16 MiB of memory: use --memory 17M"));
}

/* The memory that the message advises is enough. */
static void test_boot_files__advises_enough_memory(void **state)
{
	union test_bzimage k = good_bzimage();
	struct error err = { "" };
	struct guest_ram *ram;
	char *advice;

	assert_int_equal(place(*state, &k, 40 * MIB + 123, &err), 0);
	advice = strstr(err.msg, "--memory ");
	assert_non_null(advice);
	ram = guest_ram_new(strtoull(advice + strlen("--memory "), NULL, 10) * MIB, 0xb0000000,
			    &err);
	assert_in_range(place(ram, &k, 40 * MIB + 123, &err), MIB, 64 * MIB);
	guest_ram_free(ram);
}

/* A kernel that says how high it may lie is obeyed, unless it is of those that do not care. */
static void test_boot_files__obeys_initrd_addr_max(void **state)
{
	union test_bzimage k = good_bzimage();
	struct error err = { "" };

	k.hdr.initrd_addr_max = 6 * MIB - 1;
	assert_int_equal(place(*state, &k, 4096, &err), BOOT_RAM_BYTES - 4096);
	k.hdr.xloadflags &= ~XLF_CAN_BE_LOADED_ABOVE_4G;
	assert_int_equal(place(*state, &k, 4096, &err), 6 * MIB - 4096);
	assert_int_equal(place(*state, &k, 5 * MIB, &err), 0);
	assert_non_null(strstr(err.msg, "this kernel takes one of at most 3 MiB"));
	k.hdr.initrd_addr_max = 0;
	assert_int_equal(place(*state, &k, 1, &err), 0);
	assert_non_null(strstr(err.msg, "at most 0 MiB"));
}

/* What fits above 4 GiB only lies there, for a kernel that finds it there. */
static void test_boot_files__places_an_initrd_above_4g(void **state)
{
	union test_bzimage k = good_bzimage();
	struct error err = { "" };
	struct guest_ram *ram = guest_ram_new(32 * MIB, 8 * MIB, &err);

	assert_int_equal(place(ram, &k, MIB, &err), 7 * MIB);
	assert_int_equal(place(ram, &k, 10 * MIB, &err), (4096 + 24 - 10) * MIB);
	k.hdr.xloadflags &= ~XLF_CAN_BE_LOADED_ABOVE_4G;
	assert_int_equal(place(ram, &k, 10 * MIB, &err), 0);
	guest_ram_free(ram);
}

/* The kind of kernel is told from its bytes; anything else is told what would be one. */
static void test_boot_files__refuses_what_is_no_kernel(void **state)
{
	static const char *const files[] = { "", "#!/bin/sh\necho a text file\n",
					     "\x7f"
					     "EL",
					     "MZ" };
	struct boot_bytes bytes = { .cmdline = "" };
	struct boot_entry entry;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		struct error err = { "" };

		bytes.kernel = files[i];
		bytes.kernel_bytes = strlen(files[i]);
		assert_int_equal(boot_from_bytes(*state, &bytes, &entry, &err), -ENOEXEC);
		assert_non_null(strstr(err.msg, BOOT_KERNEL_NAME ": not a kernel"));
		assert_non_null(strstr(err.msg, "/boot/vmlinuz-VERSION"));
	}
}

/* A long text is not taken for a kernel that was cut off, nor one with half of the magic. */
static void test_boot_files__refuses_long_texts(void **state)
{
	union test_bzimage k;
	struct boot_bytes bytes = { &k, NULL, sizeof(k), 0, "", 0 };
	struct boot_entry entry;
	struct error err = { "" };

	memset(&k, 'x', sizeof(k));
	assert_int_equal(boot_from_bytes(*state, &bytes, &entry, &err), -ENOEXEC);
	assert_non_null(strstr(err.msg, "not a kernel"));
	k = good_bzimage();
	k.hdr.boot_flag = 0;
	assert_int_equal(boot_from_bytes(*state, &bytes, &entry, &err), -ENOEXEC);
	assert_non_null(strstr(err.msg, "not a kernel"));
}

static void refused_to_open(const char *path, const char *words)
{
	struct error err = { "" };

	assert_null(boot_image_open("initrd", path, &err));
	if (!strstr(err.msg, words) || strncmp(err.msg, "initrd ", 7) || !strstr(err.msg, path))
		fail_msg("'%s' is not in: %s", words, err.msg);
}

/* Missing, a folder, a pipe, nothing in it: by name, and without waiting for anybody. */
static void test_boot_files__refuses_what_is_no_file(void **state)
{
	char folder[] = "/tmp/handoff-test-boot.XXXXXX", path[64];

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
	refused_to_open(path, "No such file");
	refused_to_open(folder, "a directory, not a file");
	assert_int_equal(mkfifo(path, 0600), 0);
	refused_to_open(path, "a device or pipe, not a file");
	unlink(path);
	fclose(fopen(path, "w"));
	refused_to_open(path, "an empty file");
	refused_to_open("/dev/zero", "a device or pipe, not a file");
	unlink(path);
	rmdir(folder);
}

/* A file gives the bytes; one that shrinks while we read says so, by name. */
static void test_boot_files__reads_files(void **state)
{
	char path[] = "/tmp/handoff-test-kernel.XXXXXX";
	struct boot_config config = { .ram = *state, .cmdline = "" };
	union test_bzimage k = good_bzimage();
	struct boot_image *image;
	struct boot_entry entry;
	struct error err;
	int fd = mkstemp(path);

	assert_int_equal(write(fd, &k, sizeof(k)), sizeof(k));
	image = boot_image_open("kernel", path, &err);
	assert_non_null(image);
	config.kernel = image;
	assert_int_equal(boot_load(&config, &entry, &err), 0);
	assert_memory_equal(guest_ram_hva(*state, TEST_LOAD_GPA, TEST_CODE_BYTES),
			    k.bytes + TEST_CODE_OFFSET, TEST_CODE_BYTES);
	assert_int_equal(ftruncate(fd, sizeof(k) - 10), 0);
	assert_int_equal(boot_load(&config, &entry, &err), -EIO);
	assert_non_null(strstr(err.msg, path));
	assert_non_null(strstr(err.msg, "cannot read it"));
	boot_image_free(image);
	close(fd);
	unlink(path);
}

/* The same for an initrd. */
static void test_boot_files__tells_an_initrd_that_shrinks(void **state)
{
	char path[] = "/tmp/handoff-test-initrd.XXXXXX";
	struct boot_config config = { .ram = *state, .cmdline = "" };
	union test_bzimage k = good_bzimage();
	struct boot_image *kernel, *initrd;
	struct boot_entry entry;
	struct error err;
	int fd = mkstemp(path);

	assert_int_equal(ftruncate(fd, 10000), 0);
	initrd = boot_image_open("initrd", path, &err);
	kernel = boot_image_of(BOOT_KERNEL_NAME, &k, sizeof(k), &err);
	assert_non_null(initrd);
	config.kernel = kernel;
	config.initrd = initrd;
	assert_int_equal(boot_load(&config, &entry, &err), 0);
	assert_int_equal(ftruncate(fd, 9999), 0);
	assert_int_equal(boot_load(&config, &entry, &err), -EIO);
	assert_non_null(strstr(err.msg, path));
	boot_image_free(initrd);
	boot_image_free(kernel);
	close(fd);
	unlink(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, boot_setup, boot_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_boot_files__places_an_initrd_high),
		TEST(test_boot_files__keeps_an_initrd_off_the_kernel),
		TEST(test_boot_files__advises_enough_memory),
		TEST(test_boot_files__obeys_initrd_addr_max),
		TEST(test_boot_files__places_an_initrd_above_4g),
		TEST(test_boot_files__refuses_what_is_no_kernel),
		TEST(test_boot_files__refuses_long_texts),
		TEST(test_boot_files__refuses_what_is_no_file),
		TEST(test_boot_files__reads_files),
		TEST(test_boot_files__tells_an_initrd_that_shrinks),
	};

	return cmocka_run_group_tests_name("boot_files", tests, NULL, NULL);
}
