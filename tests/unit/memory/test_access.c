// SPDX-License-Identifier: BSD-2-Clause
/* Accesses by address: across ranges, to nothing, under which lock, and from within themselves. */
#include <lib/tap.h>

#include <string.h>
#include <handoff/bql.h>
#include "fixture.h"

#define RAM_BYTES 0x100

/* RAM at 0, a device right behind it, nothing further up. */
struct scene {
	struct world w;
	struct MemoryRegion ram;
	struct device dev;
	uint8_t bytes[RAM_BYTES];
};

static void scene_init(struct scene *s)
{
	memset(s->bytes, 0, sizeof(s->bytes));
	world_init(&s->w);
	memory_region_init_ram_ptr(&s->ram, "ram", RAM_BYTES, s->bytes);
	device_init(&s->dev, "dev", 0x20, NULL);
	memory_region_add_subregion(&s->w.root, 0, &s->ram);
	memory_region_add_subregion(&s->w.root, RAM_BYTES, &s->dev.mr);
}

static void scene_release(struct scene *s)
{
	world_release(&s->w);
}

/* RAM is copied as it is, at any alignment and length. */
static void test_access__ram_is_copied(void **state)
{
	struct scene s;
	char back[5];

	scene_init(&s);
	assert_int_equal(address_space_write(&s.w.as, 3, "hello", 5), MEMTX_OK);
	assert_memory_equal(s.bytes + 3, "hello", 5);
	assert_int_equal(address_space_read(&s.w.as, 3, back, 5), MEMTX_OK);
	assert_memory_equal(back, "hello", 5);
	assert_int_equal(s.dev.calls, 0);
	scene_release(&s);
}

/* An access over RAM, device and nothing does its part in each, and says that one failed. */
static void test_access__spans_ranges(void **state)
{
	uint8_t bytes[0x20 + 8], back[0x20 + 8];
	struct scene s;
	unsigned int i;

	scene_init(&s);
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(address_space_write(&s.w.as, RAM_BYTES - 4, bytes, 4 + 4), MEMTX_OK);
	assert_memory_equal(s.bytes + RAM_BYTES - 4, bytes, 4);
	assert_string_equal(s.dev.log, "w4@0=7060504 ");
	assert_int_equal(address_space_read(&s.w.as, RAM_BYTES - 4, back, sizeof(back)),
			 MEMTX_DECODE_ERROR);
	assert_memory_equal(back, bytes, 4);
	assert_int_equal(back[4], 0x10);
	assert_int_equal(back[4 + 0x1f], 0x10 + 0x1f);
	for (i = 4 + 0x20; i < sizeof(back); i++)
		assert_int_equal(back[i], 0xff);
	scene_release(&s);
}

/* Nobody there: all ones, and a decode error; writes go nowhere. */
static void test_access__unassigned(void **state)
{
	uint64_t value = 0;
	struct scene s;

	scene_init(&s);
	assert_int_equal(address_space_read(&s.w.as, 0x10000, &value, 8), MEMTX_DECODE_ERROR);
	assert_int_equal(value, UINT64_MAX);
	assert_int_equal(address_space_write(&s.w.as, 0x10000, &value, 8), MEMTX_DECODE_ERROR);
	assert_int_equal(s.dev.calls, 0);
	scene_release(&s);
}

/* A hole before RAM does not swallow the RAM. */
static void test_access__starts_in_a_hole(void **state)
{
	uint8_t buf[4] = { 1, 2, 3, 4 };
	struct scene s;

	scene_init(&s);
	memory_region_set_address(&s.ram, 0x1002);
	assert_int_equal(address_space_write(&s.w.as, 0x1000, buf, 4), MEMTX_DECODE_ERROR);
	assert_int_equal(s.bytes[0], 3);
	assert_int_equal(s.bytes[1], 4);
	assert_int_equal(address_space_read(&s.w.as, 0x1000, buf, 4), MEMTX_DECODE_ERROR);
	assert_memory_equal(buf, "\xff\xff\x03\x04", 4);
	scene_release(&s);
}

/* The end of the address space is the end: nothing comes round at 0. */
static void test_access__does_not_wrap(void **state)
{
	uint8_t buf[8] = { 0 };
	struct scene s;

	scene_init(&s);
	memset(s.bytes, 0x55, RAM_BYTES);
	assert_int_equal(address_space_read(&s.w.as, UINT64_MAX - 3, buf, 8), MEMTX_DECODE_ERROR);
	assert_memory_equal(buf, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	assert_int_equal(address_space_write(&s.w.as, UINT64_MAX, buf, 2), MEMTX_DECODE_ERROR);
	assert_int_equal(address_space_write(&s.w.as, UINT64_MAX, buf, 1), MEMTX_DECODE_ERROR);
	assert_int_equal(s.bytes[0], 0x55);
	scene_release(&s);
}

/* Length 0 is nothing, not an error. */
static void test_access__empty(void **state)
{
	struct scene s;

	scene_init(&s);
	assert_int_equal(address_space_write(&s.w.as, 0x10000, NULL, 0), MEMTX_OK);
	assert_int_equal(address_space_read(&s.w.as, UINT64_MAX, NULL, 0), MEMTX_OK);
	scene_release(&s);
}

/* Read-only RAM reads, and keeps what it has. */
static void test_access__readonly_ram(void **state)
{
	struct scene s;
	char back[3];

	scene_init(&s);
	memcpy(s.bytes, "rom", 3);
	memory_region_set_readonly(&s.ram, true);
	assert_int_equal(address_space_write(&s.w.as, 0, "xyz", 3), MEMTX_DECODE_ERROR);
	assert_int_equal(address_space_read(&s.w.as, 0, back, 3), MEMTX_OK);
	assert_memory_equal(back, "rom", 3);
	scene_release(&s);
}

static void note_lock(struct device *dev)
{
	*(bool *)dev->opaque = bql_locked();
}

/* Without the BQL, a device access takes it and gives it back; with it, it is kept. */
static void test_access__takes_the_bql(void **state)
{
	bool locked = false;
	uint32_t value = 0;
	struct scene s;

	scene_init(&s);
	s.dev.during_write = note_lock;
	s.dev.opaque = &locked;
	bql_unlock();
	assert_int_equal(address_space_write(&s.w.as, RAM_BYTES, &value, 4), MEMTX_OK);
	assert_false(bql_locked());
	assert_true(locked);
	assert_int_equal(address_space_read(&s.w.as, RAM_BYTES, &value, 4), MEMTX_OK);
	assert_false(bql_locked());
	bql_lock();
	assert_int_equal(address_space_write(&s.w.as, RAM_BYTES, &value, 4), MEMTX_OK);
	assert_true(bql_locked());
	scene_release(&s);
}

static void write_itself(struct device *dev)
{
	uint64_t value = 0;

	dev->nested_result = memory_region_dispatch_write(&dev->mr, 4, 0, 4) |
			     memory_region_dispatch_read(&dev->mr, 4, &value, 4) << 8;
	assert_int_equal(value, 0xffffffff);
}

/* A device that reaches its own registers from within an access is refused; later it works. */
static void test_access__reentry_is_refused(void **state)
{
	uint32_t value = 0;
	struct scene s;

	scene_init(&s);
	s.dev.during_write = write_itself;
	assert_int_equal(address_space_write(&s.w.as, RAM_BYTES, &value, 4), MEMTX_OK);
	assert_int_equal(s.dev.nested_result, MEMTX_ACCESS_ERROR | MEMTX_ACCESS_ERROR << 8);
	assert_int_equal(s.dev.calls, 1);
	s.dev.during_write = NULL;
	assert_int_equal(address_space_write(&s.w.as, RAM_BYTES, &value, 4), MEMTX_OK);
	assert_int_equal(s.dev.calls, 2);
	scene_release(&s);
}

static void write_other(struct device *dev)
{
	struct device *other = dev->opaque;

	dev->nested_result = memory_region_dispatch_write(&other->mr, 0, 0, 4);
}

/* The guard is each region's own: reaching another device is allowed. */
static void test_access__reentry_elsewhere_is_allowed(void **state)
{
	uint32_t value = 0;
	struct device other;
	struct scene s;

	scene_init(&s);
	device_init(&other, "other", 0x10, NULL);
	s.dev.during_write = write_other;
	s.dev.opaque = &other;
	assert_int_equal(address_space_write(&s.w.as, RAM_BYTES, &value, 4), MEMTX_OK);
	assert_int_equal(s.dev.nested_result, MEMTX_OK);
	assert_int_equal(other.calls, 1);
	scene_release(&s);
}

static void move_itself(struct device *dev)
{
	memory_region_set_address(&dev->mr, 0x8000);
	dev->during_write = NULL;
}

/* A device that moves away in the middle of a long write gets no more of it. */
static void test_access__map_changes_under_way(void **state)
{
	uint64_t value = 0x1122334455667788;
	struct scene s;

	scene_init(&s);
	s.dev.during_write = move_itself;
	assert_int_equal(address_space_write(&s.w.as, RAM_BYTES, &value, 8), MEMTX_DECODE_ERROR);
	assert_string_equal(s.dev.log, "w4@0=55667788 ");
	assert_int_equal(address_space_write(&s.w.as, 0x8000, &value, 4), MEMTX_OK);
	assert_int_equal(s.dev.calls, 2);
	scene_release(&s);
}

/* Through an alias the device sees its own offsets. */
static void test_access__alias_offsets(void **state)
{
	struct MemoryRegion alias;
	uint32_t value = 1;
	struct scene s;

	scene_init(&s);
	memory_region_init_alias(&alias, "alias", &s.dev.mr, 0x10, 0x10);
	memory_region_add_subregion(&s.w.root, 0x4000, &alias);
	assert_int_equal(address_space_write(&s.w.as, 0x4004, &value, 4), MEMTX_OK);
	assert_int_equal(memory_region_dispatch_write(&alias, 8, 2, 4), MEMTX_OK);
	assert_string_equal(s.dev.log, "w4@20=1 w4@24=2 ");
	scene_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_access__ram_is_copied),
		cmocka_unit_test(test_access__spans_ranges),
		cmocka_unit_test(test_access__unassigned),
		cmocka_unit_test(test_access__starts_in_a_hole),
		cmocka_unit_test(test_access__does_not_wrap),
		cmocka_unit_test(test_access__empty),
		cmocka_unit_test(test_access__readonly_ram),
		cmocka_unit_test(test_access__takes_the_bql),
		cmocka_unit_test(test_access__reentry_is_refused),
		cmocka_unit_test(test_access__reentry_elsewhere_is_allowed),
		cmocka_unit_test(test_access__map_changes_under_way),
		cmocka_unit_test(test_access__alias_offsets),
	};
	int ret;

	bql_lock();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bql_unlock();
	return ret;
}
