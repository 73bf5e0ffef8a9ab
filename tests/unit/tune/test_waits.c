// SPDX-License-Identifier: BSD-2-Clause
/* Waits as they were, in their order: what a spin would have made of them, and how work arrives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <handoff/compiler.h>
#include "fixture.h"

#define WAITS 6000

/* 0 .. below - 1 */
static uint32_t some(uint32_t below)
{
	static uint32_t state = 1;

	state = state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)state * below >> 32);
}

static struct loop_wait *add(struct report *r, uint32_t gap_ns, uint32_t wake_ns)
{
	struct loop_wait *w = &r->wait[r->n_waits++];

	*w = (struct loop_wait){ .tid = r->loop[0].tid, .gap_ns = gap_ns, .wake_ns = wake_ns };
	return w;
}

/* When each arrived, if each is followed by its work of 2 us. */
static void put_arrivals(struct report *r)
{
	uint64_t now = 1000;
	uint32_t i;

	for (i = 0; i < r->n_waits; i++) {
		now += r->wait[i].gap_ns;
		r->wait[i].arrival_ns = now;
		now += r->wait[i].wake_ns + 2000;
	}
}

static double hits(const struct report *r, int64_t max_ns)
{
	struct advice a;

	fixture_advise(r, &a);
	return fixture_point(&a, max_ns)->hit_share;
}

/* Each long one takes the spin from the rule, which then needs four short ones to have it again:
 * a short run between two long ones has none. The same waits shuffled have. */
static void test_waits__keep_their_order(void **state)
{
	struct report *r = fixture_report(WAITS, 20000, 20000);
	uint32_t i;

	for (i = 0; i < WAITS; i++)
		add(r, i % 4 ? 20000 : 900000, 20000);
	put_arrivals(r);
	assert_true(hits(r, 64000) < 0.01);
	r->n_waits = 0;
	for (i = 0; i < WAITS; i++)
		add(r, i % 400 < 300 ? 20000 : 900000, 20000);
	put_arrivals(r);
	assert_true(hits(r, 64000) > 0.7);
	report_free(r);
}

/* What is not this loop's is not looked at. */
static void test_waits__are_the_loops_own(void **state)
{
	struct report *r = fixture_report(WAITS, 20000, 20000);
	uint32_t i;

	for (i = 0; i < WAITS; i++)
		add(r, i % 2 ? 20000 : 900000, 20000)->tid += i % 2 ? 0 : 1;
	assert_true(hits(r, 64000) > 0.99);
	report_free(r);
}

/* The guest is back from its kick 30 us after the loop ran dry, and thinks for 10: a spin that
 * finds the work keeps the next one from that, and needs 16 us where it seemed to need 64. */
static void test_waits__a_kick_holds_up_the_next(void **state)
{
	struct report *r = fixture_report(WAITS, 40000, 20000);
	uint32_t i;

	for (i = 0; i < WAITS; i++)
		add(r, 40000, 20000 + some(100))->held_ns = 30000;
	put_arrivals(r);
	assert_true(hits(r, 64000) > 0.99);
	for (i = 0; i < WAITS; i++)
		r->wait[i].gap_ns = i % 1000 ? 40000 : 900000;
	put_arrivals(r);
	assert_true(hits(r, 64000) > 0.98);
	report_free(r);
}

/* In the queue 12 us before its kick is told: a spin of 32 us finds what seemed to take 40. */
static void test_waits__an_exit_is_no_wait(void **state)
{
	struct report *r = fixture_report(WAITS, 40000, 8000);
	uint32_t i;

	for (i = 0; i < WAITS; i++)
		add(r, 40000, 8000);
	assert_true(hits(r, 48000) < 0.01);
	for (i = 0; i < WAITS; i++)
		r->wait[i].exit_ns = 12000, r->wait[i].wake_ns = 2000;
	assert_true(hits(r, 48000) > 0.99);
	report_free(r);
}

static enum advice_arrivals arrivals(const struct report *r, struct advice *a)
{
	fixture_advise(r, a);
	return a->arrivals;
}

/* 10000 a second by a clock, at each of which the loop is asleep. Without the wakes a wait is
 * longer than it was: 98 us. */
static void test_waits__of_a_clock_are_open(void **state)
{
	struct report *r = fixture_report(WAITS, 60000, 40000);
	uint32_t wake_ns = 40000, i;
	struct advice a;

	for (i = 0; i < WAITS; i++) {
		uint32_t gap_ns = 100000 - wake_ns - 2000;

		wake_ns = 38000 + some(10000);
		add(r, gap_ns, wake_ns);
	}
	put_arrivals(r);
	assert_int_equal(arrivals(r, &a), ARRIVALS_OPEN);
	/* At 64 us the rule finds one, and then the next comes too late for it. */
	assert_true(fixture_point(&a, 128000)->hit_share < 0.3);
	assert_true(fixture_point(&a, 256000)->hit_share > 0.99);
	report_free(r);
}

/* As many requests again as there were waits came while it was woken: a spin meets them one by
 * one. */
static void test_waits__of_an_open_loop_hold_none_of_what_came_meanwhile(void **state)
{
	struct report *r = fixture_report(WAITS, 50000, 20000);
	struct advice a;
	double without, cpu;
	uint32_t i;

	for (i = 0; i < WAITS; i++)
		add(r, 10000 + some(80000), 20000);
	put_arrivals(r);
	r->queue[0].kicks_awake = WAITS / 2;
	r->queue[0].requests_evidence = EVIDENCE_EXACT;
	r->queue[0].requests = WAITS;
	without = hits(r, 96000);
	assert_in_range(without * 100, 20, 80);
	fixture_advise(r, &a);
	cpu = fixture_point(&a, 256000)->cpu;
	r->queue[0].requests = 2 * WAITS;
	assert_true(hits(r, 96000) > without + 0.05);
	/* It is as long at rest, whatever ends it. */
	fixture_advise(r, &a);
	assert_true(fixture_point(&a, 256000)->cpu > 0.95 * cpu);
	report_free(r);
}

/* One time in ten in the first half, never in the other. */
static void test_waits__are_not_alike_all_the_time(void **state)
{
	struct report *r = fixture_report(WAITS, 20000, 20000);
	struct advice a;
	uint32_t i;

	for (i = 0; i < WAITS; i++)
		add(r, i < WAITS / 2 && i % 10 == 0 ? 900000 : 20000, 20000);
	put_arrivals(r);
	fixture_advise(r, &a);
	assert_true(fixture_point(&a, 64000)->hit_share < 0.8);
	assert_true(fixture_point(&a, 64000)->hit_most > 0.98);
	for (i = 0; i < WAITS; i++)
		r->wait[i].gap_ns = i % 10 == 0 ? 900000 : 20000;
	fixture_advise(r, &a);
	assert_true(fixture_point(&a, 64000)->hit_most <
		    fixture_point(&a, 64000)->hit_share + 0.02);
	report_free(r);
}

static void test_waits__of_a_guest_that_thinks_are_closed(void **state)
{
	struct report *r = fixture_report(WAITS, 60000, 40000);
	struct advice a;
	uint32_t i;

	for (i = 0; i < WAITS; i++)
		add(r, 60000 + some(20000), 30000 + some(20000));
	put_arrivals(r);
	assert_int_equal(arrivals(r, &a), ARRIVALS_CLOSED);
	report_free(r);
}

/* Held by its own kick it thinks from then on, whenever the loop was done: no clock. */
static void test_waits__of_a_guest_that_is_held_are_closed(void **state)
{
	struct report *r = fixture_report(WAITS, 60000, 20000);
	uint32_t wake_ns = 20000, kick_ns = 50000, i;
	struct advice a;

	for (i = 0; i < WAITS; i++) {
		uint32_t held_ns = kick_ns - wake_ns - 2000;

		wake_ns = 10000 + some(20000);
		kick_ns = 40000 + some(10000);
		add(r, held_ns + 30000, wake_ns)->held_ns = held_ns;
	}
	put_arrivals(r);
	assert_int_equal(arrivals(r, &a), ARRIVALS_CLOSED);
	report_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits__keep_their_order),
		cmocka_unit_test(test_waits__are_the_loops_own),
		cmocka_unit_test(test_waits__a_kick_holds_up_the_next),
		cmocka_unit_test(test_waits__an_exit_is_no_wait),
		cmocka_unit_test(test_waits__of_a_clock_are_open),
		cmocka_unit_test(test_waits__of_an_open_loop_hold_none_of_what_came_meanwhile),
		cmocka_unit_test(test_waits__are_not_alike_all_the_time),
		cmocka_unit_test(test_waits__of_a_guest_that_thinks_are_closed),
		cmocka_unit_test(test_waits__of_a_guest_that_is_held_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
