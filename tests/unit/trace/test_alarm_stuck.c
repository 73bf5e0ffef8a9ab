// SPDX-License-Identifier: BSD-2-Clause
/* Whose kicks may be called stuck: the check itself, on a tracer made by hand. */
#include "alarm_look.h"

#include <stdlib.h>
#include <string.h>
#include <lib/tap.h>
#include "fake.h"
#include "fake_vm.h"

#define NOBODYS_ID 0x7ffffff0 /* no eventfd of this machine's */

/* A queue that was kicked long ago, and whose eventfd is readable. */
static int setup(void **state)
{
	struct tracer *t = fake_new();
	struct vm_queue *q;

	memset(t->now, 0, sizeof(*t->now));
	t->config.pid = FAKE_PID;
	t->foreign = fake_foreign_new();
	t->alarms = calloc(1, sizeof(*t->alarms));
	q = fake_vm_queue(t->foreign, FAKE_GPA, "0xfe003000", 0, 7);
	q->eventfd.id = NOBODYS_ID;
	q->eventfd.count = 3;
	*fake_kick(t, FAKE_GPA) = (struct kick_state){
		.row = 1, .kicks = 3, .pending = 3, .first_ns = 1, .last_ns = 3
	};
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct tracer *t = *state;

	fake_foreign_free(t->foreign);
	free(t->alarms);
	fake_free(t);
	return 0;
}

/* So many alarms after the checks that one takes. */
static uint32_t alarms_of_checks(struct tracer *t)
{
	int64_t ns;

	foreign_take_vm(t->foreign);
	for (ns = FAKE_NOW_NS; ns <= FAKE_NOW_NS + 2000000000ll; ns += 1000000000ll) {
		watch_begin(&t->alarms->watch, ns);
		alarm_look_stuck(t);
		alarm_list_end(&t->alarms->list, t->alarms->watch.check);
	}
	return t->alarms->list.n;
}

/* Nobody waits for it: nobody will come. */
static void test_alarm_stuck__nobody_waits(void **state)
{
	struct tracer *t = *state;

	assert_int_equal(alarms_of_checks(t), 1);
	assert_string_equal(t->alarms->list.entry[0].a.kernel_why,
			    "nobody was seen to wait for it");
}

/* A vhost worker that cannot be told takes kicks unseen, and leaves the eventfd as it is. */
static void test_alarm_stuck__unknown_vhost_worker(void **state)
{
	struct tracer *t = *state;

	fake_vm_consumer(&t->foreign->vm->queue[0], 0, CONSUMER_VHOST, "");
	assert_int_equal(alarms_of_checks(t), 0);
	assert_true(foreign_is_unwatched(&t->foreign->row[0]));
	assert_int_equal(t->alarms->list.total, 0);
}

/* One that is known is seen to come. */
static void test_alarm_stuck__known_vhost_worker(void **state)
{
	struct tracer *t = *state;

	fake_vm_consumer(&t->foreign->vm->queue[0], FAKE_PID + 1, CONSUMER_VHOST, "");
	assert_int_equal(alarms_of_checks(t), 1);
}

/* An alarm is over when the worker is not known any more. */
static void test_alarm_stuck__worker_is_lost(void **state)
{
	struct tracer *t = *state;

	fake_vm_consumer(&t->foreign->vm->queue[0], FAKE_PID + 1, CONSUMER_VHOST, "");
	assert_int_equal(alarms_of_checks(t), 1);
	assert_true(t->alarms->list.entry[0].active);
	t->foreign->vm->queue[0].eventfd.consumer[0].tid = 0;
	alarms_of_checks(t);
	assert_false(t->alarms->list.entry[0].active);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_alarm_stuck__##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(nobody_waits),
		TEST(unknown_vhost_worker),
		TEST(known_vhost_worker),
		TEST(worker_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
