// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a sleep costs this loop and when the work came that ended it, for the policies that live by
 * it (poll_cost.h has the theory). Nothing here runs for the others.
 *
 *   waker, any thread                    home
 *     stamp = now, if there is none        stamp = 0
 *     write eventfd                        sleep
 *                                          woken by nothing but that eventfd: L = now - stamp
 *
 * A stamp costs a clock reading beside the write to the eventfd that it goes with, and nothing
 * where the loop is awake. Kicks of a guest leave none: KVM signals their eventfds inside the
 * kernel. So that there are samples all the same, a loop is woken for nothing sixteen times when
 * such a policy is chosen, and once a second from then on, by the main loop; each looks like a kick
 * to the scheduler, and costs a sleep.
 *
 * A loop that spins is hardly ever asleep then, and would go on by what sleeps cost when the VM was
 * being started. So it takes a nap now and then, some waits without a spin: what those are longer
 * by than others, on the mean, is what this guest's kicks take. One sleep does not tell: a CPU that
 * has not slept for long takes two or three times as long to wake (30 us for 15), since hosts spin
 * for a while before they put a CPU to sleep whose sleeps were short.
 */
#include "context.h"

#include <time.h>
#include <sys/resource.h>
#include <handoff/clock.h>
#include <handoff/main_loop.h>
#include <handoff/stats.h>

#define PROBES	       16
#define PROBE_PAUSE_NS (50 * NS_PER_US) /* it is asleep by then, not just about to be */
#define PROBE_EVERY_NS NS_PER_S
/* Waits of a nap, and those of them that count. A nap costs 0.5 ms at most: 1 % of the time where
 * the last one was a surprise, and 0.05 % otherwise. */
#define NAP_WAITS      32
#define NAP_COUNTED    24
/* Means are of so many of late, since waits may be of any length, at random: a nap is wrong by a
 * fifth of their mean. */
#define MEAN_WAITS     64
#define MEAN_NAPS      4
#define NAP_EVERY_NS   NS_PER_S
/* Shorter waits were none: what ended them was on its way. */
#define WAIT_MIN_NS    NS_PER_US
/* Two readings of a thread's CPU clock are two system calls, 0.8 us: so seldom, once there are
 * samples enough. */
#define TIMED_EVERY_NS (2 * NS_PER_MS)

static _Atomic int64_t kick_exit_ns;

static int64_t thread_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* --- home ------------------------------------------------------------------------------------- */

void aio_cost_publish(struct AioContext *ctx)
{
	struct poll_params *p = &ctx->poll_params;

	ctx->cost.kick_exit_ns = atomic_load_explicit(&kick_exit_ns, memory_order_relaxed);
	p->block_cost_ns = ctx->measuring ? poll_cost_sleep_ns(&ctx->cost, p->latency_percent) : 0;
	p->wake_ns = ctx->measuring ? poll_cost_late_ns(&ctx->cost) : 0;
	stats_set(&ctx->stats->poll_block_cost_ns, p->block_cost_ns);
	stats_set(&ctx->stats->poll_wake_ns, p->wake_ns);
}

/* While spins are due those sleeps are like any other's that are naps: the rest comes after a spin
 * in vain, or a preemption, when something else wanted the CPUs. */
static bool sleep_is_timed(const struct AioContext *ctx, const struct aio_turn *turn)
{
	if (ctx->cost.block.n < POLL_COST_SAMPLES)
		return true;
	if (turn->nap)
		return ctx->nap < NAP_COUNTED;
	return !ctx->poll.poll_ns && turn->now_ns - ctx->sleep_timed_ns >= TIMED_EVERY_NS;
}

void aio_cost_sleep_begin(struct AioContext *ctx, const struct aio_turn *turn)
{
	/* One that was left while we were awake says nothing about this sleep. */
	if (atomic_load_explicit(&ctx->stamp_ns, memory_order_relaxed))
		atomic_store_explicit(&ctx->stamp_ns, 0, memory_order_relaxed);
	ctx->sleep_cpu_ns = -1;
	if (turn->nap)
		ctx->nap--;
	if (sleep_is_timed(ctx, turn)) {
		ctx->sleep_timed_ns = turn->now_ns;
		ctx->sleep_cpu_ns = thread_cpu_ns();
	}
}

static bool only_notified(const struct AioContext *ctx)
{
	return list_linked(&ctx->notifier_node->node_ready) && ctx->ready.next == ctx->ready.prev &&
	       list_empty(&ctx->cqe_done);
}

void aio_cost_sleep_end(struct AioContext *ctx, struct aio_turn *turn, int64_t begin_ns)
{
	int64_t stamp_ns = atomic_load_explicit(&ctx->stamp_ns, memory_order_relaxed);
	bool stamped = stamp_ns >= begin_ns && stamp_ns <= turn->now_ns && only_notified(ctx);

	if (stamped) {
		poll_samples_add(&ctx->cost.wake, turn->now_ns - stamp_ns);
		turn->arrival_ns = stamp_ns - turn->start_ns;
	}
	if (ctx->sleep_cpu_ns >= 0)
		poll_samples_add(&ctx->cost.block, thread_cpu_ns() - ctx->sleep_cpu_ns);
	if (stamped || ctx->sleep_cpu_ns >= 0)
		aio_cost_publish(ctx);
	if (stamped)
		atomic_store_explicit(&ctx->cost_known, true, memory_order_relaxed);
}

/* A wait that began with a spin; longer than that, when the work came is deduced. */
static void spin_waited(struct AioContext *ctx, const struct poll_wait *wait, int64_t now_ns)
{
	int64_t ns = wait->block_ns;

	if (wait->slept)
		ns = MAX(ns - ctx->poll_params.wake_ns, wait->spun_ns);
	if (ns < WAIT_MIN_NS)
		return;
	ctx->wait_ns += (ns - ctx->wait_ns) / MEAN_WAITS;
	if (ctx->nap || now_ns < ctx->nap_due_ns || ctx->poll.poll_ns <= ctx->wait_ns)
		return;
	ctx->nap = NAP_WAITS;
	ctx->nap_due_ns = now_ns + ctx->nap_pause_ns;
	ctx->nap_sum_ns = 0;
	ctx->nap_counted = 0;
}

/* It replaces all samples: they are from before. */
static void nap_ended(struct AioContext *ctx, int64_t now_ns)
{
	int64_t before_ns = ctx->poll_params.block_cost_ns, wake_ns, off_ns;
	int i;

	wake_ns = ctx->nap_sum_ns / ctx->nap_counted - ctx->wait_ns - ctx->cost.kick_exit_ns;
	ctx->naps += ctx->naps < MEAN_NAPS;
	ctx->nap_wake_ns += (wake_ns - ctx->nap_wake_ns) / (int64_t)ctx->naps;
	for (i = 0; i < POLL_COST_SAMPLES; i++)
		poll_samples_add(&ctx->cost.wake, ctx->nap_wake_ns);
	aio_cost_publish(ctx);
	off_ns = ctx->poll_params.block_cost_ns - before_ns;
	if ((off_ns < 0 ? -off_ns : off_ns) > before_ns / 8)
		ctx->nap_pause_ns = AIO_NAP_SOON_NS;
	else
		ctx->nap_pause_ns = MIN(2 * ctx->nap_pause_ns, NAP_EVERY_NS);
	ctx->nap_due_ns = now_ns + ctx->nap_pause_ns;
}

void aio_cost_waited(struct AioContext *ctx, const struct poll_wait *wait, int64_t now_ns)
{
	if (!wait->nap) {
		if (!wait->slept || wait->spun_ns)
			spin_waited(ctx, wait, now_ns);
		return;
	}
	/* A wait that something held up is no measure. */
	if (wait->arrival_ns < 0 && ctx->nap < NAP_COUNTED) {
		ctx->nap_sum_ns +=
			MIN(wait->block_ns, 4 * (ctx->wait_ns + ctx->poll_params.wake_ns));
		ctx->nap_counted++;
	}
	if (!ctx->nap && ctx->nap_counted)
		nap_ended(ctx, now_ns);
}

bool aio_cost_preempted(struct AioContext *ctx)
{
	struct rusage usage;
	long before = ctx->preemptions;

	if (getrusage(RUSAGE_THREAD, &usage) < 0)
		return false;
	ctx->preemptions = usage.ru_nivcsw;
	return usage.ru_nivcsw != before;
}

/* --- any thread ------------------------------------------------------------------------------- */

/* Async-signal-safe. The first of several wakers is the one that woke it. */
void aio_cost_stamp(struct AioContext *ctx)
{
	int64_t none = 0;

	atomic_compare_exchange_strong(&ctx->stamp_ns, &none, clock_ns());
}

void aio_set_kick_exit_ns_any(int64_t ns)
{
	atomic_store(&kick_exit_ns, ns);
}

int64_t aio_get_kick_exit_ns_any(void)
{
	return atomic_load(&kick_exit_ns);
}

void aio_cost_measure(struct AioContext *ctx)
{
	struct timespec pause = clock_timespec(PROBE_PAUSE_NS);
	int i;

	for (i = 0; i < PROBES; i++) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		if (atomic_load(&ctx->notify_me))
			aio_notify(ctx);
	}
}

/* --- main context ----------------------------------------------------------------------------- */

static void probe(void *opaque)
{
	struct AioContext *ctx = opaque;

	if (!atomic_load(&ctx->stamps_wanted))
		return;
	if (atomic_load(&ctx->notify_me))
		aio_notify(ctx);
	aio_timer_mod_any(&ctx->probe_timer, clock_ns() + PROBE_EVERY_NS);
}

void aio_cost_probe_start(struct AioContext *ctx)
{
	struct AioContext *main_ctx = main_loop_aio_context_any();

	if (main_ctx)
		aio_timer_init(main_ctx, &ctx->probe_timer, probe, ctx);
	aio_cost_probe_arm(ctx);
}

void aio_cost_probe_arm(struct AioContext *ctx)
{
	if (!atomic_load(&ctx->stamps_wanted))
		return;
	if (!atomic_load(&ctx->cost_known))
		aio_cost_measure(ctx);
	if (ctx->probe_timer.ctx)
		aio_timer_mod_any(&ctx->probe_timer, clock_ns() + PROBE_EVERY_NS);
}

void aio_cost_probe_stop(struct AioContext *ctx)
{
	if (ctx->probe_timer.ctx)
		aio_timer_del(&ctx->probe_timer);
}
