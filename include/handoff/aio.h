/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AioContext: an event loop. Handlers, bottom halves, timers, io_uring requests, adaptive polling.
 * Its home thread runs aio_poll() (iothread), or it hangs in the GLib main loop as a GSource (the
 * main context). Rules: semantics.md 1, 2 and 9.
 *
 * Threads: functions ending in _any, bottom half scheduling, aio_notify and handler registration
 * may be called from any thread; everything else from the home thread. For the main context "home"
 * is whoever holds the BQL (bql.h).
 */
#ifndef HANDOFF_AIO_H
#define HANDOFF_AIO_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/compiler.h>
#include <handoff/error.h>
#include <handoff/event_notifier.h>
#include <handoff/list.h>

struct AioContext;
struct QEMUBH;
struct io_uring_sqe;
struct stats_loop;

typedef void IOHandler(void *opaque);
typedef void QEMUBHFunc(void *opaque);
typedef void EventNotifierHandler(struct EventNotifier *e);
/* True if there is work; no side effects. Runs in the spin: a few ns, no syscall. */
typedef bool AioPollFn(void *opaque);
typedef bool EventNotifierPollFn(struct EventNotifier *e);

enum aio_fdmon { AIO_FDMON_AUTO, AIO_FDMON_POLL, AIO_FDMON_EPOLL, AIO_FDMON_IO_URING };

struct aio_context_config {
	/* AUTO: io_uring where it works, else ppoll, which becomes epoll after 64 fds. */
	enum aio_fdmon fdmon;
	/* This loop's row in the stats page, zeroed; NULL: the context keeps one of its own. */
	struct stats_loop *stats;
};

/*
 * NULL config = defaults. One reference. err says which fd monitor failed and why, only if a
 * particular one was asked for.
 */
struct AioContext *aio_context_new(const struct aio_context_config *config,
				   struct error *err) MUST_CHECK;
void aio_context_ref(struct AioContext *ctx);
/*
 * The last reference frees it, from the home thread or after it ended. A bottom half still alive
 * then is a bug: abort, naming it.
 */
void aio_context_unref(struct AioContext *ctx);

enum aio_fdmon aio_context_fdmon(const struct AioContext *ctx);
const char *aio_fdmon_name(enum aio_fdmon fdmon);

/*
 * The context of the calling thread: an iothread's own; the main context for the main thread and
 * for any holder of the BQL.
 */
struct AioContext *aio_current_context_any(void);
/* Called once by an iothread with its own context, and by main_loop_init. */
void aio_set_current_context(struct AioContext *ctx);
bool aio_in_home_thread_any(const struct AioContext *ctx);
/*
 * The loop's row in the stats page, or the one the context keeps of its own. Read it from any
 * thread.
 */
struct stats_loop *aio_context_stats(const struct AioContext *ctx);

/*
 * One iteration: run what is due, or wait for it if `blocking`. True if something ran (not counting
 * the context's own notifier). Home thread. May be nested inside any callback. A non-blocking call
 * always looks at every source once.
 */
bool aio_poll(struct AioContext *ctx, bool blocking);

/* Wakes the loop if it sleeps, makes it look again if it spins. Any thread, async-signal-safe. */
void aio_notify(struct AioContext *ctx);

/* --- handlers: any thread --------------------------------------------------------------------- */

/* All callbacks NULL removes. io_poll without io_poll_ready is ignored. */

void aio_set_fd_handler(struct AioContext *ctx, int fd, IOHandler *io_read, IOHandler *io_write,
			AioPollFn *io_poll, IOHandler *io_poll_ready, void *opaque);

void aio_set_event_notifier(struct AioContext *ctx, struct EventNotifier *e,
			    EventNotifierHandler *io_read, EventNotifierPollFn *io_poll,
			    EventNotifierHandler *io_poll_ready);

/*
 * io_poll_begin: the loop is about to spin (suppress notifications); io_poll_end: it is about to
 * sleep (allow them again; io_poll is called once more right afterwards). No effect if the notifier
 * is not registered. A removal in poll mode gives no io_poll_end.
 */
void aio_set_event_notifier_poll(struct AioContext *ctx, struct EventNotifier *e,
				 EventNotifierHandler *io_poll_begin,
				 EventNotifierHandler *io_poll_end);

/*
 * A handler was called for an fd event and found nothing to do: the wake was for nothing. Counted
 * in the loop's row. Home thread.
 */
void aio_count_spurious_wake(struct AioContext *ctx);

/*
 * io_poll has said that there is work, and io_poll_ready found none that it could do. After
 * AIO_IDLE_POLLS_MAX (16) times in a row the handler is not polled until its fd has its next event,
 * so that it cannot keep the loop spinning: whoever makes the work possible later sets the fd. In
 * io_poll_ready, home thread.
 */
void aio_count_idle_poll(struct AioContext *ctx);

/* --- bottom halves ---------------------------------------------------------------------------- */

/*
 * Never run inline. `name` is for leak reports and must outlive the bottom half. NULL only if
 * memory is exhausted.
 */
struct QEMUBH *aio_bh_new(struct AioContext *ctx, QEMUBHFunc *cb, void *opaque,
			  const char *name) MUST_CHECK;
void aio_bh_schedule(struct QEMUBH *bh);      /* any thread, wait-free */
void aio_bh_schedule_idle(struct QEMUBH *bh); /* runs within 10 ms, does not keep the loop awake */
void aio_bh_cancel(struct QEMUBH *bh);	      /* asynchronous */
void aio_bh_delete(struct QEMUBH *bh);	      /* asynchronous; wins over scheduled */
/* Allocates: not for the hot path. Any thread. */
void aio_bh_schedule_oneshot(struct AioContext *ctx, QEMUBHFunc *cb, void *opaque,
			     const char *name);

/* --- timers (CLOCK_MONOTONIC, ns) ------------------------------------------------------------- */

/*
 * Caller's memory; home thread of ctx, except aio_timer_mod_any. Fires in the loop, last of an
 * iteration. Never early.
 */
struct AioTimer {
	struct AioContext *ctx;
	QEMUBHFunc *cb;
	void *opaque;
	int64_t expire_ns;     /* -1 when not armed */
	struct list_head node; /* private */
};

void aio_timer_init(struct AioContext *ctx, struct AioTimer *timer, QEMUBHFunc *cb, void *opaque);
/* Moves an unarmed timer to another context (a drained block node changes loops). */
void aio_timer_set_context(struct AioTimer *timer, struct AioContext *ctx);
void aio_timer_mod_any(struct AioTimer *timer,
		       int64_t expire_ns);  /* any thread; allocates nothing */
void aio_timer_del(struct AioTimer *timer); /* no callback after it returns (home thread) */

/* --- io_uring --------------------------------------------------------------------------------- */

/*
 * One request to the context's ring. Caller's memory, valid until cb ran. The ring is shared with
 * the fd monitor when that is io_uring, else the context creates one at the first use and watches
 * it as a pollable handler.
 */
struct CqeHandler {
	void (*cb)(struct CqeHandler *handler);
	int32_t res; /* of the CQE: >= 0 or -errno, filled before cb */
	uint32_t flags;
	struct list_head node; /* private */
};

/*
 * 0 or -errno why io_uring is not to be had (ENOSYS, EPERM: kernel.io_uring_disabled, ENOMEM).
 * Makes the ring exist. Home thread.
 */
int aio_uring_setup(struct AioContext *ctx) MUST_CHECK;

/*
 * prep fills a zeroed SQE (not user_data). Submitted in the loop's next turn, before it spins or
 * waits; when the queue is full it is submitted now. Home thread. cb runs in the home thread from a
 * later turn, never inline.
 */
void aio_add_sqe(struct AioContext *ctx, void (*prep)(struct io_uring_sqe *sqe, void *opaque),
		 void *opaque, struct CqeHandler *handler);

/* --- polling ---------------------------------------------------------------------------------- */

struct aio_poll_params {
	const char *policy;   /* of poll_policy.h; NULL = POLL_POLICY_DEFAULT */
	int64_t poll_max_ns;  /* 0 = never spin */
	uint32_t poll_grow;   /* 0 = default 2 */
	uint32_t poll_shrink; /* 0 = default: 2; with "qemu" straight to 0, which reads back as 0 */
	uint32_t poll_weight; /* 0 = default 3; 1..63 */
	/* What a ns of latency is worth to "break-even", in percent of a CPU-ns; 0 = default 100;
	 * others do not ask, and it reads back as it was set. */
	uint32_t poll_latency_percent;
};

/*
 * Takes effect at once, resets what was learned. Any thread (home thread applies it). -EINVAL with
 * err if out of range. "break-even" has the loop measured: for an iothread that runs this takes
 * about 3 ms, the first time, in which its caller sleeps.
 */
int aio_context_set_poll_params(struct AioContext *ctx, const struct aio_poll_params *params,
				struct error *err) MUST_CHECK;
/*
 * What a kick's exit costs a vCPU of this host, CPU-ns; 0 = not known, as in the beginning. Part of
 * what a sleep costs for "break-even": a loop that spins spares the guest its kicks. For all loops
 * of the process; in force at each one's next measure or change of settings.
 */
void aio_set_kick_exit_ns_any(int64_t ns);
int64_t aio_get_kick_exit_ns_any(void);
void aio_context_get_poll_params(const struct AioContext *ctx, struct aio_poll_params *params);

/* --- waiting for a condition in the main context ---------------------------------------------- */

/* Whoever changes a condition that AIO_WAIT_WHILE waits for calls this afterwards. Any thread. */
void aio_wait_kick(void);
/* Private to AIO_WAIT_WHILE. */
void aio_wait_begin(void);
void aio_wait_end(void);

/*
 * Runs the main context while `cond` holds. In the main context only (BQL held); cond is read again
 * after each turn and must be kicked by whoever makes it false.
 */
#define AIO_WAIT_WHILE(cond)                                                                       \
	do {                                                                                       \
		aio_wait_begin();                                                                  \
		while (cond)                                                                       \
			aio_poll(aio_current_context_any(), true);                                 \
		aio_wait_end();                                                                    \
	} while (0)

/*
 * Runs cb in ctx's home thread and returns when it has run. In the main context only, or in ctx
 * itself (then inline).
 */
void aio_wait_bh_oneshot(struct AioContext *ctx, QEMUBHFunc *cb, void *opaque);

/* --- GLib ------------------------------------------------------------------------------------- */

struct _GSource;
/*
 * The context's GSource, created at the first call; the context cannot busy-poll from then on. New
 * reference. Main thread.
 */
struct _GSource *aio_get_g_source(struct AioContext *ctx);

#endif
