// SPDX-License-Identifier: BSD-2-Clause
/* The debug exit port: tells each write, reads as nobody. */
#include <lib/tap.h>

#include <handoff/bql.h>
#include "debug_exit.h"

struct told {
	unsigned int times;
	uint32_t value;
};

static void on_exit_write(void *opaque, uint32_t value)
{
	struct told *told = opaque;

	told->times++;
	told->value = value;
}

/* A write of any width tells its value; zero, which means success, too. */
static void test_debug_exit__tells_the_value(void **state)
{
	static const struct {
		unsigned int size;
		uint32_t value;
	} writes[] = { { 1, 0 }, { 1, 0x7f }, { 2, 0x1234 }, { 4, 0xdeadbeef } };
	struct told told = { 0 };
	struct debug_exit d;
	unsigned int i;

	bql_lock();
	debug_exit_init(&d, on_exit_write, &told);
	for (i = 0; i < ARRAY_SIZE(writes); i++) {
		assert_int_equal(memory_region_dispatch_write(&d.mr, 0, writes[i].value,
							      writes[i].size),
				 MEMTX_OK);
		assert_int_equal(told.times, i + 1);
		assert_int_equal(told.value, writes[i].value);
	}
	debug_exit_release(&d);
	bql_unlock();
}

/* Reading it changes nothing: a guest that probes ports lives on. */
static void test_debug_exit__reads_all_ones(void **state)
{
	struct told told = { 0 };
	struct debug_exit d;
	uint64_t value;

	bql_lock();
	debug_exit_init(&d, on_exit_write, &told);
	memory_region_dispatch_read(&d.mr, 0, &value, 1);
	assert_int_equal(value & 0xff, 0xff);
	memory_region_dispatch_read(&d.mr, 0, &value, 4);
	assert_int_equal(value & 0xffffffff, 0xffffffff);
	assert_int_equal(told.times, 0);
	debug_exit_release(&d);
	bql_unlock();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_debug_exit__tells_the_value),
		cmocka_unit_test(test_debug_exit__reads_all_ones),
	};

	return cmocka_run_group_tests_name("debug_exit", tests, NULL, NULL);
}
