// SPDX-License-Identifier: BSD-2-Clause
/*
 * io_uring's workers come and go inside the VMM without a word, so they have no state in BPF; none
 * of their switches is a loss. Up to 6.4 one that ends is for a moment not marked as a worker
 * (drift_is_io_worker); with another thread on its CPU, nearly each is preempted just then.
 */
#include "fake_vmm.h"
#include "privileged.h"

#include <liburing.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <handoff/clock.h>

#define ROUNDS 500
#define MAX_NS (40 * NS_PER_S)

static atomic_bool over;

static void use_first_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void *spin(void *arg)
{
	(void)arg;
	while (!atomic_load(&over))
		;
	return NULL;
}

/* A request that only a worker may do; the worker ends with this thread. */
static void *use_worker(void *arg)
{
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;

	(void)arg;
	if (io_uring_queue_init(4, &ring, 0))
		return NULL;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_nop(sqe);
	io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
	if (io_uring_submit_and_wait(&ring, 1) != 1 || io_uring_wait_cqe(&ring, &cqe) ||
	    cqe->res < 0)
		cqe = NULL;
	io_uring_queue_exit(&ring);
	return cqe;
}

static void test_io_workers__that_end_are_no_loss(void **state)
{
	int64_t begin = clock_ns();
	pthread_t busy, thread;
	cpu_set_t before;
	void *done;
	int i;

	if (!*state)
		skip();
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	use_first_cpu();
	assert_int_equal(pthread_create(&busy, NULL, spin, NULL), 0);
	for (i = 0; i < ROUNDS && clock_ns() - begin < MAX_NS; i++) {
		assert_int_equal(pthread_create(&thread, NULL, use_worker, NULL), 0);
		assert_int_equal(pthread_join(thread, &done), 0);
		assert_non_null(done);
	}
	atomic_store(&over, true);
	assert_int_equal(pthread_join(busy, NULL), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	print_message("# %d workers\n", i);
	free(fake_report(*state));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_io_workers__that_end_are_no_loss,
						fake_setup_long, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
