// SPDX-License-Identifier: BSD-2-Clause
/* Policy "break-even" step by step; test_replay.c has what it costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <handoff/poll_policy.h>

static struct poll_params params_of(int64_t max_ns, int64_t block_ns)
{
	struct poll_params p = { .max_ns = max_ns, .block_cost_ns = block_ns };

	assert_int_equal(poll_params_complete(&poll_policy_break_even, &p, NULL), 0);
	return p;
}

static int64_t waited(struct poll_state *s, const struct poll_params *p, int64_t arrival_ns,
		      int64_t block_ns)
{
	struct poll_wait wait = { .block_ns = block_ns, .arrival_ns = arrival_ns };

	poll_policy_break_even.loop_waited(s, p, &wait);
	return s->poll_ns;
}

/* The shortest spin that would have been long enough, where spinning is cheaper than sleeping. */
static void test_break_even__spins_as_long_as_it_pays(void **state)
{
	struct poll_params p = params_of(64000, 10000);
	struct poll_state s = { 0 };

	assert_int_equal(waited(&s, &p, 2500, 2500), 3000);
	assert_int_equal(waited(&s, &p, 2500, 2500), 3000);
	s = (struct poll_state){ 0 };
	assert_int_equal(waited(&s, &p, 9000, 9000), 12000);
	/* It costs the same: sleep. */
	s = (struct poll_state){ 0 };
	assert_int_equal(waited(&s, &p, 10000, 10000), 0);
	assert_int_equal(waited(&s, &p, 500000, 500000), 0);
}

/* One wait of another kind changes nothing, many do, and back: half of what it knows is from the
 * last 64. */
static void test_break_even__forgets(void **state)
{
	struct poll_params p = params_of(64000, 10000);
	struct poll_state s = { 0 };
	unsigned int i;

	for (i = 0; i < 1000; i++)
		waited(&s, &p, 2500, 2500);
	assert_int_equal(waited(&s, &p, 500000, 500000), 3000);
	for (i = 0; i < 500; i++)
		waited(&s, &p, 500000, 500000);
	assert_int_equal(s.poll_ns, 0);
	for (i = 0; i < 64; i++)
		waited(&s, &p, 2500, 2500);
	/* Its own length, or QEMU's rule, which has been as good lately. */
	assert_true(s.poll_ns == 3000 || s.poll_ns == 4000);
}

/* When the work came counts, and not when it was seen; unless that is all there is. */
static void test_break_even__takes_the_arrival(void **state)
{
	struct poll_params p = params_of(64000, 10000);
	struct poll_state s = { 0 };

	assert_int_equal(waited(&s, &p, 2500, 40000), 3000);
	s = (struct poll_state){ 0 };
	assert_int_equal(waited(&s, &p, -1, 40000), 0);
	s = (struct poll_state){ 0 };
	assert_int_equal(waited(&s, &p, 0, 40000), 0);
}

/* Nothing is over the maximum, and 0 never spins; where QEMU's rule leads, its spin is taken. */
static void test_break_even__keeps_to_the_maximum(void **state)
{
	struct poll_params p = params_of(5000, 100000);
	struct poll_state s = { 0 };
	unsigned int i;

	for (i = 0; i < 200; i++)
		assert_true(waited(&s, &p, 4500, 4500) <= 5000);
	assert_int_equal(s.poll_ns, 5000);
	p = params_of(0, 100000);
	for (i = 0; i < 200; i++)
		assert_int_equal(waited(&s, &p, 1, 1), 0);
	/* What does not fit into 64 bits is only long. */
	p = params_of(INT64_MAX, INT64_MAX);
	s = (struct poll_state){ 0 };
	for (i = 0; i < 200; i++)
		assert_true(waited(&s, &p, INT64_MAX, INT64_MAX) >= 0);
	/* Longer than any of its own lengths. */
	p = params_of(1000000, 1000000);
	s = (struct poll_state){ 0 };
	for (i = 0; i < 200; i++)
		waited(&s, &p, 120000, 120000);
	assert_int_equal(s.poll_ns, 128000);
}

/* Without a measured cost there is one that stands in. */
static void test_break_even__has_a_cost_to_begin_with(void **state)
{
	struct poll_params p = params_of(64000, 0);
	struct poll_state s = { 0 };

	assert_int_equal(waited(&s, &p, POLL_BLOCK_COST_NS + 1, POLL_BLOCK_COST_NS + 1), 0);
	s = (struct poll_state){ 0 };
	assert_true(waited(&s, &p, POLL_BLOCK_COST_NS / 2, POLL_BLOCK_COST_NS / 2) > 0);
}

/* Slept, and nobody saw when the work came. */
static int64_t slept(struct poll_state *s, const struct poll_params *p, int64_t block_ns)
{
	struct poll_wait wait = {
		.block_ns = block_ns, .arrival_ns = -1, .spun_ns = s->poll_ns, .slept = true
	};

	poll_policy_break_even.loop_waited(s, p, &wait);
	return s->poll_ns;
}

/* What is believed of wakes is taken off, but no work came before the spin was over. */
static void test_break_even__deduces_the_arrival(void **state)
{
	struct poll_params p = params_of(64000, 10000);
	struct poll_state s = { 0 };

	p.wake_ns = 30000;
	assert_int_equal(slept(&s, &p, 32500), 3000);
	s = (struct poll_state){ 0 };
	assert_int_equal(slept(&s, &p, 80000), 0);
	s = (struct poll_state){ .poll_ns = 3000 };
	assert_int_equal(slept(&s, &p, 32500), 4000);
}

/* What was believed of wakes gives way to what the loop has measured of this guest's in a nap. */
static void test_break_even__believes_a_nap(void **state)
{
	struct poll_params p = params_of(64000, 15000);
	struct poll_wait nap = { .block_ns = 35000, .arrival_ns = -1, .slept = true, .nap = true };
	struct poll_state s = { 0 };
	unsigned int i;

	p.wake_ns = 60000;
	slept(&s, &p, 100000);
	assert_int_equal(s.late_ns, 60000);
	p.wake_ns = 10000;
	for (i = 0; i < 32; i++)
		poll_policy_break_even.loop_waited(&s, &p, &nap);
	assert_in_range(s.late_ns, 10000, 10100);
}

/* A sleep that something held up is no measure of how long sleeps are. */
static void test_break_even__one_long_sleep_is_no_measure(void **state)
{
	struct poll_params p = params_of(64000, 10000);
	struct poll_state s = { 0 };
	unsigned int i;

	for (i = 0; i < 100; i++)
		slept(&s, &p, 100000);
	slept(&s, &p, 100000000);
	assert_true(s.slept_ns < 110000);
	for (i = 0; i < 200; i++)
		slept(&s, &p, 1000000);
	assert_true(s.slept_ns > 990000);
}

/* Waits of 5 us, seen after 45, and wakes believed to take none: looks find them. Waits of 500 us:
 * they find nothing, and get rare. */
static void test_break_even__looks_for_itself(void **state)
{
	struct poll_params p = params_of(64000, 20000);
	struct poll_state s = { 0 };
	unsigned int i, looks = 0, hits = 0;

	for (i = 0; i < 1000; i++) {
		if (s.poll_ns >= 5000) {
			waited(&s, &p, -1, 5000);
			hits++;
		} else {
			slept(&s, &p, 45000);
		}
	}
	assert_true(hits > 900);
	assert_in_range(s.late_ns, 20000, 64000);
	s = (struct poll_state){ 0 };
	for (i = 0; i < 10000; i++) {
		looks += s.looking;
		assert_int_equal(s.poll_ns, s.looking ? 20000 : 0);
		slept(&s, &p, 540000);
	}
	assert_in_range(looks, 10000 / 128, 10000 / 128 + 10);
	assert_int_equal(s.late_ns, 0);
}

/* What it takes for L goes down, too, when a spin shows that a wake was shorter. */
static void test_break_even__unlearns(void **state)
{
	struct poll_params p = params_of(64000, 20000);
	struct poll_state s = { 0 };
	unsigned int i;

	p.wake_ns = 1000000;
	for (i = 0; i < 1000; i++)
		slept(&s, &p, 100000);
	assert_in_range(s.late_ns, 0, 100000);
}

/* Four times what a sleep costs at most, whatever the maximum; no wait at all changes nothing. */
static void test_break_even__is_clamped(void **state)
{
	struct poll_params p = params_of(1000000, 2000);
	struct poll_state s = { 0 }, before;
	unsigned int i;

	for (i = 0; i < 1000; i++)
		assert_true(waited(&s, &p, 1 + i * 7919 % 20000, 1 + i * 7919 % 20000) <= 8000);
	before = s;
	assert_int_equal(waited(&s, &p, -1, 0), before.poll_ns);
	assert_memory_equal(&s, &before, sizeof(s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_break_even__spins_as_long_as_it_pays),
		cmocka_unit_test(test_break_even__forgets),
		cmocka_unit_test(test_break_even__takes_the_arrival),
		cmocka_unit_test(test_break_even__keeps_to_the_maximum),
		cmocka_unit_test(test_break_even__has_a_cost_to_begin_with),
		cmocka_unit_test(test_break_even__believes_a_nap),
		cmocka_unit_test(test_break_even__one_long_sleep_is_no_measure),
		cmocka_unit_test(test_break_even__deduces_the_arrival),
		cmocka_unit_test(test_break_even__looks_for_itself),
		cmocka_unit_test(test_break_even__unlearns),
		cmocka_unit_test(test_break_even__is_clamped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
