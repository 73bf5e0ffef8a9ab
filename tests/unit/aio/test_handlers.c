// SPDX-License-Identifier: BSD-2-Clause
/* Registration and removal of fd handlers in every awkward moment, and the change of fd monitors
 * under load. White-box. */
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "../../../user/aio/context.h"

struct pipe_data {
	struct AioContext *ctx;
	int fd[2];
	int reads, writes;
};

static void pipe_read(void *opaque)
{
	struct pipe_data *p = opaque;
	char byte;

	p->reads++;
	assert_int_equal(read(p->fd[0], &byte, 1), 1);
}

static void pipe_write(void *opaque)
{
	struct pipe_data *p = opaque;

	p->writes++;
	aio_set_fd_handler(p->ctx, p->fd[1], NULL, NULL, NULL, NULL, NULL);
}

static unsigned int count_nodes(struct AioContext *ctx)
{
	struct AioHandler *node;
	unsigned int n = 0;

	for (node = aio_handler_first(ctx); node; node = aio_handler_next(node))
		n++;
	return n;
}

/* A handler for writing is called while the fd takes data, and may remove itself. */
static void test_handler__write_side_removes_itself(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct pipe_data p = { .ctx = ctx };

	assert_int_equal(pipe2(p.fd, O_NONBLOCK | O_CLOEXEC), 0);
	aio_set_fd_handler(ctx, p.fd[1], NULL, pipe_write, NULL, NULL, &p);
	loop_drain(ctx);
	assert_int_equal(p.writes, 1);
	close(p.fd[0]);
	close(p.fd[1]);
}

/* Events are level-triggered: a handler that takes one byte of three is called three times. */
static void test_handler__is_level_triggered(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct pipe_data p = { .ctx = ctx };
	int i;

	assert_int_equal(pipe2(p.fd, O_NONBLOCK | O_CLOEXEC), 0);
	aio_set_fd_handler(ctx, p.fd[0], pipe_read, NULL, NULL, NULL, &p);
	loop_drain(ctx);
	assert_int_equal(write(p.fd[1], "abc", 3), 3);
	for (i = 1; i <= 3; i++) {
		assert_true(aio_poll(ctx, true));
		assert_int_equal(p.reads, i);
	}
	assert_false(aio_poll(ctx, false));
	aio_set_fd_handler(ctx, p.fd[0], NULL, NULL, NULL, NULL, NULL);
	close(p.fd[0]);
	close(p.fd[1]);
}

/* A hang-up reaches the read handler. */
static void hangup_read(void *opaque)
{
	struct pipe_data *p = opaque;
	char byte;

	p->reads++;
	assert_int_equal(read(p->fd[0], &byte, 1), 0);
	aio_set_fd_handler(p->ctx, p->fd[0], NULL, NULL, NULL, NULL, NULL);
}

static void test_handler__sees_hangup(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct pipe_data p = { .ctx = ctx };

	assert_int_equal(pipe2(p.fd, O_NONBLOCK | O_CLOEXEC), 0);
	aio_set_fd_handler(ctx, p.fd[0], hangup_read, NULL, NULL, NULL, &p);
	loop_drain(ctx);
	close(p.fd[1]);
	assert_true(aio_poll(ctx, true));
	assert_int_equal(p.reads, 1);
	assert_false(aio_poll(ctx, false));
	close(p.fd[0]);
}

struct remover {
	struct counted_notifier n; /* first */
	struct counted_notifier *victim;
	bool nested;
};

static void remover_read(struct EventNotifier *e)
{
	struct remover *r = (struct remover *)e;

	event_notifier_test_and_clear(e);
	r->n.reads++;
	if (r->victim)
		counted_detach(r->victim);
	r->victim = NULL;
	if (r->nested)
		aio_poll(r->n.ctx, false);
}

/* Two are ready, the first to run removes the other: that one does not run, and its node goes when
 * the walk is over. */
static void remove_while_walking(struct AioContext *ctx, bool nested)
{
	struct remover a = { .nested = nested }, b = { .nested = nested };
	unsigned int nodes;
	int i;

	counted_init(&a.n, ctx);
	counted_init(&b.n, ctx);
	aio_set_event_notifier(ctx, &a.n.e, remover_read, NULL, NULL);
	aio_set_event_notifier(ctx, &b.n.e, remover_read, NULL, NULL);
	loop_drain(ctx);
	nodes = count_nodes(ctx);
	a.victim = &b.n;
	b.victim = &a.n;
	event_notifier_set(&a.n.e);
	event_notifier_set(&b.n.e);
	assert_true(aio_poll(ctx, true));
	assert_int_equal(a.n.reads + b.n.reads, 1);
	/* io_uring frees the node with the CQE of its cancelled POLL_ADD. */
	for (i = 0; i < 3; i++)
		aio_poll(ctx, false);
	assert_int_equal(a.n.reads + b.n.reads, 1);
	assert_int_equal(count_nodes(ctx), nodes - 1);
	counted_release(&a.n);
	counted_release(&b.n);
}

static void test_handler__removed_by_neighbour(void **state)
{
	remove_while_walking(loop_ctx(state), false);
}

static void test_handler__removed_by_neighbour_nested(void **state)
{
	remove_while_walking(loop_ctx(state), true);
}

static void nested_first(struct EventNotifier *e)
{
	struct remover *r = (struct remover *)e;

	event_notifier_test_and_clear(e);
	r->n.reads++;
	/* The other one was found ready by the outer turn; a nested one is to run it, without
	 * sleeping. */
	while (!r->victim->reads)
		assert_true(aio_poll(r->n.ctx, true));
}

/* A nested turn takes over what the outer one has found and not yet run; nothing runs twice. */
static void test_handler__nested_turn_takes_over_ready_ones(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct remover a = { .nested = false }, b = { .nested = false };

	counted_init(&a.n, ctx);
	counted_init(&b.n, ctx);
	a.victim = &b.n;
	b.victim = &a.n;
	aio_set_event_notifier(ctx, &a.n.e, nested_first, NULL, NULL);
	aio_set_event_notifier(ctx, &b.n.e, nested_first, NULL, NULL);
	loop_drain(ctx);
	event_notifier_set(&a.n.e);
	event_notifier_set(&b.n.e);
	loop_drain(ctx);
	assert_int_equal(a.n.reads, 1);
	assert_int_equal(b.n.reads, 1);
	counted_release(&a.n);
	counted_release(&b.n);
}

static void reschedule(void *opaque)
{
	aio_bh_schedule(*(struct QEMUBH **)opaque);
}

/* An fd that fires time and again is heard although a bottom half never lets the loop sleep. */
static void test_handler__not_starved_by_bottom_half(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n;
	struct QEMUBH *bh;
	int turns = 0;

	counted_init(&n, ctx);
	counted_attach(&n);
	bh = aio_bh_new(ctx, reschedule, &bh, "busy");
	aio_bh_schedule(bh);
	n.again = 9;
	event_notifier_set(&n.e);
	while (n.reads < 10) {
		assert_true(aio_poll(ctx, true));
		assert_true(++turns <= 10 * 2 * AIO_BLIND_TURNS_MAX);
	}
	assert_int_equal(loop_row(state)->blocks, 0);
	aio_bh_delete(bh);
	counted_release(&n);
}

/* A thousand rounds of coming and going leave nothing behind, not even in the kernel. */
static void test_handler__churn_leaves_nothing(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	unsigned int nodes;
	int i, j;

	loop_drain(ctx);
	nodes = count_nodes(ctx);
	for (i = 0; i < 1000; i++) {
		struct counted_notifier n;

		counted_init(&n, ctx);
		counted_attach(&n);
		if (i & 1)
			aio_poll(ctx, false);
		if (i & 2)
			event_notifier_set(&n.e);
		if (i & 4)
			aio_poll(ctx, false);
		counted_release(&n);
	}
	for (j = 0; j < 3; j++)
		aio_poll(ctx, false);
	assert_int_equal(count_nodes(ctx), nodes);
}

#define MANY 200

/* Every one of many fds is heard, whatever the monitor; removal of half of them leaves the others
 * working. */
static void test_handler__many_fds(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	static struct counted_notifier n[MANY];
	int i;

	for (i = 0; i < MANY; i++) {
		counted_init(&n[i], ctx);
		counted_attach(&n[i]);
	}
	for (i = 0; i < MANY; i++)
		event_notifier_set(&n[i].e);
	loop_drain(ctx);
	for (i = 0; i < MANY; i += 2)
		counted_detach(&n[i]);
	for (i = 0; i < MANY; i++)
		event_notifier_set(&n[i].e);
	loop_drain(ctx);
	for (i = 0; i < MANY; i++) {
		assert_int_equal(n[i].reads, 1 + (i & 1));
		counted_release(&n[i]);
	}
}

/* The default without io_uring: ppoll first, epoll from 64 fds on; none is lost on the way. */
static void test_fdmon__ppoll_becomes_epoll(void **state)
{
	struct AioContext *ctx = aio_context_new_flags(NULL, false, true, NULL);
	static struct counted_notifier n[AIO_EPOLL_THRESHOLD];
	int i;

	assert_int_equal(aio_context_fdmon(ctx), AIO_FDMON_POLL);
	for (i = 0; i < AIO_EPOLL_THRESHOLD - 2; i++) {
		counted_init(&n[i], ctx);
		counted_attach(&n[i]);
	}
	loop_drain(ctx);
	assert_int_equal(aio_context_fdmon(ctx), AIO_FDMON_POLL);
	for (; i < AIO_EPOLL_THRESHOLD; i++) {
		counted_init(&n[i], ctx);
		counted_attach(&n[i]);
	}
	for (i = 0; i < AIO_EPOLL_THRESHOLD; i++)
		event_notifier_set(&n[i].e);
	loop_drain(ctx);
	assert_int_equal(aio_context_fdmon(ctx), AIO_FDMON_EPOLL);
	for (i = 0; i < AIO_EPOLL_THRESHOLD; i++) {
		assert_int_equal(n[i].reads, 1);
		counted_release(&n[i]);
	}
	aio_context_unref(ctx);
}

static void file_read(void *opaque)
{
	struct pipe_data *p = opaque;

	p->reads++;
	aio_set_fd_handler(p->ctx, p->fd[0], NULL, NULL, NULL, NULL, NULL);
}

/* An fd that epoll refuses (a regular file: EPERM) sends it back to ppoll for good; all fds are
 * heard, that one too. */
static void test_fdmon__epoll_falls_back_to_ppoll(void **state)
{
	struct aio_context_config config = { .fdmon = AIO_FDMON_EPOLL };
	struct AioContext *ctx = aio_context_new(&config, NULL);
	struct pipe_data file = { .ctx = ctx };
	struct counted_notifier n;
	FILE *f = tmpfile();

	assert_non_null(f);
	file.fd[0] = fileno(f);
	counted_init(&n, ctx);
	counted_attach(&n);
	loop_drain(ctx);
	assert_int_equal(aio_context_fdmon(ctx), AIO_FDMON_EPOLL);
	event_notifier_set(&n.e);
	aio_set_fd_handler(ctx, file.fd[0], file_read, NULL, NULL, NULL, &file);
	loop_drain(ctx);
	assert_int_equal(aio_context_fdmon(ctx), AIO_FDMON_POLL);
	assert_int_equal(n.reads, 1);
	assert_int_equal(file.reads, 1);
	event_notifier_set(&n.e);
	loop_drain(ctx);
	assert_int_equal(n.reads, 2);
	counted_release(&n);
	aio_context_unref(ctx);
	fclose(f);
}

/* A monitor asked for by name that cannot be had is a failure in words; AUTO takes the next. */
static void test_fdmon__no_fds_left(void **state)
{
	struct aio_context_config config = { .fdmon = AIO_FDMON_EPOLL };
	struct rlimit old, none;
	struct error err;
	int next = dup(0);

	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = next + 1; /* the notifier's eventfd fits, no more */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_null(aio_context_new(&config, &err));
	config.fdmon = AIO_FDMON_IO_URING;
	assert_null(aio_context_new(&config, NULL));
	config.fdmon = AIO_FDMON_AUTO;
	struct AioContext *ctx = aio_context_new(&config, NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_non_null(ctx);
	assert_int_equal(aio_context_fdmon(ctx), AIO_FDMON_POLL);
	assert_non_null(strstr(err.msg, "epoll"));
	aio_context_unref(ctx);
}

int main(void)
{
	static const struct loop_test tests[] = {
		LOOP_TEST(test_handler__write_side_removes_itself),
		LOOP_TEST(test_handler__is_level_triggered),
		LOOP_TEST(test_handler__sees_hangup),
		LOOP_TEST(test_handler__removed_by_neighbour),
		LOOP_TEST(test_handler__removed_by_neighbour_nested),
		LOOP_TEST(test_handler__nested_turn_takes_over_ready_ones),
		LOOP_TEST(test_handler__not_starved_by_bottom_half),
		LOOP_TEST(test_handler__churn_leaves_nothing),
		LOOP_TEST(test_handler__many_fds),
		LOOP_TEST_ON(test_fdmon__ppoll_becomes_epoll, AIO_FDMON_POLL),
		LOOP_TEST_ON(test_fdmon__epoll_falls_back_to_ppoll, AIO_FDMON_POLL),
		LOOP_TEST_ON(test_fdmon__no_fds_left, AIO_FDMON_POLL),
	};

	return loop_tests_run("handlers", tests, sizeof(tests) / sizeof(tests[0]));
}
