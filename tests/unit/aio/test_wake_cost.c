// SPDX-License-Identifier: BSD-2-Clause
/* What a loop measures of its sleeps for a policy that lives by it. White-box. */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <handoff/clock.h>
#include <handoff/iothread.h>
#include "../../../user/aio/context.h"

#define MAX_NS NS_PER_MS

static void nothing(void *opaque)
{
}

struct waker {
	struct AioContext *ctx;
	void (*wake)(struct waker *w);
	struct EventNotifier *e;
};

static void wake_by_notify(struct waker *w)
{
	aio_notify(w->ctx);
}

static void wake_by_bh(struct waker *w)
{
	aio_bh_schedule_oneshot(w->ctx, nothing, NULL, "test");
}

static void wake_by_kick(struct waker *w)
{
	event_notifier_set(w->e);
}

static void *waker_thread(void *opaque)
{
	struct waker *w = opaque;
	int i;

	while (!atomic_load(&w->ctx->notify_me))
		;
	for (i = 0; i < 100; i++)
		sched_yield(); /* most likely it is asleep by then */
	w->wake(w);
	return NULL;
}

/* A turn that sleeps until another thread wakes it. */
static bool sleep_once(struct AioContext *ctx, void (*wake)(struct waker *w),
		       struct EventNotifier *e)
{
	struct waker w = { .ctx = ctx, .wake = wake, .e = e };
	pthread_t thread;
	bool progress;

	if (!ctx->nap)
		ctx->poll.poll_ns = 0;
	assert_int_equal(pthread_create(&thread, NULL, waker_thread, &w), 0);
	progress = aio_poll(ctx, true);
	pthread_join(thread, NULL);
	return progress;
}

/* A wake by one of ours is a sample, of the latency and of the CPU time, and the cost of a sleep is
 * in force and in the row from then on. */
static void test_wake_cost__is_measured(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);

	loop_set_poll(ctx, MAX_NS, "break-even");
	assert_int_equal(row->poll_block_cost_ns, 0);
	/* Now and then the thread wakes it a moment before it sleeps. */
	while (!ctx->cost.wake.n)
		sleep_once(ctx, wake_by_notify, NULL);
	assert_true(ctx->cost.block.n > 0);
	assert_true(ctx->poll_params.wake_ns > 0);
	assert_int_equal(ctx->poll_params.block_cost_ns, poll_cost_sleep_ns(&ctx->cost, 100));
	assert_true(ctx->poll_params.block_cost_ns > ctx->poll_params.wake_ns);
	assert_int_equal(row->poll_block_cost_ns, ctx->poll_params.block_cost_ns);
	assert_int_equal(row->poll_wake_ns, ctx->poll_params.wake_ns);
	/* What a kick costs a vCPU is part of it as soon as it is known. */
	aio_set_kick_exit_ns_any(NS_PER_S);
	loop_set_poll(ctx, MAX_NS, "break-even");
	assert_true(row->poll_block_cost_ns > (uint64_t)NS_PER_S);
	aio_set_kick_exit_ns_any(0);
	/* It outlives a change of the policy, and nobody shows it then. */
	loop_set_poll(ctx, MAX_NS, "qemu");
	assert_int_equal(row->poll_block_cost_ns, 0);
	assert_int_equal(row->poll_wake_ns, 0);
	loop_set_poll(ctx, MAX_NS, "break-even");
	assert_true(row->poll_block_cost_ns > 0);
}

/* A policy that does not ask, or a loop that may not spin, leaves no stamp and takes no sample. */
static void test_wake_cost__is_not_measured_for_others(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	int i;

	loop_set_poll(ctx, MAX_NS, "qemu-weighted");
	for (i = 0; i < 3; i++)
		sleep_once(ctx, wake_by_notify, NULL);
	loop_set_poll(ctx, 0, "break-even");
	for (i = 0; i < 3; i++)
		sleep_once(ctx, wake_by_notify, NULL);
	assert_int_equal(atomic_load(&ctx->stamp_ns), 0);
	assert_int_equal(ctx->cost.wake.n, 0);
	assert_int_equal(ctx->cost.block.n, 0);
}

/* What the policy is told. */
static struct poll_wait told;
static unsigned int times_told;

static void remember_wait(struct poll_state *state, const struct poll_params *params,
			  const struct poll_wait *wait)
{
	told = *wait;
	times_told++;
}

static const struct poll_policy listener = {
	.name = "listener",
	.measured = true,
	.loop_waited = remember_wait,
};

/* Work that one of ours brought came when its stamp says; of a kick, which is KVM's, the policy is
 * told that nobody saw it come. A wake without work teaches nothing. */
static void test_wake_cost__arrivals_are_stamped_or_unknown(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);
	struct counted_notifier n;
	unsigned int before;
	uint32_t stamped;
	uint64_t blocks;
	bool progress;
	int reads;

	counted_init(&n, ctx);
	counted_attach_polled(&n);
	loop_set_poll(ctx, MAX_NS, "break-even");
	ctx->policy = &listener;
	/* Until it was asleep, and woken by that alone; so below. */
	do {
		before = times_told;
		sleep_once(ctx, wake_by_notify, NULL);
	} while (!ctx->cost.wake.n);
	assert_int_equal(times_told, before);
	do {
		loop_drain(ctx);
		stamped = ctx->cost.wake.n;
		progress = sleep_once(ctx, wake_by_bh, NULL);
	} while (!progress || ctx->cost.wake.n == stamped);
	assert_true(told.slept && told.arrival_ns >= 0 && told.arrival_ns <= told.block_ns);
	do {
		loop_drain(ctx);
		blocks = row->blocks;
		reads = n.reads;
		stamped = ctx->cost.wake.n;
		sleep_once(ctx, wake_by_kick, &n.e);
	} while (row->blocks == blocks || n.reads == reads);
	assert_true(told.slept && told.arrival_ns == -1);
	assert_int_equal(ctx->cost.wake.n, stamped);
	counted_release(&n);
}

/* A kick whose work was found long before: it wakes, and there is nothing to do. */
static void read_in_vain(struct EventNotifier *e)
{
	struct counted_notifier *n = (struct counted_notifier *)e;

	event_notifier_test_and_clear(e);
	n->reads++;
	aio_count_spurious_wake(n->ctx);
}

/* A wake for nothing ends no wait: the policy is told of the whole, and what was spun of it is not
 * spun again. QEMU's rules are told of both, as in QEMU. */
static void test_wake_cost__wake_in_vain_ends_no_wait(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n, idle;
	int64_t begin_ns, vain_ns;
	unsigned int before;

	counted_init(&n, ctx);
	counted_attach_polled(&n);
	counted_init(&idle, ctx);
	aio_set_event_notifier(ctx, &idle.e, read_in_vain, NULL, NULL);
	loop_set_poll(ctx, MAX_NS, "break-even");
	ctx->policy = &listener;
	loop_drain(ctx);
	before = times_told;
	event_notifier_set(&idle.e);
	while (!idle.reads)
		aio_poll(ctx, true);
	assert_int_equal(times_told, before);
	begin_ns = ctx->wait_start_ns;
	assert_true(begin_ns > 0);
	vain_ns = clock_ns();
	sleep_once(ctx, wake_by_kick, &n.e);
	while (!n.reads)
		sleep_once(ctx, wake_by_kick, &n.e);
	assert_int_equal(times_told, before + 1);
	assert_in_range(told.block_ns, vain_ns - begin_ns, clock_ns() - begin_ns);
	assert_in_range(told.spun_ns, vain_ns - begin_ns, told.block_ns);
	assert_int_equal(ctx->wait_start_ns, 0);
	ctx->measuring = false;
	before = times_told;
	event_notifier_set(&idle.e);
	while (idle.reads < 2)
		aio_poll(ctx, true);
	assert_int_equal(times_told, before + 1);
	counted_release(&n);
	counted_release(&idle);
}

/* Waits that a spin ended, one after another at *now_ns, lengths in turn. */
static void spins_hit(struct AioContext *ctx, int64_t *now_ns, int64_t a_ns, int64_t b_ns)
{
	struct poll_wait wait = { .arrival_ns = -1 };
	int i;

	for (i = 0; i < 1000 && !ctx->nap; i++) {
		wait.block_ns = i % 2 ? a_ns : b_ns;
		*now_ns += wait.block_ns;
		aio_cost_waited(ctx, &wait, *now_ns);
	}
}

/* A whole nap, whose waits take so long. */
static void take_nap(struct AioContext *ctx, int64_t now_ns, int64_t block_ns)
{
	struct poll_wait wait = {
		.block_ns = block_ns, .arrival_ns = -1, .slept = true, .nap = true
	};

	while (ctx->nap) {
		ctx->nap--;
		aio_cost_waited(ctx, &wait, now_ns);
	}
}

/* A loop whose spins are long enough for most waits sleeps now and then: what those waits are
 * longer by is what a wake takes. It is done seldom where it is no surprise. */
static void test_wake_cost__naps(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	int64_t now_ns = clock_ns(), first_ns = now_ns;

	loop_set_poll(ctx, MAX_NS, "break-even");
	ctx->poll.poll_ns = 64000;
	poll_samples_add(&ctx->cost.block, 3000);
	spins_hit(ctx, &now_ns, 20000, 22000);
	assert_int_equal(ctx->nap, 0);
	while (!ctx->nap)
		spins_hit(ctx, &now_ns, 20000, 22000);
	assert_in_range(now_ns - first_ns, AIO_NAP_SOON_NS / 2, 2 * AIO_NAP_SOON_NS);
	take_nap(ctx, now_ns, 36000);
	assert_in_range(ctx->cost.wake.median_ns, 14500, 15500);
	assert_int_equal(ctx->poll_params.block_cost_ns, ctx->cost.wake.median_ns + 3000);
	/* One more soon, since that was news; then it is known. */
	first_ns = now_ns;
	spins_hit(ctx, &now_ns, 20000, 22000);
	assert_int_equal(ctx->nap, 0);
	while (!ctx->nap)
		spins_hit(ctx, &now_ns, 20000, 22000);
	assert_in_range(now_ns - first_ns, AIO_NAP_SOON_NS, AIO_NAP_SOON_NS + 30000);
	take_nap(ctx, now_ns, 36000);
	assert_int_equal(ctx->nap_pause_ns, 2 * AIO_NAP_SOON_NS);
	/* A spin shorter than most waits: it is sleeping anyway. */
	now_ns += NS_PER_S;
	ctx->poll.poll_ns = 10000;
	spins_hit(ctx, &now_ns, 20000, 22000);
	assert_int_equal(ctx->nap, 0);
}

/* In a nap there is no spin though one is due, and a sleep is what it is counted by. */
static void test_wake_cost__nap_is_a_sleep(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);
	struct counted_notifier n;
	uint64_t polls, blocks;
	int reads;

	counted_init(&n, ctx);
	counted_attach_polled(&n);
	loop_set_poll(ctx, MAX_NS, "break-even");
	ctx->policy = &listener;
	loop_drain(ctx);
	do {
		reads = n.reads;
		ctx->nap = 1;
		ctx->poll.poll_ns = MAX_NS;
		polls = row->polls;
		blocks = row->blocks;
		sleep_once(ctx, wake_by_kick, &n.e);
		/* It is polled once it has fired; and see above. */
	} while (ctx->nap || row->blocks == blocks || n.reads == reads);
	assert_int_equal(row->polls, polls);
	assert_true(told.slept && told.nap);
	counted_release(&n);
}

/* Choosing the policy has a running loop measured. */
static void test_wake_cost__of_an_iothread(void **state)
{
	struct stats_loop row = { 0 };
	struct iothread_config config = {
		.id = "io0",
		.poll = { .policy = "break-even", .poll_max_ns = MAX_NS },
		.aio.stats = &row,
		.cpu = -1,
	};
	struct IOThread *t = iothread_new(&config, NULL);
	struct AioContext *ctx = iothread_get_aio_context(t);

	/* On a machine with other things to do its sixteen wakes may all find it awake. */
	while (!__atomic_load_n(&row.poll_block_cost_ns, __ATOMIC_RELAXED))
		assert_int_equal(aio_context_set_poll_params(ctx, &config.poll, NULL), 0);
	iothread_free(t);
	assert_true(row.poll_wake_ns > 0);
	assert_true(row.poll_block_cost_ns > row.poll_wake_ns);
	assert_true(row.blocks > 0);
}

int main(void)
{
	static const struct loop_test tests[] = {
		LOOP_TEST(test_wake_cost__is_measured),
		LOOP_TEST(test_wake_cost__is_not_measured_for_others),
		LOOP_TEST(test_wake_cost__arrivals_are_stamped_or_unknown),
		LOOP_TEST(test_wake_cost__wake_in_vain_ends_no_wait),
		LOOP_TEST(test_wake_cost__naps),
		LOOP_TEST(test_wake_cost__nap_is_a_sleep),
		LOOP_TEST_ON(test_wake_cost__of_an_iothread, AIO_FDMON_POLL),
	};

	return loop_tests_run("wake_cost", tests, sizeof(tests) / sizeof(tests[0]));
}
