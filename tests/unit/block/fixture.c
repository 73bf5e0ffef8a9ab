// SPDX-License-Identifier: BSD-2-Clause
/* Main loop, iothreads and single requests for the tests of the block layer. */
#include "fixture.h"

#include <errno.h>
#include <handoff/main_loop.h>

int fixture_setup(void **state)
{
	struct error err;

	if (main_loop_init(NULL, &err) < 0) {
		print_error("%s\n", err.msg);
		return -1;
	}
	return 0;
}

int fixture_teardown(void **state)
{
	fixture_settle();
	main_loop_release();
	return 0;
}

struct AioContext *fixture_main(void)
{
	return main_loop_aio_context_any();
}

struct IOThread *fixture_iothread(const char *id)
{
	struct iothread_config config = {
		.id = id,
		.poll = { .poll_max_ns = IOTHREAD_POLL_MAX_NS_DEFAULT },
		.cpu = -1,
	};
	struct IOThread *iothread;
	struct error err;

	iothread = iothread_new(&config, &err);
	if (!iothread)
		fail_msg("%s", err.msg);
	return iothread;
}

void fixture_settle(void)
{
	while (aio_poll(fixture_main(), false))
		;
}

/* --- requests -------------------------------------------------------------------------------- */

static void request_complete(struct BlkRequest *req, int ret)
{
	static atomic_uint order;
	struct test_request *t = container_of(req, struct test_request, req);

	t->ret = ret;
	t->completed_in = aio_current_context_any();
	t->completions++;
	t->order = atomic_fetch_add(&order, 1) + 1;
	if (t->then)
		t->then(t);
	atomic_store(&t->done, true); /* last: the waiter may free t */
	aio_wait_kick();
}

void request_init(struct test_request *t, enum blk_request_type type, int64_t offset, void *buf,
		  int64_t bytes)
{
	memset(t, 0, sizeof(*t));
	t->iov.iov_base = buf;
	t->iov.iov_len = bytes;
	t->req.type = type;
	t->req.offset = offset;
	t->req.bytes = bytes;
	if (type == BLK_READ || type == BLK_WRITE) {
		t->req.iov = &t->iov;
		t->req.niov = 1;
	}
	t->req.weight = 1;
	t->req.cb = request_complete;
	t->ret = -EINPROGRESS;
}

struct submission {
	struct BlockBackend *blk;
	struct test_request *t;
};

static void submit_bh(void *opaque)
{
	struct submission *s = opaque;

	blk_submit(s->blk, &s->t->req);
}

void request_submit(struct BlockBackend *blk, struct test_request *t)
{
	struct submission s = { .blk = blk, .t = t };

	aio_wait_bh_oneshot(blk_get_aio_context(blk), submit_bh, &s);
}

int request_wait(struct test_request *t)
{
	AIO_WAIT_WHILE(!atomic_load(&t->done));
	assert_int_equal(t->completions, 1);
	return t->ret;
}

int request_run(struct BlockBackend *blk, enum blk_request_type type, int64_t offset, void *buf,
		int64_t bytes)
{
	struct test_request t;

	request_init(&t, type, offset, buf, bytes);
	request_submit(blk, &t);
	return request_wait(&t);
}

/* --- two iothreads --------------------------------------------------------------------------- */

struct loops loops;

int loops_setup(void **state)
{
	if (fixture_setup(state) < 0)
		return -1;
	loops.a = fixture_iothread("a");
	loops.b = fixture_iothread("b");
	loops.ctx[0] = fixture_main();
	loops.ctx[1] = iothread_get_aio_context(loops.a);
	loops.ctx[2] = iothread_get_aio_context(loops.b);
	return 0;
}

int loops_teardown(void **state)
{
	iothread_free(loops.a);
	iothread_free(loops.b);
	return fixture_teardown(state);
}

struct BlockBackend *backend(struct BlockDriverState *bs, const char *name)
{
	struct error err;
	struct BlockBackend *blk = blk_new(name, bs, &err);

	assert_non_null(blk);
	return blk;
}

void move(struct BlockBackend *blk, struct AioContext *ctx)
{
	struct error err = { .msg = "" };

	if (blk_set_aio_context(blk, ctx, &err) < 0)
		fail_msg("%s", err.msg);
	assert_ptr_equal(blk_get_aio_context(blk), ctx);
}
