/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of booting share: RAM, kernels from memory, and a bzImage that is whole but tiny.
 */
#ifndef TESTS_MACHINE_BOOT_FIXTURE_H
#define TESTS_MACHINE_BOOT_FIXTURE_H

#include <stdint.h>
#include <handoff/error.h>
#include <handoff/guest_ram.h>
#include "boot.h"
#include "boot_bzimage.h"

#define MIB		 (1ull << 20)
#define BOOT_RAM_BYTES	 (16 * MIB)
#define BOOT_KERNEL_NAME "kernel test"
#define BOOT_INITRD_NAME "initrd test"

/* *state is the RAM. */
int boot_setup(void **state);
int boot_teardown(void **state);

struct boot_bytes {
	const void *kernel, *initrd;
	uint64_t kernel_bytes, initrd_bytes; /* no initrd: NULL */
	const char *cmdline;
	uint64_t rsdp_gpa;
};

int boot_from_bytes(struct guest_ram *ram, const struct boot_bytes *boot, struct boot_entry *entry,
		    struct error *err);

#define TEST_SETUP_SECTS 2
#define TEST_CODE_OFFSET ((TEST_SETUP_SECTS + 1) * 512)
#define TEST_CODE_BYTES	 0x400
#define TEST_INIT_SIZE	 0x9000
#define TEST_LOAD_GPA	 (2 * MIB)

union test_bzimage {
	uint8_t bytes[TEST_CODE_OFFSET + TEST_CODE_BYTES];
	struct {
		uint8_t boot_sector[0x1f1];
		struct setup_header hdr;
	} __attribute__((packed));
};

/* Code is numbered bytes; everything else as Linux has it. */
union test_bzimage good_bzimage(void);

#endif
