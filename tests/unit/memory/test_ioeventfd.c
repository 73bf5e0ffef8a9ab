// SPDX-License-Identifier: BSD-2-Clause
/* ioeventfds: follow their region, are told as differences, and who sets them without KVM. */
#include <lib/tap.h>

#include <errno.h>
#include <handoff/bql.h>
#include <handoff/event_notifier.h>
#include "fixture.h"

/* A device at 0x1000 with one ioeventfd of any width at offset 4. */
struct scene {
	struct world w;
	struct device dev;
	struct EventNotifier e;
	struct recorder r;
};

static void scene_init(struct scene *s, bool claims)
{
	world_init(&s->w);
	device_init(&s->dev, "dev", 0x100, NULL);
	memory_region_add_subregion(&s->w.root, 0x1000, &s->dev.mr);
	recorder_init(&s->r, claims);
	memory_listener_register(&s->r.listener, &s->w.as);
	assert_int_equal(event_notifier_init(&s->e, false), 0);
	recorder_clear(&s->r);
}

static void scene_release(struct scene *s)
{
	memory_listener_unregister(&s->r.listener, &s->w.as);
	world_release(&s->w);
	memory_region_release(&s->dev.mr);
	event_notifier_release(&s->e);
}

static void write4(struct scene *s, uint64_t gpa)
{
	uint32_t value = 7;

	assert_int_equal(address_space_write(&s->w.as, gpa, &value, 4), MEMTX_OK);
}

/* Adding and deleting one is told; the view, unchanged, is not mentioned. */
static void test_ioeventfd__add_and_del_are_told(void **state)
{
	struct scene s;

	scene_init(&s, true);
	memory_region_add_eventfd(&s.dev.mr, 4, 0, false, 0, &s.e);
	assert_string_equal(s.r.log, "begin fd+1004 commit ");
	assert_int_equal(memory_region_eventfd_error(&s.e), 0);
	recorder_clear(&s.r);
	memory_region_del_eventfd(&s.dev.mr, 4, 0, false, 0, &s.e);
	assert_string_equal(s.r.log, "begin fd-1004 commit ");
	assert_int_equal(memory_region_eventfd_error(&s.e), -ENXIO);
	scene_release(&s);
}

/* Many in one transaction are told in one commit, in address order. */
static void test_ioeventfd__batch_is_one_commit(void **state)
{
	struct scene s;
	int i;

	scene_init(&s, true);
	memory_region_transaction_begin();
	for (i = 3; i >= 0; i--)
		memory_region_add_eventfd(&s.dev.mr, 4 * i, 0, false, 0, &s.e);
	memory_region_transaction_commit();
	assert_string_equal(s.r.log, "begin fd+1000 fd+1004 fd+1008 fd+100c commit ");
	scene_release(&s);
}

/* A region that moves takes them along: all old ones go before new ones come. */
static void test_ioeventfd__moves_with_its_region(void **state)
{
	struct scene s;

	scene_init(&s, true);
	memory_region_add_eventfd(&s.dev.mr, 0, 0, false, 0, &s.e);
	memory_region_add_eventfd(&s.dev.mr, 0x10, 0, false, 0, &s.e);
	recorder_clear(&s.r);
	memory_region_set_address(&s.dev.mr, 0x1010);
	/* 0x1010 was the second one's place: the same gpa and notifier, so it stays. */
	assert_string_equal(s.r.log, "begin -dev@1000-10ff +dev@1010-110f fd-1000 fd+1020 commit ");
	recorder_clear(&s.r);
	memory_region_set_address(&s.dev.mr, 0x5000);
	assert_string_equal(s.r.log, "begin -dev@1010-110f +dev@5000-50ff fd-1010 fd-1020 fd+5000 "
				     "fd+5010 commit ");
	scene_release(&s);
}

/* One that stays where it is is not touched when something else moves. */
static void test_ioeventfd__others_are_left_alone(void **state)
{
	struct device other;
	struct scene s;

	scene_init(&s, true);
	memory_region_add_eventfd(&s.dev.mr, 4, 0, false, 0, &s.e);
	device_init(&other, "other", 0x10, NULL);
	recorder_clear(&s.r);
	memory_region_add_subregion(&s.w.root, 0x9000, &other.mr);
	assert_string_equal(s.r.log, "begin +other@9000-900f commit ");
	scene_release(&s);
}

/* Hidden behind another region it is not there; uncovered it comes back. */
static void test_ioeventfd__hidden_is_withdrawn(void **state)
{
	struct device cover;
	struct scene s;

	scene_init(&s, true);
	memory_region_add_eventfd(&s.dev.mr, 4, 4, false, 0, &s.e);
	device_init(&cover, "cover", 1, NULL);
	memory_region_add_subregion_overlap(&s.w.root, 0x1006, &cover.mr, 1);
	assert_int_equal(memory_region_eventfd_error(&s.e), -ENXIO);
	recorder_clear(&s.r);
	memory_region_del_subregion(&s.w.root, &cover.mr);
	assert_string_equal(s.r.log, "begin -dev@1007-10ff -cover@1006-1006 -dev@1000-1005 "
				     "+dev@1000-10ff fd+1004 commit ");
	assert_int_equal(memory_region_eventfd_error(&s.e), 0);
	scene_release(&s);
}

/* A region shown twice has it twice. */
static void test_ioeventfd__alias_shows_it_again(void **state)
{
	struct MemoryRegion alias;
	struct scene s;

	scene_init(&s, true);
	memory_region_init_alias(&alias, "alias", &s.dev.mr, 0, 0x100);
	memory_region_add_eventfd(&s.dev.mr, 4, 0, false, 0, &s.e);
	recorder_clear(&s.r);
	memory_region_add_subregion(&s.w.root, 0x3000, &alias);
	assert_string_equal(s.r.log, "begin +dev@3000-30ff fd+3004 commit ");
	scene_release(&s);
}

/* A refusal is kept for who asks, over other commits; what was refused is not taken back. */
static void test_ioeventfd__refusal_is_reported(void **state)
{
	struct scene s;

	scene_init(&s, true);
	s.r.refuse = -ENOSPC;
	memory_region_add_eventfd(&s.dev.mr, 4, 0, false, 0, &s.e);
	assert_int_equal(memory_region_eventfd_error(&s.e), -ENOSPC);
	memory_region_transaction_begin();
	memory_region_set_enabled(&s.dev.mr, false);
	memory_region_set_enabled(&s.dev.mr, true);
	memory_region_transaction_commit();
	assert_int_equal(memory_region_eventfd_error(&s.e), -ENOSPC);
	recorder_clear(&s.r);
	memory_region_del_eventfd(&s.dev.mr, 4, 0, false, 0, &s.e);
	assert_string_equal(s.r.log, "begin commit ");
	assert_int_equal(s.r.refused, 1);
	scene_release(&s);
}

/* After a move the listener is asked afresh: a refusal does not stick to the notifier. */
static void test_ioeventfd__refusal_is_retried_elsewhere(void **state)
{
	struct scene s;

	scene_init(&s, true);
	s.r.refuse = -EEXIST;
	memory_region_add_eventfd(&s.dev.mr, 4, 0, false, 0, &s.e);
	assert_int_equal(memory_region_eventfd_error(&s.e), -EEXIST);
	s.r.refuse = 0;
	memory_region_set_address(&s.dev.mr, 0x2000);
	assert_int_equal(memory_region_eventfd_error(&s.e), 0);
	scene_release(&s);
}

/* A listener that comes late is offered all, one that goes gives all back. */
static void test_ioeventfd__late_listener(void **state)
{
	struct recorder late;
	struct scene s;

	scene_init(&s, false);
	memory_region_add_eventfd(&s.dev.mr, 4, 0, false, 0, &s.e);
	assert_int_equal(memory_region_eventfd_error(&s.e), 0);
	recorder_init(&late, true);
	memory_listener_register(&late.listener, &s.w.as);
	assert_string_equal(late.log, "begin +dev@1000-10ff fd+1004 commit ");
	recorder_clear(&late);
	memory_listener_unregister(&late.listener, &s.w.as);
	assert_string_equal(late.log, "begin fd-1004 -dev@1000-10ff commit ");
	scene_release(&s);
}

/* Without a listener that claims them, the dispatcher sets the notifier and the device sleeps. */
static void test_ioeventfd__matched_in_user_space(void **state)
{
	struct scene s;

	scene_init(&s, false);
	memory_region_add_eventfd(&s.dev.mr, 4, 0, false, 0, &s.e);
	write4(&s, 0x1004);
	assert_true(event_notifier_test_and_clear(&s.e));
	assert_int_equal(s.dev.calls, 0);
	write4(&s, 0x1008);
	assert_false(event_notifier_test_and_clear(&s.e));
	assert_int_equal(s.dev.calls, 1);
	scene_release(&s);
}

/* Width and data must match where they were given. */
static void test_ioeventfd__width_and_data_match(void **state)
{
	static const struct {
		uint32_t fd_size, size;
		bool match_data;
		uint64_t data, value;
		bool hit;
	} rows[] = {
		{ 0, 1, false, 0, 9, true },	      { 0, 4, false, 0, 9, true },
		{ 2, 2, false, 0, 9, true },	      { 2, 4, false, 0, 9, false },
		{ 4, 2, false, 0, 9, false },	      { 2, 2, true, 9, 9, true },
		{ 2, 2, true, 9, 8, false },	      { 4, 4, true, 0x10009, 9, false },
		{ 2, 2, true, 0xfffe, 0xfffe, true },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scene s;

		scene_init(&s, false);
		memory_region_add_eventfd(&s.dev.mr, 4, rows[i].fd_size, rows[i].match_data,
					  rows[i].data, &s.e);
		memory_region_dispatch_write(&s.dev.mr, 4, rows[i].value, rows[i].size);
		if (event_notifier_test_and_clear(&s.e) != rows[i].hit ||
		    s.dev.calls != !rows[i].hit)
			fail_msg("row %u: %u calls", i, s.dev.calls);
		scene_release(&s);
	}
}

/* With a claimer, what still comes to user space is the device's business: refused, or a race. */
static void test_ioeventfd__claimed_goes_to_device(void **state)
{
	struct scene s;

	scene_init(&s, true);
	memory_region_add_eventfd(&s.dev.mr, 4, 0, false, 0, &s.e);
	write4(&s, 0x1004);
	assert_false(event_notifier_test_and_clear(&s.e));
	assert_string_equal(s.dev.log, "w4@4=7 ");
	scene_release(&s);
}

/* A read is never a kick. */
static void test_ioeventfd__reads_do_not_match(void **state)
{
	struct scene s;
	uint32_t value;

	scene_init(&s, false);
	memory_region_add_eventfd(&s.dev.mr, 4, 0, false, 0, &s.e);
	assert_int_equal(address_space_read(&s.w.as, 0x1004, &value, 4), MEMTX_OK);
	assert_false(event_notifier_test_and_clear(&s.e));
	assert_string_equal(s.dev.log, "r4@4 ");
	scene_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ioeventfd__add_and_del_are_told),
		cmocka_unit_test(test_ioeventfd__batch_is_one_commit),
		cmocka_unit_test(test_ioeventfd__moves_with_its_region),
		cmocka_unit_test(test_ioeventfd__others_are_left_alone),
		cmocka_unit_test(test_ioeventfd__hidden_is_withdrawn),
		cmocka_unit_test(test_ioeventfd__alias_shows_it_again),
		cmocka_unit_test(test_ioeventfd__refusal_is_reported),
		cmocka_unit_test(test_ioeventfd__refusal_is_retried_elsewhere),
		cmocka_unit_test(test_ioeventfd__late_listener),
		cmocka_unit_test(test_ioeventfd__matched_in_user_space),
		cmocka_unit_test(test_ioeventfd__width_and_data_match),
		cmocka_unit_test(test_ioeventfd__claimed_goes_to_device),
		cmocka_unit_test(test_ioeventfd__reads_do_not_match),
	};
	int ret;

	bql_lock();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bql_unlock();
	return ret;
}
