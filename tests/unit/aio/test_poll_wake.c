// SPDX-License-Identifier: BSD-2-Clause
/* Poll mode of a loop that is woken. White-box: the spin's length is set by hand. */
#include "fixture.h"

#include <handoff/clock.h>
#include "../../../user/aio/context.h"

static void set_other(void *opaque)
{
	event_notifier_set(opaque);
}

/* Remembers whether its notifications were off when it was served after a sleep. */
struct served {
	struct EventNotifier e;
	int reads;
	bool off, off_in_read;
};

static void served_read(struct EventNotifier *e)
{
	struct served *s = (struct served *)e;

	event_notifier_test_and_clear(e);
	s->off_in_read = s->off;
	s->reads++;
}

static bool served_poll(struct EventNotifier *e)
{
	return false;
}

static void served_begin(struct EventNotifier *e)
{
	((struct served *)e)->off = true;
}

static void served_end(struct EventNotifier *e)
{
	((struct served *)e)->off = false;
}

static void serve_after_sleep(struct AioContext *ctx, struct served *s, int64_t spin_ns)
{
	struct AioTimer timer;
	int reads = s->reads;

	aio_timer_init(ctx, &timer, set_other, &s->e);
	aio_timer_mod_any(&timer, clock_ns() + NS_PER_MS);
	while (s->reads == reads) {
		ctx->poll.poll_ns = spin_ns;
		aio_poll(ctx, true);
	}
}

/* A loop that is woken and is to spin next has notifications off while it serves: the guest need
 * not kick for what the spin will find. One that is to sleep next leaves them on. */
static void test_poll_mode__begins_before_the_work_of_a_wake(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);
	struct served s = { .reads = 0 };

	assert_int_equal(event_notifier_init(&s.e, false), 0);
	aio_set_event_notifier(ctx, &s.e, served_read, served_poll, served_read);
	aio_set_event_notifier_poll(ctx, &s.e, served_begin, served_end);
	loop_set_poll(ctx, NS_PER_S, NULL);
	serve_after_sleep(ctx, &s, 0); /* polled from now on */
	serve_after_sleep(ctx, &s, 1000);
	assert_true(s.off_in_read);
	serve_after_sleep(ctx, &s, 0);
	assert_false(s.off_in_read);
	assert_false(s.off);
	/* Told of is a poll mode that spins, and its end. */
	assert_true(row->poll_begins > 0);
	assert_int_equal(row->poll_ends, row->poll_begins);
	aio_set_event_notifier(ctx, &s.e, NULL, NULL, NULL);
	event_notifier_release(&s.e);
}

int main(void)
{
	static const struct loop_test tests[] = {
		LOOP_TEST(test_poll_mode__begins_before_the_work_of_a_wake),
	};

	return loop_tests_run("poll_wake", tests, sizeof(tests) / sizeof(tests[0]));
}
