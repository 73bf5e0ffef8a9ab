// SPDX-License-Identifier: BSD-2-Clause
/*
 * The monitor's connection: bytes between a client and its session. Nothing here waits. A command
 * may, and then runs the main context, so during it the client's fd is not watched; and it may be
 * that another part of the board is waiting when a request comes: then the request waits for that.
 * Neighbours: user/qmp, which knows the protocol; monitor_commands.c.
 *
 *   fd readable > session_feed > [request] > bottom half > session_execute > flush > fd writable
 */
#include "monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <handoff/clock.h>
#include <handoff/log.h>
#include <handoff/main_loop.h>
#include "board.h"

/* With more than that to send, nothing more is asked: a client that pipelines reads in between. */
#define ENOUGH_OUTPUT_BYTES (64u << 10)
/* One that takes nothing for so long does not read any more, and keeps others out. */
#define CLIENT_STALL_NS	    (5 * NS_PER_S)

struct monitor {
	struct machine *m;
	struct qmp_listener listener; /* fd -1: its one client came with the board */
	struct log_ratelimit complaints;
	struct QEMUBH *bh;
	struct AioTimer tick, retry;

	/* the client; fd -1: there is none */
	int fd;
	struct qmp_session *session;
	char bytes[4096];
	size_t begin, end;     /* of bytes[] that the session has not taken yet */
	bool reading, writing; /* what its fd is watched for */
	bool executing;
	int64_t stalled_ns; /* since when output waits without any being taken; 0 = none waits */
	struct monitor_stuck_queue stuck[STATS_MAX_QUEUES];
};

static void on_listener(void *opaque);
static void on_readable(void *opaque);
static void on_writable(void *opaque);

/* --- who is watched -------------------------------------------------------------------------- */

static void watch_listener(struct monitor *mon, bool on)
{
	if (mon->listener.fd < 0)
		return;
	aio_set_fd_handler(main_loop_aio_context_any(), mon->listener.fd, on ? on_listener : NULL,
			   NULL, NULL, NULL, mon);
}

static void watch_client(struct monitor *mon, bool read, bool write)
{
	if (read == mon->reading && write == mon->writing)
		return;
	mon->reading = read;
	mon->writing = write;
	aio_set_fd_handler(main_loop_aio_context_any(), mon->fd, read ? on_readable : NULL,
			   write ? on_writable : NULL, NULL, NULL, mon);
}

/* The client, as far as there is room for what it says. */
static void watch(struct monitor *mon)
{
	size_t output;
	bool room;

	qmp_session_output(mon->session, &output);
	room = mon->begin == mon->end && !qmp_session_ready(mon->session) &&
	       output < ENOUGH_OUTPUT_BYTES;
	watch_client(mon, room && !mon->executing, output && !mon->executing);
}

static void drop(struct monitor *mon)
{
	watch_client(mon, false, false);
	aio_timer_del(&mon->tick);
	aio_timer_del(&mon->retry);
	close(mon->fd);
	qmp_session_free(mon->session);
	mon->fd = -1;
	mon->session = NULL;
	mon->begin = mon->end = 0;
	watch_listener(mon, true);
}

static void drop_because(struct monitor *mon, const char *why)
{
	log_limited(&mon->complaints, LOG_WARN, "QMP: %s: the client is disconnected", why);
	drop(mon);
}

/* --- output ---------------------------------------------------------------------------------- */

/* What the socket takes now; may drop the client. */
static void flush(struct monitor *mon)
{
	size_t n;
	const char *out = qmp_session_output(mon->session, &n);
	ssize_t sent;
	int ret = 0;

	while (n && !ret) {
		sent = send(mon->fd, out, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		ret = sent < 0 ? -errno : 0;
		if (ret == -EINTR)
			ret = 0;
		if (sent > 0) {
			qmp_session_sent(mon->session, (size_t)sent);
			mon->stalled_ns = 0;
		}
		out = qmp_session_output(mon->session, &n);
	}
	if (ret && ret != -EAGAIN) {
		drop(mon); /* it has gone */
	} else if (qmp_session_is_broken(mon->session)) {
		drop_because(mon, "its output piles up");
	} else {
		if (n && !mon->stalled_ns)
			mon->stalled_ns = clock_ns();
		watch(mon);
	}
}

static void on_writable(void *opaque)
{
	struct monitor *mon = opaque;

	flush(mon);
	if (mon->session)
		aio_bh_schedule(mon->bh);
}

void monitor_event(struct machine *m, const char *name, json_t *data)
{
	struct monitor *mon = m->monitor;

	if (!mon || !mon->session) {
		json_decref(data);
		return;
	}
	qmp_session_event(mon->session, name, data);
	if (!mon->executing)
		flush(mon);
}

/* --- requests -------------------------------------------------------------------------------- */

/* One request a turn, so that the board's own business comes in between. */
static void on_work(void *opaque)
{
	struct monitor *mon = opaque;
	size_t output;

	if (mon->executing || !mon->session)
		return;
	if (!qmp_session_ready(mon->session))
		mon->begin += qmp_session_feed(mon->session, mon->bytes + mon->begin,
					       mon->end - mon->begin);
	qmp_session_output(mon->session, &output);
	if (qmp_session_ready(mon->session) && output < ENOUGH_OUTPUT_BYTES) {
		if (board_inside_a_wait(mon->m)) {
			aio_timer_mod_any(&mon->retry, clock_ns() + BOARD_RETRY_NS);
			watch(mon);
			return;
		}
		mon->executing = true;
		watch(mon);
		qmp_session_execute(mon->session);
		mon->executing = false;
		aio_bh_schedule(mon->bh); /* for what came along with it */
	}
	flush(mon);
}

static void on_readable(void *opaque)
{
	struct monitor *mon = opaque;
	ssize_t n = recv(mon->fd, mon->bytes, sizeof(mon->bytes), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(mon);
		return;
	}
	mon->begin = 0;
	mon->end = (size_t)n;
	watch(mon);
	aio_bh_schedule(mon->bh);
}

/* --- clients --------------------------------------------------------------------------------- */

static void on_tick(void *opaque)
{
	struct monitor *mon = opaque;
	int64_t now = clock_ns();

	/* First, as it may be the end of the client. */
	aio_timer_mod_any(&mon->tick, now + MONITOR_TICK_NS);
	monitor_stuck_look(mon->m, mon->stuck, now);
	if (mon->session && !mon->executing && mon->stalled_ns &&
	    now - mon->stalled_ns > CLIENT_STALL_NS)
		drop_because(mon, "it does not read");
}

/* Takes fd, also when it fails. */
static bool greet(struct monitor *mon, int fd)
{
	mon->session = qmp_session_new(monitor_commands, mon->m);
	if (!mon->session) {
		close(fd);
		return false;
	}
	mon->fd = fd;
	mon->stalled_ns = 0;
	flush(mon);
	return true;
}

static void on_listener(void *opaque)
{
	struct monitor *mon = opaque;
	struct error err;
	int fd = qmp_listener_accept(&mon->listener, &err);

	if (fd == -EPERM)
		log_limited(&mon->complaints, LOG_WARN, "QMP: %s", err.msg);
	/* The greeting may find it gone. */
	if (fd < 0 || !greet(mon, fd) || !mon->session)
		return;
	watch_listener(mon, false);
	memset(mon->stuck, 0, sizeof(mon->stuck));
	aio_timer_mod_any(&mon->tick, clock_ns() + MONITOR_TICK_NS);
}

/* --- life ------------------------------------------------------------------------------------ */

static struct monitor *monitor_new(struct machine *m)
{
	struct AioContext *ctx = main_loop_aio_context_any();
	struct monitor *mon = calloc(1, sizeof(*mon));

	if (!mon)
		return NULL;
	mon->m = m;
	mon->fd = mon->listener.fd = -1;
	mon->bh = aio_bh_new(ctx, on_work, mon, "monitor");
	if (!mon->bh) {
		free(mon);
		return NULL;
	}
	aio_timer_init(ctx, &mon->tick, on_tick, mon);
	aio_timer_init(ctx, &mon->retry, on_work, mon);
	return mon;
}

static void monitor_free(struct monitor *mon)
{
	if (!mon)
		return;
	if (mon->session)
		drop(mon);
	watch_listener(mon, false);
	aio_bh_delete(mon->bh);
	if (mon->listener.fd >= 0)
		qmp_listener_close(&mon->listener);
	free(mon);
}

/* Without a listener it has no events: its client need not read but for an answer. */
static int start_watcher(struct machine *m, struct error *err)
{
	m->watcher = monitor_new(m);
	if (m->watcher && greet(m->watcher, m->config->qmp_fd))
		return 0;
	return error_set(err, -ENOMEM, "QMP: out of memory");
}

static int start_listener(struct machine *m, struct error *err)
{
	int ret;

	m->monitor = monitor_new(m);
	if (!m->monitor)
		return error_set(err, -ENOMEM, "QMP: out of memory");
	ret = qmp_listener_open(&m->monitor->listener, m->config->qmp_path, err);
	if (ret) {
		m->monitor->listener.fd = -1;
		error_prefix(err, "QMP %s", m->config->qmp_path);
		return ret;
	}
	watch_listener(m->monitor, true);
	return 0;
}

int monitor_start(struct machine *m, struct error *err)
{
	int ret = 0;

	if (m->config->qmp_fd >= 0)
		ret = start_watcher(m, err);
	if (!ret && m->config->qmp_path)
		ret = start_listener(m, err);
	if (ret)
		monitor_stop(m);
	return ret;
}

void monitor_stop(struct machine *m)
{
	monitor_free(m->monitor);
	monitor_free(m->watcher);
	m->monitor = m->watcher = NULL;
}
