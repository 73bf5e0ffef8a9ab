// SPDX-License-Identifier: BSD-2-Clause
/*
 * The stats page as a tracer meets it: found in /proc, sealed, rows that come and go, copies that
 * are never torn.
 */
#include <lib/tap.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <handoff/clock.h>
#include <handoff/stats.h>

static int page_setup(void **state)
{
	return stats_page_new((struct stats_page **)state, NULL);
}

static int page_teardown(void **state)
{
	stats_page_free(*state);
	return 0;
}

/* Opens the page as a tracer does: by name, through /proc/PID/fd. -1 if it is not there. */
static int find_page(int flags)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int fd = -1;

	assert_non_null(dir);
	while (fd < 0 && (entry = readdir(dir))) {
		char path[300], target[100] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		if (readlink(path, target, sizeof(target) - 1) > 0 &&
		    strstr(target, "memfd:" STATS_MEMFD_NAME))
			fd = open(path, flags);
	}
	closedir(dir);
	return fd;
}

/* A tracer finds the page and sees through a read-only mapping what the VMM writes. */
static void test_stats__page_is_found_and_shared(void **state)
{
	struct stats_page *page = *state, *seen;
	int fd = find_page(O_RDONLY);

	assert_true(fd >= 0);
	seen = mmap(NULL, sizeof(*seen), PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(seen, MAP_FAILED);
	close(fd);
	assert_int_equal(seen->magic, STATS_MAGIC);
	assert_int_equal(seen->version, STATS_VERSION);
	assert_int_equal(seen->size, sizeof(*seen));
	assert_int_equal(seen->pid, getpid());
	assert_in_range(seen->start_ns, 1, clock_ns());
	stats_inc(&stats_loop_get(page, STATS_LOOP_MAIN, "main")->polls);
	assert_int_equal(seen->loop[0].polls, 1);
	munmap(seen, sizeof(*seen));
}

/* Nobody who finds it can resize it, write it or take the seals off. */
static void test_stats__page_is_sealed(void **state)
{
	int fd = find_page(O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	close(fd);
}

/* Freeing leaves no descriptor behind. */
static void test_stats__free_closes_the_page(void **state)
{
	struct stats_page *page = NULL;

	assert_int_equal(stats_page_new(&page, NULL), 0);
	stats_page_free(page);
	assert_int_equal(find_page(O_RDONLY), -1);
	stats_page_free(NULL);
}

/* Rows are handed out until none is left, and a row given back is handed out again, empty. */
static void test_stats__rows_come_and_go(void **state)
{
	struct stats_page *page = *state;
	struct stats_loop *row = NULL;
	unsigned int i;

	for (i = 0; i < STATS_MAX_LOOPS; i++) {
		row = stats_loop_get(page, STATS_LOOP_IOTHREAD, "io");
		assert_non_null(row);
		assert_int_equal(stats_loop_index(page, row), i);
	}
	assert_null(stats_loop_get(page, STATS_LOOP_IOTHREAD, "io"));
	row->polls = 7;
	stats_loop_put(row);
	assert_ptr_equal(stats_loop_get(page, STATS_LOOP_MAIN, "main"), row);
	assert_int_equal(row->polls, 0);
	assert_string_equal(row->id, "main");
}

/* The same for queues; a name that is too long is cut and ends. */
static void test_stats__queue_rows(void **state)
{
	struct stats_page *page = *state;
	struct stats_queue *row = stats_queue_get(page, "a-device-name-of-more-than-31-letters", 3);

	assert_non_null(row);
	assert_int_equal(row->used, 1);
	assert_int_equal(row->queue, 3);
	assert_string_equal(row->device, "a-device-name-of-more-than-31-l");
	assert_int_equal(stats_queue_index(page, row), 0);
	stats_queue_put(row);
	assert_int_equal(row->used, 0);
}

/* A row's sequence only grows, over put and get: who read the old row must notice. */
static void test_stats__sequence_survives_reuse(void **state)
{
	struct stats_page *page = *state;
	struct stats_loop *row = stats_loop_get(page, STATS_LOOP_MAIN, "main");
	__u32 seq = row->seq;

	stats_loop_put(row);
	assert_true(row->seq > seq && !(row->seq & 1));
	assert_ptr_equal(stats_loop_get(page, STATS_LOOP_MAIN, "main"), row);
	assert_int_equal(row->seq, seq + 4);
}

/* Without a page there are no rows, and private rows have no index. */
static void test_stats__works_without_a_page(void **state)
{
	struct stats_page *page = *state;
	struct stats_loop private_loop = {};
	struct stats_queue private_queue = {};

	assert_null(stats_loop_get(NULL, STATS_LOOP_MAIN, "main"));
	assert_null(stats_queue_get(NULL, "disk0", 0));
	assert_int_equal(stats_loop_index(page, &private_loop), ~0u);
	assert_int_equal(stats_queue_index(page, &private_queue), ~0u);
	assert_int_equal(stats_loop_index(NULL, &page->loop[0]), ~0u);
	stats_handover_add(NULL, &(struct stats_handover){});
}

/* The ring of hand-overs keeps the newest and the number of all. */
static void test_stats__handover_ring_keeps_newest(void **state)
{
	struct stats_page *page = *state;
	unsigned int i;

	for (i = 0; i < STATS_MAX_HANDOVERS + 3; i++)
		stats_handover_add(page, &(struct stats_handover){ .t_ns = i, .device = "disk0" });
	assert_int_equal(page->n_handovers, STATS_MAX_HANDOVERS + 3);
	assert_int_equal(page->handover[2].t_ns, STATS_MAX_HANDOVERS + 2);
	assert_int_equal(page->handover[3].t_ns, 3);
}

#define TURNS 200000

static void *write_pairs(void *opaque)
{
	struct stats_loop *row = opaque;
	__u64 i;

	for (i = 1; i <= TURNS; i++) {
		stats_write_begin(&row->seq);
		stats_set(&row->handling_ns, i);
		stats_set(&row->blocked_ns, 2 * i);
		stats_write_end(&row->seq);
	}
	return NULL;
}

/* A reader that follows the sequence count never sees half of a change. */
static void test_stats__sequence_hides_torn_rows(void **state)
{
	struct stats_loop *row = stats_loop_get(*state, STATS_LOOP_IOTHREAD, "io0");
	__u64 handling = 0, blocked;
	pthread_t writer;
	__u32 before;

	assert_int_equal(pthread_create(&writer, NULL, write_pairs, row), 0);
	while (handling < TURNS) {
		before = __atomic_load_n(&row->seq, __ATOMIC_ACQUIRE);
		handling = __atomic_load_n(&row->handling_ns, __ATOMIC_RELAXED);
		blocked = __atomic_load_n(&row->blocked_ns, __ATOMIC_RELAXED);
		__atomic_thread_fence(
			__ATOMIC_ACQUIRE); /* pairs with the fence in stats_write_begin */
		if (before & 1 || __atomic_load_n(&row->seq, __ATOMIC_RELAXED) != before) {
			handling = 0;
			continue;
		}
		assert_int_equal(blocked, 2 * handling);
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stats__page_is_found_and_shared, page_setup,
						page_teardown),
		cmocka_unit_test_setup_teardown(test_stats__page_is_sealed, page_setup,
						page_teardown),
		cmocka_unit_test(test_stats__free_closes_the_page),
		cmocka_unit_test_setup_teardown(test_stats__rows_come_and_go, page_setup,
						page_teardown),
		cmocka_unit_test_setup_teardown(test_stats__queue_rows, page_setup, page_teardown),
		cmocka_unit_test_setup_teardown(test_stats__sequence_survives_reuse, page_setup,
						page_teardown),
		cmocka_unit_test_setup_teardown(test_stats__works_without_a_page, page_setup,
						page_teardown),
		cmocka_unit_test_setup_teardown(test_stats__handover_ring_keeps_newest, page_setup,
						page_teardown),
		cmocka_unit_test_setup_teardown(test_stats__sequence_hides_torn_rows, page_setup,
						page_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
