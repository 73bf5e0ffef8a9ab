// SPDX-License-Identifier: BSD-2-Clause
/* The board's iothreads, each with a row of the stats page. Main context. Neighbours: board.c;
 * disks.c and moves.c look them up. */
#include "board.h"

#include <errno.h>
#include <string.h>
#include <handoff/iothread.h>

#define MAIN_LOOP_ID "main"

static int judge_id(const struct machine_config *config, unsigned int index, struct error *err)
{
	const char *id = config->iothread[index].id;
	unsigned int i;

	if (!id || !strcmp(id, MAIN_LOOP_ID))
		return error_set(err, -EINVAL, "iothread '%s': needs another id", id ? id : "");
	for (i = 0; i < index; i++) {
		if (!strcmp(config->iothread[i].id, id))
			return error_set(err, -EEXIST, "iothread '%s': there are two of them", id);
	}
	return 0;
}

static int start_one(struct machine *m, unsigned int index, struct error *err)
{
	const struct machine_iothread *from = &m->config->iothread[index];
	struct board_iothread *to = &m->iothread[index];
	struct iothread_config config = {
		.id = from->id,
		.poll = { .policy = from->policy,
			  .poll_max_ns = from->poll_max_ns_seen ? from->poll_max_ns
								: IOTHREAD_POLL_MAX_NS_DEFAULT,
			  .poll_grow = from->poll_grow,
			  .poll_shrink = from->poll_shrink,
			  .poll_weight = from->poll_weight },
		.cpu = from->cpu,
	};
	int ret = judge_id(m->config, index, err);

	if (ret)
		return ret;
	to->stats = stats_loop_get(m->stats, STATS_LOOP_IOTHREAD, from->id);
	config.aio.stats = to->stats;
	to->iothread = iothread_new(&config, err);
	if (to->iothread)
		return 0;
	if (to->stats)
		stats_loop_put(to->stats);
	return -EINVAL;
}

static void stop_one(struct board_iothread *iothread)
{
	iothread_free(iothread->iothread);
	if (iothread->stats)
		stats_loop_put(iothread->stats);
}

int board_iothreads_start(struct machine *m, struct error *err)
{
	unsigned int i;
	int ret;

	for (i = 0; i < m->config->n_iothreads; i++) {
		ret = start_one(m, i, err);
		if (ret)
			goto stop;
	}
	return 0;

stop:
	while (i--)
		stop_one(&m->iothread[i]);
	return ret;
}

void board_iothreads_stop(struct machine *m)
{
	unsigned int i = m->config->n_iothreads;

	while (i--)
		stop_one(&m->iothread[i]);
}

int board_iothread_find(struct machine *m, const char *id, struct IOThread **iothread,
			struct error *err)
{
	unsigned int i;

	*iothread = NULL;
	if (!id || !strcmp(id, MAIN_LOOP_ID))
		return 0;
	for (i = 0; i < m->config->n_iothreads; i++) {
		*iothread = m->iothread[i].iothread;
		if (!strcmp(iothread_get_id(*iothread), id))
			return 0;
	}
	return error_set(err, -ENOENT, "there is no iothread '%s'", id);
}
