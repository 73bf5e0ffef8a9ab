// SPDX-License-Identifier: BSD-2-Clause
/*
 * What ends or disturbs a run from outside: its duration, a request to stop, and handlers held back
 * once, so that `lost` can be seen. Main context. Neighbour: board.c.
 */
#include "board.h"

#include <handoff/clock.h>
#include <handoff/main_loop.h>
#include <handoff/virtio.h>

#define HOLD_AFTER_NS (100 * NS_PER_MS)

void board_quit(struct machine *m, int status, const char *cause)
{
	if (!m->quit_cause)
		m->quit_cause = cause;
	main_loop_quit_any(status);
}

static void on_duration(void *opaque)
{
	board_quit(opaque, MACHINE_EXIT_OK, BOARD_CAUSE_UI);
}

static void unwatch_stop_fd(struct machine *m)
{
	if (m->config->stop_fd >= 0)
		aio_set_fd_handler(main_loop_aio_context_any(), m->config->stop_fd, NULL, NULL,
				   NULL, NULL, NULL);
}

/* Not read: what it holds is its owner's. */
static void on_stop_fd(void *opaque)
{
	unwatch_stop_fd(opaque);
	board_quit(opaque, MACHINE_EXIT_OK, BOARD_CAUSE_SIGNAL);
}

static void set_hold(struct machine *m, bool hold)
{
	unsigned int i;

	m->holding = hold;
	m->waiting = true;
	for (i = 0; i < m->config->n_disks; i++)
		virtio_blk_hold_handlers(m->disk[i].vblk, hold);
	m->waiting = false;
}

static void on_hold(void *opaque)
{
	struct machine *m = opaque;

	if (board_inside_a_wait(m)) {
		aio_timer_mod_any(&m->hold_timer, clock_ns() + BOARD_RETRY_NS);
		return;
	}
	set_hold(m, !m->holding);
	if (m->holding)
		aio_timer_mod_any(&m->hold_timer, clock_ns() + m->config->hold_handlers_ns);
}

int board_control_start(struct machine *m, struct error *err)
{
	struct AioContext *ctx = main_loop_aio_context_any();

	aio_timer_init(ctx, &m->duration_timer, on_duration, m);
	aio_timer_init(ctx, &m->hold_timer, on_hold, m);
	if (m->config->stop_fd >= 0)
		aio_set_fd_handler(ctx, m->config->stop_fd, on_stop_fd, NULL, NULL, NULL, m);
	return 0;
}

void board_control_run(struct machine *m)
{
	int64_t now = clock_ns();

	if (m->config->duration_ns > 0)
		aio_timer_mod_any(&m->duration_timer, now + m->config->duration_ns);
	if (m->config->hold_handlers_ns > 0)
		aio_timer_mod_any(&m->hold_timer, now + HOLD_AFTER_NS);
}

void board_control_stop(struct machine *m)
{
	unwatch_stop_fd(m);
	aio_timer_del(&m->duration_timer);
	aio_timer_del(&m->hold_timer);
	if (m->holding)
		set_hold(m, false);
}
