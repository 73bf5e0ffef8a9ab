// SPDX-License-Identifier: BSD-2-Clause
/*
 * Rehearsed hand-overs: a timer per move carries a disk round its list of loops while the guest
 * uses it. Main context. Neighbours: board.c, user/virtio, which drains, moves and resumes.
 */
#include "board.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <handoff/clock.h>
#include <handoff/log.h>
#include <handoff/main_loop.h>
#include <handoff/virtio.h>
#include "monitor.h"

bool board_inside_a_wait(const struct machine *m)
{
	return m->waiting || gettid() != m->main_tid;
}

int board_move_disk(struct machine *m, struct VirtIOBlock *vblk, struct IOThread *iothread,
		    struct error *err)
{
	uint64_t handovers = m->stats->n_handovers;
	int ret;

	m->waiting = true;
	ret = virtio_blk_set_iothread(vblk, iothread, err);
	m->waiting = false;
	if (m->stats->n_handovers != handovers)
		monitor_event_handed_over(m);
	return ret;
}

bool board_moves_use(const struct machine *m, const struct IOThread *iothread)
{
	unsigned int i, j;

	for (i = 0; i < m->config->n_moves; i++)
		for (j = 0; j < m->move[i].n_loops; j++)
			if (m->move[i].left && m->move[i].loop[j] == iothread)
				return true;
	return false;
}

static void move_disk(struct board_move *move)
{
	struct error err;
	int ret = board_move_disk(move->m, move->vblk, move->loop[move->next], &err);

	move->next = (move->next + 1) % move->n_loops;
	if (move->left != UINT64_MAX)
		move->left--;
	if (ret && !move->failed) {
		log_error("move of %s: %s", virtio_blk_name(move->vblk), err.msg);
		move->failed = true;
	}
}

static void on_move_timer(void *opaque)
{
	struct board_move *move = opaque;
	uint64_t again_ns = move->every_ns;

	if (board_inside_a_wait(move->m))
		again_ns = BOARD_RETRY_NS;
	else if (virtio_blk_started(move->vblk)) /* else nothing would be handed over */
		move_disk(move);
	if (move->left)
		aio_timer_mod_any(&move->timer, clock_ns() + (int64_t)again_ns);
}

/* "io0:io1:main" */
static int parse_loops(struct board_move *move, const char *loops, struct error *err)
{
	char *copy = strdup(loops), *rest = copy, *id;
	int ret = copy ? 0 : error_set(err, -ENOMEM, "out of memory");

	while (!ret && (id = strsep(&rest, ":"))) {
		if (move->n_loops == ARRAY_SIZE(move->loop))
			ret = error_set(err, -EINVAL, "more than %zu loops",
					ARRAY_SIZE(move->loop));
		else
			ret = board_iothread_find(move->m, id, &move->loop[move->n_loops++], err);
	}
	free(copy);
	return ret;
}

static int move_start(struct machine *m, unsigned int index, struct error *err)
{
	const struct machine_move *from = &m->config->move[index];
	struct board_move *move = &m->move[index];
	int ret;

	move->m = m;
	move->every_ns = from->every_ns;
	move->left = from->count ? from->count : UINT64_MAX;
	move->vblk = board_disk_find(m, from->disk, err);
	ret = !move->vblk ? -ENOENT : parse_loops(move, from->loops ? from->loops : "", err);
	if (ret) {
		error_prefix(err, "move");
		return ret;
	}
	aio_timer_init(main_loop_aio_context_any(), &move->timer, on_move_timer, move);
	return 0;
}

int board_moves_start(struct machine *m, struct error *err)
{
	unsigned int i;
	int ret;

	for (i = 0; i < m->config->n_moves; i++) {
		ret = move_start(m, i, err);
		if (ret)
			return ret; /* timers are not armed yet: nothing to undo */
	}
	return 0;
}

void board_moves_run(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->config->n_moves; i++)
		aio_timer_mod_any(&m->move[i].timer, clock_ns() + (int64_t)m->move[i].every_ns);
}

void board_moves_stop(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->config->n_moves; i++)
		aio_timer_del(&m->move[i].timer);
}
