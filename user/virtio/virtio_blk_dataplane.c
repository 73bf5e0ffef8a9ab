// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who serves a virtio-blk: start and stop of its dataplane, drained sections, hand-over between
 * loops. The rules and the bugs behind them: semantics.md 3.3, 3.4 and 9. All in the main context
 * (a vCPU thread under the BQL included).
 *
 *   start   eventfds to KVM in one transaction | backend moves | started | handlers attached,
 * self-kick stop    handlers off, in their home | eventfds back, commit, closed | not started |
 * drained | moves
 *
 * Whoever takes a queue from its loop for good makes that loop come through a bottom half first:
 * afterwards no handler of ours is running there, and none will.
 */
#include "virtio_blk.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <handoff/aio.h>
#include <handoff/clock.h>
#include <handoff/iothread.h>
#include <handoff/main_loop.h>
#include <handoff/probes.h>
#include <handoff/stats.h>

static struct AioContext *context_of(struct IOThread *iothread)
{
	return iothread ? iothread_get_aio_context(iothread) : main_loop_aio_context_any();
}

/* The context that serves now: all queues share one. */
static struct AioContext *serving_context(const struct VirtIOBlock *s)
{
	return s->vdev.vq[0].ctx;
}

static void attach(struct VirtIOBlock *s)
{
	unsigned int i;

	if (!s->started || atomic_load(&s->held) || blk_in_drain(s->blk))
		return;
	for (i = 0; i < s->vdev.n_queues; i++)
		virtio_queue_aio_attach_host_notifier(&s->vdev.vq[i], serving_context(s));
}

static void detach(struct VirtIOBlock *s)
{
	unsigned int i;

	for (i = 0; i < s->vdev.n_queues; i++)
		virtio_queue_aio_detach_host_notifier(&s->vdev.vq[i], serving_context(s));
}

/* In the serving context's home: nothing of ours runs there afterwards by itself. */
static void settle_bh(void *opaque)
{
	struct VirtIOBlock *s = opaque;
	unsigned int i;

	for (i = 0; i < s->vdev.n_queues; i++)
		virtio_queue_settle(&s->vdev.vq[i]);
}

static void detach_bh(void *opaque)
{
	detach(opaque);
	settle_bh(opaque);
}

bool virtio_blk_may_serve(struct VirtIODevice *vdev)
{
	struct VirtIOBlock *s = virtio_blk_of(vdev);

	return !blk_in_drain(s->blk) && !atomic_load_explicit(&s->held, memory_order_relaxed);
}

/*
 * Backend and queues to ctx together, drained. On failure both stay where they are. Waiting runs
 * the main context, where anything may happen, a reset and another move included: so all that is
 * decided here is decided after the last wait, or is right in any case.
 */
static int move_to(struct VirtIOBlock *s, struct AioContext *ctx, struct error *err)
{
	struct QEMUBH *bh[VIRTIO_MAX_QUEUES];
	int ret = virtio_queues_prepare_context(&s->vdev, ctx, bh, err);

	if (ret)
		return ret;
	blk_drained_begin(s->blk);
	aio_wait_bh_oneshot(serving_context(s), settle_bh, s);
	ret = blk_set_aio_context(s->blk, ctx, err);
	if (ret)
		virtio_queues_forget_context(&s->vdev, bh);
	else
		virtio_queues_enter_context(&s->vdev, ctx, bh);
	blk_drained_end(s->blk);
	return ret;
}

/* --- start and stop
 * --------------------------------------------------------------------------------- */

FRAME int virtio_blk_data_plane_start(struct VirtIODevice *vdev)
{
	struct VirtIOBlock *s = virtio_blk_of(vdev);
	struct error err;
	int ret;

	if (s->started || s->starting)
		return 0;
	s->starting = true;
	ret = virtio_bus_assign_host_notifiers(vdev->bus, &err);
	if (ret) {
		/* Said at a rate: the guest starts and stops as often as it likes. */
		log_limited(&s->vdev.complaints, LOG_WARN, "%s: %s. Fallback to userspace (slower)",
			    s->name, err.msg);
		s->starting = false;
		return ret;
	}
	/* Not started yet: the drained section in here must not attach. */
	if (move_to(s, context_of(s->iothread), &err))
		log_limited(&s->vdev.complaints, LOG_WARN,
			    "%s: %s; it is served by the loop it is in", s->name, err.msg);
	s->starting = false;
	s->started = true;
	attach(s);
	return 0;
}

void virtio_blk_data_plane_stop(struct VirtIODevice *vdev)
{
	struct VirtIOBlock *s = virtio_blk_of(vdev);
	struct error err;

	if (!s->started)
		return;
	/* In its home, or a handler entered already could run after this. */
	aio_wait_bh_oneshot(serving_context(s), detach_bh, s);
	if (!s->started)
		return;
	s->started = false;
	virtio_bus_unassign_host_notifiers(vdev->bus);
	/* What completes from here on still pushes and notifies, from where it is. */
	if (move_to(s, main_loop_aio_context_any(), &err))
		log_limited(&s->vdev.complaints, LOG_WARN, "%s: %s; it stays in its loop", s->name,
			    err.msg);
}

void virtio_blk_drain(struct VirtIODevice *vdev)
{
	struct VirtIOBlock *s = virtio_blk_of(vdev);

	/* Nobody serves any more first: what is submitted while drained waits for its end. */
	aio_wait_bh_oneshot(serving_context(s), settle_bh, s);
	blk_drained_begin(s->blk);
	/*
	 * A later step of a request, or all of it if another drained section is around this one:
	 * after the reset it must touch neither the guest's memory nor the disk.
	 */
	blk_cancel_queued(s->blk);
	/* Once more: what ended meanwhile may have scheduled a bottom half, in a loop we cannot
	 * leave. */
	aio_wait_bh_oneshot(serving_context(s), settle_bh, s);
	blk_drained_end(s->blk);
}

/* --- drained sections (semantics.md 3.3, 4.4)
 * ------------------------------------------------------- */

static void quiesced_bh(void *opaque)
{
	struct VirtIOBlock *s = opaque;

	atomic_fetch_sub(&s->quiescing, 1);
	aio_wait_kick();
}

/* Must not wait, so drained_poll does: a handler may be in the middle of its work. */
static void virtio_blk_drained_begin(void *opaque)
{
	struct VirtIOBlock *s = opaque;
	struct AioContext *ctx = serving_context(s);

	if (s->started)
		detach(s);
	if (aio_in_home_thread_any(ctx))
		return;
	atomic_fetch_add(&s->quiescing, 1);
	aio_bh_schedule_oneshot(ctx, quiesced_bh, s, "virtio-blk-quiesce");
}

static bool virtio_blk_drained_poll(void *opaque)
{
	struct VirtIOBlock *s = opaque;

	return atomic_load(&s->quiescing);
}

static void virtio_blk_drained_end(void *opaque)
{
	struct VirtIOBlock *s = opaque;

	if (s->started)
		attach(s);
	else if (!s->starting)
		virtio_queues_look(&s->vdev);
}

const struct BlockDevOps virtio_blk_dev_ops = {
	.drained_begin = virtio_blk_drained_begin,
	.drained_end = virtio_blk_drained_end,
	.drained_poll = virtio_blk_drained_poll,
};

/* --- live
 * ------------------------------------------------------------------------------------------- */

static void record_handover(struct VirtIOBlock *s, struct AioContext *from, struct AioContext *to,
			    int64_t start_ns)
{
	struct stats_handover record = {
		.t_ns = start_ns,
		.duration_ns = clock_ns() - start_ns,
		.from = stats_loop_index(s->stats, aio_context_stats(from)),
		.to = stats_loop_index(s->stats, aio_context_stats(to)),
	};

	memcpy(record.device, s->name, strnlen(s->name, sizeof(record.device) - 1));
	stats_handover_add(s->stats, &record);
}

int virtio_blk_set_iothread(struct VirtIOBlock *s, struct IOThread *iothread, struct error *err)
{
	struct AioContext *from = serving_context(s), *to = context_of(iothread);
	int64_t start_ns = clock_ns();
	int ret;

	if (s->moving)
		return error_set(err, -EBUSY, "%s: it is being handed over already", s->name);
	if (!s->started || from == to) {
		s->iothread = iothread;
		return 0;
	}
	s->moving = true;
	HANDOFF_PROBE3(handover_begin, s->name, aio_context_stats(from)->tid,
		       aio_context_stats(to)->tid);
	ret = move_to(s, to, err);
	HANDOFF_PROBE3(handover_end, s->name, aio_context_stats(from)->tid,
		       aio_context_stats(to)->tid);
	s->moving = false;
	if (ret)
		return ret;
	s->iothread = iothread;
	record_handover(s, from, to, start_ns);
	return 0;
}

struct IOThread *virtio_blk_get_iothread(const struct VirtIOBlock *s)
{
	return s->iothread;
}

bool virtio_blk_started(const struct VirtIOBlock *s)
{
	return s->started;
}

bool virtio_blk_kick_waits(const struct VirtIOBlock *s, unsigned int queue)
{
	struct pollfd kick = { .events = POLLIN };

	if (!s->started || queue >= s->vdev.n_queues)
		return false;
	kick.fd = s->vdev.vq[queue].host_notifier.fd;
	return poll(&kick, 1, 0) == 1 && kick.revents == POLLIN;
}

void virtio_blk_hold_handlers(struct VirtIOBlock *s, bool hold)
{
	atomic_store(&s->held, hold);
	if (hold)
		aio_wait_bh_oneshot(serving_context(s), s->started ? detach_bh : settle_bh, s);
	else if (s->started)
		attach(s);
	else
		virtio_queues_look(&s->vdev);
}
