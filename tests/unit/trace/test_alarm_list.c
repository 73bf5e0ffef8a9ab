// SPDX-License-Identifier: BSD-2-Clause
/* Alarms that come, last, and are over: what is kept of them, and how many there were. */
#include "alarm_list.h"

#include <string.h>
#include <lib/tap.h>

static struct alarm_list *fresh_list(void)
{
	static struct alarm_list l;

	memset(&l, 0, sizeof(l));
	return &l;
}

/* An incident at check `check`: so many queues, each stuck. */
static uint32_t raise_many(struct alarm_list *l, uint32_t n, uint32_t check)
{
	struct alarm_key key = { .kind = ALARM_STUCK };
	uint32_t kept = 0;

	for (key.row = 0; key.row < n; key.row++)
		kept += alarm_list_raise(l, &key, check) != NULL;
	alarm_list_end(l, check);
	return kept;
}

/* Of two incidents the second is shown too, though the first has filled the list. */
static void test_alarm_list__second_incident_is_shown(void **state)
{
	struct alarm_list *l = fresh_list();
	uint32_t i;

	assert_int_equal(raise_many(l, 10, 1), 10);
	assert_int_equal(raise_many(l, 10, 2), 10);
	assert_int_equal(l->total, 10);
	alarm_list_end(l, 3);
	assert_int_equal(raise_many(l, 10, 4), 10);
	assert_int_equal(l->n, REPORT_ALARMS);
	assert_int_equal(l->total, 20);
	/* The oldest went, the order stayed. */
	for (i = 0; i < REPORT_ALARMS; i++) {
		assert_int_equal(l->entry[i].a.over, i < 6);
		assert_int_equal(l->entry[i].key.row, i < 6 ? 4 + i : i - 6);
	}
}

/* Those for which there is no room are counted once, not at each check; one that gets room then
 * is not counted again. */
static void test_alarm_list__what_is_not_kept_is_counted_once(void **state)
{
	struct alarm_list *l = fresh_list();
	struct alarm_key key = { .kind = ALARM_STUCK, .row = REPORT_ALARMS };
	uint32_t check;

	for (check = 1; check < 10; check++)
		assert_int_equal(raise_many(l, REPORT_ALARMS + 4, check), REPORT_ALARMS);
	assert_int_equal(l->total, REPORT_ALARMS + 4);
	alarm_list_hold(l, &key, check);
	alarm_list_end(l, check++);
	assert_non_null(alarm_list_raise(l, &key, check));
	alarm_list_end(l, check++);
	assert_int_equal(l->total, REPORT_ALARMS + 4);
	/* Over, and here again: another one. */
	alarm_list_end(l, check++);
	assert_non_null(alarm_list_raise(l, &key, check));
	assert_int_equal(l->total, REPORT_ALARMS + 5);
}

/* A check that cannot tell neither ends an alarm nor begins one. */
static void test_alarm_list__what_cannot_be_told_lasts(void **state)
{
	struct alarm_key key = { .kind = ALARM_STUCK, .row = 3 };
	struct alarm_list *l = fresh_list();

	alarm_list_hold(l, &key, 1);
	alarm_list_end(l, 1);
	assert_int_equal(l->n, 0);
	assert_non_null(alarm_list_raise(l, &key, 2));
	alarm_list_end(l, 2);
	alarm_list_hold(l, &key, 3);
	alarm_list_end(l, 3);
	assert_true(l->entry[0].active);
	alarm_list_end(l, 4);
	assert_true(l->entry[0].a.over);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alarm_list__second_incident_is_shown),
		cmocka_unit_test(test_alarm_list__what_is_not_kept_is_counted_once),
		cmocka_unit_test(test_alarm_list__what_cannot_be_told_lasts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
