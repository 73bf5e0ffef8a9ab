/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of an AioContext: what the files of aio/ share. Nobody else includes it, but the white-box
 * tests of this folder.
 *
 * Threads. "home" = the context's thread; for the main context whoever holds the BQL. Groups of
 * fields say who may touch them. Handlers are unlinked and freed by home alone, so home walks the
 * list without a lock; other threads insert at the head (publish by release) or mark a node
 * deleted, both under `lock`.
 */
#ifndef AIO_CONTEXT_H
#define AIO_CONTEXT_H

#include <handoff/aio.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <glib.h>
#include <abi/stats.h>
#include <handoff/poll_cost.h>
#include <handoff/poll_policy.h>

struct AioUring;
struct AioHandler;

/*
 * Turns in a row that may end without a look at every source (work kept coming from those that were
 * looked at). A look costs a syscall, so at 16 it is noise, and a source that is not in the poll
 * list waits for 16 turns at most.
 */
#define AIO_BLIND_TURNS_MAX 16

/* A handler that did not fire for so long is no longer polled (QEMU's POLL_IDLE_INTERVAL_NS). */
#define AIO_POLL_IDLE_NS (7 * 1000000000ll)

/* Longest sleep while an idle bottom half waits. */
#define AIO_IDLE_BH_NS 10000000ll

/* So many times in a row io_poll may say that there is work where there is none to be done. */
#define AIO_IDLE_POLLS_MAX 16

/* Two looks of a spin are 0.1 us apart. So far apart, something else had the CPU: an interrupt, a
 * host of ours, or a thread. */
#define AIO_SPIN_JUMP_NS   20000ll
/* After it was a thread so many waits have no spin at most, ... */
#define AIO_SPIN_PAUSE_MAX 1024
/* ... and after so many spins without it, one. */
#define AIO_SPIN_CALM	   64
/* From a nap that was a surprise to the next one. */
#define AIO_NAP_SOON_NS	   50000000ll

/* ppoll is replaced by epoll from so many fds on. */
#define AIO_EPOLL_THRESHOLD 64

/*
 * How a context waits for its fds. All run in home but update. "ready" = aio_add_ready() was called
 * for the handler.
 */
struct FDMonOps {
	enum aio_fdmon id;
	/* May some handlers be polled while others need their fd watched? Then need_wait() sees the
	 * fds without a syscall. */
	bool mixed_polling;
	/* A handler was added (old NULL) or is going away (new NULL), or both. Any thread, `lock`
	 * held; before removal from lists. */
	void (*update)(struct AioContext *ctx, struct AioHandler *old_node,
		       struct AioHandler *new_node);
	/* Submits what must be in the kernel before a spin. NULL = nothing. */
	void (*before_spin)(struct AioContext *ctx);
	/* Is there something only wait() can do, and soon? Then no spin, and wait(0) even if
	 * nothing else asks for it. */
	bool (*need_wait)(struct AioContext *ctx);
	/* Waits at most timeout_ns (-1 = for ever) for fds, marks handlers ready. May return early.
	 */
	void (*wait)(struct AioContext *ctx, int64_t timeout_ns);
	/* GLib does the waiting: tell it what to watch (lock held), stop that (lock held), ... */
	void (*gsource_attach)(struct AioContext *ctx);
	void (*gsource_detach)(struct AioContext *ctx);
	/* ... last act before GLib waits, is there anything after it, mark handlers ready. */
	void (*gsource_prepare)(struct AioContext *ctx);
	bool (*gsource_check)(struct AioContext *ctx);
	void (*gsource_dispatch)(struct AioContext *ctx);
};

extern const struct FDMonOps fdmon_poll_ops, fdmon_epoll_ops, fdmon_io_uring_ops;

struct AioHandler {
	/* fixed once published */
	int fd;
	short events;	  /* poll(2) events asked for */
	bool is_notifier; /* the callbacks take `notifier` */
	void *opaque;
	struct EventNotifier *notifier;
	IOHandler *io_read, *io_write, *io_poll_ready;
	AioPollFn *io_poll;
	EventNotifierHandler *notifier_read, *notifier_poll_ready;
	EventNotifierPollFn *notifier_poll;

	/* any thread */
	EventNotifierHandler *_Atomic io_poll_begin, *_Atomic io_poll_end;
	_Atomic bool deleted;		 /* set under lock; the node is skipped from then on */
	struct AioHandler *_Atomic next; /* ctx->handlers: read by home, written under lock */

	/* home */
	short revents;	  /* found by the fd monitor */
	bool poll_ready;  /* found by io_poll */
	bool poll_begun;  /* io_poll_begin ran, io_poll_end did not yet */
	bool in_callback; /* one of its callbacks is running: nested turns do not poll it */
	bool look_again;  /* poll mode was left meanwhile: io_poll is due when the callback returns
			   */
	bool found_none;  /* its io_poll_ready had nothing to do */
	bool woke_none;	  /* it was called for an fd event and had nothing to do */
	bool poll_muted;  /* that too often: not polled until its next fd event */
	unsigned int idle_polls; /* in a row */
	uint64_t ready_turn;	 /* ctx->dispatches when it was put on the ready list */
	uint64_t ran_turn;	 /* ctx->turns when it last ran */
	int64_t last_ran_ns;
	struct list_head node_ready; /* ctx->ready */
	struct list_head node_poll;  /* ctx->poll_handlers */
	struct poll_handler_state poll;

	GPollFD gpfd; /* while GLib watches this fd: set under lock, revents by GLib in the main
			 thread */

	/* fdmon_io_uring */
	struct list_head node_update; /* ctx->uring_updates, under lock */
	struct list_head node_rearm;  /* ctx->uring_rearm, home */
	bool armed; /* home: a POLL_ADD of this node is queued or in the kernel; it must not be
		       freed */
};

struct QEMUBH {
	struct AioContext *ctx;
	QEMUBHFunc *cb;
	void *opaque;
	const char *name;
	struct QEMUBH
		*next; /* in ctx->bh_list or a slice; written by who set PENDING, then by home */
	_Atomic unsigned int flags;
	struct list_head node_alive; /* ctx->bh_alive, under lock; not for oneshots */
};

/* One taking of ctx->bh_list, on the stack of the aio_bh_poll that took it; a nested one empties it
 * first. */
struct aio_bh_slice {
	struct QEMUBH *first;
	struct list_head node; /* ctx->bh_slices */
};

struct AioContext {
	_Atomic unsigned int refs;

	/* The wake-up protocol; see aio_notify(). A line of its own, other threads write it. */
	_Alignas(64) _Atomic bool notified;
	_Atomic uint32_t
		notify_me; /* written by home: 1 = GLib waits, 2 for each aio_poll that does */
	struct EventNotifier notifier;
	struct AioHandler *notifier_node;

	/* any thread */
	struct QEMUBH *_Atomic bh_list; /* LIFO, pushed lock-free */
	_Atomic int64_t timer_first_ns; /* INT64_MAX = no timer */
	_Atomic int poll_disable_cnt;	/* handlers without io_poll, our notifier not counted; under
					   lock */
	_Atomic unsigned int handlers_gen; /* changes with the set of handlers; under lock */
	_Atomic bool deleted_pending;	   /* home may free something */
	_Atomic bool params_pending;
	_Atomic bool stamps_wanted; /* who wakes the loop leaves a stamp (wake_cost.c) */
	_Atomic bool cost_known;    /* there are samples */
	_Atomic int64_t stamp_ns;   /* 0 = none */
	_Atomic bool uring_updates_pending;
	_Atomic bool epoll_failed;	 /* home goes back to ppoll, for good */
	_Atomic enum aio_fdmon fdmon_id; /* of fdmon, for aio_context_fdmon() */

	/* home */
	_Alignas(64) const struct FDMonOps *fdmon;
	unsigned int walking; /* depth of aio_poll and aio_dispatch: > 0 = nodes may be on
				 somebody's stack */
	unsigned int blind_turns;
	uint64_t turns, dispatches;
	struct list_head ready;		/* handlers with something to do, oldest first */
	struct list_head bh_slices;	/* oldest first */
	struct list_head poll_handlers; /* have fired once, and have io_poll */
	bool poll_started;		/* io_poll_begin was called for the poll list */
	bool poll_told;			/* there was a spin in it: the probe has told */
	int64_t poll_spun_ns;		/* of the last spin, for the probe */
	int64_t idle_check_ns;		/* when to look for idle pollers again */
	const struct poll_policy *policy;
	struct poll_params poll_params; /* in force */
	struct poll_state poll;
	bool measuring; /* the policy is `measured`, and may spin */
	struct poll_cost cost;
	int64_t wait_start_ns; /* of a wait that goes on, since its wakes were for nothing; 0 = none
				*/
	unsigned int spin_pause;		  /* waits to come without a spin */
	unsigned int spin_pause_next, spins_calm; /* see spin_disturbed() */
	int64_t sleep_cpu_ns;			  /* before this sleep; -1 = it is not timed */
	int64_t sleep_timed_ns;			  /* when the last one began that was */
	int64_t wait_ns;  /* mean of the waits of late that began with a spin */
	unsigned int nap; /* sleeps to come without a spin (wake_cost.c) */
	unsigned int nap_counted, naps;
	int64_t nap_due_ns, nap_pause_ns, nap_sum_ns;
	int64_t nap_wake_ns; /* what naps have shown */
	long preemptions;    /* when last asked */
	struct AioHandler *dispatching;
	struct stats_loop *row;	 /* where this turn counts: `stats`, or `foreign_row` while a vCPU
				    thread runs a turn of the main context */
	bool threaded;		 /* made by the iothread that alone uses it */
	bool shared_by_bql;	 /* the main context */
	_Atomic bool no_polling; /* GLib runs it */
	_Atomic bool claimed;	 /* aio_set_current_context() named its home */

	/* fdmon_poll; rebuilt by home when handlers_gen changed */
	struct pollfd *pollfds;
	struct AioHandler **pollnodes;
	unsigned int n_pollfds, pollfds_size, pollfds_gen;
	bool upgrade_refused; /* epoll did not work here */
	bool may_upgrade;
	/* fdmon_epoll; epoll_fd is written by home under lock */
	int epoll_fd;
	bool no_epoll_pwait2;
	/* io_uring (uring.h), home */
	struct AioUring *uring;
	struct list_head uring_rearm; /* handlers whose POLL_ADD has fired */
	struct list_head cqe_done;    /* CqeHandlers to be called in the next turn */
	struct list_head cqe_running; /* ... in this one */

	/* lock: registration, deletion, parameters, updates */
	_Alignas(64) pthread_mutex_t lock;
	struct AioHandler *_Atomic handlers;
	unsigned int n_handlers; /* not deleted */
	struct list_head bh_alive;
	struct list_head uring_updates;
	struct aio_poll_params params_wanted;
	GSource *source;
	GPollFD source_gpfd; /* the epoll fd or the ring, when one fd stands for all */

	/* timer_lock, taken inside no other lock */
	pthread_mutex_t timer_lock;
	struct list_head timers;	 /* by expire_ns */
	struct list_head timers_expired; /* being run */

	struct AioTimer probe_timer; /* of the main context; set up by it, armed by any thread */

	struct stats_loop *stats;
	struct stats_loop own_row, foreign_row;
};

/* A turn of aio_poll: stamps and findings, on its stack. now_ns is 0 as long as nobody needs the
 * clock. */
struct aio_turn {
	uint64_t id;
	int64_t start_ns, now_ns;
	int64_t spun_ns;
	int64_t arrival_ns; /* from the start, by a stamp; -1 = there was none */
	bool timed; /* this turn reads the clock: somebody polls, or a tracer has armed the account
		     */
	bool slept;
	bool nap;    /* it has no spin, though one was due */
	bool worked; /* something ran that had anything to do */
};

/* context.c */
struct AioContext *aio_context_new_flags(const struct aio_context_config *config, bool threaded,
					 bool shared_by_bql, struct error *err);
/* Home, or nobody named one yet. The thread's own loop, as opposed to a BQL holder. */
bool aio_is_loop_thread(const struct AioContext *ctx);
void aio_assert_home(const struct AioContext *ctx, const char *what);
void aio_notify_accept(struct AioContext *ctx);
_Noreturn void aio_bug(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* params.c */
void aio_params_init(struct AioContext *ctx);
void aio_params_apply(struct AioContext *ctx);

/* context.c: 0 = there is work, -1 = sleep until notified */
int64_t aio_compute_timeout(struct AioContext *ctx);
/* -1 is the longest. */
static inline int64_t aio_soonest(int64_t a_ns, int64_t b_ns)
{
	return (uint64_t)a_ns < (uint64_t)b_ns ? a_ns : b_ns;
}

/* GLib watches for us, and its source has not been destroyed by somebody else. lock held. */
static inline bool aio_has_source(const struct AioContext *ctx)
{
	return ctx->source && !g_source_is_destroyed(ctx->source);
}

/* handler.c */
struct AioHandler *aio_handler_first(const struct AioContext *ctx);
struct AioHandler *aio_handler_next(const struct AioHandler *node);
static inline bool aio_handler_deleted(const struct AioHandler *node)
{
	return atomic_load_explicit(&node->deleted, memory_order_acquire);
}
void aio_add_ready(struct AioContext *ctx, struct AioHandler *node, short revents, bool poll_ready);
/* The context's own eventfd: stops a spin or a sleep, but is no progress and is never polled.
 * Aborts without memory. */
struct AioHandler *aio_handler_add_own_notifier(struct AioContext *ctx,
						EventNotifierHandler *notifier_read);
/* End of the outermost walk: frees what was deleted meanwhile. */
void aio_free_deleted(struct AioContext *ctx);
void aio_handlers_release(struct AioContext *ctx);

/* dispatch.c */
bool aio_dispatch_handlers(struct AioContext *ctx, struct aio_turn *turn);
void aio_dispatch(struct AioContext *ctx);

/* poll_mode.c */
static inline bool aio_handler_poll(struct AioHandler *node)
{
	return node->is_notifier ? node->notifier_poll(node->notifier)
				 : node->io_poll(node->opaque);
}
static inline bool aio_handler_pollable(const struct AioHandler *node)
{
	return node->io_poll || node->notifier_poll;
}
bool aio_polling_enabled(const struct AioContext *ctx);
void aio_poll_list_add(struct AioContext *ctx, struct AioHandler *node);
void aio_poll_list_clear(struct AioContext *ctx);
/* One io_poll of each; true if one hit. */
bool aio_poll_handlers_once(struct AioContext *ctx);
/* Enters or leaves poll mode; true if the look after leaving found something. */
bool poll_set_started(struct AioContext *ctx, bool started);
/* May end with *timeout_ns = 0. True if a handler has work. */
bool try_poll_mode(struct AioContext *ctx, struct aio_turn *turn, int64_t *timeout_ns);
/* Between a sleep and what it ended with. */
void aio_poll_begin_early(struct AioContext *ctx, const struct aio_turn *turn);
/* After dispatch: what the wait teaches the policy. */
void aio_poll_learn(struct AioContext *ctx, const struct aio_turn *turn);
/* After its io_poll_ready: too often in a row there was nothing to do. */
void aio_poll_mute_idle(struct AioContext *ctx, struct AioHandler *node);

/* wake_cost.c; home, while `measuring` */
void aio_cost_sleep_begin(struct AioContext *ctx, const struct aio_turn *turn);
void aio_cost_sleep_end(struct AioContext *ctx, struct aio_turn *turn, int64_t begin_ns);
/* A wait has ended, which the policy is about to be told of. */
void aio_cost_waited(struct AioContext *ctx, const struct poll_wait *wait, int64_t now_ns);
/* Another thread has taken the CPU from us since this was last asked. A system call. */
bool aio_cost_preempted(struct AioContext *ctx);
/* New samples, or another policy: puts B in force. */
void aio_cost_publish(struct AioContext *ctx);
/* wake_cost.c; any thread */
void aio_cost_stamp(struct AioContext *ctx);
/* Any thread but home: wakes the loop for its samples, 3 ms. */
void aio_cost_measure(struct AioContext *ctx);
/* wake_cost.c; main context, while the loop runs in a thread of its own. arm: any thread but home,
 * after a change of the policy. */
void aio_cost_probe_start(struct AioContext *ctx);
void aio_cost_probe_arm(struct AioContext *ctx);
void aio_cost_probe_stop(struct AioContext *ctx);

/* bh.c */
bool aio_bh_poll(struct AioContext *ctx);
/* Longest the loop may sleep for the bottom halves' sake. */
int64_t aio_bh_timeout(struct AioContext *ctx);
void aio_bh_release(struct AioContext *ctx);

/* timer.c */
bool aio_run_timers(struct AioContext *ctx);

/* uring.c */
bool aio_uring_dispatch(struct AioContext *ctx);
/* The ring's part of a turn when the ring is not the fd monitor: submits what was queued. */
void aio_uring_flush(struct AioContext *ctx);
void aio_uring_release(struct AioContext *ctx);

/* gsource.c */
void aio_gsource_release(struct AioContext *ctx);

/* fdmon_*.c */
void fdmon_set(struct AioContext *ctx, const struct FDMonOps *ops);
int fdmon_io_uring_setup(struct AioContext *ctx, struct error *err);
void fdmon_poll_release(struct AioContext *ctx);
/* The fd that stands for all is watched by GLib, or no longer. lock held. */
void fdmon_gsource_watch(struct AioContext *ctx, int fd);
void fdmon_gsource_unwatch(struct AioContext *ctx);
/* Builds the epoll set; -errno and no trace if one fd cannot be watched. Takes lock. */
int fdmon_epoll_setup(struct AioContext *ctx);
void fdmon_epoll_release(struct AioContext *ctx);

/* wait.c */
struct QEMUBH *aio_wait_bh_new(struct AioContext *main_context);
/* main_loop.c: kicked by aio_wait_kick(); NULL without a main loop */
struct QEMUBH *main_loop_wait_bh(void);

#endif
