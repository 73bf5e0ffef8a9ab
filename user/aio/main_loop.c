// SPDX-License-Identifier: BSD-2-Clause
/*
 * The main loop: GLib's default context, with the main AioContext as a source. BQL held but for the
 * ppoll itself. There is one per process, and vCPU threads and signal handlers have to find it,
 * hence the file-scope state. Neighbours: gsource.c, bql.
 */
#include <handoff/main_loop.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/bql.h>
#include <handoff/clock.h>
#include <handoff/stats.h>
#include "account.h"
#include "context.h"

#define QUIT_NOT_YET INT_MIN

struct main_loop {
	struct AioContext *ctx;
	GSource *source;
	struct QEMUBH *wait_bh;
	GPollFD *fds; /* GLib's, as of this turn */
	int n_fds, fds_size;
};

static struct main_loop main_loop_state;
static _Atomic int quit_status = QUIT_NOT_YET;

struct AioContext *main_loop_aio_context_any(void)
{
	return main_loop_state.ctx;
}

struct QEMUBH *main_loop_wait_bh(void)
{
	return main_loop_state.wait_bh;
}

int main_loop_init(struct stats_loop *stats, struct error *err)
{
	struct aio_context_config config = { .fdmon = AIO_FDMON_AUTO, .stats = stats };
	struct main_loop *m = &main_loop_state;

	bql_lock();
	m->ctx = aio_context_new_flags(&config, false, true, err);
	if (!m->ctx) {
		bql_unlock();
		return -EIO;
	}
	aio_set_current_context(m->ctx);
	m->wait_bh = aio_wait_bh_new(m->ctx);
	if (!m->wait_bh)
		aio_bug("no memory for the main loop");
	m->source = aio_get_g_source(m->ctx);
	g_source_attach(m->source, NULL);
	if (!g_main_context_acquire(NULL))
		aio_bug("GLib's default context belongs to another thread");
	atomic_store(&quit_status, QUIT_NOT_YET);
	return 0;
}

void main_loop_release(void)
{
	struct main_loop *m = &main_loop_state;
	struct AioContext *ctx = m->ctx;
	GSource *source = m->source;

	g_main_context_release(NULL);
	aio_bh_delete(m->wait_bh);
	free(m->fds);
	*m = (struct main_loop){ 0 };
	/* Takes its fds out of the source before it destroys it: GLib complains about the reverse.
	 */
	aio_context_unref(ctx);
	g_source_unref(source);
	aio_set_current_context(NULL);
	bql_unlock();
}

/*
 * What GLib's sources want to be watched; *timeout_ns from their ms. Unlike its neighbours,
 * g_main_context_query() takes no NULL for the default context in GLib 2.74.
 */
static void glib_pollfds_fill(struct main_loop *m, int64_t *timeout_ns, gint *max_priority)
{
	gint timeout_ms;
	int n;

	g_main_context_prepare(g_main_context_default(), max_priority);
	for (;;) {
		n = g_main_context_query(g_main_context_default(), *max_priority, &timeout_ms,
					 m->fds, m->fds_size);
		if (n <= m->fds_size)
			break;
		m->fds_size = ROUND_UP(n, 16);
		m->fds = reallocarray(m->fds, m->fds_size, sizeof(*m->fds));
		if (!m->fds)
			aio_bug("no memory for %d poll fds", n);
	}
	m->n_fds = n;
	*timeout_ns = timeout_ms < 0 ? -1 : timeout_ms * NS_PER_MS;
}

FRAME static void glib_pollfds_poll(struct main_loop *m, gint max_priority)
{
	if (g_main_context_check(g_main_context_default(), max_priority, m->fds, m->n_fds))
		g_main_context_dispatch(g_main_context_default());
}

/* The only place where the main thread is without the BQL. Its wait for it counts as blocked, too.
 */
static void wait_unlocked(struct main_loop *m, int64_t timeout_ns)
{
	struct stats_loop *row = m->ctx->stats;
	struct timespec ts = clock_timespec(MAX(timeout_ns, 0));

	if (timeout_ns)
		stats_inc(&row->blocks);
	loop_account(row, &row->handling_ns, STATS_PHASE_BLOCKED, stats_armed() ? clock_ns() : 0);
	bql_unlock();
	ppoll((struct pollfd *)m->fds, m->n_fds, timeout_ns < 0 ? NULL : &ts, NULL);
	bql_lock();
	loop_account(row, &row->blocked_ns, STATS_PHASE_HANDLING, stats_armed() ? clock_ns() : 0);
}

/* GLib lays out GPollFD like struct pollfd on purpose. */
_Static_assert(sizeof(GPollFD) == sizeof(struct pollfd) &&
		       offsetof(GPollFD, revents) == offsetof(struct pollfd, revents),
	       "GLib's fds go to ppoll as they are");

FRAME static void os_host_main_loop_wait(struct main_loop *m)
{
	int64_t timeout_ns;
	gint max_priority;

	glib_pollfds_fill(m, &timeout_ns, &max_priority);
	/* Our own timers to the ns, where GLib has rounded up. */
	timeout_ns = aio_soonest(timeout_ns, aio_compute_timeout(m->ctx));
	wait_unlocked(m, timeout_ns);
	glib_pollfds_poll(m, max_priority);
}

FRAME static void main_loop_wait(struct main_loop *m)
{
	os_host_main_loop_wait(m);
}

FRAME int main_loop(void)
{
	while (atomic_load(&quit_status) == QUIT_NOT_YET)
		main_loop_wait(&main_loop_state);
	return atomic_load(&quit_status);
}

void main_loop_quit_any(int exit_status)
{
	int not_yet = QUIT_NOT_YET;

	if (atomic_compare_exchange_strong(&quit_status, &not_yet, exit_status) &&
	    main_loop_state.ctx)
		aio_notify(main_loop_state.ctx);
}
