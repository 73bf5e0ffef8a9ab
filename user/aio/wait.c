// SPDX-License-Identifier: BSD-2-Clause
/*
 * Waiting in the main context for what other loops do. The waiter runs the main context; whoever
 * changes what it waits for kicks it by a bottom half that does nothing. The count of waiters is
 * one for the process, as the main context is.
 */
#include "context.h"

#include <handoff/main_loop.h>

static _Atomic unsigned int waiters;

static void nothing(void *opaque)
{
}

struct QEMUBH *aio_wait_bh_new(struct AioContext *main_context)
{
	return aio_bh_new(main_context, nothing, NULL, "aio-wait-kick");
}

void aio_wait_begin(void)
{
	if (!aio_current_context_any())
		aio_bug("a wait outside of any loop");
	/* Full barrier: raised before the condition is read. Pairs with aio_wait_kick(). */
	atomic_fetch_add(&waiters, 1);
}

void aio_wait_end(void)
{
	atomic_fetch_sub(&waiters, 1);
}

void aio_wait_kick(void)
{
	/* The condition was written before, with whatever order the caller thought enough: make it
	 * a full barrier. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&waiters) && main_loop_wait_bh())
		aio_bh_schedule(main_loop_wait_bh());
}

struct wait_call {
	QEMUBHFunc *cb;
	void *opaque;
	_Atomic bool done;
};

static void wait_call_run(void *opaque)
{
	struct wait_call *call = opaque;

	call->cb(call->opaque);
	/* The waiter's stack may be gone right after the store. */
	atomic_store(&call->done, true);
	aio_wait_kick();
}

void aio_wait_bh_oneshot(struct AioContext *ctx, QEMUBHFunc *cb, void *opaque)
{
	struct wait_call call = { .cb = cb, .opaque = opaque };

	if (aio_in_home_thread_any(ctx)) {
		cb(opaque);
		return;
	}
	if (aio_current_context_any() != main_loop_aio_context_any() || !aio_current_context_any())
		aio_bug("a wait for another loop outside of the main context");
	aio_bh_schedule_oneshot(ctx, wait_call_run, &call, "aio_wait_bh_oneshot");
	AIO_WAIT_WHILE(!atomic_load(&call.done));
}
