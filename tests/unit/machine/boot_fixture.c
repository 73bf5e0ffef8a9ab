// SPDX-License-Identifier: BSD-2-Clause
/* See boot_fixture.h. */
#include "boot_fixture.h"

#include <lib/tap.h>

#include "boot_image.h"

int boot_setup(void **state)
{
	struct error err;

	*state = guest_ram_new(BOOT_RAM_BYTES, BOOT_RAM_BYTES, &err);
	return *state ? 0 : -1;
}

int boot_teardown(void **state)
{
	guest_ram_free(*state);
	return 0;
}

int boot_from_bytes(struct guest_ram *ram, const struct boot_bytes *boot, struct boot_entry *entry,
		    struct error *err)
{
	struct boot_image *kernel, *initrd = NULL;
	struct boot_config config;
	int ret;

	kernel = boot_image_of(BOOT_KERNEL_NAME, boot->kernel, boot->kernel_bytes, err);
	assert_non_null(kernel);
	if (boot->initrd) {
		initrd = boot_image_of(BOOT_INITRD_NAME, boot->initrd, boot->initrd_bytes, err);
		assert_non_null(initrd);
	}
	config = (struct boot_config){
		.ram = ram,
		.kernel = kernel,
		.initrd = initrd,
		.cmdline = boot->cmdline,
		.rsdp_gpa = boot->rsdp_gpa,
	};
	ret = boot_load(&config, entry, err);
	boot_image_free(initrd);
	boot_image_free(kernel);
	return ret;
}

union test_bzimage good_bzimage(void)
{
	union test_bzimage k = {
		.hdr = { .setup_sects = TEST_SETUP_SECTS,
			 .syssize = TEST_CODE_BYTES / 16,
			 .boot_flag = 0xaa55,
			 .jump = 0xeb | (0x26c - 0x202) << 8,
			 .header = 0x53726448,
			 .version = 0x20f,
			 .loadflags = LOADED_HIGH,
			 .code32_start = 0x100000,
			 .initrd_addr_max = 0x7fffffff,
			 .kernel_alignment = 2 * MIB,
			 .relocatable_kernel = 1,
			 .min_alignment = 21,
			 .xloadflags = XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G,
			 .cmdline_size = 2047,
			 .pref_address = TEST_LOAD_GPA,
			 .init_size = TEST_INIT_SIZE },
	};
	unsigned int i;

	for (i = 0; i < TEST_CODE_BYTES; i++)
		k.bytes[TEST_CODE_OFFSET + i] = (uint8_t)(i * 7 + i / 256);
	return k;
}
