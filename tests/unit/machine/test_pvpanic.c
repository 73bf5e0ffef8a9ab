// SPDX-License-Identifier: BSD-2-Clause
/* The pvpanic port: tells its events and nothing else. */
#include <lib/tap.h>

#include <handoff/bql.h>
#include "pvpanic.h"

struct told {
	unsigned int times, events;
};

static void on_told(void *opaque, unsigned int events)
{
	struct told *told = opaque;

	told->times++;
	told->events = events;
}

/* Every byte value: the two events are told, in any company; a write without them is nothing. */
static void test_pvpanic__tells_events(void **state)
{
	struct told told = { 0 };
	struct pvpanic p;
	unsigned int value, expected = 0;

	bql_lock();
	pvpanic_init(&p, on_told, &told);
	for (value = 0; value < 256; value++) {
		memory_region_dispatch_write(&p.mr, 0, value, 1);
		expected += (value & 3) != 0;
		assert_int_equal(told.times, expected);
		if (value & 3)
			assert_int_equal(told.events, value & 3);
	}
	assert_int_equal(expected, 192);
	pvpanic_release(&p);
	bql_unlock();
}

/* A driver learns which events there are by reading, which tells nothing. */
static void test_pvpanic__offers_events(void **state)
{
	struct told told = { 0 };
	struct pvpanic p;
	uint64_t value;

	bql_lock();
	pvpanic_init(&p, on_told, &told);
	assert_int_equal(memory_region_dispatch_read(&p.mr, 0, &value, 1), MEMTX_OK);
	assert_int_equal(value, PVPANIC_PANICKED | PVPANIC_CRASH_LOADED);
	assert_int_equal(told.times, 0);
	pvpanic_release(&p);
	bql_unlock();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pvpanic__tells_events),
		cmocka_unit_test(test_pvpanic__offers_events),
	};

	return cmocka_run_group_tests_name("pvpanic", tests, NULL, NULL);
}
