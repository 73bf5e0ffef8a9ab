// SPDX-License-Identifier: BSD-2-Clause
/* When listeners are told, of what, and in which order. */
#include <lib/tap.h>

#include <string.h>
#include <handoff/bql.h>
#include "fixture.h"

/* A world with two devices and a listener that has heard of both. */
struct scene {
	struct world w;
	struct device a, b;
	struct recorder r;
};

static void scene_init(struct scene *s)
{
	world_init(&s->w);
	device_init(&s->a, "a", 0x10, NULL);
	device_init(&s->b, "b", 0x10, NULL);
	memory_region_add_subregion(&s->w.root, 0x100, &s->a.mr);
	memory_region_add_subregion(&s->w.root, 0x200, &s->b.mr);
	recorder_init(&s->r, false);
	memory_listener_register(&s->r.listener, &s->w.as);
}

static void scene_release(struct scene *s)
{
	memory_listener_unregister(&s->r.listener, &s->w.as);
	world_release(&s->w);
}

/* Registering replays what is there, unregistering takes it back from the top down. */
static void test_transaction__register_replays(void **state)
{
	struct scene s;

	scene_init(&s);
	assert_string_equal(s.r.log, "begin +a@100-10f +b@200-20f commit ");
	recorder_clear(&s.r);
	memory_listener_unregister(&s.r.listener, &s.w.as);
	assert_string_equal(s.r.log, "begin -b@200-20f -a@100-10f commit ");
	memory_listener_register(&s.r.listener, &s.w.as);
	scene_release(&s);
}

/* Nested transactions tell nothing until the outermost ends, and then once. */
static void test_transaction__nesting_commits_once(void **state)
{
	struct scene s;

	scene_init(&s);
	recorder_clear(&s.r);
	memory_region_transaction_begin();
	memory_region_transaction_begin();
	memory_region_set_address(&s.a.mr, 0x300);
	memory_region_transaction_commit();
	memory_region_set_address(&s.b.mr, 0x400);
	assert_string_equal(s.r.log, "");
	memory_region_transaction_commit();
	assert_string_equal(s.r.log, "begin -b@200-20f -a@100-10f +a@300-30f +b@400-40f commit ");
	scene_release(&s);
}

/* Ranges that stay as they are are not mentioned. */
static void test_transaction__unchanged_ranges_are_silent(void **state)
{
	struct scene s;

	scene_init(&s);
	recorder_clear(&s.r);
	memory_region_set_address(&s.b.mr, 0x210);
	assert_string_equal(s.r.log, "begin -b@200-20f +b@210-21f commit ");
	scene_release(&s);
}

/* A change that is undone within the transaction is told as nothing. */
static void test_transaction__undone_change_is_silent(void **state)
{
	struct scene s;

	scene_init(&s);
	recorder_clear(&s.r);
	memory_region_transaction_begin();
	memory_region_del_subregion(&s.w.root, &s.a.mr);
	memory_region_add_subregion(&s.w.root, 0x100, &s.a.mr);
	memory_region_transaction_commit();
	assert_string_equal(s.r.log, "begin commit ");
	assert_int_equal(s.r.events, 0);
	scene_release(&s);
}

/* Nothing changed: nobody is called. Changes of what is not visible count as nothing. */
static void test_transaction__empty_is_free(void **state)
{
	struct scene s;

	scene_init(&s);
	recorder_clear(&s.r);
	memory_region_transaction_begin();
	memory_region_transaction_commit();
	memory_region_set_address(&s.a.mr, 0x100);
	memory_region_set_enabled(&s.a.mr, true);
	memory_region_set_readonly(&s.a.mr, false);
	assert_string_equal(s.r.log, "");
	scene_release(&s);
}

/* A half hidden range is deleted and comes back smaller. */
static void test_transaction__partly_hidden_range_changes(void **state)
{
	struct device cover;
	struct scene s;

	scene_init(&s);
	recorder_clear(&s.r);
	device_init(&cover, "cover", 0x4, NULL);
	memory_region_add_subregion_overlap(&s.w.root, 0x108, &cover.mr, 1);
	assert_string_equal(s.r.log, "begin -a@100-10f +a@100-107 +cover@108-10b +a@10c-10f "
				     "commit ");
	scene_release(&s);
}

struct named_listener {
	struct MemoryListener l;
	char name;
	char *story;
};

static void note(struct MemoryListener *l, char sign)
{
	struct named_listener *n = container_of(l, struct named_listener, l);
	char *end = n->story + strlen(n->story);

	end[0] = sign;
	end[1] = n->name;
}

static void note_add(struct MemoryListener *l, const struct MemoryRegionSection *s)
{
	note(l, '+');
}

static void note_del(struct MemoryListener *l, const struct MemoryRegionSection *s)
{
	note(l, '-');
}

/* Listeners hear of additions in order of registration, of removals in reverse. */
static void test_transaction__listener_order(void **state)
{
	struct MemoryListener ops = { .region_add = note_add, .region_del = note_del };
	char story[32] = "";
	struct named_listener first = { ops, '1', story }, second = { ops, '2', story };
	struct device dev;
	struct world w;

	world_init(&w);
	device_init(&dev, "dev", 0x10, NULL);
	memory_listener_register(&first.l, &w.as);
	memory_listener_register(&second.l, &w.as);
	memory_region_add_subregion(&w.root, 0, &dev.mr);
	memory_region_del_subregion(&w.root, &dev.mr);
	assert_string_equal(story, "+1+2-2-1");
	memory_listener_unregister(&second.l, &w.as);
	memory_listener_unregister(&first.l, &w.as);
	world_release(&w);
}

/* RAM whose host memory was exchanged is other RAM, though all the guest could tell is the same. */
static void test_transaction__exchanged_memory_is_told(void **state)
{
	static uint8_t before[0x100], after[0x100];
	struct MemoryRegion ram;
	struct recorder r;
	struct world w;

	world_init(&w);
	memory_region_init_ram_ptr(&ram, "ram", 0x100, before);
	memory_region_add_subregion(&w.root, 0, &ram);
	recorder_init(&r, false);
	memory_listener_register(&r.listener, &w.as);
	recorder_clear(&r);
	memory_region_transaction_begin();
	memory_region_del_subregion(&w.root, &ram);
	memory_region_release(&ram);
	memory_region_init_ram_ptr(&ram, "ram", 0x100, after);
	memory_region_add_subregion(&w.root, 0, &ram);
	memory_region_transaction_commit();
	assert_string_equal(r.log, "begin -ram@0-ff +ram@0-ff commit ");
	memory_listener_unregister(&r.listener, &w.as);
	world_release(&w);
}

/* One commit serves all address spaces that show the region, each with its own addresses. */
static void test_transaction__several_spaces(void **state)
{
	struct MemoryRegion other_root, alias;
	struct AddressSpace other;
	struct recorder r;
	struct scene s;

	scene_init(&s);
	memory_region_init(&other_root, "other", UINT64_MAX);
	memory_region_init_alias(&alias, "alias", &s.a.mr, 0, 0x10);
	memory_region_add_subregion(&other_root, 0x7000, &alias);
	address_space_init(&other, &other_root, "other");
	recorder_init(&r, false);
	memory_listener_register(&r.listener, &other);
	recorder_clear(&r);
	recorder_clear(&s.r);
	memory_region_set_enabled(&s.a.mr, false);
	assert_string_equal(s.r.log, "begin -a@100-10f commit ");
	assert_string_equal(r.log, "begin -a@7000-700f commit ");
	memory_listener_unregister(&r.listener, &other);
	address_space_release(&other);
	memory_region_del_subregion(&other_root, &alias);
	scene_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transaction__register_replays),
		cmocka_unit_test(test_transaction__nesting_commits_once),
		cmocka_unit_test(test_transaction__unchanged_ranges_are_silent),
		cmocka_unit_test(test_transaction__undone_change_is_silent),
		cmocka_unit_test(test_transaction__empty_is_free),
		cmocka_unit_test(test_transaction__partly_hidden_range_changes),
		cmocka_unit_test(test_transaction__listener_order),
		cmocka_unit_test(test_transaction__exchanged_memory_is_told),
		cmocka_unit_test(test_transaction__several_spaces),
	};
	int ret;

	bql_lock();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bql_unlock();
	return ret;
}
