/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each test of a table runs once per fd monitor, on a context of its own, so that all three behave
 * alike. A monitor that this machine does not offer is skipped with the reason.
 */
#ifndef TEST_AIO_FIXTURE_H
#define TEST_AIO_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <abi/stats.h>
#include <handoff/aio.h>

struct loop_fixture {
	struct AioContext *ctx; /* the test's thread is its home */
	struct stats_loop row;
	enum aio_fdmon fdmon;
};

struct loop_test {
	const char *name;
	CMUnitTestFunction run;
	enum aio_fdmon only; /* AIO_FDMON_AUTO: all three */
};

/* clang-format off */
#define LOOP_TEST(function) { #function, function, AIO_FDMON_AUTO }
#define LOOP_TEST_ON(function, fdmon) { #function, function, fdmon }
/* clang-format on */

/* Number of failures, as cmocka's. */
int loop_tests_run(const char *group, const struct loop_test *tests, size_t n);

/* The running test's context. */
struct AioContext *loop_ctx(void **state);
struct stats_loop *loop_row(void **state);

/* Non-blocking turns until nothing is left. Number of turns that did something. */
int loop_drain(struct AioContext *ctx);

/* A notifier that counts its calls. */
struct counted_notifier {
	struct EventNotifier e; /* first: callbacks get its address */
	struct AioContext *ctx;
	int reads, polls, readies, begins, ends;
	int again; /* read: set it again so many times */
	bool work; /* what io_poll says; read and poll_ready clear it */
};

void counted_init(struct counted_notifier *n, struct AioContext *ctx);
void counted_release(struct counted_notifier *n);
/* fd only */
void counted_attach(struct counted_notifier *n);
/* fd, io_poll, and begin and end */
void counted_attach_polled(struct counted_notifier *n);
void counted_detach(struct counted_notifier *n);
/* Blocking turns until the handler has run by its fd once, so that it is polled from now on. */
void counted_make_polled(struct counted_notifier *n);

/* poll_max_ns with the policy's own defaults; applied before it returns. */
void loop_set_poll(struct AioContext *ctx, int64_t poll_max_ns, const char *policy);

#endif
