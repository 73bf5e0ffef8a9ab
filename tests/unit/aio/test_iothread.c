// SPDX-License-Identifier: BSD-2-Clause
/* iothread objects: start, name, settings, stop under load. */
#include "fixture.h"

#include <errno.h>
#include <pthread.h>
#include <liburing.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <handoff/iothread.h>

static void thread_comm(pid_t tid, char comm[32])
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", tid);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(comm, 32, f));
	comm[strcspn(comm, "\n")] = '\0';
	fclose(f);
}

/* It runs when iothread_new returns, has its name, as much of it as the kernel takes, and its row.
 */
static void test_iothread__starts_named(void **state)
{
	struct stats_loop row = { 0 };
	struct iothread_config config = {
		.id = "longer-than-comm", .poll.poll_max_ns = 1000, .aio.stats = &row, .cpu = 0
	};
	struct IOThread *t = iothread_new(&config, NULL);
	char comm[32];

	assert_non_null(t);
	thread_comm(iothread_get_tid(t), comm);
	assert_string_equal(comm, "iothread:longer");
	assert_string_equal(iothread_get_id(t), "longer-than-comm");
	assert_int_equal(row.tid, iothread_get_tid(t));
	assert_int_not_equal(iothread_get_tid(t), getpid());
	assert_false(aio_in_home_thread_any(iothread_get_aio_context(t)));
	iothread_free(t);
}

/* A bad id, a bad setting, a CPU that is not there: NULL and a reason. */
static void test_iothread__refuses_bad_settings(void **state)
{
	struct iothread_config config = { .id = "", .cpu = -1 };
	struct error err;

	assert_null(iothread_new(&config, &err));
	config.id = "a b";
	assert_null(iothread_new(&config, &err));
	assert_non_null(strstr(err.msg, "a b"));
	config.id = "a23456789-123456789-123456789-12";
	assert_null(iothread_new(&config, NULL));
	config.id = "io0";
	config.poll.poll_max_ns = -1;
	assert_null(iothread_new(&config, &err));
	assert_non_null(strstr(err.msg, "poll-max-ns"));
	config.poll.poll_max_ns = 0;
	config.poll.policy = "none";
	assert_null(iothread_new(&config, &err));
	config.poll.policy = NULL;
	config.cpu = 100000;
	assert_null(iothread_new(&config, &err));
	assert_non_null(strstr(err.msg, "100000"));
}

/* Settings read back with the defaults filled in, at once, and reach the row when the loop has
 * taken them. */
static void test_iothread__settings_live(void **state)
{
	struct stats_loop row = { 0 };
	struct iothread_config config = { .id = "io0", .aio.stats = &row, .cpu = -1 };
	struct aio_poll_params p = { .poll_max_ns = 5000 };
	struct IOThread *t = iothread_new(&config, NULL);
	struct AioContext *ctx = iothread_get_aio_context(t);

	assert_int_equal(aio_context_set_poll_params(ctx, &p, NULL), 0);
	memset(&p, 0xff, sizeof(p));
	aio_context_get_poll_params(ctx, &p);
	assert_string_equal(p.policy, "qemu-weighted");
	assert_int_equal(p.poll_max_ns, 5000);
	assert_int_equal(p.poll_grow, 2);
	assert_int_equal(p.poll_shrink, 2);
	assert_int_equal(p.poll_weight, 3);
	while (__atomic_load_n(&row.poll_max_ns, __ATOMIC_RELAXED) != 5000)
		;
	p.poll_weight = 64;
	assert_int_equal(aio_context_set_poll_params(ctx, &p, NULL), -EINVAL);
	iothread_free(t);
	assert_int_equal(row.poll_weight, 3);
	assert_string_equal(row.poll_policy, "qemu-weighted");
}

/* A hundred come and go. */
static void test_iothread__lifecycle(void **state)
{
	struct iothread_config config = { .id = "io0", .poll.poll_max_ns = 32768, .cpu = -1 };
	int i;

	for (i = 0; i < 100; i++) {
		struct IOThread *t = iothread_new(&config, NULL);

		assert_non_null(t);
		iothread_free(t);
	}
	assert_int_equal(i, 100);
}

struct storm {
	struct AioContext *ctx;
	struct QEMUBH *bh;
	_Atomic bool stop;
	_Atomic int ran;
};

static void storm_bh(void *opaque)
{
	atomic_fetch_add(&((struct storm *)opaque)->ran, 1);
}

static void *storm_thread(void *opaque)
{
	struct storm *s = opaque;

	while (!atomic_load(&s->stop)) {
		aio_bh_schedule(s->bh);
		aio_notify(s->ctx);
	}
	return NULL;
}

/* Stop and join while another thread keeps the loop awake without pause. */
static void test_iothread__stops_under_storm(void **state)
{
	struct iothread_config config = { .id = "io0", .poll.poll_max_ns = 32768, .cpu = -1 };
	int i;

	for (i = 0; i < 20; i++) {
		struct IOThread *t = iothread_new(&config, NULL);
		struct storm s = { .ctx = iothread_get_aio_context(t) };
		pthread_t thread;

		aio_context_ref(s.ctx); /* outlives its thread as long as others use it */
		s.bh = aio_bh_new(s.ctx, storm_bh, &s, "storm");
		assert_int_equal(pthread_create(&thread, NULL, storm_thread, &s), 0);
		while (atomic_load(&s.ran) < 100)
			;
		iothread_free(t);
		atomic_store(&s.stop, true);
		pthread_join(thread, NULL);
		aio_bh_delete(s.bh);
		aio_context_unref(s.ctx);
		assert_true(s.ran >= 100);
	}
}

/* What was scheduled before iothread_free() runs. */
static void test_iothread__runs_what_was_scheduled(void **state)
{
	struct iothread_config config = { .id = "io0", .cpu = -1 };
	struct IOThread *t = iothread_new(&config, NULL);
	struct storm s = { .ran = 0 };
	int i;

	for (i = 0; i < 1000; i++)
		aio_bh_schedule_oneshot(iothread_get_aio_context(t), storm_bh, &s, "late");
	iothread_free(t);
	assert_int_equal(s.ran, 1000);
}

struct late_read {
	struct CqeHandler cqe; /* first */
	struct IOThread *iothread;
	int fd[2], setup;
	char byte;
	_Atomic int state; /* 1 = with the kernel, 2 = done */
};

static void late_read_prep(struct io_uring_sqe *sqe, void *opaque)
{
	struct late_read *r = opaque;

	io_uring_prep_read(sqe, r->fd[0], &r->byte, 1, 0);
}

static void late_read_done(struct CqeHandler *cqe)
{
	atomic_store(&((struct late_read *)cqe)->state, 2);
}

static void late_read_started(void *opaque)
{
	atomic_store(&((struct late_read *)opaque)->state, 1);
}

static void late_read_start(void *opaque)
{
	struct late_read *r = opaque;
	struct AioContext *ctx = iothread_get_aio_context(r->iothread);

	r->setup = aio_uring_setup(ctx);
	if (!r->setup)
		aio_add_sqe(ctx, late_read_prep, r, &r->cqe);
	aio_bh_schedule_oneshot(ctx, late_read_started, r, "started");
}

/*
 * An iothread's ring completes by task work, which runs only when the thread enters the ring. Under
 * ppoll and epoll it sleeps elsewhere: a completion has to end that sleep.
 */
static void test_iothread__ring_beside_other_monitors(void **state)
{
	static const enum aio_fdmon monitors[] = { AIO_FDMON_POLL, AIO_FDMON_EPOLL };
	int i, j;

	for (i = 0; i < 2; i++) {
		struct iothread_config config = { .id = "io0",
						  .aio.fdmon = monitors[i],
						  .cpu = -1 };
		struct late_read r = { .cqe.cb = late_read_done };

		r.iothread = iothread_new(&config, NULL);
		assert_int_equal(pipe(r.fd), 0);
		for (j = 0; j < 100; j++) {
			atomic_store(&r.state, 0);
			aio_bh_schedule_oneshot(iothread_get_aio_context(r.iothread),
						late_read_start, &r, "start");
			while (atomic_load(&r.state) != 1)
				sched_yield();
			if (r.setup)
				break;
			assert_int_equal(write(r.fd[1], "x", 1), 1);
			while (atomic_load(&r.state) != 2)
				sched_yield();
			assert_int_equal(r.cqe.res, 1);
		}
		iothread_free(r.iothread);
		close(r.fd[0]);
		close(r.fd[1]);
		if (r.setup) {
			print_message("# no io_uring: %s\n", strerror(-r.setup));
			skip();
		}
	}
}

static void poll_from_outside(struct AioContext *ctx, struct QEMUBH *leak)
{
	aio_poll(ctx, false);
}

static void leak_bh(struct AioContext *ctx, struct QEMUBH *leak)
{
	aio_context_unref(ctx);
}

/* In a child: fn must abort. */
static void must_abort(void (*fn)(struct AioContext *, struct QEMUBH *), bool threaded)
{
	struct iothread_config config = { .id = "io0", .cpu = -1 };
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct AioContext *ctx;

		close(2);
		signal(SIGABRT, SIG_DFL);
		if (threaded)
			ctx = iothread_get_aio_context(iothread_new(&config, NULL));
		else
			ctx = aio_context_new(NULL, NULL);
		fn(ctx, aio_bh_new(ctx, storm_bh, NULL, "leaked"));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* A turn in the wrong thread, and a bottom half that outlives its context, are bugs that end the
 * process. */
static void test_iothread__misuse_aborts(void **state)
{
	must_abort(poll_from_outside, true);
	must_abort(leak_bh, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_iothread__starts_named),
		cmocka_unit_test(test_iothread__refuses_bad_settings),
		cmocka_unit_test(test_iothread__settings_live),
		cmocka_unit_test(test_iothread__lifecycle),
		cmocka_unit_test(test_iothread__stops_under_storm),
		cmocka_unit_test(test_iothread__runs_what_was_scheduled),
		cmocka_unit_test(test_iothread__ring_beside_other_monitors),
		cmocka_unit_test(test_iothread__misuse_aborts),
	};

	return cmocka_run_group_tests_name("iothread", tests, NULL, NULL);
}
