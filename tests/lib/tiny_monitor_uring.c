// SPDX-License-Identifier: BSD-2-Clause
/* Styles of waiting by io_uring: polls of the kicks' eventfds, or reads of them. See
 * tiny_monitor.h. In the consumer's thread, which is the ring's only one. */
#include "tiny_monitor.h"

#include <err.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES (2 * (TINY_MAX_QUEUES + 1))
#define CANCEL	1000 /* user data, as the slots: queues, then the poke */

struct uring {
	struct io_uring ring;
	bool reads, stopping;
	unsigned int pending;
	uint64_t value[TINY_MAX_QUEUES];
	bool armed[TINY_MAX_QUEUES + 1];
};

static void request(struct tiny_consumer *c, unsigned int slot)
{
	struct uring *u = c->monitor;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (slot == c->n)
		io_uring_prep_poll_add(sqe, c->poke, POLLIN);
	else if (u->reads)
		io_uring_prep_read(sqe, c->queue[slot]->kick, &u->value[slot],
				   sizeof(u->value[slot]), 0);
	else
		io_uring_prep_poll_add(sqe, c->queue[slot]->kick, POLLIN);
	io_uring_sqe_set_data64(sqe, slot);
	u->armed[slot] = true;
	u->pending++;
}

static void arm(struct tiny_consumer *c, bool reads)
{
	struct uring *u = calloc(1, sizeof(*u));
	unsigned int i;
	int ret;

	if (!u)
		err(1, "memory");
	ret = io_uring_queue_init(ENTRIES, &u->ring, 0);
	if (ret)
		errx(1, "io_uring: %s", strerror(-ret));
	u->reads = reads;
	c->monitor = u;
	for (i = 0; i <= c->n; i++)
		request(c, i);
	if (io_uring_submit(&u->ring) < 0)
		errx(1, "io_uring_submit");
}

static void uring_poll_arm(struct tiny_consumer *c)
{
	arm(c, false);
}

static void uring_read_arm(struct tiny_consumer *c)
{
	arm(c, true);
}

static void complete(struct tiny_consumer *c, uint64_t slot, int res)
{
	struct uring *u = c->monitor;

	u->pending--;
	if (slot == CANCEL)
		return;
	u->armed[slot] = false;
	if (res < 0 && res != -ECANCELED)
		errx(1, "io_uring request: %s", strerror(-res));
	if (slot == c->n)
		tiny_poke_take(c);
	else if (res >= 0 && u->reads)
		tiny_queue_took(c->queue[slot], res, u->value[slot]);
	else if (res >= 0 && !c->queue[slot]->never_drain)
		tiny_queue_handle(c->queue[slot]);
	if (!u->stopping)
		request(c, (unsigned int)slot);
}

static void take_completions(struct tiny_consumer *c)
{
	struct uring *u = c->monitor;
	struct io_uring_cqe *cqe;

	io_uring_submit_and_wait(&u->ring, 1);
	while (!io_uring_peek_cqe(&u->ring, &cqe)) {
		uint64_t slot = io_uring_cqe_get_data64(cqe);
		int res = cqe->res;

		io_uring_cqe_seen(&u->ring, cqe);
		complete(c, slot, res);
	}
}

/* Waited for: a read that is still there would take a kick from its successor. */
static void disarm(struct tiny_consumer *c)
{
	struct uring *u = c->monitor;
	unsigned int i;

	u->stopping = true;
	for (i = 0; i <= c->n; i++) {
		struct io_uring_sqe *sqe;

		if (!u->armed[i])
			continue;
		sqe = io_uring_get_sqe(&u->ring);
		io_uring_prep_cancel64(sqe, i, 0);
		io_uring_sqe_set_data64(sqe, CANCEL);
		u->pending++;
	}
	while (u->pending)
		take_completions(c);
	io_uring_queue_exit(&u->ring);
	free(u);
}

const struct tiny_monitor tiny_uring_poll = { uring_poll_arm, take_completions, disarm };
const struct tiny_monitor tiny_uring_read = { uring_read_arm, take_completions, disarm };
