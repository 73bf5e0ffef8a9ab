// SPDX-License-Identifier: BSD-2-Clause
/* Rendering: which region answers where. Each expected line is the whole address space. */
#include <lib/tap.h>

#include <handoff/bql.h>
#include "fixture.h"

/* The higher priority hides the lower, which shows on both sides of it. */
static void test_flatview__priority_overlaps(void **state)
{
	struct device low, high;
	struct world w;

	world_init(&w);
	device_init(&low, "low", 0x100, NULL);
	device_init(&high, "high", 0x20, NULL);
	memory_region_add_subregion_overlap(&w.root, 0x40, &high.mr, 1);
	memory_region_add_subregion_overlap(&w.root, 0, &low.mr, 0);
	assert_string_equal(world_show(&w), "low@0-3f+0 high@40-5f+0 low@60-ff+60 ");
	world_release(&w);
}

/* Of equal priority, the one added last is seen; moving counts as adding. */
static void test_flatview__later_wins_a_tie(void **state)
{
	struct device a, b;
	struct world w;

	world_init(&w);
	device_init(&a, "a", 0x20, NULL);
	device_init(&b, "b", 0x20, NULL);
	memory_region_add_subregion(&w.root, 0, &a.mr);
	memory_region_add_subregion(&w.root, 0x10, &b.mr);
	assert_string_equal(world_show(&w), "a@0-f+0 b@10-2f+0 ");
	memory_region_set_address(&a.mr, 0x8);
	assert_string_equal(world_show(&w), "a@8-27+0 b@28-2f+18 ");
	world_release(&w);
}

/* A container answers nothing by itself: its holes show what is below, its size clips. */
static void test_flatview__container_clips_and_has_holes(void **state)
{
	struct MemoryRegion box;
	struct device low, in;
	struct world w;

	world_init(&w);
	device_init(&low, "low", 0x100, NULL);
	device_init(&in, "in", 0x80, NULL);
	memory_region_init(&box, "box", 0x40);
	memory_region_add_subregion(&box, 0x20, &in.mr);
	memory_region_add_subregion_overlap(&w.root, 0x40, &box, 5);
	memory_region_add_subregion(&w.root, 0, &low.mr);
	assert_string_equal(world_show(&w), "low@0-5f+0 in@60-7f+0 low@80-ff+80 ");
	memory_region_del_subregion(&box, &in.mr);
	assert_string_equal(world_show(&w), "low@0-ff+0 ");
	world_release(&w);
	memory_region_release(&box);
}

/* A priority counts among brothers only: inside a low container nothing gets higher. */
static void test_flatview__priority_is_local(void **state)
{
	struct MemoryRegion box;
	struct device in, other;
	struct world w;

	world_init(&w);
	memory_region_init(&box, "box", 0x100);
	device_init(&in, "in", 0x100, NULL);
	device_init(&other, "other", 0x10, NULL);
	memory_region_add_subregion_overlap(&box, 0, &in.mr, 1000);
	memory_region_add_subregion_overlap(&w.root, 0, &box, -1);
	memory_region_add_subregion(&w.root, 0x10, &other.mr);
	assert_string_equal(world_show(&w), "in@0-f+0 other@10-1f+0 in@20-ff+20 ");
	world_release(&w);
	memory_region_del_subregion(&box, &in.mr);
	memory_region_release(&box);
}

/* A device with subregions answers where they do not. */
static void test_flatview__region_below_its_subregions(void **state)
{
	struct device outer, inner;
	struct world w;

	world_init(&w);
	device_init(&outer, "outer", 0x100, NULL);
	device_init(&inner, "inner", 0x10, NULL);
	memory_region_add_subregion_overlap(&outer.mr, 0x30, &inner.mr, -7);
	memory_region_add_subregion(&w.root, 0x1000, &outer.mr);
	assert_string_equal(world_show(&w),
			    "outer@1000-102f+0 inner@1030-103f+0 outer@1040-10ff+40 ");
	world_release(&w);
	memory_region_del_subregion(&outer.mr, &inner.mr);
}

/* Aliases of aliases end at the one real region, with all offsets added and all sizes clipped. */
static void test_flatview__alias_chain(void **state)
{
	struct MemoryRegion first, second;
	struct device target;
	struct world w;

	world_init(&w);
	device_init(&target, "target", 0x1000, NULL);
	memory_region_init_alias(&first, "first", &target.mr, 0x100, 0x200);
	memory_region_init_alias(&second, "second", &first, 0x80, 0x1000);
	memory_region_add_subregion(&w.root, 0x8000, &target.mr);
	memory_region_add_subregion(&w.root, 0x2000, &second);
	assert_string_equal(world_show(&w), "target@2000-217f+180 target@8000-8fff+0 ");
	world_release(&w);
}

/* An alias shows its target wherever that lies, even if nowhere, but not a disabled one. */
static void test_flatview__alias_of_unplaced_target(void **state)
{
	struct MemoryRegion alias;
	struct device target;
	struct world w;

	world_init(&w);
	device_init(&target, "target", 0x100, NULL);
	memory_region_init_alias(&alias, "alias", &target.mr, 0, 0x100);
	memory_region_add_subregion(&w.root, 0, &alias);
	assert_string_equal(world_show(&w), "target@0-ff+0 ");
	memory_region_set_enabled(&target.mr, false);
	assert_string_equal(world_show(&w), "");
	world_release(&w);
}

/* Neighbours that continue each other become one range: two aliases, a hole closed again. */
static void test_flatview__merges_neighbours(void **state)
{
	static uint8_t bytes[0x200];
	struct MemoryRegion ram, lower, upper;
	struct world w;

	world_init(&w);
	memory_region_init_ram_ptr(&ram, "ram", sizeof(bytes), bytes);
	memory_region_init_alias(&lower, "lower", &ram, 0, 0x100);
	memory_region_init_alias(&upper, "upper", &ram, 0x100, 0x100);
	memory_region_add_subregion(&w.root, 0x1000, &lower);
	memory_region_add_subregion(&w.root, 0x1100, &upper);
	assert_string_equal(world_show(&w), "ram@1000-11ff+0 ");
	memory_region_set_address(&upper, 0x1200);
	assert_string_equal(world_show(&w), "ram@1000-10ff+0 ram@1200-12ff+100 ");
	world_release(&w);
}

/* Read-only is inherited through containers and aliases, and keeps ranges apart. */
static void test_flatview__readonly_is_inherited(void **state)
{
	static uint8_t bytes[0x200];
	struct MemoryRegion ram, shadow;
	struct world w;

	world_init(&w);
	memory_region_init_ram_ptr(&ram, "ram", sizeof(bytes), bytes);
	memory_region_init_alias(&shadow, "shadow", &ram, 0x80, 0x80);
	memory_region_set_readonly(&shadow, true);
	memory_region_add_subregion(&w.root, 0, &ram);
	memory_region_add_subregion_overlap(&w.root, 0x80, &shadow, 1);
	assert_string_equal(world_show(&w), "ram@0-7f+0 ram@80-ff+80ro ram@100-1ff+100 ");
	memory_region_set_readonly(&shadow, false);
	assert_string_equal(world_show(&w), "ram@0-1ff+0 ");
	world_release(&w);
}

/* Sums of address and size beyond 64 bits clip; they do not come round at 0. */
static void test_flatview__does_not_wrap(void **state)
{
	struct device top, bottom;
	struct MemoryRegion high;
	struct world w;

	world_init(&w);
	device_init(&top, "top", 0x10000, NULL);
	device_init(&bottom, "bottom", 0x10, NULL);
	memory_region_init(&high, "high", UINT64_MAX);
	memory_region_add_subregion(&high, UINT64_MAX - 0xfff, &top.mr);
	memory_region_add_subregion(&w.root, UINT64_MAX - 0x1fff, &high);
	memory_region_add_subregion(&w.root, 0, &bottom.mr);
	assert_string_equal(world_show(&w), "bottom@0-f+0 ");
	memory_region_set_address(&high, 0);
	assert_string_equal(world_show(&w),
			    "bottom@0-f+0 top@fffffffffffff000-fffffffffffffffe+0 ");
	world_release(&w);
	memory_region_del_subregion(&high, &top.mr);
	memory_region_release(&high);
}

/* What is disabled is not there, with all it contains. */
static void test_flatview__disabled_subtree(void **state)
{
	struct MemoryRegion box;
	struct device in;
	struct world w;

	world_init(&w);
	memory_region_init(&box, "box", 0x100);
	device_init(&in, "in", 0x10, NULL);
	memory_region_set_enabled(&box, false);
	memory_region_add_subregion(&w.root, 0, &box);
	memory_region_add_subregion(&box, 0, &in.mr);
	assert_string_equal(world_show(&w), "");
	memory_region_set_enabled(&box, true);
	assert_string_equal(world_show(&w), "in@0-f+0 ");
	world_release(&w);
	memory_region_del_subregion(&box, &in.mr);
	memory_region_release(&box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flatview__priority_overlaps),
		cmocka_unit_test(test_flatview__later_wins_a_tie),
		cmocka_unit_test(test_flatview__container_clips_and_has_holes),
		cmocka_unit_test(test_flatview__priority_is_local),
		cmocka_unit_test(test_flatview__region_below_its_subregions),
		cmocka_unit_test(test_flatview__alias_chain),
		cmocka_unit_test(test_flatview__alias_of_unplaced_target),
		cmocka_unit_test(test_flatview__merges_neighbours),
		cmocka_unit_test(test_flatview__readonly_is_inherited),
		cmocka_unit_test(test_flatview__does_not_wrap),
		cmocka_unit_test(test_flatview__disabled_subtree),
	};
	int ret;

	bql_lock();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bql_unlock();
	return ret;
}
