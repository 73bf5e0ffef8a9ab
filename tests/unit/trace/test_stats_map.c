// SPDX-License-Identifier: BSD-2-Clause
/* Reading another process's stats page: found by name, judged by header, copied while it changes.
 */
#include <lib/tap.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <handoff/stats.h>

#include "stats_map.h"

/* This process is the VMM: one page for all tests. */
static int setup(void **state)
{
	struct error err;
	struct stats_page *page;

	if (stats_page_new(&page, &err))
		return -1;
	*state = page;
	return 0;
}

static int teardown(void **state)
{
	stats_page_free(*state);
	return 0;
}

/* Found under /proc, mapped, and a row comes through whole. */
static void test_stats_map__finds_the_page(void **state)
{
	struct stats_page *page = *state, *copy = calloc(1, sizeof(*copy));
	struct stats_queue *row = stats_queue_get(page, "disk0", 1);
	struct stats_map *m;
	struct error err;

	row->requests = 77;
	m = stats_map_new(getpid(), &err);
	assert_non_null(m);
	stats_map_copy(m, copy);
	assert_int_equal(copy->pid, getpid());
	assert_string_equal(copy->queue[0].device, "disk0");
	assert_int_equal(copy->queue[0].requests, 77);
	/* The page outlives its owner's last row. */
	stats_queue_put(row);
	stats_map_copy(m, copy);
	assert_int_equal(copy->queue[0].requests, 77);
	stats_map_free(m);
	free(copy);
}

/* A process without a page, and a process that is not there, are told apart. */
static void test_stats_map__says_what_is_missing(void **state)
{
	struct error err;
	pid_t child = fork();

	if (!child) {
		close_range(3, ~0u, 0);
		for (;;)
			pause();
	}
	/* The child shares our page's descriptor until it has closed it. */
	for (;;) {
		struct stats_map *m = stats_map_new(child, &err);

		if (!m)
			break;
		stats_map_free(m);
	}
	assert_non_null(strstr(err.msg, "no stats page"));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_null(stats_map_new(child, &err));
	assert_non_null(strstr(err.msg, "no process"));
}

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

static struct stats_map *open_made_up_sealed(size_t size, uint64_t magic, uint32_t version,
					     int seals, char *why)
{
	int fd = memfd_create("made-up", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stats_page *head = calloc(1, sizeof(*head));
	struct stats_map *m;
	struct error err = { "" };

	head->magic = magic;
	head->version = version;
	head->size = sizeof(*head);
	assert_int_equal(write(fd, head, size), size);
	free(head);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	m = stats_map_open(fd, &err);
	memcpy(why, err.msg, sizeof(err.msg));
	return m;
}

static struct stats_map *open_made_up(size_t size, uint64_t magic, uint32_t version, char *why)
{
	return open_made_up_sealed(size, magic, version, SEALS, why);
}

/* What may shrink under the reader is refused: an unsealed memfd, and a file called like one. */
static void test_stats_map__wants_it_sealed(void **state)
{
	char why[sizeof(((struct error *)0)->msg)], path[] = "/tmp/handoff-page.XXXXXX";
	int fd = mkstemp(path);
	struct error err;

	assert_null(
		open_made_up_sealed(sizeof(struct stats_page), STATS_MAGIC, STATS_VERSION, 0, why));
	assert_non_null(strstr(why, "sealed"));
	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(ftruncate(fd, sizeof(struct stats_page)), 0);
	assert_null(stats_map_open(fd, &err));
	assert_non_null(strstr(err.msg, "sealed"));
}

/* A page that is too short, has no magic, or is of another version is refused. */
static void test_stats_map__judges_the_header(void **state)
{
	char why[sizeof(((struct error *)0)->msg)];
	struct stats_map *m;

	assert_null(open_made_up(4096, STATS_MAGIC, STATS_VERSION, why));
	assert_non_null(strstr(why, "another version"));
	assert_null(open_made_up(sizeof(struct stats_page), 0, STATS_VERSION, why));
	assert_non_null(strstr(why, "magic"));
	assert_null(open_made_up(sizeof(struct stats_page), STATS_MAGIC, STATS_VERSION + 1, why));
	assert_non_null(strstr(why, "version"));
	m = open_made_up(sizeof(struct stats_page), STATS_MAGIC, STATS_VERSION, why);
	assert_non_null(m);
	stats_map_free(m);
}

struct writer {
	struct stats_loop *row;
	atomic_bool stop;
	atomic_ulong turns;
};

/* Two fields that must agree in every copy. A loop works longer than it writes. */
static void *write_rows(void *opaque)
{
	struct writer *w = opaque;
	int i;

	while (!atomic_load(&w->stop)) {
		stats_write_begin(&w->row->seq);
		stats_add(&w->row->handling_ns, 1);
		stats_add(&w->row->blocked_ns, 1);
		stats_write_end(&w->row->seq);
		for (i = 0; i < 2000; i++)
			atomic_fetch_add(&w->turns, 1);
	}
	return NULL;
}

/* Copies taken while the writer writes agree with themselves. */
static void test_stats_map__copies_are_consistent(void **state)
{
	struct stats_page *page = *state, *copy = calloc(1, sizeof(*copy));
	struct writer w = { .row = stats_loop_get(page, STATS_LOOP_IOTHREAD, "io0") };
	unsigned long torn = 0, fresh = 0, last = 0;
	struct stats_map *m;
	pthread_t thread;
	struct error err;
	int i;

	m = stats_map_new(getpid(), &err);
	assert_non_null(m);
	assert_int_equal(pthread_create(&thread, NULL, write_rows, &w), 0);
	for (i = 0; i < 2000 || fresh < 2; i++) {
		stats_map_copy(m, copy);
		torn += copy->loop[0].handling_ns != copy->loop[0].blocked_ns;
		fresh += copy->loop[0].handling_ns != last;
		last = copy->loop[0].handling_ns;
	}
	atomic_store(&w.stop, true);
	pthread_join(thread, NULL);
	assert_true(atomic_load(&w.turns) > 0);
	/* The tries are bounded, so a writer that never pauses may win now and then. */
	assert_true(torn <= 20);
	stats_loop_put(w.row);
	stats_map_free(m);
	free(copy);
}

/* A VMM killed in the middle of a row: the row is taken as it is, and the reader does not hang. */
static void test_stats_map__takes_a_row_left_half_written(void **state)
{
	struct stats_page *page = *state, *copy = calloc(1, sizeof(*copy));
	struct stats_loop *row = stats_loop_get(page, STATS_LOOP_MAIN, "main");
	struct stats_map *m;
	struct error err;

	stats_write_begin(&row->seq);
	row->polls = 5;
	m = stats_map_new(getpid(), &err);
	assert_non_null(m);
	stats_map_copy(m, copy);
	assert_int_equal(copy->loop[stats_loop_index(page, row)].polls, 5);
	stats_write_end(&row->seq);
	stats_loop_put(row);
	stats_map_free(m);
	free(copy);
}

/* Names and numbers of a page that lies do not lead the reader astray. */
static void test_stats_map__bounds_what_it_copies(void **state)
{
	struct stats_page *page = *state, *copy = calloc(1, sizeof(*copy));
	struct stats_loop *row = stats_loop_get(page, STATS_LOOP_MAIN, "main");
	struct stats_map *m;
	struct error err;

	memset(row->id, 'x', sizeof(row->id));
	row->id[3] = '\033';
	page->n_vcpus = 100000;
	m = stats_map_new(getpid(), &err);
	assert_non_null(m);
	stats_map_copy(m, copy);
	assert_int_equal(copy->n_vcpus, STATS_MAX_VCPUS);
	assert_int_equal(strlen(copy->loop[stats_loop_index(page, row)].id), STATS_NAME_LEN - 1);
	assert_int_equal(copy->loop[stats_loop_index(page, row)].id[3], '?');
	page->n_vcpus = 0;
	stats_loop_put(row);
	stats_map_free(m);
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stats_map__finds_the_page),
		cmocka_unit_test(test_stats_map__says_what_is_missing),
		cmocka_unit_test(test_stats_map__judges_the_header),
		cmocka_unit_test(test_stats_map__wants_it_sealed),
		cmocka_unit_test(test_stats_map__copies_are_consistent),
		cmocka_unit_test(test_stats_map__takes_a_row_left_half_written),
		cmocka_unit_test(test_stats_map__bounds_what_it_copies),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
