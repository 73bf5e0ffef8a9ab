// SPDX-License-Identifier: BSD-2-Clause
/* The delay filter: nothing early, the laws by their effects, and drains that wait. */
#include "fixture.h"

#include <math.h>
#include <handoff/clock.h>

#define REQUESTS 200

struct delayed {
	struct hold *hold;
	struct BlockBackend *blk;
};

static void delayed_new(struct delayed *d, enum bdrv_delay_law law, int64_t mean_ns, uint64_t seed)
{
	struct BlockDriverState *filter;
	struct error err;

	hold_new(&d->hold, NULL);
	d->hold->pass = true;
	filter = bdrv_delay_new(d->hold->bs, law, mean_ns, seed, &err);
	assert_non_null(filter);
	d->blk = blk_new("disk0", filter, &err);
	assert_non_null(d->blk);
	bdrv_unref(filter);
	bdrv_unref(d->hold->bs);
}

struct timed {
	struct test_request t;
	int64_t start_ns, end_ns;
};

static void timed_end(struct test_request *t)
{
	container_of(t, struct timed, t)->end_ns = clock_ns();
}

static void run_all(struct delayed *d, struct timed *timed, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		request_init(&timed[i].t, i % 2 ? BLK_FLUSH : BLK_WRITE_ZEROES, 0, NULL,
			     i % 2 ? 0 : 512);
		timed[i].t.then = timed_end;
		timed[i].start_ns = clock_ns();
		blk_submit(d->blk, &timed[i].t.req);
	}
	for (i = 0; i < n; i++)
		assert_int_equal(request_wait(&timed[i].t), 0);
	assert_int_equal(d->hold->submitted, n);
}

/*
 * Under the fixed law no request, flushes included, takes less than the latency, and none
 * overtakes.
 */
static void test_delay__fixed_is_never_early(void **state)
{
	static struct timed timed[REQUESTS];
	struct delayed d;
	unsigned int i;

	delayed_new(&d, BDRV_DELAY_FIXED, 3 * NS_PER_MS, 0);
	run_all(&d, timed, REQUESTS);
	for (i = 0; i < REQUESTS; i++) {
		assert_true(timed[i].end_ns - timed[i].start_ns >= 3 * NS_PER_MS);
		assert_int_equal(timed[i].t.order, timed[0].t.order + i);
	}
	blk_unref(d.blk);
}

/* splitmix64 and inversion again, as the law and its seed are a promise. */
static int64_t expected_ns(uint64_t *random, int64_t mean_ns)
{
	uint64_t z = *random += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	z ^= z >> 31;
	return (int64_t)(-log(((z >> 11) + 1) * 0x1p-53) * mean_ns);
}

/*
 * Under the exponential law each request takes at least what its seed says, the latencies have
 * their mean and spread, and requests overtake each other just as their latencies say.
 */
static void test_delay__exponential_follows_seed(void **state)
{
	static struct timed timed[REQUESTS];
	const int64_t mean_ns = 20 * NS_PER_MS;
	int64_t sum_ns = 0, ns[REQUESTS], due_i, due_j;
	uint64_t random = 42;
	struct delayed d;
	unsigned int i, j, overtakes = 0;

	delayed_new(&d, BDRV_DELAY_EXPONENTIAL, mean_ns, random);
	run_all(&d, timed, REQUESTS);
	for (i = 0; i < REQUESTS; i++) {
		ns[i] = expected_ns(&random, mean_ns);
		sum_ns += ns[i];
		assert_true(timed[i].end_ns - timed[i].start_ns >= ns[i]);
	}
	assert_true(llabs(sum_ns / REQUESTS - mean_ns) < mean_ns / 5);
	for (i = 0; i < REQUESTS; i++) {
		for (j = i + 1; j < REQUESTS; j++) {
			/*
			 * i is armed before j starts, so it is due before; if j is due earlier, it
			 * is first
			 */
			due_i = timed[i].start_ns + ns[i];
			due_j = (j + 1 < REQUESTS ? timed[j + 1].start_ns : timed[j].end_ns) +
				ns[j];
			if (due_j >= due_i || j + 1 == REQUESTS)
				continue;
			assert_true(timed[j].t.order < timed[i].t.order);
			overtakes++;
		}
	}
	assert_true(overtakes > REQUESTS);
	blk_unref(d.blk);
}

/* A drain waits until the delayed have gone down and come back; none is let through early. */
static void test_delay__drain_waits(void **state)
{
	struct timed timed;
	struct delayed d;

	delayed_new(&d, BDRV_DELAY_FIXED, 20 * NS_PER_MS, 0);
	request_init(&timed.t, BLK_FLUSH, 0, NULL, 0);
	timed.t.then = timed_end;
	timed.start_ns = clock_ns();
	blk_submit(d.blk, &timed.t.req);
	/* From below: the filter and its timers are above the node that is drained. */
	bdrv_drained_begin(d.hold->bs);
	assert_int_equal(timed.t.completions, 1);
	assert_int_equal(d.hold->submitted, 1);
	assert_true(timed.end_ns - timed.start_ns >= 20 * NS_PER_MS);
	bdrv_drained_end(d.hold->bs);
	blk_unref(d.blk);
}

/*
 * It shows the child's length, alignment and protection, and refuses latencies that make no
 * sense.
 */
static void test_delay__is_transparent(void **state)
{
	struct BlockDriverState *filter, *bs;
	struct error err;
	struct hold *hold;

	bs = hold_new(&hold, NULL);
	bs->read_only = true;
	bs->request_alignment = 4096;
	filter = bdrv_delay_new(bs, BDRV_DELAY_FIXED, BDRV_DELAY_MAX_NS, 0, &err);
	assert_non_null(filter);
	assert_int_equal(bdrv_getlength(filter), HOLD_BYTES);
	assert_true(bdrv_is_read_only(filter));
	assert_int_equal(filter->request_alignment, 4096);
	bdrv_unref(filter);
	assert_null(bdrv_delay_new(bs, BDRV_DELAY_FIXED, 0, 0, &err));
	assert_null(bdrv_delay_new(bs, BDRV_DELAY_FIXED, -1, 0, &err));
	assert_null(bdrv_delay_new(bs, BDRV_DELAY_FIXED, BDRV_DELAY_MAX_NS + 1, 0, &err));
	bdrv_unref(bs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delay__fixed_is_never_early),
		cmocka_unit_test(test_delay__exponential_follows_seed),
		cmocka_unit_test(test_delay__drain_waits),
		cmocka_unit_test(test_delay__is_transparent),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
