// SPDX-License-Identifier: BSD-2-Clause
/* Which thread is a VM's vhost worker, from walk to walk: real threads of this process, called as
 * the kernel calls its workers. */
#include <lib/tap.h>

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake_vm.h"

#define WALKS 20 /* more than it may take until one is looked for again */

struct worker {
	pthread_t thread;
	uint32_t tid;
	sem_t ready, end;
};

static void *worker_main(void *opaque)
{
	struct worker *w = opaque;
	char name[16];

	snprintf(name, sizeof(name), "vhost-%d", (int)getpid());
	prctl(PR_SET_NAME, name);
	w->tid = syscall(SYS_gettid);
	sem_post(&w->ready);
	sem_wait(&w->end);
	return NULL;
}

static struct worker *worker_start(void)
{
	struct worker *w = calloc(1, sizeof(*w));

	sem_init(&w->ready, 0, 0);
	sem_init(&w->end, 0, 0);
	assert_int_equal(pthread_create(&w->thread, NULL, worker_main, w), 0);
	sem_wait(&w->ready);
	return w;
}

/* A joined thread is in /proc for a moment yet. */
static void worker_end(struct worker *w)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%u", w->tid);
	sem_post(&w->end);
	pthread_join(w->thread, NULL);
	while (!access(path, F_OK))
		sched_yield();
	sem_destroy(&w->ready);
	sem_destroy(&w->end);
	free(w);
}

static int setup(void **state)
{
	struct foreign *f = fake_foreign_new();

	f->pid = getpid();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fake_foreign_free(*state);
	return 0;
}

static void add_nic(struct foreign *f, uint64_t gpa, uint32_t id)
{
	fake_vm_consumer(fake_vm_queue(f, gpa, "nic", 0, id), 0, CONSUMER_VHOST, "");
}

/* Whom the row at this address was given. */
static uint32_t walk(struct foreign *f, uint64_t gpa)
{
	foreign_look_for_vhost(f);
	foreign_take_vm(f);
	return f->row[fake_row(f, gpa)].to_tell.consumer_tid;
}

/* The VM's only worker is known by its name; a VM without such queues has none. */
static void test_foreign_vhost__only_worker(void **state)
{
	struct worker *w = worker_start();
	struct foreign *f = *state;

	fake_vm_queue(f, 0xfe001000, "disk", 0, 6);
	assert_int_equal(walk(f, 0xfe001000), 0);
	assert_int_equal(f->vhost_tid, 0);
	add_nic(f, 0xfe003000, 7);
	assert_int_equal(walk(f, 0xfe003000), w->tid);
	assert_int_equal(walk(f, 0xfe003000), w->tid);
	assert_int_equal(f->row[fake_row(f, 0xfe001000)].to_tell.consumer_tid, 0);
	worker_end(w);
}

/* A second NIC brings a worker of its own: neither is taken for the other's. When it is unplugged
 * the first one's is known again, though both workers are there yet when its eventfds go. */
static void test_foreign_vhost__second_nic(void **state)
{
	struct worker *first = worker_start(), *second;
	struct foreign *f = *state;
	uint32_t i;

	add_nic(f, 0xfe003000, 7);
	assert_int_equal(walk(f, 0xfe003000), first->tid);
	second = worker_start();
	add_nic(f, 0xfe004000, 8);
	assert_int_equal(walk(f, 0xfe004000), 0);
	assert_true(foreign_is_unwatched(&f->row[fake_row(f, 0xfe003000)]));
	assert_true(foreign_is_unwatched(&f->row[fake_row(f, 0xfe004000)]));
	f->vm->n_queues--;
	assert_int_equal(walk(f, 0xfe003000), 0);
	worker_end(second);
	for (i = 0; i < WALKS && !walk(f, 0xfe003000); i++)
		;
	assert_int_equal(f->vhost_tid, first->tid);
	worker_end(first);
}

/* A NIC that is plugged anew at the same address has another worker. */
static void test_foreign_vhost__plugged_anew(void **state)
{
	struct worker *w = worker_start();
	struct foreign *f = *state;

	add_nic(f, 0xfe003000, 7);
	assert_int_equal(walk(f, 0xfe003000), w->tid);
	worker_end(w);
	w = worker_start();
	fake_vm_clear(f);
	add_nic(f, 0xfe003000, 9);
	assert_int_equal(walk(f, 0xfe003000), w->tid);
	worker_end(w);
}

/* A worker that has ended is nobody's, whatever the eventfds are: another one is looked for. */
static void test_foreign_vhost__has_ended(void **state)
{
	struct worker *w = worker_start();
	struct foreign *f = *state;

	add_nic(f, 0xfe003000, 7);
	assert_int_equal(walk(f, 0xfe003000), w->tid);
	worker_end(w);
	assert_int_equal(walk(f, 0xfe003000), 0);
	assert_true(foreign_is_unwatched(&f->row[0]));
	/* Its number is another thread's. */
	f->vhost_tid = getpid();
	w = worker_start();
	assert_int_equal(walk(f, 0xfe003000), w->tid);
	worker_end(w);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_foreign_vhost__##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(only_worker),
		TEST(second_nic),
		TEST(plugged_anew),
		TEST(has_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
