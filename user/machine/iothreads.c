// SPDX-License-Identifier: BSD-2-Clause
/* The board's iothreads, each with a row of the stats page. Main context. Neighbours: board.c;
 * disks.c, moves.c and the monitor look them up, the monitor adds and removes. */
#include "board.h"
#include "kick_exit.h"

#include <errno.h>
#include <string.h>
#include <handoff/block.h>
#include <handoff/iothread.h>
#include <handoff/log.h>
#include <handoff/poll_policy.h>
#include <handoff/virtio.h>

#define MAIN_LOOP_ID	   "main"
#define KICK_EXIT_EVERY_MS 60000

static struct board_iothread *find(struct machine *m, const char *id)
{
	unsigned int i;

	for (i = 0; i < m->n_iothreads; i++) {
		if (!strcmp(iothread_get_id(m->iothread[i].iothread), id))
			return &m->iothread[i];
	}
	return NULL;
}

static int judge_id(struct machine *m, const char *id, struct error *err)
{
	if (!id || !strcmp(id, MAIN_LOOP_ID))
		return error_set(err, -EINVAL, "iothread '%s': needs another id", id ? id : "");
	if (find(m, id))
		return error_set(err, -EEXIST, "iothread '%s': there are two of them", id);
	if (m->n_iothreads == MACHINE_MAX_IOTHREADS)
		return error_set(err, -ENOSPC, "iothread '%s': there are %u already, the most", id,
				 MACHINE_MAX_IOTHREADS);
	return 0;
}

/* -EINVAL of a policy that does not exist is iothread_new's to tell. */
static uint64_t usual_max_ns(const char *policy)
{
	const struct poll_policy *p = poll_policy_find(policy, NULL);

	return p ? (uint64_t)p->usual_max_ns : 0;
}

int64_t machine_kick_exit_ns(struct error *err)
{
	return kvm_kick_exit_ns_any(BOARD_KVM_DEVICE, err);
}

void board_know_kick_exit(struct machine *m, const char *policy_name)
{
	const struct poll_policy *policy = poll_policy_find(policy_name, NULL);
	struct error err;
	int64_t ns;

	if (!policy || !policy->measured || m->kick_exit_known)
		return;
	m->kick_exit_known = true;
	ns = machine_kick_exit_ns(&err);
	if (ns < 0) {
		log_warn("cannot measure what a kick costs a vCPU: %s; policy '%s' counts it as "
			 "nothing",
			 err.msg, policy->name);
		return;
	}
	aio_set_kick_exit_ns_any(ns);
	if (!m->config->kick_exit_argv)
		return;
	m->kick_exit = kick_exit_start(m->config->kick_exit_argv, KICK_EXIT_EVERY_MS, &err);
	if (!m->kick_exit)
		log_warn("what a kick costs a vCPU is not measured again: %s", err.msg);
}

int board_iothread_add(struct machine *m, const struct machine_iothread *from, struct error *err)
{
	const char *policy = from->policy ? from->policy : MACHINE_POLL_POLICY_DEFAULT;
	struct iothread_config config = {
		.id = from->id,
		.poll = { .policy = policy,
			  .poll_max_ns =
				  from->poll_max_ns_seen ? from->poll_max_ns : usual_max_ns(policy),
			  .poll_grow = from->poll_grow,
			  .poll_shrink = from->poll_shrink,
			  .poll_weight = from->poll_weight,
			  .poll_latency_percent = from->poll_latency_percent },
		.cpu = from->cpu,
	};
	struct board_iothread to;
	int ret = judge_id(m, from->id, err);

	if (ret)
		return ret;
	board_know_kick_exit(m, policy);
	to.stats = stats_loop_get(m->stats, STATS_LOOP_IOTHREAD, from->id);
	config.aio.stats = to.stats;
	to.iothread = iothread_new(&config, err);
	if (to.iothread) {
		m->iothread[m->n_iothreads++] = to;
		return 0;
	}
	if (to.stats)
		stats_loop_put(to.stats);
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
	int ret = 0;

	for (i = 0; !ret && i < m->config->n_iothreads; i++)
		ret = board_iothread_add(m, &m->config->iothread[i], err);
	if (ret)
		board_iothreads_stop(m);
	return ret;
}

void board_iothreads_stop(struct machine *m)
{
	kick_exit_stop(m->kick_exit);
	m->kick_exit = NULL;
	while (m->n_iothreads)
		stop_one(&m->iothread[--m->n_iothreads]);
}

/* Wanted by a disk or a --move, or where a backend is. */
static bool in_use(const struct machine *m, struct IOThread *iothread)
{
	const struct AioContext *ctx = iothread_get_aio_context(iothread);
	unsigned int i;

	for (i = 0; i < m->config->n_disks; i++) {
		if (virtio_blk_get_iothread(m->disk[i].vblk) == iothread ||
		    blk_get_aio_context(m->disk[i].blk) == ctx)
			return true;
	}
	return board_moves_use(m, iothread);
}

int board_iothread_del(struct machine *m, const char *id, struct error *err)
{
	struct board_iothread *which = find(m, id);

	if (!which)
		return error_set(err, -ENOENT, "there is no iothread '%s'", id);
	if (in_use(m, which->iothread))
		return error_set(err, -EBUSY, "iothread '%s' is in use", id);
	stop_one(which);
	memmove(which, which + 1,
		(size_t)(&m->iothread[m->n_iothreads] - (which + 1)) * sizeof(*which));
	m->n_iothreads--;
	return 0;
}

int board_iothread_find(struct machine *m, const char *id, struct IOThread **iothread,
			struct error *err)
{
	const struct board_iothread *which;

	*iothread = NULL;
	if (!id || !strcmp(id, MAIN_LOOP_ID))
		return 0;
	which = find(m, id);
	if (!which)
		return error_set(err, -ENOENT, "there is no iothread '%s'", id);
	*iothread = which->iothread;
	return 0;
}
