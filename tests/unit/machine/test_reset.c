// SPDX-License-Identifier: BSD-2-Clause
/* The two ports that reset a PC. */
#include <lib/tap.h>

#include <handoff/bql.h>
#include "reset.h"

static void on_request(void *opaque)
{
	++*(unsigned int *)opaque;
}

/* Bit 2 of the reset control register resets, and is never read back; the others are kept. */
static void test_reset__control_register(void **state)
{
	unsigned int requests = 0, value, expected = 0;
	struct reset r;

	reset_init(&r, on_request, &requests);
	assert_int_equal(reset_control_read(&r), 0);
	for (value = 0; value < 256; value++) {
		reset_control_write(&r, (uint8_t)value);
		expected += value >> 2 & 1;
		assert_int_equal(requests, expected);
		assert_int_equal(reset_control_read(&r), value & 0x0a);
	}
	reset_release(&r);
}

/* What the FADT tells a guest to write does it. */
static void test_reset__value_of_fadt(void **state)
{
	unsigned int requests = 0;
	struct reset r;

	reset_init(&r, on_request, &requests);
	reset_control_write(&r, RESET_CONTROL_VALUE);
	assert_int_equal(requests, 1);
	reset_release(&r);
}

/* Of the keyboard controller's commands only a pulse of line 0 does anything. */
static void test_reset__keyboard_pulse(void **state)
{
	unsigned int requests = 0, value, expected = 0;
	struct reset r;

	bql_lock();
	reset_init(&r, on_request, &requests);
	for (value = 0; value < 256; value++) {
		memory_region_dispatch_write(&r.keyboard, 0, value, 1);
		expected += value >= 0xf0 && !(value & 1);
		assert_int_equal(requests, expected);
	}
	assert_int_equal(expected, 8);
	memory_region_dispatch_write(&r.keyboard, 0, 0xfe, 1);
	assert_int_equal(requests, 9);
	reset_release(&r);
	bql_unlock();
}

/*
 * The status lets a guest write at once, and shows one that looks for a controller that there is
 * none: its output buffer never empties.
 */
static void test_reset__keyboard_status(void **state)
{
	unsigned int requests = 0, i;
	struct reset r;
	uint64_t value;

	bql_lock();
	reset_init(&r, on_request, &requests);
	for (i = 0; i < 100; i++) {
		memory_region_dispatch_read(&r.keyboard, 0, &value, 1);
		assert_int_equal(value & 3, 1);
	}
	assert_int_equal(requests, 0);
	reset_release(&r);
	bql_unlock();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset__control_register),
		cmocka_unit_test(test_reset__value_of_fadt),
		cmocka_unit_test(test_reset__keyboard_pulse),
		cmocka_unit_test(test_reset__keyboard_status),
	};

	return cmocka_run_group_tests_name("reset", tests, NULL, NULL);
}
