// SPDX-License-Identifier: BSD-2-Clause
/* Requests on a context's ring, whatever the fd monitor; and the ring's own failures. White-box for
 * the counters. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <handoff/clock.h>
#include "../../../user/aio/uring.h"

struct request {
	struct CqeHandler cqe; /* first */
	struct AioContext *ctx;
	int fd, done, again;
	bool inline_ok; /* false while aio_add_sqe runs */
	char buffer[64];
};

static void prep_nop(struct io_uring_sqe *sqe, void *opaque)
{
	assert_int_equal(sqe->opcode | sqe->flags, 0); /* zeroed */
	io_uring_prep_nop(sqe);
}

static void prep_read(struct io_uring_sqe *sqe, void *opaque)
{
	struct request *r = opaque;

	io_uring_prep_read(sqe, r->fd, r->buffer, sizeof(r->buffer), 0);
}

static void submit(struct request *r, void (*prep)(struct io_uring_sqe *, void *))
{
	r->inline_ok = false;
	aio_add_sqe(r->ctx, prep, r, &r->cqe);
	r->inline_ok = true;
}

static void request_done(struct CqeHandler *cqe)
{
	struct request *r = (struct request *)cqe;

	assert_true(r->inline_ok);
	r->done++;
	if (r->again > 0) {
		r->again--;
		submit(r, prep_nop);
	}
}

static void request_init(struct request *r, struct AioContext *ctx)
{
	*r = (struct request){ .ctx = ctx, .cqe.cb = request_done };
}

static void need_uring(struct AioContext *ctx)
{
	int ret = aio_uring_setup(ctx);

	if (ret) {
		print_message("# no io_uring: %s\n", strerror(-ret));
		skip();
	}
}

static void submit_from_bh(void *opaque)
{
	submit(opaque, prep_nop);
}

/* A request comes back once, from a blocking turn; one made in a bottom half or in a completion,
 * too. */
static void test_uring__request_completes(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct request r;

	need_uring(ctx);
	request_init(&r, ctx);
	submit(&r, prep_nop);
	while (!r.done)
		aio_poll(ctx, true);
	assert_int_equal(r.cqe.res, 0);
	r.again = 3;
	aio_bh_schedule_oneshot(ctx, submit_from_bh, &r, "submit");
	while (r.done < 5)
		aio_poll(ctx, true);
	assert_false(aio_poll(ctx, false));
	assert_int_equal(r.done, 5);
	assert_int_equal(ctx->uring->in_flight, 0);
}

static void nest_done(struct CqeHandler *cqe)
{
	struct request *r = (struct request *)cqe;

	r->done++;
	/* Both were found by one turn, so only a nested one can run the other now. */
	while (!r[r->again].done)
		assert_true(aio_poll(r->ctx, true));
}

/* A completion that waits for its neighbour, reaped with it, does not wait in vain; none comes
 * twice. */
static void test_uring__nested_turn_takes_over_completions(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct request r[2];

	need_uring(ctx);
	request_init(&r[0], ctx);
	request_init(&r[1], ctx);
	r[0].cqe.cb = r[1].cqe.cb = nest_done;
	r[0].again = 1;
	r[1].again = -1;
	submit(&r[0], prep_nop);
	submit(&r[1], prep_nop);
	while (!r[0].done)
		aio_poll(ctx, true);
	assert_false(aio_poll(ctx, false));
	assert_int_equal(r[0].done, 1);
	assert_int_equal(r[1].done, 1);
	assert_int_equal(ctx->uring->in_flight, 0);
}

/* Data and errors of a real file. */
static void test_uring__reads_a_file(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct request r, bad;
	FILE *f = tmpfile();

	need_uring(ctx);
	assert_non_null(f);
	assert_int_equal(fwrite("handoff", 1, 7, f), 7);
	fflush(f);
	request_init(&r, ctx);
	request_init(&bad, ctx);
	r.fd = fileno(f);
	bad.fd = -1;
	submit(&r, prep_read);
	submit(&bad, prep_read);
	while (!r.done || !bad.done)
		aio_poll(ctx, true);
	assert_int_equal(r.cqe.res, 7);
	assert_memory_equal(r.buffer, "handoff", 7);
	assert_int_equal(bad.cqe.res, -EBADF);
	fclose(f);
}

#define FLOOD 3000

/* More requests than SQ and CQ hold together: all come back, each once. */
static void test_uring__queue_full(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct request *r = calloc(FLOOD, sizeof(*r));
	int i, done = 0;

	need_uring(ctx);
	for (i = 0; i < FLOOD; i++) {
		request_init(&r[i], ctx);
		submit(&r[i], prep_nop);
	}
	while (done < FLOOD) {
		aio_poll(ctx, true);
		for (i = done = 0; i < FLOOD; i++)
			done += r[i].done;
	}
	assert_false(aio_poll(ctx, false));
	for (i = 0; i < FLOOD; i++)
		assert_int_equal(r[i].done, 1);
	free(r);
}

/* A request that is not done yet neither blocks other events nor is lost: a read of an empty pipe,
 * then data. */
static void test_uring__slow_request_beside_events(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n;
	struct request r;
	int fd[2];

	need_uring(ctx);
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	counted_init(&n, ctx);
	counted_attach(&n);
	request_init(&r, ctx);
	r.fd = fd[0];
	submit(&r, prep_read);
	loop_drain(ctx);
	assert_int_equal(r.done, 0);
	event_notifier_set(&n.e);
	assert_true(aio_poll(ctx, true));
	assert_int_equal(n.reads, 1);
	assert_int_equal(write(fd[1], "late", 4), 4);
	while (!r.done)
		aio_poll(ctx, true);
	assert_int_equal(r.cqe.res, 4);
	counted_release(&n);
	close(fd[0]);
	close(fd[1]);
}

/* A request queued before a spin is in the kernel during it, and its completion ends the spin,
 * without a sleep. */
static void test_uring__spin_sees_completion(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);
	struct counted_notifier n;
	struct request r;
	uint64_t blocks;

	need_uring(ctx);
	counted_init(&n, ctx);
	counted_attach_polled(&n);
	loop_set_poll(ctx, 3600 * NS_PER_S, NULL);
	counted_make_polled(&n);
	request_init(&r, ctx);
	/* Where the ring is a handler, it is polled from its first event on. */
	submit(&r, prep_nop);
	while (!r.done)
		aio_poll(ctx, true);
	aio_poll(ctx, false);
	ctx->poll.poll_ns = 3600 * NS_PER_S;
	blocks = row->blocks;
	submit(&r, prep_nop);
	while (r.done < 2)
		aio_poll(ctx, true);
	assert_int_equal(row->blocks, blocks);
	counted_release(&n);
}

/*
 * The kernel may leave TASKRUN raised with no work behind it. The loop goes on to spin and sees
 * what its polled handlers have, although their notifications are off.
 */
static void test_uring__stale_taskrun_does_not_stop_polling(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n;
	unsigned int turns = 0;

	counted_init(&n, ctx);
	counted_attach_polled(&n);
	loop_set_poll(ctx, 3600 * NS_PER_S, NULL);
	counted_make_polled(&n);
	ctx->poll.poll_ns = 3600 * NS_PER_S;
	n.work = true;
	aio_poll(ctx, true);
	assert_int_equal(n.readies, 1); /* in poll mode from here on */
	__atomic_fetch_or(ctx->uring->ring.sq.kflags, IORING_SQ_TASKRUN, __ATOMIC_RELAXED);
	n.work = true;
	while (n.readies < 2 && ++turns < 5)
		aio_poll(ctx, true);
	assert_int_equal(n.readies, 2);
	counted_release(&n);
}

/* An idle loop is not to look like one that waits for its disk, where the kernel can tell the two
 * apart. */
static void test_uring__sleeps_without_iowait(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n;

	if (!(ctx->uring->ring.features & IORING_FEAT_NO_IOWAIT)) {
		print_message("# this kernel has no IORING_ENTER_NO_IOWAIT (Linux 6.15)\n");
		skip();
	}
	counted_init(&n, ctx);
	counted_attach(&n);
	loop_drain(ctx);
	n.again = 5;
	counted_make_polled(&n);
	while (n.reads < 6)
		aio_poll(ctx, true);
	assert_true(ctx->uring->waits >= 1);
	assert_int_equal(ctx->uring->waits_no_iowait, ctx->uring->waits);
	counted_release(&n);
}

/* The ring stops working: its fd is another file all of a sudden. */
struct broken_ring {
	int ring_fd, spare_fd, null_fd;
};

static struct broken_ring break_ring(struct AioContext *ctx)
{
	struct broken_ring b = { .ring_fd = ctx->uring->ring.ring_fd };

	b.spare_fd = dup(b.ring_fd);
	b.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_equal(dup2(b.null_fd, b.ring_fd), b.ring_fd);
	return b;
}

static void mend_ring(const struct broken_ring *b)
{
	dup2(b->spare_fd, b->ring_fd);
	close(b->spare_fd);
	close(b->null_fd);
}

/* After a failure ppoll goes on, no fd is lost, requests fail in words. */
static void test_uring__failure_falls_back_to_ppoll(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n;
	struct broken_ring b;
	struct request r;

	counted_init(&n, ctx);
	counted_attach(&n);
	loop_drain(ctx);
	b = break_ring(ctx);
	request_init(&r, ctx);
	submit(&r, prep_nop);
	event_notifier_set(&n.e);
	while (!n.reads || !r.done)
		aio_poll(ctx, true);
	assert_int_equal(aio_context_fdmon(ctx), AIO_FDMON_POLL);
	assert_true(r.cqe.res < 0);
	submit(&r, prep_nop);
	while (r.done < 2)
		aio_poll(ctx, true);
	assert_true(r.cqe.res < 0);
	event_notifier_set(&n.e);
	while (n.reads < 2)
		aio_poll(ctx, true);
	counted_release(&n);
	mend_ring(&b);
}

/* A failure met while a request was being queued: the very next look finds the fds by ppoll, even
 * if nobody ever blocks. An iothread's ring, where completions need the enter that fails. */
static void test_uring__failure_in_full_queue_falls_back(void **state)
{
	struct aio_context_config config = { .fdmon = AIO_FDMON_IO_URING };
	struct AioContext *own = loop_ctx(state);
	struct AioContext *ctx = aio_context_new_flags(&config, true, false, NULL);
	struct request *r = calloc(FLOOD, sizeof(*r));
	struct counted_notifier n;
	struct broken_ring b;
	int i;

	aio_set_current_context(ctx);
	counted_init(&n, ctx);
	counted_attach(&n);
	loop_drain(ctx);
	b = break_ring(ctx);
	for (i = 0; i < FLOOD; i++) {
		request_init(&r[i], ctx);
		submit(&r[i], prep_nop);
	}
	assert_true(ctx->uring->error < 0);
	event_notifier_set(&n.e);
	loop_drain(ctx);
	assert_int_equal(aio_context_fdmon(ctx), AIO_FDMON_POLL);
	assert_int_equal(n.reads, 1);
	for (i = 0; i < FLOOD; i++) {
		assert_int_equal(r[i].done, 1);
		assert_true(r[i].cqe.res < 0);
	}
	free(r);
	counted_release(&n);
	mend_ring(&b);
	aio_context_unref(ctx);
	aio_set_current_context(own);
}

/* A request that fails at once, made by a completion, comes back in a later turn: one that is tried
 * for ever does not hold the loop. */
static void test_uring__failed_retry_waits_for_next_turn(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct broken_ring b = break_ring(ctx);
	struct request r;
	int i;

	request_init(&r, ctx);
	submit(&r, prep_nop);
	while (!r.done)
		aio_poll(ctx, true);
	r.again = 5;
	submit(&r, prep_nop);
	for (i = 2; i <= 7; i++) {
		assert_true(aio_poll(ctx, true));
		assert_int_equal(r.done, i);
	}
	assert_false(aio_poll(ctx, false));
	mend_ring(&b);
}

static void nothing(void *opaque)
{
}

static void read_and_defer(struct EventNotifier *e)
{
	struct counted_notifier *n = (struct counted_notifier *)e;

	event_notifier_test_and_clear(e);
	n->reads++;
	aio_bh_schedule_oneshot(n->ctx, nothing, NULL, "deferred");
}

/* An fd that fired is armed anew by the enter that sleeps: a turn for a bottom half in between
 * costs no syscall. */
static void test_uring__rearms_with_the_sleep(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n;
	unsigned int submitted;

	counted_init(&n, ctx);
	aio_set_event_notifier(ctx, &n.e, read_and_defer, NULL, NULL);
	loop_drain(ctx);
	event_notifier_set(&n.e);
	while (!n.reads)
		aio_poll(ctx, true);
	submitted = *ctx->uring->ring.sq.khead;
	assert_true(aio_poll(ctx, true)); /* the bottom half */
	assert_int_equal(*ctx->uring->ring.sq.khead, submitted);
	event_notifier_set(&n.e);
	while (n.reads < 2)
		aio_poll(ctx, true);
	assert_int_equal(*ctx->uring->ring.sq.khead, submitted + 1);
	loop_drain(ctx);
	counted_release(&n);
}

/* A context that ends with a request in flight would leave the kernel writing into freed memory:
 * abort instead. */
static void test_uring__context_end_with_request_aborts(void **state)
{
	struct aio_context_config config = { .fdmon = ((struct loop_fixture *)*state)->fdmon };
	int status, fd[2];
	pid_t pid;

	need_uring(loop_ctx(state));
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		struct AioContext *ctx = aio_context_new(&config, NULL);
		struct request r;

		close(2);
		signal(SIGABRT, SIG_DFL);
		request_init(&r, ctx);
		r.fd = fd[0];
		submit(&r, prep_read);
		aio_poll(ctx, false);
		aio_context_unref(ctx);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	close(fd[0]);
	close(fd[1]);
}

int main(void)
{
	static const struct loop_test tests[] = {
		LOOP_TEST(test_uring__request_completes),
		LOOP_TEST(test_uring__nested_turn_takes_over_completions),
		LOOP_TEST(test_uring__reads_a_file),
		LOOP_TEST(test_uring__queue_full),
		LOOP_TEST(test_uring__slow_request_beside_events),
		LOOP_TEST(test_uring__spin_sees_completion),
		LOOP_TEST_ON(test_uring__stale_taskrun_does_not_stop_polling, AIO_FDMON_IO_URING),
		LOOP_TEST_ON(test_uring__sleeps_without_iowait, AIO_FDMON_IO_URING),
		LOOP_TEST_ON(test_uring__failure_falls_back_to_ppoll, AIO_FDMON_IO_URING),
		LOOP_TEST_ON(test_uring__failure_in_full_queue_falls_back, AIO_FDMON_IO_URING),
		LOOP_TEST_ON(test_uring__failed_retry_waits_for_next_turn, AIO_FDMON_IO_URING),
		LOOP_TEST_ON(test_uring__rearms_with_the_sleep, AIO_FDMON_IO_URING),
		LOOP_TEST(test_uring__context_end_with_request_aborts),
	};

	return loop_tests_run("uring", tests, sizeof(tests) / sizeof(tests[0]));
}
