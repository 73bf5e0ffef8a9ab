// SPDX-License-Identifier: BSD-2-Clause
/* One table of tests, three fd monitors; see fixture.h. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fixture_setup(void **state)
{
	struct loop_fixture *f = calloc(1, sizeof(*f));
	struct aio_context_config config = { .stats = &f->row };
	struct error err;

	f->fdmon = (enum aio_fdmon)(uintptr_t)*state;
	config.fdmon = f->fdmon;
	f->ctx = aio_context_new(&config, &err);
	if (!f->ctx)
		print_message("%s\n", err.msg);
	else
		aio_set_current_context(f->ctx);
	*state = f;
	return 0;
}

static int fixture_teardown(void **state)
{
	struct loop_fixture *f = *state;

	aio_context_unref(f->ctx);
	aio_set_current_context(NULL);
	free(f);
	return 0;
}

struct AioContext *loop_ctx(void **state)
{
	struct loop_fixture *f = *state;

	if (!f->ctx) {
		print_message("# fd monitor %s is not to be had\n", aio_fdmon_name(f->fdmon));
		skip();
	}
	assert_int_equal(aio_context_fdmon(f->ctx), f->fdmon);
	return f->ctx;
}

struct stats_loop *loop_row(void **state)
{
	return &((struct loop_fixture *)*state)->row;
}

int loop_tests_run(const char *group, const struct loop_test *tests, size_t n)
{
	static const enum aio_fdmon monitors[] = { AIO_FDMON_POLL, AIO_FDMON_EPOLL,
						   AIO_FDMON_IO_URING };
	struct CMUnitTest *units = calloc(n * 3, sizeof(*units));
	size_t i, j, k = 0;
	int failed;

	for (i = 0; i < 3; i++) {
		for (j = 0; j < n; j++) {
			char *name;

			if (tests[j].only != AIO_FDMON_AUTO && tests[j].only != monitors[i])
				continue;

			if (asprintf(&name, "%s[%s]", tests[j].name, aio_fdmon_name(monitors[i])) <
			    0)
				abort();
			units[k++] = (struct CMUnitTest){ name, tests[j].run, fixture_setup,
							  fixture_teardown,
							  (void *)(uintptr_t)monitors[i] };
		}
	}
	failed = _cmocka_run_group_tests(group, units, k, NULL, NULL);
	for (i = 0; i < k; i++)
		free((char *)units[i].name);
	free(units);
	return failed;
}

int loop_drain(struct AioContext *ctx)
{
	int turns = 0;

	while (aio_poll(ctx, false))
		assert_true(++turns < 100000);
	return turns;
}

static void counted_read(struct EventNotifier *e)
{
	struct counted_notifier *n = (struct counted_notifier *)e;

	event_notifier_test_and_clear(e);
	n->reads++;
	n->work = false;
	if (n->again > 0) {
		n->again--;
		event_notifier_set(e);
	}
}

static bool counted_poll(struct EventNotifier *e)
{
	struct counted_notifier *n = (struct counted_notifier *)e;

	n->polls++;
	return n->work;
}

static void counted_ready(struct EventNotifier *e)
{
	struct counted_notifier *n = (struct counted_notifier *)e;

	n->readies++;
	n->work = false;
}

static void counted_begin(struct EventNotifier *e)
{
	((struct counted_notifier *)e)->begins++;
}

static void counted_end(struct EventNotifier *e)
{
	((struct counted_notifier *)e)->ends++;
}

void counted_init(struct counted_notifier *n, struct AioContext *ctx)
{
	memset(n, 0, sizeof(*n));
	n->ctx = ctx;
	assert_int_equal(event_notifier_init(&n->e, false), 0);
}

void counted_release(struct counted_notifier *n)
{
	counted_detach(n);
	event_notifier_release(&n->e);
}

void counted_attach(struct counted_notifier *n)
{
	aio_set_event_notifier(n->ctx, &n->e, counted_read, NULL, NULL);
}

void counted_attach_polled(struct counted_notifier *n)
{
	aio_set_event_notifier(n->ctx, &n->e, counted_read, counted_poll, counted_ready);
	aio_set_event_notifier_poll(n->ctx, &n->e, counted_begin, counted_end);
}

void counted_detach(struct counted_notifier *n)
{
	aio_set_event_notifier(n->ctx, &n->e, NULL, NULL, NULL);
}

void counted_make_polled(struct counted_notifier *n)
{
	int reads = n->reads;

	event_notifier_set(&n->e);
	while (n->reads == reads)
		aio_poll(n->ctx, true);
}

void loop_set_poll(struct AioContext *ctx, int64_t poll_max_ns, const char *policy)
{
	struct aio_poll_params params = { .policy = policy, .poll_max_ns = poll_max_ns };
	struct error err;

	assert_int_equal(aio_context_set_poll_params(ctx, &params, &err), 0);
	loop_drain(ctx);
}
