// SPDX-License-Identifier: BSD-2-Clause
/*
 * The access-size table: which calls a device gets for which access, by what it says it can do.
 * Rules: semantics.md 5, memory_access_size and access_with_adjusted_size.
 */
#include <lib/tap.h>

#include <string.h>
#include <handoff/bql.h>
#include "fixture.h"

#define BAD MEMTX_DECODE_ERROR

/* valid.min, valid.max, valid.unaligned, impl.min, impl.max, impl.unaligned, big endian */
struct limits {
	unsigned int vmin, vmax;
	bool vun;
	unsigned int imin, imax;
	bool iun, big;
};

struct row {
	struct limits limits;
	uint64_t addr;
	unsigned int len;
	const char *writes; /* calls for the bytes 01 02 03 ... */
	unsigned int result;
	const char *reads; /* the bytes of the device arrive in order unless BAD */
};

/* clang-format off */
static const struct row by_address[] = {
	/* no limits (virtio-pci): up to 4, naturally aligned; 8 are two dwords */
	{ { 0 }, 0, 1, "w1@0=1 ", 0, "r1@0 " },
	{ { 0 }, 0, 2, "w2@0=201 ", 0, "r2@0 " },
	{ { 0 }, 0, 4, "w4@0=4030201 ", 0, "r4@0 " },
	{ { 0 }, 0, 8, "w4@0=4030201 w4@4=8070605 ", 0, "r4@0 r4@4 " },
	{ { 0 }, 4, 8, "w4@4=4030201 w4@8=8070605 ", 0, "r4@4 r4@8 " },
	{ { 0 }, 1, 4, "w1@1=1 w2@2=302 w1@4=4 ", 0, "r1@1 r2@2 r1@4 " },
	{ { 0 }, 2, 4, "w2@2=201 w2@4=403 ", 0, "r2@2 r2@4 " },
	{ { 0 }, 0, 3, "w2@0=201 w1@2=3 ", 0, "r2@0 r1@2 " },
	{ { 0 }, 0, 7, "w4@0=4030201 w2@4=605 w1@6=7 ", 0, "r4@0 r2@4 r1@6 " },
	/* 8-byte device: in one */
	{ { 1, 8, 0, 1, 8, 0, 0 }, 8, 8, "w8@8=807060504030201 ", 0, "r8@8 " },
	{ { 1, 8, 0, 1, 8, 0, 0 }, 4, 8, "w4@4=4030201 w4@8=8070605 ", 0, "r4@4 r4@8 " },
	/* valid wider than impl: one access of the guest's, split for the device */
	{ { 1, 8, 0, 4, 4, 0, 0 }, 0, 8, "w4@0=4030201 w4@4=8070605 ", 0, "r4@0 r4@4 " },
	{ { 1, 8, 0, 0, 0, 0, 0 }, 0, 8, "w4@0=4030201 w4@4=8070605 ", 0, "r4@0 r4@4 " },
	{ { 1, 4, 0, 1, 1, 0, 0 }, 4, 4, "w1@4=1 w1@5=2 w1@6=3 w1@7=4 ", 0,
	  "r1@4 r1@5 r1@6 r1@7 " },
	{ { 1, 4, 0, 2, 2, 0, 0 }, 4, 4, "w2@4=201 w2@6=403 ", 0, "r2@4 r2@6 " },
	/* narrower than impl.min: one wide call, zeroes above on writes, masked on reads */
	{ { 1, 4, 0, 4, 4, 0, 0 }, 8, 1, "w4@8=1 ", 0, "r4@8 " },
	{ { 1, 4, 0, 4, 4, 0, 0 }, 8, 2, "w4@8=201 ", 0, "r4@8 " },
	{ { 1, 4, 0, 2, 4, 0, 0 }, 6, 1, "w2@6=1 ", 0, "r2@6 " },
	/* valid.min: smaller ones are refused, also as the rest of a longer access */
	{ { 4, 4, 0, 4, 4, 0, 0 }, 0, 2, "", BAD, "" },
	{ { 4, 4, 0, 4, 4, 0, 0 }, 0, 6, "w4@0=4030201 ", BAD, "r4@0 " },
	{ { 2, 2, 0, 2, 2, 0, 0 }, 0, 1, "", BAD, "" },
	/* valid.max: longer ones are cut, not refused */
	{ { 1, 1, 0, 1, 1, 0, 0 }, 0, 4, "w1@0=1 w1@1=2 w1@2=3 w1@3=4 ", 0,
	  "r1@0 r1@1 r1@2 r1@3 " },
	{ { 2, 2, 0, 2, 2, 0, 0 }, 2, 4, "w2@2=201 w2@4=403 ", 0, "r2@2 r2@4 " },
	/* unaligned: cut at natural borders, unless impl takes them whole */
	{ { 1, 4, 1, 1, 4, 0, 0 }, 1, 4, "w1@1=1 w2@2=302 w1@4=4 ", 0, "r1@1 r2@2 r1@4 " },
	{ { 1, 4, 1, 1, 4, 1, 0 }, 1, 4, "w4@1=4030201 ", 0, "r4@1 " },
	{ { 1, 4, 0, 1, 4, 1, 0 }, 1, 4, "", BAD, "" },
	{ { 1, 8, 1, 4, 4, 1, 0 }, 2, 8, "w4@2=4030201 w4@6=8070605 ", 0, "r4@2 r4@6 " },
	/* big endian: byte-swapped values, most significant part first */
	{ { 1, 4, 0, 1, 4, 0, 1 }, 0, 4, "w4@0=1020304 ", 0, "r4@0 " },
	{ { 1, 4, 0, 1, 4, 0, 1 }, 0, 2, "w2@0=102 ", 0, "r2@0 " },
	{ { 1, 8, 0, 4, 4, 0, 1 }, 0, 8, "w4@0=1020304 w4@4=5060708 ", 0, "r4@0 r4@4 " },
	{ { 1, 4, 0, 1, 1, 0, 1 }, 0, 4, "w1@0=1 w1@1=2 w1@2=3 w1@3=4 ", 0,
	  "r1@0 r1@1 r1@2 r1@3 " },
	{ { 1, 4, 0, 4, 4, 0, 1 }, 8, 1, "w4@8=1000000 ", 0, "r4@8 " },
	{ { 1, 4, 0, 4, 4, 0, 1 }, 8, 2, "w4@8=1020000 ", 0, "r4@8 " },
	{ { 1, 8, 0, 8, 8, 0, 1 }, 8, 4, "w8@8=102030400000000 ", 0, "r8@8 " },
};

/* One access of exactly this size, as dispatched. */
static const struct row single[] = {
	{ { 0 }, 0, 8, "w4@0=4030201 w4@4=8070605 ", 0, "r4@0 r4@4 " },
	{ { 1, 4, 0, 1, 4, 0, 0 }, 0, 8, "", BAD, "" },
	{ { 4, 8, 0, 4, 8, 0, 0 }, 0, 2, "", BAD, "" },
	{ { 1, 8, 0, 1, 8, 0, 0 }, 4, 8, "", BAD, "" },
	{ { 1, 8, 1, 1, 8, 0, 0 }, 4, 8, "w8@4=807060504030201 ", 0, "r8@4 " },
	{ { 1, 8, 1, 1, 2, 0, 0 }, 3, 4, "w2@3=201 w2@5=403 ", 0, "r2@3 r2@5 " },
	{ { 1, 8, 0, 8, 8, 0, 0 }, 0, 1, "w8@0=1 ", 0, "r8@0 " },
};
/* clang-format on */

static struct MemoryRegionOps ops_of(const struct limits *limits)
{
	return (struct MemoryRegionOps){
		.valid = { limits->vmin, limits->vmax, limits->vun, NULL },
		.impl = { limits->imin, limits->imax, limits->iun },
		.big_endian = limits->big,
	};
}

static void check_log(const char *what, unsigned int i, const char *log, const char *expected)
{
	if (strcmp(log, expected))
		fail_msg("row %u: %s: \"%s\", not \"%s\"", i, what, log, expected);
}

/* Writes by address: each device call with address, size and value. */
static void test_access_size__writes(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	unsigned int i, result;

	for (i = 0; i < ARRAY_SIZE(by_address); i++) {
		const struct row *row = &by_address[i];
		struct MemoryRegionOps limits = ops_of(&row->limits);
		struct device dev;
		struct world w;

		world_init(&w);
		device_init(&dev, "dev", 0x40, &limits);
		memory_region_add_subregion(&w.root, 0x1000, &dev.mr);
		result = address_space_write(&w.as, 0x1000 + row->addr, bytes, row->len);
		check_log("writes", i, dev.log, row->writes);
		assert_int_equal(result, row->result);
		world_release(&w);
	}
}

/* Reads by address: the same cuts, and the device's bytes arrive where they belong. */
static void test_access_size__reads(void **state)
{
	unsigned int i, k, result;

	for (i = 0; i < ARRAY_SIZE(by_address); i++) {
		const struct row *row = &by_address[i];
		struct MemoryRegionOps limits = ops_of(&row->limits);
		struct device dev;
		struct world w;
		uint8_t bytes[8];

		world_init(&w);
		device_init(&dev, "dev", 0x40, &limits);
		memory_region_add_subregion(&w.root, 0x1000, &dev.mr);
		result = address_space_read(&w.as, 0x1000 + row->addr, bytes, row->len);
		check_log("reads", i, dev.log, row->reads);
		assert_int_equal(result, row->result);
		for (k = 0; k < row->len && result == MEMTX_OK; k++)
			if (bytes[k] != 0x10 + row->addr + k)
				fail_msg("row %u: byte %u is %x", i, k, bytes[k]);
		world_release(&w);
	}
}

/* Single accesses: what is not valid is refused whole, and reads as all ones. */
static void test_access_size__single_accesses(void **state)
{
	unsigned int i, result;

	for (i = 0; i < ARRAY_SIZE(single); i++) {
		const struct row *row = &single[i];
		struct MemoryRegionOps limits = ops_of(&row->limits);
		uint64_t value = 0;
		struct device dev;

		device_init(&dev, "dev", 0x40, &limits);
		result = memory_region_dispatch_write(&dev.mr, row->addr, 0x0807060504030201,
						      row->len);
		check_log("writes", i, dev.log, row->writes);
		assert_int_equal(result, row->result);
		dev.log[0] = '\0';
		result = memory_region_dispatch_read(&dev.mr, row->addr, &value, row->len);
		check_log("reads", i, dev.log, row->reads);
		assert_int_equal(result, row->result);
		if (result)
			assert_int_equal(value, ~0ull >> (64 - 8 * row->len));
		else
			assert_int_equal(value & 0xff, 0x10 + row->addr);
		assert_true(row->len == 8 || value >> (8 * row->len) == 0);
	}
}

static bool refuse_writes(void *opaque, uint64_t addr, unsigned int size, bool is_write)
{
	return !is_write || addr == 8;
}

/* A device may judge each access by itself. */
static void test_access_size__device_judges(void **state)
{
	struct MemoryRegionOps limits = { .valid = { .accepts = refuse_writes } };
	struct device dev;
	uint64_t value;

	device_init(&dev, "dev", 0x40, &limits);
	assert_int_equal(memory_region_dispatch_write(&dev.mr, 0, 1, 4), BAD);
	assert_int_equal(memory_region_dispatch_write(&dev.mr, 8, 1, 4), MEMTX_OK);
	assert_int_equal(memory_region_dispatch_read(&dev.mr, 0, &value, 4), MEMTX_OK);
	assert_string_equal(dev.log, "w4@8=1 r4@0 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_access_size__writes),
		cmocka_unit_test(test_access_size__reads),
		cmocka_unit_test(test_access_size__single_accesses),
		cmocka_unit_test(test_access_size__device_judges),
	};
	int ret;

	bql_lock();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bql_unlock();
	return ret;
}
